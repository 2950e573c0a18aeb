#include "sim/cosim/shrinker.h"

#include <algorithm>
#include <set>

#include "sim/cosim/case_rules.h"
#include "sim/cosim/reference.h"

namespace retrace::cosim {

using spec::opcode;

namespace {

/// Leaves out the elements first .. first + count - 1 of all operations in the case's order.
test_case without_operations(const test_case& c, std::size_t first, std::size_t count) {
    test_case smaller = c;
    std::size_t at = 0;
    for (command& k : smaller.commands) {
        std::vector<operation> kept;
        for (const operation& o : k.operations) {
            if (at < first || at >= first + count)
                kept.push_back(o);
            ++at;
        }
        k.operations = std::move(kept);
    }
    return smaller;
}

std::size_t operation_count(const test_case& c) {
    std::size_t count = 0;
    for (const command& k : c.commands)
        count += k.operations.size();
    return count;
}

void drop_unused_buffers(test_case& c) {
    std::set<unsigned> used;
    const auto visit = [&](auto&& what) {
        for (command& k : c.commands) {
            for (operation& o : k.operations) {
                if (o.opcode == opcode::copy) {
                    what(o.from.buffer), what(o.to.buffer);
                } else if (o.opcode != opcode::nop) {
                    what(o.a.buffer);
                    if (o.opcode == opcode::binary || (o.opcode == opcode::activate && o.flags & spec::activate_bias))
                        what(o.b.buffer);
                    if (o.opcode != opcode::load_weights)
                        what(o.d.buffer);
                }
            }
            for (unsigned& b : k.release)
                what(b);
        }
    };
    visit([&](unsigned b) { used.insert(b); });
    std::vector<unsigned> place(c.buffers.size(), 0);
    std::vector<buffer> kept;
    for (unsigned b = 0; b < c.buffers.size(); ++b)
        if (used.count(b)) {
            place[b] = static_cast<unsigned>(kept.size());
            kept.push_back(c.buffers[b]);
        }
    visit([&](unsigned& b) { b = place[b]; });
    // Places that an operation does not use refer to nothing.
    for (command& k : c.commands)
        for (operation& o : k.operations) {
            const auto clear = [&](auto& p) { p.buffer = 0; };
            if (o.opcode == opcode::copy || o.opcode == opcode::nop)
                clear(o.a), clear(o.d);
            if (o.opcode == opcode::load_weights)
                clear(o.d);
            if (o.opcode != opcode::binary && !(o.opcode == opcode::activate && o.flags & spec::activate_bias))
                clear(o.b);
            if (o.opcode != opcode::copy)
                clear(o.from), clear(o.to);
        }
    c.buffers = std::move(kept);
}

class shrinker {
public:
    shrinker(const test_case& c, const std::function<bool(const test_case&)>& fails, unsigned most)
        : best_(c), fails_(fails), left_(most), most_(most) {}

    shrunk_case run() {
        for (bool smaller = true; smaller && left_ > 0;) {
            smaller = drop_commands();
            smaller = drop_operations() || smaller;
            smaller = merge_commands() || smaller;
            smaller = simplify() || smaller; // before the shapes: it takes few trials, and a reader has less to look at
            smaller = shrink_shapes() || smaller;
        }
        return {best_, most_ - left_, left_ > 0};
    }

private:
    /// Takes the candidate if it is legal, new, and still fails.
    bool take(test_case candidate) {
        if (left_ == 0 || candidate == best_ || find_fault(candidate))
            return false;
        try {
            prepare(candidate, spec::host_window_base);
        } catch (const case_error&) {
            return false;
        }
        --left_;
        if (!fails_(candidate))
            return false;
        best_ = std::move(candidate);
        return true;
    }

    bool drop_commands() {
        bool smaller = false;
        for (std::size_t chunk = best_.commands.size(); chunk > 0; chunk /= 2)
            for (std::size_t end = best_.commands.size(); end >= chunk && end > 0;) {
                test_case candidate = best_;
                const auto first = candidate.commands.begin() + static_cast<std::ptrdiff_t>(end - chunk);
                candidate.commands.erase(first, first + static_cast<std::ptrdiff_t>(chunk));
                repair(candidate);
                if (!candidate.commands.empty() && take(std::move(candidate))) {
                    smaller = true;
                    end = std::min(end - chunk, best_.commands.size());
                } else {
                    --end;
                }
            }
        return smaller;
    }

    /// What two commands do, in one.
    bool merge_commands() {
        bool smaller = false;
        for (std::size_t k = best_.commands.size(); k-- > 1;) {
            test_case candidate = best_;
            command &first = candidate.commands[k - 1], &second = candidate.commands[k];
            first.operations.insert(first.operations.end(), second.operations.begin(), second.operations.end());
            first.release = second.release;
            if (!first.work_bytes)
                first.work_base = second.work_base, first.work_bytes = second.work_bytes;
            if (!first.psum_count)
                first.psum_first = second.psum_first, first.psum_count = second.psum_count;
            candidate.commands.erase(candidate.commands.begin() + static_cast<std::ptrdiff_t>(k));
            smaller = take(std::move(candidate)) || smaller;
        }
        return smaller;
    }

    bool drop_operations() {
        bool smaller = false;
        // From the end: nothing depends on the last ones.
        for (std::size_t chunk = std::max<std::size_t>(1, operation_count(best_) / 2); chunk > 0; chunk /= 2)
            for (std::size_t end = operation_count(best_); end > 0;) {
                const std::size_t first = end > chunk ? end - chunk : 0;
                test_case candidate = without_operations(best_, first, end - first);
                repair(candidate);
                if (take(std::move(candidate)))
                    smaller = true;
                end = std::min(first, operation_count(best_));
            }
        return smaller;
    }

    /// Tries 1, a half and one less for a number of an operation.
    template <typename Set>
    bool lower(std::uint32_t value, Set&& set) {
        bool smaller = false;
        while (value > 1) {
            bool taken = false;
            for (const std::uint32_t next : {1u, value / 2, value - 1}) {
                test_case candidate = best_;
                set(candidate, next);
                if (take(std::move(candidate))) {
                    value = next;
                    taken = smaller = true;
                    break;
                }
            }
            if (!taken)
                break;
        }
        return smaller;
    }

    /// The depth of a tile is that of its load and of all streams that use it.
    static void set_depth(command& k, std::size_t load, std::uint32_t depth) {
        std::vector<std::size_t> loads;
        std::size_t active = ~std::size_t{0};
        for (std::size_t o = 0; o < k.operations.size(); ++o) {
            operation& op = k.operations[o];
            if (op.opcode == opcode::load_weights)
                loads.push_back(o);
            if (op.opcode != opcode::matmul)
                continue;
            if ((op.flags & spec::matmul_swap) && !loads.empty()) {
                active = loads.front();
                loads.erase(loads.begin());
            }
            if (active == load)
                op.columns = depth;
        }
        k.operations[load].rows = depth;
    }

    bool shrink_shapes() {
        bool smaller = false;
        for (std::size_t k = best_.commands.size(); k-- > 0;)
            for (std::size_t o = best_.commands[k].operations.size(); o-- > 0;) {
                const operation op = best_.commands[k].operations[o];
                const auto number = [&](auto member) {
                    smaller = lower(member(best_.commands[k].operations[o]),
                                    [&](test_case& c, std::uint32_t v) { member(c.commands[k].operations[o]) = v; }) ||
                              smaller;
                };
                switch (op.opcode) {
                case opcode::nop:
                    break;
                case opcode::copy:
                    for (unsigned d = 4; d-- > 0;)
                        if (d == 0 && op.flags & spec::copy_transpose)
                            smaller = lower(best_.commands[k].operations[o].sizes[0] / op.element_bytes,
                                            [&](test_case& c, std::uint32_t v) {
                                                c.commands[k].operations[o].sizes[0] = v * op.element_bytes;
                                            }) ||
                                      smaller;
                        else
                            number([d](operation& x) -> std::uint32_t& { return x.sizes[d]; });
                    break;
                case opcode::load_weights:
                    smaller = lower(op.rows, [&](test_case& c, std::uint32_t v) { set_depth(c.commands[k], o, v); }) || smaller;
                    number([](operation& x) -> std::uint32_t& { return x.columns; });
                    break;
                case opcode::matmul:
                    number([](operation& x) -> std::uint32_t& { return x.rows; });
                    break;
                default:
                    number([](operation& x) -> std::uint32_t& { return x.rows; });
                    number([](operation& x) -> std::uint32_t& { return x.columns; });
                }
            }
        return smaller;
    }

    template <typename Change>
    bool change(Change&& change) {
        test_case candidate = best_;
        change(candidate);
        return take(std::move(candidate));
    }

    bool simplify() {
        bool smaller = change(drop_unused_buffers);
        const auto machine = [&](auto member, auto value) {
            smaller = change([&](test_case& c) { c.machine.*member = value; }) || smaller;
        };
        using m = machine_settings;
        machine(&m::stress_seed, std::uint64_t{0});
        machine(&m::array_stress, false);
        machine(&m::request_stress, 0u);
        machine(&m::chunk_stress, 0u);
        machine(&m::message_stress, 0u);
        machine(&m::reorder, false);
        machine(&m::ideal_memories, true);
        machine(&m::refresh, false);
        machine(&m::fma_depth, 1u);
        machine(&m::weight_registers, 2u);
        machine(&m::operand_cycles, m{}.operand_cycles);
        machine(&m::dram_channels, 1u);
        machine(&m::dram_banks, 1u);
        machine(&m::dma_chunk, 4096u);
        machine(&m::dma_outstanding, 1u);
        smaller = change([](test_case& c) {
                      for (command& k : c.commands) {
                          k.token = 1, k.step = 0, k.seed = 0;
                          k.release.clear();
                      }
                  }) ||
                  smaller;
        smaller = change([](test_case& c) {
                      for (command& k : c.commands)
                          k.work_base = k.work_bytes = k.psum_first = k.psum_count = 0;
                  }) ||
                  smaller;
        smaller = change([](test_case& c) {
                      for (buffer& b : c.buffers)
                          b.tag = b.version = 0;
                  }) ||
                  smaller;
        smaller = change([](test_case& c) {
                      for (command& k : c.commands)
                          for (operation& o : k.operations)
                              if (o.engine > spec::engine_dma)
                                  o.engine = spec::engine_dma;
                      c.machine.dma_queues = 1;
                  }) ||
                  smaller;
        for (std::size_t k = 0; k < best_.commands.size(); ++k)
            for (std::size_t o = 0; o < best_.commands[k].operations.size(); ++o) {
                const auto operation_change = [&](auto what) {
                    smaller = change([&](test_case& c) { what(c.commands[k].operations[o]); }) || smaller;
                };
                if (best_.commands[k].operations[o].opcode != opcode::activate)
                    continue;
                operation_change([](operation& x) {
                    x.flags = static_cast<std::uint8_t>(x.flags & ~spec::activate_stochastic),
                    x.element_base = x.element_pitch = 0;
                });
                operation_change([](operation& x) {
                    x.flags = static_cast<std::uint8_t>(x.flags & ~spec::activate_bias), x.b = {}, x.second = {};
                });
                operation_change([](operation& x) { x.function = 0; });
                operation_change([](operation& x) { x.scale = 0x3f800000; });
            }
        for (std::size_t b = 0; b < best_.buffers.size(); ++b)
            for (const value_class simpler : {value_class::zeros, value_class::small, value_class::moderate})
                if (best_.buffers[b].memory == spec::memory_kind::host && simpler < best_.buffers[b].values)
                    if (change([&](test_case& c) { c.buffers[b].values = simpler; })) {
                        smaller = true;
                        break;
                    }
        return smaller;
    }

    test_case best_;
    const std::function<bool(const test_case&)>& fails_;
    unsigned left_, most_;
};

} // namespace

void repair(test_case& c) {
    while (const auto fault = find_fault(c)) {
        if (fault->command >= c.commands.size())
            return; // machine or buffers: nothing that dropping operations would help
        command& k = c.commands[fault->command];
        if (fault->operation) {
            k.operations.erase(k.operations.begin() + static_cast<std::ptrdiff_t>(*fault->operation));
        } else if (k.operations.empty() || k.work_bytes || k.psum_count) {
            // Nothing left to do, or a working set that is in the way of something.
            if (k.operations.empty())
                c.commands.erase(c.commands.begin() + static_cast<std::ptrdiff_t>(fault->command));
            else
                k.work_base = k.work_bytes = k.psum_first = k.psum_count = 0;
        } else {
            // Loads that nobody takes any more: the last one goes.
            const auto last = std::find_if(k.operations.rbegin(), k.operations.rend(),
                                           [](const operation& o) { return o.opcode == opcode::load_weights; });
            k.operations.erase(last == k.operations.rend() ? std::prev(k.operations.end()) : std::prev(last.base()));
        }
    }
    // A command that has lost all it did goes too.
    std::erase_if(c.commands, [&](const command& k) { return k.operations.empty() && c.commands.size() > 1; });
    if (find_fault(c))
        repair(c);
}

shrunk_case shrink(const test_case& failing, const std::function<bool(const test_case&)>& fails, unsigned most_trials) {
    return shrinker(failing, fails, most_trials).run();
}

} // namespace retrace::cosim
