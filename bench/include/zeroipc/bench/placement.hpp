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
    // Roles, which add up to workers; producers come first. Both 0: no roles, and where a strategy asks for them the
    // first half of the workers, rounded up, counts as producers.
    int producers = 0;
    int consumers = 0;
};

/// Where everyone goes. CPUs by the kernel's number.
struct Placement {
    std::string strategy;
    std::vector<int> worker_cpus;       ///< one a worker
    std::vector<int> coordinator_cpus;  ///< see plan_placement(); never empty
    bool oversubscribed = false;        ///< some CPU has more than one worker
};

/// The one strategy that needs a list.
inline constexpr char const* explicit_placement = "explicit";

/// Name of a strategy and a line about it, for a usage text.
struct PlacementStrategy {
    std::string name;
    std::string what;
};

/// The strategies there are.
std::vector<PlacementStrategy> placement_strategies();

/// Their names, with commas between.
std::string placement_names();

/// Places workers on the usable CPUs of a topology. A pure function: no system call, equal results for equal
/// arguments. Plan before the coordinator narrows its own affinity, which would make fewer CPUs usable.
///
/// These take any number of workers: with more than usable CPUs they go around again, from the first CPU on.
/// - spread: one worker a core first, over cores near each other: a NUMA node's and last-level cache's cores
///   are used up before the next one's (the one with the most usable cores first, so that few workers stay
///   together), only then second hardware threads.
/// - scatter: as far apart as possible: alternates packages, then nodes, last-level caches, L2 caches, cores;
///   then second hardware threads.
/// - compact: as near as possible: all hardware threads of a core, then the next core of its L2 cache, then of its
///   last-level cache, node, package (the one with the most usable CPUs first).
///
/// These say what producers (P) and consumers (C) share. No CPU gets two workers: more workers than fit are an error.
/// Of equal places the first in the order of spread is taken.
/// - same-core: P i and C i on the first two hardware threads of core i; then third and fourth threads where cores have
///   them. Fits as many of either role as there are pairs of threads. What the smaller role leaves free stays free.
/// - same-l2: P i and C i on CPUs that share an L2 cache, on two cores where it has two, else on the threads of its
///   core. Pairs on cores that no earlier pair uses come first. Fits as many of either role as there are pairs.
/// - same-llc: all workers in one last-level cache, P 0, C 0, P 1, C 1, ..., neighbours on different L2 caches, a core
///   each first, then second threads. The first cache with a core for each, or else with a CPU for each.
/// - same-node: all workers on one NUMA node, in the order of spread, P 0, C 0, P 1, C 1, ...; the node as the cache
///   above.
/// - cross-llc: all P in one last-level cache, all C in another, each in the order of spread. Two caches of one node,
///   or else of one package, or else any two; of these, two with a core for each worker.
/// - cross-node: all P on one NUMA node, all C on another, likewise: two nodes of one package, or else any two.
///
/// - explicit: the list, in its order; what is beyond the number of workers is not used.
///
/// On a hybrid machine the more powerful kind of core is used up first (by same-l2: first of places alike), for workers
/// on unlike cores say little about a data structure.
///
/// The coordinator gets the usable CPUs that no worker has: those on cores free of workers if there are any,
/// else whatever is free, else all.
///
/// Throws std::invalid_argument: workers below 1, roles that do not add up, an unknown strategy, a strategy that the
/// machine's usable CPUs do not allow for so many workers (the message says what there is), an explicit list that is
/// too short, that names a CPU which does not exist or may not be used, or that comes with another strategy.
Placement plan_placement(Topology const& topology, PlacementRequest const& request);

}  // namespace zeroipc::bench
