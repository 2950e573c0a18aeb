#pragma once
// The tables of the event log, as text: what creates them is what `retrace help log` prints.

namespace retrace {

/// SQL that creates the tables and views, with a comment per column.
const char* log_schema();
/// Indices over them; made when the log is closed.
const char* log_indices();

} // namespace retrace
