#pragma once
/// \file
/// The stack's baseline: an array under one robust, process-shared POSIX mutex. Kill-safe (see robust_mutex); blocking,
/// because a stopped owner stops all.

#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "array_ring.hpp"
#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class mutex_stack : public array_store<Policies, ItemBytes, 1> {
    using above = array_store<Policies, ItemBytes, 1>;
    using above::capacity_;
    using above::items_;
    using typename above::atomics;
    using typename above::layout;
    using typename above::word;

public:
    using above::item_stride;

    mutex_stack(std::byte* base, typename above::shape const& s, std::uint32_t /*slot*/)
        : above(base, s),
          top_(reinterpret_cast<word*>(base + layout::top_offset)),
          mutex_(above::mutex(base, 0)) {}

    /// Blocking. Commit: the store to top, which counts the items.
    bool try_push(void const* item) {
        robust_mutex::guard const locked(mutex_);
        auto const count =
            top_->load(std::memory_order_relaxed);  // all accesses here are ordered by the mutex
        if (count >= capacity_) return false;
        atomics::write_payload(items_ + item_stride * count, item, ItemBytes);
        atomics::order_for_undertaker();
        top_->store(count + 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking. Commit: the store to top, after the copy: a kill in between leaves the item in the stack.
    bool try_pop(void* item) {
        robust_mutex::guard const locked(mutex_);
        auto const count = top_->load(std::memory_order_relaxed);
        if (!copy_top(count, item)) return false;
        atomics::order_for_undertaker();
        top_->store(count - 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking.
    bool try_peek(void* item) {
        robust_mutex::guard const locked(mutex_);
        return copy_top(top_->load(std::memory_order_relaxed), item);
    }

    [[nodiscard]] std::uint64_t was_size() const {
        robust_mutex::guard const locked(mutex_);
        auto const count = top_->load(std::memory_order_relaxed);
        return count < capacity_ ? count : capacity_;
    }

private:
    bool copy_top(std::uint64_t count, void* item) const {
        if (count == 0) return false;
        if (count > capacity_) zeroipc::detail::corrupt("stack", "it counts more items than its capacity");
        atomics::read_payload(item, items_ + item_stride * (count - 1), ItemBytes);
        return true;
    }

    word* top_;
    robust_mutex mutex_;
};

namespace algorithm {

/// Selects the array under a robust mutex, as a stack.
struct stack_mutex {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "stack";
    static constexpr std::string_view name = "mutex";
    static constexpr std::uint32_t id = 2;
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
    using ring = mutex_stack<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
