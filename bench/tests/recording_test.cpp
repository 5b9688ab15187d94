/// \file
/// Histories recorded from real processes, with kills, and their judgement; and both programs as users have them.

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "faults.hpp"
#include "spawned.hpp"
#include "zeroipc/bench/history.hpp"
#include "zeroipc/bench/monitor.hpp"
#include "zeroipc/bench/recorder.hpp"
#include "zeroipc/bench/topology.hpp"

namespace {

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using zeroipc::testing::random_source;
using zeroipc::testing::rounds;

RecordOptions options_for(std::string variant, std::uint64_t operations, std::uint64_t kills) {
    RecordOptions options;
    options.variant = std::move(variant);
    options.operations = operations;
    options.kills = kills;
    options.seed = zeroipc::testing::seed();
    return options;
}

/// What every recording must be, whatever the structure did.
void check_shape(History const& history, RecordOptions const& options) {
    CHECK(history.operations.size() + options.kills >= options.operations);
    // Each worker's operations follow each other, but for the widening; only its last may be pending.
    std::map<std::uint16_t, std::vector<Operation>> of_worker;
    for (auto const& op : history.operations) of_worker[op.worker].push_back(op);
    std::uint64_t killed = 0;
    auto const slack = static_cast<std::uint64_t>(2 * history.skew_ns * history.ticks_per_ns) + 2;
    for (auto const& [worker, ops] : of_worker) {
        killed += history.workers[worker].killed ? 1U : 0U;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            if (ops[i].answer == Answer::pending) {
                CHECK(i + 1 == ops.size());
                CHECK(history.workers[worker].killed);
            } else if (i + 1 < ops.size()) {
                REQUIRE(ops[i].ret <= ops[i + 1].call + slack);
            }
        }
    }
    CHECK(killed + 1 >= options.kills);  // the last one may come when its victim is done
    CHECK(killed <= options.kills);
    CHECK(segments_of(::getpid()).empty());
}

void record_and_judge(std::uint64_t operations, std::uint64_t kills) {
    auto const topology = Topology::this_machine();
    for (std::string const variant : {"queue", "stack", "map"})
        for (auto const capacity : zeroipc::testing::sizes({2, 64})) {
            auto options = options_for(variant, operations, kills);
            options.capacity = capacity;
            options.keys = capacity == 2 ? 4 : 64;
            // Many kills inside operations at one time can leave more orders than the steps allow for: then another
            // recording. A violation is one at once.
            History history;
            Judgement judged;
            double seconds = 0;
            for (int recording = 1; recording <= 3; ++recording) {
                history = record(topology, options);
                check_shape(history, options);
                auto const begin = std::chrono::steady_clock::now();
                judged = judge(history);
                seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
                if (judged.verdict != Verdict::undecided) break;
                std::printf("%s, capacity %llu: undecided, recording %d\n", history.variant.c_str(),
                            static_cast<unsigned long long>(capacity), recording);
                ++options.seed;
            }
            std::set<Answer> answers;
            for (auto const& op : history.operations) answers.insert(op.answer);
            std::printf("%s, capacity %llu: %zu operations, judged in %.2f s, %llu quiescent moments\n",
                        history.variant.c_str(), static_cast<unsigned long long>(capacity),
                        history.operations.size(), seconds,
                        static_cast<unsigned long long>(judged.quiescent));
            INFO(history.variant << ", capacity " << capacity << ": " << judged.rule << ": " << judged.why);
            CHECK(judged.verdict == Verdict::linearizable);
            if (variant != "map") {
                // A random walk of pushes and pops comes to 64 items only in far more steps than 64 squared.
                if (capacity == 2 || operations >= 1'000'000) CHECK(answers.contains(Answer::full));
                CHECK(answers.contains(Answer::empty));
            } else {
                CHECK(answers.contains(Answer::absent));
                CHECK(answers.contains(Answer::different));
                CHECK(answers.contains(Answer::assigned));
                CHECK(answers.contains(Answer::present));
            }
        }
}

TEST_CASE("the default queue, stack and map, recorded with kills, are linearizable", "[fast]") {
    record_and_judge(rounds(20'000), 4);
}

TEST_CASE("the default queue, stack and map, a million operations with kills, are linearizable", "[medium]") {
    record_and_judge(rounds(1'000'000), 50);
}

TEST_CASE("faults planted into recorded histories with kills are found", "[slow]") {
    auto const topology = Topology::this_machine();
    random_source random(80);
    for (std::string const variant : {"queue", "stack", "map"}) {
        auto options = options_for(variant, rounds(1'000'000), 20);
        auto const history = record(topology, options);
        for (auto const& fault : faults_of(history.structure)) {
            Planter planter(history);
            INFO(variant << ", " << fault);
            REQUIRE(planter.plant(fault, random));
            auto const judged = judge(planter.history());
            INFO(judged.rule << ": " << judged.why);
            std::printf("%s, %s: %s\n", variant.c_str(), fault.c_str(), judged.rule.c_str());
            CHECK(judged.verdict == Verdict::violation);
        }
    }
}

TEST_CASE("every variant of the catalogue can be recorded, and those that claim it are linearizable",
          "[fast]") {
    auto const topology = Topology::this_machine();
    for (auto const& variant : recordable_variants()) {
        auto options = options_for(variant.name, rounds(5'000), variant.kill_safe ? 1 : 0);
        auto history = record(topology, options);
        CHECK(history.structure == variant.structure);
        auto judged = judge(history);
        // A worker that is off its CPU inside an operation can leave more orders than the steps allow: that is no verdict.
        for (int again = 0; again < 3 && judged.verdict == Verdict::undecided; ++again) {
            history = record(topology, options);
            judged = judge(history);
        }
        INFO(variant.name << ": " << judged.rule << ": " << judged.why);
        if (variant.linearizable) {
            CHECK(judged.verdict == Verdict::linearizable);
        } else if (judged.verdict == Verdict::violation &&
                   variant.name.find("/ticket/") != std::string::npos) {
            CHECK((judged.rule == "false empty" || judged.rule == "false full"));
        }
    }
}

TEST_CASE("recording refuses what makes no sense", "[fast]") {
    auto const topology = Topology::this_machine();
    auto const refused = [&](auto change, std::string const& says) {
        auto options = options_for("queue", 1000, 0);
        change(options);
        CHECK_THROWS_WITH(record(topology, options), Catch::Contains(says));
    };
    refused([](auto& o) { o.variant = "tree"; }, "no variant 'tree'");
    refused([](auto& o) { o.workers = 0; }, "0 workers");
    refused([](auto& o) { o.operations = 1; }, "1 operations");
    refused([](auto& o) { o.kills = 100; }, "100 kills in 1000 operations");
    refused([](auto& o) { o.capacity = 3; }, "power of two");
    refused(
        [](auto& o) {
            o.variant = "queue/ticket/acq_rel/exp/compact";
            o.kills = 1;
        },
        "not safe against kills");
    CHECK(segments_of(::getpid()).empty());
}

TEST_CASE("clocks differ from the first CPU's by less than an exchange of stamps takes", "[fast]") {
    auto const topology = Topology::this_machine();
    auto const cpus = usable_cpus();
    auto const skew =
        measure_skew(topology, ClockInfo::calibrate(), {cpus.front(), cpus.front(), cpus.back()});
    CHECK(skew[0] == 0);
    CHECK(skew[1] == 0);
    if (cpus.size() > 1) CHECK(skew[2] > 0);
}

Outcome check_file(std::vector<std::string> arguments) {
    Surroundings surroundings;
    surroundings.program = ZEROIPC_CHECK_PROGRAM;
    return run_program(std::move(arguments), surroundings);
}

TEST_CASE("the programs: record, check, plant, check again", "[fast]") {
    Folder const folder;
    auto const file = (folder / "history").string();
    for (std::string const variant : {"queue", "stack", "map"}) {
        auto const recorded = run_program({"--record", file, "--variant", variant, "--operations", "4000",
                                           "--kills", "2", "--seed", "7", "--workers", "3"});
        INFO(recorded.err);
        REQUIRE(recorded.status == 0);
        CHECK_THAT(recorded.out, Catch::Contains("seed 7"));
        auto const right = check_file({file});
        INFO(right.out << right.err);
        CHECK(right.status == 0);
        CHECK_THAT(right.out, Catch::StartsWith("linearizable: "));

        Planter planter(read_history(file));
        random_source random(90);
        REQUIRE(planter.plant("wrong value", random));
        write_history(file, planter.history(), Encoding::lines);
        auto const wrong = check_file({file, "--json"});
        CHECK(wrong.status == 1);
        auto const json = nlohmann::json::parse(wrong.out);
        CHECK(json["verdict"] == "violation");
        CHECK(json["rule"] == "wrong value");
        CHECK(json["operations"].size() >= 1);
        CHECK_THAT(check_file({file}).out, Catch::Contains("wrong value: "));
    }
    CHECK(check_file({}).status == 2);
    CHECK(check_file({"--help"}).status == 0);
    auto const missing = check_file({(folder / "nothing").string()});
    CHECK(missing.status == 2);
    CHECK_THAT(missing.err, Catch::Contains("cannot be opened"));
    CHECK(run_program({"--record", file, "--variant", "tree"}).status == 2);
    CHECK(run_program({"--kills", "3"}).status == 2);
    CHECK(run_program({"--record", file, "--capacity", "3"}).status == 2);
}

TEST_CASE("the history that the documentation shows is linearizable, and not without its killed pop",
          "[fast]") {
    auto const page = read_text(ZEROIPC_CHECKING_PAGE);
    auto const begin = page.find("zeroipc-history 1\n{");
    REQUIRE(begin != std::string::npos);
    auto text = page.substr(begin, page.find("```", begin) - begin);
    Folder const folder;
    auto const file = (folder / "history").string();
    std::ofstream(file) << text;
    CHECK(check_file({file}).status == 0);
    auto const killed = text.find("{\"worker\":2");
    REQUIRE(killed != std::string::npos);
    text = text.substr(0, killed);
    auto const count = text.find("\"operations\":3");
    REQUIRE(count != std::string::npos);
    text.replace(count, 14, "\"operations\":2");
    std::ofstream(file) << text;
    auto const outcome = check_file({file});
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.out, Catch::Contains("false empty"));
}

TEST_CASE("what cannot be decided in the steps allowed is said to be so", "[fast]") {
    Folder const folder;
    auto const file = (folder / "history").string();
    REQUIRE(run_program({"--record", file, "--operations", "4000", "--lines"}).status == 0);
    auto const outcome = check_file({file, "--steps", "10"});
    CHECK(outcome.status == 3);
    CHECK_THAT(outcome.out, Catch::StartsWith("undecided: "));
}

TEST_CASE("an interrupted recording leaves nothing behind", "[fast]") {
    Folder const folder;
    auto const file = folder / "history";
    Spawned recording({"--record", file.string(), "--operations", "100000000", "--variant", "stack"});
    REQUIRE(wait_until([&] { return recording.has_ended() || !segments_of(recording.pid()).empty(); }));
    recording.signal(SIGINT);
    CHECK(recording.wait().status == 130);
    CHECK(segments_of(recording.pid()).empty());
    CHECK_FALSE(fs::exists(file));
}

}  // namespace
