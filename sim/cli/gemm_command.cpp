#include <bit>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "firmware/firmware_image.h"
#include "host/compiler/gemm.h"
#include "host/compiler/transfer.h"
#include "host/driver/device.h"
#include "hw/spec/counter_random.h"
#include "sim/cli/commands.h"
#include "sim/cli/run_status.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/timeline_file.h"
#include "sim/cli/waves.h"
#include "sim/config/checks.h"
#include "sim/config/config_error.h"
#include "sim/config/load.h"
#include "sim/cost/disk_room.h"
#include "sim/cost/log_size.h"
#include "sim/log/sqlite_log.h"
#include "sim/log/tensor_names.h"
#include "sim/platform/array_choice.h"
#include "sim/platform/capabilities.h"
#include "sim/platform/platform.h"
#include "sim/report/html_report.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"
#include "sim/report/summary.h"
#include "sim/support/sha256.h"
#include "tlm/core/array/gemm_reference.h"

namespace retrace::cli {

namespace {

constexpr std::uint64_t whole_check_macs = std::uint64_t{256} * 256 * 256; ///< up to here every element is compared
constexpr std::size_t sampled_elements = 4096;
constexpr std::uint64_t address_reach = std::uint64_t{1} << 32; ///< operands carry 32-bit sizes

/// The products that the command measures use tags of their own; 0 is nobody's.
enum tags : std::uint32_t { tag_a = 1, tag_b = 2, tag_c = 3 };

number_format format_of(const std::string& dtype) {
    return dtype == "fp32" ? number_format::fp32 : dtype == "int8" ? number_format::int8 : number_format::bf16;
}

/// Seeded operands: numbers of both signs and a few binades, so that sums round; every int8.
void fill(std::span<std::byte> to, number_format format, std::uint64_t seed, std::uint32_t operator_id) {
    const unsigned bytes = bytes_of(format);
    for (std::size_t i = 0; i < to.size() / bytes; ++i) {
        const std::uint32_t random = counter_random(seed, 0, operator_id, i);
        const auto value = static_cast<float>(static_cast<std::int32_t>(random) >> 8) * 0x1p-23f;
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
        if (format == number_format::fp32) {
            std::memcpy(&to[i * 4], &bits, 4);
        } else if (format == number_format::bf16) {
            const std::uint16_t narrow = narrow_bf16(bits);
            std::memcpy(&to[i * 2], &narrow, 2);
        } else {
            to[i] = static_cast<std::byte>(random >> 24);
        }
    }
}

/// The textbook machine: one weight register, memories that never make anyone wait, room for any number of rows in PSUM.
void make_serial(npu_config& npu, const gemm_options& o) {
    npu.array.weight_registers = 1;
    npu.ideal_memories = true;
    npu.psum.rows = std::max(npu.psum.rows, o.m);
    const std::uint64_t line = 4ull * npu.array.rows * npu.state_buffer.banks;
    const std::uint64_t needed = 16ull * (std::uint64_t{o.m} * o.k + std::uint64_t{o.k} * o.n + std::uint64_t{o.m} * o.n);
    npu.state_buffer.capacity_bytes = std::max(npu.state_buffer.capacity_bytes, (needed + line - 1) / line * line);
}

/// Host memory and device regions grow with the product: the command is about the array, not about how much fits.
void make_room(npu_config& npu, const gemm_options& o, unsigned element_bytes) {
    const std::uint64_t a = std::uint64_t{o.m} * o.k * element_bytes, b = std::uint64_t{o.k} * o.n * element_bytes, c = std::uint64_t{o.m} * o.n * 4;
    const auto megabytes = [](std::uint64_t bytes) { return (bytes + (1u << 20) - 1) >> 20 << 20; };
    std::uint64_t total = 0;
    for (dram_region& r : npu.device_dram.regions) {
        if (r.kind == spec::region_kind::activations)
            r.bytes = std::max(r.bytes, megabytes(a + c + 4096));
        if (r.kind == spec::region_kind::weights)
            r.bytes = std::max(r.bytes, megabytes(b + 4096));
        total += r.bytes;
    }
    place_regions(npu.device_dram);
    npu.device_dram.capacity_bytes = std::max(npu.device_dram.capacity_bytes, total);
    if (npu.device_dram.capacity_bytes > address_reach)
        throw config_error("retrace gemm", fmt::format("A, B and C and the regions beside them need {} bytes of device memory; engines reach {}",
                                                       npu.device_dram.capacity_bytes, address_reach));
    npu.host_link.host_memory_bytes = std::max(npu.host_link.host_memory_bytes, megabytes(a + b + c + (16u << 20)));
}

template <typename T>
T checked(result<T> r) {
    if (!r)
        throw std::runtime_error(r.failure().text);
    if constexpr (!std::is_void_v<T>)
        return std::move(r).value();
}

/// A kernel's programs in device memory.
struct loaded_kernel {
    const compiler::compiled_kernel* kernel;
    std::vector<spec::program> programs;
};

loaded_kernel load(device& npu, const compiler::compiled_kernel& kernel) {
    loaded_kernel loaded{&kernel, {}};
    for (const compiler::engine_program& p : kernel.programs) {
        const auto bytes = std::as_bytes(std::span(p.code));
        const allocation at = checked(npu.memory().allocate(spec::region_kind::programs, bytes.size(), spec::program_alignment));
        checked(npu.load_programs(at.address, bytes));
        loaded.programs.push_back({static_cast<std::uint32_t>(at.address), static_cast<std::uint32_t>(p.code.size())});
    }
    return loaded;
}

spec::command command_of(const loaded_kernel& loaded, spec::phase phase) {
    const compiler::compiled_kernel& k = *loaded.kernel;
    spec::command c;
    c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
    c.phase = static_cast<std::uint8_t>(phase);
    c.step = 1;
    c.program_count = static_cast<std::uint8_t>(k.programs.size());
    for (std::size_t i = 0; i < k.programs.size(); ++i) {
        c.program_engine[i] = static_cast<std::uint8_t>(k.programs[i].engine);
        c.programs[i] = loaded.programs[i];
    }
    c.work_bytes = static_cast<std::uint32_t>(k.work_bytes);
    c.psum_count = static_cast<std::uint16_t>(k.psum_banks);
    c.operand_count = static_cast<std::uint8_t>(k.slots.size());
    return c;
}

spec::operand operand(spec::memory_kind memory, std::uint64_t base, std::uint64_t bytes, std::uint32_t tag, std::uint8_t access) {
    return {base, static_cast<std::uint32_t>(bytes), tag, tag ? 1u : 0u, static_cast<std::uint8_t>(memory), access, 0};
}

/// What memory should have held at most, from the commands alone.
void plan_peaks(run_summary& summary, const compiler::gemm_program& program, const device_capabilities& capabilities,
                std::uint64_t activations, std::uint64_t weights, std::uint64_t programs) {
    std::uint64_t work = 0, psum = 0;
    for (const compiler::compiled_kernel& k : program.kernels) {
        work = std::max(work, k.work_bytes);
        psum = std::max(psum, k.psum_banks * capabilities.psum_bank_bytes());
    }
    const std::map<std::string, std::uint64_t> planned{{"state_buffer", work},       {"psum", psum},
                                                       {"activations", activations}, {"weights", weights},
                                                       {"programs", programs},       {"device_dram", activations + weights + programs}};
    for (memory_summary& m : summary.memory)
        if (const auto found = planned.find(m.name); found != planned.end())
            m.planned_peak_bytes = found->second;
}

/// What brings A and B down and C up.
std::vector<compiler::compiled_kernel> copies_of(const gemm_options& o, const device_capabilities& capabilities, number_format format) {
    std::vector<compiler::compiled_kernel> copies;
    const std::uint64_t m = o.m, k = o.k, n = o.n, size = bytes_of(format);
    for (const std::uint64_t bytes : {m * k * size, k * n * size, m * n * 4})
        copies.push_back(compiler::compile_transfer({1, bytes, bytes, bytes}, capabilities));
    return copies;
}

/// The product's programs, before there is a device: what does not fit is refused here. Throws capacity_error, config_error.
compiler::gemm_program compile(const gemm_options& o, const npu_config& npu, number_format format) {
    const auto capabilities = capabilities_of(npu);
    compiler::gemm_shape shape;
    shape.m = o.m;
    shape.k = o.k;
    shape.n = o.n;
    shape.source = static_cast<spec::number_format>(format);
    shape.result = format == number_format::int8 ? spec::number_format::int32 : spec::number_format::fp32;
    if (o.serial)
        shape.block_rows = o.m;
    compiler::gemm_program program = compiler::compile_gemm(shape, capabilities, compiler::whole_state_buffer(capabilities));
    std::uint64_t needed = 0;
    std::vector<compiler::compiled_kernel> kernels = copies_of(o, capabilities, format);
    kernels.insert(kernels.end(), program.kernels.begin(), program.kernels.end());
    for (const compiler::compiled_kernel& kernel : kernels)
        for (const compiler::engine_program& p : kernel.programs)
            needed += (p.code.size() * spec::instruction_bytes + spec::program_alignment - 1) / spec::program_alignment * spec::program_alignment;
    for (const dram_region& r : npu.device_dram.regions)
        if (r.kind == spec::region_kind::programs && r.bytes < needed)
            throw config_error("npu.device_dram.regions.programs",
                               fmt::format("{} bytes, but this product's programs need {}; --set npu.device_dram.regions.programs={}", r.bytes,
                                           needed, needed));
    return program;
}

bool verify(const gemm_options& o, unsigned array_rows, const matrix_view& a, const matrix_view& b, const std::uint32_t* c) {
    if (std::uint64_t{o.m} * o.k * o.n <= whole_check_macs) {
        std::vector<std::uint32_t> reference(std::size_t{o.m} * o.n);
        gemm_reference(a, b, array_rows, reference.data(), o.n);
        return std::memcmp(reference.data(), c, reference.size() * 4) == 0;
    }
    for (const gemm_sample& s : gemm_reference_sample(a, b, array_rows, o.seed, sampled_elements))
        if (c[std::size_t{s.row} * o.n + s.column] != s.bits)
            return false;
    return true;
}

std::string title_of(const gemm_options& o) {
    return fmt::format("C[{0},{2}] = A[{0},{1}] B[{1},{2}], {3}", o.m, o.k, o.n, o.dtype);
}

/// A product that has been checked; nothing on the disk has been touched.
struct gemm_job {
    npu_config npu;
    number_format format{};
    compiler::gemm_program program;
    std::optional<wave_settings> waves;
};

gemm_job prepare(const gemm_options& o) {
    gemm_job job;
    job.npu = load_npu(o.preset, o.overrides);
    if (!o.array.empty())
        job.npu.array.implementation = o.array;
    for (const std::string& window : o.array_windows)
        job.npu.array.windows.push_back(parse_array_window(window));
    job.waves = wave_choice(o.waves, job.npu);
    check_array_choice(job.npu);
    job.format = format_of(o.dtype);
    make_room(job.npu, o, bytes_of(job.format));
    if (o.serial)
        make_serial(job.npu, o);
    job.program = compile(o, job.npu, job.format);
    return job;
}

/// The disk that the run needs.
disk_needs needs_of(const gemm_options& o, const gemm_job& job, const std::optional<timeline_options>& timeline) {
    const bool tiles = timeline && timeline->steps && timeline->steps->contains(1);
    const log_size log = log_of_product(job.npu, job.program, copies_of(o, capabilities_of(job.npu), job.format), tiles);
    disk_needs needs;
    needs.log = log.bytes;
    needs.log_tiles = log.tile_bytes;
    needs.fewer_tiles = "leave out --timeline-steps";
    needs.no_log.clear();
    needs.timeline = timeline ? std::min(timeline->max_bytes, log.timeline_bytes) : 0;
    if (job.waves) {
        needs.waves = job.waves->max_bytes;
        needs.wave_file = job.waves->file;
    }
    needs.other = other_bytes(1);
    return needs;
}

/// The product on the device, measured and verified.
run_summary multiply(const gemm_options& o, const gemm_job& job, simulated_port& port, trace::event_sink* sink, bool quiet) {
    const npu_config& npu = job.npu;
    const number_format format = job.format;
    if (sink) {
        sink->name_tensor(tag_a, "A");
        sink->name_tensor(tag_b, "B");
        sink->name_tensor(tag_c, "C");
    }
    device_options options;
    options.sink = sink;
    const std::unique_ptr<device> dev = checked(device::open(port, control_firmware(), options));
    device_capabilities capabilities = dev->capabilities();

    const std::uint64_t a_bytes = std::uint64_t{o.m} * o.k * bytes_of(format), b_bytes = std::uint64_t{o.k} * o.n * bytes_of(format),
                        c_bytes = std::uint64_t{o.m} * o.n * 4;
    const host_buffer a_host = checked(dev->host().allocate(a_bytes)), b_host = checked(dev->host().allocate(b_bytes)),
                      c_host = checked(dev->host().allocate(c_bytes));
    fill(a_host.bytes, format, o.seed, tag_a);
    fill(b_host.bytes, format, o.seed, tag_b);
    const allocation a_dram = checked(dev->memory().allocate(spec::region_kind::activations, a_bytes, 64, tag_a)),
                     c_dram = checked(dev->memory().allocate(spec::region_kind::activations, c_bytes, 64, tag_c)),
                     b_dram = checked(dev->memory().allocate(spec::region_kind::weights, b_bytes, 64, tag_b));

    using spec::memory_kind;
    const auto transfer = [&](const host_buffer& host, const allocation& dram, std::uint32_t tag, bool up) {
        const compiler::compiled_kernel kernel =
            compiler::compile_transfer({1, dram.bytes, dram.bytes, dram.bytes}, capabilities);
        spec::command c = command_of(load(*dev, kernel), spec::phase::transfer);
        using slots = compiler::transfer_slots;
        const auto host_side = operand(memory_kind::host, host.bus_address, dram.bytes, tag, up ? compiler::access_read : compiler::access_write);
        const auto dram_side = operand(memory_kind::device_dram, dram.address, dram.bytes, tag, up ? compiler::access_write : compiler::access_read);
        c.operands[slots::from] = up ? host_side : dram_side;
        c.operands[slots::to] = up ? dram_side : host_side;
        checked(dev->wait(checked(dev->launch(c))));
    };
    transfer(a_host, a_dram, tag_a, true);
    transfer(b_host, b_dram, tag_b, true);

    std::vector<loaded_kernel> kernels;
    for (const compiler::compiled_kernel& k : job.program.kernels)
        kernels.push_back(load(*dev, k));

    // Measured: from this doorbell to the last completion. Uploads, verification and start-up are outside.
    progress_line progress(!quiet);
    port.device().stalls().restart(port.cycles());
    const std::uint64_t macs_before = port.device().pe().macs();
    const stopwatch watch;
    using slots = compiler::gemm_slots;
    command_handle previous;
    std::vector<command_handle> handles;
    for (const compiler::gemm_command& g : job.program.commands) {
        const loaded_kernel& k = kernels[g.kernel];
        spec::command c = command_of(k, spec::phase::forward);
        c.wait[0] = previous.sequence; // they share the working set
        c.operands[slots::work] = operand(memory_kind::state_buffer, 0, k.kernel->work_bytes, 0, 3);
        c.operands[slots::psum] = operand(memory_kind::psum, 0, k.kernel->psum_banks * capabilities.psum_bank_bytes(), 0, 3);
        c.operands[slots::a] = operand(memory_kind::device_dram, a_dram.address + g.a_offset, a_bytes - g.a_offset, tag_a, compiler::access_read);
        c.operands[slots::b] = operand(memory_kind::device_dram, b_dram.address + g.b_offset, b_bytes - g.b_offset, tag_b, compiler::access_read);
        c.operands[slots::c] = operand(memory_kind::device_dram, c_dram.address + g.c_offset, c_bytes - g.c_offset, tag_c, compiler::access_write);
        previous = checked(dev->launch(c));
        handles.push_back(previous);
    }
    for (std::size_t i = 0; i < handles.size(); ++i) {
        checked(dev->wait(handles[i]));
        progress.show(i + 1, handles.size(), fmt::format("cycle {}", port.cycles()));
    }
    progress.finish();
    port.device().stalls().until(port.cycles());
    run_summary summary;
    summary.cpu_seconds = watch.cpu();
    summary.wall_seconds = watch.wall();
    read_device(summary, npu, port.device());
    summary.macs -= macs_before;
    const std::uint64_t program_bytes = dev->memory().region(spec::region_kind::programs)->used();

    transfer(c_host, c_dram, tag_c, false);
    const auto view = [](const host_buffer& m, std::uint32_t rows, std::uint32_t columns, number_format f) {
        return matrix_view{m.bytes.data(), std::size_t{columns} * bytes_of(f), rows, columns, f};
    };
    summary.verified = verify(o, npu.array.rows, view(a_host, o.m, o.k, format), view(b_host, o.k, o.n, format),
                              reinterpret_cast<const std::uint32_t*>(c_host.bytes.data()));
    sha256 digest;
    digest.add(c_host.bytes);
    summary.checksum = digest.hex();
    summary.seed = o.seed;
    plan_peaks(summary, job.program, capabilities, a_bytes + c_bytes, b_bytes, program_bytes);
    return summary;
}

/// Does what a failed run has done, for its waves alone.
int multiply_again(const gemm_options& o, const gemm_job& job, const failure_point& expected) {
    const stop_signals stoppable;
    tensor_names names(nullptr);
    simulated_port port(job.npu, 0, &names);
    port.probes().name_tensors([&](std::uint32_t tag) { return names.name(tag); });
    wave_session waves(*job.waves, port, job.format == number_format::int8);
    waves.mark(expected);
    try {
        multiply(o, job, port, &names, true);
    } catch (const simulation_interrupted&) {
        throw;
    } catch (const std::exception& e) {
        return judge_again(expected, locate(e, &port));
    }
    return judge_again(expected, std::nullopt);
}

} // namespace

int gemm(const gemm_options& o) {
    const gemm_job job = prepare(o);
    if (const auto failure = expected_failure(o.waves))
        return multiply_again(o, job, *failure);
    const std::filesystem::path out = o.out.empty() ? std::filesystem::path("out/gemm") : std::filesystem::path(o.out);
    run_folder::check(out);
    const std::optional<timeline_options> timeline = timeline_choice(o.timeline_steps, o.timeline_max);
    std::vector<std::uint32_t> tile_steps; // the product's commands are those of step 1
    if (timeline && timeline->steps && timeline->steps->contains(1))
        tile_steps = {1};
    check_room(out, needs_of(o, job, timeline));

    run_folder folder(out);
    sqlite_log log(folder.file("events.sqlite").string(), tile_steps);
    tensor_names names(&log);
    simulated_port port(job.npu, 0, job.waves ? static_cast<trace::event_sink*>(&names) : &log);
    describe_machine(log, job.npu, port.device().dram());
    std::optional<wave_session> waves;
    if (job.waves) {
        port.probes().name_tensors([&](std::uint32_t tag) { return names.name(tag); });
        waves.emplace(*job.waves, port, job.format == number_format::int8);
    }
    run_summary summary;
    const auto write_summary = [&] {
        summary.command = "gemm";
        summary.name = title_of(o);
        summary.seed = o.seed;
        folder.write("summary.json", to_json(summary));
    };
    try {
        const stop_signals stoppable;
        summary = multiply(o, job, port, job.waves ? static_cast<trace::event_sink*>(&names) : &log, o.quiet);
        log.close();
    } catch (const std::exception& e) {
        // The report of a run that did not end says how far it came; the error itself goes on.
        const std::optional<failure_point> point = locate(e, &port);
        summary.status = status_of(e);
        summary.reason = e.what();
        attempt([&] { read_device(summary, job.npu, port.device()); });
        attempt(write_summary);
        attempt([&] { log.close(); });
        if (waves && point)
            waves->mark(*point);
        if (waves)
            attempt([&] { waves->finish(); });
        try_write_report(out);
        try_draw_timeline(folder, &log, timeline);
        if (point && !o.waves.no_failure_waves && !(waves && waves->covers(point->cycle)))
            record_failure(out, *point, job.npu);
        throw;
    }
    write_summary();
    try_write_report(out);
    try_draw_timeline(folder, &log, timeline);
    fmt::print(stderr, "{}", describe_unused_windows(job.npu.array, port.tiles_in_windows(), port.cycles()));
    if (waves)
        waves->finish();

    if (!o.quiet) {
        fmt::print("{}, preset {} ({}x{}{}), array {}\n", title_of(o), job.npu.preset, job.npu.array.rows, job.npu.array.columns,
                   o.serial ? ", serial" : "", job.npu.array.implementation);
        fmt::print("{} cycles, of which the array {}; {:.1f} % of the array's peak\n", summary.cycles, summary.array_cycles,
                   100 * summary.utilisation);
        fmt::print("checksum {}, {} against the scalar reference\n\n", *summary.checksum, *summary.verified ? "equal" : "NOT EQUAL");
        fmt::print("{}\nResults in {}\n", describe(summary), out.string());
        if (waves && waves->draws())
            fmt::print("Waves in {}; look at them with: gtkwave {}.gtkw\n", job.waves->file, job.waves->file);
    }
    if (!*summary.verified)
        throw std::logic_error("the product differs from the scalar reference");
    return success;
}

} // namespace retrace::cli
