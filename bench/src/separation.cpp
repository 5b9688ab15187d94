#include "zeroipc/bench/separation.hpp"

#include <fstream>
#include <string>

namespace zeroipc::bench {

bool processor_is_virtual() {
    std::ifstream info("/proc/cpuinfo");
    std::string line;
    bool flags_seen = false;
    while (std::getline(info, line)) {
        if (!line.starts_with("flags")) continue;
        flags_seen = true;
        if (line.find(" hypervisor") != std::string::npos) return true;
    }
    return !flags_seen;  // where it cannot be told, do not trust the topology
}

int SeparationGate::core_of(int cpu) const {
    for (auto const& one : topology_.cpus())
        if (one.os_index == cpu) return one.core;
    return -1;
}

Separation SeparationGate::judge(int cpu, int other, double before_ns, double after_ns) const {
    if (!is_virtual_) return core_of(cpu) != core_of(other) ? Separation::apart : Separation::shared;
    bool const apart_before = before_ns >= separate_cores_ns_;
    bool const apart_after = after_ns >= separate_cores_ns_;
    if (apart_before != apart_after) return Separation::changed;
    return apart_before ? Separation::apart : Separation::shared;
}

}  // namespace zeroipc::bench
