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

} // namespace retrace
