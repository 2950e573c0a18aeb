#include "sim/config/reader.h"

#include <algorithm>
#include <bit>
#include <filesystem>

#include "sim/config/nearest.h"
#include "sim/config/quantity.h"

namespace retrace {

namespace {

using kind = document_node::kind;

bool valid_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        const int more = lead < 0x80                   ? 0
                         : lead >= 0xc2 && lead < 0xe0 ? 1
                         : lead >= 0xe0 && lead < 0xf0 ? 2
                         : lead >= 0xf0 && lead < 0xf5 ? 3
                                                       : -1;
        if (more < 0 || i + static_cast<std::size_t>(more) > text.size())
            return false;
        for (int k = 0; k < more; ++k)
            if ((static_cast<unsigned char>(text[i++]) & 0xc0) != 0x80)
                return false;
    }
    return true;
}

void check_range(double value, const value_rule& rule, std::string_view text) {
    if (!(value >= rule.low && value <= rule.high))
        throw value_error("'" + shown(text) + "' is out of range, " + accepted(rule));
}

std::uint64_t check_range(std::uint64_t value, const value_rule& rule, std::string_view text) {
    if (value < rule.least || value > rule.most)
        throw value_error("'" + shown(text) + "' is out of range, " + accepted(rule));
    if (rule.power_of_two && !std::has_single_bit(value))
        throw value_error("'" + shown(text) + "' is not a power of two");
    if (value % rule.multiple_of != 0)
        throw value_error("'" + shown(text) + "' is not a multiple of " + std::to_string(rule.multiple_of));
    return value;
}

std::string check_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
               c == '_' || c == '.';
    };
    if (text.empty() || text.size() > 100 || text[0] == '.' ||
        !std::all_of(text.begin(), text.end(), allowed))
        throw value_error("'" + shown(text) +
                          "' is not a name: letters, digits, '-', '_' and '.', not first a '.'");
    return std::string(text);
}

std::string current_folder() {
    std::error_code
        error; // a deleted current folder leaves the path relative, and then nothing is found there
    return std::filesystem::current_path(error).string();
}

std::string absolute_path(std::string_view text, const std::string& folder) {
    if (text.empty())
        throw value_error("a file name is missing");
    if (text.size() > 4096 || !valid_utf8(text) || std::any_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        }))
        throw value_error("'" + shown(text) + "' is not a file name (UTF-8 without control characters)");
    return (std::filesystem::path(folder) / text).lexically_normal().string();
}

config_value parse_plain(std::string_view text, const value_rule& rule) {
    double value = 0;
    switch (rule.kind) {
    case value_kind::whole:
        return check_range(parse_whole(text), rule, text);
    case value_kind::bytes:
        return check_range(parse_bytes(text), rule, text);
    case value_kind::boolean:
        return parse_boolean(text);
    case value_kind::frequency:
        value = parse_frequency(text);
        break;
    case value_kind::time:
        value = parse_time(text);
        break;
    case value_kind::bandwidth:
        value = parse_bandwidth(text);
        break;
    default:
        value = parse_real(text);
        break;
    }
    check_range(value, rule, text);
    return value;
}

} // namespace

std::string config_places::of(std::string path) const {
    for (;;) {
        const auto found = places_.find(path);
        if (found != places_.end())
            return found->second;
        const std::size_t dot = path.rfind('.');
        path = dot == std::string::npos ? "" : path.substr(0, dot);
    }
}

std::string config_places::of(const std::vector<std::string>& paths) const {
    for (const char* start : {"--set ", ""})
        for (const std::string& path : paths)
            if (const auto found = places_.find(path);
                found != places_.end() && found->second.rfind(start, 0) == 0)
                return found->second;
    return of(paths.front());
}

config_reader::config_reader(const document_node& root, std::string folder, bool complete)
    : levels_{{&root, ""}}, folder_(std::move(folder)), complete_(complete) {
    places_.add("", root.where);
}

std::string config_reader::path_of(std::string_view key) const {
    if (key.empty())
        return element_path_;
    const std::string& parent = levels_.back().path;
    return (parent.empty() ? "" : parent + ".") + std::string(key);
}

const document_node* config_reader::take(std::string_view key) {
    const std::string path = path_of(key);
    if (key.empty()) {
        places_.add(path, element_->where);
        return element_;
    }
    if (!levels_.back().node)
        return nullptr;
    for (const document_entry& entry : levels_.back().node->entries)
        if (entry.key == key && entry.value.type != kind::null) {
            places_.add(path, entry.where);
            return &entry.value;
        }
    return nullptr;
}

void config_reader::open(std::string_view key, std::string_view) {
    std::string path = path_of(key);
    levels_.push_back({take(key), std::move(path)});
}

void config_reader::close() { levels_.pop_back(); }

config_value config_reader::parse(const document_node& node, const value_rule& rule) const {
    if (rule.kind == value_kind::text)
        return check_name(node.text);
    if (rule.kind == value_kind::path)
        return absolute_path(node.text, node.from_command_line ? current_folder() : folder_);
    if (rule.kind == value_kind::choice) {
        if (std::find(rule.choices.begin(), rule.choices.end(), node.text) == rule.choices.end())
            throw value_error("'" + shown(node.text) + "' is not one of: " + accepted(rule) +
                              suggestion(node.text, rule.choices));
        return node.text;
    }
    if (node.quoted)
        throw value_error("'" + shown(node.text) + "' is text in quotes; write the value without them");
    return parse_plain(node.text, rule);
}

void config_reader::scalar(std::string_view key, const value_rule& rule, std::string_view,
                           const value_access& access) {
    const std::string path = path_of(key);
    const document_node* node = take(key);
    if (!node) {
        if (rule.required || complete_)
            throw config_error(places_.of(path), "missing key '" + path + "' (" + accepted(rule) + ")");
        return;
    }
    try {
        access.set(parse(*node, rule));
    } catch (const value_error& error) {
        throw config_error(node->where, path, error.what());
    }
}

void config_reader::list(std::string_view key, const list_rule& rule, std::string_view,
                         const list_access& access) {
    const std::string path = path_of(key);
    const document_node* node = take(key);
    if (!node) {
        if (rule.required)
            throw config_error(places_.of(path), "missing key '" + path + "' (a list)");
        return;
    }
    const std::size_t n = node->entries.size();
    if (n < rule.least || n > rule.most)
        throw config_error(node->where, path,
                           std::to_string(n) + " entries; " + std::to_string(rule.least) + " to " +
                               std::to_string(rule.most) + " are possible");
    access.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        element_ = &node->entries[i].value;
        element_path_ = path + "." + std::to_string(i);
        access.element(i);
    }
}

} // namespace retrace
