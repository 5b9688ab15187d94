#pragma once
/// \file
/// The parts of a structure, from the geometry that its algorithm itself works with.

#include <zeroipc/detail/descriptor.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "explained.hpp"

namespace zeroipc::bench {

/// Where the parts of a geometry begin, as it was told.
class Beginnings {
public:
    void add(char const* name, std::uint64_t offset);
    /// \param total bytes of the structure. \return the parts in the order of their offsets, each up to the next.
    [[nodiscard]] std::vector<Part> up_to(std::uint64_t total) &&;

private:
    std::vector<Part> parts_;
};

/// Whatever offsets a geometry names; what it does not name stays the algorithm's own.
template <class Geometry>
[[gnu::noinline]] void add_named(Beginnings& parts, Geometry const& g) {
    if constexpr (requires { g.slots; }) parts.add("handle slots", g.slots);
    if constexpr (requires { g.mutexes; }) parts.add("mutexes", g.mutexes);
    if constexpr (requires { g.pool; }) parts.add("pool", g.pool);
    if constexpr (requires { g.cells; }) parts.add("cells", g.cells);
    if constexpr (requires { g.entries; }) parts.add("entries", g.entries);
    if constexpr (requires { g.witnesses; }) parts.add("witnesses", g.witnesses);
    if constexpr (requires { g.records; }) parts.add("records", g.records);
    if constexpr (requires { g.owners; }) parts.add("owners", g.owners);
    if constexpr (requires { g.heads; }) parts.add("chain heads", g.heads);
    if constexpr (requires { g.buckets; }) parts.add("buckets", g.buckets);
    if constexpr (requires { g.groups; }) parts.add("groups", g.groups);
    if constexpr (requires { g.blocks; }) parts.add("overflow blocks", g.blocks);
    if constexpr (requires { g.nodes; }) parts.add("nodes", g.nodes);
    if constexpr (requires { g.buffers; }) parts.add("buffers", g.buffers);
    if constexpr (requires { g.items; }) parts.add("items", g.items);
    if constexpr (requires { g.offers; }) parts.add("offers", g.offers);
    if constexpr (requires { g.board; }) parts.add("board", g.board);
}

/// \tparam Shape of a variant for one item size: see detail::structure.
template <class Shape>
std::vector<Part> parts_of(std::uint64_t capacity, std::uint32_t handle_slots) {
    typename Shape::options how;
    how.handle_slots = handle_slots;
    auto const g = Shape::checked(std::string(Shape::noun), capacity, how);
    Beginnings parts;
    parts.add("header", 0);
    parts.add("descriptor", Shape::descriptor_offset);
    parts.add("waiting words and padding", Shape::descriptor_offset + sizeof(format::descriptor));
    parts.add("the algorithm's own", Shape::layout::body_offset);
    add_named(parts, g);
    return std::move(parts).up_to(g.total);
}

/// What there is to say about a structure of that shape with those operations.
template <class Shape>
Explained explained_as(std::vector<Operation> const& operations) {
    return {&parts_of<Shape>, typename Shape::options{}.handle_slots, operations};
}

}  // namespace zeroipc::bench
