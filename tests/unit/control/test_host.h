#pragma once
// A host without a driver, for tests that must do what a driver never would: it writes descriptors and
// registers as told and collects what appears in the completion ring. Host memory: submission ring at 64 KiB,
// completion ring at 128 KiB.
#include <cstdint>
#include <vector>

#include "tests/unit/control/test_device.h"

namespace retrace {

class test_host {
public:
    static constexpr std::uint64_t submission_at = 64u << 10, completion_at = 128u << 10, message_at = 8;

    /// Loads the firmware, releases the core and waits until it is ready. Throws std::runtime_error if it
    /// never is.
    explicit test_host(test_device& device, std::uint32_t submission_entries = 16,
                       std::uint32_t completion_entries = 16);

    std::uint32_t read(std::uint32_t offset);
    void write(std::uint32_t offset, std::uint32_t value);

    /// A valid `run` command with the next number, `programs` programs on engines 0.. and `operands`
    /// operands.
    spec::command command(unsigned programs = 1, unsigned operands = 0);

    /// Puts a descriptor behind the tail, whatever is there, without doorbell.
    void put(const spec::command& command);
    void ring();
    void submit(const spec::command& command) { put(command), ring(); }

    /// Runs until `count` more completions have been consumed, and returns them; fewer if `limit` cycles pass
    /// first.
    std::vector<spec::completion> collect(std::size_t count, std::uint64_t limit = 2'000'000);
    spec::completion collect_one();
    bool release_room = true; ///< write cq_head as completions are consumed

    std::uint32_t next_sequence = 1;
    std::uint32_t tail = 0, head = 0; ///< modulo 2 * entries

private:
    bool take(std::vector<spec::completion>& out);

    test_device& device_;
    std::uint32_t submission_entries_, completion_entries_;
    std::uint32_t consumed_ = 0;
};

} // namespace retrace
