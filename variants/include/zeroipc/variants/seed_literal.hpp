#pragma once
/// \file
/// A queue that is wrong on purpose: the sketch with which the project began, taken at its word. It claims a slot by
/// moving the index, and only then writes the item; nothing tells a consumer whether the slot that it claims has been
/// written, nor a producer whether it has been read. Checkers must find that. Never use it.

#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class seed_literal_ring {
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
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        return {capacity, layout::body_offset + item_stride * capacity};
    }

    seed_literal_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          items_(base + layout::body_offset),
          capacity_(s.capacity) {}

    /// Right only if nobody else uses the queue meanwhile.
    bool try_push(void const* item) noexcept {
        auto tail = tail_->load(std::memory_order_relaxed);
        do {
            if (tail - head_->load(std::memory_order_relaxed) >= capacity_) return false;
        } while (!tail_->compare_exchange_strong(tail, tail + 1, std::memory_order_relaxed,
                                                 std::memory_order_relaxed));
        // From here on consumers take the slot for full.
        atomics::write_payload(item_at(tail), item, ItemBytes);
        atomics::fence(std::memory_order_seq_cst);
        return true;
    }

    /// As try_push.
    bool try_pop(void* item) noexcept {
        auto head = head_->load(std::memory_order_relaxed);
        do {
            if (head == tail_->load(std::memory_order_relaxed)) return false;
        } while (!head_->compare_exchange_strong(head, head + 1, std::memory_order_relaxed,
                                                 std::memory_order_relaxed));
        // From here on producers take the slot for empty.
        atomics::read_payload(item, item_at(head), ItemBytes);
        atomics::fence(std::memory_order_seq_cst);
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const head = head_->load(std::memory_order_relaxed);
        auto const size = tail_->load(std::memory_order_relaxed) - head;
        return size < capacity_ ? size : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept {
        return items_ + item_stride * (position & (capacity_ - 1));
    }

    word* head_;
    word* tail_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the sketch.
struct seed_literal {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "seed_literal";
    static constexpr std::uint32_t id = 4;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = false;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = false;
    static constexpr bool unsafe = true;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source = "the project's first sketch; negative control";

    template <class Policies, std::size_t ItemBytes>
    using ring = seed_literal_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
