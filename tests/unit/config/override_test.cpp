#include "tests/unit/config/config_samples.h"

#include <filesystem>

namespace retrace {
namespace {

TEST(overrides, change_a_key_of_the_file) {
    EXPECT_EQ(parsed(sample, {"training.batch=8"}).training.batch, 8u);
    EXPECT_EQ(parsed(sample, {"name=other"}).name, "other");
    EXPECT_EQ(parsed(sample, {"training.batch=8", "training.batch=9"}).training.batch, 9u);
}

TEST(overrides, set_keys_that_the_file_does_not_have) {
    const run_config c =
        parsed(sample, {"npu.device_dram.regions.activations=1MiB", "host.step_cycles=5", "seed=3"});
    EXPECT_EQ(c.npu.device_dram.regions[0].bytes, 1u << 20);
    EXPECT_EQ(c.host.step_cycles, 5u);
    EXPECT_EQ(c.seed, 3u);
}

TEST(overrides, reach_into_lists_by_index) {
    const run_config c = parsed(sample, {"network.layers.0.repeat=1", "network.layers.0.dense=5"});
    ASSERT_EQ(c.net.depth(), 2u);
    EXPECT_EQ(c.net.at(1).outputs, 5u);
    EXPECT_EQ(c.net.at(2).inputs, 5u);
    EXPECT_EQ(parsed(sample, {"network.layers.0={dense: 6}"}).net.at(1).outputs, 6u);
}

TEST(overrides, take_lists_and_sections_in_yaml) {
    EXPECT_EQ(parsed(sample, {"log.steps=[4, 5]"}).log.steps, (std::vector<std::uint64_t>{4, 5}));
    EXPECT_TRUE(parsed(sample, {"log.steps=[]"}).log.steps.empty());
    const run_config c =
        parsed(sample, {"training.optimizer={kind: momentum, learning_rate: 0.5, momentum: 0.25}"});
    EXPECT_EQ(c.training.optimizer.momentum, 0.25);
}

TEST(overrides, remove_a_key_with_null) {
    const std::string text = with("schedule: recompute", "schedule: interval\n  interval: 2");
    EXPECT_EQ(parsed(text, {"training.schedule=store_all", "training.interval=null"}).training.interval, 0u);
    EXPECT_EQ(parsed(sample, {"npu=null"}).npu.preset, "small");
    EXPECT_EQ(fault(sample, {"training.batch=null"}), "f.yaml:13: missing key 'training.batch' (1 to 65536)");
}

TEST(overrides, replace_a_wrong_value_of_the_file) {
    EXPECT_EQ(parsed(with("batch: 16", "batch: none"), {"training.batch=4"}).training.batch, 4u);
    EXPECT_EQ(parsed(with("\n  preset: tiny\n", " 5\n"), {"npu.preset=large"}).npu.array.rows, 128u);
}

TEST(overrides, point_at_themselves_in_messages) {
    EXPECT_EQ(fault(sample, {"training.batch=x"}).rfind("--set training.batch: 'x' is not a whole number", 0),
              0u);
    EXPECT_EQ(fault(sample, {"npu.array.rows=0"}), "--set npu.array.rows: '0' is out of range, 1 to 256");
    EXPECT_EQ(fault(sample, {"log.steps=[0]"}),
              "--set log.steps: log.steps.0: '0' is out of range, 1 to 4294967295");
    EXPECT_EQ(fault(sample, {"npu.aray.rows=2"}),
              "--set npu.aray.rows: unknown key 'npu.aray' (did you mean 'npu.array'?)");
    EXPECT_EQ(fault(sample, {"npu.array.row=2"}),
              "--set npu.array.row: unknown key 'npu.array.row' (did you mean 'npu.array.rows'?)");
    EXPECT_EQ(fault(sample, {"bacth=2"}),
              "--set bacth: unknown key 'bacth' (did you mean 'training.batch'?)");
    EXPECT_EQ(fault(sample, {"training={bach: 2}"}).rfind("--set training: unknown key 'training.bach'", 0),
              0u);
    EXPECT_EQ(fault(sample, {"training.schedule=interval"}),
              "--set training.schedule: 'interval' needs the key training.interval");
    EXPECT_EQ(fault(sample, {"data.train_rows=8"}),
              "--set data.train_rows: training.batch: 16 rows are more than the 8 rows of data.train_rows");
}

TEST(overrides, need_a_key_and_a_value) {
    EXPECT_EQ(fault(sample, {"training.batch"}),
              "--set training.batch: needs the form --set key=value, for example --set npu.array.rows=16");
    EXPECT_NE(fault(sample, {"=3"}), "accepted");
    EXPECT_NE(fault(sample, {""}), "accepted");
    EXPECT_NE(fault(sample, {"."}), "accepted");
    EXPECT_NE(fault(sample, {"training..batch=3"}), "accepted");
    EXPECT_NE(fault(sample, {"training.batch.=3"}), "accepted");
}

TEST(overrides, refuse_paths_that_lead_nowhere) {
    EXPECT_EQ(fault(sample, {"training.batch.x=3"}),
              "--set training.batch.x: 'training.batch' is a single value and has no keys of its own");
    EXPECT_EQ(
        fault(sample, {"network.layers.2.dense=3"}),
        "--set network.layers.2.dense: '2' is not an index of the list 'network.layers', which has 2 entries "
        "(counted from 0)");
    EXPECT_NE(fault(sample, {"network.layers.-1.dense=3"}), "accepted");
    EXPECT_NE(fault(sample, {"network.layers.first.dense=3"}), "accepted");
    EXPECT_NE(fault(sample, {"network.layers.99999999999999999999.dense=3"}), "accepted");
    EXPECT_EQ(fault(sample, {"npu=5"}).rfind("--set npu: needs keys (preset, ", 0), 0u);
    EXPECT_EQ(fault(sample, {"network.layers=5"}), "--set network.layers: needs a list, not a single value");
}

TEST(overrides, name_files_relative_to_the_current_folder) {
    EXPECT_EQ(parsed(sample, {"data.file=x/../y.csv"}).data.file,
              (std::filesystem::current_path() / "y.csv").string());
    EXPECT_EQ(parsed(sample, {"data.file=/d/y.csv"}).data.file, "/d/y.csv");
}

TEST(overrides, keep_values_with_special_characters_as_they_are) {
    EXPECT_EQ(parsed(sample, {"data.file=/d/a: b=c#.csv"}).data.file, "/d/a: b=c#.csv");
}

} // namespace
} // namespace retrace
