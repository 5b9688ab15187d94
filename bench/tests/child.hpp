#pragma once

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <exception>

namespace zeroipc::bench::testing {

/// A child's answer that the machine does not allow what it should try.
inline constexpr int not_possible = 77;

/// Runs body() in a child and gives its wait status; its result is the exit status, an exception is 99.
template <class Body>
int status_of_child(Body&& body) {
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int status = 99;
        try {
            status = body();
        } catch (std::exception const&) {
        }
        ::_exit(status);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

/// Gives up all that root may. \return whether this process is an ordinary user's now.
inline bool drop_privileges() {
    if (::geteuid() != 0) return true;
    constexpr id_t nobody = 65534;
    return ::setgroups(0, nullptr) == 0 && ::setgid(nobody) == 0 && ::setuid(nobody) == 0;
}

}  // namespace zeroipc::bench::testing
