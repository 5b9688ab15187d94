#pragma once
/// \file
/// The sequence-number ring: fast, and the reason why the exchange ring exists. A process killed between
/// claiming a cell and publishing it stops all others for ever, and its full and empty are not linearizable.
/// Source: D. Vyukov, "Bounded MPMC queue", 2010.

#include <zeroipc/atomics.hpp>
#include <zeroipc/backoff.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/layout.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zeroipc::variants {

/// Numbers of the ordered accesses. Edge (S1)-(S2): a cell's bytes, from who filled (emptied) it to who
/// empties (fills) it.
enum class ticket_access : int {
    reads_sequence = 1,   ///< (S1) acquire; partner (S2)
    writes_sequence = 2,  ///< (S2) release; partner (S1)
    claims = 3,           ///< (S3) only the claim's atomicity matters; the policy may order it
};

template <class Policies, std::size_t ItemBytes>
class ticket_ring {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = ticket_access;

public:
    static constexpr std::uint64_t item_stride =
        zeroipc::layout::slot_stride<layout>(8 + format::align_up(ItemBytes, 8));
    static constexpr std::uint64_t cell_stride = 0;  // the sequence stands in front of its item
    static constexpr bool commits_by_rmw = false;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        return {capacity, layout::body_offset + item_stride * capacity};
    }

    ticket_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          cells_(base + layout::body_offset),
          capacity_(s.capacity) {}

    /// Blocking in disguise: fails for ever behind a process that died after its claim (S3).
    bool try_push(void const* item) {
        std::uint64_t position = 0;
        if (!claim(*tail_, 0, position)) return false;
        atomics::write_payload(item_at(position), item, ItemBytes);
        ordering::template store<atomics, access::writes_sequence>(sequence(position),  // (S2)
                                                                   relative(position + 1, position));
        return true;
    }

    /// As try_push.
    bool try_pop(void* item) {
        std::uint64_t position = 0;
        if (!claim(*head_, 1, position)) return false;
        atomics::read_payload(item, item_at(position), ItemBytes);
        ordering::template store<atomics, access::writes_sequence>(sequence(position),  // (S2)
                                                                   relative(position + capacity_, position));
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const head = head_->load(std::memory_order_acquire);
        auto const size = static_cast<std::int64_t>(tail_->load(std::memory_order_acquire) - head);
        if (size < 0) return 0;
        return static_cast<std::uint64_t>(size) < capacity_ ? static_cast<std::uint64_t>(size) : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();

    /// Sequences are stored relative to their cell's number, so that zeroed memory is an empty ring.
    [[nodiscard]] std::uint64_t relative(std::uint64_t value, std::uint64_t position) const noexcept {
        return value - (position & (capacity_ - 1));
    }
    [[nodiscard]] std::byte* cell(std::uint64_t position) const noexcept {
        return cells_ + item_stride * zeroipc::layout::place_of<layout>(
                                          position & (capacity_ - 1),
                                          static_cast<unsigned>(std::countr_zero(capacity_)));
    }
    [[nodiscard]] word& sequence(std::uint64_t position) const noexcept {
        return *reinterpret_cast<word*>(cell(position));
    }
    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept { return cell(position) + 8; }

    /// \param lead how far a ready cell's sequence is ahead of its position: 0 to fill it, 1 to empty it.
    bool claim(word& index, std::uint64_t lead, std::uint64_t& position) {
        backoff wait;
        position = index.load(std::memory_order_relaxed);  // a hint: the claim (S3) checks it
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const now =
                ordering::template load<atomics, access::reads_sequence>(sequence(position));  // (S1)
            auto const ahead = static_cast<std::int64_t>(now - relative(position + lead, position));
            if (ahead == 0) {
                auto const claimed = position;
                if (ordering::template exchange_if<atomics, access::claims>(index, position,
                                                                            position + 1))  // (S3)
                    return true;
                observer_.retry();
                observer_.backoff();
                zeroipc::backoff::back_off(wait, position - claimed);
            } else if (ahead < 0) {
                return false;  // full or empty, or its user is slow, or dead
            } else {
                position = index.load(std::memory_order_relaxed);
            }
        }
        zeroipc::detail::no_progress("queue", patience);
    }

    word* head_;
    word* tail_;
    std::byte* cells_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the sequence-number ring.
struct ticket {
    using policy_kind = policy::algorithm_kind;
    using access = ticket_access;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "ticket";
    static constexpr std::uint32_t id = 2;
    static constexpr std::uint64_t min_capacity =
        2;  // with one cell, "full" and "empty in the next lap" are the same number
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep =
        false;  // a wake-up would cost each operation a fence that the ring itself has no need of
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = false;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "Vyukov 2010, bounded MPMC queue";

    template <class Policies, std::size_t ItemBytes>
    using ring = ticket_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
