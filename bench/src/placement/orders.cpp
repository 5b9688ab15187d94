// Strategies that put all usable CPUs in an order, whatever the workers do.

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <tuple>
#include <utility>

#include "strategies.hpp"

namespace zeroipc::bench::strategies {

namespace {

/// Puts the package, node and last-level cache with the most of these CPUs first, so that few workers stay together.
void largest_first(Cpus& cpus) {
    using Place = std::tuple<int, int, int>;
    constexpr int any = -2;  // -1 is a place too: the unknown one
    std::map<Place, int> size;
    for (Cpu const& cpu : cpus) {
        ++size[{cpu.package, any, any}];
        ++size[{cpu.package, cpu.node, any}];
        ++size[{cpu.package, cpu.node, cpu.llc}];
    }
    auto const key = [&](Cpu const& cpu) {
        return std::tuple(-size[{cpu.package, any, any}], cpu.package,        //
                          -size[{cpu.package, cpu.node, any}], cpu.node,      //
                          -size[{cpu.package, cpu.node, cpu.llc}], cpu.llc);  //
    };
    std::stable_sort(cpus.begin(), cpus.end(), [&](Cpu const& a, Cpu const& b) { return key(a) < key(b); });
}

/// In the order of cores, and within one of its threads. Unknown cores count by os_index: their ids fall as that rises.
void sort_by_core(Cpus& cpus) {
    std::sort(cpus.begin(), cpus.end(), [](Cpu const& a, Cpu const& b) {
        return std::tuple(a.core, a.smt_rank, a.os_index) < std::tuple(b.core, b.smt_rank, b.os_index);
    });
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

Cpus alternate_lots(Cpus const& cpus, std::span<int Cpu::*const> levels) {
    Cpus result;
    for (Cpus const& lot : lots(cpus)) {
        auto const dealt = alternate(lot, levels);
        result.insert(result.end(), dealt.begin(), dealt.end());
    }
    return result;
}

}  // namespace

int core_of(Cpu const& cpu) { return cpu.core >= 0 ? cpu.core : -1 - cpu.os_index; }

std::vector<int> numbers(Cpus const& cpus) {
    std::vector<int> result;
    for (Cpu const& cpu : cpus) result.push_back(cpu.os_index);
    return result;
}

std::vector<Cpus> lots(Cpus cpus) {
    sort_by_core(cpus);
    std::map<int, int> threads_seen;
    std::map<std::pair<int, int>, Cpus> by_rank_and_kind;
    for (Cpu const& cpu : cpus)
        by_rank_and_kind[{threads_seen[core_of(cpu)]++, -cpu.efficiency}].push_back(cpu);
    std::vector<Cpus> result;
    result.reserve(by_rank_and_kind.size());
    for (auto& [key, lot] : by_rank_and_kind) result.push_back(std::move(lot));
    return result;
}

Cpus near_each_other(Cpus const& cpus) {
    Cpus result;
    for (Cpus& lot : lots(cpus)) {
        largest_first(lot);
        result.insert(result.end(), lot.begin(), lot.end());
    }
    return result;
}

Cpus over_l2(Cpus const& cpus) {
    constexpr std::array levels{&Cpu::l2};
    return alternate_lots(cpus, levels);
}

std::vector<int> spread(Cpus const& usable, PlacementRequest const&) {
    return numbers(near_each_other(usable));
}

std::vector<int> scatter(Cpus const& usable, PlacementRequest const&) {
    constexpr std::array levels{&Cpu::package, &Cpu::node, &Cpu::llc, &Cpu::l2};
    return numbers(alternate_lots(usable, levels));
}

std::vector<int> compact(Cpus const& usable, PlacementRequest const&) {
    std::map<int, Cpus> kinds;
    for (Cpu const& cpu : usable) kinds[-cpu.efficiency].push_back(cpu);
    std::vector<int> order;
    for (auto& [kind, cpus] : kinds) {
        sort_by_core(cpus);  // cores that share an L2 cache are neighbours
        largest_first(cpus);
        for (Cpu const& cpu : cpus) order.push_back(cpu.os_index);
    }
    return order;
}

}  // namespace zeroipc::bench::strategies
