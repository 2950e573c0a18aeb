#pragma once
// Short forms of questions to an event log, for the report.
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/log/log_reader.h"

namespace retrace {

/// Calls `row` with a query that stands on a row, for each.
template <typename Row>
void each(log_reader& log, std::string_view sql, Row&& row) {
    log_query query(log, sql);
    while (query.next())
        row(static_cast<const log_query&>(query));
}

/// The one number that a query gives; 0 where it gives none.
inline std::uint64_t number(log_reader& log, std::string_view sql) {
    log_query query(log, sql);
    return query.next() ? query.number(0) : 0;
}

/// What is left of a; 0 where a log says that something ended before it began.
inline std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

/// A sum of what a log says, which may be anything; at most 2^63 - 1.
inline std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
    constexpr std::uint64_t most = ~std::uint64_t{0} >> 1;
    return a > most || b > most - a ? most : a + b;
}

} // namespace retrace
