#include "pool.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <system_error>

#include "zeroipc/bench/worker.hpp"

namespace zeroipc::bench {

void Pool::start(std::string const& segment, std::uint32_t first, std::uint32_t end,
                 KernelQueues const* queues, std::size_t padding,
                 std::function<void(std::uint32_t, int)> const& started) {
    auto const self = std::string("/proc/self/exe");
    auto const parent = std::to_string(::getpid());
    // Environment size moves the stack: one of the innocuous things that must vary.
    auto const pad = "ZEROIPC_BENCH_PADDING=" + std::string(padding, 'x');
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    environment.push_back(const_cast<char*>(pad.c_str()));
    environment.push_back(nullptr);

    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&actions);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    // A group of their own: Ctrl-C on the terminal is the coordinator's to handle.
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    if (queues != nullptr) queues->hand_over(actions);
    int failed = 0;
    for (std::uint32_t i = first; i < end && failed == 0; ++i) {
        auto const index = std::to_string(i);
        std::array<char const*, 6> const arguments{"zeroipc-bench", worker_argument, segment.c_str(),
                                                   index.c_str(),   parent.c_str(),  nullptr};
        pid_t pid = -1;
        failed = ::posix_spawn(&pid, self.c_str(), &actions, &attributes,
                               const_cast<char**>(arguments.data()), environment.data());
        if (failed == 0) alive_.push_back({pid, i});
        if (failed == 0 && started) started(i, pid);
    }
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        throw std::system_error(failed, std::generic_category(), "cannot start a worker process");
}

std::optional<Pool::Death> Pool::reap() {
    for (auto at = alive_.begin(); at != alive_.end(); ++at) {
        int status = 0;
        if (::waitpid(at->pid, &status, WNOHANG) != at->pid) continue;
        Death const death{at->worker, status};
        alive_.erase(at);
        return death;
    }
    return std::nullopt;
}

std::vector<std::uint32_t> Pool::left() const {
    std::vector<std::uint32_t> workers;
    for (auto const& child : alive_) workers.push_back(child.worker);
    return workers;
}

void Pool::kill(std::uint32_t worker) const {
    for (auto const& child : alive_)
        if (child.worker == worker) ::kill(child.pid, SIGKILL);
}

void Pool::end_all() {
    for (auto const& child : alive_) ::kill(child.pid, SIGKILL);
    for (auto const& child : alive_) ::waitpid(child.pid, nullptr, 0);
    alive_.clear();
}

}  // namespace zeroipc::bench
