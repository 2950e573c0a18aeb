#pragma once
// Hosts that notice when payload, doorbell, completion and interrupt come in a wrong order. Each keeps the device busy for some hundred
// commands, checks everything that the manual promises about order (hw/README.md, 6), and ends at the first promise that is not kept.
#include <functional>
#include <string>
#include <vector>

#include "host/driver/device.h"
#include "tests/system/forgetful_port.h"
#include "tests/system/system_bench.h"

namespace retrace::test {

struct ordering_setup {
    stress_settings stress;
    unsigned submission_entries = 64, completion_entries = 64;
    forgotten_barrier forgotten = forgotten_barrier::none;
    std::string firmware;   ///< file of an image; empty: the program's own
    std::uint64_t seed = 1; ///< of what the host does
};

struct ordering_outcome {
    std::string wrong; ///< the promise that was not kept; empty: none
    std::uint64_t cycles = 0;
};

/// Host code on a fresh device whose firmware runs; throws std::exception for what is wrong.
using ordering_host = std::function<void(const ordering_setup&, simulated_port&, forgetful_port&, device&)>;

/// Runs it in a process of its own. A hang, a trap and a lost interrupt are wrong, whoever the host is.
ordering_outcome outcome_of(const ordering_setup& setup, const ordering_host& host);

/// With the driver: rounds of load, upload and download in several lanes. A lane's payload, program and results are overwritten as soon as
/// its completions have been waited for. Then some commands alone.
void driver_host(const ordering_setup& setup, simulated_port& platform, forgetful_port& door, device& npu);

/// With the driver: the device is reset again and again, mostly with commands in flight and completions that nobody has seen. What is said
/// about a command must be about the one that was launched since.
void resetting_host(const ordering_setup& setup, simulated_port& platform, forgetful_port& door, device& npu);

/// Without the driver, as greedy as the manual allows: a place of the submission ring is written again as soon as sq_head has passed it,
/// completions lie about unread, the host polls and sleeps in turn.
void greedy_host(const ordering_setup& setup, simulated_port& platform, forgetful_port& door, device& npu);

/// Everything held back, delayed and reordered; by how much goes by the seed.
stress_settings full_stress(std::uint64_t seed);

/// The setups that a firmware or driver has to stand: seeds 1 .. `seeds`, over rings of all kinds.
std::vector<ordering_setup> all_setups(unsigned seeds);

} // namespace retrace::test
