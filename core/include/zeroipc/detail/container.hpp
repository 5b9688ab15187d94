#pragma once
/// \file
/// What Queue and Stack have in common: items go in, items come out, at once or after a wait.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "../error.hpp"
#include "../memory.hpp"
#include "../repair.hpp"
#include "../shareable.hpp"
#include "../waiting.hpp"
#include "attachment.hpp"
#include "structure.hpp"

namespace zeroipc::detail {

/// A ring whose handle fills and reads items where they lie: in a buffer that is its own until it is exchanged.
template <class Ring>
concept in_place = requires(Ring ring) {
    { ring.out_buffer() } -> std::same_as<std::byte*>;
    { ring.publish() } -> std::same_as<bool>;
    { ring.take() } -> std::same_as<bool>;
    { ring.in_buffer() } -> std::same_as<std::byte const*>;
};

[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_misuse(std::string_view noun, char const* what) {
    throw error(errc::misuse, std::string(noun) + ": " + what);
}

/// A handle on a bounded container. Base of Queue and Stack, which say what the operations mean.
template <shareable T, class Policies, class Shape>
class container {
protected:
    using layout = typename Policies::layout;
    using atomics = typename Policies::atomics;
    using waiters = detail::waiters<atomics>;
    using ring = typename Shape::ring;
    using structure = detail::structure<Shape>;
    using place = typename structure::place;

public:
    using value_type = T;
    using policies = Policies;
    using algorithm = typename policies::algorithm;
    using observer = typename policies::observer;
    static constexpr std::uint64_t max_capacity = Shape::max_capacity;

    container(container const&) = delete;
    container& operator=(container const&) = delete;

    /// Puts an item in. Never waits. \return false if it was full. \throws error: corrupt, forked; misuse while a
    /// loan is out, as all pushes do.
    bool try_push(T const& item) {
        may_push();
        if (!ring_.try_push(&item)) return false;
        wake(items_wait_);
        return true;
    }

    /// Takes an item out into `item`. Never waits. \return false if it was empty; then `item` is as before.
    /// \throws error: corrupt, forked; misuse while a taken item is out, as all pops do.
    bool try_pop(T& item) {
        may_pop();
        if (!ring_.try_pop(&item)) return false;
        wake(space_wait_);
        return true;
    }

    /// Takes an item out and returns it, or nothing if it was empty.
    [[nodiscard]] std::optional<T> try_pop() requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!try_pop(*item)) item.reset();
        return item;
    }

    /// Puts items in, in their order, as many as there is space for. Each is an operation of its own, as if pushed
    /// alone: items of other producers may come to stand between them, and a kill costs at most the one in hand,
    /// behind whole ones. Only the fork check and the wake-up of sleepers are shared by all. (An algorithm may publish
    /// them together: then all of them appear at one moment.)
    /// \return how many. Fewer than given: it was full at one moment behind the last one.
    /// \throws error: corrupt; what was put in before that stays in.
    std::size_t try_push_n(std::span<T const> items) {
        may_push();
        if constexpr (requires { ring_.try_push_n(items.data(), items.size()); })
            return woken(ring_.try_push_n(items.data(), items.size()), items_wait_);
        else
            return batch(items, items_wait_, [&](T const& item) { return ring_.try_push(&item); });
    }

    /// Takes items out into `items`, in their order, as many as there are. Each is an operation of its own, as above;
    /// between two of them other consumers may take some.
    /// \return how many. Fewer than room for: it was empty at one moment behind the last one, and the rest of `items`
    /// is as before. \throws error: corrupt; what was taken out before that stands in `items`.
    std::size_t try_pop_n(std::span<T> items) {
        may_pop();
        if constexpr (requires { ring_.try_pop_n(items.data(), items.size()); })
            return woken(ring_.try_pop_n(items.data(), items.size()), space_wait_);
        else
            return batch(items, space_wait_, [&](T& item) { return ring_.try_pop(&item); });
    }

    /// Puts an item in, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool push(T const& item, std::chrono::duration<Rep, Period> timeout) {
        return try_push(item) || push_until(item, end_of(timeout));  // the clock costs more than a push
    }
    /// The same, waiting for ever.
    void push(T const& item) { push_until(item, {}); }

    /// Takes an item out, waiting for one. Blocking. \return nothing if there was none until the time was
    /// over.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<T> pop(
        std::chrono::duration<Rep, Period> timeout) requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!pop(*item, timeout)) item.reset();
        return item;
    }
    /// The same into `item`. \return false if the time was over; then `item` is as before.
    template <class Rep, class Period>
    bool pop(T& item, std::chrono::duration<Rep, Period> timeout) {
        return try_pop(item) || pop_until(item, end_of(timeout));
    }
    /// The same, waiting for ever.
    [[nodiscard]] T pop() requires std::default_initializable<T> {
        T item;
        pop_until(item, {});
        return item;
    }

    /// Puts in order what kills left, exactly. Each newly opened handle recovers a dead one's slot; what that may have to
    /// leave undecided (queues), and slots that nobody opens again, are settled here. Only when nobody else is attached to
    /// the segment and this process has no handles in it. May be killed, and run again. O(capacity), of a stack O(handle
    /// slots squared). \throws error: busy if not alone; as opening does; corrupt
    static repair_report repair(Memory& memory, std::string_view name) requires repairable<Shape> {
        return structure::repair(memory, name);
    }

    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

    /// Whether it held nothing at one moment during the call.
    [[nodiscard]] bool was_empty() const {
        state_->refuse_forked();
        return ring_.was_size() == 0;
    }

    /// What this handle's observer policy counted.
    [[nodiscard]] observer& observed() noexcept { return ring_.observed(); }

    /// The number of the handle slot, or 0 for an algorithm without handles.
    [[nodiscard]] std::uint32_t handle_slot() const noexcept { return slot_; }

protected:
    container(Memory& memory, place const& at) : container(memory, at, structure::claim(memory, at)) {}
    container(container&&) noexcept = default;
    container& operator=(container&&) noexcept = default;
    ~container() = default;

    static typename waiters::word* wait_word(std::byte* at) noexcept {
        return reinterpret_cast<typename waiters::word*>(at);
    }

    void wake(typename waiters::word* at) {
        if constexpr (algorithm::can_sleep)
            waiters::template notify<ring::commits_by_rmw>(*at, ring_.observed());
    }

    [[noreturn]] static void misused(char const* what) { refuse_misuse(Shape::noun, what); }
    /// One look tells whether a push may go on: not in a forked child; and not while the buffer that it would write
    /// to is lent. \throws error: forked, misuse
    void may_push() const {
        if (*push_refused_) [[unlikely]]
            refuse("a loan is out; publish() or cancel() it before the next push or loan()");
    }
    /// The same for a pop, and the buffer that it would give away.
    void may_pop() const {
        if (*pop_refused_) [[unlikely]]
            refuse("a taken item is out; release() it before the next pop or take()");
    }
    [[nodiscard]] bool lent() const noexcept { return push_refused_ == &refused; }
    [[nodiscard]] bool taken() const noexcept { return pop_refused_ == &refused; }
    void set_lent(bool is) noexcept { push_refused_ = is ? &refused : state_->forked_at(); }
    void set_taken(bool is) noexcept { pop_refused_ = is ? &refused : state_->forked_at(); }

    bool push_until(T const& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *space_wait_, [&] { return try_push(item); }, end, ring_.observed());
    }
    bool pop_until(T& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *items_wait_, [&] { return try_pop(item); }, end, ring_.observed());
    }

private:
    static constexpr bool refused = true;

    [[noreturn, gnu::cold, gnu::noinline]] void refuse(char const* misuse) const {
        state_->refuse_forked();
        misused(misuse);
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
        return woken(done, sleepers);
    }
    std::size_t woken(std::size_t done, typename waiters::word* sleepers) {
        if (done > 0) wake(sleepers);
        return done;
    }

    container(Memory& memory, place const& at, claimed claim)
        : state_(memory.attachment()),
          lock_(std::move(claim.lock)),
          slot_(claim.slot),
          push_refused_(state_->forked_at()),
          pop_refused_(state_->forked_at()),
          capacity_(at.shape.capacity),
          items_wait_(wait_word(memory.base() + at.offset + layout::items_wait_offset)),
          space_wait_(wait_word(memory.base() + at.offset + layout::space_wait_offset)),
          ring_(memory.base() + at.offset, at.shape, slot_) {}

protected:
    std::shared_ptr<attachment> state_;
    handle_lock lock_;  // behind state_, before ring_: let go last
    std::uint32_t slot_;
    bool const* push_refused_;  ///< at `forked`, or, while the out-buffer is lent, at `refused`
    bool const* pop_refused_;   ///< the same for the in-buffer, while an item in it is taken
    std::uint64_t capacity_;
    typename waiters::word* items_wait_;
    typename waiters::word* space_wait_;
    ring ring_;
};

}  // namespace zeroipc::detail
