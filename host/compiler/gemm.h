#pragma once
// One product C[m,n] = A[m,k] B[k,n] as a list of commands. Mostly one; a product whose programs would not
// fit the programs region is cut into blocks of C, and equal blocks share their programs.
#include <cstdint>
#include <vector>

#include "host/compiler/kernel.h"

namespace retrace::compiler {

/// State buffer that a command may use for its working buffers.
struct work_space {
    std::uint64_t base = 0;  ///< occupied below
    std::uint64_t bytes = 0; ///< free from there
};
/// All of it.
work_space whole_state_buffer(const device_capabilities& device);

struct gemm_shape {
    std::uint32_t m = 0, k = 0, n = 0;
    spec::number_format source = spec::number_format::bf16; ///< fp32, bf16, fp8 or int8
    spec::number_format result = spec::number_format::fp32; ///< int32 for int8
    std::uint64_t a_pitch = 0, b_pitch = 0, c_pitch = 0;    ///< bytes from row to row; 0: packed
    std::uint32_t block_rows = 0;                           ///< rows streamed through a tile; 0: choose
};

/// Slot numbers of a product's kernels.
struct gemm_slots {
    static constexpr unsigned work = slot_work, psum = slot_psum, a = 2, b = 3, c = 4, count = 5;
};

struct gemm_command {
    std::size_t kernel = 0;                                 ///< index into gemm_program::kernels
    std::uint64_t a_offset = 0, b_offset = 0, c_offset = 0; ///< bytes to add to the base of A, B and C
};

struct gemm_program {
    std::vector<compiled_kernel> kernels;
    std::vector<gemm_command> commands; ///< in any order: they write different parts of C. They share the
                                        ///< working set, so one at a time
};

/// Throws capacity_error (state_buffer, programs), and std::invalid_argument for empty shapes and formats
/// that the array does not take or give.
gemm_program compile_gemm(const gemm_shape& shape, const device_capabilities& device,
                          const work_space& space);

} // namespace retrace::compiler
