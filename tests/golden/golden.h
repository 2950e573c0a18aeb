#pragma once
// Reader of the golden training vectors in this folder (README.md says what they hold and how they were
// made).

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace retrace::golden {

struct tensor {
    std::string format; // as stored: "fp32" or "bf16"; the values below are exact in either
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<float> values; // row-major
};

class vectors {
public:
    // Case "tails6", "chain6" or "chain12" with operands "fp32" or "bf16". Throws std::runtime_error.
    static vectors load(const std::string& name, const std::string& operands);

    const std::string& attribute(const std::string& name) const;
    float number(const std::string& name) const; // an attribute as a number
    std::vector<std::size_t> widths() const;     // inputs, hidden layers, classes
    std::size_t batch() const;
    std::size_t steps() const;

    bool has(const std::string& name) const { return tensors_.count(name) != 0; }
    // For example "start/W_1", "step0/IO_3", "step2/after/b_1".
    const tensor& at(const std::string& name) const;

private:
    std::map<std::string, std::string> attributes_;
    std::map<std::string, tensor> tensors_;
};

// Euclidean norm of a - b over the norm of b, in binary64; infinite where the lengths differ or a value is
// not finite.
double relative_distance(std::span<const float> a, std::span<const float> b);

} // namespace retrace::golden
