#pragma once
// When engines do what they do (hw/README.md, 9.3 - 9.6, 9.8): sequencers with their fetches and semaphores,
// the ports of the PE array, the element-wise engines, the DMA queues. Compares with what the log says.
#include "sim/cosim/timing_plan.h"

namespace retrace::cosim::timing {

class engine_rules {
public:
    engine_rules(const npu_config& config, const timing_log& log, plan& work, findings& found);
    void check();

private:
    /// Signals of a semaphore of a command, and how much of them its waiting engine has used up.
    struct semaphore {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> given; ///< cycle, count
        std::uint64_t used = 0;
        bool known = true; ///< every instruction that signals it is in the log
    };
    /// A moment within a cycle: after its arbitration or before.
    struct moment {
        std::uint64_t cycle = 0;
        bool granted = false;
        auto operator<=>(const moment&) const = default;
    };
    struct array_ports {
        std::vector<const instruction*> loads, streams, swaps; ///< of the program
        std::size_t loaded = 0, streamed = 0, swapped = 0;     ///< instructions gone by
        time load_taken, stream_taken;                         ///< when the port took the one before
    };

    void signals();
    time semaphore_holds(const program& p, const instruction& i, unsigned number, unsigned count, time from);
    void sequence(program& p);
    void fetches(const program& p);
    /// Each checks requests and end of the instruction and returns when the sequencer goes on.
    time element_wise(const program& p, const instruction& i);
    time load(const program& p, const instruction& i, array_ports& ports);
    time stream(const program& p, const instruction& i, array_ports& ports);
    time transfer(const program& p, const instruction& i);

    void requested(const request& r, time expected);
    void ended(const program& p, const instruction& i, std::string_view rule, time expected);
    time start_of(const instruction& i) const { return i.banks->resumed(); }
    moment moment_of(const instruction& i) const;
    std::uint64_t operand_cycles(const instruction& i) const {
        return config_.array.operand_cycles.at(i.code.source_format);
    }
    time end_of(time start, std::uint64_t cycles) const {
        return start ? time(freezes_.end_of(*start, cycles)) : time();
    }

    const npu_config& config_;
    const timing_log& log_;
    plan& plan_;
    findings& found_;
    freezes freezes_;
    std::map<std::pair<std::uint32_t, unsigned>, semaphore> semaphores_;
    std::map<unsigned, std::vector<const chunk*>> queues_; ///< chunks so far
};

} // namespace retrace::cosim::timing
