#include "tests/system/ordering_bench.h"

#include <charconv>
#include <fstream>
#include <iterator>

#include "firmware/firmware_image.h"

namespace retrace::test {

namespace {

std::vector<std::uint8_t> image_of(const ordering_setup& setup) {
    if (setup.firmware.empty())
        return {control_firmware().begin(), control_firmware().end()};
    std::ifstream in(setup.firmware, std::ios::binary);
    if (!in)
        throw std::runtime_error("there is no firmware " + setup.firmware);
    return {std::istreambuf_iterator<char>(in), {}};
}

npu_config device_of(const ordering_setup& setup) {
    npu_config c = load_npu("tiny", {"npu.host_link.host_memory=512KiB", "npu.watchdog_cycles=2000000"});
    c.check_protocol = true;
    c.stress = setup.stress;
    return c;
}

std::string run_here(const ordering_setup& setup, const ordering_host& host) {
    std::string wrong;
    std::uint64_t cycles = 0;
    const std::vector<std::uint8_t> firmware = image_of(setup); // a missing file is the test's fault: it ends the process
    try {
        simulated_port platform(device_of(setup), 0, nullptr);
        forgetful_port door(platform, setup.forgotten);
        device_options options;
        options.submission_entries = setup.submission_entries;
        options.completion_entries = setup.completion_entries;
        options.poll_cycles = forgetful_port::patience;
        auto opened = device::open(door, firmware, options);
        if (!opened)
            throw std::runtime_error(opened.failure().text);
        try {
            host(setup, platform, door, **opened);
            if (door.slept_in_vain() != 0)
                throw std::runtime_error("an interrupt was lost: the host slept in vain " + std::to_string(door.slept_in_vain()) +
                                         " times");
        } catch (const std::exception& e) {
            wrong = e.what();
        }
        cycles = platform.cycles();
    } catch (const std::exception& e) {
        wrong = e.what();
    }
    return std::to_string(cycles) + " " + wrong;
}

} // namespace

ordering_outcome outcome_of(const ordering_setup& setup, const ordering_host& host) {
    const std::string text = in_child([&] { return run_here(setup, host); });
    ordering_outcome outcome;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), outcome.cycles);
    if (error != std::errc())
        outcome.wrong = "the run's process said nothing";
    else
        outcome.wrong.assign(end + 1, text.data() + text.size());
    return outcome;
}

stress_settings full_stress(std::uint64_t seed) {
    switch (seed % 3) {
    case 0: return {seed, 30, 40, 3000, true};
    case 1: return {seed, 150, 200, 400, true};
    default: return {seed, 2500, 200, 40, true};
    }
}

std::vector<ordering_setup> all_setups(unsigned seeds) {
    constexpr unsigned rings[][2] = {{64, 64}, {2, 2}, {64, 4}, {4, 64}, {16, 8}, {2, 64}};
    std::vector<ordering_setup> setups;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        ordering_setup s;
        s.stress = full_stress(seed);
        s.submission_entries = rings[seed / 3 % std::size(rings)][0]; // full_stress() goes by seed % 3
        s.completion_entries = rings[seed / 3 % std::size(rings)][1];
        s.seed = seed;
        setups.push_back(s);
    }
    return setups;
}

} // namespace retrace::test
