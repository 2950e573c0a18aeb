// Verilator's runtime, as much of it as hw/verilated's options need, in one unit.
#include <verilated.cpp>
#include <verilated_dpi.cpp>
#include <verilated_threads.cpp>
