#pragma once
// A GTKWave save file beside a file of waves: the signals in groups, with their translate filters, and markers. `gtkwave FILE.gtkw` opens
// both. Filters are text files in a folder of their own.
#include <span>
#include <string>
#include <vector>

#include "waves/wave_file.h"

namespace retrace {

struct wave_marker {
    std::uint64_t cycle = 0;
    std::string name;
};

/// Writes `waves`.gtkw and the folder `waves`.filters for the signals of the file, in its order; at most 26 markers, the first is the primary one.
/// Throws wave_error. Returns the save file's path.
std::string write_save_file(const std::string& waves, std::span<const trace::probe> signals, wave_time time, std::span<const wave_marker> markers);

} // namespace retrace
