#pragma once
/// \file
/// The strategies of plan_placement(), which says what each does. Each puts usable CPUs, by the kernel's numbers, in
/// the order in which workers take them, producers first.

#include <vector>

#include "zeroipc/bench/placement.hpp"

namespace zeroipc::bench::strategies {

using Cpus = std::vector<Cpu>;

/// Where cores are unknown each CPU is a core of its own, with an id that no core has.
int core_of(Cpu const& cpu);

std::vector<int> numbers(Cpus const& cpus);

/// Splits CPUs into lots to be used up one after another: first threads of the powerful cores, first threads
/// of the others, then second threads likewise. "First" counts usable threads only, by smt_rank. Within a lot
/// each core occurs once, and CPUs stand in the order of cores.
std::vector<Cpus> lots(Cpus cpus);

/// The order of spread.
Cpus near_each_other(Cpus const& cpus);

/// Deals each lot out so that neighbours in the result are on different L2 caches, as long as there are.
Cpus over_l2(Cpus const& cpus);

// These serve any number of workers, who go around again.
std::vector<int> spread(Cpus const& usable, PlacementRequest const& request);
std::vector<int> scatter(Cpus const& usable, PlacementRequest const& request);
std::vector<int> compact(Cpus const& usable, PlacementRequest const& request);

// These place roles: one CPU for each worker of the request, no CPU twice. They throw std::invalid_argument where the
// machine has no such places, or too few.
std::vector<int> same_core(Cpus const& usable, PlacementRequest const& request);
std::vector<int> same_l2(Cpus const& usable, PlacementRequest const& request);
std::vector<int> same_llc(Cpus const& usable, PlacementRequest const& request);
std::vector<int> same_node(Cpus const& usable, PlacementRequest const& request);
std::vector<int> cross_llc(Cpus const& usable, PlacementRequest const& request);
std::vector<int> cross_node(Cpus const& usable, PlacementRequest const& request);

}  // namespace zeroipc::bench::strategies
