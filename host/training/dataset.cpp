#include "host/training/dataset.h"

#include "host/training/initializer.h"
#include "hw/spec/counter_random.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <system_error>

namespace retrace {

namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t\r");
    if (from == std::string_view::npos)
        return {};
    return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

// A value as it may be shown to a user: short, and printable whatever the file holds.
std::string quoted(std::string_view text) {
    constexpr std::size_t longest = 24;
    std::string shown = "'";
    for (const char c : text.substr(0, longest))
        shown += c >= ' ' && c <= '~' ? c : '?';
    return shown + (text.size() > longest ? "...'" : "'");
}

} // namespace

void dataset::fail(const std::string& what) const {
    throw data_error(name_ + ":" + std::to_string(line_) + ": " + what);
}

void dataset::parse_line(std::string_view line) {
    const std::size_t columns = features() + 1;
    if (trimmed(line).empty())
        fail("empty line, remove it");
    std::size_t column = 0;
    for (std::size_t at = 0; at <= line.size(); ++column) {
        const std::size_t comma = std::min(line.find(',', at), line.size());
        const std::string_view field = trimmed(line.substr(at, comma - at));
        at = comma + 1;
        if (column >= columns)
            continue; // counted below
        const std::string where = "column " + std::to_string(column + 1) + ": ";
        const char* const end = field.data() + field.size();
        if (column < features()) {
            float value = 0;
            const auto [stop, error] = std::from_chars(field.data(), end, value);
            if (error == std::errc::result_out_of_range)
                fail(where + quoted(field) + " does not fit a 32-bit floating-point number");
            if (error != std::errc{} || stop != end)
                fail(where + quoted(field) + " is not a number" +
                     (line_ == 1 && column == 0 ? " (a header line is not expected)" : ""));
            const float scaled = value * description_.scale;
            if (!std::isfinite(value) || !std::isfinite(scaled))
                fail(where + quoted(field) + " is not finite" +
                     (std::isfinite(value) ? " once it is scaled" : ""));
            values_.push_back(scaled);
        } else {
            std::int64_t label = 0;
            const auto [stop, error] = std::from_chars(field.data(), end, label);
            if (error == std::errc::invalid_argument || stop != end)
                fail(where + "the label " + quoted(field) + " is not an integer");
            if (error != std::errc{} || label < 0 || label >= static_cast<std::int64_t>(classes()))
                fail(where + "the label " + quoted(field) + " is outside 0.." +
                     std::to_string(classes() - 1));
            labels_.push_back(static_cast<std::uint32_t>(label));
        }
    }
    if (column != columns)
        fail(std::to_string(column) + " values, expected " + std::to_string(columns) + " (" +
             std::to_string(features()) + " numbers and a label)");
}

dataset dataset::parse(std::string_view text, const std::string& name,
                       const dataset_description& description) {
    if (description.features == 0 || description.classes == 0 || !std::isfinite(description.scale))
        throw std::invalid_argument("a dataset needs features, classes and a finite scale");
    dataset data(name, description);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        ++data.line_;
        data.parse_line(text.substr(at, end - at));
        at = end + 1;
    }
    if (data.rows() == 0) {
        data.line_ = 1;
        data.fail("the file is empty, expected lines of " + std::to_string(description.features) +
                  " numbers and a label");
    }
    return data;
}

dataset dataset::load(const std::string& path, const dataset_description& description) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    // A folder opens, but cannot be read; an empty file reads nothing and is left to parse().
    if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf())) || file.bad())
        throw data_error(path +
                         ":1: the data file cannot be read: " + std::generic_category().message(errno));
    return parse(text.view(), path, description);
}

std::span<const float> dataset::values(std::size_t row) const {
    if (row >= rows())
        throw std::out_of_range("row " + std::to_string(row) + " of " + std::to_string(rows()));
    return std::span(values_).subspan(row * features(), features());
}

dataset_split dataset::split(std::size_t train_rows, std::size_t test_rows) const {
    const std::size_t n = rows();
    if (train_rows == 0 || test_rows == 0)
        fail("a split needs at least one row for training and one for testing");
    if (train_rows > n || test_rows > n - train_rows)
        fail("the file ends after " + std::to_string(n) + " rows, but the split needs " +
             std::to_string(train_rows) + " for training and " + std::to_string(test_rows) + " for testing");
    dataset_split split;
    for (std::size_t i = 0; i < n; ++i) {
        const bool held_out = (i + 1) * test_rows / n > i * test_rows / n;
        if (held_out)
            split.test.push_back(static_cast<std::uint32_t>(i));
        else if (split.train.size() < train_rows)
            split.train.push_back(static_cast<std::uint32_t>(i));
    }
    return split;
}

void dataset::gather(std::span<const std::uint32_t> rows, std::span<float> inputs,
                     std::span<float> targets) const {
    const std::size_t n = inputs.size() / features();
    if (inputs.size() != n * features() || targets.size() != n * classes() || n < rows.size())
        throw std::invalid_argument("gathering " + std::to_string(rows.size()) + " rows into " +
                                    std::to_string(inputs.size()) + " inputs and " +
                                    std::to_string(targets.size()) + " targets");
    std::fill(inputs.begin(), inputs.end(), 0.0f);
    std::fill(targets.begin(), targets.end(), 0.0f);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::span<const float> row = values(rows[i]);
        std::copy(row.begin(), row.end(), inputs.begin() + static_cast<std::ptrdiff_t>(i * features()));
        targets[i * classes() + label(rows[i])] = 1;
    }
}

batch_sampler::batch_sampler(std::vector<std::uint32_t> rows, std::size_t batch, std::uint64_t seed)
    : rows_(std::move(rows)), batch_(batch), seed_(seed) {
    if (batch_ == 0 || rows_.size() < batch_)
        throw std::invalid_argument("a batch of " + std::to_string(batch_) + " does not fit " +
                                    std::to_string(rows_.size()) + " training rows");
}

std::vector<std::uint32_t> batch_sampler::epoch_order(std::size_t epoch) const {
    // Fisher and Yates from the top; the high half of word * n is a number below n.
    std::vector<std::uint32_t> order = rows_;
    for (std::size_t n = order.size(); n > 1; --n) {
        const std::uint32_t word =
            counter_random(seed_, static_cast<std::uint32_t>(epoch), shuffle_operator, n);
        std::swap(order[n - 1], order[static_cast<std::size_t>((std::uint64_t{word} * n) >> 32)]);
    }
    return order;
}

std::vector<std::uint32_t> batch_sampler::rows_of_step(std::size_t step) const {
    const std::vector<std::uint32_t> order = epoch_order(step / steps_per_epoch());
    const auto from = order.begin() + static_cast<std::ptrdiff_t>(step % steps_per_epoch() * batch_);
    return {from, from + static_cast<std::ptrdiff_t>(batch_)};
}

} // namespace retrace
