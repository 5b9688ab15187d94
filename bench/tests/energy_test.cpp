#include "zeroipc/bench/energy.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "root.hpp"

using Catch::Matchers::Contains;
using zeroipc::bench::EnergyMeter;
using zeroipc::bench::EnergyReading;
using zeroipc::bench::testing::Root;

namespace {

std::string const powercap = "sys/class/powercap/";

void zone(Root& root, std::string const& folder, std::string const& name, std::string const& microjoules,
          std::string const& range = "262143328850\n") {
    root.with(powercap + folder + "/name", name + '\n');
    root.with(powercap + folder + "/energy_uj", microjoules + '\n');
    if (!range.empty()) root.with(powercap + folder + "/max_energy_range_uj", range);
}

}  // namespace

TEST_CASE("energy of all packages, and of nothing else", "[fast]") {
    Root root;
    zone(root, "intel-rapl:0", "package-0", "1000000");
    zone(root, "intel-rapl:0:0", "core", "5");
    zone(root, "intel-rapl:1", "package-1", "7000000");
    zone(root, "intel-rapl:2", "psys", "9");
    zone(root, "intel-rapl-mmio:0", "package-0", "1000000");
    root.with(powercap + "intel-rapl/enabled", "1\n");
    EnergyMeter const meter(root.path());
    CHECK(meter.packages() == 2);
    CHECK(meter.reason().empty());
    auto const before = meter.read();
    REQUIRE(before);
    CHECK(*before == EnergyReading{1'000'000, 7'000'000});
    zone(root, "intel-rapl:0", "package-0", "3500000");
    zone(root, "intel-rapl:1", "package-1", "7000001");
    CHECK(*meter.joules(before, meter.read()) == Approx(2.500001));
    CHECK(*meter.joules(before, before) == 0);
}

TEST_CASE("a counter that ran over is understood where its range is known", "[fast]") {
    Root root;
    zone(root, "intel-rapl:0", "package-0", "9999990", "10000000\n");
    EnergyMeter const meter(root.path());
    CHECK(*meter.joules(EnergyReading{9'999'990}, EnergyReading{20}) == Approx(30e-6));
    CHECK_FALSE(meter.joules(EnergyReading{10'000'001}, EnergyReading{20}));  // beyond its own range
    zone(root, "intel-rapl:1", "package-1", "5", "");
    EnergyMeter const one_without(root.path());
    REQUIRE(one_without.packages() == 2);
    CHECK_FALSE(one_without.joules(EnergyReading{0, 5}, EnergyReading{0, 4}));
    CHECK(*one_without.joules(EnergyReading{0, 4}, EnergyReading{0, 5}) == Approx(1e-6));
}

TEST_CASE("what cannot be read is nothing, with the reason", "[fast]") {
    Root const empty;
    EnergyMeter const none(empty.path());
    CHECK(none.packages() == 0);
    CHECK_FALSE(none.read());
    CHECK_FALSE(none.joules(none.read(), none.read()));
    CHECK_FALSE(none.joules(EnergyReading{}, EnergyReading{}));
    CHECK_THAT(none.reason(), Contains("no energy counters"));

    Root root;
    zone(root, "intel-rapl:0", "package-0", "1");
    zone(root, "intel-rapl:1", "package-1", "");
    EnergyMeter const half(root.path());
    CHECK_FALSE(half.read());
    CHECK_THAT(half.reason(), Contains("chmod a+r"));
    CHECK_FALSE(half.joules(EnergyReading{0, 0}, half.read()));
}

TEST_CASE("this machine: either joules or a reason", "[fast]") {
    EnergyMeter const meter;
    auto const reading = meter.read();
    CHECK(reading.has_value() == meter.reason().empty());
    if (reading) {
        auto const joules = meter.joules(reading, meter.read());
        REQUIRE(joules);
        CHECK(*joules >= 0);
    }
}
