/// \file
/// Repair as users call it: refused unless one is alone, and behind it every handle slot can be had again. What it
/// does to the bytes of each structure is tested beside that structure.

#include <zeroipc/zeroipc.hpp>

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

struct queue_case {
    using type = Queue<std::uint64_t>;
    static type make(Memory& memory) { return {memory, "it", 4, {.handle_slots = 3}}; }
    static bool put(type& it, std::uint64_t n) { return it.try_push(n); }
    static bool has(type& it, std::uint64_t n) { return it.try_pop() == n; }
};
struct stack_case {
    using type = Stack<std::uint64_t>;
    static type make(Memory& memory) { return {memory, "it", 4, {.handle_slots = 3}}; }
    static bool put(type& it, std::uint64_t n) { return it.try_push(n); }
    static bool has(type& it, std::uint64_t n) { return it.try_pop() == n; }
};
struct map_case {
    using type = Map<std::uint64_t, std::uint64_t>;
    static type make(Memory& memory) { return {memory, "it", 4, {.handle_slots = 3}}; }
    static bool put(type& it, std::uint64_t n) { return it.insert(n, n) == outcome::inserted; }
    static bool has(type& it, std::uint64_t n) { return it.find(n) == n && it.erase(n); }
};

void check_busy(Memory& memory, auto&& repair) {
    try {
        repair(memory);
        FAIL("repaired beside others");
    } catch (error const& refusal) {
        CHECK(refusal.cause() == errc::busy);
        CHECK_THAT(refusal.what(), Catch::Contains("'it'") && Catch::Contains(memory.name()));
    }
}

TEMPLATE_TEST_CASE("repair is for who is alone, and keeps what is in", "[fast]", queue_case, stack_case,
                   map_case) {
    using type = typename TestType::type;
    auto const repair = [](Memory& memory) { return type::repair(memory, "it"); };
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    {
        auto it = TestType::make(memory);
        REQUIRE(TestType::put(it, 7));
        check_busy(memory, repair);
    }
    {
        auto other = Memory::open(name);
        check_busy(memory, repair);
    }
    {
        shared<std::atomic<int>> there;
        child peer([&] {
            auto own = Memory::open(name);
            type const it(own, "it");
            *there = 1;
            for (;;) nap(std::chrono::seconds(1));
        });
        until([&] { return *there == 1; });
        check_busy(memory, repair);
    }
    repair(memory);
    repair(memory);
    std::vector<type> handles;
    for (int i = 0; i < 3; ++i) handles.emplace_back(memory, "it");
    CHECK(TestType::has(handles.back(), 7));
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(TestType::put(handles[i % 3], i));
}

TEST_CASE("what cannot be repaired says so", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { Stack<int> const stack(memory, "stack", 4); }
    try {
        Queue<int>::repair(memory, "stack");
        FAIL("repaired a stack as a queue");
    } catch (error const& refusal) {
        CHECK(refusal.cause() == errc::wrong_kind);
    }
    try {
        Stack<int>::repair(memory, "nothing");
        FAIL("repaired nothing");
    } catch (error const& refusal) {
        CHECK(refusal.cause() == errc::not_found);
    }
}

}  // namespace
