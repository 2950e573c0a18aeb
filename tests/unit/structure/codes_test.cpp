// Codes that exist twice, in the generated specification and in kernel-free C++ that must not depend on it for its meaning.
#include <gtest/gtest.h>

#include <string_view>

#include "hw/spec/spec.h"
#include "tlm/core/numeric/formats.h"
#include "tlm/core/numeric/functions.h"

namespace retrace {
namespace {

template <typename Spec, typename Own>
void expect_same_codes(unsigned spec_count, unsigned own_count) {
    ASSERT_EQ(spec_count, own_count);
    for (unsigned code = 0; code < spec_count; ++code) {
        EXPECT_EQ(spec::name_of(static_cast<Spec>(code)), std::string_view(name_of(static_cast<Own>(code)))) << code;
        EXPECT_NE(spec::name_of(static_cast<Spec>(code)), "?") << code;
    }
}

TEST(codes, number_formats_of_the_specification_are_those_of_the_arithmetic) {
    expect_same_codes<spec::number_format, number_format>(spec::number_format_count, number_format_count);
}

TEST(codes, activation_functions_of_the_specification_are_those_of_the_arithmetic) {
    expect_same_codes<spec::activation_function, unary_function>(spec::activation_function_count, unary_function_count);
}

TEST(codes, a_name_belongs_to_no_code_beyond_the_last) {
    EXPECT_EQ(spec::name_of(static_cast<spec::number_format>(spec::number_format_count)), "?");
    EXPECT_EQ(spec::name_of(static_cast<spec::activation_function>(spec::activation_function_count)), "?");
}

} // namespace
} // namespace retrace
