/// \file
/// Repair of a queue that nobody is attached to: handles die in all states and nobody takes their slots over;
/// then every buffer has its owner again, all items are there in their order, and every slot is usable. The
/// repair itself may be killed at any step, and spoiled cells are refused.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

using mortal_queue = Queue<std::uint64_t, mortal>;
using mortal_ring = ring_of<mortal_queue>;

/// A ring in private memory whose handles work, interrupt each other and die, and what it should hold.
class world {
public:
    static constexpr std::uint32_t slots = 6;

    world(std::uint64_t capacity, std::uint64_t position)
        : shape_(mortal_ring::geometry(capacity, slots)), memory_(shape_.total / 64 + 2) {
        auto const at = reinterpret_cast<std::uintptr_t>(memory_.data());
        base_ = reinterpret_cast<std::byte*>((at + 63) / 64 * 64);
        begin_at(position);
        for (std::uint32_t i = 0; i < slots; ++i) handles_[i].emplace(base_, shape_, i);
    }

    [[nodiscard]] std::byte* base() const { return base_; }
    [[nodiscard]] exchange_geometry const& shape() const { return shape_; }
    [[nodiscard]] std::string image() const {
        return {reinterpret_cast<char const*>(base_), static_cast<std::size_t>(shape_.total)};
    }
    void restore(std::string const& image) const { std::memcpy(base_, image.data(), image.size()); }
    [[nodiscard]] std::uint64_t word_at(std::uint64_t offset) const {
        std::uint64_t value = 0;
        std::memcpy(&value, base_ + offset, 8);
        return value;
    }
    void set_word(std::uint64_t offset, std::uint64_t value) const { std::memcpy(base_ + offset, &value, 8); }

    std::uint64_t deaths = 0;
    std::uint64_t pushes = 0;
    std::uint64_t pops = 0;

    /// Some operations of living handles, each of which may be stopped in the middle while others work, and may
    /// die. The first handle never does.
    void live(random_source& random, std::uint64_t operations, int depth) {
        for (std::uint64_t n = 0; n < operations; ++n) {
            auto const who = static_cast<std::uint32_t>(random.below(slots));
            if (handles_[who] && !busy_[who]) act(who, random, depth);
        }
    }

    /// Contents in order, full capacity, each buffer once, through new handles in all slots.
    void check() {
        for (auto& one : handles_) one.reset();
        REQUIRE(conserved<mortal_queue>(base_, shape_.capacity, slots));
        for (std::uint32_t i = 0; i < slots; ++i) {
            REQUIRE(mortal_ring::recover(base_, shape_, i));
            handles_[i].emplace(base_, shape_, i);
        }
        auto ideal = ideal_;
        REQUIRE(handles_[0]->was_size() == ideal.size());
        std::uint64_t item = 0;
        std::uint64_t turn = 0;
        for (auto const expected : ideal) {
            REQUIRE(handles_[turn++ % slots]->try_pop(&item));
            REQUIRE(item == expected);
        }
        REQUIRE_FALSE(handles_[turn % slots]->try_pop(&item));
        for (std::uint64_t lap = 0; lap < 3; ++lap) {
            for (std::uint64_t i = 0; i < shape_.capacity; ++i)
                REQUIRE(handles_[turn++ % slots]->try_push(&i));
            REQUIRE_FALSE(handles_[turn % slots]->try_push(&item));
            for (std::uint64_t i = 0; i < shape_.capacity; ++i) {
                REQUIRE(handles_[turn++ % slots]->try_pop(&item));
                REQUIRE(item == i);
            }
        }
        REQUIRE(conserved<mortal_queue>(base_, shape_.capacity, slots));
    }

    void check_ends(std::uint64_t position) const {
        REQUIRE(word_at(layout::compact::tail_offset) == position + pushes);
        REQUIRE(word_at(layout::compact::head_offset) == position + pops);
    }

private:
    /// An empty queue after `position` pushes and pops.
    void begin_at(std::uint64_t position) const {
        auto const turn_shift = static_cast<unsigned>(std::bit_width(shape_.buffer_count() - 1));
        set_word(layout::compact::head_offset, position / 8 * 8);
        set_word(layout::compact::tail_offset, position / 8 * 8);
        for (auto p = position; p != position + shape_.capacity; ++p)
            set_word(shape_.cells + 8 * (p % shape_.capacity), 2 * (p / shape_.capacity) << turn_shift);
    }

    void act(std::uint32_t who, random_source& random, int depth) {
        bool const push = random.below(2) == 0;
        auto const item = ++last_;
        fate planned;
        planned.cells = base_ + shape_.cells;
        planned.cells_end = base_ + shape_.buffers;
        if (who != 0 && random.below(3) == 0) planned.last = 1 + random.below(14);
        std::function<void()> const committed = [&] {
            ++(push ? pushes : pops);
            if (push)
                ideal_.push_back(item);
            else
                ideal_.pop_front();
        };
        planned.on_commit = &committed;
        std::function<void()> const meanwhile = [&] { live(random, 1 + random.below(6), depth - 1); };
        if (depth > 0) {
            planned.interrupted_at = 1 + random.below(12);
            planned.interruption = &meanwhile;
        }
        busy_[who] = true;
        std::uint64_t got = 0;
        bool const lived = survives(planned, [&] {
            if (push)
                handles_[who]->try_push(&item);
            else
                handles_[who]->try_pop(&got);
        });
        busy_[who] = false;
        if (lived) return;
        ++deaths;
        handles_[who].reset();
    }

    struct block {
        std::byte bytes[64];
    };
    exchange_geometry shape_;
    std::vector<block> memory_;
    std::byte* base_;
    std::array<std::optional<mortal_ring>, slots> handles_;
    std::array<bool, slots> busy_{};
    std::deque<std::uint64_t> ideal_;
    std::uint64_t last_ = 0;
};

std::uint64_t pending_records(world const& w) {
    std::uint64_t count = 0;
    for (std::uint32_t i = 0; i < world::slots; ++i)
        count += (w.word_at(w.shape().slots + 64 * i) & 1) + (w.word_at(w.shape().slots + 64 * i + 8) & 1);
    return count;
}

/// One pass of ordinary recovery over all slots. \return how many it parks.
unsigned parked(world const& w) {
    unsigned count = 0;
    for (std::uint32_t i = 0; i < world::slots; ++i) count += !mortal_ring::recover(w.base(), w.shape(), i);
    return count;
}

struct totals {
    std::uint64_t deaths = 0;
    std::uint64_t parked = 0;
    std::uint64_t steps = 0;
};

/// Lives, deaths, a repair killed before each of its steps, and a whole one.
void one_world(std::uint64_t capacity, std::uint64_t position, std::uint64_t number, totals& all) {
    random_source random(number * 64 + capacity);
    world w(capacity, position);
    w.live(random, 30, 2);
    auto const dead = w.image();
    all.deaths += w.deaths;
    all.parked += parked(w);
    w.restore(dead);

    auto const lost = pending_records(w);
    fate whole;
    CHECK(survives(whole, [&] { REQUIRE(mortal_ring::repair(w.base(), w.shape()).reclaimed == lost); }));
    w.check_ends(position);
    CHECK(mortal_ring::repair(w.base(), w.shape()).reclaimed == 0);
    w.check();

    // Right before a step, the bytes are what a kill there leaves.
    for (std::uint64_t step = 1; step <= whole.taken; ++step) {
        w.restore(dead);
        std::string left;
        std::function<void()> const look = [&] { left = w.image(); };
        fate planned;
        planned.interrupted_at = step;
        planned.interruption = &look;
        survives(planned, [&] { mortal_ring::repair(w.base(), w.shape()); });
        w.restore(left);
        mortal_ring::repair(w.base(), w.shape());
        w.check_ends(position);
        w.check();
        // Without a second repair, newcomers find what they need as ever.
        w.restore(left);
        for (std::uint32_t round = 0; round < world::slots && parked(w) > 0; ++round) {
        }
        w.check();
        ++all.steps;
    }
}

void many_worlds(std::uint64_t count) {
    watchdog const limit(300);
    totals all;
    for (auto const capacity : sizes({1, 2, 4, 8})) {
        auto const turn_bits = 64 - static_cast<unsigned>(std::bit_width(capacity + 2 * world::slots - 1));
        auto const wrap = capacity << (turn_bits - 1);  // positions at which the turn becomes 0 again
        for (auto const start : {std::uint64_t{0}, std::uint64_t{77}, wrap - 5, std::uint64_t{0} - 9})
            for (std::uint64_t n = 0; n < count; ++n) {
                INFO("capacity " << capacity << ", start " << start << ", world " << n);
                one_world(capacity, start, n, all);
            }
    }
    std::printf("repair: %llu deaths, %llu slots parked by ordinary recovery, %llu repairs killed\n",
                static_cast<unsigned long long>(all.deaths), static_cast<unsigned long long>(all.parked),
                static_cast<unsigned long long>(all.steps));
    CHECK(all.deaths > count * 16);
    CHECK(all.steps > count * 16 * 20);
    if (count >= 1000) CHECK(all.parked > 0);
}

TEST_CASE("a repair puts in order what handles leave that die anywhere, and may die itself", "[fast]") {
    many_worlds(rounds(60));
}
TEST_CASE("a repair puts in order what handles leave that die anywhere, longer", "[medium]") {
    many_worlds(rounds(1000));
}

TEST_CASE("a repair settles a slot that ordinary recovery parks", "[fast]") {
    world w(1, 0);
    mortal_ring survivor(w.base(), w.shape(), 0);
    // One pushes and dies behind its commit; another pops, so that it holds what the first one gave, and dies
    // likewise; then the cell moves on.
    for (std::uint32_t const slot : {1U, 2U}) {
        mortal_ring victim(w.base(), w.shape(), slot);
        fate planned;
        planned.cells = w.base() + w.shape().cells;
        planned.cells_end = w.base() + w.shape().buffers;
        std::function<void()> const die = [] { fate::now().last = fate::now().taken + 1; };
        planned.on_commit = &die;
        std::uint64_t item = slot;
        REQUIRE_FALSE(survives(planned, [&] { slot == 1 ? victim.try_push(&item) : victim.try_pop(&item); }));
    }
    std::uint64_t item = 3;
    for (int lap = 0; lap < 3; ++lap) {
        REQUIRE(survivor.try_push(&item));
        REQUIRE(survivor.try_pop(&item));
    }
    auto const dead = w.image();
    CHECK_FALSE(mortal_ring::recover(w.base(), w.shape(), 1));
    CHECK(w.image() == dead);
    CHECK(mortal_ring::repair(w.base(), w.shape()).reclaimed == 2);
    w.check();
}

TEST_CASE("a repair leaves a healthy queue alone", "[fast]") {
    world w(4, 0);
    auto const fresh = w.image();
    CHECK(mortal_ring::repair(w.base(), w.shape()).reclaimed == 0);
    CHECK(w.image() == fresh);
    w.check();
}

TEST_CASE("a repair does not depend on what head and tail say", "[fast]") {
    random_source random(5);
    for (int i = 0; i < 200; ++i) {
        world w(4, 1000);
        w.live(random, 30, 1);
        w.set_word(layout::compact::head_offset, random.any());
        // The turns tell the tail up to their period; from near by, it is found exactly.
        w.set_word(layout::compact::tail_offset, i % 2 == 0 ? random.any() : random.below(2000));
        mortal_ring::repair(w.base(), w.shape());
        if (i % 2 == 1) w.check_ends(1000);
        w.check();
    }
}

TEST_CASE("spoiled cells are refused, and nothing is changed", "[fast]") {
    random_source random(6);
    for (int i = 0; i < 50; ++i) {
        world w(4, 6);
        w.live(random, 20, 1);
        auto const cell = w.shape().cells + 8 * random.below(4);
        auto const other = w.shape().cells + 8 * ((cell / 8 + 1) % 4);
        auto const value = w.word_at(cell);
        auto const buffer_of = [&](std::uint64_t at) {
            return (w.word_at(at) & 15) ^ ((at - w.shape().cells) / 8);
        };
        auto const refused = [&](std::uint64_t spoiled, std::string_view why) {
            w.set_word(cell, spoiled);
            auto const before = w.image();
            check_refused(errc::corrupt, {why, "make it anew"},
                          [&] { mortal_ring::repair(w.base(), w.shape()); });
            CHECK(w.image() == before);
            w.set_word(cell, value);
        };
        auto const number = (cell - w.shape().cells) / 8;
        // 16 buffers have numbers of 4 bits, all of which exist; so "impossible" needs another shape: below.
        refused((value & ~std::uint64_t{15}) | (buffer_of(other) ^ number), "two cells name one buffer");
        refused(value + (std::uint64_t{8} << 4), "turns are not in order");
        refused(value - (std::uint64_t{8} << 4), "turns are not in order");
        mortal_ring::repair(w.base(), w.shape());
        w.check();
    }
    world w(2, 0);  // 14 buffers
    w.set_word(w.shape().cells + 8, 15 ^ 1);
    auto const before = w.image();
    check_refused(errc::corrupt, {"a cell names a buffer that does not exist"},
                  [&] { mortal_ring::repair(w.base(), w.shape()); });
    CHECK(w.image() == before);
}

TEST_CASE("whatever stands in the handle slots, a repair gives each its two buffers", "[fast]") {
    random_source random(7);
    for (int i = 0; i < 2000; ++i) {
        world w(std::uint64_t{1} << random.below(4), 3);
        w.live(random, 20, 1);
        for (auto n = 1 + random.below(8); n > 0; --n) {
            auto const at = w.shape().slots + 64 * random.below(world::slots) + 8 * random.below(4);
            w.set_word(at, random.below(2) == 0 ? random.any() : random.below(64));
        }
        auto const report = mortal_ring::repair(w.base(), w.shape());
        REQUIRE(report.reclaimed <= 2 * world::slots);
        w.check();
    }
}

TEST_CASE("a full table of parked slots is usable again", "[fast]") {
    // Each slot's record says that it gave its spare away for a buffer that nobody has.
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    using plain = Queue<std::uint64_t>;
    {
        plain q(memory, "q", 4, {2});
        for (std::uint64_t i = 1; i <= 9; ++i) {
            q.push(i);
            if (i < 9) REQUIRE(q.pop() == i);
        }
    }
    auto const shape = ring_of<plain>::geometry(4, 2);
    auto* const base = memory.base() + memory.find("q")->offset;
    std::vector<bool> in_cell(8);
    for (std::uint64_t i = 0; i < 4; ++i) {
        std::uint64_t value = 0;
        std::memcpy(&value, base + shape.cells + 8 * i, 8);
        in_cell[(value & 7) ^ i] = true;
    }
    std::vector<std::uint64_t> free;
    for (std::uint64_t b = 0; b < 8; ++b)
        if (!in_cell[b]) free.push_back(b);
    REQUIRE(free.size() == 4);
    for (std::uint64_t slot = 0; slot < 2; ++slot) {
        // Position 0 was in lap 0; its cell is in lap 2 by now. Both roles are pending, and name all four.
        auto const home = 4 + 2 * slot;
        std::array<std::uint64_t, 4> const record{(free[2 * slot] ^ home) << 1 | 1,
                                                  (free[2 * slot + 1] ^ (home + 1)) << 1 | 1, 0,
                                                  free[3 - 2 * slot]};
        std::memcpy(base + shape.slots + 64 * slot, record.data(), sizeof record);
    }
    check_refused(errc::no_handle_slot, {"2 of them parked"}, [&] { plain const q(memory, "q"); });
    CHECK(ring_of<plain>::repair(base, shape).reclaimed == 4);
    CHECK(conserved<plain>(memory, "q", 4, 2));
    plain one(memory, "q");
    plain two(memory, "q");
    CHECK(two.handle_slot() == 1);
    CHECK(one.pop() == 9);
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(two.try_push(i));
    CHECK_FALSE(one.try_push(4));
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(one.pop() == i);
}

}  // namespace
