#pragma once
/// \file
/// The states behind each machine instruction of a process (zeroipc_stepped.hpp), for test cases.

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_stepped.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::testing {

/// Forks a process that runs `body(tracee)` and looks after each of its instructions between begin() and end().
/// \param look returns the bytes at that moment, or nothing.
/// \return the bytes, one entry for each change, in their order; and nothing at all where nobody may trace.
template <class Body, class Look>
std::optional<std::vector<std::string>> states_of(char const* title, Body&& body, Look&& look) {
    auto seen = step_through(std::forward<Body>(body), std::forward<Look>(look));
    if (seen.instructions == 0) {
        WARN("this machine lets nobody trace: not tested");
        return std::nullopt;
    }
    REQUIRE(seen.ended);
    std::printf("%s: %zu states in %llu instructions\n", title, seen.states.size(),
                static_cast<unsigned long long>(seen.instructions));
    return std::move(seen.states);
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
