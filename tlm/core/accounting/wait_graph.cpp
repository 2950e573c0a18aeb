#include "tlm/core/accounting/wait_graph.h"

#include <algorithm>
#include <deque>
#include <optional>

namespace retrace {

namespace {

using id = wait_graph::id;
constexpr std::size_t longest_line = 400, longest_cause = 1000, most_names = 8, most_causes = 4, most_commands = 6;

std::string clipped(std::string line, std::size_t longest = longest_line) {
    if (line.size() > longest)
        line = line.substr(0, longest - 3) + "...";
    return line;
}

/// "a, b, c and 4 more"
std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_names); ++i)
        text += (i ? ", " : "") + names[i];
    return names.size() > most_names ? text + " and " + std::to_string(names.size() - most_names) + " more" : text;
}

std::string since_text(const wait_graph::edge& e) {
    return e.since == wait_graph::unknown ? std::string() : " since cycle " + std::to_string(e.since);
}

class analysis {
public:
    explicit analysis(const wait_graph& graph) : graph_(graph), out_(graph.nodes.size()), in_(graph.nodes.size()) {
        for (std::size_t e = 0; e < graph.edges.size(); ++e) {
            out_[graph.edges[e].from].push_back(e);
            in_[graph.edges[e].to].push_back(e);
        }
    }

    wait_analysis run() {
        reduce();
        find_ends();
        find_rings();
        std::stable_sort(result_.causes.begin(), result_.causes.end(),
                         [](const wait_cause& a, const wait_cause& b) { return a.held_up.size() > b.held_up.size(); });
        return std::move(result_);
    }

private:
    bool stuck(id n) const { return result_.stuck[n]; }
    const wait_graph::node& node(id n) const { return graph_.nodes[n]; }

    std::uint64_t supply(id n, bool live_only) const {
        std::uint64_t sum = 0;
        for (const std::size_t e : out_[n])
            if (!live_only || !stuck(graph_.edges[e].to))
                sum += graph_.edges[e].amount;
        return sum;
    }

    bool goes_on(id n) const {
        const auto live = [&](std::size_t e) { return !stuck(graph_.edges[e].to); };
        switch (node(n).need) {
        case wait_need::nothing: return true;
        case wait_need::never: return false;
        case wait_need::all: return std::all_of(out_[n].begin(), out_[n].end(), live);
        case wait_need::any: return std::any_of(out_[n].begin(), out_[n].end(), live);
        case wait_need::amount: return supply(n, true) >= node(n).missing;
        }
        return true;
    }

    /// Takes out whatever can go on, until nothing more can.
    void reduce() {
        result_.stuck.assign(graph_.nodes.size(), true);
        for (bool changed = true; changed;) {
            changed = false;
            for (id n = 0; n < graph_.nodes.size(); ++n)
                if (stuck(n) && goes_on(n)) {
                    result_.stuck[n] = false;
                    changed = true;
                }
        }
    }

    /// Waiting any longer does not help, whatever else happens.
    bool is_end(id n) const {
        const wait_graph::node& it = node(n);
        return it.need == wait_need::never || (it.need == wait_need::any && out_[n].empty()) ||
               (it.need == wait_need::amount && supply(n, false) < it.missing);
    }

    std::optional<std::size_t> oldest_wait_for(id n) const {
        std::optional<std::size_t> oldest;
        for (const std::size_t e : in_[n])
            if (stuck(graph_.edges[e].from) && (!oldest || graph_.edges[e].since < graph_.edges[*oldest].since))
                oldest = e;
        return oldest;
    }

    /// What acts and waits for `members`, without `named`. A core that sleeps until something happens is not held up.
    std::vector<id> held_up_by(const std::vector<id>& members, id named = wait_graph::none) const {
        std::vector<bool> seen(graph_.nodes.size(), false);
        std::deque<id> open(members.begin(), members.end());
        for (const id m : members)
            seen[m] = true;
        std::vector<bool> found(graph_.nodes.size(), false);
        while (!open.empty()) {
            const id n = open.front();
            open.pop_front();
            for (const std::size_t e : in_[n]) {
                const id from = graph_.edges[e].from;
                if (!stuck(from) || seen[from] || is_end(from))
                    continue;
                seen[from] = found[from] = true;
                open.push_back(from);
            }
        }
        std::vector<id> list;
        for (id n = 0; n < found.size(); ++n)
            if (found[n] && n != named && graph_.acts(n) && node(n).kind != wait_kind::core)
                list.push_back(n);
        return list;
    }

    std::string subject(const std::size_t e) const {
        return node(graph_.edges[e].from).name + " " + graph_.edges[e].text + since_text(graph_.edges[e]);
    }

    void find_ends() {
        for (id n = 0; n < graph_.nodes.size(); ++n) {
            const auto waiter = stuck(n) && is_end(n) ? oldest_wait_for(n) : std::nullopt;
            if (!waiter)
                continue;
            wait_cause c;
            c.node = n;
            c.edges = {*waiter};
            c.held_up = held_up_by({n}, graph_.edges[*waiter].from);
            const wait_graph::node& it = node(n);
            if (it.need == wait_need::amount) {
                c.what = wait_cause::kind::too_little;
                c.text = subject(*waiter) + ": " + it.state;
                if (!out_[n].empty()) {
                    c.text = subject(*waiter) + ": all that is left to signal it adds " + std::to_string(supply(n, false)) + " of the " +
                             std::to_string(it.missing) + " that are missing; ";
                    for (std::size_t i = 0; i < out_[n].size(); ++i)
                        c.text += (i ? ", " : "") + graph_.edges[out_[n][i]].text;
                }
            } else {
                c.what = wait_cause::kind::stopped;
                c.text = subject(*waiter) + (graph_.acts(n) ? ", but " + it.name + " " : ", which ") + it.state;
            }
            result_.causes.push_back(std::move(c));
        }
    }

    /// Nodes that `from` comes to over waits that do not end; an end explains itself.
    std::vector<bool> reached_from(id from) const {
        std::vector<bool> seen(graph_.nodes.size(), false);
        std::deque<id> open{from};
        while (!open.empty()) {
            const id n = open.front();
            open.pop_front();
            if (is_end(n))
                continue;
            for (const std::size_t e : out_[n])
                if (const id to = graph_.edges[e].to; stuck(to) && !seen[to]) {
                    seen[to] = true;
                    open.push_back(to);
                }
        }
        return seen;
    }

    void find_rings() {
        std::vector<std::vector<bool>> reached(graph_.nodes.size());
        for (id n = 0; n < graph_.nodes.size(); ++n)
            if (stuck(n))
                reached[n] = reached_from(n);
        std::vector<bool> done(graph_.nodes.size(), false);
        for (id n = 0; n < graph_.nodes.size(); ++n) {
            if (!stuck(n) || done[n] || !reached[n][n])
                continue;
            std::vector<bool> members(graph_.nodes.size(), false);
            bool leads_out = false;
            for (id m = 0; m < graph_.nodes.size(); ++m) {
                if (!reached[n][m])
                    continue;
                members[m] = reached[m][n];
                leads_out |= !members[m];
            }
            for (id m = 0; m < members.size(); ++m)
                if (members[m])
                    done[m] = true;
            if (!leads_out)
                add_ring(members);
        }
    }

    /// The shortest ring through `start` inside `members`.
    std::vector<std::size_t> ring_through(id start, const std::vector<bool>& members) const {
        std::vector<std::size_t> came_by(graph_.nodes.size(), graph_.edges.size());
        std::deque<id> open{start};
        while (!open.empty()) {
            const id n = open.front();
            open.pop_front();
            for (const std::size_t e : out_[n]) {
                const id to = graph_.edges[e].to;
                if (!members[to] || came_by[to] != graph_.edges.size())
                    continue;
                came_by[to] = e;
                if (to != start) {
                    open.push_back(to);
                    continue;
                }
                std::vector<std::size_t> ring{e};
                while (graph_.edges[ring.back()].from != start)
                    ring.push_back(came_by[graph_.edges[ring.back()].from]);
                std::reverse(ring.begin(), ring.end());
                return ring;
            }
        }
        return {};
    }

    void add_ring(const std::vector<bool>& members) {
        wait_cause c;
        c.what = wait_cause::kind::cycle;
        for (id n = 0; n < members.size(); ++n) {
            if (!members[n] || !graph_.acts(n))
                continue;
            std::vector<std::size_t> ring = ring_through(n, members);
            if (!ring.empty() && (c.edges.empty() || ring.size() < c.edges.size()))
                c.edges = std::move(ring);
        }
        if (c.edges.empty())
            return; // nobody acts in it: whoever waits for it is in no ring, and no block builds such a graph
        c.node = graph_.edges[c.edges.front()].from;
        std::vector<id> ids;
        for (id n = 0; n < members.size(); ++n)
            if (members[n])
                ids.push_back(n);
        c.held_up = held_up_by(ids);
        for (std::size_t i = 0; i < c.edges.size(); ++i) {
            const wait_graph::edge& e = graph_.edges[c.edges[i]];
            if (graph_.acts(e.from))
                c.text += (i ? ", but " : "") + subject(c.edges[i]);
            else
                c.text += ", which " + e.text;
        }
        c.text += ": a cycle";
        result_.causes.push_back(std::move(c));
    }

    const wait_graph& graph_;
    std::vector<std::vector<std::size_t>> out_, in_;
    wait_analysis result_;
};

std::vector<std::string> lines_of(const wait_graph& graph) {
    std::vector<std::string> lines, idle;
    std::size_t commands = 0;
    for (id n = 0; n < graph.nodes.size(); ++n) {
        const wait_graph::node& it = graph.nodes[n];
        if (!graph.acts(n) && it.kind != wait_kind::ring)
            continue;
        if (it.kind == wait_kind::command && ++commands > most_commands)
            continue;
        if (it.idle) {
            idle.push_back(it.name);
            continue;
        }
        std::vector<std::string> parts;
        if (!it.state.empty())
            parts.push_back(it.state);
        for (const wait_graph::edge& e : graph.edges)
            if (e.from == n && parts.size() < 4)
                parts.push_back(e.text + since_text(e));
        std::string line = "  " + it.name + ":";
        for (std::size_t i = 0; i < parts.size(); ++i)
            line += (i ? "; " : " ") + parts[i];
        lines.push_back(clipped(std::move(line)));
    }
    if (commands > most_commands)
        lines.push_back("  and " + std::to_string(commands - most_commands) + " more commands");
    if (!idle.empty())
        lines.push_back("  idle: " + joined(idle));
    return lines;
}

void append(std::string& text, std::vector<std::string> lines, std::size_t limit) {
    const std::size_t shown = lines.size() > limit ? std::max<std::size_t>(limit, 1) - 1 : lines.size();
    for (std::size_t i = 0; i < shown; ++i)
        text += lines[i] + "\n";
    if (shown < lines.size())
        text += "  and " + std::to_string(lines.size() - shown) + " more\n";
}

} // namespace

wait_graph::id wait_graph::at(wait_kind kind, std::uint64_t key, const std::string& name) {
    const auto [place, made] = keys_.try_emplace({kind, key}, static_cast<id>(nodes.size()));
    if (made)
        nodes.push_back({kind, name, {}, wait_need::all, 0, false});
    return place->second;
}

wait_graph::id wait_graph::find(wait_kind kind, std::uint64_t key) const {
    const auto found = keys_.find({kind, key});
    return found == keys_.end() ? none : found->second;
}

bool wait_graph::has_edges(id from) const {
    return std::any_of(edges.begin(), edges.end(), [from](const edge& e) { return e.from == from; });
}

bool wait_graph::acts(id n) const {
    const wait_kind kind = nodes[n].kind;
    return kind != wait_kind::semaphore && kind != wait_kind::interrupt && kind != wait_kind::ring && kind != wait_kind::resource;
}

wait_analysis analyse(const wait_graph& graph) { return analysis(graph).run(); }

std::string list_waits(const wait_graph& graph, std::size_t lines) {
    std::string text;
    append(text, lines_of(graph), lines);
    return text;
}

std::string explain(const wait_graph& graph, std::size_t lines) {
    const wait_analysis found = analyse(graph);
    std::string text;
    if (found.causes.empty()) {
        std::vector<std::string> at_work;
        for (id n = 0; n < graph.nodes.size(); ++n) {
            const bool awaited = std::any_of(graph.edges.begin(), graph.edges.end(), [n](const wait_graph::edge& e) { return e.to == n; });
            if (awaited && !found.stuck[n] && graph.acts(n) && !graph.nodes[n].idle && !graph.has_edges(n))
                at_work.push_back(graph.nodes[n].name + " (" + graph.nodes[n].state + ")");
        }
        text = at_work.empty() ? "nothing is stuck as far as the device can tell; it may be slow\n"
                               : clipped("nothing is stuck, it is slow; still at work: " + joined(at_work)) + "\n";
    }
    for (std::size_t i = 0; i < std::min(found.causes.size(), most_causes); ++i) {
        const wait_cause& c = found.causes[i];
        text += clipped((i ? "also: " : "") + c.text, longest_cause) + "\n";
        std::vector<std::string> names;
        for (const id n : c.held_up)
            names.push_back(graph.nodes[n].name);
        if (!names.empty())
            text += clipped("  held up by this: " + joined(names)) + "\n";
    }
    if (found.causes.size() > most_causes)
        text += "and " + std::to_string(found.causes.size() - most_causes) + " more causes\n";
    const auto used = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    text += "who waits for what:\n";
    append(text, lines_of(graph), lines > used ? lines - used : 1);
    return text;
}

} // namespace retrace
