#pragma once
// A plan: everything about a training run's device side that is known before it starts. Where each tensor
// lives, which programs run, in which order and after what; how many bytes each memory will hold at its peak
// (a device that follows it measures exactly that), and an estimate of the cycles. Making a plan simulates
// nothing and needs no device, only its capabilities.
//
// Bytes, as the memory contract counts them: a tensor's own bytes (not the padding between rows) from the
// operation that writes it to the end of the one that releases it; both tensors while one is turned into the
// other, but the larger of the two where it happens in place; working buffers whole while their command runs.
// Weights, once down, stay; a new version replaces the old byte by byte. Programs are live in their region
// from the start.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/compiler/kernel.h"
#include "host/training/schedule.h"

namespace retrace {

struct training_shape {
    std::size_t batch = 0;
    operand_format operands = operand_format::bf16;
    schedule_settings schedule;
    layer_range range; ///< whole_network(net), or a pipeline stage
    std::vector<std::size_t>
        evaluation_batches; ///< batch sizes of forward-only runs; each may be run at any time between steps
};

/// Tensors in host memory that commands read or write. They are packed row-major; formats as in
/// host/graph/network.h, except: loss is one fp32 value per example (the mean over the batch is the host's),
/// logits is IO_last in the operand format.
enum class host_tensor : std::uint8_t {
    none,
    input,
    targets,
    logits,
    loss,
    weights,
    bias,
    weight_gradient,
    bias_gradient,
    output_gradient, ///< stage without loss: G_last, from outside
    input_gradient,  ///< stage whose input needs it: G_{first-1}, to outside
};

/// Bus addresses of those tensors, filled in by the trainer; those by layer are indexed with the layer's
/// number (0 unused). `logits` also takes IO_last of a stage without loss and the outputs of evaluations.
struct host_buffers {
    std::uint64_t input = 0, targets = 0, logits = 0, loss = 0, output_gradient = 0, input_gradient = 0;
    std::vector<std::uint64_t> weights, bias, weight_gradient, bias_gradient;
};

/// A buffer with its address. Rows of a tensor in it are `pitch` apart, or packed where pitch is 0.
struct placed_buffer {
    buffer_id id;
    spec::memory_kind memory{};
    std::uint64_t base = 0, bytes = 0, pitch = 0;
};

/// An operand table entry up to what changes from step to step: the version, and addresses in host memory.
struct planned_operand {
    spec::memory_kind memory{};
    std::uint64_t base = 0;
    std::uint64_t bytes = 0;
    std::uint32_t tag = 0; ///< 0: a working buffer, without a version
    std::uint8_t access = 0;
    host_tensor host = host_tensor::none;
    std::size_t layer = 0; ///< of a host tensor
};

struct planned_command {
    std::size_t kernel = 0; ///< index into plan::kernels
    std::vector<planned_operand> operands;
    std::uint32_t work_base = 0;
    spec::phase phase{};
    std::uint64_t predicted_cycles = 0; ///< of this command by itself
    // Live bytes at their highest while it runs (regions and memories as in plan_peaks).
    std::uint64_t activations = 0, gradients = 0, state_buffer = 0, psum = 0;
};

/// Commands of one step or one evaluation; commands[i] runs schedule.operations[i].
struct planned_run {
    retrace::schedule schedule;
    std::size_t batch = 0;
    std::vector<placed_buffer> buffers;
    std::vector<planned_command> commands;
    std::uint64_t predicted_cycles =
        0; ///< an estimate: closed forms, no contention; uploads overlap with layers
};

struct memory_peak {
    std::uint64_t capacity_bytes = 0, peak_bytes = 0;
    std::uint64_t extent_bytes =
        0; ///< addresses used, with padding and alignment: what the capacity must cover
};

struct plan_peaks {
    memory_peak activations, gradients, weights, programs; ///< regions of device DRAM
    memory_peak device_dram, state_buffer, psum;
};

struct plan {
    network net;
    training_shape shape;
    device_capabilities device;
    std::vector<compiler::compiled_kernel> kernels;
    /// Address in device DRAM of each kernel's programs, in their order.
    std::vector<std::vector<std::uint64_t>> program_addresses;
    planned_run training;
    std::vector<planned_run> evaluations;              ///< one per shape.evaluation_batches
    plan_peaks peaks;                                  ///< over training and evaluations
    std::uint64_t forward_macs = 0, backward_macs = 0; ///< of a step
};

/// Throws network_error (network, range, batch, schedule), capacity_error (names region or memory, needed and
/// available bytes, the tensor that breaks it and the smallest capacity that would do), std::runtime_error
/// for a device without a region it needs.
plan make_plan(const network& net, const training_shape& shape, const device_capabilities& device);

/// A command ready for the ring but for its numbers: `sequence` counts from 1 within the list, `wait` names
/// such numbers (0: none). commands[i] belongs to plan.training.schedule.operations[i]. `step` counts from 1;
/// it is the version of everything the step computes and of the weights it brings down. Commands of the next
/// step may be handed over once this step's have completed.
std::vector<spec::command> step_commands(const plan& p, std::uint32_t step, const host_buffers& buffers);

/// An evaluation of evaluations[index]. `run` counts from 1 over all evaluations (the version of its
/// outputs); the weights come down under `weight_version`, the step they would be used by. That step brings
/// them down again, with the same bytes.
std::vector<spec::command> evaluation_commands(const plan& p, std::size_t index, std::uint32_t run,
                                               std::uint32_t weight_version, const host_buffers& buffers);

/// Gives a list its place in the ring's numbering: the first command becomes number `first`.
void rebase(std::vector<spec::command>& commands, std::uint32_t first);

/// Bytes of a host tensor (of a layer, where there is one per layer) that the step and all evaluations need;
/// 0 if they do not.
std::uint64_t host_tensor_bytes(const plan& p, host_tensor tensor, std::size_t layer = 0);

/// Tables for people: operations with predicted bytes and cycles, memories with peaks and capacities, kernels
/// and their blockings.
std::string describe(const plan& p);

} // namespace retrace
