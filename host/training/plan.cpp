#include "host/training/plan.h"

#include <algorithm>
#include <optional>

#include "host/arithmetic.h"
#include "host/training/kernel_store.h"
#include "host/training/placement.h"
#include "host/training/tensors.h"

namespace retrace {

namespace {

using compiler::access_read;
using compiler::access_release;
using compiler::access_write;

spec::phase phase_of(step_kind kind, bool evaluation) {
    switch (kind) {
    case step_kind::forward:
        return evaluation ? spec::phase::evaluate : spec::phase::forward;
    case step_kind::loss_gradient:
        return spec::phase::loss_gradient;
    case step_kind::recompute:
        return spec::phase::recompute;
    case step_kind::backward:
        return spec::phase::backward;
    default:
        return spec::phase::transfer;
    }
}

/// A schedule with its graph and its addresses.
struct draft {
    training_graph graph;
    retrace::schedule schedule;
    placed_run placed;
};

/// Turns a draft's operations into commands, compiling what they need.
class command_maker {
public:
    command_maker(const draft& d, kernel_store& kernels, const device_capabilities& device,
                  std::uint64_t work_base)
        : d_(d), kernels_(kernels), device_(device), work_base_(work_base),
          format_(number_format_of(d.graph.format)) {}

    planned_command make(const schedule_operation& op) {
        planned_command c;
        c.phase = phase_of(op.kind, d_.schedule.evaluation);
        switch (op.kind) {
        case step_kind::upload_weights:
            weights(op, c);
            break;
        case step_kind::upload_input:
            transfer(op.writes[0], host_tensor::input, true, c);
            break;
        case step_kind::upload_gradient:
            transfer(op.writes[0], host_tensor::output_gradient, true, c);
            break;
        case step_kind::download_output:
            transfer(op.reads[0], host_tensor::logits, false, c);
            break;
        case step_kind::download_gradient:
            transfer(op.reads[0], host_tensor::input_gradient, false, c);
            break;
        case step_kind::forward:
        case step_kind::recompute:
            forward(op, c);
            break;
        case step_kind::loss_gradient:
            loss(op, c);
            break;
        case step_kind::backward:
            backward(op, c);
            break;
        }
        const compiler::compiled_kernel& kernel = kernels_.kernels()[c.kernel];
        for (std::size_t s = 0; s < c.operands.size(); ++s) {
            planned_operand& o = c.operands[s];
            o.bytes = kernel.slots[s].bytes;
            if (o.bytes == 0) // a slot that the kernel does not use has no memory either
                o = {spec::memory_kind::none, 0, 0, o.tag, 0, host_tensor::none, 0};
        }
        c.work_base = static_cast<std::uint32_t>(kernel.work_bytes ? work_base_ : 0);
        c.predicted_cycles = kernel.estimated_cycles + device_.command_cycles;
        c.psum = kernel.psum_banks * device_.psum_bank_bytes();
        return c;
    }

private:
    std::uint32_t count(std::size_t n) const { return static_cast<std::uint32_t>(n); }
    std::uint64_t pitch(const tensor_use& u) const { return d_.placed.pitch(d_.graph, u); }
    std::uint32_t tag(tensor_id t) const {
        return tag_of(t, d_.schedule.evaluation && (t.role == tensor_role::io));
    }

    planned_operand on_device(const tensor_use& u, std::uint8_t access) const {
        const placed_buffer& b = d_.placed.at(u.buffer);
        return {b.memory,
                b.base,
                0,
                tag(u.tensor),
                static_cast<std::uint8_t>(access | (u.release ? access_release : 0)),
                host_tensor::none,
                0};
    }
    planned_operand on_host(tensor_id t, host_tensor h, std::size_t layer, std::uint8_t access) const {
        return {spec::memory_kind::host, 0, 0, tag(t), access, h, layer};
    }
    std::vector<planned_operand> working() const { // sizes come from the kernel
        const auto both = static_cast<std::uint8_t>(access_read | access_write);
        return {{spec::memory_kind::state_buffer, work_base_, 0, 0, both, host_tensor::none, 0},
                {spec::memory_kind::psum, 0, 0, 0, both, host_tensor::none, 0}};
    }
    const tensor_use* find(const std::vector<tensor_use>& uses, tensor_role role, std::size_t layer) const {
        for (const tensor_use& u : uses)
            if (u.tensor == tensor_id{role, layer})
                return &u;
        return nullptr;
    }

    void weights(const schedule_operation& op, planned_command& c) {
        const tensor_use* bias = find(op.writes, tensor_role::bias, op.layer);
        const tensor_id w{tensor_role::weight, op.layer};
        c.kernel =
            kernels_.weight_upload({live_bytes(d_.graph, w), bias ? live_bytes(d_.graph, bias->tensor) : 0});
        c.operands = {on_host(w, host_tensor::weights, op.layer, access_read),
                      on_device(op.writes[0], access_write)};
        if (bias) {
            c.operands.push_back(on_host(bias->tensor, host_tensor::bias, op.layer, access_read));
            c.operands.push_back(on_device(*bias, access_write));
        }
    }

    void transfer(const tensor_use& u, host_tensor h, bool down, planned_command& c) {
        const std::uint64_t row = row_bytes(d_.graph, u.tensor);
        c.kernel =
            kernels_.transfer({count(d_.graph.batch), row, down ? row : pitch(u), down ? pitch(u) : row});
        const planned_operand host = on_host(u.tensor, h, 0, down ? access_read : access_write);
        const planned_operand here = on_device(u, down ? access_write : access_read);
        c.operands = down ? std::vector{host, here} : std::vector{here, host};
    }

    void forward(const schedule_operation& op, planned_command& c) {
        const layer& l = d_.graph.net.at(op.layer);
        const tensor_use &input = op.reads[0], &output = op.writes[0];
        c.kernel = kernels_.forward({count(d_.graph.batch), count(l.inputs), count(l.outputs), format_,
                                     l.bias, l.activation == activation_kind::relu, op.in_place, pitch(input),
                                     pitch(output)});
        c.operands = working();
        c.operands.push_back(on_device(input, access_read));
        c.operands.push_back(on_device(output, access_write));
        c.operands.push_back(on_device(*find(op.reads, tensor_role::weight, op.layer), access_read));
        if (l.bias)
            c.operands.push_back(on_device(*find(op.reads, tensor_role::bias, op.layer), access_read));
    }

    void loss(const schedule_operation& op, planned_command& c) {
        const tensor_use &output = op.reads[0], &gradient = op.writes[0];
        c.kernel = kernels_.loss({count(d_.graph.batch), count(d_.graph.net.at(op.layer).outputs), format_,
                                  pitch(output), pitch(gradient)});
        c.operands = working();
        c.operands.push_back(on_device(output, access_read));
        c.operands.push_back(on_host({tensor_role::targets, op.layer}, host_tensor::targets, 0, access_read));
        c.operands.push_back(on_device(gradient, access_write));
        c.operands.push_back(on_host({tensor_role::loss, op.layer}, host_tensor::loss, 0, access_write));
        c.operands.push_back(on_host(output.tensor, host_tensor::logits, 0, access_write));
    }

    void backward(const schedule_operation& op, planned_command& c) {
        const std::size_t k = op.layer;
        const layer& l = d_.graph.net.at(k);
        const std::optional<operation>& down = d_.graph.backward_of(k).data_gradient;
        const tensor_use &input = *find(op.reads, tensor_role::io, k - 1),
                         &gradient = *find(op.reads, tensor_role::gradient, k);
        const tensor_use* lower = find(op.writes, tensor_role::gradient, k - 1);
        compiler::backward_shape shape{count(d_.graph.batch),
                                       count(l.inputs),
                                       count(l.outputs),
                                       format_,
                                       l.bias,
                                       down.has_value(),
                                       down && down->activation == activation_kind::relu,
                                       pitch(input),
                                       pitch(gradient),
                                       lower ? pitch(*lower) : 0};
        c.kernel = kernels_.backward(shape);
        c.operands = working();
        c.operands.push_back(on_device(input, access_read));
        c.operands.push_back(on_device(gradient, access_read));
        const tensor_use* w = find(op.reads, tensor_role::weight, k);
        c.operands.push_back(w ? on_device(*w, access_read) : planned_operand{});
        c.operands.push_back(lower ? on_device(*lower, access_write) : planned_operand{});
        c.operands.push_back(
            on_host({tensor_role::weight_gradient, k}, host_tensor::weight_gradient, k, access_write));
        c.operands.push_back(
            on_host({tensor_role::bias_gradient, k}, host_tensor::bias_gradient, k, access_write));
    }

    const draft& d_;
    kernel_store& kernels_;
    const device_capabilities& device_;
    std::uint64_t work_base_;
    spec::number_format format_;
};

class planner {
public:
    planner(const network& net, const training_shape& shape, const device_capabilities& device) {
        plan_.net = net;
        plan_.shape = shape;
        plan_.device = device;
    }

    plan run() {
        const training_shape& shape = plan_.shape;
        drafts_.push_back(draft_of(shape.batch, false));
        for (const std::size_t batch : shape.evaluation_batches)
            drafts_.push_back(draft_of(batch, true));
        check_regions();
        compile();
        place_programs();
        for (draft& d : drafts_)
            account_for(d);
        finish_peaks();
        return std::move(plan_);
    }

private:
    draft draft_of(std::size_t batch, bool evaluation) {
        draft d;
        d.graph = differentiate(plan_.net, plan_.shape.range, batch, plan_.shape.operands);
        const schedule_settings& settings = plan_.shape.schedule;
        d.schedule = evaluation ? make_evaluation(d.graph, settings) : make_schedule(d.graph, settings);
        // Weights come down while the first layers run. Then the peak of all device DRAM is certain only if
        // it falls behind the last upload (or, for an evaluation, is training's); otherwise the uploads go
        // first.
        const auto [before, behind] = moving_peaks(d);
        if (before > std::max(behind, moving_peak_)) {
            const schedule_options first{.upload_weights = true, .uploads_first = true};
            d.schedule = evaluation ? make_evaluation(d.graph, settings, first)
                                    : make_schedule(d.graph, settings, first);
        }
        moving_peak_ = std::max({moving_peak_, before, behind});
        d.placed = place_run(d.graph, d.schedule, plan_.device);
        return d;
    }

    /// Activations and gradients together at their highest: before F_last, which waits for the last upload,
    /// and from there on.
    static std::pair<std::uint64_t, std::uint64_t> moving_peaks(const draft& d) {
        const live_account live = account(d.graph, d.schedule);
        std::uint64_t before = 0, behind = 0;
        bool last_layer = false;
        for (std::size_t i = 0; i < live.during.size(); ++i) {
            const schedule_operation& op = d.schedule.operations[i];
            last_layer = last_layer || (op.kind == step_kind::forward && op.layer == d.schedule.range.last);
            std::uint64_t& peak = last_layer ? behind : before;
            peak = std::max(peak, live.during[i].activations + live.during[i].gradients);
        }
        return {before, behind};
    }

    void check_regions() {
        for (const auto& [where, kind] : {std::pair{placement::activations, spec::region_kind::activations},
                                          std::pair{placement::gradients, spec::region_kind::gradients},
                                          std::pair{placement::weights, spec::region_kind::weights}}) {
            const std::uint64_t available = plan_.device.region(kind).bytes;
            std::uint64_t needed = 0;
            const draft* culprit = nullptr;
            for (const draft& d : drafts_) {
                if (const auto e = d.placed.extent.find(where); e != d.placed.extent.end())
                    needed = std::max(needed, e->second);
                if (!culprit && d.placed.culprit.count(where))
                    culprit = &d;
            }
            if (culprit)
                throw capacity_error(to_string(where), needed, available, needed,
                                     std::string("schedule ") + to_string(plan_.shape.schedule.kind) +
                                         (culprit->schedule.evaluation ? " (evaluation)" : "") +
                                         ", whose tensor " + to_string(culprit->placed.culprit.at(where)) +
                                         " is the first that does not fit,");
            memory_peak& peak = *region(where);
            peak.capacity_bytes = available;
            peak.extent_bytes = needed;
        }
    }

    memory_peak* region(placement where) {
        return where == placement::activations ? &plan_.peaks.activations
               : where == placement::gradients ? &plan_.peaks.gradients
                                               : &plan_.peaks.weights;
    }

    /// Working buffers stand behind the tensors that stay in the state buffer, on a bank of their own if
    /// there is room.
    void compile() {
        std::uint64_t residents = 0;
        for (const draft& d : drafts_)
            if (const auto e = d.placed.extent.find(placement::state_buffer); e != d.placed.extent.end())
                residents = std::max(residents, e->second);
        const std::uint64_t capacity = plan_.device.state_buffer_bytes;
        const std::uint64_t bank = std::max<std::uint64_t>(64, plan_.device.state_buffer_bank_bytes());
        std::optional<capacity_error> worst;
        for (const std::uint64_t base : {round_up(residents, bank), round_up(residents, 64)}) {
            worst.reset();
            const std::uint64_t free = base < capacity ? capacity - base : 0;
            compile_all({base, free}, worst);
            if (!worst) {
                plan_.peaks.state_buffer.extent_bytes = base + most_work();
                return;
            }
        }
        for (const draft& d : drafts_)
            if (d.placed.culprit.count(placement::state_buffer))
                throw capacity_error(
                    "state_buffer", worst->needed_bytes(), capacity, worst->smallest_capacity(),
                    std::string("schedule ") + to_string(plan_.shape.schedule.kind) + ", whose tensor " +
                        to_string(d.placed.culprit.at(placement::state_buffer)) +
                        " is the first that does not fit,");
        throw capacity_error("state_buffer", worst->needed_bytes(), capacity, worst->smallest_capacity(),
                             worst->culprit() + (residents ? " beside the tensors that stay there" : ""));
    }

    void compile_all(const compiler::work_space& space, std::optional<capacity_error>& worst) {
        kernel_store kernels(plan_.device, space);
        plan_.evaluations.clear();
        for (const draft& d : drafts_) {
            planned_run run;
            run.schedule = d.schedule;
            run.batch = d.graph.batch;
            run.buffers = d.placed.buffers;
            command_maker maker(d, kernels, plan_.device, space.base);
            for (const schedule_operation& op : d.schedule.operations)
                try {
                    run.commands.push_back(maker.make(op));
                } catch (const capacity_error& error) {
                    if (!worst || error.smallest_capacity() > worst->smallest_capacity())
                        worst = error;
                }
            if (d.schedule.evaluation)
                plan_.evaluations.push_back(std::move(run));
            else
                plan_.training = std::move(run);
        }
        plan_.kernels = kernels.take();
    }

    std::uint64_t most_work() const {
        std::uint64_t bytes = 0;
        for (const compiler::compiled_kernel& k : plan_.kernels)
            bytes = std::max(bytes, k.work_bytes);
        return bytes;
    }

    void place_programs() {
        const memory_region& r = plan_.device.region(spec::region_kind::programs);
        std::uint64_t at = round_up(r.base, spec::program_alignment), bytes = 0;
        for (const compiler::compiled_kernel& k : plan_.kernels) {
            auto& addresses = plan_.program_addresses.emplace_back();
            for (const compiler::engine_program& p : k.programs) {
                addresses.push_back(at);
                at += p.code.size() * spec::instruction_bytes;
                bytes += p.code.size() * spec::instruction_bytes;
            }
        }
        const std::uint64_t needed = at - r.base;
        if (needed > r.bytes)
            throw capacity_error("programs", needed, r.bytes, needed,
                                 "the programs of " + std::to_string(plan_.kernels.size()) + " kernels");
        if (at > spec::control_base) // the mover, which loads them, sees its own registers from there on
            throw std::runtime_error("region programs of the device begins at byte " +
                                     std::to_string(r.base) +
                                     ": its programs must end within the first GiB of device DRAM");
        plan_.peaks.programs = {r.bytes, bytes, needed};
    }

    void account_for(const draft& d) {
        planned_run& run = d.schedule.evaluation ? plan_.evaluations[evaluation_++] : plan_.training;
        const live_account live = account(d.graph, d.schedule);
        plan_peaks& peaks = plan_.peaks;
        for (std::size_t i = 0; i < run.commands.size(); ++i) {
            planned_command& c = run.commands[i];
            const live_account::moment& m = live.during[i];
            c.activations = m.activations;
            c.gradients = m.gradients;
            c.state_buffer = m.state_buffer + plan_.kernels[c.kernel].work_bytes;
            peaks.activations.peak_bytes = std::max(peaks.activations.peak_bytes, c.activations);
            peaks.gradients.peak_bytes = std::max(peaks.gradients.peak_bytes, c.gradients);
            peaks.state_buffer.peak_bytes = std::max(peaks.state_buffer.peak_bytes, c.state_buffer);
            peaks.psum.peak_bytes = std::max(peaks.psum.peak_bytes, c.psum);
            const std::uint64_t macs = plan_.kernels[c.kernel].macs;
            if (!d.schedule.evaluation)
                (c.phase == spec::phase::backward ? plan_.backward_macs : plan_.forward_macs) += macs;
        }
        run.predicted_cycles = predict(run);
    }

    /// Uploads follow each other on their own queue; everything else waits for the operation before it and
    /// for its uploads.
    static std::uint64_t predict(const planned_run& run) {
        std::vector<std::uint64_t> done(run.commands.size());
        std::uint64_t uploads = 0, last = 0;
        for (std::size_t i = 0; i < run.commands.size(); ++i) {
            const schedule_operation& op = run.schedule.operations[i];
            const bool upload = op.kind == step_kind::upload_weights || op.kind == step_kind::upload_input;
            std::uint64_t start = upload ? uploads : 0;
            for (const std::size_t w : op.waits)
                start = std::max(start, done[w]);
            done[i] = start + run.commands[i].predicted_cycles;
            if (upload)
                uploads = done[i];
            last = std::max(last, done[i]);
        }
        return last;
    }

    void finish_peaks() {
        plan_peaks& peaks = plan_.peaks;
        const training_graph& graph = drafts_.front().graph;
        for (const tensor_info& t : graph.tensors)
            if (t.id.role == tensor_role::weight || t.id.role == tensor_role::bias)
                peaks.weights.peak_bytes += t.bytes();
        peaks.device_dram.capacity_bytes = plan_.device.dram_bytes;
        peaks.device_dram.peak_bytes = peaks.programs.peak_bytes + peaks.weights.peak_bytes + moving_peak_;
        peaks.device_dram.extent_bytes = peaks.programs.extent_bytes + peaks.weights.extent_bytes +
                                         peaks.activations.extent_bytes + peaks.gradients.extent_bytes;
        peaks.state_buffer.capacity_bytes = plan_.device.state_buffer_bytes;
        peaks.psum.capacity_bytes = plan_.device.psum_banks * plan_.device.psum_bank_bytes();
        peaks.psum.extent_bytes = peaks.psum.peak_bytes;
    }

    plan plan_;
    std::vector<draft> drafts_;
    std::size_t evaluation_ = 0;
    std::uint64_t moving_peak_ = 0; ///< activations and gradients together
};

} // namespace

plan make_plan(const network& net, const training_shape& shape, const device_capabilities& device) {
    return planner(net, shape, device).run();
}

} // namespace retrace
