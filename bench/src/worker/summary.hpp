#pragma once

#include <cstdint>
#include <vector>

#include "zeroipc/bench/control.hpp"

namespace zeroipc::bench {

/// What a worker's round trips come to: percentiles that at least 10 samples lie beyond, and the curve through them. Sorts the
/// samples, of which there must be some; `report` says how many round trips there were.
void summarise(std::vector<std::uint32_t>& samples, WorkerReport& report);

}  // namespace zeroipc::bench
