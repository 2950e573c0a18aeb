// The two ways a key comes in, the file and --set, against the schema.
#include <charconv>

#include "sim/config/nearest.h"
#include "sim/config/reader.h"

namespace retrace {

namespace {

using kind = document_node::kind;

std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
}

struct candidate {
    std::string path;
    std::size_t distance = ~std::size_t{0};
};

/// The key of the whole tree whose own name is nearest, the first of several.
void search(const schema_node& schema, std::string_view key, const std::string& path, candidate& best) {
    for (const schema_node& child : schema.children) {
        const std::string child_path = join(path, schema.type == schema_node::kind::list ? "0" : child.key);
        const std::size_t distance = child.key.empty() ? best.distance : edit_distance(key, child.key);
        if (distance < best.distance)
            best = {child_path, distance};
        search(child, key, child_path, best);
    }
}

/// Names the nearest key of the section, or of another section where that one is a far guess: more than a
/// third edited.
[[noreturn]] void unknown_key(const std::string& where, const schema_node& section, const std::string& path,
                              const std::string& key) {
    const std::string sibling = nearest(key, section.names());
    candidate best{join(path, sibling), edit_distance(key, sibling)};
    if (best.distance * 3 > key.size())
        search(config_schema(), key, "", best);
    throw config_error(where,
                       "unknown key '" + shown(join(path, key)) + "' (did you mean '" + best.path + "'?)");
}

std::string quoted_names(const schema_node& section) {
    std::string text;
    for (const std::string& name : section.names())
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

} // namespace

void check_keys(const document_node& node, const schema_node& schema, const std::string& path) {
    if (node.type == kind::null && !path.empty())
        throw config_error(node.where, "'" + path + "' has no value");
    switch (schema.type) {
    case schema_node::kind::scalar:
        if (node.type != kind::scalar)
            throw config_error(node.where, path,
                               "needs a single value (" + accepted(schema.rule) + "), not " +
                                   node.type_name());
        return;
    case schema_node::kind::list:
        if (node.type != kind::sequence)
            throw config_error(node.where, path, std::string("needs a list, not ") + node.type_name());
        for (std::size_t i = 0; i < node.entries.size(); ++i)
            check_keys(node.entries[i].value, schema.children.front(), join(path, std::to_string(i)));
        return;
    case schema_node::kind::section:
        break;
    }
    if (node.type != kind::mapping)
        throw config_error(node.where, path.empty() ? "the configuration" : path,
                           "needs keys (" + quoted_names(schema) + "), not " + node.type_name());
    for (const document_entry& entry : node.entries) {
        const schema_node* child = schema.find(entry.key);
        if (!child)
            unknown_key(entry.where, schema, path, entry.key);
        if (entry.value.type == kind::null && entry.value.from_command_line)
            continue; // --set key=null: back to the default
        check_keys(entry.value, *child, join(path, entry.key));
    }
}

void apply_override(document_node& root, const schema_node& schema, const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    const std::string path = assignment.substr(0, equals);
    const std::string where = "--set " + shown(path);
    if (equals == std::string::npos || path.empty())
        throw config_error(where, "needs the form --set key=value, for example --set npu.array.rows=16");
    document_node value = parse_override_value(std::string_view(assignment).substr(equals + 1), where);

    document_node* node = &root;
    const schema_node* rule = &schema;
    std::string walked;
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t dot = std::min(path.find('.', start), path.size());
        const std::string key = path.substr(start, dot - start);
        start = dot + 1;
        if (rule->type == schema_node::kind::scalar)
            throw config_error(where, "'" + walked + "' is a single value and has no keys of its own");
        if (rule->type == schema_node::kind::list) {
            std::size_t index = 0;
            const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
            const std::size_t n = node->type == kind::sequence ? node->entries.size() : 0;
            if (error != std::errc{} || end != key.data() + key.size() || index >= n)
                throw config_error(where, "'" + shown(key) + "' is not an index of the list '" + walked +
                                              "', which has " + std::to_string(n) +
                                              " entries (counted from 0)");
            rule = &rule->children.front();
            node = &node->entries[index].value;
        } else {
            const schema_node* child = rule->find(key);
            if (!child)
                unknown_key(where, *rule, walked, key);
            if (node->type !=
                kind::mapping) { // absent so far, or a wrong value in the file that this one replaces
                *node = {kind::mapping, where};
                node->from_command_line = true;
            }
            document_node* next = node->find(key);
            if (!next) {
                node->entries.push_back({key, where, {kind::null, where}});
                next = &node->entries.back().value;
                next->from_command_line = true;
            } else if (dot == path.size()) {
                for (document_entry& entry : node->entries)
                    if (entry.key == key)
                        entry.where = where;
            }
            rule = child;
            node = next;
        }
        walked = join(walked, key);
    }
    *node = std::move(value);
}

} // namespace retrace
