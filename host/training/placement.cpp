#include "host/training/placement.h"

#include <algorithm>
#include <stdexcept>

#include "host/arithmetic.h"

namespace retrace {

namespace {

constexpr std::uint64_t alignment = 64; ///< a DRAM burst

spec::memory_kind memory_of(placement where) {
    switch (where) {
    case placement::host:
        return spec::memory_kind::host;
    case placement::state_buffer:
        return spec::memory_kind::state_buffer;
    default:
        return spec::memory_kind::device_dram;
    }
}

spec::region_kind region_of(placement where) {
    switch (where) {
    case placement::activations:
        return spec::region_kind::activations;
    case placement::gradients:
        return spec::region_kind::gradients;
    default:
        return spec::region_kind::weights;
    }
}

/// What a buffer must hold, collected over the run.
struct demand {
    std::map<tensor_id, std::uint64_t> row_bytes; ///< its tensors
    std::uint64_t rows = 0;
    bool in_place = false; ///< tensors overwrite each other row by row: all have the same pitch

    std::uint64_t pitch() const {
        std::uint64_t widest = 0;
        for (const auto& [tensor, bytes] : row_bytes)
            widest = std::max(widest, bytes);
        return widest;
    }
    std::uint64_t bytes() const { return rows * pitch(); }
    tensor_id largest() const {
        return std::max_element(row_bytes.begin(), row_bytes.end(),
                                [](const auto& a, const auto& b) { return a.second < b.second; })
            ->first;
    }
};

} // namespace

std::uint64_t row_bytes(const training_graph& graph, tensor_id t) {
    const tensor_info& info = graph.tensor(t);
    return info.shape.columns * bytes_per_element(info.format);
}

std::uint64_t live_bytes(const training_graph& graph, tensor_id t) { return graph.tensor(t).bytes(); }

const placed_buffer& placed_run::at(buffer_id id) const {
    const auto found =
        std::find_if(buffers.begin(), buffers.end(), [id](const placed_buffer& b) { return b.id == id; });
    if (found == buffers.end())
        throw std::logic_error("a schedule uses a buffer that was not placed");
    return *found;
}

std::uint64_t placed_run::pitch(const training_graph& graph, const tensor_use& use) const {
    const std::uint64_t common = use.buffer.where == placement::host ? 0 : at(use.buffer).pitch;
    return common ? common : row_bytes(graph, use.tensor);
}

placed_run place_run(const training_graph& graph, const schedule& s, const device_capabilities& device) {
    std::map<buffer_id, demand> demands;
    for (const schedule_operation& op : s.operations) {
        for (const tensor_use& w : op.writes)
            if (w.buffer.where != placement::host) {
                demand& d = demands[w.buffer];
                d.row_bytes[w.tensor] = row_bytes(graph, w.tensor);
                d.rows = std::max<std::uint64_t>(d.rows, graph.tensor(w.tensor).shape.rows);
            }
        if (op.in_place)
            demands.at(op.writes.front().buffer).in_place = true;
    }

    placed_run placed;
    for (const auto& [id, d] : demands) {
        std::uint64_t& end = placed.extent[id.where];
        const bool on_chip = id.where == placement::state_buffer;
        const std::uint64_t base = on_chip ? 0 : device.region(region_of(id.where)).base;
        const std::uint64_t available =
            on_chip ? device.state_buffer_bytes : device.region(region_of(id.where)).bytes;
        const std::uint64_t at = round_up(base + end, alignment) - base;
        end = at + d.bytes();
        placed.buffers.push_back({id, memory_of(id.where), base + at, d.bytes(), d.in_place ? d.pitch() : 0});
        if (end > available)
            placed.culprit.try_emplace(id.where, d.largest());
    }
    return placed;
}

live_account account(const training_graph& graph, const schedule& s) {
    live_account result;
    live_account::moment now;
    std::map<tensor_id, bool> live;
    const auto counter = [](live_account::moment& m, placement where) -> std::uint64_t* {
        switch (where) {
        case placement::activations:
            return &m.activations;
        case placement::gradients:
            return &m.gradients;
        case placement::state_buffer:
            return &m.state_buffer;
        default:
            return nullptr; // weights are live throughout, host memory is not counted
        }
    };
    for (const schedule_operation& op : s.operations) {
        live_account::moment during = now;
        for (const tensor_use& w : op.writes)
            if (std::uint64_t* bytes = counter(during, w.buffer.where)) {
                const std::uint64_t mine = live_bytes(graph, w.tensor);
                const std::uint64_t before = op.in_place ? live_bytes(graph, op.reads.front().tensor) : 0;
                if (live[w.tensor])
                    throw std::logic_error(op.name() + " writes " + to_string(w.tensor) +
                                           ", which is still there");
                *bytes += mine > before ? mine - before : 0;
            }
        result.during.push_back(during);
        for (const tensor_use& r : op.reads)
            if (counter(now, r.buffer.where) && !live[r.tensor])
                throw std::logic_error(op.name() + " reads " + to_string(r.tensor) + ", which is not there");
        for (const tensor_use& w : op.writes)
            if (std::uint64_t* bytes = counter(now, w.buffer.where)) {
                *bytes += live_bytes(graph, w.tensor);
                live[w.tensor] = true;
            }
        for (const tensor_use& r : op.reads)
            if (std::uint64_t* bytes = counter(now, r.buffer.where); bytes && r.release) {
                *bytes -= live_bytes(graph, r.tensor);
                live[r.tensor] = false;
            }
        result.after.push_back(now);
    }
    return result;
}

} // namespace retrace
