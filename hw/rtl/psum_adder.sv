// The adders in front of PSUM, one per column: a column sum is stored as it is (overwrite) or added to what the
// bank holds (accumulate), with one binary32 add or in int32. The float add is the multiply-add with a factor 1,
// which is exact, so there is one rounding. No state besides the pipeline: DEPTH cycles from input to output.
`include "hw/rtl/faults.svh"

module psum_adder #(
    parameter integer COLUMNS = 8,
    parameter integer DEPTH = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    `RETRACE_FAULT_PORT
    input  logic                  en_i,
    input  logic [COLUMNS-1:0]    valid_i,
    input  logic                  accumulate_i,
    input  logic                  integer_i,
    input  logic [32*COLUMNS-1:0] sum_i,
    input  logic [32*COLUMNS-1:0] psum_i,
    output logic [COLUMNS-1:0]    valid_o,
    output logic [32*COLUMNS-1:0] psum_o
);
    localparam [31:0] ONE = 32'h3f800000;

    genvar c;

    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
            logic        float_valid;
            logic [31:0] sum, psum, integer_sum, float_sum, past_sum, past_end;

            assign sum  = sum_i[32*c +: 32];
            assign psum = psum_i[32*c +: 32];
            assign integer_sum = `RETRACE_FAULT(`RT_FAULT_ADDER_LOST_CARRY,
                                                ({sum[31:16] + psum[31:16], sum[15:0] + psum[15:0]}), sum + psum);

            fma_f32 #(.DEPTH(DEPTH)) u_fma (
                .clk_i(clk_i), .rst_ni(rst_ni), `RETRACE_FAULT_CONNECT .en_i(en_i),
                .valid_i(valid_i[c] && accumulate_i && !integer_i
                         && `RETRACE_FAULT(`RT_FAULT_ADDER_OVERWRITES, 1'b0, 1'b1)),
                .a_i(sum), .b_i(ONE), .c_i(psum), .valid_o(float_valid), .result_o(float_sum));

            always_ff @(posedge clk_i) begin
                if (en_i && valid_i[c])
                    past_sum <= accumulate_i && integer_i ? integer_sum : sum;
            end
            delay_line #(.WIDTH(32), .STAGES(DEPTH - 1), .RESET(0)) u_past (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en_i), .d_i(past_sum), .d_o(past_end));
            delay_line #(.WIDTH(1), .STAGES(DEPTH), .RESET(1)) u_valid (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en_i), .d_i(valid_i[c]), .d_o(valid_o[c]));

            assign psum_o[32*c +: 32] = float_valid ? float_sum : past_end;
        end
    endgenerate
endmodule
