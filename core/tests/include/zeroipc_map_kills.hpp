#pragma once
/// \file
/// What processes do on maps while they are killed, and what must hold: an operation took place or did not, values
/// are whole, and no increment is lost.

#include <zeroipc/map.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "zeroipc_kills.hpp"
#include "zeroipc_map_testing.hpp"

namespace zeroipc::testing {

/// A value that says by all its bytes which it is.
struct wide_value {
    std::array<std::uint64_t, 7> words;
    static wide_value of(std::uint64_t n) {
        wide_value w{};
        for (std::size_t i = 0; i < w.words.size(); ++i) w.words[i] = n + (i << 40);
        return w;
    }
    [[nodiscard]] bool whole() const {
        return std::memcmp(this, &(wide_value const&)of(words[0]), sizeof *this) == 0;
    }
};

/// What all processes note of one round. A key belongs to a lane, and a lane to one process at a time. Survivors have
/// the first lanes.
struct map_ledger {
    static constexpr std::uint64_t absent = ~std::uint64_t{0};
    static constexpr std::uint64_t most_lanes = survivors + most_crowd;
    static constexpr std::uint64_t keys_of_lane = 3;
    using row = std::array<std::atomic<std::uint64_t>, keys_of_lane>;

    kill_marks marks;
    std::array<row, most_lanes> settled;   ///< the value that a key has for sure, or absent
    std::array<row, most_lanes> intended;  ///< the one that it may have instead
    std::array<std::atomic<std::uint64_t>, most_lanes> added;  ///< to the common counter, for sure
    std::atomic<std::uint64_t> missing{0};
    std::atomic<std::uint64_t> doubled{0};
    std::atomic<std::uint64_t> nonsense{0};
};

/// The workload: everybody inserts, assigns, erases and finds keys of his lane, finds those of others, and counts up
/// one that all share.
template <class M>
struct map_kills {
    using structure = M;
    using ledger = map_ledger;
    static constexpr auto keys_of_lane = ledger::keys_of_lane;
    static constexpr std::uint64_t common = 0;  ///< the key of the counter
    enum : std::uint32_t { assign = kill_actor::opening + 1, erase, update, find };

    static std::uint64_t key_for(std::uint64_t lane, std::uint64_t i) { return 1 + lane * keys_of_lane + i; }

    static void make(Memory& memory, kill_plan const& plan) {
        M const m(memory, "s", plan.capacity, {plan.handle_slots(), plan.seed});
    }

    static void prepare(M& m, ledger& books, kill_plan const& /*plan*/) {
        clear(m);
        m.insert(common, wide_value::of(0));
        for (auto* const all : {&books.settled, &books.intended})
            for (auto& lane : *all)
                for (auto& one : lane) one = ledger::absent;
    }

    static void survive(M& m, ledger& books, unsigned which, kill_plan const& plan) {
        work(m, books, books.marks.survivor[which], which, random_source(which, plan.seed), plan);
    }

    static void live(M& m, ledger& books, std::uint64_t place, std::uint64_t life, kill_plan const& plan) {
        auto const lane = survivors + place;
        settle_lane(m, books, lane);
        work(m, books, books.marks.worker[place], lane, random_source(survivors + life, plan.seed), plan);
    }

    /// A killed update may have counted, unacknowledged.
    static bool costs(std::uint32_t inside) { return inside == update; }
    static std::uint64_t allowed(std::uint64_t /*costly*/) { return 0; }
    static bool used_up(ledger const& /*books*/) { return false; }

    static void judge(Memory& memory, ledger& books, std::uint64_t /*lives*/, std::uint64_t costly,
                      kill_plan const& plan, kill_verdict& verdict) {
        auto handles = open_all<M>(memory, plan, verdict);
        auto& m = handles.at(0);
        for (std::uint64_t lane = 0; lane < survivors + plan.crowd; ++lane) settle_lane(m, books, lane);
        count_odd(memory, plan, verdict);
        wide_value counter{};
        if (!m.find(common, counter)) ++books.missing;
        std::uint64_t added = 0;
        for (auto const& one : books.added) added += one;
        if (counter.words[0] < added) books.missing += added - counter.words[0];
        if (counter.words[0] > added + costly) books.doubled += counter.words[0] - added - costly;
        std::set<std::uint64_t> keys;
        for (auto const& [key, value] : m) {
            if (!keys.insert(key).second) ++books.doubled;
            if (!value.whole() || key >= key_for(survivors + plan.crowd, 0)) ++books.nonsense;
        }
        clear(m);
        bool all = m.was_empty();
        for (std::uint64_t i = 0; i < plan.capacity; ++i)
            all = m.insert(i, wide_value::of(i)) == outcome::inserted && all;
        all = m.was_size() == plan.capacity && all;
        for (std::uint64_t i = 0; i < plan.capacity; ++i) all = m.erase(i) && all;
        verdict.full_capacity = all && m.was_empty();
        count_odd(memory, plan, verdict);
        verdict.missing = books.missing;
        verdict.doubled = books.doubled;
        verdict.nonsense = books.nonsense;
    }

private:
    static void clear(M& m) {
        std::vector<std::uint64_t> keys;
        for (auto const& [key, value] : m) keys.push_back(key);
        for (auto const key : keys) m.erase(key);
    }

    static void count_odd(Memory& memory, kill_plan const& plan, kill_verdict& verdict) {
        if constexpr (counts_its_blocks<M>) {
            auto const c = census_of<M>(memory, "s", plan.capacity, plan.handle_slots());
            if (!c.right()) verdict.odd += std::max<std::uint64_t>(1, c.odd + c.marks + c.unsettled);
        }
    }

    /// Looks whether each key of a lane has a value that it may have, and settles it.
    static void settle_lane(M& m, ledger& books, std::uint64_t lane) {
        for (std::uint64_t i = 0; i < keys_of_lane; ++i) {
            auto& settled = books.settled[lane][i];
            auto& intended = books.intended[lane][i];
            wide_value value{};
            bool const there = m.find(key_for(lane, i), value);
            auto const is = there ? value.words[0] : ledger::absent;
            if (there && !value.whole())
                ++books.nonsense;
            else if (is != settled && is != intended)
                ++(is == ledger::absent ? books.missing : books.doubled);
            settled = is;
            intended = is;
        }
    }

    static void work(M& m, ledger& books, kill_actor& me, std::uint64_t lane, random_source random,
                     kill_plan const& plan) {
        auto const relaxed = std::memory_order_relaxed;
        auto const lanes = survivors + plan.crowd;
        auto const over = [&] {
            return books.marks.stop.load(relaxed) || (lane >= survivors && books.marks.leave.load(relaxed));
        };
        for (std::uint64_t n = 1; !over(); ++n) {
            if (lane < survivors) rest_while_paused(books.marks);
            auto const i = random.below(keys_of_lane);
            auto const key = key_for(lane, i);
            auto& settled = books.settled[lane][i];
            auto& intended = books.intended[lane][i];
            auto const is = settled.load(relaxed);
            auto const next = is == ledger::absent ? n : is + 1;
            switch (random.below(5)) {
                case 0:
                case 1:
                    intended = next;
                    me.perform(assign, [&] {
                        auto const result = m.insert_or_assign(key, wide_value::of(next));
                        if (result == outcome::full) return false;
                        if ((result == outcome::inserted) != (is == ledger::absent))
                            ++(is == ledger::absent ? books.doubled : books.missing);
                        settled = next;
                        return true;
                    });
                    break;
                case 2:
                    intended = ledger::absent;
                    me.perform(erase, [&] {
                        bool const gone = m.erase(key);
                        if (gone != (is != ledger::absent)) ++(gone ? books.doubled : books.missing);
                        settled = ledger::absent;
                        return true;
                    });
                    break;
                case 3:
                    me.perform(update, [&] {
                        auto const result = m.update(
                            common, [](wide_value const& w) { return wide_value::of(w.words[0] + 1); });
                        if (result == outcome::assigned) ++books.added[lane];
                        if (result == outcome::absent) ++books.missing;
                        return result == outcome::assigned;
                    });
                    break;
                default:
                    me.perform(find, [&] {
                        wide_value value{};
                        if (m.find(key_for(random.below(lanes), i), value) && !value.whole())
                            ++books.nonsense;
                        if (m.find(common, value) && !value.whole()) ++books.nonsense;
                        return true;
                    });
            }
        }
    }
};

}  // namespace zeroipc::testing
