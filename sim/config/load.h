#pragma once
// The one way into a run_config: a YAML file, single values on top of it from the command line (`--set`), and
// every check that needs no other file than the data's existence. All faults are config_error, with file:line
// or --set key.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/config_error.h"
#include "sim/config/presets.h"
#include "sim/config/reader.h"
#include "sim/config/run_config.h"

namespace retrace {

struct loaded_config {
    run_config config;
    config_places places; ///< for later messages: places.of("training.batch")
};

/// Reads and checks a file; also that the data file exists. Overrides: "a.b.c=value" each; a value of `null`
/// removes a key of the file. Keys of lists are indices as written in the file (network.layers.0.repeat).
loaded_config load_config(const std::string& path, const std::vector<std::string>& overrides = {});

/// The same from text, without touching any file; `name` stands for the file, and its folder is what paths
/// relate to.
loaded_config parse_config(std::string_view text, const std::string& name,
                           const std::vector<std::string>& overrides = {});

/// A processor alone: a preset with overrides of `npu.` keys.
npu_config load_npu(const std::string& preset, const std::vector<std::string>& overrides = {});

/// Checks that the rows of the data file are enough for the split and the batch, once they are known.
void check_data_rows(const loaded_config& loaded, std::size_t rows);

/// config.resolved.yaml: every key with its value, in canonical order and format; parses back to the same
/// configuration.
std::string to_yaml(const run_config& config);

/// SHA-256 of to_yaml, in hexadecimal.
std::string config_sha256(const run_config& config);

/// Every key with what it accepts, its default and its meaning, one per line.
std::string describe_schema();

} // namespace retrace
