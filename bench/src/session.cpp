#include "zeroipc/bench/session.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "kill/session.hpp"
#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/record.hpp"
#include "zeroipc/tools/progress.hpp"

namespace zeroipc::bench {

namespace fs = std::filesystem;
using tools::format_duration;
using tools::Progress;

namespace {

/// Takes what Google Benchmark has to say in the selecting pass.
class Silence final : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(Context const&) override { return true; }
    void ReportRuns(std::vector<Run> const&) override {}
};

std::string utc_now(char const* format) {
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 64> text{};
    auto const n = std::strftime(text.data(), text.size(), format, &parts);
    return {text.data(), n};
}

/// Inside the loop, so that the iteration counts: Google Benchmark 1.7.1 aborts over repetitions with unequal
/// numbers.
void skip(benchmark::State& state, std::string const& why) {
    for ([[maybe_unused]] auto _ : state) {
        state.SkipWithError(why.c_str());
        break;
    }
}

bool is_ok(nlohmann::json const& record) { return record["status"] == "ok"; }

std::string workers_of(Cell const& cell) {
    if (cell.consumers == 0) return std::to_string(cell.producers) + "W";
    return std::to_string(cell.producers) + "P" + std::to_string(cell.consumers) + "C";
}

std::string make_run_id() {
    std::ostringstream id;
    id << utc_now("%Y%m%dT%H%M%SZ") << '-' << std::hex << (std::random_device{}() & 0xffffU);
    return id.str();
}

}  // namespace

Session::Session(Topology const& topology, Coordinator& coordinator, std::vector<Cell> cells,
                 SessionOptions options)
    : topology_(topology),
      coordinator_(coordinator),
      cells_(std::move(cells)),
      options_(std::move(options)),
      run_id_(make_run_id()),
      started_(utc_now("%Y-%m-%dT%H:%M:%SZ")),
      asked_(cells_.size()),
      replayed_(cells_.size()),
      results_(cells_.size()) {}

void Session::register_benchmarks() {
    for (std::size_t i = 0; i < cells_.size(); ++i)
        benchmark::RegisterBenchmark(cells_[i].key().c_str(),
                                     [this, i](benchmark::State& state) { call(state, i); })
            ->UseManualTime()
            ->Iterations(1)
            ->Unit(benchmark::kNanosecond);
}

void Session::call(benchmark::State& state, std::size_t cell) {
    if (pass_ == Pass::select) {
        ++asked_[cell];
        for ([[maybe_unused]] auto _ : state) state.SetIterationTime(1e-9);
        return;
    }
    // What succeeded comes first: Google Benchmark 1.7.1 takes the list of its statistics from the first
    // repetition, and crashes if that one failed.
    std::vector<nlohmann::json const*> order;
    for (bool const ok : {true, false})
        for (auto const& one : results_[cell])
            if (is_ok(one) == ok) order.push_back(&one);
    auto const turn = replayed_[cell]++;
    if (turn >= order.size()) {
        skip(state,
             coordinator_.interrupted() ? "not run: interrupted" : "not run: the budget of time was used up");
        return;
    }
    auto const& record = *order[turn];
    if (!is_ok(record)) {
        skip(state, record["error"].get<std::string>());
        return;
    }
    auto& counters = state.counters;
    double cost = 0;  // seconds an operation: what compare.py compares
    // What is null is left out: a NaN would spoil the JSON.
    auto const add = [&](nlohmann::json const& from, char const* name) {
        if (from.contains(name) && from[name].is_number()) counters[name] = from[name].get<double>();
    };
    if (cells_[cell].mode == Mode::kill) {
        cost = add_kill_counters(record["kill"], counters);
    } else if (cells_[cell].mode == Mode::throughput) {
        auto const& throughput = record["throughput"];
        cost = 1.0 / throughput["operations_per_s"].get<double>();
        add(throughput, "operations_per_s");
        add(throughput, "operations");
    } else {
        auto const& latency = record["latency"];
        cost = (latency["p50_ns"].is_number() ? latency["p50_ns"] : latency["mean_ns"]).get<double>() * 1e-9;
        for (auto const* const name :
             {"p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns", "samples"})
            add(latency, name);
    }
    // Neither is a counter that is 0 in every run: its coefficient of variation would be a NaN.
    auto const ever = [&](auto const& value) {
        return std::any_of(results_[cell].begin(), results_[cell].end(),
                           [&](nlohmann::json const& one) { return is_ok(one) && value(one); });
    };
    if (ever([](auto const& one) { return one["start_skew_ns"].is_number() && one["start_skew_ns"] > 0; }))
        add(record, "start_skew_ns");
    add(record, "probe_before_ns");
    add(record, "probe_after_ns");
    if (ever([](auto const& one) { return !one["flags"].empty(); }))
        counters["flags"] = static_cast<double>(record["flags"].size());
    if (record["oversubscribed"].get<bool>()) state.SetLabel("oversubscribed");
    for ([[maybe_unused]] auto _ : state) state.SetIterationTime(cost);
}

bool Session::select() {
    Silence nothing;
    Silence no_file;
    pass_ = Pass::select;
    benchmark::RunSpecifiedBenchmarks(&nothing, options_.benchmark_file ? &no_file : nullptr);
    rounds_ = asked_.empty() ? 0 : *std::max_element(asked_.begin(), asked_.end());
    if (rounds_ == 0)
        std::fprintf(stderr,
                     "zeroipc-bench: the filter leaves no cell; --benchmark_list_tests shows their names\n");
    return rounds_ != 0;
}

double seconds_of(Cell const& cell) {
    constexpr double start_up_s = 0.08;
    // A load is found out by a run of a quarter of the window.
    double const runs = cell.mode == Mode::latency && cell.load_percent != 0 ? 1.25 : 1;
    if (cell.mode == Mode::kill) return kill_seconds_of(cell);
    return runs * static_cast<double>(cell.window_ns) * 1e-9 + (runs > 1 ? 2 : 1) * start_up_s;
}

double Session::round_s(std::vector<std::size_t> const& selected) const {
    double sum = 0;
    for (auto const i : selected) sum += seconds_of(cells_[i]);
    return sum;
}

int Session::print_plan() {
    if (!select()) return 2;
    auto const all = selected();
    for (auto const i : all) {
        auto const placement = coordinator_.place(cells_[i]);
        std::printf("%s  CPUs", cells_[i].key().c_str());
        for (auto const cpu : placement.worker_cpus) std::printf(" %d", cpu);
        std::printf("%s\n", placement.oversubscribed ? "  oversubscribed" : "");
    }
    std::printf("%zu cells, %u rounds, about %s\n", all.size(), rounds_,
                format_duration(std::chrono::duration<double>(round_s(all) * rounds_)).c_str());
    return 0;
}

int Session::run() {
    if (!select()) return 2;
    if (options_.resume) take_up_records();
    measure();
    pass_ = Pass::replay;
    benchmark::RunSpecifiedBenchmarks();
    if (coordinator_.interrupted()) {
        std::fprintf(stderr, "zeroipc-bench: interrupted; the runs that had ended are kept%s\n",
                     options_.out ? ", and --resume goes on with them" : "");
        return 130;
    }
    if (failed_ != 0) {
        std::fprintf(stderr, "zeroipc-bench: %zu runs failed:\n", failed_);
        for (auto const& cell : results_)
            for (auto const& record : cell)
                if (!is_ok(record))
                    std::fprintf(stderr, "  %s, round %u: %s\n", record["cell"].get<std::string>().c_str(),
                                 record["round"].get<unsigned>(), record["error"].get<std::string>().c_str());
        return 1;
    }
    return 0;
}

std::vector<std::size_t> Session::selected() const {
    std::vector<std::size_t> some;
    for (std::size_t i = 0; i < cells_.size(); ++i)
        if (asked_[i] != 0) some.push_back(i);
    return some;
}

nlohmann::json Session::fingerprint(nlohmann::json const& build) const {
    auto cells = nlohmann::json::array();
    for (auto const i : selected()) cells.push_back(cells_[i].key());
    return {{"cells", std::move(cells)},
            {"seed", options_.seed},
            {"machine", machine_id(topology_)},
            {"build", build},
            {"conditions", options_.conditions}};
}

void Session::take_up_records() {
    auto const folder = options_.out->string();
    std::ifstream about_file(*options_.out / "environment.json");
    auto const about = nlohmann::json::parse(about_file, nullptr, false);
    if (about.is_discarded() || !about.contains("fingerprint"))
        throw PlanError("the folder " + folder + " has no environment.json that could be gone on with");
    auto const wanted = fingerprint(environment(topology_)["build"]);
    for (auto const& [part, value] : wanted.items())
        if (about["fingerprint"].value(part, nlohmann::json()) != value)
            throw PlanError("the records in " + folder + " are of another plan: its " + part +
                            " differ; use the arguments, program and machine that they were begun with, or "
                            "another folder");
    run_id_ = about["run"];
    started_ = about["suite"]["started"];

    std::map<std::string, std::size_t> by_key;
    for (std::size_t i = 0; i < cells_.size(); ++i) by_key[cells_[i].key()] = i;
    auto const file = *options_.out / "records.jsonl";
    std::ifstream in(file);
    std::string line;
    std::uintmax_t whole = 0;
    while (std::getline(in, line)) {
        if (in.eof()) break;  // without its end: the program died while it wrote
        auto record = nlohmann::json::parse(line, nullptr, false);
        if (record.is_discarded() || !by_key.contains(record.value("cell", "")))
            throw PlanError(file.string() + ": a line that is no record of this plan: " + line.substr(0, 80));
        whole += line.size() + 1;
        auto const cell = by_key[record["cell"]];
        done_.insert({cell, record["round"].get<std::uint32_t>()});
        failed_ += is_ok(record) ? 0U : 1U;
        results_[cell].push_back(std::move(record));
    }
    in.close();
    fs::resize_file(file, whole);
    std::fprintf(stderr, "%zu runs are there already\n", done_.size());
}

void Session::measure() {
    auto const chosen = selected();
    auto const orders = draw_rounds(chosen.size(), rounds_, options_.seed);

    std::set<std::string> oversubscribed;
    for (auto const i : chosen)
        if (coordinator_.place(cells_[i]).oversubscribed) oversubscribed.insert(workers_of(cells_[i]));
    auto const a_round = round_s(chosen);
    std::fprintf(stderr, "%s: %zu cells in %u rounds, about %s; seed %llu\n", options_.suite.c_str(),
                 chosen.size(), rounds_,
                 format_duration(std::chrono::duration<double>(a_round * rounds_)).c_str(),
                 static_cast<unsigned long long>(options_.seed));
    for (auto const& shape : oversubscribed)
        std::fprintf(
            stderr,
            "%s is oversubscribed: more workers than the %zu CPUs; its cells run and are labelled so\n",
            shape.c_str(), topology_.cpus().size());

    std::optional<RecordWriter> records;
    if (options_.out) {
        records.emplace(*options_.out / "records.jsonl");
        if (!options_.resume) write_file(*options_.out / "topology.xml", topology_.export_xml());
        write_environment(false);
    }
    auto const begin = std::chrono::steady_clock::now();
    auto const used_s = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    double longest_s = a_round;
    {
        Progress progress(chosen.size() * rounds_ - done_.size());
        for (std::uint32_t round = 0; round < rounds_ && !coordinator_.interrupted(); ++round) {
            auto const before_s = used_s();
            if (options_.budget_s > 0 && round > 0 && before_s + longest_s > options_.budget_s) {
                progress.say("the budget of time ends the run after " + std::to_string(round) + " rounds");
                break;
            }
            for (std::uint32_t position = 0; position < orders[round].size(); ++position) {
                auto const cell = chosen[orders[round][position]];
                if (done_.contains({cell, round})) continue;
                if (coordinator_.interrupted()) break;
                progress.begin(cells_[cell].key());
                auto const result =
                    coordinator_.run(cells_[cell], kill_seed(options_.seed, cells_[cell].key(), round));
                if (result.interrupted) break;
                if (!result.ok) {
                    ++failed_;
                    progress.say("failed: " + cells_[cell].key() + ": " + result.error);
                }
                auto record = to_record(cells_[cell], result, {run_id_, round, position, options_.seed});
                if (records) records->append(record);
                results_[cell].push_back(std::move(record));
                progress.end_step();
            }
            longest_s = round == 0 ? used_s() : std::max(longest_s, used_s() - before_s);
        }
    }
    if (options_.out) write_environment(!coordinator_.interrupted());
}

void Session::write_environment(bool finished) const {
    auto object = environment(topology_);
    object["run"] = run_id_;
    object["fingerprint"] = fingerprint(object["build"]);
    auto const windows = [&] {
        std::set<std::uint64_t> all;
        for (auto const& cell : cells_) all.insert(cell.window_ns);
        return all;
    }();
    object["suite"] = {{"name", options_.suite}, {"seed", options_.seed},
                       {"rounds", rounds_},      {"cells", cells_.size()},
                       {"windows_ns", windows},  {"started", started_},
                       {"finished", finished},   {"interrupted", coordinator_.interrupted()}};
    auto const& clock = coordinator_.clock();
    object["clock"] = {
        {"source", clock.name()}, {"ticks_per_ns", clock.ticks_per_ns}, {"floor_ns", clock.floor_ns}};
    write_file(*options_.out / "environment.json", object.dump(2) + "\n");
}

}  // namespace zeroipc::bench
