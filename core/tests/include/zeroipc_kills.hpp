#pragma once
/// \file
/// Kills at random moments, among live processes: nobody waits for the dead, at most one item is missing for each,
/// none comes twice, and the next handles find everything again.

#include <sched.h>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "zeroipc_testing.hpp"

namespace zeroipc::testing {

inline constexpr std::uint64_t most_lives = 2100;
inline constexpr std::uint64_t items_a_life = std::uint64_t{1} << 16;
inline constexpr std::uint64_t items_of_survivor = std::uint64_t{1} << 28;

/// Whether what goes in first comes out first; else what goes in last.
template <class Q>
inline constexpr bool first_in_first_out = Q::algorithm::structure == "queue";

/// What all processes note of one run. An item is (its producer's number << 32) | counter. Producer 0 is the
/// survivor.
struct ledger {
    std::atomic<std::uint64_t> pushes{0};  ///< of the survivor
    std::atomic<std::uint64_t> pops{0};    ///< of the survivor
    std::atomic<std::uint64_t> twice{0};
    std::atomic<std::uint64_t> disorder{0};  ///< queues only
    std::atomic<std::uint64_t> nonsense{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> acknowledged[most_lives];  ///< items that the producer knows to be in
    std::atomic<std::uint32_t> inside[most_lives];        ///< 1 in a push, 2 in a pop
    std::atomic<std::uint64_t> operations[most_lives];
    std::atomic<std::uint64_t> popped[(items_of_survivor + most_lives * items_a_life) / 64];

    void note(std::uint64_t item, std::vector<std::uint64_t>& newest) {
        auto const who = item >> 32;
        auto const count = item & 0xffffffff;
        if (who >= most_lives || count == 0 || count >= (who == 0 ? items_of_survivor : items_a_life)) {
            ++nonsense;
            return;
        }
        // One consumer sees the items of one producer in their order.
        if (count <= newest[who]) ++disorder;
        newest[who] = count;
        auto const bit = place(who, count);
        if ((popped[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64)) >> (bit % 64) & 1) != 0) ++twice;
    }
    [[nodiscard]] bool was_popped(std::uint64_t who, std::uint64_t count) const {
        auto const bit = place(who, count);
        return (popped[bit / 64].load() >> (bit % 64) & 1) != 0;
    }
    static std::uint64_t place(std::uint64_t who, std::uint64_t count) {
        return who == 0 ? count : items_of_survivor + (who - 1) * items_a_life + count;
    }
};

/// Kills processes that push and pop at random moments, beside a producer and a consumer that live. \param crowd
/// workers that are alive at once.
template <class Q>
void random_kills(std::uint64_t kills, std::uint64_t capacity, std::uint64_t crowd = 2) {
    constexpr std::uint32_t slots = 16;
    watchdog const limit(60 + static_cast<unsigned>(kills * crowd / 10));
    random_source random(kills + capacity);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { Q q(memory, "q", capacity, {slots}); }
    shared<ledger> books;

    child const producer(
        [&] {
            auto mine = Memory::open(name.str());
            Q q(mine, "q");
            for (std::uint64_t n = 1; n < items_of_survivor && !books->stop; ++n) {
                while (!q.try_push(n))
                    if (books->stop)
                        return;
                    else
                        ::sched_yield();
                books->acknowledged[0] = n;
                ++books->pushes;
            }
        },
        900);
    child const consumer(
        [&] {
            auto mine = Memory::open(name.str());
            Q q(mine, "q");
            std::vector<std::uint64_t> newest(most_lives, 0);
            while (!books->stop) {
                std::uint64_t item = 0;
                if (q.try_pop(item)) {
                    books->note(item, newest);
                    ++books->pops;
                } else {
                    ::sched_yield();
                }
            }
        },
        900);

    auto const worker = [&](std::uint64_t who) {
        return child(
            [&books, &name, who] {
                auto mine = Memory::open(name.str());
                Q q(mine, "q");
                std::vector<std::uint64_t> newest(most_lives, 0);
                std::uint64_t n = 0;
                for (;;) {
                    if (n + 1 < items_a_life) {
                        books->inside[who].store(1, std::memory_order_relaxed);
                        bool const in = q.try_push(who << 32 | (n + 1));
                        books->inside[who].store(0, std::memory_order_relaxed);
                        if (in) books->acknowledged[who].store(++n, std::memory_order_relaxed);
                    }
                    std::uint64_t item = 0;
                    books->inside[who].store(2, std::memory_order_relaxed);
                    bool const out = q.try_pop(item);
                    if (out) books->note(item, newest);
                    books->inside[who].store(0, std::memory_order_relaxed);
                    books->operations[who].fetch_add(1, std::memory_order_relaxed);
                }
            },
            900);
    };

    std::uint64_t lives = 0;
    std::uint64_t inside = 0;
    std::vector<child> workers;
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < crowd; ++i) {
        workers.push_back(worker(++lives));
        numbers.push_back(lives);
    }
    for (std::uint64_t i = 0; i < kills; ++i) {
        auto const which = i % crowd;
        until([&] { return books->operations[numbers[which]] > 0; });
        nap(std::chrono::nanoseconds(random.below(800000)));
        workers[which].kill();
        REQUIRE(workers[which].wait() == -SIGKILL);
        inside += books->inside[numbers[which]] != 0;
        // The survivors go on: neither waits for the dead one.
        auto const pushes = books->pushes.load();
        auto const pops = books->pops.load();
        until([&] { return books->pushes > pushes && books->pops > pops; });
        // A newcomer in its place. (std::vector cannot assign a child.)
        std::vector<child> rest;
        for (std::size_t w = 0; w < workers.size(); ++w)
            rest.push_back(w == which ? worker(++lives) : std::move(workers[w]));
        workers = std::move(rest);
        numbers[which] = lives;
    }
    for (auto const one : numbers) until([&] { return books->operations[one] > 0; });
    workers.clear();  // that many more kills
    auto const deaths = kills + crowd;
    books->stop = true;
    REQUIRE(const_cast<child&>(producer).wait() == 0);
    REQUIRE(const_cast<child&>(consumer).wait() == 0);

    // Every slot can be taken again, in one go: the dead are recovered, and nobody is parked.
    std::vector<Q> handles;
    unsigned parked = 0;
    for (std::uint32_t i = 0; i < slots; ++i) {
        try {
            handles.emplace_back(memory, "q");
        } catch (error const& e) {
            REQUIRE(e.cause() == errc::no_handle_slot);
            parked = slots - i;
            break;
        }
    }
    REQUIRE(!handles.empty());
    auto const named = buffer_census<Q>(memory.base() + memory.find("q")->offset, capacity, slots);
    auto const odd =
        static_cast<unsigned>(std::count_if(named.begin(), named.end(), [](unsigned n) { return n != 1; }));
    CHECK(parked == 0);
    CHECK(odd == 0);

    std::vector<std::uint64_t> newest(most_lives, 0);
    auto& q = handles.front();
    std::uint64_t item = 0;
    while (q.try_pop(item)) books->note(item, newest);
    std::uint64_t missing = 0;
    std::uint64_t most_of_one = 0;
    for (std::uint64_t who = 0; who <= lives; ++who) {
        std::uint64_t of_this = 0;
        for (std::uint64_t n = 1; n <= books->acknowledged[who]; ++n) of_this += !books->was_popped(who, n);
        missing += of_this;
        most_of_one = std::max(most_of_one, of_this);
    }
    std::printf(
        "%llu kills, %llu inside an operation (%.0f %%): %llu items missing, %u slots parked; survivors "
        "pushed %llu, "
        "popped %llu\n",
        static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(inside),
        100.0 * static_cast<double>(inside) / static_cast<double>(kills),
        static_cast<unsigned long long>(missing), parked,
        static_cast<unsigned long long>(books->pushes.load()),
        static_cast<unsigned long long>(books->pops.load()));
    CHECK(missing <= deaths);
    CHECK(books->twice == 0);
    if (first_in_first_out<Q>) CHECK(books->disorder == 0);
    CHECK(books->nonsense == 0);
    CHECK(inside > 0);

    // Full capacity, in order.
    for (std::uint64_t i = 0; i < capacity; ++i) CHECK(q.try_push(i));
    CHECK_FALSE(q.try_push(0));
    CHECK(q.was_size() == capacity);
    for (std::uint64_t i = 0; i < capacity; ++i)
        CHECK(q.try_pop() == (first_in_first_out<Q> ? i : capacity - 1 - i));
    CHECK_FALSE(q.try_pop());
}

}  // namespace zeroipc::testing
