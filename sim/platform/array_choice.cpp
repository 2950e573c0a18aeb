#include "sim/platform/array_choice.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "hw/verilated/verilated_array.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/lockstep_array.h"
#include "tlm/core/array/stepped_array.h"
#include "tlm/core/array/windowed_array.h"

namespace retrace {

namespace {

bool has_rtl(const array_config& shape) {
    const std::vector<rtl_size> sizes = rtl_sizes();
    return std::any_of(sizes.begin(), sizes.end(), [&](const rtl_size& s) {
        return s.rows == shape.rows && s.columns == shape.columns && s.fma_depth == shape.fma_depth;
    });
}

std::unique_ptr<array_interface> make_one(const std::string& name, const array_config& shape) {
    if (name == "kernel")
        return std::make_unique<kernel_array>(shape);
    if (name == "stepped")
        return std::make_unique<stepped_array>(shape);
    if (name == "rtl") {
        try {
            return make_rtl_array(shape);
        } catch (const rtl_unavailable& e) {
            throw array_choice_error(e.what());
        }
    }
    if (name == "lockstep") {
        std::vector<named_array> members;
        for (const std::string& member : lockstep_members(shape))
            members.push_back({member, make_one(member, shape)});
        return std::make_unique<lockstep_array>(shape, std::move(members));
    }
    throw array_choice_error(fmt::format("no array '{}'; there are {}", name, fmt::join(array_implementations(), ", ")));
}

std::uint64_t cycle_of(const std::string& text, std::string_view digits) {
    std::uint64_t cycle = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cycle);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
        throw array_choice_error(fmt::format("--array-window {}: '{}' is no cycle; write START:STOP=IMPLEMENTATION, for example 100000:120000=rtl",
                                             text, digits));
    return cycle;
}

} // namespace

const std::vector<std::string>& array_implementations() {
    static const std::vector<std::string> names{"kernel", "stepped", "rtl", "lockstep"};
    return names;
}

array_implementation_window parse_array_window(const std::string& text) {
    const std::string_view view = text;
    const std::size_t colon = view.find(':'), equals = view.find('=');
    if (colon == view.npos || equals == view.npos || equals < colon)
        throw array_choice_error(fmt::format("--array-window {}: write START:STOP=IMPLEMENTATION, for example 100000:120000=rtl", text));
    array_implementation_window w{cycle_of(text, view.substr(0, colon)), cycle_of(text, view.substr(colon + 1, equals - colon - 1)),
                                  std::string(view.substr(equals + 1))};
    if (w.start >= w.stop)
        throw array_choice_error(fmt::format("--array-window {}: holds no cycle; START is the first, STOP the first after it", text));
    const std::vector<std::string>& known = array_implementations();
    if (std::find(known.begin(), known.end(), w.implementation) == known.end())
        throw array_choice_error(fmt::format("--array-window {}: no array '{}'; there are {}", text, w.implementation, fmt::join(known, ", ")));
    return w;
}

std::vector<std::string> lockstep_members(const array_config& shape) {
    std::vector<std::string> names{"kernel", "stepped"};
    if (has_rtl(shape))
        names.emplace_back("rtl");
    return names;
}

std::unique_ptr<array_interface> make_array(const array_settings& settings, const array_config& shape, std::vector<std::uint64_t>* tiles) {
    if (settings.windows.empty())
        return make_one(settings.implementation, shape);
    std::vector<std::unique_ptr<array_interface>> arrays;
    arrays.push_back(make_one(settings.implementation, shape));
    std::vector<std::string> names{settings.implementation};
    std::vector<array_window> windows;
    for (const array_implementation_window& w : settings.windows) {
        const auto found = std::find(names.begin(), names.end(), w.implementation);
        const auto index = static_cast<unsigned>(found - names.begin());
        if (found == names.end()) {
            names.push_back(w.implementation);
            arrays.push_back(make_one(w.implementation, shape));
        }
        windows.push_back({w.start, w.stop, index, tiles ? &(*tiles)[windows.size()] : nullptr});
    }
    return std::make_unique<windowed_array>(shape, std::move(arrays), std::move(windows));
}

std::string describe_unused_windows(const array_settings& settings, const std::vector<std::uint64_t>& tiles, std::uint64_t cycles) {
    std::string text;
    for (std::size_t i = 0; i < settings.windows.size(); ++i)
        if (const array_implementation_window& w = settings.windows[i]; tiles.at(i) == 0)
            text += fmt::format("retrace: warning: no tile of the array began in cycles {} to {}: {} was not used (the run ended in cycle {}; "
                                "the view accesses in events.sqlite says when engine 0, the array, works)\n",
                                w.start, w.stop, w.implementation, cycles);
    return text;
}

void check_array_choice(const npu_config& config) {
    try {
        make_array(config.array, shape_of(config.array));
    } catch (const array_protocol_error& e) {
        throw array_choice_error(std::string("--array-window: ") + e.what());
    }
}

} // namespace retrace
