#include "zeroipc/bench/steady.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace zeroipc::bench {

namespace {

using Series = std::span<double const>;

constexpr int shuffles = 999;
constexpr double independent_values = 3;  ///< in a block

double mean_of(Series series) {
    double sum = 0;
    for (double const value : series) sum += value;
    return sum / static_cast<double>(series.size());
}

struct Split {
    std::size_t at = 0;  ///< length of the first part
    double gain = 0;     ///< by how much two means lower the sum of squares
};

/// The best of all splits of a series with this mean.
Split best_split(Series series, double mean) {
    Split best;
    double sum = 0;  // of the deviations so far; over all it is 0
    auto const n = static_cast<double>(series.size());
    for (std::size_t i = 1; i < series.size(); ++i) {
        sum += series[i - 1] - mean;
        auto const k = static_cast<double>(i);
        auto const gain = sum * sum * n / (k * (n - k));
        if (gain > best.gain) best = {i, gain};
    }
    return best;
}

/// Values that are shuffled together. Where neighbours are correlated by r, once the two means are taken off,
/// one value in (1 + r) / (1 - r) is independent; blocks of some times that length hold what belongs together.
/// At most a tenth of the series: a ramp at its beginning is correlated too, and few blocks could not tell it
/// from chance.
std::size_t block_length(Series series, std::size_t split) {
    double const means[] = {mean_of(series.first(split)), mean_of(series.subspan(split))};
    double squares = 0;
    double products = 0;
    double before = 0;
    for (std::size_t i = 0; i < series.size(); ++i) {
        double const residual = series[i] - means[i < split ? 0 : 1];
        squares += residual * residual;
        products += residual * before;
        before = residual;
    }
    double const r = squares > 0 ? products / squares : 0;
    if (r < 2 / std::sqrt(static_cast<double>(series.size()))) return 1;  // chance makes as much
    auto const longest = static_cast<double>(series.size() / 10);
    return static_cast<std::size_t>(
        std::clamp(std::round(independent_values * (1 + r) / (1 - r)), 1.0, std::max(1.0, longest)));
}

/// Whether at most a share alpha of the shuffles allow a split as good.
bool is_significant(Series series, double mean, Split const& split, double alpha) {
    auto const length = block_length(series, split.at);
    std::vector<Series> blocks;
    for (std::size_t i = 0; i < series.size(); i += length)
        blocks.push_back(series.subspan(i, std::min(length, series.size() - i)));
    std::mt19937_64 random(series.size());
    std::vector<double> shuffled(series.size());
    auto const enough = split.gain * (1 - 1e-9);  // the same values in another order may round otherwise
    int as_good = 1;                              // the series itself
    for (int i = 0; i < shuffles; ++i) {
        for (std::size_t left = blocks.size(); left > 1; --left)
            std::swap(blocks[left - 1], blocks[static_cast<std::size_t>(random() % left)]);
        auto end = shuffled.begin();
        for (auto const& block : blocks) end = std::copy(block.begin(), block.end(), end);
        as_good += best_split(shuffled, mean).gain >= enough ? 1 : 0;
        if (as_good > alpha * (shuffles + 1)) return false;
    }
    return true;
}

}  // namespace

std::optional<SteadyState> find_steady_state(Series series, SteadyOptions options) {
    if (series.size() < least_intervals) return std::nullopt;
    if (!std::all_of(series.begin(), series.end(), [](double value) { return std::isfinite(value); }))
        return std::nullopt;
    SteadyState state{true, 0};
    for (;;) {
        auto const rest = series.subspan(state.from);
        auto const mean = mean_of(rest);
        auto const split = best_split(rest, mean);
        if (split.gain <= 0) return state;
        auto const after = mean_of(rest.subspan(split.at));
        auto const change = std::abs(after - mean_of(rest.first(split.at)));
        if (change <= options.band * std::abs(after)) return state;
        if (!is_significant(rest, mean, split, options.alpha)) return state;
        state.from += split.at;
        if (2 * (series.size() - state.from) < series.size()) {
            state.reached = false;
            return state;
        }
    }
}

}  // namespace zeroipc::bench
