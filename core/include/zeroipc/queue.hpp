#pragma once
/// \file
/// A bounded multi-producer multi-consumer FIFO queue in shared memory.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "detail/container.hpp"
#include "detail/policies.hpp"
#include "detail/structure.hpp"
#include "error.hpp"
#include "exchange_ring.hpp"
#include "memory.hpp"
#include "repair.hpp"
#include "shareable.hpp"

namespace zeroipc {

/// How a queue is made.
struct queue_options {
    /// Handles (Queue objects, in all processes together) that may be open at once, 1 to 1000. Each costs two
    /// items' space. Algorithms without handles have no such limit.
    std::uint32_t handle_slots = 64;
};

namespace detail {

template <class... Ps>
using queue_policies = structure_policies<zeroipc::algorithm::exchange, Ps...>;

/// \throws error(errc::invalid_capacity)
inline void check_power_of_two(std::string const& what, std::uint64_t capacity, std::uint64_t least,
                               std::string_view algorithm) {
    if (capacity == 0 || (capacity & (capacity - 1)) != 0)
        throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) +
                                                " is not a power of two; use 1, 2, 4, 8, ...");
    if (capacity < least)
        throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) + "; the " +
                                                std::string(algorithm) + " algorithm needs at least " +
                                                std::to_string(least));
}

/// What a queue's type knows of its bytes.
template <class Policies, std::size_t ItemBytes>
struct queue_shape : ring_shape<Policies, ItemBytes, queue_options, format::kind::queue> {
    using base = ring_shape<Policies, ItemBytes, queue_options, format::kind::queue>;
    using algorithm = typename base::algorithm;
    static constexpr std::string_view noun = "queue";
    static constexpr std::size_t capacity_offset = 16;
    static constexpr std::size_t descriptor_offset = 24;
    static constexpr std::uint64_t max_capacity = std::uint64_t{1} << 31;

    static typename base::geometry checked(std::string const& what, std::uint64_t capacity,
                                           queue_options const& how) {
        check_power_of_two(what, capacity, algorithm::min_capacity, algorithm::name);
        return base::bounded(what, capacity, how, max_capacity);
    }
};

}  // namespace detail

/// A bounded FIFO queue of T between processes.
///
/// A Queue object is a *handle*: one thread at a time uses it. Each thread, and each process, opens its own.
/// Handles of dead processes are taken over by later ones; what a kill costs depends on the algorithm.
///
/// With the default algorithm (algorithm::exchange) try_push and try_pop are lock-free, full and empty are
/// linearizable, and a process may be killed at any instruction: nobody waits for it, and at most the item in
/// its hands is lost.
///
/// \tparam T trivially copyable, any size, alignment up to 64.
/// \tparam Policies any of algorithm::, layout::, ordering::, backoff::, waiting::, observer::, atomics::, in any
///         order, each at most once. Algorithm and layout are part of the bytes; the others are private to this
///         handle.
template <shareable T, class... Policies>
class Queue : public detail::container<T, detail::queue_policies<Policies...>,
                                       detail::queue_shape<detail::queue_policies<Policies...>, sizeof(T)>> {
    using shape = detail::queue_shape<detail::queue_policies<Policies...>, sizeof(T)>;
    using base = detail::container<T, detail::queue_policies<Policies...>, shape>;
    using structure = detail::structure<shape>;
    using ring = typename shape::ring;
    using base::items_wait_;
    using base::misused;
    using base::ring_;
    using base::space_wait_;
    using base::state_;

public:
    /// Makes the queue `name` in the segment, and opens it.
    /// \param capacity items that it holds: a power of two.
    /// \throws error: exists, invalid_capacity, invalid_argument, invalid_name, segment_full, table_full,
    /// too_large, busy, forked; no_handle_slot if others were quicker to open it (then it is there)
    Queue(Memory& memory, std::string_view name, std::uint64_t capacity, queue_options const& options = {})
        : base(memory, structure::create(memory, name, capacity, options)) {}

    /// Opens the queue `name`. \throws error: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot
    Queue(Memory& memory, std::string_view name) : base(memory, structure::lookup(memory, name)) {}

    /// Bytes that a queue takes from its segment. \throws error: invalid_capacity, invalid_argument,
    /// too_large
    static std::uint64_t bytes_for(std::uint64_t capacity, queue_options const& options = {}) {
        return shape::checked("queue", capacity, options).total;
    }

    /// Lends the handle's own buffer for the next item, to be filled in place. It holds bytes of some earlier
    /// item, or zeros: fill in all of it. The reference is good until publish() succeeds or cancel(), whether
    /// the Queue object is moved or not, and no longer than the handle. Private until published: a kill before
    /// that costs nothing. No shared access. \throws error: forked; misuse if a loan is out already
    [[nodiscard]] T& loan() requires detail::in_place<ring> {
        this->may_push();
        this->set_lent(true);
        return *object_in(ring_.out_buffer());
    }

    /// Appends the item that was filled in. \return false if the queue was full; then the loan is still out: try
    /// again, or cancel(). Lock-free, as try_push. \throws error: corrupt, forked; misuse without a loan
    bool publish() requires detail::in_place<ring> {
        state_->refuse_forked();
        if (!this->lent()) [[unlikely]]
            misused("publish() without a loan; call loan() and fill the item first");
        if (!ring_.publish()) return false;
        this->set_lent(false);
        this->wake(items_wait_);
        return true;
    }
    /// The same, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool publish(std::chrono::duration<Rep, Period> timeout) requires detail::in_place<ring> {
        return publish() ||
               base::policies::waiting::template wait<typename base::atomics>(
                   *space_wait_, [&] { return publish(); }, detail::end_of(timeout), ring_.observed());
    }

    /// Gives the loan up; nothing is appended. \throws error: misuse without a loan
    void cancel() requires detail::in_place<ring> {
        if (!this->lent())
            misused("cancel() without a loan; call loan() first, and one publish() or cancel() for each");
        this->set_lent(false);
    }

    /// Removes the oldest item, and points at it where it lies: in a buffer that is this handle's until
    /// release(). Lock-free, as try_pop; a kill behind it costs this item. \return nullptr if the queue was empty:
    /// then there is nothing to release. \throws error: corrupt, forked; misuse if a taken item is out already
    [[nodiscard]] T const* take() requires detail::in_place<ring> {
        this->may_pop();
        if (!ring_.take()) return nullptr;
        this->set_taken(true);
        this->wake(space_wait_);
        return object_in(const_cast<std::byte*>(ring_.in_buffer()));  // ours alone
    }
    /// The same, waiting for an item. Blocking. \return nullptr if there was none until the time was over.
    template <class Rep, class Period>
    [[nodiscard]] T const* take(std::chrono::duration<Rep, Period> timeout) requires detail::in_place<ring> {
        T const* item = take();
        if (item != nullptr) return item;
        base::policies::waiting::template wait<typename base::atomics>(
            *items_wait_, [&] { return (item = take()) != nullptr; }, detail::end_of(timeout),
            ring_.observed());
        return item;
    }

    /// Lets go of the item that take() pointed at. No shared access. \throws error: misuse without one
    void release() requires detail::in_place<ring> {
        if (!this->taken())
            misused("release() without a taken item; call take() first, and release() once for each");
        this->set_taken(false);
    }

    /// Items in it, 0 to capacity: exact if nothing is popped meanwhile, else an estimate from above.
    [[nodiscard]] std::uint64_t was_size() const {
        state_->refuse_forked();
        return ring_.was_size();
    }

private:
    /// The T in a buffer. Its bytes came from another process or from zeroed memory, where no program of ours
    /// began its lifetime; std::memmove does that, for it creates objects implicitly where it writes, and T is
    /// trivially copyable. Onto itself it moves nothing, and compilers leave it out.
    static T* object_in(std::byte* buffer) noexcept {
        return std::launder(static_cast<T*>(std::memmove(buffer, buffer, sizeof(T))));
    }
};

}  // namespace zeroipc
