// GTKWave save files and translate filters, as text. (That GTKWave reads them is another test's.)
#include "waves/save_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "hw/spec/spec.h"
#include "waves/value_names.h"

namespace retrace {
namespace {

namespace fs = std::filesystem;
using trace::probe_kind;

std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    EXPECT_TRUE(in) << file;
    return {std::istreambuf_iterator<char>(in), {}};
}

class save_file : public testing::Test {
protected:
    save_file() : folder_(fs::path(testing::TempDir()) / ("save_" + std::to_string(getpid()))), waves((folder_ / "a.fst").string()) {
        fs::create_directories(folder_);
    }
    ~save_file() override { fs::remove_all(folder_); }
    std::string written(std::span<const trace::probe> signals, std::span<const wave_marker> markers = {}, const wave_view& view = {}) {
        EXPECT_EQ(write_save_file(waves, signals, {-12, 1250}, markers, view), waves + ".gtkw");
        return text_of(waves + ".gtkw");
    }

    fs::path folder_;
    std::string waves;
};

void expect_part(const std::string& text, const std::string& part) { EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text; }

const std::vector<trace::probe> two_blocks{{"npu0.array.opcode", probe_kind::bits, 8, "opcode"}, {"npu0.array.stream", probe_kind::text},
                                           {"npu0.array.utilisation", probe_kind::real},         {"npu0.dma0.in_flight", probe_kind::bits, 5, "level"},
                                           {"npu0.dma0.state", probe_kind::bits, 3, "sequencer"}, {"npu0.dma0.stalled", probe_kind::bits, 1}};

TEST_F(save_file, shows_signals_in_groups_with_their_filters_and_a_marker) {
    const std::vector<wave_marker> markers{{1234, "failure"}, {1200, "command 7 begins"}};
    const std::string text = written(two_blocks, markers);
    expect_part(text, "[dumpfile] \"" + waves + "\"\n[savefile] \"" + waves + ".gtkw\"\n[timestart] 1517500\n"); // 20 cycles before
    expect_part(text, "*-13.287712 1542500 1542500 1500000 -1");                                               // 25 pixels a cycle
    expect_part(text, "[markername] Afailure\n[markername] Bcommand 7 begins\n");
    expect_part(text, "@800200\n-npu0.array\n@2022\n^1 " + waves + ".filters/opcode_8.txt\nnpu0.array.opcode[7:0]\n@820\nnpu0.array.stream\n");
    expect_part(text, "npu0.array.utilisation\n@20000\n-\n@1000200\n-npu0.array\n@800200\n-npu0.dma0\n");
    expect_part(text, "npu0.dma0.in_flight[4:0]\n");
    expect_part(text, "npu0.dma0.stalled\n@1000200\n-npu0.dma0\n");
    EXPECT_EQ(text_of(waves + ".filters/sequencer_3.txt"), "0 idle\n1 starts\n2 fetches\n3 issues\n4 waits\n5 executes\n6 lands\n");
    const std::string opcodes = text_of(waves + ".filters/opcode_8.txt");
    for (const spec::instruction_info& i : spec::instructions)
        expect_part(opcodes, " " + std::string(spec::name_of(i.code)) + "\n");
    expect_part(opcodes, "11 matmul\n");
    EXPECT_THROW(write_save_file("/proc/no/such/a.fst", two_blocks, {-9, 1}, {}), wave_error);
}

TEST_F(save_file, a_block_has_a_file_of_its_own) {
    written(two_blocks);
    const std::string dma = text_of(waves + ".blocks/npu0.dma0.gtkw");
    expect_part(dma, "[dumpfile] \"" + waves + "\"\n[savefile] \"" + waves + ".blocks/npu0.dma0.gtkw\"\n");
    expect_part(dma, "npu0.dma0.stalled\n");
    EXPECT_EQ(dma.find("npu0.array"), std::string::npos);
    EXPECT_EQ(dma.find('*', 3), std::string::npos); // no marker: GTKWave shows all of the time
    EXPECT_TRUE(fs::exists(waves + ".blocks/npu0.array.gtkw"));
    written({two_blocks.data(), 3}); // one block only
    EXPECT_FALSE(fs::exists(waves + ".blocks"));
}

TEST_F(save_file, pes_stand_behind_the_signals_of_their_array_as_numbers_and_folded) {
    std::vector<trace::probe> signals{{"npu0.array.opcode", probe_kind::bits, 8, "opcode"}};
    for (int c = 0; c < 5; ++c)
        signals.push_back({"npu0.array.pe_0_" + std::to_string(c) + ".sum", probe_kind::bits, 32, "word"});
    signals.push_back({"npu0.array.state", probe_kind::bits, 3, "sequencer"});
    const std::string text = written(signals, {}, {false, "npu0.array.pe_0_3"});
    expect_part(text, "npu0.array.state[2:0]\n@c00200\n-npu0.array.pe_0_0\n@4022\n^>1 " + waves + ".filters/float.sh\nnpu0.array.pe_0_0.sum[31:0]\n" +
                          "@1401200\n-npu0.array.pe_0_0\n");
    expect_part(text, "@800200\n-npu0.array.pe_0_3\n");
    expect_part(text, "@1000200\n-npu0.array.pe_0_3\n");
    expect_part(written(signals, {}, {true, {}}), "@420\nnpu0.array.pe_0_0.sum[31:0]\n"); // int8: signed decimal
    signals.erase(signals.begin() + 1);
    expect_part(written(signals), "@800200\n-npu0.array.pe_0_1\n"); // four need no folding
}

TEST(value_names, every_filter_has_names_that_differ) {
    for (const std::string_view filter : named_filters()) {
        const auto names = value_names(filter);
        EXPECT_GT(names.size(), 2u) << filter;
        for (std::size_t i = 0; i < names.size(); ++i)
            for (std::size_t j = 0; j < i; ++j) {
                EXPECT_NE(names[i].first, names[j].first) << filter;
                EXPECT_NE(names[i].second, names[j].second) << filter;
            }
    }
    EXPECT_TRUE(value_names("word").empty());
    EXPECT_EQ(value_names("fp8_e4m3").at(0x7e).second, "448");
    EXPECT_EQ(value_names("fp8_e5m2").at(0xfc).second, "-inf");
    EXPECT_EQ(value_names("fault").at(static_cast<std::size_t>(spec::engine_fault::bus_error)).second, "bus_error");
}

} // namespace
} // namespace retrace
