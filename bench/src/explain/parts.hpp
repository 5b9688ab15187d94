#pragma once
/// \file
/// The parts of a structure, from the geometry that its algorithm itself works with.

#include <zeroipc/detail/descriptor.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "explained.hpp"

namespace zeroipc::bench {

/// \tparam Shape of a variant for one item size: see detail::structure.
template <class Shape>
std::vector<Part> parts_of(std::uint64_t capacity, std::uint32_t handle_slots) {
    typename Shape::options how;
    how.handle_slots = handle_slots;
    auto const g = Shape::checked(std::string(Shape::noun), capacity, how);
    constexpr std::uint64_t descriptor_end = Shape::descriptor_offset + sizeof(format::descriptor);
    std::vector<Part> parts{{"header", 0, 0},
                            {"descriptor", Shape::descriptor_offset, 0},
                            {"waiting words and padding", descriptor_end, 0},
                            {"the algorithm's own", Shape::layout::body_offset, 0}};
    auto const begins = [&](char const* name, std::uint64_t offset) { parts.push_back({name, offset, 0}); };
    // Whatever offsets a geometry names; what it does not name stays the algorithm's own.
    if constexpr (requires { g.slots; }) begins("handle slots", g.slots);
    if constexpr (requires { g.mutexes; }) begins("mutexes", g.mutexes);
    if constexpr (requires { g.pool; }) begins("pool", g.pool);
    if constexpr (requires { g.cells; }) begins("cells", g.cells);
    if constexpr (requires { g.entries; }) begins("entries", g.entries);
    if constexpr (requires { g.witnesses; }) begins("witnesses", g.witnesses);
    if constexpr (requires { g.records; }) begins("records", g.records);
    if constexpr (requires { g.owners; }) begins("owners", g.owners);
    if constexpr (requires { g.heads; }) begins("chain heads", g.heads);
    if constexpr (requires { g.buckets; }) begins("buckets", g.buckets);
    if constexpr (requires { g.groups; }) begins("groups", g.groups);
    if constexpr (requires { g.blocks; }) begins("overflow blocks", g.blocks);
    if constexpr (requires { g.nodes; }) begins("nodes", g.nodes);
    if constexpr (requires { g.buffers; }) begins("buffers", g.buffers);
    if constexpr (requires { g.items; }) begins("items", g.items);
    if constexpr (requires { g.offers; }) begins("offers", g.offers);
    if constexpr (requires { g.board; }) begins("board", g.board);
    std::stable_sort(parts.begin(), parts.end(),
                     [](auto const& a, auto const& b) { return a.offset < b.offset; });
    for (std::size_t i = 0; i < parts.size(); ++i)
        parts[i].bytes = (i + 1 < parts.size() ? parts[i + 1].offset : g.total) - parts[i].offset;
    std::erase_if(parts, [](auto const& part) { return part.bytes == 0; });
    return parts;
}

/// What there is to say about a structure of that shape with those operations.
template <class Shape>
Explained explained_as(std::vector<Operation> const& operations) {
    return {&parts_of<Shape>, typename Shape::options{}.handle_slots, operations};
}

}  // namespace zeroipc::bench
