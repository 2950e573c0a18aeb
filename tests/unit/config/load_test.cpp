#include "tests/unit/config/config_samples.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace retrace {
namespace {

TEST(parse_config, fills_the_whole_run) {
    const run_config c = parsed(sample);
    EXPECT_EQ(c.name, "sample");
    EXPECT_EQ(c.seed, 1u);
    EXPECT_EQ(c.npu.preset, "tiny");
    EXPECT_EQ(c.npu.array.rows, 8u);
    ASSERT_EQ(c.net.depth(), 4u);
    EXPECT_EQ(c.net.at(1).inputs, 4u);
    EXPECT_EQ(c.net.at(3).inputs, 8u);
    EXPECT_EQ(c.net.at(3).outputs, 8u);
    EXPECT_EQ(c.net.at(3).activation, activation_kind::relu);
    EXPECT_EQ(c.net.at(4).outputs, 2u);
    EXPECT_EQ(c.net.at(4).activation, activation_kind::none);
    EXPECT_EQ(c.data.file, "/configs/rows.csv");
    EXPECT_EQ(c.data.test_rows, 5u);
    EXPECT_EQ(c.training.schedule, "recompute");
    EXPECT_EQ(c.training.steps, 3u);
    EXPECT_EQ(c.training.epochs, 0u);
    EXPECT_EQ(c.training.operands, operand_format::bf16);
    EXPECT_EQ(c.training.optimizer.learning_rate, 0.1);
    EXPECT_EQ(c.log.steps, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_TRUE(c.log.events);
}

TEST(parse_config, reads_every_kind_of_value) {
    const run_config c = parsed(with("  preset: tiny\n", R"(  preset: large
  clock: 900MHz
  array: {rows: 64, operand_cycles: {fp32: 2, int8: 3}, implementation: stepped}
  state_buffer: {capacity: 12MiB}
  device_dram: {t_rcd: 12.5ns, regions: {programs: 1MiB, activations: 64KiB}}
  host_link: {bandwidth: 8GiB/s, latency: 1us}
  ideal_memories: true
)") + "log: {steps: [7, 3, 7], events: false}\nhost: {step_cycles: 1000}\nseed: 18446744073709551615\n");
    EXPECT_EQ(c.npu.clock_hz, 9e8);
    EXPECT_EQ(c.npu.array.rows, 64u);
    EXPECT_EQ(c.npu.array.columns, 128u);
    EXPECT_EQ(c.npu.array.operand_cycles, (std::array<unsigned, 5>{2, 1, 1, 1, 3}));
    EXPECT_EQ(c.npu.array.implementation, "stepped");
    EXPECT_EQ(c.npu.state_buffer.capacity_bytes, 12u << 20);
    EXPECT_EQ(c.npu.device_dram.t_rcd_ns, 12.5);
    ASSERT_EQ(c.npu.device_dram.regions.size(), 4u);
    EXPECT_EQ(c.npu.device_dram.regions[0].kind,
              spec::region_kind::activations); // laid out in the order of the kinds
    EXPECT_EQ(c.npu.device_dram.regions[0].bytes, 64u << 10);
    EXPECT_EQ(c.npu.device_dram.regions[3].kind, spec::region_kind::programs);
    EXPECT_EQ(c.npu.device_dram.regions[3].bytes, 1u << 20);
    EXPECT_EQ(c.npu.host_link.bytes_per_second, 8.0 * (1u << 30));
    EXPECT_EQ(c.npu.host_link.latency_ns, 1000.0);
    EXPECT_TRUE(c.npu.ideal_memories);
    EXPECT_EQ(c.log.steps, (std::vector<std::uint64_t>{3, 7}));
    EXPECT_FALSE(c.log.events);
    EXPECT_EQ(c.host.step_cycles, 1000u);
    EXPECT_EQ(c.seed, 18446744073709551615u);
}

TEST(parse_config, takes_a_preset_before_single_values_wherever_it_stands) {
    const run_config c = parsed(with("  preset: tiny\n", "  clock: 2GHz\n  preset: large\n"));
    EXPECT_EQ(c.npu.clock_hz, 2e9);
    EXPECT_EQ(c.npu.array.rows, 128u);
}

TEST(parse_config, uses_preset_small_without_a_word_about_it) {
    EXPECT_EQ(parsed(with("npu:\n  preset: tiny\n", "")).npu.preset, "small");
}

TEST(parse_config, names_a_run_after_its_file) {
    EXPECT_EQ(parse_config(with("name: sample\n", ""), "/a b/my run.yaml").config.name, "my-run");
    EXPECT_EQ(parse_config(with("name: sample\n", ""), ".yaml").config.name, "run");
}

TEST(parse_config, reports_unknown_keys_with_the_nearest_one) {
    EXPECT_EQ(fault(with("  batch:", "  bacth:")),
              "f.yaml:16: unknown key 'training.bacth' (did you mean 'training.batch'?)");
    EXPECT_EQ(fault(with("training:", "trainin:")),
              "f.yaml:13: unknown key 'trainin' (did you mean 'training'?)");
    EXPECT_EQ(fault(with("{dense: 2}", "{dens: 2}")),
              "f.yaml:8: unknown key 'network.layers.1.dens' (did you mean 'network.layers.1.dense'?)");
    EXPECT_EQ(fault(with("preset: tiny", "array: {row: 4}")),
              "f.yaml:3: unknown key 'npu.array.row' (did you mean 'npu.array.rows'?)");
}

TEST(parse_config, finds_a_key_that_stands_in_the_wrong_section) {
    EXPECT_EQ(fault(sample + "batch: 3\n"),
              "f.yaml:18: unknown key 'batch' (did you mean 'training.batch'?)");
    EXPECT_EQ(fault(sample + "t_rfcc: 3\n"),
              "f.yaml:18: unknown key 't_rfcc' (did you mean 'npu.device_dram.t_rfc'?)");
}

TEST(parse_config, reports_an_unknown_key_rather_than_a_missing_one) {
    EXPECT_NE(fault(with("  classes:", "  clases:")).find("did you mean 'data.classes'?"), std::string::npos);
}

TEST(parse_config, reports_missing_keys_at_their_section) {
    EXPECT_EQ(fault(with("  batch: 16\n", "")), "f.yaml:13: missing key 'training.batch' (1 to 65536)");
    EXPECT_EQ(fault(with("{dense: 2}", "{activation: none}")),
              "f.yaml:8: missing key 'network.layers.1.dense' (1 to 65536)");
    EXPECT_EQ(fault("name: x\n"), "f.yaml:1: missing key 'network.inputs' (1 to 65536)");
}

TEST(parse_config, reports_values_of_the_wrong_type_or_unit) {
    EXPECT_EQ(fault(with("batch: 16", "batch: many"))
                  .rfind("f.yaml:16: training.batch: 'many' is not a whole number", 0),
              0u);
    EXPECT_EQ(fault(with("batch: 16", "batch: '16'")),
              "f.yaml:16: training.batch: '16' is text in quotes; write the value without them");
    EXPECT_EQ(fault(with("batch: 16", "batch: 08")), "f.yaml:16: training.batch: '08' has a leading zero");
    EXPECT_EQ(fault(with("batch: 16", "batch:")), "f.yaml:16: 'training.batch' has no value");
    EXPECT_EQ(fault(with("batch: 16", "batch: [16]")),
              "f.yaml:16: training.batch: needs a single value (1 to 65536), not a list");
    EXPECT_EQ(fault(with("batch: 16", "batch: {}")),
              "f.yaml:16: training.batch: needs a single value (1 to 65536), not a mapping of keys");
    EXPECT_EQ(fault(with("  preset: tiny\n", "  clock: 64MiB\n"))
                  .rfind("f.yaml:3: npu.clock: '64MiB' is not a frequency", 0),
              0u);
    EXPECT_EQ(
        fault(with("\n  preset: tiny\n", " 3\n")).rfind("f.yaml:2: npu: needs keys (preset, clock, ", 0), 0u);
    EXPECT_EQ(fault(with("schedule: recompute", "schedule: recomute")),
              "f.yaml:14: training.schedule: 'recomute' is not one of: store_all | recompute | interval | "
              "interval_overwrite (did you mean 'recompute'?)");
    EXPECT_EQ(fault(with("preset: tiny", "preset: smal")),
              "f.yaml:3: npu.preset: 'smal' is not one of: tiny | small | large (did you mean 'small'?)");
    EXPECT_EQ(fault(with("name: sample", "name: a/b")),
              "f.yaml:1: name: 'a/b' is not a name: letters, digits, '-', '_' and '.', not first a '.'");
    EXPECT_NE(fault(with("name: sample", "name: ..")), "accepted");
    EXPECT_NE(fault(with("file: rows.csv", "file: \"a\\u0001\"")).find("is not a file name"),
              std::string::npos);
}

TEST(parse_config, reports_values_out_of_range) {
    EXPECT_EQ(fault(with("batch: 16", "batch: 0")),
              "f.yaml:16: training.batch: '0' is out of range, 1 to 65536");
    EXPECT_EQ(fault(with("preset: tiny", "array: {rows: 257}")),
              "f.yaml:3: npu.array.rows: '257' is out of range, 1 to 256");
    EXPECT_EQ(fault(with("preset: tiny", "dma: {queues: 17}")),
              "f.yaml:3: npu.dma.queues: '17' is out of range, 1 to 16");
    EXPECT_EQ(fault(with("preset: tiny", "psum: {banks: 1}")),
              "f.yaml:3: npu.psum.banks: '1' is out of range, 2 to 255");
    EXPECT_EQ(fault(with("preset: tiny", "clock: 20GHz")),
              "f.yaml:3: npu.clock: '20GHz' is out of range, 1MHz to 10GHz");
    EXPECT_EQ(fault(with("preset: tiny", "dma: {chunk: 96}")),
              "f.yaml:3: npu.dma.chunk: '96' is not a power of two");
    EXPECT_EQ(fault(with("preset: tiny", "device_dram: {regions: {weights: 100}}")),
              "f.yaml:3: npu.device_dram.regions.weights: '100' is not a multiple of 64");
    EXPECT_EQ(
        fault(with("preset: tiny", "host_link: {host_memory: 3GiB}")),
        "f.yaml:3: npu.host_link.host_memory: '3GiB' is out of range, 64KiB to 2GiB, a multiple of 4096");
    EXPECT_EQ(fault(with("steps: 3", "steps: 0")),
              "f.yaml:15: training.steps: '0' is out of range, 1 to 1000000000");
    EXPECT_EQ(fault(with("repeat: 3", "repeat: 0")),
              "f.yaml:7: network.layers.0.repeat: '0' is out of range, 1 to 1024");
}

TEST(parse_config, refuses_hyper_parameters_that_cannot_train) {
    for (const char* rate : {"nan", ".nan", "inf", "-0.1", "0", "1e9", "1e999"})
        EXPECT_EQ(fault(with("learning_rate: 0.1", std::string("learning_rate: ") + rate))
                      .rfind("f.yaml:17: training.optimizer.learning_rate: '", 0),
                  0u)
            << rate;
    for (const char* momentum : {"1", "-0.5", "nan"})
        EXPECT_EQ(fault(with("{learning_rate: 0.1}",
                             std::string("{kind: momentum, learning_rate: 0.1, momentum: ") + momentum + "}"))
                      .rfind("f.yaml:17: training.optimizer.momentum: '", 0),
                  0u)
            << momentum;
    EXPECT_EQ(fault(with("learning_rate: 0.1", "learning_rate: 0.1, weight_decay: -1")),
              "f.yaml:17: training.optimizer.weight_decay: '-1' is out of range, 0 to 1");
}

TEST(parse_config, checks_the_schedule_against_its_interval) {
    EXPECT_EQ(fault(with("schedule: recompute", "schedule: interval")),
              "f.yaml:14: training.schedule: 'interval' needs the key training.interval");
    EXPECT_EQ(fault(with("schedule: recompute", "schedule: recompute\n  interval: 2")),
              "f.yaml:15: training.interval: has no meaning for schedule recompute; remove it (or --set "
              "training.interval=null)");
    for (const char* schedule : {"interval", "interval_overwrite"})
        EXPECT_EQ(parsed(with("schedule: recompute", std::string("interval: 5\n  schedule: ") + schedule))
                      .training.interval,
                  5u);
}

TEST(parse_config, wants_either_epochs_or_steps) {
    EXPECT_EQ(fault(with("  steps: 3\n", "")),
              "f.yaml:13: training: one of the keys training.epochs and training.steps is needed");
    EXPECT_EQ(fault(with("steps: 3", "steps: 3\n  epochs: 2")),
              "f.yaml:15: training.steps: training.epochs is given too; remove one (or --set "
              "training.epochs=null)");
    EXPECT_EQ(parsed(with("steps: 3", "epochs: 2")).training.epochs, 2u);
}

TEST(parse_config, checks_the_optimizer_against_its_momentum) {
    EXPECT_EQ(fault(with("learning_rate: 0.1", "learning_rate: 0.1, momentum: 0.5")),
              "f.yaml:17: training.optimizer.momentum: has no meaning for kind sgd; remove it or use kind "
              "momentum");
    EXPECT_EQ(
        fault(with("learning_rate: 0.1", "learning_rate: 0.1, kind: momentum")),
        "f.yaml:17: training.optimizer.kind: 'momentum' needs the key training.optimizer.momentum, above 0");
}

TEST(parse_config, checks_the_network_against_loss_and_data) {
    EXPECT_EQ(fault(with("{dense: 2}", "{dense: 3}")),
              "f.yaml:11: data.classes: 2 classes, but the last layer has 3 outputs");
    EXPECT_EQ(fault(with("{dense: 2}", "{dense: 2, activation: relu}")).rfind("f.yaml:6: ", 0), 0u);
    EXPECT_EQ(fault(with("repeat: 3", "repeat: 1024")),
              "f.yaml:6: network.layers: 1025 layers; at most 1024");
    EXPECT_EQ(
        fault(with("layers:\n    - {dense: 8, activation: relu, repeat: 3}\n    - {dense: 2}", "layers: []")),
        "f.yaml:6: network.layers: 0 entries; 1 to 1024 are possible");
}

TEST(parse_config, lays_programs_where_the_mover_reaches_them) {
    const auto kinds = [](const std::string& activations) {
        std::vector<spec::region_kind> order;
        const run_config c = parsed(
            sample, {"npu.device_dram.capacity=3GiB", "npu.device_dram.regions.activations=" + activations});
        for (const dram_region& r : c.npu.device_dram.regions)
            order.push_back(r.kind);
        EXPECT_EQ(parsed(to_yaml(c), {}).npu.device_dram.regions[0].kind, order[0]);
        return order;
    };
    using enum spec::region_kind;
    EXPECT_EQ(kinds("1014MiB"), (std::vector{activations, gradients, weights, programs})); // ends at 1 GiB
    EXPECT_EQ(kinds("1015MiB"), (std::vector{programs, activations, gradients, weights}));
    EXPECT_EQ(kinds("2GiB"), (std::vector{programs, activations, gradients, weights}));
    EXPECT_EQ(
        fault(with("preset: tiny", "device_dram: {capacity: 3GiB, regions: {programs: 1025MiB}}")),
        "f.yaml:3: npu.device_dram.regions.programs: 1025MiB; the control core loads programs into the first "
        "1GiB only");
}

TEST(parse_config, checks_the_shape_of_the_processor) {
    EXPECT_EQ(fault(with("preset: tiny", "array: {rows: 12}")),
              "f.yaml:3: npu.state_buffer.capacity: 2MiB is not a multiple of 16 banks * 48 bytes (4 bytes "
              "in each of the "
              "array's 12 rows)");
    EXPECT_EQ(
        fault(with("preset: tiny", "device_dram: {regions: {weights: 120MiB}}")),
        "f.yaml:3: npu.device_dram.regions: the regions (activations 24MiB, gradients 8MiB, weights 120MiB, "
        "programs 8MiB) need 167772160 bytes, but npu.device_dram.capacity has 134217728; the smallest that "
        "would "
        "do is 160MiB");
    EXPECT_EQ(
        fault(with("preset: tiny", "device_dram: {t_rfc: 4us}")),
        "f.yaml:3: npu.device_dram.t_rfc: a refresh takes 4000ns, as long as the 3900ns between two of them");
    EXPECT_EQ(fault(with("preset: tiny", "dma: {chunk: 64}\n  device_dram: {burst: 128}")),
              "f.yaml:3: npu.dma.chunk: 64 is smaller than a DRAM burst of 128");
    EXPECT_EQ(fault(with("preset: tiny", "device_dram: {page: 64, burst: 128}")),
              "f.yaml:3: npu.device_dram.page: 64 is smaller than a burst of 128");
    EXPECT_EQ(fault(with("preset: tiny", "device_dram: {channels: 3}")),
              "f.yaml:3: npu.device_dram.capacity: 128MiB is not a multiple of 3 channels * 2KiB a page");
    EXPECT_EQ(fault(with("preset: tiny", "psum: {rows: 16777215, banks: 255}"))
                  .rfind("f.yaml:3: npu.psum.rows: ", 0),
              0u);
}

TEST(parse_config, checks_the_batch_against_the_training_rows) {
    EXPECT_EQ(fault(with("test_rows: 5", "test_rows: 5\n  train_rows: 15")),
              "f.yaml:17: training.batch: 16 rows are more than the 15 rows of data.train_rows");
    const loaded_config loaded = parse_config(sample, "/c/f.yaml");
    EXPECT_NO_THROW(check_data_rows(loaded, 21));
    const auto message = [&](const loaded_config& config, std::size_t rows) -> std::string {
        try {
            check_data_rows(config, rows);
        } catch (const config_error& error) {
            return error.what();
        }
        return "accepted";
    };
    EXPECT_EQ(message(loaded, 20),
              "/c/f.yaml:16: training.batch: 16 rows, but /c/rows.csv has 15 training rows");
    EXPECT_EQ(message(loaded, 5), "/c/f.yaml:12: data.test_rows: 5 rows, but /c/rows.csv has 5 rows in all, "
                                  "and some must remain for training");
    EXPECT_EQ(message(parse_config(with("test_rows: 5", "test_rows: 5\n  train_rows: 30"), "/c/f.yaml"), 34),
              "/c/f.yaml:13: data.train_rows: 30 rows, but /c/rows.csv has 29 rows that are not test rows");
}

class load_config_files : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "retrace config XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        std::ofstream(file()) << sample;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string file() const { return (folder_ / "run.yaml").string(); }
    std::string message() const {
        try {
            load_config(file());
        } catch (const config_error& error) {
            return error.what();
        }
        return "accepted";
    }

    std::filesystem::path folder_;
};

TEST_F(load_config_files, missing_data_is_reported_at_its_key) {
    EXPECT_EQ(message(), file() + ":10: data.file: there is no file " + (folder_ / "rows.csv").string());
}

TEST_F(load_config_files, a_folder_is_not_data) {
    std::filesystem::create_directory(folder_ / "rows.csv");
    EXPECT_EQ(message(), file() + ":10: data.file: " + (folder_ / "rows.csv").string() + " is a folder");
}

TEST_F(load_config_files, data_is_found_beside_the_configuration) {
    std::ofstream(folder_ / "rows.csv") << "1,2,3,4,0\n";
    EXPECT_EQ(message(), "accepted");
    EXPECT_EQ(load_config(file()).config.data.file, (folder_ / "rows.csv").string());
}

TEST_F(load_config_files, a_config_of_the_largest_size_is_read_and_a_larger_one_is_not) {
    std::ofstream(folder_ / "rows.csv") << "1,2,3,4,0\n";
    std::ofstream(file(), std::ios::app) << "# " << std::string(max_text_bytes - sample.size() - 2, 'x');
    EXPECT_EQ(message(), "accepted");
    std::ofstream(file(), std::ios::app) << "x";
    EXPECT_EQ(message(), file() + ":1: larger than 1048576 bytes; not a configuration");
}

} // namespace
} // namespace retrace
