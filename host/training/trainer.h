#pragma once
// The training loop: hands a plan's commands to a device, step by step, and does the host's part: master weights in fp32, their
// narrowed copies that go down before each step, gradients that come back, the optimizer, loss and accuracy.
//
// A step: new weights and the batch into host memory; all commands of the step into the ring, in the plan's order; wait for all of them;
// then update every layer. The device never sees a weight that the host has not written, and no weight changes while a step runs.
//
// It trains whole networks. A plan of some layers (a pipeline stage) takes gradients from outside, which nothing here delivers: refused.
#include <functional>
#include <stdexcept>
#include <vector>

#include "host/driver/device.h"
#include "host/training/dataset.h"
#include "host/training/optimizer.h"
#include "host/training/plan.h"

namespace retrace {

/// The device or the driver failed (the text is the driver's, with the operation that met it), or a plan or a batch is not what the
/// trainer can take.
class training_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct trainer_settings {
    std::uint64_t seed = 1;
    sgd_options optimizer;
    trace::event_sink* sink = nullptr;
    std::function<void()> host_work; ///< called once a step where the host computes: the platform may let time pass
    std::function<void(std::size_t done, std::size_t total)> on_command; ///< after each completion, for progress
    /// May change a step's commands (not their number) before they are launched: how tests make a wrong schedule.
    std::function<void(std::uint32_t step, std::vector<spec::command>&)> before_launch;
};

struct step_result {
    double loss = 0;          ///< mean over the batch
    std::size_t correct = 0;  ///< examples whose largest logit is their class
};

class trainer {
public:
    /// Takes the plan's places in device memory and host buffers, until it ends, and loads the plan's programs; initial weights follow
    /// from the seed. Everything must outlive the trainer. Throws training_error: a plan of a part of a network, places that are taken.
    trainer(device& npu, const plan& plan, const trainer_settings& settings);

    /// Training step `step` (from 1): inputs [batch, features] and one-hot targets [batch, classes], packed. Other sizes: training_error.
    step_result train(std::uint32_t step, std::span<const float> inputs, std::span<const float> targets);

    /// Runs rows of the dataset forward with the weights that step `next_step` would use; how many are classified rightly.
    std::size_t evaluate(std::uint32_t next_step, const dataset& data, std::span<const std::uint32_t> rows);

    // Master weights and the last step's gradients of layer k, from 1.
    std::span<float> weights(std::size_t k) { return weights_.at(k); }
    std::span<float> bias(std::size_t k) { return bias_.at(k); }
    std::span<const float> weight_gradient(std::size_t k) const;
    std::span<const float> bias_gradient(std::size_t k) const;
    /// F and F' commands of the training steps so far.
    std::uint64_t forward_executions() const { return forward_executions_; }

private:
    /// What the trainer holds of the device's and the host's memory.
    struct holdings {
        explicit holdings(device& owner) : npu(owner) {}
        holdings(const holdings&) = delete;
        ~holdings();
        device& npu;
        std::vector<allocation> places;
        std::vector<host_buffer> buffers;
    };
    host_buffer allocate(host_tensor tensor, std::size_t layer = 0);
    void reserve_places();
    void load_programs();
    void name_tensors();
    void write_operands(const host_buffer& to, std::span<const float> values);
    void write_weights(std::uint32_t version);
    std::size_t count_correct(std::span<const float> targets, std::size_t rows) const;
    double mean_loss() const;
    void run(std::vector<spec::command> commands, const planned_run& planned, std::uint32_t step);
    void update(std::uint32_t step);
    void log(trace::host_event::action what, std::uint32_t step, std::size_t layer, tensor_role role, std::span<const float> values);

    device& device_;
    const plan& plan_;
    holdings held_;
    trainer_settings settings_;
    std::vector<std::vector<float>> weights_, bias_; ///< by layer, 0 unused
    sgd_optimizer optimizer_;
    host_buffers addresses_;
    host_buffer input_, targets_, logits_, loss_;
    std::vector<host_buffer> weight_down_, bias_down_, weight_up_, bias_up_;
    std::uint64_t forward_executions_ = 0;
    std::uint32_t evaluations_ = 0;
};

} // namespace retrace
