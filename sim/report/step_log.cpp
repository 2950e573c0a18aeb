#include "sim/report/step_log.h"

#include <charconv>
#include <sstream>

#include <fmt/format.h>

#include "sim/report/report_error.h"
#include "sim/report/run_folder.h"

namespace retrace {

namespace {

constexpr std::string_view header = "step,epoch,loss,accuracy,cycles";

template <typename Number>
bool take(std::string_view& line, Number& value) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{})
        return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (!line.empty() && line.front() == ',')
        line.remove_prefix(1);
    return true;
}

} // namespace

step_log::step_log(const std::filesystem::path& file)
    : file_(file), out_(file, std::ios::binary | std::ios::trunc) {
    out_ << header << '\n';
    check();
}

void step_log::add(const training_step& s) {
    out_ << fmt::format("{},{},{},{},{}\n", s.step, s.epoch, s.loss, s.accuracy, s.cycles);
    out_.flush();
    check();
}

void step_log::check() const {
    if (!out_)
        throw run_folder_error(
            fmt::format("cannot write {}: is the disk full, or the folder read-only?", file_.string()));
}

std::vector<training_step> read_steps(const std::filesystem::path& file) {
    std::vector<training_step> steps;
    std::ifstream in(file, std::ios::binary);
    if (!in)
        return steps;
    std::ostringstream whole;
    whole << in.rdbuf();
    const std::string content = std::move(whole).str();
    std::string_view text = content;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos)
            break; // the run was stopped while it wrote this line
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (number == 1) {
            if (line != header)
                throw report_error(
                    fmt::format("{} is no step log: its first line is not `{}`", file.string(), header));
            continue;
        }
        training_step s;
        if (!take(line, s.step) || !take(line, s.epoch) || !take(line, s.loss) || !take(line, s.accuracy) ||
            !take(line, s.cycles) || !line.empty())
            throw report_error(
                fmt::format("{}, line {}: this is no step of a training run; the five numbers are {}",
                            file.string(), number, header));
        steps.push_back(s);
    }
    return steps;
}

} // namespace retrace
