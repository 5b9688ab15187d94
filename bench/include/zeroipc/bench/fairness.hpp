#pragma once

#include <cmath>
#include <optional>
#include <span>

namespace zeroipc::bench {

/// Jain's fairness index of what each worker got: 1 if all got the same, 1/n if one of n got everything
/// (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984). Nothing if there are no shares, all are zero, or one is negative
/// or not finite.
inline std::optional<double> jain_index(std::span<double const> shares) noexcept {
    double sum = 0;
    double squares = 0;
    for (double const share : shares) {
        if (!std::isfinite(share) || share < 0) return std::nullopt;
        sum += share;
        squares += share * share;
    }
    if (sum == 0) return std::nullopt;
    return sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace zeroipc::bench
