/// \file
/// The stack: order, limits, bytes, refusals, tags near their wrap, peeks, threads, processes, waiting, handles.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
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

template <class... Ps>
using of_words = Stack<std::uint64_t, Ps...>;
using plain = of_words<>;

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
template <std::size_t Alignment>
struct alignas(Alignment) aligned {
    std::uint64_t value;
    static aligned of(std::uint64_t seed) { return {seed}; }
    bool operator==(aligned const& other) const { return value == other.value; }
};

// --- one handle
// ------------------------------------------------------------------------------------------------------

TEST_CASE("last in, first out; full and empty are answers", "[fast]") {
    for (auto const capacity : sizes({1, 2, 3, 64, 1000})) {
        INFO("capacity " << capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 20);
        plain stack(memory, "s", capacity);
        CHECK(stack.capacity() == capacity);
        std::vector<std::uint64_t> ideal;
        std::uint64_t next = 0;
        for (int lap = 0; lap < 5; ++lap) {
            CHECK(stack.was_empty());
            CHECK_FALSE(stack.try_pop());
            CHECK_FALSE(stack.try_peek());
            std::uint64_t untouched = 77;
            CHECK_FALSE(stack.try_pop(untouched));
            CHECK_FALSE(stack.try_peek(untouched));
            CHECK(untouched == 77);
            while (ideal.size() < capacity) {
                REQUIRE(stack.try_push(next));
                REQUIRE(stack.try_peek() == next);
                ideal.push_back(next++);
                REQUIRE(stack.was_size() == ideal.size());
            }
            CHECK_FALSE(stack.try_push(999999));
            CHECK_FALSE(stack.try_push(999999));
            CHECK(stack.try_peek() == ideal.back());
            // Half out and in again.
            for (std::uint64_t i = 0; i < (capacity + 1) / 2; ++i) {
                REQUIRE(stack.try_pop() == ideal.back());
                ideal.pop_back();
            }
            while (ideal.size() < capacity) {
                REQUIRE(stack.try_push(next));
                ideal.push_back(next++);
            }
            CHECK_FALSE(stack.try_push(999999));
            for (; !ideal.empty(); ideal.pop_back()) {
                REQUIRE(stack.was_size() == ideal.size());
                REQUIRE(stack.try_pop() == ideal.back());
            }
        }
        CHECK(conserved<plain>(memory, "s", capacity, 32));
    }
}

TEMPLATE_TEST_CASE("items of any size and alignment come out as they went in", "[fast]", bytes<1>, bytes<3>,
                   bytes<4>, bytes<8>, bytes<12>, bytes<64>, bytes<100>, bytes<4096>, aligned<8>, aligned<16>,
                   aligned<32>, aligned<64>) {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    Stack<TestType> stack(memory, "s", 7, {4});
    Stack<TestType> other(memory, "s");
    CHECK(memory.find("s")->size == Stack<TestType>::bytes_for(7, {4}));
    std::vector<std::uint64_t> ideal;
    TestType item{};
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(stack.try_push(TestType::of(i)) == (ideal.size() < 7));
        if (ideal.size() < 7) ideal.push_back(i);
        REQUIRE(other.try_peek(item));
        REQUIRE(item == TestType::of(ideal.back()));
        for (std::uint64_t n = 0; n < i % 3 && !ideal.empty(); ++n, ideal.pop_back()) {
            REQUIRE((n == 0 ? other : stack).try_pop(item));
            REQUIRE(item == TestType::of(ideal.back()));
        }
    }
    CHECK(conserved<Stack<TestType>>(memory, "s", 7, 4));
}

TEST_CASE("random operations agree with the standard vector", "[fast]") {
    for (auto const capacity : sizes({1, 2, 3, 10})) {
        random_source random(capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        std::vector<plain> handles;
        handles.emplace_back(memory, "s", capacity, stack_options{5});
        for (int i = 0; i < 4; ++i) handles.emplace_back(memory, "s");
        std::vector<std::uint64_t> ideal;
        for (std::uint64_t i = 0; i < 20000; ++i) {
            auto& s = handles[random.below(5)];
            // Long runs of one kind, so that spares gather with some handles and are missing with others.
            if ((i / 64 + random.below(4) / 3) % 2 == 0) {
                bool const room = ideal.size() < capacity;
                REQUIRE(s.try_push(i) == room);
                if (room) ideal.push_back(i);
            } else {
                auto const item = s.try_pop();
                REQUIRE(item.has_value() == !ideal.empty());
                if (item) {
                    REQUIRE(*item == ideal.back());
                    ideal.pop_back();
                }
            }
            REQUIRE(s.was_size() == ideal.size());
            REQUIRE(s.was_empty() == ideal.empty());
            auto const top = s.try_peek();
            REQUIRE(top.has_value() == !ideal.empty());
            if (top) REQUIRE(*top == ideal.back());
            if (random.below(100) == 0) {  // a handle goes and comes again
                auto const which = random.below(5);
                handles.erase(handles.begin() + static_cast<std::ptrdiff_t>(which));
                handles.emplace_back(memory, "s");
                REQUIRE(conserved<plain>(memory, "s", capacity, 5));
            }
        }
        CHECK(conserved<plain>(memory, "s", capacity, 5));
    }
}

TEST_CASE("a stack moves, and its handle slot with it", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::optional<plain> one(std::in_place, memory, "s", 4, stack_options{2});
    one->push(1);
    plain two(std::move(*one));
    one.reset();
    CHECK(two.pop() == 1);
    CHECK(two.handle_slot() == 0);
    plain three(memory, "s");
    CHECK(three.handle_slot() == 1);
    three.push(2);
    two = std::move(three);
    CHECK(two.handle_slot() == 1);
    CHECK(two.pop() == 2);
    static_assert(!std::is_copy_constructible_v<plain> && !std::is_copy_assignable_v<plain>);
}

TEST_CASE("two mappings of one segment in one process are one stack", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto second = Memory::open(name);
    REQUIRE(memory.base() != second.base());
    plain one(memory, "s", 3, {4});
    plain two(second, "s");
    CHECK(one.handle_slot() != two.handle_slot());
    for (std::uint64_t i = 0; i < 100; ++i) {
        one.push(2 * i);
        two.push(2 * i + 1);
        CHECK(one.try_peek() == 2 * i + 1);
        CHECK(one.pop() == 2 * i + 1);
        CHECK(two.was_size() == 1);
        CHECK(two.pop() == 2 * i);
        CHECK_FALSE(one.try_pop());
    }
    CHECK(conserved<plain>(second, "s", 3, 4));
}

// --- bytes
// -----------------------------------------------------------------------------------------------------------

/// What a list's word holds, read as the format page has it.
struct parts {
    std::uint64_t tag, slot, node;
    parts(std::uint64_t word, std::uint64_t nodes, std::uint32_t slots) {
        auto const node_bits = static_cast<unsigned>(std::bit_width(nodes));
        auto const shift = node_bits + static_cast<unsigned>(std::bit_width(slots));
        tag = word >> shift;
        slot = word >> node_bits & ((1U << (shift - node_bits)) - 1);
        node = word & ((1U << node_bits) - 1);
    }
};

TEMPLATE_TEST_CASE("the bytes of a stack", "[fast]", layout::compact, layout::padded) {
    constexpr bool compact = std::is_same_v<TestType, layout::compact>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    Stack<std::uint32_t, TestType> stack(memory, "s", 5, {3});
    auto const at = memory.find("s")->offset;
    raw_object const object(name);
    auto const u64 = [&](std::uint64_t offset) { return object.read<std::uint64_t>(at + offset); };
    auto const u32 = [&](std::uint64_t offset) { return object.read<std::uint32_t>(at + offset); };
    CHECK(u64(8) == 5);                   // capacity
    CHECK(u32(16) == 3);                  // descriptor: kind
    CHECK(u32(20) == 1);                  // algorithm
    CHECK(u32(24) == (compact ? 1 : 2));  // layout
    CHECK(u32(28) == 4);                  // item size
    CHECK(u32(32) == 16);                 // item stride
    CHECK(u32(36) == 0);                  // cell stride
    CHECK(u32(40) == 3);                  // handle slots
    CHECK(u64(0) == 0);
    // All else is zero in an empty stack.
    CHECK(object.bytes().find_first_not_of('\0', at + 44) == std::string::npos);
    auto const body = compact ? 128U : 640U;
    auto const line = compact ? 64U : 128U;
    auto const nodes = body + 3 * line + 3 * line;  // a row of 48 bytes takes a line
    CHECK(memory.find("s")->size == nodes + 16 * 11);

    for (std::uint32_t i = 0; i < 3; ++i) stack.push(i + 100);
    CHECK(stack.pop() == 102);
    auto const top = compact ? 0U : 128U;
    auto const free = compact ? 80U : 256U;
    parts const first(u64(top), 11, 3);
    CHECK(first.tag == 4);   // three pushes and a pop
    CHECK(first.slot == 1);  // handle slot 0
    CHECK(first.node == 2);
    parts const next_free(u64(free), 11, 3);
    CHECK(next_free.tag == 3);  // three nodes taken
    CHECK(next_free.slot == 1);
    CHECK(next_free.node + 1 == 4);
    CHECK(u64(nodes + 16 * 1) == (std::uint64_t{2} << 32 | 1));  // node 2: depth 2, over node 1
    CHECK(u64(nodes + 16 * 1 + 8) == 101);
    CHECK(u64(body) == 3 << 4);  // node 3 is the spare
    if (!compact) {
        CHECK(u64(0) == 0);
        CHECK(u64(80) == 0);
    }
}

TEST_CASE("layouts of stacks are pinned", "[fast]") {
    CHECK(layout::compact::top_offset == 0);
    CHECK(layout::compact::free_offset == 80);
    CHECK(layout::padded::top_offset == 128);
    CHECK(layout::padded::free_offset == 256);
}

TEST_CASE("making a stack touches no page but its first", "[fast]") {
    segment_name const name;
    constexpr std::uint64_t size = 64 << 20;
    auto memory = Memory::create(name, size);
    // Reserved pages are no sign of a pass; resident ones in a mapping of one's own are.
    auto const resident = [&] {
        std::uint64_t kilobytes = 0;
        auto const text = text_of("/proc/self/smaps");
        auto const at = text.find(name.str().substr(1));
        REQUIRE(at != std::string::npos);
        auto const rss = text.find("Rss:", at);
        REQUIRE(rss != std::string::npos);
        kilobytes = std::stoull(text.substr(rss + 4));
        return kilobytes;
    };
    auto const before = resident();
    plain stack(memory, "s", 2000000);
    REQUIRE(memory.find("s")->size > 32000000);
    stack.push(1);
    CHECK(stack.pop() == 1);
    CHECK(resident() - before <= 64);
}

// --- refusals
// --------------------------------------------------------------------------------------------------------

TEST_CASE("capacities and options of a stack out of range are refused, and nothing is made", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    raw_object const object(name);
    auto const before = object.bytes();
    auto const refused = [&](errc cause, std::initializer_list<std::string_view> mentions, auto type,
                             std::uint64_t capacity, stack_options const& options = {}) {
        INFO("capacity " << capacity);
        check_refused(cause, mentions,
                      [&] { Stack<decltype(type)> const s(memory, "s", capacity, options); });
        CHECK(object.bytes() == before);
        CHECK(memory.entries().empty());
    };
    refused(errc::invalid_capacity, {"stack 's'", "capacity 0", "at least 1"}, 0, 0);
    for (auto const capacity : sizes({(1ULL << 28) + 1, 1ULL << 32, (1ULL << 60) + 1, ~0ULL}))
        refused(errc::too_large, {"'s'", std::to_string(capacity)}, char{}, capacity);
    refused(errc::too_large, {"1048576 items of 4096 bytes"}, bytes<4096>{}, 1 << 20);
    refused(errc::too_large, {"268435456 items of 8 bytes"}, std::uint64_t{}, 1 << 28);
    refused(errc::segment_full, {"'s'"}, 0, 1 << 16);
    refused(errc::invalid_argument, {" 0 handle slots", "1000"}, 0, 4, {0});
    refused(errc::invalid_argument, {"1001 handle slots"}, 0, 4, {1001});
    refused(errc::invalid_argument, {"4294967295 handle slots"}, 0, 4, {0xffffffff});
    check_refused(errc::invalid_capacity, {"0"}, [&] { plain::bytes_for(0); });
    CHECK(object.bytes() == before);
    plain const s(memory, "s", 4);
    check_refused(errc::exists, {"'s'"}, [&] { plain const again(memory, "s", 4); });
}

struct other_algorithm : algorithm::treiber {
    static constexpr std::uint32_t id = 99;
};

TEST_CASE("a stack is opened as what it is, or not at all", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    {
        plain const stack(memory, "s", 63, {4});
        of_words<layout::padded> const padded(memory, "padded", 64, {4});
        Queue<std::uint64_t> const queue(memory, "queue", 64, {4});
        memory.add("tiny", 8, [](std::byte*) {});
        memory.add("plain bytes", 4096, [](std::byte*) {});
    }
    auto const before = raw_object(name).bytes();
    check_refused(errc::not_found, {"'absent'", name.str()}, [&] { plain const s(memory, "absent"); });
    check_refused(errc::wrong_item_size, {"'s'", "size 8", "not 4"},
                  [&] { Stack<std::uint32_t> const s(memory, "s"); });
    check_refused(errc::wrong_item_size, {"size 8", "not 16"},
                  [&] { Stack<bytes<16>> const s(memory, "s"); });
    check_refused(errc::wrong_kind, {"'s'", "layout 1", "not 2"},
                  [&] { of_words<layout::padded> const s(memory, "s"); });
    check_refused(errc::wrong_kind, {"'padded'", "layout 2", "not 1"},
                  [&] { plain const s(memory, "padded"); });
    check_refused(errc::wrong_kind, {"'s'", "algorithm 1", "not 99"},
                  [&] { of_words<other_algorithm> const s(memory, "s"); });
    check_refused(errc::wrong_kind, {"'queue'"}, [&] { plain const s(memory, "queue"); });
    check_refused(errc::wrong_kind, {"'s'"}, [&] { Queue<std::uint64_t> const q(memory, "s"); });
    check_refused(errc::wrong_kind, {"'plain bytes'", "kind 0", "not 3"},
                  [&] { plain const s(memory, "plain bytes"); });
    check_refused(errc::wrong_kind, {"'tiny'", "8 bytes"}, [&] { plain const s(memory, "tiny"); });
    CHECK(raw_object(name).bytes() == before);
    // Private policies do not matter.
    Stack<std::int64_t, ordering::seq_cst, backoff::yield, waiting::spin, observer::counting> other(memory,
                                                                                                    "s");
    other.push(-1);
    CHECK(plain(memory, "s").pop() == ~std::uint64_t{0});
}

TEST_CASE("there are as many handles of a stack as slots, and slots come back", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto second = Memory::open(name);
    std::vector<plain> handles;
    handles.emplace_back(memory, "s", 4, stack_options{3});
    handles.emplace_back(second, "s");
    handles.emplace_back(memory, "s");
    check_refused(errc::no_handle_slot, {"'s'", "all 3 handle slots", "0 of them parked"},
                  [&] { plain const s(memory, "s"); });
    handles.erase(handles.begin() + 1);
    CHECK(plain(memory, "s").handle_slot() == 1);
    // A process that dies gives its slot back.
    shared<std::atomic<int>> ready;
    child holder([&] {
        auto mine = Memory::open(name.str());
        plain const s(mine, "s");
        *ready = 1;
        for (;;) nap(1s);
    });
    until([&] { return *ready == 1; });
    check_refused(errc::no_handle_slot, {"all 3"}, [&] { plain const s(memory, "s"); });
    holder.kill();
    CHECK(holder.wait() == -SIGKILL);
    CHECK(plain(memory, "s").handle_slot() == 1);
    handles.clear();
    CHECK(conserved<plain>(memory, "s", 4, 3));
}

TEST_CASE("all slots of the largest table of a stack can be held", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, plain::bytes_for(2, {1000}) + 4096);
    std::vector<plain> handles;
    handles.emplace_back(memory, "s", 2, stack_options{1000});
    while (handles.size() < 1000) handles.emplace_back(memory, "s");
    check_refused(errc::no_handle_slot, {"all 1000"}, [&] { plain const s(memory, "s"); });
    for (std::uint64_t i = 0; i < 1000; ++i) {
        handles[i].push(i);
        REQUIRE(handles[999 - i].pop() == i);
    }
    CHECK(conserved<plain>(memory, "s", 2, 1000));
}

TEST_CASE("a forked child cannot use an inherited stack, and can open it anew", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain stack(memory, "s", 4);
    stack.push(7);
    child forked([&] {
        std::uint64_t item = 0;
        for (std::function<void()> const& use : std::initializer_list<std::function<void()>>{
                 [&] { stack.try_push(1); }, [&] { stack.try_pop(item); }, [&] { stack.try_peek(item); },
                 [&] { static_cast<void>(stack.was_size()); }, [&] { static_cast<void>(stack.was_empty()); },
                 [&] { stack.push(1); }, [&] { static_cast<void>(stack.pop()); }})
            if (int const result = refused_in_child(errc::forked, {name.str(), "fork"}, use)) return result;
        auto mine = Memory::open(name.str());
        plain anew(mine, "s");
        return anew.handle_slot() == 1 && anew.pop() == 7 && anew.try_push(8) ? 0 : 1;
    });
    CHECK(forked.wait() == 0);
    CHECK(stack.pop() == 8);
}

// --- tags near their wrap
// --------------------------------------------------------------------------------------------

/// Makes a fresh stack one whose lists have seen that many commits: their words hold the tag above the handle slot
/// and the node, and it wraps by being shifted out.
template <class S>
void start_at(Memory& memory, std::uint64_t capacity, std::uint32_t slots, std::uint64_t tag) {
    using layout = typename S::policies::layout;
    auto const shift = static_cast<unsigned>(std::bit_width(capacity + 2 * std::uint64_t{slots})) +
                       static_cast<unsigned>(std::bit_width(slots));
    auto const word = tag << shift;
    auto* const base = memory.base() + memory.find("s")->offset;
    std::memcpy(base + layout::top_offset, &word, 8);
    std::memcpy(base + layout::free_offset, &word, 8);
}

TEMPLATE_TEST_CASE("tags pass their sign and their wrap", "[fast]", plain,
                   (of_words<layout::padded, ordering::seq_cst>)) {
    for (auto const capacity : sizes({1, 2, 3, 1000}))
        for (std::uint32_t const slots : {1U, 3U, 64U})
            for (auto const tag : {~std::uint64_t{0} - 2, ~std::uint64_t{0}, ~std::uint64_t{0} - 3 * capacity,
                                   std::uint64_t{1} << 31, std::uint64_t{1} << 32}) {
                INFO("capacity " << capacity << ", " << slots << " slots, tag " << tag);
                segment_name const name;
                auto memory = Memory::create(name, 1 << 20);
                { TestType const s(memory, "s", capacity, {slots}); }
                start_at<TestType>(memory, capacity, slots, tag);
                TestType one(memory, "s");
                std::optional<TestType> two;
                if (slots > 1) two.emplace(memory, "s");
                bool right = true;
                for (int lap = 0; lap < 6; ++lap) {
                    auto& s = two && lap % 3 == 1 ? *two : one;
                    right = right && s.was_size() == 0 && !s.try_pop();
                    for (std::uint64_t i = 0; i < capacity; ++i)
                        right = right && s.try_push(i) && s.was_size() == i + 1 && one.try_peek() == i;
                    right = right && !s.try_push(0) && !one.try_push(0);
                    for (std::uint64_t i = capacity; i-- > 0;) right = right && one.try_pop() == i;
                }
                CHECK(right);
                CHECK(conserved<TestType>(memory, "s", capacity, slots));
            }
}

// --- threads
// ---------------------------------------------------------------------------------------------------------

/// Each item (its number from 0) must come out once.
class census {
public:
    explicit census(std::uint64_t items) : seen_(items) {}
    void take(std::uint64_t item) {
        if (item >= seen_.size())
            ++wrong_;
        else if (seen_[item].fetch_add(1) != 0)
            ++wrong_;
        ++count_;
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] bool complete() const { return wrong_ == 0 && count_ == seen_.size(); }
    [[nodiscard]] std::uint64_t size() const { return seen_.size(); }

private:
    std::vector<std::atomic<unsigned char>> seen_;
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> wrong_{0};
};

template <class S>
void threads(std::uint64_t capacity, std::uint64_t items, std::optional<std::uint64_t> tag = {}) {
    watchdog const limit(600);  // at capacity 1, each item costs a turn of the processor
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { S const s(memory, "s", capacity, {6}); }
    if (tag) start_at<S>(memory, capacity, 6, *tag);
    census seen(2 * items);
    std::atomic<bool> sizes_right{true};
    std::vector<std::thread> all;
    for (std::uint64_t p = 0; p < 2; ++p)
        all.emplace_back([&, p] {
            S s(memory, "s");
            for (std::uint64_t i = 0; i < items; ++i) {
                while (!s.try_push(2 * i + p)) ::sched_yield();
                if (i % 16 == 0 && s.was_size() > capacity) sizes_right = false;
            }
        });
    for (std::size_t c = 0; c < 2; ++c)
        all.emplace_back([&] {
            S s(memory, "s");
            while (seen.count() < seen.size()) {
                std::uint64_t item = 0;
                if (s.try_peek(item) && item >= seen.size()) sizes_right = false;
                if (s.try_pop(item))
                    seen.take(item);
                else
                    ::sched_yield();
                if (s.was_size() > capacity) sizes_right = false;
            }
        });
    for (auto& one : all) one.join();
    CHECK(seen.complete());
    CHECK(sizes_right);
    S s(memory, "s");
    CHECK(s.was_empty());
    CHECK(conserved<S>(memory, "s", capacity, 6));
}

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

TEMPLATE_LIST_TEST_CASE("threads on a stack, in every combination of ordering, backoff and layout", "[fast]",
                        combinations) {
    threads<TestType>(3, rounds(4000));
}

/// One pushes and one pops, both by the waiting forms.
template <class S>
void waiting_threads(std::uint64_t items) {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { S const s(memory, "s", 2, {3}); }
    census seen(items);
    std::thread producer([&] {
        S s(memory, "s");
        for (std::uint64_t i = 0; i < items; ++i) s.push(i);
    });
    {
        S s(memory, "s");
        for (std::uint64_t i = 0; i < items; ++i) seen.take(s.pop());
    }
    producer.join();
    CHECK(seen.complete());
    CHECK(conserved<S>(memory, "s", 2, 3));
}

template <class S>
struct with;
template <class... Ps>
struct with<of_words<Ps...>> {
    template <class W>
    using waiting = of_words<W, Ps...>;
};

TEMPLATE_LIST_TEST_CASE("waiting threads on a stack, in every combination of policies", "[fast]",
                        combinations) {
    watchdog const limit(120);
    waiting_threads<typename with<TestType>::template waiting<waiting::futex>>(rounds(400));
    waiting_threads<typename with<TestType>::template waiting<waiting::yield>>(rounds(400));
    waiting_threads<typename with<TestType>::template waiting<waiting::spin>>(rounds(40));
}

TEST_CASE("threads on a stack, capacities 1 to 1000", "[medium]") {
    for (auto const capacity : sizes({1, 2, 64, 1000})) threads<plain>(capacity, rounds(200000));
}

TEST_CASE("threads on a stack across the tag's wrap", "[fast]") {
    for (auto const capacity : sizes({1, 3}))
        threads<plain>(capacity, rounds(10000), ~std::uint64_t{0} - rounds(10000));
}

// --- peeks
// -----------------------------------------------------------------------------------------------------------

/// An item whose every word tells its number.
template <std::size_t Words>
struct large {
    std::uint64_t w[Words];
    static large of(std::uint64_t number) {
        large item;
        for (std::size_t i = 0; i < Words; ++i) item.w[i] = number * 0x9e3779b97f4a7c15U + i;
        return item;
    }
    [[nodiscard]] bool whole() const {
        for (std::size_t i = 1; i < Words; ++i)
            if (w[i] != w[0] + i) return false;
        return true;
    }
};

template <class S>
void keeps_busy(S& s, std::uint64_t& number, random_source& random) {
    typename S::value_type item;
    for (auto n = 1 + random.below(3); n > 0; --n) s.try_push(S::value_type::of(++number));
    for (auto n = 1 + random.below(3); n > 0; --n) s.try_pop(item);
}

TEMPLATE_TEST_CASE("a peek beside threads that push and pop never shows a torn item", "[fast]", large<1>,
                   large<12>, large<512>) {
    watchdog const limit(120);
    using stack = Stack<TestType>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { stack const s(memory, "s", 2, {4}); }
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (std::uint64_t p = 0; p < 2; ++p)
        all.emplace_back([&, p] {
            stack s(memory, "s");
            random_source random(p);
            for (std::uint64_t number = p << 32; !stop;) keeps_busy(s, number, random);
        });
    stack s(memory, "s");
    std::uint64_t torn = 0;
    for (std::uint64_t seen = 0; seen < rounds(20000);) {
        TestType item;
        if (!s.try_peek(item)) {
            ::sched_yield();
            continue;
        }
        ++seen;
        torn += !item.whole();
    }
    stop = true;
    for (auto& one : all) one.join();
    CHECK(torn == 0);
    CHECK(conserved<stack>(memory, "s", 2, 4));
}

TEST_CASE("a peek beside processes that push and pop never shows a torn item", "[fast]") {
    watchdog const limit(120);
    using stack = Stack<large<512>>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    stack s(memory, "s", 2, {4});
    std::vector<child> all;
    for (std::uint64_t p = 0; p < 2; ++p)
        all.emplace_back([&, p] {
            auto mine = Memory::open(name.str());
            stack busy(mine, "s");
            random_source random(p);
            for (std::uint64_t number = p << 32;;) keeps_busy(busy, number, random);
        });
    std::uint64_t torn = 0;
    for (std::uint64_t seen = 0; seen < rounds(20000);) {
        large<512> item;
        if (!s.try_peek(item)) {
            ::sched_yield();
            continue;
        }
        ++seen;
        torn += !item.whole();
    }
    all.clear();
    CHECK(torn == 0);
}

/// One thread, deterministically: the top is replaced before each step of the peek in turn.
TEST_CASE("a peek that is overtaken before any of its steps shows a whole item", "[fast]") {
    using item = large<4>;
    using stack = Stack<item, mortal>;
    for (std::uint64_t pops = 0; pops <= 2; ++pops)
        for (std::uint64_t at = 1;; ++at) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 16);
            stack peeker(memory, "s", 2, {2});
            Stack<item> other(memory, "s");
            other.push(item::of(1));
            other.push(item::of(2));
            std::function<void()> const meanwhile = [&] {
                item got;
                for (std::uint64_t i = 0; i < pops; ++i) other.try_pop(got);
                for (std::uint64_t i = 0; i < pops; ++i) other.try_push(item::of(10 + i));
            };
            fate planned;
            planned.interrupted_at = at;
            planned.interruption = &meanwhile;
            item seen{};
            bool got = false;
            REQUIRE(survives(planned, [&] { got = peeker.try_peek(seen); }));
            INFO(pops << " popped and pushed before step " << at);
            CHECK(got);
            CHECK(seen.whole());
            if (planned.taken < at) break;
        }
}

/// Keeps account of what this thread did in its order: nodes are written only behind a release fence that follows the
/// commit by which they were got, or else who still reads them could miss, on a machine with weak ordering, that they
/// are no longer the top.
struct orderly : atomics::native {
    struct notes {
        bool fenced = true;
        std::uint64_t writes = 0;
        std::uint64_t early = 0;
        std::byte const* nodes = nullptr;
        std::byte const* end = nullptr;
    };
    static notes& seen() {
        static notes one;
        return one;
    }
    template <class V>
    struct word {
        std::atomic<V> value;
        V load(std::memory_order order) const noexcept { return value.load(order); }
        void store(V v, std::memory_order order) noexcept {
            auto const* const at = reinterpret_cast<std::byte const*>(this);
            if (at >= seen().nodes && at < seen().end) {
                ++seen().writes;
                seen().early += !seen().fenced;
            }
            value.store(v, order);
        }
        bool compare_exchange_strong(V& expected, V desired, std::memory_order done,
                                     std::memory_order failed) noexcept {
            bool const success = value.compare_exchange_strong(expected, desired, done, failed);
            if (success) seen().fenced = false;
            return success;
        }
        bool compare_exchange_weak(V& expected, V desired, std::memory_order done,
                                   std::memory_order failed) noexcept {
            return compare_exchange_strong(expected, desired, done, failed);
        }
        V fetch_or(V bits, std::memory_order order) noexcept { return value.fetch_or(bits, order); }
    };
    static void fence(std::memory_order order) noexcept {
        if (order != std::memory_order_acquire) seen().fenced = true;
    }
    static void write_words(void* shared, void const*, std::size_t bytes) noexcept {
        for (std::size_t i = 0; i < (bytes + 7) / 8; ++i)
            static_cast<word<std::uint64_t>*>(shared)[i].store(0, std::memory_order_relaxed);
    }
    static void read_words(void*, void const*, std::size_t) noexcept {}
};

TEST_CASE("a node is written only behind a fence that follows its taking", "[fast]") {
    using ring = ring_of<of_words<orderly>>;
    auto const shape = ring::geometry(8, 2);
    struct block {
        alignas(64) std::byte bytes[64];
    };
    std::vector<block> memory(shape.total / 64 + 1);
    auto* const base = memory.front().bytes;
    ring handle(base, shape, 0);
    orderly::seen() = {};
    orderly::seen().nodes = base + shape.nodes;
    orderly::seen().end = base + shape.total;
    std::uint64_t item = 0;
    for (int lap = 0; lap < 3; ++lap) {
        for (int i = 0; i < 9; ++i) handle.try_push(&item);
        for (int i = 0; i < 9; ++i) handle.try_pop(&item);
    }
    CHECK(orderly::seen().writes > 3 * 8 * 2);
    CHECK(orderly::seen().early == 0);
}

// --- processes
// -------------------------------------------------------------------------------------------------------

struct ledger {
    static constexpr std::uint64_t most = 1 << 19;
    std::atomic<std::uint64_t> popped{0};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<std::uint64_t> ready{0};
    std::atomic<unsigned char> seen[most];
};

template <class P1, class P2, class C1, class C2>
void processes(std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(300);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    { P1 const s(memory, "s", capacity, {6}); }
    shared<ledger> books;
    REQUIRE(2 * items <= ledger::most);
    auto const start = [&] {
        ++books->ready;
        until([&] { return books->ready == 4; });
    };
    auto const producer = [&](auto const* type, std::uint64_t p) {
        using stack = std::remove_cv_t<std::remove_pointer_t<decltype(type)>>;
        return child(
            [&, p] {
                auto mine = Memory::open(name.str());
                stack s(mine, "s");
                start();
                for (std::uint64_t i = 0; i < items; ++i)
                    while (!s.try_push(2 * i + p)) ::sched_yield();
            },
            300);
    };
    auto const consumer = [&](auto const* type) {
        using stack = std::remove_cv_t<std::remove_pointer_t<decltype(type)>>;
        return child(
            [&] {
                auto mine = Memory::open(name.str());
                stack s(mine, "s");
                start();
                while (books->popped < 2 * items) {
                    std::uint64_t item = 0;
                    if (s.try_pop(item)) {
                        if (item >= 2 * items || books->seen[item].fetch_add(1) != 0) ++books->wrong;
                        ++books->popped;
                    } else {
                        ::sched_yield();
                    }
                    if (s.was_size() > capacity) ++books->wrong;
                }
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
    CHECK(books->wrong == 0);
    CHECK(conserved<P1>(memory, "s", capacity, 6));
}

TEST_CASE("processes on a stack, each with its own private policies", "[fast]") {
    for (auto const capacity : sizes({1, 7}))
        processes<plain, of_words<ordering::seq_cst, backoff::none>,
                  of_words<ordering::fences, backoff::yield>,
                  of_words<waiting::spin, observer::counting, backoff::pause>>(capacity, rounds(10000));
    processes<of_words<layout::padded>, of_words<layout::padded, ordering::fences>,
              of_words<layout::padded, backoff::none>, of_words<layout::padded, ordering::seq_cst>>(
        64, rounds(10000));
}

TEST_CASE("processes on a stack, many items", "[medium]") {
    for (auto const capacity : sizes({1, 2, 1000}))
        processes<plain, plain, plain, plain>(capacity, rounds(100000));
}

// --- waiting
// ---------------------------------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("a blocking operation on a stack gives up when its time is over", "[fast]", waiting::futex,
                   waiting::yield, waiting::spin) {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    of_words<TestType> stack(memory, "s", 2);
    auto const before = std::chrono::steady_clock::now();
    CHECK_FALSE(stack.pop(20ms));
    CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    std::uint64_t item = 5;
    CHECK_FALSE(stack.pop(item, 1us));
    CHECK(item == 5);
    CHECK_FALSE(stack.pop(-1h));
    CHECK(stack.push(1, 0s));
    CHECK(stack.push(2, std::chrono::hours::max()));
    auto const full = std::chrono::steady_clock::now();
    CHECK_FALSE(stack.push(3, 20ms));
    CHECK(std::chrono::steady_clock::now() - full >= 20ms);
    CHECK(stack.pop(std::chrono::seconds::max()) == 2);
    CHECK(stack.pop(0s) == 1);
    CHECK(stack.was_empty());
}

/// Sleeps for as long as it is not woken: the 50 ms after which the shipped one looks again would hide a lost
/// wake-up.
struct sound_sleeper : atomics::native {
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen, std::chrono::nanoseconds) noexcept {
        atomics::native::futex_wait(at, seen, 1h);
    }
};
using sleeper = of_words<sound_sleeper>;

TEST_CASE("no wake-up of a stack is lost in round trips between processes", "[fast]") {
    watchdog const limit(300);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { sleeper const there(memory, "there", 1, {2}), back(memory, "back", 1, {2}); }
    auto const count = rounds(10000);
    child other(
        [&] {
            auto mine = Memory::open(name.str());
            sleeper in(mine, "there");
            sleeper out(mine, "back");
            for (std::uint64_t i = 0; i < count; ++i) out.push(in.pop() + 1);
        },
        300);
    sleeper out(memory, "there");
    sleeper in(memory, "back");
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        out.push(i);
        wrong += in.pop() != i + 1;
    }
    CHECK(wrong == 0);
    CHECK(other.wait() == 0);
}

TEST_CASE("no wake-up of a stack is lost among producers and consumers that all sleep", "[medium]") {
    watchdog const limit(300);
    for (auto const capacity : sizes({1, 3})) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        { sleeper const s(memory, "s", capacity, {5}); }
        auto const items = rounds(50000);
        std::vector<child> all;
        for (int i = 0; i < 4; ++i)
            all.emplace_back(
                [&, i] {
                    auto mine = Memory::open(name.str());
                    sleeper s(mine, "s");
                    for (std::uint64_t n = 0; n < items; ++n)
                        if (i % 2 == 0)
                            s.push(n);
                        else
                            static_cast<void>(s.pop());
                },
                300);
        for (auto& one : all) CHECK(one.wait() == 0);
        CHECK(sleeper(memory, "s").was_empty());
    }
}

/// The process sleeps in a system call, not merely runs.
bool is_sleeping(pid_t pid) {
    auto const stat = text_of("/proc/" + std::to_string(pid) + "/stat");
    auto const at = stat.rfind(')');
    return at != std::string::npos && stat.size() > at + 2 && stat[at + 2] == 'S';
}

TEST_CASE("a sleeper on a stack is woken by another process", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    of_words<observer::counting> stack(memory, "s", 1);
    {
        child waits([&] {
            auto mine = Memory::open(name.str());
            return sleeper(mine, "s").pop() == 7 ? 0 : 1;
        });
        until([&] { return is_sleeping(waits.pid()); });
        stack.push(7);
        CHECK(waits.wait() == 0);
        CHECK(stack.observed().system_calls == 1);
    }
    stack.push(8);
    {
        child waits([&] {
            auto mine = Memory::open(name.str());
            sleeper(mine, "s").push(9);
        });
        until([&] { return is_sleeping(waits.pid()); });
        CHECK(stack.pop() == 8);
        CHECK(waits.wait() == 0);
        CHECK(stack.pop() == 9);
    }
}

TEST_CASE("a killed sleeper on a stack harms nobody", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    of_words<observer::counting> stack(memory, "s", 2);
    child dies([&] {
        auto mine = Memory::open(name.str());
        static_cast<void>(sleeper(mine, "s").pop());
    });
    until([&] { return is_sleeping(dies.pid()); });
    dies.kill();
    CHECK(dies.wait() == -SIGKILL);
    stack.push(1);
    CHECK(stack.observed().system_calls == 1);  // it was announced, so it is called once, in vain
    stack.push(2);
    CHECK(stack.observed().system_calls == 1);  // and then forgotten
    CHECK(stack.pop() == 2);
    CHECK(stack.pop() == 1);
}

TEST_CASE("the observer of a stack counts what happens", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    of_words<observer::counting> stack(memory, "s", 2);
    for (std::uint64_t i = 0; i < 100; ++i) {
        stack.push(i);
        CHECK(stack.pop() == i);
    }
    CHECK(stack.observed().retries == 0);
    CHECK(stack.observed().backoffs == 0);
    CHECK(stack.observed().system_calls == 0);
    // Overtaken once, between its load and its commit.
    of_words<observer::counting, mortal> loses(memory, "s");
    std::function<void()> const meanwhile = [&] { stack.push(1); };
    fate planned;
    bool lost = false;
    for (planned.interrupted_at = 1; !lost; ++planned.interrupted_at) {
        REQUIRE(planned.interrupted_at < 30);
        planned.taken = 0;
        planned.interruption = &meanwhile;
        auto const before = loses.observed().retries;
        REQUIRE(survives(planned, [&] { loses.try_push(2); }));
        lost = loses.observed().retries == before + 1;
        while (stack.try_pop()) {
        }
    }
    CHECK(lost);
}

}  // namespace
