#pragma once
// Who waits for whom, at one moment, and why it does not end. The device builds the graph when somebody asks (the watchdog, mostly); nothing
// is kept up to date while it runs. A node needs nothing (it works and goes on by itself), or can never go on (it has stopped), or goes on
// when what its edges lead to does: all of them, any one of them, or as many as bring a semaphore what is missing.
//
// From that follows what is stuck, and from what is stuck the causes: a ring of waits, a semaphore that what is left of the programs does
// not bring to the count, something that has stopped. (Holt, "Some Deadlock Properties of Computer Systems", 1972: reduction of a graph
// with reusable and consumable resources.)
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace retrace {

enum class wait_kind : std::uint8_t { host, interrupt, ring, core, mover, command, resource, engine, port, semaphore };

/// What has to happen before a node goes on.
enum class wait_need : std::uint8_t {
    nothing, ///< it works
    never,   ///< it has stopped
    all,     ///< what all of its edges lead to goes on; without edges it works
    any,     ///< what one of its edges leads to goes on; without edges nobody ends it
    amount   ///< a semaphore: edges that go on bring `missing` together
};

struct wait_graph {
    using id = std::uint32_t;
    static constexpr std::uint64_t unknown = ~std::uint64_t{0};

    struct node {
        wait_kind kind{};
        std::string name;  ///< "vector", "semaphore 3 of command 12"
        std::string state; ///< continues the name of whatever acts ("is asleep"), and is a clause of its own for the rest ("nobody signals it")
        wait_need need = wait_need::all;
        std::uint64_t missing = 0; ///< amount only
        bool idle = false;         ///< has nothing to do, and nobody misses it
    };
    struct edge {
        id from = 0, to = 0;
        /// Says the wait with `from` as subject: "waits for semaphore 3 at its instruction 7". From a node that does not act it is the rest of
        /// a clause that begins with "which": "vector would signal at its instruction 9".
        std::string text;
        std::uint64_t since = unknown; ///< cycle
        std::uint64_t amount = 1;      ///< from a semaphore: what `to` can still add
    };

    std::vector<node> nodes;
    std::vector<edge> edges;

    /// The node of this kind and key; made, with this name, if there is none.
    id at(wait_kind kind, std::uint64_t key, const std::string& name);
    /// The node, or `none`.
    static constexpr id none = ~id{0};
    id find(wait_kind kind, std::uint64_t key) const;
    bool has_edges(id from) const;
    void wait(id from, id to, std::string text, std::uint64_t since = unknown, std::uint64_t amount = 1) {
        edges.push_back({from, to, std::move(text), since, amount});
    }
    /// Whether it does something, rather than being waited for only.
    bool acts(id n) const;

private:
    std::map<std::pair<wait_kind, std::uint64_t>, id> keys_;
};

/// Why something is stuck that nothing else that is stuck explains.
struct wait_cause {
    enum class kind : std::uint8_t {
        cycle,     ///< the edges of a ring of waits, in order; the first one's subject acts
        too_little,///< a semaphore that stays below its count; the edge of whoever waits for it
        stopped    ///< something that does not go on; the edge of whoever waits for it the longest
    };
    kind what{};
    wait_graph::id node = 0;        ///< the semaphore, what has stopped, or the first of the ring
    std::vector<std::size_t> edges; ///< into wait_graph::edges
    std::vector<wait_graph::id> held_up; ///< who else waits for it, directly or not, in the order of the nodes; not the one that `edges` names
    std::string text;               ///< a sentence for a person, without a full stop
};

struct wait_analysis {
    std::vector<bool> stuck; ///< by node
    std::vector<wait_cause> causes; ///< those that hold up most come first
};

wait_analysis analyse(const wait_graph& graph);

/// Lines for a person: the causes, the most important one first, then who waits for what. The first line is the first cause, or says that
/// what is waited for still works. At most about `lines` lines of at most 1,000 bytes; what is left out is counted.
std::string explain(const wait_graph& graph, std::size_t lines = 40);

/// Who does and waits for what, a line each; idle ones together.
std::string list_waits(const wait_graph& graph, std::size_t lines = 40);

} // namespace retrace
