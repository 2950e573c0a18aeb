// The MAC array: ROWS x COLUMNS processing elements with everything around them that keeps rows and columns in
// step. tlm/core/array/array_interface.h is the contract, in cycles and bits.
//
// Operands: one row of a tile's operands in a cycle, as codes of operand_format_i, 32 bits each, element k at
// bits [32k +: 32]. They are widened here, and element k waits DEPTH*k cycles before it enters PE (k, 0), because
// the partial sum that it meets needs DEPTH cycles in every PE above.
//
// Weights: one row in a cycle with weight_step_i, the tile's last row first, always ROWS of them; weight_mask_i
// says which columns of the row are inside the tile (rows beyond it: none). weight_last_i ends the load; a
// controller raises it in the load's last cycle (with the last row, or later when a row takes several cycles).
// Column c gets all this c cycles later.
//
// Sums: column c's sum is in sum_o with sum_valid_o[c] high, from the end of the cycle that the contract names
// until the end of the next.
//
// stall_i freezes every register but those of the reset. Errors stay until reset; they are registered and belong
// to the cycle that has just ended.
`include "hw/rtl/faults.svh"

module mac_array #(
    parameter integer ROWS = 8,
    parameter integer COLUMNS = 8,
    parameter integer DEPTH = 1
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    `RETRACE_FAULT_PORT
    input  logic                  stall_i,
    input  logic                  operand_valid_i,
    input  logic                  operand_swap_i,
    input  logic [2:0]            operand_format_i,
    input  logic [32*ROWS-1:0]    operand_i,
    input  logic                  weight_step_i,
    input  logic                  weight_last_i,
    input  logic [2:0]            weight_format_i,
    input  logic [COLUMNS-1:0]    weight_mask_i,
    input  logic [32*COLUMNS-1:0] weight_i,
    output logic [COLUMNS-1:0]    sum_valid_o,
    output logic [32*COLUMNS-1:0] sum_o,
    output logic                  swap_error_o,
    output logic                  load_error_o,
    // what this array was made for, so that a mismatch with a model's configuration does not go unnoticed
    output logic [15:0]           rows_o,
    output logic [15:0]           columns_o,
    output logic [15:0]           depth_o
);
    `include "hw/spec/spec.svh"

    assign rows_o    = ROWS[15:0];
    assign columns_o = COLUMNS[15:0];
    assign depth_o   = DEPTH[15:0];

    logic en;
    assign en = !stall_i;

    genvar r, c;

    // ---- weights: widened, then skewed by one cycle per column ------------------------------------------------
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_weight
            logic        step, last;
            logic [1:0]  mode_in, mode;
            logic [31:0] word_in, word_skewed, word;

            operand_widen u_widen (
                `RETRACE_FAULT_CONNECT .format_i(weight_format_i), .code_i(weight_i[32*c +: 32]), .word_o(word_in));
            assign mode_in = {weight_mask_i[c] && weight_format_i == RT_NUMBER_FORMAT_INT8[2:0],
                              `RETRACE_FAULT(`RT_FAULT_LOST_ROW_MASK, 1'b1, weight_mask_i[c])};

            delay_line #(.WIDTH(2), .STAGES(c), .RESET(1)) u_signals (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i({weight_step_i, weight_last_i}), .d_o({step, last}));
            delay_line #(.WIDTH(2), .STAGES(c), .RESET(0)) u_mode (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i(mode_in), .d_o(mode));
            delay_line #(.WIDTH(32), .STAGES(c), .RESET(0)) u_word (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i(word_in), .d_o(word_skewed));
`ifdef RETRACE_FAULTS
            logic [31:0] word_late;
            delay_line #(.WIDTH(32), .STAGES(1), .RESET(0)) u_late (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i(word_skewed), .d_o(word_late));
            assign word = fault_i == `RT_FAULT_LATE_WEIGHT_COLUMN && c == COLUMNS - 1 ? word_late : word_skewed;
`else
            assign word = word_skewed;
`endif
        end
    endgenerate

    // ---- operands: widened, then skewed by DEPTH cycles per row -----------------------------------------------
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_operand
            logic        valid, swap, go;
            logic [31:0] word_in, word_skewed, word;

            operand_widen u_widen (
                `RETRACE_FAULT_CONNECT .format_i(operand_format_i), .code_i(operand_i[32*r +: 32]), .word_o(word_in));
            delay_line #(.WIDTH(2), .STAGES(DEPTH * r), .RESET(1)) u_signals (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i({operand_valid_i, operand_swap_i}),
                .d_o({valid, swap}));
            delay_line #(.WIDTH(32), .STAGES(DEPTH * r), .RESET(0)) u_word (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(go), .d_i(word_in), .d_o(word_skewed));
            assign go   = en || `RETRACE_FAULT(`RT_FAULT_LEAKY_STALL, r == 1, 1'b0);
            assign word = `RETRACE_FAULT(`RT_FAULT_SWAPPED_SKEW,
                                         g_operand[r == 1 && ROWS > 2 ? 2 : r == 2 ? 1 : r].word_skewed, word_skewed);
        end
    endgenerate

    // ---- processing elements ----------------------------------------------------------------------------------
    logic [ROWS-1:0] row_swap_error, row_load_error;

    generate
        for (r = 0; r < ROWS; r = r + 1) begin : g_row
            logic [COLUMNS-1:0] swap_error, load_error;

            for (c = 0; c < COLUMNS; c = c + 1) begin : g_column
                logic        valid_in, swap_in, valid_out, swap_out;
                logic [31:0] operand_in, operand_out;
                logic        weight_valid_in, weight_valid_out;
                logic [1:0]  mode_in, mode_out;
                logic [31:0] weight_in, weight_out, sum_in, sum_out;

                if (c == 0) begin : g_left
                    assign valid_in   = g_operand[r].valid;
                    assign swap_in    = g_operand[r].swap;
                    assign operand_in = g_operand[r].word;
                end else begin : g_inner
                    assign valid_in   = g_row[r].g_column[c-1].valid_out;
                    assign swap_in    = g_row[r].g_column[c-1].swap_out;
                    assign operand_in = g_row[r].g_column[c-1].operand_out;
                end
                if (r == 0) begin : g_top
                    assign weight_valid_in = 1'b1;
                    assign mode_in         = g_weight[c].mode;
                    assign weight_in       = g_weight[c].word;
                    assign sum_in          = 32'd0;
                end else begin : g_below
                    assign weight_valid_in = g_row[r-1].g_column[c].weight_valid_out;
                    assign mode_in         = g_row[r-1].g_column[c].mode_out;
                    assign weight_in       = g_row[r-1].g_column[c].weight_out;
                    assign sum_in          = g_row[r-1].g_column[c].sum_out;
                end

`ifdef RETRACE_FAULTS
                // Faults of one PE alone.
                logic [5:0] pe_fault;
                assign pe_fault = (fault_i == `RT_FAULT_STUCK_WEIGHT_BIT && !(r == 1 && c == 1))
                        || (fault_i == `RT_FAULT_DEAF_TO_SWAP && !(r == 0 && c == 2))
                    ? `RT_FAULT_NONE : fault_i;
`endif

                mac_pe #(.DEPTH(DEPTH)) u_pe (
                    .clk_i(clk_i), .rst_ni(rst_ni), `RETRACE_FAULT_CONNECT_TO(pe_fault) .en_i(en),
                    .valid_i(valid_in), .swap_i(swap_in), .operand_i(operand_in),
                    .valid_o(valid_out), .swap_o(swap_out), .operand_o(operand_out),
                    .weight_step_i(g_weight[c].step), .weight_last_i(g_weight[c].last),
                    .weight_valid_i(weight_valid_in), .weight_mode_i(mode_in), .weight_i(weight_in),
                    .weight_valid_o(weight_valid_out), .weight_mode_o(mode_out), .weight_o(weight_out),
                    .sum_i(sum_in), .sum_o(sum_out),
                    .swap_error_o(swap_error[c]), .load_error_o(load_error[c]));
            end

            assign row_swap_error[r] = |swap_error;
            assign row_load_error[r] = |load_error;
        end
    endgenerate

    // ---- sums -------------------------------------------------------------------------------------------------
    // The bottom PEs' last registers are the array's output; a sum is valid DEPTH cycles after its operand was.
    generate
        for (c = 0; c < COLUMNS; c = c + 1) begin : g_sum
            logic valid;
            delay_line #(.WIDTH(1), .STAGES(DEPTH), .RESET(1)) u_valid (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i(g_row[ROWS-1].g_column[c].valid_in),
                .d_o(valid));
`ifdef RETRACE_FAULTS
            logic valid_late;
            delay_line #(.WIDTH(1), .STAGES(1), .RESET(1)) u_late (
                .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en), .d_i(valid), .d_o(valid_late));
            assign sum_valid_o[c] = fault_i == `RT_FAULT_LATE_DRAIN && c == COLUMNS - 1 ? valid_late : valid;
`else
            assign sum_valid_o[c] = valid;
`endif
            assign sum_o[32*c +: 32] = g_row[ROWS-1].g_column[c].sum_out;
        end
    endgenerate

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            swap_error_o <= 1'b0;
            load_error_o <= 1'b0;
        end else if (en) begin
            swap_error_o <= swap_error_o || row_swap_error != {ROWS{1'b0}};
            load_error_o <= load_error_o || row_load_error != {ROWS{1'b0}};
        end
    end
endmodule
