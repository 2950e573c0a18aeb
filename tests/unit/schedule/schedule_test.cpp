#include "host/training/schedule.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "host/training/tensors.h"
#include "hw/spec/spec.h"

namespace retrace {
namespace {

constexpr schedule_kind all_kinds[] = {schedule_kind::store_all, schedule_kind::recompute,
                                       schedule_kind::interval, schedule_kind::interval_overwrite};

training_graph graph_of(std::size_t layers, const layer_range* range = nullptr) {
    const network net = dense_chain(std::vector<std::size_t>(layers + 1, 8));
    return differentiate(net, range ? *range : whole_network(net), 4, operand_format::bf16);
}

std::size_t executions(std::size_t layers, schedule_kind kind, std::size_t n = 1) {
    return make_schedule(graph_of(layers), {kind, n}).forward_executions();
}

std::vector<std::string> names(const schedule& s) {
    std::vector<std::string> list;
    for (const schedule_operation& op : s.operations)
        list.push_back(op.name());
    return list;
}

TEST(schedule, forward_executions_equal_the_oracle) {
    EXPECT_EQ(executions(6, schedule_kind::store_all), 6u);
    EXPECT_EQ(executions(6, schedule_kind::recompute), 21u);
    EXPECT_EQ(executions(6, schedule_kind::interval, 2), 8u);
    EXPECT_EQ(executions(6, schedule_kind::interval_overwrite, 2), 9u);
    for (std::size_t layers = 1; layers <= 24; ++layers) {
        EXPECT_EQ(executions(layers, schedule_kind::store_all), layers);
        EXPECT_EQ(executions(layers, schedule_kind::recompute), layers + layers * (layers - 1) / 2);
        for (std::size_t n = 1; n <= layers; ++n) {
            const std::size_t segments = (layers + n - 1) / n, last = layers - (segments - 1) * n;
            EXPECT_EQ(executions(layers, schedule_kind::interval, n), layers + (segments - 1) * (n - 1))
                << layers << " by " << n;
            EXPECT_EQ(executions(layers, schedule_kind::interval_overwrite, n),
                      layers + (segments - 1) * n * (n - 1) / 2 + last * (last - 1) / 2)
                << layers << " by " << n;
            if (layers % n == 0) {
                EXPECT_EQ(executions(layers, schedule_kind::interval, n),
                          layers + (layers / n - 1) * (n - 1));
                EXPECT_EQ(executions(layers, schedule_kind::interval_overwrite, n),
                          layers + layers * (n - 1) / 2);
            }
        }
    }
}

TEST(schedule, orders_are_the_expected_ones) {
    EXPECT_EQ(names(make_schedule(graph_of(3), {schedule_kind::recompute, 1})),
              (std::vector<std::string>{"U_1", "IN", "U_2", "F_1", "U_3", "F_2", "F_3", "LG", "F_1'", "F_2'",
                                        "B_3", "F_1'", "B_2", "B_1"}));
    EXPECT_EQ(names(make_schedule(graph_of(4), {schedule_kind::interval, 2}, {.upload_weights = false})),
              (std::vector<std::string>{"IN", "F_1", "F_2", "F_3", "F_4", "LG", "B_4", "B_3", "F_1'", "B_2",
                                        "B_1"}));
    EXPECT_EQ(
        names(make_schedule(graph_of(4), {schedule_kind::interval_overwrite, 2}, {.upload_weights = false})),
        (std::vector<std::string>{"IN", "F_1", "F_2", "F_3", "F_4", "LG", "F_3'", "B_4", "B_3", "F_1'", "B_2",
                                  "B_1"}));
    EXPECT_EQ(names(make_schedule(graph_of(2), {}, {.upload_weights = true, .uploads_first = true})),
              (std::vector<std::string>{"U_1", "IN", "U_2", "F_1", "F_2", "LG", "B_2", "B_1"}));
    EXPECT_EQ(names(make_evaluation(graph_of(2), {})),
              (std::vector<std::string>{"U_1", "IN", "U_2", "F_1", "F_2", "OUT"}));
    const layer_range stage = pipeline_stage(2, 3);
    EXPECT_EQ(
        names(make_schedule(graph_of(5, &stage), {schedule_kind::recompute, 1}, {.upload_weights = false})),
        (std::vector<std::string>{"IN", "F_2", "F_3", "OUT", "GIN", "F_2'", "B_3", "B_2", "GOUT"}));
}

/// Everything a schedule owes, on the abstract operations: nothing is read that is not there, buffers hold
/// one tensor at a time, wait sets are complete.
void expect_sound(const training_graph& graph, const schedule& s) {
    std::map<buffer_id, tensor_id> holds;
    std::map<tensor_id, std::size_t> writer, last_reader;
    std::vector<std::set<std::size_t>> before(s.operations.size());
    std::set<std::size_t> recomputed_since_backward;
    std::size_t lg = 0;
    bool seen_lg = false, chain_starts = true;
    for (std::size_t i = 0; i < s.operations.size(); ++i) {
        const schedule_operation& op = s.operations[i];
        ASSERT_LE(op.waits.size(), spec::max_waits) << op.name();
        ASSERT_TRUE(std::is_sorted(op.waits.begin(), op.waits.end()));
        for (const std::size_t w : op.waits) {
            ASSERT_LT(w, i);
            before[i].insert(w);
            before[i].insert(before[w].begin(), before[w].end());
        }
        const auto waits_for = [&](std::size_t w) {
            return std::find(op.waits.begin(), op.waits.end(), w) != op.waits.end();
        };
        for (const tensor_use& r : op.reads) {
            if (r.buffer.where == placement::host)
                continue;
            ASSERT_TRUE(holds.count(r.buffer) && holds[r.buffer] == r.tensor)
                << op.name() << " reads " << to_string(r.tensor);
            EXPECT_TRUE(waits_for(writer.at(r.tensor))) << op.name() << " does not wait for what it reads";
            last_reader[r.tensor] = i;
        }
        for (const tensor_use& w : op.writes) {
            if (w.buffer.where == placement::host)
                continue;
            if (holds.count(w.buffer) && !op.in_place) {
                ADD_FAILURE() << op.name() << " writes over " << to_string(holds[w.buffer])
                              << ", which nobody released";
            }
            // Whoever read or wrote what was here has completed.
            for (std::size_t e = 0; e < i; ++e)
                for (const auto* uses : {&s.operations[e].reads, &s.operations[e].writes})
                    for (const tensor_use& u : *uses)
                        if (u.buffer == w.buffer) {
                            EXPECT_TRUE(before[i].count(e))
                                << op.name() << " may overwrite while " << s.operations[e].name() << " runs";
                        }
            if (op.in_place) {
                EXPECT_EQ(op.reads[0].buffer, w.buffer);
                EXPECT_TRUE(op.reads[0].release);
            }
            writer[w.tensor] = i;
        }
        for (const tensor_use& r : op.reads)
            if (r.release)
                holds.erase(r.buffer);
        for (const tensor_use& w : op.writes)
            if (w.buffer.where != placement::host)
                holds[w.buffer] = w.tensor;
        if (op.kind == step_kind::loss_gradient || op.kind == step_kind::upload_gradient)
            lg = i, seen_lg = true;
        if (op.kind == step_kind::recompute) {
            EXPECT_TRUE(seen_lg);
            if (chain_starts) {
                EXPECT_TRUE(waits_for(lg)) << op.name() << " must wait for the loss gradient";
            }
            EXPECT_TRUE(before[i].count(lg));
            chain_starts = false;
        }
        if (op.kind == step_kind::backward) {
            chain_starts = true;
            std::set<tensor_id> reads, expected;
            for (const tensor_use& r : op.reads)
                reads.insert(r.tensor);
            for (const tensor_id& t : graph.backward_of(op.layer).reads)
                expected.insert(t);
            EXPECT_EQ(reads, expected) << op.name();
        }
    }
    for (const auto& [buffer, tensor] : holds)
        EXPECT_EQ(buffer.where, placement::weights) << to_string(tensor) << " is left behind";
}

TEST(schedule, nothing_missing_is_read_and_every_overwriter_waits_for_all_kinds_ranges_and_spacings) {
    for (std::size_t layers = 1; layers <= 12; ++layers)
        for (const schedule_kind kind : all_kinds)
            for (std::size_t n = 1; n <= layers + 1; ++n)
                for (const bool first : {false, true}) {
                    const training_graph graph = graph_of(layers);
                    ASSERT_NO_FATAL_FAILURE(
                        expect_sound(graph, make_schedule(graph, {kind, n}, {true, first})))
                        << layers << " " << to_string(kind) << " " << n;
                    ASSERT_NO_FATAL_FAILURE(
                        expect_sound(graph, make_evaluation(graph, {kind, n}, {true, first})));
                }
    for (const auto& [first, last] : {std::pair{1, 3}, std::pair{3, 8}, std::pair{4, 4}, std::pair{6, 8}})
        for (const schedule_kind kind : all_kinds)
            for (std::size_t n = 1; n <= 4; ++n) {
                const layer_range stage =
                    pipeline_stage(static_cast<std::size_t>(first), static_cast<std::size_t>(last));
                const training_graph graph = graph_of(8, &stage);
                ASSERT_NO_FATAL_FAILURE(expect_sound(graph, make_schedule(graph, {kind, n})))
                    << first << ".." << last << " " << to_string(kind);
            }
}

TEST(schedule, tensors_live_where_their_kind_says) {
    const auto place = [](schedule_kind kind, std::size_t n, std::size_t k) {
        for (const schedule_operation& op : make_schedule(graph_of(6), {kind, n}).operations)
            for (const tensor_use& w : op.writes)
                if (w.tensor == tensor_id{tensor_role::io, k})
                    return w.buffer;
        return buffer_id{};
    };
    for (std::size_t k = 1; k <= 6; ++k) {
        EXPECT_EQ(place(schedule_kind::store_all, 1, k).where, placement::activations);
        EXPECT_EQ(place(schedule_kind::recompute, 1, k), (buffer_id{placement::activations, 1}));
        const bool retained = k == 2 || k == 4;
        EXPECT_EQ(place(schedule_kind::interval, 2, k).where,
                  retained ? placement::activations : placement::state_buffer);
        EXPECT_EQ(place(schedule_kind::interval_overwrite, 2, k),
                  retained ? (buffer_id{placement::activations, k / 2})
                           : (buffer_id{placement::state_buffer, 0}));
    }
}

TEST(schedule, bad_settings_are_refused) {
    EXPECT_THROW(make_schedule(graph_of(3), {schedule_kind::interval, 0}), network_error);
    EXPECT_THROW(schedule_kind_of("keep_some"), network_error);
    for (const schedule_kind kind : all_kinds)
        EXPECT_EQ(schedule_kind_of(to_string(kind)), kind);
}

TEST(tensors, tags_are_unique_and_come_back) {
    std::set<std::uint32_t> seen;
    for (const bool evaluation : {false, true})
        for (std::size_t role = 0; role <= static_cast<std::size_t>(tensor_role::loss); ++role)
            for (const std::size_t layer : {0u, 1u, 12u, 65535u}) {
                const tensor_id id{static_cast<tensor_role>(role), layer};
                const std::uint32_t tag = tag_of(id, evaluation);
                EXPECT_NE(tag, 0u);
                EXPECT_TRUE(seen.insert(tag).second);
                EXPECT_EQ(tensor_of(tag).id, id);
                EXPECT_EQ(tensor_of(tag).evaluation, evaluation);
            }
    EXPECT_EQ(tag_name(tag_of({tensor_role::io, 3})), "IO_3");
    EXPECT_EQ(tag_name(tag_of({tensor_role::io, 3}, true)), "eval_IO_3");
    EXPECT_THROW(tag_of({tensor_role::io, 65536}), network_error);
}

} // namespace
} // namespace retrace
