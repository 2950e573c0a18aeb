#pragma once
// The timeline's tile level: instructions, grants and accesses of the chosen steps, merged in the order in which they happened.
//
// Process "engines" (E is pe, activation or vector):
//   pe weights, pe rows, pe sums
//                 a tile's weights enter the array, from the first row (its banks are granted) to the last; a stream's rows enter it,
//                 so many cycles each; its sums leave it, from the first (or the end of the stream before) to the last
//   activation, vector
//                 an instruction, begun to ended; for `bank_wait` of these cycles it waited for banks
//   E waits, pe weights waits, pe rows waits
//                 an instruction has been issued and waits for semaphores
//   E fetch       a block of the program is on its way: request to arrival
//   mover         a copy of the control core's mover: request to end
// Process "DMA queues":
//   dmaQ          the oldest descriptor of the queue that has not finished
//   dmaQ waits, dmaQ fetch
//                 as above
//   dmaQ read P   what the chunk in place P is at: memory, request and answer on the link, transposer, each from its request on
//   dmaQ write    a chunk is written: request to end
// Process "memory":
//   DRAM channel C
//                 from an access' grant (or the end of the one before it in this channel) to its end; accesses of one requester that
//                 touch are one slice; an access of several runs is drawn as if it were contiguous from its first byte
// Process "host link":
//   link up, link down
//                 the wire, from the grants and arrivals (hw/README.md, 9.10); messages of one requester that touch are one slice
//
// Arrows leave a slice at its end (its signals) and meet one where its waits were over.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "sim/timeline/drawing.h"
#include "sim/timeline/program_book.h"
#include "sim/timeline/step_set.h"

namespace retrace {

class tile_level {
public:
    tile_level(drawing& d, const step_set& chosen);
    ~tile_level();

    /// Draws until everything is drawn or the file is full.
    void draw();
    std::uint64_t instructions() const { return instructions_; }
    std::uint64_t left_out() const { return left_out_; }
    std::uint64_t stopped_at() const { return stopped_at_; }

private:
    struct command {
        std::uint64_t step, layer;
        unsigned phase;
    };
    struct grant {
        std::uint64_t requested, granted, resumed, device, chunk, address, bytes, sequence, pc, arrived;
        unsigned requester, resource;
        bool write;
    };
    struct engine_state {
        std::array<unsigned, 64> tracks{}; ///< by part (tile_level.cpp)
        int counter = -1;                  ///< DMA: chunks in flight
        std::uint64_t sequence = 0;        ///< DMA: command of the chunks
        std::vector<std::uint64_t> open;   ///< DMA: chunks read and not yet written, ascending
        std::uint64_t in_flight = 0;
    };
    /// Touching uses of one resource by one requester, for one instruction.
    struct merged_use {
        bool any = false;
        std::uint64_t begin = 0, end = 0, sequence = 0, pc = 0, address = 0, bytes = 0, count = 0;
        unsigned requester = 0;
        bool write = false;
    };
    struct device_state {
        std::array<engine_state, spec::max_engines> engines;
        std::vector<merged_use> channels;
        std::array<merged_use, 2> wires; ///< up, down
        std::array<std::uint64_t, 2> wire_free{};
    };
    struct written_chunk {
        std::uint64_t cycle, device;
        unsigned engine;
        bool operator>(const written_chunk& o) const { return cycle > o.cycle; }
    };
    struct stretch {
        std::uint64_t first, last; ///< cycles, both within
    };
    class cursor; ///< rows of the three tables, as they are

    const command* chosen(std::uint64_t device, std::uint64_t sequence) const;
    static std::vector<stretch> joined(std::vector<stretch> all);
    bool in_chosen_time(std::uint64_t device, std::uint64_t cycle) const;
    void flush_written(std::uint64_t until);
    void flush_uses();
    void draw(const grant& g);
    void draw_chunk(const grant& g, unsigned engine, bool writes);
    void draw_dram(const grant& g);
    void draw_wire(const grant& g, unsigned direction);
    void use(merged_use& last, const merged_use& now, unsigned track);
    void draw_use(const merged_use& u, unsigned track);
    void draw(const logged_instruction& i, const command& c);
    void draw_waits(const logged_instruction& i, const std::vector<semaphore_wait>& waits, unsigned track);
    void read_accesses(const logged_instruction& i);
    unsigned engine_track(std::uint64_t device, unsigned engine, unsigned part);
    unsigned chunk_counter(std::uint64_t device, unsigned engine);

    drawing& d_;
    program_book book_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, command> commands_; ///< by device and sequence; of the chosen steps
    std::map<std::uint64_t, std::vector<stretch>> times_; ///< by device: when steps that are drawn ran; ascending, apart
    std::map<std::uint64_t, device_state> devices_;
    std::priority_queue<written_chunk, std::vector<written_chunk>, std::greater<>> written_;
    std::unique_ptr<cursor> cursor_;
    std::string reads_, writes_, tensor_, name_; ///< of the instruction at hand, for people
    json_members arguments_;
    std::uint64_t instructions_ = 0, left_out_ = 0, stopped_at_ = 0;
};

} // namespace retrace
