#include "tests/system/system_bench.h"

#include <bit>
#include <cstdlib>
#include <iostream>
#include <random>

#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "firmware/firmware_image.h"
#include "sim/platform/capabilities.h"
#include "sim/support/sha256.h"
#include "tests/system/wrong_schedule.h"

namespace retrace::test {

scratch_folder::scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "retrace-system-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot create a folder for the test");
    path_ = name;
}

scratch_folder::~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

small_run six_layers(schedule_kind kind, std::size_t spacing) {
    small_run run;
    run.schedule = {kind, spacing};
    return run;
}

npu_config processor_of(const small_run& run) {
    npu_config config = load_npu(run.preset, run.overrides);
    config.check_protocol = true;
    return config;
}

plan plan_of(const small_run& run) {
    training_shape shape;
    const network net = dense_chain(run.widths);
    shape.batch = run.batch;
    shape.operands = run.operands;
    shape.schedule = run.schedule;
    shape.range = whole_network(net);
    plan p = make_plan(net, shape, capabilities_of(processor_of(run)));
    if (run.edit_plan)
        run.edit_plan(p);
    return p;
}

proof_expectations expectations_of(const small_run& run) {
    run_config c;
    c.npu = processor_of(run);
    c.net = dense_chain(run.widths);
    c.training.schedule = to_string(run.schedule.kind);
    c.training.interval = run.schedule.interval;
    c.training.batch = run.batch;
    c.training.operands = run.operands;
    return expectations_of(c);
}

system_under_test::system_under_test(const small_run& run, const sgd_options& optimizer)
    : run_(run), npu_(processor_of(run)), plan_(plan_of(run)) {
    if (!run.log.empty())
        log_ = std::make_unique<sqlite_log>(run.log, run.tile_steps);
    port_ = std::make_unique<simulated_port>(npu_, 0, log_.get());
    device_options options;
    options.sink = log_.get();
    result<std::unique_ptr<device>> opened = device::open(*port_, control_firmware(), options);
    if (!opened)
        throw training_error(opened.failure().text);
    device_ = std::move(opened).value();
    trainer_settings settings;
    settings.seed = run.seed;
    settings.optimizer = optimizer;
    settings.sink = log_.get();
    settings.before_launch = run.edit_commands;
    trainer_ = std::make_unique<trainer>(*device_, plan_, settings);
}

std::vector<double> system_under_test::train() {
    std::mt19937_64 random(run_.seed);
    std::uniform_real_distribution<float> value(-1.0f, 1.0f);
    std::vector<double> losses;
    std::vector<float> inputs(run_.batch * run_.widths.front());
    for (std::uint32_t step = 1; step <= run_.steps; ++step) {
        std::vector<float> targets(run_.batch * run_.widths.back());
        for (float& x : inputs)
            x = value(random);
        for (std::size_t r = 0; r < run_.batch; ++r)
            targets[r * run_.widths.back() + random() % run_.widths.back()] = 1.0f;
        losses.push_back(trainer_->train(step, inputs, targets).loss);
    }
    return losses;
}

namespace {

nlohmann::json run_here(const small_run& run) {
    nlohmann::json out;
    try {
        system_under_test system(run);
        std::vector<std::uint64_t> losses; // as bits: a wrong schedule may train to NaN
        for (const double loss : system.train())
            losses.push_back(std::bit_cast<std::uint64_t>(loss));
        out["losses"] = losses;
        sha256 digest;
        for (std::size_t k = 1; k <= run.layers(); ++k) {
            digest.add(std::as_bytes(system.host().weights(k)));
            digest.add(std::as_bytes(system.host().bias(k)));
        }
        out["weights"] = digest.hex();
        out["cycles"] = system.platform().cycles();
        npu& npu = system.platform().device();
        std::map<std::string, std::uint64_t> peaks;
        std::uint64_t stale = 0;
        for (const tagged_memory* m : {&npu.dram(), &npu.buffer(), &npu.psum()}) {
            peaks[m->name()] = m->peak_bytes();
            stale += m->stale_reads();
            for (const tagged_memory::region& r : m->regions())
                peaks[r.name] = r.peak;
        }
        out["peaks"] = peaks;
        out["stale_reads"] = stale;
        const plan_peaks& p = system.planned().peaks;
        out["planned"] = std::map<std::string, std::uint64_t>{{"activations", p.activations.peak_bytes},
                                                              {"gradients", p.gradients.peak_bytes},
                                                              {"weights", p.weights.peak_bytes},
                                                              {"programs", p.programs.peak_bytes},
                                                              {"device_dram", p.device_dram.peak_bytes},
                                                              {"state_buffer", p.state_buffer.peak_bytes},
                                                              {"psum", p.psum.peak_bytes}};
    } catch (const std::exception& e) {
        out["error"] = e.what();
    }
    return out;
}

} // namespace

std::string in_child(const std::function<std::string()>& body) {
    int ends[2];
    if (pipe(ends) != 0)
        throw std::runtime_error("no pipe");
    std::cout.flush();
    const testing::TestResult& result = *testing::UnitTest::GetInstance()->current_test_info()->result();
    const int parts = result.total_part_count();
    const pid_t child = fork();
    if (child < 0)
        throw std::runtime_error("no process");
    if (child == 0) {
        close(ends[0]);
        const std::string text = body();
        for (std::size_t sent = 0; sent < text.size();) {
            const ssize_t n = write(ends[1], text.data() + sent, text.size() - sent);
            if (n <= 0)
                _exit(3);
            sent += static_cast<std::size_t>(n);
        }
        close(ends[1]);
        std::cout.flush();
        _exit(result.total_part_count() != parts ? 2 : 0);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "the run's process ended with status " << status;
    return text;
}

run_outcome execute(const small_run& run) {
    const nlohmann::json j =
        nlohmann::json::parse(in_child([&] { return run_here(run).dump(); }), nullptr, false);
    run_outcome outcome;
    if (j.is_discarded())
        outcome.error = "the run's process said nothing";
    else if (j.contains("error"))
        outcome.error = j["error"];
    else {
        for (const std::uint64_t bits : j["losses"].get<std::vector<std::uint64_t>>())
            outcome.losses.push_back(std::bit_cast<double>(bits));
        outcome.weights = j["weights"];
        outcome.cycles = j["cycles"];
        outcome.peaks = j["peaks"].get<std::map<std::string, std::uint64_t>>();
        outcome.planned = j["planned"].get<std::map<std::string, std::uint64_t>>();
        outcome.stale_reads = j["stale_reads"];
    }
    return outcome;
}

std::vector<std::string> failed_after(small_run run, const std::function<void(wrong_schedule&)>& edit,
                                      int more) {
    const scratch_folder folder;
    run.log = folder.file("events.sqlite");
    run.edit_plan = [&](plan& p) {
        wrong_schedule wrong(p);
        edit(wrong);
    };
    const run_outcome outcome = execute(run);
    EXPECT_EQ(outcome.error, "");
    proof_expectations expectations = expectations_of(run);
    expectations.executions += static_cast<std::uint64_t>(more);
    return failed_checks(run.log, expectations);
}

std::vector<std::string> failed_checks(const std::string& log, const proof_expectations& expectations) {
    std::vector<std::string> failed;
    for (const proof_result& r : prove(log, expectations)) {
        if (!r.failed())
            continue;
        failed.push_back(std::string(r.check->name) +
                         (r.outcome == proof_outcome::nothing_to_check ? ": nothing to check" : ""));
        std::cout << failed.back() << " (" << r.violations << " of " << r.looked_at << ")\n";
        for (const std::string& row : r.examples)
            std::cout << "    " << row << '\n';
    }
    return failed;
}

} // namespace retrace::test
