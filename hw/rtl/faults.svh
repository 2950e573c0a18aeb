// Seeded faults, for the regression that checks the checkers. They exist only where RETRACE_FAULTS is defined;
// without it the macros leave nothing behind. Numbers and names: hw/verilated/rtl_faults.h; a test holds the two
// tables together.
`ifndef RETRACE_FAULTS_SVH
`define RETRACE_FAULTS_SVH

`ifdef RETRACE_FAULTS
`define RETRACE_FAULT_PORT input logic [5:0] fault_i,
`define RETRACE_FAULT_CONNECT .fault_i(fault_i),
`define RETRACE_FAULT_CONNECT_TO(signal) .fault_i(signal),
`define RETRACE_FAULT(number, wrong, right) ((fault_i == (number)) ? (wrong) : (right))
`else
`define RETRACE_FAULT_PORT
`define RETRACE_FAULT_CONNECT
`define RETRACE_FAULT_CONNECT_TO(signal)
`define RETRACE_FAULT(number, wrong, right) (right)
`endif

`define RT_FAULT_NONE 6'd0
`define RT_FAULT_DROPPED_STICKY 6'd1
`define RT_FAULT_ROUND_HALF_UP 6'd2
`define RT_FAULT_FLUSHED_SUBNORMAL 6'd3
`define RT_FAULT_NAN_PAYLOAD 6'd4
`define RT_FAULT_LOST_ZERO_SIGN 6'd5
`define RT_FAULT_OVERFLOW_SATURATES 6'd6
`define RT_FAULT_INFINITY_TIMES_ZERO 6'd7
`define RT_FAULT_SHORT_ALIGNMENT 6'd8
`define RT_FAULT_SUBNORMAL_EXPONENT 6'd9
`define RT_FAULT_SWAPPED_SKEW 6'd10
`define RT_FAULT_STUCK_WEIGHT_BIT 6'd11
`define RT_FAULT_LOST_ROW_MASK 6'd12
`define RT_FAULT_LATE_SHADOW 6'd13
`define RT_FAULT_LATE_DRAIN 6'd14
`define RT_FAULT_LEAKY_STALL 6'd15
`define RT_FAULT_UNSIGNED_INT8 6'd16
`define RT_FAULT_ADDER_OVERWRITES 6'd17
`define RT_FAULT_ADDER_LOST_CARRY 6'd18
`define RT_FAULT_BF16_SUBNORMAL 6'd19
`define RT_FAULT_E4M3_INFINITY 6'd20
`define RT_FAULT_LATE_WEIGHT_COLUMN 6'd21
`define RT_FAULT_DEAF_TO_SWAP 6'd22

`endif
