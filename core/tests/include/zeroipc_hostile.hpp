#pragma once
/// \file
/// Hostile bytes: a good segment, changes to it, and uses of it. Whatever stands in a segment, or comes to stand there
/// while it is used, ends in a zeroipc::error or spoiled data, never in a signal, a hang, another exception, or an
/// access outside the mapping.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc_census.hpp"
#include "zeroipc_map_testing.hpp"
#include "zeroipc_processes.hpp"

namespace zeroipc::testing::hostile {

struct odd_item {
    unsigned char b[12];
};

/// Atomics that give up soon: 16 million rounds of a loop that cannot end are long under a sanitizer.
struct hasty : atomics::native {
    static constexpr std::string_view name = "hasty";
    static constexpr std::uint64_t patience = 4096;
};

/// The two types of each structure that stand in the specimen, as opened with an atomics policy.
template <class Atomics = atomics::native>
struct types {
    using compact_queue = Queue<std::uint64_t, Atomics>;
    using padded_queue = Queue<odd_item, layout::padded, ordering::seq_cst, backoff::none, Atomics>;
    using compact_stack = Stack<std::uint64_t, Atomics>;
    using padded_stack = Stack<odd_item, layout::padded, ordering::seq_cst, backoff::none, Atomics>;
    using map = Map<std::uint64_t, odd_item, Atomics>;
    using words = Array<std::uint64_t, Atomics>;
    using odd_array = Array<odd_item, ordering::seq_cst, Atomics>;
};

enum class part { all, array, queue, stack, map };
inline constexpr std::array<std::string_view, 5> part_names{"all", "array", "queue", "stack", "map"};

inline constexpr std::uint64_t segment_bytes = 4 * 4096;
inline constexpr std::uint64_t capacity = 4;
inline constexpr std::uint32_t slots = 4;
inline constexpr std::uint64_t most_keys = 30;  ///< that a map of two buckets can hold

/// A good segment with queues "one" and "two", stacks "three" and "four", a map, and arrays "five" and "six"; all used
/// for some time, not empty, one of each kind with the remains of a killed handle.
class specimen {
    using t = types<>;

public:
    specimen() {
        auto memory = Memory::create(name_, segment_bytes, {.max_entries = 12});
        t::compact_queue one(memory, "one", capacity, {slots});
        t::padded_queue two(memory, "two", capacity, {slots});
        t::compact_stack three(memory, "three", capacity, {slots});
        t::padded_stack four(memory, "four", capacity, {slots});
        t::compact_stack witness(memory, "three");
        for (std::uint64_t i = 0; i < 23; ++i) {
            one.push(i);
            two.push({});
            (i % 3 == 0 ? witness : three).push(i);
            four.push({});
            if (i >= 2) {
                static_cast<void>(one.pop());
                static_cast<void>(two.try_pop());
                static_cast<void>((i % 5 == 0 ? witness : three).try_pop());
                static_cast<void>(four.try_pop());
            }
        }
        map_ = make_map(memory);
        memory.add("bytes", 200, [](std::byte* at) { std::memset(at, 7, 200); });
        t::words(memory, "five", 6).fill(5);
        t::odd_array(memory, "six", 5).fill({{6}});
        one_ = memory.find("one")->offset;
        two_ = memory.find("two")->offset;
        three_ = memory.find("three")->offset;
        four_ = memory.find("four")->offset;
        five_ = memory.find("five")->offset;
        six_ = memory.find("six")->offset;
        // Slot 3 of "one": a pending record whose cell has moved on, as a kill leaves it.
        auto const shape = ring_of<t::compact_queue>::geometry(capacity, slots);
        std::array<std::uint64_t, 4> const record{1, 0, 2, 0};
        std::memcpy(memory.base() + one_ + shape.slots + 3 * 64, record.data(), sizeof record);
        // Slot 3 of "three": a pop of node 1 in progress, whose value has been replaced.
        auto const of_stack = ring_of<t::compact_stack>::geometry(capacity, slots);
        std::array<std::uint64_t, 2> const pop{2, 1};
        std::memcpy(memory.base() + three_ + of_stack.slots + 3 * 64, pop.data(), sizeof pop);
        good_ = raw_object(name_).bytes();
    }

    /// The 4-byte places that mean something to a part, and those around them.
    [[nodiscard]] std::vector<std::uint64_t> fields(part which = part::all) const {
        std::vector<std::uint64_t> all;
        auto const add = [&](std::uint64_t from, std::uint64_t to) {
            for (auto at = from; at < to; at += 4) all.push_back(at);
        };
        auto const wanted = [&](part one) { return which == part::all || which == one; };
        add(0, 16 + 9 * 40);  // header, eight entries and the place of a draft
        if (wanted(part::queue)) add_queues(add);
        if (wanted(part::stack)) add_stacks(add);
        if (wanted(part::map)) add_map(add);
        if (wanted(part::array)) {
            add(five_, five_ + 24);
            add(six_, six_ + 24);
        }
        return all;
    }

    [[nodiscard]] std::string const& name() const { return name_.str(); }
    [[nodiscard]] std::string const& good() const { return good_; }

private:
    /// A map of two buckets, one with a block; slot 1 with a reservation and slot 2 with a block taken out half way,
    /// as kills leave them.
    static std::uint64_t make_map(Memory& memory) {
        using table = table_of<t::map>;
        t::map map(memory, "map", 2, {slots, 5});
        for (std::uint64_t const key : {1U, 2U, 3U, 5U, 6U}) map.insert(key, {});
        auto const at = memory.find("map")->offset;
        auto const g = table::geometry(2, slots);
        auto const put = [&](std::uint64_t where, auto value) {
            std::memcpy(memory.base() + at + where, &value, sizeof value);
        };
        auto const second = g.buckets + table::cell_stride;  // its slots 1 reserved, 9 to 14 closing
        put(second, std::uint64_t{1 | 0x3f << 9 | 3 << 15});
        put(second + 12, std::uint32_t{0x80000000U + 4});
        put(g.owners + 4 * 2, std::uint32_t{4});
        put(g.slots + 64, std::uint64_t{1 + 16 + 1});
        put(g.slots + 2 * 64 + 8, std::uint64_t{1 | 2 << 1 | 1 << 3 | 2 << 4 | std::uint64_t{1} << 34});
        return at;
    }

    template <class Add>
    void add_queues(Add const& add) const {
        auto const shape = ring_of<t::compact_queue>::geometry(capacity, slots);
        add(one_, one_ + shape.buffers);  // header, descriptor, futex words, slots, cells
        auto const other = ring_of<t::padded_queue>::geometry(capacity, slots);
        add(two_, two_ + 96);
        for (auto const at : sizes({128, 256, 384, 512})) add(two_ + at, two_ + at + 8);
        for (std::uint64_t s = 0; s < slots; ++s)
            add(two_ + other.slots + 128 * s, two_ + other.slots + 128 * s + 32);
        add(two_ + other.cells, two_ + other.buffers);
    }
    template <class Add>
    void add_stacks(Add const& add) const {
        auto const third = ring_of<t::compact_stack>::geometry(capacity, slots);
        add(three_, three_ + third.total);  // header, descriptor, futex words, slots, witnesses, nodes
        auto const fourth = ring_of<t::padded_stack>::geometry(capacity, slots);
        add(four_, four_ + 88);
        for (auto const at : sizes({128, 256, 384, 512})) add(four_ + at, four_ + at + 8);
        for (std::uint64_t s = 0; s < slots; ++s)
            add(four_ + fourth.slots + 128 * s, four_ + fourth.slots + 128 * s + 16);
        for (std::uint64_t n = 0; n < fourth.node_count(); ++n)
            add(four_ + fourth.nodes + 24 * n, four_ + fourth.nodes + 24 * n + 8);
    }
    template <class Add>
    void add_map(Add const& add) const {
        using table = table_of<t::map>;
        auto const g = table::geometry(2, slots);
        add(map_, map_ + 96);
        for (std::uint64_t s = 0; s < slots; ++s) add(map_ + g.slots + 64 * s, map_ + g.slots + 64 * s + 16);
        add(map_ + g.owners, map_ + g.owners + 4 * g.block_count);
        for (std::uint64_t b = 0; b < 2; ++b)
            add(map_ + g.buckets + table::cell_stride * b, map_ + g.buckets + table::cell_stride * b + 24);
    }

    segment_name name_;
    std::string good_;
    std::uint64_t one_ = 0, two_ = 0, three_ = 0, four_ = 0, five_ = 0, six_ = 0, map_ = 0;
};

/// Bytes to be written at a place.
struct change {
    std::uint64_t at = 0;
    std::uint64_t value = 0;
    std::uint32_t bytes = 8;

    [[nodiscard]] std::string_view text() const { return {reinterpret_cast<char const*>(&value), bytes}; }
};

/// A change as `source` has it (random numbers, or a fuzzer's input): any bytes, a single bit, a copied word, or a
/// little more or less; mostly where words of meaning stand.
template <class Source>
change draw_change(Source& source, std::string const& good, std::vector<std::uint64_t> const& fields) {
    change c;
    c.at = source.below(8) == 0 ? source.below(segment_bytes - 8)
                                : std::min(fields[source.below(fields.size())], segment_bytes - 8);
    std::memcpy(&c.value, good.data() + c.at, 8);
    switch (source.below(4)) {
        case 0:
            c.value = source.any();
            break;
        case 1:
            c.value ^= std::uint64_t{1} << source.below(64);
            break;
        case 2:
            std::memcpy(&c.value, good.data() + source.below(segment_bytes - 8), 8);
            break;
        default:
            c.value += source.below(9) - 4;
            break;
    }
    c.bytes = source.below(2) == 0 ? 4 : 8;
    return c;
}

/// Runs the action; one of our errors is as good as none.
template <class Action>
void tolerate(Action&& action) {
    try {
        action();
    } catch (error const&) {
    }
}

/// Ends the process where a promise about any bytes is broken.
inline void promise(bool kept, char const* what) {
    if (kept) return;
    std::fprintf(stderr, "hostile bytes: %s\n", what);
    std::fflush(stderr);
    std::abort();
}

}  // namespace zeroipc::testing::hostile
