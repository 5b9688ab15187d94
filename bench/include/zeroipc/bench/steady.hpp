#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace zeroipc::bench {

struct SteadyOptions {
    double alpha = 0.05;  ///< share of series without any change that are said to have one
    double band = 0.02;   ///< a change of mean by less than this share of the later mean does not matter
};

struct SteadyState {
    bool reached = false;
    std::size_t from = 0;  ///< first interval behind the last change found; 0: none was found
};

/// The least number of intervals of which anything is said.
inline constexpr std::size_t least_intervals = 10;

/// Whether and from where on a series of interval throughputs is steady.
///
/// The series is split in two where that lowers the sum of squares most (E. S. Page 1954; D. M. Hawkins 1977).
/// The split counts if shuffles of the series seldom allow as good a one (J. Antoch and M. Huskova 2001), at
/// level alpha; where neighbours are correlated, blocks are shuffled (C. Kirch 2007), so that a burst or a mode
/// that lasts is noise rather than a change. Then the part behind the split is judged in the same way. The run is
/// steady if the part without a change is at least half of the series (E. Barrett et al., OOPSLA 2017, ask the
/// same of the end).
///
/// False alarms: alpha where intervals are independent, of whatever distribution; about 15% where two modes
/// alternate and last up to a tenth of the series (both measured in the tests), more beyond. Short series show
/// only large parts: of 10 intervals at least 2 must differ, of 100 at least 1; and a ramp through all of 10 may
/// pass for a step in their middle.
///
/// O(n) for each of up to 999 shuffles a split; deterministic. Nothing for fewer than 10 intervals or values that
/// are not finite.
std::optional<SteadyState> find_steady_state(std::span<double const> series, SteadyOptions options = {});

}  // namespace zeroipc::bench
