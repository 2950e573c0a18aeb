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

TEST(save_file, shows_signals_in_groups_with_their_filters_and_a_marker) {
    const fs::path folder = fs::path(testing::TempDir()) / ("save_" + std::to_string(getpid()));
    fs::create_directories(folder);
    const std::vector<trace::probe> signals{{"npu0.array.opcode", probe_kind::bits, 8, "opcode"},
                                            {"npu0.array.stream", probe_kind::text},
                                            {"npu0.array.utilisation", probe_kind::real},
                                            {"npu0.dma0.in_flight", probe_kind::bits, 5, "level"},
                                            {"npu0.dma0.state", probe_kind::bits, 3, "sequencer"},
                                            {"npu0.dma0.stalled", probe_kind::bits, 1}};
    const std::vector<wave_marker> markers{{1234, "failure"}, {1200, "command 7 begins"}};
    const std::string waves = (folder / "a.fst").string();
    EXPECT_EQ(write_save_file(waves, signals, {-12, 1250}, markers), waves + ".gtkw");
    const std::string text = text_of(waves + ".gtkw");
    SCOPED_TRACE(text);
    EXPECT_NE(text.find("[dumpfile] \"" + waves + "\""), std::string::npos);
    EXPECT_NE(text.find("*-6.0 1542500 1542500 1500000 -1"), std::string::npos);
    EXPECT_NE(text.find("[markername] Afailure\n[markername] Bcommand 7 begins\n"), std::string::npos);
    EXPECT_NE(text.find("-npu0.array\n@2022\n^1 " + waves + ".filters/opcode_8.txt\nnpu0.array.opcode[7:0]\n"), std::string::npos);
    EXPECT_NE(text.find("npu0.array.stream\n"), std::string::npos);
    EXPECT_NE(text.find("-npu0.dma0\n"), std::string::npos);
    EXPECT_NE(text.find("npu0.dma0.in_flight[4:0]\n"), std::string::npos);
    EXPECT_NE(text.find("npu0.dma0.stalled\n"), std::string::npos);
    EXPECT_EQ(text_of(waves + ".filters/sequencer_3.txt"), "0 idle\n1 fetches\n2 issues\n3 waits\n4 executes\n");
    const std::string opcodes = text_of(waves + ".filters/opcode_8.txt");
    for (const spec::instruction_info& i : spec::instructions)
        EXPECT_NE(opcodes.find(std::string(" ") + std::string(spec::name_of(i.code)) + "\n"), std::string::npos);
    EXPECT_NE(opcodes.find("11 matmul\n"), std::string::npos);
    fs::remove_all(folder);
    EXPECT_THROW(write_save_file("/proc/no/such/a.fst", signals, {-9, 1}, {}), wave_error);
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
    EXPECT_EQ(value_names("fault").at(static_cast<std::size_t>(spec::engine_fault::bus_error)).second, "bus_error");
}

} // namespace
} // namespace retrace
