#pragma once
// An event sink that keeps everything, and can tell it as text: what tests compare.
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "trace/events.h"

namespace retrace::test {

class event_recorder : public trace::event_sink {
public:
    struct occupancy {
        std::string name;
        std::uint64_t live, peak;
    };
    std::vector<trace::command_event> commands; ///< their operand spans end with the call
    std::vector<trace::access_event> accesses;
    std::vector<trace::tensor_event> tensors;
    std::vector<trace::stale_read_event> stale;
    std::vector<occupancy> occupancies;
    std::string text; ///< one line per event, in the order they came
    bool tile_level = true;

    void on(const trace::command_event& e) override {
        commands.push_back(e);
        commands.back().operands = {};
        text +=
            fmt::format("command {} cycle {} context {} sequence {} status {}\n", static_cast<int>(e.what),
                        e.cycle, e.context, e.sequence, static_cast<int>(e.status));
    }
    void on(const trace::access_event& e) override {
        accesses.push_back(e);
        text +=
            fmt::format("access {}..{} context {} engine {} pc {} op {:#x} write {} memory {} base {} sizes "
                        "{} {} {} {} strides {} {} {} "
                        "tensor {}.{}\n",
                        e.begin, e.end, e.context, e.engine, e.pc, static_cast<int>(e.opcode), e.write,
                        static_cast<int>(e.memory), e.base, e.sizes[0], e.sizes[1], e.sizes[2], e.sizes[3],
                        e.strides[0], e.strides[1], e.strides[2], e.tensor.tag, e.tensor.version);
    }
    void on(const trace::tensor_event& e) override {
        tensors.push_back(e);
        text += fmt::format("tensor {} cycle {} memory {} {}.{} sequence {} bytes {} checksum {:x}\n",
                            static_cast<int>(e.what), e.cycle, static_cast<int>(e.memory), e.tensor.tag,
                            e.tensor.version, e.sequence, e.bytes, e.checksum);
    }
    void on(const trace::stale_read_event& e) override {
        stale.push_back(e);
        text += fmt::format(
            "stale cycle {} engine {} pc {} memory {} address {} bytes {} expected {}.{} found {}.{}\n",
            e.cycle, e.engine, e.pc, static_cast<int>(e.memory), e.address, e.bytes, e.expected.tag,
            e.expected.version, e.found.tag, e.found.version);
    }
    void on(const trace::occupancy_event& e) override {
        occupancies.push_back({std::string(e.name), e.live_bytes, e.peak_bytes});
        text += fmt::format("occupancy {} cycle {} live {} peak {}\n", e.name, e.cycle, e.live_bytes,
                            e.peak_bytes);
    }
    void on(const trace::host_event&) override { text += "host\n"; }
    void name_tensor(std::uint32_t, std::string_view) override {}
    bool wants_accesses(std::uint32_t) const override { return tile_level; }
};

} // namespace retrace::test
