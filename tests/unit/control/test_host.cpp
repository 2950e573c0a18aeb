#include "tests/unit/control/test_host.h"

#include <cstring>
#include <stdexcept>

#include "firmware/firmware_image.h"

namespace retrace {

namespace {
namespace regs = spec::host_block;
}

test_host::test_host(test_device& device, std::uint32_t submission_entries, std::uint32_t completion_entries)
    : device_(device), submission_entries_(submission_entries), completion_entries_(completion_entries) {
    write(regs::control, 0);
    const auto image = control_firmware();
    for (std::size_t i = 0; i < image.size(); i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, image.data() + i, std::min<std::size_t>(4, image.size() - i));
        write(static_cast<std::uint32_t>(spec::firmware_window + i), word);
    }
    write(regs::sq_base_low, submission_at);
    write(regs::sq_base_high, 1);
    write(regs::sq_entries, submission_entries);
    write(regs::cq_base_low, completion_at);
    write(regs::cq_base_high, 1);
    write(regs::cq_entries, completion_entries);
    write(regs::msi_address_low, message_at);
    write(regs::msi_address_high, 1);
    write(regs::irq_enable, 3);
    std::memset(device.host_memory.data() + completion_at, 0, completion_entries * spec::completion_bytes);
    write(regs::control, regs::control_run_mask);
    if (!device.run_while_not([&] { return (read(regs::status) & regs::status_ready_mask) != 0; }, 100'000)) {
        throw std::runtime_error("test_host: the firmware does not become ready");
    }
}

std::uint32_t test_host::read(std::uint32_t offset) {
    std::uint32_t value = 0;
    device_.registers().host_read(offset, value);
    return value;
}

void test_host::write(std::uint32_t offset, std::uint32_t value) {
    device_.registers().host_write(offset, value);
}

spec::command test_host::command(unsigned programs, unsigned operands) {
    spec::command c;
    c.opcode =
        static_cast<std::uint8_t>(programs != 0 ? spec::command_opcode::run : spec::command_opcode::nop);
    c.sequence = next_sequence++;
    c.phase = static_cast<std::uint8_t>(spec::phase::forward);
    c.program_count = static_cast<std::uint8_t>(programs);
    c.operand_count = static_cast<std::uint8_t>(operands);
    std::uint32_t base = 0;
    device_.registers().core_read(spec::control_block::program_base, base);
    for (unsigned i = 0; i < programs; ++i) {
        c.program_engine[i] = static_cast<std::uint8_t>(i);
        c.programs[i] = {base + 4096 * i, 10 + i};
    }
    for (unsigned i = 0; i < operands; ++i) {
        const auto kind = static_cast<spec::memory_kind>(1 + i % 3);
        c.operands[i] = {kind == spec::memory_kind::host ? spec::host_window_base : 4096 * i,
                         1024,
                         i + 1,
                         1,
                         static_cast<std::uint8_t>(kind),
                         3,
                         0};
    }
    return c;
}

void test_host::put(const spec::command& command) {
    const std::uint64_t at = submission_at + tail % submission_entries_ * spec::command_bytes;
    std::memcpy(device_.host_memory.data() + at, &command, sizeof command);
    tail = (tail + 1) % (2 * submission_entries_);
}

void test_host::ring() { write(regs::sq_doorbell, tail); }

bool test_host::take(std::vector<spec::completion>& out) {
    spec::completion entry;
    const std::uint64_t at = completion_at + consumed_ % completion_entries_ * spec::completion_bytes;
    std::memcpy(&entry, device_.host_memory.data() + at, sizeof entry);
    if (entry.valid != consumed_ / completion_entries_ + 1) {
        return false;
    }
    out.push_back(entry);
    ++consumed_;
    head = consumed_ % (2 * completion_entries_);
    if (release_room) {
        write(regs::cq_head, head);
    }
    return true;
}

std::vector<spec::completion> test_host::collect(std::size_t count, std::uint64_t limit) {
    std::vector<spec::completion> out;
    device_.run_while_not(
        [&] {
            while (out.size() < count && take(out)) {
            }
            return out.size() == count;
        },
        limit);
    return out;
}

spec::completion test_host::collect_one() {
    const auto all = collect(1);
    if (all.empty()) {
        throw std::runtime_error("test_host: no completion arrives");
    }
    return all[0];
}

} // namespace retrace
