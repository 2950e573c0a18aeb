// Runs vectors of make_rtl_vectors on fma_f32 (+fma=FILE) and psum_adder (+adder=FILE), one operation at a time.
module unit_bench;
    parameter integer DEPTH = 1;

    logic clk, rst_n, fma_go, fma_valid, adder_go, adder_valid, accumulate, whole;
    logic [31:0] a, b, c, result, sum, psum, stored, expected;

    fma_f32 #(.DEPTH(DEPTH)) u_fma (
        .clk_i(clk), .rst_ni(rst_n), .en_i(1'b1), .valid_i(fma_go), .a_i(a), .b_i(b), .c_i(c), .valid_o(fma_valid),
        .result_o(result));
    psum_adder #(.COLUMNS(1), .DEPTH(DEPTH)) u_adder (
        .clk_i(clk), .rst_ni(rst_n), .en_i(1'b1), .valid_i(adder_go), .accumulate_i(accumulate), .integer_i(whole),
        .sum_i(sum), .psum_i(psum), .valid_o(adder_valid), .psum_o(stored));

    integer file, fields, compared, wrong, i;
    reg [8*1024-1:0] name;

    task edge_of_clock;
        begin
            #1 clk = 1'b1;
            #1 clk = 1'b0;
        end
    endtask

    initial begin
        clk = 1'b0;
        fma_go = 1'b0;
        adder_go = 1'b0;
        rst_n = 1'b0;
        edge_of_clock;
        edge_of_clock;
        rst_n = 1'b1;
        compared = 0;
        wrong = 0;
        if ($value$plusargs("fma=%s", name)) begin
            file = $fopen(name, "r");
            fields = 4;
            while (fields == 4) begin
                fields = $fscanf(file, "%h %h %h %h\n", a, b, c, expected);
                if (fields == 4) begin
                    fma_go = 1'b1;
                    edge_of_clock;
                    fma_go = 1'b0;
                    for (i = 1; i < DEPTH; i = i + 1)
                        edge_of_clock;
                    compared = compared + 1;
                    if (fma_valid !== 1'b1 || result !== expected) begin
                        wrong = wrong + 1;
                        if (wrong < 10)
                            $display("fma %h %h %h is %h instead of %h", a, b, c, result, expected);
                    end
                end
            end
        end
        if ($value$plusargs("adder=%s", name)) begin
            file = $fopen(name, "r");
            fields = 5;
            while (fields == 5) begin
                fields = $fscanf(file, "%b %b %h %h %h\n", accumulate, whole, sum, psum, expected);
                if (fields == 5) begin
                    adder_go = 1'b1;
                    edge_of_clock;
                    adder_go = 1'b0;
                    for (i = 1; i < DEPTH; i = i + 1)
                        edge_of_clock;
                    compared = compared + 1;
                    if (adder_valid !== 1'b1 || stored !== expected) begin
                        wrong = wrong + 1;
                        if (wrong < 10)
                            $display("adder %b %b %h %h stores %h instead of %h", accumulate, whole, sum, psum, stored,
                                     expected);
                    end
                end
            end
        end
        if (wrong == 0 && compared > 100)
            $display("PASS: %0d operations", compared);
        else
            $display("FAIL: %0d of %0d operations are wrong", wrong, compared);
        $finish;
    end
endmodule
