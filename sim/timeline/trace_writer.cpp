#include "sim/timeline/trace_writer.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace retrace {

namespace {

constexpr std::size_t flush_bytes = 1 << 18, kept_for_the_end = 8192;

void append(std::string& to, std::uint64_t value, int base = 10) {
    char digits[24];
    to.append(digits, std::to_chars(digits, digits + sizeof digits, value, base).ptr);
}

} // namespace

void append_json(std::string& to, std::string_view text, std::size_t most) {
    for (const char c : text.substr(0, most)) {
        if (c == '"' || c == '\\')
            to += '\\';
        to += c >= 0x20 && c < 0x7f ? c : '?';
    }
}

void json_members::key(std::string_view key) {
    text_ += text_.empty() ? "\"" : ",\"";
    text_ += key;
    text_ += "\":";
}

json_members& json_members::number(std::string_view name, std::uint64_t value) {
    key(name);
    append(text_, value);
    return *this;
}

json_members& json_members::hex(std::string_view name, std::uint64_t value) {
    key(name);
    text_ += "\"0x";
    append(text_, value, 16);
    text_ += '"';
    return *this;
}

json_members& json_members::text(std::string_view name, std::string_view value) {
    key(name);
    text_ += '"';
    append_json(text_, value);
    text_ += '"';
    return *this;
}

json_members& json_members::whole_text(std::string_view name, std::string_view value) {
    key(name);
    text_ += '"';
    append_json(text_, value, value.size());
    text_ += '"';
    return *this;
}

trace_writer::point trace_writer::drawn_slice::at(std::uint64_t ns) const {
    if (track == no_track)
        return {};
    // The end of a slice is the next one's.
    const std::uint64_t last = end_ns > begin_ns ? end_ns - 1 : begin_ns;
    return {track, std::clamp(ns, begin_ns, last)};
}

trace_writer::trace_writer(const std::string& path, std::uint64_t max_bytes, std::uint64_t clock_hz)
    : file_(std::fopen((path + ".part").c_str(), "wb")), path_(path), part_(path + ".part"), max_bytes_(max_bytes), clock_hz_(std::max<std::uint64_t>(1, clock_hz)) {
    if (!file_)
        throw timeline_error("cannot write " + path + ": " + std::strerror(errno));
    buffer_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
}

trace_writer::~trace_writer() {
    if (file_)
        std::fclose(file_);
    if (!part_.empty())
        std::remove(part_.c_str());
}

std::uint64_t trace_writer::ns_of(std::uint64_t cycle) const {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(cycle) * 1'000'000'000u / clock_hz_);
}

void trace_writer::begin_event(char kind, unsigned pid, unsigned tid) {
    event_ += "{\"ph\":\"";
    event_ += kind;
    event_ += "\",\"pid\":";
    append(event_, pid);
    if (kind != 'C') {
        event_ += ",\"tid\":";
        append(event_, tid);
    }
}

void trace_writer::add_time(const char* key, std::uint64_t ns, bool exact) {
    event_ += ",\"";
    event_ += key;
    event_ += "\":";
    append(event_, ns / 1000);
    const unsigned rest = static_cast<unsigned>(ns % 1000);
    const char digits[] = {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                           static_cast<char>('0' + rest % 10)};
    if (rest != 0 || !exact)
        event_.append(digits, 4);
    if (!exact)
        event_ += '1';
}

bool trace_writer::commit() {
    if (!full_ && bytes() + event_.size() + 2 + kept_for_the_end > max_bytes_)
        full_ = true;
    if (full_) {
        event_.clear();
        return false;
    }
    buffer_ += events_++ == 0 ? "\n" : ",\n";
    buffer_ += event_;
    event_.clear();
    if (buffer_.size() >= flush_bytes)
        flush();
    return true;
}

void trace_writer::flush() {
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size())
        throw timeline_error("cannot write " + path_ + ": " + std::strerror(errno));
    written_ += buffer_.size();
    buffer_.clear();
}

void trace_writer::limit(std::uint64_t max_bytes) {
    max_bytes_ = max_bytes;
    full_ = false;
}

void trace_writer::process(unsigned pid, std::string_view name) {
    begin_event('M', pid, 0);
    event_ += ",\"name\":\"process_name\",\"args\":{\"name\":\"";
    append_json(event_, name);
    event_ += "\"}},\n";
    begin_event('M', pid, 0);
    event_ += ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":";
    append(event_, pid);
    event_ += "}}";
    events_ += commit();
}

unsigned trace_writer::track(unsigned pid, std::string_view name, unsigned order) {
    const auto [place, is_new] = track_numbers_.try_emplace({pid, std::string(name)}, static_cast<unsigned>(tracks_.size() + 1));
    if (!is_new)
        return place->second;
    const unsigned tid = place->second;
    begin_event('M', pid, tid);
    event_ += ",\"name\":\"thread_name\",\"args\":{\"name\":\"";
    append_json(event_, name);
    event_ += "\"}},\n";
    begin_event('M', pid, tid);
    event_ += ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":";
    append(event_, order);
    event_ += "}}";
    if (!commit()) { // to be asked for again when there is room
        track_numbers_.erase(place);
        return no_track;
    }
    ++events_;
    tracks_.push_back({pid});
    return tid;
}

trace_writer::drawn_slice trace_writer::slice(unsigned track, std::uint64_t begin, std::uint64_t end, std::string_view name,
                                              std::string_view arguments) {
    if (track == no_track || end < begin)
        return {};
    track_state& t = tracks_[track - 1];
    const std::uint64_t from = std::max(begin, t.end);
    if (from > end)
        return {};
    const std::uint64_t begin_ns = ns_of(from), end_ns = ns_of(end);
    begin_event('X', t.pid, track);
    add_time("ts", begin_ns, false);
    add_time("dur", end_ns - begin_ns, true);
    event_ += ",\"name\":\"";
    append_json(event_, name);
    event_ += "\",\"args\":{";
    event_ += arguments;
    event_ += "}}";
    if (!commit())
        return {};
    t.end = end;
    return {track, begin_ns, end_ns};
}

void trace_writer::arrow(const point& from, const point& to, std::string_view name) {
    if (from.track - 1 >= tracks_.size() || to.track - 1 >= tracks_.size() || from.ns > to.ns)
        return;
    ++flows_;
    const auto part = [&](char kind, const point& p) {
        begin_event(kind, tracks_[p.track - 1].pid, p.track);
        add_time("ts", p.ns, false);
        event_ += ",\"id\":";
        append(event_, flows_);
        event_ += ",\"cat\":\"dep\",\"name\":\"";
        append_json(event_, name);
        event_ += kind == 'f' ? "\",\"bp\":\"e\"}" : "\"},\n";
    };
    part('s', from);
    part('f', to);
    events_ += commit();
}

void trace_writer::instant(unsigned track, std::uint64_t cycle, std::string_view name, std::string_view arguments, char scope) {
    if (track == no_track)
        return;
    begin_event('i', tracks_[track - 1].pid, track);
    add_time("ts", ns_of(cycle), false);
    event_ += ",\"s\":\"";
    event_ += scope;
    event_ += "\",\"name\":\"";
    append_json(event_, name, name.size());
    event_ += "\",\"args\":{";
    event_ += arguments;
    event_ += "}}";
    commit();
}

unsigned trace_writer::counter(unsigned pid, std::string_view name, std::string_view unit) {
    const auto [place, is_new] = counter_numbers_.try_emplace({pid, std::string(name)}, static_cast<unsigned>(counters_.size()));
    if (is_new) {
        counters_.push_back({pid, {}, {}});
        append_json(counters_.back().name, name);
        append_json(counters_.back().unit, unit);
    }
    return place->second;
}

void trace_writer::sample(unsigned counter, std::uint64_t cycle, std::uint64_t value) {
    counter_state& c = counters_[counter];
    const std::uint64_t ns = ns_of(cycle);
    if (c.begun && (c.value == value || ns < c.ns))
        return;
    begin_event('C', c.pid, no_track);
    add_time("ts", ns, false);
    event_ += ",\"name\":\"";
    event_ += c.name;
    event_ += "\",\"args\":{\"";
    event_ += c.unit;
    event_ += "\":";
    append(event_, value);
    event_ += "}}";
    if (commit()) {
        c.begun = true;
        c.ns = ns;
        c.value = value;
    }
}

void trace_writer::finish(std::string_view metadata) {
    buffer_ += "\n],\n\"metadata\":{";
    buffer_ += metadata;
    buffer_ += "}}\n";
    flush();
    if (std::fclose(std::exchange(file_, nullptr)) != 0 || std::rename(part_.c_str(), path_.c_str()) != 0)
        throw timeline_error("cannot write " + path_ + ": " + std::strerror(errno));
    part_.clear();
}

} // namespace retrace
