#pragma once
/// \file
/// The stack's baseline: an array under one robust, process-shared POSIX mutex. Kill-safe (see robust_mutex); blocking,
/// because a stopped owner stops all.

#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class mutex_stack {
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
        auto const items = layout::body_offset + robust_mutex::stride(layout::line);
        return {capacity, items, items + item_stride * capacity};
    }

    static void initialise(std::byte* base, shape const&) {
        robust_mutex(base + layout::body_offset).initialise();
    }

    mutex_stack(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : top_(reinterpret_cast<word*>(base + layout::top_offset)),
          mutex_(base + layout::body_offset),
          items_(base + s.items),
          capacity_(s.capacity) {}

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

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    bool copy_top(std::uint64_t count, void* item) const {
        if (count == 0) return false;
        if (count > capacity_)
            throw error(errc::corrupt,
                        "stack: it counts more items than its capacity; a peer overwrote it: make it anew");
        atomics::read_payload(item, items_ + item_stride * (count - 1), ItemBytes);
        return true;
    }

    word* top_;
    robust_mutex mutex_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
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
