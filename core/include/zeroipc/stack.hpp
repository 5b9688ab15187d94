#pragma once
/// \file
/// A bounded multi-producer multi-consumer LIFO stack in shared memory.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "detail/container.hpp"
#include "detail/policies.hpp"
#include "detail/structure.hpp"
#include "error.hpp"
#include "memory.hpp"
#include "shareable.hpp"
#include "treiber_stack.hpp"

namespace zeroipc {

/// How a stack is made.
struct stack_options {
    /// Handles (Stack objects, in all processes together) that may be open at once, 1 to 1000. n of them cost 2 n
    /// items' space, and 16 n (n + 4) bytes.
    std::uint32_t handle_slots = 32;
};

namespace detail {

template <class... Ps>
using stack_policies = structure_policies<zeroipc::algorithm::treiber, Ps...>;

/// What a stack's type knows of its bytes.
template <class Policies, std::size_t ItemBytes>
struct stack_shape : ring_shape<Policies, ItemBytes, stack_options, format::kind::stack> {
    using base = ring_shape<Policies, ItemBytes, stack_options, format::kind::stack>;
    using algorithm = typename base::algorithm;
    static constexpr std::string_view noun = "stack";
    static constexpr std::size_t capacity_offset = 8;
    static constexpr std::size_t descriptor_offset = 16;
    static constexpr std::uint64_t max_capacity = std::uint64_t{1} << 28;

    static typename base::geometry checked(std::string const& what, std::uint64_t capacity,
                                           stack_options const& how) {
        if (capacity < algorithm::min_capacity) throw too_few(what, capacity, algorithm::min_capacity);
        return base::bounded(what, capacity, how, max_capacity);
    }
};

}  // namespace detail

/// A bounded LIFO stack of T between processes.
///
/// A Stack object is a *handle*: one thread at a time uses it. Each thread, and each process, opens its own.
///
/// With the default algorithm (algorithm::treiber) every operation but the waiting ones is lock-free, full and
/// empty are linearizable, and a process may be killed at any instruction: nobody waits for it, at most the item
/// in its hands is lost, and the next handle opened finds every node again.
///
/// \tparam T trivially copyable, any size, alignment up to 64.
/// \tparam Policies any of algorithm::, layout::, ordering::, backoff::, waiting::, observer::, atomics::, in any
///         order, each at most once. Algorithm and layout are part of the bytes; the others are private to this
///         handle.
template <shareable T, class... Policies>
class Stack : public detail::container<T, detail::stack_policies<Policies...>,
                                       detail::stack_shape<detail::stack_policies<Policies...>, sizeof(T)>> {
    using shape = detail::stack_shape<detail::stack_policies<Policies...>, sizeof(T)>;
    using base = detail::container<T, detail::stack_policies<Policies...>, shape>;
    using structure = detail::structure<shape>;

public:
    /// Makes the stack `name` in the segment, and opens it.
    /// \param capacity items that it holds, at least 1.
    /// \throws error: exists, invalid_capacity, invalid_argument, invalid_name, segment_full, table_full,
    /// too_large, busy, forked; no_handle_slot if others were quicker to open it (then it is there)
    Stack(Memory& memory, std::string_view name, std::uint64_t capacity, stack_options const& options = {})
        : base(memory, structure::create(memory, name, capacity, options)) {}

    /// Opens the stack `name`. \throws error: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot
    Stack(Memory& memory, std::string_view name) : base(memory, structure::lookup(memory, name)) {}

    /// Bytes that a stack takes from its segment. \throws error: invalid_capacity, invalid_argument, too_large
    static std::uint64_t bytes_for(std::uint64_t capacity, stack_options const& options = {}) {
        return shape::checked("stack", capacity, options).total;
    }

    /// Copies the item on top into `item` and leaves it there. Lock-free.
    /// \return false if the stack was empty; then `item` is as before.
    bool try_peek(T& item) {
        this->state_->refuse_forked();
        std::byte copy[sizeof(T)];  // what is read under a change must not reach the caller
        if (!this->ring_.try_peek(copy)) return false;
        std::memcpy(&item, copy, sizeof(T));
        return true;
    }

    /// Copies the item on top and returns it, or nothing if the stack was empty.
    [[nodiscard]] std::optional<T> try_peek() requires std::default_initializable<T> {
        std::optional<T> item(std::in_place);
        if (!try_peek(*item)) item.reset();
        return item;
    }

    /// Items in it at one moment during the call, 0 to capacity. Lock-free, O(1).
    [[nodiscard]] std::uint64_t was_size() const {
        this->state_->refuse_forked();
        return this->ring_.was_size();
    }
};

}  // namespace zeroipc
