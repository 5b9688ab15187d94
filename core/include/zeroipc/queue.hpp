#pragma once
/// \file
/// A bounded multi-producer multi-consumer FIFO queue in shared memory.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "detail/policies.hpp"
#include "detail/structure.hpp"
#include "error.hpp"
#include "exchange_ring.hpp"
#include "memory.hpp"
#include "shareable.hpp"
#include "waiting.hpp"

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

/// What a queue's type knows of its bytes.
template <class Policies, std::size_t ItemBytes>
struct queue_shape {
    using algorithm = typename Policies::algorithm;
    using layout = typename Policies::layout;
    using ring = typename algorithm::template ring<Policies, ItemBytes>;
    using geometry = decltype(ring::geometry(1, 1));
    using options = queue_options;
    static constexpr std::string_view noun = "queue";
    static constexpr bool has_handles = algorithm::has_handles;
    static constexpr std::size_t capacity_offset = 16;
    static constexpr std::size_t descriptor_offset = 24;
    static constexpr std::uint64_t least_bytes = layout::body_offset;
    static constexpr std::uint64_t slot_stride = layout::line;
    static constexpr std::uint64_t max_capacity = std::uint64_t{1} << 31;

    static geometry checked(std::string const& what, std::uint64_t capacity, options const& how) {
        if (capacity == 0 || (capacity & (capacity - 1)) != 0)
            throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) +
                                                    " is not a power of two; use 1, 2, 4, 8, ...");
        if (capacity < algorithm::min_capacity)
            throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) + "; the " +
                                                    std::string(algorithm::name) +
                                                    " algorithm needs at least " +
                                                    std::to_string(algorithm::min_capacity));
        check_handle_slots(what, how.handle_slots);
        // Checked before multiplying: no product below overflows.
        if (capacity > max_capacity || ItemBytes >= format::segment_limit / capacity)
            throw too_large(what, capacity, ItemBytes);
        auto const g = ring::geometry(capacity, how.handle_slots);
        if (g.total >= format::segment_limit) throw too_large(what, capacity, ItemBytes);
        return g;
    }

    static format::descriptor description(options const& how) noexcept {
        format::descriptor d{};
        d.kind = static_cast<std::uint32_t>(format::kind::queue);
        d.algorithm = algorithm::id;
        d.layout = layout::id;
        d.item_size = ItemBytes;
        d.item_stride = static_cast<std::uint32_t>(ring::item_stride);
        d.cell_stride = static_cast<std::uint32_t>(ring::cell_stride);
        d.handle_slots = has_handles ? how.handle_slots : 0;
        return d;
    }

    static options options_of(format::descriptor const& d) noexcept {
        options how;
        if constexpr (has_handles) how.handle_slots = d.handle_slots;
        return how;
    }

    static void initialise(std::byte* base, geometry const& g) {
        if constexpr (requires { ring::initialise(base, g); }) ring::initialise(base, g);
    }

    template <class IsDead>
    static bool recover(std::byte* base, geometry const& g, std::uint32_t slot, IsDead const& /*is_dead*/) {
        return ring::recover(base, g, slot);
    }
};

/// A ring whose handle fills and reads items where they lie: in a buffer that is its own until it is exchanged.
template <class Ring>
concept in_place = requires(Ring ring) {
    { ring.out_buffer() } -> std::same_as<std::byte*>;
    { ring.publish() } -> std::same_as<bool>;
    { ring.take() } -> std::same_as<bool>;
    { ring.in_buffer() } -> std::same_as<std::byte const*>;
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
class Queue {
public:
    using value_type = T;
    using policies = detail::queue_policies<Policies...>;
    using algorithm = typename policies::algorithm;
    using observer = typename policies::observer;

private:
    using layout = typename policies::layout;
    using atomics = typename policies::atomics;
    using waiters = detail::waiters<atomics>;
    using shape = detail::queue_shape<policies, sizeof(T)>;
    using ring = typename shape::ring;
    using structure = detail::structure<shape>;
    using place = typename structure::place;

public:
    static constexpr std::uint64_t max_capacity = shape::max_capacity;

    /// Makes the queue `name` in the segment, and opens it.
    /// \param capacity items that it holds: a power of two.
    /// \throws error: exists, invalid_capacity, invalid_argument, invalid_name, segment_full, table_full,
    /// too_large
    Queue(Memory& memory, std::string_view name, std::uint64_t capacity, queue_options const& options = {})
        : Queue(memory, structure::create(memory, name, capacity, options)) {}

    /// Opens the queue `name`. \throws error: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot
    Queue(Memory& memory, std::string_view name) : Queue(memory, structure::lookup(memory, name)) {}

    Queue(Queue&&) noexcept = default;
    Queue& operator=(Queue&&) noexcept = default;
    Queue(Queue const&) = delete;
    Queue& operator=(Queue const&) = delete;
    ~Queue() = default;

    /// Bytes that a queue takes from its segment. \throws error: invalid_capacity, invalid_argument,
    /// too_large
    static std::uint64_t bytes_for(std::uint64_t capacity, queue_options const& options = {}) {
        return shape::checked("queue", capacity, options).total;
    }

    /// Appends an item. \return false if the queue was full. \throws error: corrupt, forked; misuse while a loan
    /// is out, as all pushes do.
    bool try_push(T const& item) {
        state_->refuse_forked();
        refuse_lent();
        if (!ring_.try_push(&item)) return false;
        wake(items_wait_);
        return true;
    }

    /// Removes the oldest item into `item`. \return false if the queue was empty; then `item` is as before.
    /// \throws error: corrupt, forked; misuse while a taken item is out, as all pops do.
    bool try_pop(T& item) {
        state_->refuse_forked();
        refuse_taken();
        if (!ring_.try_pop(&item)) return false;
        wake(space_wait_);
        return true;
    }

    /// Removes and returns the oldest item, or nothing if the queue was empty.
    [[nodiscard]] std::optional<T> try_pop() requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!try_pop(*item)) item.reset();
        return item;
    }

    /// Appends items in their order, as many as there is space for. Each is an operation of its own, as if
    /// pushed alone: items of other producers may come to stand between them, and a kill costs at most the one
    /// in hand, behind whole ones. Only the fork check and the wake-up of sleepers are shared by all.
    /// \return how many. Fewer than given: the queue was full at one moment behind the last one.
    /// \throws error: corrupt; what was appended before that stays in the queue.
    std::size_t try_push_n(std::span<T const> items) {
        state_->refuse_forked();
        refuse_lent();
        return batch(items, items_wait_, [&](T const& item) { return ring_.try_push(&item); });
    }

    /// Removes the oldest items into `items`, in their order, as many as there are. Each is an operation of its
    /// own, as above; between two of them other consumers may remove some.
    /// \return how many. Fewer than room for: the queue was empty at one moment behind the last one, and the
    /// rest of `items` is as before. \throws error: corrupt; what was removed before that stands in `items`.
    std::size_t try_pop_n(std::span<T> items) {
        state_->refuse_forked();
        refuse_taken();
        return batch(items, space_wait_, [&](T& item) { return ring_.try_pop(&item); });
    }

    /// Appends an item, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool push(T const& item, std::chrono::duration<Rep, Period> timeout) {
        return push_until(item, detail::end_of(timeout));
    }
    /// The same, waiting for ever.
    void push(T const& item) { push_until(item, {}); }

    /// Removes the oldest item, waiting for one. Blocking. \return nothing if there was none until the time
    /// was over.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> pop(
        std::chrono::duration<Rep, Period> timeout) requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!pop_until(*item, detail::end_of(timeout))) item.reset();
        return item;
    }
    /// The same into `item`. \return false if the time was over; then `item` is as before.
    template <class Rep, class Period>
    bool pop(T& item, std::chrono::duration<Rep, Period> timeout) {
        return pop_until(item, detail::end_of(timeout));
    }
    /// The same, waiting for ever.
    [[nodiscard]] T pop() requires std::default_initializable<T> {
        T item;
        pop_until(item, {});
        return item;
    }

    /// Lends the handle's own buffer for the next item, to be filled in place. It holds bytes of some earlier
    /// item, or zeros: fill in all of it. The reference is good until publish() succeeds or cancel(), whether
    /// the Queue object is moved or not, and no longer than the handle. Private until published: a kill before
    /// that costs nothing. No shared access. \throws error: forked; misuse if a loan is out already
    [[nodiscard]] T& loan() requires detail::in_place<ring> {
        state_->refuse_forked();
        refuse_lent();
        lent_ = true;
        return *object_in(ring_.out_buffer());
    }

    /// Appends the item that was filled in. \return false if the queue was full; then the loan is still out: try
    /// again, or cancel(). Lock-free, as try_push. \throws error: corrupt, forked; misuse without a loan
    bool publish() requires detail::in_place<ring> {
        state_->refuse_forked();
        if (!lent_) [[unlikely]]
            misused("publish() without a loan; call loan() and fill the item first");
        if (!ring_.publish()) return false;
        lent_ = false;
        wake(items_wait_);
        return true;
    }
    /// The same, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool publish(std::chrono::duration<Rep, Period> timeout) requires detail::in_place<ring> {
        return policies::waiting::template wait<atomics>(
            *space_wait_, [&] { return publish(); }, detail::end_of(timeout), ring_.observed());
    }

    /// Gives the loan up; nothing is appended. \throws error: misuse without a loan
    void cancel() requires detail::in_place<ring> {
        if (!lent_)
            misused("cancel() without a loan; call loan() first, and one publish() or cancel() for each");
        lent_ = false;
    }

    /// Removes the oldest item, and points at it where it lies: in a buffer that is this handle's until
    /// release(). Lock-free, as try_pop; a kill behind it costs this item. \return nullptr if the queue was empty:
    /// then there is nothing to release. \throws error: corrupt, forked; misuse if a taken item is out already
    [[nodiscard]] T const* take() requires detail::in_place<ring> {
        state_->refuse_forked();
        refuse_taken();
        if (!ring_.take()) return nullptr;
        taken_ = true;
        wake(space_wait_);
        return object_in(const_cast<std::byte*>(ring_.in_buffer()));  // ours alone
    }
    /// The same, waiting for an item. Blocking. \return nullptr if there was none until the time was over.
    template <class Rep, class Period>
    [[nodiscard]] T const* take(std::chrono::duration<Rep, Period> timeout) requires detail::in_place<ring> {
        T const* item = nullptr;
        policies::waiting::template wait<atomics>(
            *items_wait_, [&] { return (item = take()) != nullptr; }, detail::end_of(timeout),
            ring_.observed());
        return item;
    }

    /// Lets go of the item that take() pointed at. No shared access. \throws error: misuse without one
    void release() requires detail::in_place<ring> {
        if (!taken_)
            misused("release() without a taken item; call take() first, and release() once for each");
        taken_ = false;
    }

    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

    /// Items in it, 0 to capacity: exact if nothing is popped meanwhile, else an estimate from above.
    [[nodiscard]] std::uint64_t was_size() const {
        state_->refuse_forked();
        return ring_.was_size();
    }
    [[nodiscard]] bool was_empty() const { return was_size() == 0; }

    /// What this handle's observer policy counted.
    [[nodiscard]] observer& observed() noexcept { return ring_.observed(); }

    /// The number of the handle slot, or 0 for an algorithm without handles.
    [[nodiscard]] std::uint32_t handle_slot() const noexcept { return slot_; }

private:
    Queue(Memory& memory, place const& at) : Queue(memory, at, structure::claim(memory, at)) {}
    Queue(Memory& memory, place const& at, detail::claimed claim)
        : state_(memory.attachment()),
          lock_(std::move(claim.lock)),
          slot_(claim.slot),
          capacity_(at.shape.capacity),
          items_wait_(wait_word(memory.base() + at.offset + layout::items_wait_offset)),
          space_wait_(wait_word(memory.base() + at.offset + layout::space_wait_offset)),
          ring_(memory.base() + at.offset, at.shape, slot_) {}

    static typename waiters::word* wait_word(std::byte* at) noexcept {
        return reinterpret_cast<typename waiters::word*>(at);
    }

    void wake(typename waiters::word* at) {
        if constexpr (algorithm::can_sleep)
            waiters::template notify<ring::commits_by_rmw>(*at, ring_.observed());
    }

    [[noreturn]] static void misused(char const* what) {
        throw error(errc::misuse, std::string("queue: ") + what);
    }
    /// What is lent is the buffer that the next push writes to.
    void refuse_lent() const {
        if constexpr (detail::in_place<ring>)
            if (lent_) [[unlikely]]
                misused("a loan is out; publish() or cancel() it before the next push or loan()");
    }
    /// What was taken lies in the buffer that the next pop gives away.
    void refuse_taken() const {
        if constexpr (detail::in_place<ring>)
            if (taken_) [[unlikely]]
                misused("a taken item is out; release() it before the next pop or take()");
    }

    /// The T in a buffer. Its bytes came from another process or from zeroed memory, where no program of ours
    /// began its lifetime; std::memmove does that, for it creates objects implicitly where it writes, and T is
    /// trivially copyable. Onto itself it moves nothing, and compilers leave it out.
    static T* object_in(std::byte* buffer) noexcept {
        return std::launder(static_cast<T*>(std::memmove(buffer, buffer, sizeof(T))));
    }

    /// Tries item by item until one attempt fails or throws; then wakes once for all that were committed.
    /// (Fetching the cells and buffers further on beforehand was measured: it costs more than it saves.)
    template <class Items, class Attempt>
    std::size_t batch(Items items, typename waiters::word* sleepers, Attempt&& attempt) {
        std::size_t done = 0;
        try {
            while (done < items.size() && attempt(items[done])) ++done;
        } catch (...) {
            if (done > 0) wake(sleepers);
            throw;
        }
        if (done > 0) wake(sleepers);
        return done;
    }

    bool push_until(T const& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *space_wait_, [&] { return try_push(item); }, end, ring_.observed());
    }
    bool pop_until(T& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *items_wait_, [&] { return try_pop(item); }, end, ring_.observed());
    }

    std::shared_ptr<detail::attachment> state_;
    detail::handle_lock lock_;  // behind state_, before ring_: let go last
    std::uint32_t slot_;
    bool lent_ = false;   ///< the out-buffer: loan() to publish() or cancel()
    bool taken_ = false;  ///< the in-buffer: take() to release()
    std::uint64_t capacity_;
    typename waiters::word* items_wait_;
    typename waiters::word* space_wait_;
    ring ring_;
};

}  // namespace zeroipc
