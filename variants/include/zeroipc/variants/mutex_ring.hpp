#pragma once
/// \file
/// The baseline: a ring under one robust, process-shared POSIX mutex. Kill-safe (see robust_mutex); blocking, because a
/// stopped owner stops all.

#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "robust_mutex.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class mutex_ring {
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

    mutex_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          mutex_(base + layout::body_offset),
          items_(base + s.items),
          capacity_(s.capacity) {}

    /// Blocking. Commit: the store to tail.
    bool try_push(void const* item) {
        robust_mutex::guard const locked(mutex_);
        auto const tail =
            tail_->load(std::memory_order_relaxed);  // all accesses here are ordered by the mutex
        if (tail - head_->load(std::memory_order_relaxed) >= capacity_) return false;
        atomics::write_payload(items_ + item_stride * (tail & (capacity_ - 1)), item, ItemBytes);
        atomics::order_for_undertaker();
        tail_->store(tail + 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking. Commit: the store to head, after the copy: a kill in between leaves the item in the queue.
    bool try_pop(void* item) {
        robust_mutex::guard const locked(mutex_);
        auto const head = head_->load(std::memory_order_relaxed);
        if (head == tail_->load(std::memory_order_relaxed)) return false;
        atomics::read_payload(item, items_ + item_stride * (head & (capacity_ - 1)), ItemBytes);
        atomics::order_for_undertaker();
        head_->store(head + 1, std::memory_order_relaxed);
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const {
        robust_mutex::guard const locked(mutex_);
        auto const size = tail_->load(std::memory_order_relaxed) - head_->load(std::memory_order_relaxed);
        return size < capacity_ ? size : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    word* head_;
    word* tail_;
    robust_mutex mutex_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
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
