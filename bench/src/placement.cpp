#include "zeroipc/bench/placement.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

namespace zeroipc::bench {

namespace {

using Cpus = std::vector<Cpu>;

/// Where cores are unknown each CPU is a core of its own, with an id that no core has.
int core_of(Cpu const& cpu) { return cpu.core >= 0 ? cpu.core : -1 - cpu.os_index; }

/// Splits CPUs into lots to be used up one after another: first threads of the powerful cores, first threads
/// of the others, then second threads likewise. "First" counts usable threads only, by smt_rank. Within a lot
/// each core occurs once, and CPUs stand in the order of cores.
std::vector<Cpus> lots(Cpus cpus) {
    std::sort(cpus.begin(), cpus.end(), [](Cpu const& a, Cpu const& b) {
        // Unknown cores count by os_index: their ids fall as that rises.
        return std::tuple(a.core, a.smt_rank, a.os_index) < std::tuple(b.core, b.smt_rank, b.os_index);
    });
    std::map<int, int> threads_seen;
    std::map<std::pair<int, int>, Cpus> by_rank_and_kind;
    for (Cpu const& cpu : cpus)
        by_rank_and_kind[{threads_seen[core_of(cpu)]++, -cpu.efficiency}].push_back(cpu);
    std::vector<Cpus> result;
    result.reserve(by_rank_and_kind.size());
    for (auto& [key, lot] : by_rank_and_kind) result.push_back(std::move(lot));
    return result;
}

std::vector<int> spread(Cpus const& cpus, PlacementRequest const&) {
    using Place = std::tuple<int, int, int>;
    constexpr int any = -2;  // -1 is a place too: the unknown one
    std::vector<int> order;
    for (Cpus& lot : lots(cpus)) {
        std::map<Place, int> size;
        for (Cpu const& cpu : lot) {
            ++size[{cpu.package, any, any}];
            ++size[{cpu.package, cpu.node, any}];
            ++size[{cpu.package, cpu.node, cpu.llc}];
        }
        auto const key = [&](Cpu const& cpu) {
            return std::tuple(-size[{cpu.package, any, any}], cpu.package,        //
                              -size[{cpu.package, cpu.node, any}], cpu.node,      //
                              -size[{cpu.package, cpu.node, cpu.llc}], cpu.llc);  //
        };
        std::stable_sort(lot.begin(), lot.end(), [&](Cpu const& a, Cpu const& b) { return key(a) < key(b); });
        for (Cpu const& cpu : lot) order.push_back(cpu.os_index);
    }
    return order;
}

/// Deals CPUs out so that neighbours in the result differ in the outermost level they can.
Cpus alternate(Cpus const& cpus, std::span<int Cpu::*const> levels) {
    if (levels.empty()) return cpus;
    std::map<int, Cpus> groups;
    for (Cpu const& cpu : cpus) groups[cpu.*levels.front()].push_back(cpu);
    for (auto& [id, group] : groups) group = alternate(group, levels.subspan(1));
    Cpus result;
    for (std::size_t turn = 0; result.size() < cpus.size(); ++turn) {
        for (auto const& [id, group] : groups) {
            if (turn < group.size()) result.push_back(group[turn]);
        }
    }
    return result;
}

std::vector<int> scatter(Cpus const& cpus, PlacementRequest const&) {
    constexpr std::array<int Cpu::*, 4> levels{&Cpu::package, &Cpu::node, &Cpu::llc, &Cpu::l2};
    std::vector<int> order;
    for (Cpus const& lot : lots(cpus)) {
        for (Cpu const& cpu : alternate(lot, levels)) order.push_back(cpu.os_index);
    }
    return order;
}

std::vector<int> as_listed(Cpus const&, PlacementRequest const& request) { return request.explicit_cpus; }

/// A strategy puts CPUs in the order in which workers take them; with more workers than that they go around
/// again.
struct Strategy {
    std::string_view name;
    std::string_view what;
    std::vector<int> (*order)(Cpus const& usable, PlacementRequest const& request);
};

constexpr std::string_view explicit_name = "explicit";

/// A new strategy is one function above and one line here.
constexpr std::array strategies{
    Strategy{"spread", "one worker a core, cores near each other first, then second hardware threads",
             spread},
    Strategy{"scatter", "as far apart as possible: other package, node, cache, core; then second threads",
             scatter},
    Strategy{explicit_name, "the CPUs of a list, one a worker, in its order", as_listed},
};

Strategy const& find_strategy(std::string const& name) {
    std::string names;
    for (Strategy const& strategy : strategies) {
        if (strategy.name == name) return strategy;
        names.append(names.empty() ? "" : ", ").append(strategy.name);
    }
    throw std::invalid_argument("placement: unknown strategy '" + name + "': use one of " + names);
}

std::vector<int> numbers(Cpus const& cpus) {
    std::vector<int> result;
    for (Cpu const& cpu : cpus) result.push_back(cpu.os_index);
    return result;
}

void check(Topology const& topology, PlacementRequest const& request) {
    if (request.workers < 1) {
        throw std::invalid_argument("placement: " + std::to_string(request.workers) +
                                    " workers: ask for at least 1");
    }
    auto const& list = request.explicit_cpus;
    if (request.strategy != explicit_name) {
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
    result.reserve(strategies.size());
    for (Strategy const& strategy : strategies) {
        result.push_back({std::string(strategy.name), std::string(strategy.what)});
    }
    return result;
}

Placement plan_placement(Topology const& topology, PlacementRequest const& request) {
    Strategy const& strategy = find_strategy(request.strategy);
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
