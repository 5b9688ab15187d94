#pragma once
/// \file
/// A process that is stopped behind each machine instruction (ptrace), and what a memory or an object was then: a kill
/// at that instruction leaves just this. (Stores become visible in the order of the program on x86.)

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_processes.hpp"

namespace zeroipc::testing {

/// For the traced process: says where what is traced begins and ends.
class tracee {
public:
    void begin() const {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
        ::raise(SIGSTOP);
    }
    void end() const { ::raise(SIGSTOP); }
};

/// What was seen of a process from begin() on.
struct stepped_states {
    std::vector<std::string>
        states;  ///< one entry for each change, in their order; none where nobody may trace
    std::uint64_t instructions = 0;
    bool ended = false;  ///< it came to end()
};

/// Forks a process that runs `body(tracee)` and looks after each of its instructions between begin() and end().
/// \param look returns the bytes at that moment, or nothing.
template <class Body, class Look>
stepped_states step_through(Body&& body, Look&& look) {
    child stepped([&] {
        body(tracee{});
        return 0;
    });
    int status = 0;
    stepped_states seen;
    ::waitpid(stepped.pid(), &status, 0);
    if (!WIFSTOPPED(status)) return seen;
    auto const note = [&] {
        std::optional<std::string> now = look();
        if (now && (seen.states.empty() || seen.states.back() != *now))
            seen.states.push_back(std::move(*now));
    };
    note();
    while (::ptrace(PTRACE_SINGLESTEP, stepped.pid(), nullptr, nullptr) == 0) {
        ::waitpid(stepped.pid(), &status, 0);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
        ++seen.instructions;
        note();
    }
    seen.ended = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
    return seen;
}

}  // namespace zeroipc::testing
