# Compiler settings and imported packages that every part of the project shares.
include_guard(GLOBAL)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

# Contraction would turn a*b+c into a fused operation where the numeric contract says two roundings.
add_compile_options(-Wall -Wextra -ffp-contract=off -fno-math-errno)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)

set(RETRACE_SANITIZE "" CACHE STRING "Sanitizers for the whole build, for example address,undefined")
if(RETRACE_SANITIZE)
  add_compile_options(-fsanitize=${RETRACE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RETRACE_SANITIZE})
endif()

find_program(RETRACE_CCACHE NAMES ccache)
if(RETRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${RETRACE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RETRACE_CCACHE})
endif()

include_directories(${PROJECT_SOURCE_DIR})

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(SYSTEMC REQUIRED IMPORTED_TARGET systemc)

# libsystemc is built for C++17 and checks the language version at link time: tell its headers so (toolchain fact).
add_library(retrace_systemc INTERFACE)
target_link_libraries(retrace_systemc INTERFACE PkgConfig::SYSTEMC)
target_compile_definitions(retrace_systemc INTERFACE SC_CPLUSPLUS=201703L SC_INCLUDE_DYNAMIC_PROCESSES)
target_compile_options(retrace_systemc INTERFACE -Wno-unused-parameter)

# The generator needs a Python that has yaml; `python3` on PATH may be another interpreter without it.
find_program(RETRACE_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT RETRACE_PYTHON)
  find_program(RETRACE_PYTHON NAMES python3 REQUIRED)
endif()
