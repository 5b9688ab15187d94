#pragma once
/// \file
/// What a handle holds of a pool of nodes, and what it is about to do with them, in one word of its handle slot.

#include <cstdint>

namespace zeroipc::detail {

/// Nodes are numbered from 1, and there are fewer than 2^30; 0 is none.
/// \tparam Doing an enumeration of at most 16 things to do, with `nothing` as 0.
template <class Doing>
struct hand {
    std::uint64_t first = 0;   ///< the spare, or what is being put in
    std::uint64_t second = 0;  ///< what is being taken, or given back
    Doing what = Doing::nothing;

    [[nodiscard]] constexpr std::uint64_t packed() const noexcept {
        return static_cast<std::uint64_t>(what) | first << 4 | second << 34;
    }
    static constexpr hand unpacked(std::uint64_t state) noexcept {
        return {(state >> 4) & 0x3fffffffU, state >> 34, static_cast<Doing>(state & 15)};
    }
};

}  // namespace zeroipc::detail
