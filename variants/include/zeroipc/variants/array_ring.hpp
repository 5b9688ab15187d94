#pragma once
/// \file
/// What algorithms over a plain array have in common: where the items lie, behind the mutexes that there may be; and,
/// for queues, the two indices.

#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "robust_mutex.hpp"

namespace zeroipc::variants {

/// \tparam Mutexes how many stand in front of the items.
template <class Policies, std::size_t ItemBytes, unsigned Mutexes>
class array_store {
protected:
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
        auto const items = layout::body_offset + Mutexes * robust_mutex::stride(layout::line);
        return {capacity, items, items + item_stride * capacity};
    }

    /// A mutex is the one thing here that zeroed memory is not.
    static void initialise(std::byte* base, shape const& /*s*/) requires(Mutexes > 0) {
        for (unsigned n = 0; n < Mutexes; ++n) mutex(base, n).initialise();
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

protected:
    array_store(std::byte* base, shape const& s) : items_(base + s.items), capacity_(s.capacity) {}

    static robust_mutex mutex(std::byte* base, unsigned n) noexcept {
        return robust_mutex(base + layout::body_offset + n * robust_mutex::stride(layout::line));
    }

    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

/// A queue's: positions grow for ever, and the capacity is a power of two.
template <class Policies, std::size_t ItemBytes, unsigned Mutexes = 0>
class array_ring : public array_store<Policies, ItemBytes, Mutexes> {
    using above = array_store<Policies, ItemBytes, Mutexes>;

protected:
    using above::capacity_;
    using typename above::layout;
    using typename above::word;

public:
    using above::item_stride;
    using typename above::shape;

    /// Exact if nothing is popped meanwhile, else an estimate from above.
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const head = head_->load(std::memory_order_acquire);
        auto const size = tail_->load(std::memory_order_acquire) - head;
        return size < capacity_ ? size : capacity_;
    }

protected:
    array_ring(std::byte* base, shape const& s)
        : above(base, s),
          head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)) {}

    [[nodiscard]] std::byte* item_at(std::uint64_t position) const noexcept {
        return this->items_ + item_stride * (position & (capacity_ - 1));
    }

    word* head_;
    word* tail_;
};

}  // namespace zeroipc::variants
