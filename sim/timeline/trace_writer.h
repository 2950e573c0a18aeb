#pragma once
// Writes a file in Chrome's trace event format (JSON object with `traceEvents`), which Perfetto opens. Keeps the rules that the
// format has and that nobody checks while drawing: slices of a track follow each other, a flow's ends lie in slices and its start
// comes first, a counter's samples ascend, and the file stays under a limit.
//
// Time: cycles come in; `ts` and `dur` are microseconds. Both are whole nanoseconds, rounded down, so that slices that touch in
// cycles touch in the file; readers that truncate a binary fraction to nanoseconds would miss some by one, so every `ts` stands
// 0.1 ns later.
#include <cstdint>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace retrace {

/// The file cannot be written.
class timeline_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Members of a JSON object: "a":1,"b":"x".
class json_members {
public:
    json_members& number(std::string_view key, std::uint64_t value);
    json_members& hex(std::string_view key, std::uint64_t value); ///< "0x1f"
    json_members& text(std::string_view key, std::string_view value);
    json_members& whole_text(std::string_view key, std::string_view value); ///< not cut, however long
    std::string_view str() const { return text_; }
    void clear() { text_.clear(); }

private:
    void key(std::string_view key);
    std::string text_;
};
/// Appends `text` as the inside of a JSON string; what is not printable ASCII becomes '?', and what is longer than `most` is cut.
inline constexpr std::size_t longest_name = 120;
void append_json(std::string& to, std::string_view text, std::size_t most = longest_name);

/// The file stands under its name when it is whole (finish()); until then it grows beside it, and a writer that goes before leaves nothing.
class trace_writer {
public:
    static constexpr unsigned no_track = 0;
    /// A place in a slice that an arrow may begin or end at.
    struct point {
        unsigned track = no_track;
        std::uint64_t ns = 0;
    };
    struct drawn_slice {
        unsigned track = no_track; ///< no_track: nothing was drawn
        std::uint64_t begin_ns = 0, end_ns = 0;
        point at(std::uint64_t ns) const;
        point end() const { return at(end_ns); }
    };

    trace_writer(const std::string& path, std::uint64_t max_bytes, std::uint64_t clock_hz);
    ~trace_writer();
    trace_writer(const trace_writer&) = delete;
    trace_writer& operator=(const trace_writer&) = delete;

    void process(unsigned pid, std::string_view name);
    /// The track of this name in the process, made when it is first asked for. Lower `order` stands higher.
    unsigned track(unsigned pid, std::string_view name, unsigned order);

    /// A slice [begin, end) in cycles. What lies before the end of the track's last slice is cut off; one that ended before
    /// that is not drawn.
    drawn_slice slice(unsigned track, std::uint64_t begin, std::uint64_t end, std::string_view name, std::string_view arguments);
    /// An arrow; not drawn if it would go back in time or an end is missing.
    void arrow(const point& from, const point& to, std::string_view name);
    /// Its name is not cut.
    void instant(unsigned track, std::uint64_t cycle, std::string_view name, std::string_view arguments, char scope = 't');
    /// The counter of this name in the process.
    unsigned counter(unsigned pid, std::string_view name, std::string_view unit);
    /// A sample of it; one that changes nothing, or lies before the last one, is not written.
    void sample(unsigned counter, std::uint64_t cycle, std::uint64_t value);

    /// Whether the limit was met: from then on nothing is written until it is raised.
    bool full() const { return full_; }
    void limit(std::uint64_t max_bytes);
    std::uint64_t bytes() const { return written_ + buffer_.size(); }
    std::uint64_t events() const { return events_; }
    std::uint64_t ns_of(std::uint64_t cycle) const;

    /// Closes the list of events, writes `metadata` (members of an object) and the file's end, and gives the file its name. The room for
    /// 8 KiB is kept from the start.
    void finish(std::string_view metadata);

private:
    struct track_state {
        unsigned pid;
        std::uint64_t end = 0; ///< cycle
    };
    struct counter_state {
        unsigned pid;
        std::string name, unit; ///< as they stand in the file
        bool begun = false;
        std::uint64_t ns = 0, value = 0;
    };
    void begin_event(char kind, unsigned pid, unsigned tid);
    void add_time(const char* key, std::uint64_t ns, bool exact);
    /// The event that was put together in event_: into the file, if there is room.
    bool commit();
    void flush();

    std::FILE* file_;
    std::string path_, part_;
    std::uint64_t max_bytes_, clock_hz_, written_ = 0, events_ = 0, flows_ = 0;
    bool full_ = false;
    std::string buffer_, event_;
    std::vector<track_state> tracks_; ///< tid - 1
    std::map<std::pair<unsigned, std::string>, unsigned> track_numbers_, counter_numbers_;
    std::vector<counter_state> counters_;
};

} // namespace retrace
