#include "host/compiler/blocking.h"

#include <algorithm>
#include <limits>

#include "host/arithmetic.h"

namespace retrace::compiler {

namespace {

constexpr std::uint64_t line = 64; ///< buffers start on a burst

constexpr std::uint64_t most_rows = 65535; ///< of an instruction

/// One point of the search: everything but the addresses.
struct candidate {
    std::uint32_t block_rows, blocks, chunk, chunks, panels, group, groups;
    std::uint32_t a_slots, b_slots, result_slots;
    bool a_resident, b_resident;
};

class search {
public:
    search(const pass_shape& shape, const pass_budget& budget, const device_capabilities& device)
        : shape_(shape), budget_(budget), device_(device), source_bytes_(bytes_of(shape.source)),
          result_bytes_(bytes_of(shape.result)), panel_(std::min(shape.n, device.columns)),
          panels_(static_cast<std::uint32_t>(ceil_div(shape.n, panel_))) {}

    blocking_choice run() {
        for (std::uint32_t blocks = first_blocks();; blocks *= 2) {
            const auto rows = static_cast<std::uint32_t>(ceil_div(shape_.m, std::min(blocks, shape_.m)));
            // A block shorter than the array is high makes every tile wait for its weights: only if nothing
            // else fits.
            if (best_ && rows < device_.rows + 1)
                break;
            with_rows(rows, static_cast<std::uint32_t>(ceil_div(shape_.m, rows)));
            // Without a second weight register every tile pays its whole fill; a wish for a block size is one
            // as well.
            // With a single tile of weights, another block only loads it again.
            const bool one_tile = shape_.n <= device_.columns && shape_.k <= device_.rows;
            const bool largest_wins = device_.weight_registers < 2 || budget_.block_rows || (one_tile && !shape_.in_place);
            if (rows == 1 || (largest_wins && best_))
                break;
        }
        blocking_choice choice;
        choice.minimum_bytes = minimum_;
        if (best_)
            choice.best = place(*best_);
        return choice;
    }

private:
    std::uint32_t first_blocks() const {
        const std::uint32_t most = std::min<std::uint32_t>({device_.psum_rows, most_rows, shape_.m});
        std::uint32_t rows = most;
        if (budget_.block_rows)
            rows = std::min(most, budget_.block_rows);
        else if (shape_.in_place) { // a few blocks, so that overwriting happens while the layer runs
            const auto quarter = static_cast<std::uint32_t>(ceil_div(shape_.m, 4));
            const auto half = static_cast<std::uint32_t>(ceil_div(shape_.m, 2));
            rows = std::min(most, std::max(quarter, std::min(device_.rows + 1, half)));
        }
        return static_cast<std::uint32_t>(ceil_div(shape_.m, rows));
    }

    /// Smaller chunks let the first tile start earlier, but rows of less than a few bursts travel badly:
    /// below `shortest` only what would not fit otherwise is cut. In place, a block is read in whole rows if
    /// at all possible.
    void with_rows(std::uint32_t rows, std::uint32_t blocks) {
        constexpr std::uint64_t shortest = 1024;
        // A chunk's column sums are one instruction, which counts its rows in 16 bits.
        const std::uint64_t longest =
            shape_.column_sums && shape_.k > most_rows ? most_rows / device_.rows * device_.rows : shape_.k;
        std::uint32_t last = 0;
        const std::uint32_t feasible_before = feasible_;
        for (std::uint64_t parts = 1;; parts *= 2) {
            const auto chunk = static_cast<std::uint32_t>(std::min<std::uint64_t>(
                longest, parts == 1 ? shape_.k : round_up(ceil_div(shape_.k, parts), device_.rows)));
            const bool is_short = shape_.in_place || shape_.a_transposed || chunk * source_bytes_ < shortest;
            if (parts > 1 && is_short && feasible_ != feasible_before)
                break;
            if (chunk != last)
                with_chunk({rows, blocks, chunk, static_cast<std::uint32_t>(ceil_div(shape_.k, chunk)),
                            panels_, 0, 0, 0, 0, 0, false, false});
            last = chunk;
            if (chunk <= device_.rows)
                break;
        }
    }

    void with_chunk(candidate c) {
        // A: a whole block and the next one, a whole block, or chunks as they come (loaded again for every
        // panel).
        const std::uint32_t all = c.blocks * c.chunks;
        with_a(c, true, std::min(2 * c.chunks, all));
        with_a(c, true, c.chunks);
        if (shape_.in_place || c.chunks == 1)
            return; // the contract reads a block whole before it is overwritten; one chunk is the block
        with_a(c, false, 2);
        with_a(c, false, 1);
    }

    void with_a(candidate c, bool resident, std::uint32_t slots) {
        c.a_resident = resident;
        c.a_slots = slots;
        for (std::uint32_t group = panels_;; group = (group + 1) / 2) {
            c.group = group;
            c.groups = static_cast<std::uint32_t>(ceil_div(panels_, group));
            for (const std::uint32_t result : {2u, 1u}) {
                c.result_slots = std::min(result, c.groups * c.blocks);
                with_b(c, true, panels_ * c.chunks);
                for (const std::uint32_t ring : {4u, 3u, 2u, 1u})
                    if (ring < panels_ * c.chunks)
                        with_b(c, false, ring);
            }
            if (shape_.in_place || group == 1)
                break; // in place: rows leave whole
        }
    }

    void with_b(candidate c, bool resident, std::uint32_t slots) {
        c.b_resident = resident;
        c.b_slots = slots;
        const std::uint64_t bytes = layout(c, spread::packed, nullptr) - budget_.work_offset;
        minimum_ = std::min(minimum_, bytes);
        if (bytes > budget_.work_bytes)
            return;
        ++feasible_;
        // Fewer, larger tiles make shorter programs: a tile must save a few cycles to be worth its
        // instructions.
        const std::uint64_t estimate = cost(c), tiles = c.blocks * panels_ * ceil_div(shape_.k, device_.rows);
        const std::uint64_t cycles = estimate + 8 * tiles;
        if (!best_ || cycles < best_cycles_ || (cycles == best_cycles_ && bytes < best_bytes_)) {
            best_ = c;
            best_cycles_ = cycles;
            best_estimate_ = estimate;
            best_bytes_ = bytes;
        }
    }

    std::uint64_t group_columns(const candidate& c) const {
        return std::min<std::uint64_t>(shape_.n, std::uint64_t{c.group} * panel_);
    }

    /// How buffers keep apart: an engine's burst holds the banks of its whole operand, so agents that work at
    /// the same time should meet in none. `halves`: what is filled and what is used of a ring are in
    /// different banks; `rings`: at least every ring starts a bank.
    enum class spread { packed, rings, halves };

    /// Places every buffer and returns the end.
    std::uint64_t layout(const candidate& c, spread apart, blocking* out) const {
        const std::uint64_t bank =
            std::max<std::uint64_t>(line, round_up(device_.state_buffer_bank_bytes(), line));
        std::uint64_t at = round_up(budget_.work_offset, line);
        const auto ring = [&](std::uint32_t slots, std::uint64_t bytes, std::uint32_t half,
                              std::vector<std::uint32_t>* into) {
            for (std::uint32_t s = 0; s < slots; ++s) {
                const bool new_bank =
                    apart == spread::halves ? s % half == 0 : apart == spread::rings && s == 0;
                at = round_up(at, new_bank ? bank : line);
                if (into)
                    into->push_back(static_cast<std::uint32_t>(at));
                at += bytes;
            }
        };
        const std::uint64_t rows = c.block_rows, columns = group_columns(c);
        ring(c.a_slots, rows * c.chunk * source_bytes_, std::max<std::uint32_t>(1, c.a_slots / 2),
             out ? &out->a_slots : nullptr);
        ring(c.result_slots, rows * columns * result_bytes_, 1, out ? &out->result_slots : nullptr);
        if (shape_.has_mask())
            ring(c.result_slots, rows * columns * source_bytes_, 1, out ? &out->mask_slots : nullptr);
        // Column sums read whole panels for long; the array takes short tiles of another half meanwhile.
        ring(c.b_slots, std::uint64_t{c.chunk} * panel_ * source_bytes_,
             shape_.column_sums ? (c.b_slots + 1) / 2 : c.b_slots, out ? &out->b_slots : nullptr);
        at = round_up(at, line);
        if (shape_.has_bias()) {
            if (out)
                out->bias_at = static_cast<std::uint32_t>(at);
            at = round_up(at + 4ull * shape_.n, line);
        }
        if (shape_.column_sums) {
            if (out)
                out->sums_at = static_cast<std::uint32_t>(at);
            at = round_up(at + 4ull * shape_.n, line);
        }
        return at;
    }

    /// Busiest agent, plus what nothing can hide: the first loads, the last store, and rings without a second
    /// slot.
    std::uint64_t cost(const candidate& c) const {
        const std::uint64_t tails = ceil_div(shape_.k, device_.rows);
        const std::uint32_t last = shape_.m - (c.blocks - 1) * c.block_rows;
        const std::uint64_t tiles = std::uint64_t{panels_} * tails;
        const std::uint64_t pe = tiles * ((c.blocks - 1) * tile_cycles(c.block_rows, shape_.source, device_) +
                                          tile_cycles(last, shape_.source, device_));
        const std::uint64_t dram = device_.dram_bytes_per_cycle;
        const std::uint64_t transposed = std::min(dram, std::uint64_t{device_.transpose_bytes_per_cycle});
        const std::uint64_t k_by_n = std::uint64_t{shape_.k} * shape_.n * source_bytes_;
        const std::uint64_t m_by_k = std::uint64_t{shape_.m} * shape_.k * source_bytes_;
        const std::uint64_t load_b =
            (c.b_resident ? 1 : c.blocks) * k_by_n / (shape_.b_transposed ? transposed : dram);
        const std::uint64_t load_a =
            (c.a_resident ? 1 : panels_) * m_by_k / (shape_.a_transposed ? transposed : dram);
        const std::uint64_t mask =
            shape_.has_mask() ? std::uint64_t{shape_.m} * shape_.n * source_bytes_ / dram : 0;
        const std::uint64_t out_rate = shape_.result_to_host ? device_.link_bytes_per_cycle : dram;
        const std::uint64_t store = std::uint64_t{shape_.m} * shape_.n * result_bytes_ / out_rate;
        const std::uint64_t lanes = shape_.has_mask() ? device_.vector_lanes : device_.activation_lanes;
        const std::uint64_t narrow =
            shape_.m * panels_ * ceil_div(panel_, lanes) + c.blocks * panels_ * device_.engine_latency_cycles;
        std::uint64_t total = std::max({pe, load_b, load_a + mask, store, narrow});
        // Short rows travel badly over the link and in DRAM bursts.
        if (group_columns(c) * result_bytes_ < 256 && c.groups > 1)
            total += store / 2;
        total += load_a / (std::uint64_t{c.blocks} * c.chunks) + load_b / (std::uint64_t{panels_} * c.chunks);
        total += store / (std::uint64_t{c.blocks} * c.groups);
        if (c.a_slots < 2 && c.blocks * c.chunks > 1)
            total += load_a;
        else if (c.a_resident && c.a_slots <= c.chunks && c.blocks > 1)
            total += load_a / 2;
        if (c.b_slots < 2 && panels_ * c.chunks > 1)
            total += load_b;
        if (c.result_slots < 2 && c.groups * c.blocks > 1)
            total += store;
        return total;
    }

    blocking place(const candidate& c) const {
        blocking b;
        const std::uint64_t limit = budget_.work_offset + budget_.work_bytes;
        spread apart = spread::packed;
        for (const spread wish : {spread::rings, spread::halves})
            if (layout(c, wish, nullptr) <= limit)
                apart = wish;
        b.end = layout(c, apart, &b);
        b.block_rows = c.block_rows, b.blocks = c.blocks;
        b.chunk = c.chunk, b.chunks = c.chunks;
        b.panel = panel_, b.panels = panels_;
        b.group = c.group, b.groups = c.groups;
        b.a_resident = c.a_resident, b.b_resident = c.b_resident;
        b.psum_first = budget_.psum_first;
        b.psum_banks = static_cast<unsigned>(
            std::min<std::uint64_t>({budget_.psum_banks, 4, std::uint64_t{panels_} * c.blocks}));
        b.estimated_cycles =
            best_estimate_ + device_.rows + device_.columns + 2ull * device_.engine_latency_cycles;
        return b;
    }

    const pass_shape& shape_;
    const pass_budget& budget_;
    const device_capabilities& device_;
    std::uint64_t source_bytes_, result_bytes_;
    std::uint32_t panel_, panels_;
    std::uint64_t minimum_ = std::numeric_limits<std::uint64_t>::max();
    std::optional<candidate> best_;
    std::uint32_t feasible_ = 0; ///< candidates that fit, so far
    std::uint64_t best_cycles_ = 0, best_estimate_ = 0, best_bytes_ = 0;
};

} // namespace

std::uint64_t tile_cycles(std::uint32_t rows, spec::number_format format, const device_capabilities& device) {
    const std::uint64_t o = device.operand_cycles[static_cast<std::size_t>(format)];
    const std::uint64_t r = device.rows;
    if (device.weight_registers < 2)
        return r * o + (rows - 1) * o + device.columns - 1 + r * device.fma_depth;
    return std::max<std::uint64_t>(rows * o, r * o + 1);
}

blocking_choice choose_blocking(const pass_shape& shape, const pass_budget& budget,
                                const device_capabilities& device) {
    return search(shape, budget, device).run();
}

} // namespace retrace::compiler
