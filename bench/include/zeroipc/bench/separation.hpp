#pragma once

#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// Round trips over two cache lines that take at least this long are between cores apart. Where the processor is
/// virtual, this is the only way to tell: the host moves virtual CPUs. Seen on such machines: 48 to 105 ns together, 250
/// and 410 ns apart.
inline constexpr double usual_separate_cores_ns = 150.0;

/// Whether this machine's processor says that it is virtual, or does not say.
bool processor_is_virtual();

/// Where two CPUs were while something was measured on them.
enum class Separation {
    apart,    ///< on separate cores from the first to the last
    shared,   ///< on one core
    changed,  ///< the host moved one of them meanwhile
};

/// Judges by probes of the round trip before and after: on a virtual processor by them alone; a real processor's topology
/// can be believed.
class SeparationGate {
public:
    SeparationGate(Topology const& topology, bool is_virtual, double separate_cores_ns)
        : topology_(topology), is_virtual_(is_virtual), separate_cores_ns_(separate_cores_ns) {}

    Separation judge(int cpu, int other, double before_ns, double after_ns) const;

private:
    int core_of(int cpu) const;

    Topology const& topology_;
    bool is_virtual_;
    double separate_cores_ns_;
};

}  // namespace zeroipc::bench
