// The library as it is built where Verilator is missing: there, but with nothing in it, and it says so.
#include <gtest/gtest.h>

#include "hw/verilated/verilated_array.h"

namespace retrace {
namespace {

template <typename Call>
std::string message_of(Call call) {
    try {
        call();
    } catch (const rtl_unavailable& e) {
        return e.what();
    }
    return "nothing was thrown";
}

TEST(without_verilator, everything_is_unavailable_and_says_why) {
    EXPECT_TRUE(rtl_sizes().empty());
    for (const std::string& message : {message_of([] { make_rtl_array({}); }), message_of([] { rtl_fma fma; })}) {
        EXPECT_NE(message.find("without Verilator"), std::string::npos) << message;
        EXPECT_NE(message.find("apt-get install verilator"), std::string::npos) << message;
    }
}

} // namespace
} // namespace retrace
