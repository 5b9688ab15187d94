#pragma once
/// \file
/// Trials with hostile bytes: work on a structure whatever its bytes say, and many trials in children, each of which may
/// die.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_hostile.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::testing::hostile {

/// Every operation of a queue or stack, some in each state.
template <class Q>
void work(Q& q) {
    using namespace std::chrono_literals;
    using item = typename Q::value_type;
    item got{};
    for (int i = 0; i < 10; ++i) tolerate([&] { q.try_push(item{}); });
    for (int i = 0; i < 3; ++i) tolerate([&] { q.try_pop(got); });
    if constexpr (requires { q.try_peek(got); }) tolerate([&] { q.try_peek(got); });
    tolerate([&] { promise(q.was_size() <= q.capacity(), "a size above the capacity"); });
    for (int i = 0; i < 10; ++i) tolerate([&] { q.try_pop(got); });
    tolerate([&] { q.push(item{}, 0us); });
    tolerate([&] { q.pop(got, 0us); });
}

/// Every operation of a map. \param most keys that its slots can hold.
template <class M>
void work(M& m, std::uint64_t most) {
    using namespace std::chrono_literals;
    using mapped = typename M::mapped_type;
    mapped value{};
    auto const same = [](mapped const& v) { return v; };
    for (std::uint64_t key = 0; key < 12; ++key) tolerate([&] { m.insert(key, value); });
    for (std::uint64_t key = 0; key < 12; ++key) {
        tolerate([&] { m.find(key, value); });
        tolerate([&] { m.insert_or_assign(key, value); });
        tolerate([&] { m.compare_exchange(key, value, value); });
        tolerate([&] { m.update(key, same); });
    }
    tolerate([&] { promise(m.was_size() <= most, "a size above all slots"); });
    tolerate([&] {
        std::uint64_t seen = 0;
        m.for_each([&](std::uint64_t, mapped const&) { ++seen; });
        promise(seen <= most, "more keys than slots");
    });
    for (std::uint64_t key = 0; key < 12; ++key) tolerate([&] { m.erase(key); });
    tolerate([&] { static_cast<void>(m.find(3, 0us)); });
}

/// Performs trial(i) for all i below count in children, and goes on behind each one that dies. \return what
/// went wrong.
template <class Trial>
std::vector<std::string> survive(std::uint64_t count, Trial&& trial) {
    struct progress {
        std::atomic<std::uint64_t> done{0};
    };
    std::vector<std::string> wrong;
    shared<progress> track;
    while (track->done < count && wrong.size() < 20) {
        child worker([&] {
            for (auto i = track->done.load(); i < count; i = ++track->done) {
                ::alarm(sanitized ? 120 : 30);  // one trial does not take that long
                trial(i);
            }
        });
        int const end = worker.wait();
        if (end == 0) break;
        wrong.push_back("trial " + std::to_string(track->done) + (end < 0 ? ": signal " : ": exit status ") +
                        std::to_string(end < 0 ? -end : end));
        ++track->done;
    }
    return wrong;
}

inline std::string text(change const& c) {
    return std::to_string(c.bytes) + " bytes at " + std::to_string(c.at) + " become " +
           std::to_string(c.value);
}

/// \param changes of each trial, if there is one each.
inline void check_none(std::vector<std::string> const& wrong, std::vector<change> const& changes) {
    for (auto const& one : wrong) {
        auto const i = std::stoull(one.substr(6));
        UNSCOPED_INFO(one << (i < changes.size() ? " (" + text(changes[i]) + ")" : ""));
    }
    CHECK(wrong.empty());
}

}  // namespace zeroipc::testing::hostile
