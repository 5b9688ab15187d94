#pragma once
/// \file
/// A forked process that cannot outlive its parent or run for ever.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace zeroipc::bench::recording {

class Process {
public:
    /// Runs `body` in a child, which leaves with status 0, or 1 with a word on standard error if it throws.
    template <class Body>
    explicit Process(Body&& body) : pid_(::fork()) {
        if (pid_ < 0)
            throw std::system_error(errno, std::generic_category(), "cannot start a worker process: fork");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        try {
            body();
            ::_exit(0);
        } catch (std::exception const& failure) {
            std::fprintf(stderr, "zeroipc-bench worker: %s\n", failure.what());
        } catch (...) {
            std::fprintf(stderr, "zeroipc-bench worker: unknown exception\n");
        }
        ::_exit(1);
    }
    Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Process& operator=(Process&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    Process(Process const&) = delete;
    Process& operator=(Process const&) = delete;
    ~Process() {
        kill();
        wait();
    }

    void kill() const {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
    }
    /// Waits for its end. \return what waitpid says; 0 if it was waited for before.
    int wait() {
        int status = 0;
        while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return status;
    }
    /// The same if it has ended.
    std::optional<int> ended() {
        int status = 0;
        if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
        pid_ = -1;
        return status;
    }

private:
    pid_t pid_;
};

}  // namespace zeroipc::bench::recording
