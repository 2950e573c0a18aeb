#pragma once
// Fills a case with commands: proposes operations, in motifs that belong together (a product over several tiles, what follows it,
// data on its way), and keeps those that the rules accept.
#include <optional>

#include "sim/cosim/case_random.h"
#include "sim/cosim/case_rules.h"

namespace retrace::cosim {

/// Names of the buffers that working sets are made of.
inline constexpr const char *work_buffer = "w0", *work_sums = "q0";

class case_builder {
public:
    case_builder(case_random& r, test_case& c) : random_(r), case_(c), walk_(std::in_place, c) {}
    void run();

private:
    struct product {
        spec::number_format rows_format{}, weights_format{};
        unsigned m = 1, n = 1;
        std::vector<unsigned> depths; ///< k of each tile
        matrix_place d;
    };

    void make_command(bool first);
    void make_fan_in();
    void keep();
    void walk_again();
    bool accept(const operation& o);
    bool in_working_set(unsigned buffer) const;

    // Data on its way
    void upload_all();
    void copy();
    void transpose();
    std::optional<operation> copy_to(unsigned buffer);
    unsigned queue() { return static_cast<unsigned>(spec::engine_dma) + random_.below(case_.machine.dma_queues); }
    unsigned buffer_in(std::initializer_list<spec::memory_kind> memories);

    // The array
    void multiply();
    bool tile(const product& p, std::size_t index, bool load, bool stream, bool swap);
    void follow_up(const product& p);
    void take_loads();
    unsigned tail(unsigned full);

    // The other engines
    void activate(std::optional<matrix_place> from, unsigned rows, unsigned columns, spec::number_format format);
    void binary(std::optional<matrix_place> from, unsigned rows, unsigned columns, spec::number_format format);
    void reduce(std::optional<matrix_place> from, unsigned rows, unsigned columns, spec::number_format format);
    void elementwise(std::optional<matrix_place> from, unsigned rows, unsigned columns, spec::number_format format);
    void nop();

    /// A matrix whose bytes are live, in a buffer of one of the memories.
    std::optional<matrix_place> live_matrix(std::initializer_list<spec::memory_kind> memories, unsigned rows,
                                            std::uint32_t row_bytes);
    /// A place in the buffer, if it is large enough.
    std::optional<matrix_place> place_in(unsigned buffer, unsigned rows, std::uint32_t row_bytes);
    std::optional<matrix_place> result_place(unsigned rows, std::uint32_t row_bytes);
    spec::number_format format(unsigned count = spec::number_format_count);
    void left_over_load();
    std::uint32_t scale();

    case_random& random_;
    test_case& case_;
    std::optional<case_walk> walk_;
    command command_;
};

} // namespace retrace::cosim
