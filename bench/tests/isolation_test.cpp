#include "zeroipc/bench/isolation.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <string>

#include "child.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using std::chrono::microseconds;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKS_NOTHING
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOCKS_NOTHING
#endif
#endif

constexpr microseconds ample{1'000'000};

bool limit_is(rlimit const& expected) {
    rlimit now{};
    ::getrlimit(RLIMIT_RTTIME, &now);
    return now.rlim_cur == expected.rlim_cur && now.rlim_max == expected.rlim_max;
}

int forbid(decltype(RLIMIT_MEMLOCK) resource) {
    rlimit const none{0, 0};
    return ::setrlimit(resource, &none);
}

bool contains(std::string const& text, char const* part) { return text.find(part) != std::string::npos; }

/// KiB locked, as the kernel tells them; -1 if it does not.
[[maybe_unused]] long locked_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmLck:" && status >> word) return std::stol(word);
    return -1;
}

}  // namespace

TEST_CASE("real-time priority, with its guard, for as long as the object lives", "[fast]") {
    int const policy = ::sched_getscheduler(0);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_RTTIME, &before) == 0);
    {
        FifoWindow const window(ample, 2);
        auto const& outcome = window.outcome();
        CHECK(outcome.obtained == outcome.reason.empty());
        if (outcome.obtained) {
            sched_param now{};
            ::sched_getparam(0, &now);
            CHECK(::sched_getscheduler(0) == SCHED_FIFO);
            CHECK(now.sched_priority == 2);
            CHECK(limit_is(
                {std::min<rlim_t>(static_cast<rlim_t>(ample.count()), before.rlim_max), before.rlim_max}));
        } else {
            CHECK_THAT(outcome.reason, Catch::Matchers::Contains("RLIMIT_RTPRIO"));
        }
    }
    CHECK(::sched_getscheduler(0) == policy);
    CHECK(limit_is(before));
}

TEST_CASE("a priority that there is not is refused, and nothing is left changed", "[fast]") {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_RTTIME, &before) == 0);
    FifoWindow const window(ample, 1000);
    CHECK_FALSE(window.outcome().obtained);
    CHECK_THAT(window.outcome().reason, Catch::Matchers::Contains("1 to 99"));
    CHECK(::sched_getscheduler(0) != SCHED_FIFO);
    CHECK(limit_is(before));
}

TEST_CASE("an ordinary user is refused real time, and told why", "[fast]") {
    auto const status = status_of_child([] {
        if (forbid(RLIMIT_RTPRIO) != 0 || !drop_privileges()) return not_possible;
        rlimit before{};
        ::getrlimit(RLIMIT_RTTIME, &before);
        FifoWindow const window(ample);
        if (window.outcome().obtained) return 1;
        if (!contains(window.outcome().reason, "RLIMIT_RTPRIO, which is 0 ")) return 2;
        return ::sched_getscheduler(0) == SCHED_OTHER && limit_is(before) ? 0 : 3;
    });
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == not_possible) return;
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a process that hangs at real-time priority is ended by the guard", "[fast]") {
    auto const status = status_of_child([] {
        rlimit const no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        FifoWindow const window(microseconds(1000));
        if (!window.outcome().obtained) return not_possible;
        for (volatile bool hangs = true; hangs;) {
        }
        return 0;
    });
    if (WIFEXITED(status)) {
        CHECK(WEXITSTATUS(status) == not_possible);
    } else {
        CHECK(WTERMSIG(status) == SIGXCPU);
    }
}

#ifndef LOCKS_NOTHING  // sanitizers answer mlockall themselves, and lock nothing
TEST_CASE("locked memory is locked, or there is a reason", "[fast]") {
    auto const status = status_of_child([] {
        auto const outcome = lock_memory();
        if (!outcome.obtained) return contains(outcome.reason, "RLIMIT_MEMLOCK") ? 0 : 1;
        if (!outcome.reason.empty() || locked_kib() <= 0) return 2;
        ::munlockall();
        return locked_kib() == 0 ? 0 : 3;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("an ordinary user without a limit's leave is refused locks, and told why", "[fast]") {
    auto const status = status_of_child([] {
        if (forbid(RLIMIT_MEMLOCK) != 0 || !drop_privileges()) return not_possible;
        auto const outcome = lock_memory();
        if (outcome.obtained) return 1;
        return contains(outcome.reason, "RLIMIT_MEMLOCK, which is 0 bytes") ? 0 : 2;
    });
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == not_possible) return;
    CHECK(WEXITSTATUS(status) == 0);
}
#endif
