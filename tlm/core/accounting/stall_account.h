#pragma once
// Where the cycles went, from the array's point of view: every cycle is attributed exactly once (hw/README.md, "Attribution").
//
// A cycle in which a row enters the array is compute. Otherwise, while weights enter: weight_load; while sums are still to come: fill
// before the first of them, drain after. Otherwise the array waits, and the cycle belongs to the busy agent at the end of the chain
// "array -> semaphore -> engine that signals it -> its semaphore -> ..."; to `semaphore` only if there is none.
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

class stall_account {
public:
    explicit stall_account(unsigned engines) : engines_(engines) {}

    /// The measured span begins at the first doorbell; until(c) attributes everything before cycle c.
    void begin(std::uint64_t cycle);
    void until(std::uint64_t cycle);
    /// Begins the span anew at `cycle`: what came before is not measured.
    void restart(std::uint64_t cycle);
    bool begun() const { return begun_; }
    std::uint64_t total() const { return last_ - first_; }
    std::uint64_t of(stall category) const { return cycles_[static_cast<unsigned>(category)]; }
    /// Cycles between the first weight row and the last column sum of a tile, tiles that overlap counted once.
    std::uint64_t array_cycles() const { return array_cycles_; }

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
    void context(std::uint64_t cycle, unsigned context, bool active);
    /// Doorbells, messages and register accesses on the link.
    void message(std::uint64_t cycle, int change);
    void host_computes(std::uint64_t cycle, bool computes);

private:
    struct agent {
        bool running = false, waiting = false;
        unsigned context = 0, semaphore = 0;
        std::uint32_t signals = 0; ///< semaphores its program signals
        stall category = stall::command;
        std::array<int, stall_count> transfers{};
    };
    struct interval {
        std::uint64_t from, to;
    };
    struct flight {
        std::uint64_t from, first_sum, end;
    };

    stall idle_reason() const;
    /// `visited`: engines that the chain has come past.
    stall reason_of(unsigned engine, std::uint32_t& visited) const;
    void add(stall category, std::uint64_t cycles) { cycles_[static_cast<unsigned>(category)] += cycles; }

    std::vector<agent> engines_;
    std::array<bool, spec::contexts> active_{};
    std::deque<interval> weights_, rows_, frozen_;
    std::deque<flight> flights_;
    std::array<std::uint64_t, stall_count> cycles_{};
    std::uint64_t first_ = 0, last_ = 0, array_cycles_ = 0, array_covered_ = 0, frozen_until_ = 0;
    int port_waits_ = 0, messages_ = 0;
    bool begun_ = false, host_ = false;
};

} // namespace retrace
