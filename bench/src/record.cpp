#include "zeroipc/bench/record.hpp"

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <system_error>

namespace zeroipc::bench {

using nlohmann::json;

namespace {

/// A number that JSON can hold, or null.
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
json positive(double value) { return value > 0 ? number(value) : json(nullptr); }

bool is_default(std::string const& variant) {
    auto const& all = variants::list();
    return std::any_of(all.begin(), all.end(),
                       [&](auto const& info) { return info.name == variant && info.is_default; });
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

json memory_of(RunResult const& result) {
    json memory{{"nodes", "unknown"},
                {"policy", "unknown"},
                {"node_asked", nullptr},
                {"pages_checked", nullptr},
                {"pages_on_node", nullptr}};
    if (result.workers.empty()) return memory;
    auto const& report = result.workers.front().report;
    if (report.memory_nodes > 0) {
        memory["nodes"] = report.memory_nodes;
        memory["policy"] = report.memory_nodes == 1 ? "single_node" : "bind";
    }
    if (result.memory_node >= 0) memory["node_asked"] = result.memory_node;
    if (report.pages_checked >= 0) memory["pages_checked"] = report.pages_checked;
    if (report.pages_on_node >= 0 && result.memory_node >= 0) memory["pages_on_node"] = report.pages_on_node;
    return memory;
}

json throughput_of(Cell const& cell, RunResult const& result) {
    auto const rate = operations_per_s(cell, result);
    return {{"operations", result.operations},
            {"operation", cell.variant == bound_fetch_add ? "increment" : "item received"},
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

json worker_of(WorkerResult const& worker, RunResult const& result) {
    auto const& report = worker.report;
    // Relative to the intended start; a stamp may lie before it.
    auto const relative = [&](std::uint64_t ticks) {
        return static_cast<double>(static_cast<std::int64_t>(ticks - result.start_at)) /
               result.clock.ticks_per_ns;
    };
    json object{{"role", worker.role},
                {"index", worker.index},
                {"cpu", worker.cpu},
                {"successes", report.successes},
                {"full", nullptr},
                {"empty", nullptr},
                {"outside_window", report.outside},
                {"retries", "unknown"},
                {"start_ns", number(relative(report.start))},
                {"end_ns", number(relative(report.end))},
                {"minor_faults", report.minor_faults},
                {"major_faults", report.major_faults},
                {"voluntary_switches", report.voluntary_switches},
                {"involuntary_switches", report.involuntary_switches}};
    if (worker.role == "producer") object["full"] = report.refusals;
    if (worker.role == "consumer") object["empty"] = report.refusals;
    return object;
}

}  // namespace

double operations_per_s(Cell const& cell, RunResult const& result) {
    return static_cast<double>(result.operations) * 1e9 / static_cast<double>(cell.window_ns);
}

json to_record(Cell const& cell, RunResult const& result, RunPlace const& place) {
    json workers = json::array();
    if (result.ok)
        for (auto const& worker : result.workers) workers.push_back(worker_of(worker, result));
    bool const judged = result.sent != 0 || result.received != 0;
    json record{
        {"schema", "zeroipc-record/1"},
        {"run", place.run},
        {"cell", cell.key()},
        {"mode", to_string(cell.mode)},
        {"variant", cell.variant},
        {"kind", cell.is_bound() ? "bound" : "variant"},
        {"is_default", is_default(cell.variant)},
        {"producers", cell.producers},
        {"consumers", cell.consumers},
        {"payload_bytes", cell.payload_bytes},
        {"capacity", cell.is_bound() ? json(nullptr) : json(cell.capacity)},
        {"window_ns", cell.window_ns},
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
        {"oversubscribed", result.placement.oversubscribed},
        {"placement", placement_of(result)},
        {"memory", memory_of(result)},
        {"clock",
         {{"source", result.clock.name()},
          {"ticks_per_ns", result.clock.ticks_per_ns},
          {"floor_ns", result.clock.floor_ns}}},
        {"start_skew_ns", result.start_skew_ns >= 0 ? number(result.start_skew_ns) : json(nullptr)},
        {"probe_before_ns", positive(result.probe_before_ns)},
        {"probe_after_ns", positive(result.probe_after_ns)},
        {"separate_cores", result.separate_cores < 0 ? json(nullptr) : json(result.separate_cores == 1)},
        {"throughput",
         result.ok && cell.mode == Mode::throughput ? throughput_of(cell, result) : json(nullptr)},
        {"latency", result.ok && cell.mode == Mode::pingpong ? latency_of(result) : json(nullptr)},
        {"workers", std::move(workers)},
        {"verification", nullptr}};
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
