/// \file
/// The array: elements of any size, bounds, bytes, refusals, atomic operations between processes and threads.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

template <std::size_t N>
struct bytes {
    unsigned char b[N];
    static bytes of(std::uint64_t seed) {
        bytes item;
        for (std::size_t i = 0; i < N; ++i) item.b[i] = static_cast<unsigned char>(seed * 31 + i * 7 + 1);
        return item;
    }
    bool operator==(bytes const& other) const { return std::memcmp(b, other.b, N) == 0; }
};

struct alignas(8) pair_of_words {
    std::uint32_t a;
    std::uint32_t b;
    bool operator==(pair_of_words const&) const = default;
};
struct loosely_aligned {
    std::uint32_t a;
    std::uint32_t b;
};
struct alignas(8) padded_pair {
    std::uint32_t a;
    std::uint8_t b;
};

static_assert(atomic_element<std::uint8_t> && atomic_element<std::int64_t> && atomic_element<double> &&
              atomic_element<bool> && atomic_element<pair_of_words>);
static_assert(!atomic_element<padded_pair> && !atomic_element<loosely_aligned> && !atomic_element<bytes<3>> &&
              !atomic_element<bytes<16>> && !atomic_element<std::string>);
static_assert(counting_element<std::int8_t> && counting_element<std::uint64_t> && !counting_element<bool> &&
              !counting_element<double> && !counting_element<pair_of_words>);

// --- elements
// --------------------------------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("elements of any size keep what was written", "[fast]", bytes<1>, bytes<3>, bytes<4>,
                   bytes<8>, bytes<12>, bytes<64>, bytes<100>, bytes<4096>) {
    for (auto const capacity : sizes({1, 2, 7, 100})) {
        INFO(capacity << " elements of " << sizeof(TestType));
        segment_name const name;
        auto memory = Memory::create(name, 1 << 20);
        Array<TestType> array(memory, "data", capacity);
        auto second = Memory::open(name);
        Array<TestType> other(second, "data");
        REQUIRE(&array[0] != &other[0]);
        CHECK(array.capacity() == capacity);
        CHECK(other.capacity() == capacity);
        CHECK(other.size() == capacity);
        auto const entry = memory.find("data");
        CHECK(entry->size == 8 + capacity * sizeof(TestType));
        CHECK(entry->size == Array<TestType>::bytes_for(capacity));
        CHECK(reinterpret_cast<std::byte*>(&array[0]) == memory.base() + entry->offset + 8);
        // Fresh elements are zero bytes, and the capacity stands before them.
        TestType zero;
        std::memset(&zero, 0, sizeof zero);
        CHECK(std::all_of(other.cbegin(), other.cend(), [&](TestType const& e) { return e == zero; }));
        CHECK(raw_object(name).read<std::uint64_t>(entry->offset) == capacity);

        for (std::uint64_t i = 0; i < capacity; ++i) array[i] = TestType::of(i);
        for (std::uint64_t i = 0; i < capacity; ++i) {
            REQUIRE(other[i] == TestType::of(i));
            REQUIRE(std::as_const(other).at(i) == TestType::of(i));
        }
        other.at(capacity - 1) = TestType::of(77);
        CHECK(array.span().back() == TestType::of(77));
    }
}

TEST_CASE("the array of the first example", "[fast]") {
    segment_name const name;
    auto mem = Memory::create(name, 1 << 16);
    {
        Array<int32_t> arr(mem, "data", 100);
        arr[5] = -7;
    }
    Array<int32_t> arr(mem, "data");
    CHECK(arr[5] == -7);
    CHECK(arr.capacity() == 100);
}

TEST_CASE("iterators, span and fill reach every element and nothing else", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<std::uint32_t> before(memory, "before", 3);
    Array<std::uint32_t> array(memory, "data", 13);
    Array<std::uint32_t> after(memory, "after", 3);
    before.fill(1);
    after.fill(2);
    array.fill(9);
    CHECK(std::count(array.begin(), array.end(), 9U) == 13);
    CHECK(std::count(before.begin(), before.end(), 1U) == 3);
    CHECK(std::count(after.begin(), after.end(), 2U) == 3);
    CHECK(array.capacity() == 13);
    CHECK(after.capacity() == 3);
    std::iota(array.begin(), array.end(), 100U);
    auto const& read_only = array;
    static_assert(std::is_same_v<decltype(read_only.begin()), std::uint32_t const*>);
    static_assert(std::is_same_v<decltype(read_only.span()), std::span<std::uint32_t const>>);
    static_assert(std::is_same_v<decltype(read_only[0]), std::uint32_t const&>);
    CHECK(read_only.span().size() == 13);
    CHECK(std::accumulate(read_only.begin(), read_only.end(), 0U) == 13 * 100 + 78);
    CHECK(array.cend() - array.cbegin() == 13);
    std::uint32_t expected = 100;
    for (auto& element : array) CHECK(element++ == expected++);
    CHECK(read_only[12] == 113);
}

TEST_CASE("an array moves, and outlives its Memory object", "[fast]") {
    segment_name const name;
    std::optional<Memory> memory(Memory::create(name, 1 << 16));
    Array<int> one(*memory, "data", 4);
    Array<int> two = std::move(one);
    memory.reset();
    two.at(3) = 5;
    CHECK(two.load(3) == 5);
    static_assert(!std::is_copy_constructible_v<Array<int>> && std::is_nothrow_move_assignable_v<Array<int>>);
}

// --- refusals
// --------------------------------------------------------------------------------------------------------

TEST_CASE("an index that is not below the capacity is refused by at", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<int> array(memory, "data", 10);
    auto const& read_only = array;
    CHECK_NOTHROW(array.at(9));
    for (auto const i : sizes({10, 11, 1000, std::numeric_limits<std::uint64_t>::max()})) {
        check_refused(errc::out_of_range, {"'data'", "index " + std::to_string(i), "capacity 10", "0 to 9"},
                      [&] { array.at(i) = 1; });
        check_refused(errc::out_of_range, {"index " + std::to_string(i)},
                      [&] { static_cast<void>(read_only.at(i)); });
    }
}

TEST_CASE("capacities out of range are refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    using wide = Array<bytes<12>>;
    constexpr std::uint64_t most = 0xffffffffU;
    auto const both = [&](errc cause, std::initializer_list<std::string_view> mentions,
                          std::uint64_t capacity) {
        INFO("capacity " << capacity);
        check_refused(cause, mentions, [&] { wide const array(memory, "data", capacity); });
        if (cause != errc::segment_full)
            check_refused(cause, {}, [&] { static_cast<void>(wide::bytes_for(capacity)); });
        CHECK(memory.entries().empty());
    };
    both(errc::invalid_capacity, {"'data'", "capacity 0"}, 0);
    both(errc::too_large, {"357913941", "12 bytes"}, 357913941);  // 8 + 12 n = 2^32 + 4
    both(errc::too_large, {}, 357913942);
    both(errc::too_large, {}, std::numeric_limits<std::uint64_t>::max());
    both(errc::too_large, {}, std::uint64_t{1} << 62);            // 12 n wraps
    both(errc::too_large, {}, (std::uint64_t{1} << 62) / 3 + 1);  // 12 n wraps to little
    both(errc::segment_full, {"'data'"}, 357913940);
    CHECK(wide::bytes_for(357913940) <= most);
    CHECK(Array<bytes<1>>::bytes_for(most - 8) == most);
    check_refused(errc::too_large, {}, [] { static_cast<void>(Array<bytes<1>>::bytes_for(most - 7)); });

    auto const room = memory.free_bytes();
    check_refused(errc::segment_full, {}, [&] { Array<bytes<1>> const a(memory, "data", room - 7); });
    Array<bytes<1>> const fits(memory, "data", room - 8);
    CHECK(memory.free_bytes() == 0);
    check_refused(errc::exists, {"'data'"}, [&] { Array<bytes<1>> const a(memory, "data", 1); });
    check_refused(errc::invalid_name, {}, [&] { Array<bytes<1>> const a(memory, "", 1); });
    check_refused(errc::not_found, {"'absent'", name.str()}, [&] { Array<int> const a(memory, "absent"); });
}

TEST_CASE("another element size is refused", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { Array<bytes<12>> const array(memory, "data", 5); }
    check_refused(errc::wrong_item_size, {"'data'", "size 12", "not 4"},
                  [&] { Array<bytes<4>> const a(memory, "data"); });
    check_refused(errc::wrong_item_size, {"size 12", "not 100"},
                  [&] { Array<bytes<100>> const a(memory, "data"); });
    check_refused(errc::wrong_item_size, {"size 12", "not 1"},
                  [&] { Array<bytes<1>> const a(memory, "data"); });
    CHECK(Array<bytes<12>>(memory, "data").capacity() == 5);
}

TEST_CASE("a hostile header is refused, without a signal", "[fast]") {
    child victim([] {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16, {.max_entries = 2});
        { Array<std::uint32_t> const array(memory, "data", 10); }
        auto const offset = memory.find("data")->offset;
        constexpr std::uint64_t size_in_entry = 16 + 36;
        raw_object const object(name);
        auto const refused = [&](errc cause) {
            return refused_in_child(cause, {"'data'"}, [&] { Array<std::uint32_t> const a(memory, "data"); });
        };
        constexpr auto all_ones = std::numeric_limits<std::uint64_t>::max();
        for (auto const capacity :
             sizes({0, 3, 7, 9, 11, 39, 41, 1000, 1U << 31, 0xffffffffU, std::uint64_t{1} << 32, all_ones,
                    all_ones / 4 + 1, all_ones / 4 + 11, std::uint64_t{1} << 63})) {
            object.write(offset, capacity);
            if (int const result = refused(errc::corrupt)) return result;
        }
        for (auto const capacity : sizes({1, 2, 4, 5, 8, 20, 40})) {
            object.write(offset, capacity);
            if (int const result = refused(errc::wrong_item_size)) return result;
        }
        object.write(offset, std::uint64_t{10});
        for (std::uint32_t const size : {0U, 1U, 7U, 8U, 9U, 17U, 47U, 49U}) {
            object.write(size_in_entry, size);
            if (int const result = refused(errc::corrupt)) return result;
        }
        object.write(size_in_entry, std::uint32_t{88});
        if (int const result = refused(errc::wrong_item_size)) return result;
        for (std::uint32_t const size : {1U << 16, 0xffffffffU}) {
            object.write(size_in_entry, size);
            if (int const result = refused_in_child(errc::corrupt, {},
                                                    [&] { Array<std::uint32_t> const a(memory, "data"); }))
                return result;
        }
        // In use, nothing of it is read again.
        object.write(size_in_entry, std::uint32_t{48});
        Array<std::uint32_t> array(memory, "data");
        object.write(offset, all_ones);
        object.write(size_in_entry, ~std::uint32_t{0});
        array.fill(3);
        if (array.capacity() != 10 || array.span().size() != 10 || array.end() - array.begin() != 10)
            return 1;
        return refused_in_child(errc::out_of_range, {}, [&] { array.at(10) = 1; });
    });
    CHECK(victim.wait() == 0);
}

TEST_CASE("a forked child cannot use an inherited array", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<int> array(memory, "data", 4);
    auto const& read_only = array;
    child heir([&] {
        for (auto const& use : std::initializer_list<std::function<void()>>{
                 [&] { array.at(0) = 1; }, [&] { static_cast<void>(read_only.at(0)); },
                 [&] { static_cast<void>(array.span()); }, [&] { static_cast<void>(read_only.span()); },
                 [&] { static_cast<void>(array.begin()); }, [&] { static_cast<void>(read_only.begin()); },
                 [&] { static_cast<void>(array.end()); }, [&] { static_cast<void>(array.cbegin()); },
                 [&] { array.fill(1); }, [&] { Array<int> const a(memory, "data"); },
                 [&] { Array<int> const a(memory, "new", 4); }})
            if (int const result = refused_in_child(errc::forked, {name.str(), "fork"}, use)) return result;
        auto mine = Memory::open(name.str());
        Array<int>(mine, "data").at(0) = 5;
        return 0;
    });
    CHECK(heir.wait() == 0);
    CHECK(array[0] == 5);
}

TEST_CASE("making a large array takes no pass over its memory", "[fast]") {
    segment_name const name;
    constexpr std::uint64_t large = 64 << 20;
    auto memory = Memory::create(name, large + (1 << 16));
    auto const before = mapping_bytes(memory.base(), "Rss");
    Array<std::uint64_t> array(memory, "data", large / 8);
    CHECK(mapping_bytes(memory.base(), "Rss") - before <= 4 << 20);
    CHECK(array[large / 8 - 1] == 0);
    // The measure sees a pass.
    array.fill(1);
    CHECK(mapping_bytes(memory.base(), "Rss") >= large);
}

// --- atomic operations
// -----------------------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("atomic operations on numbers of each size", "[fast]", std::uint8_t, std::int8_t,
                   std::uint16_t, std::int32_t, std::uint64_t, std::int64_t) {
    auto const work = [](auto& a) {
        using T = TestType;
        a.fill(T{7});
        CHECK(a.load(1) == T{7});
        a.store(1, T{12});
        CHECK(a.exchange(1, T{5}) == T{12});
        T expected{4};
        CHECK_FALSE(a.compare_exchange(1, expected, T{9}));
        CHECK(expected == T{5});
        CHECK(a.compare_exchange(1, expected, T{9}));
        CHECK(expected == T{5});
        CHECK(a.fetch_add(1, T{3}) == T{9});
        CHECK(a.fetch_sub(1, T{2}) == T{12});
        CHECK(a.fetch_and(1, T{6}) == T{10});
        CHECK(a.fetch_or(1, T{9}) == T{2});
        CHECK(a.fetch_xor(1, T{3}) == T{11});
        CHECK(a.load(1) == T{8});
        a.store(1, std::numeric_limits<T>::max());
        CHECK(a.fetch_add(1, T{1}) == std::numeric_limits<T>::max());
        CHECK(a.load(1) == std::numeric_limits<T>::min());
        // Neighbours are untouched.
        CHECK(a.load(0) == T{7});
        CHECK(a.load(2) == T{7});
    };
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<TestType> acq_rel(memory, "data", 3);
    Array<TestType, ordering::seq_cst> seq_cst(memory, "data");
    Array<TestType, atomics::native, ordering::fences> fences(memory, "data");
    work(acq_rel);
    work(seq_cst);
    work(fences);
}

TEST_CASE("atomic operations on what is no number", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<pair_of_words> pairs(memory, "pairs", 2);
    pairs.store(1, {1, 2});
    CHECK(pairs.exchange(1, {3, 4}) == pair_of_words{1, 2});
    pair_of_words expected{3, 5};
    CHECK_FALSE(pairs.compare_exchange(1, expected, {}));
    CHECK(expected == pair_of_words{3, 4});
    CHECK(pairs.compare_exchange(1, expected, {5, 6}));
    CHECK(std::as_const(pairs).load(1) == pair_of_words{5, 6});
    CHECK(pairs.load(0) == pair_of_words{0, 0});
    Array<double> numbers(memory, "numbers", 2);
    CHECK(numbers.exchange(0, 1.5) == 0.0);
    CHECK(numbers.load(0) == 1.5);
}

struct start {
    std::atomic<int> ready{0};
};

/// Processes with mappings of their own count on few elements: no update is lost.
template <class T, class Ordering>
void count_together(std::uint64_t each) {
    watchdog const limit(120);
    constexpr int workers = 4;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<T, Ordering> array(memory, "data", 5);
    shared<start> line;
    std::vector<child> all;
    for (int w = 0; w < workers; ++w)
        all.emplace_back([&] {
            auto mine = Memory::open(name.str());
            Array<T, Ordering> counters(mine, "data");
            ++line->ready;
            until([&] { return line->ready == workers; });
            for (std::uint64_t n = 0; n < each; ++n) {
                counters.fetch_add(n % 3, T{1});
                counters.fetch_sub(3, T{1});
                T seen = counters.load(4);
                while (!counters.compare_exchange(4, seen, static_cast<T>(seen + 3))) {
                }
            }
        });
    for (auto& one : all) CHECK(one.wait() == 0);
    std::uint64_t const total = workers * each;
    for (std::uint64_t i = 0; i < 3; ++i)
        CHECK(array.load(i) == static_cast<T>(workers * ((each + 2 - i) / 3)));
    CHECK(array.load(3) == static_cast<T>(0 - total));
    CHECK(array.load(4) == static_cast<T>(3 * total));
}

TEST_CASE("processes that count at once lose no update", "[fast]") {
    count_together<std::uint64_t, ordering::acq_rel>(rounds(20000));
    count_together<std::uint32_t, ordering::fences>(rounds(20000));
    count_together<std::uint16_t, ordering::seq_cst>(rounds(20000));
    count_together<std::uint8_t, ordering::acq_rel>(rounds(20000));
}
TEST_CASE("processes that count at once lose no update, longer", "[medium]") {
    count_together<std::uint64_t, ordering::acq_rel>(rounds(1000000));
    count_together<std::uint8_t, ordering::fences>(rounds(1000000));
}

/// A store publishes what was written before it, under each ordering policy.
TEMPLATE_TEST_CASE("a stored flag publishes plain elements", "[fast]", ordering::acq_rel, ordering::seq_cst,
                   ordering::fences) {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Array<std::uint64_t, TestType> array(memory, "data", 64);
    constexpr std::uint64_t flag = 63;
    auto const count = rounds(5000);
    std::atomic<std::uint64_t> wrong{0};
    std::thread reader([&] {
        Array<std::uint64_t, TestType> mine(memory, "data");
        for (std::uint64_t n = 1; n <= count; ++n) {
            until([&] { return mine.load(flag) == 2 * n - 1; });
            for (std::uint64_t i = 0; i < 8; ++i) wrong += mine[i] != n;
            mine.exchange(flag, 2 * n);
        }
    });
    for (std::uint64_t n = 1; n <= count; ++n) {
        for (std::uint64_t i = 0; i < 8; ++i) array[i] = n;
        array.store(flag, 2 * n - 1);
        until([&] { return array.load(flag) == 2 * n; });
    }
    reader.join();
    CHECK(wrong == 0);
}

}  // namespace
