#pragma once
// A YAML file as a tree whose every part knows where it was written, built from yaml-cpp's events.
//
// yaml-cpp itself accepts duplicate keys silently and loses places; here these are errors, each with
// file:line: a duplicate key, a key that is not a word, an anchor, an alias, a tag, a second document, an
// empty file, nesting deeper than `max_depth`, more than `max_nodes` values and more than `max_text_bytes` of
// text. Without aliases the tree is never larger than the text.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/config/config_error.h"

namespace retrace {

inline constexpr std::size_t max_text_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_depth = 16;
inline constexpr std::size_t max_nodes = 100'000;

struct document_entry;

struct document_node {
    enum class kind { null, scalar, sequence, mapping };

    kind type = kind::null;
    std::string text;                    ///< of a scalar
    bool quoted = false;                 ///< the scalar stood in quotes: text, whatever it looks like
    bool from_command_line = false;      ///< came from --set
    std::string where;                   ///< file:line, or --set key
    std::vector<document_entry> entries; ///< of a sequence (without keys) or a mapping, as written

    document_node();
    document_node(kind node_type, std::string place);

    const document_node* find(std::string_view key) const; ///< null where a mapping has no such key
    document_node* find(std::string_view key);
    const char* type_name() const; ///< "a mapping", "a list", ...
};

struct document_entry {
    std::string key;
    std::string where; ///< of the key
    document_node value;
};

inline document_node::document_node() = default;
inline document_node::document_node(kind node_type, std::string place)
    : type(node_type), where(std::move(place)) {}

/// Parses one document whose top is a mapping; `name` stands for the file in messages. Throws config_error.
document_node parse_document(std::string_view text, const std::string& name);

/// The value of a --set: one line of YAML where it starts with a bracket, brace or quote, otherwise a plain
/// scalar. `null` and `~` give a null node. Every place in the result is `where`. Throws config_error.
document_node parse_override_value(std::string_view text, const std::string& where);

/// Reads a file of at most max_text_bytes. Throws config_error.
std::string read_config_file(const std::string& path);

} // namespace retrace
