#pragma once
/// \file
/// A ring with one robust mutex for producers and one for consumers, so that the two sides do not wait for each other.
/// Kill-safe (see robust_mutex); blocking, because a stopped owner stops its side.
/// Source: M. Michael and M. Scott, "Simple, fast, and practical non-blocking and blocking concurrent queue algorithms",
/// 1996, whose two-lock queue this is, with a ring in place of the list.
///
/// Why it is right: each index is written under its side's mutex only, so within a side everything is ordered. Between the
/// sides, a slot's bytes go from producer to consumer by the tail, (D2) to (D1), and back by the head, likewise. A
/// negative answer reads the other side's index again behind a seq_cst fence: of a push that found a queue full and a pop
/// that found another one empty, each behind the other's commit, one at least sees that commit.

#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class two_lock_ring {
    using layout = typename Policies::layout;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;

public:
    static constexpr std::uint64_t item_stride = format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = false;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t items = 0;  ///< offset of the first item
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        auto const items = layout::body_offset + 2 * robust_mutex::stride(layout::line);
        return {capacity, items, items + item_stride * capacity};
    }

    static void initialise(std::byte* base, shape const&) {
        head_mutex(base).initialise();
        tail_mutex(base).initialise();
    }

    two_lock_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          head_mutex_(head_mutex(base)),
          tail_mutex_(tail_mutex(base)),
          items_(base + s.items),
          capacity_(s.capacity) {}

    /// Blocking. Commit: the store to tail.
    bool try_push(void const* item) {
        robust_mutex::guard const locked(tail_mutex_);
        auto const tail = tail_->load(std::memory_order_relaxed);     // written under this mutex only
        if (is_full(tail, head_->load(std::memory_order_acquire))) {  // (D1)
            atomics::fence(std::memory_order_seq_cst);
            if (is_full(tail, head_->load(std::memory_order_acquire))) return false;  // (D1)
        }
        atomics::write_payload(item_at(tail), item, ItemBytes);
        atomics::order_for_undertaker();
        tail_->store(tail + 1, std::memory_order_release);  // (D2)
        return true;
    }

    /// Blocking. Commit: the store to head, after the copy: a kill in between leaves the item in the queue.
    bool try_pop(void* item) {
        robust_mutex::guard const locked(head_mutex_);
        auto const head = head_->load(std::memory_order_relaxed);  // written under this mutex only
        if (tail_->load(std::memory_order_acquire) == head) {      // (D1)
            atomics::fence(std::memory_order_seq_cst);
            if (tail_->load(std::memory_order_acquire) == head) return false;  // (D1)
        }
        atomics::read_payload(item, item_at(head), ItemBytes);
        atomics::order_for_undertaker();
        head_->store(head + 1, std::memory_order_release);  // (D2)
        return true;
    }

    /// Exact if nothing is popped meanwhile, else an estimate from above.
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const head = head_->load(std::memory_order_acquire);
        auto const size = tail_->load(std::memory_order_acquire) - head;
        return size < capacity_ ? size : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    static robust_mutex head_mutex(std::byte* base) noexcept {
        return robust_mutex(base + layout::body_offset);
    }
    static robust_mutex tail_mutex(std::byte* base) noexcept {
        return robust_mutex(base + layout::body_offset + robust_mutex::stride(layout::line));
    }

    [[nodiscard]] bool is_full(std::uint64_t tail, std::uint64_t head) const noexcept {
        return tail - head >= capacity_;
    }
    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept {
        return items_ + item_stride * (position & (capacity_ - 1));
    }

    word* head_;
    word* tail_;
    robust_mutex head_mutex_;
    robust_mutex tail_mutex_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the ring with two mutexes.
struct two_lock {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "two_lock";
    static constexpr std::uint32_t id = 8;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr bool uses_kernel_locks = true;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source =
        "Michael and Scott 1996, two-lock queue; on a ring, robust mutexes";

    template <class Policies, std::size_t ItemBytes>
    using ring = two_lock_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
