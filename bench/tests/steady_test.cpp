#include "zeroipc/bench/steady.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using zeroipc::bench::find_steady_state;
using zeroipc::bench::SteadyState;

namespace {

using Series = std::vector<double>;

/// Made-up interval throughputs; the same for the same seed on every machine.
class Made {
public:
    explicit Made(std::uint64_t seed) : random_(seed) {}

    double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
    /// About normal: the sum of twelve uniform ones.
    double noise(double deviation) {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += uniform();
        return sum * deviation;
    }
    Series constant(std::size_t n, double mean, double deviation) {
        Series series;
        while (series.size() < n) series.push_back(mean + noise(deviation));
        return series;
    }
    /// Two modes, a factor of three apart; each interval changes the mode with this probability.
    Series flicker(std::size_t n, double change) {
        Series series;
        bool high = uniform() < 0.5;
        while (series.size() < n) {
            if (uniform() < change) high = !high;
            series.push_back((high ? 300 : 100) + noise(5));
        }
        return series;
    }

private:
    std::mt19937_64 random_;
};

/// Share of 400 series in which something is found.
template <class Make>
double alarms(Make&& make) {
    constexpr int all = 400;
    int found = 0;
    for (int seed = 0; seed < all; ++seed) {
        Made made(static_cast<std::uint64_t>(seed));
        found += find_steady_state(make(made))->from != 0 ? 1 : 0;
    }
    return found / static_cast<double>(all);
}

/// Share of 100 series that are steady from an interval near the one given.
template <class Make>
double hits(std::size_t expected, std::size_t tolerance, Make&& make) {
    int found = 0;
    for (int seed = 0; seed < 100; ++seed) {
        Made made(static_cast<std::uint64_t>(seed));
        auto const state = *find_steady_state(make(made));
        found += state.reached && state.from + tolerance >= expected && state.from <= expected + tolerance;
    }
    return found / 100.0;
}

}  // namespace

// Stated: 5%. Of 400 series three standard deviations more are 8.3%.
TEST_CASE("noise without a change seldom shows one", "[fast]") {
    for (std::size_t const n : {10U, 30U, 100U}) {
        INFO(n << " intervals");
        CHECK(alarms([n](Made& made) { return made.constant(n, 100, 10); }) < 0.083);
    }
}

TEST_CASE("modes that alternate from interval to interval are noise", "[fast]") {
    CHECK(alarms([](Made& made) { return made.flicker(100, 0.5); }) < 0.083);
}

// Stated: 15%, for a block holds only a few of the times that a mode lasts. Three standard deviations more are 20%.
TEST_CASE("modes that last some intervals are mostly noise", "[fast]") {
    CHECK(alarms([](Made& made) { return made.flicker(100, 0.3); }) < 0.2);
    CHECK(alarms([](Made& made) { return made.flicker(200, 0.1); }) < 0.2);
}

TEST_CASE("a step is found where it is", "[fast]") {
    auto const step = [](std::size_t n, std::size_t at, double before) {
        return [=](Made& made) {
            auto series = made.constant(n, 100, 3);
            for (std::size_t i = 0; i < at; ++i) series[i] += before - 100;
            return series;
        };
    };
    CHECK(hits(20, 1, step(100, 20, 80)) > 0.9);  // a slow beginning
    CHECK(hits(20, 1, step(100, 20, 130)) > 0.9);
    CHECK(hits(3, 0, step(100, 3, 50)) > 0.9);
    CHECK(hits(2, 0, step(10, 2, 50)) > 0.9);
    CHECK(hits(30, 3, step(300, 30, 85)) > 0.9);
}

TEST_CASE("a ramp that ends is warm-up, one that does not end is no steady state", "[fast]") {
    auto const ramp = [](std::size_t n, std::size_t length, std::uint64_t seed) {
        auto series = Made(seed).constant(n, 100, 2);
        for (std::size_t i = 0; i < length; ++i)
            series[i] -= 60 * (1 - static_cast<double>(i) / static_cast<double>(length));
        return series;
    };
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        INFO("seed " << seed);
        auto const short_ramp = *find_steady_state(ramp(100, 30, seed));
        CHECK(short_ramp.reached);
        CHECK(short_ramp.from >= 15);
        CHECK(short_ramp.from <= 45);
        CHECK_FALSE(find_steady_state(ramp(100, 100, seed))->reached);
    }
}

TEST_CASE("a change in the second half leaves no steady state", "[fast]") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto series = Made(seed).constant(100, 100, 3);
        for (std::size_t i = 70; i < 100; ++i) series[i] = series[i] * 0.7;
        auto const state = *find_steady_state(series);
        INFO("seed " << seed);
        CHECK_FALSE(state.reached);
        CHECK(state.from >= 69);
        CHECK(state.from <= 71);
    }
}

TEST_CASE("a change within the band does not matter", "[fast]") {
    auto series = Series(50, 99.0);
    std::fill(series.begin() + 10, series.end(), 100.0);
    CHECK(find_steady_state(series)->from == 0);
    auto const strict = *find_steady_state(series, {.alpha = 0.05, .band = 0.005});
    CHECK(strict.reached);
    CHECK(strict.from == 10);
}

TEST_CASE("series of which nothing can be said, and flat ones", "[fast]") {
    CHECK_FALSE(find_steady_state({}));
    CHECK_FALSE(find_steady_state(Series(9, 1.0)));
    auto broken = Series(20, 1.0);
    broken[7] = std::numeric_limits<double>::quiet_NaN();
    CHECK_FALSE(find_steady_state(broken));
    for (double const level : {0.0, 7.3, 1e15}) {
        auto const flat = *find_steady_state(Series(100, level));
        CHECK(flat.reached);
        CHECK(flat.from == 0);
    }
}
