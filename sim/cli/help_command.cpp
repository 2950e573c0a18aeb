#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/config/load.h"
#include "sim/log/sqlite_log.h"

namespace retrace::cli {

namespace {

constexpr const char* overview = R"(retrace: a neural-network training processor, simulated with real gradients and real cycles

A first look
  retrace train examples/digits/recompute.yaml        train a network; results in out/digits-recompute
  retrace plan examples/digits/recompute.yaml         what that run will do, need and cost
  retrace prove out/digits-recompute                  prove from its log that the run kept to its schedule
  retrace inspect out/digits-recompute                what can be asked of its event log
  retrace gemm --m 512 --k 512 --n 512                one matrix product: cycles, utilisation, stalls
  retrace core program.elf                            any RV32IM program on the control core
  retrace gemm --m 64 --k 64 --n 64 --preset tiny --array lockstep   all arrays side by side, the RTL too
  retrace fma                                         the multiply-add of all arrays against an oracle
  retrace cosim --seed 1 --count 40                   random programs on the whole device, against a reference

Change something
  retrace train CONFIG --set npu.preset=tiny          any key of the configuration, as often as wanted
  retrace help config                                 every key, what it accepts, its default
  retrace help log                                    tables of the event log (out/NAME/events.sqlite)
  retrace help exit                                   exit codes
  retrace COMMAND --help                              options of a command
)";

constexpr const char* exit_codes = R"(Exit codes: whose fault is it?
  0  everything went well
  1  the program under test (driver, firmware, engine program), or something the model does not implement
  2  the configuration or the command line; nothing was created
  3  nothing moves any more; the report says who waits for whom
  4  the model itself: two parts of it disagree, or a number that must be right is not
  5  the build failed (./retrace only)
  130, 143  stopped by Ctrl-C or SIGTERM; what the run folder holds is whole and readable
)";

} // namespace

int help(const std::string& topic) {
    if (topic.empty())
        fmt::print("{}", overview);
    else if (topic == "config")
        fmt::print("{}", describe_schema());
    else if (topic == "log")
        fmt::print("{}", log_schema());
    else if (topic == "exit")
        fmt::print("{}", exit_codes);
    else {
        fmt::print(stderr, "retrace help: no topic '{}'; there are config, log and exit\n", topic);
        return usage_fault;
    }
    return success;
}

} // namespace retrace::cli
