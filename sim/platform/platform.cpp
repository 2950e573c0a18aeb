#include "sim/platform/platform.h"

#include <atomic>
#include <exception>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sim/platform/array_choice.h"

namespace retrace {

namespace {

/// Interrupt messages go here, as to the interrupt controller of a host CPU.
constexpr std::uint64_t message_base = 0xfee00000;

std::atomic<bool> stop_requested{false};

std::exception_ptr left_a_process;
sc_core::sc_report_handler_proc other_handler;

/// The kernel turns every exception that leaves a process into a report of its own, while that exception is being handled.
void keep_exception(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
    if (std::string_view(report.get_msg_type()) == sc_core::SC_ID_SIMULATION_UNCAUGHT_EXCEPTION_) {
        left_a_process = std::current_exception();
        return sc_core::sc_report_handler::default_handler(report, actions);
    }
    other_handler(report, actions);
}

/// Cycles between two looks at the watchdog and at requests to stop.
constexpr std::uint64_t slice_cycles = 1'000'000;

} // namespace

void simulated_port::request_stop() { stop_requested = true; }

simulated_port::simulated_port(const npu_config& config, unsigned device, trace::event_sink* sink) : config_(config), window_tiles_(config.array.windows.size()), number_(device) {
    // SystemC allows the resolution to be set once, before the first time is used.
    static const bool resolution_set = [] {
        sc_core::sc_set_time_resolution(1, sc_core::SC_FS);
        return true;
    }();
    static_cast<void>(resolution_set);
    if (sc_core::sc_report_handler::get_handler() != keep_exception)
        other_handler = sc_core::sc_report_handler::set_handler(keep_exception);
    npu_ = std::make_unique<npu>(
        fmt::format("npu{}", device).c_str(), config_, device, sink, probes_,
        [this](const array_config& shape) { return make_array(config_.array, shape, &window_tiles_); },
        [this](std::uint64_t address, std::uint32_t data) {
            if (address == message().address && data == message().data) {
                ++pending_interrupts_;
                sc_core::sc_pause();
            } else {
                ++astray_;
                astray_address_ = address;
            }
        });
    if (config_.stress.reorder)
        weak_ = std::make_unique<weak_memory>(npu_->link().host_memory(), config_.stress.seed);
}

simulated_port::~simulated_port() = default;

port::interrupt_message simulated_port::message() const { return {message_base, number_}; }

std::span<std::byte> simulated_port::host_memory() { return weak_ ? weak_->cpu_side() : npu_->link().host_memory(); }

void simulated_port::write_barrier() {
    if (weak_)
        weak_->write_barrier();
}

void simulated_port::read_barrier() {
    if (weak_)
        weak_->read_barrier();
}

void simulated_port::let_memory_drift() {
    if (weak_)
        weak_->let_time_pass();
}

std::uint64_t simulated_port::cycles() const { return npu_->clock().now(); }

std::uint64_t simulated_port::femtoseconds_per_cycle() const { return npu_->clock().at(1).value(); }

void simulated_port::check_watchdog() {
    // Instructions finished, doorbells rung and interrupts taken: while a command is unfinished, one of them has to move now and then. A
    // host that sleeps for so and so many cycles with nothing unfinished only rests; one that sleeps until it is woken never wakes.
    const std::uint64_t progress = npu_->progress() + host_progress_;
    if (progress != last_progress_ || (npu_->commands_owed() == 0 && !for_ever_)) {
        last_progress_ = progress;
        progress_cycle_ = cycles();
    } else if (cycles() - progress_cycle_ >= config_.watchdog_cycles) {
        wait_graph graph = npu_->waits(host_state());
        std::string text = fmt::format("no engine has finished an instruction since cycle {} (now {}): {}", progress_cycle_, cycles(), explain(graph));
        if (analyse(graph).causes.empty())
            text += fmt::format("a larger npu.watchdog_cycles (now {}) would let it go on\n", config_.watchdog_cycles);
        throw simulation_hang(text, std::move(graph), progress_cycle_);
    }
}

npu::host_state simulated_port::host_state() const {
    const interrupt_message listens_to = message();
    using act = npu::host_state::act;
    return {waits_ && for_ever_ ? act::sleeps : act::polls, waits_since_, progress_cycle_, listens_to.address, listens_to.data, astray_, astray_address_};
}

/// Runs the kernel until `reached()`, or for `cycles`; false in the second case.
template <typename Condition>
bool simulated_port::advance(std::uint64_t cycles, bool for_interrupt, Condition&& reached) {
    const clock_domain& clock = npu_->clock();
    const std::uint64_t end = clock.now() + cycles < cycles ? ~std::uint64_t{0} : clock.now() + cycles;
    waits_ = for_interrupt;
    waits_since_ = clock.now();
    for_ever_ = for_interrupt && end > clock.last();
    let_memory_drift();
    while (!reached()) {
        if (clock.now() >= end)
            return false;
        check_watchdog();
        run_to(std::min(end, clock.now() + slice_cycles));
    }
    let_memory_drift();
    return true;
}

void simulated_port::run_to(std::uint64_t cycle) {
    if (stop_requested)
        throw simulation_interrupted(fmt::format("stopped by the user at cycle {}", cycles()));
    if (cycles() >= npu_->clock().last())
        throw simulation_error(fmt::format("cycle {} is the last that simulated time reaches (5 hours): give npu.clock or host.step_cycles "
                                           "smaller values, or run fewer steps",
                                           cycles()));
    // The control core runs ahead up to the next event: the host's next act has to be one.
    const sc_core::sc_time left = npu_->clock().until(cycle);
    host_goes_on_.cancel();
    host_goes_on_.notify(left);
    // With nothing else pending time passes all the same: the host may only be sleeping.
    try {
        sc_core::sc_start(left, sc_core::SC_RUN_TO_TIME);
    } catch (const sc_core::sc_report&) {
        // What left a process is a report by now; whose fault it is only the original tells.
        if (const std::exception_ptr original = std::exchange(left_a_process, nullptr))
            std::rethrow_exception(original);
        throw;
    }
}

std::uint32_t simulated_port::read_register(std::uint32_t offset) {
    bool done = false;
    std::uint32_t result = 0;
    npu_->link().post_read(offset, [&](std::uint32_t value) {
        result = value;
        done = true;
        sc_core::sc_pause();
    });
    advance(~std::uint64_t{0}, false, [&] { return done; });
    return result;
}

void simulated_port::write_register(std::uint32_t offset, std::uint32_t value) {
    if (offset == spec::host_block::sq_doorbell) {
        npu_->stalls().begin(cycles());
        ++host_progress_;
    }
    npu_->link().post_write(offset, value);
}

bool simulated_port::wait_interrupt(std::uint64_t cycles) {
    const bool interrupted = advance(cycles, true, [this] { return pending_interrupts_ != 0; });
    host_progress_ += pending_interrupts_;
    pending_interrupts_ = 0;
    npu_->stalls().until(this->cycles());
    return interrupted;
}

void simulated_port::compute(std::uint64_t cycles) {
    if (cycles == 0)
        return;
    npu_->stalls().host_computes(this->cycles(), true);
    // The host is busy, not waiting: nothing to watch. An interrupt message only pauses the kernel.
    const std::uint64_t end = this->cycles() + cycles;
    let_memory_drift();
    while (this->cycles() < end)
        run_to(end);
    let_memory_drift();
    ++host_progress_;
    npu_->stalls().host_computes(this->cycles(), false);
}

} // namespace retrace
