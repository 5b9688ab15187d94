#pragma once
/// \file
/// A ring for one producer and one consumer. Each side keeps a copy of the other's index, and reads the shared one only
/// when the copy says full or empty. With batches, try_push_n and try_pop_n publish all their items by one store.
/// Sources: L. Lamport, "Proving the correctness of multiprocess programs", 1977; the copies and the batches: P. Lee,
/// T. Bu, G. Chandranmenon, "A lock-free, cache-efficient multi-core synchronization mechanism", 2010. Theirs holds single
/// items back too, until a batch is full; then an item that was pushed is not seen before the next push, perhaps never.
/// Here only a batch that the caller makes is one.
///
/// The roles: at most one handle pushes and at most one pops at a time, and one that takes a role over does so after the
/// former holder's last operation (by its death, by a message, by whatever orders the two). Nothing enforces it.
///
/// Why it is right: an index has one writer, which reads it relaxed. A slot's bytes go from producer to consumer by the
/// tail, (P2) to (P1), and back by the head, likewise. A copy of an index is older than the index, never newer, so it
/// errs on the safe side. Each operation commits by one store behind its copying: a process may be killed at any
/// instruction, and whoever takes its role over goes on where it was. Negative answers are not linearizable by the clock:
/// the other side's commit may have returned and yet stand in its processor's store buffer; a fence behind each commit
/// would cost more than the whole operation.

#include <zeroipc/policy.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "array_ring.hpp"

namespace zeroipc::variants {

/// Numbers of the ordered accesses. Edge (P1)-(P2): slots' bytes, from one side to the other.
enum class spsc_access : int {
    reads_other_index = 1,    ///< (P1) acquire; partner (P2)
    publishes_own_index = 2,  ///< (P2) release; partner (P1)
};

template <class Policies, std::size_t ItemBytes>
class spsc_ring : public array_ring<Policies, ItemBytes> {
    using above = array_ring<Policies, ItemBytes>;
    using ordering = typename Policies::ordering;
    using access = spsc_access;

protected:
    using above::capacity_;
    using above::head_;
    using above::item_at;
    using above::tail_;
    using typename above::atomics;
    using typename above::word;

public:
    spsc_ring(std::byte* base, typename above::shape const& s, std::uint32_t /*slot*/)
        : above(base, s),
          known_head_(tail_->load(std::memory_order_relaxed) - capacity_),  // it knows of no space
          known_tail_(head_->load(std::memory_order_relaxed)) {}            // and of no item

    /// Wait-free. Commit: the store to tail (P2).
    bool try_push(void const* item) noexcept {
        auto const tail = tail_->load(std::memory_order_relaxed);  // ours alone to write
        if (space(tail, 1) == 0) return false;
        atomics::write_payload(item_at(tail), item, ItemBytes);
        publish(*tail_, tail + 1);
        return true;
    }

    /// Wait-free. Commit: the store to head (P2), after the copy: a kill in between leaves the item in the queue.
    bool try_pop(void* item) noexcept {
        auto const head = head_->load(std::memory_order_relaxed);  // ours alone to write
        if (items(head, 1) == 0) return false;
        atomics::read_payload(item, item_at(head), ItemBytes);
        publish(*head_, head + 1);
        return true;
    }

protected:
    /// Free slots that the producer knows of behind `tail`; it looks again if they are fewer than wanted.
    std::uint64_t space(std::uint64_t tail, std::uint64_t wanted) noexcept {
        if (free_behind(tail) < wanted)
            known_head_ = ordering::template load<atomics, access::reads_other_index>(*head_);  // (P1)
        return free_behind(tail);
    }
    /// The same for items that the consumer knows of from `head` on.
    std::uint64_t items(std::uint64_t head, std::uint64_t wanted) noexcept {
        if (full_from(head) < wanted)
            known_tail_ = ordering::template load<atomics, access::reads_other_index>(*tail_);  // (P1)
        return full_from(head);
    }

    static void publish(word& index, std::uint64_t position) noexcept {
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::publishes_own_index>(index, position);  // (P2)
    }

private:
    [[nodiscard]] std::uint64_t free_behind(std::uint64_t tail) const noexcept {
        auto const used = tail - known_head_;
        return used < capacity_ ? capacity_ - used : 0;
    }
    /// 0 too if another handle has taken out more than this one knows of.
    [[nodiscard]] std::uint64_t full_from(std::uint64_t head) const noexcept {
        auto const ahead = known_tail_ - head;
        return ahead <= capacity_ ? ahead : 0;
    }

    std::uint64_t known_head_;  ///< the producer's copy
    std::uint64_t known_tail_;  ///< the consumer's copy
};

/// The same bytes, with batches: n items, one store. A kill within a batch leaves it as if not begun.
template <class Policies, std::size_t ItemBytes>
class spsc_batch_ring : public spsc_ring<Policies, ItemBytes> {
    using base = spsc_ring<Policies, ItemBytes>;
    using atomics = typename base::atomics;

public:
    using base::base;

    /// Wait-free. \return how many went in; fewer than n: the queue was full behind the last one.
    std::size_t try_push_n(void const* from, std::size_t n) noexcept {
        auto const tail = this->tail_->load(std::memory_order_relaxed);
        auto const done = std::min<std::uint64_t>(n, this->space(tail, n));
        for (std::uint64_t i = 0; i < done; ++i)
            atomics::write_payload(this->item_at(tail + i),
                                   static_cast<std::byte const*>(from) + ItemBytes * i, ItemBytes);
        if (done > 0) base::publish(*this->tail_, tail + done);
        return done;
    }

    /// Wait-free. \return how many came out; fewer than n: the queue was empty behind the last one.
    std::size_t try_pop_n(void* to, std::size_t n) noexcept {
        auto const head = this->head_->load(std::memory_order_relaxed);
        auto const done = std::min<std::uint64_t>(n, this->items(head, n));
        for (std::uint64_t i = 0; i < done; ++i)
            atomics::read_payload(static_cast<std::byte*>(to) + ItemBytes * i, this->item_at(head + i),
                                  ItemBytes);
        if (done > 0) base::publish(*this->head_, head + done);
        return done;
    }
};

namespace algorithm {

/// Selects the ring for one producer and one consumer.
struct spsc {
    using policy_kind = policy::algorithm_kind;
    using access = spsc_access;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "spsc";
    static constexpr std::uint32_t id = 7;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = false;  // a wake-up would cost each operation a fence
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = false;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = false;
    static constexpr std::uint32_t max_producers = 1;
    static constexpr std::uint32_t max_consumers = 1;
    static constexpr std::string_view progress = "wait-free";
    static constexpr std::string_view source = "Lamport 1977; copied indices: Lee et al. 2010";

    template <class Policies, std::size_t ItemBytes>
    using ring = spsc_ring<Policies, ItemBytes>;
};

/// The same with batches that are published by one store. The bytes are the same, so are their numbers: two processes may
/// differ in it.
struct spsc_batch : spsc {
    static constexpr std::string_view name = "spsc_batch";
    static constexpr std::string_view source = "Lamport 1977; copied indices and batches: Lee et al. 2010";

    template <class Policies, std::size_t ItemBytes>
    using ring = spsc_batch_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
