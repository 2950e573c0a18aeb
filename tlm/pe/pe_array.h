#pragma once
// The PE array's engine: its sequencer issues `load_weights` and `matmul` in order to two ports that work side by side: the weight port
// fills the shadow registers for the next tile while the operand port still streams this one; column sums land in PSUM as they leave.
// Bits and stamps come from the array behind array_interface; when a load or a stream may begin follows array_timing. Each operand is one
// burst on its state-buffer banks. Not modelled: partial bursts; a stream once granted is never stalled, unless `array.stress` asks for
// random stalls: then nothing starts in a stalled cycle, every cycle of the closed forms behind a stall moves by its length, and a burst
// keeps its banks through it.
#include <deque>
#include <memory>

#include "tlm/core/array/array_interface.h"
#include "tlm/core/array/array_probes.h"
#include "tlm/core/array/array_stalls.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/elementwise/elementwise_engine.h"

namespace retrace {

class pe_array : public engine {
public:
    using array_factory = std::function<std::unique_ptr<array_interface>(const array_config&)>;

    pe_array(const sc_core::sc_module_name& name, backplane& plane, on_chip_memories memories, array_factory make_array,
             finished_callback finished);

    std::uint64_t macs() const { return macs_; }

private:
    struct operation {
        run_handle run;
        fetched_instruction fetched;
        spec::matrix_instruction i;
        resolved_operand a, d;
        number_format format{};
        unsigned columns = 0;    ///< of the weights
        std::uint64_t after = 0; ///< load_weights: streams issued before it
    };
    struct flight : operation {
        std::uint64_t end = 0; ///< first cycle after the last sum
    };

    void execute(const fetched_instruction& i) override;
    void on_cancel() override;
    void add_own_waits(wait_graph& g, wait_graph::id me, const fetched_instruction* handing_over) override;
    std::vector<held_instruction> held(const wait_graph& g) const override;
    unsigned columns_of_weights(const fetched_instruction& i) const override;
    void fresh_array();
    template <typename Call>
    void run_array(Call&& call) {
        array_runs_ = true;
        try {
            call();
        } catch (...) {
            array_runs_ = false;
            throw;
        }
        array_runs_ = false;
    }
    /// In `text`, from now on; null: nothing.
    void show(trace::probe_id text, const operation* op);
    /// After a program that ended in the middle of something (abort, fault, weights never used) the array starts afresh.
    void recover(const run_handle& run);
    void load_weights();
    void stream_rows();
    void land_sums();
    void land(const flight& f);
    void hand_over(std::deque<operation>& queue, sc_core::sc_event& pushed, operation operation);
    /// The burst of the operand of `op` on its banks for `cycles` cycles of the array, from the first cycle >= earliest at which they are free and
    /// the array runs; resumes then.
    std::uint64_t acquire_burst(requester& port, const operation& op, std::uint64_t earliest, std::uint64_t cycles);
    /// First cycle after `cycles` cycles of the array from `start` on.
    std::uint64_t end_of(std::uint64_t start, std::uint64_t cycles) const { return pauses_.after(start, cycles - 1) + 1; }
    /// Tells the array of the injected stalls that begin from now on and before `end`: all that what ends then can meet.
    void freeze_before(std::uint64_t end);
    matrix_view view(const operation& op) const;

    on_chip_memories memories_;
    array_config shape_;
    array_timing timing_;
    array_stalls pauses_;
    std::uint64_t next_pause_ = 0; ///< the slot of the first one that the array has not been told of
    array_factory make_array_;
    std::unique_ptr<array_interface> array_;
    const trace::probe_id weights_text_, rows_text_, sums_text_; ///< what the ports work on
    const array_probes registers_;
    bool array_runs_ = false; ///< time passes in it, and it tells changes
    requester weight_port_, operand_port_;
    std::deque<operation> loads_, streams_;
    std::deque<flight> flights_;
    sc_core::sc_event load_pushed_, stream_pushed_, flight_pushed_, popped_, swapped_, loaded_, drained_;
    sc_core::sc_event_or_list load_may_go_, stream_may_go_; ///< made once: `a | b` at every wait allocates
    bool broken_ = false;                   ///< a program was cancelled
    run_handle last_run_;
    unsigned loading_ = 0, streaming_ = 0;  ///< loads in the port; streams taken from the queue whose sums have not all landed
    std::uint64_t loads_begun_ = 0, loads_complete_ = 0, swaps_ = 0;
    std::uint64_t loads_issued_ = 0, swaps_issued_ = 0;    ///< of this program
    std::deque<unsigned> loaded_columns_;                  ///< of the loads that no matmul has swapped in yet
    unsigned columns_in_use_ = 0;
    std::uint64_t streams_issued_ = 0, streams_done_ = 0;
    std::uint64_t last_swap_ = 0, next_stream_ = 0, array_free_ = 0;
    // What the ports' threads work on, for whoever asks why they do not go on.
    const operation *in_weight_port_ = nullptr, *in_operand_port_ = nullptr;
    const flight* landing_ = nullptr;
    bool weight_port_waits_ = false, operand_port_waits_ = false;
    std::array<std::uint64_t, 2> port_since_{}; ///< cycle from which the ports do
    column_sums sums_;
    std::uint64_t macs_ = 0;
};

} // namespace retrace
