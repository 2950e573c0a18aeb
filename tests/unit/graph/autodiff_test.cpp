#include "host/graph/autodiff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace retrace {
namespace {

using names = std::vector<std::string>;

names of(const std::vector<tensor_id>& ids) {
    names list;
    for (const tensor_id& id : ids)
        list.push_back(to_string(id));
    return list;
}

bool has(const training_graph& graph, tensor_id id) {
    return std::any_of(graph.tensors.begin(), graph.tensors.end(),
                       [id](const tensor_info& t) { return t.id == id; });
}

// 12 -> 20 -> 33 -> 5
training_graph whole(operand_format format = operand_format::fp32) {
    const network net = dense_chain({12, 20, 33, 5});
    return differentiate(net, whole_network(net), 37, format);
}

TEST(autodiff, forward_reads_its_input_and_parameters_and_writes_its_output) {
    const training_graph graph = whole();
    ASSERT_EQ(graph.forward.size(), 3u);
    for (std::size_t k = 1; k <= 3; ++k) {
        const operation& f = graph.forward_of(k);
        const std::string n = std::to_string(k);
        EXPECT_EQ(f.name(), "F_" + n);
        EXPECT_EQ(of(f.reads), (names{"IO_" + std::to_string(k - 1), "W_" + n, "b_" + n}));
        EXPECT_EQ(of(f.writes), (names{"IO_" + n}));
        EXPECT_EQ(f.activation, k < 3 ? activation_kind::relu : activation_kind::none);
    }
}

TEST(autodiff, loss_gradient_reads_the_output_and_the_targets) {
    const training_graph graph = whole();
    ASSERT_TRUE(graph.loss_gradient);
    EXPECT_EQ(graph.loss_gradient->name(), "LG");
    EXPECT_EQ(of(graph.loss_gradient->reads), (names{"IO_3", "targets"}));
    EXPECT_EQ(of(graph.loss_gradient->writes), (names{"G_3", "loss"}));
}

TEST(autodiff, backward_reads_exactly_the_layer_input_the_gradient_and_the_weights) {
    const training_graph graph = whole();
    ASSERT_EQ(graph.backward.size(), 3u);
    EXPECT_EQ(graph.backward[0].layer, 3u); // from the top
    for (std::size_t k = 2; k <= 3; ++k) {
        const backward_operation& b = graph.backward_of(k);
        const std::string n = std::to_string(k), below = std::to_string(k - 1);
        EXPECT_EQ(b.name(), "B_" + n);
        EXPECT_EQ(of(b.reads), (names{"IO_" + below, "G_" + n, "W_" + n}));
        EXPECT_EQ(of(b.writes), (names{"G_" + below, "dW_" + n, "db_" + n}));
        ASSERT_TRUE(b.data_gradient);
        EXPECT_EQ(b.data_gradient->name(), "D_" + n);
        EXPECT_EQ(b.data_gradient->activation, activation_kind::relu);
        EXPECT_EQ(of(b.data_gradient->reads), (names{"IO_" + below, "G_" + n, "W_" + n}));
        EXPECT_EQ(of(b.data_gradient->writes), (names{"G_" + below}));
        EXPECT_EQ(b.weight_gradient.name(), "W_" + n);
        EXPECT_EQ(of(b.weight_gradient.reads), (names{"IO_" + below, "G_" + n}));
        EXPECT_EQ(of(b.weight_gradient.writes), (names{"dW_" + n, "db_" + n}));
    }
}

TEST(autodiff, the_first_layer_makes_no_gradient_of_an_input_that_needs_none) {
    const backward_operation b = whole().backward_of(1);
    EXPECT_FALSE(b.data_gradient);
    EXPECT_EQ(of(b.reads), (names{"IO_0", "G_1"}));
    EXPECT_EQ(of(b.writes), (names{"dW_1", "db_1"}));
    EXPECT_FALSE(has(whole(), {tensor_role::gradient, 0}));
}

TEST(autodiff, the_gradient_of_the_network_input_has_no_mask) {
    const network net = dense_chain({12, 20, 33, 5});
    const training_graph graph = differentiate(net, {1, 3, true}, 37, operand_format::fp32);
    const backward_operation& b = graph.backward_of(1);
    ASSERT_TRUE(b.data_gradient);
    EXPECT_EQ(b.data_gradient->activation, activation_kind::none);
    EXPECT_EQ(of(b.data_gradient->reads), (names{"G_1", "W_1"}));
    EXPECT_EQ(of(b.reads), (names{"IO_0", "G_1", "W_1"}));
    EXPECT_EQ(graph.tensor({tensor_role::gradient, 0}).shape, (matrix_shape{37, 12}));
}

TEST(autodiff, a_linear_layer_below_needs_no_mask) {
    network net = dense_chain({12, 20, 33, 5});
    net.layers[1].activation = activation_kind::none;
    const training_graph graph = differentiate(net, whole_network(net), 37, operand_format::fp32);
    const backward_operation& b = graph.backward_of(3);
    EXPECT_EQ(b.data_gradient->activation, activation_kind::none);
    EXPECT_EQ(of(b.data_gradient->reads), (names{"G_3", "W_3"}));
    EXPECT_EQ(of(b.reads), (names{"IO_2", "G_3", "W_3"})); // the weight gradient contracts IO_2 all the same
}

TEST(autodiff, layers_without_bias_have_none_anywhere) {
    network net = dense_chain({12, 20, 33, 5});
    net.layers[1].bias = false;
    const training_graph graph = differentiate(net, whole_network(net), 37, operand_format::fp32);
    EXPECT_EQ(of(graph.forward_of(2).reads), (names{"IO_1", "W_2"}));
    EXPECT_EQ(of(graph.backward_of(2).writes), (names{"G_1", "dW_2"}));
    EXPECT_FALSE(has(graph, {tensor_role::bias, 2}));
    EXPECT_FALSE(has(graph, {tensor_role::bias_gradient, 2}));
    EXPECT_TRUE(has(graph, {tensor_role::bias, 1}));
}

TEST(autodiff, shapes_and_bytes_per_operand_format) {
    struct expectation {
        tensor_id id;
        matrix_shape shape;
        bool operand; // stored in the operand format, otherwise fp32
    };
    const std::vector<expectation> expected = {
        {{tensor_role::io, 0}, {37, 12}, true},
        {{tensor_role::io, 2}, {37, 33}, true},
        {{tensor_role::gradient, 1}, {37, 20}, true},
        {{tensor_role::weight, 2}, {20, 33}, true},
        {{tensor_role::bias, 2}, {1, 33}, false},
        {{tensor_role::weight_gradient, 2}, {20, 33}, false},
        {{tensor_role::bias_gradient, 2}, {1, 33}, false},
        {{tensor_role::targets, 3}, {37, 5}, true},
        {{tensor_role::loss, 3}, {1, 1}, false},
    };
    for (const operand_format format : {operand_format::fp32, operand_format::bf16}) {
        const training_graph graph = whole(format);
        for (const expectation& e : expected) {
            const tensor_info& info = graph.tensor(e.id);
            EXPECT_EQ(info.shape, e.shape) << to_string(e.id);
            const std::size_t element = e.operand && format == operand_format::bf16 ? 2 : 4;
            EXPECT_EQ(info.bytes(), e.shape.rows * e.shape.columns * element) << to_string(e.id);
        }
        // IO 4, G 3, W, b, dW, db 3 each, targets, loss.
        EXPECT_EQ(graph.tensors.size(), 4u + 3 + 4 * 3 + 2);
        EXPECT_TRUE(std::is_sorted(graph.tensors.begin(), graph.tensors.end(),
                                   [](const tensor_info& a, const tensor_info& b) { return a.id < b.id; }));
    }
}

TEST(autodiff, a_middle_range_takes_input_and_gradient_from_outside) {
    const network net = dense_chain({8, 9, 10, 11, 12, 13, 4});
    const training_graph graph = differentiate(net, pipeline_stage(3, 5), 16, operand_format::bf16);
    EXPECT_FALSE(graph.loss_gradient);
    ASSERT_EQ(graph.forward.size(), 3u);
    EXPECT_EQ(graph.forward[0].name(), "F_3");
    ASSERT_EQ(graph.backward.size(), 3u);
    EXPECT_EQ(graph.backward[0].name(), "B_5");
    // The stage below gets its gradient already masked by its own ReLU.
    const backward_operation& b = graph.backward_of(3);
    EXPECT_EQ(of(b.writes), (names{"G_2", "dW_3", "db_3"}));
    EXPECT_EQ(b.data_gradient->activation, activation_kind::relu);
    EXPECT_EQ(graph.tensor({tensor_role::io, 2}).bytes(), 16u * 10 * 2);
    EXPECT_EQ(graph.tensor({tensor_role::gradient, 5}).bytes(), 16u * 13 * 2);
    EXPECT_FALSE(has(graph, {tensor_role::targets, 6}));
    EXPECT_FALSE(has(graph, {tensor_role::io, 1}));
    EXPECT_FALSE(has(graph, {tensor_role::io, 6}));
    EXPECT_THROW(graph.forward_of(2), network_error);
    EXPECT_THROW(graph.backward_of(6), network_error);
    EXPECT_THROW(graph.tensor({tensor_role::io, 6}), network_error);
}

TEST(autodiff, everything_read_was_delivered_or_written_before) {
    const network net = dense_chain({8, 9, 10, 11, 12, 13, 4});
    for (std::size_t first = 1; first <= 6; ++first) {
        for (std::size_t last = first; last <= 6; ++last) {
            const training_graph graph =
                differentiate(net, pipeline_stage(first, last), 4, operand_format::fp32);
            std::vector<tensor_id> known = {{tensor_role::io, first - 1}};
            if (last == 6)
                known.push_back({tensor_role::targets, 6});
            else
                known.push_back({tensor_role::gradient, last});
            for (std::size_t k = first; k <= last; ++k) {
                known.push_back({tensor_role::weight, k});
                known.push_back({tensor_role::bias, k});
            }
            const std::size_t delivered = known.size();
            const auto run = [&known](const auto& op) {
                for (const tensor_id& id : op.reads)
                    EXPECT_NE(std::find(known.begin(), known.end(), id), known.end())
                        << op.name() << " reads " << to_string(id);
                for (const tensor_id& id : op.writes) {
                    EXPECT_EQ(std::find(known.begin(), known.end(), id), known.end())
                        << op.name() << " writes twice " << to_string(id);
                    known.push_back(id);
                }
            };
            for (const operation& f : graph.forward)
                run(f);
            if (graph.loss_gradient)
                run(*graph.loss_gradient);
            for (const backward_operation& b : graph.backward)
                run(b);
            const std::size_t layers = last - first + 1;
            // IO, dW and db of every layer; a gradient under every layer but the network's first; LG's two.
            EXPECT_EQ(known.size() - delivered, 3 * layers + (layers - (first == 1)) + (last == 6 ? 2 : 0));
        }
    }
}

TEST(autodiff, bad_ranges_and_batches_are_refused) {
    const network net = dense_chain({12, 20, 33, 5});
    const auto refused = [&net](layer_range range, std::size_t batch, const std::string& part) {
        try {
            differentiate(net, range, batch, operand_format::fp32);
        } catch (const network_error& e) {
            return std::string(e.what()).find(part) != std::string::npos;
        }
        return false;
    };
    EXPECT_TRUE(refused({0, 3, false}, 4, "range of layers 0..3"));
    EXPECT_TRUE(refused({3, 2, false}, 4, "range of layers 3..2"));
    EXPECT_TRUE(refused({1, 4, false}, 4, "does not lie in 1..3"));
    EXPECT_TRUE(refused({1, 3, false}, 0, "the batch is 0"));
    EXPECT_TRUE(refused({1, 3, false}, (std::size_t{1} << 20) + 1, "the batch is 1048577"));
    network broken = net;
    broken.layers[1].inputs = 19;
    EXPECT_THROW(differentiate(broken, whole_network(broken), 4, operand_format::fp32), network_error);
}

} // namespace
} // namespace retrace
