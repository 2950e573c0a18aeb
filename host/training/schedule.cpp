#include "host/training/schedule.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "hw/spec/spec.h"

namespace retrace {

namespace {

constexpr tensor_id io(std::size_t k) { return {tensor_role::io, k}; }
constexpr tensor_id gradient(std::size_t k) { return {tensor_role::gradient, k}; }

class scheduler {
public:
    scheduler(const training_graph& graph, const schedule_settings& settings, const schedule_options& options,
              bool evaluation)
        : graph_(graph), options_(options), first_(graph.range.first), last_(graph.range.last) {
        if (settings.interval == 0)
            throw network_error("schedule interval is 0, it must be at least 1");
        if (first_ < 1 || first_ > last_)
            throw network_error("a schedule needs at least one layer");
        out_.settings = settings;
        out_.range = graph.range;
        out_.evaluation = evaluation;
    }

    schedule training() {
        forward_sweep();
        if (graph_.loss_gradient) {
            const std::size_t lg =
                add(step_kind::loss_gradient, last_,
                    {use(io(last_), true), {{tensor_role::targets, last_}, {placement::host, 0}}},
                    {use(gradient(last_)), {{tensor_role::loss, last_}, {placement::host, 0}}});
            backward_may_begin_ = lg;
        } else {
            add(step_kind::download_output, last_, {use(io(last_), true)}, {});
            backward_may_begin_ = add(step_kind::upload_gradient, last_, {}, {use(gradient(last_))});
        }
        for (std::size_t k = last_; k >= first_; --k)
            backward(k);
        if (graph_.range.input_needs_gradient)
            add(step_kind::download_gradient, first_ - 1, {use(gradient(first_ - 1), true)}, {});
        return std::move(out_);
    }

    schedule evaluation() {
        forward_sweep();
        add(step_kind::download_output, last_, {use(io(last_), true)}, {});
        return std::move(out_);
    }

private:
    // --- where outputs live

    std::size_t number(std::size_t k) const { return k - first_ + 1; } ///< of a layer, within the range

    /// Whether IO_k stays from its first computation to its last reader.
    bool retained(std::size_t k) const {
        if (k < first_)
            return true;
        if (out_.evaluation || k == last_)
            return false;
        switch (out_.settings.kind) {
        case schedule_kind::store_all:
            return true;
        case schedule_kind::recompute:
            return false;
        case schedule_kind::interval:
        case schedule_kind::interval_overwrite:
            return number(k) % out_.settings.interval == 0;
        }
        return false;
    }

    buffer_id place_of(tensor_id t) const {
        switch (t.role) {
        case tensor_role::gradient:
            return {placement::gradients, t.layer % 2}; // G_k and G_{k-1} live at once, no others
        case tensor_role::weight:
        case tensor_role::bias:
            return {placement::weights, 2 * t.layer + (t.role == tensor_role::bias)};
        case tensor_role::io:
            break;
        default:
            return {placement::host, 0};
        }
        const std::size_t k = t.layer, n = out_.settings.interval;
        if (k < first_)
            return {placement::activations, 0};
        const bool on_chip = out_.settings.kind == schedule_kind::interval ||
                             out_.settings.kind == schedule_kind::interval_overwrite;
        if (out_.evaluation)
            return on_chip ? buffer_id{placement::state_buffer, 0} : buffer_id{placement::activations, 1};
        switch (out_.settings.kind) {
        case schedule_kind::store_all:
            return {placement::activations, number(k)};
        case schedule_kind::recompute:
            return {placement::activations, 1};
        case schedule_kind::interval:
            if (retained(k))
                return {placement::activations, number(k) / n};
            return {placement::state_buffer, (number(k) - 1) % n};
        case schedule_kind::interval_overwrite:
            return retained(k) ? buffer_id{placement::activations, number(k) / n}
                               : buffer_id{placement::state_buffer, 0};
        }
        return {};
    }

    /// Whether IO_k, not overwritten in place, is still wanted when F_{k+1} of the first sweep has read it.
    bool survives_first_sweep(std::size_t k) const {
        if (retained(k))
            return true;
        // interval: the last segment's outputs wait for their backward.
        return !out_.evaluation && out_.settings.kind == schedule_kind::interval &&
               (number(k) - 1) / out_.settings.interval == (number(last_) - 1) / out_.settings.interval;
    }

    tensor_use use(tensor_id t, bool release = false) const { return {t, place_of(t), release}; }

    // --- operations

    void forward_sweep() {
        if (options_.upload_weights)
            upload(first_);
        append({step_kind::upload_input, first_ - 1, false, {}, {use(io(first_ - 1))}, {}});
        resident_.insert(first_ - 1);
        for (std::size_t k = first_ + 1; options_.upload_weights && options_.uploads_first && k <= last_; ++k)
            upload(k);
        for (std::size_t k = first_; k <= last_; ++k) {
            // The next layer's weights travel while this one computes.
            if (options_.upload_weights && !options_.uploads_first && k < last_)
                upload(k + 1);
            forward(step_kind::forward, k, {},
                    !survives_first_sweep(k - 1) || (out_.evaluation && k == first_));
        }
    }

    void upload(std::size_t k) {
        schedule_operation u{step_kind::upload_weights, k, false, {}, {use({tensor_role::weight, k})}, {}};
        if (graph_.net.at(k).bias)
            u.writes.push_back(use({tensor_role::bias, k}));
        last_upload_ = append(std::move(u));
    }

    void forward(step_kind kind, std::size_t k, std::vector<std::size_t> extra_waits, bool release_input) {
        std::vector<tensor_use> reads{use(io(k - 1))};
        for (const tensor_id& t : graph_.forward_of(k).reads)
            if (t.role != tensor_role::io)
                reads.push_back(use(t));
        const bool in_place = place_of(io(k)) == place_of(io(k - 1));
        reads[0].release = in_place || release_input;
        if (reads[0].release)
            resident_.erase(k - 1);
        if (kind == step_kind::forward && k == first_ && options_.uploads_first && last_upload_)
            extra_waits.push_back(*last_upload_);
        add(kind, k, std::move(reads), {use(io(k))}, in_place, std::move(extra_waits));
        resident_.insert(k);
    }

    void backward(std::size_t k) {
        // From the nearest output below that is still there, one after the other.
        std::size_t from = k - 1;
        while (!resident_.count(from))
            --from;
        for (std::size_t r = from + 1; r < k; ++r)
            forward(step_kind::recompute, r,
                    r == from + 1 ? std::vector{backward_may_begin_} : std::vector<std::size_t>{}, false);
        std::vector<tensor_use> reads, writes;
        for (const tensor_id& t : graph_.backward_of(k).reads)
            reads.push_back(use(t, t == io(k - 1) || t == gradient(k)));
        for (const tensor_id& t : graph_.backward_of(k).writes)
            writes.push_back(use(t));
        add(step_kind::backward, k, std::move(reads), std::move(writes));
        resident_.erase(k - 1);
    }

    // --- wait sets

    /// An operation of the chain: each waits for the one before it, because it takes over the working buffers
    /// and because what it overwrites was last read there or earlier. So whatever an earlier one has waited
    /// for has happened, too.
    std::size_t add(step_kind kind, std::size_t layer, std::vector<tensor_use> reads,
                    std::vector<tensor_use> writes, bool in_place = false,
                    std::vector<std::size_t> waits = {}) {
        for (const tensor_use& r : reads)
            if (const auto at = writer_.find(r.tensor); at != writer_.end())
                waits.push_back(at->second);
        if (previous_)
            waits.push_back(*previous_);
        std::sort(waits.begin(), waits.end());
        waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
        const std::size_t index =
            append({kind, layer, in_place, std::move(reads), std::move(writes), std::move(waits)});
        previous_ = index;
        return index;
    }

    std::size_t append(schedule_operation op) {
        if (op.waits.size() > spec::max_waits)
            throw std::logic_error(op.name() + " waits for more commands than a command can");
        for (const tensor_use& w : op.writes)
            writer_[w.tensor] = out_.operations.size();
        out_.operations.push_back(std::move(op));
        return out_.operations.size() - 1;
    }

    const training_graph& graph_;
    schedule_options options_;
    std::size_t first_, last_;
    schedule out_;
    std::set<std::size_t> resident_; ///< outputs that are there
    std::map<tensor_id, std::size_t> writer_;
    std::optional<std::size_t> previous_, last_upload_;
    std::size_t backward_may_begin_ = 0;
};

} // namespace

const char* to_string(schedule_kind kind) {
    switch (kind) {
    case schedule_kind::store_all:
        return "store_all";
    case schedule_kind::recompute:
        return "recompute";
    case schedule_kind::interval:
        return "interval";
    case schedule_kind::interval_overwrite:
        return "interval_overwrite";
    }
    return "?";
}

schedule_kind schedule_kind_of(const std::string& name) {
    for (const schedule_kind kind : {schedule_kind::store_all, schedule_kind::recompute,
                                     schedule_kind::interval, schedule_kind::interval_overwrite})
        if (name == to_string(kind))
            return kind;
    throw network_error("there is no schedule '" + name +
                        "': it is store_all, recompute, interval or interval_overwrite");
}

const char* to_string(placement where) {
    switch (where) {
    case placement::host:
        return "host";
    case placement::activations:
        return "activations";
    case placement::gradients:
        return "gradients";
    case placement::weights:
        return "weights";
    case placement::state_buffer:
        return "state_buffer";
    }
    return "?";
}

std::string schedule_operation::name() const {
    const std::string k = std::to_string(layer);
    switch (kind) {
    case step_kind::upload_weights:
        return "U_" + k;
    case step_kind::upload_input:
        return "IN";
    case step_kind::forward:
        return "F_" + k;
    case step_kind::loss_gradient:
        return "LG";
    case step_kind::download_output:
        return "OUT";
    case step_kind::upload_gradient:
        return "GIN";
    case step_kind::recompute:
        return "F_" + k + "'";
    case step_kind::backward:
        return "B_" + k;
    case step_kind::download_gradient:
        return "GOUT";
    }
    return "?";
}

std::size_t schedule::forward_executions() const {
    return static_cast<std::size_t>(
        std::count_if(operations.begin(), operations.end(), [](const schedule_operation& op) {
            return op.kind == step_kind::forward || op.kind == step_kind::recompute;
        }));
}

schedule make_schedule(const training_graph& graph, const schedule_settings& settings,
                       const schedule_options& options) {
    return scheduler(graph, settings, options, false).training();
}

schedule make_evaluation(const training_graph& graph, const schedule_settings& settings,
                         const schedule_options& options) {
    return scheduler(graph, settings, options, true).evaluation();
}

} // namespace retrace
