// What a disagreement between implementations of the array is reported as: facts that a test can look at, and
// the same facts as text.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tlm/core/array/array_interface.h"

namespace retrace {

enum class transaction_kind { load_weights, stream, freeze, accumulate };

// One call of the array.
struct array_transaction {
    std::uint64_t number = 0; // from 1, over all kinds
    transaction_kind kind = transaction_kind::load_weights;
    std::uint64_t cycle = 0;        // accumulate: the last cycle that collect() has passed
    unsigned rows = 0, columns = 0; // of the view; accumulate: calls in a row, of as many words each
    number_format format = number_format::fp32;
    bool swap = false;
    std::uint64_t weights = 0; // stream: number of the load it runs on
    std::uint64_t count = 0;   // freeze: cycles
};
std::string describe(const array_transaction& t);

enum class mismatch_kind {
    bits,     // the words of a tuple
    cycle,    // the stamps of a tuple
    missing,  // a tuple that somebody delivers and somebody else does not (yet)
    shape,    // rows, columns or number of stamps of a result
    protocol, // one refuses a call that another takes
};

// What one array, or the oracle, says about the tuple in question.
struct array_statement {
    std::string who;
    bool present = false; // cycle and bits are there
    std::uint64_t cycle = 0;
    std::uint32_t bits = 0;
    std::string note; // instead of cycle and bits: a shape, a refusal, what is missing
};

// A step of the chain that makes a sum, by the oracle: after = a * w + before, in words of a PE. For
// accumulate: after = before + a, w unused.
struct operand_step {
    std::uint32_t a = 0, w = 0, before = 0, after = 0;
};

struct array_mismatch_facts {
    mismatch_kind kind = mismatch_kind::bits;
    std::string unit;
    array_transaction transaction;             // the stream, accumulate or refused call
    std::uint64_t cycle = 0;                   // the earliest cycle that anybody states for the tuple
    unsigned row = 0, column = 0;              // of the sum; accumulate: which call, which word of it
    bool integer = false;                      // how bits read
    std::vector<array_statement> statements;   // the arrays in their order, then "oracle"
    std::vector<std::string> wrong;            // the arrays that the oracle contradicts
    std::uint64_t differing = 0, compared = 0; // tuples of this result
    // Largest distance of a wrong array's bits to the oracle's in units of the last place (int32: of value).
    // Nothing when one of the two is a NaN or the bits are equal.
    std::optional<std::uint64_t> ulps;
    std::vector<operand_step> history;
    std::vector<array_transaction> recent; // the last 32, oldest first
};

// what(): one sentence of facts, then the operand history, then the transactions, a line each.
std::string describe(const array_mismatch_facts& facts);

// A fault of a model: never of the program that runs on it.
class array_mismatch : public std::logic_error {
public:
    explicit array_mismatch(array_mismatch_facts facts)
        : std::logic_error(describe(facts)), facts_(std::move(facts)) {}
    const array_mismatch_facts& facts() const { return facts_; }

private:
    array_mismatch_facts facts_;
};

// Steps between two binary32 values on the line of all finite values and infinities, -0 and +0 in one place;
// nothing if one is a NaN.
std::optional<std::uint64_t> ulp_distance(std::uint32_t a, std::uint32_t b);

// Bits in hex and decoded.
std::string describe_word(std::uint32_t bits, bool integer);

} // namespace retrace
