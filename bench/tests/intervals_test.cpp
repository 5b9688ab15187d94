#include "zeroipc/bench/intervals.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

using namespace zeroipc::bench;

namespace {

using Counts = std::vector<std::uint64_t>;

Counts counts(Intervals const& intervals) {
    auto const series = intervals.series();
    return {series.begin(), series.end()};
}

/// Five intervals of 100 ticks.
Intervals five() {
    Intervals intervals;
    intervals.ticks = 100;
    intervals.used = 5;
    return intervals;
}

constexpr std::uint64_t start = 7000;

}  // namespace

TEST_CASE("a window has whole intervals of 10 ms, or longer ones", "[fast]") {
    auto const window = [](double ns) {
        return Intervals::of_window(static_cast<std::uint64_t>(ns * 2.5), 2.5);
    };
    CHECK(window(100e6).used == 10);
    CHECK(window(100e6).ticks == 25'000'000);
    CHECK(window(109e6).used == 10);
    CHECK(window(9e6).used == 0);
    CHECK(window(0).used == 0);
    CHECK(window(10.24e9).used == Intervals::most);
    CHECK(window(10.24e9).ticks == 25'000'000);
    for (double const ns : {10.2401e9, 60e9, 3600e9}) {
        auto const intervals = window(ns);
        CHECK(intervals.used <= Intervals::most);
        CHECK(intervals.used > Intervals::most / 2);
        CHECK(static_cast<double>(intervals.ticks * intervals.used) <= ns * 2.5);
    }
}

TEST_CASE("what is done counts for the interval of the look before", "[fast]") {
    auto intervals = five();
    IntervalMeter meter(intervals, start);
    meter.note(start + 10, 3);
    meter.note(start + 99, 7);
    meter.note(start + 100, 8);  // crosses: all 8 were begun in the first
    meter.note(start + 150, 20);
    meter.note(start + 420, 25);  // 2 and 3 pass without a look
    meter.note(start + 430, 30);
    meter.finish(start + 490, 31);
    CHECK(counts(intervals) == Counts{8, 17, 0, 0, 6});
}

TEST_CASE("what is done after the last interval counts for none", "[fast]") {
    auto intervals = five();
    IntervalMeter meter(intervals, start);
    meter.note(start + 480, 10);
    meter.note(start + 501, 14);
    meter.note(start + 560, 20);
    meter.finish(start + 10'000, 50);
    CHECK(counts(intervals) == Counts{10, 0, 0, 0, 4});

    Intervals none;
    none.ticks = 100;
    IntervalMeter idle(none, start);
    idle.note(start + 50, 3);
    idle.finish(start + 150, 4);
    CHECK(none.operations[0] == 0);
}

TEST_CASE("nothing is lost or counted twice", "[fast]") {
    auto intervals = five();
    IntervalMeter meter(intervals, start);
    std::uint64_t done = 0;
    for (std::uint64_t now = start; now < start + 500; now += 1 + done % 37) meter.note(now, done += 3);
    meter.finish(start + 499, done += 5);
    std::uint64_t sum = 0;
    for (auto const count : intervals.series()) sum += count;
    CHECK(sum == done);
}

TEST_CASE("workers' intervals add up, if they are the same intervals", "[fast]") {
    auto one = five();
    auto other = five();
    one.operations[0] = 5;
    one.operations[4] = 1;
    other.operations[4] = 2;
    one.merge(other);
    CHECK(counts(one) == Counts{5, 0, 0, 0, 3});
    other.used = 4;
    CHECK_THROWS_WITH(one.merge(other), Catch::Matchers::Contains("4 intervals of 100 ticks to 5 of 100"));
    other = five();
    other.ticks = 99;
    CHECK_THROWS_AS(one.merge(other), std::invalid_argument);
    CHECK(counts(one) == Counts{5, 0, 0, 0, 3});
}
