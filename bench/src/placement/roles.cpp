// Strategies that say what producers and consumers share.

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>

#include "strategies.hpp"

namespace zeroipc::bench::strategies {

namespace {

/// What CPUs may have in common.
struct Level {
    int Cpu::*id;
    char const* name;
    char const* one;
};
constexpr Level core{&Cpu::core, "core", "a core"};
constexpr Level l2{&Cpu::l2, "L2 cache", "an L2 cache"};
constexpr Level llc{&Cpu::llc, "last-level cache", "a last-level cache"};
constexpr Level node{&Cpu::node, "NUMA node", "a NUMA node"};

std::string counted(std::size_t number, std::string const& what) {
    return std::to_string(number) + ' ' + what + (number == 1 ? "" : "s");
}

[[noreturn]] void refuse(PlacementRequest const& request, std::string const& why) {
    auto const producers = static_cast<std::size_t>(request.producers);
    auto const consumers = static_cast<std::size_t>(request.consumers);
    throw std::invalid_argument("placement: strategy '" + request.strategy + "' cannot place " +
                                counted(producers, "producer") + " and " + counted(consumers, "consumer") +
                                ": " + why + ": use fewer workers, another strategy or an explicit list");
}

void need_both_roles(PlacementRequest const& request) {
    if (request.producers < 1 || request.consumers < 1)
        refuse(request, "it places the two roles apart and needs one of each at least");
}

/// Usable CPUs by what they share, each group and the groups in the order of spread; without those of which the machine
/// does not say it.
std::vector<Cpus> groups(Cpus const& usable, PlacementRequest const& request, Level level) {
    std::vector<Cpus> result;
    for (Cpu const& cpu : near_each_other(usable)) {
        if (cpu.*level.id < 0) continue;
        auto at = std::find_if(result.begin(), result.end(),
                               [&](Cpus const& group) { return group.front().*level.id == cpu.*level.id; });
        if (at == result.end()) at = result.insert(at, Cpus());
        at->push_back(cpu);
    }
    if (result.empty()) refuse(request, std::string("the machine does not show its ") + level.name + "s");
    return result;
}

/// Whether so many workers on these CPUs must share cores.
bool crowds(std::size_t workers, Cpus const& cpus) {
    std::set<int> cores;
    for (Cpu const& cpu : cpus) cores.insert(core_of(cpu));
    return workers > cores.size();
}

/// Producer i and consumer i share one thing; pairs that need no second thread of a core come first.
std::vector<int> paired(Cpus const& usable, PlacementRequest const& request, Level level) {
    need_both_roles(request);
    struct Pair {
        long threads_before;  // of the second one's core, in use by then
        int producer, consumer;
    };
    std::vector<Pair> pairs;
    for (Cpus const& group : groups(usable, request, level)) {
        for (std::size_t i = 1; i < group.size(); i += 2) {
            auto const second = group.begin() + static_cast<std::ptrdiff_t>(i);
            auto const same_core = [&](Cpu const& cpu) { return core_of(cpu) == core_of(*second); };
            pairs.push_back(
                {std::count_if(group.begin(), second, same_core), group[i - 1].os_index, second->os_index});
        }
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](Pair const& a, Pair const& b) { return a.threads_before < b.threads_before; });
    auto const producers = static_cast<std::size_t>(request.producers);
    auto const consumers = static_cast<std::size_t>(request.consumers);
    auto const share = std::string(" share ") + level.one;
    if (pairs.empty()) refuse(request, "of " + counted(usable.size(), "usable CPU") + " no two" + share);
    if (pairs.size() < std::max(producers, consumers))
        refuse(request, "the machine has " + counted(pairs.size(), "pair") + " of usable CPUs that" + share);
    std::vector<int> result;
    for (std::size_t i = 0; i < producers; ++i) result.push_back(pairs[i].producer);
    for (std::size_t i = 0; i < consumers; ++i) result.push_back(pairs[i].consumer);
    return result;
}

/// All workers share one thing: the first with a core for each, or else with a CPU for each. Roles take turns.
std::vector<int> together(Cpus const& usable, PlacementRequest const& request, Level level,
                          Cpus (*arrange)(Cpus const&)) {
    auto const all = groups(usable, request, level);
    auto const workers = static_cast<std::size_t>(request.workers);
    auto at =
        std::find_if(all.begin(), all.end(), [&](Cpus const& group) { return !crowds(workers, group); });
    if (at == all.end())
        at = std::find_if(all.begin(), all.end(), [&](Cpus const& group) { return group.size() >= workers; });
    if (at == all.end()) {
        std::size_t most = 0;
        for (Cpus const& group : all) most = std::max(most, group.size());
        refuse(request, std::string("no ") + level.name + " has more than " + counted(most, "usable CPU"));
    }
    std::vector<int> producers;
    std::vector<int> consumers;
    for (Cpu const& cpu : arrange(*at)) {
        bool const wants_producer = producers.size() < static_cast<std::size_t>(request.producers);
        bool const wants_consumer = consumers.size() < static_cast<std::size_t>(request.consumers);
        if (wants_producer && (producers.size() <= consumers.size() || !wants_consumer)) {
            producers.push_back(cpu.os_index);
        } else if (wants_consumer) {
            consumers.push_back(cpu.os_index);
        }
    }
    producers.insert(producers.end(), consumers.begin(), consumers.end());
    return producers;
}

/// Producers have one thing and consumers another, the two as near each other as possible: of one node, or else of one
/// package; then with a core for each worker.
std::vector<int> apart(Cpus const& usable, PlacementRequest const& request, Level level) {
    need_both_roles(request);
    auto const all = groups(usable, request, level);
    if (all.size() == 1)
        refuse(request, counted(all.front().size(), "usable CPU") + ", all of one " + level.name);
    auto const producers = static_cast<std::size_t>(request.producers);
    auto const consumers = static_cast<std::size_t>(request.consumers);
    using Cost = std::tuple<bool, bool, bool>;
    std::optional<Cost> best;
    std::vector<int> result;
    for (Cpus const& first : all) {
        for (Cpus const& second : all) {
            if (&first == &second || first.size() < producers || second.size() < consumers) continue;
            Cost const cost{first.front().package != second.front().package,
                            first.front().node != second.front().node,
                            crowds(producers, first) || crowds(consumers, second)};
            if (best && *best <= cost) continue;
            best = cost;
            auto const on_first = numbers(first);
            auto const on_second = numbers(second);
            result.assign(on_first.begin(), on_first.begin() + request.producers);
            result.insert(result.end(), on_second.begin(), on_second.begin() + request.consumers);
        }
    }
    if (best) return result;
    std::vector<std::size_t> sizes;
    for (Cpus const& group : all) sizes.push_back(group.size());
    std::sort(sizes.rbegin(), sizes.rend());
    refuse(request, std::string("the largest two ") + level.name + "s have " + std::to_string(sizes[0]) +
                        " and " + counted(sizes[1], "usable CPU"));
}

}  // namespace

std::vector<int> same_core(Cpus const& usable, PlacementRequest const& request) {
    return paired(usable, request, core);
}

std::vector<int> same_l2(Cpus const& usable, PlacementRequest const& request) {
    return paired(usable, request, l2);
}

std::vector<int> same_llc(Cpus const& usable, PlacementRequest const& request) {
    return together(usable, request, llc, over_l2);
}

std::vector<int> same_node(Cpus const& usable, PlacementRequest const& request) {
    return together(usable, request, node, near_each_other);
}

std::vector<int> cross_llc(Cpus const& usable, PlacementRequest const& request) {
    return apart(usable, request, llc);
}

std::vector<int> cross_node(Cpus const& usable, PlacementRequest const& request) {
    return apart(usable, request, node);
}

}  // namespace zeroipc::bench::strategies
