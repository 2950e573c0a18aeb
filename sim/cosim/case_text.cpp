// Cases as JSON. Every key is checked: a misspelt one is an error, not a default.
#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/compiler/program.h"
#include "sim/cosim/test_case.h"

namespace retrace::cosim {

using json = nlohmann::ordered_json;
using spec::number_format;
using spec::opcode;

namespace {

constexpr const char* format_name = "retrace cosim case 1";

// --- writing

json place_json(const test_case& c, const matrix_place& p) {
    return {{"buffer", c.buffers.at(p.buffer).name}, {"offset", p.offset}, {"pitch", p.pitch}};
}

json place_json(const test_case& c, const copy_place& p) {
    return {{"buffer", c.buffers.at(p.buffer).name}, {"offset", p.offset}, {"strides", p.strides}};
}

json operation_json(const test_case& c, const operation& o) {
    json j{{"engine", compiler::engine_name(o.engine)}, {"op", std::string(spec::name_of(o.opcode))}};
    const auto format = [](number_format f) { return std::string(spec::name_of(f)); };
    switch (o.opcode) {
    case opcode::nop:
        break;
    case opcode::load_weights:
        j["format"] = format(o.source), j["k"] = o.rows, j["n"] = o.columns, j["a"] = place_json(c, o.a);
        break;
    case opcode::matmul:
        j["format"] = format(o.source), j["m"] = o.rows, j["k"] = o.columns, j["a"] = place_json(c, o.a),
        j["d"] = place_json(c, o.d);
        j["swap"] = bool(o.flags & spec::matmul_swap), j["accumulate"] = bool(o.flags & spec::matmul_accumulate);
        break;
    case opcode::activate:
        j["function"] = std::string(spec::name_of(static_cast<spec::activation_function>(o.function)));
        j["format"] = format(o.source), j["result"] = format(o.result), j["rows"] = o.rows, j["columns"] = o.columns;
        j["scale"] = fmt::format("{:08x}", o.scale), j["a"] = place_json(c, o.a), j["d"] = place_json(c, o.d);
        if (o.flags & spec::activate_bias)
            j["bias"] = place_json(c, o.b), j["bias_format"] = format(o.second);
        if (o.flags & spec::activate_stochastic)
            j["element_base"] = o.element_base, j["element_pitch"] = o.element_pitch;
        break;
    case opcode::binary:
        j["function"] = std::string(spec::name_of(static_cast<spec::vector_operation>(o.function)));
        j["format"] = format(o.source), j["second"] = format(o.second), j["result"] = format(o.result), j["rows"] = o.rows;
        j["columns"] = o.columns, j["broadcast"] = std::string(spec::name_of(o.broadcast));
        j["a"] = place_json(c, o.a), j["b"] = place_json(c, o.b), j["d"] = place_json(c, o.d);
        break;
    case opcode::reduce_rows:
    case opcode::reduce_columns:
        j["function"] = std::string(spec::name_of(static_cast<spec::vector_operation>(o.function)));
        j["format"] = format(o.source), j["rows"] = o.rows, j["columns"] = o.columns;
        if (o.opcode == opcode::reduce_columns)
            j["accumulate"] = bool(o.flags & spec::reduce_columns_accumulate);
        j["a"] = place_json(c, o.a), j["d"] = place_json(c, o.d);
        break;
    case opcode::copy:
        j["sizes"] = o.sizes, j["from"] = place_json(c, o.from), j["to"] = place_json(c, o.to);
        if (o.flags & spec::copy_transpose)
            j["transpose"] = o.element_bytes;
        break;
    }
    return j;
}

// --- reading

class reader {
public:
    reader(const json& value, std::string where) : value_(value), where_(std::move(where)) {}

    [[noreturn]] void fail(const std::string& what) const { throw case_error(where_ + ": " + what); }

    /// Object whose keys are all asked for before the reader ends.
    const json& object() {
        if (!value_.is_object())
            fail("an object is expected here");
        return value_;
    }
    bool has(const char* key) {
        known_.insert(key);
        return object().contains(key);
    }
    reader at(const char* key) {
        if (!has(key))
            fail(fmt::format("'{}' is missing", key));
        return {value_[key], where_ + "." + key};
    }
    void end() {
        for (const auto& [key, unused] : object().items())
            if (!known_.count(key))
                fail(fmt::format("unknown key '{}'", key));
    }

    std::uint64_t number(std::uint64_t limit) const {
        if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() > limit)
            fail(fmt::format("a whole number from 0 to {} is expected here", limit));
        return value_.get<std::uint64_t>();
    }
    std::uint32_t word() const { return static_cast<std::uint32_t>(number(0xffffffff)); }
    bool flag() const {
        if (!value_.is_boolean())
            fail("true or false is expected here");
        return value_.get<bool>();
    }
    std::string text() const {
        if (!value_.is_string())
            fail("a string is expected here");
        return value_.get<std::string>();
    }
    std::vector<reader> list() const {
        if (!value_.is_array())
            fail("a list is expected here");
        if (value_.size() > 100000)
            fail("the list is too long");
        std::vector<reader> items;
        for (std::size_t i = 0; i < value_.size(); ++i)
            items.emplace_back(value_[i], fmt::format("{}[{}]", where_, i));
        return items;
    }
    template <std::size_t count>
    std::array<std::uint32_t, count> words() const {
        const auto items = list();
        if (items.size() != count)
            fail(fmt::format("{} numbers are expected here", count));
        std::array<std::uint32_t, count> numbers{};
        for (std::size_t i = 0; i < count; ++i)
            numbers[i] = items[i].word();
        return numbers;
    }
    /// One of the `count` names of an enumeration.
    template <typename Code>
    Code name(unsigned count) const {
        const std::string wanted = text();
        std::string known;
        for (unsigned i = 0; i < count; ++i) {
            const std::string_view candidate = name_of(static_cast<Code>(i));
            if (candidate == wanted)
                return static_cast<Code>(i);
            known += fmt::format("{}{}", i ? ", " : "", candidate);
        }
        fail(fmt::format("'{}' is none of {}", wanted, known));
    }
    number_format format() const { return name<number_format>(spec::number_format_count); }

private:
    const json& value_;
    std::string where_;
    std::set<std::string> known_;
};

class case_reader {
public:
    test_case read(const json& document, const std::string& name) {
        reader top(document, name);
        if (top.at("format").text() != format_name)
            top.fail(fmt::format("'format' must be \"{}\"", format_name));
        case_.seed = top.at("seed").number(~std::uint64_t{0});
        machine(top.at("machine"));
        for (reader& item : list(top.at("buffers")))
            buffer_of(item);
        for (reader& item : list(top.at("commands")))
            command_of(item);
        top.end();
        return std::move(case_);
    }

private:
    std::vector<reader>& list(const reader& r) { return lists_.emplace_back(r.list()); }

    void machine(reader r) {
        machine_settings& m = case_.machine;
        m.size = r.at("size").word();
        m.fma_depth = r.at("fma_depth").word();
        m.weight_registers = r.at("weight_registers").word();
        m.operand_cycles = r.at("operand_cycles").words<5>();
        m.psum_banks = r.at("psum_banks").word();
        m.psum_rows = r.at("psum_rows").word();
        m.state_buffer_bytes = r.at("state_buffer_bytes").word();
        m.state_buffer_banks = r.at("state_buffer_banks").word();
        m.activation_lanes = r.at("activation_lanes").word();
        m.vector_lanes = r.at("vector_lanes").word();
        m.dma_queues = r.at("dma_queues").word();
        m.dma_chunk = r.at("dma_chunk").word();
        m.dma_outstanding = r.at("dma_outstanding").word();
        m.transpose_rate = r.at("transpose_rate").word();
        m.dram_channels = r.at("dram_channels").word();
        m.dram_banks = r.at("dram_banks").word();
        m.refresh = r.at("refresh").flag();
        m.fetch_block = r.at("fetch_block").word();
        m.ideal_memories = r.at("ideal_memories").flag();
        m.stress_seed = r.at("stress_seed").number(~std::uint64_t{0});
        m.array_stress = r.at("array_stress").flag();
        m.request_stress = r.at("request_stress").word();
        m.chunk_stress = r.at("chunk_stress").word();
        m.message_stress = r.at("message_stress").word();
        m.reorder = r.at("reorder").flag();
        r.end();
    }

    void buffer_of(reader& r) {
        buffer b;
        b.name = r.at("name").text();
        b.memory = r.at("memory").name<spec::memory_kind>(spec::memory_kind_count);
        b.base = r.at("base").word();
        b.bytes = r.at("bytes").word();
        if (r.has("tag"))
            b.tag = r.at("tag").word();
        if (r.has("version"))
            b.version = r.at("version").word();
        if (r.has("values")) {
            b.values = r.at("values").name<value_class>(value_class_count);
            b.format = r.at("format").format();
            b.seed = r.at("seed").word();
        }
        r.end();
        if (b.name.empty() || b.name.size() > 40)
            r.fail("a buffer's name has 1 to 40 characters");
        if (!index_.emplace(b.name, case_.buffers.size()).second)
            r.fail(fmt::format("there are two buffers '{}'", b.name));
        case_.buffers.push_back(std::move(b));
    }

    unsigned buffer_index(const reader& r) const {
        const std::string name = r.text();
        const auto found = index_.find(name);
        if (found == index_.end())
            r.fail(fmt::format("there is no buffer '{}'", name));
        return found->second;
    }

    matrix_place matrix(reader r) const {
        matrix_place p{buffer_index(r.at("buffer")), r.at("offset").word(), r.at("pitch").word()};
        r.end();
        return p;
    }

    copy_place side(reader r) const {
        copy_place p{buffer_index(r.at("buffer")), r.at("offset").word(), r.at("strides").words<3>()};
        r.end();
        return p;
    }

    unsigned engine(const reader& r) const {
        const std::string name = r.text();
        for (unsigned e = 0; e < spec::max_engines; ++e)
            if (compiler::engine_name(e) == name)
                return e;
        r.fail(fmt::format("'{}' is none of pe, activation, vector, dma0, dma1, ...", name));
    }

    operation operation_of(reader& r) const {
        operation o;
        o.engine = engine(r.at("engine"));
        const std::string op = r.at("op").text();
        const auto* info = std::find_if(spec::instructions.begin(), spec::instructions.end(),
                                        [&](const auto& known) { return op == known.name; });
        if (info == spec::instructions.end())
            r.fail(fmt::format("there is no instruction '{}'", op));
        o.opcode = info->code;
        const auto flag = [&](const char* key, unsigned bit) {
            if (r.at(key).flag())
                o.flags |= static_cast<std::uint8_t>(bit);
        };
        const auto function = [&] {
            o.function = static_cast<std::uint8_t>(r.at("function").name<spec::vector_operation>(spec::vector_operation_count));
        };
        if (o.opcode != opcode::nop && o.opcode != opcode::copy) {
            o.source = r.at("format").format();
            o.a = matrix(r.at("a"));
        }
        switch (o.opcode) {
        case opcode::nop:
            break;
        case opcode::load_weights:
            o.rows = r.at("k").word(), o.columns = r.at("n").word();
            break;
        case opcode::matmul:
            o.rows = r.at("m").word(), o.columns = r.at("k").word(), o.d = matrix(r.at("d"));
            flag("swap", spec::matmul_swap), flag("accumulate", spec::matmul_accumulate);
            break;
        case opcode::activate: {
            o.function =
                static_cast<std::uint8_t>(r.at("function").name<spec::activation_function>(spec::activation_function_count));
            o.result = r.at("result").format(), o.rows = r.at("rows").word(), o.columns = r.at("columns").word();
            const reader scale = r.at("scale");
            const std::string text = scale.text();
            if (text.size() != 8 || text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
                scale.fail("eight hexadecimal digits are expected here, the bits of a binary32 number");
            o.scale = static_cast<std::uint32_t>(std::stoul(text, nullptr, 16));
            o.d = matrix(r.at("d"));
            if (r.has("bias"))
                o.flags |= spec::activate_bias, o.b = matrix(r.at("bias")), o.second = r.at("bias_format").format();
            if (r.has("element_base"))
                o.flags |= spec::activate_stochastic, o.element_base = r.at("element_base").word(),
                                                      o.element_pitch = r.at("element_pitch").word();
            break;
        }
        case opcode::binary:
            function();
            o.second = r.at("second").format(), o.result = r.at("result").format(), o.rows = r.at("rows").word();
            o.columns = r.at("columns").word(), o.broadcast = r.at("broadcast").name<spec::broadcast>(spec::broadcast_count);
            o.b = matrix(r.at("b")), o.d = matrix(r.at("d"));
            break;
        case opcode::reduce_columns:
            flag("accumulate", spec::reduce_columns_accumulate);
            [[fallthrough]];
        case opcode::reduce_rows:
            function();
            o.rows = r.at("rows").word(), o.columns = r.at("columns").word(), o.d = matrix(r.at("d"));
            break;
        case opcode::copy:
            o.sizes = r.at("sizes").words<4>(), o.from = side(r.at("from")), o.to = side(r.at("to"));
            if (r.has("transpose"))
                o.flags |= spec::copy_transpose, o.element_bytes = r.at("transpose").word();
            break;
        }
        r.end();
        return o;
    }

    void command_of(reader& r) {
        command c;
        if (r.has("work")) {
            reader work = r.at("work");
            c.work_base = work.at("base").word(), c.work_bytes = work.at("bytes").word();
            c.psum_first = work.at("psum_first").word(), c.psum_count = work.at("psum_count").word();
            work.end();
        }
        c.step = r.at("step").word();
        c.seed = r.at("seed").word();
        c.token = r.at("token").word();
        for (const reader& item : list(r.at("release")))
            c.release.push_back(buffer_index(item));
        for (reader& item : list(r.at("operations")))
            c.operations.push_back(operation_of(item));
        r.end();
        case_.commands.push_back(std::move(c));
    }

    test_case case_;
    std::map<std::string, unsigned> index_;
    std::deque<std::vector<reader>> lists_; ///< readers refer into the document
};

} // namespace

std::string to_text(const test_case& c) {
    const machine_settings& m = c.machine;
    json top{{"format", format_name}, {"seed", c.seed}};
    top["machine"] = {{"size", m.size},
                      {"fma_depth", m.fma_depth},
                      {"weight_registers", m.weight_registers},
                      {"operand_cycles", m.operand_cycles},
                      {"psum_banks", m.psum_banks},
                      {"psum_rows", m.psum_rows},
                      {"state_buffer_bytes", m.state_buffer_bytes},
                      {"state_buffer_banks", m.state_buffer_banks},
                      {"activation_lanes", m.activation_lanes},
                      {"vector_lanes", m.vector_lanes},
                      {"dma_queues", m.dma_queues},
                      {"dma_chunk", m.dma_chunk},
                      {"dma_outstanding", m.dma_outstanding},
                      {"transpose_rate", m.transpose_rate},
                      {"dram_channels", m.dram_channels},
                      {"dram_banks", m.dram_banks},
                      {"refresh", m.refresh},
                      {"fetch_block", m.fetch_block},
                      {"ideal_memories", m.ideal_memories},
                      {"stress_seed", m.stress_seed},
                      {"array_stress", m.array_stress},
                      {"request_stress", m.request_stress},
                      {"chunk_stress", m.chunk_stress},
                      {"message_stress", m.message_stress},
                      {"reorder", m.reorder}};
    // A line per buffer and operation: what a person edits is one of them.
    std::string text = "{\n \"format\": " + top["format"].dump() + ",\n \"seed\": " + top["seed"].dump() +
                       ",\n \"machine\": " + top["machine"].dump() + ",\n \"buffers\": [";
    for (std::size_t i = 0; i < c.buffers.size(); ++i) {
        const buffer& b = c.buffers[i];
        json j{{"name", b.name}, {"memory", std::string(spec::name_of(b.memory))}, {"base", b.base}, {"bytes", b.bytes}};
        if (b.tag || b.version)
            j["tag"] = b.tag, j["version"] = b.version;
        if (b.memory == spec::memory_kind::host)
            j["values"] = name_of(b.values), j["format"] = std::string(spec::name_of(b.format)), j["seed"] = b.seed;
        text += (i ? ",\n  " : "\n  ") + j.dump();
    }
    text += "\n ],\n \"commands\": [";
    for (std::size_t i = 0; i < c.commands.size(); ++i) {
        const command& k = c.commands[i];
        json j;
        if (k.work_bytes || k.psum_count)
            j["work"] = {
                {"base", k.work_base}, {"bytes", k.work_bytes}, {"psum_first", k.psum_first}, {"psum_count", k.psum_count}};
        j["step"] = k.step, j["seed"] = k.seed, j["token"] = k.token;
        j["release"] = json::array();
        for (const unsigned b : k.release)
            j["release"].push_back(c.buffers.at(b).name);
        std::string head = j.dump();
        head.pop_back(); // the closing brace: the operations follow
        text += (i ? ",\n  " : "\n  ") + head + ",\"operations\": [";
        for (std::size_t o = 0; o < k.operations.size(); ++o)
            text += (o ? ",\n    " : "\n    ") + operation_json(c, k.operations[o]).dump();
        text += "\n  ]}";
    }
    return text + "\n ]\n}\n";
}

test_case parse_case(const std::string& text, const std::string& name) {
    json document;
    try {
        document = json::parse(text);
    } catch (const json::exception& e) {
        throw case_error(name + ": not JSON: " + e.what());
    }
    return case_reader().read(document, name);
}

} // namespace retrace::cosim
