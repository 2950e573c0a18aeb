#include "sim/config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "sim/config/nearest.h"

namespace retrace {

const document_node* document_node::find(std::string_view key) const {
    for (const document_entry& entry : entries)
        if (type == kind::mapping && entry.key == key)
            return &entry.value;
    return nullptr;
}

document_node* document_node::find(std::string_view key) {
    return const_cast<document_node*>(std::as_const(*this).find(key));
}

const char* document_node::type_name() const {
    switch (type) {
    case kind::scalar:
        return "a single value";
    case kind::sequence:
        return "a list";
    case kind::mapping:
        return "a mapping of keys";
    case kind::null:
        break;
    }
    return "nothing";
}

namespace {

std::string place(const std::string& name, int line) {
    return name + ":" + std::to_string(line < 0 ? 1 : line + 1);
}

/// Receives yaml-cpp's events. An error thrown from here passes through the parser, which holds no locks.
class tree_builder : public YAML::EventHandler {
public:
    explicit tree_builder(std::string name) : name_(std::move(name)) {}

    document_node take() { return std::move(root_); }
    bool seen() const { return seen_; }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (seen_)
            throw config_error(place(name_, mark.line),
                               "a second YAML document; a configuration is one document");
        seen_ = true;
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check(mark, "", anchor);
        add({document_node::kind::null, at(mark)}, mark);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        throw config_error(at(mark), "YAML aliases (*name) are not supported; write the value itself");
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        check(mark, tag, anchor);
        const bool quoted = tag == "!";
        const bool null = !quoted && (value == "~" || value == "null");
        using kind = document_node::kind;
        document_node node(null ? kind::null : kind::scalar, at(mark));
        node.quoted = quoted;
        node.text = value;
        add(std::move(node), mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        start(document_node::kind::sequence, mark, tag, anchor);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        start(document_node::kind::mapping, mark, tag, anchor);
    }
    void OnSequenceEnd() override { finish(); }
    void OnMapEnd() override { finish(); }

private:
    struct level {
        document_node node;
        std::string key; ///< the key that waits for its value
        std::string key_where;
        bool has_key = false;
        std::map<std::string, std::string> keys; ///< all so far, with their places
    };

    std::string at(const YAML::Mark& mark) const { return place(name_, mark.line); }

    void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (anchor != 0)
            throw config_error(at(mark), "YAML anchors (&name) are not supported; write the value itself");
        if (!tag.empty() && tag != "?" && tag != "!") // "?": plain, "!": quoted
            throw config_error(at(mark), "YAML tags (" + shown(tag) + ") are not supported");
        if (++nodes_ > max_nodes)
            throw config_error(at(mark), "more than " + std::to_string(max_nodes) + " values");
    }

    void start(document_node::kind type, const YAML::Mark& mark, const std::string& tag,
               YAML::anchor_t anchor) {
        check(mark, tag, anchor);
        if (!levels_.empty() && levels_.back().node.type == document_node::kind::mapping &&
            !levels_.back().has_key)
            throw config_error(at(mark), "a key must be a word, not a list or a mapping");
        if (levels_.size() >= max_depth)
            throw config_error(at(mark), "nested deeper than " + std::to_string(max_depth) + " levels");
        levels_.emplace_back();
        levels_.back().node = {type, at(mark)};
    }

    void finish() {
        document_node node = std::move(levels_.back().node);
        levels_.pop_back();
        attach(std::move(node));
    }

    void add(document_node node, const YAML::Mark& mark) {
        if (levels_.empty() || levels_.back().node.type == document_node::kind::sequence ||
            levels_.back().has_key) {
            attach(std::move(node));
            return;
        }
        level& top = levels_.back();
        if (node.type != document_node::kind::scalar)
            throw config_error(at(mark), "a key must be a word");
        const auto [first, is_new] = top.keys.emplace(node.text, at(mark));
        if (!is_new)
            throw config_error(at(mark),
                               "duplicate key '" + shown(node.text) + "', first at " + first->second);
        top.key = std::move(node.text);
        top.key_where = at(mark);
        top.has_key = true;
    }

    void attach(document_node node) {
        if (levels_.empty()) {
            root_ = std::move(node);
            return;
        }
        level& top = levels_.back();
        std::string where = top.has_key ? std::move(top.key_where) : node.where;
        if (node.type == document_node::kind::null) // yaml-cpp sees it only at the next key
            node.where = where;
        top.node.entries.push_back({std::move(top.key), std::move(where), std::move(node)});
        top.key.clear();
        top.has_key = false;
    }

    std::string name_;
    document_node root_;
    std::vector<level> levels_;
    std::size_t nodes_ = 0;
    bool seen_ = false;
};

/// Runs the whole text through the builder; false where it has no document.
bool build(std::string_view text, const std::string& name, tree_builder& builder) {
    // yaml-cpp takes the end of the text behind a line end for the end of an open quote; a last comment
    // prevents that.
    std::istringstream stream(std::string(text) + "\n#");
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& error) {
        throw config_error(place(name, error.mark.line), "not valid YAML: " + shown(error.msg));
    }
    return builder.seen();
}

void set_places(document_node& node, const std::string& where) {
    node.where = where;
    node.from_command_line = true;
    for (document_entry& entry : node.entries) {
        entry.where = where;
        set_places(entry.value, where);
    }
}

} // namespace

document_node parse_document(std::string_view text, const std::string& name) {
    if (text.size() > max_text_bytes)
        throw config_error(name + ":1",
                           "larger than " + std::to_string(max_text_bytes) + " bytes; not a configuration");
    tree_builder builder(name);
    const bool any = build(text, name, builder);
    document_node root = builder.take();
    if (!any || root.type == document_node::kind::null)
        throw config_error(name + ":1", "the file is empty; `retrace help config` lists the keys");
    if (root.type != document_node::kind::mapping)
        throw config_error(root.where,
                           std::string("a configuration is a mapping of keys, not ") + root.type_name());
    return root;
}

document_node parse_override_value(std::string_view text, const std::string& where) {
    document_node node;
    if (!text.empty() && std::string_view("[{\"'").find(text[0]) != std::string_view::npos) {
        if (text.size() > max_text_bytes)
            throw config_error(where, "the value is too long");
        tree_builder builder(where);
        try {
            build(text, where, builder);
        } catch (
            const config_error& error) { // its place is a line of the value, which nobody wrote as a file
            const std::string message = error.what();
            throw config_error(where, message.substr(message.find(": ", where.size()) + 2));
        }
        node = builder.take();
    } else if (text != "null" && text != "~" && !text.empty()) {
        node.type = document_node::kind::scalar;
        node.text = text;
    }
    set_places(node, where);
    return node;
}

std::string read_config_file(const std::string& path) {
    const std::string where = path + ":1";
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status))
        throw config_error(where, "there is no such file");
    if (std::filesystem::is_directory(status))
        throw config_error(where, "this is a folder, not a configuration file");
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        throw config_error(where,
                           "cannot be opened: " + std::error_code(errno, std::generic_category()).message());
    std::string text(max_text_bytes + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.bad())
        throw config_error(where, "cannot be read");
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

} // namespace retrace
