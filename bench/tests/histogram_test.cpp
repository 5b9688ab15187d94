#include "zeroipc/bench/histogram.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

using zeroipc::bench::Histogram;

namespace {

using Samples = std::vector<std::uint64_t>;

std::unique_ptr<Histogram> recorded(Samples const& samples) {
    auto histogram = std::make_unique<Histogram>();
    for (auto const sample : samples) histogram->record(sample);
    return histogram;
}

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

Samples exponential(double mean, std::size_t n) {
    std::mt19937_64 random(1);
    Samples samples;
    while (samples.size() < n)
        samples.push_back(static_cast<std::uint64_t>(-mean * std::log1p(-uniform(random))));
    return samples;
}

/// Nine in ten take 300 ticks, one in ten a million, both give or take a tenth.
Samples bimodal(std::size_t n) {
    std::mt19937_64 random(2);
    Samples samples;
    while (samples.size() < n) {
        double const middle = random() % 10 == 0 ? 1e6 : 300;
        samples.push_back(static_cast<std::uint64_t>(middle * (0.9 + 0.2 * uniform(random))));
    }
    return samples;
}

void check_against_sorted(Samples samples) {
    auto const histogram = recorded(samples);
    std::sort(samples.begin(), samples.end());
    auto const n = samples.size();
    CHECK(histogram->count() == n);
    CHECK(histogram->min() == samples.front());
    CHECK(histogram->max() == samples.back());
    CHECK(histogram->saturated() == 0);
    double sum = 0;
    for (auto const sample : samples) sum += static_cast<double>(sample);
    CHECK(histogram->mean() == Approx(sum / static_cast<double>(n)).epsilon(1e-12));
    // In thousandths, so that the rank is exact.
    for (std::size_t const per_mille : {0U, 1U, 10U, 250U, 500U, 900U, 990U, 999U, 1000U}) {
        auto const rank = std::max<std::size_t>(1, (per_mille * n + 999) / 1000);
        auto const exact = samples[rank - 1];
        auto const found = histogram->percentile(static_cast<double>(per_mille) / 1000);
        INFO(per_mille << " per mille: " << exact);
        CHECK(found >= exact);
        CHECK(found - exact <= exact / 1024);
        auto const at_or_below = std::upper_bound(samples.begin(), samples.end(), found) - samples.begin();
        CHECK(static_cast<std::size_t>(at_or_below) >= rank);
        CHECK(histogram->supported(static_cast<double>(per_mille) / 1000) ==
              (n >= (per_mille * n + 999) / 1000 + 10));
    }
}

bool same(Histogram const& a, Histogram const& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

TEST_CASE("percentiles are those of the sorted samples, to three digits", "[fast]") {
    for (std::size_t const n : {1U, 9U, 10U, 11U, 20U, 999U, 1000U, 1001U, 100'000U}) {
        INFO(n << " samples");
        check_against_sorted(exponential(50, n));
        check_against_sorted(exponential(1e5, n));
        check_against_sorted(exponential(1e9, n));
        check_against_sorted(bimodal(n));
        check_against_sorted(Samples(n, 4097));
        check_against_sorted(Samples(n, 0));
    }
}

TEST_CASE("buckets follow each other, are narrow, and count where they say", "[fast]") {
    auto const histogram = std::make_unique<Histogram>();
    std::uint64_t value = 0;
    for (std::uint64_t expected = 0; value <= Histogram::highest; ++expected) {
        REQUIRE(Histogram::bucket_of(value) == expected);
        histogram->record(value);
        // The next bucket begins at most 1/1024 further on; a smaller step stays inside.
        auto const step = std::max<std::uint64_t>(1, std::bit_floor(value) / 1024);
        REQUIRE(Histogram::bucket_of(value + step - 1) == expected);
        value += step;
    }
    CHECK(histogram->count() == Histogram::buckets);
    std::uint64_t next = 0;
    histogram->for_each([&](std::uint64_t lowest, std::uint64_t highest, std::uint64_t count) {
        REQUIRE(lowest == next);
        REQUIRE(highest >= lowest);
        REQUIRE((highest - lowest <= lowest / 1024 || lowest == Histogram::highest));
        REQUIRE(count == 1);
        next = highest + 1;
    });
    CHECK(next == 0);  // the last bucket ends with the largest value that there is
}

TEST_CASE("only buckets with samples are visited", "[fast]") {
    std::vector<std::uint64_t> seen;
    recorded({7, 7, 5000, 1})->for_each([&](std::uint64_t lowest, std::uint64_t, std::uint64_t count) {
        seen.insert(seen.end(), {lowest, count});
    });
    CHECK(seen == std::vector<std::uint64_t>{1, 1, 7, 2, 5000, 1});
}

TEST_CASE("extremes", "[fast]") {
    auto const largest = std::numeric_limits<std::uint64_t>::max();
    auto const at = recorded({Histogram::highest});
    CHECK(at->saturated() == 0);
    CHECK(at->percentile(1) == Histogram::highest);
    auto const above = recorded({Histogram::highest + 1, largest, 3});
    CHECK(above->saturated() == 2);
    CHECK(above->count() == 3);
    CHECK(above->min() == 3);
    CHECK(above->max() == largest);
    CHECK(above->percentile(1) == largest);
    CHECK(above->percentile(0.1) == 3);
    CHECK(recorded({largest})->min() == largest);
    CHECK(above->mean() == Approx((2 * 0x1p40 + 3) / 3));
}

TEST_CASE("an empty histogram has nothing to say, and zero bytes are one", "[fast]") {
    auto const empty = std::make_unique<Histogram>();
    CHECK(empty->count() == 0);
    CHECK(empty->min() == 0);
    CHECK(empty->max() == 0);
    CHECK(empty->mean() == 0);
    CHECK(empty->percentile(0.5) == 0);
    CHECK_FALSE(empty->supported(0));
    empty->for_each([](std::uint64_t, std::uint64_t, std::uint64_t) { FAIL("there is no bucket"); });
    std::string const zeros(sizeof(Histogram), '\0');
    CHECK(std::memcmp(empty.get(), zeros.data(), zeros.size()) == 0);
}

TEST_CASE("ten samples must lie beyond a percentile", "[fast]") {
    CHECK(recorded(Samples(1000, 5))->supported(0.99));
    CHECK_FALSE(recorded(Samples(999, 5))->supported(0.99));
    CHECK(recorded(Samples(100'000, 5))->supported(0.9999));  // where 1 - 0.9999 is not quite 1e-4
    CHECK_FALSE(recorded(Samples(99'999, 5))->supported(0.9999));
    CHECK(recorded(Samples(10, 5))->supported(0));
    CHECK_FALSE(recorded(Samples(9, 5))->supported(0));
    CHECK_FALSE(recorded(Samples(100, 5))->supported(1));
}

TEST_CASE("merged is the same as recorded together", "[fast]") {
    auto together = exponential(1e4, 5000);
    auto const more = bimodal(3000);
    auto const saturated = Samples{Histogram::highest * 3};
    auto const merged = recorded(together);
    merged->merge(*recorded(more));
    merged->merge(*recorded(saturated));
    merged->merge(*recorded({}));
    together.insert(together.end(), more.begin(), more.end());
    together.insert(together.end(), saturated.begin(), saturated.end());
    CHECK(same(*merged, *recorded(together)));
    auto const from_empty = recorded({});
    from_empty->merge(*recorded(more));
    CHECK(same(*from_empty, *recorded(more)));
}
