#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// The machine, the system and the build, as an object of schema "zeroipc-environment/1" (see environment.cpp
/// for each key's source). What cannot be read is the string "unknown", never 0, false or empty. Nothing in
/// it names the host, a user, a path or a serial number. Files are read below root, so that tests can supply
/// their own. Does not throw on files that are missing or strange.
nlohmann::json environment(Topology const& topology, std::filesystem::path const& root = "/");

/// Name of a machine for folders: model, cores (CPUs where cores are unknown), NUMA nodes and hash of the
/// shape, for example "amd-epyc-2c-1n-3fa9c1d2". Lower-case letters, digits and dashes, at most 64. Pure.
std::string machine_id(Topology const& topology);

/// CPU time since boot, summed over all CPUs, in the kernel's ticks (usually 10 ms each). Differences of two
/// readings give the share that the hypervisor took.
struct CpuTimes {
    long steal = 0;
    long total = 0;
};

/// From /proc/stat; nothing where that does not say how much was stolen.
std::optional<CpuTimes> read_cpu_times(std::filesystem::path const& root = "/");

}  // namespace zeroipc::bench
