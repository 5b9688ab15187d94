#pragma once
/// \file
/// More layouts: between the compact one and that with lines in pairs, and two of the rows of slots.
///
/// Where two neighbours of a row are in use at once, by a producer and a consumer or by two of a kind, they share a line,
/// and each write takes it from the other one. One line a slot ends that and pays with memory; another order ends it
/// without, but takes from each operation the line that the one before has fetched.

#include <zeroipc/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zeroipc::layout {

/// As padded, but lines 64 bytes apart: what is left of false sharing is the processor's fetching of pairs of lines.
struct padded64 {
    using policy_kind = policy::layout_kind;
    static constexpr std::string_view name = "padded64";
    static constexpr std::uint32_t id = 3;
    static constexpr std::size_t head_offset = 128;
    static constexpr std::size_t tail_offset = 192;
    static constexpr std::size_t top_offset = 128;
    static constexpr std::size_t free_offset = 192;
    static constexpr std::size_t items_wait_offset = 256;
    static constexpr std::size_t space_wait_offset = 320;
    static constexpr std::size_t body_offset = 384;
    static constexpr std::size_t line = 64;
};

/// As compact, with a line of 64 bytes, or several, for each slot of a row: a queue's cell and its item, a stack's node.
struct spread : compact {
    static constexpr std::string_view name = "spread";
    static constexpr std::uint32_t id = 4;
    static constexpr std::uint64_t slot_bytes = 64;
};

/// As compact, with the cells of a queue in another order: neighbours are eight places apart. In rows of 64 and more, so
/// that eight cells of 8 bytes in a line are used an eighth of a lap apart. Source: a fixed permutation of slots against
/// false sharing, as Nikolaev (2019) has for his rings; here by rotating the bits of the number.
struct remapped : compact {
    static constexpr std::string_view name = "remapped";
    static constexpr std::uint32_t id = 5;
    static constexpr std::uint64_t place_of(std::uint64_t i, unsigned bits) noexcept {
        if (bits < 6) return i;
        return ((i << 3) | (i >> (bits - 3))) & ((std::uint64_t{1} << bits) - 1);
    }
};

}  // namespace zeroipc::layout
