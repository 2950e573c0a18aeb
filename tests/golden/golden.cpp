#include "tests/golden/golden.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace retrace::golden {

namespace {

struct placed_tensor {
    std::string name;
    tensor head;
    std::size_t offset = 0;
};

std::uint32_t little_endian(std::string_view data, std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(data[at + i])) << (8 * i);
    return value;
}

tensor filled(const placed_tensor& placed, std::string_view data, const std::string& path) {
    tensor t = placed.head;
    const std::size_t bytes = t.format == "bf16" ? 2 : 4;
    const std::size_t count = t.rows * t.columns;
    if (placed.offset > data.size() || count > (data.size() - placed.offset) / bytes)
        throw std::runtime_error(path + ": the data of " + placed.name + " lies past the end");
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t word = little_endian(data, placed.offset + i * bytes, bytes);
        t.values.push_back(std::bit_cast<float>(bytes == 2 ? word << 16 : word));
    }
    return t;
}

} // namespace

vectors vectors::load(const std::string& name, const std::string& operands) {
    const std::string path = std::string(RETRACE_GOLDEN_FOLDER) + "/" + name + "_" + operands + ".golden";
    std::ifstream file(path, std::ios::binary);
    std::string line;
    if (!std::getline(file, line) || line != "retrace-golden 1")
        throw std::runtime_error(path + ": not a golden file of version 1");
    vectors result;
    std::vector<placed_tensor> placed;
    std::size_t data_bytes = 0;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string kind, key;
        words >> kind;
        if (kind == "attribute") {
            words >> key >> result.attributes_[key];
        } else if (kind == "tensor") {
            placed_tensor p;
            words >> p.name >> p.head.format >> p.head.rows >> p.head.columns >> p.offset;
            placed.push_back(p);
        } else if (kind == "data") {
            words >> data_bytes;
        } else {
            throw std::runtime_error(path + ": unknown line: " + line);
        }
        if (!words)
            throw std::runtime_error(path + ": incomplete line: " + line);
        if (kind == "data")
            break;
    }
    std::ostringstream rest;
    rest << file.rdbuf();
    const std::string data = rest.str();
    if (data.size() != data_bytes)
        throw std::runtime_error(path + ": " + std::to_string(data.size()) +
                                 " bytes of data, announced are " + std::to_string(data_bytes));
    for (const placed_tensor& p : placed)
        result.tensors_[p.name] = filled(p, data, path);
    return result;
}

const std::string& vectors::attribute(const std::string& name) const {
    const auto found = attributes_.find(name);
    if (found == attributes_.end())
        throw std::runtime_error("the golden vectors have no attribute " + name);
    return found->second;
}

float vectors::number(const std::string& name) const { return std::stof(attribute(name)); }

std::vector<std::size_t> vectors::widths() const {
    std::vector<std::size_t> widths;
    std::istringstream text(attribute("widths"));
    for (std::string width; std::getline(text, width, '-');)
        widths.push_back(std::stoul(width));
    return widths;
}

std::size_t vectors::batch() const { return std::stoul(attribute("batch")); }
std::size_t vectors::steps() const { return std::stoul(attribute("steps")); }

const tensor& vectors::at(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
        throw std::runtime_error("the golden vectors have no tensor " + name);
    return found->second;
}

double relative_distance(std::span<const float> a, std::span<const float> b) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (a.size() != b.size())
        return infinity;
    double difference = 0, reference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = a[i], y = b[i];
        if (!std::isfinite(x) || !std::isfinite(y))
            return infinity;
        difference += (x - y) * (x - y);
        reference += y * y;
    }
    if (difference == 0)
        return 0;
    return reference == 0 ? infinity : std::sqrt(difference / reference);
}

} // namespace retrace::golden
