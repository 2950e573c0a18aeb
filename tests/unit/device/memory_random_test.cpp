// tagged_memory against a model that keeps every byte's value and owner in a plain vector.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "tests/unit/device/event_recorder.h"
#include "tlm/core/memory/tagged_memory.h"

namespace retrace {
namespace {

using moment = trace::tensor_event::moment;

struct owner {
    enum class kind { nobody, reserved, tensor } what = kind::nobody;
    trace::tensor_id tensor;
    bool operator==(const owner&) const = default;
};

struct byte_model {
    struct cell {
        std::uint8_t value = 0xff;
        owner who;
    };
    std::vector<cell> cells;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> owned; ///< bytes per tensor
    struct life {
        moment what;
        trace::tensor_id tensor;
        auto operator<=>(const life& o) const {
            return std::tuple(what, tensor.tag, tensor.version) <=>
                   std::tuple(o.what, o.tensor.tag, o.tensor.version);
        }
        bool operator==(const life&) const = default;
    };
    std::vector<life> lives;

    void set(std::uint64_t address, std::uint64_t bytes, owner who, moment loss) {
        std::set<std::pair<std::uint32_t, std::uint32_t>> lost;
        const auto key = [](const owner& o) { return std::pair(o.tensor.tag, o.tensor.version); };
        if (who.what == owner::kind::tensor && bytes != 0 && owned[key(who)] == 0 && who.tensor.tag != 0)
            lives.push_back({moment::live, who.tensor});
        for (std::uint64_t i = address; i < address + bytes; ++i) {
            if (cells[i].who.what == owner::kind::tensor) {
                --owned[key(cells[i].who)];
                lost.insert(key(cells[i].who));
            }
            cells[i].who = who;
            if (who.what == owner::kind::tensor)
                ++owned[key(who)];
        }
        for (const auto& [tag, version] : lost)
            if (owned[{tag, version}] == 0 && tag != 0)
                lives.push_back({loss, {tag, version}});
    }
    std::uint64_t live(std::uint64_t base, std::uint64_t bytes) const {
        return static_cast<std::uint64_t>(
            std::count_if(cells.begin() + static_cast<std::ptrdiff_t>(base),
                          cells.begin() + static_cast<std::ptrdiff_t>(base + bytes),
                          [](const cell& c) { return c.who.what != owner::kind::nobody; }));
    }
};

class memory_random : public testing::TestWithParam<std::tuple<unsigned, unsigned>> {};

TEST_P(memory_random, agrees_with_a_map_of_bytes) {
    const auto [granule, seed] = GetParam();
    std::mt19937 engine(seed);
    const auto draw = [&](std::uint32_t limit) {
        return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(engine);
    };
    constexpr std::uint64_t size =
        1024; // several lines of 64 granules, so that whole lines and parts of lines change hands
    test::event_recorder events;
    tagged_memory memory("memory", granule == 4 ? spec::memory_kind::psum : spec::memory_kind::device_dram,
                         size, granule, 0, &events);
    memory.add_region("low", 0, 200);
    memory.add_region("high", 200, 256);
    byte_model model;
    model.cells.resize(size);
    std::uint64_t peak = 0, low_peak = 0, high_peak = 0;
    const access_origin at{1, 2, 3, 4};

    for (unsigned step = 0; step < 4000; ++step) {
        const std::uint64_t bytes = (draw(60) + (draw(4) == 0 ? draw(600) : 0)) / granule * granule;
        const std::uint64_t address = draw(static_cast<std::uint32_t>(size - bytes + 1)) / granule * granule;
        const trace::tensor_id tensor{draw(4), draw(3)};
        const owner who{owner::kind::tensor, tensor};
        events.tensors.clear();
        events.stale.clear();
        model.lives.clear();
        switch (draw(8)) {
        case 0: // release
            for (std::uint64_t i = address; i < address + bytes; ++i)
                if (model.cells[i].who == who) {
                    model.set(i, 1, {}, moment::released);
                    model.cells[i].value = 0xff;
                }
            memory.release(address, bytes, tensor, at);
            break;
        case 1:
            model.set(address, bytes, {owner::kind::reserved, {}}, moment::overwritten);
            for (std::uint64_t i = address; i < address + bytes; ++i)
                model.cells[i].value = 0xff;
            memory.begin_working_set(address, bytes, at);
            break;
        case 2:
            model.set(address, bytes, {}, moment::released);
            for (std::uint64_t i = address; i < address + bytes; ++i)
                model.cells[i].value = 0xff;
            memory.end_working_set(address, bytes, at);
            break;
        case 3:
        case 4: { // read
            std::vector<std::byte> got(bytes);
            memory.read(address, got.data(), bytes, tensor, at);
            std::uint64_t wrong = 0, first = 0;
            for (std::uint64_t i = bytes; i-- > 0;) {
                ASSERT_EQ(static_cast<std::uint8_t>(got[i]), model.cells[address + i].value)
                    << "step " << step << " byte " << i;
                if (!(model.cells[address + i].who == who))
                    ++wrong, first = address + i;
            }
            ASSERT_EQ(events.stale.size(), wrong ? 1u : 0u) << "step " << step;
            if (wrong) {
                ASSERT_EQ(events.stale[0].bytes, wrong);
                ASSERT_EQ(events.stale[0].address, first);
                const owner& found = model.cells[first].who;
                ASSERT_EQ(events.stale[0].found,
                          found.what == owner::kind::tensor ? found.tensor : trace::tensor_id{});
            }
            break;
        }
        default: { // write
            std::vector<std::byte> data(bytes);
            model.set(address, bytes, who, moment::overwritten);
            for (std::uint64_t i = 0; i < bytes; ++i) {
                data[i] = static_cast<std::byte>(draw(256));
                model.cells[address + i].value = static_cast<std::uint8_t>(data[i]);
            }
            memory.write(address, data.data(), bytes, tensor, at);
        }
        }
        std::vector<byte_model::life> lives;
        for (const trace::tensor_event& e : events.tensors)
            lives.push_back({e.what, e.tensor});
        std::sort(lives.begin(), lives.end());
        std::sort(model.lives.begin(), model.lives.end());
        ASSERT_TRUE(lives == model.lives) << "step " << step << "\n" << events.text;
        ASSERT_EQ(memory.live_bytes(), model.live(0, size));
        ASSERT_EQ(memory.regions()[0].live, model.live(0, 200));
        ASSERT_EQ(memory.regions()[1].live, model.live(200, 256));
        peak = std::max(peak, model.live(0, size));
        low_peak = std::max(low_peak, model.live(0, 200));
        high_peak = std::max(high_peak, model.live(200, 256));
        ASSERT_EQ(memory.peak_bytes(), peak);
        ASSERT_EQ(memory.regions()[0].peak, low_peak);
        ASSERT_EQ(memory.regions()[1].peak, high_peak);
    }
}

INSTANTIATE_TEST_SUITE_P(seeds, memory_random,
                         testing::Combine(testing::Values(1u, 4u), testing::Range(1u, 9u)));

} // namespace
} // namespace retrace
