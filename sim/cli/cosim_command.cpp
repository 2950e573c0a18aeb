#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/seeded_faults.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/waves.h"
#include "sim/cosim/case_rules.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/processes.h"
#include "sim/cosim/regression.h"
#include "sim/cosim/worker.h"
#include "sim/platform/array_choice.h"

namespace retrace::cli {

namespace {

cosim::test_case load_case(const std::string& file) {
    cosim::test_case c = cosim::parse_case(cosim::read_text(file), file);
    cosim::require_legal(c, file);
    return c;
}

/// One case, in this process.
int work(const cosim_options& o) {
    stop_signals listen;
    const cosim::test_case c = o.case_file.empty() ? cosim::generate(o.seed) : load_case(o.case_file);
    npu_config npu = cosim::config_of(c.machine, o.array);
    const std::optional<wave_settings> waves = wave_choice(o.waves, npu, trigger_mode::in_place);
    const std::optional<failure_point> failure = expected_failure(o.waves);
    // A case is short: for the registers of PEs all of it runs on an array that has some.
    const std::string array = waves && !npu.array.windows.empty() ? "stepped" : o.array;
    const cosim::case_result r = cosim::work(c, array, o.out, [&](simulated_port& port) -> std::shared_ptr<void> {
        if (!waves)
            return {};
        auto session = std::make_shared<wave_session>(*waves, port, false, trigger_mode::in_place);
        if (failure)
            session->mark(*failure);
        return session;
    });
    fmt::print("{}{}{}\n", name_of(r.what), r.sentence.empty() ? "" : ": ", r.sentence);
    return r.passed() ? success : r.what == cosim::verdict::hang ? hang : model_fault;
}

} // namespace

int cosim(const cosim_options& o) {
    if (!o.fault.empty())
        seed_fault(o.fault);
    if (o.worker)
        return work(o);
    cosim::regression_options options;
    if (!o.fault.empty())
        options.worker_arguments = {"--fault", o.fault};
    options.first_seed = o.seed;
    options.count = o.count;
    options.jobs = o.jobs ? o.jobs : std::max(1u, std::thread::hardware_concurrency());
    options.array = o.array;
    options.shrink = o.shrink;
    options.quiet = o.quiet;
    options.waves = !o.waves.no_failure_waves;
    if (!fst_available())
        options.wave_file = "failure.vcd";
    for (const std::string& a : arguments_of(o.waves))
        options.worker_arguments.push_back(a);
    if (!o.waves.file.empty() && o.case_file.empty() && o.count != 1)
        throw wave_error("--waves: a file holds the waves of one case: give --count 1, or --case FILE");
    std::vector<cosim::machine_settings> machines;
    if (o.case_file.empty()) {
        if (o.count - 1 > ~o.seed)
            throw cosim::case_error("--seed and --count reach beyond the last seed");
        machines = cosim::generated_machines();
    } else {
        options.case_file = o.case_file;
        machines = {load_case(o.case_file).machine};
    }
    // Arrays that this build lacks are told before a folder is touched.
    for (const cosim::machine_settings& m : machines)
        check_array_choice(cosim::config_of(m, o.array));
    options.out = !o.out.empty() ? o.out : o.case_file.empty() ? "out/cosim" : "out/cosim-case";
    try {
        const cosim::regression_result r = cosim::run_regression(options);
        if (!o.quiet) {
            fmt::print("{}\n{}", describe(r), o.case_file.empty() ? describe(r.covered) + "\n" : "");
            fmt::print("{} in {}\n", r.passed() ? "All passed. Results" : "FAILED. Results", options.out.string());
        }
        return r.exit_code();
    } catch (const cosim::processes_interrupted& e) {
        fmt::print(stderr, "retrace: {}; the results so far are in {}\n", e.what(), options.out.string());
        return 128 + e.signal();
    }
}

} // namespace retrace::cli
