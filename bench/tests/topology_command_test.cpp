#include "commands/topology_command.hpp"
#include "commanded.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "commands/topology_drawing.hpp"
#include "machines.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using Catch::Contains;

namespace {

Commanded run(std::vector<char const*> arguments) {
    return commanded(topology_command, "topology", std::move(arguments));
}

char const* const small = "pack:1 l3:1(size=8388608) l2:2(size=1310720) core:1 pu:1";
char const* const smt = "pack:2 numa:1 l3:1(size=8388608) l2:2(size=524288) l1d:1(size=49152) core:1 pu:2";
char const* const eight = "pack:2 numa:4 l3:2 l2:8 core:1 pu:1";

}  // namespace

TEST_CASE("a machine of two cores, with every strategy", "[fast]") {
    auto const drawn = run({"--synthetic", small});
    CHECK(drawn.status == 0);
    CHECK(drawn.err.empty());
    CHECK(drawn.out == R"(machine: unknown (not this one), 2 CPUs, 2 cores, 1 package, 1 NUMA node
caches:  L2 2 x 1.25 MiB, L3 1 x 8 MiB

package 0
  node 0
    L3 0 (8 MiB) cores 0,1  [0] [1]

[ ] a core and its hardware threads by the kernel's numbers

spread: one worker a core, cores near each other first, then second hardware threads
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0] [C0]

scatter: as far apart as possible: other package, node, cache, core; then second threads
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0] [C0]

compact: as near as possible: a core's hardware threads, then its L2, last-level cache, node
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0] [C0]

same-core: producer i and consumer i on hardware threads of one core
  1+1: impossible: placement: strategy 'same-core' cannot place 1 producer and 1 consumer: of 2
       usable CPUs no two share a core: use fewer workers, another strategy or an explicit list

same-l2: producer i and consumer i on CPUs that share an L2 cache
  1+1: impossible: placement: strategy 'same-l2' cannot place 1 producer and 1 consumer: of 2 usable
       CPUs no two share an L2 cache: use fewer workers, another strategy or an explicit list

same-llc: all in one last-level cache, on different L2 caches while there are
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0] [C0]

same-node: all on one NUMA node, one worker a core first
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0] [C0]

cross-llc: producers in one last-level cache, consumers in another, of one node if possible
  1+1: impossible: placement: strategy 'cross-llc' cannot place 1 producer and 1 consumer: 2 usable
       CPUs, all of one last-level cache: use fewer workers, another strategy or an explicit list

cross-node: producers on one NUMA node, consumers on another, of one package if possible
  1+1: impossible: placement: strategy 'cross-node' cannot place 1 producer and 1 consumer: 2 usable
       CPUs, all of one NUMA node: use fewer workers, another strategy or an explicit list

P, C producers and consumers; . no worker
)");
}

TEST_CASE("a machine of two nodes with second threads", "[fast]") {
    auto const drawn =
        run({"--synthetic", smt, "--placement", "cross-node,same-core", "--placement", "scatter"});
    CHECK(drawn.status == 0);
    CHECK(drawn.out == R"(machine: unknown (not this one), 8 CPUs, 4 cores, 2 packages, 2 NUMA nodes
caches:  L1d 4 x 48 KiB, L2 4 x 512 KiB, L3 2 x 8 MiB

package 0
  node 0
    L3 0 (8 MiB) cores 0,1  [0 1] [2 3]
package 1
  node 1
    L3 1 (8 MiB) cores 2,3  [4 5] [6 7]

[ ] a core and its hardware threads by the kernel's numbers

scatter: as far apart as possible: other package, node, cache, core; then second threads
  1+1: producer on CPU 0; consumer on CPU 4
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0  .] [ .  .]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [C0  .] [ .  .]
  2+2: producers on CPUs 0 4; consumers on CPUs 2 6
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0  .] [C0  .]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [P1  .] [C1  .]
  4+4: producers on CPUs 0 4 2 6; consumers on CPUs 1 5 3 7
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0 C0] [P2 C2]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [P1 C1] [P3 C3]

same-core: producer i and consumer i on hardware threads of one core
  1+1: producer on CPU 0; consumer on CPU 1
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0 C0] [ .  .]
  2+2: producers on CPUs 0 2; consumers on CPUs 1 3
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0 C0] [P1 C1]
  4+4: producers on CPUs 0 2 4 6; consumers on CPUs 1 3 5 7
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0 C0] [P1 C1]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [P2 C2] [P3 C3]

cross-node: producers on one NUMA node, consumers on another, of one package if possible
  1+1: producer on CPU 0; consumer on CPU 4
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0  .] [ .  .]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [C0  .] [ .  .]
  2+2: producers on CPUs 0 2; consumers on CPUs 4 6
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0  .] [P1  .]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [C0  .] [C1  .]
  4+4: producers on CPUs 0 2 1 3; consumers on CPUs 4 6 5 7
    package 0
      node 0
        L3 0 (8 MiB) cores 0,1  [P0 P2] [P1 P3]
    package 1
      node 1
        L3 1 (8 MiB) cores 2,3  [C0 C2] [C1 C3]

P, C producers and consumers; . no worker
)");
}

TEST_CASE("kinds, shared L2 caches, caches of one core, and what may not be used", "[fast]") {
    CHECK(draw_machine(hybrid()) ==
          R"(machine: 12th Gen Intel(R) Core(TM) i7-1260P CPU @ 2.50GHz (not this one), 16 CPUs, 12 cores, 1
         package, 1 NUMA node
caches:  L1d 4 x 48 KiB, L1d 8 x 32 KiB, L2 4 x 1.25 MiB, L2 2 x 2 MiB, L3 1 x 24 MiB

package 0
  node 0
    L3 0 (24 MiB) cores 0-3, kind 1   [ 0  1] [ 2  3] [ 4  5] [ 6  7]
    L3 0 (24 MiB) cores 4-11, kind 0  {[ 8] [ 9] [10] [11]} {[12] [13] [14] [15]}

[ ] a core and its hardware threads by the kernel's numbers
{ } cores that share an L2 cache
kind 0 is the least powerful
)");
    auto const odd =
        Topology::from_xml_file(std::string(ZEROIPC_BENCH_TEST_DATA) + "/offline_and_disallowed.xml");
    CHECK(draw_machine(odd) ==
          R"(machine: Planted Processor (not this one), 3 CPUs, 3 cores, 1 package, 1 NUMA node
caches:  L2 3 x 512 KiB
usable:  CPUs 0,2
offline: CPUs 1, not drawn

package 0
  node 0
    L2 0-2 (512 KiB each) cores 0-2  [0 ] [2 ] [3x]

[ ] a core and its hardware threads by the kernel's numbers
x   may not be used
)");
    CHECK(draw_placement(odd, plan_placement(odd, {2, "compact"}), 1, 1) ==
          " package 0\n   node 0\n     L2 0-2 (512 KiB each) cores 0-2  [P0] [C0] [ x]\n");
}

TEST_CASE("what a machine does not show is not made up", "[fast]") {
    auto const drawn = run({"--synthetic", "pu:4", "--producers", "9", "--placement", "spread"});
    CHECK(drawn.out ==
          R"(machine: unknown (not this one), 4 CPUs, unknown cores, unknown packages, 1 NUMA node
caches:  unknown

node 0
  CPUs 0-3  [0] [1] [2] [3]

[ ] a core and its hardware threads by the kernel's numbers

spread: one worker a core, cores near each other first, then second hardware threads
  9+1: producers on CPUs 0 1 2 3 0 1 2 3 0; consumer on CPU 1
    node 0
      CPUs 0-3  [P0+2] [P1+2] [P2P6] [P3P7]

P, C producers and consumers; . no worker
P0C0 two workers share the CPU; P0+2 P0 and two more do
)");
    // Two caches of CPUs without cores are two rows.
    CHECK_THAT(draw_machine(Topology::synthetic("l3:2(size=1048576) pu:2")),
               Contains("  L3 0 (1 MiB) CPUs 0,1  [0] [1]\n  L3 1 (1 MiB) CPUs 2,3  [2] [3]\n"));
}

TEST_CASE("128 CPUs on eight nodes fit 100 columns", "[fast]") {
    for (auto const& arguments : {std::vector<char const*>{"--synthetic", eight},
                                  {"--synthetic", eight, "--producers", "64", "--consumers", "64"},
                                  {"--synthetic", "pack:2 numa:1 l3:1 core:64 pu:4", "--producers", "200"}}) {
        auto const drawn = run(arguments);
        CHECK(drawn.status == 0);
        std::istringstream lines(drawn.out);
        for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
    }
    CHECK_THAT(
        run({"--synthetic", eight}).out,
        Contains("    L3 15 (16 MiB) cores 120-127  [120] [121] [122] [123] [124] [125] [126] [127]\n"));
    CHECK_THAT(run({"--synthetic", eight, "--consumers", "9", "--placement", "cross-node"}).out,
               Contains("  1+9: producer on CPU 0; consumers on CPUs 16 17 18 19 20 21 22 23 24\n") &&
                   Contains("        L3 3 (16 MiB) cores 24-31  [C8] [ .] [ .] [ .] [ .] [ .] [ .] [ .]\n"));
}

TEST_CASE("the same as JSON", "[fast]") {
    auto const told = run({"--json", "--synthetic", "pack:1 l3:1(size=8388608) l2:1 core:1 pu:2",
                           "--placement", "compact,cross-llc"});
    CHECK(told.status == 0);
    auto const object = nlohmann::json::parse(told.out);
    auto const hash = Topology::synthetic("pack:1 l3:1(size=8388608) l2:1 core:1 pu:2").hash();
    auto const expected = nlohmann::json::parse(R"({
        "schema": "zeroipc-topology/1",
        "machine": {
            "model": "unknown", "is_this_machine": false, "hash": ")" +
                                                hash + R"(",
            "logical_cpus": 2, "cores": 1, "packages": 1, "numa_nodes": 1,
            "caches": [{"level": 2, "type": "unified", "bytes": 4194304, "instances": 1},
                       {"level": 3, "type": "unified", "bytes": 8388608, "instances": 1}],
            "cpus": [{"cpu": 0, "usable": true, "core": 0, "l2": 0, "llc": 0, "node": 0, "package": 0,
                      "smt_rank": 0, "efficiency": null},
                     {"cpu": 1, "usable": true, "core": 0, "l2": 0, "llc": 0, "node": 0, "package": 0,
                      "smt_rank": 1, "efficiency": null}],
            "offline_cpus": []},
        "placements": [
            {"strategy": "compact", "producers": 1, "consumers": 1, "reason": null, "producer_cpus": [0],
             "consumer_cpus": [1], "coordinator_cpus": [0, 1], "oversubscribed": false},
            {"strategy": "cross-llc", "producers": 1, "consumers": 1,
             "reason": "placement: strategy 'cross-llc' cannot place 1 producer and 1 consumer: 2 usable CPUs, all of one last-level cache: use fewer workers, another strategy or an explicit list",
             "producer_cpus": null, "consumer_cpus": null, "coordinator_cpus": null, "oversubscribed": null}]})");
    CHECK(object == expected);

    auto const odd = std::string(ZEROIPC_BENCH_TEST_DATA) + "/offline_and_disallowed.xml";
    auto const machine = nlohmann::json::parse(run({"--json", "--xml", odd.c_str()}).out)["machine"];
    CHECK(machine["offline_cpus"] == std::vector{1});
    CHECK(machine["cpus"][2]["cpu"] == 3);
    CHECK(machine["cpus"][2]["usable"] == false);
    CHECK(machine["cpus"][2]["l2"] == 2);
    auto const bare = nlohmann::json::parse(run({"--json", "--synthetic", "pu:1"}).out)["machine"];
    CHECK(bare["cores"].is_null());
    CHECK(bare["cpus"][0]["package"].is_null());
}

TEST_CASE("this machine is drawn", "[fast]") {
    auto const topology = Topology::this_machine();
    auto const drawn = run({"--placement", "spread"});
    CHECK(drawn.status == 0);
    CHECK(drawn.out.find("not this one") == std::string::npos);
    CHECK(drawn.out.starts_with(draw_machine(topology)));
}

TEST_CASE("wrong usage is refused by name", "[fast]") {
    auto const refused = [](std::vector<char const*> const& arguments, char const* name) {
        auto const outcome = run(arguments);
        CHECK(outcome.status == 2);
        CHECK(outcome.out.empty());
        CHECK_THAT(outcome.err, Contains(name));
    };
    refused({"--synthetic", "core:zero"}, "core:zero");
    refused({"--xml", "/nonexistent/machine.xml"}, "/nonexistent/machine.xml");
    refused({"--placement", "sprad"}, "sprad");
    refused({"--placement", "explicit"}, "explicit");
    refused({"--producers", "-1"}, "-1");
    refused({"--consumers", "2000"}, "2000");
    refused({"--synthetic", "pu:2", "--xml", "machine.xml"}, "--xml");
    refused({"--nonsense"}, "--nonsense");
    auto const help = run({"--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.out, Contains("--synthetic") && Contains("zeroipc-bench topology"));
}

TEST_CASE("text breaks at spaces", "[fast]") {
    CHECK(wrapped("", 2) == "\n");
    CHECK(wrapped("one  two", 2) == "one  two\n");
    std::string const word(60, 'x');
    CHECK(wrapped(word + ' ' + word + " y", 2) == word + "\n  " + word + " y\n");
    CHECK(wrapped(std::string(120, 'x'), 2) == std::string(120, 'x') + '\n');
}
