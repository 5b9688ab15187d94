#pragma once

#include "zeroipc/bench/cell.hpp"

namespace zeroipc::bench {

/// \throws PlanError for a cell that cannot be run anywhere: which value is wrong, and what may stand there.
void check_cell(Cell const& cell);

}  // namespace zeroipc::bench
