#pragma once
/// \file
/// A queue that is wrong on purpose: the sketch with which the project began, taken at its word. It claims a slot by
/// moving the index, and only then writes the item; nothing tells a consumer whether the slot that it claims has been
/// written, nor a producer whether it has been read. Checkers must find that. Never use it.

#include <zeroipc/policy.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "array_ring.hpp"

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class seed_literal_ring : public array_ring<Policies, ItemBytes> {
    using above = array_ring<Policies, ItemBytes>;
    using above::capacity_;
    using above::head_;
    using above::item_at;
    using above::tail_;
    using typename above::atomics;

public:
    seed_literal_ring(std::byte* base, typename above::shape const& s, std::uint32_t /*slot*/)
        : above(base, s) {}

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
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
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
