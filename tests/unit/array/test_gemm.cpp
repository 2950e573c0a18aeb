// The kernel's whole-product entry against the scalar reference.
#include <gtest/gtest.h>

#include "tests/unit/array/array_test_data.h"
#include "tests/unit/numeric/dispatch_targets.h"
#include "tlm/core/array/gemm_reference.h"
#include "tlm/core/array/kernel_simd.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

void check_gemm(unsigned m, unsigned k, unsigned n, unsigned rows, number_format format, flavour kind,
                std::mt19937& engine) {
    const test_matrix a(m, k, format, kind, engine);
    const test_matrix b(k, n, format, kind, engine);
    const std::size_t pitch = n + 3;
    std::vector<std::uint32_t> got(m * pitch, 0x12345678u), expected(m * pitch, 0x12345678u);
    gemm_reference(a.view(), b.view(), rows, expected.data(), pitch);
    kernel::gemm(a.view(), b.view(), rows, got.data(), pitch);
    ASSERT_EQ(got, expected) << m << " x " << k << " x " << n << " rows " << rows << " " << name_of(format)
                             << " flavour " << static_cast<int>(kind) << " on " << kernel::target_name();
}

TEST(gemm, equals_the_reference_on_every_target) {
    test::for_every_target([&](std::int64_t) {
        std::mt19937 engine(1);
        for (const number_format format : test::operand_formats) {
            for (const flavour kind : test::all_flavours) {
                check_gemm(1 + engine() % 70, 1 + engine() % 300, 1 + engine() % 90, 1 + engine() % 140,
                           format, kind, engine);
            }
        }
    });
}

TEST(gemm, chains_break_at_the_rows_of_the_array_only) {
    std::mt19937 engine(2);
    for (const unsigned rows : {1u, 8u, 32u, 127u, 128u, 129u, 200u, 256u, 257u, 1000u}) {
        check_gemm(29, 513, 35, rows, number_format::fp32, flavour::moderate, engine);
        check_gemm(15, 513, 35, rows, number_format::bf16, flavour::cancelling, engine);
        check_gemm(15, 513, 35, rows, number_format::int8, flavour::huge, engine);
    }
}

TEST(gemm, the_number_of_array_rows_shows_in_the_bits) {
    // Guards the tests above: were the chain not sensitive to where it breaks, they would prove nothing.
    std::mt19937 engine(3);
    const test_matrix a(16, 256, number_format::bf16, flavour::moderate, engine);
    const test_matrix b(256, 16, number_format::bf16, flavour::moderate, engine);
    std::vector<std::uint32_t> one(256), other(256);
    kernel::gemm(a.view(), b.view(), 32, one.data(), 16);
    kernel::gemm(a.view(), b.view(), 128, other.data(), 16);
    EXPECT_NE(one, other);
}

TEST(gemm, a_large_product_agrees_on_a_seeded_sample) {
    std::mt19937 engine(4);
    const test_matrix a(600, 700, number_format::bf16, flavour::moderate, engine);
    const test_matrix b(700, 500, number_format::bf16, flavour::moderate, engine);
    std::vector<std::uint32_t> c(600 * 500);
    kernel::gemm(a.view(), b.view(), 128, c.data(), 500);
    const auto samples = gemm_reference_sample(a.view(), b.view(), 128, 77, 2000);
    ASSERT_EQ(samples.size(), 2000u);
    for (const gemm_sample& s : samples) {
        ASSERT_EQ(c[s.row * 500 + s.column], s.bits) << s.row << ", " << s.column;
    }
    EXPECT_EQ(samples[3].row, 599u);
    EXPECT_EQ(samples[3].column, 499u);
    const auto again = gemm_reference_sample(a.view(), b.view(), 128, 77, 2000);
    EXPECT_EQ(again.back().row, samples.back().row);
    EXPECT_EQ(gemm_reference_sample(a.view(), b.view(), 128, 77, 2).size(), 2u);
}

TEST(gemm, int32_sums_wrap_around) {
    // 2^17 + 8 products of (-128)^2 = 2^14 pass 2^31.
    const unsigned k = (1u << 17) + 8;
    const std::vector<std::byte> ones(k, std::byte{0x80});
    const matrix_view a{ones.data(), k, 1, k, number_format::int8};
    const matrix_view b{ones.data(), 1, k, 1, number_format::int8};
    std::uint32_t got = 0, expected = 0;
    kernel::gemm(a, b, 4096, &got, 1);
    gemm_reference(a, b, 4096, &expected, 1);
    EXPECT_EQ(got, 0x80000000u + 8u * 16384u);
    EXPECT_EQ(expected, got);
}

TEST(gemm, refuses_what_does_not_match) {
    std::mt19937 engine(5);
    const test_matrix a(4, 5, number_format::bf16, flavour::moderate, engine);
    const test_matrix b(5, 6, number_format::bf16, flavour::moderate, engine);
    const test_matrix other(5, 6, number_format::int8, flavour::moderate, engine);
    const test_matrix shorter(4, 6, number_format::bf16, flavour::moderate, engine);
    std::vector<std::uint32_t> c(24);
    EXPECT_THROW(kernel::gemm(a.view(), other.view(), 8, c.data(), 6), array_protocol_error);
    EXPECT_THROW(kernel::gemm(a.view(), shorter.view(), 8, c.data(), 6), array_protocol_error);
    EXPECT_THROW(kernel::gemm(a.view(), b.view(), 0, c.data(), 6), array_protocol_error);
    EXPECT_THROW(gemm_reference(a.view(), other.view(), 8, c.data(), 6), array_protocol_error);
    EXPECT_THROW(gemm_reference(a.view(), b.view(), 0, c.data(), 6), array_protocol_error);
}

} // namespace
} // namespace retrace
