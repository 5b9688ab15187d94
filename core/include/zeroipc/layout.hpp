#pragma once
/// \file
/// Layout policies: where a structure's words lie. A layout changes the shared bytes, so its number stands in the
/// descriptor, and opening with another one is refused. See format/queue.md, format/stack.md and format/map.md.
///
/// A layout may also say where the slots of a row lie, where an algorithm has one (a queue's cells, a stack's nodes):
///   slot_bytes                        the least distance of two of them, where it is more than their size
///   place_of(i, bits)                 which place slot i of 2^bits has, where they are not in their order
/// An algorithm that makes nothing of one of them says so by `takes_slot_bytes = false` or `takes_place_of = false`: then
/// such a layout does not compile, where it would change the layout's number and nothing else.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy.hpp"

namespace zeroipc::layout {

/// The header's words side by side, as the format began: head, tail and capacity, or top and capacity. What every language speaks. The default.
struct compact {
    using policy_kind = policy::layout_kind;
    static constexpr std::string_view name = "compact";
    static constexpr std::uint32_t id = 1;
    static constexpr std::size_t head_offset = 0;
    static constexpr std::size_t tail_offset = 8;
    static constexpr std::size_t top_offset = 0;
    static constexpr std::size_t free_offset = 80;        ///< first free node of a stack
    static constexpr std::size_t items_wait_offset = 88;  ///< futex word of those who wait for an item
    static constexpr std::size_t space_wait_offset = 92;  ///< futex word of those who wait for space
    static constexpr std::size_t body_offset = 128;       ///< where the algorithm's own part begins
    static constexpr std::size_t line = 64;               ///< distance of handle slots, in bytes
};

/// Head, tail (or top and the first free node), the futex words and the handle slots 128 bytes apart, because
/// processors fetch lines in pairs. The header's own head and tail, or top, stay 0.
struct padded {
    using policy_kind = policy::layout_kind;
    static constexpr std::string_view name = "padded";
    static constexpr std::uint32_t id = 2;
    static constexpr std::size_t head_offset = 128;
    static constexpr std::size_t tail_offset = 256;
    static constexpr std::size_t top_offset = 128;
    static constexpr std::size_t free_offset = 256;
    static constexpr std::size_t items_wait_offset = 384;
    static constexpr std::size_t space_wait_offset = 512;
    static constexpr std::size_t body_offset = 640;
    static constexpr std::size_t line = 128;
};

/// The distance of slots of that size in a row.
template <class Layout>
constexpr std::uint64_t slot_stride(std::uint64_t bytes) noexcept {
    if constexpr (requires { Layout::slot_bytes; })
        return (bytes + Layout::slot_bytes - 1) / Layout::slot_bytes * Layout::slot_bytes;
    else
        return bytes;
}

/// The place of slot i in a row of 2^bits.
template <class Layout>
constexpr std::uint64_t place_of(std::uint64_t i, unsigned bits) noexcept {
    if constexpr (requires { Layout::place_of(i, bits); })
        return Layout::place_of(i, bits);
    else
        return i;
}

}  // namespace zeroipc::layout

namespace zeroipc::policy {

/// A layout: its number, and the offsets of the words of every structure, in bytes.
template <class P>
concept layout_policy = of_kind<P, layout_kind> && requires {
    { P::id } -> std::convertible_to<std::uint32_t>;
    { P::head_offset } -> std::convertible_to<std::size_t>;
    { P::tail_offset } -> std::convertible_to<std::size_t>;
    { P::top_offset } -> std::convertible_to<std::size_t>;
    { P::free_offset } -> std::convertible_to<std::size_t>;
    { P::items_wait_offset } -> std::convertible_to<std::size_t>;
    { P::space_wait_offset } -> std::convertible_to<std::size_t>;
    { P::body_offset } -> std::convertible_to<std::size_t>;
    { P::line } -> std::convertible_to<std::size_t>;
};

}  // namespace zeroipc::policy
