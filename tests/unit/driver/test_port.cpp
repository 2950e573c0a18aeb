#include "tests/unit/driver/test_port.h"

#include <algorithm>
#include <cstring>

namespace retrace {

test_port::test_port(test_device& device)
    : device_(device), cpu_(device.host_memory.size()), synced_(device.host_memory.size()) {
    device.on_host_write = [this](std::uint64_t offset, std::span<const std::uint8_t> bytes, bool by_mover) {
        unseen_.push_back({offset, {bytes.begin(), bytes.end()}});
        if (by_mover) {
            for (std::size_t i = 28; i + 4 <= bytes.size(); i += 32) {
                show(offset + i, bytes.subspan(i, 4));
            }
        }
    };
    device.on_message = [this](std::uint64_t address, std::uint32_t data) {
        if (address != message().address || data != message().data) {
            return; // a write to somewhere else interrupts nobody
        }
        for (unsigned n = copies(); n > 0; --n) {
            device_.at(device_.cycle() + device_.uniform(latency_low, latency_high), [this] { ++messages_; });
        }
    };
}

void test_port::show(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    std::memcpy(cpu_.data() + offset, bytes.data(), bytes.size());
    std::memcpy(synced_.data() + offset, bytes.data(), bytes.size());
}

void test_port::write_barrier() {
    if (ignore_write_barriers) {
        return;
    }
    constexpr std::size_t line = 4096;
    for (std::size_t at = 0; at < cpu_.size(); at += line) {
        const std::size_t end = std::min(cpu_.size(), at + line);
        if (std::memcmp(cpu_.data() + at, synced_.data() + at, end - at) == 0) {
            continue;
        }
        for (std::size_t i = at; i < end; ++i) {
            if (cpu_[i] != synced_[i]) {
                synced_[i] = cpu_[i];
                device_.host_memory[i] = static_cast<std::uint8_t>(cpu_[i]);
            }
        }
    }
}

void test_port::read_barrier() {
    if (ignore_read_barriers) {
        return;
    }
    for (const device_write& each : unseen_) {
        show(each.offset, each.bytes);
    }
    unseen_.clear();
}

void test_port::write_register(std::uint32_t offset, std::uint32_t value) {
    ++register_writes;
    last_arrival_ = std::max(last_arrival_, device_.now() + device_.uniform(latency_low, latency_high));
    device_.at(last_arrival_, [=, this] { device_.registers().host_write(offset, value); });
}

std::uint32_t test_port::read_register(std::uint32_t offset) {
    ++register_reads;
    last_arrival_ = std::max(last_arrival_, device_.now() + device_.uniform(latency_low, latency_high));
    device_.run_until(last_arrival_);
    std::uint32_t value = 0;
    if (device_.registers().host_read(offset, value) != register_status::ok) {
        value = ~0u;
    }
    device_.run_until(device_.now() + device_.uniform(latency_low, latency_high));
    if (on_read) {
        on_read(offset, value);
    }
    return value;
}

bool test_port::wait_interrupt(std::uint64_t cycles) {
    ++sleeps;
    const bool arrived = device_.run_while_not([this] { return messages_ != 0; }, cycles);
    messages_ = 0;
    return arrived;
}

} // namespace retrace
