#include "zeroipc/tools/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace zeroipc::tools {

std::string format_duration(std::chrono::duration<double> time) {
    auto const seconds = static_cast<long>(std::ceil(std::max(0.0, time.count())));
    if (seconds < 60) return std::to_string(seconds) + " s";
    if (seconds < 3600) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
    return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
}

Progress::Progress(std::size_t total, std::string unit)
    : total_(total), unit_(std::move(unit)), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { hide(); }

void Progress::begin(std::string const& what) {
    what_ = what;
    draw();
}

void Progress::end_step() {
    ++done_;
    if (terminal_) {
        // Of many short steps only some are shown.
        if (done_ == total_ || std::chrono::steady_clock::now() - drawn_ >= std::chrono::milliseconds(50))
            draw();
    } else if (done_ >= next_line_ || done_ == total_) {
        std::fprintf(stderr, "%zu of %zu %s done, %s\n", done_, total_, unit_.c_str(), left().c_str());
        next_line_ = done_ + std::max<std::size_t>(1, total_ / 10);
    }
}

void Progress::skip(std::size_t steps) {
    total_ -= std::min(steps, total_ - done_);
    if (done_ > 0) draw();
}

void Progress::say(std::string const& line) {
    hide();
    std::fprintf(stderr, "%s\n", line.c_str());
    draw();
}

void Progress::hide() {
    if (terminal_) std::fputs("\r\033[K", stderr);
}

std::string Progress::left() const {
    if (done_ == 0) return "time left unknown";
    if (done_ == total_) return "finished";
    std::chrono::duration<double> const taken = std::chrono::steady_clock::now() - start_;
    return "about " +
           format_duration(taken / static_cast<double>(done_) * static_cast<double>(total_ - done_)) +
           " left";
}

void Progress::draw() const {
    if (!terminal_) return;
    drawn_ = std::chrono::steady_clock::now();
    winsize size{};
    std::size_t const columns =
        ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    constexpr std::size_t width = 24;
    auto const full = total_ == 0 ? width : width * done_ / total_;
    auto line = "[" + std::string(full, '#') + std::string(width - full, '.') + "] " + std::to_string(done_) +
                "/" + std::to_string(total_) + ", " + left() + "  " + what_;
    if (line.size() >= columns) line.resize(columns - 1);
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
}

}  // namespace zeroipc::tools
