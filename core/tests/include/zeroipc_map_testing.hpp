#pragma once
/// \file
/// What the map's tests look at behind its back: headers, links and owners of blocks, from the raw bytes.

#include <zeroipc/map.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace zeroipc::testing {

/// The table beneath a map type.
template <class M>
using table_of = typename M::algorithm::template table<typename M::policies, sizeof(typename M::key_type),
                                                       sizeof(typename M::mapped_type)>;

/// Whether the algorithm beneath has blocks that can be counted.
template <class M>
concept counts_its_blocks = requires(std::byte* base) {
    table_of<M>::visit_blocks(base, table_of<M>::geometry(1, 1), [](std::uint32_t) {});
};

/// Where each block of a map is, when no operation is in flight.
struct block_census {
    std::uint64_t blocks = 0;
    std::uint64_t pool = 0;       ///< nobody's
    std::uint64_t linked = 0;     ///< a bucket's, by owner and by exactly one link
    std::uint64_t odd = 0;        ///< all others: a handle's, lost, or linked twice
    std::uint64_t marks = 0;      ///< links that say that somebody takes a block out
    std::uint64_t unsettled = 0;  ///< slots reserved or closing
    std::uint64_t empty = 0;      ///< blocks linked without a key

    [[nodiscard]] bool right() const {
        return odd == 0 && marks == 0 && unsettled == 0 && pool + linked == blocks;
    }
    [[nodiscard]] bool all_in_pool() const { return right() && pool == blocks; }
};

template <class Table>
block_census census_of(std::byte* base, bucket_geometry const& g) {
    using header = detail::bucket_header;
    block_census c;
    c.blocks = g.block_count;
    std::vector<unsigned> links(g.block_count, 0);
    auto const half = [&](std::uint64_t at) {
        std::uint32_t value = 0;
        std::memcpy(&value, base + at, 4);
        return value;
    };
    for (std::uint64_t b = 0; b < g.bucket_count; ++b) {
        header h;
        std::memcpy(&h.value, base + g.buckets + Table::cell_stride * b, 8);
        for (unsigned k = 0; k < 2; ++k) {
            auto const link = half(g.buckets + Table::cell_stride * b + 8 + 4 * k);
            if (link == 0) {
                if ((h.free() & header::block_mask(k)) != header::block_mask(k)) ++c.odd;
            } else if (link <= g.block_count) {
                ++links[link - 1];
                c.empty += (h.free() & header::block_mask(k)) == header::block_mask(k);
            } else {
                ++c.marks;
            }
        }
    }
    std::uint64_t b = 0;
    c.unsettled = Table::visit_blocks(base, g, [&](std::uint32_t owner) {
        auto const n = links[b++];
        if (owner == 0 && n == 0)
            ++c.pool;
        else if (owner == 1 && n == 1)
            ++c.linked;
        else
            ++c.odd;
    });
    return c;
}

template <class M>
block_census census_of(Memory& memory, std::string_view name, std::uint64_t capacity,
                       std::uint32_t handle_slots) {
    using table = table_of<M>;
    return census_of<table>(memory.base() + memory.find(name)->offset,
                            table::geometry(capacity, handle_slots));
}

}  // namespace zeroipc::testing
