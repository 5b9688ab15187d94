/// \file
/// SIGKILL before each shared step of *every* operation of Queue, Stack and Map, one process a step: those that wait
/// too, from the announcement that somebody will sleep to the system call that wakes others. Nobody else is harmed:
/// a process that sleeps meanwhile goes on, at the latest when it looks again by itself; at most the item in hand is
/// missing; every handle slot can be taken again; all of the capacity can be used.
///
/// The steps reached are printed for each operation. What the dead leave is examined in more states by the kill tests of
/// each structure.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zeroipc_map_testing.hpp"
#include "zeroipc_scene.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using number = std::uint64_t;
constexpr std::uint64_t capacity = 4;
constexpr std::uint32_t slots = 4;

// --- queues and stacks ---------------------------------------------------------------------------------------------

template <template <class, class...> class Container>
struct container_kit {
    using survivor = Container<number>;
    using victim = Container<number, mortal>;
    using sleeper = Container<number, light_sleeper>;
    static constexpr char const* entry = "c";
    static constexpr bool is_queue = survivor::algorithm::structure == "queue";

    static survivor make(Memory& memory) { return survivor(memory, entry, capacity, {slots}); }
    static std::pair<std::byte const*, std::byte const*> commit_words(std::byte const* at) {
        auto const shape = ring_of<victim>::geometry(capacity, slots);
        if constexpr (is_queue)
            return {at + shape.cells, at + shape.buffers};
        else
            return {at + layout::compact::top_offset, at + layout::compact::top_offset + 8};
    }
};
using queue_kit = container_kit<Queue>;
using stack_kit = container_kit<Stack>;

/// What the victim's operation does to the contents.
enum class role { gives, takes, looks };

constexpr std::array<number, 3> given{1001, 1002, 1003};
constexpr number relief = 2001;
constexpr number of_sleeper = 3001;

/// Everybody's view of one scene's items, to find out what is missing at last.
struct account {
    std::deque<number> ideal;  ///< in order, as long as nobody sleeps
    std::vector<number> in;
    std::vector<number> out;

    void put(number item) {
        ideal.push_back(item);
        in.push_back(item);
    }
    /// \return what comes out next.
    number drop(bool oldest) {
        auto const item = ideal.empty() ? 0 : oldest ? ideal.front() : ideal.back();
        if (!ideal.empty()) oldest ? ideal.pop_front() : ideal.pop_back();
        return item;
    }
};

/// Empties it and fills it. \return what was in.
template <class Handle>
std::vector<number> drain_and_fill(Handle& handle, Handle& other, bool oldest) {
    std::vector<number> found;
    while (auto const item = handle.try_pop()) found.push_back(*item);
    for (number i = 0; i < capacity; ++i) REQUIRE(other.try_push(i));
    REQUIRE_FALSE(handle.try_push(0));
    REQUIRE(handle.was_size() == capacity);
    for (number i = 0; i < capacity; ++i) REQUIRE(handle.try_pop() == (oldest ? i : capacity - 1 - i));
    REQUIRE_FALSE(other.try_pop());
    return found;
}

/// Every handle slot can be taken: what the dead held was recovered, or nothing of it.
template <class Handle>
std::vector<Handle> take_all_slots(Memory& memory, char const* entry) {
    std::vector<Handle> all;
    for (std::uint32_t i = 1; i < slots; ++i) all.emplace_back(memory, entry);
    return all;
}

/// \param start items at first. \param of_relief `gives` if a relief pushes, `takes` if it pops, else there is none.
template <class Kit>
scene<Kit> on_container(std::string name, role what, number start,
                        std::function<bool(typename Kit::victim&)> act, role of_relief = role::looks,
                        company who = company::nobody) {
    using survivor = typename Kit::survivor;
    auto const books = std::make_shared<account>();
    scene<Kit> s;
    s.name = (Kit::is_queue ? "queue: " : "stack: ") + std::move(name);
    s.who = who;
    s.act = std::move(act);
    s.prepare = [=](survivor& c) {
        *books = {};
        for (number i = 1; i <= start; ++i) {
            REQUIRE(c.try_push(i));
            books->put(i);
        }
    };
    if (of_relief == role::gives)
        s.relieve = [=](survivor& c) {
            auto const item = relief + books->in.size();
            REQUIRE(c.try_push(item));
            books->put(item);
        };
    if (of_relief == role::takes)
        s.relieve = [=](survivor& c) {
            auto const item = c.try_pop();
            REQUIRE(item);
            books->out.push_back(*item);
            books->drop(Kit::is_queue);
        };
    // Who sleeps beside a rival wants the same; who is served, the opposite.
    bool const sleeper_pushes = (who == company::rival) == (what == role::gives);
    s.sleep = [=](typename Kit::sleeper& c) {
        if (!sleeper_pushes) return c.pop();
        c.push(of_sleeper);
        return number{0};
    };
    s.check = [=](Memory& memory, survivor& c, ending const& e) {
        for (std::uint64_t i = 0; i < e.commits; ++i) {
            if (what == role::gives) books->put(given.at(i));
            if (what == role::takes) books->drop(Kit::is_queue);
        }
        if (who != company::nobody && sleeper_pushes) books->in.push_back(of_sleeper);
        if (who != company::nobody && !sleeper_pushes) books->out.push_back(e.got);
        auto newcomers = take_all_slots<survivor>(memory, Kit::entry);
        REQUIRE(conserved<survivor>(memory, Kit::entry, capacity, slots));
        auto found = drain_and_fill(c, newcomers.back(), Kit::is_queue);
        REQUIRE(conserved<survivor>(memory, Kit::entry, capacity, slots));
        if (who == company::nobody) {
            std::vector<number> expected(books->ideal.begin(), books->ideal.end());
            if (!Kit::is_queue) std::reverse(expected.begin(), expected.end());
            REQUIRE(found == expected);
        }
        // Nothing twice, nothing from nowhere, and missing what the victim took, no more.
        found.insert(found.end(), books->out.begin(), books->out.end());
        std::sort(found.begin(), found.end());
        std::sort(books->in.begin(), books->in.end());
        REQUIRE(std::adjacent_find(found.begin(), found.end()) == found.end());
        REQUIRE(std::includes(books->in.begin(), books->in.end(), found.begin(), found.end()));
        REQUIRE(books->in.size() - found.size() == (what == role::takes ? e.commits : 0));
    };
    return s;
}

/// What both have.
template <class Kit>
std::vector<scene<Kit>> scenes_of_container() {
    using victim = typename Kit::victim;
    std::vector<scene<Kit>> all;
    auto const add = [&](char const* name, role what, number start, std::function<bool(victim&)> const& act,
                         role of_relief = role::looks, company who = company::nobody) {
        all.push_back(on_container<Kit>(name, what, start, act, of_relief, who));
    };
    constexpr auto full = capacity;

    std::function<bool(victim&)> const try_push = [](victim& v) { return v.try_push(given[0]); };
    std::function<bool(victim&)> const push = [](victim& v) { return v.push(given[0], 1h); };
    std::function<bool(victim&)> const push_n = [](victim& v) { return v.try_push_n(given) == given.size(); };
    std::function<bool(victim&)> const try_pop = [](victim& v) { return v.try_pop().has_value(); };
    std::function<bool(victim&)> const pop = [](victim& v) { return v.pop(1h).has_value(); };
    std::function<bool(victim&)> const pop_n = [](victim& v) {
        std::array<number, 3> got{};
        return v.try_pop_n(got) == got.size();
    };

    add("try_push", role::gives, 1, try_push);
    add("try_push, full", role::looks, full, [](victim& v) { return !v.try_push(given[0]); });
    add("push with time-out", role::gives, 1, push);
    add("push with time-out, full", role::gives, full, push, role::takes);
    add("push with time-out, in vain", role::looks, full, [](victim& v) { return !v.push(given[0], 0s); });
    add("try_push_n", role::gives, 1, push_n);
    add("try_pop", role::takes, 3, try_pop);
    add("try_pop, empty", role::looks, 0, [](victim& v) { return !v.try_pop().has_value(); });
    add("pop with time-out", role::takes, 3, pop);
    add("pop with time-out, empty", role::takes, 0, pop, role::gives);
    add("pop with time-out, in vain", role::looks, 0, [](victim& v) { return !v.pop(0s).has_value(); });
    add("try_pop_n", role::takes, 4, pop_n);
    add("was_size", role::looks, 3, [](victim& v) { return v.was_size() == 3; });
    add("was_empty", role::looks, 3, [](victim& v) { return !v.was_empty(); });

    add("try_push", role::gives, 0, try_push, role::gives, company::served);
    add("push with time-out", role::gives, 0, push, role::gives, company::served);
    add("try_push_n", role::gives, 0, push_n, role::gives, company::served);
    add("try_pop", role::takes, full, try_pop, role::takes, company::served);
    add("pop with time-out", role::takes, full, pop, role::takes, company::served);
    add("try_pop_n", role::takes, full, pop_n, role::takes, company::served);
    add("push with time-out, full", role::gives, full, push, role::takes, company::rival);
    add("pop with time-out, empty", role::takes, 0, pop, role::gives, company::rival);
    return all;
}

std::vector<scene<queue_kit>> scenes_of_queue() {
    using victim = queue_kit::victim;
    auto all = scenes_of_container<queue_kit>();
    auto const add = [&](char const* name, role what, number start, std::function<bool(victim&)> const& act,
                         role of_relief = role::looks, company who = company::nobody) {
        all.push_back(on_container<queue_kit>(name, what, start, act, of_relief, who));
    };
    constexpr auto full = capacity;
    std::function<bool(victim&)> const publish = [](victim& v) {
        v.loan() = given[0];
        return v.publish();
    };
    std::function<bool(victim&)> const publish_later = [](victim& v) {
        v.loan() = given[0];
        return v.publish(1h);
    };
    std::function<bool(victim&)> const take = [](victim& v) {
        bool const some = v.take() != nullptr;
        v.release();
        return some;
    };
    std::function<bool(victim&)> const take_later = [](victim& v) {
        bool const some = v.take(1h) != nullptr;
        v.release();
        return some;
    };
    add("loan, publish", role::gives, 1, publish);
    add("loan, publish with time-out, full", role::gives, full, publish_later, role::takes);
    add("loan, publish, cancel, full", role::looks, full, [](victim& v) {
        v.loan() = given[0];
        bool const refused = !v.publish(0s);
        v.cancel();
        return refused;
    });
    add("take, release", role::takes, 3, take);
    add("take with time-out, empty; release", role::takes, 0, take_later, role::gives);
    add("take with time-out, in vain", role::looks, 0, [](victim& v) { return v.take(0s) == nullptr; });

    add("loan, publish", role::gives, 0, publish, role::gives, company::served);
    add("take, release", role::takes, full, take, role::takes, company::served);
    add("loan, publish with time-out, full", role::gives, full, publish_later, role::takes, company::rival);
    add("take with time-out, empty; release", role::takes, 0, take_later, role::gives, company::rival);
    return all;
}

std::vector<scene<stack_kit>> scenes_of_stack() {
    using victim = stack_kit::victim;
    auto all = scenes_of_container<stack_kit>();
    all.push_back(on_container<stack_kit>("try_peek", role::looks, 3,
                                          [](victim& v) { return v.try_peek() == number{3}; }));
    all.push_back(on_container<stack_kit>("try_peek, empty", role::looks, 0,
                                          [](victim& v) { return !v.try_peek().has_value(); }));
    return all;
}

// --- maps ------------------------------------------------------------------------------------------------------------

struct map_kit {
    using survivor = Map<number, number>;
    using victim = Map<number, number, mortal, backoff::none>;
    using sleeper = Map<number, number, light_sleeper>;
    static constexpr char const* entry = "m";

    static survivor make(Memory& memory) { return survivor(memory, entry, 1, {slots, 3}); }
    /// Several exchanges of one word belong to an operation: what it did is read off the contents.
    static std::pair<std::byte const*, std::byte const*> commit_words(std::byte const*) { return {}; }
};
using model = std::map<number, number>;

constexpr number wanted = 77;  ///< a key that is absent at first

/// \return what is in, past no code of the map's; a key that is there twice fails.
model contents_of(map_kit::survivor& m) {
    model all;
    for (auto const& [key, value] : m) REQUIRE(all.emplace(key, value).second);
    return all;
}

/// \param start keys 1 to start are in at first; three stand in the bucket, the fourth in a block. \param effect what
/// the operation makes of the contents.
scene<map_kit> on_map(std::string name, number start, std::function<void(model&)> effect,
                      std::function<bool(map_kit::victim&)> act, bool relieved = false,
                      company who = company::nobody) {
    using survivor = map_kit::survivor;
    scene<map_kit> s;
    s.name = "map: " + std::move(name);
    s.who = who;
    s.act = std::move(act);
    s.prepare = [=](survivor& m) {
        for (number i = 1; i <= start; ++i) REQUIRE(m.insert(i, 10 * i) == outcome::inserted);
    };
    if (relieved) s.relieve = [](survivor& m) { REQUIRE(m.insert(wanted, relief) != outcome::full); };
    s.sleep = [](map_kit::sleeper& m) { return m.find(wanted, 1h).value_or(0); };
    s.check = [=](Memory& memory, survivor& m, ending const& e) {
        model without;
        for (number i = 1; i <= start; ++i) without[i] = 10 * i;
        model with = without;
        effect(with);
        if (e.reliefs > 0) {
            without.emplace(wanted, relief);
            with.emplace(wanted, relief);
        }
        auto const now = contents_of(m);
        REQUIRE((now == with || (e.died && now == without)));
        if (who != company::nobody) REQUIRE(e.got == now.at(wanted));
        auto newcomers = take_all_slots<survivor>(memory, map_kit::entry);
        REQUIRE(contents_of(newcomers.back()) == now);
        REQUIRE(census_of<survivor>(memory, map_kit::entry, 1, slots).right());
        for (auto const& [key, value] : now) REQUIRE(newcomers.back().erase(key));
        for (number i = 0; i < 15; ++i) REQUIRE(m.insert(i, i) == outcome::inserted);
        for (number i = 0; i < 15; ++i) REQUIRE(m.erase(i));
        REQUIRE(census_of<survivor>(memory, map_kit::entry, 1, slots).all_in_pool());
    };
    return s;
}

std::vector<scene<map_kit>> scenes_of_map() {
    using victim = map_kit::victim;
    std::vector<scene<map_kit>> all;
    auto const add = [&](std::string const& name, number start, std::function<void(model&)> const& effect,
                         std::function<bool(victim&)> const& act, bool relieved = false,
                         company who = company::nobody) {
        all.push_back(on_map(name, start, effect, act, relieved, who));
    };
    auto const nothing = [](model&) {};
    auto const inserts = [](model& m) { m.emplace(wanted, 5); };
    std::function<bool(victim&)> const insert = [](victim& v) {
        return v.insert(wanted, 5) == outcome::inserted;
    };
    std::function<bool(victim&)> const assign = [](victim& v) {
        return v.insert_or_assign(wanted, 5) == outcome::inserted;
    };
    std::function<bool(victim&)> const await = [](victim& v) { return v.find(wanted, 1h).has_value(); };

    for (number const n : {2U, 3U, 4U}) {
        auto const of = " among " + std::to_string(n);
        auto const assigns = [n](model& m) { m[n] = 6; };
        add("insert" + of, n, inserts, insert);
        add("insert, present" + of, n, nothing,
            [n](victim& v) { return v.insert(n, 6) == outcome::present; });
        add("insert_or_assign, absent" + of, n, inserts, assign);
        add("insert_or_assign, present" + of, n, assigns,
            [n](victim& v) { return v.insert_or_assign(n, 6) == outcome::assigned; });
        add(
            "erase" + of, n, [n](model& m) { m.erase(n); }, [n](victim& v) { return v.erase(n); });
        add("compare_exchange" + of, n, assigns, [n](victim& v) {
            number seen = 10 * n;
            return v.compare_exchange(n, seen, 6) == outcome::assigned;
        });
        add("compare_exchange, different" + of, n, nothing, [n](victim& v) {
            number seen = 0;
            return v.compare_exchange(n, seen, 6) == outcome::different && seen == 10 * n;
        });
        add(
            "update" + of, n, [n](model& m) { ++m[n]; },
            [n](victim& v) { return v.update(n, [](number old) { return old + 1; }) == outcome::assigned; });
        add("find" + of, n, nothing, [n](victim& v) { return v.find(n) == 10 * n; });
        add("contains, absent" + of, n, nothing, [](victim& v) { return !v.contains(wanted); });
        add("iteration" + of, n, nothing, [n](victim& v) {
            number seen = 0;
            v.for_each([&](number, number) { ++seen; });
            return seen == n;
        });
        add("was_size" + of, n, nothing, [n](victim& v) { return v.was_size() == n; });
    }
    add("erase, absent", 3, nothing, [](victim& v) { return !v.erase(wanted); });
    add("update, absent", 3, nothing,
        [](victim& v) { return v.update(wanted, [](number old) { return old + 1; }) == outcome::absent; });
    add("find with time-out, absent", 3, nothing, await, true);
    add("find with time-out, in vain", 3, nothing, [](victim& v) { return !v.find(wanted, 0s).has_value(); });
    add("insert", 3, inserts, insert, true, company::served);
    add("insert_or_assign, absent", 3, inserts, assign, true, company::served);
    add("find with time-out, absent", 3, nothing, await, true, company::rival);
    return all;
}

// ---------------------------------------------------------------------------------------------------------------------

template <class Kit>
void every_operation(std::vector<scene<Kit>> const& scenes, bool all) {
    watchdog const limit(600);
    std::uint64_t deaths = 0;
    for (std::size_t i = 0; i < scenes.size(); i += sanitized ? 3 : 1) {  // a sanitizer makes each one slow
        auto const& one = scenes[i];
        if (all && !one.relieve) continue;  // the other label has had all of its steps
        if (all && one.who == company::served) continue;
        deaths += at_each_step(one, all).all;
    }
    std::printf("%llu deaths\n", static_cast<unsigned long long>(deaths));
    CHECK(deaths > 100);
}

TEST_CASE("a process is SIGKILLed before each shared step of every operation of a queue", "[fast]") {
    every_operation(scenes_of_queue(), false);
}
TEST_CASE("a process is SIGKILLed before each shared step of every operation of a stack", "[fast]") {
    every_operation(scenes_of_stack(), false);
}
TEST_CASE("a process is SIGKILLed before each shared step of every operation of a map", "[fast]") {
    every_operation(scenes_of_map(), false);
}
TEST_CASE("a process that waits is SIGKILLed before each step, each attempt of its spinning too",
          "[medium]") {
    every_operation(scenes_of_queue(), true);
    every_operation(scenes_of_stack(), true);
    every_operation(scenes_of_map(), true);
}

}  // namespace
