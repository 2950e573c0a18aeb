// The registers of every PE as named probes: <array>.pe_ROW_COLUMN.weight, .shadow, .operand, .sum, .valid. Each as it
// stands after the clock edge at the end of a cycle, so it is seen in the next one. Operands and weights are widened to
// binary32 (or int8 in a word, of which the low byte counts), as the PE multiplies them; `sum` is what leaves the PE, D
// cycles after the operand that it was made from. `operand` keeps the last valid one: what the register holds between
// streams is of no consequence, and differs between implementations.
#pragma once

#include <string>

#include "trace/probes.h"

namespace retrace {

class array_probes {
public:
    enum what : unsigned { weight, shadow, operand, sum, valid, whats };

    array_probes(trace::probe_registry& registry, const std::string& array, unsigned rows, unsigned columns)
        : registry_(registry), rows_(rows), columns_(columns) {
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
    void set(unsigned row, unsigned column, what w, std::uint64_t cycle, std::uint32_t value) const {
        registry_.set(first_ + (row * columns_ + column) * whats + w, cycle, value);
    }

private:
    trace::probe_registry& registry_;
    unsigned rows_, columns_;
    trace::probe_id first_ = 0;
    mutable unsigned asked_ = 0; // the epoch in which `wanted_` was found
    mutable bool wanted_ = false;
};

} // namespace retrace
