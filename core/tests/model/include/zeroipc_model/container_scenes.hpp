#pragma once
/// \file
/// What every queue and stack is explored with: two or three threads on each side at capacities 1 and 2, answers "full"
/// and "empty" over two cells, sleepers, and deaths.

#include <string>
#include <utility>
#include <vector>

#include "container_scene.hpp"
#include "scenes.hpp"

namespace zeroipc::model {

/// What an algorithm promises, and so what it is explored with.
struct promises {
    bool fifo = true;
    bool kill_safe = true;
    bool linearizable = true;  ///< answers full and empty, too
    bool sleeps = true;
    std::uint64_t least_capacity = 1;
};

template <class Ring>
concept can_peek = requires(Ring ring, void* item) {
    ring.try_peek(item);
};

/// \return scenes of a container, for scenes.hpp to explore.
template <class Ring>
std::vector<scene_plan> container_scenes(promises const& p) {
    std::vector<scene_plan> all;
    auto const add = [&](std::string name, std::uint64_t capacity, unsigned filled, std::vector<part> parts,
                         bounds how, std::vector<unsigned> victims = {}, unsigned laps = 0) {
        if (capacity < p.least_capacity || (!victims.empty() && !p.kill_safe)) return;
        typename container_scene<Ring>::shape const shape{p.fifo, capacity,    filled,
                                                          laps,   p.kill_safe, p.linearizable};
        all.push_back({std::move(name),
                       [shape, parts] { return std::make_unique<container_scene<Ring>>(shape, parts); },
                       std::move(victims), how});
    };
    using enum act;
    part const in{{push}};
    part const out{{pop}};
    part const in2{{push, push}};
    part const out2{{pop, pop}};
    act const look = can_peek<Ring> ? peek : size;
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
    add("full and empty over two cells", 2, 1, {in2, out2}, {5, 3});
    add("around the index", 2, 0, {in2, out2}, {4, 2}, {}, 3);
    add("late to the index", 2, 1, {{{push, pop, push, pop}}, {{pop, push}}}, {2, 2}, {}, 3);
    if (p.sleeps) {
        part const waker{{push_waking}};
        part const sleeper{{pop_sleeping}};
        add("one sleeps", 1, 0, {waker, sleeper}, {6, 3});
        add("two sleep", 2, 0, {waker, waker, sleeper, sleeper}, {2, 0});
        bounds slow{2, 1};
        slow.timeouts = true;
        add("a waker dies", 2, 0, {waker, waker, sleeper}, slow, {0});
        slow.preemptions = 1;
        add("a sleeper dies", 2, 0, {sleeper, {{push_waking, push_waking}}, sleeper}, slow, {0});
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
    // Nobody waits for the dead.
    add("a producer dies, a survivor goes on", 2, 0, {in, {{push_for_sure, pop_for_sure}}}, {2, 1}, {0});
    add("a consumer dies, a survivor goes on", p.least_capacity, static_cast<unsigned>(p.least_capacity),
        {out, {{pop, push_for_sure}}}, {2, 1}, {0});
    return all;
}

/// What a lock-free container passes, and a blocking one does not, for the test that this is told.
template <class Ring>
scene_plan survivor_scene(promises const& p) {
    using enum act;
    typename container_scene<Ring>::shape const shape{p.fifo, 2, 0, 0, false, false};
    std::vector<part> const parts{{{push}}, {{push_for_sure, pop_for_sure}}};
    return {"a producer dies, a survivor goes on",
            [shape, parts] { return std::make_unique<container_scene<Ring>>(shape, parts); },
            {0},
            {2, 1}};
}

}  // namespace zeroipc::model
