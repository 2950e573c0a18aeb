#pragma once
// Passes events on and remembers the names of tensors, for whoever writes them beside tags.
#include <map>
#include <string>

#include "trace/events.h"

namespace retrace {

class tensor_names final : public trace::event_sink {
public:
    explicit tensor_names(trace::event_sink* next) : next_(next) {} ///< may be null

    /// Empty: nobody has named it.
    std::string name(std::uint32_t tag) const {
        const auto found = names_.find(tag);
        return found == names_.end() ? std::string() : found->second;
    }

    void on(const trace::command_event& e) override { pass(e); }
    void on(const trace::access_event& e) override { pass(e); }
    void on(const trace::tensor_event& e) override { pass(e); }
    void on(const trace::stale_read_event& e) override { pass(e); }
    void on(const trace::occupancy_event& e) override { pass(e); }
    void on(const trace::host_event& e) override { pass(e); }
    void name_tensor(std::uint32_t tag, std::string_view name) override {
        names_[tag] = name;
        if (next_)
            next_->name_tensor(tag, name);
    }
    bool wants_accesses(std::uint32_t step) const override { return next_ && next_->wants_accesses(step); }
    bool wants_timing() const override { return next_ && next_->wants_timing(); }
    void timing(const trace::program_event& e) override { pass_timing(e); }
    void timing(const trace::instruction_event& e) override { pass_timing(e); }
    void timing(const trace::grant_event& e) override { pass_timing(e); }
    void timing(const trace::mover_event& e) override { pass_timing(e); }

private:
    template <typename Event>
    void pass(const Event& e) {
        if (next_)
            next_->on(e);
    }
    template <typename Event>
    void pass_timing(const Event& e) {
        if (next_)
            next_->timing(e);
    }

    trace::event_sink* next_;
    std::map<std::uint32_t, std::string> names_;
};

} // namespace retrace
