#include "zeroipc/bench/mix.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace zeroipc::bench;

TEST_CASE("mixes by name and by shares", "[fast]") {
    CHECK(parse_mix("ycsb-a") == Mix{.read = 50, .update = 50});
    CHECK(parse_mix("ycsb-c") == parse_mix("r100"));
    CHECK(parse_mix("ycsb-f") == parse_mix("r50m50"));
    CHECK(parse_mix("r90i5e5") == Mix{.read = 90, .insert = 5, .erase = 5});
    CHECK(parse_mix("i10u20e30s40") == Mix{.insert = 10, .update = 20, .erase = 30, .scan = 40});
    CHECK(parse_mix("ycsb-d")->latest);
    CHECK_FALSE(parse_mix("r50u50")->changes_keys());
    CHECK(parse_mix("r90i5e5")->changes_keys());
    for (auto const* const wrong : {"", "r", "r99", "r101", "r50r50", "x100", "r50i50e", "r-1i101", "ycsb",
                                    "ycsb-g", "r4294967396", "r100 ", "R100"}) {
        INFO(wrong);
        CHECK_FALSE(parse_mix(wrong));
    }
}

TEST_CASE("draws of keys by name", "[fast]") {
    CHECK(parse_keys("uniform") == Keys{});
    CHECK(parse_keys("zipf0.99") == Keys{.kind = Keys::Kind::zipf, .skew = 0.99});
    CHECK(parse_keys("hot10-90") == Keys{.kind = Keys::Kind::hot, .hot_keys = 10, .hot_draws = 90});
    for (auto const* const wrong :
         {"", "zipf", "zipf0", "zipf-1", "zipf5.1", "zipfnan", "zipf1x", "hot", "hot10", "hot0-90",
          "hot100-90", "hot10-0", "hot10-101", "hot10-90-1", "Uniform"}) {
        INFO(wrong);
        CHECK_FALSE(parse_keys(wrong));
    }
}

/// Pearson's statistic of what was seen against what is expected.
double chi_squared(std::vector<double> const& seen, std::vector<double> const& expected) {
    double sum = 0;
    for (std::size_t i = 0; i < seen.size(); ++i)
        sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
    return sum;
}

TEST_CASE("Zipf's law is met, at every skew", "[fast]") {
    constexpr std::uint64_t seed = 20261127;
    constexpr std::size_t n = 50;
    constexpr int draws = 200'000;
    for (double const skew : {0.2, 0.5, 0.99, 1.0, 1.01, 1.5, 3.0, 5.0}) {
        INFO("skew " << skew << ", seed " << seed);
        std::mt19937_64 random(seed);
        Zipf zipf(n, skew);
        std::vector<double> weight(n);
        double all = 0;
        for (std::size_t k = 1; k <= n; ++k) all += weight[k - 1] = std::pow(static_cast<double>(k), -skew);
        std::vector<double> seen(n, 0);
        for (int i = 0; i < draws; ++i) {
            auto const k = zipf(random);
            REQUIRE(k >= 1);
            REQUIRE(k <= n);
            ++seen[k - 1];
        }
        // Rare numbers stand together, so that each class expects ten at least.
        std::vector<double> classes;
        std::vector<double> expected;
        double rest_seen = 0;
        double rest_expected = 0;
        for (std::size_t k = 0; k < n; ++k) {
            rest_seen += seen[k];
            rest_expected += draws * weight[k] / all;
            if (rest_expected < 10 && k + 1 < n) continue;
            classes.push_back(rest_seen);
            expected.push_back(rest_expected);
            rest_seen = rest_expected = 0;
        }
        // With d degrees of freedom the statistic has mean d and variance 2 d: five deviations.
        auto const d = static_cast<double>(classes.size() - 1);
        CHECK(chi_squared(classes, expected) < d + 5 * std::sqrt(2 * d) + 5);
    }
    std::mt19937_64 random(seed);
    Zipf one(1, 0.99);
    for (int i = 0; i < 100; ++i) CHECK(one(random) == 1);
}

TEST_CASE("a drawn key lies in its range, and as often as it should", "[fast]") {
    static constexpr std::uint64_t range = 1000;
    constexpr int draws = 200'000;
    auto const share = [](KeyChooser& choose, std::uint32_t below) {
        int seen = 0;
        for (int i = 0; i < draws; ++i) {
            auto const key = choose();
            REQUIRE(key < range);
            seen += key < below ? 1 : 0;
        }
        return static_cast<double>(seen) / draws;
    };
    KeyChooser even({}, range, 1);
    CHECK(share(even, 100) == Approx(0.1).margin(0.005));
    KeyChooser hot(*parse_keys("hot10-90"), range, 2);
    CHECK(share(hot, 100) == Approx(0.9).margin(0.005));
    double weight = 0;
    double all = 0;
    for (int k = 1; k <= 1000; ++k) (k <= 10 ? weight : all) += std::pow(k, -0.99);
    KeyChooser zipf(*parse_keys("zipf0.99"), range, 3);
    CHECK(share(zipf, 10) == Approx(weight / (weight + all)).margin(0.005));
    KeyChooser tiny(*parse_keys("hot10-90"), 1, 4);
    CHECK(tiny() == 0);
}

TEST_CASE("workers with other seeds draw other keys, with the same seed the same", "[fast]") {
    for (auto const* const name : {"uniform", "zipf0.99", "hot10-90"}) {
        KeyChooser one(*parse_keys(name), 1000, 7);
        KeyChooser same(*parse_keys(name), 1000, 7);
        KeyChooser other(*parse_keys(name), 1000, 8);
        int alike = 0;
        for (int i = 0; i < 1000; ++i) {
            auto const key = one();
            CHECK(key == same());
            alike += key == other() ? 1 : 0;
        }
        CHECK(alike < 500);
    }
}
