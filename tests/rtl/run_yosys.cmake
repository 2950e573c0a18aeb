# Synthesises a module as far as yosys needs to find latches and combinational loops:
#   cmake -D YOSYS=yosys -D TOP=mac_array -D "PARAMETERS=ROWS 4;COLUMNS 4;DEPTH 1" -D ROOT=project
#         -D GENERATED=folder of hw/spec/spec.svh -P run_yosys.cmake
foreach(parameter IN LISTS PARAMETERS)
  string(APPEND set_parameters " -set ${parameter}")
endforeach()
file(GLOB sources ${ROOT}/hw/rtl/*.sv)
list(JOIN sources " " sources)
# check: undriven and multiply driven nets, and loops through logic; scc: the loops again, by another algorithm.
set(script "read_verilog -sv -I${ROOT} -I${GENERATED} ${sources}; chparam${set_parameters} ${TOP}; hierarchy -check -top ${TOP};
 proc; flatten; opt; check -assert; scc -expect 0; select -assert-none t:$dlatch t:$dlatchsr t:$adlatch t:$sr; stat")
string(REPLACE "\n" "" script "${script}")
execute_process(COMMAND ${YOSYS} -p "${script}" RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
# Registers and the multiply-add's subtractors are there: nothing was optimised away.
if(failed OR output MATCHES "Latch inferred" OR NOT output MATCHES "dff" OR NOT output MATCHES "sub ")
  message(FATAL_ERROR "${output}")
endif()
string(REGEX MATCH "Number of cells.*" cells "${output}")
message("${TOP}: no latch, no combinational loop\n${cells}")
