#pragma once
/// \file
/// A program that is run from a test, watched and cleaned up after; and what /proc and /dev/shm say about it.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "folder.hpp"

namespace zeroipc::bench::testing {

/// Nothing here takes this long, on any machine: it ends what hangs, and judges nothing.
inline constexpr std::chrono::seconds watchdog{240};

inline void pause_shortly() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

/// Waits until a condition holds. \return false if the watchdog came first.
template <class Condition>
bool wait_until(Condition&& condition) {
    auto const end = std::chrono::steady_clock::now() + watchdog;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        pause_shortly();
    }
    return true;
}

inline std::string read_text(fs::path const& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

/// Whole lines in a folder's records.
inline std::size_t records_so_far(fs::path const& folder) {
    auto const text = read_text(folder / "records.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// State of a process as in /proc: R, S, T, Z, ...; nothing if there is none.
inline std::optional<char> state_of(pid_t pid) {
    auto const text = read_text("/proc/" + std::to_string(pid) + "/stat");
    auto const behind_name = text.rfind(')');
    if (behind_name == std::string::npos || behind_name + 2 >= text.size()) return std::nullopt;
    return text[behind_name + 2];
}

/// Whether a process still runs: one that ended and waits to be reaped does not.
inline bool is_alive(pid_t pid) {
    auto const state = state_of(pid);
    return state && *state != 'Z' && *state != 'X';
}

/// Workers of a coordinator that are alive, found by their command lines: also such as it has left behind.
inline std::vector<pid_t> workers_of(pid_t coordinator) {
    auto const mark =
        std::string("--worker-process") + '\0' + "zeroipc-bench-" + std::to_string(coordinator) + "-";
    std::vector<pid_t> workers;
    for (auto const& entry : fs::directory_iterator("/proc")) {
        auto const pid = static_cast<pid_t>(std::atol(entry.path().filename().c_str()));
        if (pid <= 0 || read_text(entry.path() / "cmdline").find(mark) == std::string::npos) continue;
        if (is_alive(pid)) workers.push_back(pid);
    }
    return workers;
}

/// Names of the segments of a coordinator.
inline std::vector<std::string> segments_of(pid_t coordinator) {
    auto const prefix = "zeroipc-bench-" + std::to_string(coordinator) + "-";
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator("/dev/shm"))
        if (entry.path().filename().string().starts_with(prefix)) names.push_back(entry.path().filename());
    return names;
}

/// Stops a process. \return true if it is certain that it stands still, with all of its end yet to come.
inline bool stop_still(pid_t pid) {
    if (::kill(pid, SIGSTOP) != 0) return false;
    static_cast<void>(wait_until([&] { return !is_alive(pid) || state_of(pid) == 'T'; }));
    return state_of(pid) == 'T';
}

/// How a program ended, and what it said.
struct Outcome {
    int status = -1;  ///< exit status, or minus the signal that killed it
    std::string out;
    std::string err;
};

/// A terminal, for programs that look for one.
class Terminal {
public:
    explicit Terminal(unsigned short columns) : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        std::array<char, 128> name{};
        if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0 ||
            ::ptsname_r(master_, name.data(), name.size()) != 0)
            throw std::system_error(errno, std::generic_category(), "no terminal");
        name_ = name.data();
        winsize size{};
        size.ws_row = 24;
        size.ws_col = columns;
        ::ioctl(master_, TIOCSWINSZ, &size);
    }
    Terminal(Terminal const&) = delete;
    Terminal& operator=(Terminal const&) = delete;
    Terminal(Terminal&&) = delete;
    Terminal& operator=(Terminal&&) = delete;
    ~Terminal() { ::close(master_); }

    [[nodiscard]] std::string const& name() const { return name_; }
    [[nodiscard]] std::string const& shown() const { return shown_; }
    void type(std::string_view keys) const {
        if (::write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
            throw std::system_error(errno, std::generic_category(), "write to terminal");
    }
    /// Takes what has been written to it, or whoever writes would block.
    void drain() {
        for (;;) {
            pollfd ready{master_, POLLIN, 0};
            if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLIN) == 0) return;
            std::array<char, 4096> bytes{};
            auto const n = ::read(master_, bytes.data(), bytes.size());
            if (n <= 0) return;
            shown_.append(bytes.data(), static_cast<std::size_t>(n));
        }
    }

private:
    int master_;
    std::string name_;
    std::string shown_;
};

/// Where and how a program runs.
struct Surroundings {
    std::string cwd{};             ///< empty: here
    Terminal* terminal = nullptr;  ///< its standard error, and the terminal that it is in the foreground of
    std::optional<int> only_cpu{};
    std::string program{ZEROIPC_BENCH_PROGRAM};
};

/// The benchmark program, started. Whatever is left of it and its workers goes with the object.
class Spawned {
public:
    explicit Spawned(std::vector<std::string> arguments, Surroundings const& surroundings = {})
        : terminal_(surroundings.terminal) {
        arguments.insert(arguments.begin(), surroundings.program);
        std::vector<char*> pointers;
        for (auto& argument : arguments) pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        // Google Benchmark takes its flags from the environment too.
        std::vector<char*> environment;
        for (char** variable = environ; *variable != nullptr; ++variable)
            if (!std::string_view(*variable).starts_with("BENCHMARK_")) environment.push_back(*variable);
        environment.push_back(nullptr);

        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
        short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        sigset_t defaults;  // a shell that started us in the background may have SIGINT ignored
        ::sigemptyset(&defaults);
        ::sigaddset(&defaults, SIGINT);
        ::sigaddset(&defaults, SIGTERM);
        ::posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (terminal_ != nullptr) flags |= POSIX_SPAWN_SETSID;
        ::posix_spawnattr_setflags(&attributes, flags);
        constexpr int create = O_WRONLY | O_CREAT | O_TRUNC;
        auto const out = (files_ / "out").string();
        auto const err = terminal_ != nullptr ? terminal_->name() : (files_ / "err").string();
        ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), create, 0600);
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(),
                                           terminal_ != nullptr ? O_RDWR : create, 0600);
        if (!surroundings.cwd.empty())
            ::posix_spawn_file_actions_addchdir_np(&actions, surroundings.cwd.c_str());

        cpu_set_t before;
        if (surroundings.only_cpu) {  // inherited
            ::sched_getaffinity(0, sizeof before, &before);
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(static_cast<std::size_t>(*surroundings.only_cpu), &one);
            ::sched_setaffinity(0, sizeof one, &one);
        }
        int const failed = ::posix_spawn(&pid_, surroundings.program.c_str(), &actions, &attributes,
                                         pointers.data(), environment.data());
        if (surroundings.only_cpu) ::sched_setaffinity(0, sizeof before, &before);
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
        if (failed != 0) throw std::system_error(failed, std::generic_category(), surroundings.program);
    }
    Spawned(Spawned const&) = delete;
    Spawned& operator=(Spawned const&) = delete;
    Spawned(Spawned&&) = delete;
    Spawned& operator=(Spawned&&) = delete;
    ~Spawned() {
        if (!reaped_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        for (auto const worker : workers_of(pid_)) ::kill(worker, SIGKILL);
        std::error_code ignored;
        for (auto const& name : segments_of(pid_)) fs::remove(fs::path("/dev/shm") / name, ignored);
    }

    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const {
        if (!reaped_) ::kill(pid_, number);
    }
    /// True once it has ended; its status is then kept.
    bool has_ended() {
        if (terminal_ != nullptr) terminal_->drain();
        if (reaped_) return true;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        reaped_ = true;
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        if (terminal_ != nullptr) terminal_->drain();
        return true;
    }
    /// Waits for its end. \throws std::runtime_error, after having killed it, if that does not come.
    Outcome wait() {
        if (!wait_until([&] { return has_ended(); })) {
            signal(SIGKILL);
            throw std::runtime_error("the program hangs; it said: " + read_text(files_ / "err"));
        }
        return {status_, read_text(files_ / "out"),
                terminal_ != nullptr ? terminal_->shown() : read_text(files_ / "err")};
    }

private:
    Folder files_;
    Terminal* terminal_;
    pid_t pid_ = -1;
    bool reaped_ = false;
    int status_ = 0;
};

inline Outcome run_program(std::vector<std::string> arguments, Surroundings const& surroundings = {}) {
    return Spawned(std::move(arguments), surroundings).wait();
}

/// CPUs that this process may use.
inline std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
    return cpus;
}

}  // namespace zeroipc::bench::testing
