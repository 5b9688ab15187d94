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

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "array_ring.hpp"
#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class two_lock_ring : public array_ring<Policies, ItemBytes, 2> {
    using above = array_ring<Policies, ItemBytes, 2>;
    using above::capacity_;
    using above::head_;
    using above::item_at;
    using above::tail_;
    using typename above::atomics;

public:
    two_lock_ring(std::byte* base, typename above::shape const& s, std::uint32_t /*slot*/)
        : above(base, s), head_mutex_(above::mutex(base, 0)), tail_mutex_(above::mutex(base, 1)) {}

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

private:
    [[nodiscard]] bool is_full(std::uint64_t tail, std::uint64_t head) const noexcept {
        return tail - head >= capacity_;
    }
    robust_mutex head_mutex_;
    robust_mutex tail_mutex_;
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
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
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
