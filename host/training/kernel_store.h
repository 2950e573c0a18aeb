#pragma once
// The kernels of a plan, each compiled once: layers of equal shape share programs. What the compiler made is
// checked before it is used: a fault is its own (std::logic_error).
#include <map>
#include <stdexcept>

#include "host/compiler/dense.h"
#include "host/compiler/loss.h"
#include "host/compiler/transfer.h"

namespace retrace {

class kernel_store {
public:
    kernel_store(const device_capabilities& device, const compiler::work_space& space)
        : device_(device), space_(space) {}

    // Indices into kernels(). Throw capacity_error.
    std::size_t forward(const compiler::forward_shape& shape) {
        return get(forward_, shape, [&] { return compiler::compile_forward(shape, device_, space_); });
    }
    std::size_t backward(const compiler::backward_shape& shape) {
        return get(backward_, shape, [&] { return compiler::compile_backward(shape, device_, space_); });
    }
    std::size_t loss(const compiler::loss_shape& shape) {
        return get(loss_, shape, [&] { return compiler::compile_loss(shape, device_, space_); });
    }
    std::size_t transfer(const compiler::transfer_shape& shape) {
        return get(transfer_, shape, [&] { return compiler::compile_transfer(shape, device_); });
    }
    std::size_t weight_upload(const compiler::weight_upload_shape& shape) {
        return get(upload_, shape, [&] { return compiler::compile_weight_upload(shape, device_); });
    }

    const std::vector<compiler::compiled_kernel>& kernels() const { return kernels_; }
    std::vector<compiler::compiled_kernel> take() { return std::move(kernels_); }

private:
    template <class shape, class compile>
    std::size_t get(std::map<shape, std::size_t>& known, const shape& s, compile make) {
        if (const auto found = known.find(s); found != known.end())
            return found->second;
        kernels_.push_back(make());
        const compiler::compiled_kernel& kernel = kernels_.back();
        if (const auto faults = compiler::check(kernel.programs, compiler::limits_of(kernel));
            !faults.empty())
            throw std::logic_error("the compiled kernel " + std::string(kernel.name) +
                                   " is not sound: " + faults.front());
        return known[s] = kernels_.size() - 1;
    }

    const device_capabilities& device_;
    compiler::work_space space_;
    std::vector<compiler::compiled_kernel> kernels_;
    std::map<compiler::forward_shape, std::size_t> forward_;
    std::map<compiler::backward_shape, std::size_t> backward_;
    std::map<compiler::loss_shape, std::size_t> loss_;
    std::map<compiler::transfer_shape, std::size_t> transfer_;
    std::map<compiler::weight_upload_shape, std::size_t> upload_;
};

} // namespace retrace
