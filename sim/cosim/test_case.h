#pragma once
// A case of the co-simulation regression: a machine, named buffers in its memories, and commands, each a list of engine
// operations. An operation is one instruction without the parts that only order it (semaphores) or find it (operand slots): those
// the emitter adds. The meaning of a case is what its operations do when they run one after the other in the order of the list;
// the emitter gives the engines as much freedom as keeps that meaning.
//
// A case is a JSON file that a person can read, edit and replay; to_text() and parse_case() are inverse. Everything that a run
// depends on is in it, operand values included: they derive from (seed, class, format) of a host buffer.
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace::cosim {

/// A case that cannot be read or is not legal: says where and why (exit 2).
class case_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What varies between machines; all else is fixed (machine.h).
struct machine_settings {
    unsigned size = 8; ///< rows and columns of the array
    unsigned fma_depth = 1;
    unsigned weight_registers = 2;
    std::array<unsigned, 5> operand_cycles{4, 1, 1, 1, 1}; ///< fp32, bf16, fp8_e4m3, fp8_e5m2, int8
    unsigned psum_banks = 4, psum_rows = 32;
    unsigned state_buffer_bytes = 32768, state_buffer_banks = 8;
    unsigned activation_lanes = 8, vector_lanes = 8;
    unsigned dma_queues = 3, dma_chunk = 1024, dma_outstanding = 4, transpose_rate = 8;
    unsigned dram_channels = 1, dram_banks = 4;
    bool refresh = true; ///< short refresh interval; false: none within the run
    unsigned fetch_block = 16;
    bool ideal_memories = false;
    // Random back-pressure: on what, and the most cycles (npu_config.h, stress_settings).
    std::uint64_t stress_seed = 0; ///< 0: none, whatever the others say
    bool array_stress = false;     ///< stalls of the array
    unsigned request_stress = 0, chunk_stress = 0, message_stress = 0;
    bool reorder = false; ///< late messages may be overtaken
    bool operator==(const machine_settings&) const = default;
};

/// What a host buffer holds at first.
enum class value_class : std::uint8_t { zeros, small, moderate, corners, ties, cancellation, large, tiny, bits };
inline constexpr unsigned value_class_count = 9;
const char* name_of(value_class c);

struct buffer {
    std::string name;
    spec::memory_kind memory{};
    std::uint32_t base = 0; ///< byte address in its memory; host: in the case's part of host memory
    std::uint32_t bytes = 0;
    std::uint32_t tag = 0, version = 0;
    value_class values = value_class::zeros; ///< host only, with `format` and `seed`
    spec::number_format format = spec::number_format::fp32;
    std::uint32_t seed = 0;
    bool operator==(const buffer&) const = default;
};

/// Where an operand of an engine lies: a row-major matrix in a buffer.
struct matrix_place {
    unsigned buffer = 0; ///< index into the case's buffers
    std::uint32_t offset = 0, pitch = 0;
    bool operator==(const matrix_place&) const = default;
};

/// One side of a copy.
struct copy_place {
    unsigned buffer = 0;
    std::uint32_t offset = 0;
    std::array<std::uint32_t, 3> strides{};
    bool operator==(const copy_place&) const = default;
};

/// Which members count follows from the opcode, as in hw/README.md, 5.
struct operation {
    spec::opcode opcode{};
    unsigned engine = 0;
    std::uint8_t flags = 0;
    // matrix
    spec::number_format source = spec::number_format::fp32, result = spec::number_format::fp32,
                        second = spec::number_format::fp32;
    std::uint32_t rows = 1, columns = 1;
    matrix_place a, b, d;
    std::uint8_t function = 0;
    spec::broadcast broadcast{};
    std::uint32_t scale = 0x3f800000; ///< binary32
    std::uint32_t element_base = 0, element_pitch = 0;
    // copy
    copy_place from, to;
    std::array<std::uint32_t, 4> sizes{1, 1, 1, 1};
    std::uint32_t element_bytes = 1;
    bool operator==(const operation&) const = default;
};

struct command {
    std::vector<operation> operations;
    std::uint32_t work_base = 0, work_bytes = 0, psum_first = 0, psum_count = 0; ///< working set
    std::uint32_t step = 0, seed = 0;                                            ///< of stochastic rounding
    unsigned token = 1;                                                          ///< what signals add and waits take
    std::vector<unsigned> release; ///< buffers whose bytes are released when it ends
    bool operator==(const command&) const = default;
};

struct test_case {
    std::uint64_t seed = 0; ///< that made it; also orders the reference's interleaving and numbers the semaphores
    machine_settings machine;
    std::vector<buffer> buffers;
    std::vector<command> commands;
    bool operator==(const test_case&) const = default;
};

/// JSON. The same case gives the same bytes.
std::string to_text(const test_case& c);
/// Throws case_error for text that is no case: `name` (of the file) and the place stand in the message. Says nothing about
/// whether the case is legal (case_rules.h).
test_case parse_case(const std::string& text, const std::string& name);

/// One line for a reader: "pe         matmul         p0+0/32 += s1+64/16 m=5 k=8 bf16 swap" (buffer + offset / pitch).
std::string describe(const test_case& c, const operation& o);
/// The whole case as a listing.
std::string describe(const test_case& c);

} // namespace retrace::cosim
