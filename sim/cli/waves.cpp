#include "sim/cli/waves.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/cli/commands.h"
#include "sim/config/config_error.h"
#include "sim/config/quantity.h"
#include "tlm/core/array/array_probes.h"

namespace retrace::cli {

namespace {

constexpr std::uint64_t cycles_before = 10'000, cycles_after = 1'000; ///< of a failure
constexpr std::uint64_t warm_up = 4096;
constexpr unsigned most_pes = 1024;                                   ///< drawn without being asked for

constexpr const char* trigger_name = "trigger"; ///< of the marker: a run that is drawn for it need not fail

wave_session* recording = nullptr; // for abort(): a process simulates one device
std::vector<std::string> command_line;

/// Whether registers of PEs are meant by one of these patterns.
bool means_pes(const std::vector<std::string>& patterns, const array_settings& array) {
    if (patterns.empty())
        return false;
    trace::probe_registry names;
    const array_probes registers(names, "npu0.array", array.rows, array.columns);
    const std::vector<trace::probe>& all = names.probes();
    return std::any_of(all.begin(), all.end(), [&](const trace::probe& p) {
        return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& s) { return matches(s, p.name); });
    });
}

/// This program again with other arguments; its standard output is left out. Says on standard error why there is no such run, or how it died.
bool run_again(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& a : arguments)
        argv.push_back(a.data());
    argv.push_back(nullptr);
    std::fflush(nullptr);
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        fmt::print(stderr, "retrace: no process can be started: {}\n", std::strerror(errno));
        return false;
    }
    if (pid == 0) {
        // Only calls that are safe after fork; nothing that this process has open goes along.
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(127);
        const int nothing = open("/dev/null", O_RDWR);
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        close_range(3, ~0u, 0);
        execv("/proc/self/exe", argv.data());
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fmt::print(stderr, "retrace: no waves: the second run {}\n",
               WIFEXITED(status) ? fmt::format("ended with exit code {}", WEXITSTATUS(status)) : fmt::format("died of signal {}", WTERMSIG(status)));
    return false;
}

/// `cycle`: the trigger's.
void record_trigger(const wave_settings& settings, std::uint64_t cycle) {
    const std::uint64_t start = std::max(settings.start, cycle > settings.before ? cycle - settings.before : 0);
    fmt::print(stderr, "retrace: {} came in cycle {}; running again to draw the waves from cycle {} on\n", settings.trigger, cycle, start);
    std::vector<std::string> arguments = command_line;
    arguments.insert(arguments.end(), {"--wave-start", std::to_string(start), "--failure=" + std::to_string(cycle) + "=" + trigger_name});
    if (run_again(std::move(arguments)))
        fmt::print(stderr, "retrace: waves in {}; look at them with: gtkwave {}.gtkw\n", settings.file, settings.file);
}

} // namespace

std::optional<failure_point> expected_failure(const wave_options& options) {
    if (options.failure.empty())
        return std::nullopt;
    failure_point point;
    const char* end = options.failure.data() + options.failure.size();
    const auto [stop, error] = std::from_chars(options.failure.data(), end, point.cycle);
    if (error != std::errc() || stop == end || *stop != '=')
        throw config_error("--failure", "write CYCLE=NAME or CYCLE=NAME=SCOPE");
    point.what = stop + 1;
    if (const std::size_t scope = point.what.find('='); scope != std::string::npos) {
        point.scope = point.what.substr(scope + 1);
        point.what.resize(scope);
    }
    return point;
}

std::vector<std::string> arguments_of(const wave_options& o) {
    if (o.file.empty())
        return {};
    std::vector<std::string> a{"--waves", std::filesystem::absolute(o.file).string(), "--wave-start", std::to_string(o.start), "--wave-stop",
                               std::to_string(o.stop), "--wave-before", std::to_string(o.before), "--wave-max", o.max};
    if (!o.trigger.empty())
        a.insert(a.end(), {"--wave-trigger", o.trigger});
    for (const std::string& scope : o.scopes)
        a.insert(a.end(), {"--wave-scope", scope});
    return a;
}

std::optional<wave_settings> wave_choice(const wave_options& options, npu_config& config, trigger_mode mode) {
    if (options.file.empty()) {
        if (!options.scopes.empty() || !options.trigger.empty() || options.start != 0 || options.stop != ~std::uint64_t{0})
            throw config_error("--waves", "which file? --waves out.fst goes with --wave-scope, --wave-start, --wave-stop and --wave-trigger");
        return std::nullopt;
    }
    wave_settings settings;
    settings.file = options.file;
    settings.scopes = options.scopes;
    settings.start = options.start;
    settings.stop = options.stop;
    if (options.failure.empty()) // it has come
        settings.trigger = options.trigger;
    settings.before = options.before;
    try {
        settings.max_bytes = parse_bytes(options.max);
    } catch (const value_error& e) {
        throw config_error("--wave-max", e.what());
    }
    if (!fst_available() && settings.file.ends_with(".fst")) {
        settings.file.replace(settings.file.size() - 4, 4, ".vcd");
        fmt::print(stderr, "retrace: this build writes no FST (it was made without Verilator, which brings the writer): the waves go to {}\n", settings.file);
    }
    std::vector<std::string> looked_at = settings.scopes;
    if (!settings.trigger.empty()) {
        if (mode == trigger_mode::run_again)
            looked_at.clear(); // it is the second run that draws
        looked_at.push_back(settings.trigger);
    }
    if (config.array.implementation == "kernel" && means_pes(looked_at, config.array)) {
        const bool taken = std::any_of(config.array.windows.begin(), config.array.windows.end(),
                                       [&](const auto& w) { return w.start < settings.stop && settings.start < w.stop; });
        // Somewhat earlier, so that the registers hold what they would hold.
        if (!taken)
            config.array.windows.push_back({settings.start > warm_up ? settings.start - warm_up : 0, settings.stop, "stepped"});
    }
    return settings;
}

trigger_watch::trigger_watch(const wave_settings& settings, trace::probe_registry& probes)
    : probes_(probes), start_(settings.start), stop_(settings.stop) {
    check_names(settings, probes);
    probes.listen(this, [&](const trace::probe& p) { return p.name == settings.trigger; });
}

void trigger_watch::change(trace::probe_id, trace::cycle_t cycle, std::uint64_t bits) {
    if (!cycle_ && bits != 0 && cycle >= start_ && cycle < stop_)
        cycle_ = cycle;
}

wave_session::wave_session(const wave_settings& settings, simulated_port& port, bool integers, trigger_mode mode) : settings_(settings) {
    if (!settings.trigger.empty() && mode == trigger_mode::run_again)
        watch_.emplace(settings, port.probes());
    else
        recorder_.emplace(settings, port.probes(), port.femtoseconds_per_cycle(), [&port] { return port.cycles(); });
    view_.integer_words = integers;
    recording = this;
    // On a stack of its own: those of the kernel's threads are small.
    static std::vector<char> stack(1 << 20);
    stack_t place{};
    place.ss_sp = stack.data();
    place.ss_size = stack.size();
    sigaltstack(&place, nullptr);
    struct sigaction action{};
    action.sa_handler = on_abort;
    action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    sigaction(SIGABRT, &action, nullptr);
}

wave_session::~wave_session() {
    recording = nullptr;
    std::signal(SIGABRT, SIG_DFL);
    try {
        close();
    } catch (const std::exception&) { // there was an earlier error to tell
    }
}

void wave_session::on_abort(int) {
    // The simulation stands still in this very thread: the file can be closed as ever, unless memory is damaged; then the alarm ends it.
    alarm(10);
    if (wave_session* session = std::exchange(recording, nullptr)) {
        try {
            session->close();
        } catch (...) {
        }
    }
    std::raise(SIGABRT); // as if nobody had listened
}

void wave_session::mark(const failure_point& point) {
    markers_.push_back({point.cycle, point.what});
    view_.unfolded = point.scope;
}

void wave_session::close() {
    if (closed_)
        return;
    closed_ = true;
    if (!recorder_)
        return;
    recorder_->close();
    std::vector<wave_marker> markers = markers_;
    if (const auto cycle = recorder_->triggered())
        markers.push_back({*cycle, "trigger " + settings_.trigger});
    view_.last = recorder_->last();
    write_save_file(settings_.file, recorder_->signals(), recorder_->time(), markers, view_);
}

void wave_session::finish() {
    try {
        close();
    } catch (const wave_error& e) {
        throw std::runtime_error(e.what()); // not what was asked for, but the disk
    }
    if (watch_) {
        if (const auto cycle = watch_->cycle())
            record_trigger(settings_, *cycle);
        else
            fmt::print(stderr, "retrace: waves: no {}: {} never became other than 0\n", settings_.file, settings_.trigger);
    } else if (const std::string remarks = recorder_->remarks(); !remarks.empty()) {
        fmt::print(stderr, "retrace: waves: {}\n", remarks);
    }
}

int judge_again(const failure_point& expected, const std::optional<failure_point>& found) {
    if (expected.what == trigger_name || (found && found->cycle == expected.cycle))
        return success;
    fmt::print(stderr, "retrace: the second run {}: please report this, runs are to be deterministic\n",
               found ? fmt::format("failed at cycle {}, not {}", found->cycle, expected.cycle) : "did not fail");
    return program_fault;
}

void remember_command_line(int argc, char** argv) { command_line.assign(argv, argv + argc); }

void record_failure(const std::filesystem::path& folder, const failure_point& point, const npu_config& config) {
    const std::string file = (folder / (fst_available() ? "failure.fst" : "failure.vcd")).string();
    const std::uint64_t start = point.cycle > cycles_before ? point.cycle - cycles_before : 0;
    std::vector<std::string> arguments = command_line;
    // Options may come last: the later ones of the same name count, and what was recorded by hand is not recorded again.
    for (const std::string& a :
         {std::string("--waves"), file, std::string("--wave-start"), std::to_string(start), std::string("--wave-stop"),
          std::to_string(point.cycle + cycles_after), "--failure=" + std::to_string(point.cycle) + "=" + point.what + (point.scope.empty() ? "" : "=" + point.scope)})
        arguments.push_back(a);
    if (config.array.rows * config.array.columns <= most_pes)
        arguments.insert(arguments.end(), {"--wave-scope", "npu0.*"});
    fmt::print(stderr, "retrace: running again up to cycle {} to record the waves before the {} (--no-failure-waves: not)\n", point.cycle, point.what);
    if (run_again(std::move(arguments)))
        fmt::print(stderr, "retrace: waves of cycles {} to {} in {}; look at them with: gtkwave {}.gtkw\n", start, point.cycle + cycles_after, file, file);
}

} // namespace retrace::cli
