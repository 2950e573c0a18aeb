#include "host/compiler/pass_plan.h"

namespace retrace::compiler {

blocking plan_pass(const pass_shape& shape, const pass_budget& budget, const device_capabilities& device,
                   const work_space& space, const char* culprit) {
    const blocking_choice choice = choose_blocking(shape, budget, device);
    if (choice.best)
        return *choice.best;
    throw capacity_error("state_buffer", space.base + budget.work_offset + choice.minimum_bytes,
                         space.base + space.bytes, space.base + budget.work_offset + choice.minimum_bytes,
                         std::string("the smallest working buffers of ") + culprit + " [" +
                             std::to_string(shape.m) + "x" + std::to_string(shape.k) + "]x[" +
                             std::to_string(shape.k) + "x" + std::to_string(shape.n) + "]");
}

kernel_slot work_slot(const compiled_kernel& kernel) {
    return {"WORK", kernel.work_bytes, static_cast<std::uint8_t>(access_read | access_write), true};
}

kernel_slot psum_slot(const compiled_kernel& kernel, const device_capabilities& device) {
    return {"PSUM", kernel.psum_banks * device.psum_bank_bytes(),
            static_cast<std::uint8_t>(access_read | access_write), true};
}

} // namespace retrace::compiler
