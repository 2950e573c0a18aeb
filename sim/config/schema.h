#pragma once
// The one table of configuration keys: what each is called, what it accepts, what it means and where it is
// stored.
//
// `visit` walks a run_config in canonical order and tells a visitor about every key. The reader, the writer,
// the key check and the help text are visitors, so none of them can know a key that the others do not.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/config/run_config.h"

namespace retrace {

enum class value_kind { whole, bytes, frequency, time, bandwidth, real, boolean, choice, text, path };

using config_value = std::variant<std::uint64_t, double, bool, std::string>;

struct value_rule {
    value_kind kind = value_kind::whole;
    std::uint64_t least = 0, most = 0;  ///< whole, bytes
    double low = 0, high = 0;           ///< frequency (Hz), time (ns), bandwidth (B/s), real
    std::vector<std::string> choices{}; ///< choice
    std::uint64_t multiple_of = 1;      ///< whole, bytes
    bool power_of_two = false;          ///< whole, bytes
    bool required = false;              ///< there is no default
    bool optional = false;              ///< 0 means absent: not written out, and not accepted as a value
};

/// How a visitor reaches the stored value.
struct value_access {
    std::function<config_value()> get;
    std::function<void(const config_value&)> set;
};

struct list_access {
    std::function<std::size_t()> size;
    std::function<void(std::size_t)> resize;
    std::function<void(std::size_t)> element; ///< visits element i: one scalar or section with an empty key
};

struct list_rule {
    std::size_t least = 0, most = 0;
    bool required = false;
};

class config_visitor {
public:
    virtual ~config_visitor() = default;
    virtual void open(std::string_view key, std::string_view text) = 0;
    virtual void close() = 0;
    virtual void scalar(std::string_view key, const value_rule& rule, std::string_view text,
                        const value_access& access) = 0;
    virtual void list(std::string_view key, const list_rule& rule, std::string_view text,
                      const list_access& access) = 0;
};

void visit(config_visitor& visitor, run_config& config);
void visit_npu(config_visitor& visitor, npu_config& npu); ///< section `npu`
void visit_npu_values(config_visitor& visitor,
                      npu_config& npu); ///< section `npu` without `preset`: a preset's keys

/// The keys as a tree, for checking names before any value is read.
struct schema_node {
    enum class kind { scalar, section, list };

    kind type = kind::section;
    std::string key;
    std::string text;                  ///< one line
    value_rule rule;                   ///< of a scalar
    std::string default_value;         ///< of a scalar; empty where it is required or absent
    std::vector<schema_node> children; ///< of a section; a list has one, its element

    const schema_node* find(std::string_view name) const;
    std::vector<std::string> names() const; ///< of the children
};

/// The whole tree (`config`), built once. Defaults are those of preset `small`.
const schema_node& config_schema();

/// Canonical text of a value, as the resolved configuration writes it (text and paths without quotes).
std::string value_text(const value_rule& rule, const config_value& value);

/// What a rule accepts, for messages and help: "1 to 256", "a size, 64 to 4GiB, a multiple of 64".
std::string accepted(const value_rule& rule);

} // namespace retrace
