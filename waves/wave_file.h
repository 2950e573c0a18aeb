#pragma once
// A file of waves: FST (compressed, with the writer that ships with Verilator) or VCD (text). Both are read by GTKWave. Times are cycles of
// the device's clock; the file has them as real time.
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "trace/probes.h"

namespace retrace {

/// The file cannot be written: says why.
class wave_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Calls of time() ascend. `signal`: index into the probes that the file was made with.
class wave_file {
public:
    virtual ~wave_file() = default; ///< closes, without a word about failures
    virtual void time(std::uint64_t cycle) = 0;
    virtual void bits(std::size_t signal, std::uint64_t value) = 0;
    virtual void real(std::size_t signal, double value) = 0;
    virtual void text(std::size_t signal, const std::string& value) = 0;
    /// Bytes on disk so far, roughly: what is still in memory counts after it has been written.
    virtual std::uint64_t bytes() const = 0;
    /// The file is whole and readable after it. Throws wave_error if it is not.
    virtual void close() = 0;
};

/// `unit` x `per_cycle` is the clock's period: unit -15 (fs), -12, -9 (ns).
struct wave_time {
    int unit = -15;
    std::uint64_t per_cycle = 1;
};
/// The coarsest unit in which a period is whole.
wave_time time_of(std::uint64_t femtoseconds_per_cycle);

bool fst_available();
/// Throws wave_error. `max_bytes`: bytes() is asked to keep the file below it, so it is to be exact enough for that.
std::unique_ptr<wave_file> make_fst(const std::string& path, std::span<const trace::probe> probes, wave_time time,
                                    std::uint64_t max_bytes = 200'000'000);
std::unique_ptr<wave_file> make_vcd(const std::string& path, std::span<const trace::probe> probes, wave_time time);

/// Calls `open(scope)`, `variable(index, name)` and `close()` so that names become a hierarchy: "npu0.dma0.state" is `state` in dma0 in npu0.
template <typename Open, typename Variable, typename Close>
void walk_hierarchy(std::span<const trace::probe> probes, Open&& open, Variable&& variable, Close&& close) {
    std::vector<std::string> path;
    for (std::size_t i = 0; i < probes.size(); ++i) {
        std::vector<std::string> scopes;
        std::string_view rest = probes[i].name;
        for (std::size_t dot; (dot = rest.find('.')) != rest.npos; rest.remove_prefix(dot + 1))
            scopes.emplace_back(rest.substr(0, dot));
        std::size_t common = 0;
        while (common < path.size() && common < scopes.size() && path[common] == scopes[common])
            ++common;
        for (; path.size() > common; path.pop_back())
            close();
        for (; path.size() < scopes.size(); path.push_back(scopes[path.size()]))
            open(scopes[path.size()]);
        variable(i, std::string(rest));
    }
    for (; !path.empty(); path.pop_back())
        close();
}

} // namespace retrace
