#include <cstddef>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "tests/system/ordering_bench.h"

namespace retrace::test {

namespace {

namespace regs = spec::host_block;

constexpr unsigned commands = 400;

/// The rings by hand. The driver has only brought the device up.
class ring_user {
public:
    ring_user(const ordering_setup& setup, simulated_port& platform, forgetful_port& door, device& npu)
        : random_(setup.seed), platform_(platform), door_(door), submission_entries_(setup.submission_entries),
          completion_entries_(setup.completion_entries) {
        const auto held = npu.host().range().allocations(); // the driver's: its two rings
        if (held.size() != 2 || held[0].bytes != submission_entries_ * spec::command_bytes)
            throw std::logic_error("the driver's rings are not where this test looks for them");
        submission_ = door_.host_memory().subspan(held[0].address - door_.host_memory_address(), held[0].bytes);
        completion_ = door_.host_memory().subspan(held[1].address - door_.host_memory_address(), held[1].bytes);
        for (std::uint32_t n = 1; n <= commands; ++n)
            outstanding_.insert(n);
    }

    void run() {
        while (!outstanding_.empty()) {
            const bool submitted = submit();
            if (lazy_ > 0) {
                --lazy_;
                watch();
                platform_.compute(1 + random_() % 500);
                continue;
            }
            const bool consumed = consume(1 + random_() % (2 * completion_entries_));
            if (random_() % 8 == 0)
                lazy_ = random_() % 24; // some of it goes unread
            if (!submitted && !consumed)
                sleep();
        }
        check_errors();
        door_.read_barrier();
        if (valid_at(consumed_) == consumed_ / completion_entries_ + 1)
            throw std::runtime_error("a completion more than there were commands");
    }

private:
    bool submit() {
        if (sequence_ > commands)
            return false;
        const std::uint32_t modulo = 2 * submission_entries_;
        const std::uint32_t room = submission_entries_ - ((tail_ - door_.read_register(regs::sq_head)) & (modulo - 1));
        if (room == 0)
            return false;
        for (auto n = 1 + random_() % room; n > 0 && sequence_ <= commands; --n) {
            spec::command c;
            c.opcode = static_cast<std::uint8_t>(spec::command_opcode::nop);
            c.sequence = sequence_;
            if (sequence_ > 1 && random_() % 2)
                c.wait[0] = sequence_ - 1;
            std::memcpy(submission_.data() + tail_ % submission_entries_ * spec::command_bytes, &c, sizeof c);
            tail_ = (tail_ + 1) % modulo;
            ++sequence_;
        }
        door_.write_barrier();
        door_.write_register(regs::sq_doorbell, tail_);
        return true;
    }

    const std::byte* place_of(std::uint32_t position) const {
        return completion_.data() + position % completion_entries_ * spec::completion_bytes;
    }

    std::uint32_t valid_at(std::uint32_t position) const {
        std::uint32_t valid = 0;
        std::memcpy(&valid, place_of(position) + offsetof(spec::completion, valid), sizeof valid);
        return valid;
    }

    /// The entry at `position`, if it is there; it must be the one that it was when it was seen first.
    bool look(std::uint32_t position, spec::completion& entry) {
        const std::uint32_t pass = position / completion_entries_ + 1, valid = valid_at(position);
        if (valid != pass) {
            if (valid != pass - 1)
                throw std::runtime_error(fmt::format("completion {}: pass {} stands where pass {} was not read yet", position, valid, pass));
            return false;
        }
        door_.read_barrier();
        std::memcpy(&entry, place_of(position), sizeof entry);
        const auto [seen, first] = seen_.emplace(position, entry);
        if (!first && !(seen->second == entry))
            throw std::runtime_error(fmt::format("completion {} was overwritten before it was consumed", position));
        return true;
    }

    /// Looks without consuming.
    void watch() {
        spec::completion entry;
        for (std::uint32_t i = 0; i < completion_entries_ && look(consumed_ + i, entry); ++i) {
        }
    }

    bool consume(std::uint64_t most) {
        spec::completion entry;
        std::uint64_t n = 0;
        for (; n < most && look(consumed_, entry); ++n) {
            if (entry.status != static_cast<std::uint8_t>(spec::command_status::ok))
                throw std::runtime_error(
                    fmt::format("command {}: {}", entry.sequence, spec::name_of(static_cast<spec::command_status>(entry.status))));
            if (outstanding_.erase(entry.sequence) == 0)
                throw std::runtime_error(fmt::format("a completion for command {}, which is not under way", entry.sequence));
            seen_.erase(consumed_++);
            door_.write_register(regs::cq_head, consumed_ % (2 * completion_entries_));
        }
        return n != 0;
    }

    void sleep() {
        door_.wait_interrupt(forgetful_port::patience);
        door_.write_register(regs::irq_status, regs::irq_status_completion_mask);
        check_errors();
        door_.read_barrier();
        spec::completion entry;
        if (door_.slept_in_vain() != 0)
            throw std::runtime_error(look(consumed_, entry) ? "an interrupt was lost: a completion is there" : "a command never completes");
    }

    void check_errors() {
        if ((door_.read_register(regs::irq_status) & regs::irq_status_error_mask) == 0)
            return;
        if ((door_.read_register(regs::status) & regs::status_trapped_mask) != 0)
            throw std::runtime_error("the firmware has trapped");
        const std::uint32_t error = door_.read_register(regs::ring_error);
        throw std::runtime_error(fmt::format("ring error {}, value {:#x}",
                                             spec::name_of(static_cast<spec::ring_error>(error & regs::ring_error_code_mask)),
                                             error >> regs::ring_error_value_shift));
    }

    std::mt19937_64 random_;
    simulated_port& platform_;
    forgetful_port& door_;
    std::uint32_t submission_entries_, completion_entries_;
    std::span<std::byte> submission_, completion_;
    std::uint32_t tail_ = 0, sequence_ = 1, consumed_ = 0;
    std::uint64_t lazy_ = 0;
    std::set<std::uint32_t> outstanding_;
    std::map<std::uint32_t, spec::completion> seen_; ///< and not yet consumed, by position
};

} // namespace

void greedy_host(const ordering_setup& setup, simulated_port& platform, forgetful_port& door, device& npu) {
    ring_user(setup, platform, door, npu).run();
}

} // namespace retrace::test
