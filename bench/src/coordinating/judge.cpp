// What a run's reports add up to, which flags it gets, and whether it failed.

#include <algorithm>
#include <cstdint>
#include <string>

#include "roles.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/peers.hpp"

namespace zeroipc::bench {

void Coordinator::judge(Cell const& cell, RunResult& result) const {
    std::uint64_t earliest = ~std::uint64_t{0};
    std::uint64_t latest = 0;
    std::uint64_t received_sum = 0;
    std::int64_t faults = 0;
    std::int64_t switches = 0;
    bool pinned = true;
    for (std::size_t i = 0; i < result.workers.size(); ++i) {
        auto const& report = result.workers[i].report;
        earliest = std::min(earliest, report.start);
        latest = std::max(latest, report.start);
        faults = std::max(faults, report.minor_faults + report.major_faults);
        switches = std::max(switches, report.involuntary_switches);
        pinned = pinned && report.pin_verified == 1;
        result.order_violations += report.order_violations;
        result.corrupt_items += report.corrupt_items;
        result.sent += report.put_items;
        result.sent_sum += report.put_sum;
        result.received += report.taken_items;
        received_sum += report.taken_sum;
        // Of a queue, what was received counts; what was sent on the way there is not counted again.
        if (counts_operations(cell, i)) result.operations += report.successes - report.late;
    }
    if (cell.counts()) result.received = result.counted;
    result.sums_equal = result.sent_sum == received_sum;
    if (result.kill) {
        auto const& kill = *result.kill;
        result.sent = kill.put;
        result.received = kill.taken;
        result.sums_equal = kill.sums_equal;
        result.order_violations = kill.order_violations;
        result.corrupt_items = kill.corrupt_items;
        result.operations = kill.operations;
    }
    result.start_skew_ns = clock_.to_ns(latest - earliest);
    auto const& first = result.workers.front().report;
    result.probe_before_ns = first.probe_before_ns;
    result.probe_after_ns = first.probe_after_ns;
    auto const window = static_cast<double>(cell.window_ns);

    auto const flag = [&](bool raised, char const* name) {
        if (raised) result.flags.emplace_back(name);
    };
    bool const probed = result.probe_before_ns > 0 && result.probe_after_ns > 0;
    if (probed) {
        auto const& cpus = result.placement.worker_cpus;
        auto const separation =
            gate_.judge(cpus[0], cpus[probe_partner(cell)], result.probe_before_ns, result.probe_after_ns);
        result.separate_cores = separation == Separation::apart ? 1 : 0;
        flag(separation == Separation::changed, "cores_changed");
        flag(separation == Separation::shared, "cores_shared");
    }
    flag(result.placement.oversubscribed, "oversubscribed");
    flag(!result.placement.oversubscribed && result.start_skew_ns > 0.01 * window, "start_skew");
    flag(faults > 4, "page_faults");
    flag(!result.placement.oversubscribed && static_cast<double>(switches) > std::max(1.0, window / 50e6),
         "involuntary_switches");
    flag(result.steal_share > 0.01, "steal");
    flag(result.operations == 0, "no_progress");
    flag(result.kill && result.kill->late, "late_kill");
    // Who claims less is held to what it claims.
    auto const* const peer = peer_named(cell.variant);
    bool const may_overtake = peer != nullptr && peer->overtakes;
    flag(result.order_violations != 0 && may_overtake, "out_of_order");

    // One node is all that there is, whether the kernel says so or not.
    bool const elsewhere =
        result.in_segment && topology_.numa_nodes() > 1 && cell.home != "left" && first.memory_verified == 0;
    flag(elsewhere, "memory_elsewhere");

    auto const fail = [&](bool wrong, std::string const& why) {
        if (wrong) result.error += (result.error.empty() ? "" : "; ") + why;
    };
    fail(!pinned, "a worker was not where it was pinned");
    fail(elsewhere && !options_.lenient_placement,
         (first.pages_checked <= 0 ? "the kernel does not say where the pages lie"
          : result.memory_node >= 0
              ? std::to_string(first.pages_on_node) + " of " + std::to_string(first.pages_checked) +
                    " pages lie on node " + std::to_string(result.memory_node)
              : "the pages do not lie interleaved") +
             std::string(" (--lenient-placement makes this a flag)"));
    fail(result.operations == 0, "no operation succeeded in the window");
    if (result.kill) {
        // Who does not claim kill safety has results, not faults.
        if (result.kill->claims_kill_safety)
            for (auto const& fault : result.kill->faults) fail(true, fault);
        return;
    }
    fail(result.sent != result.received,
         std::to_string(result.sent) + " sent and " + std::to_string(result.received) + " received");
    fail(!result.sums_equal, "the sums of what was sent and received differ");
    fail(result.order_violations != 0 && !may_overtake,
         std::to_string(result.order_violations) + " items out of their producer's order");
    fail(result.corrupt_items != 0,
         std::to_string(result.corrupt_items) + " items were not what their producer wrote");
}

}  // namespace zeroipc::bench
