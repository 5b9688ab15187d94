#pragma once
/// \file
/// What the names of variants, bounds, peers and languages allow in a plan.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench {

/// Handles that may push and pop at most.
struct Limits {
    std::uint32_t producers = variants::any_number, consumers = variants::any_number;
};
Limits limits_of(std::string_view name);

/// Whether as many handles may push and pop as the cell has workers.
bool takes_workers_of(Cell const& cell);

/// What a variant's workers are in a sweep.
std::vector<Host> hosts_of(std::string const& variant, Sweep const& sweep);

}  // namespace zeroipc::bench
