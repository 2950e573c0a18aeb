#pragma once
// One DMA queue: takes descriptors in order and cuts them into chunks, which pass through a ring of `outstanding_chunks` places. Every
// place has a reader, so that many reads are under way at once; elements are turned on the way if asked, and chunks are written in order.
// Descriptors overlap: the next one's reads may begin before this one's last write has finished; a descriptor signals when its own last
// write has. A nop signals in order. Arbitration with the other queues is per chunk. Not modelled: gather and scatter.
#include <memory>

#include "tlm/core/dma/transfer.h"
#include "tlm/engine/engine.h"

namespace retrace {

class dma_queue : public engine {
public:
    using socket = tlm_utils::simple_initiator_socket<dma_queue, 32, memory_protocol>;
    socket host{"host"}, dram{"dram"}, buffer{"buffer"};

    dma_queue(const sc_core::sc_module_name& name, unsigned number, backplane& plane, finished_callback finished);

    std::uint64_t bytes_moved() const { return bytes_moved_; }

private:
    /// A chunk in flight and the reader that fetches it.
    struct place {
        explicit place(unsigned number) : reader(number), access(reader) {}

        enum class state { free, to_read, to_write } now = state::free;
        run_handle run;
        fetched_instruction fetched;
        dma_chunk chunk;
        std::vector<std::byte> data, turned;
        spec::memory_kind source{}, destination{};
        std::uint64_t source_base = 0, destination_base = 0; ///< first byte of the descriptor, on each side
        trace::tensor_id tensor;
        unsigned turn_element_bytes = 0; ///< 0: no transpose
        bool last = false;               ///< of its descriptor
        std::uint64_t free_from = 0;     ///< stress: the place stays taken until then
        requester reader;
        memory_access access;
        sc_core::sc_event filled;
        trace::probe_id text;
        const char* doing = "";          ///< "read", "turn", "write"
    };

    void execute(const fetched_instruction& i) override;
    void on_cancel() override;
    void add_own_waits(wait_graph& g, wait_graph::id me, const fetched_instruction* cutting) override;
    std::vector<held_instruction> held(const wait_graph& g) const override;
    void read_chunks(std::size_t index);
    void read_chunk(place& p);
    void write_chunks();
    bool transport(memory_access& access, spec::memory_kind memory, tlm::tlm_command command, const std::vector<byte_run>& runs, place& p);
    /// The next free place of the ring, from the sequencer's thread.
    place& claim(const run_handle& run);
    void hand_over(place& p, place::state next);
    void log_copy(const place& p);
    void show(place& p, const char* what, spec::memory_kind memory, std::uint64_t address);
    void show_level();
    void tell_places();

    std::vector<std::unique_ptr<place>> ring_;
    std::size_t next_claim_ = 0, next_write_ = 0;
    std::uint64_t chunks_ = 0, turn_free_ = 0;
    requester write_requester_;
    memory_access write_access_;
    sc_core::sc_event read_, freed_;
    const trace::probe_id chunks_probe_;
    unsigned taken_ = 0; ///< places
    std::uint64_t bytes_moved_ = 0;
};

} // namespace retrace
