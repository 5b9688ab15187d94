#pragma once
/// \file
/// A process of one worker, or of all as threads, from its first instruction to its exit status.

#include <cstdint>
#include <string>

namespace zeroipc::bench {

/// First argument that makes the program a worker.
inline constexpr char const* worker_argument = "--worker-process";

/// \param segment of the run; \param index of the worker, 0 of a process of threads; \param parent process id of the coordinator.
/// \return exit status: 0, or 1 with the reason in the worker's report.
int worker_main(std::string const& segment, std::uint32_t index, int parent);

}  // namespace zeroipc::bench
