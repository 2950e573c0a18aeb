// A configuration as text: complete, in the schema's order, one key per line.
#include <algorithm>

#include "sim/config/load.h"

namespace retrace {

namespace {

bool plain(const std::string& text) {
    static constexpr std::string_view first = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/_";
    static constexpr std::string_view other = "0123456789.-";
    return !text.empty() && first.find(text[0]) != std::string_view::npos && text != "null" &&
           text != "true" && text != "false" && std::all_of(text.begin(), text.end(), [](char c) {
               return first.find(c) != std::string_view::npos || other.find(c) != std::string_view::npos;
           });
}

std::string quoted(const std::string& text) { // text and paths hold no control characters
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            result += '\\';
        result += c;
    }
    return result + "\"";
}

std::string scalar_text(const value_rule& rule, const config_value& value) {
    const std::string text = value_text(rule, value);
    const bool free_text = rule.kind == value_kind::text || rule.kind == value_kind::path;
    return free_text && !plain(text) ? quoted(text) : text;
}

class yaml_writer : public config_visitor {
public:
    std::string take() { return std::move(text_); }

    void open(std::string_view key, std::string_view) override {
        if (key.empty()) { // a list entry, on one line
            text_ += std::string(indent_, ' ') + "- {";
            inline_ = true;
            first_ = true;
            return;
        }
        text_ += std::string(indent_, ' ') + std::string(key) + ":\n";
        indent_ += 2;
    }

    void close() override {
        if (inline_) {
            text_ += "}\n";
            inline_ = false;
            return;
        }
        indent_ -= 2;
    }

    void scalar(std::string_view key, const value_rule& rule, std::string_view,
                const value_access& access) override {
        const config_value value = access.get();
        if (rule.optional && std::get<std::uint64_t>(value) == 0)
            return;
        const std::string text = scalar_text(rule, value);
        if (inline_ || key.empty()) {
            text_ += (first_ ? "" : ", ") + (key.empty() ? "" : std::string(key) + ": ") + text;
            first_ = false;
        } else {
            text_ += std::string(indent_, ' ') + std::string(key) + ": " + text + "\n";
        }
    }

    void list(std::string_view key, const list_rule&, std::string_view, const list_access& access) override {
        const std::size_t start = text_.size();
        text_ += std::string(indent_, ' ') + std::string(key) + ":\n";
        const std::size_t header = text_.size();
        indent_ += 2;
        first_ = true;
        for (std::size_t i = 0; i < access.size(); ++i)
            access.element(i);
        indent_ -= 2;
        if (text_.size() == header || text_.back() != '\n') { // bare values: key: [1, 2]
            const std::string values = text_.substr(header);
            text_.resize(start);
            text_ += std::string(indent_, ' ') + std::string(key) + ": [" + values + "]\n";
        }
    }

private:
    std::string text_;
    std::size_t indent_ = 0;
    bool inline_ = false;
    bool first_ = true;
};

void describe(const schema_node& node, std::size_t indent, bool element, std::string& text) {
    std::string line =
        std::string(indent, ' ') + (element ? "- " : "") + node.key + (node.key.empty() ? "" : ":");
    std::string rest = node.text;
    if (node.type == schema_node::kind::scalar) {
        const std::string value = node.rule.required   ? "(required)"
                                  : node.rule.optional ? "(not set)"
                                                       : node.default_value;
        line += " " + value;
        rest += rest.empty() ? "" : "; ";
        rest += accepted(node.rule);
    }
    constexpr std::size_t column = 36;
    line += std::string(line.size() < column ? column - line.size() : 1, ' ');
    text += line + "# " + rest + "\n";
    for (const schema_node& child : node.children) {
        if (node.type == schema_node::kind::list && child.type == schema_node::kind::section) {
            text += std::string(indent + 2, ' ') + "-" + std::string(column - indent - 3, ' ') + "# " +
                    child.text + "\n";
            for (const schema_node& grandchild : child.children)
                describe(grandchild, indent + 4, false, text);
        } else {
            describe(child, indent + 2, node.type == schema_node::kind::list, text);
        }
    }
}

} // namespace

std::string to_yaml(const run_config& config) {
    run_config copy = config;
    yaml_writer writer;
    visit(writer, copy);
    return writer.take();
}

std::string describe_schema() {
    std::string text =
        "# Keys of a configuration with their defaults (of preset small) and what they accept.\n"
        "# Sizes: B, KiB, MiB, GiB, kB, MB, GB; frequencies: Hz, kHz, MHz, GHz; times: ps, ns, us, ms, s;\n"
        "# bandwidths: a size per second. --set a.b.c=value overrides any key; lists by index from 0\n"
        "# (network.layers.0.dense=128); --set key=null removes a key that the file sets.\n";
    for (const schema_node& child : config_schema().children)
        describe(child, 0, false, text);
    return text;
}

} // namespace retrace
