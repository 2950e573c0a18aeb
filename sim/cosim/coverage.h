#pragma once
// Functional coverage: named bins, how often each was hit, and which of all there are never were. A bin is "group.value" or
// "group.value.value"; the list of all bins is a constant, so that what is never hit has a name.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/cosim/reference.h"

namespace retrace::cosim {

class coverage {
public:
    /// All bins at zero.
    coverage();

    /// Throws std::logic_error for a bin that is not one of all_bins().
    void hit(const std::string& bin, std::uint64_t count = 1);
    void merge(const coverage& other);
    const std::map<std::string, std::uint64_t>& hits() const { return hits_; }
    std::vector<std::string> never_hit() const;
    std::size_t hit_count() const { return hits_.size() - never_hit().size(); }

    static const std::vector<std::string>& all_bins();

    /// {"bin": hits, ...}, all bins in order.
    std::string to_json() const;
    /// Adds what such a text says. Throws std::runtime_error when it is none, or names a bin that does not exist.
    void add_json(const std::string& text);

private:
    std::map<std::string, std::uint64_t> hits_;
};

/// What a case exercises: from the case itself, its programs, and the values that the reference met.
coverage cover(const test_case& c, const prepared_case& p, const interpreter& reference);

/// Per group one line, then the bins never hit.
std::string describe(const coverage& all);

} // namespace retrace::cosim
