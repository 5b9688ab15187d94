#pragma once
/// \file
/// Counts of what a queue or a stack owns, behind its back: every buffer, every node.

#include <zeroipc/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace zeroipc::testing {

/// The ring beneath a queue type.
template <class Q>
using ring_of = typename Q::algorithm::template ring<typename Q::policies, sizeof(typename Q::value_type)>;

/// Whether the algorithm beneath can be counted so: baselines have no buffers that change hands.
template <class Q>
concept counts_its_buffers = requires(std::byte* base) {
    ring_of<Q>::visit_buffers(base, ring_of<Q>::geometry(1, 1), [](std::uint64_t) {});
}
|| requires(std::byte* base) {
    ring_of<Q>::visit_nodes(base, ring_of<Q>::geometry(1, 1), [](std::uint64_t) {});
};

/// How often each payload buffer of a queue (exchange ring) is named by a cell or a handle slot, or each node of a
/// stack (linked stack) by one of its lists or a handle slot: where nothing is in flight and dead handles were
/// taken over, once each.
template <class Q>
std::vector<unsigned> buffer_census(std::byte* base, std::uint64_t capacity, std::uint32_t handle_slots) {
    using ring = ring_of<Q>;
    auto const shape = ring::geometry(capacity, handle_slots);
    if constexpr (requires { shape.node_count(); }) {
        std::vector<unsigned> named(shape.node_count(), 0);
        ring::visit_nodes(base, shape, [&](std::uint64_t node) {
            if (node <= named.size()) ++named[node - 1];
        });
        return named;
    } else {
        std::vector<unsigned> named(shape.buffer_count(), 0);
        ring::visit_buffers(base, shape, [&](std::uint64_t buffer) {
            if (buffer < named.size()) ++named[buffer];
        });
        return named;
    }
}

template <class Q>
bool conserved(std::byte* base, std::uint64_t capacity, std::uint32_t handle_slots) {
    auto const named = buffer_census<Q>(base, capacity, handle_slots);
    return std::all_of(named.begin(), named.end(), [](unsigned n) { return n == 1; });
}

/// The same for a queue in a segment.
template <class Q>
bool conserved(Memory& memory, std::string_view name, std::uint64_t capacity, std::uint32_t handle_slots) {
    return conserved<Q>(memory.base() + memory.find(name)->offset, capacity, handle_slots);
}

}  // namespace zeroipc::testing
