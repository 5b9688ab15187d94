#include "zeroipc/bench/coordinator.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <utility>

#include "roles.hpp"
#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/segment_name.hpp"

namespace zeroipc::bench {

Coordinator::Coordinator(Topology const& topology, CoordinatorOptions options)
    : topology_(topology),
      options_(std::move(options)),
      clock_(ClockInfo::calibrate()),
      topology_xml_(topology.export_xml()),
      gate_(topology_, processor_is_virtual(), options_.separate_cores_ns),
      random_(std::random_device{}()) {
    auto const set = watched_signals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    remove_stale_segments();
}

bool Coordinator::interrupted() {
    if (!interrupted_) {
        sigset_t set;
        ::sigemptyset(&set);
        ::sigaddset(&set, SIGINT);
        ::sigaddset(&set, SIGTERM);
        std::timespec const now{};
        interrupted_ = ::sigtimedwait(&set, nullptr, &now) > 0;
    }
    return interrupted_;
}

Placement Coordinator::place(Cell const& cell) const {
    PlacementRequest request;
    request.workers = static_cast<int>(cell.workers());
    request.strategy = cell.placement.empty() ? options_.placement : cell.placement;
    request.explicit_cpus = options_.explicit_cpus;
    // Workers without roles are not placed apart.
    request.producers = cell.consumers == 0 ? 0 : static_cast<int>(cell.producers);
    request.consumers = static_cast<int>(cell.consumers);
    return plan_placement(topology_, request);
}

RunResult Coordinator::run(Cell const& cell, std::uint64_t kill_seed) {
    constexpr std::uint32_t most_repeats = 3;
    for (std::uint32_t repeats = 0;; ++repeats) {
        auto result = run_once(cell, kill_seed);
        result.repeats = repeats;
        // Workers that did not start together had no common window worth its length.
        bool const skewed =
            std::find(result.flags.begin(), result.flags.end(), "start_skew") != result.flags.end();
        bool const late = result.kill && result.kill->late;
        if (!result.ok || !(skewed || late) || repeats == most_repeats) return result;
    }
}

RunResult Coordinator::run_once(Cell const& cell, std::uint64_t kill_seed) {
    RunResult result;
    if (cell.mode == Mode::latency && cell.load_percent != 0 && cell.load_percent != all_due_at_once) {
        // What is the most? Now, for the machine changes.
        auto most = cell;
        most.load_percent = all_due_at_once;
        most.window_ns = std::max<std::uint64_t>(20'000'000, cell.window_ns / 4);
        auto saturated = run_once(most, kill_seed);
        if (!saturated.ok) {
            saturated.error = "at saturation: " + saturated.error;
            return saturated;
        }
        result.saturation_per_s =
            static_cast<double>(saturated.operations) * 1e9 / static_cast<double>(most.window_ns);
    }
    result.clock = clock_;
    try {
        result.placement = place(cell);
        auto const before = read_cpu_times();
        auto const energy_before = energy_.read();
        auto const begin = std::chrono::steady_clock::now();
        measure(cell, kill_seed, result);
        result.run_ns =
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
        result.joules = energy_.joules(energy_before, energy_.read());
        auto const after = read_cpu_times();
        if (before && after && after->total > before->total)
            result.steal_share = static_cast<double>(after->steal - before->steal) /
                                 static_cast<double>(after->total - before->total);
        if (result.error.empty() && !result.interrupted) judge(cell, result);
    } catch (std::exception const& failure) {
        result.error = failure.what();
    }
    result.ok = result.error.empty() && !result.interrupted;
    return result;
}

}  // namespace zeroipc::bench
