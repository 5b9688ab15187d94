#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// One property of the machine, judged by what it does to measurements.
struct Finding {
    enum class State { ok, spoils, unknown };
    std::string check;
    State state = State::unknown;
    std::string found;   ///< the value, or "unknown"
    std::string effect;  ///< what a bad value does to measurements
    std::string remedy;  ///< the command that mends it, or how to find out; empty if it is ok
};

char const* to_string(Finding::State state) noexcept;

/// Looks at everything known to spoil measurements. Reads files below root, and changes nothing. Does not throw
/// on files that are missing or strange: what they would tell is unknown.
std::vector<Finding> diagnose(Topology const& topology, std::filesystem::path const& root = "/");

/// What /dev/shm holds and has free, in bytes; negative: unknown.
Finding judge_shared_memory(long long bytes, long long free_bytes);

}  // namespace zeroipc::bench
