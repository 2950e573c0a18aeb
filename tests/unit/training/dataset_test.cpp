#include "host/training/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace retrace {
namespace {

constexpr dataset_description small{3, 4, 1.0f};

dataset parsed(const std::string& text, const dataset_description& description = small) {
    return dataset::parse(text, "d.csv", description);
}

std::string fault_of(const std::string& text, const dataset_description& description = small) {
    try {
        parsed(text, description);
    } catch (const data_error& e) {
        return e.what();
    }
    return "";
}

TEST(dataset, reads_numbers_and_labels) {
    const dataset d = parsed("1,2.5,-3e1,0\n 4 ,\t5,0.25, 3 \r\n-0,1e-3,7,1");
    ASSERT_EQ(d.rows(), 3u);
    EXPECT_EQ(d.features(), 3u);
    EXPECT_EQ(d.classes(), 4u);
    EXPECT_EQ(std::vector<float>(d.values(0).begin(), d.values(0).end()), (std::vector<float>{1, 2.5f, -30}));
    EXPECT_EQ(std::vector<float>(d.values(1).begin(), d.values(1).end()), (std::vector<float>{4, 5, 0.25f}));
    EXPECT_EQ(d.values(2)[1], 1e-3f);
    EXPECT_TRUE(std::signbit(d.values(2)[0]));
    EXPECT_EQ(d.label(0), 0u);
    EXPECT_EQ(d.label(1), 3u);
    EXPECT_EQ(d.label(2), 1u);
    EXPECT_THROW(d.values(3), std::out_of_range);
    EXPECT_THROW(d.label(3), std::out_of_range);
}

TEST(dataset, scales_every_number) {
    const dataset d = parsed("16,8,1,0\n", {3, 4, 1.0f / 16});
    EXPECT_EQ(d.values(0)[0], 1.0f);
    EXPECT_EQ(d.values(0)[1], 0.5f);
    EXPECT_EQ(d.values(0)[2], 0.0625f);
}

TEST(dataset, faults_name_file_line_and_column) {
    const std::string good = "1,2,3,0\n";
    EXPECT_EQ(fault_of(good), "");
    EXPECT_EQ(fault_of(good + "1,2,3\n"), "d.csv:2: 3 values, expected 4 (3 numbers and a label)");
    EXPECT_EQ(fault_of(good + good + "1,2,3,0,1\n"), "d.csv:3: 5 values, expected 4 (3 numbers and a label)");
    EXPECT_EQ(fault_of(good + "1,2,3,0,\n"), "d.csv:2: 5 values, expected 4 (3 numbers and a label)");
    EXPECT_EQ(fault_of(good + "1,x,3,0\n"), "d.csv:2: column 2: 'x' is not a number");
    EXPECT_EQ(fault_of(good + "1,2,3.5.1,0\n"), "d.csv:2: column 3: '3.5.1' is not a number");
    EXPECT_EQ(fault_of(good + "1,,3,0\n"), "d.csv:2: column 2: '' is not a number");
    EXPECT_EQ(fault_of(good + "1,0x10,3,0\n"), "d.csv:2: column 2: '0x10' is not a number");
    EXPECT_EQ(fault_of("pixel0,a,b,label\n"),
              "d.csv:1: column 1: 'pixel0' is not a number (a header line is not expected)");
    EXPECT_EQ(fault_of(good + "1,nan,3,0\n"), "d.csv:2: column 2: 'nan' is not finite");
    EXPECT_EQ(fault_of(good + "1,2,-inf,0\n"), "d.csv:2: column 3: '-inf' is not finite");
    EXPECT_EQ(fault_of(good + "1,2,1e39,0\n"),
              "d.csv:2: column 3: '1e39' does not fit a 32-bit floating-point number");
    EXPECT_EQ(fault_of("1,2,1e30,0\n", {3, 4, 1e10f}),
              "d.csv:1: column 3: '1e30' is not finite once it is scaled");
    EXPECT_EQ(fault_of(good + "1,2,3,4\n"), "d.csv:2: column 4: the label '4' is outside 0..3");
    EXPECT_EQ(fault_of(good + "1,2,3,-1\n"), "d.csv:2: column 4: the label '-1' is outside 0..3");
    EXPECT_EQ(fault_of(good + "1,2,3,99999999999999999999\n"),
              "d.csv:2: column 4: the label '99999999999999999999' is outside 0..3");
    EXPECT_EQ(fault_of(good + "1,2,3,1.5\n"), "d.csv:2: column 4: the label '1.5' is not an integer");
    EXPECT_EQ(fault_of(good + "1,2,3,1.0\n"), "d.csv:2: column 4: the label '1.0' is not an integer");
    EXPECT_EQ(fault_of(good + "1,2,3,\n"), "d.csv:2: column 4: the label '' is not an integer");
    EXPECT_EQ(fault_of(good + "\n" + good), "d.csv:2: empty line, remove it");
    EXPECT_EQ(fault_of(good + " \t\r\n"), "d.csv:2: empty line, remove it");
    EXPECT_EQ(fault_of(""), "d.csv:1: the file is empty, expected lines of 3 numbers and a label");
}

TEST(dataset, messages_stay_short_and_printable) {
    const std::string fault = fault_of("1,2,3,0\n\x1b[31m" + std::string(5000, 'y') + ",2,3,0\n");
    EXPECT_EQ(fault, "d.csv:2: column 1: '?[31myyyyyyyyyyyyyyyyyyy...' is not a number");
}

TEST(dataset, descriptions_without_meaning_are_refused) {
    EXPECT_THROW(parsed("1,0\n", {0, 4, 1}), std::invalid_argument);
    EXPECT_THROW(parsed("1,0\n", {1, 0, 1}), std::invalid_argument);
    EXPECT_THROW(parsed("1,0\n", {1, 1, INFINITY}), std::invalid_argument);
}

TEST(dataset, files_that_cannot_be_read_are_named) {
    const auto fault = [](const std::string& path) {
        try {
            dataset::load(path, small);
        } catch (const data_error& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    EXPECT_EQ(fault("no/such/file.csv"),
              "no/such/file.csv:1: the data file cannot be read: No such file or directory");
    const std::string folder = testing::TempDir();
    EXPECT_EQ(fault(folder).rfind(folder + ":1: the data file cannot be read", 0), 0u) << fault(folder);

    std::string empty = folder + "retrace_dataset_XXXXXX";
    const int file = mkstemp(empty.data());
    ASSERT_GE(file, 0);
    close(file);
    EXPECT_NE(fault(empty).find(":1: the file is empty"), std::string::npos) << fault(empty);
    std::filesystem::remove(empty);
}

TEST(dataset, random_bytes_are_parsed_or_refused_with_a_line) {
    const std::string alphabet = "0123456789,,,,,,....--ee\n\n\n\r \tnaif+x\x01\xff";
    std::mt19937 random(3);
    int accepted = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        const bool any_byte = round % 4 == 0, mutated = round % 2 == 1;
        if (mutated)
            text = "1,2,3,0\n4,5.5,6,1\n7,8,9e0,2\n";
        const std::size_t edits = random() % (mutated ? 4 : 40);
        for (std::size_t i = 0; i < edits; ++i) {
            const char c = any_byte ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
            const std::size_t at = random() % (text.size() + 1);
            if (mutated && at < text.size() && random() % 2)
                text[at] = c;
            else
                text.insert(at, 1, c);
        }
        try {
            const dataset d = parsed(text);
            ++accepted;
            ASSERT_GT(d.rows(), 0u);
            for (std::size_t r = 0; r < d.rows(); ++r) {
                ASSERT_LT(d.label(r), 4u);
                for (const float x : d.values(r))
                    ASSERT_TRUE(std::isfinite(x));
            }
        } catch (const data_error& e) {
            ASSERT_EQ(std::string(e.what()).rfind("d.csv:", 0), 0u) << e.what();
        }
    }
    EXPECT_GT(accepted, 1000); // the loop reaches both outcomes
    EXPECT_LT(accepted, 19000);
}

TEST(dataset, every_truncation_of_a_file_is_refused_or_too_short_for_its_split) {
    const std::string whole = "1,2,3,0\n4,5,6,1\n7,8,9,2\n1,1,1,3\n";
    EXPECT_NO_THROW(parsed(whole).split(3, 1));
    for (std::size_t length = 0; length + 1 < whole.size(); ++length) // the last line end may be missing
        EXPECT_THROW(parsed(whole.substr(0, length)).split(3, 1), data_error) << length;
}

TEST(dataset, the_split_is_even_complete_and_disjoint) {
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "1,2,3,0\n";
    const dataset d = parsed(text);
    const dataset_split split = d.split(70, 30);
    ASSERT_EQ(split.train.size(), 70u);
    ASSERT_EQ(split.test.size(), 30u);
    std::set<std::uint32_t> all(split.train.begin(), split.train.end());
    all.insert(split.test.begin(), split.test.end());
    EXPECT_EQ(all.size(), 100u);
    EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
    for (int tenth = 0; tenth < 10; ++tenth) {
        const auto in_tenth = [&](std::uint32_t r) { return r / 10 == static_cast<std::uint32_t>(tenth); };
        EXPECT_EQ(std::count_if(split.test.begin(), split.test.end(), in_tenth), 3);
    }
    EXPECT_EQ(d.split(40, 30).test, split.test);
    EXPECT_EQ(d.split(40, 30).train.size(), 40u);

    const auto fault = [&d](std::size_t train, std::size_t test) {
        try {
            d.split(train, test);
        } catch (const data_error& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    EXPECT_EQ(
        fault(71, 30),
        "d.csv:100: the file ends after 100 rows, but the split needs 71 for training and 30 for testing");
    EXPECT_NE(fault(0, 30).find("at least one row"), std::string::npos);
    EXPECT_NE(fault(70, 0).find("at least one row"), std::string::npos);
    EXPECT_NE(fault(SIZE_MAX, 30), "");
    EXPECT_NE(fault(1, SIZE_MAX), "");
}

TEST(dataset, gather_fills_inputs_and_one_hot_targets) {
    const dataset d = parsed("1,2,3,0\n4,5,6,1\n7,8,9,3\n");
    std::vector<float> inputs(9, -1), targets(12, -1);
    const std::vector<std::uint32_t> rows = {2, 0};
    d.gather(rows, inputs, targets);
    EXPECT_EQ(inputs, (std::vector<float>{7, 8, 9, 1, 2, 3, 0, 0, 0}));
    EXPECT_EQ(targets, (std::vector<float>{0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
    EXPECT_THROW(d.gather(rows, std::span(inputs).first(3), std::span(targets).first(4)),
                 std::invalid_argument);
    EXPECT_THROW(d.gather(rows, std::span(inputs).first(8), targets), std::invalid_argument);
    EXPECT_THROW(d.gather(rows, inputs, std::span(targets).first(8)), std::invalid_argument);
    EXPECT_THROW(d.gather(std::vector<std::uint32_t>{3}, inputs, targets), std::out_of_range);
}

TEST(batch_sampler, every_epoch_is_a_permutation_of_its_own) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < 50; ++i)
        rows.push_back(3 * i + 1);
    const batch_sampler sampler(rows, 16, 9);
    EXPECT_EQ(sampler.steps_per_epoch(), 3u); // two rows are left out
    std::set<std::vector<std::uint32_t>> orders;
    for (std::size_t epoch = 0; epoch < 20; ++epoch) {
        std::vector<std::uint32_t> order = sampler.epoch_order(epoch);
        orders.insert(order);
        for (std::size_t s = 0; s < 3; ++s) {
            const std::vector<std::uint32_t> batch = sampler.rows_of_step(3 * epoch + s);
            ASSERT_EQ(batch.size(), 16u);
            EXPECT_TRUE(
                std::equal(batch.begin(), batch.end(), order.begin() + static_cast<std::ptrdiff_t>(16 * s)));
        }
        std::sort(order.begin(), order.end());
        EXPECT_EQ(order, rows);
    }
    EXPECT_EQ(orders.size(), 20u);
}

TEST(batch_sampler, order_is_a_function_of_seed_and_epoch) {
    std::vector<std::uint32_t> rows(64);
    for (std::uint32_t i = 0; i < 64; ++i)
        rows[i] = i;
    const batch_sampler a(rows, 8, 1), b(rows, 8, 1), c(rows, 8, 2);
    EXPECT_EQ(b.rows_of_step(37), a.rows_of_step(37)); // whatever was asked for before
    EXPECT_EQ(a.epoch_order(4), b.epoch_order(4));
    EXPECT_NE(a.epoch_order(4), c.epoch_order(4));
}

TEST(batch_sampler, rows_wander_everywhere) {
    // Each of 8 rows must be seen about equally often at each place: 8000 / 8 = 1000, standard deviation 30.
    std::vector<std::uint32_t> rows = {0, 1, 2, 3, 4, 5, 6, 7};
    const batch_sampler sampler(rows, 8, 5);
    int seen[8][8] = {};
    for (std::size_t epoch = 0; epoch < 8000; ++epoch) {
        const std::vector<std::uint32_t> order = sampler.epoch_order(epoch);
        for (std::size_t place = 0; place < 8; ++place)
            ++seen[place][order[place]];
    }
    for (const auto& place : seen)
        for (const int count : place)
            EXPECT_NEAR(count, 1000, 150);
}

TEST(batch_sampler, needs_one_full_batch) {
    EXPECT_THROW(batch_sampler({1, 2, 3}, 4, 0), std::invalid_argument);
    EXPECT_THROW(batch_sampler({1, 2, 3}, 0, 0), std::invalid_argument);
    EXPECT_NO_THROW(batch_sampler({1, 2, 3}, 3, 0));
}

TEST(digits, the_example_data_is_complete) {
    const dataset d = dataset::load(RETRACE_DIGITS_CSV, {64, 10, 1.0f / 16});
    ASSERT_EQ(d.rows(), 1797u);
    std::vector<int> per_class(10);
    float smallest = 1, largest = 0;
    for (std::size_t r = 0; r < d.rows(); ++r) {
        ++per_class[d.label(r)];
        for (const float x : d.values(r)) {
            smallest = std::min(smallest, x);
            largest = std::max(largest, x);
        }
    }
    EXPECT_EQ(per_class, (std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
    EXPECT_EQ(smallest, 0.0f);
    EXPECT_EQ(largest, 1.0f);
    const dataset_split split = d.split(1280, 517);
    EXPECT_EQ(batch_sampler(split.train, 256, 1).steps_per_epoch(), 5u);
    EXPECT_THROW(d.split(1281, 517), data_error);
}

} // namespace
} // namespace retrace
