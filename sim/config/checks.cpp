#include "sim/config/checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/config/quantity.h"

namespace retrace {

namespace {

using keys = std::vector<std::string>;

/// Throws at the place of one of the keys; the message names the first.
class checker {
public:
    explicit checker(const config_places& places) : places_(places) {}

    template <class... T>
    void operator()(bool holds, const keys& involved, fmt::format_string<T...> text, T&&... values) const {
        if (!holds)
            throw config_error(places_.of(involved), involved.front(),
                               fmt::format(text, std::forward<T>(values)...));
    }

private:
    const config_places& places_;
};

void check_training(const run_config& c, const checker& check) {
    const training_config& t = c.training;
    const bool interval = t.schedule == "interval" || t.schedule == "interval_overwrite";
    check(!interval || t.interval != 0, keys{"training.schedule"}, "'{}' needs the key training.interval",
          t.schedule);
    check(interval || t.interval == 0, keys{"training.interval", "training.schedule"},
          "has no meaning for schedule {}; remove it (or --set training.interval=null)", t.schedule);
    check(t.epochs != 0 || t.steps != 0, keys{"training"},
          "one of the keys training.epochs and training.steps is needed");
    check(t.epochs == 0 || t.steps == 0, keys{"training.steps", "training.epochs"},
          "training.epochs is given too; remove one (or --set training.epochs=null)");
    check(t.optimizer.kind == "momentum" || t.optimizer.momentum == 0,
          keys{"training.optimizer.momentum", "training.optimizer.kind"},
          "has no meaning for kind sgd; remove it or use kind momentum");
    check(t.optimizer.kind != "momentum" || t.optimizer.momentum != 0,
          keys{"training.optimizer.kind", "training.optimizer.momentum"},
          "'momentum' needs the key training.optimizer.momentum, above 0");
    check(c.data.train_rows == 0 || t.batch <= c.data.train_rows, keys{"training.batch", "data.train_rows"},
          "{} rows are more than the {} rows of data.train_rows", t.batch, c.data.train_rows);
}

void check_network(const run_config& c, const config_places& places, const checker& check) {
    const std::vector<layer>& layers = c.net.layers;
    check(layers.size() <= 1024, keys{"network.layers"}, "{} layers; at most 1024", layers.size());
    try {
        validate(c.net);
    } catch (const network_error& error) {
        throw config_error(places.of("network.layers"), error.what());
    }
    check(layers.back().outputs == c.data.classes, keys{"data.classes"},
          "{} classes, but the last layer has {} outputs", c.data.classes, layers.back().outputs);
}

} // namespace

void place_regions(dram_settings& dram) {
    std::uint64_t end = 0;
    for (auto region = dram.regions.begin(); region != dram.regions.end(); ++region) {
        end += region->bytes;
        if (region->kind == spec::region_kind::programs) {
            if (end > spec::control_base)
                std::rotate(dram.regions.begin(), region, region + 1);
            return;
        }
    }
}

void check_npu(const npu_config& n, const config_places& places) {
    const checker check(places);
    const std::uint64_t line = 4 * std::uint64_t{n.array.rows};
    check(n.state_buffer.capacity_bytes % (n.state_buffer.banks * line) == 0,
          keys{"npu.state_buffer.capacity", "npu.state_buffer.banks", "npu.array.rows"},
          "{} is not a multiple of {} banks * {} bytes (4 bytes in each of the array's {} rows)",
          format_bytes(n.state_buffer.capacity_bytes), n.state_buffer.banks, line, n.array.rows);
    const std::uint64_t psum = std::uint64_t{n.psum.rows} * n.psum.banks * n.array.columns * 4;
    check(psum <= 0xffff'ffff, keys{"npu.psum.rows", "npu.psum.banks", "npu.array.columns"},
          "{} bytes of PSUM; at most 4 GiB can be addressed", psum);

    const dram_settings& d = n.device_dram;
    check(d.page_bytes >= d.burst_bytes, keys{"npu.device_dram.page", "npu.device_dram.burst"},
          "{} is smaller than a burst of {}", format_bytes(d.page_bytes), format_bytes(d.burst_bytes));
    const std::uint64_t row = std::uint64_t{d.channels} * d.page_bytes;
    check(d.capacity_bytes % row == 0,
          keys{"npu.device_dram.capacity", "npu.device_dram.channels", "npu.device_dram.page"},
          "{} is not a multiple of {} channels * {} a page", format_bytes(d.capacity_bytes), d.channels,
          format_bytes(d.page_bytes));
    check(d.t_rfc_ns < d.t_refi_ns, keys{"npu.device_dram.t_rfc", "npu.device_dram.t_refi"},
          "a refresh takes {}, as long as the {} between two of them", format_time(d.t_rfc_ns),
          format_time(d.t_refi_ns));
    std::uint64_t sum = 0;
    std::string list;
    keys regions{"npu.device_dram.regions"};
    for (const dram_region& region : d.regions) {
        sum += region.bytes;
        check(region.kind != spec::region_kind::programs || sum <= spec::control_base,
              keys{"npu.device_dram.regions.programs"},
              "{}; the control core loads programs into the first {} only", format_bytes(region.bytes),
              format_bytes(spec::control_base));
        regions.push_back("npu.device_dram.regions." + std::string(spec::name_of(region.kind)));
        list += fmt::format("{}{} {}", list.empty() ? "" : ", ", spec::name_of(region.kind),
                            format_bytes(region.bytes));
    }
    regions.emplace_back("npu.device_dram.capacity");
    check(sum <= d.capacity_bytes, regions,
          "the regions ({}) need {} bytes, but npu.device_dram.capacity has {}; the smallest that would do "
          "is {}",
          list, sum, d.capacity_bytes, format_bytes((sum + row - 1) / row * row));
    check(n.dma.chunk_bytes % d.burst_bytes == 0, keys{"npu.dma.chunk", "npu.device_dram.burst"},
          "{} is smaller than a DRAM burst of {}", format_bytes(n.dma.chunk_bytes),
          format_bytes(d.burst_bytes));
}

void check_run(const run_config& config, const config_places& places) {
    check_npu(config.npu, places);
    const checker check(places);
    check_training(config, check);
    check_network(config, places, check);
}

} // namespace retrace
