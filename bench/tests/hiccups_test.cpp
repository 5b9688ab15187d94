#include "zeroipc/bench/hiccups.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace zeroipc::bench;

namespace {

constexpr std::uint64_t floor_ticks = 1000;

Hiccups after(std::vector<std::uint64_t> const& gaps) {
    std::uint64_t now = 12345;
    HiccupMeter meter(now, floor_ticks);
    for (auto const gap : gaps) meter.look(now += gap);
    return meter.finish();
}

std::vector<std::uint64_t> steady(std::size_t n, std::uint64_t gap) { return std::vector(n, gap); }

}  // namespace

TEST_CASE("looks at a steady pace are no hiccups", "[fast]") {
    for (std::size_t const n : {1U, 2U, 62U, 63U, 64U, 1000U}) {
        INFO(n << " looks");
        auto const found = after(steady(n, 70));
        CHECK(found.count == 0);
        CHECK(found.longest == 0);
        CHECK(found.total == 0);
        CHECK(found.threshold == floor_ticks);
    }
}

TEST_CASE("without a look nothing is known", "[fast]") { CHECK(after({}).threshold == 0); }

TEST_CASE("gaps above the threshold are counted, wherever they are", "[fast]") {
    for (std::size_t const place : {0U, 30U, 62U, 63U, 500U, 999U}) {
        INFO("at " << place);
        auto gaps = steady(1000, 70);
        gaps[place] = 5000;
        gaps[(place + 7) % gaps.size()] = floor_ticks + 1;
        gaps[(place + 9) % gaps.size()] = floor_ticks;  // not above it
        auto const found = after(gaps);
        CHECK(found.count == 2);
        CHECK(found.longest == 5000);
        CHECK(found.total == 5000 + floor_ticks + 1);
    }
}

TEST_CASE("few looks are judged too", "[fast]") {
    auto const found = after({70, 9000, 70});
    CHECK(found.count == 1);
    CHECK(found.longest == 9000);
}

TEST_CASE("where looks are far apart, the threshold is ten medians", "[fast]") {
    auto gaps = steady(200, 400);
    gaps[10] = 4000;
    gaps[100] = 4001;
    auto const found = after(gaps);
    CHECK(found.threshold == 4000);
    CHECK(found.count == 1);
    CHECK(found.longest == 4001);
}

TEST_CASE("a beginning full of stalls does not hide them", "[fast]") {
    auto gaps = steady(1000, 70);
    for (std::size_t i = 0; i < 31; ++i) gaps[i] = 50'000;  // fewer than half of those that are learned from
    auto const found = after(gaps);
    CHECK(found.threshold == floor_ticks);
    CHECK(found.count == 31);
}

TEST_CASE("finish may be asked twice", "[fast]") {
    HiccupMeter meter(0, floor_ticks);
    meter.look(5000);
    meter.look(5001);
    meter.look(5002);
    CHECK(meter.finish().count == 1);
    CHECK(meter.finish().count == 1);
}
