// Runs vectors of make_rtl_vectors on mac_array: a line per cycle with inputs and what must stand at the outputs
// after the edge. First field: 1 the array stalls (outputs are not looked at), 2 it is reset.
module array_bench;
    parameter integer ROWS = 8;
    parameter integer COLUMNS = 8;
    parameter integer DEPTH = 1;

    logic clk, rst_n, stall, operand_valid, operand_swap, step, last, swap_error, load_error;
    logic [2:0] operand_format, weight_format;
    logic [32*ROWS-1:0] operands;
    logic [32*COLUMNS-1:0] weights, sums, expected;
    logic [COLUMNS-1:0] mask, valid, expected_valid;
    logic [15:0] rows, columns, depth;

    mac_array #(.ROWS(ROWS), .COLUMNS(COLUMNS), .DEPTH(DEPTH)) u_array (
        .clk_i(clk), .rst_ni(rst_n), .stall_i(stall), .operand_valid_i(operand_valid), .operand_swap_i(operand_swap),
        .operand_format_i(operand_format), .operand_i(operands), .weight_step_i(step), .weight_last_i(last),
        .weight_format_i(weight_format), .weight_mask_i(mask), .weight_i(weights), .sum_valid_o(valid),
        .sum_o(sums), .swap_error_o(swap_error), .load_error_o(load_error), .rows_o(rows), .columns_o(columns),
        .depth_o(depth));

    integer file, fields, kind, line, compared, wrong, c;
    reg [8*1024-1:0] name;

    task edge_of_clock;
        begin
            #1 clk = 1'b1;
            #1 clk = 1'b0;
        end
    endtask

    task reset;
        begin
            rst_n = 1'b0;
            edge_of_clock;
            edge_of_clock;
            rst_n = 1'b1;
        end
    endtask

    initial begin
        clk = 1'b0;
        stall = 1'b0;
        line = 0;
        compared = 0;
        wrong = 0;
        if (!$value$plusargs("vectors=%s", name)) begin
            $display("FAIL: +vectors=FILE is missing");
            $finish;
        end
        file = $fopen(name, "r");
        reset;
        fields = 12;
        while (fields == 12) begin
            fields = $fscanf(file, "%d %b %b %h %h %b %b %h %h %h %h %h\n", kind, operand_valid, operand_swap,
                             operand_format, operands, step, last, weight_format, mask, weights, expected_valid, expected);
            if (fields == 12) begin
                line = line + 1;
                if (kind == 2) begin
                    reset;
                end else begin
                    stall = kind == 1;
                    edge_of_clock;
                end
                if (kind == 0) begin
                    if (valid !== expected_valid) begin
                        wrong = wrong + 1;
                        $display("line %0d: valid %b instead of %b", line, valid, expected_valid);
                    end
                    for (c = 0; c < COLUMNS; c = c + 1) begin
                        if (expected_valid[c]) begin
                            compared = compared + 1;
                            if (sums[32*c +: 32] !== expected[32*c +: 32]) begin
                                wrong = wrong + 1;
                                $display("line %0d: column %0d is %h instead of %h", line, c, sums[32*c +: 32],
                                         expected[32*c +: 32]);
                            end
                        end
                    end
                end
                if (swap_error !== 1'b0 || load_error !== 1'b0) begin
                    wrong = wrong + 1;
                    $display("line %0d: the array reports an error", line);
                end
                if (wrong > 10)
                    fields = 0;
            end
        end
        if (rows != ROWS || columns != COLUMNS || depth != DEPTH)
            wrong = wrong + 1;
        if (wrong == 0 && compared > 100)
            $display("PASS: %0d cycles, %0d sums", line, compared);
        else
            $display("FAIL: %0d errors in %0d cycles, %0d sums compared", wrong, line, compared);
        $finish;
    end
endmodule
