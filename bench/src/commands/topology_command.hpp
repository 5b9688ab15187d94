#pragma once
/// \file
/// `zeroipc-bench topology`: draws a machine and where each placement strategy puts workers on it.

#include <iosfwd>

namespace zeroipc::bench {

/// Runs the command; argv[0] is its name. Writes to `out` the drawing, or with --json an object of schema
/// "zeroipc-topology/1":
/// - machine: model, is_this_machine, hash (see Topology::hash()), logical_cpus, cores, packages, numa_nodes (null where
///   unknown), caches (level, type, bytes, instances), cpus (an object for each that is online: cpu, usable, core, l2,
///   llc, node, package, smt_rank, efficiency as in struct Cpu, null where unknown), offline_cpus;
/// - placements: strategy, producers, consumers, reason (why it is impossible; null if it is not), and, null where it is
///   impossible, producer_cpus, consumer_cpus, coordinator_cpus, oversubscribed.
/// \return 0, or 2 for wrong usage, which `err` says.
int topology_command(int argc, char const* const* argv, std::ostream& out, std::ostream& err);

}  // namespace zeroipc::bench
