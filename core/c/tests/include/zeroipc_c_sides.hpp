#pragma once
/// \file
/// One face for handles of both languages, so that a test says once what each pair of them must do.

#include <zeroipc/zeroipc.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "zeroipc_c_testing.hpp"
#include "zeroipc_map_testing.hpp"

namespace zeroipc::testing::c {

enum class language { c, cpp };
constexpr language other(language one) { return one == language::c ? language::cpp : language::c; }
constexpr char const* name_of(language one) { return one == language::c ? "C" : "C++"; }

using number = std::uint64_t;
using cpp_queue = Queue<number>;
using cpp_stack = Stack<number>;
using cpp_map = Map<number, number>;

inline constexpr number second_ns = 1000000000;

/// Throws for everything that is neither done nor the answer `no`.
inline bool answered(zeroipc_result result, zeroipc_result no) {
    if (result != no) must(result);
    return result == ZEROIPC_OK;
}

/// A handle on the queue or stack "x" of numbers. The waiting forms give up after 20 seconds.
struct items {
    std::shared_ptr<void> keep;
    std::function<bool(number)> push;
    std::function<bool(number&)> pop;
    std::function<bool(number)> push_waiting;
    std::function<bool(number&)> pop_waiting;

    [[nodiscard]] std::vector<number> drain() const {
        std::vector<number> all;
        for (number item = 0; pop(item);) all.push_back(item);
        return all;
    }
};

/// A handle on the map "x" from numbers to numbers.
struct pairs {
    std::shared_ptr<void> keep;
    std::function<bool(number, number)> insert;
    std::function<bool(number, number)> assign;  ///< insert_or_assign; false if it was full
    std::function<bool(number)> erase;
    std::function<bool(number, number&)> find;
    std::function<bool(number, number&)> find_waiting;
    std::function<std::map<number, number>()> all;
};

template <class CppHandle>
struct cpp_side {
    explicit cpp_side(std::string const& name) : memory(Memory::open(name)), handle(memory, "x") {}
    Memory memory;
    CppHandle handle;
};

template <class Cpp>
items open_cpp_items(std::string const& name) {
    auto const side = std::make_shared<cpp_side<Cpp>>(name);
    auto& handle = side->handle;
    return {side, [&](number item) { return handle.try_push(item); },
            [&](number& item) { return handle.try_pop(item); },
            [&](number item) { return handle.push(item, std::chrono::seconds(20)); },
            [&](number& item) { return handle.pop(item, std::chrono::seconds(20)); }};
}

template <class Cpp>
items open_items(language which, std::string const& name) {
    if (which == language::cpp) return open_cpp_items<Cpp>(name);
    auto const memory = open(name);
    if constexpr (std::is_same_v<Cpp, cpp_queue>) {
        std::shared_ptr<zeroipc_queue> const keep(queue(memory, "x"));
        auto* const q = keep.get();
        return {keep, [q](number item) { return answered(push(q, item), ZEROIPC_FULL); },
                [q](number& item) { return answered(pop(q, item), ZEROIPC_EMPTY); },
                [q](number item) {
                    return answered(zeroipc_queue_push(q, &item, 20 * second_ns), ZEROIPC_TIMEOUT);
                },
                [q](number& item) {
                    return answered(zeroipc_queue_pop(q, &item, 20 * second_ns), ZEROIPC_TIMEOUT);
                }};
    } else {
        std::shared_ptr<zeroipc_stack> const keep(stack(memory, "x"));
        auto* const s = keep.get();
        return {keep, [s](number item) { return answered(push(s, item), ZEROIPC_FULL); },
                [s](number& item) { return answered(pop(s, item), ZEROIPC_EMPTY); },
                [s](number item) {
                    return answered(zeroipc_stack_push(s, &item, 20 * second_ns), ZEROIPC_TIMEOUT);
                },
                [s](number& item) {
                    return answered(zeroipc_stack_pop(s, &item, 20 * second_ns), ZEROIPC_TIMEOUT);
                }};
    }
}

inline pairs open_pairs(language which, std::string const& name) {
    if (which == language::cpp) {
        auto const side = std::make_shared<cpp_side<cpp_map>>(name);
        auto& m = side->handle;
        return {side,
                [&](number k, number v) { return m.insert(k, v) == outcome::inserted; },
                [&](number k, number v) { return m.insert_or_assign(k, v) != outcome::full; },
                [&](number k) { return m.erase(k); },
                [&](number k, number& v) { return m.find(k, v); },
                [&](number k, number& v) {
                    auto const found = m.find(k, std::chrono::seconds(20));
                    v = found.value_or(0);
                    return found.has_value();
                },
                [&] {
                    std::map<number, number> found;
                    m.for_each([&](number k, number v) { found[k] = v; });
                    return found;
                }};
    }
    std::shared_ptr<zeroipc_map> const keep(map(open(name), "x"));
    auto* const m = keep.get();
    return {keep,
            [m](number k, number v) {
                auto const result = zeroipc_map_insert(m, &k, &v);
                return result != ZEROIPC_FULL && answered(result, ZEROIPC_PRESENT);
            },
            [m](number k, number v) {
                auto const result = zeroipc_map_insert_or_assign(m, &k, &v);
                return result == ZEROIPC_ASSIGNED || answered(result, ZEROIPC_FULL);
            },
            [m](number k) { return answered(zeroipc_map_erase(m, &k), ZEROIPC_ABSENT); },
            [m](number k, number& v) { return answered(zeroipc_map_find(m, &k, &v), ZEROIPC_ABSENT); },
            [m](number k, number& v) {
                return answered(zeroipc_map_wait(m, &k, &v, 20 * second_ns), ZEROIPC_TIMEOUT);
            },
            [m] {
                std::map<number, number> found;
                must(zeroipc_map_for_each(
                    m,
                    [](void* context, void const* key, void const* value) {
                        number k = 0;
                        number v = 0;
                        std::memcpy(&k, key, sizeof k);
                        std::memcpy(&v, value, sizeof v);
                        (*static_cast<std::map<number, number>*>(context))[k] = v;
                        return 0;
                    },
                    &found));
                return found;
            }};
}

/// Makes a segment with one structure "x" in it, by the language named.
inline void make_queue(language which, std::string const& name, number capacity, std::uint32_t slots,
                       number bytes = 1 << 16) {
    if (which == language::cpp) {
        auto memory = Memory::create(name, bytes, {.max_entries = 2});
        cpp_queue(memory, "x", capacity, {slots});
    } else {
        got<zeroipc_queue>(zeroipc_queue_create, create(name, bytes, 2).get(), "x", capacity, sizeof(number),
                           slots);
    }
}
inline void make_stack(language which, std::string const& name, number capacity, std::uint32_t slots,
                       number bytes = 1 << 16) {
    if (which == language::cpp) {
        auto memory = Memory::create(name, bytes, {.max_entries = 2});
        cpp_stack(memory, "x", capacity, {slots});
    } else {
        got<zeroipc_stack>(zeroipc_stack_create, create(name, bytes, 2).get(), "x", capacity, sizeof(number),
                           slots);
    }
}
inline void make_map(language which, std::string const& name, number capacity, std::uint32_t slots,
                     number seed, number bytes = 1 << 16) {
    if (which == language::cpp) {
        auto memory = Memory::create(name, bytes, {.max_entries = 2});
        cpp_map(memory, "x", capacity, {.handle_slots = slots, .seed = seed});
    } else {
        zeroipc_map_options const options{slots, 1, seed};
        got<zeroipc_map>(zeroipc_map_create, create(name, bytes, 2).get(), "x", capacity, sizeof(number),
                         sizeof(number), &options);
    }
}
template <class Cpp>
void make_items(language which, std::string const& name, number capacity, std::uint32_t slots,
                number bytes = 1 << 16) {
    if constexpr (std::is_same_v<Cpp, cpp_queue>)
        make_queue(which, name, capacity, slots, bytes);
    else
        make_stack(which, name, capacity, slots, bytes);
}

/// Whether every block of the map "x" has its owner, and no slot is reserved or closing.
inline bool blocks_are_right(std::string const& name, number capacity, std::uint32_t slots) {
    auto memory = Memory::open(name);
    using table = table_of<cpp_map>;
    return census_of<table>(memory.base() + memory.find("x")->offset, table::geometry(capacity, slots))
        .right();
}

}  // namespace zeroipc::testing::c
