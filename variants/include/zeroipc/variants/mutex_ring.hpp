#pragma once
/// \file
/// The baseline: a ring under one robust, process-shared POSIX mutex. Kill-safe (see robust_mutex); blocking, because a
/// stopped owner stops all.

#include <zeroipc/policy.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "array_ring.hpp"
#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class mutex_ring : public array_ring<Policies, ItemBytes, 1> {
    using above = array_ring<Policies, ItemBytes, 1>;
    using above::capacity_;
    using above::head_;
    using above::item_at;
    using above::tail_;
    using typename above::atomics;

public:
    mutex_ring(std::byte* base, typename above::shape const& s, std::uint32_t /*slot*/)
        : above(base, s), mutex_(above::mutex(base, 0)) {}

    /// Blocking. Commit: the store to tail.
    bool try_push(void const* item) {
        robust_mutex::guard const locked(mutex_);
        auto const tail =
            tail_->load(std::memory_order_relaxed);  // all accesses here are ordered by the mutex
        if (tail - head_->load(std::memory_order_relaxed) >= capacity_) return false;
        atomics::write_payload(item_at(tail), item, ItemBytes);
        atomics::order_for_undertaker();
        tail_->store(tail + 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking. Commit: the store to head, after the copy: a kill in between leaves the item in the queue.
    bool try_pop(void* item) {
        robust_mutex::guard const locked(mutex_);
        auto const head = head_->load(std::memory_order_relaxed);
        if (head == tail_->load(std::memory_order_relaxed)) return false;
        atomics::read_payload(item, item_at(head), ItemBytes);
        atomics::order_for_undertaker();
        head_->store(head + 1, std::memory_order_relaxed);
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const {
        robust_mutex::guard const locked(mutex_);
        auto const size = tail_->load(std::memory_order_relaxed) - head_->load(std::memory_order_relaxed);
        return size < capacity_ ? size : capacity_;
    }

private:
    robust_mutex mutex_;
};

namespace algorithm {

/// Selects the robust mutex ring.
struct mutex {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "mutex";
    static constexpr std::uint32_t id = 3;
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
    static constexpr std::string_view source = "POSIX robust process-shared mutex";

    template <class Policies, std::size_t ItemBytes>
    using ring = mutex_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
