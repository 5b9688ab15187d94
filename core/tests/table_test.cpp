/// \file
/// The table of names: entries, limits, races and deaths while adding, and spoiled bytes.

#include <zeroipc/zeroipc.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "zeroipc_testing.hpp"
#include "zeroipc_traced.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

constexpr auto nothing = [](std::byte*) {};

TEST_CASE("names of 1 to 31 bytes are taken as they are", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    for (std::string const& entry : {std::string("x"), std::string("with blank"), std::string("a/b"),
                                     std::string(31, 'n'), std::string("\xc3\xbc"), std::string(30, 'n')}) {
        CHECK(memory.add(entry, 64, nothing).name == entry);
        REQUIRE(memory.find(entry));
        CHECK(memory.find(entry)->name == entry);
        CHECK(Memory::open(name).find(entry)->offset == memory.find(entry)->offset);
    }
    CHECK_FALSE(memory.find(std::string(29, 'n')));
    CHECK_FALSE(memory.find(std::string(32, 'n')));
    CHECK_FALSE(memory.find(""));
    CHECK_FALSE(memory.find("X"));
    CHECK(memory.entries().size() == 6);
    CHECK(memory.entries()[3].name == std::string(31, 'n'));
}

TEST_CASE("what no entry takes is refused and leaves the table as it was", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 13, {.max_entries = 3});
    memory.add("first", 100, nothing);
    raw_object const object(name);
    auto const before = object.bytes();
    auto const refused = [&](errc cause, std::initializer_list<std::string_view> mentions,
                             std::string const& entry, std::uint64_t size) {
        INFO("'" << entry << "', " << size << " bytes");
        check_refused(cause, mentions, [&] { memory.add(entry, size, nothing); });
        CHECK(object.bytes() == before);
        CHECK(memory.entries().size() == 1);
    };
    refused(errc::invalid_name, {"''", "0 bytes"}, "", 64);
    refused(errc::invalid_name, {std::string(32, 'n'), "32 bytes"}, std::string(32, 'n'), 64);
    refused(errc::invalid_name, {"1000 bytes"}, std::string(1000, 'n'), 64);
    refused(errc::invalid_name, {"'a\nb'"}, "a\nb", 64);
    refused(errc::invalid_name, {}, std::string("a\0b", 3), 64);
    refused(errc::exists, {"'first'", name.str()}, "first", 64);
    auto const room = memory.free_bytes();
    CHECK(room == (1 << 13) - 192 - 128);
    refused(errc::segment_full, {"'big'", std::to_string(room + 1), std::to_string(room) + " left"}, "big",
            room + 1);
    refused(errc::segment_full, {"18446744073709551615"}, "big", ~std::uint64_t{0});
    refused(errc::segment_full, {"4294967296"}, "big", std::uint64_t{1} << 32);

    memory.add("second", 0, nothing);
    memory.add("third", memory.free_bytes(), nothing);
    CHECK(memory.free_bytes() == 0);
    auto const full = object.bytes();
    check_refused(errc::table_full, {"'fourth'", "3 structures"}, [&] { memory.add("fourth", 0, nothing); });
    // A name that is there is told as such, even if there is no room.
    check_refused(errc::exists, {"'third'"}, [&] { memory.add("third", 0, nothing); });
    CHECK(object.bytes() == full);
    CHECK(memory.entries().size() == 3);
}

TEST_CASE("structures begin at multiples of 64 and do not overlap", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::uint64_t end = format::table_end(64);
    auto free = memory.free_bytes();
    int number = 0;
    for (std::uint32_t const size : {0U, 1U, 63U, 64U, 65U, 1000U, 4096U}) {
        std::byte* where = nullptr;
        auto const entry =
            memory.add("s" + std::to_string(number++), size, [&](std::byte* at) { where = at; });
        CHECK(where == memory.base() + entry.offset);
        CHECK(entry.offset % 64 == 0);
        CHECK(entry.offset >= end);
        CHECK(entry.offset < end + 64);
        CHECK(entry.size == size);
        end = std::uint64_t{entry.offset} + size;
        CHECK(memory.free_bytes() <= free);
        free = memory.free_bytes();
        CHECK(free == (1 << 16) - (end + 63) / 64 * 64);
    }
    auto const all = memory.entries();
    REQUIRE(all.size() == 7);
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i].name == "s" + std::to_string(i));
}

TEST_CASE("the last byte of a segment can be used", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 10007, {.max_entries = 1});
    auto const entry = memory.add("all", memory.free_bytes(),
                                  [&](std::byte* at) { std::memset(at, 1, memory.free_bytes()); });
    CHECK(entry.offset + entry.size == 10007);
    CHECK(raw_object(name).read<std::uint8_t>(10006) == 1);
}

TEST_CASE("an initialiser that throws adds nothing, and its bytes are zeroed for the next", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto const free = memory.free_bytes();
    CHECK_THROWS_AS(memory.add("x", 5000,
                               [](std::byte* at) {
                                   std::memset(at, 0xff, 5000);
                                   throw std::runtime_error("no");
                               }),
                    std::runtime_error);
    CHECK_FALSE(memory.find("x"));
    CHECK(memory.entries().empty());
    CHECK(memory.free_bytes() == free);
    bool zero = true;
    auto const entry = memory.add("y", 4000, [&](std::byte* at) {
        for (int i = 0; i < 5000; ++i) zero = zero && at[i] == std::byte{0};
    });
    CHECK(zero);
    CHECK(entry.offset == format::table_end(64));
}

TEST_CASE("a creator that dies while it initialises leaves zeroing work and no lock", "[fast]") {
    for (int const way : {0, 1, 2}) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        memory.add("before", 100, nothing);
        child doomed([&] {
            auto mine = Memory::open(name.str());
            mine.add("lost", 5000, [&](std::byte* at) {
                std::memset(at, 0xff, 5000);
                if (way == 0) ::_exit(7);
                ::raise(way == 1 ? SIGKILL : SIGTERM);
            });
        });
        CHECK(doomed.wait() == (way == 0 ? 7 : way == 1 ? -SIGKILL : -SIGTERM));
        CHECK_FALSE(memory.find("lost"));
        CHECK(memory.entries().size() == 1);
        // Its heir dies too, before it has zeroed or initialised less.
        child second([&] {
            auto mine = Memory::open(name.str());
            mine.add("lost", 64, [&](std::byte* at) {
                if (at[0] != std::byte{0} || at[4999] != std::byte{0}) ::_exit(8);
                std::memset(at, 0xee, 64);
                ::raise(SIGKILL);
            });
        });
        CHECK(second.wait() == -SIGKILL);
        bool zero = true;
        memory.add("lost", 6000, [&](std::byte* at) {
            for (int i = 0; i < 6000; ++i) zero = zero && at[i] == std::byte{0};
        });
        CHECK(zero);
        CHECK(memory.entries().size() == 2);
    }
}

/// What a segment is after each machine instruction of an addition: a kill at that instruction leaves just
/// this.
TEST_CASE("a creator is killed at each machine instruction of an addition", "[fast]") {
    watchdog const limit(120);
    segment_name const name;
    constexpr std::uint64_t bytes = 1 << 12;
    auto memory = Memory::create(name, bytes, {.max_entries = 4});
    auto const states = states_of(
        "an addition",
        [&](tracee t) {
            auto mine = Memory::open(name.str());
            mine.add("warm", 64, nothing);  // lazy binding is done
            t.begin();
            mine.add("entry", 200, [](std::byte* at) {
                for (int i = 0; i < 200; i += 50) const_cast<std::byte volatile*>(at)[i] = std::byte{0xff};
            });
            t.end();
        },
        memory.base(), bytes);
    if (!states) return;
    REQUIRE(states->size() >= 6);
    for (auto const& state : *states) {
        INFO("state " << (&state - states->data()));
        segment_name const copy;
        {
            raw_object const object(copy, bytes);
            object.write_bytes(0, state);
        }
        auto again = Memory::open(copy);
        bool const there = again.find("entry").has_value();
        CHECK(again.entries().size() == (there ? 2 : 1));
        bool zero = true;
        auto const entry = again.add("next", 300, [&](std::byte* place) {
            for (int i = 0; i < 300; ++i) zero = zero && place[i] == std::byte{0};
        });
        CHECK(zero);
        CHECK(entry.offset == (there ? 512 : 256));
    }
    CHECK(states->back().find("entry") != std::string::npos);
}

struct progress {
    std::atomic<std::uint64_t> round{0};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> winners{0};
};

/// In each round each process adds entries of its own and all of them one common entry.
void add_together(std::uint64_t count, std::uint64_t processes, std::uint32_t own) {
    watchdog const limit(300);
    segment_name const name;
    shared<progress> track;
    std::vector<child> all;
    for (std::uint64_t p = 0; p < processes; ++p)
        all.emplace_back([&, p] {
            for (std::uint64_t round = 1; round <= count; ++round) {
                until([&] { return track->round >= round; });
                auto memory = Memory::open(name.str());
                for (std::uint32_t i = 0; i < own; ++i) {
                    auto const mark = static_cast<unsigned char>(1 + p);
                    auto const size = 10 + 50 * (i % 3);
                    memory.add("p" + std::to_string(p) + "." + std::to_string(i), size, [&](std::byte* at) {
                        for (std::uint32_t b = 0; b < size; ++b)
                            if (at[b] != std::byte{0}) ++track->failures;
                        std::memset(at, mark, size);
                    });
                    if (i == own / 2) {
                        auto const refusal = thrown_by([&] { memory.add("common", 64, nothing); });
                        if (!refusal)
                            ++track->winners;
                        else if (refusal->cause() != errc::exists)
                            ++track->failures;
                    }
                }
                ++track->done;
            }
        });
    for (std::uint64_t round = 1; round <= count; ++round) {
        Memory::unlink(name);
        auto memory = Memory::create(name, 1 << 16);
        track->round = round;
        until([&] { return track->done >= round * processes; });
        auto const entries = memory.entries();
        REQUIRE(entries.size() == processes * own + 1);
        std::vector<std::string> names;
        std::uint64_t end = format::table_end(64);
        for (auto const& entry : entries) {
            names.push_back(entry.name);
            if (entry.offset < end) FAIL("entries overlap in round " << round);
            end = std::uint64_t{entry.offset} + entry.size;
            if (entry.name == "common") continue;
            auto const mark = static_cast<std::byte>(1 + std::stoul(entry.name.substr(1)));
            for (std::uint32_t b = 0; b < entry.size; ++b)
                if (memory.base()[entry.offset + b] != mark)
                    FAIL("bytes of another entry in round " << round);
        }
        std::sort(names.begin(), names.end());
        REQUIRE(std::adjacent_find(names.begin(), names.end()) == names.end());
    }
    for (auto& one : all) CHECK(one.wait() == 0);
    CHECK(track->failures == 0);
    CHECK(track->winners == count);
}

TEST_CASE("two processes add entries at once", "[fast]") { add_together(rounds(300), 2, 4); }
TEST_CASE("processes add entries at once, 10,000 rounds", "[medium]") {
    add_together(rounds(8000), 2, 3);
    add_together(rounds(2000), 4, 5);
}

TEST_CASE("threads add entries through one Memory object and through their own", "[fast]") {
    watchdog const limit(100);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18, {.max_entries = 1000});
    std::atomic<unsigned> failures{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::optional<Memory> own;
            if (t >= 2) own.emplace(Memory::open(name));
            for (int i = 0; i < 50; ++i) {
                auto const entry = "t" + std::to_string(t) + "." + std::to_string(i);
                (own ? *own : memory).add(entry, 100, nothing);
                if (!memory.find(entry)) ++failures;
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(failures == 0);
    auto const all = memory.entries();
    CHECK(all.size() == 200);
    for (std::size_t i = 1; i < all.size(); ++i) CHECK(all[i].offset >= all[i - 1].offset + all[i - 1].size);
}

TEST_CASE("a spoiled cursor or entry is found by everybody who reads it", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    memory.add("first", 100, nothing);
    memory.add("second", 100, nothing);
    raw_object const object(name);
    auto const good = object.bytes();
    constexpr std::uint64_t second = 16 + 40;
    auto const spoiled = [&](std::uint64_t at, auto value, std::initializer_list<std::string_view> mentions) {
        INFO("at " << at << ": " << +value);
        object.write(at, value);
        check_refused(errc::corrupt, mentions, [&] { static_cast<void>(memory.entries()); });
        check_refused(errc::corrupt, mentions, [&] { static_cast<void>(memory.find("absent")); });
        check_refused(errc::corrupt, mentions, [&] { memory.add("third", 64, nothing); });
        check_refused(errc::corrupt, mentions, [&] { Queue<int> const q(memory, "absent"); });
        object.write_bytes(0, good);
    };
    spoiled(8, std::uint32_t{65}, {"65 entries (of 64)"});
    spoiled(8, std::uint32_t{0xffffffff}, {"4294967295"});
    spoiled(8, std::uint32_t{3}, {"entry 2"});  // an entry without a name
    spoiled(12, std::uint32_t{0}, {"next free byte 0"});
    spoiled(12, std::uint32_t{2623}, {"2623"});
    spoiled(12, std::uint32_t{65537}, {"65537", "65536"});
    spoiled(12, std::uint32_t{0xffffffff}, {"4294967295"});
    spoiled(second, std::uint8_t{0}, {"entry 1"});
    spoiled(second + 32, std::uint32_t{0}, {"entry 1", "offset 0"});
    spoiled(second + 32, std::uint32_t{2560}, {"offset 2560"});   // inside the table
    spoiled(second + 32, std::uint32_t{2624 + 65}, {"entry 1"});  // not a multiple of 64
    spoiled(second + 32, std::uint32_t{65536}, {"entry 1"});      // at the end, and not empty
    spoiled(second + 32, std::uint32_t{0xffffffc0}, {"entry 1"});
    spoiled(second + 36, std::uint32_t{0xffffffff}, {"size 4294967295"});
    spoiled(second + 36, std::uint32_t{65536}, {"size 65536"});
    {
        object.write_bytes(second, std::string(32, 'n'));  // no NUL
        check_refused(errc::corrupt, {"entry 1"}, [&] { static_cast<void>(memory.entries()); });
        object.write_bytes(0, good);
    }
    {
        // A draft that does not stand where the next structure begins.
        object.write(second + 40 + 32, std::uint32_t{64});
        object.write(second + 40 + 36, std::uint32_t{64});
        check_refused(errc::corrupt, {"draft", "offset 64"}, [&] { memory.add("third", 64, nothing); });
        object.write(second + 40 + 32, std::uint32_t{2624 + 256});
        object.write(second + 40 + 36, std::uint32_t{0xffffffff});
        check_refused(errc::corrupt, {"draft"}, [&] { memory.add("third", 64, nothing); });
        object.write_bytes(0, good);
    }
    CHECK(memory.add("third", 64, nothing).offset == 2624 + 256);
}

}  // namespace
