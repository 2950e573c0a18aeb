#include "host/compiler/dense.h"

#include <algorithm>

#include "host/arithmetic.h"
#include "host/compiler/gemm_pass.h"
#include "host/compiler/pass_plan.h"

namespace retrace::compiler {

namespace {

/// Backward's two products with their places; the second may use the buffers of the first, behind a barrier.
struct two_passes {
    blocking data, weights;
    bool shared = false;
    std::uint64_t cycles() const { return data.estimated_cycles + weights.estimated_cycles; }
    std::uint64_t end() const { return std::max(data.end, weights.end); }
};

pass_shape data_pass(const backward_shape& s) {
    pass_shape p; // G_{k-1} = G_k W_k^T, masked
    p.m = s.batch, p.k = s.outputs, p.n = s.inputs;
    p.source = p.result = s.format;
    p.b_transposed = true;
    p.tail = s.mask ? epilogue::select_positive : epilogue::convert;
    return p;
}

pass_shape weight_pass(const backward_shape& s) {
    pass_shape p; // dW_k = IO_{k-1}^T G_k
    p.m = s.inputs, p.k = s.batch, p.n = s.outputs;
    p.source = s.format, p.result = spec::number_format::fp32;
    p.a_transposed = true;
    p.column_sums = s.bias;
    p.result_to_host = true;
    return p;
}

std::uint64_t next_bank(std::uint64_t at, const device_capabilities& device) {
    const std::uint64_t bank = std::max<std::uint64_t>(64, device.state_buffer_bank_bytes());
    return round_up(at, bank);
}

two_passes place_both(const pass_shape& data, const pass_shape& weights, const device_capabilities& device,
                      const work_space& space) {
    std::optional<two_passes> best;
    const auto offer = [&best](const two_passes& t) {
        if (!best || t.cycles() < best->cycles())
            best = t;
    };
    const unsigned half = device.psum_banks / 2;
    if (half)
        for (const unsigned eighths :
             {4u, 5u, 3u}) { // disjoint buffers: the second product's loads hide behind the first
            const auto first = choose_blocking(data, {0, space.bytes * eighths / 8, 0, half, 0}, device);
            if (!first.best)
                continue;
            std::uint64_t at = next_bank(first.best->end, device);
            if (at >= space.bytes)
                at = first.best->end;
            const auto second = choose_blocking(weights, {at, space.bytes - at, half, half, 0}, device);
            if (second.best)
                offer({*first.best, *second.best, false});
        }
    const auto first = choose_blocking(data, {0, space.bytes, 0, device.psum_banks, 0}, device);
    const auto second = choose_blocking(weights, {0, space.bytes, 0, device.psum_banks, 0}, device);
    if (first.best && second.best) {
        two_passes behind{*first.best, *second.best, true};
        behind.weights.estimated_cycles +=
            behind.weights.estimated_cycles / 8; // the pipeline runs empty in between
        offer(behind);
    }
    if (best)
        return *best;
    // One after the other, both must fit: the larger of the two says what would do.
    const bool data_is_larger = first.minimum_bytes >= second.minimum_bytes;
    plan_pass(data_is_larger ? data : weights, {0, space.bytes, 0, device.psum_banks, 0}, device, space,
              data_is_larger ? "a data gradient" : "a weight gradient");
    throw std::logic_error("a backward layer fits and does not fit");
}

} // namespace

compiled_kernel compile_forward(const forward_shape& s, const device_capabilities& device,
                                const work_space& space) {
    pass_shape shape;
    shape.m = s.batch, shape.k = s.inputs, shape.n = s.outputs;
    shape.source = shape.result = s.format;
    shape.in_place = s.in_place;
    shape.tail = s.bias ? (s.relu ? epilogue::bias_relu : epilogue::bias)
                        : (s.relu ? epilogue::relu : epilogue::convert);
    const blocking cut =
        plan_pass(shape, {0, space.bytes, 0, device.psum_banks, 0}, device, space, "a forward layer");

    pass_operands operands;
    operands.a = {forward_slots::input, s.input_pitch};
    operands.b = {forward_slots::weights, std::uint64_t{s.outputs} * bytes_of(s.format)};
    operands.result = {forward_slots::output, s.output_pitch};
    operands.bias_slot = forward_slots::bias;
    kernel_builder builder;
    emit_pass(builder, device, shape, cut, operands);

    compiled_kernel kernel;
    kernel.name = s.in_place ? "forward_in_place" : "forward";
    kernel.programs = builder.finish();
    kernel.work_bytes = cut.end;
    kernel.psum_banks = cut.psum_banks;
    kernel.estimated_cycles = cut.estimated_cycles;
    kernel.macs = std::uint64_t{s.batch} * s.inputs * s.outputs;
    kernel.passes = {cut};
    const std::uint64_t e = bytes_of(s.format);
    kernel.slots = {work_slot(kernel),
                    psum_slot(kernel, device),
                    {"IO_in", extent(s.batch, s.inputs * e, s.input_pitch), access_read},
                    {"IO_out", extent(s.batch, s.outputs * e, s.output_pitch), access_write},
                    {"W", std::uint64_t{s.inputs} * s.outputs * e, access_read}};
    if (s.bias)
        kernel.slots.push_back({"b", 4ull * s.outputs, access_read});
    return kernel;
}

compiled_kernel compile_backward(const backward_shape& s, const device_capabilities& device,
                                 const work_space& space) {
    const std::uint64_t e = bytes_of(s.format);
    const pass_shape data = data_pass(s), weights = weight_pass(s);
    pass_operands to_input, to_weights;
    to_input.a = {backward_slots::gradient, s.gradient_pitch};
    to_input.b = {backward_slots::weights, s.outputs * e};
    to_input.result = {backward_slots::input_gradient, s.input_gradient_pitch};
    to_input.mask = {backward_slots::input, s.input_pitch};
    to_weights.a = {backward_slots::input, s.input_pitch};
    to_weights.b = {backward_slots::gradient, s.gradient_pitch};
    to_weights.result = {backward_slots::weight_gradient, 4ull * s.outputs};
    to_weights.sums_slot = backward_slots::bias_gradient;

    kernel_builder builder;
    compiled_kernel kernel;
    kernel.name = s.data_gradient ? "backward" : "backward_first";
    kernel.macs = std::uint64_t{s.batch} * s.inputs * s.outputs * (s.data_gradient ? 2 : 1);
    if (s.data_gradient) {
        const two_passes both = place_both(data, weights, device, space);
        if (both.shared) {
            const pass_barrier barrier = make_barrier(builder, device);
            emit_pass(builder, device, data, both.data, to_input, {}, barrier);
            emit_pass(builder, device, weights, both.weights, to_weights, barrier, {});
        } else if (queue_for(stream::stores, device) == queue_for(stream::blocks, device)) {
            // Stores share a queue with loads: the short way to device DRAM first, it holds nobody up.
            emit_pass(builder, device, data, both.data, to_input);
            emit_pass(builder, device, weights, both.weights, to_weights);
        } else {
            // dW takes the slow way to the host: begun first, it travels while the array is at the other
            // product, whose own result leaves by a queue that has no weights to bring down now.
            to_input.store_stream = stream::uploads;
            emit_pass(builder, device, weights, both.weights, to_weights);
            emit_pass(builder, device, data, both.data, to_input);
        }
        kernel.work_bytes = both.end();
        kernel.psum_banks = std::max(both.data.psum_first + both.data.psum_banks,
                                     both.weights.psum_first + both.weights.psum_banks);
        kernel.estimated_cycles = both.cycles();
        kernel.passes = {both.data, both.weights};
    } else {
        const blocking cut =
            plan_pass(weights, {0, space.bytes, 0, device.psum_banks, 0}, device, space, "a weight gradient");
        emit_pass(builder, device, weights, cut, to_weights);
        kernel.work_bytes = cut.end;
        kernel.psum_banks = cut.psum_banks;
        kernel.estimated_cycles = cut.estimated_cycles;
        kernel.passes = {cut};
    }
    kernel.programs = builder.finish();
    kernel.slots = {
        work_slot(kernel),
        psum_slot(kernel, device),
        {"IO_in", extent(s.batch, s.inputs * e, s.input_pitch), access_read},
        {"G_out", extent(s.batch, s.outputs * e, s.gradient_pitch), access_read},
        {"W", std::uint64_t{s.inputs} * s.outputs * e, access_read},
        {"G_in", s.data_gradient ? extent(s.batch, s.inputs * e, s.input_gradient_pitch) : 0, access_write},
        {"dW", 4ull * s.inputs * s.outputs, access_write},
        {"db", 4ull * s.outputs, access_write}};
    if (!s.data_gradient) // slots keep their numbers; what is not used has no bytes
        kernel.slots[backward_slots::weights].bytes = 0;
    if (!s.bias)
        kernel.slots[backward_slots::bias_gradient].bytes = 0;
    return kernel;
}

} // namespace retrace::compiler
