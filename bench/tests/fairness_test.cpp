#include "zeroipc/bench/fairness.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

using zeroipc::bench::jain_index;
using Shares = std::vector<double>;

TEST_CASE("Jain's index", "[fast]") {
    CHECK(*jain_index(Shares{5}) == 1);
    CHECK(*jain_index(Shares{3, 3, 3, 3}) == 1);
    CHECK(*jain_index(Shares{0, 8, 0, 0}) == 0.25);
    CHECK(*jain_index(Shares{1, 3}) == Approx(0.8));
    CHECK(*jain_index(Shares{1e9, 3e9}) == Approx(0.8));  // no matter in which unit
    CHECK(*jain_index(Shares(1000, 1e12)) == Approx(1));
}

TEST_CASE("no shares have no fairness", "[fast]") {
    CHECK_FALSE(jain_index({}));
    CHECK_FALSE(jain_index(Shares{0, 0, 0}));
    CHECK_FALSE(jain_index(Shares{1, -1}));
    CHECK_FALSE(jain_index(Shares{1, std::numeric_limits<double>::quiet_NaN()}));
    CHECK_FALSE(jain_index(Shares{1, std::numeric_limits<double>::infinity()}));
}
