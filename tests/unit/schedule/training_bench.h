#pragma once
// Runs plans on the interpreter: host memory with the plan's host tensors, programs in place, steps and
// evaluations.
#include <gtest/gtest.h>

#include "host/training/plan.h"
#include "host/training/tensors.h"
#include "tests/unit/compiler/bench.h"

namespace retrace::testing {

using compiler::testing::decode;
using compiler::testing::encode;
using compiler::testing::random_values;
using compiler::testing::values;

/// A device that is small enough for the interpreter and has room for everything unless a test takes it away.
inline device_capabilities training_device(unsigned queues = 4) {
    device_capabilities d = compiler::testing::test_device(8, 8, queues);
    d.state_buffer_bytes = 64 << 10;
    d.dram_bytes = 2 << 20;
    d.regions = {{spec::region_kind::activations, 0, 128 << 10},
                 {spec::region_kind::gradients, 128 << 10, 64 << 10},
                 {spec::region_kind::weights, 192 << 10, 64 << 10},
                 {spec::region_kind::programs, 256 << 10, 1 << 20}};
    return d;
}

class training_bench {
public:
    training_bench(const plan& made, std::uint64_t seed)
        : p(made), machine(p.device, 1 << 20, seed), depth_(p.net.depth()),
          format_(number_format_of(p.shape.operands)) {
        for (std::size_t k = 0; k < p.kernels.size(); ++k)
            for (std::size_t e = 0; e < p.kernels[k].programs.size(); ++e)
                machine.load(p.program_addresses[k][e], p.kernels[k].programs[e]);
        const auto place = [this](host_tensor t, std::size_t layer = 0) {
            const std::uint64_t at = host_at_;
            host_at_ = round_up(host_at_ + host_tensor_bytes(p, t, layer), 64);
            return spec::host_window_base + at;
        };
        buffers.input = place(host_tensor::input);
        buffers.targets = place(host_tensor::targets);
        buffers.logits = place(host_tensor::logits);
        buffers.loss = place(host_tensor::loss);
        buffers.output_gradient = place(host_tensor::output_gradient);
        buffers.input_gradient = place(host_tensor::input_gradient);
        for (std::size_t k = 0; k <= depth_; ++k) {
            buffers.weights.push_back(place(host_tensor::weights, k));
            buffers.bias.push_back(place(host_tensor::bias, k));
            buffers.weight_gradient.push_back(place(host_tensor::weight_gradient, k));
            buffers.bias_gradient.push_back(place(host_tensor::bias_gradient, k));
        }
    }

    std::byte* host(std::uint64_t bus) { return machine.host.data() + (bus - spec::host_window_base); }
    void put(std::uint64_t bus, const values& m) {
        encode(m, format_, host(bus), m.columns * bytes_of(format_));
    }
    void put_fp32(std::uint64_t bus, const values& m) {
        encode(m, spec::number_format::fp32, host(bus), m.columns * 4);
    }
    values get(std::uint64_t bus, std::size_t rows, std::size_t columns) {
        return decode(host(bus), rows, columns, format_, columns * bytes_of(format_));
    }
    values get_fp32(std::uint64_t bus, std::size_t rows, std::size_t columns) {
        return decode(host(bus), rows, columns, spec::number_format::fp32, columns * 4);
    }

    void random_weights(std::uint64_t seed) {
        for (std::size_t k = p.shape.range.first; k <= p.shape.range.last; ++k) {
            const layer& l = p.net.at(k);
            values w = random_values(l.inputs, l.outputs, format_, seed + 2 * k);
            for (float& v : w.v)
                v = compiler::testing::rounded(v / static_cast<float>(l.inputs), format_);
            put(buffers.weights[k], w);
            put_fp32(buffers.bias[k],
                     random_values(1, l.outputs, spec::number_format::fp32, seed + 2 * k + 1));
        }
    }
    void random_batch(std::uint64_t seed, std::size_t rows) {
        put(buffers.input, random_values(rows, p.net.features(p.shape.range.first - 1), format_, seed));
        const std::size_t classes = p.net.features(depth_);
        values t{rows, classes, std::vector<float>(rows * classes)};
        std::mt19937_64 random(seed);
        for (std::size_t r = 0; r < rows; ++r)
            t.at(r, random() % classes) = 1.0f;
        if (p.shape.range.last == depth_)
            put(buffers.targets, t);
    }

    void run(std::vector<spec::command> commands) {
        rebase(commands, next_);
        next_ += static_cast<std::uint32_t>(commands.size());
        machine.run(commands);
        ASSERT_TRUE(machine.faults.empty()) << machine.faults.front();
    }
    void step(std::uint32_t number) { run(step_commands(p, number, buffers)); }

    /// Everything the host gets from a step.
    std::vector<values> results() {
        std::vector<values> all;
        const layer_range range = p.shape.range;
        for (std::size_t k = range.first; k <= range.last; ++k) {
            const layer& l = p.net.at(k);
            all.push_back(get_fp32(buffers.weight_gradient[k], l.inputs, l.outputs));
            if (l.bias)
                all.push_back(get_fp32(buffers.bias_gradient[k], 1, l.outputs));
        }
        all.push_back(get(buffers.logits, p.shape.batch, p.net.features(range.last)));
        if (range.last == depth_)
            all.push_back(get_fp32(buffers.loss, p.shape.batch, 1));
        if (range.input_needs_gradient)
            all.push_back(get(buffers.input_gradient, p.shape.batch, p.net.features(range.first - 1)));
        return all;
    }

    void expect_planned_peaks() {
        const auto& parts = machine.dram.parts();
        EXPECT_EQ(parts[0].peak, p.peaks.activations.peak_bytes) << "activations";
        EXPECT_EQ(parts[1].peak, p.peaks.gradients.peak_bytes) << "gradients";
        EXPECT_EQ(parts[2].peak, p.peaks.weights.peak_bytes) << "weights";
        EXPECT_EQ(parts[3].peak, p.peaks.programs.peak_bytes) << "programs";
        EXPECT_EQ(machine.dram.all().peak, p.peaks.device_dram.peak_bytes) << "device DRAM";
        EXPECT_EQ(machine.state_buffer.all().peak, p.peaks.state_buffer.peak_bytes) << "state buffer";
        EXPECT_EQ(machine.psum.all().peak, p.peaks.psum.peak_bytes) << "PSUM";
        for (std::size_t r = 0; r < parts.size(); ++r)
            EXPECT_LE(parts[r].peak, p.device.regions[r].bytes);
    }

    /// After a step only weights and programs are live.
    void expect_all_released() {
        EXPECT_EQ(machine.dram.parts()[0].live, 0u);
        EXPECT_EQ(machine.dram.parts()[1].live, 0u);
        EXPECT_EQ(machine.state_buffer.all().live, 0u);
        EXPECT_EQ(machine.psum.all().live, 0u);
    }

    plan p;
    compiler::testing::interpreter machine;
    host_buffers buffers;

private:
    std::size_t depth_;
    spec::number_format format_;
    std::uint64_t host_at_ = 64;
    std::uint32_t next_ = 1;
};

inline bool same_bits(const std::vector<values>& a, const std::vector<values>& b) {
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i].v.size() != b[i].v.size() ||
            std::memcmp(a[i].v.data(), b[i].v.data(), a[i].v.size() * 4) != 0)
            return false;
    return true;
}

} // namespace retrace::testing
