// The registers of every PE as named probes: <array>.pe_ROW_COLUMN.weight, .shadow, .operand, .sum, .valid. Each as it
// stands after the clock edge at the end of a cycle, so it is seen in the next one. Operands and weights are widened to
// binary32 (or int8 in a word, of which the low byte counts), as the PE multiplies them; `sum` is what leaves the PE, D
// cycles after the operand that it was made from. `operand` and `sum` keep the last valid one: what the registers hold
// between streams is of no consequence, and differs between implementations.
// So does the payload of a NaN in operand, weight or shadow, which no sum shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace/probes.h"

namespace retrace {

class array_probes {
public:
    enum what : unsigned { weight, shadow, operand, sum, valid, whats };

    array_probes(trace::probe_registry& registry, const std::string& array, unsigned rows, unsigned columns)
        : registry_(registry), rows_(rows), columns_(columns), valid_(std::size_t{rows} * columns) {
        constexpr const char* names[whats] = {"weight", "shadow", "operand", "sum", "valid"};
        for (unsigned r = 0; r < rows; ++r) {
            for (unsigned c = 0; c < columns; ++c) {
                for (unsigned w = 0; w < whats; ++w) {
                    const trace::probe_id id =
                        registry.add({array + ".pe_" + std::to_string(r) + "_" + std::to_string(c) + "." + names[w],
                                      trace::probe_kind::bits, w == valid ? 1u : 32u, w == valid ? "" : "word"});
                    if (r + c + w == 0) {
                        first_ = id;
                    }
                }
            }
        }
    }

    unsigned rows() const { return rows_; }
    unsigned columns() const { return columns_; }
    // Whether anybody listens to any of them.
    bool wanted() const {
        if (asked_ != registry_.epoch()) {
            asked_ = registry_.epoch();
            wanted_ = false;
            for (unsigned i = 0; i < rows_ * columns_ * whats && !wanted_; ++i) {
                wanted_ = registry_.wanted(first_ + i);
            }
        }
        return wanted_;
    }
    // The registers of one PE after the clock edge at the end of cycle - 1; once for every edge that is not stalled, in
    // their order, while anything is in the array. `depth`: cycles a sum spends in the PE.
    void set(unsigned row, unsigned column, std::uint64_t cycle, std::uint32_t weight_bits, std::uint32_t shadow_bits, std::uint32_t operand_bits,
             std::uint32_t sum_bits, bool is_valid, unsigned depth) const {
        const std::size_t pe = std::size_t{row} * columns_ + column;
        const trace::probe_id at = first_ + static_cast<trace::probe_id>(pe) * whats;
        valid_[pe] = valid_[pe] << 1 | (is_valid ? 1u : 0u);
        registry_.set(at + weight, cycle, weight_bits);
        registry_.set(at + shadow, cycle, shadow_bits);
        registry_.set(at + valid, cycle, is_valid);
        if (is_valid) {
            registry_.set(at + operand, cycle, operand_bits);
        }
        if (valid_[pe] >> (depth - 1) & 1) {
            registry_.set(at + sum, cycle, sum_bits);
        }
    }

private:
    trace::probe_registry& registry_;
    unsigned rows_, columns_;
    trace::probe_id first_ = 0;
    mutable std::vector<std::uint64_t> valid_; // of the last edges, the latest in bit 0
    mutable unsigned asked_ = 0; // the epoch in which `wanted_` was found
    mutable bool wanted_ = false;
};

} // namespace retrace
