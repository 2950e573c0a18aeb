#pragma once
// The activation engine and the vector engine: rows of elements from PSUM or the state buffer to the state buffer, `lanes` elements a
// cycle. An instruction takes rows * ceil(columns / lanes) cycles plus the pipeline latency; it begins when all banks that it touches are
// free together, reads its operands then and writes its result at its end. What is computed: core/engine/elementwise.
#include "tlm/core/memory/tagged_memory.h"
#include "tlm/engine/engine.h"
#include "tlm/memory/memory_block.h"

namespace retrace {

/// On-chip memories as the engines reach them.
struct on_chip_memories {
    state_buffer& buffer;
    tagged_memory& psum;
    bank_schedule& psum_ports; ///< the read side of each PSUM bank
    std::uint64_t psum_bank_bytes;

    /// The memory that the operand lies in. Throws engine_error for memories that engines do not reach (bad_slot) and for operands that
    /// reach beyond their memory: the command's table promised more than there is (bus_error).
    tagged_memory& of(const resolved_operand& operand) const;
    /// PSUM banks that the operand lies in; none if it is elsewhere.
    bank_range psum_banks(const resolved_operand& operand) const;
};

class elementwise_engine : public engine {
public:
    elementwise_engine(const sc_core::sc_module_name& name, unsigned number, backplane& plane, const engine_settings& settings,
                       on_chip_memories memories, finished_callback finished);

private:
    void execute(const fetched_instruction& i) override;

    engine_settings settings_;
    on_chip_memories memories_;
    stall category_;
    std::vector<std::byte> result_;
};

} // namespace retrace
