#include "sim/timeline/command_level.h"

#include <algorithm>

#include "hw/spec/spec.h"

namespace retrace {

namespace {

constexpr std::size_t of_commands = 1;     ///< in sources_
constexpr std::size_t most_step_lanes = 8; ///< of the steps that overlap

unsigned context_track(drawing& d, std::uint64_t device, std::uint64_t context) {
    return d.out.track(drawing::pid(drawing::commands, device), "context " + std::to_string(context),
                       static_cast<unsigned>(context % 1000));
}

std::string command_name(std::string_view phase, std::uint64_t layer) {
    return phase == "none" ? "load" : std::string(phase) + " " + std::to_string(layer);
}

} // namespace

command_level::command_level(drawing& d) : d_(d) {
    {
        log_query last(
            d.log,
            "SELECT max(max(coalesce((SELECT max(cycle) FROM command_moment), 0)), coalesce((SELECT max(begun) FROM command), 0))");
        if (last.next())
            last_cycle_ = last.number(0);
    }
    // A slice for every run of commands of one step, in the order of their first moments: steps may take turns.
    add("SELECT min(first), max(last), step, count(*) FROM (SELECT first, last, step, sum(turn) OVER (ORDER BY first, device, sequence) AS part FROM ("
        "SELECT first, last, step, device, sequence, step IS NOT lag(step) OVER (ORDER BY first, device, sequence) AS turn FROM ("
        "SELECT c.device, c.sequence, c.step, min(m.cycle) AS first, max(m.cycle) AS last FROM command c JOIN command_moment m USING(device, sequence) "
        "GROUP BY c.device, c.sequence))) GROUP BY part ORDER BY 1",
        [this](log_query& row) { draw_step(row); });
    add("SELECT c.begun, c.device, c.sequence, c.context, c.phase, c.step, c.layer, "
        "(SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended'), "
        "(SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'submitted'), "
        "(SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'seen'), "
        "(SELECT status FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended'), "
        "(SELECT group_concat(waits_for) FROM command_wait w WHERE w.device = c.device AND w.sequence = c.sequence) "
        "FROM command c ORDER BY c.begun, c.device, c.sequence",
        [this](log_query& row) { draw_command(row); });
    // The order of the tables is the one in which their keys are known; left to itself SQLite reads the wait sets once per
    // command.
    add("SELECT c.begun, w.device, c.context, p.context, m.cycle FROM command c "
        "CROSS JOIN command_wait w ON w.device = c.device AND w.sequence = c.sequence "
        "CROSS JOIN command p ON p.device = w.device AND p.sequence = w.waits_for "
        "CROSS JOIN command_moment m ON m.device = w.device AND m.sequence = w.waits_for AND m.moment = 'ended' AND m.cycle <= c.begun ORDER BY c.begun",
        [this](log_query& row) {
            const std::uint64_t device = row.number(1), begun = row.number(0), ended = row.number(4);
            const unsigned to = context_track(d_, device, row.number(2)), from = context_track(d_, device, row.number(3));
            const std::uint64_t end_ns = d_.out.ns_of(ended);
            d_.out.arrow({from, end_ns == 0 ? 0 : end_ns - 1}, {to, d_.out.ns_of(begun)}, "wait set");
        });
    add("SELECT cycle, action, step, layer, tag, version FROM host_event ORDER BY cycle",
        [this](log_query& row) { draw_host_event(row); });
    add("SELECT cycle, moment FROM command_moment WHERE moment IN ('submitted', 'seen') ORDER BY cycle", [this](log_query& row) {
        const unsigned counter = d_.out.counter(drawing::host, "commands in the ring", "commands");
        const bool more = row.text(1) == "submitted";
        const std::uint64_t now = more ? outstanding_ + 1 : outstanding_ - (outstanding_ != 0);
        d_.out.sample(counter, row.number(0), now);
        if (!d_.out.full())
            outstanding_ = now;
    });
    add("SELECT cycle, device, name, live FROM occupancy ORDER BY cycle", [this](log_query& row) {
        d_.out.sample(d_.out.counter(drawing::pid(drawing::memory, row.number(1)), "live " + std::string(row.text(2)), "bytes"),
                      row.number(0), row.number(3));
    });
}

void command_level::add(const char* sql, std::function<void(log_query&)> draw) {
    source& s = sources_.emplace_back(source{log_query(d_.log, sql), std::move(draw)});
    s.more = s.rows.next();
}

bool command_level::draw() {
    for (;;) {
        source* first = nullptr;
        for (source& s : sources_)
            if (s.more && (!first || s.rows.number(0) < first->rows.number(0)))
                first = &s;
        if (!first)
            return true;
        first->draw(first->rows);
        if (d_.out.full()) {
            stopped_at_ = first->rows.number(0);
            return false;
        }
        commands_ += first == &sources_[of_commands];
        first->more = first->rows.next();
    }
}

std::uint64_t command_level::left_out() {
    std::uint64_t count = 0;
    source& s = sources_[of_commands];
    for (; s.more; s.more = s.rows.next())
        ++count;
    return count;
}

void command_level::draw_step(log_query& row) {
    const std::uint64_t step = row.number(2);
    json_members arguments;
    arguments.number("step", step).number("commands", row.number(3));
    // What overlaps goes on a track of its own, so that nothing is cut.
    const std::uint64_t begin = row.number(0), end = row.number(1);
    std::size_t lane = 0;
    while (lane < step_lanes_.size() && step_lanes_[lane] > begin)
        ++lane;
    lane = std::min(lane, most_step_lanes - 1);
    const unsigned track =
        d_.out.track(drawing::host, lane == 0 ? "training steps" : "training steps (" + std::to_string(lane + 1) + ")", 1);
    d_.out.slice(track, begin, end, step == 0 ? "outside of steps" : "step " + std::to_string(step), arguments.str());
    if (d_.out.full())
        return;
    step_lanes_.resize(std::max(step_lanes_.size(), lane + 1));
    step_lanes_[lane] = std::max(step_lanes_[lane], end);
}

void command_level::draw_command(log_query& row) {
    const std::uint64_t begun = row.number(0), device = row.number(1);
    const auto phase = spec::name_of(static_cast<spec::phase>(row.number(4)));
    const bool ended = !row.null(7);
    json_members arguments;
    arguments.number("command", row.number(2)).number("step", row.number(5)).number("layer", row.number(6)).text("phase", phase);
    arguments.number("begun", begun);
    if (ended)
        arguments.number("ended", row.number(7));
    if (!row.null(8))
        arguments.number("submitted", row.number(8));
    if (!row.null(9))
        arguments.number("seen", row.number(9));
    arguments.text("status", ended ? spec::name_of(static_cast<spec::command_status>(row.number(10))) : "not ended");
    if (!row.null(11))
        arguments.text("waits for", row.text(11));
    d_.out.slice(context_track(d_, device, row.number(3)), begun, ended ? row.number(7) : std::max(last_cycle_, begun),
                 command_name(phase, row.number(6)), arguments.str());
}

void command_level::draw_host_event(log_query& row) {
    json_members arguments;
    arguments.number("step", row.number(2))
        .number("layer", row.number(3))
        .text("tensor", d_.tensor(row.number(4)))
        .number("version", row.number(5));
    d_.out.instant(d_.out.track(drawing::host, "host", 2), row.number(0), row.text(1).substr(0, longest_name), arguments.str());
}

} // namespace retrace
