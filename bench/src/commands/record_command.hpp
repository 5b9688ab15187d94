#pragma once
/// \file
/// zeroipc-bench --record.

#include "arguments.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

/// Records a history into the file a.record and says what it holds. Throws PlanError on what cannot be recorded.
/// \param capacity_given, workers_given whether they were asked for, or are a sweep's defaults
/// \return the exit status.
int record_history(Arguments const& a, bool capacity_given, bool workers_given, Topology const& topology);

}  // namespace zeroipc::bench
