// Cells in other languages: run for real by the program, checked, and refused where they cannot be.

#include "zeroipc/bench/languages.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "schema_check.hpp"
#include "spawned.hpp"
#include "zeroipc/bench/plan.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;

namespace {

/// The interpreter for programs started meanwhile.
class NamedPython {
public:
    explicit NamedPython(std::string const& path) {
        if (auto const* const was = std::getenv(name)) before_ = was;
        ::setenv(name, path.c_str(), 1);
    }
    NamedPython(NamedPython const&) = delete;
    NamedPython& operator=(NamedPython const&) = delete;
    NamedPython(NamedPython&&) = delete;
    NamedPython& operator=(NamedPython&&) = delete;
    ~NamedPython() {
        if (before_)
            ::setenv(name, before_->c_str(), 1);
        else
            ::unsetenv(name);
    }

private:
    static constexpr char const* name = "ZEROIPC_PYTHON";
    std::optional<std::string> before_;
};

/// Without it these tests would show nothing, so they fail.
void require_python() {
    INFO(check_python().why_not);
    REQUIRE(check_python().versions);
}

/// An interpreter that runs some lines before every worker, as one planted in its place would.
std::string python_that_runs_first(Folder const& folder, std::string const& lines) {
    auto const script = (folder / "first.py").string();
    std::ofstream(script) << "import os, runpy, sys\n"
                             "sys.path.insert(0, os.path.dirname(sys.argv[1]))\n"
                             "import zeroipc\n"
                          << lines
                          << "\nsys.argv = sys.argv[1:]\n"
                             "runpy.run_path(sys.argv[0], run_name='__main__')\n";
    auto const program = folder / "python";
    std::ofstream(program) << "#!/bin/sh\nshift\nexec '" << std::getenv("ZEROIPC_PYTHON") << "' -B '"
                           << script << "' \"$@\"\n";
    fs::permissions(program, fs::perms::owner_all);
    return program.string();
}

/// Records of a suite with these sweeps, all of them checked.
std::map<std::string, json> records_of(std::string const& sweeps) {
    Folder const folder;
    auto const suite = (folder / "one.toml").string();
    std::ofstream(suite) << "rounds = 1\n" << sweeps;
    auto const outcome = run_program({"--suite", suite, "--out", (folder / "out").string()});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    std::map<std::string, json> records;
    std::ifstream lines(folder / "out/records.jsonl");
    for (std::string line; std::getline(lines, line);) {
        auto const record = json::parse(line);
        INFO(record["cell"]);
        CHECK(record_complaints(record).empty());
        CHECK(record["status"] == "ok");
        if (record["kind"] == "language") {
            CHECK(record["is_default"] == false);
            CHECK(record["host"] == "processes");
            CHECK(record["verification"]["passed"] == true);
            CHECK(record["verification"]["sent"] > 0);
            CHECK(record["verification"]["sent"] == record["verification"]["received"]);
            records[record["cell"].get<std::string>()] = record;
        }
    }
    auto const conditions =
        json::parse(std::ifstream(folder / "out/environment.json"))["fingerprint"]["conditions"];
    auto const python = std::any_of(records.begin(), records.end(), [](auto const& one) {
        return one.first.find("python") != std::string::npos;
    });
    CHECK(conditions.contains("python") == python);
    if (python) CHECK(conditions["python"] == *check_python().versions);
    return records;
}

std::set<std::string> variants_in(std::map<std::string, json> const& records) {
    std::set<std::string> names;
    for (auto const& [key, record] : records) names.insert(record["variant"].get<std::string>());
    return names;
}

std::set<std::string> all_of(std::string_view structure) {
    std::set<std::string> names;
    for (auto const& language : languages())
        if (structure_of(language.name) == structure) names.insert(language.name);
    return names;
}

std::vector<Cell> cells_of(std::string const& name, void (*change)(Sweep&)) {
    Suite suite;
    suite.sweeps.emplace_back().variants = {name};
    change(suite.sweeps.front());
    return expand(suite);
}

}  // namespace

TEST_CASE("a language's name says its structure, and it runs as processes only", "[fast]") {
    CHECK(structure_of("lang/c/queue") == "queue");
    CHECK(structure_of("lang/python-to-cpp/queue") == "queue");
    CHECK(structure_of("lang/python/map") == "map");
    CHECK(all_of("map") == std::set<std::string>{"lang/c/map", "lang/python/map"});
    CHECK(language_named("lang/python-to-cpp/queue")->producers == "python");
    CHECK(language_named("lang/python-to-cpp/queue")->consumers == "cpp");
    CHECK(language_named("lang/cobol/queue") == nullptr);
    for (auto const& language : languages()) {
        CHECK(can_be_hosted(language.name, Host::processes));
        CHECK_FALSE(can_be_hosted(language.name, Host::threads));
        CHECK(find_language(language.name, 8));
        CHECK_FALSE(find_language(language.name, 64));
    }
}

TEST_CASE("what a language cannot do is refused, with what can", "[fast]") {
    require_python();
    CHECK_THROWS_WITH(cells_of("lang/c/queue", [](Sweep& sweep) { sweep.payloads = {64}; }),
                      Contains("payload of 64 bytes") && Contains("compiled for 8"));
    CHECK_THROWS_WITH(cells_of("lang/c/queue", [](Sweep& sweep) { sweep.modes = {Mode::kill}; }),
                      Contains("'lang/c/queue'; mode kill is for variants of the catalogue"));
    CHECK_THROWS_WITH(cells_of("lang/c/queue", [](Sweep& sweep) { sweep.hosts = {Host::threads}; }),
                      Contains("does not run as threads"));
    auto const modifying = [](Sweep& sweep) { sweep.mixes = {"ycsb-f"}; };
    CHECK_THROWS_WITH(cells_of("lang/python/map", modifying),
                      Contains("mix ycsb-f") && Contains("without m"));
    CHECK_NOTHROW(cells_of("lang/c/map", modifying));
    CHECK_THROWS_WITH(match_variants("lang/pyton/queue"), Contains("lang/python/queue"));
    for (auto const& name : match_variants("queue/*")) CHECK_FALSE(name.starts_with("lang/"));
}

TEST_CASE("queues pass items in every language and from one to another, and every check", "[medium]") {
    require_python();
    auto const records = records_of(R"([[sweep]]
mode = ["throughput", "pingpong", "latency"]
variants = ["queue", "lang/*/queue"]
window_ms = 30
[[sweep]]
variants = ["lang/*/queue"]
producers = 2
consumers = 2
batch = [1, 16]
window_ms = 30
)");
    CHECK(variants_in(records) == all_of("queue"));
    CHECK(records.size() == 5 * all_of("queue").size());
}

TEST_CASE("stacks and maps run in every language, with every check", "[medium]") {
    require_python();
    auto const records = records_of(R"([[sweep]]
variants = ["lang/*/stack"]
workers = [1, 2]
window_ms = 30
[[sweep]]
variants = ["lang/*/map"]
workers = [1, 2]
mix = ["r90i5e5", "ycsb-a", "ycsb-d"]
window_ms = 30
[[sweep]]
variants = ["lang/c/map"]
mix = "ycsb-f"
window_ms = 30
)");
    auto wanted = all_of("stack");
    wanted.merge(all_of("map"));
    CHECK(variants_in(records) == wanted);
    CHECK(records.size() == 2 * 2 + 2 * 3 * 2 + 1);
}

TEST_CASE("an item that a Python worker loses fails the run, as does one that it makes up", "[medium]") {
    require_python();
    Folder const folder;
    auto const planted =
        GENERATE(std::string("push = zeroipc.Queue.try_push\n"
                             "zeroipc.Queue.try_push = lambda queue, item: item == 3 or push(queue, item)\n"),
                 std::string("pop = zeroipc.Queue.try_pop\n"
                             "def spoil(queue):\n    item = pop(queue)\n    return 4 if item == 5 else item\n"
                             "zeroipc.Queue.try_pop = spoil\n"));
    NamedPython const python(python_that_runs_first(folder, planted));
    auto const outcome = run_program({"--variant", "lang/python/queue", "--mode", "throughput", "--window",
                                      "50", "--rounds", "1", "--benchmark_filter=lang/"});
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("failed: throughput/lang/python/queue"));
    CHECK_THAT(outcome.err, Contains("sent") || Contains("order"));
}

TEST_CASE("an exception in a Python worker is the run's error", "[medium]") {
    require_python();
    Folder const folder;
    NamedPython const python(python_that_runs_first(
        folder,
        "def fail(queue, item):\n    raise ValueError('no such luck')\nzeroipc.Queue.try_push = fail\n"));
    auto const outcome = run_program({"--variant", "lang/python/queue", "--mode", "throughput", "--window",
                                      "50", "--rounds", "1", "--benchmark_filter=lang/"});
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("in Python: ValueError: no such luck"));
}

TEST_CASE("without an interpreter a name is refused, and a suite does without", "[medium]") {
    Folder const folder;
    auto const missing = (folder / "no-python").string();
    NamedPython const python(missing);
    auto const refused = run_program({"--variant", "lang/python/queue", "--rounds", "1"});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.err,
               Contains("lang/python/queue cannot run: " + missing) && Contains("ZEROIPC_PYTHON"));
    auto const suite = (folder / "one.toml").string();
    std::ofstream(suite) << "rounds = 1\n[[sweep]]\nvariants = ['lang/*/queue', 'lang/python/map']\n";
    auto const planned = run_program({"--suite", suite, "--dry-run"});
    INFO(planned.err);
    CHECK(planned.status == 0);
    CHECK_THAT(planned.err, Contains("left out: lang/python/queue cannot run: ") &&
                                Contains("left out: lang/python-to-cpp/queue cannot run: ") &&
                                Contains("left out: lang/python/map cannot run: "));
    CHECK_THAT(planned.out, Contains("lang/c/queue") && !Contains("lang/python"));
}
