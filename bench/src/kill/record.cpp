#include "record.hpp"

#include <vector>

namespace zeroipc::bench {

using nlohmann::json;

namespace {

template <class T>
json or_null(std::optional<T> const& value) {
    return value ? json(*value) : json(nullptr);
}

}  // namespace

json kill_record(Cell const& cell, RunResult const& result) {
    auto const& kill = *result.kill;
    auto const& victim = result.workers.at(kill.plan.victim);
    auto const taken_over = [&]() -> json {
        if (kill.took_slot < 0) return nullptr;
        return kill.took_slot == 1;
    };
    json stuck = json::array();
    for (auto const& one : kill.stuck) {
        auto const& worker = result.workers.at(one.worker);
        stuck.push_back({{"role", worker.role}, {"index", worker.index}, {"how", one.how}});
    }
    auto const series = kill.intervals.series();
    return {{"claims_kill_safety", kill.claims_kill_safety},
            {"seed", kill.seed},
            {"victim", {{"role", victim.role}, {"index", victim.index}}},
            {"planned_ns", kill.planned_ns},
            {"killed_ns", kill.killed_ns},
            {"death_ns", kill.death_ns},
            {"inside", to_string(kill.inside)},
            {"intervals",
             {{"length_ns", result.clock.to_ns(kill.intervals.ticks)},
              {"operations", std::vector<std::uint64_t>(series.begin(), series.end())}}},
            {"survivors",
             {{"operation", cell.structure() == "map" ? "operation" : "push or pop"},
              {"before_per_s", or_null(kill.before_per_s)},
              {"after_per_s", or_null(kill.after_per_s)},
              {"gap_before_ns", kill.gap_before_ns},
              {"gap_after_ns", kill.gap_after_ns},
              {"stuck", std::move(stuck)}}},
            {"newcomer",
             {{"opened", kill.open_ns >= 0},
              {"open_ns", kill.open_ns >= 0 ? json(kill.open_ns) : json(nullptr)},
              {"recovery_ns", kill.recovery_ns >= 0 ? json(kill.recovery_ns) : json(nullptr)},
              {"took_slot", taken_over()},
              {"error", kill.newcomer_error.empty() ? json(nullptr) : json(kill.newcomer_error)}}},
            {"lost", or_null(kill.lost)},
            {"unacknowledged", or_null(kill.unacknowledged)},
            {"accepted", or_null(kill.accepted)},
            {"intact", kill.faults.empty()},
            {"faults", kill.faults}};
}

}  // namespace zeroipc::bench
