#pragma once
/// \file
/// What every queue and stack is explored with: two or three threads on each side at capacities 1 and 2, answers "full"
/// and "empty" over two cells, sleepers, and deaths.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container_scene.hpp"
#include "pair_scene.hpp"
#include "scenes.hpp"

namespace zeroipc::model {

/// What an algorithm promises, and so what it is explored with.
struct promises {
    bool fifo = true;
    bool kill_safe = true;
    bool linearizable = true;  ///< answers full and empty, too
    bool sleeps = true;
    std::uint64_t max_producers = std::numeric_limits<std::uint64_t>::max();  ///< at a time
    std::uint64_t max_consumers = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t least_capacity = 1;
};

/// As the algorithm says of itself.
template <class Policies>
promises promises_of() {
    using algorithm = typename Policies::algorithm;
    promises p;
    p.fifo = algorithm::structure == std::string_view("queue");
    p.kill_safe = algorithm::kill_safe;
    p.linearizable = algorithm::linearizable_negatives;
    p.sleeps = algorithm::can_sleep;
    p.least_capacity = algorithm::min_capacity;
    if constexpr (requires { algorithm::max_producers; }) p.max_producers = algorithm::max_producers;
    if constexpr (requires { algorithm::max_consumers; }) p.max_consumers = algorithm::max_consumers;
    return p;
}

template <class Ring>
concept can_peek = requires(Ring ring, void* item) {
    ring.try_peek(item);
};

/// Whether no more threads push, and no more pop, at a time than it takes: an heir comes when the other is dead.
inline bool has_room_for(std::vector<part> const& parts, promises const& p) {
    auto const takes_part = [&](auto const& role, std::size_t t, auto const& self) -> bool {
        if (std::any_of(parts[t].program.begin(), parts[t].program.end(), role)) return true;
        return std::any_of(parts[t].buries.begin(), parts[t].buries.end(),
                           [&](unsigned dead) { return self(role, dead, self); });
    };
    unsigned pushing = 0;
    unsigned popping = 0;
    for (std::size_t t = 0; t < parts.size(); ++t) {
        bool const pushes_itself = std::any_of(parts[t].program.begin(), parts[t].program.end(), is_push);
        bool const pops_itself = std::any_of(parts[t].program.begin(), parts[t].program.end(), is_pop);
        bool heir_pushes = false;
        bool heir_pops = false;
        for (auto const dead : parts[t].buries) {
            heir_pushes = heir_pushes || takes_part(is_push, dead, takes_part);
            heir_pops = heir_pops || takes_part(is_pop, dead, takes_part);
        }
        pushing += pushes_itself && !heir_pushes;
        popping += pops_itself && !heir_pops;
    }
    return pushing <= p.max_producers && popping <= p.max_consumers;
}

/// What a container whose negative answers are linearizable passes, and one with late ones does not.
template <class Policies>
scene_plan crossing_scene() {
    return {"put in one, look into the other",
            [] { return std::make_unique<pair_scene<Policies>>(); },
            {},
            {6, 3}};
}

/// \return scenes of a container, for scenes.hpp to explore.
template <class Policies>
std::vector<scene_plan> container_scenes(promises const& p = promises_of<Policies>()) {
    std::vector<scene_plan> all;
    auto const add = [&](std::string name, std::uint64_t capacity, unsigned filled, std::vector<part> parts,
                         bounds how, std::vector<unsigned> victims = {}, unsigned laps = 0) {
        if (capacity < p.least_capacity || (!victims.empty() && !p.kill_safe)) return;
        if (!has_room_for(parts, p)) return;
        typename container_scene<Policies>::shape const shape{p.fifo, capacity,    filled,
                                                              laps,   p.kill_safe, p.linearizable};
        all.push_back({std::move(name),
                       [shape, parts] { return std::make_unique<container_scene<Policies>>(shape, parts); },
                       std::move(victims), how});
    };
    using enum act;
    part const in{{push}};
    part const out{{pop}};
    part const in2{{push, push}};
    part const out2{{pop, pop}};
    act const look = can_peek<ring_on_model<Policies>> ? peek : size;
    for (std::uint64_t const capacity : {1U, 2U}) {
        auto const at = ", capacity " + std::to_string(capacity);
        unsigned const some = capacity == 1 ? 0 : 1;
        add("2+1" + at, capacity, some, {in, in, out2}, {3, 2});
        add("1+2" + at, capacity, some, {in2, out, out}, {3, 2});
        add("2+2" + at, capacity, some, {in, in, out, out}, {2, 1});
        add("2+2 full" + at, capacity, static_cast<unsigned>(capacity), {in, in, out, out}, {2, 1});
        add("both ways" + at, capacity, some, {{{push, pop}}, {{pop, push}}}, {4, 2});
        add("watched" + at, capacity, some, {{{push, pop, push}}, {{size, look, size}}}, {4, 2});
    }
    add("looked at twice", 1, 1, {{{pop, push}}, {{look, look}}}, {4, 3});
    add("measured while nodes change hands", 2, 2, {{{pop, push}}, {{pop, size}}}, {3, 2});
    if (!p.fifo) add("measured while a node is given back", 3, 3, {out2, {{size, size}}}, {3, 2});
    if (p.linearizable) all.push_back(crossing_scene<Policies>());
    add("full and empty over two cells", 2, 1, {in2, out2}, {5, 3});
    add("around the index", 2, 0, {in2, out2}, {4, 2}, {}, 3);
    add("late to the index", 2, 1, {{{push, pop, push, pop}}, {{pop, push}}}, {2, 2}, {}, 3);
    if (p.sleeps) {
        part const waker{{push_waking}};
        part const sleeper{{pop_sleeping}};
        add("one sleeps", 1, 0, {waker, sleeper}, {6, 3});
        add("two sleep", 2, 0, {waker, waker, sleeper, sleeper}, {2, 0});
        part const maker_of_room{{pop_waking}};
        part const waits_for_room{{push_sleeping}};
        add("one sleeps for space", 1, 1, {maker_of_room, waits_for_room}, {6, 3});
        add("two sleep for space", 2, 2, {maker_of_room, maker_of_room, waits_for_room, waits_for_room},
            {2, 0});
        bounds slow{2, 1};
        slow.timeouts = true;
        add("a waker dies", 2, 0, {waker, waker, sleeper}, slow, {0});
        slow.preemptions = 1;
        add("a sleeper dies", 2, 0, {sleeper, {{push_waking, push_waking}}, sleeper}, slow, {0});
    }
    if constexpr (takes_batches<ring_on_model<Policies>>) {
        part const in_two{{push_n}};
        part const out_two{{pop_n}};
        add("batches", 4, 1, {{{push_n, push_n}}, {{pop_n, pop_n}}}, {4, 2});
        add("batches and single items", 2, 1, {{{push_n, push}}, {{pop, pop_n}}}, {4, 2});
        // There is room, and there are items, for both of each batch.
        add("who puts a batch in dies", 4, 0, {in_two, {{pop, pop_n}}, {{push_n}, {0}}}, {2, 1}, {0});
        add("who takes a batch out dies", 4, 4, {out_two, {{push}}, {{pop_n}, {0}}}, {2, 1}, {0});
    }
    // Deaths: beside a living peer; then somebody recovers the slot and goes on.
    for (std::uint64_t const capacity : {1U, 2U}) {
        auto const at = ", capacity " + std::to_string(capacity);
        unsigned const some = capacity == 1 ? 0 : 1;
        part const heir{{pop, push}, {0}};
        add("a producer dies" + at, capacity, some, {in2, {{pop, push}}, heir}, {2, 1}, {0});
        add("a consumer dies" + at, capacity, static_cast<unsigned>(capacity), {out2, {{push, pop}}, heir},
            {2, 1}, {0});
    }
    add("two die", 1, 0, {in, out, {{push, pop}}, {{push}, {0, 1}}}, {1, 0}, {0, 1});
    add("two die in one role", 2, 1, {in, in, {{pop, push}}, {{pop}, {1, 0}}}, {1, 0}, {0, 1});
    add("recovery dies", 1, 0, {in, {{pop}, {0}}, {{push, pop}, {1}}}, {2, 0}, {0, 1});
    add("a producer dies, another takes its place", 2, 1, {in2, out2, {{push}, {0}}}, {2, 1}, {0});
    add("a consumer dies, another takes its place", 2, 1, {out2, in2, {{pop}, {0}}}, {2, 1}, {0});
    // Nobody waits for the dead.
    add("a producer dies, a survivor goes on", 2, 0, {in, {{push_for_sure, pop_for_sure}}}, {2, 1}, {0});
    add("a consumer dies, a survivor goes on", p.least_capacity, static_cast<unsigned>(p.least_capacity),
        {out, {{pop, push_for_sure}}}, {2, 1}, {0});
    return all;
}

/// What a lock-free container passes, and a blocking one does not, for the test that this is told.
template <class Policies>
scene_plan survivor_scene(promises const& p = promises_of<Policies>()) {
    using enum act;
    typename container_scene<Policies>::shape const shape{p.fifo, 2, 0, 0, false, false};
    std::vector<part> const parts{{{push}}, {{push_for_sure, pop_for_sure}}};
    return {"a producer dies, a survivor goes on",
            [shape, parts] { return std::make_unique<container_scene<Policies>>(shape, parts); },
            {0},
            {2, 1}};
}

}  // namespace zeroipc::model
