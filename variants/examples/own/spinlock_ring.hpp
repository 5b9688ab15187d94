#pragma once
/// \file
/// Example of an algorithm of one's own: a queue in a ring under a spinlock in shared memory.
///
/// Not kill-safe: the lock of a dead owner is never let go, and the next operation of anybody throws after some seconds.

#include <sched.h>
#include <zeroipc/atomics.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace own {

/// The accesses whose order matters. A policy of orderings may treat each differently.
enum class spinlock_access : std::uint8_t {
    locks,   ///< (L1) acquire; partner (L2)
    unlocks  ///< (L2) release; partner (L1)
};

template <class Policies, std::size_t ItemBytes>
class spinlock_ring {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics =
        typename Policies::atomics;  // all shared accesses go through it: so the explorer sees them
    using word = typename atomics::template word<std::uint64_t>;

public:
    static constexpr std::uint64_t item_stride = zeroipc::format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = false;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        return {capacity, layout::body_offset + layout::line + item_stride * capacity};
    }

    spinlock_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          lock_(reinterpret_cast<word*>(base + layout::body_offset)),
          items_(base + layout::body_offset + layout::line),
          capacity_(s.capacity) {}

    /// Blocking.
    bool try_push(void const* item) {
        held const locked(*this);
        auto const tail = tail_->load(std::memory_order_relaxed);
        if (tail - head_->load(std::memory_order_relaxed) >= capacity_) return false;
        atomics::write_payload(item_at(tail), item, ItemBytes);
        tail_->store(tail + 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking.
    bool try_pop(void* item) {
        held const locked(*this);
        auto const head = head_->load(std::memory_order_relaxed);
        if (head == tail_->load(std::memory_order_relaxed)) return false;
        atomics::read_payload(item, item_at(head), ItemBytes);
        head_->store(head + 1, std::memory_order_relaxed);
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
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();

    class held {
    public:
        explicit held(spinlock_ring& ring) : ring_(ring) {
            backoff wait;
            for (std::uint64_t round = 0; round < patience; ++round) {
                std::uint64_t is_free = 0;
                if (ordering::template exchange_if<atomics, spinlock_access::locks>(  // (L1)
                        *ring.lock_, is_free, std::uint64_t{1}))
                    return;
                ring.observer_.retry();
                ring.observer_.backoff();
                wait();
                if (round % 64 == 63) ::sched_yield();
            }
            zeroipc::detail::no_progress("queue", patience);
        }
        ~held() {
            ordering::template store<atomics, spinlock_access::unlocks>(*ring_.lock_,
                                                                        std::uint64_t{0});  // (L2)
        }
        held(held const&) = delete;
        held& operator=(held const&) = delete;
        held(held&&) = delete;
        held& operator=(held&&) = delete;

    private:
        spinlock_ring& ring_;
    };

    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept {
        return items_ + item_stride * (position & (capacity_ - 1));
    }

    word* head_;
    word* tail_;
    word* lock_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

/// Selects it, and says what it promises: tests hold it to that.
struct spinlock {
    using policy_kind = zeroipc::policy::algorithm_kind;
    using access = spinlock_access;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "spinlock";
    static constexpr std::uint32_t id = 1000;  // numbers from 1000 on are never ours
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "an example: test-and-set lock";

    template <class Policies, std::size_t ItemBytes>
    using ring = spinlock_ring<Policies, ItemBytes>;
};

}  // namespace own
