#include "session.hpp"

#include "zeroipc/bench/kill_result.hpp"

namespace zeroipc::bench {

double add_kill_counters(nlohmann::json const& kill, benchmark::UserCounters& counters) {
    // Of what is 0 in every run Google Benchmark would make a NaN: it is left out where it is 0 or not known.
    auto const add = [&](char const* name, nlohmann::json const& value) {
        if (value.is_number() && value.get<double>() > 0) counters[name] = value.get<double>();
    };
    auto const& survivors = kill["survivors"];
    auto const& newcomer = kill["newcomer"];
    add("before_per_s", survivors["before_per_s"]);
    add("after_per_s", survivors["after_per_s"]);
    add("gap_before_ns", survivors["gap_before_ns"]);
    add("gap_after_ns", survivors["gap_after_ns"]);
    add("open_ns", newcomer["open_ns"]);
    add("recovery_ns", newcomer["recovery_ns"]);
    add("stuck", survivors["stuck"].size());
    if (counters.contains("after_per_s")) return 1 / counters["after_per_s"];
    return counters.contains("recovery_ns") ? counters["recovery_ns"] * 1e-9 : 1;
}

double kill_seconds_of(Cell const& cell) {
    // Three sets of processes, one after the other.
    constexpr double start_up_s = 0.15;
    // Of the variants that do not claim kill safety about one run in ten is waited for until it is known to be stuck.
    constexpr double stuck_share = 0.1;
    constexpr double stuck_s = 4;
    return static_cast<double>(cell.window_ns) * 1e-9 + start_up_s +
           (claims_kill_safety(cell.variant) ? 0 : stuck_share * stuck_s);
}

}  // namespace zeroipc::bench
