// The program where things go wrong that are not its own: everything killed at once, a full disk, a folder that is read only.

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "child.hpp"
#include "spawned.hpp"
#include "zeroipc_mount_testing.hpp"

using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

using Arguments = std::vector<std::string>;

Arguments counters(int window_ms, int rounds, std::string const& out, Arguments const& more = {}) {
    Arguments arguments{"--mode",
                        "throughput",
                        "--window",
                        std::to_string(window_ms),
                        "--rounds",
                        std::to_string(rounds),
                        "--seed",
                        "11",
                        "--out",
                        out,
                        "--benchmark_filter=fetch_add|cas"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

/// The records of a folder, and whether behind them there is a part of one.
std::pair<std::vector<json>, bool> records_of(fs::path const& folder) {
    std::vector<json> whole;
    std::ifstream file(folder / "records.jsonl");
    for (std::string line; std::getline(file, line);) {
        if (file.eof()) return {whole, true};  // no end of the line
        whole.push_back(json::parse(line));
    }
    return {whole, false};
}

/// In a file system of its own, mounted there with these options: what body() gives, or not_possible.
template <class Body>
int in_mount(fs::path const& where, unsigned long flags, char const* options, Body&& body) {
    int const status = status_of_child([&] {
        return zeroipc::testing::mount_there(where.c_str(), options, flags) ? static_cast<int>(body())
                                                                            : not_possible;
    });
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("coordinator and workers killed at once leave whole records, and the run is gone on with",
          "[medium]") {
    Folder const folder;
    Spawned program(counters(5, 40, folder.path().string()));
    std::vector<pid_t> workers;
    REQUIRE(wait_until([&] {
        if (program.has_ended()) return true;
        if (records_so_far(folder.path()) < 3 || !stop_still(program.pid())) return false;
        workers = workers_of(program.pid());
        if (!workers.empty()) return true;
        program.signal(SIGCONT);
        return false;
    }));
    REQUIRE_FALSE(workers.empty());
    for (auto const worker : workers) ::kill(worker, SIGKILL);
    program.signal(SIGKILL);
    CHECK(program.wait().status == -SIGKILL);

    auto const before = records_of(folder.path()).first;
    CHECK(before.size() >= 3);
    CHECK(before.size() < 80);
    auto const outcome = run_program(counters(5, 40, folder.path().string(), {"--resume"}));
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    auto const [after, torn] = records_of(folder.path());
    CHECK_FALSE(torn);
    std::set<std::pair<std::string, int>> seen;
    for (auto const& record : after) {
        CHECK(record["status"] == "ok");
        seen.insert({record["cell"].get<std::string>(), record["round"].get<int>()});
    }
    CHECK(after.size() == 80);
    CHECK(seen.size() == 80);
    CHECK(std::vector<json>(after.begin(), after.begin() + static_cast<long>(before.size())) == before);
    CHECK(segments_of(program.pid()).empty());
}

TEST_CASE("a full disk is an error, and what was recorded before stays whole", "[medium]") {
    Folder const folder;
    fs::create_directories(folder / "small");
    int const end = in_mount(folder / "small", 0, "size=256k", [&] {
        auto const outcome = run_program(counters(1, 2000, (folder / "small/run").string()));
        if (outcome.status != 1) return 1;
        if (outcome.err.find("cannot write") == std::string::npos ||
            outcome.err.find("No space left") == std::string::npos)
            return 2;
        auto const records = records_of(folder / "small/run").first;
        if (records.size() < 3) return 3;
        for (auto const& record : records)
            if (record["status"] != "ok") return 4;
        return 0;
    });
    if (end == not_possible)
        WARN("no mount namespace: not tested");
    else
        CHECK(end == 0);
}

TEST_CASE("a folder for results that is read only is said before anything is measured", "[medium]") {
    Folder const folder;
    fs::create_directories(folder / "fixed");
    int const end = in_mount(folder / "fixed", MS_RDONLY, "", [&] {
        auto const outcome = run_program(counters(1, 2, (folder / "fixed/run").string()));
        if (outcome.status == 0) return 1;
        if (outcome.err.find("Read-only file system") == std::string::npos ||
            outcome.err.find("fixed/run") == std::string::npos)
            return 2;
        return outcome.out.find("fetch_add") == std::string::npos ? 0 : 3;
    });
    if (end == not_possible)
        WARN("no mount namespace: not tested");
    else
        CHECK(end == 0);
}
