// The platform between the host and the kernel: what leaves a process, and the end of simulated time.
#include "sim/platform/platform.h"
#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

class fault_of_a_process : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

TEST(platform, an_exception_that_leaves_a_process_reaches_the_host_as_what_it_is) {
    npu_config config = bench_config();
    simulated_port port(config, 0, nullptr);
    sc_core::sc_spawn([&] {
        sc_core::wait(port.device().clock().until(100));
        throw fault_of_a_process("the model is wrong in cycle 100");
    });
    try {
        port.wait_interrupt(1000);
        FAIL() << "nothing was thrown";
    } catch (const fault_of_a_process& e) {
        EXPECT_STREQ(e.what(), "the model is wrong in cycle 100");
    }
}

TEST(platform, time_that_cannot_be_simulated_is_an_error) {
    npu_config config = bench_config();
    config.clock_hz = 1e6;
    simulated_port port(config, 0, nullptr);
    EXPECT_THROW(
        {
            for (int i = 0; i < 20; ++i)
                port.compute(6'000'000'000);
        },
        simulation_error);
}

TEST(platform, a_stop_is_heard_while_the_host_computes) {
    npu_config config = bench_config();
    simulated_port port(config, 0, nullptr);
    simulated_port::request_stop();
    EXPECT_THROW(port.compute(1'000'000), simulation_interrupted);
}

} // namespace
} // namespace retrace::test
