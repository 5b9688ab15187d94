/// \file
/// Faults that were seen in other implementations of the same idea, where no other test bears their name. The
/// whole list, with the test that stands against each: core/docs/testing.md.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

using map = Map<std::uint64_t, std::uint64_t>;

/// Shared steps of one action.
std::uint64_t steps_of(std::function<void()> const& action) {
    fate planned;
    REQUIRE(survives(planned, action));
    return planned.taken;
}

TEST_CASE("an emptied map is as fast as a fresh one: no remains are walked over", "[fast]") {
    using counted = Map<std::uint64_t, std::uint64_t, mortal>;
    constexpr std::uint64_t capacity = 64;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    counted used(memory, "used", capacity, {.handle_slots = 2, .seed = 3});
    counted fresh(memory, "fresh", capacity, {.handle_slots = 2, .seed = 3});
    for (std::uint64_t i = 0; i < 100 * capacity; ++i) {
        REQUIRE(used.insert(i, i) == outcome::inserted);
        if (i >= capacity - 1) REQUIRE(used.erase(i + 1 - capacity));
    }
    std::uint64_t value = 0;
    auto const miss = [&](counted& m, std::uint64_t key) { return steps_of([&] { m.find(key, value); }); };
    std::uint64_t longest = 0;
    for (std::uint64_t key = 1000000; key < 1001000; ++key) longest = std::max(longest, miss(used, key));
    CHECK(longest <= miss(fresh, 1) + 2 * 15 + 2);  // a key and a link for each of the bucket's slots
    for (std::uint64_t i = 99 * capacity; i < 100 * capacity; ++i) used.erase(i);
    REQUIRE(used.was_empty());
    for (std::uint64_t key = 0; key < 1000; ++key) REQUIRE(miss(used, key) == miss(fresh, key));
}

/// Deaths before each step of an operation, each followed by a newcomer; then what the same work takes in steps.
template <class Handle>
std::uint64_t steps_after_deaths(Memory& memory, char const* name, bool deaths,
                                 std::function<void(Handle&)> const& work) {
    for (std::uint64_t k = 1; deaths && k < 60; ++k) {
        Handle victim(memory, name);
        fate planned;
        planned.last = k;
        survives(planned, [&] { work(victim); });
    }
    Handle newcomer(memory, name);
    work(newcomer);  // settles where its walks begin
    return steps_of([&] { work(newcomer); });
}

TEST_CASE("after kills everything is as fast as before: an operation takes as many steps", "[fast]") {
    using queue = Queue<std::uint64_t, mortal>;
    using stack = Stack<std::uint64_t, mortal>;
    using keys = Map<std::uint64_t, std::uint64_t, mortal>;
    std::function<void(queue&)> const both_ends = [](queue& q) {
        std::uint64_t got = 0;
        q.try_push(1);
        q.try_pop(got);
    };
    std::function<void(stack&)> const top = [](stack& s) {
        std::uint64_t got = 0;
        s.try_push(1);
        s.try_pop(got);
    };
    std::function<void(keys&)> const key = [](keys& m) {
        std::uint64_t got = 0;
        m.insert_or_assign(1, 2);
        m.find(1, got);
        m.erase(1);
    };
    std::array<std::array<std::uint64_t, 3>, 2> steps{};
    for (std::size_t const deaths : {0U, 1U}) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 20);
        static_cast<void>(queue(memory, "q", 64, {.handle_slots = 3}));
        static_cast<void>(stack(memory, "s", 64, {.handle_slots = 3}));
        static_cast<void>(keys(memory, "m", 64, {.handle_slots = 3, .seed = 5}));
        steps[deaths][0] = steps_after_deaths(memory, "q", deaths != 0, both_ends);
        steps[deaths][1] = steps_after_deaths(memory, "s", deaths != 0, top);
        steps[deaths][2] = steps_after_deaths(memory, "m", deaths != 0, key);
    }
    // A step or two more where an index is raised at a multiple, or a spare is in hand or not.
    for (std::size_t i = 0; i < 3; ++i) {
        INFO("structure " << i << ": " << steps[0][i] << " steps before, " << steps[1][i] << " after");
        CHECK(steps[1][i] <= steps[0][i] + 12);
        CHECK(steps[0][i] > 10);
    }
}

TEST_CASE("futex words pass their wrap", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    Queue<std::uint64_t> there(memory, "there", 1);
    Queue<std::uint64_t> back(memory, "back", 1);
    for (auto const* const queue : {"there", "back"})
        for (auto const offset : {layout::compact::items_wait_offset, layout::compact::space_wait_offset}) {
            std::uint32_t const late = 0xfffffff0U;
            std::memcpy(memory.base() + memory.find(queue)->offset + offset, &late, sizeof late);
        }
    child echo([&] {
        auto own = Memory::open(name);
        Queue<std::uint64_t> in(own, "there");
        Queue<std::uint64_t> out(own, "back");
        for (int i = 0; i < 200; ++i) {
            out.push(in.pop());
            if (i % 8 == 0) nap(std::chrono::microseconds(300));  // so that the other side sleeps
        }
    });
    for (std::uint64_t i = 0; i < 200; ++i) {
        if (i % 8 == 4) nap(std::chrono::microseconds(300));
        there.push(i);
        REQUIRE(back.pop() == i);
    }
    CHECK(echo.wait() == 0);
    std::uint32_t word = 0;
    std::memcpy(&word, memory.base() + memory.find("there")->offset + layout::compact::items_wait_offset, 4);
    CHECK(word < 0xfffffff0U);
}

TEST_CASE("keys i << 16 spread like any others", "[fast]") {
    constexpr std::uint64_t capacity = 10000;
    std::vector<std::uint64_t> in_blocks;
    for (unsigned const shift : {0U, 16U, 32U, 48U}) {
        segment_name const name;
        auto memory = Memory::create(name, map::bytes_for(capacity) + (1 << 16));
        map m(memory, "m", capacity, {.handle_slots = 2, .seed = 11});
        // What is left of 64 bits behind the largest shift still tells 10,000 keys apart.
        auto const keys = capacity;
        for (std::uint64_t i = 0; i < keys; ++i) REQUIRE(m.insert(i << shift, i) == outcome::inserted);
        using table = map::algorithm::table<map::policies, 8, 8>;
        std::uint64_t used = 0;
        table::visit_blocks(memory.base() + memory.find("m")->offset, table::geometry(capacity, 2, 11),
                            [&](std::uint32_t owner) { used += owner != 0; });
        INFO("shift " << shift);
        // 6.6 % of the buckets are expected to need a block at 1.5 keys a bucket: 438; a standard deviation is 20.
        CHECK((used > 300 && used < 580));
    }
}

TEST_CASE("the estimate of size never leaves its range", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    Queue<std::uint64_t> queue(memory, "q", 4);
    Stack<std::uint64_t> stack(memory, "s", 4);
    map keys(memory, "m", 4);
    shared<std::atomic<int>> stop;
    shared<std::atomic<int>> started;
    auto const work = [&] {
        auto own = Memory::open(name);
        Queue<std::uint64_t> q(own, "q");
        Stack<std::uint64_t> s(own, "s");
        map m(own, "m");
        std::uint64_t got = 0;
        for (std::uint64_t i = 0; *stop == 0; ++i) {
            if (i == 100) ++*started;
            q.try_push(i);
            s.try_push(i);
            m.insert(i % 4, i);
            if (i % 3 != 0) {
                q.try_pop(got);
                s.try_pop(got);
                m.erase((i + 1) % 4);
            }
        }
    };
    child one(work);
    child other(work);
    std::array<std::uint64_t, 3> most{};
    until([&] { return *started == 2; });
    for (std::uint64_t i = 0; i < rounds(1000000); ++i) {
        most[0] = std::max(most[0], queue.was_size());
        most[1] = std::max(most[1], stack.was_size());
        most[2] = std::max(most[2], keys.was_size());
    }
    *stop = 1;
    CHECK(one.wait() == 0);
    CHECK(other.wait() == 0);
    for (auto const size : most) CHECK(size <= 4);
}

TEST_CASE("a segment says itself how large its table is", "[fast]") {
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 16, {.max_entries = 3});
        Array<std::uint64_t> first(memory, "first", 8);
        first.fill(7);
    }
    // Another wish does not matter where the segment exists.
    auto memory = Memory::open_or_create(name, 1 << 16, {.max_entries = 500});
    CHECK(memory.max_entries() == 3);
    Array<std::uint64_t> const first(memory, "first");
    CHECK(std::all_of(first.begin(), first.end(), [](std::uint64_t v) { return v == 7; }));
    Array<std::uint64_t> const second(memory, "second", 8);
    CHECK(std::all_of(first.begin(), first.end(), [](std::uint64_t v) { return v == 7; }));
}

/// Two processes, each on both of two structures: who comes second must see what the first one did.
struct rendezvous {
    std::atomic<std::uint64_t> arrived{0};
    std::atomic<std::uint64_t> missed{0};
    void meet(std::uint64_t round) {
        ++arrived;
        until([&] { return arrived >= 2 * round; });
    }
};

TEMPLATE_TEST_CASE("of two processes that put in one place and look in the other, one finds something",
                   "[fast]", ordering::acq_rel, ordering::seq_cst, ordering::fences) {
    watchdog const limit(100);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    std::array const places{std::string("a"), std::string("b")};
    for (auto const& place : places) {
        Queue<std::uint64_t, TestType> const q(memory, "q" + place, 1);
        Stack<std::uint64_t, TestType> const s(memory, "s" + place, 1);
        Map<std::uint64_t, std::uint64_t, TestType> const m(memory, "m" + place, 1);
    }
    shared<std::array<std::array<std::atomic<bool>, 3>, 2>> found;
    shared<rendezvous> both;
    auto const total = rounds(3000);
    auto const party = [&](std::size_t me) {
        auto own = Memory::open(name);
        Queue<std::uint64_t, TestType> q0(own, "q" + places[me]);
        Queue<std::uint64_t, TestType> q1(own, "q" + places[1 - me]);
        Stack<std::uint64_t, TestType> s0(own, "s" + places[me]);
        Stack<std::uint64_t, TestType> s1(own, "s" + places[1 - me]);
        Map<std::uint64_t, std::uint64_t, TestType> m0(own, "m" + places[me]);
        Map<std::uint64_t, std::uint64_t, TestType> m1(own, "m" + places[1 - me]);
        std::uint64_t got = 0;
        for (std::uint64_t i = 0; i < total; ++i) {
            both->meet(3 * i + 1);
            q0.try_push(i);
            (*found)[me][0] = q1.try_pop(got);
            s0.try_push(i);
            (*found)[me][1] = s1.try_pop(got);
            m0.insert(1, i);
            (*found)[me][2] = m1.find(1, got);
            both->meet(3 * i + 2);
            if (me == 0)
                for (std::size_t k = 0; k < 3; ++k)
                    if (!(*found)[0][k] && !(*found)[1][k]) ++both->missed;
            // Empty again.
            q0.try_pop(got);
            s0.try_pop(got);
            m0.erase(1);
            both->meet(3 * i + 3);
        }
    };
    child other([&] { party(1); });
    child one([&] { party(0); });
    CHECK(one.wait() == 0);
    CHECK(other.wait() == 0);
    CHECK(both->missed == 0);
}

}  // namespace
