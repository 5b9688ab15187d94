// Where producers and consumers go, by strategies that say what they share. Expected lists are written out by hand.

#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "machines.hpp"
#include "message_of.hpp"
#include "zeroipc/bench/placement.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using List = std::vector<int>;

namespace {

PlacementRequest request(std::string const& strategy, int producers, int consumers) {
    return {producers + consumers, strategy, {}, producers, consumers};
}

/// CPUs of the producers, then of the consumers.
List placed(Topology const& topology, std::string const& strategy, int producers, int consumers) {
    auto const placement = plan_placement(topology, request(strategy, producers, consumers));
    CHECK_FALSE(placement.oversubscribed);
    return placement.worker_cpus;
}

/// Why that is impossible; empty if it is not.
std::string refusal(Topology const& topology, std::string const& strategy, int producers, int consumers) {
    return message_of<std::invalid_argument>(
        [&] { plan_placement(topology, request(strategy, producers, consumers)); });
}

List range(int first, int last) {
    List list(static_cast<std::size_t>(last - first + 1));
    std::iota(list.begin(), list.end(), first);
    return list;
}

List operator+(List first, List const& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

Topology one_cpu() { return Topology::synthetic("pack:1 l3:1 l2:1 core:1 pu:1"); }
Topology two_cpus() { return Topology::synthetic("pack:1 l3:1 l2:2 core:1 pu:1"); }
Topology smt_off() { return Topology::synthetic("pack:1 l3:1 l2:8 core:1 pu:1"); }

/// One core of package 0 and two of package 1, all threads.
Topology restricted() { return two_packages().restricted_to({7, 23, 8, 9, 24, 25}); }

std::string const advice = ": use fewer workers, another strategy or an explicit list";

}  // namespace

TEST_CASE("compact fills cores, then caches, then nodes, and goes around", "[fast]") {
    auto const workers = [](Topology const& topology, int count) {
        return plan_placement(topology, {count, "compact"}).worker_cpus;
    };
    CHECK(workers(desktop(), 9) == List{0, 4, 1, 5, 2, 6, 3, 7, 0});
    CHECK(workers(two_packages(), 18) == List{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24});
    CHECK(workers(eight_nodes(), 129) == range(0, 127) + List{0});
    CHECK(workers(hybrid(), 17) == range(0, 15) + List{0});
    CHECK(workers(restricted(), 7) == List{8, 24, 9, 25, 7, 23, 8});
    CHECK(workers(several_llcs(), 10) == range(0, 9));
    CHECK(workers(clusters(), 8) == range(0, 7));
    CHECK(workers(one_cpu(), 3) == List{0, 0, 0});
    CHECK(workers(two_cpus(), 3) == List{0, 1, 0});
    // By caches and not by numbers: CPU 0 is alone in its cache.
    CHECK(workers(Topology::synthetic("l3:2 core:2 pu:1").restricted_to({0, 2, 3}), 3) == List{2, 3, 0});
    CHECK(plan_placement(desktop(), {3, "compact"}).coordinator_cpus == List{2, 3, 6, 7});
}

TEST_CASE("same-core makes siblings of producer i and consumer i", "[fast]") {
    CHECK(placed(desktop(), "same-core", 1, 1) == List{0, 4});
    CHECK(placed(desktop(), "same-core", 2, 2) == List{0, 1, 4, 5});
    CHECK(placed(desktop(), "same-core", 4, 4) == range(0, 7));
    CHECK(placed(desktop(), "same-core", 3, 1) == List{0, 1, 2, 4});
    CHECK(placed(desktop(), "same-core", 1, 2) == List{0, 4, 5});
    CHECK(placed(two_packages(), "same-core", 9, 9) == range(0, 8) + range(16, 24));
    CHECK(placed(hybrid(), "same-core", 4, 4) == List{0, 2, 4, 6, 1, 3, 5, 7});
    CHECK(placed(restricted(), "same-core", 3, 3) == List{8, 9, 7, 24, 25, 23});
    CHECK(placed(several_llcs(), "same-core", 2, 2) == List{0, 2, 1, 3});
    // Four threads a core: second pairs of a core when every core has one.
    CHECK(placed(Topology::synthetic("core:2 pu:4"), "same-core", 3, 3) == List{0, 4, 2, 1, 5, 3});
    CHECK(plan_placement(desktop(), request("same-core", 1, 1)).coordinator_cpus == List{1, 2, 3, 5, 6, 7});

    std::string const start = "placement: strategy 'same-core' cannot place ";
    CHECK(refusal(smt_off(), "same-core", 1, 1) ==
          start + "1 producer and 1 consumer: of 8 usable CPUs no two share a core" + advice);
    CHECK(refusal(one_cpu(), "same-core", 2, 3) ==
          start + "2 producers and 3 consumers: of 1 usable CPU no two share a core" + advice);
    CHECK(refusal(hybrid(), "same-core", 2, 5) ==
          start + "2 producers and 5 consumers: the machine has 4 pairs of usable CPUs that share a core" +
              advice);
    // Of core 0 only the second thread is usable, of core 2 only the first.
    auto const odd = two_packages().restricted_to({16, 1, 17, 2});
    CHECK(placed(odd, "same-core", 1, 1) == List{1, 17});
    CHECK(refusal(odd, "same-core", 2, 2).find("has 1 pair of usable CPUs") != std::string::npos);
    CHECK(refusal(eight_nodes(), "same-core", 1, 1).find("of 128 usable CPUs no two") != std::string::npos);
    CHECK(refusal(Topology::synthetic("pu:4"), "same-core", 1, 1) ==
          start + "1 producer and 1 consumer: the machine does not show its cores" + advice);
}

TEST_CASE("same-l2 prefers two cores of one cache", "[fast]") {
    CHECK(placed(hybrid(), "same-l2", 1, 1) == List{8, 9});
    CHECK(placed(hybrid(), "same-l2", 5, 5) == List{8, 10, 12, 14, 0, 9, 11, 13, 15, 1});
    CHECK(placed(clusters(), "same-l2", 3, 3) == List{0, 2, 4, 1, 3, 5});
    CHECK(placed(clusters(), "same-l2", 1, 3) == List{0, 1, 3, 5});
    CHECK(placed(desktop(), "same-l2", 2, 2) == List{0, 1, 4, 5});  // a core's own cache: its threads
    CHECK(placed(restricted(), "same-l2", 1, 1) == List{8, 24});
    // Two cores of two threads each share an L2: 0-3, 4-7. Pairs of first threads come before those of second ones.
    CHECK(placed(Topology::synthetic("l3:1 l2:2 core:2 pu:2"), "same-l2", 4, 4) ==
          List{0, 4, 1, 5, 2, 6, 3, 7});
    CHECK(refusal(smt_off(), "same-l2", 1, 1).find("of 8 usable CPUs no two share an L2 cache") !=
          std::string::npos);
    CHECK(refusal(two_cpus(), "same-l2", 1, 1).find("of 2 usable CPUs no two share") != std::string::npos);
    CHECK(refusal(hybrid(), "same-l2", 9, 9).find("has 8 pairs of usable CPUs that share an L2 cache") !=
          std::string::npos);
    CHECK(refusal(Topology::synthetic("core:4 pu:1"), "same-l2", 1, 1).find("does not show its L2 caches") !=
          std::string::npos);
}

TEST_CASE("same-llc keeps all in one cache, on L2 caches apart", "[fast]") {
    CHECK(placed(two_cpus(), "same-llc", 1, 1) == List{0, 1});
    CHECK(placed(desktop(), "same-llc", 3, 3) == List{0, 2, 4, 1, 3, 5});
    CHECK(placed(desktop(), "same-llc", 3, 1) == List{0, 2, 3, 1});
    CHECK(placed(desktop(), "same-llc", 1, 3) == List{0, 1, 2, 3});
    CHECK(placed(clusters(), "same-llc", 2, 2) == List{0, 1, 4, 5});
    CHECK(placed(hybrid(), "same-llc", 3, 3) == List{0, 4, 8, 2, 6, 12});
    CHECK(placed(eight_nodes(), "same-llc", 4, 4) == List{0, 2, 4, 6, 1, 3, 5, 7});
    CHECK(placed(several_llcs(), "same-llc", 2, 2) == List{0, 4, 2, 6});
    CHECK(placed(several_llcs(), "same-llc", 3, 3) == List{0, 4, 1, 2, 6, 3});
    CHECK(placed(restricted(), "same-llc", 2, 2) == List{8, 24, 9, 25});
    // Caches 0 and 1 have two cores of two threads, cache 2 has three cores of one.
    auto const uneven = Topology::synthetic("pack:2 l3:2 l2:3 core:1 pu:2")
                            .restricted_to({0, 1, 2, 3, 6, 7, 8, 9, 12, 14, 16});
    CHECK(placed(uneven, "same-llc", 1, 1) == List{0, 2});
    CHECK(placed(uneven, "same-llc", 2, 1) == List{12, 16, 14});
    CHECK(placed(uneven, "same-llc", 2, 2) == List{0, 1, 2, 3});
    CHECK(refusal(eight_nodes(), "same-llc", 5, 4) ==
          "placement: strategy 'same-llc' cannot place 5 producers and 4 consumers: no last-level cache has "
          "more "
          "than 8 usable CPUs" +
              advice);
    CHECK(refusal(one_cpu(), "same-llc", 1, 1).find("more than 1 usable CPU:") != std::string::npos);
    CHECK(refusal(Topology::synthetic("core:4 pu:1"), "same-llc", 1, 1)
              .find("does not show its last-level caches") != std::string::npos);
}

TEST_CASE("same-node keeps all on one node", "[fast]") {
    CHECK(placed(two_cpus(), "same-node", 1, 1) == List{0, 1});
    CHECK(placed(clusters(), "same-node", 1, 1) == List{0, 1});
    CHECK(placed(eight_nodes(), "same-node", 8, 8) ==
          List{0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15});
    CHECK(placed(two_packages(), "same-node", 2, 2) == List{0, 2, 1, 3});
    CHECK(placed(hybrid(), "same-node", 1, 1) == List{0, 2});
    CHECK(placed(two_nodes(), "same-node", 2, 2) == List{0, 1, 2, 3});
    CHECK(placed(several_llcs(), "same-node", 3, 3) == List{0, 4, 8, 2, 6, 10});
    CHECK(placed(eight_nodes().restricted_to({0, 17, 18}), "same-node", 1, 1) == List{17, 18});
    CHECK(refusal(eight_nodes(), "same-node", 9, 8).find("no NUMA node has more than 16 usable CPUs") !=
          std::string::npos);
    CHECK(refusal(one_cpu(), "same-node", 1, 1).find("more than 1 usable CPU:") != std::string::npos);
}

TEST_CASE("cross-llc puts the roles into two caches, near each other", "[fast]") {
    CHECK(placed(several_llcs(), "cross-llc", 1, 1) == List{0, 8});
    CHECK(placed(several_llcs(), "cross-llc", 5, 2) == List{0, 2, 4, 6, 1, 8, 10});
    CHECK(placed(eight_nodes(), "cross-llc", 2, 2) == List{0, 1, 8, 9});
    CHECK(placed(two_packages(), "cross-llc", 9, 9) == range(0, 7) + List{16} + range(8, 15) + List{24});
    CHECK(placed(two_nodes(), "cross-llc", 1, 1) == List{0, 2});
    // Two nodes of one package before two packages.
    CHECK(placed(Topology::synthetic("pack:2 numa:2 l3:1 core:2 pu:1"), "cross-llc", 1, 1) == List{0, 2});
    // One node before the node with more CPUs.
    CHECK(placed(eight_nodes().restricted_to({0, 1, 2, 16, 24}), "cross-llc", 1, 1) == List{16, 24});
    // Which role gets which cache is as cores allow.
    CHECK(placed(restricted(), "cross-llc", 2, 1) == List{8, 9, 7});
    CHECK(placed(restricted(), "cross-llc", 1, 2) == List{7, 8, 9});
    CHECK(refusal(desktop(), "cross-llc", 1, 1) ==
          "placement: strategy 'cross-llc' cannot place 1 producer and 1 consumer: 8 usable CPUs, all of one "
          "last-level cache" +
              advice);
    CHECK(refusal(hybrid(), "cross-llc", 1, 1).find("16 usable CPUs, all of one") != std::string::npos);
    CHECK(refusal(one_cpu(), "cross-llc", 1, 1).find("1 usable CPU, all of one") != std::string::npos);
    CHECK(refusal(restricted(), "cross-llc", 3, 3)
              .find("the largest two last-level caches have 4 and 2 usable CPUs") != std::string::npos);
}

TEST_CASE("cross-node puts the roles on two nodes", "[fast]") {
    CHECK(placed(eight_nodes(), "cross-node", 1, 1) == List{0, 16});
    CHECK(placed(eight_nodes(), "cross-node", 16, 16) == range(0, 31));
    CHECK(placed(two_nodes(), "cross-node", 2, 2) == List{0, 2, 4, 6});
    CHECK(placed(two_nodes(), "cross-node", 3, 1) == List{0, 2, 1, 4});
    CHECK(placed(eight_nodes().restricted_to({0, 64, 65}), "cross-node", 1, 1) == List{64, 0});
    CHECK(placed(Topology::synthetic("numa:2(indexes=8,0) core:1 pu:1"), "cross-node", 1, 1) == List{1, 0});
    CHECK(refusal(eight_nodes(), "cross-node", 17, 1) ==
          "placement: strategy 'cross-node' cannot place 17 producers and 1 consumer: the largest two NUMA "
          "nodes have "
          "16 and 16 usable CPUs" +
              advice);
    for (auto const& one_node : {two_cpus(), several_llcs(), two_packages()})
        CHECK(refusal(one_node, "cross-node", 1, 1).find("all of one NUMA node") != std::string::npos);
}

TEST_CASE("workers without roles are halved, and wrong roles are refused", "[fast]") {
    CHECK(plan_placement(eight_nodes(), {3, "cross-node"}).worker_cpus == List{0, 1, 16});
    CHECK(plan_placement(desktop(), {4, "same-core"}).worker_cpus == List{0, 1, 4, 5});
    CHECK(placed(eight_nodes(), "same-node", 3, 0) == List{0, 1, 2});
    for (auto const* strategy : {"same-core", "same-l2", "cross-llc", "cross-node"}) {
        CHECK(refusal(two_nodes(), strategy, 2, 0).find("needs one of each") != std::string::npos);
        CHECK(refusal(two_nodes(), strategy, 0, 2).find("needs one of each") != std::string::npos);
    }
    CHECK_THROWS_WITH(plan_placement(desktop(), {4, "spread", {}, 2, 1}),
                      Catch::Contains("2 producers and 1 consumers are not 4 workers"));
    CHECK_THROWS_AS(plan_placement(desktop(), {1, "spread", {}, 2, -1}), std::invalid_argument);
}
