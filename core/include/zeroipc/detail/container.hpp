#pragma once
/// \file
/// What Queue and Stack have in common: items go in, items come out, at once or after a wait.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "../memory.hpp"
#include "../shareable.hpp"
#include "../waiting.hpp"
#include "attachment.hpp"
#include "structure.hpp"

namespace zeroipc::detail {

/// A handle on a bounded container. Base of Queue and Stack, which say what the operations mean.
template <shareable T, class Policies, class Shape>
class container {
public:
    using value_type = T;
    using policies = Policies;
    using algorithm = typename policies::algorithm;
    using observer = typename policies::observer;
    static constexpr std::uint64_t max_capacity = Shape::max_capacity;

    container(container const&) = delete;
    container& operator=(container const&) = delete;

    /// Puts an item in. Never waits. \return false if it was full.
    bool try_push(T const& item) {
        state_->refuse_forked();
        if (!ring_.try_push(&item)) return false;
        wake(items_wait_);
        return true;
    }

    /// Takes an item out into `item`. Never waits. \return false if it was empty; then `item` is as before.
    bool try_pop(T& item) {
        state_->refuse_forked();
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

    /// Puts an item in, waiting for space. Blocking. \return false if there was none until the time was over.
    template <class Rep, class Period>
    bool push(T const& item, std::chrono::duration<Rep, Period> timeout) {
        return push_until(item, end_of(timeout));
    }
    /// The same, waiting for ever.
    void push(T const& item) { push_until(item, {}); }

    /// Takes an item out, waiting for one. Blocking. \return nothing if there was none until the time was
    /// over.
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
    using layout = typename policies::layout;
    using atomics = typename policies::atomics;
    using waiters = detail::waiters<atomics>;
    using ring = typename Shape::ring;
    using structure = detail::structure<Shape>;
    using place = typename structure::place;

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

    bool push_until(T const& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *space_wait_, [&] { return try_push(item); }, end, ring_.observed());
    }
    bool pop_until(T& item, deadline const& end) {
        return policies::waiting::template wait<atomics>(
            *items_wait_, [&] { return try_pop(item); }, end, ring_.observed());
    }

private:
    container(Memory& memory, place const& at, claimed claim)
        : state_(memory.attachment()),
          lock_(std::move(claim.lock)),
          slot_(claim.slot),
          capacity_(at.shape.capacity),
          items_wait_(wait_word(memory.base() + at.offset + layout::items_wait_offset)),
          space_wait_(wait_word(memory.base() + at.offset + layout::space_wait_offset)),
          ring_(memory.base() + at.offset, at.shape, slot_) {}

protected:
    std::shared_ptr<attachment> state_;
    handle_lock lock_;  // behind state_, before ring_: let go last
    std::uint32_t slot_;
    std::uint64_t capacity_;
    typename waiters::word* items_wait_;
    typename waiters::word* space_wait_;
    ring ring_;
};

}  // namespace zeroipc::detail
