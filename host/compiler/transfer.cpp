#include "host/compiler/transfer.h"

#include "host/compiler/kernel_builder.h"
#include "host/compiler/pass_plan.h"

namespace retrace::compiler {

compiled_kernel compile_transfer(const transfer_shape& s, const device_capabilities& device) {
    kernel_builder builder;
    const bool packed = s.from_pitch == s.row_bytes && s.to_pitch == s.row_bytes;
    const std::uint64_t run = packed ? s.rows * s.row_bytes : s.row_bytes;
    const std::uint64_t runs = packed ? 1 : s.rows;
    // One run as long as the tensor is the cheapest descriptor there is.
    builder.emit(queue_for(stream::uploads, device),
                 make_copy({}, transfer_slots::to, {transfer_slots::from, 0, packed ? run : s.from_pitch},
                           {transfer_slots::to, 0, packed ? run : s.to_pitch}, run, runs));
    compiled_kernel kernel;
    kernel.name = "transfer";
    kernel.programs = builder.finish();
    kernel.slots = {{"from", extent(s.rows, s.row_bytes, s.from_pitch), access_read},
                    {"to", extent(s.rows, s.row_bytes, s.to_pitch), access_write}};
    kernel.estimated_cycles = s.rows * s.row_bytes / device.link_bytes_per_cycle;
    return kernel;
}

compiled_kernel compile_weight_upload(const weight_upload_shape& s, const device_capabilities& device) {
    kernel_builder builder;
    const unsigned queue = queue_for(stream::uploads, device);
    using slots = weight_upload_slots;
    builder.emit(queue, make_copy({}, slots::weights, {slots::host_weights, 0, s.weight_bytes},
                                  {slots::weights, 0, s.weight_bytes}, s.weight_bytes, 1));
    compiled_kernel kernel;
    kernel.slots = {{"W_host", s.weight_bytes, access_read}, {"W", s.weight_bytes, access_write}};
    if (s.bias_bytes) {
        builder.emit(queue, make_copy({}, slots::bias, {slots::host_bias, 0, s.bias_bytes},
                                      {slots::bias, 0, s.bias_bytes}, s.bias_bytes, 1));
        kernel.slots.push_back({"b_host", s.bias_bytes, access_read});
        kernel.slots.push_back({"b", s.bias_bytes, access_write});
    }
    kernel.name = "weight_upload";
    kernel.programs = builder.finish();
    kernel.estimated_cycles = (s.weight_bytes + s.bias_bytes) / device.link_bytes_per_cycle;
    return kernel;
}

} // namespace retrace::compiler
