#include "zeroipc/bench/separation.hpp"

#include <catch2/catch.hpp>

using namespace zeroipc::bench;

TEST_CASE("on a virtual processor the probes alone tell, and both must", "[fast]") {
    auto const topology = Topology::synthetic("pack:1 l3:1 l2:2 core:1 pu:2");
    SeparationGate const gate(topology, true, 150);
    CHECK(gate.judge(0, 1, 150, 400) == Separation::apart);  // of one core, as the topology has it
    CHECK(gate.judge(0, 2, 149.9, 90) == Separation::shared);
    CHECK(gate.judge(0, 2, 100, 400) == Separation::changed);
    CHECK(gate.judge(0, 2, 400, 100) == Separation::changed);
}

TEST_CASE("a real processor's topology is believed, whatever the probes say", "[fast]") {
    auto const topology = Topology::synthetic("pack:1 l3:1 l2:2 core:1 pu:2");
    SeparationGate const gate(topology, false, 150);
    CHECK(gate.judge(0, 1, 400, 400) == Separation::shared);
    CHECK(gate.judge(0, 2, 60, 400) == Separation::apart);
}
