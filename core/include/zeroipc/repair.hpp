#pragma once
/// \file
/// What a repair reports. A repair needs the structure for itself; what it does stands with each algorithm.

#include <cstdint>

namespace zeroipc {

/// What a repair found and put in order.
struct repair_report {
    std::uint64_t reclaimed = 0;  ///< buffers, nodes or slots that a kill had left without an owner
};

}  // namespace zeroipc
