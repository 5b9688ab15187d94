// One structure, two languages: processes of either produce for processes of the other, and the same calls leave the same
// bytes.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "zeroipc_c_sides.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using c::language;
using c::number;
using zeroipc::Memory;

constexpr std::array both{language::c, language::cpp};

std::string bytes_of(std::string const& name) {
    auto const memory = Memory::open(name);
    return {reinterpret_cast<char const*>(memory.base()), memory.bytes()};
}

/// A producer process and a consumer process; the consumer sees everything, of a queue in order.
template <class Cpp>
void produce_and_consume(language producer, language consumer, number count) {
    INFO(c::name_of(producer) << " to " << c::name_of(consumer));
    testing::segment_name const name;
    c::make_items<Cpp>(producer, name, 16, 4);
    testing::child source([&] {
        auto const handle = c::open_items<Cpp>(producer, name);
        for (number i = 1; i <= count; ++i)
            if (!handle.push_waiting(i)) return 1;
        return 0;
    });
    testing::child sink([&] {
        auto const handle = c::open_items<Cpp>(consumer, name);
        number sum = 0;
        for (number i = 1, item = 0; i <= count; ++i) {
            if (!handle.pop_waiting(item)) return 1;
            if (std::is_same_v<Cpp, c::cpp_queue> && item != i) return 2;
            sum += item;
        }
        return sum == count * (count + 1) / 2 ? 0 : 3;
    });
    CHECK(source.wait() == 0);
    CHECK(sink.wait() == 0);
    CHECK(c::open_items<Cpp>(consumer, name).drain().empty());
}

/// The same random calls through two handles in C and in C++ leave the same bytes at each step.
template <class Cpp>
void same_bytes(number capacity, number stream) {
    std::array<testing::segment_name, 2> const names;
    std::array<std::array<c::items, 2>, 2> handles;
    for (std::size_t i = 0; i < 2; ++i) {
        c::make_items<Cpp>(both[i], names[i], capacity, 3);
        for (auto& one : handles[i]) one = c::open_items<Cpp>(both[i], names[i]);
    }
    CHECK(c::listing(bytes_of(names[0])) == c::listing(bytes_of(names[1])));
    testing::random_source random(stream);
    for (int step = 0; step < 1000; ++step) {
        auto const through = random.below(2);
        bool const push = random.below(2) == 0;
        auto const value = random.any();
        std::array<number, 2> got{};
        std::array<bool, 2> done{};
        for (std::size_t i = 0; i < 2; ++i)
            done[i] = push ? handles[i][through].push(value) : handles[i][through].pop(got[i]);
        REQUIRE(done[0] == done[1]);
        REQUIRE(got[0] == got[1]);
        auto const is = bytes_of(names[0]);
        if (is != bytes_of(names[1])) REQUIRE(c::listing(is) == c::listing(bytes_of(names[1])));
    }
}

}  // namespace

TEST_CASE("C: producers and consumers of either language share a queue", "[fast]") {
    testing::watchdog const limit(100);
    for (auto const producer : both)
        for (auto const consumer : both)
            produce_and_consume<c::cpp_queue>(producer, consumer, testing::rounds(20000));
}

TEST_CASE("C: producers and consumers of either language share a stack", "[fast]") {
    testing::watchdog const limit(100);
    for (auto const producer : both)
        for (auto const consumer : both)
            produce_and_consume<c::cpp_stack>(producer, consumer, testing::rounds(20000));
}

TEST_CASE("C: writers and readers of either language share a map", "[fast]") {
    testing::watchdog const limit(100);
    for (auto const writer : both)
        for (auto const reader : both) {
            INFO(c::name_of(writer) << " to " << c::name_of(reader));
            testing::segment_name const name;
            constexpr number keys = 500;
            c::make_map(writer, name, keys, 4, 9, 1 << 18);
            testing::child source([&] {
                auto const handle = c::open_pairs(writer, name);
                for (number key = 0; key < keys; ++key)
                    if (!handle.insert(key << 16, key + 1)) return 1;
                return 0;
            });
            auto const handle = c::open_pairs(reader, name);
            for (number key = 0, value = 0; key < keys; ++key) {
                REQUIRE(handle.find_waiting(key << 16, value));
                REQUIRE(value == key + 1);
            }
            CHECK(source.wait() == 0);
            auto const all = handle.all();
            CHECK(all.size() == keys);
            CHECK(all == c::open_pairs(writer, name).all());
            for (number key = 0; key < keys; ++key) CHECK(handle.erase(key << 16));
            CHECK(c::open_pairs(writer, name).all().empty());
        }
}

TEST_CASE("C: counters of either language add up in one array", "[fast]") {
    testing::watchdog const limit(100);
    testing::segment_name const name;
    auto const memory = c::create(name, 4096);
    auto const array = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), "x", 3U, sizeof(number));
    constexpr number rounds = 20000;
    {
        std::vector<testing::child> all;
        for (auto const which : {language::c, language::cpp, language::c, language::cpp})
            all.emplace_back([&, which] {
                if (which == language::cpp) {
                    auto mine = Memory::open(name);
                    zeroipc::Array<number> counts(mine, "x");
                    for (number i = 0; i < rounds; ++i) counts.fetch_add(1, 1);
                } else {
                    auto const mine = c::open(name);
                    auto const counts =
                        c::got<zeroipc_array>(zeroipc_array_open, mine.get(), "x", sizeof(number));
                    number const one = 1;
                    for (number i = 0; i < rounds; ++i)
                        c::must(zeroipc_array_fetch_add(counts.get(), 1, &one, nullptr));
                }
            });
        for (auto& one : all) CHECK(one.wait() == 0);
    }
    number sum = 0;
    c::must(zeroipc_array_load(array.get(), 1, &sum));
    CHECK(sum == 4 * rounds);
}

TEST_CASE("C: the same calls leave the same bytes of a queue as in C++", "[fast]") {
    for (number const capacity : {1U, 4U, 32U}) same_bytes<c::cpp_queue>(capacity, capacity);
}

TEST_CASE("C: the same calls leave the same bytes of a stack as in C++", "[fast]") {
    for (number const capacity : {1U, 5U, 32U}) same_bytes<c::cpp_stack>(capacity, capacity + 100);
}

TEST_CASE("C: the same calls leave the same bytes of a map as in C++", "[fast]") {
    for (number const capacity : {1U, 6U, 40U}) {
        std::array<testing::segment_name, 2> const names;
        std::array<std::array<c::pairs, 2>, 2> handles;
        for (std::size_t i = 0; i < 2; ++i) {
            c::make_map(both[i], names[i], capacity, 3, 77);
            for (auto& one : handles[i]) one = c::open_pairs(both[i], names[i]);
        }
        testing::random_source random(capacity + 200);
        for (int step = 0; step < 1500; ++step) {
            auto const through = random.below(2);
            auto const kind = random.below(5);
            auto const key = random.below(2 * capacity + 4);
            auto const value = random.any();
            std::array<bool, 2> done{};
            for (std::size_t i = 0; i < 2; ++i) {
                auto const& handle = handles[i][through];
                number found = 0;
                done[i] = kind <= 1   ? handle.insert(key, value)
                          : kind == 2 ? handle.assign(key, value)
                          : kind == 3 ? handle.erase(key)
                                      : handle.find(key, found);
            }
            REQUIRE(done[0] == done[1]);
            auto const is = bytes_of(names[0]);
            if (is != bytes_of(names[1])) REQUIRE(c::listing(is) == c::listing(bytes_of(names[1])));
        }
    }
}
