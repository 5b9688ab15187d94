// `zeroipc-bench explain` as its users have it: exit codes, and perf on a worker. In the place of perf stands a script that
// does as perf does, where the machine's own cannot be relied on.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spawned.hpp"

using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

Outcome explain(std::vector<std::string> arguments, std::string const& path) {
    std::string const before = std::getenv("PATH");
    ::setenv("PATH", path.c_str(), 1);
    arguments.insert(arguments.begin(), "explain");
    Spawned program(std::move(arguments));
    ::setenv("PATH", before.c_str(), 1);
    auto outcome = program.wait();
    CHECK(workers_of(program.pid()).empty());
    CHECK(segments_of(program.pid()).empty());
    return outcome;
}

std::vector<std::string> watched(std::vector<std::string> const& more = {}) {
    std::vector<std::string> arguments{"queue", "--window", "20", "--perf", "stat"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

/// A perf that is a shell script.
void write_perf(Folder const& folder, std::string const& script) {
    std::ofstream(folder / "perf") << "#!/bin/sh\n" << script;
    fs::permissions(folder / "perf", fs::perms::owner_all);
}

/// Begins when told to, answers, and waits until the process of --pid has ended.
char const* const obedient =
    "arguments=$*\n"
    "while [ \"$1\" != --pid ]; do shift; done\n"
    "pid=$2\n"
    "IFS= read -r word < /proc/self/fd/20\n"
    "echo ack > /proc/self/fd/21\n"
    "while IFS= read -r line; do case $line in State:*T*) state=stopped;; esac; done < /proc/$pid/status\n"
    "echo \"told $word, $state, worker $(/usr/bin/tr '\\0' ' ' < /proc/$pid/cmdline)\"\n"
    "echo \"arguments $arguments\"\n"
    "trap 'exit 0' INT\n"
    "while [ -e /proc/$pid ]; do /bin/sleep 0.01; done\n";

}  // namespace

TEST_CASE("perf watches the worker that was chosen, from before it begins", "[fast]") {
    Folder const folder;
    write_perf(folder, obedient);
    auto const outcome =
        explain(watched({"--worker", "1", "--json", "--", "-e", "task-clock"}), folder.path().string());
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    auto const perf = json::parse(outcome.out)["perf"];
    CHECK(perf["worker"] == 1);
    CHECK(perf["role"] == "consumer");
    CHECK(perf["command"] == json({"perf", "stat", "-e", "task-clock"}));
    auto const said = perf["output"].get<std::string>();
    CHECK_THAT(said, Contains("told enable") && Contains("--worker-process") && Contains("-e task-clock"));
    auto const text = explain(watched(), folder.path().string());
    CHECK(text.status == 0);
    CHECK_THAT(text.out, Contains("worker 0, a producer on CPU ") && Contains("operations in the window") &&
                             Contains("told enable"));
}

TEST_CASE("without perf, or where it is not permitted, status 3 and what to do", "[fast]") {
    Folder const folder;
    auto const missing = explain(watched(), folder.path().string());
    CHECK(missing.status == 3);
    CHECK_THAT(missing.err, Contains("there is no perf here") && Contains("apt-get install linux-perf"));
    write_perf(folder, "echo 'Access to performance monitoring is limited' >&2\nexit 255\n");
    auto const refused = explain(watched(), folder.path().string());
    CHECK(refused.status == 3);
    CHECK(refused.out.empty());
    CHECK_THAT(refused.err, Contains("Access to performance monitoring is limited") &&
                                Contains("kernel.perf_event_paranoid is ") && Contains("sysctl -w"));
}

TEST_CASE("a perf that fails after it began is no silence either", "[fast]") {
    Folder const folder;
    write_perf(folder,
               "IFS= read -r word < /proc/self/fd/20\necho ack > /proc/self/fd/21\necho 'lost "
               "everything'\nexit 9\n");
    auto const outcome = explain(watched(), folder.path().string());
    CHECK(outcome.status == 3);
    CHECK_THAT(outcome.err, Contains("lost everything"));
}

TEST_CASE("exit codes of explain", "[fast]") {
    Folder const nothing;
    auto const path = nothing.path().string();
    CHECK(explain({"stack"}, path).status == 0);
    CHECK(explain({"--help"}, path).status == 0);
    auto const misspelt = explain({"stac"}, path);
    CHECK(misspelt.status == 2);
    CHECK_THAT(misspelt.err, Contains("no variant 'stac'") && Contains("stack/"));
    auto const too_many = explain(watched({"--producers", "2000"}), path);
    CHECK(too_many.status == 2);
    CHECK_THAT(too_many.err, Contains("2000 producers"));
}
