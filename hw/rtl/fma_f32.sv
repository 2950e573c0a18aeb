// Binary32 fused multiply-add, a * b + c with one rounding to nearest even (IEEE 754-2019, 5.4.1). Subnormals are
// kept on both sides; every NaN result is 0x7fc00000. No flags.
//
// Three steps. DEPTH registers lie between input and output: 1: at the end; 2: also after `add`; 3: also after
// `multiply`; more: the rest behind the end, for a synthesis tool to retime. A register takes new values when
// en_i is high, and only for operands that were valid: the steps' inputs are isolated, so that idle hardware
// does not toggle (and idle hardware costs a simulation nothing).
//
// Why 64 bits are enough. Product (48 bits) and addend (24 bits) meet in a window whose bit 60 weighs
// 2^(exponent - 127):
//
//     bit   63 62 | 61 60 . . . 37 . . . 14 | 13 . . . 0       product: 61 .. 14, leading one in 61 or 60
//                 |    60 . . . 37 |                           addend:  60 .. 37, leading one in 60
//
// where a subnormal factor or addend has its leading one anywhere. The one with the smaller exponent moves right;
// what leaves at bit 0 is or-ed into bit 0 ("sticky"). That is exact unless something leaves, and then:
// - The product has moved by more than 14, to bit 46 or below. A normal addend has its one in bit 60, at most one
//   bit cancels, and the last bit of the result is bit 36 or above. A subnormal addend may be small, but it has
//   the smallest exponent there is, and no result is finer than its last bit, bit 37.
// - The addend has moved by more than 37, to bit 22 or below. One factor at least is normal (two subnormal ones
//   have an exponent below any addend's), so the product is at least 2^23, in bit 37 or above; at most one bit
//   cancels, and the last bit of the result is bit 13 or above.
// So rounding sees the right half bit and the right sticky bit. Subnormal factors need no normalisation, and a
// result never has to be moved right: it moves left until its leading one is in bit 62 or its exponent is the
// smallest, whichever comes first; in the latter case it is subnormal.
//
// What leaves an always_comb is assigned once on every path: Icarus Verilog 11 starts such a block again when a
// value that drives a net changes twice in one go, and does not come to an end.
`include "hw/rtl/faults.svh"

module fma_f32 #(
    parameter integer DEPTH = 1
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    `RETRACE_FAULT_PORT
    input  logic        en_i,
    input  logic        valid_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,
    output logic        valid_o,
    output logic [31:0] result_o
);
    localparam [30:0] INFINITY = 31'h7f800000;
    localparam [31:0] CANONICAL_NAN = 32'h7fc00000;

    // ---- multiply: the exact product --------------------------------------------------------------------------
    // Exponents are biased; a product's is that of its bit 46. An infinite result has nothing to add, and signs
    // that agree.
    logic              m_nan, m_infinite, m_product_sign, m_addend_sign;
    logic              special, a_infinite, b_infinite, c_infinite, sign;
    logic [23:0]       x, y, z, m_addend;
    logic signed [9:0] exponent, m_product_exponent;
    logic [7:0]        m_addend_exponent;
    logic [47:0]       product, m_product;

    always_comb begin
        if (valid_i) begin
            // A subnormal has no implicit one, and the exponent of the smallest normal number.
            x        = {a_i[30:23] != 8'd0, a_i[22:0]};
            y        = {b_i[30:23] != 8'd0, b_i[22:0]};
            z        = {c_i[30:23] != 8'd0, c_i[22:0]};
            product  = {24'b0, x} * {24'b0, y};
            exponent = $signed({2'b0, a_i[30:23]}) + $signed({2'b0, b_i[30:23]}) - 10'sd127
                + $signed({9'b0, !x[23] && `RETRACE_FAULT(`RT_FAULT_SUBNORMAL_EXPONENT, 1'b0, 1'b1)})
                + $signed({9'b0, !y[23]});
            sign     = a_i[31] ^ b_i[31];

            special    = a_i[30:23] == 8'hff || b_i[30:23] == 8'hff || c_i[30:23] == 8'hff;
            a_infinite = a_i[30:0] == INFINITY;
            b_infinite = b_i[30:0] == INFINITY;
            c_infinite = c_i[30:0] == INFINITY;
            if (special) begin
                m_infinite     = 1'b1;
                m_nan          = a_i[30:0] > INFINITY || b_i[30:0] > INFINITY || c_i[30:0] > INFINITY
                    || (`RETRACE_FAULT(`RT_FAULT_INFINITY_TIMES_ZERO, 1'b0, 1'b1)
                        && ((a_infinite && b_i[30:0] == 31'd0) || (b_infinite && a_i[30:0] == 31'd0)))
                    || ((a_infinite || b_infinite) && c_infinite && sign != c_i[31]);
                m_product_sign = c_infinite ? c_i[31] : sign;
                m_addend_sign  = c_infinite ? c_i[31] : sign;
                m_product      = 48'd0;
                m_addend       = 24'd0;
            end else begin
                m_infinite     = 1'b0;
                m_nan          = 1'b0;
                m_product_sign = sign;
                m_addend_sign  = c_i[31];
                m_product      = product;
                m_addend       = z;
            end
            // Zero has an exponent below every addend's: it moves nobody.
            m_product_exponent = product == 48'd0 ? 10'sd0 : exponent;
            m_addend_exponent  = {c_i[30:24], c_i[23] | !z[23]};
        end else begin
            {m_nan, m_infinite, m_product_sign, m_addend_sign} = 4'd0;
            {special, a_infinite, b_infinite, c_infinite, sign} = 5'd0;
            {x, y, z, product, m_product, m_addend} = 192'd0;
            {exponent, m_product_exponent, m_addend_exponent} = 28'd0;
        end
    end

    logic              p_valid, p_nan, p_infinite, p_product_sign, p_addend_sign;
    logic signed [9:0] p_product_exponent;
    logic [7:0]        p_addend_exponent;
    logic [47:0]       p_product;
    logic [23:0]       p_addend;

    generate
        if (DEPTH >= 3) begin : g_cut_product
            always_ff @(posedge clk_i) begin
                if (!rst_ni) begin
                    p_valid <= 1'b0;
                end else if (en_i) begin
                    p_valid <= valid_i;
                    if (valid_i) begin
                        p_nan              <= m_nan;
                        p_infinite         <= m_infinite;
                        p_product_sign     <= m_product_sign;
                        p_addend_sign      <= m_addend_sign;
                        p_product_exponent <= m_product_exponent;
                        p_addend_exponent  <= m_addend_exponent;
                        p_product          <= m_product;
                        p_addend           <= m_addend;
                    end
                end
            end
        end else begin : g_no_cut_product
            assign p_valid            = valid_i;
            assign p_nan              = m_nan;
            assign p_infinite         = m_infinite;
            assign p_product_sign     = m_product_sign;
            assign p_addend_sign      = m_addend_sign;
            assign p_product_exponent = m_product_exponent;
            assign p_addend_exponent  = m_addend_exponent;
            assign p_product          = m_product;
            assign p_addend           = m_addend;
        end
    endgenerate

    // ---- add: align, then add or subtract the magnitudes ------------------------------------------------------
    logic              a_sign, addend_leads, lost;
    logic [9:0]        a_exponent; // of bit 62
    logic signed [9:0] distance;
    logic [9:0]        apart;
    logic [5:0]        right;
    logic [62:0]       a_sum;
    logic [63:0]       fixed, moved, shifted, sticky, total;

    always_comb begin
        if (p_valid) begin
            distance     = p_product_exponent - $signed({2'b0, p_addend_exponent});
            addend_leads = distance < 10'sd0;
            apart        = addend_leads ? -distance : distance;
            right        = apart > 10'd63 ? 6'd63
                : apart[5:0] & `RETRACE_FAULT(`RT_FAULT_SHORT_ALIGNMENT, 6'd31, 6'd63);
            fixed        = addend_leads ? {3'b0, p_addend, 37'b0} : {2'b0, p_product, 14'b0};
            moved        = addend_leads ? {2'b0, p_product, 14'b0} : {3'b0, p_addend, 37'b0};
            shifted      = moved >> right;
            lost         = (shifted << right) != moved;
            sticky       = shifted | {63'b0, `RETRACE_FAULT(`RT_FAULT_DROPPED_STICKY, 1'b0, lost)};
            a_exponent   = (addend_leads ? {2'b0, p_addend_exponent} : p_product_exponent) + 10'd2;
            if (p_product_sign == p_addend_sign) begin
                total  = fixed + sticky;
                a_sum  = total[62:0];
                a_sign = p_product_sign;
            end else begin
                total  = fixed - sticky;
                a_sum  = total[63] ? -total[62:0] : total[62:0];
                // x - x is +0 (IEEE 754, 6.3).
                a_sign = total != 64'd0 && ((addend_leads ? p_addend_sign : p_product_sign) ^ total[63]);
            end
        end else begin
            {a_sign, addend_leads, lost, a_exponent, distance, apart, right, a_sum} = 102'd0;
            {fixed, moved, shifted, sticky, total} = 320'd0;
        end
    end

    logic        s_valid, s_nan, s_infinite, s_sign;
    logic [9:0]  s_exponent;
    logic [62:0] s_sum;

    generate
        if (DEPTH >= 2) begin : g_cut_sum
            always_ff @(posedge clk_i) begin
                if (!rst_ni) begin
                    s_valid <= 1'b0;
                end else if (en_i) begin
                    s_valid <= p_valid;
                    if (p_valid) begin
                        s_nan      <= p_nan;
                        s_infinite <= p_infinite;
                        s_sign     <= a_sign;
                        s_exponent <= a_exponent;
                        s_sum      <= a_sum;
                    end
                end
            end
        end else begin : g_no_cut_sum
            assign s_valid    = p_valid;
            assign s_nan      = p_nan;
            assign s_infinite = p_infinite;
            assign s_sign     = a_sign;
            assign s_exponent = a_exponent;
            assign s_sum      = a_sum;
        end
    endgenerate

    // ---- round: normalise, round to nearest even, pack --------------------------------------------------------
    logic [62:0] stop, rest, normal;
    logic [5:0]  up;
    logic [8:0]  field;
    logic        increment;
    logic [31:0] rounded, magnitude, r_result;

    always_comb begin
        if (s_valid) begin
            // A one where the exponent would become the smallest ends the search for the leading one there.
            stop = {1'b1, 62'b0} >> (s_exponent - 10'd1);
            rest = s_sum | stop;
            up   = 6'd0;
            if (rest[62:31] == 32'd0) begin up[5] = 1'b1; rest = rest << 32; end
            if (rest[62:47] == 16'd0) begin up[4] = 1'b1; rest = rest << 16; end
            if (rest[62:55] == 8'd0)  begin up[3] = 1'b1; rest = rest << 8;  end
            if (rest[62:59] == 4'd0)  begin up[2] = 1'b1; rest = rest << 4;  end
            if (rest[62:61] == 2'd0)  begin up[1] = 1'b1; rest = rest << 2;  end
            if (!rest[62])            begin up[0] = 1'b1; end
            normal    = s_sum << up;
            // One less than the biased exponent: the leading one adds 1 to the exponent field.
            field     = normal[62] ? s_exponent[8:0] - {3'b0, up} - 9'd1 : 9'd0;
            increment = normal[38]
                && (normal[37:0] != 38'd0 || `RETRACE_FAULT(`RT_FAULT_ROUND_HALF_UP, 1'b1, normal[39]));
            rounded   = {field, 23'd0} + {8'd0, normal[62:39]} + {31'd0, increment};
            magnitude = `RETRACE_FAULT(`RT_FAULT_FLUSHED_SUBNORMAL, rounded < 32'h00800000 ? 32'd0 : rounded, rounded);
            if (s_nan)
                r_result = `RETRACE_FAULT(`RT_FAULT_NAN_PAYLOAD, CANONICAL_NAN | {s_sign, 31'd1}, CANONICAL_NAN);
            else if (s_infinite)
                r_result = {s_sign, INFINITY};
            else if (magnitude >= {1'b0, INFINITY})
                r_result = {s_sign, `RETRACE_FAULT(`RT_FAULT_OVERFLOW_SATURATES, 31'h7f7fffff, INFINITY)};
            else
                r_result = {s_sign & `RETRACE_FAULT(`RT_FAULT_LOST_ZERO_SIGN, magnitude != 32'd0, 1'b1),
                            magnitude[30:0]};
        end else begin
            {stop, rest, normal} = 189'd0;
            {up, field, increment, rounded, magnitude, r_result} = 112'd0;
        end
    end

    logic        end_valid;
    logic [31:0] end_result;

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            end_valid <= 1'b0;
        end else if (en_i) begin
            end_valid <= s_valid;
            if (s_valid)
                end_result <= r_result;
        end
    end

    generate
        if (DEPTH > 3) begin : g_behind
            delay_line #(.WIDTH(1), .STAGES(DEPTH - 3), .RESET(1)) u_valid (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en_i), .d_i(end_valid), .d_o(valid_o));
            delay_line #(.WIDTH(32), .STAGES(DEPTH - 3), .RESET(0)) u_result (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en_i), .d_i(end_result), .d_o(result_o));
        end else begin : g_end
            assign valid_o  = end_valid;
            assign result_o = end_result;
        end
    endgenerate
endmodule
