#include "topology_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "topology_drawing.hpp"
#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

namespace {

using json = nlohmann::ordered_json;

struct Arguments {
    std::optional<int> producers, consumers;
    std::vector<std::string> strategies;
    std::string synthetic;
    std::string xml;
    bool as_json = false;
};

/// A placement, or why there is none.
struct Planned {
    PlacementStrategy strategy;
    int producers, consumers;
    std::optional<Placement> placement;
    std::string reason;
};

void describe(CLI::App& app, Arguments& a) {
    app.description(
        "Draws this machine, or another one, and where each placement strategy puts producers (P) and "
        "consumers (C).");
    app.add_option("--producers", a.producers, "Producers; default 1 if consumers are given, else 1, 2 and 4")
        ->check(CLI::Range(0, 1024));
    app.add_option("--consumers", a.consumers, "Consumers, likewise")->check(CLI::Range(0, 1024));
    std::vector<std::string> names;
    for (auto const& strategy : placement_strategies())
        if (strategy.name != explicit_placement) names.push_back(strategy.name);
    app.add_option("--placement", a.strategies, "Strategies; default: all")
        ->delimiter(',')
        ->take_all()
        ->check(CLI::IsMember(names));
    auto* const synthetic = app.add_option(
        "--synthetic", a.synthetic,
        "Plan for the machine that a synthetic description of hwloc gives: 'package:2 core:4 pu:2'");
    app.add_option("--xml", a.xml,
                   "Plan for the machine of this hwloc XML file: topology.xml of a run, or lstopo's")
        ->excludes(synthetic);
    app.add_flag("--json", a.as_json, "As JSON");
}

Topology chosen(Arguments const& a) {
    if (!a.synthetic.empty()) return Topology::synthetic(a.synthetic);
    if (!a.xml.empty()) return Topology::from_xml_file(a.xml);
    return Topology::this_machine();
}

/// How many of each role; without a wish 1, 2 and 4, as long as there are CPUs for them.
std::vector<std::pair<int, int>> sizes(Arguments const& a, Topology const& topology) {
    if (a.producers || a.consumers) return {{a.producers.value_or(1), a.consumers.value_or(1)}};
    std::vector<std::pair<int, int>> result{{1, 1}};
    for (int const each : {2, 4})
        if (static_cast<std::size_t>(2 * each) <= topology.cpus().size()) result.emplace_back(each, each);
    return result;
}

std::vector<Planned> plan_all(Arguments const& a, Topology const& topology) {
    std::vector<Planned> all;
    for (auto const& strategy : placement_strategies()) {
        bool const wanted = a.strategies.empty() || std::find(a.strategies.begin(), a.strategies.end(),
                                                              strategy.name) != a.strategies.end();
        if (strategy.name == explicit_placement || !wanted) continue;
        for (auto const& [producers, consumers] : sizes(a, topology)) {
            Planned planned{strategy, producers, consumers, std::nullopt, {}};
            try {
                planned.placement = plan_placement(
                    topology, {producers + consumers, strategy.name, {}, producers, consumers});
            } catch (std::invalid_argument const& impossible) {
                planned.reason = impossible.what();
            }
            all.push_back(planned);
            if (!planned.placement) break;  // nor are more workers possible
        }
    }
    return all;
}

std::vector<int> cpus_of(Planned const& planned, bool producers) {
    auto const& cpus = planned.placement->worker_cpus;
    auto const split = cpus.begin() + planned.producers;
    return producers ? std::vector(cpus.begin(), split) : std::vector(split, cpus.end());
}

json to_json(Topology const& topology, std::vector<Planned> const& all) {
    auto const id = [](int number) { return number < 0 ? json(nullptr) : json(number); };
    auto const count = [](int number) { return number < 1 ? json(nullptr) : json(number); };
    json caches = json::array();
    for (CacheLevel const& cache : topology.caches_by_size())
        caches.push_back({{"level", cache.level},
                          {"type", cache.unified ? "unified" : "data"},
                          {"bytes", cache.bytes < 0 ? json(nullptr) : json(cache.bytes)},
                          {"instances", cache.instances}});
    json cpus = json::array();
    for (Cpu const& cpu : topology.online_cpus()) {
        auto const& usable = topology.cpus();
        cpus.push_back({{"cpu", cpu.os_index},
                        {"usable", std::find(usable.begin(), usable.end(), cpu) != usable.end()},
                        {"core", id(cpu.core)},
                        {"l2", id(cpu.l2)},
                        {"llc", id(cpu.llc)},
                        {"node", id(cpu.node)},
                        {"package", id(cpu.package)},
                        {"smt_rank", cpu.smt_rank},
                        {"efficiency", id(cpu.efficiency)}});
    }
    json placements = json::array();
    for (Planned const& planned : all) {
        json placement{{"strategy", planned.strategy.name},
                       {"producers", planned.producers},
                       {"consumers", planned.consumers},
                       {"reason", planned.placement ? json(nullptr) : json(planned.reason)},
                       {"producer_cpus", nullptr},
                       {"consumer_cpus", nullptr},
                       {"coordinator_cpus", nullptr},
                       {"oversubscribed", nullptr}};
        if (planned.placement) {
            placement["producer_cpus"] = cpus_of(planned, true);
            placement["consumer_cpus"] = cpus_of(planned, false);
            placement["coordinator_cpus"] = planned.placement->coordinator_cpus;
            placement["oversubscribed"] = planned.placement->oversubscribed;
        }
        placements.push_back(std::move(placement));
    }
    return {{"schema", "zeroipc-topology/1"},
            {"machine",
             {{"model", topology.cpu_model()},
              {"is_this_machine", topology.is_this_machine()},
              {"hash", topology.hash()},
              {"logical_cpus", topology.logical_cpus()},
              {"cores", count(topology.cores())},
              {"packages", count(topology.packages())},
              {"numa_nodes", count(topology.numa_nodes())},
              {"caches", std::move(caches)},
              {"cpus", std::move(cpus)},
              {"offline_cpus", topology.offline_cpus()}}},
            {"placements", std::move(placements)}};
}

/// "producers on CPUs 0 1"
std::string on_cpus(std::string const& role, std::vector<int> const& cpus) {
    std::string text = role + (cpus.size() == 1 ? " on CPU" : "s on CPU") + (cpus.size() == 1 ? "" : "s");
    for (int const cpu : cpus) text += ' ' + std::to_string(cpu);
    return cpus.empty() ? "no " + role : text;
}

void draw_all(Topology const& topology, std::vector<Planned> const& all, std::ostream& out) {
    out << draw_machine(topology);
    std::string last;
    bool shared = false;
    for (Planned const& planned : all) {
        if (last != planned.strategy.name)
            out << '\n' << wrapped(planned.strategy.name + ": " + planned.strategy.what, 2);
        last = planned.strategy.name;
        auto const start =
            "  " + std::to_string(planned.producers) + '+' + std::to_string(planned.consumers) + ": ";
        if (!planned.placement) {
            out << wrapped(start + "impossible: " + planned.reason, start.size());
            continue;
        }
        out << wrapped(start + on_cpus("producer", cpus_of(planned, true)) + "; " +
                           on_cpus("consumer", cpus_of(planned, false)),
                       start.size())
            << draw_placement(topology, *planned.placement, planned.producers, 4);
        shared = shared || planned.placement->oversubscribed;
    }
    out << "\nP, C producers and consumers; . no worker\n";
    if (shared) out << "P0C0 two workers share the CPU; P0+2 P0 and two more do\n";
}

}  // namespace

int topology_command(int argc, char const* const* argv, std::ostream& out, std::ostream& err) {
    constexpr int usage_error = 2;
    Arguments a;
    CLI::App app("", "zeroipc-bench topology");
    describe(app, a);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong, out, err) == 0 ? 0 : usage_error;
    }
    try {
        auto const topology = chosen(a);
        auto const all = plan_all(a, topology);
        if (a.as_json) {
            out << to_json(topology, all).dump(2) << '\n';
        } else {
            draw_all(topology, all, out);
        }
        return 0;
    } catch (TopologyError const& wrong) {
        err << "zeroipc-bench topology: " << wrong.what() << '\n';
        return usage_error;
    }
}

}  // namespace zeroipc::bench
