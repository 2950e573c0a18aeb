#include "host/compiler/gemm_pass.h"

#include <algorithm>
#include <stdexcept>

#include "host/arithmetic.h"
#include "host/compiler/kernel.h"

namespace retrace::compiler {

namespace {

/// The slots of a ring and the tokens between its producer and its consumer. Item i lives in slot i % slots;
/// the producer waits for `free` from item `slots` on, and the consumer signals it only where a later item
/// will take the slot.
struct ring {
    std::uint64_t slots = 1, items = 0;
    std::uint64_t produced = 0, freed = 0; ///< in emission order
    unsigned full = 0, free = 0;           ///< semaphores

    bool room() const { return produced < slots || freed > produced - slots; }
    bool reused(std::uint64_t item) const { return item + slots < items; }
    bool reuses(std::uint64_t item) const { return item >= slots; }
};

class pass_emitter {
public:
    pass_emitter(kernel_builder& builder, const device_capabilities& device, const pass_shape& shape,
                 const blocking& cut, const pass_operands& operands,
                 const std::optional<pass_barrier>& before, const std::optional<pass_barrier>& after)
        : b_(builder), device_(device), s_(shape), cut_(cut), o_(operands), before_(before), after_(after),
          panels_queue_(queue_for(stream::panels, device)), blocks_queue_(queue_for(stream::blocks, device)),
          store_queue_(queue_for(operands.store_stream, device)), source_bytes_(bytes_of(shape.source)),
          result_bytes_(bytes_of(shape.result)),
          sums_format_(shape.source == spec::number_format::int8 ? spec::number_format::int32
                                                                 : spec::number_format::fp32),
          tail_engine_(shape.has_mask() ? static_cast<unsigned>(spec::engine_vector)
                                        : static_cast<unsigned>(spec::engine_activation)) {
        const std::uint64_t uses = std::uint64_t{cut.blocks} * cut.panels * cut.chunks;
        a_ = make_ring(cut.a_slots.size(), cut.a_resident ? std::uint64_t{cut.blocks} * cut.chunks : uses);
        w_ = make_ring(cut.b_slots.size(), cut.b_resident ? std::uint64_t{cut.panels} * cut.chunks : uses);
        const std::uint64_t groups = std::uint64_t{cut.blocks} * cut.groups;
        out_ = make_ring(cut.result_slots.size(), groups);
        if (shape.has_mask())
            mask_ = make_ring(cut.mask_slots.size(), groups);
        psum_ = make_ring(cut.psum_banks, std::uint64_t{cut.blocks} * cut.panels);
        if (shape.has_bias())
            bias_ready_ = b_.semaphore();
        if (shape.column_sums) {
            sums_ready_ = b_.semaphore();
            panel_for_sums_ = b_.semaphore();
            panel_summed_ = b_.semaphore();
        }
    }

    void run() {
        begin();
        for (std::uint32_t i = 0; i < cut_.blocks; ++i)
            for (std::uint32_t n = 0; n < cut_.panels; ++n) {
                for (std::uint32_t c = 0; c < cut_.chunks; ++c) {
                    load_ahead();
                    multiply(i, n, c);
                    if (s_.column_sums && i == 0)
                        sum_columns(n, c);
                }
                finish_tile(i, n);
            }
        if (s_.column_sums) {
            sync s = sync().wait(sums_ready_);
            open(s);
            b_.emit(store_queue_, make_copy(s, o_.sums_slot, {slot_work, cut_.sums_at, 0},
                                            {o_.sums_slot, 0, 0}, 4ull * s_.n, 1));
        }
    }

private:
    ring make_ring(std::uint64_t slots, std::uint64_t items) {
        ring r;
        r.slots = slots;
        r.items = items;
        r.full = b_.semaphore();
        r.free = b_.semaphore();
        return r;
    }

    /// The barrier behind this pass, by its last store: the queue runs in order, so all others are done.
    void open(sync& s) const {
        for (unsigned q = 0; after_ && q < after_->count; ++q)
            s.signal(after_->semaphores[q]);
    }

    void begin() {
        if (before_) {
            b_.emit(panels_queue_, make_nop(sync().wait(before_->semaphores[0])));
            if (before_->count > 1)
                b_.emit(blocks_queue_, make_nop(sync().wait(before_->semaphores[1])));
        }
        if (s_.has_bias())
            b_.emit(panels_queue_, make_copy(sync().signal(bias_ready_), o_.bias_slot, {o_.bias_slot, 0, 0},
                                             {slot_work, cut_.bias_at, 0}, 4ull * s_.n, 1));
    }

    // --- loads

    std::uint64_t
    use_of_a(std::uint64_t item) const { // the first use, in the array's order, of what item brings
        return cut_.a_resident ? item / cut_.chunks * cut_.panels * cut_.chunks + item % cut_.chunks : item;
    }
    std::uint64_t use_of_mask(std::uint64_t item) const {
        return (item / cut_.groups * cut_.panels + item % cut_.groups * cut_.group) * cut_.chunks;
    }

    /// Every load whose slot is free, in the order in which the array will need it: a shared queue then
    /// delivers in that order.
    void load_ahead() {
        constexpr std::uint64_t never = ~0ull;
        for (;;) {
            const std::uint64_t a = a_.produced < a_.items && a_.room() ? use_of_a(a_.produced) : never;
            const std::uint64_t w = w_.produced < w_.items && w_.room() ? w_.produced : never;
            const std::uint64_t mask = s_.has_mask() && mask_.produced < mask_.items && mask_.room()
                                           ? use_of_mask(mask_.produced)
                                           : never;
            if (a == never && w == never && mask == never)
                return;
            if (a <= w && a <= mask)
                load_a();
            else if (w <= mask)
                load_b();
            else
                load_mask();
        }
    }

    void load_a() {
        const std::uint64_t item = a_.produced++;
        const auto c = static_cast<std::uint32_t>(item % cut_.chunks);
        const auto block = static_cast<std::uint32_t>(cut_.a_resident ? item / cut_.chunks
                                                                      : item / cut_.chunks / cut_.panels);
        sync s = sync().signal(a_.full);
        if (a_.reuses(item))
            s.wait(a_.free);
        load(blocks_queue_, s, o_.a, s_.a_transposed, std::uint64_t{block} * cut_.block_rows,
             std::uint64_t{c} * cut_.chunk, cut_.rows_of(block, s_.m), cut_.chunk_of(c, s_.k),
             cut_.a_slots[item % a_.slots], a_pitch());
    }

    void load_b() {
        const std::uint64_t item = w_.produced++;
        const auto c = static_cast<std::uint32_t>(item % cut_.chunks);
        const auto n = static_cast<std::uint32_t>(item / cut_.chunks % cut_.panels);
        sync s = sync().signal(w_.full);
        if (w_.reuses(item)) {
            s.wait(w_.free);
            if (is_summed(item - w_.slots))
                s.wait(panel_summed_);
        }
        if (is_summed(item))
            s.signal(panel_for_sums_);
        load(panels_queue_, s, o_.b, s_.b_transposed, std::uint64_t{c} * cut_.chunk,
             std::uint64_t{n} * cut_.panel, cut_.chunk_of(c, s_.k), cut_.panel_of(n, s_.n),
             cut_.b_slots[item % w_.slots], b_pitch());
    }

    void load_mask() {
        const std::uint64_t item = mask_.produced++;
        const auto block = static_cast<std::uint32_t>(item / cut_.groups);
        const auto g = static_cast<std::uint32_t>(item % cut_.groups);
        sync s = sync().signal(mask_.full);
        if (mask_.reuses(item))
            s.wait(mask_.free);
        load(blocks_queue_, s, o_.mask, false, std::uint64_t{block} * cut_.block_rows, group_first(g),
             cut_.rows_of(block, s_.m), group_columns(g), cut_.mask_slots[item % mask_.slots], mask_pitch());
    }

    /// A part [rows x columns] of a matrix, at (row, column), into the working buffers; transposed: memory
    /// holds the transpose.
    void load(unsigned queue, const sync& s, const pass_operand& from, bool transposed, std::uint64_t row,
              std::uint64_t column, std::uint64_t rows, std::uint64_t columns, std::uint64_t at,
              std::uint64_t pitch) {
        const copy_side to{slot_work, at, pitch};
        if (transposed)
            b_.emit(queue,
                    make_transpose(s, from.slot,
                                   {from.slot, column * from.pitch + row * source_bytes_, from.pitch}, to,
                                   static_cast<unsigned>(source_bytes_), rows * source_bytes_, columns));
        else
            b_.emit(queue, make_copy(s, from.slot,
                                     {from.slot, row * from.pitch + column * source_bytes_, from.pitch}, to,
                                     columns * source_bytes_, rows));
    }

    bool is_summed(std::uint64_t item) const {
        return s_.column_sums && item < std::uint64_t{cut_.panels} * cut_.chunks;
    }

    // --- array

    void multiply(std::uint32_t i, std::uint32_t n, std::uint32_t c) {
        const std::uint64_t use = (std::uint64_t{i} * cut_.panels + n) * cut_.chunks + c;
        const std::uint64_t a_item = cut_.a_resident ? std::uint64_t{i} * cut_.chunks + c : use;
        const std::uint64_t b_item = cut_.b_resident ? std::uint64_t{n} * cut_.chunks + c : use;
        if (a_.produced <= a_item || w_.produced <= b_item)
            throw std::logic_error("a product was emitted before its operands");
        const bool a_arrives = !cut_.a_resident || n == 0,
                   a_leaves = !cut_.a_resident || n + 1 == cut_.panels;
        const bool b_arrives = !cut_.b_resident || i == 0;
        const std::uint64_t tile = std::uint64_t{i} * cut_.panels + n;
        const std::uint32_t rows = cut_.rows_of(i, s_.m), columns = cut_.panel_of(n, s_.n),
                            depth = cut_.chunk_of(c, s_.k);
        const std::uint32_t a_at = cut_.a_slots[a_item % a_.slots], b_at = cut_.b_slots[b_item % w_.slots];

        for (std::uint32_t k = 0; k < depth; k += device_.rows) {
            const std::uint32_t tile_rows = std::min<std::uint32_t>(device_.rows, depth - k);
            const bool first = k == 0, last = k + tile_rows == depth;
            sync weights, product;
            if (first && b_arrives)
                weights.wait(w_.full);
            if (last && !cut_.b_resident && w_.reused(b_item)) {
                weights.signal(w_.free);
                ++w_.freed;
            }
            b_.emit(spec::engine_pe, make_load_weights(weights, s_.source, tile_rows, columns,
                                                       {slot_work, u8(o_.b.slot), 0,
                                                        u32(b_at + k * b_pitch()), u32(b_pitch())}));
            if (first && a_arrives)
                product.wait(a_.full);
            if (first && c == 0 && psum_.reuses(tile))
                product.wait(psum_.free);
            if (last && a_leaves && a_.reused(a_item)) {
                product.signal(a_.free);
                ++a_.freed;
            }
            if (last && c + 1 == cut_.chunks)
                product.signal(psum_.full);
            b_.emit(spec::engine_pe,
                    make_matmul(product, {s_.source, sums_format_, {}}, rows, tile_rows,
                                {slot_work, u8(o_.a.slot), 0, u32(a_at + k * source_bytes_), u32(a_pitch())},
                                psum_tile(tile), !(first && c == 0)));
        }
    }

    void sum_columns(std::uint32_t n, std::uint32_t c) {
        const std::uint64_t item = std::uint64_t{n} * cut_.chunks + c;
        sync s = sync().wait(panel_for_sums_);
        if (w_.reused(item))
            s.signal(panel_summed_);
        if (n + 1 == cut_.panels && c + 1 == cut_.chunks)
            s.signal(sums_ready_);
        b_.emit(spec::engine_vector,
                make_reduce_columns(
                    s, {s_.source, spec::number_format::fp32, {}}, cut_.chunk_of(c, s_.k),
                    cut_.panel_of(n, s_.n),
                    {slot_work, u8(o_.b.slot), 0, cut_.b_slots[item % w_.slots], u32(b_pitch())},
                    {slot_work, u8(o_.sums_slot), 0, u32(cut_.sums_at + 4ull * n * cut_.panel), 4 * s_.n},
                    c > 0));
    }

    // --- what follows a finished tile

    void finish_tile(std::uint32_t i, std::uint32_t n) {
        const std::uint64_t tile = std::uint64_t{i} * cut_.panels + n;
        const std::uint32_t g = n / cut_.group, in_group = n % cut_.group;
        const std::uint64_t group = std::uint64_t{i} * cut_.groups + g;
        const bool first = in_group == 0, last = in_group + 1 == cut_.group || n + 1 == cut_.panels;
        const std::uint32_t rows = cut_.rows_of(i, s_.m), columns = cut_.panel_of(n, s_.n);
        const std::uint64_t column = std::uint64_t{in_group} * cut_.panel;

        sync s = sync().wait(psum_.full);
        if (first && out_.reuses(group))
            s.wait(out_.free);
        if (psum_.reused(tile))
            s.signal(psum_.free);
        if (last)
            s.signal(out_.full);
        const matrix sums = psum_tile(tile);
        const matrix d{slot_work, u8(o_.result.slot), 0,
                       u32(cut_.result_slots[group % out_.slots] + column * result_bytes_),
                       u32(result_pitch())};
        if (s_.has_mask()) {
            if (first)
                b_.emit(tail_engine_, make_nop(sync().wait(mask_.full)));
            const matrix mask{slot_work, u8(o_.mask.slot), 0,
                              u32(cut_.mask_slots[group % mask_.slots] + column * source_bytes_),
                              u32(mask_pitch())};
            b_.emit(tail_engine_, make_binary(s, {sums_format_, s_.result, s_.source},
                                              spec::vector_operation::select_positive, spec::broadcast::none,
                                              rows, columns, sums, mask, d));
        } else if (s_.has_bias()) {
            if (tile == 0)
                b_.emit(tail_engine_, make_nop(sync().wait(bias_ready_)));
            b_.emit(tail_engine_, make_activate_bias(s, {sums_format_, s_.result, spec::number_format::fp32},
                                                     function(), rows, columns, sums,
                                                     {slot_work, u8(o_.bias_slot), 0,
                                                      u32(cut_.bias_at + 4ull * n * cut_.panel), 4 * s_.n},
                                                     d));
        } else {
            b_.emit(tail_engine_, make_activate(s, {sums_format_, s_.result, {}}, function(), 1.0f, rows,
                                                columns, sums, d));
        }
        if (last)
            store(i, g, group);
    }

    void store(std::uint32_t i, std::uint32_t g, std::uint64_t group) {
        sync s = sync().wait(out_.full);
        if (out_.reused(group)) {
            s.signal(out_.free);
            ++out_.freed;
        }
        // The mask's slot was read by the epilogue, which is behind us: the store frees it too, an epilogue
        // has no third signal.
        if (s_.has_mask() && mask_.reused(group)) {
            s.signal(mask_.free);
            ++mask_.freed;
        }
        // The last store frees no slot, so its signals are there; where column sums follow, they are last.
        if (!s_.column_sums && i + 1 == cut_.blocks && g + 1 == cut_.groups)
            open(s);
        b_.emit(
            store_queue_,
            make_copy(s, o_.result.slot, {slot_work, cut_.result_slots[group % out_.slots], result_pitch()},
                      {o_.result.slot,
                       std::uint64_t{i} * cut_.block_rows * o_.result.pitch + group_first(g) * result_bytes_,
                       o_.result.pitch},
                      group_columns(g) * result_bytes_, cut_.rows_of(i, s_.m)));
    }

    spec::activation_function function() const {
        return s_.tail == epilogue::relu || s_.tail == epilogue::bias_relu
                   ? spec::activation_function::relu
                   : spec::activation_function::identity;
    }

    matrix psum_tile(std::uint64_t tile) const {
        const std::uint64_t bank = cut_.psum_first + tile % psum_.slots;
        return {slot_psum, u8(o_.result.slot), 0, u32(bank * device_.psum_bank_bytes()), 4 * device_.columns};
    }

    std::uint64_t group_first(std::uint32_t g) const { return std::uint64_t{g} * cut_.group * cut_.panel; }
    std::uint64_t group_columns(std::uint32_t g) const {
        return std::min<std::uint64_t>(std::uint64_t{cut_.group} * cut_.panel, s_.n - group_first(g));
    }
    std::uint64_t a_pitch() const { return cut_.chunk * source_bytes_; }
    std::uint64_t b_pitch() const { return cut_.panel * source_bytes_; }
    std::uint64_t result_pitch() const { return group_columns(0) * result_bytes_; }
    std::uint64_t mask_pitch() const { return group_columns(0) * source_bytes_; }
    static std::uint8_t u8(unsigned value) { return static_cast<std::uint8_t>(value); }
    static std::uint32_t u32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

    kernel_builder& b_;
    const device_capabilities& device_;
    const pass_shape& s_;
    const blocking& cut_;
    const pass_operands& o_;
    const std::optional<pass_barrier>& before_;
    const std::optional<pass_barrier>& after_;
    unsigned panels_queue_, blocks_queue_, store_queue_;
    std::uint64_t source_bytes_, result_bytes_;
    spec::number_format sums_format_;
    unsigned tail_engine_;
    ring a_, w_, out_, mask_, psum_;
    unsigned bias_ready_ = 0, sums_ready_ = 0, panel_for_sums_ = 0, panel_summed_ = 0;
};

} // namespace

pass_barrier make_barrier(kernel_builder& builder, const device_capabilities& device) {
    pass_barrier barrier;
    barrier.count = queue_for(stream::panels, device) == queue_for(stream::blocks, device) ? 1 : 2;
    for (unsigned q = 0; q < barrier.count; ++q)
        barrier.semaphores[q] = builder.semaphore();
    return barrier;
}

void emit_pass(kernel_builder& builder, const device_capabilities& device, const pass_shape& shape,
               const blocking& cut, const pass_operands& operands, const std::optional<pass_barrier>& before,
               const std::optional<pass_barrier>& after) {
    pass_emitter(builder, device, shape, cut, operands, before, after).run();
}

} // namespace retrace::compiler
