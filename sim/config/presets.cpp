#include "sim/config/presets.h"

#include "sim/config/checks.h"
#include "sim/config/nearest.h"
#include "sim/config/preset_texts.h"
#include "sim/config/reader.h"

namespace retrace {

std::vector<std::string> preset_names() { return {"tiny", "small", "large"}; }

std::string_view preset_yaml(std::string_view name) {
    for (const auto& [known, text] : preset_texts)
        if (known == name)
            return text;
    throw config_error("--preset",
                       "'" + shown(name) + "' is not a preset" + suggestion(name, preset_names()));
}

npu_config preset_npu(const std::string& name) {
    const document_node root = parse_document(preset_yaml(name), "preset " + name);
    npu_config npu;
    npu.preset = name;
    config_reader reader(root, "", true);
    visit_npu_values(reader, npu);
    return npu;
}

} // namespace retrace
