#include <fmt/format.h>

#include "sim/config/presets.h"
#include "sim/config/quantity.h"
#include "sim/config/schema.h"

namespace retrace {

namespace {

class tree_maker : public config_visitor {
public:
    explicit tree_maker(schema_node& root) : open_{&root} {}

    void open(std::string_view key, std::string_view text) override {
        open_.push_back(&add(schema_node::kind::section, key, text));
    }
    void close() override { open_.pop_back(); }

    void scalar(std::string_view key, const value_rule& rule, std::string_view text,
                const value_access& access) override {
        schema_node& node = add(schema_node::kind::scalar, key, text);
        node.rule = rule;
        if (!rule.required && !rule.optional)
            node.default_value = value_text(rule, access.get());
    }

    void list(std::string_view key, const list_rule&, std::string_view text,
              const list_access& access) override {
        open_.push_back(&add(schema_node::kind::list, key, text));
        access.resize(1);
        access.element(0);
        open_.pop_back();
    }

private:
    // Children grow only while their parent is the innermost open node, so the pointers above stay valid.
    schema_node& add(schema_node::kind type, std::string_view key, std::string_view text) {
        schema_node node;
        node.type = type;
        node.key = key;
        node.text = text;
        open_.back()->children.push_back(std::move(node));
        return open_.back()->children.back();
    }

    std::vector<schema_node*> open_;
};

std::string multiple(const value_rule& rule) {
    if (rule.power_of_two)
        return ", a power of two";
    return rule.multiple_of == 1 ? "" : fmt::format(", a multiple of {}", rule.multiple_of);
}

} // namespace

const schema_node* schema_node::find(std::string_view name) const {
    for (const schema_node& child : children)
        if (type == kind::section && child.key == name)
            return &child;
    return nullptr;
}

std::vector<std::string> schema_node::names() const {
    std::vector<std::string> result;
    for (const schema_node& child : children)
        result.push_back(child.key);
    return result;
}

const schema_node& config_schema() {
    static const schema_node tree = [] {
        schema_node root;
        run_config scratch;
        scratch.npu = preset_npu(default_preset);
        tree_maker maker(root);
        visit(maker, scratch);
        return root;
    }();
    return tree;
}

std::string value_text(const value_rule& rule, const config_value& value) {
    switch (rule.kind) {
    case value_kind::whole:
        return std::to_string(std::get<std::uint64_t>(value));
    case value_kind::bytes:
        return format_bytes(std::get<std::uint64_t>(value));
    case value_kind::frequency:
        return format_frequency(std::get<double>(value));
    case value_kind::time:
        return format_time(std::get<double>(value));
    case value_kind::bandwidth:
        return format_bandwidth(std::get<double>(value));
    case value_kind::real:
        return format_real(std::get<double>(value));
    case value_kind::boolean:
        return std::get<bool>(value) ? "true" : "false";
    case value_kind::choice:
    case value_kind::text:
    case value_kind::path:
        break;
    }
    return std::get<std::string>(value);
}

std::string accepted(const value_rule& rule) {
    switch (rule.kind) {
    case value_kind::whole:
        if (rule.most == ~std::uint64_t{0})
            return fmt::format("a whole number from {}", rule.least);
        return fmt::format("{} to {}", rule.least, rule.most) + multiple(rule);
    case value_kind::bytes:
        return fmt::format("{} to {}", format_bytes(rule.least), format_bytes(rule.most)) + multiple(rule);
    case value_kind::frequency:
    case value_kind::time:
    case value_kind::bandwidth:
    case value_kind::real:
        return value_text(rule, rule.low) + " to " + value_text(rule, rule.high);
    case value_kind::boolean:
        return "true | false";
    case value_kind::choice:
        return fmt::format("{}", fmt::join(rule.choices, " | "));
    case value_kind::text:
        return "letters, digits, '-', '_' and '.'";
    case value_kind::path:
        return "a file";
    }
    return "";
}

} // namespace retrace
