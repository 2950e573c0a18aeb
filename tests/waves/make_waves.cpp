// Writes waves of made-up devices as a run does, with probes of every kind and every filter, and beside them what GTKWave has
// to show at which marker. The expected texts stand here by hand: nothing of waves/ turns a number into a name for them.
//   make_waves FILE.fst|FILE.vcd devices|numbers|integers    writes FILE, its save files and filters, and FILE.expected
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "waves/save_file.h"
#include "waves/wave_recorder.h"

using namespace retrace;
using trace::probe_kind;

namespace {

constexpr std::uint64_t femtoseconds_per_cycle = 1'250'000;

struct scene {
    trace::probe_registry registry;
    wave_settings settings;
    std::vector<wave_marker> markers;
    wave_view view;
    std::uint64_t now = 0;
    std::string expected; ///< lines SIGNAL@MARKER VALUE

    trace::probe_id add(const std::string& name, probe_kind kind, unsigned width = 1, std::string_view values = {}) {
        return registry.add({name, kind, width, values});
    }
    void expect(const std::string& signal, char marker, const std::string& value) {
        expected += signal + "@" + marker + " " + value + "\n";
    }

    template <typename Tell>
    void write(Tell&& tell) {
        settings.scopes = {"*"};
        wave_recorder recorder(settings, registry, femtoseconds_per_cycle, [this] { return now; });
        tell();
        recorder.close();
        std::vector<trace::probe> signals = registry.probes();
        std::sort(signals.begin(), signals.end(), [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
        write_save_file(settings.file, signals, time_of(femtoseconds_per_cycle), markers, view);
    }
};

/// Two engines, a core, a bank, a context and PEs: names as a run has them.
void devices(scene& s) {
    const auto bits = [&](const char* name, unsigned width, std::string_view values = {}) {
        return s.add(name, probe_kind::bits, width, values);
    };
    const auto state = bits("npu0.array.state", 3, "sequencer"), opcode = bits("npu0.array.opcode", 8, "opcode");
    const auto command = bits("npu0.array.command", 32), pc = bits("npu0.array.pc", 16), queue = bits("npu0.array.queue", 16, "level");
    const auto instruction = s.add("npu0.array.instruction", probe_kind::text);
    const auto utilisation = s.add("npu0.array.utilisation", probe_kind::real);
    std::vector<trace::probe_id> sums, valids;
    for (const char* pe : {"0_0", "0_1", "1_0", "1_1", "2_0", "10_1"}) {
        sums.push_back(bits((std::string("npu0.array.pe_") + pe + ".sum").c_str(), 32, "word"));
        valids.push_back(bits((std::string("npu0.array.pe_") + pe + ".valid").c_str(), 1));
    }
    const auto fault = bits("npu0.dma0.fault", 4, "fault"), dma_state = bits("npu0.dma0.state", 3, "sequencer");
    const auto waits = s.add("npu0.dma0.waits_for", probe_kind::text);
    const auto bank = bits("npu0.state_buffer.bank0", 8, "requester"), core = bits("npu0.core.state", 2, "core");
    const auto core_pc = bits("npu0.core.pc", 32, "address");
    const auto phase = bits("npu0.context0.phase", 4, "phase"), address = bits("npu0.dram.address", 64);
    s.view.unfolded = "npu0.array.pe_1_0";
    s.markers = {{120, "failure"}, {40, "command 7 begins"}, {0, "start"}};
    s.write([&] {
        auto& r = s.registry;
        r.set(state, 30, 5), r.set(opcode, 30, 0x11), r.set(command, 30, 4000000000), r.set(pc, 30, 12), r.set(core_pc, 30, 0x80000a2c);
        r.set_text(instruction, 30, "MATMUL #12.34 K=128 N=512 tag=grad3");
        r.set(queue, 20, 7), r.set(queue, 100, 3), r.set_real(utilisation, 50, 0.1);
        for (std::size_t i = 0; i < sums.size(); ++i)
            r.set(sums[i], 35 + i, 0x3fc00000 + (std::uint64_t{i} << 23)), r.set(valids[i], 36, i % 2);
        r.set(dma_state, 10, 1), r.set(dma_state, 110, 4);
        r.set_text(waits, 110, "semaphore 3 for 2, has 1"), r.set(fault, 119, 9), r.set(fault, 121, 0);
        r.set(bank, 60, 21), r.set(core, 5, 2), r.set(phase, 40, 1), r.set(address, 90, 0xfedcba9876543210u);
        s.now = 200;
    });
    s.expect("npu0.array.state[2:0]", 'A', "executes"), s.expect("npu0.array.state[2:0]", 'C', "idle");
    s.expect("npu0.array.opcode[7:0]", 'A', "matmul"), s.expect("npu0.array.opcode[7:0]", 'C', "nop");
    s.expect("npu0.core.pc[31:0]", 'A', "80000A2C"), s.expect("npu0.array.command[31:0]", 'A', "4000000000"), s.expect("npu0.array.pc[15:0]", 'B', "12");
    s.expect("npu0.array.instruction", 'A', "MATMUL #12.34 K=128 N=512 tag=grad3"), s.expect("npu0.array.instruction", 'C', "");
    s.expect("npu0.array.queue[15:0]", 'A', "3"), s.expect("npu0.array.queue[15:0]", 'B', "7");
    s.expect("npu0.array.utilisation", 'A', "0.1"), s.expect("npu0.array.utilisation", 'B', "0");
    s.expect("npu0.array.pe_0_0.sum[31:0]", 'A', "1.5"), s.expect("npu0.array.pe_0_1.sum[31:0]", 'A', "3");
    s.expect("npu0.array.pe_10_1.sum[31:0]", 'A', "48"), s.expect("npu0.array.pe_10_1.sum[31:0]", 'C', "0");
    s.expect("npu0.array.pe_0_0.valid", 'A', "0"), s.expect("npu0.array.pe_0_1.valid", 'A', "1");
    s.expect("npu0.dma0.fault[3:0]", 'A', "bus_error"), s.expect("npu0.dma0.fault[3:0]", 'B', "none");
    s.expect("npu0.dma0.state[2:0]", 'A', "waits"), s.expect("npu0.dma0.state[2:0]", 'B', "starts");
    s.expect("npu0.dma0.waits_for", 'A', "semaphore 3 for 2, has 1");
    s.expect("npu0.state_buffer.bank0[7:0]", 'A', "array operands"), s.expect("npu0.core.state[1:0]", 'A', "sleeps");
    s.expect("npu0.context0.phase[3:0]", 'A', "forward"), s.expect("npu0.dram.address[63:0]", 'A', "FEDCBA9876543210");
}

/// One block; signals that go through the interesting values of their formats, with a marker at each.
void numbers(scene& s) {
    struct entry {
        std::uint64_t bits;
        const char* shown;
    };
    const std::vector<entry> fp32{
        {0, "0"},                       {0x80000000, "-0"},             {0x3fc00000, "1.5"},          {0xc0490fdb, "-3.14159274"},
        {0x3dcccccd, "0.100000001"},    {0x3dcccccc, "0.099999994"},    {1, "1.40129846e-45"},        {0x007fffff, "1.17549421e-38"},
        {0x00800000, "1.17549435e-38"}, {0x7f7fffff, "3.40282347e+38"}, {0x7f800000, "inf"},          {0xff800000, "-inf"},
        {0x7fc00000, "NaN"},            {0xffc00000, "NaN FFC00000"},   {0x7f800001, "NaN 7F800001"}, {0x4b800000, "16777216"}};
    const std::vector<entry> bf16{{0, "0"},        {0x8000, "-0"},   {0x3fc0, "1.5"},       {0x3dcd, "0.100097656"},
                                  {0x7fc0, "NaN"}, {0xff80, "-inf"}, {1, "9.18354962e-41"}, {0x7f7f, "3.38953139e+38"}};
    const std::vector<entry> e4m3{{0, "0"},      {0x80, "-0"},     {0x38, "1"},        {0x7e, "448"},
                                  {0x7f, "NaN"}, {0xff, "NaN ff"}, {1, "0.001953125"}, {0xfe, "-448"}};
    const std::vector<entry> e5m2{{0, "0"},      {0x80, "-0"},   {0x3c, "1"},    {0x7b, "57344"},
                                  {0x7c, "inf"}, {0xfc, "-inf"}, {0x7e, "NaN"},  {1, "1.52587891e-05"}};
    struct {
        const char* name;
        const char* values;
        unsigned width;
        const std::vector<entry>& entries;
    } const formats[] = {{"word", "word", 32, fp32},
                         {"fp32", "fp32", 32, fp32},
                         {"bf16", "bf16", 16, bf16},
                         {"e4m3", "fp8_e4m3", 8, e4m3},
                         {"e5m2", "fp8_e5m2", 8, e5m2}};
    std::vector<trace::probe_id> ids;
    for (const auto& f : formats)
        ids.push_back(s.add(std::string("npu0.numbers.") + f.name, probe_kind::bits, f.width, f.values));
    for (std::size_t i = 0; i < fp32.size(); ++i)
        s.markers.push_back({1000 + 10 * i, fp32[i].shown});
    s.settings.start = 900; // a file that begins late
    s.write([&] {
        for (std::size_t f = 0; f < std::size(formats); ++f)
            for (std::size_t i = 0; i < formats[f].entries.size(); ++i) {
                const entry& e = formats[f].entries[i];
                const std::string index = "[" + std::to_string(formats[f].width - 1) + ":0]";
                s.registry.set(ids[f], 1000 + 10 * i, e.bits);
                s.expect(std::string("npu0.numbers.") + formats[f].name + index, static_cast<char>('A' + i), e.shown);
            }
        s.now = 1200;
    });
}

/// Words of an int8 product.
void integers(scene& s) {
    const auto weight = s.add("npu0.array.pe_0_0.weight", probe_kind::bits, 32, "word");
    const auto sum = s.add("npu0.array.pe_0_0.sum", probe_kind::bits, 32, "word");
    s.view.integer_words = true;
    s.markers = {{10, "end"}};
    s.write([&] {
        s.registry.set(weight, 5, 0xffffff80), s.registry.set(sum, 6, 123456);
        s.now = 20;
    });
    s.expect("npu0.array.pe_0_0.weight[31:0]", 'A', "-128"), s.expect("npu0.array.pe_0_0.sum[31:0]", 'A', "123456");
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "make_waves FILE devices|numbers|integers\n");
        return 2;
    }
    try {
        scene s;
        s.settings.file = argv[1];
        const std::string what = argv[2];
        if (what != "devices" && what != "numbers" && what != "integers")
            throw std::runtime_error(what + ": no such scene");
        (what == "devices" ? devices : what == "numbers" ? numbers : integers)(s);
        std::ofstream(s.settings.file + ".expected") << s.expected;
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "make_waves: %s\n", e.what());
        return 1;
    }
}
