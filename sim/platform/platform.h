#pragma once
// The platform: the host's memory and its links to the devices, in one simulation. The host runs outside the kernel, as ordinary code; a
// call of the port that has to wait advances the kernel until what it waits for has happened.
#include <functional>
#include <memory>
#include <stdexcept>

#include "host/port.h"
#include "sim/platform/weak_memory.h"
#include "tlm/npu.h"

namespace retrace {

/// Nothing moves any more, or nothing has for too long (exit 3). The text says why, the most important line first, and who waits for what.
class simulation_hang : public std::runtime_error {
public:
    simulation_hang(const std::string& text, wait_graph graph, std::uint64_t since)
        : std::runtime_error(text), graph_(std::make_shared<const wait_graph>(std::move(graph))), since_(since) {}
    const wait_graph& graph() const { return *graph_; }
    /// The cycle after which nothing has moved.
    std::uint64_t since() const { return since_; }

private:
    std::shared_ptr<const wait_graph> graph_; // copying an exception must not throw
    std::uint64_t since_;
};

/// The simulation cannot go on, and it is nobody's fault in it.
class simulation_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The user asked to stop (Ctrl-C); the run is closed in order.
class simulation_interrupted : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A device as the host reaches it.
class simulated_port : public port {
public:
    simulated_port(const npu_config& config, unsigned device, trace::event_sink* sink);
    ~simulated_port() override;

    std::uint32_t read_register(std::uint32_t offset) override;
    void write_register(std::uint32_t offset, std::uint32_t value) override;
    std::span<std::byte> host_memory() override;
    std::uint64_t host_memory_address() const override { return spec::host_window_base; }
    // The simulated host writes its memory in program order, unless it is to be weakly ordered (npu.stress.reorder).
    void write_barrier() override;
    void read_barrier() override;
    interrupt_message message() const override;
    bool wait_interrupt(std::uint64_t cycles) override;
    std::uint64_t cycles() const override;

    /// Host computation that costs simulated time.
    void compute(std::uint64_t cycles);

    npu& device() { return *npu_; }
    const npu& device() const { return *npu_; }
    /// The device's named signals. Whoever listens stops before this goes.
    trace::probe_registry& probes() { return probes_; }
    std::uint64_t femtoseconds_per_cycle() const;
    /// Tiles that ran in each of npu_config::array.windows.
    const std::vector<std::uint64_t>& tiles_in_windows() const { return window_tiles_; }
    /// Stops at the next opportunity with simulation_interrupted; callable from a signal handler.
    static void request_stop();

private:
    template <typename Condition>
    bool advance(std::uint64_t cycles, bool for_interrupt, Condition&& reached);
    /// Runs the kernel up to `cycle`, or until something pauses it.
    void run_to(std::uint64_t cycle);
    void check_watchdog();
    npu::host_state host_state() const;
    void let_memory_drift();

    npu_config config_;
    std::vector<std::uint64_t> window_tiles_;
    unsigned number_;
    unsigned pending_interrupts_ = 0;
    std::uint64_t last_progress_ = 0, progress_cycle_ = 0, host_progress_ = 0;
    bool waits_ = false, for_ever_ = false; ///< the host, for an interrupt; without a limit
    std::uint64_t waits_since_ = 0;
    std::uint64_t astray_ = 0, astray_address_ = 0; ///< messages that nobody listens to
    trace::probe_registry probes_;
    std::unique_ptr<npu> npu_;
    std::unique_ptr<weak_memory> weak_; ///< null: both sides see each other's writes at once
    sc_core::sc_event host_goes_on_;
};

/// Called with a device before anything happens on it; what it returns lives until just before the device goes.
using device_companion = std::function<std::shared_ptr<void>(simulated_port&)>;

} // namespace retrace
