#include "host/driver/result.h"

namespace retrace {

std::string_view name_of(driver_error error) {
    switch (error) {
    case driver_error::not_a_device:
        return "not_a_device";
    case driver_error::version_mismatch:
        return "version_mismatch";
    case driver_error::bad_firmware:
        return "bad_firmware";
    case driver_error::boot_timeout:
        return "boot_timeout";
    case driver_error::firmware_trap:
        return "firmware_trap";
    case driver_error::ring_error:
        return "ring_error";
    case driver_error::command_failed:
        return "command_failed";
    case driver_error::timeout:
        return "timeout";
    case driver_error::out_of_memory:
        return "out_of_memory";
    case driver_error::bad_argument:
        return "bad_argument";
    case driver_error::unknown_command:
        return "unknown_command";
    case driver_error::protocol:
        return "protocol";
    }
    return "?";
}

bad_result_access::bad_result_access(const driver_failure& failure)
    : std::logic_error("the value of a failed driver call was used: " + std::string(name_of(failure.error)) +
                       ": " + failure.text) {}

} // namespace retrace
