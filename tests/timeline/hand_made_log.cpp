#include "tests/timeline/hand_made_log.h"

#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sim/timeline/machine.h"
#include "tlm/core/memory/tagged_memory.h"

namespace retrace::test {

hand_made_log::hand_made_log(std::vector<std::uint32_t> tile_steps) {
    std::string name = (std::filesystem::temp_directory_path() / "retrace-timeline-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot create a folder for the test");
    folder_ = name;
    log_ = std::make_unique<sqlite_log>(file("events.sqlite"), std::move(tile_steps));
    tagged_memory none("device_dram", spec::memory_kind::device_dram, 64, 1, 0, nullptr);
    describe_machine(*log_, npu_config{}, none);
    log_->read_programs_with(
        [this](unsigned, std::uint64_t, std::span<std::byte> to) { std::memcpy(to.data(), code_.data(), to.size()); });
    log_->name_tensor(3, "IO_3");
    log_->name_tensor(4, "W_4");
}

hand_made_log::~hand_made_log() {
    log_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string hand_made_log::close() {
    log_->close();
    return file("events.sqlite");
}

void hand_made_log::change(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(close().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
}

void hand_made_log::begin(std::uint32_t sequence, std::uint32_t step, std::uint64_t cycle, std::vector<spec::operand> operands,
                          spec::phase phase, unsigned context) {
    trace::command_event c;
    c.sequence = sequence;
    c.step = step;
    c.layer = 3;
    c.context = context;
    c.phase = phase;
    c.what = trace::command_event::moment::submitted;
    c.cycle = cycle - 5;
    log_->on(c);
    c.what = trace::command_event::moment::begun;
    c.cycle = cycle;
    c.waits = {sequence - 1, 0, 0, 0};
    c.operands = operands;
    log_->on(c);
}

void hand_made_log::end(std::uint32_t sequence, std::uint64_t cycle, unsigned context) {
    trace::command_event c;
    c.sequence = sequence;
    c.context = context;
    c.what = trace::command_event::moment::ended;
    c.cycle = cycle;
    log_->on(trace::occupancy_event{cycle, 0, "activations", sequence, cycle * 2, cycle * 3});
    log_->on(c);
    c.what = trace::command_event::moment::seen;
    c.cycle = cycle + 4;
    log_->on(c);
}

void hand_made_log::program_bytes(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint64_t cycle,
                                  std::vector<std::byte> code) {
    code_ = std::move(code);
    trace::program_event e;
    e.what = trace::program_event::moment::begun;
    e.cycle = cycle;
    e.engine = engine;
    e.sequence = sequence;
    e.step = step;
    e.address = 64 * engine;
    e.count = static_cast<std::uint32_t>(code_.size() / spec::instruction_bytes);
    log_->timing(e);
}

void hand_made_log::program(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint64_t cycle,
                            std::vector<spec::matrix_instruction> code) {
    std::vector<std::byte> bytes(code.size() * spec::instruction_bytes);
    std::memcpy(bytes.data(), code.data(), bytes.size());
    program_bytes(sequence, step, engine, cycle, std::move(bytes));
}

void hand_made_log::instruction(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint32_t pc,
                                spec::opcode opcode, std::uint64_t taken, std::uint64_t begun, std::uint64_t ended) {
    trace::instruction_event e;
    e.taken = taken;
    e.begun = begun;
    e.ended = ended;
    e.engine = engine;
    e.sequence = sequence;
    e.step = step;
    e.pc = pc;
    e.opcode = opcode;
    log_->timing(e);
}

spec::matrix_instruction instruction_with(spec::opcode opcode, unsigned wait, unsigned wait_count, unsigned signal,
                                          unsigned signal_count) {
    spec::matrix_instruction i;
    i.opcode = static_cast<std::uint8_t>(opcode);
    i.wait0 = static_cast<std::uint8_t>(wait);
    i.wait0_count = static_cast<std::uint8_t>(wait_count);
    i.signal0 = static_cast<std::uint8_t>(signal);
    i.signal0_count = static_cast<std::uint8_t>(signal_count);
    i.rows = 8;
    i.columns = 16;
    return i;
}

} // namespace retrace::test
