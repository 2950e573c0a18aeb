# Verilates a module into a library that is there already, for speed of building: verilate() would compile some
# twenty small files per module, nearly all of whose time goes into the same headers. Here they become two, what
# runs in every cycle and what runs once.
#
# -fno-const-bit-op-tree: 5.006 miscompiles ordinary XOR logic without it (upstream issue 5186).
# x-assign, x-initial fast: 0 instead of random values; the RTL assigns no x, and a register that has no reset is
# looked at only after it was written (the same vectors on Icarus, where it would be x, show that).
set(RETRACE_RTL ${PROJECT_SOURCE_DIR}/hw/rtl)
set(RETRACE_VERILATOR_OPTIONS -fno-const-bit-op-tree --x-assign fast --x-initial fast --no-timing -Wall
    -I${PROJECT_SOURCE_DIR} -I${RETRACE_GENERATED} -y ${RETRACE_RTL} ${RETRACE_RTL}/lint.vlt)

# retrace_verilate(LIBRARY PREFIX TOP [OPTION...]); the generated class is called PREFIX. Verilator's own sources are
# compiled once, in retrace_verilator_runtime, which the library is linked with.
function(retrace_verilate library prefix top)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${prefix})
  verilate(${library} PREFIX ${prefix} TOP_MODULE ${top} SOURCES ${RETRACE_RTL}/${top}.sv DIRECTORY ${folder}
    VERILATOR_ARGS ${RETRACE_VERILATOR_OPTIONS} ${ARGN})
  include(${folder}/${prefix}_copy.cmake)
  # -O2 takes twice the time of -O1 to build and runs no faster; what runs once is not worth optimising.
  foreach(part FAST SLOW)
    set(includes "")
    foreach(source IN LISTS ${prefix}_CLASSES_${part} ${prefix}_SUPPORT_${part})
      string(APPEND includes "#include \"${source}\"\n")
      set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
    endforeach()
    string(TOLOWER ${part} part)
    file(CONFIGURE OUTPUT ${folder}_${part}.cpp CONTENT "${includes}")
    target_sources(${library} PRIVATE ${folder}_${part}.cpp)
  endforeach()
  set_source_files_properties(${folder}_fast.cpp PROPERTIES COMPILE_OPTIONS -O1)
  set_source_files_properties(${folder}_slow.cpp PROPERTIES COMPILE_OPTIONS -O0)
  set_source_files_properties(${${prefix}_GLOBAL} PROPERTIES HEADER_FILE_ONLY ON)
  target_link_libraries(${library} PUBLIC retrace_verilator_runtime)
endfunction()
