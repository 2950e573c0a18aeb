#include "sim/config/schema.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "sim/config/presets.h"

namespace retrace {

namespace {

constexpr std::uint64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib;
constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
// The device tells its shape in registers of 32, 16, 8 and 4 bits (hw/spec/registers.yaml).
constexpr std::uint64_t word = 0xffff'ffff, half_word = 0xffff, byte = 0xff, nibble = 0xf;

value_rule whole(std::uint64_t least, std::uint64_t most) { return {.least = least, .most = most}; }
value_rule bytes(std::uint64_t least, std::uint64_t most, std::uint64_t multiple_of = 1) {
    return {.kind = value_kind::bytes, .least = least, .most = most, .multiple_of = multiple_of};
}
value_rule range(value_kind kind, double low, double high) {
    return {.kind = kind, .low = low, .high = high};
}
value_rule real(double low, double high) { return range(value_kind::real, low, high); }
value_rule nanoseconds(double low, double high) { return range(value_kind::time, low, high); }
value_rule boolean() { return {.kind = value_kind::boolean}; }
value_rule choice(std::vector<std::string> names) {
    return {.kind = value_kind::choice, .choices = std::move(names)};
}
value_rule required(value_rule rule) {
    rule.required = true;
    return rule;
}
value_rule optional(value_rule rule) {
    rule.optional = true;
    return rule;
}
value_rule power_of_two(value_rule rule) {
    rule.power_of_two = true;
    return rule;
}

/// A field of the configuration as the visitor sees it. Ranges are checked before `set` is called.
template <class T>
value_access at(T& field) {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> || std::is_same_v<T, double>)
        return {[&field] { return config_value(field); },
                [&field](const config_value& v) { field = std::get<T>(v); }};
    else
        return {[&field] { return config_value(std::uint64_t{field}); },
                [&field](const config_value& v) { field = static_cast<T>(std::get<std::uint64_t>(v)); }};
}

/// An enumeration whose value i is called choices[i].
template <class T>
value_access named(T& field, const std::vector<std::string>& choices) {
    return {[&field, &choices] { return config_value(choices.at(static_cast<std::size_t>(field))); },
            [&field, &choices](const config_value& v) {
                const auto found = std::find(choices.begin(), choices.end(), std::get<std::string>(v));
                field = static_cast<T>(found - choices.begin());
            }};
}

const std::vector<std::string> operand_names{"fp32", "bf16"};
const std::vector<std::string> activation_names{"none", "relu"};
const std::vector<std::string> loss_names{"softmax_cross_entropy"};
const std::vector<std::string> decay_names{"constant", "linear"};

void visit_array(config_visitor& v, array_settings& a) {
    v.open("array", "the systolic array of processing elements (PE)");
    v.scalar("rows", whole(1, spec::max_array_rows), "rows R: length of a column's chain of sums",
             at(a.rows));
    v.scalar("columns", whole(1, spec::max_array_columns), "columns C", at(a.columns));
    v.scalar("fma_depth", whole(1, byte), "pipeline stages D of the multiply-add", at(a.fma_depth));
    v.scalar("weight_registers", whole(1, 2),
             "2: the next weights load during a tile; 1: tiles run one after the other",
             at(a.weight_registers));
    v.open("operand_cycles", "cycles that a row of operands or weights takes, per format");
    constexpr const char* formats[] = {"fp32", "bf16", "fp8_e4m3", "fp8_e5m2", "int8"};
    for (std::size_t i = 0; i < a.operand_cycles.size(); ++i)
        v.scalar(formats[i], whole(1, nibble), "cycles a row", at(a.operand_cycles[i]));
    v.close();
    v.scalar("implementation", choice({"kernel", "stepped", "rtl", "lockstep"}),
             "SIMD with closed-form cycles; every register clock by clock; the Verilated hardware; or all there are, compared", at(a.implementation));
    v.open("stress", "random stalls of the whole array, to find what depends on its steady pace; values never change");
    v.scalar("seed", whole(0, any), "of when and how long", at(a.stress.seed));
    v.scalar("mean_gap", whole(0, 1'000'000'000), "cycles between two stalls on average; 0: none", at(a.stress.mean_gap_cycles));
    v.scalar("longest", whole(1, 1'000'000), "cycles of a stall at most; lengths are uniform from 1", at(a.stress.max_cycles));
    v.close();
    v.close();
}

void visit_engine(config_visitor& v, const char* key, const char* text, engine_settings& e) {
    v.open(key, text);
    v.scalar("lanes", whole(1, half_word), "elements per cycle", at(e.lanes));
    v.scalar("latency_cycles", whole(0, 10'000), "pipeline of an instruction, added to its passes",
             at(e.latency_cycles));
    v.close();
}

void visit_dram(config_visitor& v, dram_settings& d) {
    v.open("device_dram", "the device's own memory: channels with banks and open pages");
    v.scalar("capacity", bytes(4 * kib, 4 * gib), "size", at(d.capacity_bytes));
    v.scalar("channels", whole(1, 256), "consecutive bursts go to consecutive channels", at(d.channels));
    v.scalar("banks", whole(1, 256), "banks of a channel", at(d.banks));
    v.scalar("burst", power_of_two(bytes(16, 1 * kib)), "bytes of one access", at(d.burst_bytes));
    v.scalar("page", power_of_two(bytes(64, 64 * kib)), "row buffer of a bank", at(d.page_bytes));
    v.scalar("burst_cycles", whole(1, 1024), "cycles of a burst on the channel's data bus",
             at(d.burst_cycles));
    v.scalar("t_rcd", nanoseconds(0, 1e6), "activate to column access", at(d.t_rcd_ns));
    v.scalar("t_rp", nanoseconds(0, 1e6), "precharge", at(d.t_rp_ns));
    v.scalar("t_cas", nanoseconds(0, 1e6), "column access to data", at(d.t_cas_ns));
    v.scalar("t_refi", nanoseconds(1, 1e9), "time between refreshes", at(d.t_refi_ns));
    v.scalar("t_rfc", nanoseconds(0, 1e9), "duration of a refresh", at(d.t_rfc_ns));
    v.open("regions", "how the memory is divided, from address 0 in this order (programs first where they "
                      "would otherwise end beyond 1GiB); each capacity is a hard bound");
    constexpr const char* texts[spec::region_kind_count] = {
        "layer inputs and outputs", "data gradients", "the device's copy of the weights", "engine programs"};
    const auto region_of = [&d](spec::region_kind kind) {
        return std::find_if(d.regions.begin(), d.regions.end(),
                            [kind](const dram_region& r) { return r.kind == kind; });
    };
    for (std::uint8_t i = 0; i < spec::region_kind_count; ++i)
        if (const auto kind = static_cast<spec::region_kind>(i); region_of(kind) == d.regions.end())
            d.regions.push_back({kind, 0});
    for (std::uint8_t i = 0; i < spec::region_kind_count; ++i) {
        const auto kind = static_cast<spec::region_kind>(i);
        v.scalar(spec::name_of(kind), bytes(spec::program_alignment, 2 * gib, spec::program_alignment),
                 texts[i], at(region_of(kind)->bytes));
    }
    v.close();
    v.close();
}

void visit_link(config_visitor& v, link_settings& l) {
    v.open("host_link", "the way between host and device");
    v.scalar("latency", nanoseconds(0, 1e9), "one way", at(l.latency_ns));
    v.scalar("bandwidth", range(value_kind::bandwidth, 1e6, 1e13), "each direction", at(l.bytes_per_second));
    v.scalar("payload", power_of_two(bytes(64, 4 * kib)), "largest payload of a packet", at(l.payload_bytes));
    v.scalar("header_bytes", whole(0, 256), "bytes on the wire that a packet adds", at(l.header_bytes));
    v.scalar("host_memory", bytes(64 * kib, 2 * gib, 4 * kib), "host memory the device can reach",
             at(l.host_memory_bytes));
    v.scalar("host_latency", nanoseconds(0, 1e9), "host memory, per read request", at(l.host_latency_ns));
    v.close();
}

struct layer_entry {
    std::size_t units = 0;
    activation_kind activation = activation_kind::none;
    std::size_t repeat = 0;
};

void visit_network(config_visitor& v, network& net) {
    std::size_t inputs = net.layers.empty() ? 0 : net.layers.front().inputs;
    std::vector<layer_entry> entries;
    for (const layer& l : net.layers)
        entries.push_back({l.outputs, l.activation, 0});

    v.open("network", "the network: dense layers in a chain, and a loss");
    v.scalar("inputs", required(whole(1, 65'536)), "features of the input", at(inputs));
    const list_access access{
        .size = [&] { return entries.size(); },
        .resize = [&](std::size_t n) { entries.resize(n); },
        .element =
            [&](std::size_t i) {
                v.open("", "one layer, or `repeat` equal ones");
                v.scalar("dense", required(whole(1, 65'536)), "outputs of a fully connected layer with bias",
                         at(entries[i].units));
                v.scalar("activation", choice(activation_names), "function of its output",
                         named(entries[i].activation, activation_names));
                v.scalar("repeat", optional(whole(1, 1024)), "this many such layers, one after the other",
                         at(entries[i].repeat));
                v.close();
            }};
    v.list("layers", {.least = 1, .most = 1024, .required = true}, "from the input to the output", access);
    v.scalar("loss", choice(loss_names), "loss, the mean over the batch", named(net.loss, loss_names));
    v.close();

    net.layers.clear();
    for (const layer_entry& entry : entries)
        for (std::size_t i = 0; i < std::max<std::size_t>(entry.repeat, 1); ++i) {
            const std::size_t below = net.layers.empty() ? inputs : net.layers.back().outputs;
            net.layers.push_back({.inputs = below, .outputs = entry.units, .activation = entry.activation});
        }
}

void visit_training(config_visitor& v, training_config& t) {
    v.open("training", "what is trained, and in which order");
    v.scalar("schedule", required(choice({"store_all", "recompute", "interval", "interval_overwrite"})),
             "which layer outputs are kept and which are computed again", at(t.schedule));
    v.scalar("interval", optional(whole(1, 1024)), "interval schedules: every n-th output is kept",
             at(t.interval));
    v.scalar("epochs", optional(whole(1, 1'000'000)), "passes over the training rows; either this or `steps`",
             at(t.epochs));
    v.scalar("steps", optional(whole(1, 1'000'000'000)), "batches; either this or `epochs`", at(t.steps));
    v.scalar("batch", required(whole(1, 65'536)), "rows of one step", at(t.batch));
    v.scalar("operands", choice(operand_names),
             "format of weights, activations and data gradients on the device",
             named(t.operands, operand_names));
    v.open("optimizer", "how the host changes its fp32 weights");
    v.scalar("kind", choice({"sgd", "momentum"}), "gradient descent, or with momentum", at(t.optimizer.kind));
    v.scalar("learning_rate", required(real(1e-12, 1000)), "factor of the gradient",
             at(t.optimizer.learning_rate));
    v.scalar("decay", choice(decay_names), "learning rate over the run: constant, or falling to 0",
             named(t.optimizer.decay, decay_names));
    v.scalar("momentum", real(0, 0.9999), "what a step keeps of the one before; kind momentum",
             at(t.optimizer.momentum));
    v.scalar("weight_decay", real(0, 1), "pull of every weight towards 0", at(t.optimizer.weight_decay));
    v.close();
    v.close();
}

} // namespace

void visit_npu_values(config_visitor& v, npu_config& n) {
    v.scalar("clock", range(value_kind::frequency, 1e6, 1e10), "device clock", at(n.clock_hz));
    visit_array(v, n.array);
    v.open("psum", "memory of partial sums below the array");
    v.scalar("banks", whole(2, byte), "banks; an instruction works in one", at(n.psum.banks));
    v.scalar("rows", whole(1, word >> 8), "rows of C 32-bit words in a bank", at(n.psum.rows));
    v.close();
    v.open("state_buffer", "the software-managed SRAM next to the engines");
    v.scalar("capacity", bytes(1 * kib, 1 * gib), "size; a multiple of banks * 4 * R",
             at(n.state_buffer.capacity_bytes));
    v.scalar("banks", whole(1, 1024), "equal, consecutive parts, one access per cycle each",
             at(n.state_buffer.banks));
    v.close();
    visit_engine(v, "activation", "activation engine: functions, scale and bias while moving a tile",
                 n.activation);
    visit_engine(v, "vector", "vector engine: element-wise operations and reductions", n.vector);
    v.open("dma", "data movement engines");
    v.scalar("queues", whole(1, spec::max_dma_queues), "queues, each with its own program", at(n.dma.queues));
    v.scalar("chunk", power_of_two(bytes(64, 64 * kib)), "a transfer is cut into chunks of at most this",
             at(n.dma.chunk_bytes));
    v.scalar("outstanding_chunks", whole(1, 64), "chunks a queue has in flight",
             at(n.dma.outstanding_chunks));
    v.scalar("setup_cycles", whole(0, 10'000), "from taking an instruction to its first request",
             at(n.dma.setup_cycles));
    v.scalar("transpose_bytes_per_cycle", whole(1, 4096), "throughput of the tile transpose",
             at(n.dma.transpose_bytes_per_cycle));
    v.close();
    visit_dram(v, n.device_dram);
    visit_link(v, n.host_link);
    v.open("control_core", "the RISC-V core that runs the firmware");
    v.scalar("memory", bytes(16 * kib, spec::firmware_window_bytes, 4), "its private memory",
             at(n.control_core.memory_bytes));
    v.close();
    v.open("sequencer", "how every engine fetches its program");
    v.scalar("fetch_block", whole(1, 1024), "instructions fetched at once", at(n.sequencer.fetch_block));
    v.scalar("issue_cycles", whole(0, 10'000), "from a fetched instruction to its first action",
             at(n.sequencer.issue_cycles));
    v.close();
    v.open("stress", "random back-pressure on whatever is shared, to find what depends on when something happens; values never change");
    v.scalar("seed", whole(0, any), "of when and how long", at(n.stress.seed));
    v.scalar("requests", whole(0, 1'000'000), "cycles for which a request of the arbitration is held back, at most; 0: none",
             at(n.stress.request_cycles));
    v.scalar("chunks", whole(0, 1'000'000), "cycles for which a place of a DMA queue stays taken after its write, at most",
             at(n.stress.chunk_cycles));
    v.scalar("messages", whole(0, 1'000'000), "cycles by which a message of the host link arrives late, at most",
             at(n.stress.message_cycles));
    v.scalar("reorder", boolean(), "late messages may be overtaken where the bus allows it; host memory is weakly ordered", at(n.stress.reorder));
    v.close();
    v.scalar("ideal_memories", boolean(), "banks never conflict, every memory access takes one cycle",
             at(n.ideal_memories));
    v.scalar("watchdog_cycles", whole(1000, any), "nothing finishes for this long: a hang",
             at(n.watchdog_cycles));
}

void visit_npu(config_visitor& v, npu_config& n) {
    v.open("npu", "the processor; a preset, and single values that differ from it");
    const value_access preset{
        [&n] { return config_value(n.preset); },
        [&n](const config_value& name) { n = preset_npu(std::get<std::string>(name)); }};
    v.scalar("preset", choice(preset_names()), "where every other number of the processor comes from",
             preset);
    visit_npu_values(v, n);
    v.close();
}

void visit(config_visitor& v, run_config& c) {
    v.scalar("name", {.kind = value_kind::text},
             "name of the run and of its folder; default: the file's name", at(c.name));
    v.scalar("seed", whole(0, any), "key of everything random: initial weights, order of the rows",
             at(c.seed));
    visit_npu(v, c.npu);
    visit_network(v, c.net);
    v.open("data", "labelled examples: a CSV file of numbers, the label last");
    v.scalar("file", required({.kind = value_kind::path}),
             "relative to the configuration (in --set: to the current folder)", at(c.data.file));
    v.scalar("classes", required(whole(2, 65'535)), "labels run from 0 to classes - 1", at(c.data.classes));
    v.scalar("scale", real(1e-30, 1e30), "factor of every number in the file", at(c.data.scale));
    v.scalar("train_rows", optional(whole(1, 1'000'000'000)),
             "training rows; default: all that are not test rows", at(c.data.train_rows));
    v.scalar("test_rows", required(whole(1, 1'000'000'000)), "rows held out, spread evenly over the file",
             at(c.data.test_rows));
    v.close();
    visit_training(v, c.training);
    v.open("log", "the event log");
    const list_access steps{.size = [&c] { return c.log.steps.size(); },
                            .resize = [&c](std::size_t n) { c.log.steps.resize(n); },
                            .element =
                                [&](std::size_t i) {
                                    v.scalar("", whole(1, word), "a training step, from 1",
                                             at(c.log.steps[i]));
                                }};
    v.list("steps", {.most = 10'000},
           "training steps, from 1, logged tile by tile; all others command by command", steps);
    v.scalar("events", boolean(), "write events.sqlite", at(c.log.events));
    v.close();
    v.open("host", "the host's own work");
    v.scalar("step_cycles", whole(0, 1'000'000'000'000), "device cycles that it takes per training step",
             at(c.host.step_cycles));
    v.close();
}

} // namespace retrace
