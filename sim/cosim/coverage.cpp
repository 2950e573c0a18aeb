#include "sim/cosim/coverage.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/arithmetic.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

namespace {

using names = std::vector<std::string>;

template <typename Code>
names codes(unsigned count, unsigned first = 0) {
    names all;
    for (unsigned i = first; i < count; ++i)
        all.emplace_back(name_of(static_cast<Code>(i)));
    return all;
}

const names sizes{"8", "16"}, depths{"1", "3"}, tails{"1", "odd", "even", "full_less_1", "full"},
    row_counts{"1", "odd", "even", "full", "several_full", "beyond_full"}, chains{"1", "2", "3", "4_and_more"},
    counts{"0", "1", "2", "more"};

/// All bins, group by group.
names make_bins() {
    names bins;
    const auto cross = [&](const std::string& group, std::initializer_list<names> axes) {
        names all{group};
        for (const names& axis : axes) {
            names next;
            for (const std::string& prefix : all)
                for (const std::string& value : axis)
                    next.push_back(prefix + "." + value);
            all = std::move(next);
        }
        bins.insert(bins.end(), all.begin(), all.end());
    };
    const names formats = codes<number_format>(spec::number_format_count), operands = codes<number_format>(5),
                floats = codes<number_format>(4), narrow = codes<number_format>(4, 1),
                classes = codes<number_class>(number_class_count), reachable{"host", "device_dram", "state_buffer"};
    // machine
    cross("machine.size_depth", {sizes, depths});
    cross("machine.weight_registers", {{"1", "2"}});
    cross("machine.refresh", {{"off", "on"}});
    cross("machine.ideal_memories", {{"off", "on"}});
    cross("machine.stress", {{"off", "array", "requests", "chunks", "messages", "reorder"}});
    cross("machine.dma_queues", {{"1", "2", "3", "4", "5"}});
    cross("machine.dram_channels", {{"1", "2", "4"}});
    cross("machine.outstanding_chunks", {{"1", "several"}});
    // array
    cross("matmul.format_depth_size", {operands, depths, sizes});
    cross("matmul.format_slow_rows", {operands});
    cross("matmul.mixed_formats", {floats, floats});
    cross("matmul.m", {row_counts});
    cross("matmul.k", {tails});
    cross("matmul.n", {tails});
    cross("matmul.k_n", {{"full", "partial"}, {"full", "partial"}});
    cross("matmul.accumulate", {{"overwrite", "add_float", "add_integer"}});
    cross("matmul.chain", {chains});
    cross("matmul.swap", {{"first", "back_to_back", "after_reuse", "none"}});
    cross("matmul.loads_ahead", {{"1", "2", "3"}});
    cross("matmul.load_left_over", {{"no", "yes"}});
    cross("matmul.psum_banks", {{"one", "several"}});
    cross("array.operand", {classes});
    cross("array.weight", {classes});
    cross("array.sum", {classes});
    cross("array.accumulated", {classes});
    cross("array.event", {{"cancelled", "overflowed", "invalid"}});
    // engines
    cross("activate.function", {codes<spec::activation_function>(spec::activation_function_count)});
    cross("activate.source_result", {formats, operands});
    cross("activate.plain_copy", {{"int32"}});
    cross("activate.bias", {formats});
    cross("activate.stochastic", {codes<number_format>(4, 1)});
    cross("activate.stochastic_with_bias", {{"yes"}});
    cross("activate.source_memory", {{"psum", "state_buffer"}});
    cross("activate.in_place", {{"yes"}});
    cross("binary.operation_broadcast",
          {codes<spec::vector_operation>(spec::vector_operation_count), codes<spec::broadcast>(spec::broadcast_count)});
    cross("binary.source", {formats});
    cross("binary.second", {formats});
    cross("binary.result", {operands});
    cross("binary.source_memory", {{"psum", "state_buffer"}});
    cross("reduce_rows.operation_source", {{"add", "max"}, formats});
    cross("reduce_columns.start_source", {{"zero", "accumulate"}, formats});
    cross("elementwise.operand", {classes});
    cross("elementwise.result", {classes});
    cross("values.class_format", {codes<value_class>(value_class_count, 1), formats});
    // DMA
    cross("copy.memories", {reachable, reachable});
    cross("copy.dimensions", {{"1", "2", "3", "4"}});
    cross("copy.run", {{"1_byte", "below_line", "line_and_more", "beyond_chunk"}});
    cross("copy.strides", {{"packed", "padded", "unordered", "repeated"}});
    cross("transpose.element_memories", {{"1", "2", "4"}, reachable, reachable});
    cross("transpose.columns", {{"1", "below_64", "64", "beyond_64"}});
    // order
    cross("instruction.waits", {counts});
    cross("instruction.signals", {counts});
    cross("semaphore.used", {{"none", "few", "many"}});
    cross("semaphore.token", {{"1", "more"}});
    cross("semaphore.queue_waits_for_itself", {{"yes"}});
    cross("nop.engine", {{"pe", "activation", "vector", "dma"}});
    cross("command.waits", {{"0", "1", "2", "3", "4"}});
    cross("command.kind", {{"run", "nop"}});
    cross("command.working_set", {{"none", "state_buffer", "psum", "both"}});
    cross("command.release", {{"none", "device_dram", "state_buffer", "psum"}});
    cross("command.engines", {{"1", "2_to_4", "5_to_8"}});
    cross("command.independent", {{"yes"}});
    return bins;
}

std::string tail_name(unsigned value, unsigned full) {
    return value == full ? "full" : value == full - 1 ? "full_less_1" : value == 1 ? "1" : value % 2 ? "odd" : "even";
}

std::string rows_name(unsigned m, unsigned full) {
    if (m == 1)
        return "1";
    if (m >= full)
        return m == full ? "full" : m % full == 0 ? "several_full" : "beyond_full";
    return m % 2 ? "odd" : "even";
}

std::string count_name(std::size_t n) { return n > 2 ? "more" : std::to_string(n); }

class observer {
public:
    observer(const test_case& c, const prepared_case& p, coverage& to) : case_(c), prepared_(p), to_(to) {}

    void run() {
        machine();
        for (const command& k : case_.commands)
            command_of(k);
        for (const emitted_command& e : prepared_.emitted.commands)
            emitted(e);
    }

private:
    template <typename... T>
    void hit(fmt::format_string<T...> bin, T&&... values) {
        to_.hit(fmt::format(bin, std::forward<T>(values)...));
    }
    static std::string_view text(number_format f) { return spec::name_of(f); }
    const buffer& buffer_of(unsigned index) const { return case_.buffers[index]; }

    void machine() {
        const machine_settings& m = case_.machine;
        const auto listed = [](const names& all, unsigned value) {
            return std::find(all.begin(), all.end(), std::to_string(value)) != all.end();
        };
        if (listed(sizes, m.size) && listed(depths, m.fma_depth))
            hit("machine.size_depth.{}.{}", m.size, m.fma_depth);
        hit("machine.weight_registers.{}", m.weight_registers);
        hit("machine.refresh.{}", m.refresh ? "on" : "off");
        hit("machine.ideal_memories.{}", m.ideal_memories ? "on" : "off");
        if (!m.stress_seed)
            hit("machine.stress.off");
        else
            for (const auto& [on, name] : {std::pair{m.array_stress, "array"}, {m.request_stress != 0, "requests"}, {m.chunk_stress != 0, "chunks"},
                                           {m.message_stress != 0, "messages"}, {m.message_stress != 0 && m.reorder, "reorder"}})
                if (on)
                    hit("machine.stress.{}", name);
        hit("machine.dma_queues.{}", m.dma_queues);
        if (m.dram_channels <= 2 || m.dram_channels == 4)
            hit("machine.dram_channels.{}", m.dram_channels);
        hit("machine.outstanding_chunks.{}", m.dma_outstanding == 1 ? "1" : "several");
    }

    void command_of(const command& k) {
        hit("command.working_set.{}", k.work_bytes ? (k.psum_count ? "both" : "state_buffer") : k.psum_count ? "psum" : "none");
        if (k.release.empty())
            hit("command.release.none");
        for (const unsigned b : k.release)
            hit("command.release.{}", spec::name_of(buffer_of(b).memory));
        if (!k.operations.empty())
            hit("semaphore.token.{}", k.token > 1 ? "more" : "1");
        std::vector<const operation*> loads;
        const operation *active = nullptr, *last = nullptr;
        std::map<std::pair<unsigned, std::uint32_t>, unsigned> chain; // length so far, by place in PSUM
        for (const operation& o : k.operations) {
            switch (o.opcode) {
            case opcode::nop:
                hit("nop.engine.{}", o.engine >= spec::engine_dma ? "dma" : compiler::engine_name(o.engine));
                break;
            case opcode::load_weights:
                loads.push_back(&o);
                hit("matmul.loads_ahead.{}", loads.size());
                break;
            case opcode::matmul: {
                const bool swap = o.flags & spec::matmul_swap;
                hit("matmul.swap.{}", !swap                             ? "none"
                                      : !last                           ? "first"
                                      : last->flags & spec::matmul_swap ? "back_to_back"
                                                                        : "after_reuse");
                if (swap) {
                    active = loads.front();
                    loads.erase(loads.begin());
                }
                unsigned& length = chain[{o.d.buffer, o.d.offset}];
                length = o.flags & spec::matmul_accumulate ? length + 1 : 1;
                hit("matmul.chain.{}", length >= 4 ? "4_and_more" : std::to_string(length));
                matmul(o, *active);
                last = &o;
                break;
            }
            case opcode::copy:
                copy(o);
                break;
            default:
                elementwise(o);
            }
        }
        if (last)
            hit("matmul.load_left_over.{}", loads.empty() ? "no" : "yes");
    }

    void matmul(const operation& o, const operation& w) {
        const machine_settings& m = case_.machine;
        if ((m.fma_depth == 1 || m.fma_depth == 3))
            hit("matmul.format_depth_size.{}.{}.{}", text(o.source), m.fma_depth, m.size);
        if (m.operand_cycles[static_cast<unsigned>(o.source)] > 1)
            hit("matmul.format_slow_rows.{}", text(o.source));
        const bool integer = o.source == number_format::int8;
        if (!integer)
            hit("matmul.mixed_formats.{}.{}", text(o.source), text(w.source));
        hit("matmul.m.{}", rows_name(o.rows, m.size));
        hit("matmul.k.{}", tail_name(o.columns, m.size));
        hit("matmul.n.{}", tail_name(w.columns, m.size));
        hit("matmul.k_n.{}.{}", o.columns == m.size ? "full" : "partial", w.columns == m.size ? "full" : "partial");
        hit("matmul.accumulate.{}", !(o.flags & spec::matmul_accumulate) ? "overwrite" : integer ? "add_integer" : "add_float");
        const std::uint32_t first = (buffer_of(o.d.buffer).base + o.d.offset) / (m.size * 4);
        hit("matmul.psum_banks.{}", first / m.psum_rows == (first + o.rows - 1) / m.psum_rows ? "one" : "several");
    }

    void elementwise(const operation& o) {
        const bool psum = buffer_of(o.a.buffer).memory == memory_kind::psum;
        if (o.opcode == opcode::activate) {
            hit("activate.source_memory.{}", psum ? "psum" : "state_buffer");
            if (o.result == number_format::int32)
                return hit("activate.plain_copy.int32");
            hit("activate.function.{}", spec::name_of(static_cast<spec::activation_function>(o.function)));
            hit("activate.source_result.{}.{}", text(o.source), text(o.result));
            if (o.flags & spec::activate_bias)
                hit("activate.bias.{}", text(o.second));
            if (o.flags & spec::activate_stochastic)
                hit("activate.stochastic.{}", text(o.result));
            if ((o.flags & spec::activate_stochastic) && (o.flags & spec::activate_bias))
                hit("activate.stochastic_with_bias.yes");
            if (o.a == o.d)
                hit("activate.in_place.yes");
        } else if (o.opcode == opcode::binary) {
            hit("binary.operation_broadcast.{}.{}", spec::name_of(static_cast<spec::vector_operation>(o.function)),
                spec::name_of(o.broadcast));
            hit("binary.source.{}", text(o.source));
            hit("binary.second.{}", text(o.second));
            hit("binary.result.{}", text(o.result));
            hit("binary.source_memory.{}", psum ? "psum" : "state_buffer");
        } else if (o.opcode == opcode::reduce_rows) {
            hit("reduce_rows.operation_source.{}.{}", spec::name_of(static_cast<spec::vector_operation>(o.function)),
                text(o.source));
        } else {
            hit("reduce_columns.start_source.{}.{}", o.flags & spec::reduce_columns_accumulate ? "accumulate" : "zero",
                text(o.source));
        }
    }

    void copy(const operation& o) {
        const buffer &from = buffer_of(o.from.buffer), &to = buffer_of(o.to.buffer);
        if (from.memory == memory_kind::host && from.values != value_class::zeros)
            hit("values.class_format.{}.{}", name_of(from.values), text(from.format));
        if (o.flags & spec::copy_transpose) {
            hit("transpose.element_memories.{}.{}.{}", o.element_bytes, spec::name_of(from.memory), spec::name_of(to.memory));
            const std::uint32_t columns = o.sizes[0] / o.element_bytes;
            hit("transpose.columns.{}", columns == 1 ? "1" : columns < 64 ? "below_64" : columns == 64 ? "64" : "beyond_64");
            return;
        }
        hit("copy.memories.{}.{}", spec::name_of(from.memory), spec::name_of(to.memory));
        const unsigned dimensions = o.sizes[3] > 1 ? 4 : o.sizes[2] > 1 ? 3 : o.sizes[1] > 1 ? 2 : 1;
        hit("copy.dimensions.{}", dimensions);
        const std::uint32_t line = 4 * case_.machine.size;
        hit("copy.run.{}", o.sizes[0] == 1                        ? "1_byte"
                           : o.sizes[0] < line                    ? "below_line"
                           : o.sizes[0] > case_.machine.dma_chunk ? "beyond_chunk"
                                                                  : "line_and_more");
        if (dimensions == 1)
            return;
        const auto &s = o.from.strides, &d = o.to.strides;
        const bool packed = s[0] == o.sizes[0] && d[0] == o.sizes[0];
        const bool unordered = dimensions > 2 && (d[0] > d[1] || s[0] > s[1]);
        hit("copy.strides.{}", s[0] < o.sizes[0] ? "repeated" : unordered ? "unordered" : packed ? "packed" : "padded");
    }

    void emitted(const emitted_command& e) {
        hit("command.kind.{}", e.programs.empty() ? "nop" : "run");
        hit("command.waits.{}", e.waits.size());
        if (e.waits.empty() && &e != &prepared_.emitted.commands.front())
            hit("command.independent.yes");
        if (e.programs.empty())
            return;
        hit("command.engines.{}", e.programs.size() == 1 ? "1" : e.programs.size() <= 4 ? "2_to_4" : "5_to_8");
        hit("semaphore.used.{}", e.semaphores == 0 ? "none" : e.semaphores <= 6 ? "few" : "many");
        for (const compiler::engine_program& p : e.programs) {
            const std::vector<int>& origin = e.origin.at(p.engine);
            std::set<unsigned> own;
            std::size_t waits = 0, signals = 0;
            for (std::size_t i = 0; i < p.code.size(); ++i) {
                const auto h = compiler::header_of(p.code[i]);
                // Nops of the emitter carry what did not fit into the operation after or before them.
                if (origin[i] >= 0 && i > 0 && origin[i - 1] >= 0)
                    waits = 0;
                waits += (h.wait0_count > 0) + (h.wait1_count > 0);
                signals = (origin[i] >= 0 ? 0 : signals) + (h.signal0_count > 0) + (h.signal1_count > 0);
                if (origin[i] >= 0) {
                    hit("instruction.waits.{}", count_name(waits));
                    waits = 0;
                }
                if (i + 1 == p.code.size() || origin[i + 1] >= 0)
                    hit("instruction.signals.{}", count_name(signals));
                if (h.signal0_count)
                    own.insert(h.signal0);
                if (h.signal1_count)
                    own.insert(h.signal1);
                if ((h.wait0_count && own.count(h.wait0)) || (h.wait1_count && own.count(h.wait1)))
                    hit("semaphore.queue_waits_for_itself.yes");
            }
        }
    }

    const test_case& case_;
    const prepared_case& prepared_;
    coverage& to_;
};

} // namespace

const std::vector<std::string>& coverage::all_bins() {
    static const std::vector<std::string> bins = make_bins();
    return bins;
}

coverage::coverage() {
    for (const std::string& bin : all_bins())
        hits_.emplace(bin, 0);
}

void coverage::hit(const std::string& bin, std::uint64_t count) {
    const auto found = hits_.find(bin);
    if (found == hits_.end())
        throw std::logic_error("coverage has no bin " + bin);
    found->second += count;
}

void coverage::merge(const coverage& other) {
    for (const auto& [bin, count] : other.hits_)
        hit(bin, count);
}

std::vector<std::string> coverage::never_hit() const {
    std::vector<std::string> never;
    for (const std::string& bin : all_bins())
        if (hits_.at(bin) == 0)
            never.push_back(bin);
    return never;
}

std::string coverage::to_json() const {
    nlohmann::ordered_json j = nlohmann::ordered_json::object();
    for (const std::string& bin : all_bins())
        j[bin] = hits_.at(bin);
    return j.dump(1) + "\n";
}

void coverage::add_json(const std::string& text) {
    const auto j = nlohmann::json::parse(text, nullptr, false);
    if (!j.is_object())
        throw std::runtime_error("coverage is not a JSON object");
    for (const auto& [bin, count] : j.items()) {
        if (!hits_.count(bin) || !count.is_number_unsigned())
            throw std::runtime_error("coverage of another version: bin " + bin);
        hit(bin, count.get<std::uint64_t>());
    }
}

coverage cover(const test_case& c, const prepared_case& p, const interpreter& reference) {
    coverage all;
    observer(c, p, all).run();
    const value_census& v = reference.census();
    const auto classes = [&](const std::string& group, const value_census::counts& counts) {
        for (unsigned i = 0; i < number_class_count; ++i)
            all.hit(group + "." + name_of(static_cast<number_class>(i)), counts[i]);
    };
    classes("array.operand", v.array_operands);
    classes("array.weight", v.array_weights);
    classes("array.sum", v.array_sums);
    classes("array.accumulated", v.accumulated);
    classes("elementwise.operand", v.elementwise_operands);
    classes("elementwise.result", v.elementwise_results);
    all.hit("array.event.cancelled", v.cancelled);
    all.hit("array.event.overflowed", v.overflowed);
    all.hit("array.event.invalid", v.invalid);
    return all;
}

std::string describe(const coverage& all) {
    struct group {
        std::size_t bins = 0, hit = 0;
        std::uint64_t hits = 0;
    };
    std::vector<std::pair<std::string, group>> groups;
    for (const std::string& bin : coverage::all_bins()) {
        const std::string name = bin.substr(0, bin.find('.', bin.find('.') + 1));
        if (groups.empty() || groups.back().first != name)
            groups.push_back({name, {}});
        group& g = groups.back().second;
        const std::uint64_t n = all.hits().at(bin);
        ++g.bins, g.hit += n != 0, g.hits += n;
    }
    std::string text = fmt::format("Coverage: {} of {} bins hit\n", all.hit_count(), coverage::all_bins().size());
    for (const auto& [name, g] : groups)
        text += fmt::format("  {:<34} {:>3} of {:>3} bins {:>12} hits\n", name, g.hit, g.bins, g.hits);
    const auto never = all.never_hit();
    if (!never.empty()) {
        text += fmt::format("Never hit ({}):\n", never.size());
        for (const std::string& bin : never)
            text += "  " + bin + "\n";
    }
    return text;
}

} // namespace retrace::cosim
