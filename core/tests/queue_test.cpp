/// \file
/// The queue: order, limits, bytes, refusals, counters near their wrap, threads, processes, waiting, handles.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using plain = Queue<std::uint64_t>;

template <std::size_t N>
struct bytes {
    unsigned char b[N];
    static bytes of(std::uint64_t seed) {
        bytes item;
        for (std::size_t i = 0; i < N; ++i) item.b[i] = static_cast<unsigned char>(seed * 31 + i * 7);
        return item;
    }
    bool operator==(bytes const& other) const { return std::memcmp(b, other.b, N) == 0; }
};
struct alignas(64) aligned {
    std::uint64_t value;
    static aligned of(std::uint64_t seed) { return {seed}; }
    bool operator==(aligned const& other) const { return value == other.value; }
};

// --- one handle
// ------------------------------------------------------------------------------------------------------

TEST_CASE("first in, first out; full and empty are answers", "[fast]") {
    for (auto const capacity : sizes({1, 2, 4, 64, 1024})) {
        INFO("capacity " << capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 20);
        plain queue(memory, "q", capacity);
        CHECK(queue.capacity() == capacity);
        std::uint64_t in = 0;
        std::uint64_t out = 0;
        for (int lap = 0; lap < 5; ++lap) {
            CHECK(queue.was_empty());
            CHECK_FALSE(queue.try_pop());
            std::uint64_t untouched = 77;
            CHECK_FALSE(queue.try_pop(untouched));
            CHECK(untouched == 77);
            for (std::uint64_t i = 0; i < capacity; ++i) {
                REQUIRE(queue.try_push(in++));
                REQUIRE(queue.was_size() == i + 1);
            }
            CHECK_FALSE(queue.try_push(999999));
            CHECK_FALSE(queue.try_push(999999));
            // Half out and in again, so that the laps do not begin at cell 0.
            for (std::uint64_t i = 0; i < (capacity + 1) / 2; ++i) REQUIRE(queue.try_pop() == out++);
            for (std::uint64_t i = 0; i < (capacity + 1) / 2; ++i) REQUIRE(queue.try_push(in++));
            CHECK_FALSE(queue.try_push(999999));
            for (std::uint64_t i = 0; i < capacity; ++i) REQUIRE(queue.try_pop() == out++);
        }
        CHECK(conserved<plain>(memory, "q", capacity, 64));
    }
}

TEMPLATE_TEST_CASE("items of any size come out as they went in", "[fast]", bytes<1>, bytes<3>, bytes<4>,
                   bytes<8>, bytes<12>, bytes<64>, bytes<100>, bytes<4096>, aligned) {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    Queue<TestType> queue(memory, "q", 8, {4});
    Queue<TestType> other(memory, "q");
    CHECK(memory.find("q")->size == Queue<TestType>::bytes_for(8, {4}));
    TestType item{};
    std::uint64_t out = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(queue.try_push(TestType::of(i)));
        if (i % 3 != 0)
            for (int n = 0; n < 2 && out <= i; ++n) {
                REQUIRE(other.try_pop(item));
                REQUIRE(item == TestType::of(out++));
            }
        while (i + 1 - out >= 8) {
            REQUIRE(queue.try_pop(item));
            REQUIRE(item == TestType::of(out++));
        }
    }
}

TEST_CASE("random operations agree with the standard queue", "[fast]") {
    for (auto const capacity : sizes({1, 2, 8})) {
        random_source random(capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        std::vector<plain> handles;
        handles.emplace_back(memory, "q", capacity, queue_options{5});
        for (int i = 0; i < 4; ++i) handles.emplace_back(memory, "q");
        std::deque<std::uint64_t> ideal;
        for (std::uint64_t i = 0; i < 20000; ++i) {
            auto& q = handles[random.below(5)];
            // Long runs of one kind, so that handles lag behind for many laps.
            if ((i / 64 + random.below(4) / 3) % 2 == 0) {
                bool const room = ideal.size() < capacity;
                REQUIRE(q.try_push(i) == room);
                if (room) ideal.push_back(i);
            } else {
                auto const item = q.try_pop();
                REQUIRE(item.has_value() == !ideal.empty());
                if (item) {
                    REQUIRE(*item == ideal.front());
                    ideal.pop_front();
                }
            }
            REQUIRE(q.was_size() == ideal.size());
            if (random.below(100) == 0) {  // a handle goes and comes again
                auto const which = random.below(5);
                handles.erase(handles.begin() + static_cast<std::ptrdiff_t>(which));
                handles.emplace_back(memory, "q");
            }
        }
        CHECK(conserved<plain>(memory, "q", capacity, 5));
    }
}

TEST_CASE("a queue moves, and its handle slot with it", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::optional<plain> one(std::in_place, memory, "q", 4, queue_options{2});
    one->push(1);
    plain two(std::move(*one));
    one.reset();
    CHECK(two.pop() == 1);
    CHECK(two.handle_slot() == 0);
    plain three(memory, "q");
    CHECK(three.handle_slot() == 1);
    three.push(2);
    two = std::move(three);
    CHECK(two.handle_slot() == 1);
    CHECK(two.pop() == 2);
    static_assert(!std::is_copy_constructible_v<plain> && !std::is_copy_assignable_v<plain>);
}

// --- bytes
// -----------------------------------------------------------------------------------------------------------

TEST_CASE("the bytes of a compact queue", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<std::uint32_t> queue(memory, "q", 4, {3});
    auto const at = memory.find("q")->offset;
    raw_object const object(name);
    auto const u64 = [&](std::uint64_t offset) { return object.read<std::uint64_t>(at + offset); };
    auto const u32 = [&](std::uint64_t offset) { return object.read<std::uint32_t>(at + offset); };
    CHECK(u64(16) == 4);  // capacity
    CHECK(u32(24) == 2);  // descriptor: kind
    CHECK(u32(28) == 1);  // algorithm
    CHECK(u32(32) == 1);  // layout
    CHECK(u32(36) == 4);  // item size
    CHECK(u32(40) == 8);  // item stride
    CHECK(u32(44) == 8);  // cell stride
    CHECK(u32(48) == 3);  // handle slots
    CHECK(u32(52) == 0);  // key size
    CHECK(u64(56) == 0);  // seed
    // All else is zero in an empty queue.
    CHECK(object.bytes().find_first_not_of('\0', at + 56) == std::string::npos);
    CHECK(memory.find("q")->size == 128 + 3 * 64 + 64 + 8 * (4 + 6));

    for (std::uint32_t i = 0; i < 5; ++i) {
        queue.push(i + 100);
        if (i < 3) CHECK(queue.pop() == i + 100);
    }
    CHECK(u64(0) == 0);  // head and tail are raised at multiples of 8
    CHECK(u64(8) == 0);
    auto const cells = 128 + 3 * 64;
    auto const turn = [&](std::uint64_t cell) { return u64(cells + 8 * cell) >> 4; };  // 10 buffers: 4 bits
    CHECK(turn(0) == 3);  // position 4: full in lap 1
    CHECK(turn(1) == 2);  // emptied in lap 0: empty in lap 1
    CHECK(turn(2) == 2);
    CHECK(turn(3) == 1);  // position 3: full in lap 0
    for (std::uint32_t i = 5; i < 18; ++i) {
        CHECK(queue.pop() == i + 98);
        queue.push(i + 100);
    }
    CHECK(u64(0) == 16);  // 16 popped
    CHECK(u64(8) == 16);  // 18 pushed
}

TEST_CASE("the bytes of a padded queue", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<std::uint32_t, layout::padded> queue(memory, "q", 4, {3});
    auto const at = memory.find("q")->offset;
    raw_object const object(name);
    for (std::uint32_t i = 0; i < 18; ++i) {
        queue.push(i);
        if (i < 9) CHECK(queue.pop() == i);
        if (i >= 11) CHECK(queue.pop() == i - 2);
    }
    CHECK(object.read<std::uint64_t>(at) == 0);
    CHECK(object.read<std::uint64_t>(at + 8) == 0);
    CHECK(object.read<std::uint64_t>(at + 16) == 4);
    CHECK(object.read<std::uint32_t>(at + 32) == 2);
    CHECK(object.read<std::uint64_t>(at + 128) == 16);  // head: 16 popped
    CHECK(object.read<std::uint64_t>(at + 256) == 16);  // tail: 18 pushed
    CHECK(memory.find("q")->size == 640 + 3 * 128 + 64 + 8 * (4 + 6));
}

TEST_CASE("layouts are pinned", "[fast]") {
    CHECK(layout::compact::head_offset == 0);
    CHECK(layout::compact::tail_offset == 8);
    CHECK(layout::compact::items_wait_offset == 88);
    CHECK(layout::compact::space_wait_offset == 92);
    CHECK(layout::compact::body_offset == 128);
    CHECK(layout::compact::line == 64);
    CHECK(layout::padded::head_offset == 128);
    CHECK(layout::padded::tail_offset == 256);
    CHECK(layout::padded::items_wait_offset == 384);
    CHECK(layout::padded::space_wait_offset == 512);
    CHECK(layout::padded::body_offset == 640);
    CHECK(layout::padded::line == 128);
}

// --- refusals
// --------------------------------------------------------------------------------------------------------

TEST_CASE("capacities and options out of range are refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    raw_object const object(name);
    auto const before = object.bytes();
    auto const refused = [&](errc cause, std::initializer_list<std::string_view> mentions, auto type,
                             std::uint64_t capacity, queue_options const& options = {}) {
        using queue = Queue<decltype(type)>;
        INFO("capacity " << capacity);
        check_refused(cause, mentions, [&] { queue const q(memory, "q", capacity, options); });
        CHECK(object.bytes() == before);
        CHECK(memory.entries().empty());
    };
    for (auto const capacity :
         sizes({0, 3, 5, 6, 7, 1023, 1025, (1ULL << 31) + 1, (1ULL << 31) + (1ULL << 30), (1ULL << 32) - 1,
                (1ULL << 63) + 1, ~0ULL}))
        refused(errc::invalid_capacity, {"'q'", std::to_string(capacity)}, 0, capacity);
    for (auto const capacity : sizes({1ULL << 31, 1ULL << 32, 1ULL << 33, 1ULL << 63}))
        refused(errc::too_large, {"'q'", std::to_string(capacity)}, char{}, capacity);
    refused(errc::too_large, {"1048576 items of 4096 bytes"}, bytes<4096>{}, 1 << 20);
    refused(errc::too_large, {"268435456 items of 8 bytes"}, std::uint64_t{}, 1 << 28);
    refused(errc::segment_full, {"'q'"}, 0, 1 << 16);
    refused(errc::invalid_argument, {" 0 handle slots", "1000"}, 0, 4, {0});
    refused(errc::invalid_argument, {"1001 handle slots"}, 0, 4, {1001});
    refused(errc::invalid_argument, {"4294967295 handle slots"}, 0, 4, {0xffffffff});
    check_refused(errc::invalid_name, {std::string(32, 'n')},
                  [&] { plain const q(memory, std::string(32, 'n'), 4); });
    check_refused(errc::invalid_capacity, {"7"}, [&] { plain::bytes_for(7); });
    CHECK(object.bytes() == before);
    plain const q(memory, "q", 4, {1000 / 2});
    check_refused(errc::exists, {"'q'"}, [&] { plain const again(memory, "q", 4); });
}

struct other_algorithm : algorithm::exchange {
    static constexpr std::uint32_t id = 99;
};

TEST_CASE("a structure is opened as what it is, or not at all", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    {
        plain const queue(memory, "q", 64);
        Queue<std::uint64_t, layout::padded> const padded(memory, "padded", 64);
        memory.add("plain bytes", 4096, [](std::byte*) {});
        memory.add("tiny", 8, [](std::byte*) {});
        memory.add("array", 4096, [](std::byte* at) {
            format::descriptor d{};
            d.kind = static_cast<std::uint32_t>(format::kind::array);
            std::memcpy(at + 24, &d, sizeof d);
        });
    }
    auto const before = raw_object(name).bytes();
    check_refused(errc::not_found, {"'absent'", name.str()}, [&] { plain const q(memory, "absent"); });
    check_refused(errc::wrong_item_size, {"'q'", "size 8", "not 4"},
                  [&] { Queue<std::uint32_t> const q(memory, "q"); });
    check_refused(errc::wrong_item_size, {"size 8", "not 16"},
                  [&] { Queue<bytes<16>> const q(memory, "q"); });
    check_refused(errc::wrong_kind, {"'q'", "layout 1", "not 2"},
                  [&] { Queue<std::uint64_t, layout::padded> const q(memory, "q"); });
    check_refused(errc::wrong_kind, {"'padded'", "layout 2", "not 1"},
                  [&] { plain const q(memory, "padded"); });
    check_refused(errc::wrong_kind, {"'q'", "algorithm 1", "not 99"},
                  [&] { Queue<std::uint64_t, other_algorithm> const q(memory, "q"); });
    check_refused(errc::wrong_kind, {"'plain bytes'", "kind 0", "not 2"},
                  [&] { plain const q(memory, "plain bytes"); });
    check_refused(errc::wrong_kind, {"'array'", "kind 1", "not 2"}, [&] { plain const q(memory, "array"); });
    check_refused(errc::wrong_kind, {"'tiny'", "8 bytes"}, [&] { plain const q(memory, "tiny"); });
    CHECK(raw_object(name).bytes() == before);
    // Private policies do not matter.
    Queue<std::int64_t, ordering::seq_cst, backoff::yield, waiting::spin, observer::counting> other(memory,
                                                                                                    "q");
    other.push(-1);
    CHECK(plain(memory, "q").pop() == ~std::uint64_t{0});
}

// --- handles
// ---------------------------------------------------------------------------------------------------------

TEST_CASE("there are as many handles as slots, and slots come back", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto second = Memory::open(name);
    std::vector<plain> handles;
    handles.emplace_back(memory, "q", 4, queue_options{3});
    handles.emplace_back(second, "q");
    handles.emplace_back(memory, "q");
    CHECK(handles[0].handle_slot() == 0);
    CHECK(handles[1].handle_slot() == 1);
    CHECK(handles[2].handle_slot() == 2);
    check_refused(errc::no_handle_slot, {"'q'", "all 3 handle slots", "0 of them parked"},
                  [&] { plain const q(memory, "q"); });
    check_refused(errc::no_handle_slot, {"all 3"}, [&] { plain const q(second, "q"); });
    handles.erase(handles.begin() + 1);
    {
        plain const again(memory, "q");
        CHECK(again.handle_slot() == 1);
    }
    // A process that dies gives its slot back, whatever way it dies.
    for (int const way : {0, SIGKILL, SIGTERM}) {
        shared<std::atomic<int>> ready;
        child holder([&] {
            auto mine = Memory::open(name.str());
            plain const q(mine, "q");
            *ready = 1;
            if (way == 0) ::_exit(0);
            for (;;) nap(1s);
        });
        until([&] { return *ready == 1; });
        if (way != 0) {
            check_refused(errc::no_handle_slot, {"all 3"}, [&] { plain const q(memory, "q"); });
            holder.kill(way);
        }
        CHECK(holder.wait() == -way);
        CHECK(plain(memory, "q").handle_slot() == 1);
    }
    handles.clear();
    CHECK(conserved<plain>(memory, "q", 4, 3));
}

TEST_CASE("all slots of the largest table can be held", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    std::vector<plain> handles;
    handles.emplace_back(memory, "q", 2, queue_options{1000});
    while (handles.size() < 1000) handles.emplace_back(memory, "q");
    check_refused(errc::no_handle_slot, {"all 1000"}, [&] { plain const q(memory, "q"); });
    for (std::uint64_t i = 0; i < 1000; ++i) {
        handles[i].push(i);
        REQUIRE(handles[999 - i].pop() == i);
    }
    CHECK(conserved<plain>(memory, "q", 2, 1000));
}

TEST_CASE("what a handle exchanged stays right for who takes its slot", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { plain const q(memory, "q", 4, {2}); }
    for (std::uint64_t i = 0; i < 1000; ++i) {
        plain writer(memory, "q");
        plain reader(memory, "q");
        for (std::uint64_t n = 0; n < i % 5; ++n) REQUIRE(writer.try_push(i * 10 + n) == (n < 4));
        for (std::uint64_t n = 0; n < i % 5 && n < 4; ++n) REQUIRE(reader.try_pop() == i * 10 + n);
        REQUIRE_FALSE(reader.try_pop());
        REQUIRE(conserved<plain>(memory, "q", 4, 2));
    }
}

// --- counters near their wrap
// ----------------------------------------------------------------------------------------

/// Writes the state of an empty queue after `position` pushes and pops into zeroed bytes. A cell is turn |
/// buffer, the buffer relative to the cell (0 is right). Cell i is next used at the first position p >=
/// `position` with p mod capacity = i, in lap p / capacity; it waits for a push there, so its turn is twice
/// that lap. The turn takes the bits that the buffer number leaves: it wraps by being shifted out. Positions
/// wrap at 2^64, which is a multiple of each capacity.
template <class Q>
void start_at(Memory& memory, std::uint64_t capacity, std::uint32_t slots, std::uint64_t position) {
    using layout = typename Q::policies::layout;
    auto const shape = ring_of<Q>::geometry(capacity, slots);
    auto* const base = memory.base() + memory.find("q")->offset;
    auto const store = [&](std::uint64_t at, std::uint64_t value) { std::memcpy(base + at, &value, 8); };
    store(layout::head_offset, position / 8 * 8);
    store(layout::tail_offset, position / 8 * 8);
    unsigned const turn_shift = static_cast<unsigned>(std::bit_width(shape.buffer_count() - 1));
    for (std::uint64_t n = 0; n < capacity; ++n) {
        auto const p = position + n;
        store(shape.cells + 8 * (p % capacity), 2 * (p / capacity) << turn_shift);
    }
}

TEMPLATE_TEST_CASE("counters pass 2^32, the turn's wrap and 2^64", "[fast]", plain,
                   (Queue<std::uint64_t, layout::padded, ordering::seq_cst>)) {
    for (auto const capacity : sizes({1, 2, 4, 1024}))
        for (std::uint32_t const slots : {1U, 3U, 64U}) {
            auto const shape = ring_of<TestType>::geometry(capacity, slots);
            auto const turn_bits = 64 - static_cast<unsigned>(std::bit_width(shape.buffer_count() - 1));
            auto const lap_bits = static_cast<unsigned>(std::countr_zero(capacity));
            // Positions at which the turn becomes 2^(bits-1) (its sign) and 2^bits (its wrap), modulo 2^64.
            auto const sign = std::uint64_t{1} << (turn_bits - 2 + lap_bits);
            auto const wrap = std::uint64_t{1} << (turn_bits - 1 + lap_bits);
            for (auto const middle :
                 sizes({1ULL << 31, 1ULL << 32, 1ULL << 33, sign, wrap, 2 * wrap, 1ULL << 63, 0})) {
                auto const start = middle - 2 * capacity - 1;
                INFO("capacity " << capacity << ", " << slots << " slots, start " << start);
                segment_name const name;
                auto memory = Memory::create(name, 1 << 18);
                { TestType const q(memory, "q", capacity, {slots}); }
                start_at<TestType>(memory, capacity, slots, start);
                TestType one(memory, "q");
                std::optional<TestType> two;
                if (slots > 1) two.emplace(memory, "q");
                std::uint64_t in = 0;
                std::uint64_t out = 0;
                bool right = true;
                for (int lap = 0; lap < 6; ++lap) {
                    // The second handle falls a lap behind now and then.
                    auto& q = two && lap % 3 == 1 ? *two : one;
                    right = right && q.was_size() == 0 && !q.try_pop();
                    for (std::uint64_t i = 0; i < capacity; ++i)
                        right = right && q.try_push(in++) && q.was_size() == i + 1;
                    right = right && !q.try_push(0) && !one.try_push(0);
                    for (std::uint64_t i = 0; i < capacity; ++i) right = right && one.try_pop() == out++;
                }
                CHECK(right);
                CHECK(conserved<TestType>(memory, "q", capacity, slots));
                std::uint64_t tail = 0;
                std::memcpy(
                    &tail, memory.base() + memory.find("q")->offset + TestType::policies::layout::tail_offset,
                    8);
                CHECK(start + 6 * capacity - tail < 8);
            }
        }
}

// --- threads
// ---------------------------------------------------------------------------------------------------------

/// Two producers and two consumers, each with its own handle. Items are producer << 32 | counter; each
/// consumer must see each producer's in order, and all of them must come out once.
struct tracker {
    std::array<std::uint64_t, 2> newest{};
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    bool ordered = true;
    void take(std::uint64_t item) {
        auto const who = item >> 32;
        if (who > 1 || (item & 0xffffffff) <= newest[who & 1]) ordered = false;
        newest[who & 1] = item & 0xffffffff;
        ++count;
        sum += item;
    }
};
constexpr std::uint64_t sum_of(std::uint64_t items) { return items * (items + 1) + (items << 32); }

template <class Q>
void threads(std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(600);  // at capacity 1, each item costs a turn of the processor
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { Q const q(memory, "q", capacity, {6}); }
    std::atomic<std::uint64_t> popped{0};
    std::atomic<bool> sizes_right{true};
    std::array<tracker, 2> seen;
    std::vector<std::thread> all;
    for (std::uint64_t p = 0; p < 2; ++p)
        all.emplace_back([&, p] {
            Q q(memory, "q");
            for (std::uint64_t i = 1; i <= items; ++i) {
                while (!q.try_push(p << 32 | i)) ::sched_yield();
                if (i % 16 == 0 && q.was_size() > capacity) sizes_right = false;
            }
        });
    for (std::size_t c = 0; c < 2; ++c)
        all.emplace_back([&, c] {
            Q q(memory, "q");
            while (popped < 2 * items) {
                std::uint64_t item = 0;
                if (q.try_pop(item)) {
                    seen[c].take(item);
                    ++popped;
                } else {
                    ::sched_yield();
                }
                if (q.was_size() > capacity) sizes_right = false;
            }
        });
    for (auto& one : all) one.join();
    CHECK(seen[0].ordered);
    CHECK(seen[1].ordered);
    CHECK(seen[0].count + seen[1].count == 2 * items);
    CHECK(seen[0].sum + seen[1].sum == sum_of(items));
    CHECK(sizes_right);
    Q q(memory, "q");
    CHECK(q.was_empty());
    CHECK(conserved<Q>(memory, "q", capacity, 6));
}

template <class... Ps>
using of_words = Queue<std::uint64_t, Ps...>;
template <class... Tuples>
using joined = decltype(std::tuple_cat(std::declval<Tuples>()...));
template <class L, class O>
using backoffs = std::tuple<of_words<O, backoff::none, L>, of_words<backoff::pause, O, L>,
                            of_words<L, backoff::exponential, O>, of_words<L, O, backoff::yield>>;
template <class L>
using orderings =
    joined<backoffs<L, ordering::acq_rel>, backoffs<L, ordering::seq_cst>, backoffs<L, ordering::fences>>;
using combinations = joined<orderings<layout::compact>, orderings<layout::padded>>;
static_assert(std::tuple_size_v<combinations> == 24);

TEMPLATE_LIST_TEST_CASE("threads, in every combination of ordering, backoff and layout", "[fast]",
                        combinations) {
    threads<TestType>(4, rounds(4000));
}

TEST_CASE("threads, capacities 1 to 1024", "[medium]") {
    for (auto const capacity : sizes({1, 2, 64, 1024})) threads<plain>(capacity, rounds(200000));
}

TEST_CASE("threads across the turn's wrap", "[fast]") {
    // As above, but everybody begins just below it.
    watchdog const limit(120);
    constexpr std::uint64_t capacity = 2;
    constexpr std::uint32_t slots = 6;
    auto const bits =
        static_cast<unsigned>(std::bit_width(ring_of<plain>::geometry(capacity, slots).buffer_count() - 1));
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { plain const q(memory, "q", capacity, {slots}); }
    start_at<plain>(memory, capacity, slots,
                    (std::uint64_t{1} << (64 - bits)) - 5000);  // turn 2^(64 - bits) is 5000 ahead
    auto const items = rounds(10000);
    tracker seen;
    std::thread producer([&] {
        plain q(memory, "q");
        for (std::uint64_t i = 1; i <= items; ++i)
            while (!q.try_push(i)) ::sched_yield();
    });
    {
        plain q(memory, "q");
        while (seen.count < items) {
            std::uint64_t item = 0;
            if (q.try_pop(item))
                seen.take(item);
            else
                ::sched_yield();
        }
    }
    producer.join();
    CHECK(seen.ordered);
    CHECK(seen.sum == items * (items + 1) / 2);
    CHECK(conserved<plain>(memory, "q", capacity, slots));
}

// --- processes
// -------------------------------------------------------------------------------------------------------

struct tally {
    std::atomic<std::uint64_t> popped{0};
    std::atomic<std::uint64_t> sum{0};
    std::atomic<std::uint64_t> disorder{0};
    std::atomic<std::uint64_t> size_wrong{0};
    std::atomic<std::uint64_t> ready{0};
};

template <class P1, class P2, class C1, class C2>
void processes(std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(300);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { P1 const q(memory, "q", capacity, {6}); }
    shared<tally> books;
    auto const start = [&] {
        ++books->ready;
        until([&] { return books->ready == 4; });
    };
    auto const producer = [&](auto const* type, std::uint64_t p) {
        using queue = std::remove_cv_t<std::remove_pointer_t<decltype(type)>>;
        return child(
            [&, p] {
                auto mine = Memory::open(name.str());
                queue q(mine, "q");
                start();
                for (std::uint64_t i = 1; i <= items; ++i)
                    while (!q.try_push(p << 32 | i)) ::sched_yield();
            },
            300);
    };
    auto const consumer = [&](auto const* type) {
        using queue = std::remove_cv_t<std::remove_pointer_t<decltype(type)>>;
        return child(
            [&] {
                auto mine = Memory::open(name.str());
                queue q(mine, "q");
                tracker seen;
                start();
                while (books->popped < 2 * items) {
                    std::uint64_t item = 0;
                    if (q.try_pop(item)) {
                        seen.take(item);
                        ++books->popped;
                    } else {
                        ::sched_yield();
                    }
                    if (q.was_size() > capacity) ++books->size_wrong;
                }
                books->sum += seen.sum;
                if (!seen.ordered) ++books->disorder;
            },
            300);
    };
    auto one = producer(static_cast<P1 const*>(nullptr), 0);
    auto two = producer(static_cast<P2 const*>(nullptr), 1);
    auto three = consumer(static_cast<C1 const*>(nullptr));
    auto four = consumer(static_cast<C2 const*>(nullptr));
    CHECK(one.wait() == 0);
    CHECK(two.wait() == 0);
    CHECK(three.wait() == 0);
    CHECK(four.wait() == 0);
    CHECK(books->popped == 2 * items);
    CHECK(books->sum == sum_of(items));
    CHECK(books->disorder == 0);
    CHECK(books->size_wrong == 0);
    CHECK(conserved<P1>(memory, "q", capacity, 6));
}

TEST_CASE("processes, each with its own private policies", "[fast]") {
    for (auto const capacity : sizes({1, 8}))
        processes<plain, of_words<ordering::seq_cst, backoff::none>,
                  of_words<ordering::fences, backoff::yield>,
                  of_words<waiting::spin, observer::counting, backoff::pause>>(capacity, rounds(10000));
    processes<of_words<layout::padded>, of_words<layout::padded, ordering::fences>,
              of_words<layout::padded, backoff::none>, of_words<layout::padded, ordering::seq_cst>>(
        64, rounds(10000));
}

TEST_CASE("processes, many items", "[medium]") {
    for (auto const capacity : sizes({1, 2, 1024}))
        processes<plain, plain, plain, plain>(capacity, rounds(100000));
}

// --- waiting
// ---------------------------------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("a blocking operation gives up when its time is over", "[fast]", waiting::futex,
                   waiting::yield, waiting::spin) {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<std::uint64_t, TestType> queue(memory, "q", 2);
    auto const before = std::chrono::steady_clock::now();
    CHECK_FALSE(queue.pop(20ms));
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    std::uint64_t item = 5;
    CHECK_FALSE(queue.pop(item, 1us));
    CHECK(item == 5);
    CHECK_FALSE(queue.pop(0s));
    CHECK_FALSE(queue.pop(-1h));
    CHECK_FALSE(queue.pop(std::chrono::duration<double>(0.001)));
    CHECK(queue.push(1, 0s));
    CHECK(queue.push(2, std::chrono::hours::max()));
    auto const full = std::chrono::steady_clock::now();
    CHECK_FALSE(queue.push(3, 20ms));
    CHECK(std::chrono::steady_clock::now() - full >= 20ms);
    CHECK(queue.pop(std::chrono::seconds::max()) == 1);
    CHECK(queue.pop(0s) == 2);
    CHECK(queue.was_empty());
}

TEST_CASE("time-outs that no clock holds", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain queue(memory, "q", 2);
    CHECK_FALSE(queue.pop(std::chrono::seconds::min()));
    CHECK_FALSE(queue.pop(std::chrono::nanoseconds::min()));
    CHECK_FALSE(queue.pop(std::chrono::duration<std::int64_t, std::pico>(1)));
    CHECK_FALSE(queue.pop(std::chrono::duration<std::int64_t, std::femto>(1000000)));
    CHECK_FALSE(queue.pop(std::chrono::duration<double>(-1e300)));
    queue.push(1);
    CHECK(queue.pop(std::chrono::duration<double>(1e300)) == 1);
}

/// Sleeps for as long as it is not woken: the 50 ms after which the shipped one looks again would hide a lost
/// wake-up.
struct sound_sleeper : atomics::native {
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen, std::chrono::nanoseconds) noexcept {
        atomics::native::futex_wait(at, seen, 1h);
    }
};

/// Two processes hand one item to and fro. Each blocks every time: one lost wake-up, and nothing moves any
/// more.
template <class Ours, class Theirs>
void ping_pong(std::uint64_t count) {
    watchdog const limit(300);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { Ours const there(memory, "there", 1, {2}), back(memory, "back", 1, {2}); }
    child other(
        [&] {
            auto mine = Memory::open(name.str());
            Theirs in(mine, "there");
            Theirs out(mine, "back");
            for (std::uint64_t i = 0; i < count; ++i) out.push(in.pop() + 1);
        },
        300);
    Ours out(memory, "there");
    Ours in(memory, "back");
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        out.push(i);
        wrong += in.pop() != i + 1;
    }
    CHECK(wrong == 0);
    CHECK(other.wait() == 0);
}

TEST_CASE("no wake-up is lost in 20,000 round trips between processes", "[fast]") {
    using sleeper = of_words<sound_sleeper>;
    ping_pong<sleeper, sleeper>(rounds(20000));
    // Who spins wakes who sleeps.
    ping_pong<sleeper, of_words<waiting::yield>>(rounds(2000));
}

TEST_CASE("no wake-up is lost among two producers and two consumers that all sleep", "[medium]") {
    using sleeper = of_words<sound_sleeper>;
    watchdog const limit(300);
    for (auto const capacity : sizes({1, 3 - 1})) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        { sleeper const q(memory, "q", capacity, {5}); }
        auto const items = rounds(50000);
        std::vector<child> all;
        for (int i = 0; i < 2; ++i)
            all.emplace_back(
                [&] {
                    auto mine = Memory::open(name.str());
                    sleeper q(mine, "q");
                    for (std::uint64_t n = 0; n < items; ++n) q.push(n);
                },
                300);
        for (int i = 0; i < 2; ++i)
            all.emplace_back(
                [&] {
                    auto mine = Memory::open(name.str());
                    sleeper q(mine, "q");
                    for (std::uint64_t n = 0; n < items; ++n) static_cast<void>(q.pop());
                },
                300);
        for (auto& one : all) CHECK(one.wait() == 0);
        CHECK(sleeper(memory, "q").was_empty());
    }
}

/// The process sleeps in a system call, not merely runs.
bool is_sleeping(pid_t pid) {
    auto const stat = text_of("/proc/" + std::to_string(pid) + "/stat");
    auto const at = stat.rfind(')');
    return at != std::string::npos && stat.size() > at + 2 && stat[at + 2] == 'S';
}

TEST_CASE("a sleeper is woken by another process", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    using sleeper = of_words<sound_sleeper>;
    Queue<std::uint64_t, observer::counting> queue(memory, "q", 1);
    {
        child waits([&] {
            auto mine = Memory::open(name.str());
            return sleeper(mine, "q").pop() == 7 ? 0 : 1;
        });
        until([&] { return is_sleeping(waits.pid()); });
        queue.push(7);
        CHECK(waits.wait() == 0);
        CHECK(queue.observed().system_calls == 1);
    }
    // The sleeper announced itself once more before it found the item: one call in vain, and no other.
    for (std::uint64_t i = 0; i < 10; ++i) {
        queue.push(i);
        CHECK(queue.pop() == i);
    }
    CHECK(queue.observed().system_calls <= 2);
    queue.push(8);
    {
        child waits([&] {
            auto mine = Memory::open(name.str());
            sleeper(mine, "q").push(9);
        });
        until([&] { return is_sleeping(waits.pid()); });
        CHECK(queue.pop() == 8);
        CHECK(waits.wait() == 0);
        CHECK(queue.pop() == 9);
    }
}

TEST_CASE("a killed sleeper harms nobody", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<std::uint64_t, observer::counting> queue(memory, "q", 2);
    child dies([&] {
        auto mine = Memory::open(name.str());
        static_cast<void>(of_words<sound_sleeper>(mine, "q").pop());
    });
    until([&] { return is_sleeping(dies.pid()); });
    dies.kill();
    CHECK(dies.wait() == -SIGKILL);
    queue.push(1);
    CHECK(queue.observed().system_calls == 1);  // it was announced, so it is called once, in vain
    queue.push(2);
    CHECK(queue.observed().system_calls == 1);  // and then forgotten
    CHECK(queue.pop() == 1);
    CHECK(queue.pop() == 2);
    CHECK(queue.observed().system_calls == 1);
}

TEST_CASE("a process killed between its commit and the wake-up delays the sleeper, no more", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { plain const q(memory, "q", 2); }
    child waits([&] {
        auto mine = Memory::open(name.str());
        return plain(mine, "q").pop() == 7 ? 0 : 1;
    });
    auto const word = memory.find("q")->offset + layout::compact::items_wait_offset;
    until([&] { return (raw_object(name).read<std::uint32_t>(word) & 1) != 0; });
    // Dies before each of the steps behind the commit in turn; the last one is the system call.
    child wakes([&] {
        auto mine = Memory::open(name.str());
        of_words<mortal> q(mine, "q");
        auto& f = fate::now();
        f = {};
        auto const shape = ring_of<of_words<mortal>>::geometry(2, 64);
        f.cells = mine.base() + mine.find("q")->offset + shape.cells;
        f.cells_end = static_cast<std::byte const*>(f.cells) + 16;
        std::function<void()> const after = [&f] { f.last = f.taken + 1; };
        f.on_commit = &after;
        q.push(7);
        return 0;
    });
    CHECK(wakes.wait() == -SIGKILL);
    CHECK(waits.wait() == 0);
}

TEST_CASE("the observer counts what happens", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Queue<std::uint64_t, observer::counting> queue(memory, "q", 2);
    for (std::uint64_t i = 0; i < 100; ++i) {
        queue.push(i);
        CHECK(queue.pop() == i);
    }
    CHECK(queue.observed().retries == 0);
    CHECK(queue.observed().helps == 0);
    CHECK(queue.observed().system_calls == 0);
}

}  // namespace
