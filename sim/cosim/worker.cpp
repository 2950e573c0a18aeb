#include "sim/cosim/worker.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "sim/cosim/comparison.h"
#include "sim/platform/failure_point.h"
#include "sim/support/sha256.h"
#include "tlm/core/array/array_mismatch.h"

namespace retrace::cosim {

namespace {

constexpr std::size_t told_transactions = 32;

/// The last transactions that ended up to the cycle, a line each.
std::string transactions(const device_run& device, const prepared_case& p, std::uint64_t until) {
    std::vector<const trace::access_event*> chosen;
    for (const trace::access_event& e : device.recorder().accesses())
        if (e.end <= until)
            chosen.push_back(&e);
    if (chosen.empty())
        return {};
    const std::size_t first = chosen.size() > told_transactions ? chosen.size() - told_transactions : 0;
    std::string text = fmt::format("the last {} transactions until then:\n", chosen.size() - first);
    for (std::size_t i = first; i < chosen.size(); ++i)
        if (const std::uint32_t sequence = device.reference_sequence(chosen[i]->sequence))
            text += "  " + describe(*chosen[i], p.emitted.commands[sequence - 1].command + 1) + "\n";
    return text;
}

std::string checksum(const memory_image& m) {
    sha256 sum;
    for (const auto* bytes : {&m.host, &m.dram, &m.state_buffer, &m.psum})
        sum.add(*bytes);
    return sum.hex();
}

void fail(case_result& r, verdict what, const char* kind, const std::exception& error, const device_run& device) {
    const std::string text = error.what();
    r.what = what;
    if (const auto point = locate(error, &device.platform())) {
        r.failed_at = point->cycle;
        r.look_at = point->scope;
    }
    r.kind = kind;
    const std::size_t line = text.find('\n');
    r.sentence = text.substr(0, line);
    if (line != std::string::npos)
        r.report = text.substr(line + 1) + "\n";
}

void judge_timing(const prepared_case& p, const device_run& device, const std::function<void(timing_log&)>& forge, case_result& r) {
    timing_log log = device.times();
    if (forge)
        forge(log);
    const auto found = check_timing(device.config(), log, device.timed_commands(p));
    if (found.empty()) {
        r.what = verdict::pass;
        return;
    }
    r.what = verdict::mismatch;
    r.kind = "timing";
    r.failed_at = found.front().cycle;
    r.sentence = fmt::format("cycle {}: {}", found.front().cycle, found.front().sentence);
    if (found.size() > 1)
        r.report += "what follows from it or comes later:\n";
    for (std::size_t i = 1; i < found.size(); ++i)
        r.report += fmt::format("  cycle {}: {}\n", found[i].cycle, found[i].sentence);
    r.report += transactions(device, p, found.front().cycle);
}

void judge(const test_case& c, const prepared_case& p, const interpreter& reference, const device_run& device,
           const memory_image& image, const std::function<void(timing_log&)>& forge, case_result& r) {
    r.cycles = device.cycles();
    r.checksum = checksum(image);
    const finish_cycle cycle_of = [&](std::uint32_t sequence, unsigned engine, std::uint32_t pc) -> std::optional<std::uint64_t> {
        for (const trace::access_event& e : device.recorder().accesses())
            if (e.write && e.engine == engine && e.pc == pc && device.reference_sequence(e.sequence) == sequence)
                return e.end;
        return {};
    };
    const auto difference = compare(c, p, reference, image, device.expected_host(reference), cycle_of);
    if (!difference) {
        judge_timing(p, device, forge, r);
        return;
    }
    r.what = verdict::mismatch;
    r.kind = difference->kind;
    r.sentence = difference->sentence;
    if (difference->cycle != ~std::uint64_t{0})
        r.failed_at = difference->cycle;
    if (!difference->history.empty())
        r.report += "how the reference made it:\n" + difference->history;
    r.report += transactions(device, p, difference->cycle);
}

} // namespace

worked_case run_case(const test_case& c, const std::string& array, const std::function<void(memory_image&)>& tamper,
                     const std::function<void(timing_log&)>& forge, const device_companion& companion) {
    device_run device(c, array, companion);
    const prepared_case p = prepare(c, device.host_base());
    reference_options options;
    options.writers = true;
    const auto reference = run_reference(c, p, options);
    if (!reference->faults.empty())
        throw std::logic_error("the reference refuses the case: " + reference->faults.front());
    worked_case w{{}, cover(c, p, *reference)};
    case_result& r = w.result;
    r.seed = c.seed;
    r.commands = p.commands.size();
    for (const command& k : c.commands)
        r.operations += k.operations.size();
    r.instructions = p.emitted.program_bytes() / spec::instruction_bytes;
    try {
        device.run(p);
        memory_image image = device.image();
        if (tamper)
            tamper(image);
        judge(c, p, *reference, device, image, forge, r);
    } catch (const simulation_interrupted&) {
        throw;
    } catch (const simulation_error&) {
        throw; // says nothing about the device
    } catch (const simulation_hang& e) {
        fail(r, verdict::hang, "hang", e, device);
    } catch (const array_mismatch& e) {
        fail(r, verdict::mismatch, "array", e, device);
    } catch (const command_failure& e) {
        fail(r, verdict::failure, "command", e, device);
    } catch (const std::exception& e) {
        fail(r, verdict::failure, "model", e, device);
    }
    if (r.what != verdict::pass && r.checksum.empty()) {
        r.cycles = device.cycles();
        r.report += transactions(device, p, ~std::uint64_t{0});
    }
    return w;
}

case_result work(const test_case& c, const std::string& array, const std::filesystem::path& folder, const device_companion& companion) {
    std::filesystem::create_directories(folder);
    write_text(folder / case_file, to_text(c));
    const worked_case w = run_case(c, array, {}, {}, companion);
    write_text(folder / coverage_file, w.covered.to_json());
    write_text(folder / result_file, to_json(w.result));
    return w.result;
}

std::string read_text(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error))
        throw case_error(fmt::format("{}: there is no such file", file.string()));
    if (const auto bytes = std::filesystem::file_size(file, error); error || bytes > (64u << 20))
        throw case_error(fmt::format("{}: larger than 64 MiB", file.string()));
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in)
        throw case_error(fmt::format("{}: cannot be read", file.string()));
    return text;
}

void write_text(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::path part = file;
    part += ".part";
    {
        std::ofstream out(part, std::ios::binary | std::ios::trunc);
        out << text;
        out.flush();
        if (!out)
            throw std::runtime_error(fmt::format("{} cannot be written: is the folder there, is there room?", file.string()));
    }
    std::filesystem::rename(part, file);
}

} // namespace retrace::cosim
