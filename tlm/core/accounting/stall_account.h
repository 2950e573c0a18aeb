#pragma once
// Where the cycles went: every cycle is attributed exactly once (hw/README.md, "Attribution of cycles"), from the array's point of view, per
// phase of the command it was spent on, and again for every engine: busy, waiting and for whom, or without a program.
//
// A cycle in which a row enters the array is compute. Otherwise, while weights enter: weight_load; while sums are still to come: fill
// before the first of them, drain after. Otherwise the array waits, and the cycle belongs to the busy agent at the end of the chain
// "array -> semaphore -> engine that signals it -> its semaphore -> ..."; to `semaphore` only if there is none.
//
// Agents tell changes, in any number per cycle; only a change with time behind it is worked out, and an engine's own cycles are added up
// when what it does changes. So the cost goes with the changes, not with cycles or engines.
#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace {

enum class stall : std::uint8_t {
    compute, fill, drain, weight_load, bank_conflict, dram, dma, link, activation, vector, semaphore, command, host, other
};
inline constexpr unsigned stall_count = 14;
std::string_view name_of(stall category);

/// As reports call it: "none", "forward", "loss", "recompute", "backward", "transfer", "evaluate".
std::string_view report_name_of(spec::phase phase);

/// What an engine does in a cycle. From `on_engine` on: waits for engine number (value - on_engine), which is at work.
enum engine_activity : unsigned {
    engine_busy,         ///< its data path works
    engine_idle,         ///< no program
    engine_issues,       ///< its sequencer takes, checks or hands over an instruction
    engine_instructions, ///< waits for instructions from device DRAM
    engine_banks,        ///< waits for banks
    engine_semaphore,    ///< waits for a semaphore that nobody at work leads to
    on_engine
};

/// The account's numbers at one moment. Cycles; every sum is exact.
struct cycle_attribution {
    std::uint64_t total = 0;
    /// By spec::phase and stall; all of them sum to `total`.
    std::array<std::array<std::uint64_t, stall_count>, spec::phase_count> phases{};
    /// By engine and engine_activity; each engine's sum to `total`.
    std::vector<std::vector<std::uint64_t>> engines;
    /// Consecutive intervals of `interval` cycles from cycle `first` on, the last one cut off at the end.
    std::uint64_t first = 0, interval = 1;
    std::vector<std::vector<std::uint64_t>> busy;                  ///< by engine and interval
    std::array<std::vector<std::uint64_t>, stall_count> stalls{};  ///< by stall and interval
    std::size_t intervals() const { return stalls.front().size(); }
};

class stall_account {
public:
    static constexpr unsigned most_intervals = 1024;

    explicit stall_account(unsigned engines);

    /// The measured span begins at the first doorbell; until(c) attributes everything before cycle c.
    void begin(std::uint64_t cycle);
    void until(std::uint64_t cycle);
    /// Begins the span anew at `cycle`: what came before is not measured.
    void restart(std::uint64_t cycle);
    bool begun() const { return begun_; }
    std::uint64_t total() const { return last_ - first_; }
    std::uint64_t of(stall category) const;
    /// Cycles between the first weight row and the last column sum of a tile, tiles that overlap counted once.
    std::uint64_t array_cycles() const { return array_cycles_; }
    /// Everything that has been attributed.
    cycle_attribution attribution() const;

    // The array's timeline, known when a tile is granted.
    void weights(std::uint64_t from, std::uint64_t to);
    void rows(std::uint64_t from, std::uint64_t to, std::uint64_t first_sum, std::uint64_t end);
    /// The array stands still in [from, to), in ascending order; what is known already is ignored. Where it would have been at work
    /// the cycles are bank conflicts: an injected stall stands for a memory that does not keep up.
    void frozen(std::uint64_t from, std::uint64_t to);

    // What agents do; each call first attributes the cycles before `cycle`.
    void run(std::uint64_t cycle, unsigned engine, unsigned context, std::uint32_t signals);
    void stop(std::uint64_t cycle, unsigned engine);
    void busy(std::uint64_t cycle, unsigned engine, stall category);
    void waiting(std::uint64_t cycle, unsigned engine, unsigned semaphore);
    /// The array's own ports wait for a bank (count of waiting ports).
    void array_port_waits(std::uint64_t cycle, int change);
    /// Chunks that a DMA queue has at a memory or on the link.
    void transfer(std::uint64_t cycle, unsigned engine, stall category, int change);
    /// `phase`: of its command, when it begins.
    void context(std::uint64_t cycle, unsigned context, bool active, spec::phase phase = spec::phase::none);
    /// Doorbells, messages and register accesses on the link.
    void message(std::uint64_t cycle, int change);
    void host_computes(std::uint64_t cycle, bool computes);

private:
    struct agent {
        bool running = false, waiting = false;
        unsigned context = 0, semaphore = 0;
        std::uint32_t signals = 0; ///< semaphores its program signals
        stall category = stall::command;
        std::array<int, 3> transfers{}; ///< at link, dram, dma
        int in_flight = 0;              ///< all of them; PE array: 1 while a tile is in it
        // what was worked out
        unsigned activity = engine_idle;
        std::uint64_t since = 0;            ///< cycle up to which its cycles have been added up
        std::vector<std::uint64_t> cycles;  ///< by engine_activity
    };
    struct interval {
        std::uint64_t from, to;
        spec::phase phase;
    };
    struct flight {
        std::uint64_t from, first_sum, end;
        spec::phase phase;
    };

    /// What has been handed over counts, whatever the sequencer waits for by now: chunks, tiles in the array, tiles whose port waits for banks.
    bool at_work(unsigned engine) const;
    stall reason_of(const agent& a) const;
    /// The engine at work at the end of the chain from `engine`; nobody if there is none. `visited`: engines it has come past.
    static constexpr unsigned nobody = ~0u;
    unsigned end_of(unsigned engine, std::uint32_t& visited) const;
    unsigned activity_of(unsigned engine) const;
    /// Works out what the agents' present states mean for the cycles from last_ on.
    void work_out();
    void set_running(unsigned engine, bool running);
    void find_reason();
    spec::phase phase_of(const agent& a) const { return phases_[a.context]; }
    void add_up(unsigned engine, std::vector<std::uint64_t>& cycles, std::vector<std::uint64_t>& table) const;
    /// Adds the cycles [from, to) to a column of the table of intervals.
    void spread(std::vector<std::uint64_t>& table, unsigned column, std::uint64_t from, std::uint64_t to) const;
    void widen_intervals(std::uint64_t cycle);

    std::vector<agent> engines_;
    std::uint32_t running_ = 0, counted_ = 0; ///< one bit per engine: has a program; was not idle when it was last worked out
    std::array<std::array<std::uint32_t, spec::semaphores>, spec::contexts> signallers_{}; ///< running engines whose programs signal it
    std::array<bool, spec::contexts> active_{};
    std::array<spec::phase, spec::contexts> phases_{};
    std::deque<interval> weights_, rows_, frozen_;
    std::deque<flight> flights_;
    std::array<std::array<std::uint64_t, stall_count>, spec::phase_count> cycles_{};
    std::uint64_t first_ = 0, last_ = 0, array_cycles_ = 0, array_covered_ = 0, frozen_until_ = 0;
    int port_waits_ = 0, messages_ = 0;
    bool begun_ = false, host_ = false, changed_ = true;
    stall reason_ = stall::command; ///< of cycles that the array's own timeline does not claim
    spec::phase reason_phase_ = spec::phase::none;
    unsigned shift_ = 0;               ///< an interval has 2^shift_ cycles
    unsigned columns_;                 ///< of a row: stalls, then busy cycles of the engines
    std::vector<std::uint64_t> table_; ///< a row per interval
};

} // namespace retrace
