// Operands for the array's tests: seeded, and biased towards the corners where wrong arithmetic shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tlm/core/array/array_interface.h"

namespace retrace::test {

// What a matrix is made of.
enum class flavour {
    cancelling, // few values of either sign: exact ties, cancellation, signed zeros
    moderate,   // random mantissas, exponents near 0
    tiny,       // subnormals and the smallest normal numbers
    huge,       // near overflow
    special,    // mostly moderate, with infinities and NaN of many payloads
    any_bits    // uniformly random patterns
};
inline constexpr flavour all_flavours[] = {flavour::cancelling, flavour::moderate, flavour::tiny,
                                           flavour::huge,       flavour::special,  flavour::any_bits};
inline constexpr number_format operand_formats[] = {number_format::fp32, number_format::bf16,
                                                    number_format::fp8_e4m3, number_format::fp8_e5m2,
                                                    number_format::int8};

class test_matrix {
public:
    // Rows are padded and start unaligned, as they may in the state buffer.
    test_matrix(unsigned rows, unsigned columns, number_format format, flavour kind, std::mt19937& engine);
    matrix_view view() const { return {memory_.data() + 1, pitch_, rows_, columns_, format_}; }
    void overwrite(std::byte value) { std::fill(memory_.begin(), memory_.end(), value); }

private:
    unsigned rows_, columns_;
    number_format format_;
    std::size_t pitch_;
    std::vector<std::byte> memory_;
};

// Both implementations that this library has, the stepped one with and without vector instructions.
struct named_array {
    std::string name;
    std::unique_ptr<array_interface> array;
};
std::vector<named_array> all_arrays(const array_config& config);

// The sums of one tile by the scalar reference.
std::vector<std::uint32_t> reference_tile(const matrix_view& a, const matrix_view& w);

} // namespace retrace::test
