#pragma once
/// \file
/// A bounded multi-producer multi-consumer FIFO queue in shared memory.

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "atomics.hpp"
#include "backoff.hpp"
#include "detail/attachment.hpp"
#include "detail/descriptor.hpp"
#include "error.hpp"
#include "exchange_ring.hpp"
#include "layout.hpp"
#include "memory.hpp"
#include "observer.hpp"
#include "ordering.hpp"
#include "policy.hpp"
#include "waiting.hpp"

namespace zeroipc {

/// How a queue is made.
struct queue_options {
    /// Handles (Queue objects, in all processes together) that may be open at once, 1 to 1000. Each costs two
    /// items' space. Algorithms without handles have no such limit.
    std::uint32_t handle_slots = 64;
};

namespace detail {

inline constexpr std::uint32_t most_handle_slots =
    1000;  // a lock gets slower with the number of locks on a file

/// The exclusive right to one handle slot, for as long as the object lives: the kernel's lock on the slot's
/// byte.
class handle_lock {
public:
    handle_lock() = default;
    handle_lock(std::shared_ptr<attachment> state, std::uint64_t byte)
        : state_(std::move(state)), byte_(byte) {}
    handle_lock(handle_lock&&) = default;
    handle_lock& operator=(handle_lock&& other) noexcept {
        std::swap(state_, other.state_);
        std::swap(byte_, other.byte_);
        return *this;
    }
    handle_lock(handle_lock const&) = delete;
    handle_lock& operator=(handle_lock const&) = delete;
    ~handle_lock() {
        if (state_) state_->let_go(byte_);
    }

private:
    std::shared_ptr<attachment> state_;
    std::uint64_t byte_ = 0;
};

/// Everything that a queue's type decides, resolved from its policy list.
template <class... Ps>
struct queue_policies {
    static_assert(policy::accepts<policy::algorithm_kind, policy::layout_kind, policy::ordering_kind,
                                  policy::backoff_kind, policy::waiting_kind, policy::observer_kind,
                                  policy::atomics_kind>::check<Ps...>());
    using algorithm = policy::select_t<policy::algorithm_kind, zeroipc::algorithm::exchange, Ps...>;
    using layout = policy::select_t<policy::layout_kind, zeroipc::layout::compact, Ps...>;
    using ordering = policy::select_t<policy::ordering_kind, zeroipc::ordering::acq_rel, Ps...>;
    using backoff = policy::select_t<policy::backoff_kind, zeroipc::backoff::exponential, Ps...>;
    using default_waiting =
        std::conditional_t<algorithm::can_sleep, zeroipc::waiting::futex, zeroipc::waiting::yield>;
    using waiting = policy::select_t<policy::waiting_kind, default_waiting, Ps...>;
    using observer = policy::select_t<policy::observer_kind, zeroipc::observer::none, Ps...>;
    using atomics = policy::select_t<policy::atomics_kind, zeroipc::atomics::native, Ps...>;

    static_assert(algorithm::takes_ordering || policy::detail::count_of<policy::ordering_kind, Ps...> == 0,
                  "zeroipc: this algorithm fixes its memory ordering; leave the ordering policy out");
    static_assert(algorithm::takes_backoff || policy::detail::count_of<policy::backoff_kind, Ps...> == 0,
                  "zeroipc: this algorithm has no race to back off from; leave the backoff policy out");
    static_assert(algorithm::can_sleep || !waiting::sleeps,
                  "zeroipc: this algorithm wakes nobody; use waiting::yield or waiting::spin");
};

}  // namespace detail

/// An item that may cross between processes: its bytes are all there is to it.
template <class T>
concept shareable = std::is_trivially_copyable_v<T> && std::is_object_v<T> && !std::is_array_v<T> &&
                    !std::is_const_v<T> && alignof(T) <= 64;

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
    static constexpr std::uint64_t max_capacity = std::uint64_t{1} << 31;

    /// Makes the queue `name` in the segment, and opens it.
    /// \param capacity items that it holds: a power of two.
    /// \throws error: exists, invalid_capacity, invalid_argument, invalid_name, segment_full, table_full,
    /// too_large
    Queue(Memory& memory, std::string_view name, std::uint64_t capacity, queue_options const& options = {})
        : Queue(memory, create(memory, name, capacity, options)) {}

    /// Opens the queue `name`. \throws error: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot
    Queue(Memory& memory, std::string_view name) : Queue(memory, lookup(memory, name)) {}

    Queue(Queue&&) noexcept = default;
    Queue& operator=(Queue&&) noexcept = default;
    Queue(Queue const&) = delete;
    Queue& operator=(Queue const&) = delete;
    ~Queue() = default;

    /// Bytes that a queue takes from its segment. \throws error: invalid_capacity, invalid_argument,
    /// too_large
    static std::uint64_t bytes_for(std::uint64_t capacity, queue_options const& options = {}) {
        return checked_geometry("queue", capacity, options).total;
    }

    /// Appends an item. \return false if the queue was full.
    bool try_push(T const& item) {
        state_->refuse_forked();
        if (!ring_.try_push(&item)) return false;
        wake(items_wait_);
        return true;
    }

    /// Removes the oldest item into `item`. \return false if the queue was empty; then `item` is as before.
    bool try_pop(T& item) {
        state_->refuse_forked();
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

    /// Appends an item, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool push(T const& item, std::chrono::duration<Rep, Period> timeout) {
        return push_until(item, end_of(timeout));
    }
    /// The same, waiting for ever.
    void push(T const& item) { push_until(item, {}); }

    /// Removes the oldest item, waiting for one. Blocking. \return nothing if there was none until the time
    /// was over.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> pop(
        std::chrono::duration<Rep, Period> timeout) requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!pop_until(*item, end_of(timeout))) item.reset();
        return item;
    }
    /// The same into `item`. \return false if the time was over; then `item` is as before.
    template <class Rep, class Period>
    bool pop(T& item, std::chrono::duration<Rep, Period> timeout) {
        return pop_until(item, end_of(timeout));
    }
    /// The same, waiting for ever.
    [[nodiscard]] T pop() requires std::default_initializable<T> {
        T item;
        pop_until(item, {});
        return item;
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
    using layout = typename policies::layout;
    using atomics = typename policies::atomics;
    using waiters = detail::waiters<atomics>;
    using ring = typename algorithm::template ring<policies, sizeof(T)>;
    using geometry = decltype(ring::geometry(1, 1));

    static constexpr std::size_t capacity_offset = 16;
    static constexpr std::size_t descriptor_offset = 24;

    /// A queue found or made: where it is, and its shape as checked against that place.
    struct found {
        std::string name;
        std::uint64_t offset;
        geometry shape;
    };
    /// A handle slot, locked and settled.
    struct claimed {
        detail::handle_lock lock;
        std::uint32_t slot;
    };

    Queue(Memory& memory, found const& at) : Queue(memory, at, claim(memory, at)) {}
    Queue(Memory& memory, found const& at, claimed claim)
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

    template <class Rep, class Period>
    static deadline end_of(std::chrono::duration<Rep, Period> timeout) {
        auto const now = std::chrono::steady_clock::now();
        // Judged in floating point: not every duration fits into nanoseconds, or into the unit of another
        // one.
        auto const seconds = std::chrono::duration<double>(timeout).count();
        if (seconds > 3e9) return {};  // what the clock cannot hold is for ever
        if (!(seconds > 0)) return now;
        return now + std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
    }

    bool push_until(T const& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *space_wait_, [&] { return try_push(item); }, end, ring_.observed());
    }
    bool pop_until(T& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *items_wait_, [&] { return try_pop(item); }, end, ring_.observed());
    }

    static format::descriptor description(std::uint32_t handle_slots) noexcept {
        format::descriptor d{};
        d.kind = static_cast<std::uint32_t>(format::kind::queue);
        d.algorithm = algorithm::id;
        d.layout = layout::id;
        d.item_size = sizeof(T);
        d.item_stride = static_cast<std::uint32_t>(ring::item_stride);
        d.cell_stride = static_cast<std::uint32_t>(ring::cell_stride);
        d.handle_slots = algorithm::has_handles ? handle_slots : 0;
        return d;
    }

    static geometry checked_geometry(std::string const& what, std::uint64_t capacity,
                                     queue_options const& options) {
        if (capacity == 0 || (capacity & (capacity - 1)) != 0)
            throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) +
                                                    " is not a power of two; use 1, 2, 4, 8, ...");
        if (capacity < algorithm::min_capacity)
            throw error(errc::invalid_capacity, what + ": capacity " + std::to_string(capacity) + "; the " +
                                                    std::string(algorithm::name) +
                                                    " algorithm needs at least " +
                                                    std::to_string(algorithm::min_capacity));
        if (options.handle_slots == 0 || options.handle_slots > detail::most_handle_slots)
            throw error(errc::invalid_argument, what + ": " + std::to_string(options.handle_slots) +
                                                    " handle slots; use 1 to " +
                                                    std::to_string(detail::most_handle_slots));
        // Checked before multiplying: no product below overflows.
        if (capacity > max_capacity || sizeof(T) >= format::segment_limit / capacity)
            throw too_large(what, capacity);
        auto const g = ring::geometry(capacity, options.handle_slots);
        if (g.total >= format::segment_limit) throw too_large(what, capacity);
        return g;
    }

    static error too_large(std::string const& what, std::uint64_t capacity) {
        return {errc::too_large, what + ": " + std::to_string(capacity) + " items of " +
                                     std::to_string(sizeof(T)) +
                                     " bytes do not fit below 4 GiB; use a smaller capacity"};
    }

    static std::string quoted(std::string_view name) { return "queue '" + std::string(name) + "'"; }

    static found create(Memory& memory, std::string_view name, std::uint64_t capacity,
                        queue_options const& options) {
        auto const g = checked_geometry(quoted(name), capacity, options);
        auto const entry = memory.add(name, g.total, [&](std::byte* base) {
            auto const d = description(options.handle_slots);
            std::memcpy(base + capacity_offset, &capacity, sizeof capacity);
            std::memcpy(base + descriptor_offset, &d, sizeof d);
            if constexpr (requires { ring::initialise(base, g); }) ring::initialise(base, g);
        });
        return {std::string(name), entry.offset, g};
    }

    static found lookup(Memory& memory, std::string_view name) {
        auto const entry = memory.find(name);
        if (!entry)
            throw error(errc::not_found, "segment '" + memory.name() + "' has no structure '" +
                                             std::string(name) + "'; create it first");
        auto const* const base = memory.base() + entry->offset;
        format::descriptor d{};
        std::uint64_t capacity = 0;
        if (entry->size < layout::body_offset)
            throw error(errc::wrong_kind, quoted(name) + " takes only " + std::to_string(entry->size) +
                                              " bytes: it is no queue, or not of this layout");
        std::memcpy(&capacity, base + capacity_offset, sizeof capacity);
        std::memcpy(&d, base + descriptor_offset, sizeof d);
        detail::check_descriptor(d, description(d.handle_slots), quoted(name));
        queue_options options;
        if constexpr (algorithm::has_handles) options.handle_slots = d.handle_slots;
        try {
            auto const g = checked_geometry(quoted(name), capacity, options);
            if (g.total <= entry->size) return {std::string(name), entry->offset, g};
        } catch (error const&) {  // these numbers come from shared memory: not the caller's mistake
        }
        throw error(errc::corrupt, quoted(name) + " says capacity " + std::to_string(capacity) + " and " +
                                       std::to_string(d.handle_slots) + " handle slots, which its " +
                                       std::to_string(entry->size) +
                                       " bytes do not hold; it was overwritten: make it anew");
    }

    /// Gets the first handle slot whose lock is free and whose last owner's buffers can be told.
    static claimed claim(Memory& memory, found const& at) {
        if constexpr (!algorithm::has_handles) {
            return {};
        } else {
            std::uint32_t parked = 0;
            for (std::uint32_t slot = 0; slot < at.shape.handle_slots; ++slot) {
                auto const byte = at.offset + at.shape.slots + layout::line * std::uint64_t{slot};
                if (!memory.attachment()->try_hold(byte)) continue;
                detail::handle_lock lock(memory.attachment(), byte);
                if (ring::recover(memory.base() + at.offset, at.shape, slot)) return {std::move(lock), slot};
                ++parked;
            }
            throw error(errc::no_handle_slot,
                        quoted(at.name) + ": all " + std::to_string(at.shape.handle_slots) +
                            " handle slots are taken, " + std::to_string(parked) +
                            " of them parked after a kill; close handles, or make the queue with "
                            "more handle_slots");
        }
    }

    std::shared_ptr<detail::attachment> state_;
    detail::handle_lock lock_;  // behind state_, before ring_: let go last
    std::uint32_t slot_;
    std::uint64_t capacity_;
    typename waiters::word* items_wait_;
    typename waiters::word* space_wait_;
    ring ring_;
};

}  // namespace zeroipc
