#pragma once
// Records probes into a file of waves: which ones (scopes), when (a window, a trigger with what was before it), and how much at most.
// Blocks tell changes out of order (trace/probes.h); here they are put in order.
#include <bit>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <variant>

#include "waves/wave_file.h"

namespace retrace {

struct wave_settings {
    std::string file;                ///< .fst or .vcd
    std::vector<std::string> scopes; ///< patterns of names with * and ?, or the beginning of a name: "npu0.array.*", "npu0.dma0"; none: all but PEs
    std::uint64_t start = 0, stop = ~std::uint64_t{0}; ///< cycles [start, stop)
    std::string trigger;             ///< name of a probe: recording begins when it becomes other than 0
    std::uint64_t before = 10'000;   ///< cycles kept from before the trigger
    std::uint64_t max_bytes = 200'000'000;
};

/// True if `pattern` means `name`: * stands for any text, ? for one character; a pattern that names a scope means all that is in it.
bool matches(std::string_view pattern, std::string_view name);
/// Names in which numbers come in their order: bank2 before bank10.
bool natural_less(std::string_view a, std::string_view b);

/// Throws wave_error for a scope or a trigger that means no signal of these, with what there is.
void check_names(const wave_settings& settings, const trace::probe_registry& probes);

class wave_recorder final : public trace::probe_listener {
public:
    /// `now`: the present cycle. Throws wave_error: a file that cannot be written, a pattern or trigger that means no probe (with near names).
    wave_recorder(const wave_settings& settings, trace::probe_registry& probes, std::uint64_t femtoseconds_per_cycle,
                  std::function<std::uint64_t()> now);
    ~wave_recorder() override; ///< closes the file if it is open

    /// Writes everything up to now, and closes. Throws wave_error.
    void close();

    /// What a user should know: that the window selected nothing, or that the file was full and when. Empty: nothing.
    std::string remarks() const;
    std::uint64_t changes() const { return changes_; } ///< written
    std::span<const trace::probe> signals() const { return {signals_.data(), of_file_}; } ///< of the file, in its order
    wave_time time() const { return time_; }
    std::uint64_t last() const { return file_time_; } ///< cycle of the file, after close()
    /// Whether what happened in this cycle is in the file, once it is closed.
    bool covers(std::uint64_t cycle) const { return begun_ && cycle >= first_ && cycle < settings_.stop && (!full_ || cycle < *full_); }
    std::optional<std::uint64_t> triggered() const { return triggered_; }

    void change(trace::probe_id probe, trace::cycle_t cycle, std::uint64_t bits) override { queue(probe, cycle, bits); }
    void change(trace::probe_id probe, trace::cycle_t cycle, double value) override { queue(probe, cycle, std::bit_cast<std::uint64_t>(value)); }
    void change(trace::probe_id probe, trace::cycle_t cycle, std::string text) override { queue(probe, cycle, keep(std::move(text))); }

private:
    using value = std::variant<std::uint64_t, double, std::string>;
    struct told {
        std::uint64_t cycle;
        std::uint32_t signal;
        value what;
    };
    /// A change that waits for its turn, small and plain: they are moved about a lot. `payload`: bits, those of a double, or where the text is.
    struct waiting {
        std::uint64_t cycle, order, payload;
        std::uint32_t signal;
        bool operator>(const waiting& o) const { return cycle != o.cycle ? cycle > o.cycle : order > o.order; }
    };

    void queue(trace::probe_id probe, std::uint64_t cycle, std::uint64_t payload);
    std::uint64_t keep(std::string text);
    value value_of(const waiting& w);
    void listen();
    void settle(std::uint64_t cycle); ///< everything before `cycle` has been told
    void take(told& t);               ///< in order
    void begin(std::uint64_t cycle);
    void write(std::uint64_t cycle, std::uint32_t signal, const value& what);
    void write_pending();

    wave_settings settings_;
    trace::probe_registry& registry_;
    std::function<std::uint64_t()> now_;
    wave_time time_;
    std::vector<trace::probe> signals_;       ///< of the file, in its order; then the trigger, if it is none of them
    std::size_t of_file_ = 0;
    std::vector<std::uint32_t> signal_of_;    ///< by probe
    bool sleeps_ = false;                     ///< the window is far away
    std::vector<value> values_;               ///< as of the last change taken
    std::vector<value> written_;              ///< as the file has it
    std::priority_queue<waiting, std::vector<waiting>, std::greater<>> waiting_;
    std::vector<std::string> texts_;          ///< of those
    std::vector<std::uint64_t> free_texts_;
    std::uint64_t orders_ = 0, settled_ = 0;
    std::deque<told> ring_;                   ///< changes since `before` cycles, until the trigger
    std::vector<value> base_;                 ///< values before the first change that may come into the file
    std::uint32_t trigger_ = ~0u;             ///< signal
    bool trigger_drawn_ = false;              ///< it is one of the scopes too
    std::optional<std::uint64_t> triggered_, full_;
    std::unique_ptr<wave_file> file_;
    std::vector<std::pair<std::uint32_t, value>> pending_; ///< changes of pending_cycle_ that are not in the file
    std::uint64_t pending_cycle_ = 0;
    bool begun_ = false, settling_ = false;
    std::uint64_t first_ = 0; ///< cycle of the file
    std::uint64_t file_time_ = ~std::uint64_t{0}, changes_ = 0, measured_ = 0, last_ = 0;
};

} // namespace retrace
