// The entry of SystemC programs (libsystemc has main). What SystemC warns about is a fault here.
#include <gtest/gtest.h>
#include <systemc>

namespace {

void strict_report_handler(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
    if (report.get_severity() >= sc_core::SC_WARNING)
        ADD_FAILURE() << "SystemC: " << report.get_msg_type() << ": " << report.get_msg();
    sc_core::sc_report_handler::default_handler(report, actions);
}

} // namespace

int sc_main(int argc, char* argv[]) {
    testing::InitGoogleTest(&argc, argv);
    sc_core::sc_report_handler::set_handler(strict_report_handler);
    return RUN_ALL_TESTS();
}
