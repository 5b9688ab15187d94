/// \file
/// Arrays, stacks and maps against std::vector and std::map: see zeroipc_property.hpp.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_property.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

enum class on_stack { push, pop, push_many, pop_many, peek, size, reopen, move, repair, count };

char const* name_of(on_stack what) {
    constexpr std::array names{"push", "pop",    "push_many", "pop_many", "peek",
                               "size", "reopen", "move",      "repair"};
    static_assert(names.size() == static_cast<std::size_t>(on_stack::count));
    return names.at(static_cast<std::size_t>(what));
}

/// Two handles of one stack, and a std::vector.
template <std::size_t ItemBytes>
class stack_subject {
public:
    using what = on_stack;
    using value = item<ItemBytes>;
    using stack = Stack<value>;

    explicit stack_subject(std::uint64_t capacity)
        : capacity_(capacity), memory_(Memory::create(name_, 1 << 14)) {
        handles_[0].emplace(memory_, "s", capacity, stack_options{slots});
        handles_[1].emplace(memory_, "s");
    }

    void apply(step<on_stack> const& s) {
        auto& h = handles_[s.handle];
        switch (s.what) {
            case on_stack::push: {
                auto const one = fresh();
                bool const possible = model_.size() < capacity_;
                RC_ASSERT(h->try_push(one) == possible);
                if (possible) model_.push_back(one);
                return;
            }
            case on_stack::pop: {
                value got;
                bool const possible = !model_.empty();
                RC_ASSERT(h->try_pop(got) == possible);
                if (possible) expect_top(got);
                return;
            }
            case on_stack::push_many:
                return push_many(*h, s.number);
            case on_stack::pop_many:
                return pop_many(*h, s.number);
            case on_stack::peek: {
                value got;
                RC_ASSERT(h->try_peek(got) == !model_.empty());
                if (!model_.empty()) RC_ASSERT(got == model_.back());
                return;
            }
            case on_stack::size:
                RC_ASSERT(h->was_size() == model_.size());
                RC_ASSERT(h->was_empty() == model_.empty());
                return;
            case on_stack::reopen:
                h.reset();
                h.emplace(memory_, "s");
                return;
            case on_stack::move: {
                stack elsewhere(std::move(*h));
                *h = std::move(elsewhere);
                return;
            }
            case on_stack::repair:
                for (auto& one : handles_) one.reset();
                stack::repair(memory_, "s");
                for (auto& one : handles_) one.emplace(memory_, "s");
                return;
            case on_stack::count:
                break;
        }
    }

    /// All that should be in it is in it, and every node has one owner.
    void finish() {
        for (auto& h : handles_) h.reset();
        auto* const base = memory_.base() + memory_.find("s")->offset;
        auto const shape = ring_of<stack>::geometry(capacity_, slots);
        std::vector<unsigned> named(static_cast<std::size_t>(shape.node_count()) + 1, 0);
        ring_of<stack>::visit_nodes(base, shape,
                                    [&](std::uint64_t node) { ++named.at(static_cast<std::size_t>(node)); });
        RC_ASSERT(std::count(named.begin() + 1, named.end(), 1U) ==
                  static_cast<std::ptrdiff_t>(shape.node_count()));
        stack s(memory_, "s");
        value got;
        for (; !model_.empty(); model_.pop_back()) {
            RC_ASSERT(s.try_pop(got));
            RC_ASSERT(got == model_.back());
        }
        RC_ASSERT(!s.try_pop(got));
    }

private:
    static constexpr std::uint32_t slots = 3;

    value fresh() { return value(++last_); }
    void push_many(stack& s, std::uint64_t n) {
        std::vector<value> all(static_cast<std::size_t>(n));
        for (auto& one : all) one = fresh();
        auto const possible = std::min(all.size(), static_cast<std::size_t>(capacity_) - model_.size());
        RC_ASSERT(s.try_push_n(all) == possible);
        model_.insert(model_.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(possible));
    }
    void pop_many(stack& s, std::uint64_t n) {
        std::vector<value> all(static_cast<std::size_t>(n));
        auto const possible = std::min(all.size(), model_.size());
        RC_ASSERT(s.try_pop_n(all) == possible);
        for (std::size_t i = 0; i < possible; ++i) expect_top(all[i]);
    }
    void expect_top(value const& got) {
        RC_ASSERT(got == model_.back());
        model_.pop_back();
    }

    std::uint64_t capacity_;
    segment_name name_;
    Memory memory_;
    std::array<std::optional<stack>, 2> handles_;
    std::vector<value> model_;
    std::uint64_t last_ = 0;
};

enum class on_map {
    insert,
    insert_or_assign,
    find,
    contains,
    erase,
    compare_exchange,
    update,
    walk,
    size,
    reopen,
    repair,
    count
};

char const* name_of(on_map what) {
    constexpr std::array names{"insert", "insert_or_assign", "find",   "contains",
                               "erase",  "compare_exchange", "update", "walk",
                               "size",   "reopen",           "repair"};
    static_assert(names.size() == static_cast<std::size_t>(on_map::count));
    return names.at(static_cast<std::size_t>(what));
}

/// Two handles of one map, and a std::map. There are more keys than the capacity, so that it gets full.
template <std::size_t ItemBytes>
class map_subject {
public:
    using what = on_map;
    using value = item<ItemBytes>;
    using key = fixed_string<5>;
    using map = Map<key, value>;

    explicit map_subject(std::uint64_t capacity)
        : capacity_(capacity), memory_(Memory::create(name_, 1 << 16)) {
        handles_[0].emplace(memory_, "m", capacity, map_options{slots, 7});
        handles_[1].emplace(memory_, "m");
    }

    void apply(step<on_map> const& s) {
        auto& m = *handles_[s.handle];
        key const k("k" + std::to_string(s.number));
        auto const found = model_.find(s.number);
        bool const there = found != model_.end();
        switch (s.what) {
            case on_map::insert: {
                auto const v = fresh();
                return put(m.insert(k, v), s.number, v, there ? outcome::present : outcome::inserted);
            }
            case on_map::insert_or_assign: {
                auto const v = fresh();
                return put(m.insert_or_assign(k, v), s.number, v,
                           there ? outcome::assigned : outcome::inserted);
            }
            case on_map::find: {
                value got(99);
                RC_ASSERT(m.find(k, got) == there);
                RC_ASSERT(got == (there ? found->second : value(99)));
                return;
            }
            case on_map::contains:
                RC_ASSERT(m.contains(k) == there);
                return;
            case on_map::erase:
                RC_ASSERT(m.erase(k) == there);
                model_.erase(s.number);
                return;
            case on_map::compare_exchange:
                return compare_exchange(m, k, s.number);
            case on_map::update: {
                auto const v = fresh();
                auto const answer = m.update(k, [&](value const& old) {
                    RC_ASSERT(old == found->second);
                    return v;
                });
                return put(answer, s.number, v, there ? outcome::assigned : outcome::absent);
            }
            case on_map::walk: {
                std::size_t seen = 0;
                for (auto const& [one, v] : m) {
                    auto const at = model_.find(std::stoull(std::string(one.view().substr(1))));
                    RC_ASSERT(at != model_.end());
                    RC_ASSERT(v == at->second);
                    ++seen;
                }
                RC_ASSERT(seen == model_.size());
                return;
            }
            case on_map::size:
                RC_ASSERT(m.was_size() == model_.size());
                return;
            case on_map::reopen:
                handles_[s.handle].reset();
                handles_[s.handle].emplace(memory_, "m");
                return;
            case on_map::repair:
                for (auto& one : handles_) one.reset();
                RC_ASSERT(map::repair(memory_, "m").reclaimed == 0U);
                for (auto& one : handles_) one.emplace(memory_, "m");
                return;
            case on_map::count:
                break;
        }
    }

    /// All keys that should be in it are in it; without them all blocks are back in the pool.
    void finish() {
        auto& m = *handles_[0];
        RC_ASSERT(m.was_size() == model_.size());
        for (auto const& [n, v] : model_) {
            value got;
            RC_ASSERT(m.find(key("k" + std::to_string(n)), got));
            RC_ASSERT(got == v);
            RC_ASSERT(m.erase(key("k" + std::to_string(n))));
        }
        RC_ASSERT(m.was_empty());
        using table =
            typename map::algorithm::template table<typename map::policies, sizeof(key), sizeof(value)>;
        std::uint64_t away = 0;
        auto const unsettled = table::visit_blocks(memory_.base() + memory_.find("m")->offset,
                                                   table::geometry(capacity_, slots, 7),
                                                   [&](std::uint32_t owner) { away += owner != 0; });
        RC_ASSERT(unsettled == 0U);
        RC_ASSERT(away == 0U);
    }

private:
    static constexpr std::uint32_t slots = 3;

    value fresh() { return value(++last_); }

    /// "Full" is allowed beyond the capacity only; and to replace, never.
    void put(outcome answer, std::uint64_t n, value const& v, outcome expected) {
        if (answer == outcome::full) {
            RC_ASSERT(expected == outcome::inserted);
            RC_ASSERT(model_.size() >= capacity_);
            return;
        }
        RC_ASSERT(answer == expected);
        if (answer == outcome::inserted || answer == outcome::assigned) model_.insert_or_assign(n, v);
    }
    void compare_exchange(map& m, key const& k, std::uint64_t n) {
        auto const found = model_.find(n);
        auto const desired = fresh();
        value expected(98);
        if (found == model_.end()) {
            RC_ASSERT(m.compare_exchange(k, expected, desired) == outcome::absent);
            return;
        }
        if (!(found->second == expected)) {
            RC_ASSERT(m.compare_exchange(k, expected, desired) == outcome::different);
            RC_ASSERT(expected == found->second);
        }
        put(m.compare_exchange(k, expected, desired), n, desired, outcome::assigned);
    }

    std::uint64_t capacity_;
    segment_name name_;
    Memory memory_;
    std::array<std::optional<map>, 2> handles_;
    std::map<std::uint64_t, value> model_;
    std::uint64_t last_ = 0;
};

enum class on_array { write, read, checked, fill, walk, add, swap, reopen, count };

char const* name_of(on_array what) {
    constexpr std::array names{"write", "read", "checked", "fill", "walk", "add", "swap", "reopen"};
    static_assert(names.size() == static_cast<std::size_t>(on_array::count));
    return names.at(static_cast<std::size_t>(what));
}

/// Two Array objects of one array, and a std::vector.
class array_subject {
public:
    using what = on_array;

    explicit array_subject(std::uint64_t capacity)
        : memory_(Memory::create(name_, 1 << 14)), model_(static_cast<std::size_t>(capacity + 4)) {
        handles_[0].emplace(memory_, "a", capacity + 4);
        handles_[1].emplace(memory_, "a");
    }

    void apply(step<on_array> const& s) {
        auto& a = *handles_[s.handle];
        auto const i = s.number % model_.size();
        auto& m = model_[static_cast<std::size_t>(i)];
        switch (s.what) {
            case on_array::write:
                a[i] = m = ++last_;
                return;
            case on_array::read:
                RC_ASSERT(a[i] == m);
                RC_ASSERT(a.load(i) == m);
                return;
            case on_array::checked: {
                if (s.number < model_.size()) {
                    RC_ASSERT(a.at(s.number) == model_[static_cast<std::size_t>(s.number)]);
                    return;
                }
                auto const refusal = thrown_by([&] { static_cast<void>(a.at(s.number)); });
                RC_ASSERT(refusal.has_value());
                RC_ASSERT(refusal->cause() == errc::out_of_range);
                return;
            }
            case on_array::fill:
                ++last_;
                a.fill(last_);
                std::fill(model_.begin(), model_.end(), last_);
                return;
            case on_array::walk:
                RC_ASSERT(std::equal(a.begin(), a.end(), model_.begin(), model_.end()));
                return;
            case on_array::add:
                RC_ASSERT(a.fetch_add(i, s.number) == m);
                m += s.number;
                return;
            case on_array::swap: {
                auto expected = s.number % 2 == 0 ? m : m + 1;
                bool const possible = expected == m;
                RC_ASSERT(a.compare_exchange(i, expected, ++last_) == possible);
                RC_ASSERT(expected == m);
                if (possible) m = last_;
                return;
            }
            case on_array::reopen:
                handles_[s.handle].reset();
                handles_[s.handle].emplace(memory_, "a");
                return;
            case on_array::count:
                break;
        }
    }
    void finish() {
        for (auto const& a : handles_)
            RC_ASSERT(std::equal(a->begin(), a->end(), model_.begin(), model_.end()));
    }

private:
    segment_name name_;
    Memory memory_;
    std::array<std::optional<Array<std::uint64_t>>, 2> handles_;
    std::vector<std::uint64_t> model_;
    std::uint64_t last_ = 0;
};

TEST_CASE("a stack is a std::vector with a limit", "[fast]") {
    watchdog const limit(120);
    holds_for_all_sizes<stack_subject>("stack", static_cast<int>(rounds(400)));
}
TEST_CASE("a stack is a std::vector with a limit, longer", "[medium]") {
    watchdog const limit(600);
    holds_for_all_sizes<stack_subject>("stack", static_cast<int>(rounds(8000)));
}

TEST_CASE("a map is a std::map that may be full", "[fast]") {
    watchdog const limit(120);
    holds_for_all_sizes<map_subject>("map", static_cast<int>(rounds(400)));
}
TEST_CASE("a map is a std::map that may be full, longer", "[medium]") {
    watchdog const limit(600);
    holds_for_all_sizes<map_subject>("map", static_cast<int>(rounds(8000)));
}

TEST_CASE("an array is a std::vector of fixed size", "[fast]") {
    watchdog const limit(120);
    holds<array_subject>("array", static_cast<int>(rounds(1000)));
}

}  // namespace
