#include <gtest/gtest.h>

#include "sim/cosim/coverage.h"
#include "sim/cosim/generator.h"
#include "tests/cosim/small_case.h"

namespace retrace::cosim {
namespace {

coverage covered(const test_case& c) {
    const prepared_case p = prepare(c, spec::host_window_base);
    return cover(c, p, *run_reference(c, p));
}

TEST(coverage, the_small_case_hits_what_it_does_and_nothing_else) {
    const coverage c = covered(test::small_case());
    for (const char* bin :
         {"machine.size_depth.8.1", "matmul.format_depth_size.bf16.1.8", "matmul.k.full", "matmul.k.odd", "matmul.n.full",
          "matmul.m.odd", "matmul.accumulate.overwrite", "matmul.accumulate.add_float", "matmul.chain.2",
          "matmul.swap.back_to_back", "activate.function.relu", "activate.source_result.fp32.bf16", "activate.source_memory.psum",
          "copy.memories.host.state_buffer", "copy.memories.state_buffer.host", "copy.dimensions.1", "command.kind.run",
          "command.waits.0", "semaphore.used.few"})
        EXPECT_GT(c.hits().at(bin), 0u) << bin;
    for (const char* bin : {"machine.size_depth.16.1", "matmul.format_depth_size.fp32.1.8", "matmul.chain.3",
                            "activate.function.exp", "matmul.swap.none", "copy.dimensions.2", "command.kind.nop",
                            "reduce_rows.operation_source.add.fp32", "machine.stress.array"})
        EXPECT_EQ(c.hits().at(bin), 0u) << bin;
    EXPECT_EQ(c.hits().at("matmul.swap.first"), 1u);
    EXPECT_EQ(c.hits().at("matmul.k.full"), 1u);
}

TEST(coverage, merging_adds_hits_and_empties_the_list_of_what_is_never_hit) {
    const coverage a = covered(generate(1)), b = covered(generate(2));
    coverage sum;
    EXPECT_EQ(sum.hit_count(), 0u);
    EXPECT_EQ(sum.never_hit(), coverage::all_bins());
    sum.merge(a);
    sum.merge(b);
    std::size_t never = 0;
    for (const std::string& bin : coverage::all_bins()) {
        EXPECT_EQ(sum.hits().at(bin), a.hits().at(bin) + b.hits().at(bin)) << bin;
        never += sum.hits().at(bin) == 0;
    }
    EXPECT_EQ(sum.never_hit().size(), never);
    EXPECT_LT(never, a.never_hit().size());
}

TEST(coverage, travels_as_text) {
    const coverage a = covered(generate(3));
    coverage b;
    b.add_json(a.to_json());
    EXPECT_EQ(a.hits(), b.hits());
    b.add_json(a.to_json());
    EXPECT_EQ(b.hits().at("command.kind.run"), 2 * a.hits().at("command.kind.run"));
    for (const char* text : {"", "[]", "{\"no.such.bin\": 1}", "{\"command.kind.run\": -1}", "{\"command.kind.run\": \"many\"}"})
        EXPECT_THROW(b.add_json(text), std::runtime_error) << text;
}

TEST(coverage, a_bin_that_does_not_exist_is_a_fault_of_the_program) {
    EXPECT_THROW(coverage().hit("matmul.colour.red"), std::logic_error);
}

TEST(coverage, the_table_names_bins_that_were_never_hit) {
    const std::string text = describe(covered(test::small_case()));
    EXPECT_NE(text.find("Never hit ("), text.npos);
    EXPECT_NE(text.find("  activate.function.exp\n"), text.npos);
    EXPECT_EQ(text.find("  activate.function.relu\n"), text.npos);
}

} // namespace
} // namespace retrace::cosim
