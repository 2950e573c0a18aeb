// The resolved configuration: complete, canonical, and the same run when it is loaded again.
#include "tests/unit/config/config_samples.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

#include "sim/config/document.h"
#include "sim/config/schema.h"

namespace retrace {
namespace {

/// Calls a function for every value that the schema reaches.
class every_value : public config_visitor {
public:
    using function = std::function<void(const std::string& path, const value_rule&, const value_access&)>;
    explicit every_value(function call) : call_(std::move(call)) {}

    void open(std::string_view key, std::string_view) override { path_.push_back(join(key)); }
    void close() override { path_.pop_back(); }
    void scalar(std::string_view key, const value_rule& rule, std::string_view,
                const value_access& access) override {
        call_(join(key), rule, access);
    }
    void list(std::string_view key, const list_rule&, std::string_view, const list_access& access) override {
        for (std::size_t i = 0; i < access.size(); ++i) {
            path_.push_back(join(key) + "." + std::to_string(i));
            access.element(i);
            path_.pop_back();
        }
    }

private:
    std::string join(std::string_view key) const {
        return path_.back() + (path_.back().empty() || key.empty() ? "" : ".") + std::string(key);
    }

    function call_;
    std::vector<std::string> path_{""};
};

std::map<std::string, config_value> values_of(run_config config) {
    std::map<std::string, config_value> values;
    every_value all([&](const std::string& path, const value_rule&, const value_access& access) {
        values[path] = access.get();
    });
    visit(all, config);
    return values;
}

void expect_round_trip(const run_config& config) {
    const std::string text = to_yaml(config);
    const run_config again = parse_config(text, "/elsewhere/config.resolved.yaml").config;
    EXPECT_EQ(values_of(again), values_of(config));
    EXPECT_EQ(to_yaml(again), text);
    EXPECT_EQ(config_sha256(again), config_sha256(config));
}

TEST(resolved_config, of_every_preset_loads_to_the_same_run) {
    for (const std::string& preset : preset_names())
        expect_round_trip(parsed(sample, {"npu.preset=" + preset}));
}

TEST(resolved_config, of_every_example_loads_to_the_same_run) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(RETRACE_EXAMPLES))
        if (entry.path().extension() == ".yaml") {
            SCOPED_TRACE(entry.path());
            expect_round_trip(load_config(entry.path().string()).config);
            ++count;
        }
    EXPECT_GE(count, 2u);
}

TEST(resolved_config, keeps_awkward_values) {
    const run_config c =
        parsed(sample, {"data.file=/d/a 'b' \"c\" \\ \xc3\xa9 #: [x].csv", "name=0", "log.steps=[]",
                        "npu.clock=1234567.891Hz", "npu.device_dram.t_rcd=13.75ns", "data.scale=1e-7",
                        "npu.host_link.bandwidth=15.7GiB/s", "seed=18446744073709551615"});
    expect_round_trip(c);
    EXPECT_EQ(parse_config(to_yaml(c), "x").config.data.file, c.data.file);
    for (const char* name : {"true", "null", "1e3", "-", "--", "a.b"})
        expect_round_trip(parsed(sample, {std::string("name='") + name + "'"}));
}

TEST(resolved_config, has_one_line_for_every_key_of_the_schema) {
    const std::string text = to_yaml(
        parsed(with("schedule: recompute", "schedule: interval\n  interval: 2"), {"data.train_rows=40"}));
    const document_node root = parse_document(text, "resolved");
    const std::function<void(const document_node&, const schema_node&, const std::string&)> compare =
        [&](const document_node& node, const schema_node& schema, const std::string& path) {
            for (const schema_node& child : schema.children) {
                const document_node* value = node.find(child.key);
                if (child.key == "epochs") // the sample has steps instead
                    continue;
                ASSERT_NE(value, nullptr) << path + child.key;
                if (child.type == schema_node::kind::section)
                    compare(*value, child, path + child.key + ".");
            }
        };
    compare(root, config_schema(), "");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(std::count(line.begin(), line.end(), ':'), line.find("- {") == std::string::npos ? 1 : 2)
            << line;
}

/// Another value of the same type, past the ranges where need be: this is about the writer missing a field.
void change(const value_rule& rule, const value_access& access) {
    const config_value now = access.get();
    if (rule.kind == value_kind::choice) {
        for (const std::string& name : rule.choices)
            if (name != std::get<std::string>(now)) {
                access.set(name);
                return;
            }
    } else if (const auto* number = std::get_if<std::uint64_t>(&now)) {
        access.set(*number + 1);
    } else if (const auto* real = std::get_if<double>(&now)) {
        access.set(*real + 1);
    } else if (const auto* truth = std::get_if<bool>(&now)) {
        access.set(!*truth);
    } else {
        access.set(std::get<std::string>(now) + "x");
    }
}

TEST(resolved_config, changes_with_every_single_value) {
    const run_config base = parsed(sample);
    const std::string text = to_yaml(base);
    std::size_t checked = 0;
    for (const auto& [target, value] : values_of(base)) {
        if (target == "network.loss" || target.ends_with(".repeat")) // one loss only; one repetition is none
            continue;
        run_config copy = base;
        // Named anew: clang before 16 does not capture structured bindings.
        every_value one([&, &wanted = target](const std::string& path, const value_rule& rule, const value_access& access) {
            if (path == wanted)
                change(rule, access);
        });
        visit(one, copy);
        EXPECT_FALSE(to_yaml(copy) == text) << target;
        ++checked;
    }
    EXPECT_GE(checked, 70u);
}

TEST(resolved_config, does_not_depend_on_how_the_input_was_written) {
    const std::string a = to_yaml(parsed(sample));
    EXPECT_EQ(to_yaml(parsed(sample, {"training.batch=16", "npu.clock=1000MHz"})), a);
    EXPECT_EQ(to_yaml(parsed(with(
                  "    - {dense: 8, activation: relu, repeat: 3}\n",
                  "    - {dense: 8, activation: relu}\n    - {activation: relu, dense: 8, repeat: 2}\n"))),
              a);
}

TEST(describe_schema, has_a_line_for_every_key) {
    const std::string text = describe_schema();
    const std::function<void(const schema_node&)> look = [&](const schema_node& node) {
        for (const schema_node& child : node.children) {
            EXPECT_NE(text.find(child.key.empty() ? "-" : child.key + ":"), std::string::npos) << child.key;
            EXPECT_FALSE(child.text.empty()) << child.key;
            look(child);
        }
    };
    look(config_schema());
}

} // namespace
} // namespace retrace
