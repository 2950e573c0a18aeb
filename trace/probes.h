#pragma once
// Named signals of the device, for whoever draws them. A block adds its probes when it is made and tells every change; a probe that nobody
// listens to costs the test of a flag. A leaf like events.h: no files, no SystemC.
//
// A change carries its cycle. It may be told before that cycle (a burst says at its grant when it will end) and after it (an array that is
// simulated in pieces); what has been told up to a cycle is complete once catch_up() of that cycle has returned.
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/events.h"

namespace retrace::trace {

using probe_id = std::uint32_t;

enum class probe_kind : std::uint8_t {
    bits, ///< an unsigned number of `width` bits, 1 to 64
    text, ///< what is going on; empty: nothing
    real  ///< an analogue value
};

struct probe {
    std::string name; ///< hierarchical: "npu0.dma0.state"
    probe_kind kind = probe_kind::bits;
    unsigned width = 1;           ///< bits only
    std::string_view values = {}; ///< how a reader wants to see them: name of a translate filter of waves/ ("sequencer", "opcode", "fp32"); empty: as a number
};

/// Hears the changes of the probes it has asked for.
class probe_listener {
public:
    virtual ~probe_listener() = default;
    virtual void change(probe_id probe, cycle_t cycle, std::uint64_t bits) = 0;
    virtual void change(probe_id probe, cycle_t cycle, double value) = 0;
    virtual void change(probe_id probe, cycle_t cycle, std::string text) = 0;
};

class probe_registry {
public:
    /// Before anybody listens. All probes begin at 0, empty.
    probe_id add(probe p) {
        if (listener_)
            throw std::logic_error("probe " + p.name + " is added after somebody has begun to listen");
        probes_.push_back(std::move(p));
        present_.push_back(0);
        wanted_.push_back(false);
        return static_cast<probe_id>(probes_.size() - 1);
    }
    const std::vector<probe>& probes() const { return probes_; }

    /// One listener at a time; null: nobody.
    void listen(probe_listener* listener, const std::function<bool(const probe&)>& wanted) {
        listener_ = listener;
        wake_at_ = ~cycle_t{0};
        ++epoch_;
        for (std::size_t i = 0; i < probes_.size(); ++i)
            wanted_[i] = listener && wanted(probes_[i]);
    }
    bool wanted(probe_id id) const { return wanted_[id]; }
    /// Changes with every listen(): whoever has asked for many probes need not ask again before.
    unsigned epoch() const { return epoch_; }

    /// Nobody listens until there is a change of this cycle or a later one: then `wake` is called, once, to listen().
    void sleep_until(cycle_t cycle, std::function<void()> wake) {
        listen(nullptr, {});
        wake_at_ = cycle;
        wake_ = std::move(wake);
    }
    /// Tells the listener how everything that it wants stands, in this cycle: for one who comes late.
    void retell(cycle_t cycle) const {
        for (probe_id id = 0; id < probes_.size(); ++id)
            if (wanted_[id] && probes_[id].kind == probe_kind::bits)
                listener_->change(id, cycle, present_[id]);
        for (const auto& source : text_sources_)
            source(cycle);
    }

    void set(probe_id id, cycle_t cycle, std::uint64_t bits) {
        present_[id] = bits;
        if (wanted_[id])
            listener_->change(id, cycle, bits);
        else if (cycle >= wake_at_)
            wake();
    }
    void set_real(probe_id id, cycle_t cycle, double value) {
        if (wanted_[id])
            listener_->change(id, cycle, value);
    }
    /// Make the text only if it is wanted().
    void set_text(probe_id id, cycle_t cycle, std::string text) {
        if (wanted_[id])
            listener_->change(id, cycle, std::move(text));
    }

    /// Names of tensors in texts, from whoever knows them; without it they are numbers.
    void name_tensors(std::function<std::string(std::uint32_t tag)> name) { tensor_name_ = std::move(name); }
    std::string tensor_name(std::uint32_t tag) const {
        std::string name = tensor_name_ ? tensor_name_(tag) : std::string();
        return name.empty() ? std::to_string(tag) : name;
    }

    /// A block that tells its changes late: called with a cycle, it tells all before it.
    void add_late_source(std::function<void(cycle_t)> source) { late_sources_.push_back(std::move(source)); }
    /// A block with texts: called with a cycle, it tells those that stand.
    void add_text_source(std::function<void(cycle_t)> source) { text_sources_.push_back(std::move(source)); }
    void catch_up(cycle_t cycle) const {
        for (const auto& source : late_sources_)
            source(cycle);
    }

private:
    void wake() {
        wake_at_ = ~cycle_t{0};
        wake_();
    }

    std::vector<probe> probes_;
    std::vector<std::uint64_t> present_;
    std::vector<std::uint8_t> wanted_; // a byte each: asked for at every change
    std::vector<std::function<void(cycle_t)>> late_sources_;
    std::vector<std::function<void(cycle_t)>> text_sources_;
    std::function<std::string(std::uint32_t)> tensor_name_;
    cycle_t wake_at_ = ~cycle_t{0};
    std::function<void()> wake_;
    probe_listener* listener_ = nullptr;
    unsigned epoch_ = 0;
};

} // namespace retrace::trace
