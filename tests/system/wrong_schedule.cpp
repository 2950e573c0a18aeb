#include "tests/system/wrong_schedule.h"

#include <algorithm>
#include <stdexcept>

namespace retrace::test {

namespace {

bool is_upload(const schedule_operation& op) {
    return op.kind == step_kind::upload_weights || op.kind == step_kind::upload_input;
}

void add_wait(std::vector<std::size_t>& waits, std::size_t on, std::size_t instead_of) {
    if (waits.size() == spec::max_waits)
        std::erase(waits, instead_of); // `on` waits for it
    waits.push_back(on);
    std::sort(waits.begin(), waits.end());
    waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
}

} // namespace

std::size_t wrong_schedule::find(step_kind kind, std::size_t layer, std::size_t n) const {
    const auto& list = p_.training.schedule.operations;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (list[i].kind == kind && list[i].layer == layer && n-- == 0)
            return i;
    throw std::logic_error("the schedule has no such operation");
}

planned_operand& wrong_schedule::operand(std::size_t i, tensor_id tensor) {
    for (planned_operand& o : command(i).operands)
        if (o.tag == tag_of(tensor))
            return o;
    throw std::logic_error("the command does not name " + to_string(tensor));
}

void wrong_schedule::for_each_operand(tensor_id tensor, spec::memory_kind memory,
                                      const std::function<void(planned_operand&)>& change) {
    for (planned_command& c : p_.training.commands)
        for (planned_operand& o : c.operands)
            if (o.tag == tag_of(tensor) && o.memory == memory)
                change(o);
}

std::size_t wrong_schedule::chain_before(std::size_t i) const {
    const auto& list = p_.training.schedule.operations;
    while (i-- > 0)
        if (!is_upload(list[i]))
            return i;
    throw std::logic_error("nothing stands before it");
}

void wrong_schedule::erase(std::size_t i) {
    auto& list = p_.training.schedule.operations;
    const std::size_t before = chain_before(i);
    for (schedule_operation& op : list) {
        if (std::find(op.waits.begin(), op.waits.end(), i) != op.waits.end())
            add_wait(op.waits, before, i);
        std::erase(op.waits, i);
        for (std::size_t& w : op.waits)
            w -= w > i;
    }
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
    p_.training.commands.erase(p_.training.commands.begin() + static_cast<std::ptrdiff_t>(i));
}

void wrong_schedule::insert(std::size_t i, schedule_operation operation, planned_command command) {
    auto& list = p_.training.schedule.operations;
    const std::size_t before = chain_before(i);
    for (schedule_operation& op : list)
        for (std::size_t& w : op.waits)
            w += w >= i;
    add_wait(operation.waits, before, before);
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(i), std::move(operation));
    p_.training.commands.insert(p_.training.commands.begin() + static_cast<std::ptrdiff_t>(i),
                                std::move(command));
    for (std::size_t next = i + 1; next < list.size(); ++next)
        if (!is_upload(list[next])) {
            add_wait(list[next].waits, i, before);
            break;
        }
}

void wrong_schedule::repeat(std::size_t from, std::size_t count) {
    for (std::size_t n = 0; n < count; ++n) {
        schedule_operation op = operation(from + n);
        op.waits.clear();
        insert(from + count + n, std::move(op), command(from + n));
    }
}

compiler::compiled_kernel& wrong_schedule::own_kernel(std::size_t i) {
    const std::size_t added = add_kernel(kernel(i));
    command(i).kernel = added;
    return p_.kernels[added];
}

std::size_t wrong_schedule::add_kernel(compiler::compiled_kernel k) {
    p_.kernels.push_back(std::move(k));
    return p_.kernels.size() - 1;
}

std::vector<std::size_t> wrong_schedule::users_of_kernel(std::size_t i) const {
    std::vector<std::size_t> users;
    for (std::size_t c = 0; c < p_.training.commands.size(); ++c)
        if (p_.training.commands[c].kernel == p_.training.commands[i].kernel)
            users.push_back(c);
    return users;
}

std::vector<compiler::instruction>& wrong_schedule::program(compiler::compiled_kernel& k, unsigned engine) {
    for (compiler::engine_program& p : k.programs)
        if (p.engine == engine)
            return p.code;
    const auto at =
        std::find_if(k.programs.begin(), k.programs.end(), [&](const auto& p) { return p.engine > engine; });
    return k.programs.insert(at, {engine, {}})->code;
}

std::uint64_t wrong_schedule::spare(spec::region_kind region, std::uint64_t offset) const {
    const plan_peaks& peaks = p_.peaks;
    const std::uint64_t used = region == spec::region_kind::activations ? peaks.activations.extent_bytes
                               : region == spec::region_kind::gradients ? peaks.gradients.extent_bytes
                                                                        : peaks.weights.extent_bytes;
    return p_.device.region(region).base + (used + 63) / 64 * 64 + offset;
}

std::uint64_t wrong_schedule::spare_state_buffer() const {
    std::uint64_t end = 0;
    for (const planned_command& c : p_.training.commands)
        end = std::max(end, c.work_base + p_.kernels[c.kernel].work_bytes);
    return (end + 63) / 64 * 64 + 4096; // tests make working buffers a little longer
}

planned_command wrong_schedule::transfer(planned_operand from, planned_operand to, std::uint64_t bytes) {
    planned_command c;
    c.kernel = add_kernel(compiler::compile_transfer({1, bytes, bytes, bytes}, p_.device));
    c.phase = spec::phase::transfer;
    from.bytes = to.bytes = bytes;
    c.operands = {from, to};
    return c;
}

void wrong_schedule::place_programs() {
    const memory_region& r = p_.device.region(spec::region_kind::programs);
    std::uint64_t at =
        (r.base + spec::program_alignment - 1) / spec::program_alignment * spec::program_alignment;
    p_.program_addresses.clear();
    for (const compiler::compiled_kernel& k : p_.kernels) {
        auto& addresses = p_.program_addresses.emplace_back();
        for (const compiler::engine_program& p : k.programs) {
            addresses.push_back(at);
            at += p.code.size() * spec::instruction_bytes;
        }
    }
}

void edit_matrix(compiler::instruction& i, const std::function<void(spec::matrix_instruction&)>& change) {
    spec::matrix_instruction fields = compiler::matrix_of(i);
    change(fields);
    i = compiler::encode(fields);
}

void edit_copy(compiler::instruction& i, const std::function<void(spec::copy_instruction&)>& change) {
    spec::copy_instruction fields = compiler::copy_of(i);
    change(fields);
    i = compiler::encode(fields);
}

} // namespace retrace::test
