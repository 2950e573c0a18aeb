#include "host/graph/network.h"

#include <gtest/gtest.h>

namespace retrace {
namespace {

std::string fault_of(const network& net) {
    try {
        validate(net);
    } catch (const network_error& e) {
        return e.what();
    }
    return "";
}

TEST(network, a_chain_has_relu_between_its_layers_only) {
    const network net = dense_chain({64, 256, 256, 10});
    ASSERT_EQ(net.depth(), 3u);
    EXPECT_EQ(net.at(1).activation, activation_kind::relu);
    EXPECT_EQ(net.at(2).activation, activation_kind::relu);
    EXPECT_EQ(net.at(3).activation, activation_kind::none);
    EXPECT_EQ(net.features(0), 64u);
    EXPECT_EQ(net.features(2), 256u);
    EXPECT_EQ(net.features(3), 10u);
    EXPECT_EQ(net.at(1).weight_shape(), (matrix_shape{64, 256}));
    EXPECT_EQ(net.at(1).bias_shape(), (matrix_shape{1, 256}));
    EXPECT_EQ(net.parameter_count(), 64u * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10);
}

TEST(network, a_layer_without_bias_has_fewer_parameters) {
    network net = dense_chain({3, 5, 2});
    net.layers[0].bias = false;
    EXPECT_EQ(net.parameter_count(), 3u * 5 + 5 * 2 + 2);
}

TEST(network, bytes_per_format) {
    EXPECT_EQ(bytes_per_element(operand_format::fp32), 4u);
    EXPECT_EQ(bytes_per_element(operand_format::bf16), 2u);
    EXPECT_STREQ(to_string(operand_format::fp32), "fp32");
    EXPECT_STREQ(to_string(operand_format::bf16), "bf16");
}

TEST(network, faults_name_the_layer_and_the_remedy) {
    EXPECT_NE(fault_of({}).find("no layers"), std::string::npos);

    network net = dense_chain({4, 6, 8, 3});
    EXPECT_EQ(fault_of(net), "");

    network wrong = net;
    wrong.layers[1].inputs = 7;
    EXPECT_EQ(fault_of(wrong), "layer 2 takes 7 inputs but layer 1 has 6 outputs: the two must be equal");

    wrong = net;
    wrong.layers[0].inputs = 0;
    EXPECT_EQ(fault_of(wrong), "layer 1: inputs is 0, it must be at least 1");

    wrong = net;
    wrong.layers[2].outputs = std::size_t{1} << 40;
    EXPECT_NE(fault_of(wrong).find("layer 3: outputs is 1099511627776, at most"), std::string::npos);

    wrong = net;
    wrong.layers[2].activation = activation_kind::relu;
    EXPECT_NE(fault_of(wrong).find("layer 3: the last layer feeds softmax"), std::string::npos);

    wrong = net;
    wrong.layers[2].outputs = 1;
    EXPECT_NE(fault_of(wrong).find("at least 2 outputs"), std::string::npos);

    EXPECT_THROW(net.at(0), network_error);
    EXPECT_THROW(net.at(4), network_error);
    EXPECT_THROW(net.features(4), network_error);
    EXPECT_THROW(dense_chain({5}), network_error);
    EXPECT_THROW(dense_chain({}), network_error);
}

} // namespace
} // namespace retrace
