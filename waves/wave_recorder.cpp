#include "waves/wave_recorder.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace retrace {

using trace::probe_kind;

namespace {

constexpr std::size_t most_waiting = 1u << 17; ///< changes in memory before late sources are asked

bool glob(std::string_view pattern, std::string_view name) {
    // Greedy with one point to come back to: linear for what people write.
    std::size_t p = 0, n = 0, star = pattern.npos, mark = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*')
            ++p, ++n;
        else if (p < pattern.size() && pattern[p] == '*')
            star = p++, mark = n;
        else if (star != pattern.npos)
            p = star + 1, n = ++mark;
        else
            return false;
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

/// Registers of single PEs: drawn when asked for by name.
bool is_detail(std::string_view name) { return name.find(".pe_") != name.npos; }

/// The scopes there are, for a message.
std::string scopes_of(const trace::probe_registry& registry) {
    std::vector<std::string> scopes;
    for (const trace::probe& p : registry.probes()) {
        const std::string scope = p.name.substr(0, p.name.rfind('.'));
        if (!is_detail(scope + ".") && std::find(scopes.begin(), scopes.end(), scope) == scopes.end())
            scopes.push_back(scope);
    }
    return fmt::format("{}", fmt::join(scopes, ", "));
}

std::variant<std::uint64_t, double, std::string> initial(const trace::probe& p) {
    if (p.kind == probe_kind::text)
        return std::string();
    if (p.kind == probe_kind::real)
        return 0.0;
    return std::uint64_t{0};
}

} // namespace

bool matches(std::string_view pattern, std::string_view name) {
    if (glob(pattern, name))
        return true;
    for (std::size_t dot = name.rfind('.'); dot != name.npos && dot != 0; dot = name.rfind('.', dot - 1))
        if (glob(pattern, name.substr(0, dot)))
            return true;
    return false;
}

bool natural_less(std::string_view a, std::string_view b) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (digit(a[i]) && digit(b[j])) {
            std::size_t x = i, y = j;
            while (x < a.size() && digit(a[x]))
                ++x;
            while (y < b.size() && digit(b[y]))
                ++y;
            if (x - i != y - j)
                return x - i < y - j;
            if (const int c = a.substr(i, x - i).compare(b.substr(j, y - j)))
                return c < 0;
            i = x, j = y;
        } else {
            if (a[i] != b[j])
                return a[i] < b[j];
            ++i, ++j;
        }
    }
    return a.size() - i < b.size() - j;
}

void check_names(const wave_settings& settings, const trace::probe_registry& probes) {
    const std::vector<trace::probe>& all = probes.probes();
    for (const std::string& s : settings.scopes)
        if (std::none_of(all.begin(), all.end(), [&](const trace::probe& p) { return matches(s, p.name); }))
            throw wave_error(fmt::format("--wave-scope {}: no signal has such a name; there are the scopes {}", s, scopes_of(probes)));
    if (settings.start >= settings.stop)
        throw wave_error(fmt::format("the waves from cycle {} to {} hold no cycle: --wave-stop is the first cycle after them", settings.start, settings.stop));
    if (settings.trigger.empty())
        return;
    const auto trigger = std::find_if(all.begin(), all.end(), [&](const trace::probe& p) { return p.name == settings.trigger; });
    if (trigger == all.end() || trigger->kind != probe_kind::bits)
        throw wave_error(fmt::format("--wave-trigger {}: {}", settings.trigger,
                                     trigger == all.end() ? "there is no such signal; a trigger is the full name of one, for example npu0.dma0.fault"
                                                          : "the signal is no number"));
}

wave_recorder::wave_recorder(const wave_settings& settings, trace::probe_registry& probes, std::uint64_t femtoseconds_per_cycle,
                             std::function<std::uint64_t()> now)
    : settings_(settings), registry_(probes), now_(std::move(now)), time_(time_of(femtoseconds_per_cycle)) {
    const std::vector<trace::probe>& all = registry_.probes();
    check_names(settings_, registry_);
    const auto drawn = [&](const trace::probe& p) {
        if (settings_.scopes.empty())
            return !is_detail(p.name);
        return std::any_of(settings_.scopes.begin(), settings_.scopes.end(), [&](const std::string& s) { return matches(s, p.name); });
    };
    std::vector<std::uint32_t> order;
    std::uint32_t trigger = ~0u;
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        if (drawn(all[i]))
            order.push_back(i);
        if (!settings_.trigger.empty() && all[i].name == settings_.trigger)
            trigger = i;
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return natural_less(all[a].name, all[b].name); });
    signal_of_.assign(all.size(), ~0u);
    for (const std::uint32_t probe : order) {
        signal_of_[probe] = static_cast<std::uint32_t>(signals_.size());
        signals_.push_back(all[probe]);
    }
    of_file_ = signals_.size();
    if (trigger != ~0u) {
        trigger_drawn_ = signal_of_[trigger] != ~0u;
        if (!trigger_drawn_) {
            signal_of_[trigger] = static_cast<std::uint32_t>(signals_.size());
            signals_.push_back(all[trigger]);
        }
        trigger_ = signal_of_[trigger];
    }
    for (const trace::probe& p : signals_)
        values_.push_back(initial(p));
    written_ = base_ = values_;
    const bool vcd = settings_.file.ends_with(".vcd");
    if (!vcd && !settings_.file.ends_with(".fst"))
        throw wave_error(fmt::format("{}: a file of waves ends in .fst or .vcd", settings_.file));
    const std::span<const trace::probe> drawn_signals = signals();
    file_ = vcd ? make_vcd(settings_.file, drawn_signals, time_) : make_fst(settings_.file, drawn_signals, time_, settings_.max_bytes);
    // Until shortly before the window nobody listens, and it costs nothing. What is told ahead of its cycle is told less than this ahead.
    constexpr std::uint64_t lead = 16'384;
    if (trigger_ == ~0u && settings_.start > lead) {
        sleeps_ = true;
        registry_.sleep_until(settings_.start - lead, [this] {
            listen();
            registry_.retell(now_());
        });
    } else {
        listen();
    }
}

void wave_recorder::listen() {
    sleeps_ = false;
    const std::vector<trace::probe>& all = registry_.probes();
    registry_.listen(this, [&](const trace::probe& p) { return signal_of_[static_cast<std::size_t>(&p - all.data())] != ~0u; });
}

wave_recorder::~wave_recorder() {
    registry_.listen(nullptr, {});
    try {
        if (file_)
            close();
    } catch (...) { // there was an earlier error to tell
    }
}

void wave_recorder::queue(trace::probe_id probe, std::uint64_t cycle, std::uint64_t payload) {
    const std::uint32_t signal = signal_of_[probe];
    if (full_ || cycle >= settings_.stop) {
        if (signals_[signal].kind == probe_kind::text)
            free_texts_.push_back(payload);
        return;
    }
    waiting_.push({std::max(cycle, settled_), orders_++, payload, signal});
    if (waiting_.size() > most_waiting && !settling_) {
        settling_ = true; // late sources tell more
        settle(std::min(cycle, now_())); // one of them may be in the middle of telling what happened before
        settling_ = false;
    }
}

std::uint64_t wave_recorder::keep(std::string text) {
    if (free_texts_.empty()) {
        texts_.push_back(std::move(text));
        return texts_.size() - 1;
    }
    const std::uint64_t place = free_texts_.back();
    free_texts_.pop_back();
    texts_[place] = std::move(text);
    return place;
}

wave_recorder::value wave_recorder::value_of(const waiting& w) {
    switch (signals_[w.signal].kind) {
    case probe_kind::bits: return w.payload;
    case probe_kind::real: return std::bit_cast<double>(w.payload);
    case probe_kind::text: break;
    }
    free_texts_.push_back(w.payload);
    return std::move(texts_[w.payload]);
}

void wave_recorder::settle(std::uint64_t cycle) {
    registry_.catch_up(cycle);
    while (!waiting_.empty() && waiting_.top().cycle < cycle) {
        const waiting next = waiting_.top();
        waiting_.pop();
        told t{next.cycle, next.signal, value_of(next)};
        take(t);
    }
    settled_ = std::max(settled_, cycle);
}

void wave_recorder::take(told& t) {
    if (values_[t.signal] == t.what || full_)
        return;
    last_ = t.cycle;
    const bool triggers = t.signal == trigger_ && !triggered_ && t.cycle >= settings_.start && std::get<std::uint64_t>(t.what) != 0;
    if (triggers)
        triggered_ = t.cycle;
    values_[t.signal] = t.what;
    if (t.cycle < settings_.start) {
        base_[t.signal] = std::move(t.what);
        return;
    }
    if (trigger_ != ~0u && !triggered_) {
        ring_.push_back(t);
        while (ring_.front().cycle + settings_.before < t.cycle) {
            base_[ring_.front().signal] = ring_.front().what;
            ring_.pop_front();
        }
        return;
    }
    if (!begun_)
        begin(t.cycle);
    write(t.cycle, t.signal, t.what);
}

void wave_recorder::begin(std::uint64_t cycle) {
    // Every signal's value at the first cycle; with a trigger that is the beginning of the ring.
    begun_ = true;
    const bool ring = trigger_ != ~0u;
    const std::uint64_t first = ring ? std::max(settings_.start, cycle < settings_.before ? 0 : cycle - settings_.before) : settings_.start;
    if (ring)
        while (!ring_.empty() && ring_.front().cycle < first) {
            base_[ring_.front().signal] = ring_.front().what;
            ring_.pop_front();
        }
    file_->time(first);
    file_time_ = first_ = first;
    for (std::uint32_t s = 0; s < signals_.size(); ++s)
        if (s != trigger_ || trigger_drawn_) {
            written_[s] = base_[s];
            std::visit([&](const auto& v) {
                using type = std::decay_t<decltype(v)>;
                if constexpr (std::is_same_v<type, std::uint64_t>)
                    file_->bits(s, v);
                else if constexpr (std::is_same_v<type, double>)
                    file_->real(s, v);
                else
                    file_->text(s, v);
            }, written_[s]);
        }
    for (const told& t : ring_)
        write(t.cycle, t.signal, t.what);
    ring_.clear();
}

void wave_recorder::write(std::uint64_t cycle, std::uint32_t signal, const value& what) {
    if (signal == trigger_ && !trigger_drawn_)
        return;
    if (cycle != pending_cycle_)
        write_pending();
    pending_cycle_ = cycle;
    pending_.emplace_back(signal, what);
}

void wave_recorder::write_pending() {
    // What a cycle ends with, in the order of the signals: who told first is of no interest.
    std::stable_sort(pending_.begin(), pending_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < pending_.size() && !full_; ++i) {
        const auto& [signal, what] = pending_[i];
        if ((i + 1 < pending_.size() && pending_[i + 1].first == signal) || written_[signal] == what)
            continue;
        if (pending_cycle_ != file_time_) {
            if (changes_ - measured_ > 1000) {
                measured_ = changes_;
                if (file_->bytes() >= settings_.max_bytes) {
                    full_ = pending_cycle_;
                    break;
                }
            }
            file_->time(pending_cycle_);
            file_time_ = pending_cycle_;
        }
        written_[signal] = what;
        ++changes_;
        if (const auto* bits = std::get_if<std::uint64_t>(&what))
            file_->bits(signal, *bits);
        else if (const auto* real = std::get_if<double>(&what))
            file_->real(signal, *real);
        else
            file_->text(signal, std::get<std::string>(what));
    }
    pending_.clear();
}

void wave_recorder::close() {
    if (!file_)
        return;
    const std::uint64_t now = now_();
    settle(now + 1);
    write_pending();
    if (begun_ && !full_ && std::min(now, settings_.stop) > file_time_)
        file_->time(file_time_ = std::min(now, settings_.stop));
    const std::unique_ptr<wave_file> file = std::move(file_);
    file->close();
}

std::string wave_recorder::remarks() const {
    if (full_)
        return fmt::format("{} reached {:.3g} MB and stops before cycle {}; the run went on. A window (--wave-start, --wave-stop), fewer signals "
                           "(--wave-scope) or --wave-max keep it smaller",
                           settings_.file, static_cast<double>(settings_.max_bytes) / 1e6, *full_);
    if (trigger_ != ~0u && !triggered_)
        return fmt::format("{} is empty: {} never became other than 0", settings_.file, settings_.trigger);
    if (sleeps_)
        return fmt::format("{} is empty: the run ended before cycle {}, in cycle {}", settings_.file, settings_.start, now_());
    if (!begun_)
        return fmt::format("{} is empty: no signal changed from cycle {} to {}; the last change was in cycle {}", settings_.file, settings_.start,
                           settings_.stop == ~std::uint64_t{0} ? "the end" : std::to_string(settings_.stop), last_);
    return {};
}

} // namespace retrace
