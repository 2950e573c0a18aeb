#pragma once
// What the levels of the timeline share.
#include <cstdint>
#include <string>
#include <unordered_map>

#include "sim/log/log_reader.h"
#include "sim/timeline/machine.h"
#include "sim/timeline/trace_writer.h"

namespace retrace {

struct drawing {
    /// Processes of the file; of device d: 10 d more.
    enum process : unsigned { host = 1, commands = 2, engines = 3, queues = 4, memory = 5, link = 6 };

    log_reader& log;
    trace_writer& out;
    machine_facts machine;
    std::unordered_map<std::uint64_t, std::string> tensor_names;

    static unsigned pid(process p, std::uint64_t device) { return p + 10 * static_cast<unsigned>(device % 1000); }
    /// "IO_3"; "tag 7" for a tensor without a name.
    std::string tensor(std::uint64_t tag) const {
        const auto found = tensor_names.find(tag);
        return found != tensor_names.end() ? found->second : "tag " + std::to_string(tag);
    }
};

} // namespace retrace
