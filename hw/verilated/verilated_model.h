// rtl_model.h's classes over the classes that Verilator generates; `Model` is one of those. Included by the
// generated files only, one per Verilated module.
#pragma once

#include <verilated.h>
#include <verilated_sym_props.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string>

#include "hw/verilated/rtl_model.h"

namespace retrace::rtl {

// A port of up to 64 bits is an integer, a wider one a VlWide of 32-bit words.
template <std::unsigned_integral Port>
void set_word(Port& port, unsigned index, std::uint32_t word) {
    const std::uint64_t others = port & ~(std::uint64_t{0xffffffffu} << (32 * index));
    port = static_cast<Port>(others | std::uint64_t{word} << (32 * index));
}
template <std::size_t words>
void set_word(VlWide<words>& port, unsigned index, std::uint32_t word) {
    port[index] = word;
}
template <std::unsigned_integral Port>
std::uint32_t word_of(const Port& port, unsigned index) {
    return static_cast<std::uint32_t>(std::uint64_t{port} >> (32 * index));
}
template <std::size_t words>
std::uint32_t word_of(const VlWide<words>& port, unsigned index) {
    return port[index];
}
// The lowest `count` of `width` bits are ones.
template <typename Port>
void set_ones(Port& port, unsigned width, unsigned count) {
    for (unsigned bit = 0; bit < width; bit += 32) {
        const unsigned ones = count <= bit ? 0 : std::min(count - bit, 32u);
        set_word(port, bit / 32, ones == 32 ? ~0u : (1u << ones) - 1u);
    }
}
template <typename Port>
bool bit_of(const Port& port, unsigned index) {
    return ((word_of(port, index / 32) >> (index % 32)) & 1u) != 0;
}

template <typename Model>
class clocked {
protected:
    explicit clocked(unsigned fault) : model_(&context_, "") {
        if constexpr (requires(Model& m) { m.fault_i; }) {
            model_.fault_i = static_cast<CData>(fault);
        }
        model_.clk_i = 0;
        model_.rst_ni = 0;
    }
    ~clocked() {
        // A model's scopes take leave of this thread's current context, whichever that is by now: make it theirs.
        Verilated::threadContextp(&context_);
        model_.final();
    }
    // Inputs and the rising edge in one evaluation: Verilator propagates inputs before it looks for edges.
    void edge() {
        model_.clk_i = 1;
        model_.eval();
        model_.clk_i = 0;
        model_.eval();
    }
    void pulse_reset() {
        model_.rst_ni = 0;
        edge();
        edge();
        model_.rst_ni = 1;
    }
    VerilatedContext context_;
    Model model_;
};

template <typename Model>
class verilated_array_model final : public array_model, private clocked<Model> {
public:
    explicit verilated_array_model(unsigned fault) : clocked<Model>(fault) { reset(); }

    rtl_size reported_size() const override {
        return {this->model_.rows_o, this->model_.columns_o, this->model_.depth_o};
    }
    void reset() override {
        auto& m = this->model_;
        m.stall_i = 0;
        m.operand_valid_i = 0;
        m.operand_swap_i = 0;
        m.weight_step_i = 0;
        m.weight_last_i = 0;
        this->pulse_reset();
    }
    void clock(const array_inputs& in, array_outputs& out) override {
        auto& m = this->model_;
        m.stall_i = in.stall;
        m.operand_valid_i = in.operand_valid;
        m.operand_swap_i = in.operand_swap;
        if (in.operand_valid) {
            m.operand_format_i = static_cast<CData>(in.operand_format);
            for (unsigned k = 0; k < in.operands.size(); ++k) {
                set_word(m.operand_i, k, in.operands[k]);
            }
        }
        m.weight_step_i = in.weight_step;
        m.weight_last_i = in.weight_last;
        const auto columns = static_cast<unsigned>(in.weights.size());
        if (in.weight_step) {
            m.weight_format_i = static_cast<CData>(in.weight_format);
            set_ones(m.weight_mask_i, columns, in.weight_columns);
            for (unsigned c = 0; c < columns; ++c) {
                set_word(m.weight_i, c, in.weights[c]);
            }
        }
        this->edge();
        for (unsigned c = 0; c < columns; ++c) {
            out.valid[c] = bit_of(m.sum_valid_o, c);
            out.sums[c] = word_of(m.sum_o, c);
        }
        out.swap_error = m.swap_error_o;
        out.load_error = m.load_error_o;
    }
    std::vector<pe_registers> registers() const override {
        const rtl_size size = reported_size();
        std::vector<pe_registers> all;
        for (unsigned r = 0; r < size.rows; ++r) {
            for (unsigned c = 0; c < size.columns; ++c) {
                const std::string name =
                    "mac_array.g_row[" + std::to_string(r) + "].g_column[" + std::to_string(c) + "].u_pe";
                const VerilatedScope* scope = this->context_.scopeFind(name.c_str());
                const auto find = [&](const char* signal) -> const void* {
                    const VerilatedVar* variable = scope ? scope->varFind(signal) : nullptr;
                    if (variable == nullptr) {
                        throw rtl_error("RTL: " + name + "." + signal + " is not to be seen in this model");
                    }
                    return variable->datap();
                };
                const auto word = [&](const char* signal) { return static_cast<const std::uint32_t*>(find(signal)); };
                all.push_back({word("active"), word("weight_o"), word("operand_o"), word("sum_o"),
                               static_cast<const std::uint8_t*>(find("valid_o"))});
            }
        }
        return all;
    }
};

template <typename Model, unsigned columns>
class verilated_adder_model final : public adder_model, private clocked<Model> {
public:
    explicit verilated_adder_model(unsigned fault) : clocked<Model>(fault) {
        this->model_.en_i = 1;
        this->model_.accumulate_i = 1;
        this->model_.valid_i = 0;
        this->pulse_reset();
    }
    void accumulate(std::span<std::uint32_t> psum, std::span<const std::uint32_t> sums, bool integer) override {
        auto& m = this->model_;
        m.integer_i = integer;
        for (std::size_t from = 0; from < psum.size(); from += columns) {
            const auto count = static_cast<unsigned>(std::min<std::size_t>(columns, psum.size() - from));
            set_ones(m.valid_i, columns, count);
            for (unsigned c = 0; c < count; ++c) {
                set_word(m.sum_i, c, sums[from + c]);
                set_word(m.psum_i, c, psum[from + c]);
            }
            this->edge();
            for (unsigned c = 0; c < count; ++c) {
                if (!bit_of(m.valid_o, c)) {
                    throw rtl_error("RTL: the PSUM adder has lost a column");
                }
                psum[from + c] = word_of(m.psum_o, c);
            }
        }
    }
};

template <typename Model>
class verilated_fma_model final : public fma_model, private clocked<Model> {
public:
    verilated_fma_model() : clocked<Model>(0) {
        this->model_.en_i = 1;
        this->model_.valid_i = 0;
        this->pulse_reset();
        this->model_.valid_i = 1;
    }
    std::uint32_t fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) override {
        auto& m = this->model_;
        m.a_i = a;
        m.b_i = b;
        m.c_i = c;
        this->edge();
        return m.result_o;
    }
};

} // namespace retrace::rtl
