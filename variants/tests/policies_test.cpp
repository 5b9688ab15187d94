/// \file
/// Backoff, layout and waiting policies by themselves.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "format_number.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

/// Each policy of a variant has what its kind's concept states.
template <class Policies>
inline constexpr bool complete = policy::layout_policy<typename Policies::layout>&& policy::backoff_policy<
    typename Policies::backoff>&& policy::observer_policy<typename Policies::observer>&&
    policy::atomics_policy<typename Policies::atomics>&&
        policy::waiting_policy<typename Policies::waiting, typename Policies::atomics, observer::counting>;

/// For each variant of the whole catalogue, whatever is left out of this build or added to it.
template <class Visit>
void for_each_of_ours(Visit&& visit) {
    variants::for_each_variant<variants::listed::queue_variants>(visit);
    variants::for_each_variant<variants::listed::stack_variants>(visit);
    variants::for_each_variant<variants::listed::map_variants>(visit);
}

TEST_CASE("every policy of the catalogue satisfies the concept of its kind", "[fast]") {
    std::set<std::string> orderings;
    for_each_of_ours([&]<class Variant>() {
        using policies = typename Variant::policies;
        using algorithm = typename policies::algorithm;
        static_assert(complete<policies>);
        if constexpr (algorithm::takes_ordering) {
            static_assert(policy::ordering_policy<typename policies::ordering, typename policies::atomics,
                                                  typename algorithm::access>);
            orderings.insert(std::string(policies::ordering::name));
        }
    });
    CHECK(orderings == std::set<std::string>{"acq_rel", "dmb", "fences", "minimal", "seq_cst"});
}

TEST_CASE("a parameter is part of a backoff's name", "[fast]") {
    STATIC_REQUIRE(backoff::fixed<64>::name == "fixed64");
    STATIC_REQUIRE(backoff::jitter<1024>::name == "jitter1024");
    STATIC_REQUIRE(backoff::proportional<16>::name == "prop16");
    STATIC_REQUIRE(backoff::sleep<50>::name == "sleep50us");
    STATIC_REQUIRE(backoff::adaptive<1024>::name == "adaptive1024");
    STATIC_REQUIRE(backoff::rest<1000>::name == "rest1000");
    STATIC_REQUIRE(backoff::fixed<10>::name == "fixed10");
    STATIC_REQUIRE(backoff::fixed<4294967295>::name == "fixed4294967295");
}

TEST_CASE("jitter draws from a bound that doubles up to its limit, each operation anew", "[fast]") {
    constexpr std::uint32_t limit = 64;
    std::array<std::uint64_t, 10> most{};
    std::set<std::uint64_t> at_limit;
    for (int i = 0; i < 2000; ++i) {
        backoff::jitter<limit> one;
        std::uint64_t bound = 1;
        for (auto& seen : most) {
            auto const pauses = one.next();
            REQUIRE(pauses >= 1);
            REQUIRE(pauses <= bound);
            seen = std::max(seen, pauses);
            if (bound == limit) at_limit.insert(pauses);
            bound = std::min<std::uint64_t>(2 * bound, limit);
        }
    }
    CHECK(most[0] == 1);
    CHECK(most[1] == 2);
    CHECK(most.back() > limit / 2);
    CHECK(at_limit.size() == limit);  // 8,000 draws from 64: one is left out less often than once in 10^50
}

TEST_CASE("proportional backoff grows with the distance, between one and the farthest", "[fast]") {
    using policy = backoff::proportional<16>;
    STATIC_REQUIRE(policy::pauses_for(0) == 16);
    STATIC_REQUIRE(policy::pauses_for(1) == 16);
    STATIC_REQUIRE(policy::pauses_for(5) == 80);
    STATIC_REQUIRE(policy::pauses_for(1000) == 16 * policy::farthest);
}

/// Notes the distances that it is told.
struct told {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "told";
    static inline std::vector<std::uint64_t> distances;
    void operator()() { distances.push_back(0); }
    void operator()(std::uint64_t distance) { distances.push_back(distance); }
};

/// Counts, and wants no distance.
struct plain {
    int calls = 0;
    void operator()() noexcept { ++calls; }
};

/// Real atomics, but before every second exchange of an index somebody else is three positions quicker.
struct overtaken : atomics::native {
    static inline int exchanges = 0;
    template <class T>
    struct word : atomics::native::word<T> {
        using base = atomics::native::word<T>;
        using base::base;
        bool compare_exchange_strong(T& expected, T desired, std::memory_order yes, std::memory_order no) {
            if (++exchanges % 2 == 1) this->fetch_add(3, std::memory_order_relaxed);
            return base::compare_exchange_strong(expected, desired, yes, no);
        }
    };
};

TEST_CASE("a distance reaches those backoffs that take one", "[fast]") {
    plain p;
    backoff::back_off(p, 7);
    CHECK(p.calls == 1);
    told::distances.clear();
    told t;
    backoff::back_off(t, 7);
    CHECK(told::distances == std::vector<std::uint64_t>{7});
    // A push of the sequence ring that loses its claim by three positions.
    told::distances.clear();
    overtaken::exchanges = 0;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 14);
    Queue<std::uint64_t, variants::algorithm::ticket, told, overtaken> q(memory, "q", 16);
    CHECK(q.try_push(1));
    CHECK(told::distances == std::vector<std::uint64_t>{3});
}

TEST_CASE("adaptive backoff moves both ways, and stays within its bounds", "[fast]") {
    using policy = backoff::adaptive<64>;
    auto const operation = [](int losses) {
        policy one;
        for (int i = 0; i < losses; ++i) one();
    };
    for (int i = 0; i < 1000; ++i) operation(1);
    CHECK(policy::learnt() == 1);
    operation(0);
    CHECK(policy::learnt() == 1);
    operation(3);  // two waits were too short
    CHECK(policy::learnt() == 4);
    auto before = policy::learnt();
    operation(4);
    CHECK(policy::learnt() > before);
    operation(100);
    CHECK(policy::learnt() == 64);
    operation(0);  // nothing lost, nothing learnt
    CHECK(policy::learnt() == 64);
    before = policy::learnt();
    operation(1);  // one wait sufficed
    CHECK(policy::learnt() < before);
    CHECK(policy::learnt() > before / 2);
    for (int i = 0; i < 100; ++i) operation(1);
    CHECK(policy::learnt() == 1);
}

TEST_CASE("a rest says what it is on this machine, and ends", "[fast]") {
    using policy = backoff::rest<1000>;
    auto const what = std::string(policy::mechanism());
    CAPTURE(what);
    std::printf("rest is %s\n", what.c_str());
    CHECK((what == "tpause" || what == "wfe" || what.starts_with("pause (")));
    policy one;
    for (int i = 0; i < 100; ++i) one();
    for (auto const& info : variants::list()) {
        INFO(info.name);
        bool const rests = info.name.find("/rest1000/") != std::string::npos;
        CHECK(info.note == (rests ? "rest1000 is " + what : std::string()));
    }
}

// --- what the catalogue leaves out ---

TEST_CASE("a combination that the catalogue leaves out works where its type is written", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    using map_variant = variants::map_variant<waiting::spin, backoff::fixed<64>>;
    using stack_variant =
        variants::stack_variant<waiting::sleep_at_once, backoff::rest<1000>, layout::padded, ordering::dmb>;
    for_each_of_ours([]<class Variant>() {
        CHECK(Variant::name() != map_variant::name());
        CHECK(Variant::name() != stack_variant::name());
    });
    map_variant::type<std::uint64_t, std::uint64_t> m(memory, "m", 16);
    CHECK(m.insert(1, 10) == outcome::inserted);
    std::uint64_t value = 0;
    CHECK(m.find(1, value));
    CHECK(value == 10);
    CHECK_FALSE(m.find(2, std::chrono::milliseconds(1)).has_value());
    CHECK(m.erase(1));
    CHECK_FALSE(m.contains(1));

    stack_variant::type<std::uint64_t> s(memory, "s", 2);
    CHECK(s.try_push(1));
    CHECK(s.try_push(2));
    CHECK_FALSE(s.push(3, std::chrono::milliseconds(1)));
    std::uint64_t item = 0;
    CHECK(s.try_pop(item));
    CHECK(item == 2);
}

// --- layouts ---

TEST_CASE("an order of slots is a permutation, and neighbours lie in different lines", "[fast]") {
    for (unsigned bits = 0; bits <= 12; ++bits) {
        auto const slots = std::uint64_t{1} << bits;
        std::set<std::uint64_t> places;
        std::uint64_t together = 0;
        for (std::uint64_t i = 0; i < slots; ++i) {
            CHECK(layout::place_of<layout::compact>(i, bits) == i);
            auto const place = layout::place_of<layout::remapped>(i, bits);
            REQUIRE(place < slots);
            places.insert(place);
            together += place / 8 == layout::place_of<layout::remapped>((i + 1) % slots, bits) / 8;
        }
        CHECK(places.size() == slots);
        if (bits >= 6) CHECK(together == 0);
    }
}

template <class Layout>
void check_lines(std::string const& structure) {
    auto const at = "/" + structure + "/layouts/" + std::string(Layout::name) + "/";
    CAPTURE(at);
    CHECK(number(at + "number") == Layout::id);
    CHECK(number(at + "body") == Layout::body_offset);
    CHECK(number(at + "line") == Layout::line);
    if (structure == "map") {
        CHECK(number(at + "keys_wait") == Layout::items_wait_offset);
        return;
    }
    CHECK(number(at + "items_wait") == Layout::items_wait_offset);
    CHECK(number(at + "space_wait") == Layout::space_wait_offset);
    if (structure == "queue") {
        CHECK(number(at + "head") == Layout::head_offset);
        CHECK(number(at + "tail") == Layout::tail_offset);
    } else {
        CHECK(number(at + "top") == Layout::top_offset);
        CHECK(number(at + "free") == Layout::free_offset);
    }
}

TEST_CASE("the layouts have the constants of layout.json", "[fast]") {
    for (auto const* const structure : {"queue", "stack", "map"}) check_lines<layout::padded64>(structure);
    for (auto const* const structure : {"queue", "stack"}) check_lines<layout::spread>(structure);
    check_lines<layout::remapped>("queue");
    CHECK(number("/queue/layouts/spread/slot_bytes") == layout::spread::slot_bytes);
    CHECK(number("/stack/layouts/spread/slot_bytes") == layout::spread::slot_bytes);
    auto const bits = number("/queue/layouts/remapped/rotated_bits");
    auto const least = static_cast<unsigned>(number("/queue/layouts/remapped/bits_least"));
    CHECK(layout::remapped::place_of(1, least) == std::uint64_t{1} << bits);
    CHECK(layout::remapped::place_of(1, least - 1) == 1);
}

TEST_CASE("a spread queue has a line for each cell and each buffer, a spread stack for each node", "[fast]") {
    using queue = Queue<std::uint64_t, layout::spread>;
    using ring = ring_of<queue>;
    CHECK(ring::cell_stride == 64);
    CHECK(ring::item_stride == 64);
    CHECK(ring_of<Queue<std::array<char, 65>, layout::spread>>::item_stride == 128);
    CHECK(ring_of<Queue<std::uint64_t>>::item_stride == 8);
    CHECK(ring_of<Stack<std::uint64_t, layout::spread>>::item_stride == 64);
    CHECK(ring_of<Queue<std::uint64_t, variants::algorithm::ticket, layout::spread>>::item_stride == 64);

    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    queue q(memory, "q", 16, {2});
    for (std::uint64_t i = 0; i < 3; ++i) CHECK(q.try_push(i));
    auto const base = memory.find("q")->offset + ring::geometry(16, 2).cells;
    raw_object const raw(name);
    for (std::uint64_t at = 0; at < 16 * 64; at += 8) {
        auto const word = raw.read<std::uint64_t>(base + at);
        CAPTURE(at);
        CHECK((word != 0) == (at % 64 == 0 && at < 3 * 64));
    }
}

TEST_CASE("a remapped queue has its cells where the format says", "[fast]") {
    using queue = Queue<std::uint64_t, layout::remapped>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    queue q(memory, "q", 64, {2});
    for (std::uint64_t i = 0; i < 9; ++i) CHECK(q.try_push(i));
    auto const base = memory.find("q")->offset + ring_of<queue>::geometry(64, 2).cells;
    raw_object const raw(name);
    std::set<std::uint64_t> used;
    for (std::uint64_t place = 0; place < 64; ++place)
        if (raw.read<std::uint64_t>(base + 8 * place) != 0) used.insert(place);
    // (8 i + i div 8) mod 64
    CHECK(used == std::set<std::uint64_t>{0, 8, 16, 24, 32, 40, 48, 56, 1});
}

}  // namespace
