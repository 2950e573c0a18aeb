#include "host/compiler/loss.h"

#include <algorithm>
#include <stdexcept>

#include "host/arithmetic.h"
#include "host/compiler/kernel_builder.h"
#include "host/compiler/pass_plan.h"

namespace retrace::compiler {

namespace {

using format = spec::number_format;
using operation = spec::vector_operation;

/// Working buffers for blocks of `rows` rows. x, T, G and the loss are double-buffered, so that DMA runs
/// beside the engines.
struct layout {
    std::uint32_t rows, blocks;
    std::uint32_t x[2], t[2], g[2], loss[2];
    std::uint32_t d, e, p, max, sum, dot, log_sum;
    std::uint64_t end = 0;

    layout(const loss_shape& s, std::uint32_t rows_per_block)
        : rows(rows_per_block), blocks(static_cast<std::uint32_t>(ceil_div(s.batch, rows_per_block))) {
        const std::uint64_t narrow = std::uint64_t{rows} * s.classes * bytes_of(s.format);
        const std::uint64_t wide = std::uint64_t{rows} * s.classes * 4, column = std::uint64_t{rows} * 4;
        const auto place = [this](std::uint64_t bytes) {
            const auto at = static_cast<std::uint32_t>(end);
            end = round_up(end + bytes, 64);
            return at;
        };
        for (int half = 0; half < 2; ++half) {
            const bool own = half == 0 || blocks > 1;
            x[half] = own ? place(narrow) : x[0];
            t[half] = own ? place(narrow) : t[0];
            g[half] = own ? place(narrow) : g[0];
            loss[half] = own ? place(column) : loss[0];
        }
        d = place(wide), e = place(wide), p = place(wide);
        max = place(column), sum = place(column), dot = place(column), log_sum = place(column);
    }
};

class loss_emitter {
public:
    loss_emitter(kernel_builder& builder, const device_capabilities& device, const loss_shape& s,
                 const layout& at)
        : b_(builder), s_(s), at_(at), load_queue_(queue_for(stream::blocks, device)),
          store_queue_(queue_for(stream::stores, device)), bytes_(bytes_of(s.format)) {
        for (unsigned* semaphore : {&loaded_, &loaded_free_, &difference_, &exponential_, &sum_, &log_,
                                    &probability_, &gradient_, &gradient_free_, &loss_, &loss_free_})
            *semaphore = b_.semaphore();
    }

    void run() {
        load(0);
        for (std::uint32_t i = 0; i < at_.blocks; ++i) {
            if (i + 1 < at_.blocks)
                load(i + 1);
            compute(i);
            store(i);
        }
    }

private:
    std::uint32_t rows_of(std::uint32_t i) const { return std::min(at_.rows, s_.batch - i * at_.rows); }

    void load(std::uint32_t i) {
        const std::uint64_t row = std::uint64_t{i} * at_.rows, run = s_.classes * bytes_;
        sync first;
        if (i >= 2)
            first.wait(loaded_free_);
        b_.emit(load_queue_, make_copy(first.signal(loaded_), loss_slots::input,
                                       {loss_slots::input, row * s_.input_pitch, s_.input_pitch},
                                       {slot_work, at_.x[i % 2], run}, run, rows_of(i)));
        b_.emit(load_queue_,
                make_copy(sync().signal(loaded_), loss_slots::targets, {loss_slots::targets, row * run, run},
                          {slot_work, at_.t[i % 2], run}, run, rows_of(i)));
    }

    /// d, e and p are single: the vector and the activation engine hand each block back and forth
    /// (difference, exponential, sum, log, probability), and each hand-over also tells that the previous
    /// block's buffers have been read.
    void compute(std::uint32_t i) {
        const unsigned rows = rows_of(i), n = s_.classes, h = i % 2;
        const matrix x = narrow(loss_slots::input, at_.x[h]), t = narrow(loss_slots::targets, at_.t[h]);
        const matrix d = own(at_.d, 4 * n), e = own(at_.e, 4 * n), p = own(at_.p, 4 * n);
        const matrix max = own(at_.max, 4), sum = own(at_.sum, 4), dot = own(at_.dot, 4);
        // A column of rows x 1 is also one row of `rows` values: lanes work on it side by side.
        const matrix sum_row = own(at_.sum, 4 * rows), dot_row = own(at_.dot, 4 * rows),
                     log_row = own(at_.log_sum, 4 * rows);
        const formats wide{format::fp32, format::fp32, format::fp32};
        const unsigned v = spec::engine_vector, a = spec::engine_activation;

        b_.emit(v, make_reduce_rows(sync().wait(loaded_, 2), {s_.format, format::fp32, {}}, operation::max,
                                    rows, n, x, max));
        b_.emit(v, make_binary(sync().signal(difference_), {s_.format, format::fp32, format::fp32},
                               operation::subtract, spec::broadcast::column, rows, n, x, max, d));
        b_.emit(a, make_activate(sync().wait(difference_).signal(exponential_), wide_unary(),
                                 spec::activation_function::exp, 1.0f, rows, n, d, e));
        // The buffer of p holds T * d first.
        b_.emit(v, make_binary({}, {format::fp32, format::fp32, s_.format}, operation::multiply,
                               spec::broadcast::none, rows, n, d, t, p));
        b_.emit(v, make_reduce_rows({}, wide_unary(), operation::add, rows, n, p, dot));
        b_.emit(v, make_reduce_rows(sync().wait(exponential_).signal(sum_), wide_unary(), operation::add,
                                    rows, n, e, sum));
        b_.emit(a, make_activate(sync().wait(sum_).signal(log_), wide_unary(), spec::activation_function::log,
                                 1.0f, 1, rows, sum_row, log_row));
        b_.emit(v, make_binary({}, wide, operation::divide, spec::broadcast::column, rows, n, e, sum, p));
        b_.emit(v, make_binary(sync().signal(probability_), {format::fp32, format::fp32, s_.format},
                               operation::subtract, spec::broadcast::none, rows, n, p, t, e));
        sync scale = sync().wait(probability_).signal(gradient_);
        if (i >= 2)
            scale.wait(gradient_free_);
        b_.emit(a, make_activate(scale, {format::fp32, s_.format, {}}, spec::activation_function::identity,
                                 1.0f / static_cast<float>(s_.batch), rows, n, e,
                                 narrow(loss_slots::gradient, at_.g[h])));
        sync last = sync().wait(log_).signal(loss_);
        if (i >= 2)
            last.wait(loss_free_);
        b_.emit(v, make_binary(last, wide, operation::subtract, spec::broadcast::none, 1, rows, log_row,
                               dot_row, {slot_work, loss_slots::loss, 0, at_.loss[h], 4 * rows}));
    }

    void store(std::uint32_t i) {
        const std::uint64_t row = std::uint64_t{i} * at_.rows, run = s_.classes * bytes_, rows = rows_of(i);
        const bool reused = i + 2 < at_.blocks;
        const unsigned h = i % 2;
        sync gradient = sync().wait(gradient_), loss = sync().wait(loss_), logits;
        if (reused) {
            gradient.signal(gradient_free_);
            loss.signal(loss_free_);
            logits.signal(loaded_free_);
        }
        b_.emit(store_queue_,
                make_copy(gradient, loss_slots::gradient, {slot_work, at_.g[h], run},
                          {loss_slots::gradient, row * s_.gradient_pitch, s_.gradient_pitch}, run, rows));
        b_.emit(store_queue_, make_copy(loss, loss_slots::loss, {slot_work, at_.loss[h], 4},
                                        {loss_slots::loss, row * 4, 4}, 4 * rows, 1));
        // The last reader of x and T's half: the engines were done with them before the gradient was there.
        b_.emit(store_queue_, make_copy(logits, loss_slots::input, {slot_work, at_.x[h], run},
                                        {loss_slots::logits, row * run, run}, run, rows));
    }

    formats wide_unary() const { return {format::fp32, format::fp32, {}}; }
    matrix own(std::uint32_t at, std::uint32_t pitch) const { return {slot_work, slot_work, 0, at, pitch}; }
    matrix narrow(unsigned tag_slot, std::uint32_t at) const {
        return {slot_work, static_cast<std::uint8_t>(tag_slot), 0, at,
                static_cast<std::uint32_t>(s_.classes * bytes_)};
    }

    kernel_builder& b_;
    const loss_shape& s_;
    const layout& at_;
    unsigned load_queue_, store_queue_;
    std::uint64_t bytes_;
    unsigned loaded_, loaded_free_, difference_, exponential_, sum_, log_, probability_, gradient_,
        gradient_free_, loss_, loss_free_;
};

} // namespace

compiled_kernel compile_loss(const loss_shape& s, const device_capabilities& device,
                             const work_space& space) {
    if (s.classes > 65535) // columns of an instruction
        throw std::runtime_error("unsupported: a softmax over " + std::to_string(s.classes) +
                                 " classes; at most 65535 are possible");
    std::uint32_t rows = std::min<std::uint32_t>(s.batch, 1024);
    if (s.batch > 16)
        rows = std::min(rows, (s.batch + 1) / 2); // two halves: loads and stores hide behind the engines
    while (rows > 1 && layout(s, rows).end > space.bytes)
        rows = (rows + 1) / 2;
    const layout at(s, rows);
    if (at.end > space.bytes)
        throw capacity_error("state_buffer", space.base + at.end, space.base + space.bytes,
                             space.base + at.end, "the smallest working buffers of the loss gradient");
    kernel_builder builder;
    loss_emitter(builder, device, s, at).run();

    compiled_kernel kernel;
    kernel.name = "loss_gradient";
    kernel.programs = builder.finish();
    kernel.work_bytes = at.end;
    kernel.psum_banks = 0;
    const std::uint64_t e = bytes_of(s.format), row = s.classes * e;
    const std::uint64_t vector = 7 * ceil_div(s.classes, device.vector_lanes) * s.batch;
    const std::uint64_t link = s.batch * (2 * row + 4) / device.link_bytes_per_cycle;
    kernel.estimated_cycles =
        std::max(vector, link) + link / at.blocks + 12ull * device.engine_latency_cycles * at.blocks;
    kernel.slots = {work_slot(kernel),
                    psum_slot(kernel, device),
                    {"IO_L", extent(s.batch, row, s.input_pitch), access_read},
                    {"T", s.batch * row, access_read},
                    {"G_L", extent(s.batch, row, s.gradient_pitch), access_write},
                    {"LOSS", 4ull * s.batch, access_write},
                    {"LOGITS", s.batch * row, access_write}};
    return kernel;
}

} // namespace retrace::compiler
