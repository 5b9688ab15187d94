#include "zeroipc/bench/record.hpp"

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <optional>
#include <system_error>

#include "kill/record.hpp"
#include "zeroipc/bench/fairness.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/steady.hpp"

namespace zeroipc::bench {

using nlohmann::json;

namespace {

/// A number that JSON can hold, or null.
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
json or_unknown(double value) { return std::isfinite(value) && value >= 0 ? json(value) : json("unknown"); }
json positive(double value) { return value > 0 ? number(value) : json(nullptr); }

bool is_default(std::string const& variant) {
    auto const* const info = info_of(variant);
    return info != nullptr && info->is_default;
}

json placement_of(RunResult const& result) {
    json obtained = json::array();
    bool verified = !result.workers.empty();
    for (auto const& worker : result.workers) {
        auto const& report = worker.report;
        obtained.push_back(std::vector<int>(report.cpus_obtained.begin(),
                                            report.cpus_obtained.begin() + report.cpu_obtained_count));
        verified = verified && report.pin_verified == 1;
    }
    return {{"strategy", result.placement.strategy},
            {"cpus_asked", result.placement.worker_cpus},
            {"cpus_obtained", std::move(obtained)},
            {"verified", verified},
            {"coordinator_cpus", result.placement.coordinator_cpus}};
}

/// How far stamps of two workers' CPUs may be apart and nobody could tell: half a round trip.
json between_cpus_of(RunResult const& result) {
    auto const rounds = std::max(result.probe_before_ns, result.probe_after_ns);
    return or_unknown(rounds > 0 ? rounds / 2 : -1);
}

json memory_of(Cell const& cell, RunResult const& result) {
    json memory{{"nodes", "unknown"},         {"policy", "unknown"},      {"home", cell.home},
                {"node_asked", nullptr},      {"pages_checked", nullptr}, {"pages_on_node", nullptr},
                {"pages_by_node", "unknown"}, {"verified", nullptr},      {"huge_bytes", "unknown"}};
    if (result.memory_node >= 0) memory["node_asked"] = result.memory_node;
    if (result.workers.empty() || !result.in_segment) return memory;
    auto const& report = result.workers.front().report;
    if (report.memory_nodes > 0) {
        memory["nodes"] = report.memory_nodes;
        memory["policy"] = report.memory_policy.view();
    }
    if (report.pages_checked >= 0) {
        memory["pages_checked"] = report.pages_checked;
        memory["pages_by_node"] = json::object();
        for (auto const& [node, pages] : report.pages_by_node)
            if (pages > 0) memory["pages_by_node"][std::to_string(node)] = pages;
        memory["verified"] = report.memory_verified == 1;
    }
    if (report.pages_on_node >= 0 && result.memory_node >= 0) memory["pages_on_node"] = report.pages_on_node;
    if (report.huge_bytes >= 0) memory["huge_bytes"] = report.huge_bytes;
    return memory;
}

/// Operations of all who do what counts, by interval, and from where on they are steady.
json intervals_of(Cell const& cell, RunResult const& result) {
    if (!result.ok || cell.mode != Mode::throughput) return nullptr;
    std::optional<Intervals> all;
    for (std::size_t i = 0; i < result.workers.size(); ++i) {
        if (!counts_operations(cell, i)) continue;
        auto const& own = result.workers[i].report.intervals;
        if (own.ticks == 0) return nullptr;
        if (all)
            all->merge(own);
        else
            all = own;
    }
    if (!all) return nullptr;
    std::vector<double> const series(all->series().begin(), all->series().end());
    auto const steady = find_steady_state(series);
    return {{"length_ns", result.clock.to_ns(all->ticks)},
            {"operations", std::vector<std::uint64_t>(all->series().begin(), all->series().end())},
            {"steady", steady ? json(steady->reached) : json(nullptr)},
            {"steady_from", steady && steady->reached ? json(steady->from) : json(nullptr)}};
}

json fairness_of(Cell const& cell, RunResult const& result) {
    if (cell.mode == Mode::kill) return nullptr;  // the dead one had less time
    std::vector<double> shares;
    for (std::size_t i = 0; i < result.workers.size(); ++i)
        if (counts_operations(cell, i))
            shares.push_back(static_cast<double>(result.workers[i].report.successes));
    auto const index = shares.size() > 1 ? jain_index(shares) : std::nullopt;
    return index ? json(*index) : json(nullptr);
}

json hiccups_of(Hiccups const& hiccups, ClockInfo const& clock) {
    if (hiccups.threshold == 0) return nullptr;
    return {{"count", hiccups.count},
            {"longest_ns", clock.to_ns(hiccups.longest)},
            {"total_ns", clock.to_ns(hiccups.total)},
            {"threshold_ns", clock.to_ns(hiccups.threshold)}};
}

/// Events with their counts; "unknown" where there is none.
json counters_of(WorkerReport const& report, std::string_view events) {
    json object = json::object();
    if (events.empty()) return object;
    auto const names = parse_perf_events(events);
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto const value = report.counters[i].value();
        object[names[i]] = value ? json(*value) : json("unknown");
    }
    return object;
}

char const* operation_of(Cell const& cell) {
    if (cell.counts()) return "increment";
    if (cell.is_alone()) return "time around";
    if (cell.structure() == "stack") return "push or pop";
    if (cell.structure() == "map") return "operation";
    return "item received";
}

/// What belongs to one structure's cells only; null elsewhere.
json workload_of(Cell const& cell) {
    bool const stack = cell.structure() == "stack";
    bool const map = cell.structure() == "map";
    return {{"think_ns", cell.think_ns},
            {"batch", cell.batch},
            {"calls", cell.structure() == "queue" ? json(to_string(cell.calls)) : json(nullptr)},
            {"push_percent", stack ? json(cell.push_percent) : json(nullptr)},
            {"mix", map ? json(cell.mix) : json(nullptr)},
            {"keys", map ? json(cell.keys) : json(nullptr)},
            {"filled_percent", stack || map ? json(cell.filled_percent) : json(nullptr)},
            {"range_percent", map && cell.range_percent != 0 ? json(cell.range_percent) : json(nullptr)},
            {"victim", cell.mode == Mode::kill && cell.consumers != 0 ? json(cell.victim) : json(nullptr)},
            {"placement", cell.placement.empty() ? json(nullptr) : json(cell.placement)}};
}

json isolation_of(RunResult const& result) {
    auto const obtained = [&](bool asked, std::uint32_t WorkerReport::*what) -> json {
        if (!asked) return "not asked";
        bool all = !result.workers.empty();
        for (auto const& worker : result.workers) all = all && worker.report.*what == 1;
        return all ? "obtained" : "refused";
    };
    std::string why;
    for (auto const& worker : result.workers)
        if (why.empty()) why = worker.report.why_not_isolated.view();
    return {{"fifo", obtained(result.asked_fifo, &WorkerReport::fifo)},
            {"locked_memory", obtained(result.asked_locked, &WorkerReport::locked)},
            {"why_not", why.empty() ? json(nullptr) : json(why)}};
}

json throughput_of(Cell const& cell, RunResult const& result) {
    auto const rate = operations_per_s(cell, result);
    return {{"operations", result.operations},
            {"operation", operation_of(cell)},
            {"window_obtained_ns", cell.window_ns},
            {"operations_per_s", rate},
            {"ns_per_operation", positive(rate > 0 ? 1e9 / rate : 0)}};
}

json latency_of(RunResult const& result) {
    auto const& latency = result.workers.front().report.latency;
    auto const ns = [&](std::uint64_t ticks) { return positive(result.clock.to_ns(ticks)); };
    json curve = json::array();
    for (std::uint32_t i = 0; i < latency.points && i < curve_points; ++i)
        curve.push_back({latency.fraction[i], result.clock.to_ns(latency.value[i])});
    return {{"what", "round_trip"},
            {"samples", latency.samples},
            {"min_ns", ns(latency.min)},
            {"mean_ns", positive(latency.mean / result.clock.ticks_per_ns)},
            {"p50_ns", ns(latency.p50)},
            {"p90_ns", ns(latency.p90)},
            {"p99_ns", ns(latency.p99)},
            {"p99_9_ns", ns(latency.p99_9)},
            {"p99_99_ns", ns(latency.p99_99)},
            {"max_ns", ns(latency.max)},
            {"curve", std::move(curve)}};
}

/// The same of a histogram of ticks.
json latency_of(Histogram const& times, char const* what, ClockInfo const& clock) {
    auto const ns = [&](std::uint64_t ticks) { return number(clock.to_ns(ticks)); };
    auto const at = [&](double q) { return times.supported(q) ? ns(times.percentile(q)) : json(nullptr); };
    json curve = json::array();
    // Ten points a decade of 1 / (1 - fraction).
    for (std::size_t i = 0; i < curve_points; ++i) {
        double const fraction = 1.0 - std::pow(10.0, -static_cast<double>(i) / 10.0);
        if (!times.supported(fraction)) break;
        curve.push_back({fraction, clock.to_ns(times.percentile(fraction))});
    }
    bool const none = times.count() == 0;
    return {{"what", what},
            {"samples", times.count()},
            {"min_ns", none ? json(nullptr) : ns(times.min())},
            {"mean_ns", none ? json(nullptr) : number(times.mean() / clock.ticks_per_ns)},
            {"p50_ns", at(0.5)},
            {"p90_ns", at(0.9)},
            {"p99_ns", at(0.99)},
            {"p99_9_ns", at(0.999)},
            {"p99_99_ns", at(0.9999)},
            {"max_ns", none ? json(nullptr) : ns(times.max())},
            {"curve", std::move(curve)}};
}

/// Latency on a schedule counts from the moment when an operation was due: a stall is charged to all that it delayed.
json corrected_of(Cell const& cell, RunResult const& result) {
    if (cell.load_percent == 0) return latency_of(*result.from_begin, "operation", result.clock);
    return latency_of(*result.from_due, cell.consumers != 0 ? "due_to_received" : "due_to_done",
                      result.clock);
}

json load_of(Cell const& cell, RunResult const& result) {
    if (cell.mode != Mode::latency) return nullptr;
    auto const offered = result.saturation_per_s * cell.load_percent / 100;
    return {{"percent", cell.load_percent},
            {"arrivals", cell.load_percent == 0 ? json(nullptr) : json(cell.arrivals)},
            {"saturation_per_s", positive(result.saturation_per_s)},
            {"offered_per_s", positive(offered)},
            {"done_per_s", number(operations_per_s(cell, result))}};
}

json worker_of(Cell const& cell, WorkerResult const& worker, RunResult const& result) {
    auto const& report = worker.report;
    // Relative to the intended start; a stamp may lie before it.
    auto const relative = [&](std::uint64_t ticks) {
        return static_cast<double>(static_cast<std::int64_t>(ticks - result.start_at)) /
               result.clock.ticks_per_ns;
    };
    auto const observed = [&](std::uint64_t count) {
        return report.observed == 1 ? json(count) : json("unknown");
    };
    json object{{"role", worker.role},
                {"index", worker.index},
                {"cpu", worker.cpu},
                {"successes", report.successes},
                {"full", nullptr},
                {"empty", nullptr},
                {"outside_window", report.outside},
                {"misses", nullptr},
                {"retries", observed(report.retries)},
                {"helps", observed(report.helps)},
                {"backoffs", observed(report.backoffs)},
                {"system_calls", observed(report.system_calls)},
                {"start_ns", number(relative(report.start))},
                {"end_ns", number(relative(report.end))},
                {"hiccups", hiccups_of(report.hiccups, result.clock)},
                {"counters", counters_of(report, result.perf_events)},
                {"minor_faults", report.minor_faults},
                {"major_faults", report.major_faults},
                {"voluntary_switches", report.voluntary_switches},
                {"involuntary_switches", report.involuntary_switches}};
    if (report.finished != 1) {  // killed: it had no time to report
        for (char const* const what :
             {"minor_faults", "major_faults", "voluntary_switches", "involuntary_switches"})
            object[what] = nullptr;
        return object;
    }
    if (worker.role == "producer" || cell.consumers == 0) object["full"] = report.full;
    if (worker.role == "consumer" || cell.structure() == "stack") object["empty"] = report.empty;
    if (cell.structure() == "map") object["misses"] = report.misses;
    return object;
}

}  // namespace

double operations_per_s(Cell const& cell, RunResult const& result) {
    return static_cast<double>(result.operations) * 1e9 / static_cast<double>(cell.window_ns);
}

json to_record(Cell const& cell, RunResult const& result, RunPlace const& place) {
    json workers = json::array();
    if (result.ok)
        for (auto const& worker : result.workers) workers.push_back(worker_of(cell, worker, result));
    bool const judged = result.sent != 0 || result.received != 0;
    json record{
        {"schema", "zeroipc-record/1"},
        {"run", place.run},
        {"cell", cell.key()},
        {"mode", to_string(cell.mode)},
        {"variant", cell.variant},
        {"host", to_string(cell.host)},
        {"kind", cell.is_bound()      ? "bound"
                 : cell.is_peer()     ? "peer"
                 : cell.is_language() ? "language"
                                      : "variant"},
        {"is_default", is_default(cell.variant)},
        {"producers", cell.producers},
        {"consumers", cell.consumers},
        {"payload_bytes", cell.payload_bytes},
        {"capacity", cell.has_capacity() ? json(cell.capacity) : json(nullptr)},
        {"window_ns", cell.window_ns},
        {"workload", workload_of(cell)},
        {"handicap_ns", cell.handicap_ns},
        {"handicap_workers",
         cell.handicap_ns > 0 ? json(cell.handicap_all ? "all" : "first") : json(nullptr)},
        {"replica", cell.replica},
        {"round", place.round},
        {"position", place.position},
        {"seed", place.seed},
        {"status", result.ok ? "ok" : "failed"},
        {"error", result.ok ? json(nullptr) : json(result.error)},
        {"flags", result.flags},
        {"repeats", result.repeats},
        {"oversubscribed", result.placement.oversubscribed},
        {"placement", placement_of(result)},
        {"memory", memory_of(cell, result)},
        {"isolation", isolation_of(result)},
        {"energy",
         {{"joules", result.joules ? json(*result.joules) : json("unknown")},
          {"over_ns", number(result.run_ns)}}},
        {"steal_share", or_unknown(result.steal_share)},
        {"intervals", intervals_of(cell, result)},
        {"fairness", fairness_of(cell, result)},
        {"clock",
         {{"source", result.clock.name()},
          {"ticks_per_ns", result.clock.ticks_per_ns},
          {"floor_ns", result.clock.floor_ns},
          {"between_cpus_ns", between_cpus_of(result)}}},
        {"start_skew_ns", result.start_skew_ns >= 0 ? number(result.start_skew_ns) : json(nullptr)},
        {"probe_before_ns", positive(result.probe_before_ns)},
        {"probe_after_ns", positive(result.probe_after_ns)},
        {"separate_cores", result.separate_cores < 0 ? json(nullptr) : json(result.separate_cores == 1)},
        {"throughput",
         result.ok && cell.mode == Mode::throughput ? throughput_of(cell, result) : json(nullptr)},
        {"kill", result.ok && result.kill ? kill_record(cell, result) : json(nullptr)},
        {"latency", nullptr},
        {"latency_uncorrected", nullptr},
        {"load", load_of(cell, result)},
        {"workers", std::move(workers)},
        {"verification", nullptr}};
    if (auto const& intervals = record["intervals"]; intervals.is_object() && intervals["steady"] == false)
        record["flags"].push_back("not_steady");
    if (result.ok && cell.mode == Mode::pingpong) record["latency"] = latency_of(result);
    if (result.ok && cell.mode == Mode::latency) {
        record["latency"] = corrected_of(cell, result);
        if (cell.load_percent != 0)
            record["latency_uncorrected"] = latency_of(*result.from_begin, "operation", result.clock);
    }
    if (judged)
        record["verification"] = {{"passed", result.ok},
                                  {"sent", result.sent},
                                  {"received", result.received},
                                  {"sums_equal", result.sums_equal},
                                  {"order_violations", result.order_violations},
                                  {"corrupt_items", result.corrupt_items}};
    return record;
}

RecordWriter::RecordWriter(std::filesystem::path file) : file_(std::move(file)), out_(file_, std::ios::app) {
    if (!out_) throw std::system_error(errno, std::generic_category(), "cannot write " + file_.string());
}

void RecordWriter::append(json const& record) {
    // A worker's error may have been cut in the middle of a character; that is no reason to lose the record.
    out_ << record.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
    if (!out_) throw std::system_error(errno, std::generic_category(), "cannot write " + file_.string());
}

void write_file(std::filesystem::path const& file, std::string const& text) {
    auto const draft = std::filesystem::path(file.string() + ".part");
    {
        std::ofstream out(draft, std::ios::trunc);
        out << text << std::flush;
        if (!out) throw std::system_error(errno, std::generic_category(), "cannot write " + draft.string());
    }
    std::filesystem::rename(draft, file);
}

}  // namespace zeroipc::bench
