#include "zeroipc/bench/placement.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string_view>

#include "placement/strategies.hpp"

namespace zeroipc::bench {

namespace {

using strategies::core_of;
using strategies::Cpus;
using strategies::numbers;

std::vector<int> as_listed(Cpus const&, PlacementRequest const& request) { return request.explicit_cpus; }

/// A strategy puts CPUs in the order in which workers take them; with more workers than that they go around
/// again.
struct Strategy {
    std::string_view name;
    std::string_view what;
    std::vector<int> (*order)(Cpus const& usable, PlacementRequest const& request);
};

/// A new strategy is one function (src/placement) and one line here.
constexpr std::array table{
    Strategy{"spread", "one worker a core, cores near each other first, then second hardware threads",
             strategies::spread},
    Strategy{"scatter", "as far apart as possible: other package, node, cache, core; then second threads",
             strategies::scatter},
    Strategy{"compact", "as near as possible: a core's hardware threads, then its L2, last-level cache, node",
             strategies::compact},
    Strategy{"same-core", "producer i and consumer i on hardware threads of one core", strategies::same_core},
    Strategy{"same-l2", "producer i and consumer i on CPUs that share an L2 cache", strategies::same_l2},
    Strategy{"same-llc", "all in one last-level cache, on different L2 caches while there are",
             strategies::same_llc},
    Strategy{"same-node", "all on one NUMA node, one worker a core first", strategies::same_node},
    Strategy{"cross-llc", "producers in one last-level cache, consumers in another, of one node if possible",
             strategies::cross_llc},
    Strategy{"cross-node", "producers on one NUMA node, consumers on another, of one package if possible",
             strategies::cross_node},
    Strategy{explicit_placement, "the CPUs of a list, one a worker, in its order", as_listed},
};

Strategy const& find_strategy(std::string const& name) {
    for (Strategy const& strategy : table)
        if (strategy.name == name) return strategy;
    throw std::invalid_argument("placement: unknown strategy '" + name + "': use one of " +
                                placement_names());
}

void check(Topology const& topology, PlacementRequest const& request) {
    if (request.workers < 1) {
        throw std::invalid_argument("placement: " + std::to_string(request.workers) +
                                    " workers: ask for at least 1");
    }
    if (request.producers < 0 || request.consumers < 0 ||
        request.producers + request.consumers != request.workers) {
        throw std::invalid_argument("placement: " + std::to_string(request.producers) + " producers and " +
                                    std::to_string(request.consumers) + " consumers are not " +
                                    std::to_string(request.workers) +
                                    " workers: give roles that add up, or none");
    }
    auto const& list = request.explicit_cpus;
    if (request.strategy != explicit_placement) {
        if (list.empty()) return;
        throw std::invalid_argument("placement: a list of CPUs (" + format_cpus(list) + ") with strategy '" +
                                    request.strategy + "': use strategy 'explicit', or leave the list out");
    }
    auto const usable = numbers(topology.cpus());
    for (int const cpu : list) {
        if (std::find(usable.begin(), usable.end(), cpu) != usable.end()) continue;
        throw std::invalid_argument("placement: CPU " + std::to_string(cpu) + " of the list " +
                                    (topology.has_cpu(cpu)
                                         ? "may not be used (see the cpuset and the affinity of this "
                                           "process)"
                                         : "does not exist or is offline") +
                                    ": choose from " + format_cpus(usable));
    }
    if (list.size() < static_cast<std::size_t>(request.workers)) {
        throw std::invalid_argument("placement: " + std::to_string(list.size()) + " CPUs listed for " +
                                    std::to_string(request.workers) +
                                    " workers: list one a worker; a CPU may be listed again");
    }
}

std::vector<int> for_coordinator(Cpus const& usable, std::vector<int> const& worker_cpus) {
    std::set<int> const taken(worker_cpus.begin(), worker_cpus.end());
    std::set<int> busy_cores;
    for (Cpu const& cpu : usable) {
        if (taken.contains(cpu.os_index)) busy_cores.insert(core_of(cpu));
    }
    std::vector<int> free;
    std::vector<int> free_on_free_cores;
    for (Cpu const& cpu : usable) {
        if (taken.contains(cpu.os_index)) continue;
        free.push_back(cpu.os_index);
        if (!busy_cores.contains(core_of(cpu))) free_on_free_cores.push_back(cpu.os_index);
    }
    if (!free_on_free_cores.empty()) return free_on_free_cores;
    return free.empty() ? numbers(usable) : free;
}

}  // namespace

std::vector<PlacementStrategy> placement_strategies() {
    std::vector<PlacementStrategy> result;
    result.reserve(table.size());
    for (Strategy const& strategy : table) {
        result.push_back({std::string(strategy.name), std::string(strategy.what)});
    }
    return result;
}

std::string placement_names() {
    std::string names;
    for (Strategy const& strategy : table) names.append(names.empty() ? "" : ", ").append(strategy.name);
    return names;
}

Placement plan_placement(Topology const& topology, PlacementRequest const& asked) {
    Strategy const& strategy = find_strategy(asked.strategy);
    auto request = asked;
    if (request.producers == 0 && request.consumers == 0) {
        request.consumers = request.workers / 2;
        request.producers = request.workers - request.consumers;
    }
    check(topology, request);
    auto const order = strategy.order(topology.cpus(), request);
    Placement placement;
    placement.strategy = strategy.name;
    for (std::size_t worker = 0; worker < static_cast<std::size_t>(request.workers); ++worker) {
        placement.worker_cpus.push_back(order[worker % order.size()]);
    }
    std::set<int> const used(placement.worker_cpus.begin(), placement.worker_cpus.end());
    placement.oversubscribed = used.size() < placement.worker_cpus.size();
    placement.coordinator_cpus = for_coordinator(topology.cpus(), placement.worker_cpus);
    return placement;
}

}  // namespace zeroipc::bench
