// STAGES registers in a row; none is a wire. Only flags need a reset: data is looked at where its flag says so.
module delay_line #(
    parameter integer WIDTH = 1,
    parameter integer STAGES = 1,
    parameter integer RESET = 0
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             en_i,
    input  logic [WIDTH-1:0] d_i,
    output logic [WIDTH-1:0] d_o
);
    generate
        if (STAGES == 0) begin : g_wire
            assign d_o = d_i;
        end else begin : g_registers
            logic [WIDTH*STAGES-1:0] line, next;
            if (STAGES == 1) begin : g_one
                assign next = d_i;
            end else begin : g_many
                assign next = {line[WIDTH*(STAGES-1)-1:0], d_i};
            end
            always_ff @(posedge clk_i) begin
                if (RESET != 0 && !rst_ni)
                    line <= {(WIDTH * STAGES){1'b0}};
                else if (en_i)
                    line <= next;
            end
            assign d_o = line[WIDTH*STAGES-1 -: WIDTH];
        end
    endgenerate
endmodule
