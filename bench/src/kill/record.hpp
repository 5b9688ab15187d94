#pragma once
/// \file
/// A kill as JSON: the field `kill` of a record.

#include <nlohmann/json.hpp>

#include "zeroipc/bench/coordinator.hpp"

namespace zeroipc::bench {

/// \param result has a kill.
nlohmann::json kill_record(Cell const& cell, RunResult const& result);

}  // namespace zeroipc::bench
