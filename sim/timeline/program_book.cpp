#include "sim/timeline/program_book.h"

#include <algorithm>
#include <cstring>

namespace retrace {

namespace {

constexpr std::size_t kept_commands = 16;          ///< four run at a time
constexpr std::size_t kept_instructions = 200'000; ///< of programs that no command in commands_ runs
constexpr std::size_t kept_signals = 65'536;       ///< of a semaphore

} // namespace

program_book::program_book(log_reader& log)
    : log_(log),
      programs_(log, "SELECT engine, code FROM program WHERE device = ? AND sequence = ? AND code IS NOT NULL LIMIT 32"),
      codes_(log, "SELECT bytes FROM program_code WHERE code = ? ORDER BY pc LIMIT 4000000") {}

std::shared_ptr<const program_book::program_code> program_book::load(std::uint64_t number) {
    if (const auto known = cache_.find(number); known != cache_.end())
        return known->second;
    const auto code = std::make_shared<program_code>();
    codes_.reset();
    codes_.bind(number);
    while (codes_.next()) {
        const auto bytes = codes_.bytes(0);
        if (bytes.size() != spec::instruction_bytes)
            log_.refuse("an instruction in program_code has " + std::to_string(bytes.size()) + " bytes");
        std::memcpy(code->instructions.emplace_back().data(), bytes.data(), bytes.size());
    }
    if (cached_ + code->instructions.size() > kept_instructions) {
        cache_.clear();
        cached_ = 0;
    }
    cached_ += code->instructions.size();
    cache_[number] = code;
    return code;
}

program_book::command& program_book::command_of(const logged_instruction& i) {
    const auto found = std::find_if(commands_.begin(), commands_.end(),
                                    [&](const command& c) { return c.sequence == i.sequence && c.device == i.device; });
    if (found != commands_.end()) {
        commands_.splice(commands_.begin(), commands_, found);
        return commands_.front();
    }
    if (commands_.size() == kept_commands)
        commands_.pop_back();
    command& c = commands_.emplace_front();
    c.device = i.device;
    c.sequence = i.sequence;
    programs_.reset();
    programs_.bind(i.device, i.sequence);
    while (programs_.next()) {
        running_program& p = c.programs[static_cast<unsigned>(programs_.number(0))];
        p.code = load(programs_.number(1));
        std::array<std::uint64_t, 256> taken{};
        p.units.clear();
        for (const code_bytes& bytes : p.code->instructions) {
            const spec::instruction_header h = header(bytes);
            taken_units u;
            u.first0 = taken[h.wait0];
            taken[h.wait0] += h.wait0_count;
            u.first1 = taken[h.wait1];
            taken[h.wait1] += h.wait1_count;
            p.units.push_back(u);
        }
    }
    return c;
}

const program_book::code_bytes* program_book::code(const logged_instruction& i) {
    const command& c = command_of(i);
    const auto program = c.programs.find(i.engine);
    if (program == c.programs.end() || i.pc >= program->second.code->instructions.size())
        return nullptr;
    return &program->second.code->instructions[i.pc];
}

spec::instruction_header program_book::header(const code_bytes& code) const {
    spec::instruction_header h;
    std::memcpy(&h, code.data(), sizeof h);
    return h;
}

std::vector<semaphore_wait> program_book::waits(const logged_instruction& i) {
    std::vector<semaphore_wait> all;
    const code_bytes* bytes = code(i);
    if (!bytes)
        return all;
    const spec::instruction_header h = header(*bytes);
    command& c = commands_.front();
    const taken_units& units = c.programs[i.engine].units[i.pc];
    const auto add = [&](unsigned semaphore, unsigned count, std::uint64_t first) {
        if (count == 0 || semaphore >= spec::semaphores)
            return;
        semaphore_wait w{semaphore, count, {}};
        const auto& given = c.given[semaphore];
        auto at = std::upper_bound(given.begin(), given.end(), first,
                                   [](std::uint64_t unit, const given_units& g) { return unit < g.end; });
        for (std::uint64_t unit = first; at != given.end() && unit < first + count; unit = at->end, ++at) {
            if (w.givers.size() == most_givers)
                w.givers.erase(w.givers.begin());
            w.givers.push_back(at->by);
        }
        all.push_back(std::move(w));
    };
    add(h.wait0, h.wait0_count, units.first0);
    add(h.wait1, h.wait1_count, units.first1);
    return all;
}

void program_book::ended(const logged_instruction& i, const semaphore_wait::place& drawn) {
    const code_bytes* bytes = code(i);
    if (!bytes)
        return;
    const spec::instruction_header h = header(*bytes);
    command& c = commands_.front();
    const auto give = [&](unsigned semaphore, unsigned count) {
        if (count == 0 || semaphore >= spec::semaphores)
            return;
        auto& given = c.given[semaphore];
        given.push_back({(given.empty() ? 0 : given.back().end) + count, {i, drawn}});
        if (given.size() > kept_signals)
            given.pop_front();
    };
    give(h.signal0, h.signal0_count);
    give(h.signal1, h.signal1_count);
}

} // namespace retrace
