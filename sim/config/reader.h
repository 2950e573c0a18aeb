#pragma once
// From a document to the values of a configuration, in two steps: first every key is checked against the
// schema, so that a mistyped key is reported as such and not as a missing one; then values are read, each
// with its own place in messages. Both throw config_error.
#include <map>
#include <string>
#include <vector>

#include "sim/config/document.h"
#include "sim/config/schema.h"

namespace retrace {

/// Where each key was written: path (npu.array.rows, network.layers.2.dense) to file:line or --set key.
class config_places {
public:
    void add(const std::string& path, const std::string& where) { places_[path] = where; }
    /// The place of a key, or of the innermost written section around it.
    std::string of(std::string path) const;
    /// The place to blame where several keys do not fit together: the first that came by --set, else the
    /// first that was written at all, else what is around the first.
    std::string of(const std::vector<std::string>& paths) const;

private:
    std::map<std::string, std::string> places_{{"", "configuration"}};
};

/// Unknown keys and shapes that do not fit (a list where a number belongs). `path` is the section's own, ""
/// at the top.
void check_keys(const document_node& node, const schema_node& schema, const std::string& path = "");

/// Applies one `--set a.b.c=value` to the document. Throws config_error whose place is "--set a.b.c".
void apply_override(document_node& root, const schema_node& schema, const std::string& assignment);

class config_reader : public config_visitor {
public:
    /// `complete`: every key must be written, as in a preset. `folder`: what paths in the file are relative
    /// to.
    config_reader(const document_node& root, std::string folder, bool complete = false);

    void open(std::string_view key, std::string_view text) override;
    void close() override;
    void scalar(std::string_view key, const value_rule& rule, std::string_view text,
                const value_access& access) override;
    void list(std::string_view key, const list_rule& rule, std::string_view text,
              const list_access& access) override;

    const config_places& places() const { return places_; }

private:
    struct level {
        const document_node* node; ///< null where the section is not written
        std::string path;
    };

    const document_node* take(std::string_view key); ///< null where absent
    std::string path_of(std::string_view key) const;
    config_value parse(const document_node& node, const value_rule& rule) const;

    std::vector<level> levels_;
    std::string folder_;
    bool complete_;
    const document_node* element_ = nullptr; ///< the list entry that the next empty key stands for
    std::string element_path_;
    config_places places_;
};

} // namespace retrace
