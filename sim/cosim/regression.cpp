#include "sim/cosim/regression.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "sim/cosim/generator.h"
#include "sim/cosim/junit.h"
#include "sim/cosim/processes.h"
#include "sim/cosim/shrinker.h"
#include "sim/cosim/worker.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"

namespace retrace::cosim {

namespace fs = std::filesystem;

namespace {

/// The end of a file, for a report.
std::string tail_of(const fs::path& file, std::size_t most = 2000) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return text.size() > most ? "... " + text.substr(text.size() - most) : text;
}

class regression {
public:
    explicit regression(const regression_options& o) : options_(o), folder_(checked_folder(o)), pool_(o.limit) {}

    regression_result run() {
        const std::uint64_t count = options_.case_file ? 1 : options_.count;
        result_.cases.resize(count);
        progress_line progress(!options_.quiet);
        std::uint64_t next = 0, done = 0, failed = 0;
        try {
            while (done < count) {
                while (next < count && pool_.running() < options_.jobs)
                    start(next++);
                const process_end end = pool_.wait();
                collect(end);
                failed += !result_.cases[end.id].result.passed();
                progress.show(++done, count, fmt::format("{} failed", failed));
            }
            progress.finish();
            shrink_failures();
        } catch (const processes_interrupted&) {
            progress.finish();
            std::erase_if(result_.cases, [](const finished_case& c) { return c.reproduce.empty(); });
            write();
            throw;
        }
        write();
        return std::move(result_);
    }

private:
    static fs::path checked_folder(const regression_options& o) {
        if (o.case_file) {
            read_text(*o.case_file); // before anything is replaced
            run_folder::check_outside(o.out, *o.case_file);
        }
        run_folder folder(o.out);
        return fs::absolute(o.out);
    }

    std::uint64_t seed_of(std::size_t index) const { return options_.first_seed + index; }
    std::string name_of_case(std::size_t index) const {
        return options_.case_file ? options_.case_file->string() : fmt::format("seed {}", seed_of(index));
    }
    fs::path folder_of(std::size_t index) const {
        return folder_ / (options_.case_file ? "case" : fmt::format("seed_{}", seed_of(index)));
    }

    std::vector<std::string> worker(const std::vector<std::string>& what, const fs::path& folder) const {
        std::vector<std::string> a{options_.program, "cosim", "--worker", "--array", options_.array, "--out", folder.string()};
        a.insert(a.end(), what.begin(), what.end());
        a.insert(a.end(), options_.worker_arguments.begin(), options_.worker_arguments.end());
        return a;
    }

    std::string command(const std::string& what) const {
        std::string text = "retrace cosim " + what + " --array " + options_.array;
        for (const std::string& a : options_.worker_arguments)
            text += " " + a;
        return text;
    }

    void start(std::size_t index) {
        const fs::path folder = folder_of(index);
        fs::create_directories(folder);
        const std::vector<std::string> what = options_.case_file
                                                  ? std::vector<std::string>{"--case", fs::absolute(*options_.case_file).string()}
                                                  : std::vector<std::string>{"--seed", std::to_string(seed_of(index))};
        pool_.start(index, worker(what, folder), (folder / "log.txt").string());
    }

    /// What the worker left, or why there is nothing: a process that dies is a failure of its case, never a pass.
    static case_result outcome(const process_end& end, const fs::path& folder, std::uint64_t seed, bool any_seed,
                               std::string& log) {
        log = tail_of(folder / "log.txt");
        case_result r;
        r.seed = seed;
        r.what = verdict::failure;
        r.kind = "crash";
        if (end.timed_out) {
            r.what = verdict::hang;
            r.kind = "hang";
            r.sentence = fmt::format("the process was still running after {:.0f} s and was killed", end.seconds);
            return r;
        }
        if (!end.code) {
            r.sentence = fmt::format("the process died of signal {} ({})", end.signal, strsignal(end.signal));
            return r;
        }
        r.sentence = fmt::format("the process ended with exit code {} and left no result", *end.code);
        try {
            case_result found = parse_result(read_text(folder / result_file));
            const int expected = found.passed() ? 0 : found.what == verdict::hang ? 3 : 4;
            if (*end.code != expected)
                r.sentence =
                    fmt::format("the process ended with exit code {}, its result says {}", *end.code, name_of(found.what));
            else if (found.seed != seed && !any_seed)
                r.sentence = fmt::format("the process left the result of seed {}", found.seed);
            else
                r = std::move(found);
        } catch (const std::exception& e) {
            r.sentence += fmt::format(" ({})", e.what());
        }
        return r;
    }

    void collect(const process_end& end) {
        finished_case& c = result_.cases[end.id];
        const fs::path folder = folder_of(end.id);
        c.seconds = end.seconds;
        c.result = outcome(end, folder, options_.case_file ? 0 : seed_of(end.id), options_.case_file.has_value(), c.log);
        c.reproduce = command(options_.case_file ? "--case " + options_.case_file->string()
                                                 : fmt::format("--seed {} --count 1", seed_of(end.id)));
        try {
            const machine_settings m = parse_case(read_text(folder / case_file), case_file).machine;
            c.machine = fmt::format("{0}x{0}, D {1}", m.size, m.fma_depth);
        } catch (const case_error&) {
            c.machine = "unknown"; // it died before it wrote its case
        }
        if (c.result.passed()) {
            try {
                result_.covered.add_json(read_text(folder / coverage_file));
            } catch (const std::exception& e) {
                c.result.what = verdict::failure;
                c.result.kind = "crash";
                c.result.sentence = fmt::format("the process left no coverage: {}", e.what());
            }
        }
        if (!c.result.passed())
            c.report = report_of(c, c.result, {});
    }

    std::string report_of(const finished_case& c, const case_result& told, const std::optional<test_case>& listing) const {
        std::string text = fmt::format("{}: {}\n", name_of(told.what), told.sentence);
        if (!told.report.empty())
            text += told.report;
        if (told.kind == "crash" && !c.log.empty())
            text += "the process said:\n" + c.log + "\n";
        if (listing)
            text += "\nthe case:\n" + describe(*listing);
        return text;
    }

    void shrink_failures() {
        unsigned shrunk = 0;
        for (std::size_t i = 0; i < result_.cases.size(); ++i) {
            finished_case& c = result_.cases[i];
            if (c.result.passed())
                continue;
            if (shrunk < options_.shrink) {
                case_result smallest = c.result;
                shrunk += shrink_case(i, c, smallest);
                if (options_.waves && smallest.failed_at)
                    record_waves(i, c, smallest);
                else if (options_.waves)
                    c.report += "\nno waves: the cycle of the failure is not known\n";
            }
            write_text(folder_of(i) / "report.txt", c.report);
        }
    }

    /// `smallest`: becomes the shrunk case's result.
    bool shrink_case(std::size_t index, finished_case& c, case_result& smallest) {
        test_case original;
        try {
            original = options_.case_file ? parse_case(read_text(*options_.case_file), options_.case_file->string())
                                          : generate(c.result.seed);
        } catch (const case_error&) {
            return false;
        }
        const fs::path folder = folder_of(index), trials = folder / "shrink";
        fs::create_directories(trials);
        progress_line progress(!options_.quiet);
        unsigned trial = 0;
        std::string unused;
        const auto run = [&](const test_case& candidate) {
            std::error_code error;
            fs::remove(trials / result_file, error);
            write_text(trials / "trial.json", to_text(candidate));
            pool_.start(0, worker({"--case", (trials / "trial.json").string()}, trials), (trials / "log.txt").string());
            return outcome(pool_.wait(), trials, candidate.seed, false, unused);
        };
        const auto fails = [&](const test_case& candidate) {
            progress.show(++trial, options_.shrink_trials, fmt::format("shrinking {}", name_of_case(index)));
            const case_result r = run(candidate);
            return r.what == c.result.what && r.kind == c.result.kind;
        };
        const shrunk_case small = shrink(original, fails, options_.shrink_trials);
        const case_result told = run(small.smallest);
        progress.finish();
        const fs::path file = folder / "shrunk.json";
        write_text(file, to_text(small.smallest));
        std::error_code error;
        fs::remove_all(trials, error);
        c.shrunk = command("--case " + (options_.out / folder.filename() / "shrunk.json").string());
        std::size_t operations = 0;
        for (const auto& k : small.smallest.commands)
            operations += k.operations.size();
        const bool same = told.what == c.result.what && told.kind == c.result.kind;
        if (same)
            smallest = told;
        c.report = report_of(c, c.result, {}) +
                   fmt::format("\nshrunk from {} to {} operations in {} trials{}:\n", c.result.operations, operations, small.trials,
                               small.finished ? "" : " (the limit)") +
                   report_of(c, same ? told : c.result, small.smallest);
        return true;
    }

    void record_waves(std::size_t index, finished_case& c, const case_result& failed) {
        constexpr std::uint64_t before = 10'000, after = 1'000;
        const std::uint64_t failed_at = *failed.failed_at;
        const fs::path folder = folder_of(index), again = folder / "again", file = folder / options_.wave_file;
        fs::create_directories(again);
        std::vector<std::string> what;
        if (!c.shrunk.empty())
            what = {"--case", (folder / "shrunk.json").string()};
        else if (options_.case_file)
            what = {"--case", fs::absolute(*options_.case_file).string()};
        else
            what = {"--seed", std::to_string(seed_of(index))};
        for (const std::string& a : {std::string("--waves"), file.string(), std::string("--wave-scope"), std::string("npu0.*"), std::string("--wave-start"),
                                     std::to_string(failed_at > before ? failed_at - before : 0), std::string("--wave-stop"),
                                     std::to_string(failed_at + after), fmt::format("--failure={}={}{}", failed_at, name_of(failed.what), failed.look_at.empty() ? "" : "=" + failed.look_at)})
            what.push_back(a);
        pool_.start(0, worker(what, again), (again / "log.txt").string());
        pool_.wait();
        std::error_code error;
        if (fs::exists(file.string() + ".gtkw", error))
            c.waves = "gtkwave " + (options_.out / folder.filename() / options_.wave_file).string() + ".gtkw" + (c.shrunk.empty() ? "" : " (of the shrunk case)");
        else
            c.report += "\nno waves: the second run said:\n" + tail_of(again / "log.txt") + "\n";
        fs::remove_all(again, error);
    }

    void write() const {
        std::vector<junit_case> cases;
        for (std::size_t i = 0; i < result_.cases.size(); ++i) {
            const finished_case& c = result_.cases[i];
            const std::string name = options_.case_file ? options_.case_file->string() : fmt::format("seed {}", c.result.seed);
            cases.push_back({name, c.seconds, !c.result.passed(), c.result.sentence, c.failure_text()});
        }
        write_text(folder_ / "junit.xml", to_junit("retrace cosim, array " + options_.array, cases));
        write_text(folder_ / "coverage.json", result_.covered.to_json());
        std::string lines;
        for (const finished_case& c : result_.cases)
            lines += fmt::format("seed {} {} {} commands {} operations {} instructions {} cycles\n", c.result.seed,
                                 name_of(c.result.what), c.result.commands, c.result.operations, c.result.instructions,
                                 c.result.cycles);
        write_text(folder_ / "summary.txt", lines + "\n" + describe(result_) + "\n" + describe(result_.covered));
    }

    const regression_options& options_;
    fs::path folder_;
    process_pool pool_;
    regression_result result_;
};

} // namespace

std::string finished_case::failure_text() const {
    return result.passed() ? std::string()
                           : "reproduce: " + reproduce + "\n" + (shrunk.empty() ? "" : "shrunk: " + shrunk + "\n") +
                                 (waves.empty() ? "" : "waves: " + waves + "\n") + report;
}

bool regression_result::passed() const {
    return std::all_of(cases.begin(), cases.end(), [](const finished_case& c) { return c.result.passed(); });
}

int regression_result::exit_code() const {
    int code = 0;
    for (const finished_case& c : cases)
        if (!c.result.passed())
            code = std::max(code, c.result.what == verdict::hang ? 3 : 4);
    return code;
}

regression_result run_regression(const regression_options& options) { return regression(options).run(); }

std::string describe(const regression_result& r) {
    struct row {
        std::uint64_t cases = 0, passed = 0, operations = 0, instructions = 0, cycles = 0;
    };
    std::map<std::string, row> rows;
    for (const finished_case& c : r.cases)
        for (const std::string& name : {c.machine, std::string("~all")}) {
            row& t = rows[name];
            ++t.cases;
            t.passed += c.result.passed();
            t.operations += c.result.operations, t.instructions += c.result.instructions, t.cycles += c.result.cycles;
        }
    std::string text = fmt::format("{:<16}{:>8}{:>8}{:>8}{:>12}{:>14}{:>14}\n", "machine", "cases", "passed", "failed",
                                   "operations", "instructions", "cycles");
    for (const auto& [name, t] : rows)
        text += fmt::format("{:<16}{:>8}{:>8}{:>8}{:>12}{:>14}{:>14}\n", name == "~all" ? "all" : name, t.cases, t.passed,
                            t.cases - t.passed, t.operations, t.instructions, t.cycles);
    for (const finished_case& c : r.cases)
        if (!c.result.passed())
            text += "\n" + c.failure_text();
    return text;
}

} // namespace retrace::cosim
