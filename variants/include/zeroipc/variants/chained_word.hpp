#pragma once
/// \file
/// The words of the map of chains: what a node says of itself, and how that is packed. See chained_map.hpp.

#include <bit>
#include <cstdint>

namespace zeroipc::variants {

/// Where the parts of the map lie, in bytes from the structure's start.
struct chained_geometry {
    std::uint64_t capacity = 0;
    std::uint32_t handle_slots = 0;
    std::uint64_t seed = 0;
    std::uint64_t slots = 0;       ///< first handle slot
    std::uint64_t heads = 0;       ///< first bucket: a word each, as many as the capacity
    std::uint64_t nodes = 0;       ///< first node
    std::uint64_t node_count = 0;  ///< what a handle holds, two at most, is not missing to the others
    std::uint64_t total = 0;       ///< bytes of the structure
};

/// What a node is. A bucket's word is as that of a node that is none of these: its bits stay 0.
enum class chained_kind : std::uint64_t { free, taken, live, marked };

/// How a word is packed, from bit 0: next node, handle slot (from 1), kind, tag. The tag has what the others leave:
/// 23 bits in the largest map, 34 with a million keys and 64 handles.
struct chained_packing {
    explicit chained_packing(chained_geometry const& g) noexcept
        : node_bits(static_cast<unsigned>(std::bit_width(g.node_count))),
          kind_shift(node_bits + static_cast<unsigned>(std::bit_width(g.handle_slots))) {}
    unsigned node_bits;
    unsigned kind_shift;

    [[nodiscard]] std::uint64_t next(std::uint64_t w) const noexcept {
        return w & ((std::uint64_t{1} << node_bits) - 1);
    }
    [[nodiscard]] std::uint64_t author(std::uint64_t w) const noexcept {
        return (w >> node_bits) & ((std::uint64_t{1} << (kind_shift - node_bits)) - 1);
    }
    [[nodiscard]] chained_kind what(std::uint64_t w) const noexcept {
        return static_cast<chained_kind>((w >> kind_shift) & 3);
    }
    /// The tag alone, one further.
    [[nodiscard]] std::uint64_t next_tag(std::uint64_t w) const noexcept {
        return ((w >> (kind_shift + 2)) + 1) << (kind_shift + 2);
    }
    [[nodiscard]] bool follows(std::uint64_t w, std::uint64_t before) const noexcept {
        return next_tag(before) == w >> (kind_shift + 2) << (kind_shift + 2);
    }
    [[nodiscard]] std::uint64_t made(std::uint64_t before, chained_kind is, std::uint64_t by,
                                     std::uint64_t to) const noexcept {
        return next_tag(before) | static_cast<std::uint64_t>(is) << kind_shift | by << node_bits | to;
    }
    [[nodiscard]] std::uint64_t marked(std::uint64_t before, std::uint64_t to,
                                       std::uint64_t by) const noexcept {
        return made(before, chained_kind::marked, by, to);
    }
    /// Of a bucket or a live node, with another successor.
    [[nodiscard]] std::uint64_t relinked(std::uint64_t before, std::uint64_t to) const noexcept {
        return made(before, what(before), 0, to);
    }
};

}  // namespace zeroipc::variants
