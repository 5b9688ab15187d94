#include "watched_run.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>
#include <stdexcept>

#include "perf.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

namespace {

/// The run's cell, checked as those of a sweep are.
Cell cell_of(WatchedRun const& run, std::string const& variant, std::uint32_t payload_bytes,
             std::uint64_t capacity) {
    Suite suite;
    Sweep sweep;
    sweep.variants = {variant};
    sweep.producers = {run.producers};
    sweep.consumers = {run.consumers};
    sweep.workers = {run.workers};
    sweep.payloads = {payload_bytes};
    sweep.capacities = {capacity};
    sweep.windows_ns = {run.window_ns};
    suite.sweeps.push_back(std::move(sweep));
    auto const cells = expand(suite);
    auto const cell =
        *std::find_if(cells.begin(), cells.end(), [&](Cell const& one) { return one.variant == variant; });
    if (run.worker >= cell.workers())
        throw PlanError("there is no worker " + std::to_string(run.worker) + "; the run has " +
                        std::to_string(cell.workers()) + ", from 0 on");
    return cell;
}

}  // namespace

Watched run_watched(WatchedRun const& run, std::string const& variant, std::uint32_t payload_bytes,
                    std::uint64_t capacity) {
    auto const cell = cell_of(run, variant, payload_bytes, capacity);
    std::vector<std::string> command{"perf", run.tool};
    command.insert(command.end(), run.perf_arguments.begin(), run.perf_arguments.end());

    ::signal(SIGPIPE, SIG_IGN);  // perf may end before it is told to begin
    std::optional<Perf> perf;
    std::exception_ptr refused;
    CoordinatorOptions options;
    options.started = [&](std::uint32_t worker, int pid) {
        if (worker != run.worker || refused) return;
        try {
            perf.emplace(command, pid);  // a run that is sent again has a perf of its own
        } catch (NoPerf const&) {
            refused = std::current_exception();
        }
    };
    auto const topology = Topology::this_machine();
    Coordinator coordinator(topology, options);
    auto const result = coordinator.run(cell);
    if (refused) std::rethrow_exception(refused);
    if (!result.ok) throw std::runtime_error(result.interrupted ? "interrupted" : result.error);
    auto const& worker = result.workers[run.worker];
    return {cell.key(),
            run.worker,
            worker.role,
            worker.cpu,
            worker.report.successes,
            static_cast<double>(cell.window_ns),
            command,
            perf->finish()};
}

}  // namespace zeroipc::bench
