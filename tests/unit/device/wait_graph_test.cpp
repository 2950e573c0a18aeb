// What is stuck, and why: graphs drawn by hand, and random ones against a search through all orders.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tlm/core/accounting/wait_graph.h"

namespace retrace {
namespace {

using id = wait_graph::id;

struct drawing : wait_graph {
    id engine(unsigned n, wait_need need = wait_need::all) {
        const id e = at(wait_kind::engine, n, "e" + std::to_string(n));
        nodes[e].need = need;
        return e;
    }
    id semaphore(unsigned n, std::uint64_t missing) {
        const id s = at(wait_kind::semaphore, n, "s" + std::to_string(n));
        nodes[s].need = wait_need::amount;
        nodes[s].missing = missing;
        nodes[s].state = "nobody will signal it";
        return s;
    }
};

TEST(wait_graph, a_node_is_made_once) {
    wait_graph g;
    EXPECT_EQ(g.find(wait_kind::engine, 3), wait_graph::none);
    const id a = g.at(wait_kind::engine, 3, "dma0");
    EXPECT_EQ(g.at(wait_kind::engine, 3, "another name"), a);
    EXPECT_NE(g.at(wait_kind::port, 3, "its port"), a);
    EXPECT_EQ(g.find(wait_kind::engine, 3), a);
    EXPECT_EQ(g.nodes[a].name, "dma0");
}

TEST(wait_graph, who_waits_for_what_works_is_not_stuck) {
    drawing g;
    const id a = g.engine(0), s = g.semaphore(0, 2), b = g.engine(1), t = g.semaphore(1, 1), c = g.engine(2, wait_need::nothing);
    g.nodes[c].state = "executes";
    g.wait(a, s, "waits for s0");
    g.wait(s, b, "e1 would signal", wait_graph::unknown, 2);
    g.wait(b, t, "waits for s1");
    g.wait(t, c, "e2 would signal");
    const wait_analysis r = analyse(g);
    EXPECT_TRUE(r.causes.empty());
    EXPECT_EQ(std::count(r.stuck.begin(), r.stuck.end(), true), 0);
    EXPECT_EQ(explain(g).substr(0, explain(g).find('\n')), "nothing is stuck, it is slow; still at work: e2 (executes)");
}

TEST(wait_graph, amounts_count) {
    for (const std::uint64_t missing : {1u, 2u, 3u, 4u}) {
        drawing g;
        const id a = g.engine(0), s = g.semaphore(0, missing), b = g.engine(1, wait_need::nothing), c = g.engine(2, wait_need::nothing);
        g.wait(a, s, "waits for s0", 17);
        g.wait(s, b, "e1 would signal by 2", wait_graph::unknown, 2);
        g.wait(s, c, "e2 would signal", wait_graph::unknown, 1);
        const wait_analysis r = analyse(g);
        EXPECT_EQ(r.causes.size(), missing == 4 ? 1u : 0u) << missing;
        if (missing == 4) {
            EXPECT_EQ(r.causes[0].what, wait_cause::kind::too_little);
            EXPECT_EQ(r.causes[0].text, "e0 waits for s0 since cycle 17: all that is left to signal it adds 3 of the 4 that are missing; e1 would signal by 2, "
                                        "e2 would signal");
        }
    }
}

TEST(wait_graph, a_ring_of_three_with_somebody_behind_it) {
    drawing g;
    const id last = g.engine(9);
    std::vector<id> e, s;
    for (unsigned n = 0; n < 3; ++n) {
        e.push_back(g.engine(n));
        s.push_back(g.semaphore(n, 1));
    }
    for (unsigned n = 0; n < 3; ++n) {
        g.wait(e[n], s[n], "waits for s" + std::to_string(n), 10 + n);
        g.wait(s[n], e[(n + 1) % 3], "e" + std::to_string((n + 1) % 3) + " would signal");
    }
    g.wait(last, e[1], "waits for e1");
    const wait_analysis r = analyse(g);
    ASSERT_EQ(r.causes.size(), 1u);
    EXPECT_EQ(r.causes[0].what, wait_cause::kind::cycle);
    EXPECT_EQ(r.causes[0].edges.size(), 6u);
    EXPECT_EQ(r.causes[0].held_up, std::vector<id>{last});
    EXPECT_EQ(r.causes[0].text, "e0 waits for s0 since cycle 10, which e1 would signal, but e1 waits for s1 since cycle 11, which e2 would signal, but e2 "
                                "waits for s2 since cycle 12, which e0 would signal: a cycle");
}

TEST(wait_graph, a_ring_that_waits_for_something_outside_is_no_cause) {
    drawing g;
    const id a = g.engine(0), b = g.engine(1), dead = g.engine(2, wait_need::never);
    g.nodes[dead].state = "is held in reset";
    g.wait(a, b, "waits for e1");
    g.wait(b, a, "waits for e0");
    g.wait(b, dead, "waits for e2");
    const wait_analysis r = analyse(g);
    // The ring is hopeless too, but without what it waits for outside nobody can tell.
    ASSERT_EQ(r.causes.size(), 1u);
    EXPECT_EQ(r.causes[0].what, wait_cause::kind::stopped);
    EXPECT_EQ(r.causes[0].text, "e1 waits for e2, but e2 is held in reset");
    EXPECT_EQ(r.causes[0].held_up, std::vector<id>{a});
}

TEST(wait_graph, any_one_is_enough_where_any_is_asked_for) {
    drawing g;
    const id a = g.engine(0, wait_need::any), dead = g.engine(1, wait_need::never), works = g.engine(2, wait_need::nothing);
    g.wait(a, dead, "waits for e1");
    EXPECT_EQ(analyse(g).causes.size(), 1u);
    g.wait(a, works, "waits for e2");
    EXPECT_TRUE(analyse(g).causes.empty());
    drawing lonely;
    const id b = lonely.engine(0), nobody = lonely.engine(1, wait_need::any);
    lonely.nodes[nobody].state = "has nobody to wake it";
    lonely.wait(b, nobody, "waits for e1");
    ASSERT_EQ(analyse(lonely).causes.size(), 1u);
    EXPECT_EQ(analyse(lonely).causes[0].text, "e0 waits for e1, but e1 has nobody to wake it");
}

TEST(wait_graph, what_has_stopped_and_is_missed_by_nobody_is_no_cause) {
    drawing g;
    const id idle = g.engine(0, wait_need::never);
    g.nodes[idle].idle = true;
    g.engine(1, wait_need::nothing);
    EXPECT_TRUE(analyse(g).causes.empty());
    EXPECT_NE(explain(g).find("  idle: e0\n"), std::string::npos);
}

TEST(wait_graph, the_cause_that_holds_up_most_comes_first) {
    drawing g;
    const id one = g.engine(0, wait_need::never), other = g.engine(1, wait_need::never);
    g.wait(g.engine(2), one, "waits for e0");
    for (unsigned n = 3; n < 6; ++n)
        g.wait(g.engine(n), other, "waits for e1");
    const wait_analysis r = analyse(g);
    ASSERT_EQ(r.causes.size(), 2u);
    EXPECT_EQ(r.causes[0].node, other);
    EXPECT_EQ(r.causes[1].node, one);
}

TEST(wait_graph, a_text_is_bounded_whatever_hangs) {
    drawing g;
    for (unsigned n = 0; n < 300; ++n) {
        const id e = g.engine(n), s = g.semaphore(n, 1);
        g.wait(e, s, std::string(300, 'x') + " waits for semaphore " + std::to_string(n), n);
        if (n < 200)
            g.wait(s, g.engine((n + 1) % 200), "e" + std::to_string((n + 1) % 200) + " would signal");
    }
    const std::string text = explain(g);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 42);
    EXPECT_LE(text.size(), 30'000u);
    EXPECT_NE(text.find("more causes"), std::string::npos);
    EXPECT_NE(text.find(" more\n"), std::string::npos);
}

TEST(wait_graph, random_graphs_have_a_cause_for_whatever_is_stuck) {
    for (unsigned seed = 1; seed <= 400; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        drawing g;
        const unsigned engines = 2 + pick(8), semaphores = 1 + pick(6);
        std::vector<id> s, e;
        for (unsigned n = 0; n < engines; ++n)
            e.push_back(g.engine(n, pick(6) ? (pick(4) ? wait_need::all : wait_need::any) : pick(2) ? wait_need::nothing : wait_need::never));
        for (unsigned n = 0; n < semaphores; ++n)
            s.push_back(g.semaphore(n, 1 + pick(3)));
        for (const id n : e)
            for (unsigned k = pick(3); k > 0; --k)
                g.wait(n, pick(3) ? s[pick(semaphores)] : e[pick(engines)], "waits", pick(100));
        for (const id n : s)
            for (unsigned k = pick(4); k > 0; --k)
                g.wait(n, e[pick(engines)], "somebody would signal", wait_graph::unknown, 1 + pick(2));
        const wait_analysis r = analyse(g);
        // Let go, in a random order, whatever can go on: the rest must be what is stuck.
        std::vector<bool> gone(g.nodes.size(), false);
        for (bool changed = true; changed;) {
            changed = false;
            std::vector<id> order(g.nodes.size());
            for (id n = 0; n < order.size(); ++n)
                order[n] = n;
            std::shuffle(order.begin(), order.end(), random);
            for (const id n : order) {
                unsigned all = 0, live = 0;
                std::uint64_t amount = 0;
                for (const auto& edge : g.edges)
                    if (edge.from == n) {
                        ++all;
                        live += gone[edge.to];
                        amount += gone[edge.to] ? edge.amount : 0;
                    }
                const wait_need need = g.nodes[n].need;
                const bool goes = need == wait_need::nothing || (need == wait_need::all && live == all) || (need == wait_need::any && live > 0) ||
                                  (need == wait_need::amount && amount >= g.nodes[n].missing);
                if (goes && !gone[n])
                    gone[n] = changed = true;
            }
        }
        std::vector<bool> explained(g.nodes.size(), false);
        for (const wait_cause& c : r.causes) {
            explained[c.node] = true;
            for (const id n : c.held_up)
                explained[n] = true;
            for (const std::size_t edge : c.edges) {
                EXPECT_TRUE(r.stuck[g.edges[edge].from] && r.stuck[g.edges[edge].to]);
                explained[g.edges[edge].from] = explained[g.edges[edge].to] = true;
            }
        }
        // Of rings that overlap one is printed: its other members count as explained by it.
        for (bool changed = true; changed;) {
            changed = false;
            for (const auto& edge : g.edges)
                if (r.stuck[edge.from] && r.stuck[edge.to] && explained[edge.to] && !explained[edge.from])
                    explained[edge.from] = changed = true;
        }
        for (id n = 0; n < g.nodes.size(); ++n) {
            ASSERT_EQ(r.stuck[n], !gone[n]) << "seed " << seed << " node " << n;
            const bool missed = std::any_of(g.edges.begin(), g.edges.end(), [&](const auto& edge) { return edge.to == n && r.stuck[edge.from]; });
            const bool waits = std::any_of(g.edges.begin(), g.edges.end(), [&](const auto& edge) { return edge.from == n; });
            if (r.stuck[n] && waits && g.acts(n) && g.nodes[n].need != wait_need::never) {
                EXPECT_TRUE(explained[n]) << "seed " << seed << " " << g.nodes[n].name << (missed ? " is missed" : "") << "\n" << explain(g);
            }
        }
    }
}

} // namespace
} // namespace retrace
