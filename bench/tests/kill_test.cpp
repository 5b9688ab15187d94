// Kill cells: what is drawn, what is counted, and real kills. No verdict depends on how long anything takes.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "../src/kill/killing.hpp"
#include "schema_check.hpp"
#include "spawned.hpp"
#include "zeroipc/bench/kill_result.hpp"
#include "zeroipc/bench/kill_workload.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/session.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;

namespace {

constexpr auto ticket = "queue/ticket/acq_rel/exp/compact";

Sweep kills_on(std::vector<std::string> variants) {
    Sweep sweep;
    sweep.modes = {Mode::kill};
    sweep.variants = std::move(variants);
    sweep.windows_ns = {300'000'000};
    return sweep;
}

std::vector<Cell> cells_of(Sweep sweep) {
    Suite suite;
    suite.sweeps.push_back(std::move(sweep));
    return expand(suite);
}

struct Run {
    Outcome outcome;
    std::vector<json> records;  ///< of kill cells
    json benchmarks;
};

/// Runs kill cells, and looks whether each record is as the schema has it and nothing is left behind.
Run run_kills(std::vector<std::string> const& more) {
    Folder const folder;
    auto const out = folder / "out";
    std::vector<std::string> arguments{"--mode", "kill",      "--window", "100", "--benchmark_filter=^kill/",
                                       "--out",  out.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Spawned program(arguments);
    auto const pid = program.pid();
    Run run;
    run.outcome = program.wait();
    INFO(run.outcome.out << run.outcome.err);
    CHECK(segments_of(pid).empty());
    CHECK(workers_of(pid).empty());
    std::ifstream lines(out / "records.jsonl");
    for (std::string line; std::getline(lines, line);) {
        auto record = json::parse(line);
        CHECK(record_complaints(record).empty());
        CHECK(record["mode"] == "kill");
        run.records.push_back(std::move(record));
    }
    std::ifstream file(out / "benchmark.json");
    run.benchmarks = json::parse(file, nullptr, false);
    return run;
}

/// A run of a variant that keeps its promise.
void check_survived(json const& record) {
    INFO(record.dump());
    REQUIRE(record["status"] == "ok");
    auto const& kill = record["kill"];
    CHECK(kill["claims_kill_safety"] == true);
    CHECK(kill["intact"] == true);
    CHECK(kill["faults"].empty());
    CHECK(kill["survivors"]["stuck"].empty());
    CHECK(kill["planned_ns"] >= 0.4 * record["window_ns"].get<double>());
    CHECK(kill["planned_ns"] <= 0.6 * record["window_ns"].get<double>());
    CHECK(kill["killed_ns"] >= kill["planned_ns"]);
    CHECK(kill["newcomer"]["opened"] == true);
    CHECK(kill["newcomer"]["took_slot"] != false);
    CHECK(kill["newcomer"]["recovery_ns"] > kill["newcomer"]["open_ns"]);
    CHECK(kill["newcomer"]["recovery_ns"] > kill["death_ns"]);
    CHECK(kill["accepted"] == record["capacity"]);
    // What the operation in flight may cost, and no more.
    auto const lost = kill["lost"].get<std::uint64_t>();
    auto const extra = kill["unacknowledged"].get<std::uint64_t>();
    auto const inside = kill["inside"].get<std::string>();
    CHECK(lost <= (inside == "pop" || inside == "erase" ? 1U : 0U));
    CHECK(extra <= (inside == "push" || inside == "insert" || inside == "assign" ? 1U : 0U));
    auto const& verification = record["verification"];
    CHECK(verification["sent"].get<std::uint64_t>() + extra ==
          verification["received"].get<std::uint64_t>() + lost);
    CHECK(verification["sums_equal"] == (lost + extra == 0));
    // Of the dead one is known what it did, and not what the kernel did to it.
    auto const& victim = kill["victim"];
    for (auto const& worker : record["workers"]) {
        bool const dead = worker["role"] == victim["role"] && worker["index"] == victim["index"];
        CHECK(worker["minor_faults"].is_null() == dead);
    }
}

}  // namespace

// ------------------------------------------------------------------------------------- plans

TEST_CASE("victim and moment are drawn from the seed, within what was asked", "[fast]") {
    Cell cell;
    cell.mode = Mode::kill;
    cell.producers = 2;
    cell.consumers = 3;
    std::map<std::string, std::set<std::uint32_t>> drawn;
    for (std::string const victim : {"producer", "consumer", "any"}) {
        cell.victim = victim;
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            auto const plan = draw_kill(cell, seed);
            drawn[victim].insert(plan.victim);
            CHECK((plan.at >= 0.4 && plan.at < 0.6));
            CHECK(draw_kill(cell, seed).at == plan.at);
        }
    }
    CHECK(drawn["producer"] == std::set<std::uint32_t>{0, 1});
    CHECK(drawn["consumer"] == std::set<std::uint32_t>{2, 3, 4});
    CHECK(drawn["any"] == std::set<std::uint32_t>{0, 1, 2, 3, 4});
    CHECK(kill_seed(1, "a", 0) == kill_seed(1, "a", 0));
    CHECK(kill_seed(1, "a", 0) != kill_seed(1, "a", 1));
    CHECK(kill_seed(1, "a", 0) != kill_seed(1, "b", 0));
    CHECK(kill_seed(1, "a", 0) != kill_seed(2, "a", 0));
}

TEST_CASE("kill cells: queues by victim, stacks and maps without, one bound beside them", "[fast]") {
    auto sweep = kills_on({"queue", "stack", "map"});
    sweep.victims = {"producer", "consumer"};
    sweep.workers = {2};
    sweep.batches = {1, 8};
    std::vector<std::string> kinds;
    for (auto const& cell : cells_of(sweep)) {
        if (cell.is_bound()) {
            CHECK(cell.variant == bound_cacheline);
            continue;
        }
        CHECK(cell.mode == Mode::kill);
        CHECK(cell.batch == 1);
        kinds.push_back(std::string(cell.structure()) + " " + cell.victim);
        CHECK((cell.key().find("/" + cell.victim) != std::string::npos) == (cell.consumers != 0));
        CHECK(seconds_of(cell) > 0.3);
        CHECK(seconds_of(cell) < 1);
    }
    CHECK(kinds == std::vector<std::string>{"queue producer", "queue consumer", "stack any", "map any"});
}

TEST_CASE("what cannot be killed on is refused", "[fast]") {
    auto const refused = [](auto&& change, std::string const& word) {
        auto sweep = kills_on({"queue"});
        change(sweep);
        CHECK_THROWS_WITH(cells_of(sweep), Contains(word));
    };
    refused([](Sweep& sweep) { sweep.payloads = {64}; }, "mode kill is compiled for 8");
    refused([](Sweep& sweep) { sweep.windows_ns = {50'000'000}; }, "a window of 50 ms");
    refused([](Sweep& sweep) { sweep.victims = {"nobody"}; },
            "victim 'nobody'; use producer, consumer or any");
    refused([](Sweep& sweep) { sweep.variants = {"stack"}; }, "needs a survivor");
    refused([](Sweep& sweep) { sweep.producers = {1023}; }, "at most 1022");
}

TEST_CASE("the suite of kills has every variant that claims kill safety, and some that do not", "[fast]") {
    std::set<std::string> killed;
    for (auto const& cell : expand(read_suite(std::filesystem::path(ZEROIPC_SUITES) / "kills.toml")))
        if (cell.mode == Mode::kill) killed.insert(cell.variant);
    for (auto const& variant : measured()) {
        INFO(variant.name);
        if (variant.kill_safe) CHECK(killed.contains(variant.name));
    }
    for (auto const* const unsafe : {ticket, "stack/flat_combining/acq_rel/exp/compact"}) {
        INFO(unsafe);
        CHECK(killed.contains(unsafe));
    }
}

// ------------------------------------------------------------------------------------- what is counted

TEST_CASE("only the operation in flight may explain a difference", "[fast]") {
    auto const word = std::uint64_t{1} << 48 | 77;
    auto const explains = [&](Inside inside, std::int64_t items, std::uint64_t sum) {
        return kill_accounts_for(inside, word, items, sum, 3, 1000);
    };
    for (auto const inside : {Inside::none, Inside::push, Inside::pop, Inside::insert, Inside::assign,
                              Inside::erase, Inside::change, Inside::look}) {
        CHECK(explains(inside, 0, 0));
        CHECK_FALSE(explains(inside, 0, 1));  // one lost and another doubled
        CHECK_FALSE(explains(inside, 2, 2 * word));
        CHECK_FALSE(explains(inside, -2, 0 - 2 * word));
        bool const puts = inside == Inside::push || inside == Inside::insert || inside == Inside::assign;
        CHECK(explains(inside, 1, word) == puts);
        CHECK_FALSE(explains(inside, 1, word + 1));
        CHECK(explains(inside, -1, 0 - word) == (inside == Inside::pop || inside == Inside::erase));
        // A pop may have had any item in hand, but one that somebody pushed.
        CHECK(explains(inside, -1, 0 - (word + 5)) == (inside == Inside::pop));
        CHECK_FALSE(explains(inside, -1, 0 - (word + 1000)));
        CHECK_FALSE(explains(inside, -1, 0 - (word << 3)));
    }
}

TEST_CASE("a process's books are right wherever it is killed", "[fast]") {
    struct Hole {  // takes all, gives back the last
        std::uint64_t last = 0;
        bool try_push(Payload<8> const& item) {
            last = item.word[0];
            return last % 3 != 0;
        }
        bool try_pop(Payload<8>& item) {
            item.word[0] = last;
            return last % 3 != 0;
        }
    };
    auto* const line = static_cast<KillLine*>(
        ::mmap(nullptr, sizeof(KillLine), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    REQUIRE(line != MAP_FAILED);
    std::set<Inside> where;
    for (int turn = 0; turn < 50; ++turn) {
        new (line) KillLine{};
        pid_t const child = ::fork();
        if (child == 0) {
            Hole hole;
            MarkedItems<8, Hole> marked(hole, *line, 1, false);
            Payload<8> item;
            for (std::uint64_t number = 0;; ++number) {
                item.fill(0, number);
                marked.try_push(item);
                marked.try_pop(item);
            }
        }
        REQUIRE(child > 0);
        CHECK(wait_until([&] { return line->done() > 100; }));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        // Item n = 3k+1, 3k+2 goes in and comes out; so many of either kind, in turn.
        auto const sum_of_first = [](std::uint64_t items) {
            std::uint64_t sum = 0;
            for (std::uint64_t number = 0, count = 0; count < items; ++number)
                if (number % 3 != 0) sum += number, ++count;
            return sum;
        };
        auto const& books = line->acknowledged();
        CHECK(books.put_items + books.taken_items == line->done());
        CHECK(books.put_items - books.taken_items <= 1);
        CHECK(books.put_sum == sum_of_first(books.put_items));
        CHECK(books.taken_sum == sum_of_first(books.taken_items));
        CHECK(books.corrupt_items == 0);
        where.insert(line->inside());
    }
    CHECK(where.size() >= 1);
    ::munmap(line, sizeof(KillLine));
}

TEST_CASE("marked items notice what is not theirs and what comes out of order", "[fast]") {
    struct Script {
        std::vector<Payload<8>> items;
        std::size_t at = 0;
        bool try_push(Payload<8> const&) { return true; }
        bool try_pop(Payload<8>& item) {
            if (at == items.size()) return false;
            item = items[at++];
            return true;
        }
    } script;
    for (auto const& [producer, number] :
         std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 1}, {1, 1}, {0, 0}, {2, 0}, {1, 2}}) {
        script.items.emplace_back();
        script.items.back().fill(producer, number);
    }
    KillLine line{};
    MarkedItems<8, Script> marked(script, line, 2, true);
    Payload<8> item;
    while (marked.try_pop(item)) {
    }
    auto const& books = line.acknowledged();
    CHECK(line.done() == 5);
    CHECK(books.taken_items == 5);
    CHECK(books.order_violations == 1);
    CHECK(books.corrupt_items == 1);
    CHECK(line.inside() == Inside::none);
}

TEST_CASE("who has no success behind the window's end is stuck, and that is no failure without a promise",
          "[fast]") {
    struct Processes {
        std::vector<std::uint32_t> killed;
        std::vector<std::uint32_t> alive{1};
        void kill(std::uint32_t worker) { killed.push_back(worker); }
        [[nodiscard]] std::vector<std::uint32_t> const& left() const { return alive; }
    } processes;
    Cell cell;
    cell.mode = Mode::kill;
    cell.variant = ticket;
    cell.victim = "producer";
    auto const control = std::make_unique<Control>();
    auto const board = std::make_unique<KillBoard>();
    control->workers = 2;
    control->producers = control->consumers = 1;
    control->cpus[0] = 3;
    Killing killing(cell, *control, *board, 1, std::chrono::milliseconds(60));
    CHECK(control->cpus[newcomer_of(2)] == 3);  // the dead one's place
    killing.step(processes);
    CHECK(processes.killed.empty());  // the window has not begun
    control->start_at.value = Clock(control->clock).ticks() - control->clock.to_ticks(1e9);
    killing.step(processes);
    REQUIRE(processes.killed == std::vector<std::uint32_t>{0});
    CHECK_FALSE(killing.expects(1, 1 << 8));  // nobody may fail before the victim is gone
    CHECK(board->called.word == 0);
    CHECK(killing.expects(0, SIGKILL));
    CHECK(board->called.word == 1);
    CHECK(control->producers_done.value == 1);  // the dead one will push no more

    // The newcomer fails; the other worker is in a call that never ends.
    auto& newcomer = control->reports[newcomer_of(2)];
    newcomer.failed = 1;
    newcomer.error.assign("no slot");
    CHECK(killing.expects(newcomer_of(2), 1 << 8));
    CHECK(control->producers_done.value == 2);
    board->processes[1].line.begin(Inside::pop, 0);
    CHECK(wait_until([&] {
        killing.step(processes);
        return processes.killed.size() == 2;
    }));
    CHECK(board->is_given_up());
    CHECK(processes.killed.back() == 1);
    CHECK(killing.expects(1, SIGKILL));
    CHECK(killing.wants_examiner());
    CHECK_FALSE(killing.wants_examiner());
    auto const result = killing.finish(0, 0);
    CHECK_FALSE(result.claims_kill_safety);
    REQUIRE(result.stuck.size() == 1);
    CHECK(result.stuck[0].worker == 1);
    CHECK(result.stuck[0].how == "blocked");
    CHECK(result.newcomer_error == "no slot");
    CHECK(result.recovery_ns < 0);
    CHECK_FALSE(result.lost);
    CHECK_FALSE(result.accepted);
    CHECK(result.faults.size() == 4);

    // Had it gone its way, and all been found again, there would be nothing to say.
    board->processes[1].remarks.left = 1;
    control->reports[1].end = control->start_at.value + 1;
    newcomer.failed = 0;
    newcomer.error.assign("");
    auto& remarks = board->processes[newcomer_of(2)].remarks;
    remarks.open_begin = board->killed_at.value + 100;
    remarks.open_end = board->killed_at.value + 350;
    remarks.left = 1;
    board->exam.emptied = board->exam.refilled = 1;
    board->exam.accepted = cell.capacity;
    auto const good = killing.finish(0, 0);
    CHECK(good.faults.empty());
    CHECK(good.stuck.empty());
    CHECK(good.open_ns == Approx(250));
    CHECK(good.recovery_ns == Approx(350));
    CHECK(good.lost == 0U);
    board->exam.items = 1;
    CHECK(killing.finish(0, 0).faults.size() == 1);  // nobody put it in
    CHECK(killing.finish(1, 0).faults.empty());
}

// ------------------------------------------------------------------------------------- real kills

TEST_CASE("the default queue survives a kill, and the newcomer takes the dead one's place", "[fast]") {
    auto const run = run_kills({"--rounds", "1", "--victim", "producer,consumer", "--seed", "5"});
    INFO(run.outcome.err);
    CHECK(run.outcome.status == 0);
    REQUIRE(run.records.size() == 2);
    for (auto const& record : run.records) {
        check_survived(record);
        CHECK(record["kill"]["victim"]["role"] == record["workload"]["victim"]);
        CHECK(record["kill"]["newcomer"]["took_slot"] == true);
    }
    // Google Benchmark's file has the figures too.
    REQUIRE(run.benchmarks.is_object());
    for (auto const& one : run.benchmarks["benchmarks"]) {
        CHECK(one["recovery_ns"].get<double>() > 0);
        CHECK(one["gap_after_ns"].get<double>() > 0);
    }
}

TEST_CASE("the same seed kills the same workers at the same moments", "[medium]") {
    auto const drawn = [](std::string const& seed) {
        std::set<std::string> all;
        for (auto const& record :
             run_kills({"--rounds", "3", "--producers", "2", "--consumers", "2", "--seed", seed}).records) {
            INFO(record.dump());
            REQUIRE(record["kill"].is_object());
            all.insert(record["round"].dump() + record["kill"]["victim"].dump() +
                       record["kill"]["seed"].dump() + record["kill"]["planned_ns"].dump());
        }
        return all;
    };
    auto const first = drawn("11");
    CHECK(first.size() == 3);
    CHECK(drawn("11") == first);
    CHECK(drawn("12") != first);
}

TEST_CASE("what claims kill safety keeps its promise in every structure", "[medium]") {
    auto const run = run_kills(
        {"--rounds", "3", "--producers", "1,2", "--consumers", "1,2", "--workers", "2,3", "--variant",
         "queue,queue/mutex/*,queue/spsc/*/compact,queue/two_lock/*,stack,stack/mutex/*,"
         "stack/elimination/*,map,map/striped/*",
         "--mix", "r90i5e5,r20i30u20e30"});
    INFO(run.outcome.err);
    CHECK(run.outcome.status == 0);
    CHECK(run.records.size() > 50);
    std::set<std::string> inside;
    for (auto const& record : run.records) {
        check_survived(record);
        inside.insert(record["kill"]["inside"].get<std::string>());
    }
    CHECK(inside.size() > 2);  // kills land in operations
}

TEST_CASE("what does not claim kill safety is measured: stuck or not, and said so", "[medium]") {
    auto const run = run_kills(
        {"--rounds", "8", "--producers", "2", "--consumers", "2", "--variant", ticket, "--capacity", "16"});
    INFO(run.outcome.err);
    CHECK(run.outcome.status == 0);
    REQUIRE(run.records.size() == 8);
    for (auto const& record : run.records) {
        INFO(record.dump());
        CHECK(record["status"] == "ok");
        auto const& kill = record["kill"];
        CHECK(kill["claims_kill_safety"] == false);
        CHECK(kill["intact"] == kill["faults"].empty());
        // A cell that nobody publishes stops all survivors, sooner or later, and only a kill inside does that.
        if (!kill["survivors"]["stuck"].empty()) {
            CHECK(kill["inside"] != "none");
            CHECK(kill["intact"] == false);
        }
        if (kill["inside"] == "none") CHECK(kill["intact"] == true);
        if (kill["intact"] == true) {
            CHECK(kill["survivors"]["stuck"].empty());
            CHECK(kill["accepted"] == 16);
        }
    }
}
