// The list of faults, in place of sim/cli/seeded_faults.cpp, and what selects one.
#include "sim/cli/seeded_faults.h"

#include <algorithm>
#include <vector>

#include "hw/verilated/rtl_faults.h"
#include "tests/faults/faulty_rtl.h"
#include "tlm/core/seeded_fault.h"

namespace retrace {

std::string_view seeded_fault;

namespace {

constexpr seeded_fault_description model_faults[] = {
    {"unfair_arbiter", "arbiter", "requests of a cycle are granted in descending requester number"},
    {"lost_bank", "state buffer", "a burst over several banks does not reserve the last one"},
    {"unaligned_lines", "state buffer", "a DMA run that is not aligned takes too few lines"},
    {"dma_stride", "DMA", "the source's third dimension steps by the stride of the second"},
    {"lost_tile_row", "DMA", "a transpose stores its second row of tiles over the first"},
    {"signal_before_write", "DMA", "a descriptor signals when its last chunk has been read"},
    {"extra_place", "DMA", "a queue has one chunk more under way than its machine has places"},
    {"two_transposers", "DMA", "chunks pass the transpose unit at the same time"},
    {"dropped_refresh", "DRAM", "every other refresh does not take place"},
    {"row_open_after_refresh", "DRAM", "a row is still open after a refresh"},
    {"lost_precharge", "DRAM", "another row opens without precharge"},
    {"lost_release", "memory", "bytes that a command releases stay live"},
    {"missing_semaphore_wait", "sequencer", "an instruction's second wait is skipped"},
    {"wait_takes_one", "sequencer", "a wait subtracts 1 whatever its count"},
    {"lost_signal", "sequencer", "an instruction's second signal is not given"},
    {"early_issue", "sequencer", "an instruction is issued one cycle early"},
    {"greedy_fetch", "sequencer", "programs are fetched one block too far ahead"},
    {"stream_overlap", "PE array", "the next stream begins in the last row's cycle"},
    {"short_drain", "PE array", "drain off by one: sums are taken a cycle before the last one is there"},
    {"short_load", "PE array", "a weight load frees its banks and signals a cycle early"},
    {"early_reload", "PE array", "the next load begins before the swap has passed all rows"},
    {"psum_overwritten", "PE array", "an accumulating product overwrites PSUM"},
    {"kernel_late_swap", "array, kernel", "a swap by a stream of one row takes no effect"},
    {"stepped_row_mask", "array, stepped", "PEs beyond the tile multiply with zeros instead of passing the sum"},
    {"stepped_late_column", "array, stepped", "sums of the last column carry the next cycle's stamp"},
    {"lost_pass", "element-wise", "a row's last pass is not counted when it is not full"},
    {"free_psum_port", "element-wise", "an instruction does not reserve its PSUM read port"},
    {"free_write_banks", "element-wise", "an instruction does not reserve the banks that it writes"},
    {"max_of_zeros", "element-wise", "the larger of +0 and -0 is -0"},
    {"select_nan", "element-wise", "select_positive takes NaN for positive"},
    {"sum_from_below", "element-wise", "reduce_columns adds the rows in descending order"},
    {"random_index", "element-wise", "stochastic rounding counts elements by the columns, not by the pitch"},
    {"lost_headers", "link", "a message pays for the header of one packet only"},
    {"posted_overtakes", "link", "a posted message may overtake earlier ones"},
    {"interrupt_overtakes", "link", "an interrupt message lets posted writes pass"},
    {"lost_host_latency", "link", "host memory answers without its latency"},
    {"late_mover", "control core", "the mover makes its request two cycles after its start"},
};

} // namespace

std::span<const seeded_fault_description> seeded_faults() {
    static const std::vector<seeded_fault_description> all = [] {
        std::vector<seeded_fault_description> v;
        if (has_faulty_rtl())
            for (const rtl_fault& f : rtl_faults)
                v.push_back({f.name, "RTL", f.description});
        v.insert(v.end(), std::begin(model_faults), std::end(model_faults));
        return v;
    }();
    return all;
}

void seed_fault(std::string_view name) {
    seeded_fault = name;
    const auto* const rtl = std::find_if(rtl_faults.begin(), rtl_faults.end(), [&](const rtl_fault& f) { return f.name == name; });
    select_rtl_fault(rtl == rtl_faults.end() ? 0 : rtl->number);
}

} // namespace retrace
