#include "tlm/core/array/fma_functions.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include "tlm/core/array/kernel_micro.h"
#include "tlm/core/array/stepped_pe.h"
#include "tlm/core/numeric/soft_float.h"

namespace retrace {
namespace {

using words_in = std::span<const std::uint32_t>;
using words_out = std::span<std::uint32_t>;

void run_kernel(words_in a, words_in b, words_in c, words_out result) {
    using namespace kernel;
    constexpr unsigned stride = 9; // coprime to 32: rows get different columns, and all lanes have their turn
    const micro_function micro = micro_kernel();
    std::vector<float> block(block_floats), panel(panel_columns);
    std::vector<std::uint32_t> carry(std::size_t{block_rows} * panel_columns), out(carry.size());
    micro_call call{};
    call.a = call.next_a = block.data();
    call.b = call.next_b = panel.data();
    call.depth = 1;
    call.columns = panel_columns;
    call.carry_in = carry.data();
    call.out = out.data();
    call.out_pitch = panel_columns;
    call.mode = store_mode::overwrite;
    for (std::size_t first = 0; first < a.size(); first += block_rows) {
        const auto rows = static_cast<unsigned>(std::min<std::size_t>(block_rows, a.size() - first));
        const auto column = [&](unsigned row) {
            return static_cast<unsigned>(row * stride + first / block_rows) % panel_columns;
        };
        for (unsigned row = 0; row < rows; ++row) {
            block[std::size_t{row} * block_pitch] = std::bit_cast<float>(a[first + row]);
            panel[column(row)] = std::bit_cast<float>(b[first + row]);
            carry[row * panel_columns + column(row)] = c[first + row];
        }
        micro(call, rows);
        for (unsigned row = 0; row < rows; ++row) {
            result[first + row] = out[row * panel_columns + column(row)];
        }
    }
}

class stepped_row {
public:
    void operator()(words_in a, words_in b, words_in c, words_out result) const {
        for (std::size_t first = 0; first < a.size(); first += columns) {
            const std::size_t now = std::min<std::size_t>(columns, a.size() - first);
            const auto part = [&](words_in words) { return words.subspan(first, now); };
            std::ranges::copy(part(a), operands_->begin());
            std::ranges::copy(part(b), pe_->active.begin());
            std::ranges::copy(part(c), pe_->zeros.begin()); // the registers above the first row
            const stepped::operand_view view{operands_->data(), operands_->data(), 0};
            passes_.multiply(*pe_, view, pe_->sums.data(), stepped::mode_float);
            std::copy_n(pe_->sums.begin(), now, result.begin() + static_cast<std::ptrdiff_t>(first));
        }
    }

    stepped_row() { std::ranges::fill(pe_->active_mode, stepped::mode_float); }

private:
    static constexpr unsigned columns = 256;
    std::shared_ptr<stepped::pe_registers> pe_ = std::make_shared<stepped::pe_registers>(1, columns, 1);
    std::shared_ptr<std::vector<std::uint32_t>> operands_ =
        std::make_shared<std::vector<std::uint32_t>>(pe_->pitch);
    stepped::passes passes_ = stepped::select_passes(stepped::instruction_set::best);
};

void run_oracle(words_in a, words_in b, words_in c, words_out result) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        result[i] = soft::fma(a[i], b[i], c[i]);
    }
}

} // namespace

named_fma kernel_fma() { return {"kernel", run_kernel}; }
named_fma stepped_fma() { return {"stepped", stepped_row()}; }
named_fma oracle_fma() { return {"oracle", run_oracle}; }

} // namespace retrace
