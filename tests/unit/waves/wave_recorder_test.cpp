// Waves: what is recorded and when, in VCD (read here) and in FST (turned into VCD by GTKWave's fst2vcd, where it is installed).
#include "waves/wave_recorder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace retrace {
namespace {

namespace fs = std::filesystem;
using trace::probe_kind;

/// Changes by signal name: (time, value) as the file has them.
struct reading {
    std::string timescale;
    std::map<std::string, std::vector<std::pair<std::uint64_t, std::string>>> changes;
    std::uint64_t end = 0;
};

reading read_vcd(const std::string& file) {
    std::ifstream in(file);
    EXPECT_TRUE(in) << file;
    reading r;
    std::map<std::string, std::string> names; // by code
    std::vector<std::string> path;
    std::string line;
    bool header = true;
    while (std::getline(in, line)) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "$enddefinitions") {
            header = false;
        } else if (word == "$scope") {
            words >> word >> word;
            path.push_back(word);
        } else if (word == "$upscope") {
            path.pop_back();
        } else if (word == "$timescale") {
            std::string text = line.substr(10);
            if (text.find("$end") == text.npos)
                std::getline(in, text);
            for (const char c : text.substr(0, text.find('$')))
                if (c > ' ')
                    r.timescale += c;
        } else if (word == "$var") {
            std::string type, width, code, name;
            words >> type >> width >> code >> name;
            std::string full;
            for (const std::string& p : path)
                full += p + ".";
            names[code] = full + name;
        } else if (header) {
            continue; // date, version
        } else if (!word.empty() && word[0] == '#') {
            r.end = std::stoull(word.substr(1));
        } else if (!word.empty() && std::string("brs").find(word[0]) != std::string::npos) {
            std::string code;
            words >> code;
            r.changes[names.at(code)].emplace_back(r.end, word.substr(1));
        } else if (!word.empty() && (word[0] == '0' || word[0] == '1') && word.size() > 1) {
            r.changes[names.at(word.substr(1))].emplace_back(r.end, word.substr(0, 1));
        }
    }
    EXPECT_TRUE(path.empty());
    return r;
}

class waves : public testing::Test {
protected:
    waves() : folder_(fs::path(testing::TempDir()) / ("waves_" + std::to_string(getpid()))) {
        fs::create_directories(folder_);
        state = registry.add({"npu0.dma0.state", probe_kind::bits, 3, "sequencer"});
        flag = registry.add({"npu0.dma0.fault", probe_kind::bits, 1});
        label = registry.add({"npu0.dma10.read", probe_kind::text});
        level = registry.add({"npu0.array.utilisation", probe_kind::real});
        detail = registry.add({"npu0.array.pe_0_1.sum", probe_kind::bits, 32, "fp32"});
        wide = registry.add({"npu0.dma2.address", probe_kind::bits, 64});
    }
    ~waves() override { fs::remove_all(folder_); }

    wave_settings to(const std::string& name) const {
        wave_settings s;
        s.file = (folder_ / name).string();
        return s;
    }
    wave_recorder record(const wave_settings& s) { return wave_recorder(s, registry, 1'000'000, [this] { return now; }); }

    fs::path folder_;
    trace::probe_registry registry;
    trace::probe_id state, flag, label, level, detail, wide;
    std::uint64_t now = 0;
};

void tell(waves&, trace::probe_registry& r, trace::probe_id state, trace::probe_id label, trace::probe_id level, trace::probe_id wide) {
    r.set(state, 10, 2);
    r.set(state, 30, 5);
    r.set(state, 20, 3); // told late
    r.set(state, 20, 4); // in the same cycle the last one counts
    r.set_text(label, 12, "COPY #7 1024 B");
    r.set_text(label, 40, "");
    r.set_real(level, 16, 0.75);
    r.set(wide, 25, 0xfedcba9876543210u);
    r.set(state, 31, 5); // no change
}

using entries = std::vector<std::pair<std::uint64_t, std::string>>;

TEST_F(waves, changes_stand_in_the_file_in_the_order_of_their_cycles) {
    {
        wave_recorder w = record(to("a.vcd"));
        EXPECT_TRUE(registry.wanted(state));
        EXPECT_FALSE(registry.wanted(detail)); // registers of PEs only when asked for
        tell(*this, registry, state, label, level, wide);
        now = 50;
        w.close();
        EXPECT_EQ(w.remarks(), "");
        EXPECT_EQ(w.changes(), 7u);
    }
    EXPECT_FALSE(registry.wanted(state));
    const reading r = read_vcd((folder_ / "a.vcd").string());
    EXPECT_EQ(r.timescale, "1ns");
    EXPECT_EQ(r.end, 50u);
    EXPECT_EQ(r.changes.at("npu0.dma0.state"), (entries{{0, "0"}, {10, "10"}, {20, "100"}, {30, "101"}}));
    EXPECT_EQ(r.changes.at("npu0.dma10.read"), (entries{{0, ""}, {12, "COPY\\040#7\\0401024\\040B"}, {40, ""}}));
    EXPECT_EQ(r.changes.at("npu0.array.utilisation"), (entries{{0, "0"}, {16, "0.75"}}));
    EXPECT_EQ(r.changes.at("npu0.dma2.address").back().second, "1111111011011100101110101001100001110110010101000011001000010000");
    EXPECT_EQ(r.changes.count("npu0.array.pe_0_1.sum"), 0u);
}

TEST_F(waves, fst_holds_the_same) {
    if (!fst_available())
        GTEST_SKIP() << "this build cannot write FST";
    if (std::system("command -v fst2vcd >/dev/null") != 0)
        GTEST_SKIP() << "needs fst2vcd (Debian: apt-get install gtkwave)";
    for (const char* name : {"a.fst", "a.vcd"}) {
        now = 0;
        wave_recorder w = record(to(name));
        tell(*this, registry, state, label, level, wide);
        now = 50;
        w.close();
    }
    const std::string fst = (folder_ / "a.fst").string(), back = (folder_ / "back.vcd").string();
    ASSERT_EQ(std::system(("fst2vcd -f " + fst + " -o " + back).c_str()), 0);
    const reading a = read_vcd((folder_ / "a.vcd").string()), b = read_vcd(back);
    EXPECT_EQ(a.timescale, b.timescale);
    ASSERT_EQ(a.changes.size(), b.changes.size());
    for (const auto& [name, changes] : a.changes) {
        ASSERT_TRUE(b.changes.contains(name)) << name;
        // fst2vcd writes all leading zeros and only the last value of a time.
        const auto& other = b.changes.at(name);
        std::map<std::uint64_t, std::string> left, right;
        const bool number = name.find("state") != name.npos || name.find("fault") != name.npos || name.find("address") != name.npos;
        for (const auto& [t, v] : changes)
            left[t] = number ? std::to_string(std::stoull(v, nullptr, 2)) : v;
        for (const auto& [t, v] : other)
            right[t] = number ? std::to_string(std::stoull(v, nullptr, 2)) : v;
        if (name.find("read") != name.npos)
            for (auto* side : {&left, &right})
                for (auto& [t, v] : *side)
                    for (std::size_t at; (at = v.find("\\040")) != v.npos;)
                        v.replace(at, 4, " ");
        EXPECT_EQ(left, right) << name;
    }
}

TEST_F(waves, the_same_changes_give_the_same_bytes) {
    const auto bytes = [&](const std::string& name) {
        now = 0;
        wave_recorder w = record(to(name));
        tell(*this, registry, state, label, level, wide);
        now = 50;
        w.close();
        std::ifstream in(folder_ / name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    EXPECT_EQ(bytes("a.vcd"), bytes("b.vcd"));
    if (fst_available()) {
        const std::string one = bytes("a.fst"), two = bytes("b.fst");
        EXPECT_FALSE(one.empty());
        EXPECT_EQ(one, two);
    }
}

TEST_F(waves, a_window_begins_with_the_values_of_its_first_cycle) {
    wave_settings s = to("w.vcd");
    s.start = 15, s.stop = 30;
    s.scopes = {"npu0.dma0"};
    wave_recorder w = record(s);
    tell(*this, registry, state, label, level, wide);
    now = 50;
    w.close();
    const reading r = read_vcd(s.file);
    EXPECT_EQ(r.changes.at("npu0.dma0.state"), (entries{{15, "10"}, {20, "100"}}));
    EXPECT_EQ(r.end, 30u);
    EXPECT_EQ(r.changes.size(), 2u);
}

TEST_F(waves, a_trigger_keeps_what_was_before_it) {
    wave_settings s = to("t.vcd");
    s.trigger = "npu0.dma0.fault";
    s.before = 100;
    s.scopes = {"npu0.dma0.state", "npu0.dma10"};
    wave_recorder w = record(s);
    for (unsigned c = 0; c < 50; ++c)
        registry.set(state, 20 * c, 1 + c % 7);
    registry.set_text(label, 5, "long ago");
    registry.set(flag, 1005, 1);
    registry.set(state, 1010, 6);
    now = 2000;
    w.close();
    EXPECT_EQ(w.triggered(), 1005u);
    const reading r = read_vcd(s.file);
    const auto& changes = r.changes.at("npu0.dma0.state");
    ASSERT_GE(changes.size(), 5u);
    EXPECT_EQ(changes.front().first, 905u);
    EXPECT_EQ(changes.front().second, "100"); // c = 45 in cycle 900: 1 + 45 % 7 = 4
    EXPECT_EQ(changes[1], (std::pair<std::uint64_t, std::string>{920, "101"}));
    EXPECT_EQ(changes.back(), (std::pair<std::uint64_t, std::string>{1010, "110"}));
    EXPECT_EQ(r.changes.at("npu0.dma10.read"), (entries{{905, "long\\040ago"}}));
    EXPECT_EQ(r.changes.count("npu0.dma0.fault"), 0u); // not one of the scopes
}

TEST_F(waves, what_selects_nothing_is_told) {
    {
        wave_settings s = to("x.vcd");
        s.start = 1000;
        wave_recorder w = record(s);
        tell(*this, registry, state, label, level, wide);
        now = 50;
        w.close();
        EXPECT_NE(w.remarks().find("no signal changed from cycle 1000"), std::string::npos) << w.remarks();
        EXPECT_NE(w.remarks().find("40"), std::string::npos) << w.remarks();
    }
    {
        wave_settings s = to("y.vcd");
        s.trigger = "npu0.dma0.fault";
        wave_recorder w = record(s);
        now = 60;
        w.close();
        EXPECT_NE(w.remarks().find("npu0.dma0.fault never"), std::string::npos) << w.remarks();
    }
    wave_settings s = to("z.vcd");
    s.scopes = {"npu0.dna*"};
    EXPECT_THROW(record(s), wave_error);
    s.scopes = {};
    s.trigger = "npu0.dma0.falt";
    EXPECT_THROW(record(s), wave_error);
    s.trigger = "npu0.array.utilisation";
    EXPECT_THROW(record(s), wave_error);
    s.trigger.clear();
    s.stop = 0;
    EXPECT_THROW(record(s), wave_error);
    s = to("no/such/folder.vcd");
    EXPECT_THROW(record(s), wave_error);
    EXPECT_THROW(record(to("a.wav")), wave_error);
}

TEST_F(waves, a_full_file_stops_the_wave_and_says_at_which_cycle) {
    for (const char* name : {"f.vcd", "f.fst"}) {
        if (std::string(name).ends_with("fst") && !fst_available())
            continue;
        now = 0;
        wave_settings s = to(name);
        s.max_bytes = 2'000'000;
        wave_recorder w = record(s);
        std::uint64_t x = 1;
        for (now = 1; now < 4'000'000; ++now) {
            x = x * 6364136223846793005u + 1442695040888963407u; // nothing that compresses
            registry.set(wide, now, x);
        }
        w.close();
        EXPECT_NE(w.remarks().find("reached 2 MB and stops before cycle"), std::string::npos) << w.remarks();
        EXPECT_GT(fs::file_size(s.file), 1'000'000u);
        EXPECT_LT(fs::file_size(s.file), 60'000'000u); // what the writer had in memory comes on top
    }
}

TEST_F(waves, a_late_source_is_asked_before_anything_is_written) {
    std::uint64_t told = 0;
    registry.add_late_source([&](std::uint64_t until) {
        for (; told < until; ++told)
            registry.set(state, told, told % 8);
    });
    wave_settings s = to("l.vcd");
    wave_recorder w = record(s);
    for (now = 0; now < 300'000; ++now) // more than is kept waiting
        registry.set(wide, now, now);
    w.close();
    const reading r = read_vcd(s.file);
    EXPECT_EQ(r.changes.at("npu0.dma0.state").size(), 300'001u); // with the value at the beginning
    EXPECT_EQ(told, 300'001u);
}

TEST(wave_names, patterns_mean_signals_and_scopes) {
    EXPECT_TRUE(matches("npu0.array.*", "npu0.array.state"));
    EXPECT_TRUE(matches("npu0.array", "npu0.array.pe_1_2.sum"));
    EXPECT_TRUE(matches("*.sum", "npu0.array.pe_1_2.sum"));
    EXPECT_TRUE(matches("npu?.dma*.state", "npu0.dma12.state"));
    EXPECT_TRUE(matches("*", "a"));
    EXPECT_FALSE(matches("npu0.arr", "npu0.array.state"));
    EXPECT_FALSE(matches("npu0.array.state.x", "npu0.array.state"));
    EXPECT_FALSE(matches("", "npu0"));
    EXPECT_FALSE(matches("a*b*c", "axxbxx"));
    EXPECT_TRUE(matches("a*b*c", "axbxbxc"));
}

TEST(wave_names, numbers_come_in_their_order) {
    EXPECT_TRUE(natural_less("bank2.owner", "bank10.owner"));
    EXPECT_TRUE(natural_less("a", "b"));
    EXPECT_TRUE(natural_less("a", "a.b"));
    EXPECT_FALSE(natural_less("dma10", "dma9"));
    EXPECT_FALSE(natural_less("dma1", "dma1"));
}

TEST(wave_time, the_coarsest_unit_that_divides_the_period) {
    EXPECT_EQ(time_of(1'000'000).unit, -9);
    EXPECT_EQ(time_of(1'000'000).per_cycle, 1u);
    EXPECT_EQ(time_of(1'250'000).unit, -12);
    EXPECT_EQ(time_of(1'250'000).per_cycle, 1250u);
    EXPECT_EQ(time_of(714'286).unit, -15);
}

} // namespace
} // namespace retrace
