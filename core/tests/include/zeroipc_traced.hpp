#pragma once
/// \file
/// A process that is stopped behind each machine instruction (ptrace), and what a memory or an object was then: a kill
/// at that instruction leaves just this. (Stores become visible in the order of the program on x86.)

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_testing.hpp"

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

/// Forks a process that runs `body(tracee)` and looks after each of its instructions between begin() and end().
/// \param look returns the bytes at that moment, or nothing.
/// \return the bytes, one entry for each change, in their order; and nothing at all where nobody may trace.
template <class Body, class Look>
std::optional<std::vector<std::string>> states_of(char const* title, Body&& body, Look&& look) {
    child stepped([&] {
        body(tracee{});
        return 0;
    });
    int status = 0;
    ::waitpid(stepped.pid(), &status, 0);
    if (!WIFSTOPPED(status)) {
        WARN("this machine lets nobody trace: not tested");
        return std::nullopt;
    }
    std::vector<std::string> states;
    auto const note = [&] {
        std::optional<std::string> now = look();
        if (now && (states.empty() || states.back() != *now)) states.push_back(std::move(*now));
    };
    note();
    std::uint64_t instructions = 0;
    while (::ptrace(PTRACE_SINGLESTEP, stepped.pid(), nullptr, nullptr) == 0) {
        ::waitpid(stepped.pid(), &status, 0);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
        ++instructions;
        note();
    }
    REQUIRE(WIFSTOPPED(status));
    REQUIRE(WSTOPSIG(status) == SIGSTOP);  // it came to its end
    std::printf("%s: %zu states in %llu instructions\n", title, states.size(),
                static_cast<unsigned long long>(instructions));
    return states;
}

/// The same of memory.
template <class Body>
std::optional<std::vector<std::string>> states_of(char const* title, Body&& body, void const* at,
                                                  std::uint64_t bytes) {
    return states_of(title, std::forward<Body>(body), [=] {
        return std::optional<std::string>(std::in_place, static_cast<char const*>(at), bytes);
    });
}

}  // namespace zeroipc::testing
