#include "sim/config/load.h"

#include <algorithm>
#include <filesystem>

#include "sim/config/checks.h"
#include "sim/support/sha256.h"

namespace retrace {

namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& name) {
    std::error_code error;
    const fs::path path = fs::absolute(name, error);
    return error ? "" : path.parent_path().string();
}

/// The file's stem as a name of a run: other characters become '-'.
std::string default_name(const std::string& file) {
    std::string name = fs::path(file).stem().string().substr(0, 100);
    for (char& c : name)
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
              c == '.'))
            c = '-';
    return name.empty() || name[0] == '.' ? "run" : name;
}

} // namespace

loaded_config parse_config(std::string_view text, const std::string& name,
                           const std::vector<std::string>& overrides) {
    document_node root = parse_document(text, name);
    for (const std::string& assignment : overrides)
        apply_override(root, config_schema(), assignment);
    check_keys(root, config_schema());

    loaded_config loaded;
    run_config& config = loaded.config;
    config.npu = preset_npu(default_preset);
    config.name = default_name(name);
    config_reader reader(root, folder_of(name));
    visit(reader, config);
    place_regions(config.npu.device_dram);
    std::sort(config.log.steps.begin(), config.log.steps.end());
    config.log.steps.erase(std::unique(config.log.steps.begin(), config.log.steps.end()),
                           config.log.steps.end());
    loaded.places = reader.places();
    check_run(config, loaded.places);
    return loaded;
}

loaded_config load_config(const std::string& path, const std::vector<std::string>& overrides) {
    loaded_config loaded = parse_config(read_config_file(path), path, overrides);
    std::error_code error;
    const std::string& file = loaded.config.data.file;
    if (!fs::exists(file, error))
        throw config_error(loaded.places.of("data.file"), "data.file", "there is no file " + file);
    if (fs::is_directory(file, error))
        throw config_error(loaded.places.of("data.file"), "data.file", file + " is a folder");
    return loaded;
}

npu_config load_npu(const std::string& preset, const std::vector<std::string>& overrides) {
    document_node root(document_node::kind::mapping, "--preset " + preset);
    npu_config npu = preset_npu(preset);
    for (const std::string& assignment : overrides) {
        if (assignment.rfind("npu.", 0) != 0)
            throw config_error("--set " + assignment.substr(0, assignment.find('=')),
                               "only keys of npu apply here");
        apply_override(root, config_schema(), assignment);
    }
    check_keys(root, config_schema());
    config_reader reader(root, "");
    visit_npu(reader, npu);
    place_regions(npu.device_dram);
    check_npu(npu, reader.places());
    return npu;
}

void check_data_rows(const loaded_config& loaded, std::size_t rows) {
    const run_config& config = loaded.config;
    const std::string& file = config.data.file;
    const auto fail = [&](const char* key, std::size_t wanted, std::size_t available, const char* what) {
        throw config_error(loaded.places.of(key), key,
                           std::to_string(wanted) + " rows, but " + file + " has " +
                               std::to_string(available) + " " + what);
    };
    if (config.data.test_rows >= rows)
        fail("data.test_rows", config.data.test_rows, rows, "rows in all, and some must remain for training");
    const std::size_t remaining = rows - config.data.test_rows;
    if (config.data.train_rows > remaining)
        fail("data.train_rows", config.data.train_rows, remaining, "rows that are not test rows");
    if (config.training.batch > remaining)
        fail("training.batch", config.training.batch, remaining, "training rows");
}

std::string config_sha256(const run_config& config) { return sha256_hex(to_yaml(config)); }

} // namespace retrace
