#pragma once
/// \file
/// One throughput run with perf on one of its workers.

#include <cstdint>
#include <string>
#include <vector>

namespace zeroipc::bench {

struct WatchedRun {
    std::string tool;  ///< perf's: "stat" or "record"; empty: no run
    std::uint32_t worker = 0;
    std::uint32_t producers = 1, consumers = 1;  ///< of a queue
    std::uint32_t workers = 1;                   ///< of a stack or map
    std::uint64_t window_ns = 0;
    std::vector<std::string> perf_arguments;
};

struct Watched {
    std::string cell;
    std::uint32_t worker = 0;
    std::string role;
    int cpu = -1;
    std::uint64_t operations = 0;  ///< of this worker, in the window
    double window_ns = 0;
    std::vector<std::string> command;  ///< perf's, less how it is attached
    std::string said;
};

/// \throws PlanError for a cell or worker that there is not; NoPerf; std::runtime_error: the run failed
Watched run_watched(WatchedRun const& run, std::string const& variant, std::uint32_t payload_bytes,
                    std::uint64_t capacity);

}  // namespace zeroipc::bench
