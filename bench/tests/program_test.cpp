// The program as its users have it: real workers, real signals. No verdict depends on how long anything
// takes; cells whose figures do not matter are bounds and round trips, which succeed at least once in however
// short a window.

#include <unistd.h>
#include <zeroipc/memory.hpp>
#include <zeroipc/queue.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "schema_check.hpp"
#include "spawned.hpp"
#include "zeroipc/bench/kernel_queue.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/workload.hpp"
#include "zeroipc/tools/progress.hpp"

using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using nlohmann::json;
using zeroipc::bench::Cell;
using zeroipc::bench::Mode;

namespace {

using Arguments = std::vector<std::string>;

/// A moment's work: one cell, which cannot fail to make progress.
Arguments quick_run(Arguments more = {}) {
    Arguments arguments{
        "--mode", "throughput", "--window", "1", "--rounds", "1", "--benchmark_filter=fetch_add"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

Arguments with(Arguments arguments, Arguments const& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

/// The cells of a sweep that this machine can run: some have no message queues.
std::vector<Cell> possible(zeroipc::bench::Sweep const& sweep) {
    zeroipc::bench::Suite suite;
    suite.sweeps = {sweep};
    auto cells = zeroipc::bench::expand(suite);
    std::erase_if(cells, [](Cell const& cell) { return zeroipc::bench::why_impossible(cell).has_value(); });
    return cells;
}

/// The default beside its bounds. What a message queue holds anywhere: 8 items.
zeroipc::bench::Sweep sweep_of(std::vector<Mode> modes) {
    zeroipc::bench::Sweep sweep;
    sweep.modes = std::move(modes);
    sweep.variants = {"default"};
    sweep.capacities = {8};
    return sweep;
}

/// How many cells that is in a round of ping-pongs.
std::size_t pingpongs() { return possible(sweep_of({Mode::pingpong})).size(); }

std::vector<std::string> lines_of(std::string const& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

/// The records in a folder. Each line must be whole.
std::vector<json> records_in(fs::path const& folder) {
    auto const text = read_text(folder / "records.jsonl");
    CHECK((text.empty() || text.back() == '\n'));
    std::vector<json> records;
    for (auto const& line : lines_of(text)) records.push_back(json::parse(line));
    return records;
}

json read_json(fs::path const& file) { return json::parse(read_text(file)); }

/// Percentiles rise, and are there only with at least 10 samples beyond them.
void check_latency(json const& latency) {
    auto const samples = latency["samples"].get<double>();
    CHECK(samples >= 1);
    double last = latency["min_ns"].get<double>();
    for (auto const& [name, beyond] :
         {std::pair{"p50_ns", 0.5}, std::pair{"p90_ns", 0.1}, std::pair{"p99_ns", 0.01},
          std::pair{"p99_9_ns", 0.001}, std::pair{"p99_99_ns", 0.0001}}) {
        if (samples * beyond < 9.999) CHECK(latency[name].is_null());
        if (samples * beyond > 10.001) CHECK(latency[name].is_number());
        if (!latency[name].is_number()) continue;
        CHECK(latency[name].get<double>() >= last);
        last = latency[name].get<double>();
    }
    CHECK(latency["max_ns"].get<double>() >= last);
    double fraction = -1;
    last = 0;
    for (auto const& point : latency["curve"]) {
        CHECK(point[0].get<double>() > fraction);
        CHECK(point[1].get<double>() >= last);
        fraction = point[0].get<double>();
        last = point[1].get<double>();
    }
    CHECK(fraction < 1);
}

/// A run that succeeded, was verified, and had each worker where it was asked for.
void check_good(json const& record) {
    INFO(record.dump());
    CHECK(record_complaints(record).empty());
    CHECK(record["status"] == "ok");
    CHECK(record["error"].is_null());
    REQUIRE(record["verification"].is_object());
    CHECK(record["verification"]["passed"] == true);
    CHECK(record["verification"]["sums_equal"] == true);
    CHECK(record["verification"]["sent"] == record["verification"]["received"]);
    auto const& placement = record["placement"];
    CHECK(placement["verified"] == true);
    json asked = json::array();
    for (auto const& cpu : placement["cpus_asked"]) asked.push_back(json::array({cpu}));
    CHECK(placement["cpus_obtained"] == asked);
    CHECK(asked.size() == record["producers"].get<std::size_t>() + record["consumers"].get<std::size_t>());
    CHECK(record["workers"].size() == asked.size());
    if (record["latency"].is_object()) check_latency(record["latency"]);
    auto const& memory = record["memory"];
    if (memory["pages_checked"].is_number()) {
        long found = 0;
        for (auto const& pages : memory["pages_by_node"]) found += pages.get<long>();
        CHECK(found == memory["pages_checked"]);
        CHECK(memory["verified"] == true);
    }
    if (record["steal_share"].is_number()) CHECK(record["steal_share"] >= 0);
    auto const& before = record["probe_before_ns"];
    auto const& after = record["probe_after_ns"];
    if (before.is_number() && after.is_number())
        CHECK(record["clock"]["between_cpus_ns"] == std::max(before.get<double>(), after.get<double>()) / 2);
}

/// Nothing is left of a coordinator that has ended.
void check_clean(pid_t coordinator) {
    CHECK(segments_of(coordinator).empty());
    CHECK(workers_of(coordinator).empty());
}

/// Strings anywhere in a document, keys excluded.
void collect_strings(json const& value, std::set<std::string>& strings) {
    if (value.is_string()) strings.insert(value.get<std::string>());
    if (value.is_structured())
        for (auto const& inner : value) collect_strings(inner, strings);
}

std::string host_name() {
    std::array<char, 256> name{};
    REQUIRE(::gethostname(name.data(), name.size() - 1) == 0);
    return name.data();
}

void check_anonymous(json const& document) {
    std::set<std::string> strings;
    collect_strings(document, strings);
    CHECK(strings.count(host_name()) == 0);
    CHECK(strings.count(ZEROIPC_BENCH_PROGRAM) == 0);
}

}  // namespace

// ---------------------------------------------------------------------------------------- what it says of
// itself

TEST_CASE("--help explains and runs nothing", "[fast]") {
    auto const outcome = run_program({"--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    for (auto const* const part :
         {"--suite", "--variant", "--rounds", "--out", "--watchdog", "Examples:", "Exit status"})
        CHECK_THAT(outcome.out, Contains(part));
    auto const theirs = run_program({"--benchmark_help"});
    CHECK(theirs.status == 0);
    CHECK_THAT(theirs.out, Contains("--benchmark_filter"));
}

TEST_CASE("--list names every variant, the default first, the bounds, the peers, and the languages",
          "[fast]") {
    auto const outcome = run_program({"--list"});
    CHECK(outcome.status == 0);
    auto const lines = lines_of(outcome.out);
    auto const& variants = zeroipc::variants::list();
    auto const& peers = zeroipc::bench::peers();
    auto const ours = variants.size() + zeroipc::bench::bounds.size();
    auto const& languages = zeroipc::bench::languages();
    REQUIRE(lines.size() == ours + peers.size() + languages.size());
    for (std::size_t i = 0; i < languages.size(); ++i)
        CHECK_THAT(lines[ours + peers.size() + i],
                   StartsWith(languages[i].name + " ") && Contains(languages[i].source()));
    for (std::size_t i = 0; i < variants.size(); ++i) {
        CHECK_THAT(lines[i], StartsWith(variants[i].name + " ") && Contains(variants[i].progress) &&
                                 Contains(variants[i].kill_safe ? " kill-safe " : " kill-unsafe ") &&
                                 Contains(variants[i].source));
        CHECK((lines[i].find("(default)") != std::string::npos) == variants[i].is_default);
        CHECK((lines[i].find(": not linearizable)") == std::string::npos) ==
              variants[i].linearizable_negatives);
    }
    CHECK(lines[variants.size()] == "bound/cacheline");
    for (std::size_t i = 0; i < peers.size(); ++i) {
        auto const& line = lines[ours + i];
        CHECK_THAT(line, StartsWith(peers[i].name + " ") && Contains(peers[i].source));
        CHECK((line.find("(threads only)") == std::string::npos) == peers[i].between_processes);
        CHECK((line.find("(not built: needs package " + peers[i].package + ")") == std::string::npos) ==
              peers[i].built);
    }
}

TEST_CASE("--list --json is JSON with the variants' properties, the default first", "[fast]") {
    auto const outcome = run_program({"--list", "--json"});
    CHECK(outcome.status == 0);
    auto const list = json::parse(outcome.out);
    auto const& variants = zeroipc::variants::list();
    auto const& peers = zeroipc::bench::peers();
    auto const& languages = zeroipc::bench::languages();
    REQUIRE(list.size() == variants.size() + peers.size() + languages.size());
    for (std::size_t i = 0; i < languages.size(); ++i) {
        auto const& shown = list[variants.size() + peers.size() + i];
        CHECK(shown["name"] == languages[i].name);
        CHECK(shown["kind"] == "language");
        CHECK(shown["hosts"] == json::array({"processes"}));
        CHECK((shown["why_missing"].is_null() || shown["why_missing"].is_string()));
    }
    for (std::size_t i = 0; i < peers.size(); ++i) {
        auto const& shown = list[variants.size() + i];
        CHECK(shown["name"] == peers[i].name);
        CHECK(shown["kind"] == "peer");
        CHECK(shown["built"] == peers[i].built);
        CHECK(shown["package"] == peers[i].package);
        CHECK(shown["hosts"].size() == (peers[i].between_processes ? 2U : 1U));
    }
    for (std::size_t i = 0; i < variants.size(); ++i) {
        CHECK(list[i]["name"] == variants[i].name);
        CHECK(list[i]["kind"] == "variant");
        CHECK(list[i]["hosts"] == json::array({"processes", "threads"}));
        CHECK(list[i]["structure"] == variants[i].structure);
        CHECK(list[i]["is_default"] == variants[i].is_default);
        CHECK(list[i]["takes"] == variants[i].takes);
        CHECK(list[i]["kill_safe"] == variants[i].kill_safe);
        CHECK(list[i]["linearizable_negatives"] == variants[i].linearizable_negatives);
        CHECK(list[i]["uses_kernel_locks"] == variants[i].uses_kernel_locks);
        CHECK(list[i]["unsafe"] == variants[i].unsafe);
        CHECK(list[i]["max_producers"].is_null() ==
              (variants[i].max_producers == zeroipc::variants::any_number));
        CHECK(list[i]["progress"] == variants[i].progress);
        CHECK(list[i]["source"] == variants[i].source);
    }
}

TEST_CASE("--machine prints one word for a folder's name, always the same", "[fast]") {
    auto const outcome = run_program({"--machine"});
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    auto const lines = lines_of(outcome.out);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].size() <= 64);
    CHECK(lines[0].size() >= 10);
    CHECK(lines[0].find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    CHECK(run_program({"--machine"}).out == outcome.out);
}

// -------------------------------------------------------------------------------------------------- wrong
// usage

TEST_CASE("wrong usage is refused with what was wrong, and nothing is left", "[fast]") {
    struct Wrong {
        Arguments arguments;
        Arguments named;
    };
    Folder const folder;
    auto const out = (folder / "new").string();
    for (auto const& [arguments, named] : std::vector<Wrong>{
             {{"--variant", "queue/exchang"},
              {"'queue/exchang'", "queue/exchange/acq_rel/exp/compact", "--list"}},
             {{"--variant", "default,mutx"}, {"'mutx'"}},
             {{"--frobnicate"}, {"--frobnicate", "--help"}},
             {{"--frobnicate=3"}, {"--frobnicate=3"}},
             {{"frob"}, {"frob"}},
             {{"--list", "--frob"}, {"--frob"}},
             {{"--machine", "--frob"}, {"--frob"}},
             {{"--suite", "nosuch"}, {"'nosuch'", "smoke", "quick"}},
             {{"--suite", "/nonexistent/suite.toml"}, {"/nonexistent/suite.toml"}},
             {{"--suite", "smoke", "--variant", "default"}, {"--suite", "--variant"}},
             {{"--suite", "smoke", "--window", "5"}, {"--suite", "--window"}},
             {{"--capacity", "3"}, {"capacity 3"}},
             {{"--capacity", "0"}, {"capacity 0"}},
             {{"--capacity", "-8"}, {"-8"}},
             {{"--capacity", "1099511627776"}, {"1099511627776"}},
             {{"--capacity", "1024,1000"}, {"1000"}},
             {{"--capacity", "1", "--variant", "queue/ticket/*"}, {"capacity 1"}},
             {{"--payload", "7"}, {"7 bytes", "8, 64, 256, 1024, 4096"}},
             {{"--payload", "-8"}, {"-8"}},
             {{"--producers", "0"}, {"0 producers"}},
             {{"--consumers", "0"}, {"0 consumers"}},
             {{"--producers", "4294967295"}, {"4294967295 producers"}},
             {{"--producers", "4294967296"}, {"4294967296"}},
             {{"--producers", "2147483648", "--consumers", "2147483649"}, {"2147483648 producers"}},
             {{"--producers", "two"}, {"two"}},
             {{"--producers", "1,-2"}, {"-2"}},
             {{"--window", "0"}, {"0"}},
             {{"--window", "0.5"}, {"0.5"}},
             {{"--window", "nan"}, {"nan"}},
             {{"--window", "3600001"}, {"3600001"}},
             {{"--mode", "pingpang"}, {"'pingpang'", "pingpong"}},
             {{"--rounds", "0"}, {"--rounds", "0"}},
             {{"--rounds", "-1"}, {"-1"}},
             {{"--seed", "-1"}, {"-1"}},
             {{"--seed", "18446744073709551616"}, {"18446744073709551616"}},
             {{"--seed", "x"}, {"x"}},
             {{"--watchdog", "0"}, {"--watchdog: 0"}},
             {{"--watchdog", "-3"}, {"-3"}},
             {{"--placement", "nowhere"}, {"'nowhere'", "spread", "scatter", "explicit"}},
             {{"--cpus", "99999,99998"}, {"99999"}},
             {{"--placement", "explicit"}, {"2 workers"}},
         }) {
        Spawned program(with(arguments, {"--out", out}));
        auto const outcome = program.wait();
        INFO(outcome.err);
        CHECK(outcome.status == 2);
        CHECK(outcome.out.empty());
        for (auto const& part : named) CHECK_THAT(outcome.err, Contains(part));
        check_clean(program.pid());
        CHECK_FALSE(fs::exists(out));
    }
}

TEST_CASE("what is wrong in a suite's file is named with file and line", "[fast]") {
    Folder const folder;
    auto const suite = (folder / "mine.toml").string();
    std::ofstream(suite) << "[[sweep]]\nvariants = 'default'\nproducers = 0\n";
    auto const outcome = run_program({"--suite", suite});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.err, Contains(suite + ":3: ") && Contains("'producers'"));
}

TEST_CASE("wrong flags of Google Benchmark, and a filter that leaves nothing, are wrong usage", "[fast]") {
    auto const unknown = run_program({"--benchmark_nonsense=1"});
    CHECK(unknown.status == 2);
    CHECK_THAT(unknown.err, Contains("--benchmark_nonsense"));
    auto const nothing = run_program({"--benchmark_filter=no_such_cell"});
    CHECK(nothing.status == 2);
    CHECK_THAT(nothing.err, Contains("filter"));
}

// ------------------------------------------------------------------------------------------------- out
// folders

TEST_CASE("a run without --out writes no file and says what it did", "[fast]") {
    Folder const folder;
    auto const outcome = run_program(quick_run(), {.cwd = folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out,
               Contains("throughput/bound/fetch_add/1P1C/8B/1ms") && Contains("operations_per_s"));
    CHECK_THAT(outcome.err, Contains("1 cells in 1 rounds") && Contains("seed "));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("an out folder gets four files that agree and do not name the host", "[fast]") {
    Folder const folder;
    auto const out = folder / "deep" / "er";  // made with its parents
    Spawned program({"--mode", "pingpong", "--window", "1", "--rounds", "3", "--seed", "18446744073709551615",
                     "--out", out.string()});
    auto const outcome = program.wait();
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    check_clean(program.pid());

    std::set<std::string> files;
    for (auto const& entry : fs::directory_iterator(out)) files.insert(entry.path().filename());
    CHECK(files ==
          std::set<std::string>{"benchmark.json", "environment.json", "records.jsonl", "topology.xml"});

    auto const records = records_in(out);
    CHECK(records.size() == 3 * pingpongs());
    auto const environment = read_json(out / "environment.json");
    for (auto const& record : records) {
        check_good(record);
        CHECK(record["run"] == environment["run"]);
        CHECK(record["seed"].get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
        check_anonymous(record);
    }
    CHECK(environment["suite"]["name"] == "ad-hoc");
    CHECK(environment["suite"]["seed"].get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
    CHECK(environment["suite"]["rounds"] == 3);
    CHECK(environment["suite"]["cells"] == pingpongs());
    CHECK(environment["suite"]["windows_ns"] == json::array({1'000'000}));
    CHECK(environment["suite"]["finished"] == true);
    CHECK(environment["suite"]["interrupted"] == false);
    check_anonymous(environment);

    auto const benchmark = read_json(out / "benchmark.json");  // would not parse with a NaN in it
    CHECK(benchmark["context"]["host_name"] == "unknown");
    CHECK(benchmark["benchmarks"].size() == pingpongs() * (3 + 4));  // runs, and mean, median, stddev, cv
    check_anonymous(benchmark);

    auto const topology = read_text(out / "topology.xml");
    CHECK_THAT(topology, Contains("<topology"));
    CHECK_THAT(topology, !Contains("\"" + host_name() + "\""));
}

TEST_CASE("a folder that has records is refused and stays as it is", "[fast]") {
    Folder const folder;
    std::ofstream(folder / "records.jsonl") << "{}\n";
    auto const outcome = run_program(quick_run({"--out", folder.path().string()}));
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.err, Contains(folder.path().string()) && Contains("has records already"));
    CHECK(read_text(folder / "records.jsonl") == "{}\n");
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a folder that cannot be written is named, before anything is measured", "[fast]") {
    Folder const folder;
    std::ofstream(folder / "file") << "in the way";
    auto const refused = [&](fs::path const& out, std::string const& named) {
        Spawned program(quick_run({"--out", out.string()}));
        auto const outcome = program.wait();
        INFO(outcome.err);
        CHECK(outcome.status == 1);
        CHECK_THAT(outcome.err, Contains(named));
        CHECK_THAT(outcome.err, !Contains("runs done"));
        check_clean(program.pid());
    };
    refused(folder / "file", (folder / "file").string());
    refused(folder / "file" / "below", (folder / "file" / "below").string());
    for (auto const* const name : {"benchmark.json", "environment.json", "topology.xml"}) {
        auto const out = folder / (std::string("with-") + name);
        fs::create_directories(out / name / "not empty");
        refused(out, name);
    }
    CHECK(read_text(folder / "file") == "in the way");
}

// ----------------------------------------------------------------------------------------- the front's own
// flags

TEST_CASE("--benchmark_list_tests lists the cells and runs nothing", "[fast]") {
    for (auto const* const flag :
         {"--benchmark_list_tests", "--benchmark_list_tests=true", "--benchmark_list_tests=yes"}) {
        Spawned program({"--capacity", "8", "--window", "5.5", flag});
        auto const outcome = program.wait();
        CHECK(outcome.status == 0);
        CHECK(outcome.err.empty());
        auto const lines = lines_of(outcome.out);
        REQUIRE(lines.size() == possible(sweep_of({Mode::throughput, Mode::pingpong})).size());
        CHECK_THAT(lines[0], StartsWith("pingpong/bound/cacheline/1P1C/8B/5.5ms"));
    }
    auto const off = run_program(quick_run({"--benchmark_list_tests=false"}));
    CHECK(off.status == 0);
    CHECK_THAT(off.out, Contains("operations_per_s"));
}

TEST_CASE("--benchmark_filter selects the cells that run", "[fast]") {
    Folder const folder;
    auto const outcome = run_program({"--mode", "pingpong", "--window", "1", "--rounds", "2",
                                      "--benchmark_filter=-queue", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::set<std::string> variants;
    for (auto const& record : records_in(folder.path())) variants.insert(record["variant"]);
    CHECK(variants.size() == pingpongs() - 1);
    for (auto const& variant : variants) CHECK_THAT(variant, StartsWith("bound/"));
    CHECK(records_in(folder.path()).size() == 2 * variants.size());
}

TEST_CASE("--benchmark_repetitions is the number of rounds, and JSON comes out whole", "[fast]") {
    Folder const folder;
    auto const outcome = run_program({"--mode", "pingpong", "--window", "1", "--benchmark_filter=cacheline",
                                      "--benchmark_repetitions=3", "--benchmark_format=json", "--out",
                                      folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    auto const shown = json::parse(outcome.out);
    std::map<std::string, int> kinds;
    for (auto const& benchmark : shown["benchmarks"]) {
        ++kinds[benchmark["run_type"].get<std::string>()];
        CHECK(benchmark["real_time"].get<double>() >= 0);
    }
    CHECK(kinds == std::map<std::string, int>{{"aggregate", 4}, {"iteration", 3}});
    std::set<int> rounds;
    for (auto const& record : records_in(folder.path())) rounds.insert(record["round"].get<int>());
    CHECK(rounds == std::set{0, 1, 2});
    CHECK(read_json(folder / "environment.json")["suite"]["rounds"] == 3);
}

TEST_CASE("JSON comes out whole where counters are 0 in every run", "[fast]") {
    // A pipe's runs have no flags, and workers on one CPU no probes.
    auto const outcome = run_program(with(
        {"--window", "20", "--rounds", "3", "--benchmark_filter=throughput/bound", "--benchmark_format=json"},
        {"--cpus", std::to_string(usable_cpus().front()) + "," + std::to_string(usable_cpus().front())}));
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_NOTHROW(json::parse(outcome.out));
}

TEST_CASE("--benchmark_out writes a file of its own, with or without --out", "[fast]") {
    Folder const folder;
    auto const file = folder / "mine.json";
    CHECK(run_program(quick_run({"--benchmark_out=" + file.string()})).status == 0);
    CHECK(read_json(file)["benchmarks"].size() == 1);
    auto const csv = folder / "mine.csv";
    CHECK(run_program(quick_run({"--benchmark_out=" + csv.string(), "--benchmark_out_format=csv"})).status ==
          0);
    CHECK_THAT(read_text(csv), Contains("name,iterations,real_time"));
    auto const nowhere =
        run_program(quick_run({"--benchmark_out=" + (folder / "missing" / "file").string()}));
    CHECK(nowhere.status == 1);
    CHECK_THAT(nowhere.err, Contains("missing"));
    CHECK(run_program(quick_run({"--out", (folder / "out").string(), "--benchmark_out=" + file.string()}))
              .status == 0);
    CHECK(records_in(folder / "out").size() == 1);
    CHECK(read_json(file)["benchmarks"].size() == 1);
}

TEST_CASE("--benchmark_report_aggregates_only shows no single run", "[fast]") {
    auto const outcome =
        run_program(quick_run({"--benchmark_repetitions=3", "--benchmark_report_aggregates_only"}));
    CHECK(outcome.status == 0);
    std::size_t shown = 0;
    for (auto const& line : lines_of(outcome.out))
        if (line.starts_with("throughput/")) {
            ++shown;
            CHECK_THAT(
                line, Contains("_mean ") || Contains("_median ") || Contains("_stddev ") || Contains("_cv "));
        }
    CHECK(shown == 4);
}

TEST_CASE("flags without meaning for process cells say so", "[fast]") {
    auto const outcome =
        run_program(quick_run({"--benchmark_min_time=3", "--benchmark_enable_random_interleaving=true",
                               "--benchmark_perf_counters=CYCLES"}));
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, Contains("--benchmark_min_time has no meaning") && Contains("--window"));
    CHECK_THAT(outcome.err, Contains("--benchmark_enable_random_interleaving has no meaning"));
    CHECK_THAT(outcome.err, Contains("--benchmark_perf_counters has no meaning"));
}

// -------------------------------------------------------------------------------------------------- sound
// sweeps

TEST_CASE("lists become cells that all run once a round, verified, pinned and in the seed's order",
          "[medium]") {
    Folder const folder;
    auto const outcome =
        run_program({"--producers", "1,2", "--consumers", "1,2", "--payload", "8,64", "--capacity", "8",
                     "--window", "60", "--rounds", "2", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);

    auto sweep = sweep_of({Mode::throughput, Mode::pingpong});
    sweep.producers = sweep.consumers = {1, 2};
    sweep.payloads = {8, 64};
    sweep.windows_ns = {60'000'000};
    auto const cells = possible(sweep);
    CHECK(cells.size() >= 32);  // without message queues; with them 36

    auto const records = records_in(folder.path());
    REQUIRE(records.size() == 2 * cells.size());
    auto const seed = records.front()["seed"].get<std::uint64_t>();
    CHECK_THAT(outcome.err, Contains("seed " + std::to_string(seed)));
    auto const orders = zeroipc::bench::draw_rounds(cells.size(), 2, seed);
    std::set<std::pair<std::string, int>> seen;
    std::size_t at = 0;
    for (std::size_t round = 0; round < 2; ++round)
        for (std::size_t position = 0; position < cells.size(); ++position) {
            auto const& record = records[at++];
            auto const& cell = cells[orders[round][position]];
            check_good(record);
            CHECK(record["round"] == round);
            CHECK(record["position"] == position);
            CHECK(record["seed"] == seed);
            CHECK(record["cell"] == cell.key());
            CHECK(record["producers"] == cell.producers);
            CHECK(record["consumers"] == cell.consumers);
            CHECK(record["payload_bytes"] == cell.payload_bytes);
            seen.insert({record["cell"].get<std::string>(), record["round"].get<int>()});

            auto const cpus = usable_cpus().size();
            bool const too_many = cell.workers() > cpus;
            CHECK(record["oversubscribed"] == too_many);
            auto const flags = record["flags"].get<std::vector<std::string>>();
            CHECK((std::find(flags.begin(), flags.end(), "oversubscribed") != flags.end()) == too_many);
            auto const shape = std::to_string(cell.producers) + "P" + std::to_string(cell.consumers) + "C";
            CHECK((outcome.err.find(shape + " is oversubscribed") != std::string::npos) == too_many);
            CHECK(record["probe_before_ns"].is_null() == (too_many || cell.workers() < 2));
            std::set<int> used;
            for (auto const& cpu : record["placement"]["cpus_asked"]) used.insert(cpu.get<int>());
            CHECK(used.size() == std::min<std::size_t>(cpus, cell.workers()));

            if (cell.mode == Mode::throughput) {
                CHECK(record["throughput"]["operations"].get<std::uint64_t>() > 0);
                CHECK(record["latency"].is_null());
            } else {
                CHECK(record["latency"]["samples"].get<std::uint64_t>() > 0);
                CHECK(record["throughput"].is_null());
            }
        }
    CHECK(seen.size() == records.size());
    // Without a filter, the console shows each of them.
    for (auto const& cell : cells) CHECK_THAT(outcome.out, Contains(cell.key()));
}

TEST_CASE("the seed decides the order", "[fast]") {
    auto const order_with = [](Arguments const& seed) {
        Folder const folder;
        CHECK(run_program(with({"--mode", "pingpong", "--window", "1", "--rounds", "4", "--out",
                                folder.path().string()},
                               seed))
                  .status == 0);
        std::vector<std::string> order;
        for (auto const& record : records_in(folder.path())) {
            order.push_back(record["cell"]);
            CHECK(record["seed"] == 42);
        }
        return order;
    };
    auto const order = order_with({"--seed", "42"});
    CHECK(order == order_with({"--seed=42"}));

    auto sweep = sweep_of({Mode::pingpong});
    sweep.capacities = {1024};
    sweep.windows_ns = {1'000'000};
    auto const cells = possible(sweep);
    std::vector<std::string> expected;
    for (auto const& round : zeroipc::bench::draw_rounds(cells.size(), 4, 42))
        for (auto const cell : round) expected.push_back(cells[cell].key());
    CHECK(order == expected);
}

TEST_CASE("on one CPU everything is oversubscribed, said so, and sound", "[medium]") {
    Folder const folder;
    auto const cpu = usable_cpus().back();
    auto const outcome =
        run_program({"--capacity", "8", "--window", "60", "--rounds", "1", "--out", folder.path().string()},
                    {.only_cpu = cpu});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, Contains("1P1C is oversubscribed"));
    CHECK_THAT(outcome.out, Contains(" oversubscribed"));  // as a label
    auto const records = records_in(folder.path());
    CHECK(records.size() == possible(sweep_of({Mode::throughput, Mode::pingpong})).size());
    for (auto const& record : records) {
        check_good(record);
        bool const alone = record["variant"] == zeroipc::bench::bound_empty;
        CHECK(record["oversubscribed"] == !alone);
        CHECK(record["placement"]["cpus_asked"] == (alone ? json({cpu}) : json({cpu, cpu})));
        CHECK(record["probe_before_ns"].is_null());
    }
}

TEST_CASE("CPUs of a list are used in its order", "[fast]") {
    Folder const folder;
    auto cpus = usable_cpus();
    std::reverse(cpus.begin(), cpus.end());
    cpus = {cpus.front(), cpus.back()};
    auto const outcome =
        run_program(quick_run({"--cpus", std::to_string(cpus[0]) + "," + std::to_string(cpus[1]), "--out",
                               folder.path().string()}));
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    auto const records = records_in(folder.path());
    REQUIRE(records.size() == 1);
    check_good(records[0]);
    CHECK(records[0]["placement"]["strategy"] == "explicit");
    CHECK(records[0]["placement"]["cpus_asked"] == json(cpus));
    CHECK(records[0]["oversubscribed"] == (cpus[0] == cpus[1]));
}

TEST_CASE("windows of a fraction of a millisecond are cells of their own", "[fast]") {
    Folder const folder;
    CHECK(run_program({"--mode", "pingpong", "--window", "1.2,1.7", "--rounds", "1",
                       "--benchmark_filter=cacheline", "--out", folder.path().string()})
              .status == 0);
    std::set<std::string> keys;
    for (auto const& record : records_in(folder.path())) keys.insert(record["cell"]);
    CHECK(keys == std::set<std::string>{"pingpong/bound/cacheline/1P1C/8B/1.2ms",
                                        "pingpong/bound/cacheline/1P1C/8B/1.7ms"});
}

TEST_CASE("every variant and payload passes its own verification", "[medium]") {
    Folder const folder;
    auto const outcome =
        run_program({"--variant", "queue/*", "--mode", "pingpong", "--payload", "8,4096", "--capacity", "2",
                     "--window", "1", "--rounds", "1", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    auto const records = records_in(folder.path());
    auto const queues = zeroipc::bench::match_variants("queue/*").size();
    auto const beside = pingpongs() - 2;  // the system's queues, for each payload
    CHECK(records.size() == 2 * queues + 2 * beside + 1);
    for (auto const& record : records) check_good(record);
}

TEST_CASE("bounds pass their own verification, with several workers and every payload", "[medium]") {
    Folder const folder;
    auto const outcome =
        run_program({"--variant", "bound/*", "--mode", "throughput", "--producers", "2", "--consumers", "1,3",
                     "--payload", "8,64,256,1024,4096", "--capacity", "8", "--window", "20", "--rounds", "1",
                     "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::set<std::string> seen;
    for (auto const& record : records_in(folder.path())) {
        check_good(record);
        seen.insert(record["variant"]);
        bool const message_queue = record["variant"] == zeroipc::bench::bound_posix_mq;
        CHECK(record["capacity"] == (message_queue ? json(8) : json(nullptr)));
    }
    for (auto const* const bound : {zeroipc::bench::bound_mutex, zeroipc::bench::bound_unix_socket})
        CHECK(seen.contains(bound));
}

TEST_CASE("a message queue larger than the machine permits is skipped, and said", "[fast]") {
    auto const outcome = run_program({"--variant", "bound/posix_mq", "--mode", "throughput", "--capacity",
                                      "1073741824", "--benchmark_list_tests"});
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, StartsWith("skipped: throughput/bound/posix_mq/1P1C/8B/cap1073741824/100ms: ") &&
                                Contains("1073741824 messages of 8 bytes"));
    CHECK_THAT(outcome.out, !Contains("posix_mq") && Contains("bound/unix_socket"));
}

TEST_CASE("a map's keys are drawn from the range that was asked for", "[fast]") {
    Folder const folder;
    auto const outcome = run_program({"--variant", "map", "--mix", "r100", "--range-percent", "0,100,400",
                                      "--capacity", "1000", "--mode", "throughput", "--window", "20",
                                      "--rounds", "1", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::map<int, double> misses;
    for (auto const& record : records_in(folder.path())) {
        if (record["kind"] != "variant") continue;
        check_good(record);
        auto const& range = record["workload"]["range_percent"];
        auto const& worker = record["workers"][0];
        misses[range.is_null() ? 0 : range.get<int>()] =
            worker["misses"].get<double>() / worker["successes"].get<double>();
    }
    REQUIRE(misses.size() == 3);
    CHECK(misses[0] == 0);
    CHECK(misses[100] == 0);
    // Three keys of four are not there; of thousands of draws hardly ever so many fewer or more are met.
    CHECK(misses[400] > 0.7);
    CHECK(misses[400] < 0.8);
}

TEST_CASE("calls that wait do so as the variant has it", "[fast]") {
    Folder const folder;
    auto const outcome = run_program(
        {"--variant",
         "queue/exchange/acq_rel/exp/compact/spin,queue/exchange/acq_rel/exp/compact/futex-at-once", "--mode",
         "throughput,pingpong,latency", "--load", "10", "--calls", "try,wait", "--window", "20", "--rounds",
         "1", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::map<std::string, std::uint64_t> system_calls;
    std::set<std::string> modes;
    for (auto const& record : records_in(folder.path())) {
        if (record["kind"] != "variant") {
            CHECK(record["workload"]["calls"].is_null());
            continue;
        }
        check_good(record);
        auto const calls = record["workload"]["calls"].get<std::string>();
        if (calls == "wait") modes.insert(record["mode"]);
        for (auto const& worker : record["workers"])
            system_calls[calls + " " + record["variant"].get<std::string>()] +=
                worker["system_calls"].get<std::uint64_t>();
    }
    CHECK(modes == std::set<std::string>{"latency", "pingpong", "throughput"});
    // Who waits for each item of a round trip sleeps at some; who spins never does. Attempts never wait.
    CHECK(system_calls["wait queue/exchange/acq_rel/exp/compact/futex-at-once"] > 0);
    CHECK(system_calls["wait queue/exchange/acq_rel/exp/compact/spin"] == 0);
    CHECK(system_calls["try queue/exchange/acq_rel/exp/compact/spin"] == 0);
}

TEST_CASE("calls of every queue that wait hand over all items", "[medium]") {
    Folder const folder;
    auto const outcome = run_program({"--variant",   "queue/*", "--mode",      "throughput,pingpong",
                                      "--calls",     "wait",    "--producers", "1,2",
                                      "--consumers", "1,2",     "--capacity",  "8",
                                      "--payload",   "8,64",    "--window",    "10",
                                      "--rounds",    "1",       "--out",       folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::size_t waited = 0;
    for (auto const& record : records_in(folder.path())) {
        if (record["kind"] != "variant") continue;
        check_good(record);
        waited += record["workload"]["calls"] == "wait";
    }
    CHECK(waited > 100);
}

TEST_CASE("every stack and map passes its own verification, whatever its workers do", "[medium]") {
    Folder const folder;
    auto const outcome = run_program({"--variant",
                                      "stack/*,map/*",
                                      "--mode",
                                      "throughput",
                                      "--workers",
                                      "1,3",
                                      "--push-percent",
                                      "60",
                                      "--mix",
                                      "r40i20u10e20m5s5",
                                      "--key-draw",
                                      "zipf0.99",
                                      "--filled-percent",
                                      "90",
                                      "--payload",
                                      "64",
                                      "--capacity",
                                      "64",
                                      "--window",
                                      "30",
                                      "--rounds",
                                      "1",
                                      "--out",
                                      folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    auto const wanted =
        zeroipc::bench::match_variants("stack/*").size() + zeroipc::bench::match_variants("map/*").size();
    std::size_t measured = 0;
    for (auto const& record : records_in(folder.path())) {
        check_good(record);
        measured += record["kind"] == "variant" ? 1U : 0U;
    }
    CHECK(measured == 2 * wanted);
}

TEST_CASE("each YCSB mix runs, and a queue's batches keep their order", "[medium]") {
    Folder const folder;
    auto const outcome =
        run_program({"--variant", "map,queue", "--mode", "throughput", "--workers", "2", "--batch", "1,7",
                     "--think", "100", "--mix", "ycsb-a,ycsb-b,ycsb-c,ycsb-d,ycsb-e,ycsb-f", "--window", "30",
                     "--rounds", "1", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    std::set<std::string> mixes;
    for (auto const& record : records_in(folder.path())) {
        check_good(record);
        if (record["workload"]["mix"].is_string()) mixes.insert(record["workload"]["mix"]);
    }
    CHECK(mixes.size() == 6);
}

TEST_CASE("threads are a cell of their own beside processes, in its name, in its record, and in the probes",
          "[fast]") {
    Folder const folder;
    auto const outcome =
        run_program({"--variant", "queue", "--mode", "pingpong", "--host", "processes,threads", "--window",
                     "5", "--rounds", "1", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains("/5ms/threads/iterations:1/manual_time"));
    std::map<std::string, std::size_t> hosts;
    std::size_t of_kernel = 0;
    for (auto const& record : records_in(folder.path())) {
        check_good(record);
        ++hosts[record["host"]];
        of_kernel += zeroipc::bench::is_kernel_queue(record["variant"].get<std::string>()) ? 1U : 0U;
        bool const named = record["cell"].get<std::string>().ends_with("/threads");
        CHECK(named == (record["host"] == "threads"));
        CHECK(record["kind"] != "peer");
    }
    CHECK(hosts["threads"] == 2);
    CHECK(of_kernel >= 2);  // some machines permit no message queue
    CHECK(hosts["processes"] == hosts["threads"] + of_kernel);
}

TEST_CASE("a dry run prints the plan and measures nothing", "[fast]") {
    Folder const folder;
    auto const outcome = run_program({"--dry-run", "--variant", "stack", "--workers", "1,64", "--rounds", "3",
                                      "--out", (folder / "no").string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains("throughput/stack/treiber/acq_rel/exp/compact/64W/8B/cap1024/100ms") &&
                                Contains("oversubscribed") && Contains("CPUs ") && Contains("3 rounds"));
    CHECK_FALSE(std::filesystem::exists(folder / "no"));
}

TEST_CASE("an interrupted run is resumed to the same set of records", "[medium]") {
    Folder const folder;
    Arguments const arguments{"--mode",
                              "throughput",
                              "--window",
                              "5",
                              "--rounds",
                              "40",
                              "--seed",
                              "11",
                              "--benchmark_filter=fetch_add|cas",
                              "--out",
                              folder.path().string()};
    Spawned program(arguments);
    REQUIRE(wait_until([&] { return program.has_ended() || records_so_far(folder.path()) >= 3; }));
    program.signal(SIGINT);
    CHECK(program.wait().status == 130);
    auto const before = records_in(folder.path()).size();
    // As if the program had died while it wrote.
    std::ofstream(folder / "records.jsonl", std::ios::app) << "{\"schema\": \"zeroipc-rec";
    auto const refused = run_program(arguments);
    CHECK(refused.status == 2);
    CHECK_THAT(refused.err, Contains("--resume"));
    auto const other =
        run_program(with(arguments, {"--resume", "--separate-cores-ns", "151", "--payload", "64"}));
    CHECK(other.status == 2);
    CHECK_THAT(other.err, Contains("another plan"));
    auto const outcome = run_program(with(arguments, {"--resume", "--benchmark_format=json"}));
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK(before < 80);
    std::set<std::pair<std::string, int>> seen;
    auto const records = records_in(folder.path());
    for (auto const& record : records) {
        check_good(record);
        seen.insert({record["cell"].get<std::string>(), record["round"].get<int>()});
        CHECK(record["run"] == records.front()["run"]);
    }
    CHECK(records.size() == 80);
    CHECK(seen.size() == 80);
    CHECK(read_json(folder / "environment.json")["suite"]["interrupted"] == false);
    // Google Benchmark shows all of them, those from before too.
    std::size_t shown = 0;
    auto const document = json::parse(outcome.out);
    for (auto const& one : document["benchmarks"]) shown += one["run_type"] == "iteration" ? 1U : 0U;
    CHECK(shown == 80);
}

TEST_CASE("a budget of time ends with a whole round", "[fast]") {
    Folder const folder;
    auto const outcome =
        run_program({"--mode", "pingpong", "--window", "1", "--rounds", "1000000", "--budget", "0.05",
                     "--benchmark_filter=cacheline|pipe", "--out", folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, Contains("budget"));
    auto const records = records_in(folder.path());
    CHECK(records.size() >= 2);
    CHECK(records.size() % 2 == 0);
    CHECK(records.size() < 100'000);
}

TEST_CASE("a suite is found beside the program from any folder, and relative paths are the caller's",
          "[medium]") {
    Folder const folder;
    auto const outcome =
        run_program({"--suite", "smoke", "--rounds", "1", "--benchmark_filter=^pingpong", "--out", "here"},
                    {.cwd = folder.path().string()});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, Contains("smoke: "));
    auto const records = records_in(folder / "here");
    CHECK(records.size() >= 5);
    for (auto const& record : records) {
        check_good(record);
        CHECK(record["mode"] == "pingpong");
    }
    CHECK(read_json(folder / "here" / "environment.json")["suite"]["name"] == "smoke");

    std::ofstream(folder / "mine.toml") << "rounds = 2\n[[sweep]]\nvariants = 'default'\nwindow_ms = 1\n";
    auto const own = run_program({"--suite", "mine.toml", "--benchmark_filter=fetch_add", "--out", "there"},
                                 {.cwd = folder.path().string()});
    INFO(own.err);
    CHECK(own.status == 0);
    CHECK(records_in(folder / "there").size() == 2);
}

// -------------------------------------------------------------------------------------------------------
// signals

TEST_CASE("SIGINT and SIGTERM end a run early, keep its records and leave nothing behind", "[medium]") {
    for (int const number : {SIGINT, SIGTERM}) {
        INFO("signal " << number);
        Folder const folder;
        Spawned program({"--mode", "throughput", "--window", "20", "--rounds", "500",
                         "--benchmark_filter=fetch_add", "--out", folder.path().string()});
        // Two of a cell, so that there are aggregates with some of their runs missing.
        REQUIRE(wait_until([&] { return program.has_ended() || records_so_far(folder.path()) >= 2; }));
        program.signal(number);
        auto const outcome = program.wait();
        INFO(outcome.err);
        CHECK(outcome.status == 130);
        CHECK_THAT(outcome.err, Contains("interrupted"));
        auto const records = records_in(folder.path());
        CHECK(records.size() >= 2);
        CHECK(records.size() < 500);
        for (auto const& record : records) check_good(record);
        auto const environment = read_json(folder / "environment.json");
        CHECK(environment["suite"]["interrupted"] == true);
        CHECK(environment["suite"]["finished"] == false);
        auto const benchmark = read_json(folder / "benchmark.json");
        CHECK(benchmark["context"]["host_name"] == "unknown");
        check_clean(program.pid());
    }
}

TEST_CASE("an interrupt at any moment of the start leaves nothing behind", "[medium]") {
    for (int delay = 0; delay < 60; delay += 6) {
        Spawned program({"--window", "50", "--rounds", "100"});
        std::this_thread::sleep_for(std::chrono::milliseconds(delay));
        program.signal(SIGINT);
        auto const outcome = program.wait();
        INFO(outcome.err);
        // Before it takes signals into its own hands, there is nothing to clean up.
        CHECK((outcome.status == 130 || outcome.status == -SIGINT));
        check_clean(program.pid());
    }
}

TEST_CASE("a worker that is killed fails its run by name of the signal, and the others go on", "[medium]") {
    // In the first round and in a later one: Google Benchmark is not equally fond of them.
    auto const before = GENERATE(std::size_t{0}, std::size_t{1});
    Folder const folder;
    Spawned program({"--mode", "throughput", "--window", "200", "--rounds", "4", "--benchmark_filter=queue",
                     "--out", folder.path().string()});
    bool killed = false;
    REQUIRE(wait_until([&] {
        if (program.has_ended()) return true;
        if (records_so_far(folder.path()) < before) return false;
        for (auto const worker : workers_of(program.pid())) {
            if (!stop_still(worker)) continue;  // it had ended
            killed = ::kill(worker, SIGKILL) == 0;
            return true;
        }
        return false;
    }));
    REQUIRE(killed);
    auto const outcome = program.wait();
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("1 runs failed") && Contains("signal 9"));
    auto const records = records_in(folder.path());
    REQUIRE(records.size() == 4);
    std::size_t failed = 0;
    for (auto const& record : records) {
        if (record["status"] == "ok") {
            check_good(record);
            continue;
        }
        ++failed;
        CHECK(record["round"] >= before);
        CHECK(record_complaints(record).empty());
        auto const error = record["error"].get<std::string>();
        CHECK_THAT(error, Contains("was killed by signal 9"));
        CHECK_THAT(error, StartsWith("producer (worker 0") || StartsWith("consumer (worker 1"));
        CHECK(record["throughput"].is_null());
        CHECK(record["verification"].is_null());
    }
    CHECK(failed == 1);
    CHECK(read_json(folder / "environment.json")["suite"]["finished"] == true);
    // Three runs and one failure are also what Google Benchmark makes its aggregates of.
    auto const benchmark = read_json(folder / "benchmark.json");
    std::size_t errors = 0;
    for (auto const& one : benchmark["benchmarks"]) errors += one.contains("error_occurred") ? 1U : 0U;
    CHECK(errors == 1);
    CHECK(benchmark["benchmarks"].size() == 4 + 4);
    check_clean(program.pid());
}

TEST_CASE("a worker that stands still is ended by the watchdog", "[medium]") {
    Folder const folder;
    Spawned program({"--mode", "throughput", "--window", "100", "--rounds", "2", "--watchdog", "3",
                     "--benchmark_filter=queue", "--out", folder.path().string()});
    bool stopped = false;
    REQUIRE(wait_until([&] {
        if (program.has_ended()) return true;
        for (auto const worker : workers_of(program.pid()))
            if (stop_still(worker)) return stopped = true;
        return false;
    }));
    REQUIRE(stopped);
    auto const outcome = program.wait();
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    auto const records = records_in(folder.path());
    REQUIRE(records.size() == 2);
    std::vector<json> failed;
    std::copy_if(records.begin(), records.end(), std::back_inserter(failed),
                 [](json const& record) { return record["status"] == "failed"; });
    REQUIRE(failed.size() == 1);
    auto const error = failed[0]["error"].get<std::string>();
    CHECK_THAT(error, StartsWith("no end after 3") && Contains("watchdog"));
    CHECK_THAT(error, Contains("producer (worker 0") || Contains("consumer (worker 1"));
    CHECK(record_complaints(failed[0]).empty());
    check_clean(program.pid());
}

TEST_CASE("faults that are planted in the queue of a run are found in it, and in no other", "[medium]") {
    using Item = zeroipc::bench::Payload<64>;
    using Queue = zeroipc::Queue<Item>;
    struct Fault {
        char const* what;
        bool (*plant)(Queue&);  ///< while both workers stand still; false: it needs more items in the queue
        std::vector<std::string> found;
    };
    auto const fault = GENERATE(values<Fault>({
        {"an item is lost",
         [](Queue& queue) {
             Item item;
             return queue.try_pop(item) && item.number() != 0;  // which no sum misses: then one more
         },
         {" sent and ", "sums"}},
        {"an item is lost and another comes twice",
         [](Queue& queue) {
             Item item;
             if (queue.was_size() < 2) return false;
             return queue.try_pop(item) && queue.try_pop(item) && queue.try_push(item) &&
                    queue.try_push(item);
         },
         {"sums", "out of their producer's order"}},
        {"an item in the name of a producer that there is not",
         [](Queue& queue) {
             Item item;
             if (!queue.try_pop(item)) return false;
             item.fill(7, item.number());
             return queue.try_push(item);
         },
         {"sums", "1 items were not what their producer wrote"}},
        {"a torn item",
         [](Queue& queue) {
             Item item;
             if (!queue.try_pop(item)) return false;
             item.word[5] ^= 1;
             return queue.try_push(item);
         },
         {"1 items were not what their producer wrote"}},
    }));
    INFO(fault.what);
    std::optional<Folder> place_of_records;
    std::optional<Spawned> spawned;
    bool planted = false;
    // On a crowded machine all windows may pass before both workers were seen to stand still inside one.
    for (int tries = 0; tries < 10 && !planted; ++tries) {
        if (spawned) spawned->wait();
        place_of_records.emplace();
        spawned.emplace(std::vector<std::string>{"--mode", "throughput", "--payload", "64", "--window", "150",
                                                 "--rounds", "6", "--benchmark_filter=queue", "--out",
                                                 place_of_records->path().string()});
        auto& program = *spawned;
        REQUIRE(wait_until([&] {
            if (program.has_ended() || planted) return true;
            auto const segments = segments_of(program.pid());
            auto const workers = workers_of(program.pid());
            if (segments.empty() || workers.size() != 2) return false;
            try {
                auto memory = zeroipc::Memory::open(segments.front());
                Queue queue(memory, "there");
                auto const place = memory.find(zeroipc::bench::control_name);
                auto const& control = zeroipc::bench::control_at(memory.base(), place.value().offset);
                // A consumer looks for items at least until all producers are done.
                if (std::all_of(workers.begin(), workers.end(), stop_still) &&
                    control.producers_done.value.load() == 0)
                    planted = fault.plant(queue);
            } catch (zeroipc::error const&) {
                // not yet made, or gone
            }
            for (auto const worker : workers) ::kill(worker, SIGCONT);
            return false;
        }));
    }
    REQUIRE(planted);
    auto& program = *spawned;
    auto const& folder = *place_of_records;
    auto const outcome = program.wait();
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    auto const records = records_in(folder.path());
    REQUIRE(records.size() == 6);
    std::size_t failed = 0;
    for (auto const& record : records) {
        if (record["status"] == "ok") {
            check_good(record);
            continue;
        }
        ++failed;
        CHECK(record_complaints(record).empty());
        CHECK(record["throughput"].is_null());
        CHECK(record["verification"]["passed"] == false);
        for (auto const& part : fault.found) CHECK_THAT(record["error"].get<std::string>(), Contains(part));
    }
    CHECK(failed == 1);
    check_clean(program.pid());
}

TEST_CASE("when the coordinator is killed its workers go too, and the next start removes its segment",
          "[medium]") {
    // An hour long, so that no worker goes because it is done.
    Spawned program(
        {"--mode", "throughput", "--window", "3600000", "--rounds", "1", "--benchmark_filter=queue"});
    // Killed only where it is certain that there is something to leave behind.
    std::vector<pid_t> workers;
    REQUIRE(wait_until([&] {
        if (program.has_ended()) return true;
        if (workers_of(program.pid()).size() < 2 || !stop_still(program.pid())) return false;
        workers = workers_of(program.pid());
        if (workers.size() == 2 && segments_of(program.pid()).size() == 1) return true;
        program.signal(SIGCONT);
        return false;
    }));
    REQUIRE(workers.size() == 2);
    program.signal(SIGKILL);
    CHECK(program.wait().status == -SIGKILL);
    CHECK(wait_until([&] { return std::none_of(workers.begin(), workers.end(), is_alive); }));
    auto const next = run_program(quick_run());
    CHECK(next.status == 0);
    check_clean(program.pid());
}

TEST_CASE("segments are removed at the start only if nobody has them any more", "[fast]") {
    constexpr pid_t nobody = std::numeric_limits<pid_t>::max();  // no process has that number
    auto const stale = "zeroipc-bench-" + std::to_string(nobody) + "-7";
    auto const living = "zeroipc-bench-" + std::to_string(::getpid()) + "-7";  // its coordinator would be us
    auto const alike = "zeroipc-benchmark-" + std::to_string(nobody) + "-7";
    auto const there = [](std::string const& name) { return fs::exists(fs::path("/dev/shm") / name); };
    for (auto const& name : {stale, living, alike}) zeroipc::Memory::unlink(name);
    {
        auto const mapped = zeroipc::Memory::create(stale, 4096);  // as by a worker that has not quite gone
        static_cast<void>(zeroipc::Memory::create(living, 4096));
        static_cast<void>(zeroipc::Memory::create(alike, 4096));
        CHECK(run_program(quick_run()).status == 0);
        CHECK(there(stale));
        CHECK(there(living));
        CHECK(there(alike));
    }
    CHECK(run_program(quick_run()).status == 0);
    CHECK_FALSE(there(stale));
    CHECK(there(living));
    CHECK(there(alike));
    // Not a segment at all, but for its name: made by a coordinator that was killed at once.
    std::ofstream(fs::path("/dev/shm") / stale).close();
    CHECK(run_program(quick_run()).status == 0);
    CHECK_FALSE(there(stale));
    for (auto const& name : {stale, living, alike}) zeroipc::Memory::unlink(name);
}

TEST_CASE("two coordinators at once do not disturb each other", "[medium]") {
    Folder const first_folder;
    Folder const second_folder;
    auto const arguments = [](Folder const& folder) {
        return Arguments{"--mode",   "pingpong", "--window", "5",
                         "--rounds", "4",        "--out",    folder.path().string()};
    };
    Spawned first(arguments(first_folder));
    Spawned second(arguments(second_folder));
    auto const one = first.wait();
    auto const two = second.wait();
    INFO(one.err << two.err);
    CHECK(one.status == 0);
    CHECK(two.status == 0);
    for (auto const* const folder : {&first_folder, &second_folder}) {
        auto const records = records_in(folder->path());
        CHECK(records.size() == 4 * pingpongs());
        for (auto const& record : records) check_good(record);
    }
    CHECK(records_in(first_folder.path())[0]["run"] != records_in(second_folder.path())[0]["run"]);
    check_clean(first.pid());
    check_clean(second.pid());
}

TEST_CASE("a worker's call without a coordinator does nothing", "[fast]") {
    auto const outcome = run_program({"--worker-process", "zeroipc-bench-none", "0", "1"});
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
}

// ------------------------------------------------------------------------------------------------------
// progress

TEST_CASE("progress that is not on a terminal is plain lines", "[fast]") {
    auto const outcome = run_program(quick_run({"--benchmark_repetitions=3"}));
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find('\r') == std::string::npos);
    CHECK(outcome.err.find('\033') == std::string::npos);
    CHECK_THAT(outcome.err,
               Contains("\n1 of 3 runs done, about ") && Contains("\n3 of 3 runs done, finished\n"));
}

TEST_CASE("progress of many runs is few lines", "[fast]") {
    auto const outcome = run_program(quick_run({"--benchmark_repetitions=24"}));
    CHECK(outcome.status == 0);
    std::size_t lines = 0;
    for (auto const& line : lines_of(outcome.err))
        lines += line.find("runs done") != std::string::npos ? 1U : 0U;
    CHECK(lines >= 10);
    CHECK(lines <= 14);
    CHECK_THAT(outcome.err, Contains("24 of 24 runs done, finished"));
}

TEST_CASE("progress on a terminal is a bar that fits and is gone in the end", "[fast]") {
    Terminal terminal(60);
    auto const outcome = run_program(quick_run({"--benchmark_repetitions=3"}), {.terminal = &terminal});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.err, Contains("\r\033[K[........................] 0/3, time left unknown"));
    CHECK_THAT(outcome.err, Contains("\r\033[K[########................] 1/3, about "));
    CHECK_THAT(outcome.err, Contains("\r\033[K[########################] 3/3, finished"));
    CHECK_THAT(outcome.err, !Contains("runs done"));
    std::size_t bars = 0;
    for (std::size_t at = 0; (at = outcome.err.find("\033[K[", at)) != std::string::npos; ++at) {
        auto const begin = at + 3;
        auto const end = outcome.err.find_first_of("\r\n", begin);
        REQUIRE(end != std::string::npos);  // cleared, all of them
        CHECK(end - begin < 60);
        ++bars;
    }
    CHECK(bars >= 4);
    CHECK(outcome.err.find("\r\033[K", outcome.err.rfind("] 3/3")) != std::string::npos);
}

TEST_CASE("Ctrl-C on the terminal interrupts in good order", "[medium]") {
    Folder const folder;
    Terminal terminal(100);
    Spawned program({"--mode", "throughput", "--window", "20", "--rounds", "500",
                     "--benchmark_filter=fetch_add", "--out", folder.path().string()},
                    {.terminal = &terminal});
    REQUIRE(wait_until([&] { return program.has_ended() || records_so_far(folder.path()) >= 2; }));
    terminal.type("\x03");
    auto const outcome = program.wait();
    INFO(outcome.err);
    CHECK(outcome.status == 130);
    CHECK_THAT(outcome.err, Contains("interrupted"));
    CHECK_THAT(outcome.err, !Contains("failed"));  // the workers did not get it
    CHECK(read_json(folder / "environment.json")["suite"]["interrupted"] == true);
    check_clean(program.pid());
}

TEST_CASE("durations for people", "[fast]") {
    using zeroipc::tools::format_duration;
    using seconds = std::chrono::duration<double>;
    CHECK(format_duration(seconds(0)) == "0 s");
    CHECK(format_duration(seconds(-5)) == "0 s");
    CHECK(format_duration(seconds(0.2)) == "1 s");
    CHECK(format_duration(seconds(59)) == "59 s");
    CHECK(format_duration(seconds(59.5)) == "1 min 0 s");
    CHECK(format_duration(seconds(80)) == "1 min 20 s");
    CHECK(format_duration(seconds(3600)) == "1 h 0 min");
    CHECK(format_duration(seconds(3600 * 25 + 120)) == "25 h 2 min");
}
