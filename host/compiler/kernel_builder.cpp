#include "host/compiler/kernel_builder.h"

#include <algorithm>
#include <stdexcept>

#include "host/compiler/kernel.h"

namespace retrace::compiler {

unsigned queue_for(stream s, const device_capabilities& device) {
    const unsigned wanted = static_cast<unsigned>(s);
    return static_cast<unsigned>(spec::engine_dma) + std::min(wanted, device.dma_queues - 1);
}

unsigned kernel_builder::semaphore() {
    if (used_ == spec::semaphores)
        throw std::logic_error("a kernel uses more semaphores than a context has");
    waiter_[used_] = -1;
    return used_++;
}

void kernel_builder::take(unsigned engine, unsigned semaphore, unsigned count) {
    if (!count)
        return;
    if (semaphore >= used_ || value_[semaphore] < count)
        throw std::logic_error(engine_name(engine) + " waits for semaphore " + std::to_string(semaphore) +
                               " before it is signalled");
    if (waiter_[semaphore] >= 0 && waiter_[semaphore] != static_cast<int>(engine))
        throw std::logic_error("semaphore " + std::to_string(semaphore) + " has two waiting engines");
    waiter_[semaphore] = static_cast<int>(engine);
    value_[semaphore] -= count;
}

void kernel_builder::add(unsigned engine, const instruction& i) {
    const auto h = header_of(i);
    take(engine, h.wait0, h.wait0_count);
    take(engine, h.wait1, h.wait1_count);
    for (const auto& [semaphore, count] :
         {std::pair{h.signal0, h.signal0_count}, std::pair{h.signal1, h.signal1_count}}) {
        if (count && semaphore >= used_)
            throw std::logic_error("a signal to a semaphore that the kernel does not have");
        value_[semaphore] += count;
        if (value_[semaphore] > spec::semaphore_max)
            throw std::logic_error("a semaphore overflows");
    }
    programs_[engine].push_back(i);
}

std::vector<engine_program> kernel_builder::finish() {
    for (unsigned s = 0; s < used_; ++s)
        if (value_[s])
            throw std::logic_error("semaphore " + std::to_string(s) + " ends at " +
                                   std::to_string(value_[s]));
    std::vector<engine_program> programs;
    for (auto& [engine, code] : programs_)
        programs.push_back({engine, std::move(code)});
    if (programs.size() > spec::max_programs)
        throw std::logic_error("a kernel uses more engines than a command has programs");
    return programs;
}

std::vector<slot_limit> limits_of(const compiled_kernel& kernel) {
    std::vector<slot_limit> limits;
    for (const kernel_slot& s : kernel.slots)
        limits.push_back({s.bytes, s.access, s.working_buffer});
    return limits;
}

std::string disassemble(const compiled_kernel& kernel) {
    std::vector<const char*> names;
    for (const kernel_slot& s : kernel.slots)
        names.push_back(s.name);
    std::string text;
    for (const engine_program& p : kernel.programs)
        text += disassemble(p, names);
    return text;
}

} // namespace retrace::compiler
