// The static checker of a command's programs (program.h says what it checks).
#include <algorithm>
#include <array>

#include "host/arithmetic.h"
#include "host/compiler/program.h"

namespace retrace::compiler {

namespace {

class checker {
public:
    checker(std::span<const engine_program> programs, std::span<const slot_limit> slots)
        : programs_(programs), slots_(slots) {}

    std::vector<std::string> run() {
        if (programs_.size() > spec::max_programs)
            faults_.push_back("a command has at most " + std::to_string(spec::max_programs) + " programs");
        if (slots_.size() > spec::max_operands)
            faults_.push_back("a command has at most " + std::to_string(spec::max_operands) + " operands");
        for (std::size_t p = 0; p < programs_.size(); ++p) {
            for (std::size_t q = 0; q < p; ++q)
                if (programs_[q].engine == programs_[p].engine)
                    faults_.push_back(engine_name(programs_[p].engine) + " has two programs");
            for (std::size_t n = 0; n < programs_[p].code.size(); ++n) {
                where_ = engine_name(programs_[p].engine) + " " + std::to_string(n);
                one(programs_[p].engine, programs_[p].code[n]);
            }
        }
        balance();
        // With one waiting engine per semaphore the order of service cannot matter; two opposite orders show
        // it.
        deadlock(false);
        deadlock(true);
        return std::move(faults_);
    }

private:
    void fault(const std::string& what) { faults_.push_back(where_ + ": " + what); }

    void one(unsigned engine, const instruction& i) {
        const auto header = header_of(i);
        const auto* info =
            std::find_if(spec::instructions.begin(), spec::instructions.end(), [&](const auto& known) {
                return static_cast<std::uint8_t>(known.code) == header.opcode;
            });
        if (info == spec::instructions.end())
            return fault("unknown opcode " + std::to_string(header.opcode));
        const bool can = engine == spec::engine_pe           ? info->pe
                         : engine == spec::engine_activation ? info->activation
                         : engine == spec::engine_vector     ? info->vector
                                                             : info->dma;
        if (!can)
            fault("this engine does not know " + std::string(info->name));
        if (header.flags & ~info->flags)
            fault("unknown flags");
        count(engine, header.wait0, header.wait0_count, true);
        count(engine, header.wait1, header.wait1_count, true);
        count(engine, header.signal0, header.signal0_count, false);
        count(engine, header.signal1, header.signal1_count, false);
        if (info->code == spec::opcode::copy)
            copy(copy_of(i));
        else if (info->code != spec::opcode::nop)
            operands(info->code, matrix_of(i));
    }

    void count(unsigned engine, unsigned semaphore, unsigned n, bool wait) {
        if (!n)
            return;
        if (semaphore >= spec::semaphores)
            return fault("semaphore " + std::to_string(semaphore) + " does not exist");
        (wait ? waited_ : signalled_)[semaphore] += n;
        if (!wait)
            return;
        if (waiter_[semaphore] >= 0 && waiter_[semaphore] != static_cast<int>(engine))
            fault("semaphore " + std::to_string(semaphore) + " has two waiting engines");
        waiter_[semaphore] = static_cast<int>(engine);
    }

    void range(const char* what, unsigned slot, std::uint64_t end, spec::operand_access access) {
        if (slot >= slots_.size())
            return fault(std::string(what) + " names slot " + std::to_string(slot) +
                         ", which the command does not have");
        if (end > slots_[slot].bytes)
            fault(std::string(what) + " ends at byte " + std::to_string(end) + " of slot " +
                  std::to_string(slot) + ", which has " + std::to_string(slots_[slot].bytes));
        if (!(slots_[slot].access & static_cast<std::uint8_t>(access)))
            fault(std::string(what) + " is not permitted on slot " + std::to_string(slot));
    }

    void rect(const char* what, const matrix& m, std::uint64_t rows, std::uint64_t row_bytes,
              spec::operand_access access) {
        if (m.tag_slot >= slots_.size())
            fault(std::string(what) + " takes its tag from a slot that the command does not have");
        if (m.slot < slots_.size() && !slots_[m.slot].working_buffer)
            fault(std::string(what) + ": an engine other than DMA reaches only the working buffers");
        if (rows > 1 && m.pitch < row_bytes)
            fault(std::string(what) + ": rows overlap");
        range(what, m.slot, m.offset + (rows - 1) * m.pitch + row_bytes, access);
    }

    void operands(spec::opcode code, const spec::matrix_instruction& i) {
        if (!i.rows || !i.columns)
            return fault("empty shape");
        const std::uint64_t from = bytes_of(static_cast<spec::number_format>(i.source_format));
        const std::uint64_t to = bytes_of(static_cast<spec::number_format>(i.result_format));
        const std::uint64_t second = bytes_of(static_cast<spec::number_format>(i.second_format));
        rect("a", i.a, i.rows, i.columns * from, spec::operand_access::read);
        switch (code) {
        case spec::opcode::load_weights:
            columns_ = i.columns;
            return;
        case spec::opcode::matmul:
            return rect("d", i.d, i.rows, columns_ * to, spec::operand_access::write);
        case spec::opcode::activate:
            if (i.flags & spec::activate_bias)
                rect("bias", i.b, 1, i.columns * second, spec::operand_access::read);
            return rect("d", i.d, i.rows, i.columns * to, spec::operand_access::write);
        case spec::opcode::binary: {
            const auto repeat = static_cast<spec::broadcast>(i.broadcast);
            rect("b", i.b, repeat == spec::broadcast::row ? 1 : i.rows,
                 second * (repeat == spec::broadcast::column ? 1 : i.columns), spec::operand_access::read);
            return rect("d", i.d, i.rows, i.columns * to, spec::operand_access::write);
        }
        case spec::opcode::reduce_rows:
            return rect("d", i.d, i.rows, to, spec::operand_access::write);
        case spec::opcode::reduce_columns:
            return rect("d", i.d, 1, i.columns * to, spec::operand_access::write);
        default:
            return;
        }
    }

    void copy(const spec::copy_instruction& i) {
        if (!i.size0 || !i.size1 || !i.size2 || !i.size3)
            return fault("empty copy");
        if (i.tag_slot >= slots_.size())
            fault("copy takes its tag from a slot that the command does not have");
        const auto end = [](std::uint64_t offset, std::uint64_t run, auto... size_stride) {
            std::uint64_t last = offset + run;
            ((last += (size_stride.first - 1) * size_stride.second), ...);
            return last;
        };
        const auto dim = [](std::uint64_t size, std::uint64_t stride) { return std::pair(size, stride); };
        range("source", i.source_slot,
              end(i.source_offset, i.size0, dim(i.size1, i.source_stride1), dim(i.size2, i.source_stride2),
                  dim(i.size3, i.source_stride3)),
              spec::operand_access::read);
        if (i.flags & spec::copy_transpose) {
            if (i.element_bytes != 1 && i.element_bytes != 2 && i.element_bytes != 4)
                return fault("transpose of elements of " + std::to_string(i.element_bytes) + " bytes");
            if (i.size0 % i.element_bytes)
                return fault("a transposed row is not a whole number of elements");
            range("destination", i.destination_slot,
                  end(i.destination_offset, std::uint64_t{i.size1} * i.element_bytes,
                      dim(i.size0 / i.element_bytes, i.destination_stride1)),
                  spec::operand_access::write);
            return;
        }
        range("destination", i.destination_slot,
              end(i.destination_offset, i.size0, dim(i.size1, i.destination_stride1),
                  dim(i.size2, i.destination_stride2), dim(i.size3, i.destination_stride3)),
              spec::operand_access::write);
    }

    void balance() {
        for (unsigned s = 0; s < spec::semaphores; ++s)
            if (waited_[s] != signalled_[s])
                faults_.push_back("semaphore " + std::to_string(s) + ": " + std::to_string(signalled_[s]) +
                                  " signalled, " + std::to_string(waited_[s]) + " waited for");
    }

    void deadlock(bool backwards) {
        std::array<std::uint64_t, spec::semaphores> value{};
        std::vector<std::size_t> next(programs_.size());
        for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t n = 0; n < programs_.size(); ++n) {
                const std::size_t p = backwards ? programs_.size() - 1 - n : n;
                while (next[p] < programs_[p].code.size()) {
                    const auto h = header_of(programs_[p].code[next[p]]);
                    auto after =
                        value; // waits are taken one after the other, and may name one semaphore twice
                    if (after[h.wait0 % spec::semaphores] < h.wait0_count)
                        break;
                    after[h.wait0 % spec::semaphores] -= h.wait0_count;
                    if (after[h.wait1 % spec::semaphores] < h.wait1_count)
                        break;
                    after[h.wait1 % spec::semaphores] -= h.wait1_count;
                    after[h.signal0 % spec::semaphores] += h.signal0_count;
                    after[h.signal1 % spec::semaphores] += h.signal1_count;
                    value = after;
                    for (const auto v : value)
                        if (v > spec::semaphore_max)
                            return faults_.push_back("a semaphore overflows");
                    ++next[p];
                    moved = true;
                }
            }
        }
        for (std::size_t p = 0; p < programs_.size(); ++p)
            if (next[p] < programs_[p].code.size())
                faults_.push_back(engine_name(programs_[p].engine) + " " + std::to_string(next[p]) +
                                  ": waits for ever: " + disassemble(programs_[p].code[next[p]]));
    }

    std::span<const engine_program> programs_;
    std::span<const slot_limit> slots_;
    std::vector<std::string> faults_;
    std::string where_;
    unsigned columns_ = 0; ///< n of the last load_weights
    std::array<std::uint64_t, spec::semaphores> waited_{}, signalled_{};
    std::array<int, spec::semaphores> waiter_ = [] {
        std::array<int, spec::semaphores> none{};
        none.fill(-1);
        return none;
    }();
};

} // namespace

std::vector<std::string> check(std::span<const engine_program> programs, std::span<const slot_limit> slots) {
    return checker(programs, slots).run();
}

} // namespace retrace::compiler
