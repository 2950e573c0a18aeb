// Codes that exist twice: in the generated specification, and in arithmetic that is meaningful without it.
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
        const std::string_view specified = spec::name_of(static_cast<Spec>(code));
        EXPECT_EQ(specified, name_of(static_cast<Own>(code))) << code;
        EXPECT_NE(specified, "?") << code;
    }
}

TEST(codes, number_formats_of_the_specification_are_those_of_the_arithmetic) {
    expect_same_codes<spec::number_format, number_format>(spec::number_format_count, number_format_count);
}

TEST(codes, activation_functions_of_the_specification_are_those_of_the_arithmetic) {
    expect_same_codes<spec::activation_function, unary_function>(spec::activation_function_count,
                                                                 unary_function_count);
}

TEST(codes, a_name_belongs_to_no_code_beyond_the_last) {
    EXPECT_EQ(spec::name_of(static_cast<spec::number_format>(spec::number_format_count)), "?");
    EXPECT_EQ(spec::name_of(static_cast<spec::activation_function>(spec::activation_function_count)), "?");
}

} // namespace
} // namespace retrace
