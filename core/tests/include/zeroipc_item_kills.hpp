#pragma once
/// \file
/// What processes do on queues and stacks while they are killed, and what must hold: at most the item that a killed
/// pop had in hand is missing, none comes twice, and queues keep each producer's order.

#include <sched.h>
#include <zeroipc/memory.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "zeroipc_census.hpp"
#include "zeroipc_kills.hpp"

namespace zeroipc::testing {

inline constexpr std::uint64_t items_a_life = std::uint64_t{1} << 16;
inline constexpr std::uint64_t items_of_survivor = std::uint64_t{1} << 28;

/// Whether what goes in first comes out first; else what goes in last.
template <class Q>
inline constexpr bool first_in_first_out = Q::algorithm::structure == "queue";

/// What all processes note of one round. An item is (its producer's number << 32) | counter. Producer 0 is the
/// survivor.
struct item_ledger {
    kill_marks marks;
    std::atomic<std::uint64_t> twice{0};
    std::atomic<std::uint64_t> disorder{0};  ///< queues only
    std::atomic<std::uint64_t> nonsense{0};
    std::atomic<std::uint64_t> acknowledged[most_lives];  ///< items that the producer knows to be in
    std::atomic<std::uint64_t> popped[(items_of_survivor + most_lives * items_a_life) / 64];

    void note(std::uint64_t item, std::vector<std::uint64_t>& newest) {
        auto const who = item >> 32;
        auto const count = item & 0xffffffff;
        if (who >= most_lives || count == 0 || count >= (who == 0 ? items_of_survivor : items_a_life)) {
            ++nonsense;
            return;
        }
        // One consumer sees the items of one producer in their order.
        if (count <= newest[who]) ++disorder;
        newest[who] = count;
        auto const bit = place(who, count);
        if ((popped[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64)) >> (bit % 64) & 1) != 0) ++twice;
    }
    [[nodiscard]] bool was_popped(std::uint64_t who, std::uint64_t count) const {
        auto const bit = place(who, count);
        return (popped[bit / 64].load() >> (bit % 64) & 1) != 0;
    }
    static std::uint64_t place(std::uint64_t who, std::uint64_t count) {
        return who == 0 ? count : items_of_survivor + (who - 1) * items_a_life + count;
    }
};

/// The workload: one survivor pushes, one pops, and each worker does both in turn.
template <class Q>
struct item_kills {
    using structure = Q;
    using ledger = item_ledger;
    enum : std::uint32_t { push = kill_actor::opening + 1, pop };

    static void make(Memory& memory, kill_plan const& plan) {
        Q const q(memory, "s", plan.capacity, {plan.handle_slots()});
    }

    static void prepare(Q& q, ledger& /*books*/, kill_plan const& /*plan*/) {
        std::uint64_t item = 0;
        while (q.try_pop(item)) {
        }
    }

    static void survive(Q& q, ledger& books, unsigned which, kill_plan const& /*plan*/) {
        auto& me = books.marks.survivor[which];
        std::vector<std::uint64_t> newest(most_lives, 0);
        std::uint64_t n = 0;
        while (!books.marks.stop) {
            rest_while_paused(books.marks);
            std::uint64_t item = 0;
            bool const did = which == 0
                                 ? me.perform(push,
                                              [&] {
                                                  if (!q.try_push(n + 1)) return false;
                                                  books.acknowledged[0].store(++n, std::memory_order_relaxed);
                                                  return true;
                                              })
                                 : me.perform(pop, [&] {
                                       if (!q.try_pop(item)) return false;
                                       books.note(item, newest);
                                       return true;
                                   });
            if (!did) ::sched_yield();
        }
    }

    static void live(Q& q, ledger& books, std::uint64_t place, std::uint64_t life,
                     kill_plan const& /*plan*/) {
        auto& me = books.marks.worker[place];
        std::vector<std::uint64_t> newest(most_lives, 0);
        std::uint64_t n = 0;
        while (!books.marks.leave.load(std::memory_order_relaxed)) {
            if (n + 1 < items_a_life && me.perform(push, [&] { return q.try_push(life << 32 | (n + 1)); }))
                books.acknowledged[life].store(++n, std::memory_order_relaxed);
            me.perform(pop, [&] {
                std::uint64_t item = 0;
                if (!q.try_pop(item)) return false;
                books.note(item, newest);
                return true;
            });
        }
    }

    /// An item that is known to be in can only be lost in the hands of who takes it out.
    static bool costs(std::uint32_t inside) { return inside == pop; }
    static std::uint64_t allowed(std::uint64_t costly) { return costly; }
    static bool used_up(ledger const& books) { return books.acknowledged[0] > items_of_survivor / 4 * 3; }

    static void judge(Memory& memory, ledger& books, std::uint64_t lives, std::uint64_t /*costly*/,
                      kill_plan const& plan, kill_verdict& verdict) {
        auto handles = open_all<Q>(memory, plan, verdict);
        auto& q = handles.at(0);
        if constexpr (counts_its_buffers<Q>) {
            auto const named = buffer_census<Q>(memory.base() + memory.find("s")->offset, plan.capacity,
                                                plan.handle_slots());
            verdict.odd = static_cast<std::uint64_t>(
                std::count_if(named.begin(), named.end(), [](unsigned n) { return n != 1; }));
        }
        std::vector<std::uint64_t> newest(most_lives, 0);
        std::uint64_t item = 0;
        while (q.try_pop(item)) books.note(item, newest);
        for (std::uint64_t who = 0; who <= lives; ++who)
            for (std::uint64_t n = 1; n <= books.acknowledged[who]; ++n)
                verdict.missing += !books.was_popped(who, n);
        verdict.doubled = books.twice;
        verdict.disorder = first_in_first_out<Q> ? books.disorder.load() : 0;
        verdict.nonsense = books.nonsense;
        verdict.full_capacity = holds_all(q, plan.capacity);
    }

private:
    /// Takes `capacity` items and no more, and gives them back in order.
    static bool holds_all(Q& q, std::uint64_t capacity) {
        for (std::uint64_t i = 0; i < capacity; ++i)
            if (!q.try_push(i)) return false;
        if (q.try_push(0) || q.was_size() != capacity) return false;
        for (std::uint64_t i = 0; i < capacity; ++i)
            if (q.try_pop() != (first_in_first_out<Q> ? i : capacity - 1 - i)) return false;
        return !q.try_pop();
    }
};

}  // namespace zeroipc::testing
