#include "waves/wave_file.h"

namespace retrace {

bool fst_available() { return false; }

std::unique_ptr<wave_file> make_fst(const std::string&, std::span<const trace::probe>, wave_time, std::uint64_t) {
    throw wave_error("this build cannot write FST: it was made without Verilator, which brings the writer; write a .vcd, or install Verilator "
                     "(Debian: apt-get install verilator) and build again");
}

} // namespace retrace
