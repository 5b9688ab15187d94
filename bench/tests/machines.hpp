#pragma once
/// \file
/// Machines to plan for.

#include <string>

#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench::testing {

/// Numbered as Linux does: all first threads, then all second ones. CPU n and n + 4 share a core.
inline Topology desktop() {
    return Topology::synthetic("pack:1 l3:1 l2:4 core:1 pu:2(indexes=0,4,1,5,2,6,3,7)");
}

/// Package 0: CPUs 0-7 and 16-23; package 1: 8-15 and 24-31. CPU n and n + 16 share a core. One NUMA node.
inline Topology two_packages() {
    return Topology::synthetic(
        "pack:2 l3:1 l2:8 core:1 pu:2(indexes=0,16,1,17,2,18,3,19,4,20,5,21,6,22,7,23,"
        "8,24,9,25,10,26,11,27,12,28,13,29,14,30,15,31)");
}

/// Node n: CPUs 16n to 16n + 15; nodes 0-3 in package 0; the upper eight of a node have their own L3.
inline Topology eight_nodes() { return Topology::synthetic("pack:2 numa:4 l3:2 l2:8 core:1 pu:1"); }

/// 0-7: four performance cores of two threads; 8-11 and 12-15: efficient cores, each four sharing an L2.
inline Topology hybrid() {
    return Topology::from_xml_file(std::string(ZEROIPC_BENCH_TEST_DATA) + "/hybrid.xml");
}

/// One node of four L3 caches of four cores; CPU 2n and 2n + 1 share core n; L3 m: CPUs 8m to 8m + 7.
inline Topology several_llcs() { return Topology::synthetic("pack:1 numa:1 l3:4 l2:4 core:1 pu:2"); }

/// Eight cores without second threads: 0-3 and 4-7 share an L2.
inline Topology clusters() { return Topology::synthetic("pack:1 l3:1 l2:2 core:4 pu:1"); }

/// Two packages, a node each, of two L3 caches of one core: CPU 2n and 2n + 1 share core n, an L2 and an L3.
inline Topology two_nodes() { return Topology::synthetic("pack:2 numa:1 l3:2 l2:1 core:1 pu:2"); }

}  // namespace zeroipc::bench::testing
