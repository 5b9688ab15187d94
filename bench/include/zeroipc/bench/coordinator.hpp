#pragma once
/// \file
/// Runs cells: a fresh segment and fresh pinned processes for each, watched, verified, cleaned up after.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cell.hpp"
#include "clock.hpp"
#include "control.hpp"
#include "energy.hpp"
#include "histogram.hpp"
#include "kill_result.hpp"
#include "pinning.hpp"
#include "placement.hpp"
#include "separation.hpp"
#include "topology.hpp"

namespace zeroipc::bench {

/// A worker's report and what it was.
struct WorkerResult {
    std::string role;
    std::uint32_t index = 0;  ///< in its role
    int cpu = -1;
    WorkerReport report{};
};

/// One run of one cell.
struct RunResult {
    bool ok = false;
    bool interrupted = false;  ///< by a signal to the coordinator: no result at all
    std::string error;
    Placement placement;
    ClockInfo clock;
    bool in_segment = true;      ///< what is measured lies in the run's segment, whose pages are known
    int memory_node = -1;        ///< NUMA node that the segment was bound to; -1: not bound
    std::uint64_t start_at = 0;  ///< ticks: intended start of the window
    double start_skew_ns = -1;
    double probe_before_ns = -1;
    double probe_after_ns = -1;
    int separate_cores = -1;               ///< 1 yes, 0 no, -1 not known
    double steal_share = -1;               ///< of the CPU time during the run; negative: unknown
    std::uint64_t operations = 0;          ///< successes in the window that count
    std::uint64_t sent = 0, received = 0;  ///< items, what was there before the window included
    std::uint64_t sent_sum = 0;
    std::uint64_t counted = 0;  ///< what a counting bound's counter says in the end
    bool sums_equal = false;
    std::uint64_t order_violations = 0, corrupt_items = 0;
    std::optional<double> joules;  ///< of all packages over the whole run, what else ran included
    double run_ns = 0;             ///< how long that was
    double saturation_per_s = 0;   ///< mode latency with a load: measured just before
    std::unique_ptr<Histogram> from_due, from_begin;  ///< mode latency: of all workers; see Timed
    bool asked_fifo = false, asked_locked = false;
    std::string perf_events;         ///< as asked
    std::uint32_t repeats = 0;       ///< earlier tries whose workers started too far apart
    std::optional<KillResult> kill;  ///< mode kill
    std::vector<WorkerResult> workers;
    std::vector<std::string> flags;
};

struct CoordinatorOptions {
    std::string placement = "spread";
    std::vector<int> explicit_cpus;
    std::chrono::milliseconds watchdog{0};  ///< 0: 20 s and ten windows
    double separate_cores_ns = usual_separate_cores_ns;
    bool huge_pages = false;
    bool fifo = false;  ///< real-time priority in the window, unless a CPU has two workers
    bool lock_memory = false;
    std::string perf_events;  ///< names with commas between
    std::function<void(std::uint32_t worker, int pid)>
        started;                     ///< called for each worker process, just made
    bool lenient_placement = false;  ///< memory not known to lie on its node is a flag, not an error
};

/// Whether what this worker does is counted as operations: of a queue, what is received.
inline bool counts_operations(Cell const& cell, std::size_t worker) {
    return cell.is_alone() || cell.consumers == 0 || worker >= cell.producers;
}

class Killing;
class Pool;

class Coordinator {
public:
    /// Blocks SIGINT, SIGTERM and SIGCHLD in this process: they are waited for instead. Removes segments that
    /// killed coordinators left behind.
    Coordinator(Topology const& topology, CoordinatorOptions options);

    /// Workers that started more than 1% of the window apart are sent again, three times at most.
    /// \throws std::exception only for what would fail every run; what goes wrong in one run stands in its
    /// result.
    /// \param kill_seed mode kill: of victim and moment.
    RunResult run(Cell const& cell, std::uint64_t kill_seed = 0);

    /// True once SIGINT or SIGTERM has come.
    bool interrupted();

    [[nodiscard]] Placement place(Cell const& cell) const;
    [[nodiscard]] ClockInfo const& clock() const { return clock_; }

private:
    struct Run;

    RunResult run_once(Cell const& cell, std::uint64_t kill_seed);
    /// Makes the segment, lets workers run in it, and takes down what they report.
    void measure(Cell const& cell, std::uint64_t kill_seed, RunResult& result);
    /// The NUMA node that the segment is bound to, or -1.
    [[nodiscard]] int home_node(Cell const& cell, Placement const& placement) const;
    void lay_out(Run& run);
    /// Tells the workers what to do.
    void instruct(Run& run);
    /// Until all have ended, one failed, or time is up.
    void watch(Run& run, Pool& pool, Killing* killing);
    void collect_dead(Run& run, Pool& pool, Killing* killing);
    void collect_reports(Run& run);
    /// Sums, flags, and whether it failed.
    void judge(Cell const& cell, RunResult& result) const;

    Topology const& topology_;
    CoordinatorOptions options_;
    ClockInfo clock_;
    std::string topology_xml_;
    SeparationGate gate_;
    EnergyMeter energy_;
    std::mt19937_64 random_;
    bool interrupted_ = false;
};

}  // namespace zeroipc::bench
