#pragma once
// Outcomes of driver calls as values: what went wrong is part of the interface, not an exception that crosses
// it.
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "hw/spec/spec.h"

namespace retrace {

enum class driver_error : std::uint8_t {
    not_a_device,     ///< the identification register shows something else
    version_mismatch, ///< device and driver were built from different specifications
    bad_firmware,     ///< the image does not fit the control core's private memory, or is empty
    boot_timeout,     ///< the firmware did not become ready
    firmware_trap,    ///< the firmware stopped at an unexpected trap; only reset() helps
    ring_error,       ///< the device refused a doorbell or a ring, or lost completions (only reset() helps)
    command_failed,   ///< a completion with another status than ok; `completion` tells which
    timeout,          ///< no completion, or no room in the ring, within the given cycles
    out_of_memory, ///< device region or host memory too small; the text names needed, available and smallest
                   ///< capacity
    bad_argument,  ///< the caller's mistake, found before the device saw it
    unknown_command, ///< a handle that was already waited for, or is from before a reset
    protocol,        ///< the device posted a completion that nothing was launched for
};

std::string_view name_of(driver_error error);

struct driver_failure {
    driver_error error{};
    std::string text;                           ///< one sentence for a person
    std::optional<spec::completion> completion; ///< command_failed only
};

/// Taking the value of a failure is the caller's mistake.
struct bad_result_access : std::logic_error {
    explicit bad_result_access(const driver_failure& failure);
};

template <class T>
class [[nodiscard]] result {
public:
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(driver_failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    explicit operator bool() const { return state_.index() == 0; }
    T& value() & { return check(), std::get<0>(state_); }
    const T& value() const& { return check(), std::get<0>(state_); }
    T&& value() && { return check(), std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    /// Only where there is no value.
    const driver_failure& failure() const { return std::get<1>(state_); }
    driver_error error() const { return failure().error; }

private:
    void check() const {
        if (state_.index() != 0) {
            throw bad_result_access(std::get<1>(state_));
        }
    }
    std::variant<T, driver_failure> state_;
};

template <>
class [[nodiscard]] result<void> {
public:
    result() = default;
    result(driver_failure failure) : failure_(std::move(failure)) {}

    explicit operator bool() const { return !failure_; }
    void value() const {
        if (failure_) {
            throw bad_result_access(*failure_);
        }
    }
    const driver_failure& failure() const { return *failure_; }
    driver_error error() const { return failure_->error; }

private:
    std::optional<driver_failure> failure_;
};

} // namespace retrace
