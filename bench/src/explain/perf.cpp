#include "perf.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "../machine_files.hpp"

namespace zeroipc::bench {

namespace {

// perf's ends of the pipes by which it is told to begin and says that it has.
constexpr int commands = 20;
constexpr int answers = 21;

std::string not_permitted(std::string const& said) {
    auto const paranoid = Files("/").text("proc/sys/kernel/perf_event_paranoid").value_or("unknown");
    return "perf does not watch the worker; it said:\n" + said + "kernel.perf_event_paranoid is " + paranoid +
           "; with at most 2 users may watch processes of their own (as root: sysctl -w "
           "kernel.perf_event_paranoid=2), with 1 the kernel's part too; a container may forbid it "
           "altogether";
}

/// Waits for perf's "ack". \return false if it ended before, or was silent for that long.
bool answered(int file) {
    constexpr int patience_ms = 15'000;
    pollfd waiting{file, POLLIN, 0};
    std::array<char, 16> answer{};
    return ::poll(&waiting, 1, patience_ms) > 0 && ::read(file, answer.data(), answer.size()) > 0;
}

}  // namespace

Perf::Perf(std::vector<std::string> command, pid_t process) {
    std::vector<std::string> const ours{
        "--pid",     std::to_string(process),
        "--delay",   "-1",
        "--control", "fd:" + std::to_string(commands) + "," + std::to_string(answers)};
    command.insert(command.begin() + 2, ours.begin(), ours.end());
    ::kill(process, SIGSTOP);
    try {
        pid_ = start_program(command, output_.descriptor(), {{to_[0], commands}, {from_[1], answers}});
    } catch (std::system_error const& failure) {
        ::kill(process, SIGCONT);
        throw NoPerf("there is no perf here (" + failure.code().message() +
                     "); Debian: apt-get install linux-perf");
    }
    to_.close(0);
    from_.close(1);
    static constexpr std::string_view enable = "enable\n";
    bool const ready = ::write(to_[1], enable.data(), enable.size()) > 0 && answered(from_[0]);
    ::kill(process, SIGCONT);
    if (ready) return;
    end(SIGKILL);
    throw NoPerf(not_permitted(read_all(output_.descriptor())));
}

Perf::~Perf() { end(SIGKILL); }

void Perf::end(int signal) noexcept {
    if (pid_ < 0) return;
    ::kill(pid_, signal);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

std::string Perf::finish() {
    end(SIGINT);  // it writes what it has; if it has ended with the process, this is for nobody
    auto said = read_all(output_.descriptor());
    bool const by_us = WIFSIGNALED(status_) && WTERMSIG(status_) == SIGINT;
    if (status_ != 0 && !by_us) throw NoPerf(not_permitted(said));
    return said;
}

}  // namespace zeroipc::bench
