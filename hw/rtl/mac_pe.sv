// One processing element, weight stationary. Operands pass to the right, one PE per cycle; partial sums go down,
// DEPTH cycles in each PE; weights go down through the shadow registers, one PE per step of the column.
//
// Shadow register. A step moves into it what the load under way has brought to the register above, and only that:
// weights that wait further down for their swap stay. `weight_last_i` marks the whole load as complete, and a
// complete shadow is `full` until a swap takes it. A swap that meets a shadow which is not full, and a step that
// overwrites a full one, are errors; in the very cycle of its swap a shadow may be overwritten, both at one edge.
//
// Modes travel with the weights: bit 0, this weight is inside the tile; bit 1, int8. Beyond the tile the partial
// sum passes unchanged, as late as it would after a multiply-add.
`include "hw/rtl/faults.svh"

module mac_pe #(
    parameter integer DEPTH = 1
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    `RETRACE_FAULT_PORT
    input  logic        en_i,
    // operands, from the left and to the right
    input  logic        valid_i,
    input  logic        swap_i, // with the first operand of a stream: take shadow as active first
    input  logic [31:0] operand_i,
    output logic        valid_o,
    output logic        swap_o,
    output logic [31:0] operand_o,
    // weights: signals of the column, then from above and to below
    input  logic        weight_step_i,
    input  logic        weight_last_i,
    input  logic        weight_valid_i,
    input  logic [1:0]  weight_mode_i,
    input  logic [31:0] weight_i,
    output logic        weight_valid_o,
    output logic [1:0]  weight_mode_o,
    output logic [31:0] weight_o,
    // partial sums, from above and to below
    input  logic [31:0] sum_i,
    output logic [31:0] sum_o,
    // seen in this cycle
    output logic        swap_error_o,
    output logic        load_error_o
);
    // ---- weights ----------------------------------------------------------------------------------------------
    logic        swap, take, full;
    logic [1:0]  active_mode, mode;
    logic [31:0] active, weight;

    assign swap = valid_i && swap_i && `RETRACE_FAULT(`RT_FAULT_DEAF_TO_SWAP, !active_before, 1'b1);
    assign take = weight_step_i && weight_valid_i;
    assign swap_error_o = swap && !full;
    assign load_error_o = take && full && !swap;

    // The first operand already multiplies with the new weight.
    logic bypass;
    assign bypass = `RETRACE_FAULT(`RT_FAULT_LATE_SHADOW, 1'b0, swap);
    assign mode = bypass ? weight_mode_o : active_mode;
    assign weight = (bypass ? weight_o : active)
        & `RETRACE_FAULT(`RT_FAULT_STUCK_WEIGHT_BIT, 32'hfffeffff, 32'hffffffff);

`ifdef RETRACE_FAULTS
    logic active_before; // a swap has happened here
    always_ff @(posedge clk_i) begin
        if (!rst_ni)
            active_before <= 1'b0;
        else if (en_i && swap)
            active_before <= 1'b1;
    end
`endif

    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            full           <= 1'b0;
            weight_valid_o <= 1'b0;
        end else if (en_i) begin
            full           <= weight_last_i || (full && !swap);
            weight_valid_o <= (weight_valid_o || take) && !weight_last_i;
            if (take) begin
                weight_mode_o <= weight_mode_i;
                weight_o      <= weight_i;
            end
            if (swap) begin
                active_mode <= weight_mode_o;
                active      <= weight_o;
            end
        end
    end

    // ---- operands ---------------------------------------------------------------------------------------------
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            valid_o <= 1'b0;
            swap_o  <= 1'b0;
        end else if (en_i) begin
            valid_o <= valid_i;
            swap_o  <= swap_i;
            if (valid_i)
                operand_o <= operand_i;
        end
    end

    // ---- partial sums -----------------------------------------------------------------------------------------
    // Two ways down, equally long: through the multiply-add, or past it with an integer product or nothing added.
    logic        float_valid;
    logic [31:0] float_sum, past_sum, past_end;

    fma_f32 #(.DEPTH(DEPTH)) u_fma (
        .clk_i(clk_i), .rst_ni(rst_ni), `RETRACE_FAULT_CONNECT .en_i(en_i), .valid_i(valid_i && mode == 2'b01),
        .a_i(operand_i), .b_i(weight), .c_i(sum_i), .valid_o(float_valid), .result_o(float_sum));

    // int8: the low bytes are the operands.
    logic               integer_sign;
    logic signed [15:0] integer_product;
    assign integer_sign    = operand_i[7] && `RETRACE_FAULT(`RT_FAULT_UNSIGNED_INT8, 1'b0, 1'b1);
    assign integer_product = $signed({{8{integer_sign}}, operand_i[7:0]}) * $signed({{8{weight[7]}}, weight[7:0]});

    always_ff @(posedge clk_i) begin
        if (en_i && valid_i && mode != 2'b01)
            past_sum <= mode[0] ? sum_i + {{16{integer_product[15]}}, integer_product} : sum_i;
    end

    delay_line #(.WIDTH(32), .STAGES(DEPTH - 1), .RESET(0)) u_past (
        .clk_i(clk_i), .rst_ni(rst_ni), .en_i(en_i), .d_i(past_sum), .d_o(past_end));

    assign sum_o = float_valid ? float_sum : past_end;
endmodule
