#pragma once

#include <string>
#include <vector>

#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// Which workers to place, and how.
struct PlacementRequest {
    int workers = 1;
    std::string strategy = "spread";  ///< a name of placement_strategies()
    std::vector<int>
        explicit_cpus{};  ///< for strategy "explicit" only: kernel numbers, one a worker in order
};

/// Where everyone goes. CPUs by the kernel's number.
struct Placement {
    std::string strategy;
    std::vector<int> worker_cpus;       ///< one a worker
    std::vector<int> coordinator_cpus;  ///< see plan_placement(); never empty
    bool oversubscribed = false;        ///< some CPU has more than one worker
};

/// Name of a strategy and a line about it, for a usage text.
struct PlacementStrategy {
    std::string name;
    std::string what;
};

/// The strategies there are.
std::vector<PlacementStrategy> placement_strategies();

/// Places workers on the usable CPUs of a topology. A pure function: no system call, equal results for equal
/// arguments. Plan before the coordinator narrows its own affinity, which would make fewer CPUs usable.
///
/// - spread: one worker a core first, over cores near each other: a NUMA node's and last-level cache's cores
///   are used up before the next one's (the one with the most usable cores first, so that few workers stay
///   together), only then second hardware threads; then around again.
/// - scatter: as far apart as possible: alternates packages, then nodes, last-level caches, L2 caches, cores;
///   then second hardware threads; then around again.
/// - explicit: the list, in its order; what is beyond the number of workers is not used.
///
/// On a hybrid machine spread and scatter use up the more powerful kind of core first, for workers on unlike
/// cores say little about a data structure.
///
/// The coordinator gets the usable CPUs that no worker has: those on cores free of workers if there are any,
/// else whatever is free, else all.
///
/// Throws std::invalid_argument: workers below 1, an unknown strategy, an explicit list that is too short,
/// that names a CPU which does not exist or may not be used, or that comes with another strategy.
Placement plan_placement(Topology const& topology, PlacementRequest const& request);

}  // namespace zeroipc::bench
