#include "tlm/npu.h"

#include <fmt/format.h>

#include "tlm/core/registers/device_registers.h"

namespace retrace {

using spec::memory_kind;

npu::npu(const sc_core::sc_module_name& name, const npu_config& config, unsigned device, trace::event_sink* sink, trace::probe_registry& probes,
         pe_array::array_factory make_array, message_handler message)
    : sc_module(name), config_(config), device_(device), sink_(sink), clock_(config.clock_hz), arbiter_("arbiter", clock_, config.stress, device, sink),
      stalls_(engine_count(config)), probes_(probes, fmt::format("npu{}", device)),
      plane_{config_, device, clock_, arbiter_, contexts_, semaphore_changed_, stalls_, sink, probes_},
      dram_memory_("device_dram", memory_kind::device_dram, config.device_dram.capacity_bytes, 1, device, sink),
      buffer_memory_("state_buffer", memory_kind::state_buffer, config.state_buffer.capacity_bytes, 1, device, sink),
      psum_memory_("psum", memory_kind::psum, std::uint64_t{config.psum.banks} * config.psum.rows * config.array.columns * 4, 4, device, sink),
      dram_("dram", plane_, dram_memory_), buffer_("state_buffer", plane_, buffer_memory_),
      psum_ports_(config.ideal_memories ? 0 : config.psum.banks), block_(config_, *this),
      link_("link", plane_,
            {[this](std::uint32_t offset, std::uint32_t& value) { return block_.host_read(offset, value) == register_status::ok; },
             [this](std::uint32_t offset, std::uint32_t value) { return block_.host_write(offset, value) == register_status::ok; },
             std::move(message)}),
      core_("core", plane_,
            {[this](std::uint32_t offset, std::uint32_t& value) { return block_.core_read(offset, value) == register_status::ok; },
             [this](std::uint32_t offset, std::uint32_t value) { return block_.core_write(offset, value) == register_status::ok; },
             [this](bool ok) {
                 if (ok)
                     note_copy();
                 block_.mover_finished(ok);
             }}),
      finished_([this](unsigned e, spec::engine_fault fault, std::uint32_t pc, std::uint32_t detail) {
          if (fault != spec::engine_fault::none && fault != spec::engine_fault::aborted && !first_fault_)
              first_fault_ = engine_stop{e, clock_.now()};
          block_.engine_finished(e, fault, pc, detail);
      }),
      on_chip_{buffer_, psum_memory_, psum_ports_, std::uint64_t{config.psum.rows} * config.array.columns * 4},
      pe_("array", plane_, on_chip_, std::move(make_array), finished_),
      activation_("activation", spec::engine_activation, plane_, config.activation, on_chip_, finished_),
      vector_("vector", spec::engine_vector, plane_, config.vector, on_chip_, finished_), sockets_(config.check_protocol) {
    probes.add_text_source([this](std::uint64_t cycle) {
        for (unsigned c = 0; c < spec::contexts; ++c)
            if (contexts_[c].active())
                probes_.tell_text(cycle, c, contexts_[c].command());
    });
    psum_ports_.show(probes, probes_.device + ".psum");
    std::uint64_t base = 0;
    for (const dram_region& region : config.device_dram.regions) {
        dram_memory_.add_region(std::string(name_of(region.kind)), base, region.bytes);
        base += region.bytes;
    }
    engines_ = {&pe_, &activation_, &vector_};
    for (unsigned q = 0; q < config.dma.queues; ++q) {
        dma_.push_back(std::make_unique<dma_queue>(fmt::format("dma{}", q).c_str(), spec::engine_dma + q, plane_, finished_));
        sockets_.bind(dma_.back()->host, link_.port);
        sockets_.bind(dma_.back()->dram, dram_.port);
        sockets_.bind(dma_.back()->buffer, buffer_.port);
        engines_.push_back(dma_.back().get());
    }
    for (engine* e : engines_)
        sockets_.bind(e->fetch, dram_.port);
    sockets_.bind(core_.host, link_.port);
    sockets_.bind(core_.dram, dram_.port);
}

void npu::engine_start(unsigned engine, unsigned context, std::uint32_t program_address, std::uint32_t count) {
    engines_[engine]->start(context, program_address, count);
}

void npu::engine_abort(unsigned engine) { engines_[engine]->abort(); }

access_origin npu::origin_of(const spec::command& command) const {
    return {clock_.now(), static_cast<unsigned>(spec::max_engines), command.sequence, 0};
}

tagged_memory* npu::memory_of(memory_kind kind) {
    switch (kind) {
    case memory_kind::device_dram: return &dram_memory_;
    case memory_kind::state_buffer: return &buffer_memory_;
    case memory_kind::psum: return &psum_memory_;
    default: return nullptr;
    }
}

void npu::log_command(trace::command_event::moment what, unsigned context, const spec::command& command, spec::command_status status) {
    if (!sink_)
        return;
    trace::command_event e;
    e.what = what;
    e.cycle = clock_.now();
    e.device = device_;
    e.context = context;
    e.sequence = command.sequence;
    e.step = command.step;
    e.layer = command.layer;
    e.phase = static_cast<spec::phase>(command.phase);
    e.status = status;
    std::copy(std::begin(command.wait), std::end(command.wait), e.waits.begin());
    if (what == trace::command_event::moment::begun)
        e.operands = {command.operands, command.operand_count};
    sink_->on(e);
}

void npu::context_begin(unsigned context, const spec::command& command) {
    contexts_[context].begin(command);
    book_.begun(clock_.now(), context, command);
    stalls_.context(clock_.now(), context, true, static_cast<spec::phase>(command.phase));
    probes_.begin(clock_.now(), context, command);
    log_command(trace::command_event::moment::begun, context, command, spec::command_status::ok);
    const access_origin origin = origin_of(command);
    const std::uint64_t bank = on_chip_.psum_bank_bytes;
    buffer_memory_.begin_working_set(command.work_base, command.work_bytes, origin);
    psum_memory_.begin_working_set(command.psum_first * bank, command.psum_count * bank, origin);
}

void npu::context_end(unsigned context, spec::command_status status) {
    const spec::command command = contexts_[context].command();
    const access_origin origin = origin_of(command);
    for (unsigned i = 0; i < command.operand_count; ++i) {
        const spec::operand& o = command.operands[i];
        if (tagged_memory* memory = memory_of(static_cast<memory_kind>(o.memory)); memory && (o.access & 2u) && o.tag != 0 && memory->contains(o.base, o.bytes))
            memory->log_complete(o.base, o.bytes, {o.tag, o.version}, origin);
    }
    const std::uint64_t bank = on_chip_.psum_bank_bytes;
    buffer_memory_.end_working_set(command.work_base, command.work_bytes, origin);
    psum_memory_.end_working_set(command.psum_first * bank, command.psum_count * bank, origin);
    for (unsigned i = 0; i < command.operand_count; ++i) {
        const spec::operand& o = command.operands[i];
        if (tagged_memory* memory = memory_of(static_cast<memory_kind>(o.memory));
            memory && (o.access & static_cast<unsigned>(spec::operand_access::release)) && memory->contains(o.base, o.bytes))
            memory->release(o.base, o.bytes, {o.tag, o.version}, origin);
    }
    for (const tagged_memory* memory : {&dram_memory_, &buffer_memory_, &psum_memory_})
        memory->log_occupancy(origin);
    contexts_[context].end();
    book_.ended(clock_.now(), context);
    stalls_.context(clock_.now(), context, false);
    probes_.end(clock_.now(), context);
    log_command(trace::command_event::moment::ended, context, command, status);
}

void npu::mover_start(std::uint64_t host_address, std::uint32_t local_address, std::uint32_t bytes, bool to_host) {
    moving_ = {host_address, local_address, bytes, to_host};
    core_.move(host_address, local_address, bytes, to_host);
}

void npu::send_message(std::uint64_t address, std::uint32_t data) { link_.send_message(address, data); }
bool npu::read_local(std::uint32_t address, std::span<std::uint8_t> bytes) { return core_.core().read_memory(address, bytes); }
bool npu::write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) { return core_.core().write_memory(address, bytes); }
void npu::core_reset(bool run) {
    book_.clear();
    core_.reset(run);
}
void npu::set_core_interrupt(bool level) { core_.set_interrupt(level); }

std::uint64_t npu::commands_running() const {
    std::uint64_t running = 0;
    for (const context_state& c : contexts_)
        running += c.active();
    return running;
}

std::uint64_t npu::progress() const {
    std::uint64_t sum = 0;
    for (const engine* e : engines_)
        sum += e->instructions();
    return sum;
}

} // namespace retrace
