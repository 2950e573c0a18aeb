#pragma once
// GTKWave save files beside a file of waves: the signals in groups, with their translate filters, and markers. `gtkwave FILE.gtkw`
// opens both.
//
//   FILE.gtkw                  everything
//   FILE.blocks/npu0.dma0.gtkw one block (the first two parts of a signal's name); not there if there is but one
//   FILE.filters/              tables and a script, for GTKWave; all value filters, so that a reader may choose another
//
// They find each other when the three and FILE are moved together.
#include <span>
#include <string>
#include <vector>

#include "waves/wave_file.h"

namespace retrace {

struct wave_marker {
    std::uint64_t cycle = 0;
    std::string name;
};

/// How a reader finds the signals.
struct wave_view {
    bool integer_words = false; ///< probes with the values "word" hold int8 and int32, not binary32
    std::string unfolded;       ///< scopes inside a block that are of interest, a pattern: "npu0.array.pe_*_4"; of many, the others are folded
    std::uint64_t last = ~std::uint64_t{0}; ///< cycle of the file, if known: GTKWave begins elsewhere when a view would reach beyond it
};

/// Writes the save files and the filters for `signals`, in the order of the file; at most 26 markers, the first is the primary one
/// and the view begins before it. Throws wave_error. Returns the path of FILE.gtkw.
std::string write_save_file(const std::string& waves, std::span<const trace::probe> signals, wave_time time,
                            std::span<const wave_marker> markers, const wave_view& view = {});

} // namespace retrace
