#pragma once
// The timeline's command level: the whole run, from the tables that every run has. Everything in the order of time, so that it
// can stop at a cycle where the file is full, and go on later.
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/timeline/drawing.h"

namespace retrace {

class command_level {
public:
    explicit command_level(drawing& d);

    /// Draws until everything is drawn (true) or the file is full (false; may be called again when there is more room).
    bool draw();
    std::uint64_t commands() const { return commands_; }
    /// How many have not been drawn, and the cycle from which on. Ends the drawing.
    std::uint64_t left_out();
    std::uint64_t stopped_at() const { return stopped_at_; }

private:
    /// A query whose rows ascend in time (column 0), and how to draw a row.
    struct source {
        log_query rows;
        std::function<void(log_query&)> draw;
        bool more = true;
    };
    void add(const char* sql, std::function<void(log_query&)> draw);
    void draw_step(log_query& row);
    void draw_command(log_query& row);
    void draw_host_event(log_query& row);

    drawing& d_;
    std::vector<source> sources_;
    std::vector<std::uint64_t> step_lanes_; ///< tracks of steps: the last slice's end
    std::uint64_t commands_ = 0, outstanding_ = 0, stopped_at_ = 0, last_cycle_ = 0;
};

} // namespace retrace
