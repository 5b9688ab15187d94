/// \file
/// Hostile bytes. Whatever stands in a segment, or comes to stand there while it is used: a zeroipc::error or
/// spoiled data, never a signal, a hang, another exception, or an access outside the mapping.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zeroipc_hostile.hpp"
#include "zeroipc_hostile_program.hpp"
#include "zeroipc_hostile_trials.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using namespace zeroipc::testing::hostile;

using compact = types<>::compact_queue;
using padded = types<>::padded_queue;
using stack = types<>::compact_stack;
using padded_stack = types<>::padded_stack;
using table = types<>::map;
using words = types<>::words;
using odd_array = types<>::odd_array;

using hostile::work;
void work(table& m) { hostile::work(m, most_keys); }

/// Whatever the bytes say meanwhile, an array goes by the capacity that it was opened with.
template <class A>
void work_array(A& a) {
    auto const count = a.capacity();
    promise(count > 0 && count <= segment_bytes / sizeof(typename A::value_type),
            "a capacity beyond the segment");
    typename A::value_type value{};
    std::uint64_t reached = 0;
    for (auto const& one : a) {
        promise(&one == &a[reached], "an iterator that leaves its place");
        ++reached;
        value = one;
    }
    promise(reached == count && a.span().size() == count && a.capacity() == count, "a capacity that changes");
    a.fill(value);
    bool refused = false;  // the next process's structure may begin behind it
    try {
        a.at(count) = value;
    } catch (error const& e) {
        refused = e.cause() == errc::out_of_range;
    }
    promise(refused, "an element behind the last one");
    if constexpr (requires { a.load(0); })
        for (std::uint64_t i = 0; i < count; ++i) {
            a.store(i, static_cast<typename A::value_type>(i));
            auto seen = a.load(i);
            a.compare_exchange(i, seen, seen + 1);
            a.fetch_add(i, a.exchange(i, 3));
            a.at(i) += a[i];
        }
}

/// Everything that can be asked of a segment.
void use(std::string const& name) {
    tolerate([&] {
        auto memory = Memory::open(name, 50ms);
        tolerate([&] { static_cast<void>(memory.entries()); });
        tolerate([&] { static_cast<void>(memory.free_bytes()); });
        tolerate([&] { static_cast<void>(memory.find("bytes")); });
        tolerate([&] {
            std::vector<compact> handles;
            for (std::uint32_t i = 0; i < slots; ++i) tolerate([&] { handles.emplace_back(memory, "one"); });
            for (auto& q : handles) work(q);
        });
        tolerate([&] {
            padded q(memory, "two");
            padded other(memory, "two");
            work(q);
            work(other);
        });
        tolerate([&] {
            std::vector<stack> handles;
            for (std::uint32_t i = 0; i < slots; ++i)
                tolerate([&] { handles.emplace_back(memory, "three"); });
            for (auto& s : handles) work(s);
        });
        tolerate([&] {
            padded_stack s(memory, "four");
            padded_stack other(memory, "four");
            work(s);
            work(other);
        });
        tolerate([&] {
            std::vector<table> handles;
            for (std::uint32_t i = 0; i < slots; ++i) tolerate([&] { handles.emplace_back(memory, "map"); });
            for (auto& m : handles) work(m);
        });
        tolerate([&] { work_array(*std::make_unique<words>(memory, "five")); });
        tolerate([&] { work_array(*std::make_unique<odd_array>(memory, "six")); });
        tolerate([&] { memory.add("more", 100, [](std::byte* at) { std::memset(at, 1, 100); }); });
        tolerate([&] {
            compact q(memory, "new", 2, {1});
            work(q);
        });
        tolerate([&] { work(*std::make_unique<compact>(memory, "one")); });
        tolerate([&] { work(*std::make_unique<stack>(memory, "three")); });
    });
}

std::vector<change> systematic(specimen const& s) {
    std::vector<change> all;
    for (auto const at : s.fields()) {
        std::uint32_t now = 0;
        std::memcpy(&now, s.good().data() + at, 4);
        for (std::uint32_t const value :
             {0U, 1U, 2U, 3U, 5U, 0xffffffffU, 0x7fffffffU, 0x80000000U, 0xfffffff0U, 0x10000U, 0xffffU,
              now + 1, now - 1, now ^ 64U, now * 2, ~now})
            if (value != now) all.push_back({at, value, 4});
        if (at % 8 != 0) continue;
        std::uint64_t wide = 0;
        std::memcpy(&wide, s.good().data() + at, 8);
        for (std::uint64_t const value :
             {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1, wide + 8,
              wide - 8, wide + (std::uint64_t{1} << 32), ~wide})
            if (value != wide) all.push_back({at, value, 8});
    }
    return all;
}

TEST_CASE("every field takes every bad value, before the segment is opened", "[fast]") {
    specimen const s;
    auto const all = systematic(s);
    auto const step = sanitized ? 7U : 1U;
    raw_object const object(s.name());
    check_none(survive(all.size() / step,
                       [&](std::uint64_t n) {
                           auto const& c = all[n * step];
                           object.write_bytes(0, s.good());
                           object.write_bytes(c.at, c.text());
                           use(s.name());
                       }),
               all);
    std::printf("%zu changes before opening\n", all.size() / step);
    CHECK(all.size() > 2000);
}

TEST_CASE("every field takes every bad value, while the segment is in use", "[fast]") {
    specimen const s;
    auto const all = systematic(s);
    auto const step = sanitized ? 7U : 1U;
    raw_object const object(s.name());
    check_none(survive(all.size() / step,
                       [&](std::uint64_t n) {
                           auto const& c = all[n * step];
                           object.write_bytes(0, s.good());
                           auto memory = Memory::open(s.name());
                           compact one(memory, "one");
                           padded two(memory, "two");
                           stack three(memory, "three");
                           padded_stack four(memory, "four");
                           table map(memory, "map");
                           words five(memory, "five");
                           one.push(1);
                           two.push({});
                           three.push(1);
                           four.push({});
                           object.write_bytes(c.at, c.text());
                           work(one);
                           work(two);
                           work(three);
                           work(four);
                           work(map);
                           work_array(five);
                           tolerate([&] { static_cast<void>(memory.entries()); });
                           tolerate([&] { work_array(*std::make_unique<words>(memory, "five")); });
                           tolerate([&] { work(*std::make_unique<compact>(memory, "one")); });
                           tolerate([&] { work(*std::make_unique<stack>(memory, "three")); });
                           tolerate([&] { memory.add("more", 100, [](std::byte*) {}); });
                       }),
               all);
    std::printf("%zu changes while in use\n", all.size() / step);
}

/// Every size from nothing to whole.
TEST_CASE("a segment that was cut anywhere", "[fast]") {
    specimen const s;
    check_none(survive(rounds(400),
                       [&](std::uint64_t n) {
                           segment_name const copy;
                           {
                               raw_object const object(copy, n < 300 ? n : n * segment_bytes / rounds(400));
                               object.write_bytes(0, s.good().substr(0, object.size()));
                           }
                           use(copy);
                       }),
               {});
}

/// One to four random changes.
void spoil(specimen const& s, std::vector<std::uint64_t> const& fields, random_source& random,
           std::function<void(std::uint64_t, std::string_view)> const& write) {
    for (auto n = 1 + random.below(4); n > 0; --n) {
        auto const c = draw_change(random, s.good(), fields);
        write(c.at, c.text());
    }
}

void random_mutations(std::uint64_t count) {
    specimen const s;
    auto const fields = s.fields();
    raw_object const object(s.name());
    static_cast<void>(seed());
    check_none(survive(count,
                       [&](std::uint64_t n) {
                           random_source random(n);  // each trial can be repeated alone
                           object.write_bytes(0, s.good());
                           std::optional<Memory> memory;
                           std::optional<compact> one;
                           std::optional<padded> two;
                           std::optional<stack> three;
                           std::optional<padded_stack> four;
                           std::optional<table> map;
                           std::optional<words> five;
                           if (n % 2 == 0) {
                               memory.emplace(Memory::open(s.name()));
                               one.emplace(*memory, "one");
                               two.emplace(*memory, "two");
                               three.emplace(*memory, "three");
                               four.emplace(*memory, "four");
                               map.emplace(*memory, "map");
                               five.emplace(*memory, "five");
                           }
                           spoil(s, fields, random, [&](std::uint64_t at, std::string_view bytes) {
                               object.write_bytes(at, bytes);
                           });
                           if (one) work(*one);
                           if (two) work(*two);
                           if (three) work(*three);
                           if (four) work(*four);
                           if (map) work(*map);
                           if (five) work_array(*five);
                           use(s.name());
                       }),
               {});
}

TEST_CASE("2,000 random mutations", "[fast]") { random_mutations(rounds(2000)); }
TEST_CASE("100,000 random mutations", "[slow]") {
    watchdog const limit(3000);
    random_mutations(100000);
}
TEST_CASE("20,000 random mutations", "[medium]") { random_mutations(rounds(20000)); }

/// The fuzzer's driver (zeroipc_hostile_program.hpp), without a fuzzer.
void random_programs(std::uint64_t count) {
    watchdog const limit(3000);
    static_cast<void>(seed());
    for (auto const which : {part::array, part::queue, part::stack, part::map}) {
        INFO(part_names[static_cast<std::size_t>(which)]);
        check_none(survive(count,
                           [&](std::uint64_t n) {
                               random_source random(n);
                               run_program(which, random_program(random));
                           }),
                   {});
    }
}

TEST_CASE("1,000 random programs over each structure", "[fast]") { random_programs(rounds(1000)); }
TEST_CASE("5,000 random programs over each structure", "[medium]") { random_programs(rounds(5000)); }
TEST_CASE("200,000 random programs over each structure", "[slow]") { random_programs(rounds(200000)); }

/// What the programs above would not show otherwise.
TEST_CASE("an access outside a mapping is a signal", "[fast]") {
    specimen const s;
    for (int const where : {-1, 0}) {
        child reader([&] {
            auto memory = Memory::open(s.name());
            auto const* at = memory.base() + (where < 0 ? -1 : static_cast<int>(segment_bytes));
            return static_cast<int>(*const_cast<std::byte const volatile*>(at));
        });
        int const end = reader.wait();
        CHECK((end == -SIGSEGV || (sanitized && end != 0)));
    }
}

struct contest {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> uses{0};
};

/// Somebody writes nonsense all the time while two processes work.
void hostile_peer(std::uint64_t count) {
    watchdog const limit(600);
    specimen const s;
    auto const fields = s.fields();
    shared<contest> track;
    std::vector<child> workers;
    for (int i = 0; i < 2; ++i)
        workers.emplace_back([&] {
            while (!track->stop) {
                ::alarm(sanitized ? 240 : 60);
                use(s.name());
                ++track->uses;
            }
        });
    random_source random(99);
    raw_object const object(s.name());
    auto* const at = static_cast<char*>(
        ::mmap(nullptr, segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, object.fd(), 0));
    REQUIRE(at != MAP_FAILED);
    for (std::uint64_t n = 0; n < count; ++n) {
        if (n % 8 == 0) std::memcpy(at, s.good().data(), segment_bytes);
        spoil(s, fields, random, [&](std::uint64_t where, std::string_view bytes) {
            std::memcpy(at + where, bytes.data(), bytes.size());
        });
        if (n % 64 == 0) ::sched_yield();
        if (n % 8 == 7) nap(std::chrono::microseconds(random.below(100)));
    }
    // Something good at last, so that nobody waits for a creator.
    std::memcpy(at, s.good().data(), segment_bytes);
    ::munmap(at, segment_bytes);
    track->stop = true;
    for (auto& one : workers) CHECK(one.wait() == 0);
    std::printf("%llu uses beside a hostile peer\n", static_cast<unsigned long long>(track->uses.load()));
}

TEST_CASE("a hostile peer writes while others work", "[fast]") { hostile_peer(rounds(4000)); }
TEST_CASE("a hostile peer writes while others work, longer", "[medium]") { hostile_peer(rounds(100000)); }

}  // namespace
