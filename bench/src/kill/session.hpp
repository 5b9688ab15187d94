#pragma once
/// \file
/// Kill cells as Google Benchmark shows them, and how long they take.

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>

#include "zeroipc/bench/cell.hpp"

namespace zeroipc::bench {

/// \param kill field of a record. \return seconds an operation of the survivors behind the kill: what compare.py compares.
/// Where there was none, or it is not known, the time until the newcomer had recovered, or a second.
double add_kill_counters(nlohmann::json const& kill, benchmark::UserCounters& counters);

/// What a run takes, about.
double kill_seconds_of(Cell const& cell);

}  // namespace zeroipc::bench
