// The program `retrace`: parses the command line and turns exceptions into messages and exit codes.
#include <csignal>
#include <cstdlib>
#include <new>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "host/device_capabilities.h"
#include "host/graph/network.h"
#include "host/training/dataset.h"
#include "hw/verilated/verilated_array.h"
#include "sim/cli/commands.h"
#include "sim/cli/seeded_faults.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/waves.h"
#include "sim/config/config_error.h"
#include "sim/cosim/test_case.h"
#include "sim/log/log_reader.h"
#include "sim/platform/array_choice.h"
#include "sim/platform/platform.h"
#include "sim/proof/proof.h"
#include "sim/report/report_error.h"
#include "sim/report/run_folder.h"
#include "tlm/core/array/fma_check.h"
#include "tlm/core/riscv/elf.h"

namespace {

using namespace retrace;

int report(const char* whose, const std::exception& error, int code) {
    fmt::print(stderr, "retrace: {}{}\n", whose, error.what());
    return code;
}

template <typename Command>
int guarded(Command&& command) {
    try {
        return command();
    } catch (const config_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const array_choice_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const data_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const network_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const run_folder_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const report_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const wave_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const cosim::case_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const proof_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const log_reader_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const fma_vector_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const elf_error& e) {
        return report("", e, cli::usage_fault);
    } catch (const capacity_error& e) {
        return report("the plan does not fit: ", e, cli::usage_fault);
    } catch (const simulation_hang& e) {
        return report("hang: ", e, cli::hang);
    } catch (const simulation_interrupted& e) {
        return report("", e, 128 + cli::stop_signals::received());
    } catch (const std::logic_error& e) {
        return report("fault of the model: ", e, cli::model_fault);
    } catch (const rtl_error& e) {
        return report("fault of the RTL: ", e, cli::model_fault);
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "retrace: out of memory; a smaller npu.device_dram.capacity or npu.host_link.host_memory needs less\n");
        return cli::program_fault;
    } catch (const std::exception& e) {
        return report("", e, cli::program_fault);
    }
}

int run(int argc, char** argv) {
    cli::remember_command_line(argc, argv);
    CLI::App app{"A neural-network training processor, simulated with real gradients and real cycles.\nStart with `retrace help`.", "retrace"};
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", "retrace 0.1.0");

    const auto add_overrides = [](CLI::App* command, std::vector<std::string>& overrides) {
        command->add_option("--set", overrides, "override a key of the configuration, KEY=VALUE (repeatable; keys: retrace help config)")
            ->allow_extra_args(false)
            ->type_name("KEY=VALUE");
    };

    const std::string array_text = "array implementation: kernel (default), stepped, rtl, or lockstep (all of them, compared)";
    const std::string window_text = "another array for the cycles START up to STOP (repeatable): 100000:120000=rtl";

    const auto add_waves = [](CLI::App* command, cli::wave_options& waves) {
        const auto add = [&](const char* name, auto& value, const char* text) { return command->add_option(name, value, text)->take_last()->group("Waves"); };
        add("--waves", waves.file, "draw waves into this file, .fst or .vcd; GTKWave opens FILE.gtkw")->type_name("FILE");
        command->add_option("--wave-scope", waves.scopes, "signals to draw, for example npu0.dma0 or 'npu0.array.*' (repeatable; default: all but single PEs)")
            ->allow_extra_args(false)
            ->type_name("PATTERN")
            ->group("Waves");
        add("--wave-start", waves.start, "first cycle")->type_name("CYCLE");
        add("--wave-stop", waves.stop, "first cycle that is not drawn any more")->type_name("CYCLE");
        add("--wave-trigger", waves.trigger, "draw only when this signal has become other than 0, for example npu0.dma0.fault")->type_name("SIGNAL");
        add("--wave-before", waves.before, "cycles that are drawn from before the trigger")->type_name("CYCLES")->capture_default_str();
        add("--wave-max", waves.max, "the file stops here, the run goes on")->type_name("BYTES")->capture_default_str();
        command->add_flag("--no-failure-waves", waves.no_failure_waves, "do not run again for the waves before a failure")->group("Waves");
        add("--failure", waves.failure, "")->group(""); // of the process that runs again
    };

    cli::train_options train;
    CLI::App* train_command = app.add_subcommand("train", "train a network on the simulated processor");
    train_command->add_option("CONFIG", train.config, "YAML configuration, for example examples/digits/recompute.yaml")->required();
    add_overrides(train_command, train.overrides);
    train_command->add_option("--out", train.out, "folder for the results (default out/<name of the configuration>)");
    train_command->add_option("--array", train.array, array_text)->check(CLI::IsMember(array_implementations()));
    train_command->add_option("--array-window", train.array_windows, window_text)->allow_extra_args(false)->type_name("START:STOP=ARRAY");
    const auto add_timeline = [](CLI::App* command, std::string& steps, std::string& bytes, const char* steps_text) {
        command->add_option("--timeline-steps", steps, steps_text)->type_name("A,B-C");
        command->add_option("--timeline-max", bytes, "largest timeline.json; 0: none")->type_name("BYTES")->capture_default_str();
    };
    add_timeline(train_command, train.timeline_steps, train.timeline_max, "steps that timeline.json shows instruction by instruction (default: log.steps)");
    add_waves(train_command, train.waves);
    train_command->add_flag("--quiet", train.quiet, "no progress and no tables");

    cli::plan_options plan;
    CLI::App* plan_command = app.add_subcommand("plan", "say what a run will do, need and take, without running it");
    plan_command->add_option("CONFIG", plan.config, "YAML configuration")->required();
    add_overrides(plan_command, plan.overrides);
    plan_command->add_flag("--programs", plan.programs, "also list the engine programs");
    plan_command->add_flag("--no-calibration", plan.no_calibration, "do not run the first steps to measure time and memory");
    plan_command->add_option("--out", plan.out, "folder where the run would go (default out/<name of the configuration>)");
    plan_command->add_option("--array", plan.array, array_text)->check(CLI::IsMember(array_implementations()));
    plan_command->add_option("--timeline-max", plan.timeline_max, "largest timeline.json; 0: none")->type_name("BYTES")->capture_default_str();
    add_waves(plan_command, plan.waves);
    plan_command->add_option("--first-steps", plan.first_steps)->group(""); // what the measurement starts
    plan_command->add_option("--first-steps-time", plan.first_steps_seconds)->delimiter(',')->expected(2)->group("");

    cli::prove_options prove;
    CLI::App* prove_command = app.add_subcommand("prove", "prove from a run's event log that the device kept to its schedule");
    prove_command->add_option("RUN", prove.run, "folder of a `retrace train` run, for example out/digits-recompute")->required();

    cli::report_options report_page;
    CLI::App* report_command = app.add_subcommand("report", "make report.html of a run again, from what its folder holds");
    report_command->add_option("RUN", report_page.run, "folder of a `retrace train` or `retrace gemm` run")->required();
    report_command->add_option("--out", report_page.out, "file for the page (default RUN/report.html)");

    cli::compare_options compare;
    CLI::App* compare_command = app.add_subcommand("compare", "two runs side by side: cycles, stalls, memory, loss; as a table and as a page");
    compare_command->add_option("RUN_A", compare.first, "folder of a run")->required();
    compare_command->add_option("RUN_B", compare.second, "folder of another run")->required();
    compare_command->add_option("--out", compare.out, "file for the page (default compare.html)");

    cli::gemm_options gemm;
    CLI::App* gemm_command = app.add_subcommand("gemm", "measure one product C[M,N] = A[M,K] B[K,N], B stationary");
    gemm_command->add_option("--m", gemm.m, "rows of A")->required()->check(CLI::Range(1u, 65536u));
    gemm_command->add_option("--k", gemm.k, "columns of A")->required()->check(CLI::Range(1u, 65536u));
    gemm_command->add_option("--n", gemm.n, "columns of B")->required()->check(CLI::Range(1u, 65536u));
    gemm_command->add_option("--preset", gemm.preset, "processor: tiny, small or large")->capture_default_str();
    gemm_command->add_option("--dtype", gemm.dtype, "operand format")->check(CLI::IsMember({"bf16", "fp32", "int8"}))->capture_default_str();
    gemm_command->add_option("--array", gemm.array, array_text)->check(CLI::IsMember(array_implementations()));
    gemm_command->add_option("--array-window", gemm.array_windows, window_text)->allow_extra_args(false)->type_name("START:STOP=ARRAY");
    gemm_command->add_option("--seed", gemm.seed, "seed of the operands")->capture_default_str();
    gemm_command->add_flag("--serial", gemm.serial,
                           "one weight register, tiles one after the other, ideal memories, no PSUM depth limit: the textbook form");
    add_overrides(gemm_command, gemm.overrides);
    gemm_command->add_option("--out", gemm.out, "folder for the results (default out/gemm)");
    add_timeline(gemm_command, gemm.timeline_steps, gemm.timeline_max,
                 "1: log the product instruction by instruction, and show it so in timeline.json (default: by commands)");
    add_waves(gemm_command, gemm.waves);
    gemm_command->add_flag("--quiet", gemm.quiet, "no tables");

    cli::inspect_options inspect;
    CLI::App* inspect_command = app.add_subcommand("inspect", "ask a run's event log: who-wrote, live-at, waits, or SQL; alone: what can be asked");
    inspect_command->add_option("RUN", inspect.run, "folder of a run, for example out/digits-recompute, or an event log")->required();
    inspect_command->add_option("QUESTION", inspect.question, "who-wrote ADDRESS@CYCLE, live-at CYCLE, waits ENGINE, or a SELECT statement")->expected(0, 2);
    inspect_command->add_option("--memory", inspect.memory, "who-wrote: host, device_dram, state_buffer or psum (default: each)");
    inspect_command->add_option("--limit", inspect.limit, "rows to print at most (default: 1000; waits: 20)")->check(CLI::Range(1u, 100'000'000u));

    cli::core_options core;
    CLI::App* core_command = app.add_subcommand("core", "run an RV32IM program on the control core (memory at 0x80000000, `tohost` ends it)");
    core_command->add_option("FILE.elf", core.elf, "RISC-V ELF executable")->required();
    core_command->add_option("--limit", core.limit, "give up after this many instructions")->capture_default_str();
    core_command->add_option("--memory", core.memory_bytes, "bytes of memory")->capture_default_str();

    cli::cosim_options cosim;
    CLI::App* cosim_command = app.add_subcommand("cosim", "run random programs through the whole device and compare all memory with an untimed reference");
    cosim_command->add_option("--seed", cosim.seed, "first seed")->capture_default_str();
    cosim_command->add_option("--count", cosim.count, "seeds: each is a case of its own")->check(CLI::Range(1u, 1'000'000u))->capture_default_str();
    cosim_command->add_option("--jobs", cosim.jobs, "processes at a time (default: as many as there are processors)")->check(CLI::Range(1u, 1024u));
    cosim_command->add_option("--array", cosim.array, "array implementation: kernel, stepped, rtl, or lockstep (all of them, compared)")
        ->check(CLI::IsMember(array_implementations()))
        ->capture_default_str();
    cosim_command->add_option("--case", cosim.case_file, "run this case (JSON) instead of seeds");
    cosim_command->add_option("--shrink", cosim.shrink, "failures to shrink, the first ones")->capture_default_str();
    cosim_command->add_option("--out", cosim.out, "folder for the results (default out/cosim, with --case out/cosim-case)");
    add_waves(cosim_command, cosim.waves);
    cosim_command->add_flag("--quiet", cosim.quiet, "no progress and no tables");
    std::vector<std::string> faults;
    for (const seeded_fault_description& f : seeded_faults())
        faults.emplace_back(f.name);
    if (!faults.empty())
        cosim_command->add_option("--fault", cosim.fault, "run with this seeded fault")->check(CLI::IsMember(faults));
    cosim_command->add_flag("--worker", cosim.worker)->group(""); // what the regression starts for each case

    core_command->add_option("--signature", core.signature, "write the words from begin_signature to end_signature to this file, one a line");
    core_command->add_flag("--trace", core.trace, "log every instruction on standard output");

    cli::fma_options fma;
    CLI::App* fma_command =
        app.add_subcommand("fma", "check the fused multiply-add of kernel, stepped and RTL: against vectors, or by a sweep against an oracle");
    auto* fma_file = fma_command->add_option("FILE", fma.file, "vectors as `testfloat_gen f32_mulAdd` writes them: a b c result flags, in hex");
    fma_command->add_option("--sweep", fma.sweep, "triples of the built-in sweep by operand class")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40))
        ->capture_default_str()
        ->excludes(fma_file);
    fma_command->add_option("--seed", fma.seed, "seed of the sweep")->capture_default_str()->excludes(fma_file);

    std::string topic;
    CLI::App* help_command = app.add_subcommand("help", "what there is; help config, help log, help exit");
    help_command->add_option("TOPIC", topic, "config, log or exit");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? cli::success : cli::usage_fault;
    }
    if (train_command->parsed())
        return guarded([&] { return cli::train(train); });
    if (plan_command->parsed())
        return guarded([&] { return cli::plan(plan); });
    if (prove_command->parsed())
        return guarded([&] { return cli::prove(prove); });
    if (inspect_command->parsed())
        return guarded([&] { return cli::inspect(inspect); });
    if (report_command->parsed())
        return guarded([&] { return cli::report(report_page); });
    if (compare_command->parsed())
        return guarded([&] { return cli::compare(compare); });
    if (gemm_command->parsed())
        return guarded([&] { return cli::gemm(gemm); });
    if (core_command->parsed())
        return guarded([&] { return cli::core(core); });
    if (cosim_command->parsed())
        return guarded([&] { return cli::cosim(cosim); });
    if (fma_command->parsed())
        return guarded([&] { return cli::fma(fma); });
    return guarded([&] { return cli::help(topic); });
}

} // namespace

int sc_main(int argc, char** argv) { return run(argc, argv); }

// libsystemc has a main of its own that prints a banner before anything else; this one keeps standard output the program's.
int main(int argc, char** argv) {
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    std::signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error of its writer, who says so, not the end of the process
    return sc_core::sc_elab_and_sim(argc, argv);
}
