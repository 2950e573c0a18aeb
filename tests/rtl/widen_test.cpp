// operand_widen.sv: every code of every format below 32 bits, and fp32 as it is.
#include <gtest/gtest.h>

#include <Voperand_widen.h>
#include <verilated.h>

#include <cstdint>

#include "tests/rtl/fma_triples.h"
#include "tlm/core/numeric/formats.h"

namespace retrace {
namespace {

class operand_widen : public ::testing::Test {
protected:
    std::uint32_t widen(number_format format, std::uint32_t code) {
        model_.format_i = static_cast<CData>(format);
        model_.code_i = code;
        model_.eval();
        return model_.word_o;
    }

private:
    VerilatedContext context_;
    Voperand_widen model_{&context_, ""};
};

TEST_F(operand_widen, every_narrow_code_has_its_value) {
    for (std::uint32_t code = 0; code < 65536; ++code) {
        ASSERT_EQ(widen(number_format::bf16, code), widen_bf16(static_cast<std::uint16_t>(code))) << code;
    }
    for (std::uint32_t code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        ASSERT_EQ(widen(number_format::fp8_e4m3, code), widen_e4m3(byte)) << code;
        ASSERT_EQ(widen(number_format::fp8_e5m2, code), widen_e5m2(byte)) << code;
        const auto integer = static_cast<std::int32_t>(static_cast<std::int8_t>(byte));
        ASSERT_EQ(widen(number_format::int8, code), static_cast<std::uint32_t>(integer)) << code;
    }
}

TEST_F(operand_widen, bits_above_the_code_do_not_matter) {
    for (std::uint32_t code = 0; code < 65536; code += 7) {
        ASSERT_EQ(widen(number_format::bf16, 0xabcd0000u | code), widen(number_format::bf16, code));
        for (const auto format : {number_format::fp8_e4m3, number_format::fp8_e5m2, number_format::int8}) {
            ASSERT_EQ(widen(format, code), widen(format, code & 0xffu));
        }
    }
}

TEST_F(operand_widen, fp32_passes) {
    for (const std::uint32_t bits : test::fma_corners()) {
        ASSERT_EQ(widen(number_format::fp32, bits), bits);
    }
}

} // namespace
} // namespace retrace
