#pragma once
// A device for tests of firmware and driver: the real register blocks, the real RISC-V core and whatever
// firmware is loaded; engines that a script times and fails, host memory and device DRAM as bytes, a mover
// with random latency. No kernel.
//
// It watches the rules that firmware owes the device, whatever the host does, and collects what breaks them:
// an engine runs one program at a time and in ring order, a command begins once and after its waits ended
// well, working sets of open contexts are disjoint, only engines of the command run in its context, a context
// ends after its engines.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tlm/core/control/control_block.h"
#include "tlm/core/riscv/riscv_core.h"

namespace retrace {

npu_config test_config();

struct engine_run {
    unsigned engine = 0, context = 0;
    std::uint32_t address = 0, count = 0;
    spec::command command;
};

struct engine_outcome {
    std::uint64_t cycles = 100;
    spec::engine_fault fault = spec::engine_fault::none;
    std::uint32_t pc = 0, detail = 0;
};

/// Begin and end of one command on the device.
struct command_run {
    spec::command command;
    unsigned context = 0;
    std::uint64_t begin = 0, end = 0;
    bool ended = false;
    spec::command_status status{};
};

class test_device : public control_environment {
public:
    explicit test_device(std::uint64_t seed = 1, const npu_config& config = test_config());

    control_block& registers() { return registers_; }
    riscv_core& core() { return core_; }
    std::mt19937_64& random() { return random_; }
    std::uint64_t uniform(std::uint64_t low, std::uint64_t high);

    /// How long each program takes and how it ends; by default 20..2000 random cycles without fault.
    std::function<engine_outcome(const engine_run&)> script;
    /// What a program does to memory, called when it ends without fault.
    std::function<void(const engine_run&)> effect;
    /// A message left the device.
    std::function<void(std::uint64_t address, std::uint32_t data)> on_message;
    /// The mover or an engine wrote host memory (offset, bytes); `by_mover` tells which.
    std::function<void(std::uint64_t offset, std::span<const std::uint8_t> bytes, bool by_mover)>
        on_host_write;
    std::uint64_t mover_latency_low = 50, mover_latency_high = 900;
    std::uint64_t register_cycles = 4; ///< of a core's access to the control block
    unsigned failing_accesses = 0;     ///< the core's next so many accesses to the control block fail

    /// Host memory as the bus shows it, from spec::host_window_base on; and device DRAM.
    std::vector<std::uint8_t> host_memory;
    std::vector<std::uint8_t> dram;
    void write_host(std::uint64_t offset, std::span<const std::uint8_t> bytes, bool by_mover = false);

    std::uint64_t now() const { return now_; }
    void at(std::uint64_t cycle, std::function<void()> action);
    void run_until(std::uint64_t cycle);
    /// Runs until `done` holds; false after `limit` cycles. `done` is looked at whenever an event has
    /// happened.
    bool run_while_not(const std::function<bool()>& done, std::uint64_t limit);

    const std::vector<command_run>& runs() const { return runs_; }
    const command_run* run_of(std::uint32_t sequence) const;
    const std::vector<std::string>& violations() const { return violations_; }
    std::uint64_t messages() const { return messages_; }
    std::uint64_t moves() const { return moves_; }

    // control_environment
    std::uint64_t cycle() override { return std::max(now_, core_time_); }
    void engine_start(unsigned engine, unsigned context, std::uint32_t address, std::uint32_t count) override;
    void engine_abort(unsigned engine) override;
    void context_begin(unsigned context, const spec::command& command) override;
    void context_end(unsigned context, spec::command_status status) override;
    void mover_start(std::uint64_t host, std::uint32_t local, std::uint32_t bytes, bool to_host) override;
    void send_message(std::uint64_t address, std::uint32_t data) override;
    bool read_local(std::uint32_t address, std::span<std::uint8_t> bytes) override;
    bool write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) override;
    void core_reset(bool run) override;
    void set_core_interrupt(bool level) override { core_.set_external_interrupt(level); }

private:
    struct engine_state {
        bool running = false;
        std::uint64_t generation = 0;
        std::uint32_t last_sequence = 0;
        engine_run run;
    };

    void violated(std::string text) { violations_.push_back(std::move(text)); }
    void advance(std::uint64_t limit);
    void run_core(std::uint64_t limit);
    void access_bus();
    bool move(std::uint64_t host, std::uint32_t local, std::uint32_t bytes, bool to_host);
    void check_begin(const spec::command& command);
    std::uint64_t next_event(std::uint64_t limit) const;

    npu_config config_;
    std::mt19937_64 random_;
    riscv_core core_;
    control_block registers_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> events_;
    std::uint64_t event_order_ = 0, now_ = 0, core_time_ = 0, mover_generation_ = 0, messages_ = 0,
                  moves_ = 0;
    bool core_running_ = false;
    std::array<engine_state, spec::max_engines> engines_;
    std::array<int, spec::contexts> open_; // index into runs_, -1: closed
    std::vector<command_run> runs_;
    std::map<std::uint32_t, std::size_t> run_of_sequence_;
    std::vector<std::string> violations_;
};

} // namespace retrace
