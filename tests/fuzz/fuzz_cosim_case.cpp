// Fuzz target of co-simulation cases. Whatever comes in, the only way out but success is case_error; a case that is read survives
// being written, and a legal one runs on the reference without a fault, every command to its end, in two interleavings with the
// same bytes.
//
// Input: the JSON text of a case.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sim/cosim/case_rules.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/reference.h"

namespace {

using namespace retrace::cosim;

void require(bool holds, const char* what, const std::string& text) {
    if (holds)
        return;
    std::fprintf(stderr, "not so: %s\n%s\n", what, text.c_str());
    std::abort();
}

void run(const test_case& c, const std::string& text) {
    const prepared_case p = prepare(c, retrace::spec::host_window_base + 0x9000);
    const auto first = run_reference(c, p);
    require(first->faults.empty(), "a legal case has no fault", first->faults.empty() ? text : first->faults.front() + "\n" + text);
    require(first->completed.size() == p.commands.size(), "every command completes", text);
    reference_options options;
    options.interleaving = c.seed + 1;
    const auto second = run_reference(c, p, options);
    require(second->faults.empty(), "nor in another order", second->faults.empty() ? text : second->faults.front() + "\n" + text);
    require(first->host == second->host, "host memory does not depend on the order", text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(reinterpret_cast<const char*>(data), size);
    try {
        const test_case c = parse_case(input, "input");
        const std::string text = to_text(c);
        require(parse_case(text, "written") == c, "written and read again, the case is the same", text);
        (void)describe(c);
        require_legal(c, "input");
        run(c, text);
    } catch (const case_error& error) {
        require(!std::string_view(error.what()).empty(), "an error has a message", input);
    }
    return 0;
}
