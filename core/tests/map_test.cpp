/// \file
/// The map: every operation against the standard one, sizes, capacity under churn, iteration, waiting, refusals,
/// versions near their wrap, threads, processes, handles.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "zeroipc_map_testing.hpp"
#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using plain = Map<std::uint64_t, std::uint64_t>;

template <std::size_t N>
struct bytes {
    unsigned char b[N];
    static bytes of(std::uint64_t seed) {
        bytes item;
        for (std::size_t i = 0; i < N; ++i) item.b[i] = static_cast<unsigned char>(seed * 31 + i * 7);
        // The seed itself too, as far as it goes: different keys need different bytes.
        std::memcpy(item.b, &seed, N < 8 ? N : 8);
        return item;
    }
    bool operator==(bytes const& other) const { return std::memcmp(b, other.b, N) == 0; }
};

/// The same, aligned to its size.
template <std::size_t N>
struct alignas(N) aligned : bytes<N> {
    static aligned of(std::uint64_t seed) { return {bytes<N>::of(seed)}; }
    bool operator==(aligned const&) const = default;
};

// --- one handle
// ------------------------------------------------------------------------------------------------------

TEST_CASE("each operation does what it says, and says what it did", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain map(memory, "m", 10, {.handle_slots = 4});
    CHECK(map.capacity() == 10);
    CHECK(map.was_empty());
    CHECK_FALSE(map.find(1));
    CHECK_FALSE(map.contains(1));
    CHECK_FALSE(map.erase(1));
    std::uint64_t value = 77;
    CHECK_FALSE(map.find(1, value));
    CHECK(map.compare_exchange(1, value, 5) == outcome::absent);
    CHECK(value == 77);
    CHECK(map.update(1, [](std::uint64_t v) { return v + 1; }) == outcome::absent);

    CHECK(map.insert(1, 10) == outcome::inserted);
    CHECK(map.insert(1, 11) == outcome::present);
    CHECK(map.find(1) == 10);
    CHECK(map.contains(1));
    CHECK(map.was_size() == 1);
    CHECK(map.insert_or_assign(1, 12) == outcome::assigned);
    CHECK(map.insert_or_assign(2, 20) == outcome::inserted);
    CHECK(map.find(1, value));
    CHECK(value == 12);
    value = 13;
    CHECK(map.compare_exchange(1, value, 14) == outcome::different);
    CHECK(value == 12);
    CHECK(map.compare_exchange(1, value, 14) == outcome::assigned);
    CHECK(value == 12);
    CHECK(map.find(1) == 14);
    CHECK(map.update(1, [](std::uint64_t v) { return v * 2; }) == outcome::assigned);
    CHECK(map.find(1) == 28);
    CHECK(map.was_size() == 2);
    CHECK(map.erase(1));
    CHECK_FALSE(map.erase(1));
    CHECK_FALSE(map.find(1));
    CHECK(map.find(2) == 20);
    CHECK(map.was_size() == 1);
    CHECK(memory.find("m")->size == plain::bytes_for(10, {.handle_slots = 4}));
}

TEST_CASE("random operations agree with the standard map", "[fast]") {
    for (auto const capacity : sizes({1, 2, 15, 100, 10000})) {
        INFO("capacity " << capacity);
        random_source random(capacity);
        segment_name const name;
        auto memory = Memory::create(name, 4 << 20);
        std::vector<plain> handles;
        handles.emplace_back(memory, "m", capacity, map_options{5, random.any()});
        for (int i = 0; i < 4; ++i) handles.emplace_back(memory, "m");
        std::unordered_map<std::uint64_t, std::uint64_t> ideal;
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < rounds(40000); ++i) {
            auto& m = handles[random.below(5)];
            auto const key = random.below(2 * capacity) << (capacity == 100 ? 16 : 0);
            auto const it = ideal.find(key);
            bool const there = it != ideal.end();
            bool const room = ideal.size() < capacity;
            switch (random.below(7)) {
                case 0:
                    if (!there && !room) break;
                    wrong += m.insert(key, i) != (there ? outcome::present : outcome::inserted);
                    if (!there) ideal[key] = i;
                    break;
                case 1:
                    if (!there && !room) break;
                    wrong += m.insert_or_assign(key, i) != (there ? outcome::assigned : outcome::inserted);
                    ideal[key] = i;
                    break;
                case 2:
                    wrong += m.erase(key) != there;
                    ideal.erase(key);
                    break;
                case 3: {
                    std::uint64_t expected = there && random.below(2) == 0 ? it->second : i;
                    auto const before = expected;
                    auto const said = m.compare_exchange(key, expected, i + 7);
                    if (!there) {
                        wrong += said != outcome::absent || expected != before;
                    } else if (it->second == before) {
                        wrong += said != outcome::assigned;
                        it->second = i + 7;
                    } else {
                        wrong += said != outcome::different || expected != it->second;
                    }
                    break;
                }
                case 4:
                    wrong += m.update(key, [](std::uint64_t v) { return v + 3; }) !=
                             (there ? outcome::assigned : outcome::absent);
                    if (there) it->second += 3;
                    break;
                default: {
                    auto const value = m.find(key);
                    wrong += value.has_value() != there || (there && *value != it->second) ||
                             m.contains(key) != there;
                }
            }
            if (i % 1024 == 0) wrong += m.was_size() != ideal.size();
            if (random.below(500) == 0) {  // a handle goes and comes again
                handles.erase(handles.begin() + static_cast<std::ptrdiff_t>(random.below(5)));
                handles.emplace_back(memory, "m");
            }
        }
        CHECK(wrong == 0);
        std::unordered_map<std::uint64_t, std::uint64_t> seen;
        for (auto const& [key, value] : handles[0]) CHECK(seen.emplace(key, value).second);
        CHECK(seen == ideal);
        CHECK(census_of<plain>(memory, "m", capacity, 5).right());
        for (auto const& [key, value] : ideal) CHECK(handles[1].erase(key));
        CHECK(handles[2].was_empty());
        CHECK(census_of<plain>(memory, "m", capacity, 5).all_in_pool());
    }
}

template <class K, class V>
void any_size() {
    INFO("keys of " << sizeof(K) << " bytes, values of " << sizeof(V));
    segment_name const name;
    auto memory = Memory::create(name, 4 << 20);
    using sized = Map<K, V>;
    constexpr std::uint64_t keys = 60;
    sized map(memory, "m", keys, {.handle_slots = 3, .seed = 5});
    sized other(memory, "m");
    for (std::uint64_t lap = 0; lap < 3; ++lap) {
        for (std::uint64_t i = 0; i < keys; ++i)
            REQUIRE(map.insert(K::of(i), V::of(i + lap)) == outcome::inserted);
        for (std::uint64_t i = 0; i < keys; ++i) {
            V value{};
            REQUIRE(other.find(K::of(i), value));
            REQUIRE(value == V::of(i + lap));
            REQUIRE(map.compare_exchange(K::of(i), value, V::of(i + lap + 100)) == outcome::assigned);
            REQUIRE(other.find(K::of(i), value));
            REQUIRE(value == V::of(i + lap + 100));
        }
        CHECK_FALSE(map.contains(K::of(keys + 1)));
        for (std::uint64_t i = 0; i < keys; ++i) REQUIRE(other.erase(K::of(i)));
        CHECK(map.was_empty());
    }
    CHECK(census_of<sized>(memory, "m", keys, 3).all_in_pool());
}

TEST_CASE("keys and values of any size come out as they went in", "[fast]") {
    any_size<bytes<1>, bytes<3>>();
    any_size<bytes<3>, bytes<1>>();
    any_size<bytes<4>, bytes<4>>();
    any_size<bytes<8>, bytes<8>>();
    any_size<bytes<12>, bytes<12>>();
    any_size<bytes<64>, bytes<100>>();
    any_size<bytes<100>, bytes<64>>();
    any_size<bytes<8>, bytes<4096>>();
    any_size<aligned<16>, aligned<64>>();
    any_size<aligned<64>, aligned<32>>();
}

TEST_CASE("text as keys", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Map<fixed_string<12>, std::uint64_t> map(memory, "m", 20);
    CHECK(map.insert("one", 1) == outcome::inserted);
    CHECK(map.insert(std::string_view("twelve bytes"), 12) == outcome::inserted);
    CHECK(map.insert("", 0) == outcome::inserted);
    CHECK(map.find("one") == 1);
    CHECK(map.find("twelve bytes") == 12);
    CHECK(map.find("") == 0);
    CHECK_FALSE(map.find("on"));
    CHECK_FALSE(map.find("one "));
    std::set<std::string> seen;
    map.for_each([&](fixed_string<12> const& key, std::uint64_t) { seen.emplace(key.view()); });
    CHECK(seen == std::set<std::string>{"", "one", "twelve bytes"});
    check_refused(errc::invalid_argument, {"'thirteen byte'", "13", "12"},
                  [&] { static_cast<void>(map.find("thirteen byte")); });
    static_assert(map_key<fixed_string<5>> && !map_key<double> && !map_key<std::string>);
}

TEST_CASE("a map moves, and its handle slot with it", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::optional<plain> one(std::in_place, memory, "m", 4, map_options{2});
    CHECK(one->insert(1, 2) == outcome::inserted);
    plain two(std::move(*one));
    one.reset();
    CHECK(two.find(1) == 2);
    CHECK(two.handle_slot() == 0);
    plain three(memory, "m");
    CHECK(three.handle_slot() == 1);
    two = std::move(three);
    CHECK(two.handle_slot() == 1);
    CHECK(two.find(1) == 2);
    static_assert(!std::is_copy_constructible_v<plain> && !std::is_copy_assignable_v<plain>);
}

// --- capacity
// --------------------------------------------------------------------------------------------------------

/// A map of capacity N takes N keys, now and after `turnovers` times all of them went and others came.
void turnover(std::uint64_t capacity, std::uint64_t percent, unsigned replaced_in_ten, std::uint64_t seed,
              std::uint64_t turnovers, unsigned shift) {
    INFO("capacity " << capacity << ", " << percent << " %, " << replaced_in_ten << " in ten replaced, seed "
                     << seed);
    random_source random(seed);
    segment_name const name;
    auto memory = Memory::create(name, 4 << 20);
    plain map(memory, "m", capacity, {4, random.any()});
    std::vector<std::uint64_t> keys;
    std::uint64_t next = 0;
    std::uint64_t refused = 0;
    auto const level = std::max<std::uint64_t>(1, capacity * percent / 100);
    while (keys.size() < level) {
        keys.push_back(next++ << shift);
        refused += map.insert(keys.back(), 1) != outcome::inserted;
    }
    for (std::uint64_t i = 0; i < turnovers * level; ++i) {
        auto& key = keys[random.below(level)];
        if (random.below(10) < replaced_in_ten) {
            refused += map.insert_or_assign(key, i) != outcome::assigned;
        } else {
            refused += !map.erase(key);
            key = next++ << shift;
            refused += map.insert(key, i) != outcome::inserted;
        }
    }
    CHECK(map.was_size() == level);
    while (keys.size() < capacity) {
        keys.push_back(next++ << shift);
        refused += map.insert(keys.back(), 1) != outcome::inserted;
    }
    CHECK(refused == 0);
    for (auto const key : keys) REQUIRE(map.erase(key));
    CHECK(map.was_empty());
    CHECK(census_of<plain>(memory, "m", capacity, 4).all_in_pool());
}

TEST_CASE("a map of capacity N takes N keys, also after 100 turnovers", "[fast]") {
    for (auto const capacity : sizes({1, 2, 15, 100}))
        for (std::uint64_t seed = 1; seed <= 5; ++seed)
            for (auto const percent : sizes({90, 100}))
                for (unsigned const replaced : {0U, 5U, 9U})
                    turnover(capacity, percent, replaced, seed, 100, seed % 2 == 0 ? 16 : 0);
}

TEST_CASE("a map of capacity 10,000 takes 10,000 keys, also after 100 turnovers", "[medium]") {
    watchdog const limit(300);
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
        for (auto const percent : sizes({90, 100}))
            for (unsigned const replaced : {0U, 5U, 9U})
                turnover(10000, percent, replaced, seed, rounds(100), seed % 2 == 0 ? 16 : 0);
}

TEST_CASE("when no slot is to be had, the map is full, and goes on", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain map(memory, "m", 1, {1});  // one bucket, 2 blocks
    std::uint64_t n = 0;
    while (map.insert(n, n) == outcome::inserted) REQUIRE(++n < 100);
    CHECK(n == 15);
    CHECK(map.insert(99, 0) == outcome::full);
    CHECK(map.insert_or_assign(99, 0) == outcome::full);
    CHECK(map.insert_or_assign(3, 0) == outcome::full);
    CHECK(map.insert(3, 0) == outcome::present);
    CHECK(map.update(3, [](std::uint64_t v) { return v; }) == outcome::full);
    std::uint64_t expected = 3;
    CHECK(map.compare_exchange(3, expected, 4) == outcome::full);
    for (std::uint64_t i = 0; i < n; ++i) CHECK(map.find(i) == i);
    CHECK(map.erase(7));
    CHECK(map.insert_or_assign(3, 33) == outcome::assigned);
    CHECK(map.insert(99, 1) == outcome::inserted);
    CHECK(map.was_size() == 15);
    CHECK(census_of<plain>(memory, "m", 1, 1).linked == 2);
}

// --- walking
// ---------------------------------------------------------------------------------------------------------

TEST_CASE("walking while others write: what stays is seen once", "[fast]") {
    watchdog const limit(120);
    constexpr std::uint64_t stay = 200;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    plain map(memory, "m", 300, {4, 9});
    for (std::uint64_t i = 0; i < stay; ++i) REQUIRE(map.insert(i, 2 * i) == outcome::inserted);
    shared<std::atomic<bool>> stop;
    child writer([&] {
        auto mine = Memory::open(name.str());
        plain m(mine, "m");
        for (std::uint64_t i = 0; !*stop; ++i) {
            m.insert(1000 + i % 150, i);
            m.insert_or_assign(i % stay, 2 * (i % stay));
            m.erase(1000 + (i * 7) % 150);
        }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t lap = 0; lap < rounds(800); ++lap) {
        std::map<std::uint64_t, unsigned> times;
        auto const see = [&](std::uint64_t key, std::uint64_t value) {
            if (key < stay) {
                wrong += ++times[key] > 1;
                wrong += value != 2 * key;
            } else {
                wrong += key < 1000 || key >= 1150;
            }
        };
        if (lap % 2 == 0)
            map.for_each(see);
        else
            for (auto it = map.begin(); it != map.end(); ++it) see(it->first, it->second);
        wrong += times.size() != stay;
        auto const size = map.was_size();
        wrong += size < stay || size > stay + 150;
    }
    *stop = true;
    CHECK(writer.wait() == 0);
    CHECK(wrong == 0);
}

// --- values change as a whole
// ----------------------------------------------------------------------------------------

TEST_CASE("update's function that throws leaves nothing reserved", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain map(memory, "m", 1, {2});
    plain other(memory, "m");
    REQUIRE(map.insert(1, 1) == outcome::inserted);
    auto const thrower = [](std::uint64_t) -> std::uint64_t { throw std::runtime_error("no"); };
    for (int i = 0; i < 40; ++i) CHECK_THROWS_AS(map.update(1, thrower), std::runtime_error);
    // In a second round, when a slot is reserved already: another handle changes the value meanwhile.
    for (int i = 0; i < 40; ++i) {
        int calls = 0;
        CHECK_THROWS_AS(map.update(1,
                                   [&](std::uint64_t v) -> std::uint64_t {
                                       if (++calls > 2) throw std::runtime_error("no");
                                       other.insert_or_assign(1, v + 1);
                                       return 0;
                                   }),
                        std::runtime_error);
        CHECK(calls == 3);
    }
    CHECK(map.find(1) == 81);
    CHECK(census_of<plain>(memory, "m", 1, 2).all_in_pool());
    CHECK(map.update(1, [](std::uint64_t v) { return v + 1; }) == outcome::assigned);
    CHECK(map.erase(1));
    CHECK(census_of<plain>(memory, "m", 1, 2).all_in_pool());
}

struct counters {
    std::atomic<std::uint64_t> ready{0};
    std::atomic<std::uint64_t> wins[64];
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<bool> stop{false};
};

/// Four processes that begin together.
template <class M, class Body>
void four(std::string const& name, shared<counters>& books, Body&& body) {
    std::vector<child> all;
    for (unsigned i = 0; i < 4; ++i)
        all.emplace_back([&, i] {
            auto mine = Memory::open(name);
            M m(mine, "m");
            ++books->ready;
            until([&] { return books->ready >= 4; });
            body(m, i);
        });
    for (auto& one : all) CHECK(one.wait() == 0);
}

TEST_CASE("compare_exchange and update by four processes lose nothing", "[fast]") {
    watchdog const limit(120);
    auto const each = rounds(5000);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    plain map(memory, "m", 10, {5});
    REQUIRE(map.insert(7, 0) == outcome::inserted);
    REQUIRE(map.insert(8, 0) == outcome::inserted);
    shared<counters> books;
    four<plain>(name, books, [&](plain& m, unsigned) {
        std::uint64_t seen = 0;
        for (std::uint64_t i = 0; i < each; ++i) {
            for (;;) {
                auto const result = m.compare_exchange(7, seen, seen + 1);
                if (result == outcome::assigned) break;
                if (result == outcome::absent) ++books->wrong;
            }
            while (m.update(8, [](std::uint64_t v) { return v + 1; }) != outcome::assigned) {
            }
        }
    });
    CHECK(books->wrong == 0);
    CHECK(map.find(7) == 4 * each);
    CHECK(map.find(8) == 4 * each);
    CHECK(map.was_size() == 2);
    CHECK(census_of<plain>(memory, "m", 10, 5).right());
}

TEST_CASE("of four processes that insert the same keys, one succeeds", "[fast]") {
    watchdog const limit(120);
    auto const laps = rounds(400);
    constexpr std::uint64_t keys = 50;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    plain map(memory, "m", 100, {5});
    shared<counters> books;
    shared<std::array<std::atomic<std::uint64_t>, keys * 400>> won;
    shared<std::array<std::atomic<std::uint64_t>, keys * 400>> gone;
    four<plain>(name, books, [&](plain& m, unsigned) {
        for (std::uint64_t lap = 0; lap < laps; ++lap) {
            for (std::uint64_t key = 0; key < keys; ++key)
                if (m.insert(lap * keys + key, key) == outcome::inserted) ++(*won)[lap * keys + key];
            until([&] { return books->ready >= 4 + 4 * lap; });
            ++books->ready;
            until([&] { return books->ready >= 8 + 4 * lap; });
            for (std::uint64_t key = 0; key < keys; ++key)
                if (m.erase(lap * keys + key)) ++(*gone)[lap * keys + key];
        }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < keys * laps; ++i) wrong += (*won)[i] != 1 || (*gone)[i] != 1;
    CHECK(wrong == 0);
    CHECK(map.was_empty());
    CHECK(census_of<plain>(memory, "m", 100, 5).right());
}

template <class M>
void write_and_read(M& m, unsigned which, std::uint64_t count, std::atomic<std::uint64_t>& wrong) {
    // Few keys, in few buckets: races everywhere. A value says by all its bytes which it is.
    typename M::mapped_type value{};
    for (std::uint64_t i = 0; i < count; ++i) {
        auto const key = i * (which + 1) % 7;
        auto const mine = M::mapped_type::of(i * 4 + which);
        switch (i % 5) {
            case 0:
                m.insert_or_assign(key, mine);
                break;
            case 1:
                m.insert(key, mine);
                break;
            case 2:
                if (i % 3 == 0) m.erase(key);
                break;
            default:
                if (m.find(key, value)) {
                    std::uint64_t is = 0;
                    std::memcpy(&is, value.b, 8);
                    wrong += !(value == M::mapped_type::of(is)) || is >= 4 * count;
                }
        }
    }
}

TEST_CASE("nobody sees half a value: processes", "[fast]") {
    watchdog const limit(120);
    using wide = Map<std::uint64_t, bytes<100>>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    wide map(memory, "m", 4, {5});
    shared<counters> books;
    four<wide>(name, books,
               [&](wide& m, unsigned which) { write_and_read(m, which, rounds(40000), books->wrong); });
    CHECK(books->wrong == 0);
    CHECK(census_of<wide>(memory, "m", 4, 5).right());
}

// --- policies
// --------------------------------------------------------------------------------------------------------

template <class M>
void threads(std::uint64_t count) {
    watchdog const limit(120);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    { M const m(memory, "m", 4, {6}); }
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> all;
    for (unsigned i = 0; i < 3; ++i)
        all.emplace_back([&, i] {
            M m(memory, "m");
            write_and_read(m, i, count, wrong);
        });
    for (auto& one : all) one.join();
    CHECK(wrong == 0);
    M m(memory, "m");
    CHECK(census_of<M>(memory, "m", 4, 6).right());
    std::set<std::uint64_t> keys;
    for (auto const& [key, value] : m) CHECK(keys.insert(key).second);
    for (auto const key : keys) CHECK(m.erase(key));
    CHECK(m.was_empty());
}

template <class... Ps>
using of_bytes = Map<std::uint64_t, bytes<100>, Ps...>;
template <class... Tuples>
using joined = decltype(std::tuple_cat(std::declval<Tuples>()...));
template <class L, class O>
using backoffs = std::tuple<of_bytes<O, backoff::none, L>, of_bytes<backoff::pause, O, L>,
                            of_bytes<L, backoff::exponential, O>, of_bytes<L, O, backoff::yield>>;
template <class L>
using orderings =
    joined<backoffs<L, ordering::acq_rel>, backoffs<L, ordering::seq_cst>, backoffs<L, ordering::fences>>;
using combinations = joined<orderings<layout::compact>, orderings<layout::padded>>;
static_assert(std::tuple_size_v<combinations> == 24);

TEMPLATE_LIST_TEST_CASE("nobody sees half a value: threads, in every combination of policies", "[fast]",
                        combinations) {
    threads<TestType>(rounds(8000));
}

TEST_CASE("nobody sees half a value: threads, for longer", "[medium]") {
    threads<of_bytes<>>(rounds(1000000));
    threads<of_bytes<ordering::fences, backoff::none>>(rounds(1000000));
}

TEST_CASE("two handles with different private policies, and two mappings in one process", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto second = Memory::open(name);
    REQUIRE(memory.base() != second.base());
    plain one(memory, "m", 20);
    Map<std::uint64_t, std::int64_t, waiting::spin, ordering::fences, observer::counting, backoff::none> two(
        second, "m");
    for (std::uint64_t i = 0; i < 20; ++i)
        REQUIRE((i % 2 == 0 ? one.insert(i, i) : two.insert(i, static_cast<std::int64_t>(i))) ==
                outcome::inserted);
    for (std::uint64_t i = 0; i < 20; ++i) {
        CHECK(one.find(i) == i);
        CHECK(two.find(i) == static_cast<std::int64_t>(i));
    }
    CHECK(two.observed().retries == 0);
    CHECK(one.handle_slot() != two.handle_slot());
}

// --- refusals
// --------------------------------------------------------------------------------------------------------

TEST_CASE("capacities and options out of range are refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto const before = raw_object(name).bytes();
    auto const refused = [&](errc cause, std::initializer_list<std::string_view> mentions, auto type,
                             std::uint64_t capacity, map_options const& options = {}) {
        using map = Map<std::uint64_t, decltype(type)>;
        INFO("capacity " << capacity);
        check_refused(cause, mentions, [&] { map const m(memory, "m", capacity, options); });
        CHECK(raw_object(name).bytes() == before);
    };
    refused(errc::invalid_capacity, {"'m'", "capacity 0"}, 0, 0);
    for (auto const capacity : sizes({(1ULL << 28) + 1, 1ULL << 32, 1ULL << 63, ~0ULL}))
        refused(errc::too_large, {"'m'"}, char{}, capacity);
    refused(errc::too_large, {"1048576 items of 4104 bytes"}, bytes<4096>{}, 1 << 20);
    refused(errc::segment_full, {"'m'"}, 0, 1 << 16);
    refused(errc::invalid_argument, {" 0 handle slots"}, 0, 4, {0});
    refused(errc::invalid_argument, {"1001 handle slots"}, 0, 4, {1001});
    check_refused(errc::invalid_capacity, {"0"}, [&] { plain::bytes_for(0); });
    plain const m(memory, "m", 4);
    check_refused(errc::exists, {"'m'"}, [&] { plain const again(memory, "m", 4); });
}

struct other_algorithm : algorithm::buckets {
    static constexpr std::uint32_t id = 99;
};

TEST_CASE("a map is opened as what it is, or not at all", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    {
        plain const map(memory, "m", 64);
        Map<std::uint64_t, std::uint64_t, layout::padded> const padded(memory, "padded", 8);
        Queue<std::uint64_t> const queue(memory, "q", 8);
        memory.add("tiny", 8, [](std::byte*) {});
    }
    auto const before = raw_object(name).bytes();
    check_refused(errc::not_found, {"'absent'", name.str()}, [&] { plain const m(memory, "absent"); });
    check_refused(errc::wrong_item_size, {"'m'", "items of size 8", "not 4"},
                  [&] { Map<std::uint64_t, std::uint32_t> const m(memory, "m"); });
    check_refused(errc::wrong_item_size, {"'m'", "keys of size 8", "not 4"},
                  [&] { Map<std::uint32_t, std::uint64_t> const m(memory, "m"); });
    check_refused(errc::wrong_item_size, {"'m'", "keys of size 8", "not 12"},
                  [&] { Map<fixed_string<12>, std::uint64_t> const m(memory, "m"); });
    check_refused(errc::wrong_kind, {"'m'", "layout 1", "not 2"},
                  [&] { Map<std::uint64_t, std::uint64_t, layout::padded> const m(memory, "m"); });
    check_refused(errc::wrong_kind, {"'padded'", "layout 2", "not 1"},
                  [&] { plain const m(memory, "padded"); });
    check_refused(errc::wrong_kind, {"'m'", "algorithm 1", "not 99"},
                  [&] { Map<std::uint64_t, std::uint64_t, other_algorithm> const m(memory, "m"); });
    check_refused(errc::wrong_kind, {"'q'"}, [&] { plain const m(memory, "q"); });
    check_refused(errc::wrong_kind, {"'m'"}, [&] { Queue<std::uint64_t> const q(memory, "m"); });
    check_refused(errc::wrong_kind, {"'tiny'", "8 bytes"}, [&] { plain const m(memory, "tiny"); });
    CHECK(raw_object(name).bytes() == before);
    // A capacity that the bytes do not hold.
    raw_object(name).write(memory.find("m")->offset, std::uint64_t{4096});
    check_refused(errc::corrupt, {"'m'", "4096"}, [&] { plain const m(memory, "m"); });
}

TEST_CASE("there are as many handles as slots, and slots come back", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::vector<plain> handles;
    handles.emplace_back(memory, "m", 4, map_options{3});
    handles.emplace_back(memory, "m");
    handles.emplace_back(memory, "m");
    check_refused(errc::no_handle_slot, {"'m'", "all 3 handle slots", "0 of them parked"},
                  [&] { plain const m(memory, "m"); });
    handles.erase(handles.begin() + 1);
    CHECK(plain(memory, "m").handle_slot() == 1);
    child holder([&] {
        auto mine = Memory::open(name.str());
        plain const m(mine, "m");
        ::raise(SIGKILL);
    });
    CHECK(holder.wait() == -SIGKILL);
    CHECK(plain(memory, "m").handle_slot() == 1);
}

TEST_CASE("a map is refused in a forked child", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain map(memory, "m", 4);
    REQUIRE(map.insert(1, 1) == outcome::inserted);
    child forked([&] {
        std::uint64_t v = 1;
        int const ends[] = {
            refused_in_child(errc::forked, {}, [&] { static_cast<void>(map.find(1)); }),
            refused_in_child(errc::forked, {}, [&] { static_cast<void>(map.contains(1)); }),
            refused_in_child(errc::forked, {}, [&] { map.insert(2, 2); }),
            refused_in_child(errc::forked, {}, [&] { map.insert_or_assign(2, 2); }),
            refused_in_child(errc::forked, {}, [&] { map.compare_exchange(1, v, 2); }),
            refused_in_child(errc::forked, {}, [&] { map.update(1, [](std::uint64_t x) { return x; }); }),
            refused_in_child(errc::forked, {}, [&] { map.erase(1); }),
            refused_in_child(errc::forked, {}, [&] { static_cast<void>(map.was_size()); }),
            refused_in_child(errc::forked, {}, [&] { static_cast<void>(map.begin()); }),
            refused_in_child(errc::forked, {}, [&] { static_cast<void>(map.find(1, 1ms)); })};
        for (int const end : ends)
            if (end != 0) return end;
        return 0;
    });
    CHECK(forked.wait() == 0);
    CHECK(map.find(1) == 1);
}

// --- versions near their wrap
// ----------------------------------------------------------------------------------------

TEST_CASE("a header's version wraps", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { plain const map(memory, "m", 1, {4}); }
    auto const g = table_of<plain>::geometry(1, 4);
    auto const at = memory.find("m")->offset + g.buckets;
    for (auto const version : sizes({(1ULL << 34) - 3, (1ULL << 33) - 3})) {
        raw_object(name).write(at, version << 30);
        plain one(memory, "m");
        plain two(memory, "m");
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < 200; ++i) {
            auto& m = i % 2 == 0 ? one : two;
            for (std::uint64_t key = 0; key < 12; ++key) wrong += m.insert(key, i) != outcome::inserted;
            wrong += two.was_size() != 12;
            for (std::uint64_t key = 0; key < 12; ++key) {
                wrong += m.insert_or_assign(key, i + 1) != outcome::assigned;
                wrong += two.find(key) != i + 1;
                wrong += !one.erase(key);
                wrong += two.find(key).has_value();
            }
        }
        CHECK(wrong == 0);
        CHECK(one.was_empty());
        CHECK(census_of<plain>(memory, "m", 1, 4).all_in_pool());
    }
    CHECK(raw_object(name).read<std::uint64_t>(at) >> 30 < 1ULL << 34);
}

TEST_CASE("processes across the version's wrap", "[fast]") {
    watchdog const limit(60);
    using wide = Map<std::uint64_t, bytes<100>>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    wide map(memory, "m", 1, {5});
    raw_object(name).write(memory.find("m")->offset + table_of<wide>::geometry(1, 5).buckets,
                           ((std::uint64_t{1} << 34) - 2000) << 30);
    shared<counters> books;
    four<wide>(name, books,
               [&](wide& m, unsigned which) { write_and_read(m, which, rounds(10000), books->wrong); });
    CHECK(books->wrong == 0);
    CHECK(census_of<wide>(memory, "m", 1, 5).right());
}

// --- blocks
// ----------------------------------------------------------------------------------------------------------

/// Somebody has a slot of a block reserved while the block's last key goes, and then needs it no more.
TEST_CASE("a block that was only reserved goes back to the pool", "[fast]") {
    using mortal_map = Map<std::uint64_t, std::uint64_t, mortal>;
    bool interrupted = true;
    bool given_back = false;
    for (std::uint64_t step = 1; interrupted; ++step) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        mortal_map one(memory, "m", 1, {2});
        mortal_map two(memory, "m");
        for (std::uint64_t key = 0; key < 4; ++key) REQUIRE(two.insert(key, key) == outcome::inserted);
        std::function<void()> const meanwhile = [&] {
            two.insert(9, 9);
            two.erase(3);
            two.erase(9);
            two.erase(0);
            two.insert(9, 9);
        };
        fate planned;
        planned.interrupted_at = step;
        planned.interruption = &meanwhile;
        fate::now() = planned;
        auto const result = one.insert(9, 1);
        interrupted = fate::now().taken >= step;
        fate::now() = {};
        given_back = given_back || result == outcome::present;
        INFO("interrupted before step " << step);
        CHECK((result == outcome::present || result == outcome::inserted));
        for (std::uint64_t key = 0; key < 10; ++key) two.erase(key);
        CHECK(two.was_empty());
        auto const c = census_of<mortal_map>(memory, "m", 1, 2);
        CHECK(c.right());
        CHECK(c.empty == 0);
    }
    CHECK(given_back);
}

// --- waiting
// ---------------------------------------------------------------------------------------------------------

struct sound_sleeper : atomics::native {
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen, std::chrono::nanoseconds) noexcept {
        atomics::native::futex_wait(at, seen, 1h);
    }
};

TEMPLATE_TEST_CASE("waiting for a key gives up when its time is over", "[fast]", waiting::futex,
                   waiting::yield, waiting::spin) {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Map<std::uint64_t, std::uint64_t, TestType> map(memory, "m", 2);
    auto const before = std::chrono::steady_clock::now();
    CHECK_FALSE(map.find(1, 20ms));
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    CHECK_FALSE(map.find(1, 0s));
    CHECK_FALSE(map.find(1, -1h));
    map.insert(1, 5);
    CHECK(map.find(1, 0s) == 5);
    CHECK(map.find(1, std::chrono::hours::max()) == 5);
}

TEST_CASE("who waits for a key is woken by the process that inserts it", "[fast]") {
    watchdog const limit(120);
    using sleeper = Map<std::uint64_t, std::uint64_t, sound_sleeper>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    sleeper map(memory, "m", 8, {3});
    auto const laps = rounds(5000);
    // Each process inserts what the other waits for: one lost wake-up, and nothing moves any more.
    child other([&] {
        auto mine = Memory::open(name.str());
        sleeper m(mine, "m");
        for (std::uint64_t i = 0; i < laps; ++i) {
            if (m.find(2 * i, 1h) != i) return 1;
            if (m.insert_or_assign(2 * i + 1, i) != outcome::inserted) return 2;
            m.erase(2 * i);
        }
        return 0;
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < laps; ++i) {
        wrong += map.insert(2 * i, i) != outcome::inserted;
        wrong += map.find(2 * i + 1, 1h) != i;
        map.erase(2 * i + 1);
    }
    CHECK(other.wait() == 0);
    CHECK(wrong == 0);
}

TEST_CASE("the observer of a map counts what happens", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Map<std::uint64_t, std::uint64_t, observer::counting> map(memory, "m", 8, {4, 1});
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(map.insert(i, i) == outcome::inserted);
        REQUIRE(map.find(i) == i);
        REQUIRE(map.erase(i));
    }
    CHECK(map.observed().retries == 0);
    CHECK(map.observed().backoffs == 0);
    CHECK(map.observed().system_calls == 0);  // nobody waits, so nobody pays

    // Overtaken once, between its look and its commit.
    std::uint64_t retries = 0;
    {
        Map<std::uint64_t, std::uint64_t, observer::counting, mortal> loses(memory, "m");
        std::function<void()> const meanwhile = [&] { map.insert_or_assign(1, 5); };
        fate planned;
        for (planned.interrupted_at = 1; retries == 0; ++planned.interrupted_at) {
            REQUIRE(planned.interrupted_at < 30);
            planned.taken = 0;
            planned.interruption = &meanwhile;
            REQUIRE(survives(planned, [&] { loses.insert_or_assign(1, 2); }));
            retries = loses.observed().retries;
            CHECK(map.find(1).has_value());
            map.erase(1);
        }
    }
    CHECK(retries > 0);
    CHECK(map.observed().system_calls == 0);

    // A waiting process costs one call. It announces itself once more before it finds the key: one in vain at most.
    child waits([&] {
        auto mine = Memory::open(name.str());
        return Map<std::uint64_t, std::uint64_t, sound_sleeper>(mine, "m").find(7, 1h) == 8 ? 0 : 1;
    });
    auto const word = memory.find("m")->offset + layout::compact::items_wait_offset;
    until([&] { return (raw_object(name).read<std::uint32_t>(word) & 1) != 0; });
    REQUIRE(map.insert(7, 8) == outcome::inserted);
    CHECK(map.observed().system_calls == 1);
    CHECK(waits.wait() == 0);
    for (std::uint64_t i = 100; i < 105; ++i) {
        REQUIRE(map.insert(i, i) == outcome::inserted);
        REQUIRE(map.erase(i));
    }
    CHECK(map.observed().system_calls <= 2);
}

}  // namespace
