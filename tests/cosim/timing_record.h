#pragma once
// A run on the device with all that the timing checker wants, for tests that look at the log or forge it.
#include "sim/cosim/case_rules.h"
#include "sim/cosim/device_run.h"

namespace retrace::cosim::test {

struct recorded_run {
    test_case c;
    npu_config config;
    prepared_case prepared;
    timing_log log;
    std::map<std::uint32_t, timed_command> commands;

    std::vector<timing_finding> check() const { return check_timing(config, log, commands); }
};

/// One per process.
inline std::unique_ptr<recorded_run> record(test_case c, const std::string& array = "kernel") {
    auto r = std::make_unique<recorded_run>();
    r->c = std::move(c);
    require_legal(r->c, "the case");
    device_run device(r->c, array);
    r->prepared = prepare(r->c, device.host_base());
    device.run(r->prepared);
    r->config = device.config();
    r->log = device.times();
    r->commands = device.timed_commands(r->prepared);
    return r;
}

inline std::string told(const std::vector<timing_finding>& found) {
    std::string s;
    for (const timing_finding& f : found)
        s += fmt::format("cycle {}: {}\n", f.cycle, f.sentence);
    return s;
}

} // namespace retrace::cosim::test
