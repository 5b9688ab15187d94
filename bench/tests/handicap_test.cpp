#include "zeroipc/bench/handicap.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "schema_check.hpp"
#include "spawned.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/workload.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;

namespace {

/// Keys of a sweep's cells of a variant, without what is the same in all.
std::vector<std::string> keys_of(Sweep sweep, std::string const& variant) {
    Suite suite;
    suite.sweeps.push_back(std::move(sweep));
    std::vector<std::string> keys;
    for (auto const& cell : expand(suite))
        if (cell.variant == variant) {
            auto const key = cell.key();
            keys.push_back(std::string(to_string(cell.mode)) + key.substr(key.rfind("ms")));
        }
    return keys;
}

Sweep sweep_of(std::string const& variant) {
    Sweep sweep;
    sweep.variants = {variant};
    return sweep;
}

/// Takes everything.
struct Sink {
    bool try_push(Payload<8> const&) { return true; }
};

}  // namespace

TEST_CASE("the mean of a handicap is what was asked for, be it shorter than a stamp or longer", "[fast]") {
    auto const asked = GENERATE(0.3, 1.0, 29.0, 30.0, 31.0, 1000.5);
    constexpr std::uint64_t stamp_ticks = 30;
    constexpr int looks = 10'000;
    Handicap handicap(asked);
    std::uint64_t now = 1'000'000;
    std::uint64_t spun = 0;
    for (int i = 0; i < looks; ++i) {
        auto const before = now;
        auto const after = handicap.after_look(now, [&] { return now += stamp_ticks; });
        CHECK(after == now);
        spun += now - before;
        // Never behind, and ahead by less than one stamp.
        REQUIRE(static_cast<double>(spun) >= asked * (i + 1) - 1e-6);
        REQUIRE(static_cast<double>(spun) < asked * (i + 1) + stamp_ticks + 1e-6);
    }
}

TEST_CASE("a stamp that took long is taken off the next spins", "[fast]") {
    Handicap handicap(10.0);
    std::uint64_t now = 0;
    handicap.after_look(now, [&] { return now = 100; });
    int stamps = 0;
    for (int i = 0; i < 9; ++i) handicap.after_look(now, [&] { return ++stamps, ++now; });
    CHECK(stamps == 0);
    handicap.after_look(now, [&] { return ++stamps, ++now; });
    CHECK(stamps == 10);
}

TEST_CASE("without a handicap no stamp is taken", "[fast]") {
    Handicap none;
    CHECK(none.after_look(7, []() -> std::uint64_t { throw std::logic_error("a stamp"); }) == 7);
}

TEST_CASE("a handicapped producer can do no more than its spins leave time for", "[fast]") {
    auto const control = std::make_unique<Control>();
    control->producers = 1;
    control->consumers = 0;
    Bench bench{*control, control->reports[0], 0, Clock(ClockInfo{})};
    constexpr std::uint64_t millisecond = 1'000'000;
    bench.handicap = Handicap(double{millisecond});
    auto const begin = bench.clock.ticks();
    bench.window_end = begin + 5 * millisecond;
    Sink sink;
    produce<8>(bench, sink);
    CHECK(bench.report.end >= bench.window_end);
    // A look each millisecond at most: five end inside the window or at its end, however fast the machine is.
    CHECK(bench.report.successes <= 5 * attempts_a_look);
    CHECK(bench.report.successes >= attempts_a_look);
}

TEST_CASE("handicaps and replicas are cells of their own, of throughput and of variants", "[fast]") {
    auto sweep = sweep_of("default");
    sweep.modes = {Mode::throughput, Mode::pingpong};
    sweep.handicaps_ns = {0, 12.5, 12.5};
    sweep.handicap_all = true;
    sweep.replicas = 2;
    auto const variant = match_variants("default").front();
    CHECK(keys_of(sweep, variant) == std::vector<std::string>{"throughputms", "throughputms/replica1",
                                                              "throughputms/handicap12.5ns_all",
                                                              "throughputms/handicap12.5ns_all/replica1",
                                                              "pingpongms", "pingpongms/replica1"});
    sweep.handicap_all = false;
    sweep.replicas = 1;
    CHECK(keys_of(sweep, variant) ==
          std::vector<std::string>{"throughputms", "throughputms/handicap12.5ns", "pingpongms"});
    for (auto const* bound : {bound_pipe, bound_cacheline, bound_fetch_add})
        for (auto const& key : keys_of(sweep, bound)) CHECK_THAT(key, !Contains("handicap"));
}

TEST_CASE("the counter takes a handicap where it is named, and a single worker will do for it", "[fast]") {
    auto sweep = sweep_of(bound_fetch_add);
    sweep.consumers = {0};
    sweep.handicaps_ns = {0, 3};
    CHECK(keys_of(sweep, bound_fetch_add) ==
          std::vector<std::string>{"throughputms", "throughputms/handicap3ns"});
    sweep.variants = {"default"};
    CHECK_THROWS_WITH(keys_of(sweep, bound_fetch_add), Contains("1 producers and 0 consumers"));
}

TEST_CASE("what no handicap can be is refused", "[fast]") {
    auto sweep = sweep_of("default");
    auto const handicap = GENERATE(-1.0, 1.1e7, std::numeric_limits<double>::quiet_NaN());
    sweep.handicaps_ns = {handicap};  // the window is 100 ms
    CHECK_THROWS_AS(keys_of(sweep, bound_pipe), PlanError);
    CHECK_THROWS_WITH(keys_of(sweep, bound_pipe), Contains("a handicap of ") && Contains("10000000 ns"));
    CHECK_THROWS_WITH(handicap_of_all("some"), Contains("'some'") && Contains("first or all"));
    sweep.handicaps_ns = {0};
    sweep.replicas = 1001;
    CHECK_THROWS_WITH(keys_of(sweep, bound_pipe), Contains("more than 1000 replicas"));
}

TEST_CASE("a suite's file has handicaps and replicas", "[fast]") {
    Folder const folder;
    auto const file = folder / "suite.toml";
    auto const read = [&](std::string const& keys) {
        std::ofstream(file) << "[[sweep]]\nvariants = 'default'\n" << keys;
        return read_suite(file).sweeps.front();
    };
    auto const sweep = read("handicap_ns = [0, 2.5, 7]\nhandicap_workers = 'all'\nreplicas = 3\n");
    CHECK(sweep.handicaps_ns == std::vector<double>{0, 2.5, 7});
    CHECK(sweep.handicap_all);
    CHECK(sweep.replicas == 3);
    CHECK_FALSE(read("handicap_workers = 'first'\n").handicap_all);
    CHECK(read("consumers = 0\n").consumers == std::vector<std::uint32_t>{0});
    for (auto const* wrong : {"handicap_ns = ['much']\n", "handicap_workers = ['all']\n", "replicas = 0\n",
                              "replicas = [1, 2]\n", "consumers = -1\n"}) {
        INFO(wrong);
        CHECK_THROWS_WITH(read(wrong), Contains(file.string() + ":3: "));
    }
    CHECK_THROWS_WITH(read("handicap_workers = 'second'\n"), Contains("'second'"));
}

TEST_CASE("records of handicapped cells say so, and pass their checks", "[fast]") {
    Folder const folder;
    auto const out = folder / "out";
    auto const outcome = run_program({"--mode", "throughput", "--handicap-ns", "0,2000", "--handicap-workers",
                                      "all", "--replicas", "2", "--window", "60", "--rounds", "1", "--out",
                                      out.string(), "--benchmark_filter=queue/"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    std::ifstream lines(out / "records.jsonl");
    std::vector<std::string> seen;
    for (std::string line; std::getline(lines, line);) {
        auto const record = json::parse(line);
        CHECK(record_complaints(record).empty());
        CHECK(record["status"] == "ok");
        seen.push_back(record["handicap_ns"].dump() + " " + record["handicap_workers"].dump() + " " +
                       record["replica"].dump());
    }
    std::sort(seen.begin(), seen.end());
    CHECK(seen ==
          std::vector<std::string>{"0.0 null 0", "0.0 null 1", "2000.0 \"all\" 0", "2000.0 \"all\" 1"});
}

TEST_CASE("a single worker on the counter is a run like any other", "[fast]") {
    Folder const folder;
    auto const suite = (folder / "one.toml").string();
    std::ofstream(suite)
        << "rounds = 1\n[[sweep]]\nvariants = 'bound/fetch_add'\nconsumers = 0\nwindow_ms = 1\n";
    auto const out = folder / "out";
    auto const outcome =
        run_program({"--suite", suite, "--out", out.string(), "--benchmark_filter=fetch_add"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    auto const record = json::parse(read_text(out / "records.jsonl"));
    CHECK(record_complaints(record).empty());
    CHECK(record["workers"].size() == 1);
    CHECK(record["separate_cores"].is_null());
    CHECK(record["verification"]["passed"] == true);
}
