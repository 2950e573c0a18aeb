#pragma once
// A case on the simulated device, through driver, rings and firmware, as any other program runs.
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "host/driver/device.h"
#include "sim/cosim/reference.h"
#include "sim/cosim/timing_checker.h"
#include "sim/platform/platform.h"
#include "trace/events.h"

namespace retrace::cosim {

/// Keeps the accesses of a run for the report, and all that the timing checker wants.
class access_recorder : public trace::event_sink {
public:
    static constexpr std::size_t kept = 65536;

    void on(const trace::access_event& e) override {
        if (accesses_.size() == kept)
            accesses_.pop_front();
        accesses_.push_back(e);
    }
    void on(const trace::command_event&) override {}
    void on(const trace::tensor_event&) override {}
    void on(const trace::stale_read_event& e) override {
        if (stale_.size() < 16)
            stale_.push_back(e);
    }
    void on(const trace::occupancy_event&) override {}
    void on(const trace::host_event&) override {}
    void name_tensor(std::uint32_t, std::string_view) override {}
    bool wants_accesses(std::uint32_t) const override { return true; }
    bool wants_timing() const override { return true; }
    void timing(const trace::program_event& e) override { timing_.programs.push_back(e); }
    void timing(const trace::instruction_event& e) override { timing_.instructions.push_back(e); }
    void timing(const trace::grant_event& e) override { timing_.grants.push_back(e); }
    void timing(const trace::mover_event& e) override { timing_.movers.push_back(e); }

    const std::deque<trace::access_event>& accesses() const { return accesses_; }
    const std::vector<trace::stale_read_event>& stale() const { return stale_; }
    const timing_log& times() const { return timing_; }

private:
    std::deque<trace::access_event> accesses_;
    std::vector<trace::stale_read_event> stale_;
    timing_log timing_;
};

/// What memory holds when all commands have ended.
struct memory_image {
    std::vector<std::byte> host, dram, state_buffer, psum; ///< host: all of it
    std::uint64_t dram_live = 0, state_buffer_live = 0, psum_live = 0, stale_reads = 0;
};

/// One per process (SystemC). Fails with what the platform throws: simulation_hang, std::logic_error of the model,
/// array_mismatch; command_failure for a command that did not end well.
class device_run {
public:
    /// `array`: sim/platform/array_choice.h; array_choice_error where this build does not have it.
    device_run(const test_case& c, const std::string& array, const device_companion& companion = {});
    ~device_run();

    /// Where the case's host buffers lie; known before run(), so that programs can be prepared.
    std::uint64_t host_base() const { return host_base_; }
    void run(const prepared_case& p);

    /// After run(): memories of the device, and what they should be by the reference where the case does not reach
    /// (`expected_host` is host memory as it was before the first command; the driver's rings are left out of both).
    memory_image image() const;
    std::vector<std::byte> expected_host(const interpreter& reference) const;

    std::uint64_t cycles() const;
    const simulated_port& platform() const { return *port_; }
    const access_recorder& recorder() const { return recorder_; }
    /// After run(): what the device told about time, and the case's commands by the device's sequence numbers.
    timing_log times() const;
    std::map<std::uint32_t, timed_command> timed_commands(const prepared_case& p) const;
    const npu_config& config() const { return config_; }
    /// Sequence number that the reference uses for the device's; 0: not one of the case's commands.
    std::uint32_t reference_sequence(std::uint32_t device_sequence) const;

private:
    void blank_rings(std::vector<std::byte>& host) const;

    npu_config config_;
    access_recorder recorder_;
    std::unique_ptr<simulated_port> port_;
    std::shared_ptr<void> companion_;
    std::unique_ptr<retrace::device> driver_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> rings_; ///< offset, bytes
    std::uint64_t host_base_ = 0;
    std::vector<std::byte> host_before_;
    std::vector<std::uint32_t> sequences_;
};

/// A command of a legal case did not complete with `ok`.
class command_failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace retrace::cosim
