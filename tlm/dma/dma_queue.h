#pragma once
// One DMA queue: takes descriptors in order, cuts them into chunks, reads a chunk from its source while earlier ones are being written to
// their destination (up to `outstanding_chunks` in flight), turns elements on the way if asked. Descriptors overlap: the next one's reads
// may begin before this one's last write has finished; a descriptor signals when its own last write has. A nop signals in order.
// Arbitration with the other queues is per chunk. Not modelled: gather and scatter.
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
    struct piece {
        run_handle run;
        fetched_instruction fetched;
        dma_chunk chunk;
        std::vector<std::byte> data;
        spec::memory_kind destination{};
        trace::tensor_id tensor;
        bool last = false; ///< of its descriptor
    };

    void execute(const fetched_instruction& i) override;
    void on_cancel() override { popped_.notify(sc_core::SC_ZERO_TIME); }
    void write_pieces();
    bool transport(memory_access& access, spec::memory_kind memory, tlm::tlm_command command, const std::vector<byte_run>& runs,
                   std::vector<std::byte>& data, const run_handle& run, std::uint32_t pc, trace::tensor_id tensor);
    piece& claim_piece(const run_handle& run);
    void hand_over();
    void log_copy(const run_handle& run, const fetched_instruction& fetched);

    std::vector<piece> ring_; ///< chunks in flight; storage is reused
    std::size_t first_ = 0, used_ = 0;
    std::vector<std::byte> turned_;
    requester write_requester_;
    memory_access read_access_, write_access_;
    sc_core::sc_event pushed_, popped_;
    std::uint64_t bytes_moved_ = 0;
};

} // namespace retrace
