#include "host/training/trainer.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/training/host_numeric.h"
#include "host/training/initializer.h"
#include "host/training/tensors.h"

namespace retrace {

namespace {

template <typename T>
T checked(result<T> r, const std::string& what) {
    if (!r)
        throw training_error(what + ": " + r.failure().text);
    if constexpr (!std::is_void_v<T>)
        return std::move(r).value();
}

std::vector<std::size_t> parameter_sizes(const network& net) {
    std::vector<std::size_t> sizes;
    for (const layer& l : net.layers) {
        sizes.push_back(l.weight_shape().elements());
        sizes.push_back(l.bias_shape().elements());
    }
    return sizes;
}

/// The first `count` floats of a host buffer.
std::span<const float> as_floats(const host_buffer& b, std::size_t count) {
    if (b.bytes.size() / 4 < count)
        throw training_error("the plan brings a result to the host that is smaller than its tensor, or not at all");
    return {reinterpret_cast<const float*>(b.bytes.data()), count};
}

} // namespace

trainer::trainer(device& npu, const plan& p, const trainer_settings& settings)
    : device_(npu), plan_(p), held_(npu), settings_(settings), optimizer_(settings.optimizer, parameter_sizes(p.net)) {
    const std::size_t layers = p.net.depth();
    const layer_range& range = p.shape.range;
    if (range.first != 1 || range.last != layers || range.input_needs_gradient)
        throw training_error("the plan is for layers " + std::to_string(range.first) + ".." + std::to_string(range.last) + " of " +
                             std::to_string(layers) + " as a pipeline stage; the trainer takes whole networks");
    reserve_places();
    weights_.resize(layers + 1);
    bias_.resize(layers + 1);
    for (auto* buffers : {&weight_down_, &bias_down_, &weight_up_, &bias_up_})
        buffers->resize(layers + 1);
    for (auto* list : {&addresses_.weights, &addresses_.bias, &addresses_.weight_gradient, &addresses_.bias_gradient})
        list->resize(layers + 1);
    for (std::size_t k = 1; k <= layers; ++k) {
        const layer& l = p.net.at(k);
        weights_[k].resize(l.weight_shape().elements());
        bias_[k].assign(l.bias_shape().elements(), 0.0f);
        he_uniform(weights_[k], l.inputs, settings.seed, static_cast<std::uint32_t>(k));
        weight_down_[k] = allocate(host_tensor::weights, k);
        bias_down_[k] = allocate(host_tensor::bias, k);
        weight_up_[k] = allocate(host_tensor::weight_gradient, k);
        bias_up_[k] = allocate(host_tensor::bias_gradient, k);
        addresses_.weights[k] = weight_down_[k].bus_address;
        addresses_.bias[k] = bias_down_[k].bus_address;
        addresses_.weight_gradient[k] = weight_up_[k].bus_address;
        addresses_.bias_gradient[k] = bias_up_[k].bus_address;
    }
    input_ = allocate(host_tensor::input);
    targets_ = allocate(host_tensor::targets);
    logits_ = allocate(host_tensor::logits);
    loss_ = allocate(host_tensor::loss);
    addresses_.input = input_.bus_address;
    addresses_.targets = targets_.bus_address;
    addresses_.logits = logits_.bus_address;
    addresses_.loss = loss_.bus_address;
    name_tensors();
    load_programs();
}

host_buffer trainer::allocate(host_tensor tensor, std::size_t layer) {
    const std::uint64_t bytes = host_tensor_bytes(plan_, tensor, layer);
    if (bytes == 0)
        return {};
    return held_.buffers.emplace_back(checked(device_.host().allocate(bytes), "host buffers"));
}

/// The plan chose its addresses by itself: from here on nobody else gets them.
void trainer::reserve_places() {
    const plan_peaks& peaks = plan_.peaks;
    for (const auto& [kind, peak] : {std::pair{spec::region_kind::activations, peaks.activations},
                                     std::pair{spec::region_kind::gradients, peaks.gradients},
                                     std::pair{spec::region_kind::weights, peaks.weights},
                                     std::pair{spec::region_kind::programs, peaks.programs}})
        if (peak.extent_bytes != 0)
            held_.places.push_back(checked(
                device_.memory().reserve(kind, device_.capabilities().region(kind).base, peak.extent_bytes), "the plan's tensors"));
}

trainer::holdings::~holdings() {
    for (const allocation& place : places)
        npu.memory().free(place.address).value();
    for (const host_buffer& buffer : buffers)
        npu.host().free(buffer).value();
}

void trainer::name_tensors() {
    if (!settings_.sink)
        return;
    std::set<std::uint32_t> tags;
    const auto collect = [&](const planned_run& run) {
        for (const planned_command& c : run.commands)
            for (const planned_operand& o : c.operands)
                if (o.tag != 0)
                    tags.insert(o.tag);
    };
    collect(plan_.training);
    for (const planned_run& run : plan_.evaluations)
        collect(run);
    for (const std::uint32_t tag : tags)
        settings_.sink->name_tensor(tag, tag_name(tag));
}

void trainer::load_programs() {
    for (std::size_t k = 0; k < plan_.kernels.size(); ++k)
        for (std::size_t e = 0; e < plan_.kernels[k].programs.size(); ++e)
            checked(device_.load_programs(plan_.program_addresses[k][e], std::as_bytes(std::span(plan_.kernels[k].programs[e].code))),
                    "loading the engine programs");
}

void trainer::write_operands(const host_buffer& to, std::span<const float> values) {
    if (plan_.shape.operands == operand_format::bf16)
        host_numeric::narrow(values, {reinterpret_cast<std::uint16_t*>(to.bytes.data()), values.size()});
    else
        std::memcpy(to.bytes.data(), values.data(), values.size_bytes());
}

void trainer::log(trace::host_event::action what, std::uint32_t step, std::size_t layer, tensor_role role, std::span<const float> values) {
    if (settings_.sink)
        settings_.sink->on(trace::host_event{what, device_.door().cycles(), step, static_cast<std::uint32_t>(layer),
                                             {tag_of({role, layer}), step}, XXH3_64bits(values.data(), values.size_bytes())});
}

void trainer::write_weights(std::uint32_t version) {
    for (std::size_t k = plan_.shape.range.first; k <= plan_.shape.range.last; ++k) {
        write_operands(weight_down_[k], weights_[k]);
        std::memcpy(bias_down_[k].bytes.data(), bias_[k].data(), bias_[k].size() * 4);
        log(trace::host_event::action::weights_written, version, k, tensor_role::weight, weights_[k]);
    }
}

void trainer::run(std::vector<spec::command> commands, const planned_run& planned, std::uint32_t step) {
    if (settings_.before_launch)
        settings_.before_launch(step, commands);
    rebase(commands, device_.next_sequence());
    std::vector<command_handle> handles;
    for (spec::command& c : commands) {
        c.seed = static_cast<std::uint32_t>(settings_.seed);
        handles.push_back(checked(device_.launch(c), planned.schedule.operations[handles.size()].name()));
    }
    for (std::size_t i = 0; i < handles.size(); ++i) {
        const schedule_operation& op = planned.schedule.operations[i];
        checked(device_.wait(handles[i]), "step " + std::to_string(step) + ", " + op.name());
        if (op.kind == step_kind::backward)
            log(trace::host_event::action::gradient_received, step, op.layer, tensor_role::weight_gradient, weight_gradient(op.layer));
        if (settings_.on_command)
            settings_.on_command(i + 1, handles.size());
    }
}

void trainer::update(std::uint32_t step) {
    for (std::size_t k = plan_.shape.range.first; k <= plan_.shape.range.last; ++k) {
        optimizer_.update(2 * (k - 1), step - 1, weights_[k], weight_gradient(k));
        if (plan_.net.at(k).bias)
            optimizer_.update(2 * (k - 1) + 1, step - 1, bias_[k], bias_gradient(k));
        log(trace::host_event::action::weights_updated, step, k, tensor_role::weight, weights_[k]);
    }
}

std::span<const float> trainer::weight_gradient(std::size_t k) const { return as_floats(weight_up_.at(k), weights_.at(k).size()); }
std::span<const float> trainer::bias_gradient(std::size_t k) const { return as_floats(bias_up_.at(k), bias_.at(k).size()); }

std::size_t trainer::count_correct(std::span<const float> targets, std::size_t rows) const {
    const std::size_t classes = plan_.net.features(plan_.net.depth());
    std::vector<float> logits(rows * classes);
    if (plan_.shape.operands == operand_format::bf16)
        host_numeric::widen({reinterpret_cast<const std::uint16_t*>(logits_.bytes.data()), logits.size()}, logits);
    else
        std::memcpy(logits.data(), logits_.bytes.data(), logits.size() * 4);
    std::size_t correct = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        const float* row = &logits[r * classes];
        const auto best = static_cast<std::size_t>(std::max_element(row, row + classes) - row); // the first of equals
        correct += targets[r * classes + best] == 1.0f;
    }
    return correct;
}

double trainer::mean_loss() const {
    const std::span<const float> rows = as_floats(loss_, plan_.shape.batch);
    double sum = 0;
    for (const float loss : rows)
        sum += loss;
    return sum / static_cast<double>(rows.size());
}

step_result trainer::train(std::uint32_t step, std::span<const float> inputs, std::span<const float> targets) {
    const std::size_t batch = plan_.shape.batch, features = plan_.net.features(0), classes = plan_.net.features(plan_.net.depth());
    for (const auto& [name, values, columns] : {std::tuple{"inputs", inputs, features}, std::tuple{"targets", targets, classes}})
        if (values.size() != batch * columns)
            throw training_error(std::string(name) + " of step " + std::to_string(step) + " have " + std::to_string(values.size()) +
                                 " values; the plan is for " + std::to_string(batch) + " rows of " + std::to_string(columns));
    write_weights(step);
    write_operands(input_, inputs);
    write_operands(targets_, targets);
    run(step_commands(plan_, step, addresses_), plan_.training, step);
    forward_executions_ += plan_.training.schedule.forward_executions();
    const step_result result{mean_loss(), count_correct(targets, plan_.shape.batch)};
    if (settings_.host_work)
        settings_.host_work();
    update(step);
    return result;
}

std::size_t trainer::evaluate(std::uint32_t next_step, const dataset& data, std::span<const std::uint32_t> rows) {
    const std::size_t features = plan_.net.features(0), classes = plan_.net.features(plan_.net.depth());
    std::size_t correct = 0;
    write_weights(next_step);
    for (std::size_t first = 0; first < rows.size();) {
        // The largest planned batch that the remaining rows fill.
        std::size_t choice = plan_.evaluations.size();
        for (std::size_t i = 0; i < plan_.evaluations.size(); ++i)
            if (plan_.evaluations[i].batch <= rows.size() - first &&
                (choice == plan_.evaluations.size() || plan_.evaluations[i].batch > plan_.evaluations[choice].batch))
                choice = i;
        if (choice == plan_.evaluations.size())
            throw training_error("evaluation: the plan has no batch for the last " + std::to_string(rows.size() - first) + " rows");
        const std::size_t batch = plan_.evaluations[choice].batch;
        std::vector<float> inputs(batch * features), targets(batch * classes);
        data.gather(rows.subspan(first, batch), inputs, targets);
        write_operands(input_, inputs);
        run(evaluation_commands(plan_, choice, ++evaluations_, next_step, addresses_), plan_.evaluations[choice], next_step);
        correct += count_correct(targets, batch);
        first += batch;
    }
    return correct;
}

} // namespace retrace
