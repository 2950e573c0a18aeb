// A plan as text (`retrace plan`).
#include <cstdio>

#include "host/training/plan.h"

namespace retrace {

namespace {

template <class... values>
void line(std::string& text, const char* format, values... v) {
    char buffer[256];
    std::snprintf(buffer, sizeof buffer, format, v...);
    text += buffer;
    text += '\n';
}

using count = unsigned long long;

void memories(std::string& text, const plan_peaks& peaks) {
    line(text, "%-14s %14s %14s %14s", "memory", "capacity", "extent", "peak bytes");
    const auto row = [&text](const char* name, const memory_peak& m) {
        line(text, "%-14s %14llu %14llu %14llu", name, static_cast<count>(m.capacity_bytes),
             static_cast<count>(m.extent_bytes), static_cast<count>(m.peak_bytes));
    };
    row("activations", peaks.activations);
    row("gradients", peaks.gradients);
    row("weights", peaks.weights);
    row("programs", peaks.programs);
    row("device_dram", peaks.device_dram);
    row("state_buffer", peaks.state_buffer);
    row("psum", peaks.psum);
}

void operations(std::string& text, const planned_run& run) {
    line(text, "%5s  %-8s %-8s %6s %12s %12s %12s %12s  %s", "", "op", "in place", "kernel", "cycles",
         "activations", "gradients", "state_buffer", "waits for");
    for (std::size_t i = 0; i < run.commands.size(); ++i) {
        const planned_command& c = run.commands[i];
        const schedule_operation& op = run.schedule.operations[i];
        std::string waits;
        for (const std::size_t w : op.waits)
            waits += (waits.empty() ? "" : " ") + run.schedule.operations[w].name();
        line(text, "%5zu  %-8s %-8s %6zu %12llu %12llu %12llu %12llu  %s", i + 1, op.name().c_str(),
             op.in_place ? "yes" : "", c.kernel, static_cast<count>(c.predicted_cycles),
             static_cast<count>(c.activations), static_cast<count>(c.gradients),
             static_cast<count>(c.state_buffer), waits.c_str());
    }
    line(text, "predicted cycles (estimate): %llu", static_cast<count>(run.predicted_cycles));
}

void kernels(std::string& text, const plan& p) {
    line(text, "%6s  %-18s %10s %10s %5s %12s  %s", "kernel", "name", "programs", "work", "psum", "cycles",
         "products: rows x blocks, k chunk x chunks, panels (per store)");
    for (std::size_t k = 0; k < p.kernels.size(); ++k) {
        const compiler::compiled_kernel& kernel = p.kernels[k];
        std::string passes;
        for (const compiler::blocking& b : kernel.passes)
            passes += (passes.empty() ? "" : "; ") + std::to_string(b.block_rows) + "x" +
                      std::to_string(b.blocks) + ", " + std::to_string(b.chunk) + "x" +
                      std::to_string(b.chunks) + ", " + std::to_string(b.panels) + " (" +
                      std::to_string(b.group) + ")" + (b.b_resident ? " resident" : "");
        line(text, "%6zu  %-18s %10llu %10llu %5u %12llu  %s", k, kernel.name,
             static_cast<count>(kernel.program_bytes()), static_cast<count>(kernel.work_bytes),
             kernel.psum_banks, static_cast<count>(kernel.estimated_cycles), passes.c_str());
    }
}

void placements(std::string& text, const planned_run& run) {
    line(text, "%-14s %6s %12s %12s %8s", "buffer", "number", "base", "bytes", "pitch");
    for (const placed_buffer& b : run.buffers)
        line(text, "%-14s %6zu %12llu %12llu %8s", to_string(b.id.where), b.id.index,
             static_cast<count>(b.base), static_cast<count>(b.bytes),
             b.pitch ? std::to_string(b.pitch).c_str() : "packed");
}

} // namespace

std::string describe(const plan& p) {
    std::string text;
    const schedule_settings& settings = p.shape.schedule;
    line(text, "schedule %s%s, layers %zu..%zu, batch %zu, operands %s, %zu forward executions",
         to_string(settings.kind),
         settings.kind == schedule_kind::interval || settings.kind == schedule_kind::interval_overwrite
             ? (" " + std::to_string(settings.interval)).c_str()
             : "",
         p.shape.range.first, p.shape.range.last, p.shape.batch, to_string(p.shape.operands),
         p.training.schedule.forward_executions());
    text += '\n';
    memories(text, p.peaks);
    text += '\n';
    placements(text, p.training);
    text += '\n';
    operations(text, p.training);
    for (const planned_run& run : p.evaluations) {
        text += '\n';
        line(text, "evaluation of %zu examples", run.batch);
        operations(text, run);
    }
    text += '\n';
    kernels(text, p);
    return text;
}

} // namespace retrace
