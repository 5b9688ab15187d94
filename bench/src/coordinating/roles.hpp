#pragma once

#include <cstdint>
#include <string>

#include "zeroipc/bench/cell.hpp"

namespace zeroipc::bench {

inline std::string role_of(Cell const& cell, std::uint32_t worker) {
    if (cell.is_alone() || cell.consumers == 0) return "worker";
    bool const first = worker < cell.producers;
    if (cell.mode == Mode::pingpong) return first ? "initiator" : "responder";
    return first ? "producer" : "consumer";
}

/// The worker whose CPU is probed against the first one's: the first consumer, or else the second worker.
inline std::uint32_t probe_partner(Cell const& cell) { return cell.consumers != 0 ? cell.producers : 1; }

/// A load beyond what cells may have.
inline constexpr std::uint32_t all_due_at_once = ~std::uint32_t{0};

}  // namespace zeroipc::bench
