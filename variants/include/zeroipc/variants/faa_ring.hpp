#pragma once
/// \file
/// A ring whose cells are claimed by fetch-add: no claim ever fails, and who claimed a cell waits for its former user.
/// Source: A. Gottlieb, B. Lubachevsky, L. Rudolph, "Basic techniques for the efficient coordination of very large numbers
/// of cooperating sequential processors", 1983 (test-increment-retest on bounds of the size, fetch-add on the indices).
///
/// Two bounds of the size say beforehand whether a claim will be served: `most` counts a push from its beginning and a pop
/// to its end; `least` a push from its end and a pop from its beginning.
///
/// Why no two wait for each other: the push of position p got its credit when at most C - 1 others were counted in `most`,
/// so at least p - C + 1 pops were over, so the pop of position p - C has been claimed; it, if it waits, waits for the push
/// of position p - C, and so on downwards. So everybody waits only for who is inside an operation; if that one is dead, for
/// ever. Why no item is torn: the turn in each cell, (F1)-(F2), alone orders its bytes; the bounds need no order. Full and
/// empty are not linearizable: others that have begun, or not ended, are counted as they should not be.

#include <sched.h>
#include <zeroipc/atomics.hpp>
#include <zeroipc/backoff.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zeroipc::variants {

/// Numbers of the ordered accesses. Edge (F1)-(F2): a cell's bytes, from who filled (emptied) it to who empties
/// (fills) it.
enum class faa_access : int {
    reads_turn = 1,     ///< (F1) acquire; partner (F2)
    passes_turn = 2,    ///< (F2) release; partner (F1)
    claims = 3,         ///< (F3) only its atomicity matters
    moves_bounds = 4,   ///< (F4) only its atomicity matters
    reads_a_bound = 5,  ///< (F5) a hint, which (F4) checks
};

template <class Policies, std::size_t ItemBytes>
class faa_ring {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = faa_access;

public:
    static constexpr std::uint64_t item_stride = 8 + format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;  // the turn stands in front of its item
    static constexpr bool commits_by_rmw = false;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        return {capacity, layout::body_offset + 2 * layout::line + item_stride * capacity};
    }

    faa_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          most_(reinterpret_cast<word*>(base + layout::body_offset)),
          least_(reinterpret_cast<word*>(base + layout::body_offset + layout::line)),
          cells_(base + layout::body_offset + 2 * layout::line),
          capacity_(s.capacity),
          lap_shift_(static_cast<unsigned>(std::countr_zero(s.capacity))) {}

    /// Blocking: waits for who is inside an operation on its cell.
    bool try_push(void const* item) {
        if (!take_credit(*most_, 1, signed_of(capacity_))) return false;
        auto const position = claim(*tail_);
        auto const turn = 2 * (position >> lap_shift_);
        await(turn_of(position), turn);
        atomics::write_payload(item_at(position), item, ItemBytes);
        ordering::template store<atomics, access::passes_turn>(turn_of(position), turn + 1);  // (F2)
        add(*least_, 1);
        return true;
    }

    /// As try_push.
    bool try_pop(void* item) {
        if (!take_credit(*least_, -1, 0)) return false;
        auto const position = claim(*head_);
        auto const turn = 2 * (position >> lap_shift_) + 1;
        await(turn_of(position), turn);
        atomics::read_payload(item, item_at(position), ItemBytes);
        ordering::template store<atomics, access::passes_turn>(turn_of(position), turn + 1);  // (F2)
        add(*most_, -1);
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const size = signed_of(least_->load(std::memory_order_acquire));
        if (size < 0) return 0;
        return static_cast<std::uint64_t>(size) < capacity_ ? static_cast<std::uint64_t>(size) : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    /// More rounds than any live peer's operation takes. Most of them give the processor away.
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();

    static std::int64_t signed_of(std::uint64_t value) noexcept { return static_cast<std::int64_t>(value); }

    /// \return what was there before.
    template <access Number = access::moves_bounds>
    static std::uint64_t add(word& to, std::int64_t by) noexcept {
        return ordering::template modify<atomics, Number>(
            [&](std::memory_order order) { return to.fetch_add(static_cast<std::uint64_t>(by), order); });
    }
    static std::uint64_t claim(word& index) noexcept { return add<access::claims>(index, 1); }  // (F3)

    /// Moves a bound by `by` unless it is at or beyond `limit` already: test, move, test again.
    bool take_credit(word& bound, std::int64_t by, std::int64_t limit) noexcept {
        auto const beyond = [&](std::uint64_t value) {
            return by > 0 ? signed_of(value) >= limit : signed_of(value) <= limit;
        };
        if (beyond(ordering::template load<atomics, access::reads_a_bound>(bound))) return false;  // (F5)
        if (!beyond(add(bound, by))) return true;                                                  // (F4)
        add(bound, -by);                                                                           // (F4)
        observer_.retry();
        return false;
    }

    void await(word& turn, std::uint64_t expected) {
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const now = ordering::template load<atomics, access::reads_turn>(turn);  // (F1)
            if (now == expected) return;
            observer_.backoff();
            zeroipc::backoff::back_off(wait, expected - now);
            if (round >= 64) ::sched_yield();
        }
        stopped();
    }

    [[noreturn, gnu::cold, gnu::noinline]] static void stopped() {
        throw error(errc::corrupt, "queue: a cell was not passed on in " + std::to_string(patience) +
                                       " rounds; its user died, or a peer overwrote it: make the queue anew");
    }

    [[nodiscard]] std::byte* cell(std::uint64_t position) const noexcept {
        return cells_ + item_stride * (position & (capacity_ - 1));
    }
    [[nodiscard]] word& turn_of(std::uint64_t position) const noexcept {
        return *reinterpret_cast<word*>(cell(position));
    }
    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept { return cell(position) + 8; }

    word* head_;
    word* tail_;
    word* most_;   ///< at least the size: pushes begun less pops ended
    word* least_;  ///< at most the size: pushes ended less pops begun
    std::byte* cells_;
    std::uint64_t capacity_;
    unsigned lap_shift_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the ring claimed by fetch-add.
struct faa {
    using policy_kind = policy::algorithm_kind;
    using access = faa_access;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "faa";
    static constexpr std::uint32_t id = 5;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = false;  // as for the ticket ring
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = false;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "Gottlieb, Lubachevsky and Rudolph 1983";

    template <class Policies, std::size_t ItemBytes>
    using ring = faa_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
