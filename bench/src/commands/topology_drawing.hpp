#pragma once
/// \file
/// A machine and the workers on it, drawn as text of at most 100 columns.

#include <cstddef>
#include <string>

#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// All of the machine: packages, NUMA nodes, last-level caches, cores, hardware threads by the kernel's numbers; what
/// may not be used is marked. Ends with a legend.
std::string draw_machine(Topology const& topology);

/// The parts of the machine that have workers, in the same form: P0, P1, ... producers, of which there are so many,
/// and C0, C1, ... consumers in the place of CPUs. Each line starts with the indent.
std::string draw_placement(Topology const& topology, Placement const& placement, int producers,
                           std::size_t indent);

/// Breaks text at its spaces into lines of at most 100 columns; all but the first start with the indent.
std::string wrapped(std::string const& text, std::size_t indent);

}  // namespace zeroipc::bench
