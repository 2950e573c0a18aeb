#include <algorithm>
#include <stdexcept>

#include "sim/config/run_config.h"
#include "sim/proof/proof.h"

namespace retrace {

std::uint64_t expected_executions(const std::string& schedule, std::size_t layers, std::size_t spacing) {
    const std::uint64_t l = layers, n = std::max<std::size_t>(1, spacing);
    if (schedule == "store_all")
        return l;
    if (schedule == "recompute")
        return l + l * (l - 1) / 2;
    const std::uint64_t segments = (l + n - 1) / n;
    if (schedule == "interval")
        return l + (segments - 1) * (n - 1); // the last segment is still there
    if (schedule == "interval_overwrite") {
        const std::uint64_t whole = l / n, rest = l % n;
        return l + whole * (n * (n - 1) / 2) + rest * (rest - (rest != 0)) / 2;
    }
    throw std::invalid_argument("there is no schedule '" + schedule + "'");
}

proof_expectations expectations_of(const run_config& c) {
    proof_expectations e;
    e.schedule = c.training.schedule;
    e.layers = c.net.depth();
    e.spacing = std::max<std::size_t>(1, c.training.interval);
    e.batch = c.training.batch;
    e.executions = expected_executions(e.schedule, e.layers, e.spacing);
    e.bias.push_back(false);
    for (std::size_t k = 1; k <= e.layers; ++k)
        e.bias.push_back(c.net.at(k).bias);

    e.memories.push_back({"device_dram", 0, c.npu.device_dram.capacity_bytes, false});
    e.memories.push_back({"state_buffer", 0, c.npu.state_buffer.capacity_bytes, false});
    e.memories.push_back(
        {"psum", 0, std::uint64_t{c.npu.psum.banks} * c.npu.psum.rows * c.npu.array.columns * 4, false});
    std::uint64_t base = 0, activations = 0;
    for (const dram_region& r : c.npu.device_dram.regions) {
        e.memories.push_back({std::string(spec::name_of(r.kind)), base, r.bytes, true});
        if (r.kind == spec::region_kind::activations)
            activations = r.bytes;
        base += r.bytes;
    }

    std::uint64_t input_and_two = 0;
    for (std::size_t k = 0; k <= std::min<std::size_t>(2, e.layers); ++k)
        input_and_two += std::uint64_t{e.batch} * c.net.features(k) * bytes_per_element(c.training.operands);
    e.small_activations = e.layers >= 2 && activations < input_and_two;
    return e;
}

} // namespace retrace
