// An operand as it lies in memory, right-aligned in 32 bits, becomes the word that the PEs work on: binary32 for
// the float formats (exact; a NaN becomes the canonical one, except in fp32, where the first multiply-add sees
// to that), sign-extended for int8. Bits above the format's width are ignored.
`include "hw/rtl/faults.svh"

module operand_widen (
    `RETRACE_FAULT_PORT
    input  logic [2:0]  format_i,
    input  logic [31:0] code_i,
    output logic [31:0] word_o
);
    `include "hw/spec/spec.svh"

    localparam [31:0] CANONICAL_NAN = 32'h7fc00000;

    // fp8 magnitudes without their sign. A subnormal's leading one becomes the implicit one: the fraction moves
    // up and the exponent counts down from that of the smallest normal number. (Each is assigned once on every
    // path; fma_f32.sv says why.)
    logic [30:0] e4m3, e5m2;

    always_comb begin : widen_e4m3
        if (code_i[6:0] == 7'h7f) // the only NaN; there is no infinity
            e4m3 = CANONICAL_NAN[30:0];
        else if (`RETRACE_FAULT(`RT_FAULT_E4M3_INFINITY, code_i[6:0] == 7'h78, 1'b0))
            e4m3 = 31'h7f800000;
        else if (code_i[6:3] != 4'd0)
            e4m3 = {8'd120 + {4'b0, code_i[6:3]}, code_i[2:0], 20'b0};
        else if (code_i[2])
            e4m3 = {8'd120, code_i[1:0], 21'b0};
        else if (code_i[1])
            e4m3 = {8'd119, code_i[0], 22'b0};
        else
            e4m3 = {code_i[0] ? 8'd118 : 8'd0, 23'b0};
    end

    always_comb begin : widen_e5m2
        if (code_i[6:2] == 5'h1f) // infinity, or NaN
            e5m2 = {8'hff, code_i[1:0] != 2'd0, 22'b0};
        else if (code_i[6:2] != 5'd0)
            e5m2 = {8'd112 + {3'b0, code_i[6:2]}, code_i[1:0], 21'b0};
        else if (code_i[1])
            e5m2 = {8'd112, code_i[0], 22'b0};
        else
            e5m2 = {code_i[0] ? 8'd111 : 8'd0, 23'b0};
    end

    logic [31:0] bf16;

    always_comb begin : widen_bf16
        if (code_i[14:0] > 15'h7f80)
            bf16 = CANONICAL_NAN;
        else if (`RETRACE_FAULT(`RT_FAULT_BF16_SUBNORMAL, code_i[14:7] == 8'd0, 1'b0))
            bf16 = {code_i[15], 31'b0};
        else
            bf16 = {code_i[15:0], 16'b0};
    end

    always_comb begin : select
        case (format_i)
            RT_NUMBER_FORMAT_FP32[2:0]:     word_o = code_i;
            RT_NUMBER_FORMAT_BF16[2:0]:     word_o = bf16;
            RT_NUMBER_FORMAT_FP8_E4M3[2:0]: word_o = {code_i[7] && code_i[6:0] != 7'h7f, e4m3};
            RT_NUMBER_FORMAT_FP8_E5M2[2:0]: word_o = {code_i[7] && code_i[6:0] <= 7'h7c, e5m2};
            default:                        word_o = {{24{code_i[7]}}, code_i[7:0]};
        endcase
    end
endmodule
