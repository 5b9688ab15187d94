#include "zeroipc/bench/placement.hpp"

#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "machines.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using List = std::vector<int>;

namespace {

Placement plan(Topology const& topology, int workers, std::string const& strategy = "spread",
               List cpus = {}) {
    return plan_placement(topology, {workers, strategy, std::move(cpus)});
}

List workers(Topology const& topology, int count, std::string const& strategy) {
    return plan(topology, count, strategy).worker_cpus;
}

}  // namespace

TEST_CASE("two cores without SMT", "[fast]") {
    auto const topology = Topology::synthetic("pack:1 l3:1 l2:2 core:1 pu:1");
    auto const one = plan(topology, 1);
    CHECK(one.strategy == "spread");
    CHECK(one.worker_cpus == List{0});
    CHECK(one.coordinator_cpus == List{1});
    CHECK_FALSE(one.oversubscribed);
    auto const two = plan(topology, 2);
    CHECK(two.worker_cpus == List{0, 1});
    CHECK(two.coordinator_cpus == List{0, 1});
    CHECK_FALSE(two.oversubscribed);
    auto const five = plan(topology, 5);
    CHECK(five.worker_cpus == List{0, 1, 0, 1, 0});
    CHECK(five.coordinator_cpus == List{0, 1});
    CHECK(five.oversubscribed);
    CHECK(workers(topology, 3, "scatter") == List{0, 1, 0});
}

TEST_CASE("one CPU", "[fast]") {
    auto const topology = Topology::synthetic("pack:1 core:1 pu:1");
    auto const one = plan(topology, 1);
    CHECK(one.worker_cpus == List{0});
    CHECK(one.coordinator_cpus == List{0});
    CHECK_FALSE(one.oversubscribed);
    auto const three = plan(topology, 3, "scatter");
    CHECK(three.worker_cpus == List{0, 0, 0});
    CHECK(three.coordinator_cpus == List{0});
    CHECK(three.oversubscribed);
}

TEST_CASE("a desktop of four cores, two threads each", "[fast]") {
    auto const topology = desktop();
    auto const three = plan(topology, 3);
    CHECK(three.worker_cpus == List{0, 1, 2});
    CHECK(three.coordinator_cpus == List{3, 7});  // 4, 5 and 6 share cores with workers
    auto const four = plan(topology, 4);
    CHECK(four.worker_cpus == List{0, 1, 2, 3});
    CHECK(four.coordinator_cpus == List{4, 5, 6, 7});
    auto const six = plan(topology, 6);
    CHECK(six.worker_cpus == List{0, 1, 2, 3, 4, 5});
    CHECK(six.coordinator_cpus == List{6, 7});
    CHECK_FALSE(six.oversubscribed);
    auto const ten = plan(topology, 10);
    CHECK(ten.worker_cpus == List{0, 1, 2, 3, 4, 5, 6, 7, 0, 1});
    CHECK(ten.coordinator_cpus == List{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(ten.oversubscribed);
    CHECK(workers(topology, 8, "scatter") == List{0, 1, 2, 3, 4, 5, 6, 7});
    // Numbered core by core instead, as some firmware has it.
    auto const other = Topology::synthetic("pack:1 l3:1 l2:4 core:1 pu:2");
    CHECK(workers(other, 8, "spread") == List{0, 2, 4, 6, 1, 3, 5, 7});
}

TEST_CASE("two packages of eight cores, two threads each", "[fast]") {
    auto const topology = two_packages();
    CHECK(workers(topology, 9, "spread") == List{0, 1, 2, 3, 4, 5, 6, 7, 8});
    CHECK(workers(topology, 18, "spread") ==
          List{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
    CHECK(plan(topology, 9).coordinator_cpus == List{9, 10, 11, 12, 13, 14, 15, 25, 26, 27, 28, 29, 30, 31});
    CHECK(workers(topology, 5, "scatter") == List{0, 8, 1, 9, 2});
    CHECK(workers(topology, 19, "scatter") ==
          List{0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 16, 24, 17});
    CHECK(plan(topology, 2, "scatter").coordinator_cpus == List{1,  2,  3,  4,  5,  6,  7,  9,  10, 11,
                                                                12, 13, 14, 15, 17, 18, 19, 20, 21, 22,
                                                                23, 25, 26, 27, 28, 29, 30, 31});
    CHECK_FALSE(plan(topology, 32).oversubscribed);
    CHECK(plan(topology, 33).oversubscribed);
    CHECK(plan(topology, 33).worker_cpus.back() == 0);
}

TEST_CASE("eight nodes of sixteen cores", "[fast]") {
    auto const topology = eight_nodes();
    CHECK(workers(topology, 18, "spread") ==
          List{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
    CHECK(workers(topology, 18, "scatter") ==
          List{0, 64, 16, 80, 32, 96, 48, 112, 8, 72, 24, 88, 40, 104, 56, 120, 1, 65});
    List all(128);
    std::iota(all.begin(), all.end(), 0);
    CHECK(workers(topology, 128, "spread") == all);
    // A node within a cache (sub-NUMA clustering) is filled before the next, too.
    auto const clustered = Topology::synthetic("pack:2 l3:1 numa:2 core:2 pu:1");
    CHECK(workers(clustered, 8, "spread") == List{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(workers(clustered, 8, "scatter") == List{0, 4, 2, 6, 1, 5, 3, 7});
}

TEST_CASE("machines without L3, without caches, without cores", "[fast]") {
    auto const shared_l2 = Topology::synthetic("pack:1 l2:2 core:2 pu:1");
    CHECK(workers(shared_l2, 4, "spread") == List{0, 1, 2, 3});
    CHECK(workers(shared_l2, 4, "scatter") == List{0, 2, 1, 3});
    auto const no_caches = Topology::synthetic("pack:1 core:4 pu:1");
    CHECK(workers(no_caches, 5, "spread") == List{0, 1, 2, 3, 0});
    CHECK(workers(no_caches, 5, "scatter") == List{0, 1, 2, 3, 0});
    auto const no_cores = Topology::synthetic("pu:4");
    CHECK(workers(no_cores, 4, "spread") == List{0, 1, 2, 3});
    CHECK(workers(no_cores, 4, "scatter") == List{0, 1, 2, 3});
    CHECK(plan(no_cores, 1).coordinator_cpus == List{1, 2, 3});
    auto const only_packages = Topology::synthetic("pack:2 pu:2");
    CHECK(workers(only_packages, 4, "spread") == List{0, 1, 2, 3});
    CHECK(workers(only_packages, 4, "scatter") == List{0, 2, 1, 3});
}

TEST_CASE("a hybrid machine: powerful cores first, second threads last", "[fast]") {
    auto const topology = hybrid();
    CHECK(workers(topology, 17, "spread") == List{0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 1, 3, 5, 7, 0});
    CHECK(workers(topology, 17, "scatter") == List{0, 2, 4, 6, 8, 12, 9, 13, 10, 14, 11, 15, 1, 3, 5, 7, 0});
    CHECK(plan(topology, 4).coordinator_cpus == List{8, 9, 10, 11, 12, 13, 14, 15});
    CHECK(plan(topology, 12).coordinator_cpus == List{1, 3, 5, 7});

    // By kind and not by number: the same machine with the kinds exchanged.
    auto xml = topology.export_xml();
    std::string const first = "forced_efficiency=\"0\"";
    std::string const second = "forced_efficiency=\"1\"";
    auto const at_first = xml.find(first);
    auto const at_second = xml.find(second);
    REQUIRE((at_first != std::string::npos && at_second != std::string::npos));
    xml.replace(at_first, first.size(), second).replace(at_second, second.size(), first);
    auto const exchanged = Topology::from_xml_buffer(xml, false);
    CHECK(workers(exchanged, 10, "spread") == List{8, 9, 10, 11, 12, 13, 14, 15, 0, 2});
    CHECK(workers(exchanged, 10, "scatter") == List{8, 12, 9, 13, 10, 14, 11, 15, 0, 2});
}

TEST_CASE("a restricted cpuset: only usable CPUs, most together first", "[fast]") {
    // One core of package 0 and two of package 1, all threads.
    auto const topology = two_packages().restricted_to({7, 23, 8, 9, 24, 25});
    CHECK(workers(topology, 7, "spread") == List{8, 9, 7, 24, 25, 23, 8});
    CHECK(workers(topology, 7, "scatter") == List{7, 8, 9, 23, 24, 25, 7});
    CHECK(plan(topology, 2).coordinator_cpus == List{7, 23});
    CHECK(plan(topology, 6).coordinator_cpus == List{7, 8, 9, 23, 24, 25});
    // A core of which only the second thread is usable is a whole core.
    auto const odd = two_packages().restricted_to({16, 1, 17, 2});
    CHECK(workers(odd, 4, "spread") == List{16, 1, 2, 17});
    CHECK(plan(odd, 1).coordinator_cpus == List{1, 2, 17});
}

TEST_CASE("an explicit list", "[fast]") {
    auto const topology = desktop();
    auto const listed = plan(topology, 3, "explicit", {5, 0, 2});
    CHECK(listed.strategy == "explicit");
    CHECK(listed.worker_cpus == List{5, 0, 2});
    CHECK(listed.coordinator_cpus == List{3, 7});
    CHECK_FALSE(listed.oversubscribed);
    CHECK(plan(topology, 2, "explicit", {5, 0, 2}).worker_cpus == List{5, 0});
    CHECK(plan(topology, 2, "explicit", {5, 5}).oversubscribed);
}

TEST_CASE("requests that cannot be met say why", "[fast]") {
    using Catch::Contains;
    auto const topology = two_packages().restricted_to({0, 1, 2});
    CHECK_THROWS_AS(plan(topology, 1, "sprad"), std::invalid_argument);
    CHECK_THROWS_WITH(plan(topology, 1, "sprad"),
                      Contains("'sprad'") && Contains("spread, scatter, compact"));
    CHECK_THROWS_WITH(plan(topology, 0), Contains("0 workers") && Contains("at least 1"));
    CHECK_THROWS_WITH(plan(topology, -3, "explicit", {0}), Contains("-3 workers"));
    CHECK_THROWS_WITH(plan(topology, 1, "explicit", {32}),
                      Contains("CPU 32") && Contains("does not exist") && Contains("0-2"));
    CHECK_THROWS_WITH(plan(topology, 1, "explicit", {-1}), Contains("CPU -1") && Contains("does not exist"));
    CHECK_THROWS_WITH(plan(topology, 1, "explicit", {0, 5}),
                      Contains("CPU 5") && Contains("may not be used"));
    CHECK_THROWS_WITH(plan(topology, 3, "explicit", {0, 1}), Contains("2 CPUs listed for 3 workers"));
    CHECK_THROWS_WITH(plan(topology, 1, "explicit"), Contains("0 CPUs listed for 1 workers"));
    CHECK_THROWS_WITH(plan(topology, 1, "spread", {0, 1}), Contains("(0,1)") && Contains("'spread'"));
}

TEST_CASE("every strategy listed can be asked for", "[fast]") {
    auto const topology = two_nodes();
    auto const all = placement_strategies();
    CHECK(all.size() == 10);
    for (auto const& strategy : all) {
        CHECK_FALSE(strategy.what.empty());
        auto const cpus = strategy.name == "explicit" ? List{0, 1} : List{};
        CHECK(plan(topology, 2, strategy.name, cpus).worker_cpus.size() == 2);
    }
    CHECK(PlacementRequest{}.strategy == all.front().name);
}
