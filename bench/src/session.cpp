#include "zeroipc/bench/session.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>
#include <set>
#include <sstream>

#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/record.hpp"
#include "zeroipc/tools/progress.hpp"

namespace zeroipc::bench {

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
    std::vector<RunResult const*> order;
    for (bool const ok : {true, false})
        for (auto const& one : results_[cell])
            if (one.ok == ok) order.push_back(&one);
    auto const turn = replayed_[cell]++;
    if (turn >= order.size()) {
        skip(state, "not run: interrupted");
        return;
    }
    auto const& result = *order[turn];
    if (!result.ok) {
        skip(state, result.error);
        return;
    }
    auto const& what = cells_[cell];
    auto& counters = state.counters;
    double cost = 0;  // seconds an operation: what compare.py compares
    if (what.mode == Mode::throughput) {
        auto const rate = operations_per_s(what, result);
        cost = 1.0 / rate;
        counters["operations_per_s"] = rate;
        counters["operations"] = static_cast<double>(result.operations);
    } else {
        auto const& latency = result.workers.front().report.latency;
        auto const ns = [&](std::uint64_t ticks) { return result.clock.to_ns(ticks); };
        cost = (latency.p50 != 0 ? ns(latency.p50) : latency.mean / result.clock.ticks_per_ns) * 1e-9;
        // A percentile that the samples do not support is left out: a NaN would spoil the JSON.
        auto const add = [&](char const* name, std::uint64_t ticks) {
            if (ticks != 0) counters[name] = ns(ticks);
        };
        add("p50_ns", latency.p50);
        add("p90_ns", latency.p90);
        add("p99_ns", latency.p99);
        add("p99_9_ns", latency.p99_9);
        add("p99_99_ns", latency.p99_99);
        add("max_ns", latency.max);
        counters["samples"] = static_cast<double>(latency.samples);
    }
    // Neither is a counter that is 0 in every run: its coefficient of variation would be a NaN.
    auto const ever = [&](auto const& value) {
        return std::any_of(results_[cell].begin(), results_[cell].end(),
                           [&](RunResult const& one) { return one.ok && value(one) > 0; });
    };
    if (ever([](RunResult const& one) { return one.start_skew_ns; }))
        counters["start_skew_ns"] = result.start_skew_ns;
    if (result.probe_before_ns > 0) counters["probe_before_ns"] = result.probe_before_ns;
    if (result.probe_after_ns > 0) counters["probe_after_ns"] = result.probe_after_ns;
    if (ever([](RunResult const& one) { return one.flags.size(); }))
        counters["flags"] = static_cast<double>(result.flags.size());
    if (result.placement.oversubscribed) state.SetLabel("oversubscribed");
    for ([[maybe_unused]] auto _ : state) state.SetIterationTime(cost);
}

int Session::run() {
    Silence nothing;
    Silence no_file;
    pass_ = Pass::select;
    benchmark::RunSpecifiedBenchmarks(&nothing, options_.benchmark_file ? &no_file : nullptr);
    rounds_ = asked_.empty() ? 0 : *std::max_element(asked_.begin(), asked_.end());
    if (rounds_ == 0) {
        std::fprintf(stderr,
                     "zeroipc-bench: the filter leaves no cell; --benchmark_list_tests shows their names\n");
        return 2;
    }
    measure();
    pass_ = Pass::replay;
    benchmark::RunSpecifiedBenchmarks();
    if (coordinator_.interrupted()) {
        std::fprintf(stderr, "zeroipc-bench: interrupted; the runs that had ended are kept\n");
        return 130;
    }
    if (failed_ != 0) {
        std::fprintf(stderr, "zeroipc-bench: %zu runs failed:\n", failed_);
        for (std::size_t i = 0; i < cells_.size(); ++i)
            for (std::size_t round = 0; round < results_[i].size(); ++round)
                if (auto const& result = results_[i][round]; !result.ok)
                    std::fprintf(stderr, "  %s, round %zu: %s\n", cells_[i].key().c_str(), round,
                                 result.error.c_str());
        return 1;
    }
    return 0;
}

void Session::measure() {
    std::vector<std::size_t> selected;
    for (std::size_t i = 0; i < cells_.size(); ++i)
        if (asked_[i] != 0) selected.push_back(i);
    auto const orders = draw_rounds(selected.size(), rounds_, options_.seed);

    double window = 0;
    std::set<std::string> oversubscribed;
    for (auto const i : selected) {
        window += static_cast<double>(cells_[i].window_ns) * 1e-9;
        if (coordinator_.place(cells_[i]).oversubscribed)
            oversubscribed.insert(std::to_string(cells_[i].producers) + "P" +
                                  std::to_string(cells_[i].consumers) + "C");
    }
    constexpr double start_up_s = 0.08;  // processes, pins, probes
    auto const estimate = (window + start_up_s * static_cast<double>(selected.size())) * rounds_;
    std::fprintf(stderr, "%s: %zu cells in %u rounds, about %s; seed %llu\n", options_.suite.c_str(),
                 selected.size(), rounds_, format_duration(std::chrono::duration<double>(estimate)).c_str(),
                 static_cast<unsigned long long>(options_.seed));
    for (auto const& shape : oversubscribed)
        std::fprintf(
            stderr,
            "%s is oversubscribed: more workers than the %zu CPUs; its cells run and are labelled so\n",
            shape.c_str(), topology_.cpus().size());

    std::optional<RecordWriter> records;
    if (options_.out) {
        records.emplace(*options_.out / "records.jsonl");
        write_file(*options_.out / "topology.xml", topology_.export_xml());
        write_environment(false);
    }
    {
        Progress progress(selected.size() * rounds_);
        for (std::uint32_t round = 0; round < rounds_ && !coordinator_.interrupted(); ++round)
            for (std::uint32_t position = 0; position < orders[round].size(); ++position) {
                auto const cell = selected[orders[round][position]];
                if (coordinator_.interrupted()) break;
                progress.begin(cells_[cell].key());
                auto result = coordinator_.run(cells_[cell]);
                if (result.interrupted) break;
                if (!result.ok) {
                    ++failed_;
                    progress.say("failed: " + cells_[cell].key() + ": " + result.error);
                }
                if (records)
                    records->append(
                        to_record(cells_[cell], result, {run_id_, round, position, options_.seed}));
                results_[cell].push_back(std::move(result));
                progress.end_step();
            }
    }
    if (options_.out) write_environment(!coordinator_.interrupted());
}

void Session::write_environment(bool finished) const {
    auto object = environment(topology_);
    object["run"] = run_id_;
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
