// Fuzz target of the device's front: the real firmware on the real core behind the real register blocks. Whatever descriptors,
// doorbells and register writes a host comes up with, the firmware does not trap, every entry that an accepted doorbell names
// gets one completion, a doorbell is accepted or refused as the manual says (hw/README.md, 6), the rules that
// tests/unit/control/test_device.h watches hold, and a sound command afterwards runs.
//
// Input: ring sizes (1 byte), then actions of a byte and its arguments, see act().
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/unit/control/test_host.h"

// What the firmware does is data to the compiler: its jumps are shown to libFuzzer as counters of their own.
#ifdef RETRACE_FUZZ
__attribute__((section("__libfuzzer_extra_counters"))) static std::uint8_t firmware_jumps[1u << 14];
#endif

namespace {

using namespace retrace;
namespace regs = spec::host_block;
using status = spec::command_status;

constexpr unsigned most_actions = 100, most_resets = 2;
constexpr std::uint64_t patience = 20'000'000; ///< cycles

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

/// Memories just large enough: every input has a device of its own.
npu_config small_config() {
    npu_config config = test_config();
    config.device_dram.capacity_bytes = 512u << 10;
    config.device_dram.regions = {{spec::region_kind::activations, 128u << 10},
                                  {spec::region_kind::gradients, 64u << 10},
                                  {spec::region_kind::weights, 192u << 10},
                                  {spec::region_kind::programs, 64u << 10}};
    return config;
}

class input {
public:
    input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    bool empty() const { return size_ == 0; }
    unsigned byte() {
        std::uint8_t value = 0;
        take(&value, 1);
        return value;
    }
    unsigned half() {
        const unsigned low = byte();
        return low | byte() << 8;
    }
    std::uint32_t word() {
        const std::uint32_t low = half();
        return low | std::uint32_t{half()} << 16;
    }
    /// The next bytes; zeros behind the end.
    void take(void* to, std::size_t bytes) {
        const std::size_t got = std::min(bytes, size_);
        std::memcpy(to, data_, got);
        std::memset(static_cast<std::uint8_t*>(to) + got, 0, bytes - got);
        data_ += got, size_ -= got;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

class session {
public:
    session(const std::uint8_t* data, std::size_t size) : in_(data, size), device_(1, small_config()) {
        device_.mover_latency_low = 20, device_.mover_latency_high = 400;
        device_.script = [this](const engine_run&) { return outcome(); };
#ifdef RETRACE_FUZZ
        device_.core().set_hook([this](const riscv_retired& r) {
            if (r.pc != last_pc_ + 4)
                ++firmware_jumps[(r.pc >> 2 ^ last_pc_ << 3) % sizeof firmware_jumps];
            last_pc_ = r.pc;
        });
#endif
        const unsigned sizes = in_.byte();
        submission_entries_ = 2u << sizes % 5, completion_entries_ = 2u << sizes / 5 % 5;
        connect();
    }

    void run() {
        for (unsigned n = 0; n < most_actions && !in_.empty(); ++n) {
            act(in_.byte());
            require(host_->read(regs::status) == regs::status_ready_mask, "the firmware is ready and has not trapped");
        }
        ring(host_->tail);
        collect(submitted_.size());
        outcomes_.clear();
        repeat_head();
        put(host_->command(1, 3));
        ring(host_->tail);
        const auto last = host_->collect(1, patience);
        require(last.size() == 1 && static_cast<status>(last[0].status) == status::ok, "a sound command runs afterwards");
        require(host_->collect(1, 10'000).empty(), "nothing completes twice");
        require(host_->read(regs::status) == regs::status_ready_mask, "the firmware has not trapped");
        for (const auto& each : device_.violations())
            std::fprintf(stderr, "%s\n", each.c_str());
        require(device_.violations().empty(), "the device's rules hold");
    }

private:
    void connect() {
        host_.emplace(device_, submission_entries_, completion_entries_);
        submitted_.clear();
        accepted_ = 0;
        expected_ = 1;
        head_hidden_ = false;
        put(host_->command()); // the first doorbell takes the rings' geometry over
        ring(host_->tail);
        collect(1);
    }

    void act(unsigned action) {
        switch (action % 12) {
        case 0: return put(sound());
        case 1: return ring(host_->tail);
        case 2: { // a few bytes of a sound descriptor
            spec::command c = sound();
            for (unsigned n = 1 + in_.byte() % 8; n-- > 0;) {
                const unsigned at = in_.half() % sizeof c;
                reinterpret_cast<std::uint8_t*>(&c)[at] = static_cast<std::uint8_t>(in_.byte());
            }
            return put(c);
        }
        case 3: { // any descriptor; `sequence` as it should be or as it comes
            spec::command c;
            const bool numbered = in_.byte() % 2;
            in_.take(&c, sizeof c);
            if (numbered)
                c.sequence = host_->next_sequence;
            return put(c);
        }
        case 4: return put(ordered());
        case 5: return ring(in_.half());
        case 6: return move_head(in_.half());
        case 7: return device_.run_until(device_.now() + in_.half() * 4u);
        case 8: return set_register(in_.half(), in_.word());
        case 9: return outcomes_.push_back(in_.half());
        case 10: return collect(1);
        default:
            if (resets_++ < most_resets)
                connect();
        }
    }

    // --- descriptors

    spec::command sound() {
        const unsigned shape = in_.byte();
        return host_->command(shape % 7, shape / 7 % 17);
    }

    /// Sound in itself, with waits, working sets and engines that get into the way of others; or a load.
    spec::command ordered() {
        spec::command c = sound();
        const unsigned kind = in_.byte();
        for (unsigned i = 0; i < c.program_count; ++i)
            c.program_engine[i] = static_cast<std::uint8_t>((kind + i) % 7);
        for (auto& wait : c.wait)
            if (const unsigned back = in_.byte() % 32; back != 0 && back < c.sequence)
                wait = c.sequence - back;
        const unsigned work = in_.byte();
        c.work_base = work % 8 * 65536, c.work_bytes = work / 8 % 3 * 65536;
        c.psum_first = static_cast<std::uint16_t>(work / 24 % 4), c.psum_count = static_cast<std::uint16_t>(work / 96);
        if (kind >= 192) {
            const std::uint32_t bytes = 1 + in_.half() % 12000;
            std::uint32_t programs = 0;
            device_.registers().core_read(spec::control_block::program_base, programs);
            c.opcode = static_cast<std::uint8_t>(spec::command_opcode::load);
            c.program_count = 0, c.operand_count = 2;
            c.operands[0] = {spec::host_window_base + in_.half(), bytes, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::host), 1, 0};
            c.operands[1] = {programs + in_.half() % 32768u, bytes, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::device_dram), 2, 0};
        }
        return c;
    }

    void put(const spec::command& c) {
        while (((host_->tail - host_->read(regs::sq_head)) & (2 * submission_entries_ - 1)) >= submission_entries_) {
            ring(host_->tail); // no room: hand over what is there, and wait
            collect(1);
        }
        host_->put(c);
        host_->next_sequence += c.sequence == host_->next_sequence ? 1 : 0;
    }

    // --- registers

    void ring(unsigned tail) {
        const std::uint32_t modulo = 2 * submission_entries_, head = host_->read(regs::sq_head);
        const std::uint32_t held = (accepted_ - head) & (modulo - 1), asked = (tail - head) & (modulo - 1);
        const bool valid = tail < modulo && asked >= held && asked <= submission_entries_;
        host_->write(regs::sq_doorbell, tail);
        std::uint32_t taken = 0;
        device_.registers().core_read(spec::control_block::sq_tail, taken);
        require(taken == (valid ? tail : accepted_), "a doorbell is accepted when it is valid, and only then");
        if (!valid) {
            require(host_->read(regs::ring_error) ==
                        (static_cast<std::uint32_t>(spec::ring_error::bad_tail) | tail << regs::ring_error_value_shift),
                    "a refused doorbell is reported");
            return;
        }
        for (; accepted_ != tail; accepted_ = (accepted_ + 1) % modulo) {
            spec::command c;
            const auto at = test_host::submission_at + accepted_ % submission_entries_ * spec::command_bytes;
            std::memcpy(&c, device_.host_memory.data() + at, sizeof c);
            submitted_.emplace(c.sequence, c.sequence != expected_);
            expected_ += c.sequence == expected_ ? 1 : 0;
        }
        host_->tail = tail;
        host_->next_sequence = expected_;
    }

    /// Only what must be refused, or changes nothing: a head that is believed gives entries away before they were read.
    void move_head(unsigned head) {
        const std::uint32_t modulo = 2 * completion_entries_, ahead = (head - host_->head) & (modulo - 1);
        if (head >= modulo || ahead == 0 || ahead > completion_entries_) {
            host_->write(regs::cq_head, head);
            head_hidden_ = true;
        }
    }

    /// The register holds what was written last: a head that is refused may hide a good one that the firmware had not read yet.
    void repeat_head() {
        if (head_hidden_)
            host_->write(regs::cq_head, host_->head);
        head_hidden_ = false;
    }

    void set_register(unsigned offset, std::uint32_t value) {
        const unsigned word = offset & ~3u;
        (void)host_->read(offset);
        if (word != regs::control && word != regs::sq_doorbell && word != regs::cq_head)
            host_->write(offset, value);
    }

    // --- what the device does

    engine_outcome outcome() {
        if (outcomes_.empty())
            return {100};
        const unsigned word = outcomes_[next_outcome_++ % outcomes_.size()];
        const auto fault = static_cast<spec::engine_fault>(word % 256 < 200 ? 0 : word % 256 % spec::engine_fault_count);
        return {1 + word / 256 * 16, fault == spec::engine_fault::aborted ? spec::engine_fault::none : fault, word, word};
    }

    void collect(std::size_t count) {
        count = std::min(count, submitted_.size());
        auto all = host_->collect(count, patience);
        if (all.size() != count && head_hidden_) {
            repeat_head();
            const auto rest = host_->collect(count - all.size(), patience);
            all.insert(all.end(), rest.begin(), rest.end());
        }
        require(all.size() == count, "every command gets its completion");
        for (const spec::completion& c : all) {
            require(c.status < spec::command_status_count && c.fault < spec::engine_fault_count, "a completion has codes that exist");
            const auto found = submitted_.find({c.sequence, static_cast<status>(c.status) == status::bad_sequence});
            require(found != submitted_.end(), "what completes was submitted, and is refused for its number only if that is wrong");
            submitted_.erase(found);
        }
    }

    input in_;
    test_device device_;
    std::optional<test_host> host_;
    unsigned submission_entries_ = 0, completion_entries_ = 0, resets_ = 0;
    std::uint32_t accepted_ = 0; ///< tail of the last accepted doorbell
    std::uint32_t expected_ = 1; ///< next number in sequence
    bool head_hidden_ = false;   ///< a head that is no good stands in the register
    std::multiset<std::pair<std::uint32_t, bool>> submitted_; ///< not yet completed: number, and whether it is out of sequence
    std::vector<unsigned> outcomes_;                          ///< of engine runs, one after the other and again from the first
    std::size_t next_outcome_ = 0;
#ifdef RETRACE_FUZZ
    std::uint32_t last_pc_ = 0;
#endif
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    session(data, size).run();
    return 0;
}
