#include "zeroipc/bench/coordinator.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zeroipc/memory.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "kill/killing.hpp"
#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/kernel_queue.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/segment_name.hpp"
#include "zeroipc/bench/subject.hpp"
#include "zeroipc/bench/worker.hpp"
#include "zeroipc/bench/workload.hpp"

namespace zeroipc::bench {

namespace {

/// The worker processes of one run. Whoever is left when it goes is killed and reaped.
class Pool {
public:
    Pool() = default;
    Pool(Pool const&) = delete;
    Pool& operator=(Pool const&) = delete;
    Pool(Pool&&) = delete;
    Pool& operator=(Pool&&) = delete;
    ~Pool() { end_all(); }

    /// Starts the processes from number `first` to before `end`: of a worker each, or one of all.
    void start(std::string const& segment, std::uint32_t first, std::uint32_t end, KernelQueues const* queues,
               std::size_t padding, std::function<void(std::uint32_t, int)> const& started) {
        auto const self = std::string("/proc/self/exe");
        auto const parent = std::to_string(::getpid());
        // Environment size moves the stack: one of the innocuous things that must vary.
        auto const pad = "ZEROIPC_BENCH_PADDING=" + std::string(padding, 'x');
        std::vector<char*> environment;
        for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
        environment.push_back(const_cast<char*>(pad.c_str()));
        environment.push_back(nullptr);

        posix_spawnattr_t attributes;
        posix_spawn_file_actions_t actions;
        ::posix_spawnattr_init(&attributes);
        ::posix_spawn_file_actions_init(&actions);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        // A group of their own: Ctrl-C on the terminal is the coordinator's to handle.
        ::posix_spawnattr_setpgroup(&attributes, 0);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        if (queues != nullptr) queues->hand_over(actions);
        int failed = 0;
        for (std::uint32_t i = first; i < end && failed == 0; ++i) {
            auto const index = std::to_string(i);
            std::array<char const*, 6> const arguments{"zeroipc-bench", worker_argument, segment.c_str(),
                                                       index.c_str(),   parent.c_str(),  nullptr};
            pid_t pid = -1;
            failed = ::posix_spawn(&pid, self.c_str(), &actions, &attributes,
                                   const_cast<char**>(arguments.data()), environment.data());
            if (failed == 0) alive_.push_back({pid, i});
            if (failed == 0 && started) started(i, pid);
        }
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
        if (failed != 0)
            throw std::system_error(failed, std::generic_category(), "cannot start a worker process");
    }

    struct Death {
        std::uint32_t worker;
        int status;
    };

    /// Collects one worker that has ended, without waiting.
    std::optional<Death> reap() {
        for (auto at = alive_.begin(); at != alive_.end(); ++at) {
            int status = 0;
            if (::waitpid(at->pid, &status, WNOHANG) != at->pid) continue;
            Death const death{at->worker, status};
            alive_.erase(at);
            return death;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool empty() const { return alive_.empty(); }
    [[nodiscard]] std::vector<std::uint32_t> left() const {
        std::vector<std::uint32_t> workers;
        for (auto const& child : alive_) workers.push_back(child.worker);
        return workers;
    }

    void kill(std::uint32_t worker) const {
        for (auto const& child : alive_)
            if (child.worker == worker) ::kill(child.pid, SIGKILL);
    }

    void end_all() {
        for (auto const& child : alive_) ::kill(child.pid, SIGKILL);
        for (auto const& child : alive_) ::waitpid(child.pid, nullptr, 0);
        alive_.clear();
    }

private:
    struct Child {
        pid_t pid;
        std::uint32_t worker;
    };
    std::vector<Child> alive_;
};

std::string role_of(Cell const& cell, std::uint32_t worker) {
    if (cell.is_alone() || cell.consumers == 0) return "worker";
    bool const first = worker < cell.producers;
    if (cell.mode == Mode::pingpong) return first ? "initiator" : "responder";
    return first ? "producer" : "consumer";
}

/// The worker whose CPU is probed against the first one's: the first consumer, or else the second worker.
std::uint32_t probe_partner(Cell const& cell) { return cell.consumers != 0 ? cell.producers : 1; }

/// A load beyond what cells may have.
constexpr std::uint32_t all_due_at_once = ~std::uint32_t{0};

/// Of a queue that is fed on a schedule, what counts is how long items took: consumers know. Else everybody's operations.
void collect_times(Cell const& cell, Timed const* timed, RunResult& result) {
    result.from_due = std::make_unique<Histogram>();
    result.from_begin = std::make_unique<Histogram>();
    bool const delivered = cell.consumers != 0 && cell.load_percent != 0;
    for (std::uint32_t i = 0; i < cell.workers(); ++i) {
        if (!delivered || i >= cell.producers) result.from_due->merge(timed[i].from_due);
        result.from_begin->merge(timed[i].from_begin);
    }
}

std::string describe(Cell const& cell, Placement const& placement, std::uint32_t worker) {
    if (worker >= cell.workers()) return worker == newcomer_of(cell.workers()) ? "newcomer" : "examiner";
    return role_of(cell, worker) + " (worker " + std::to_string(worker) + " on CPU " +
           std::to_string(placement.worker_cpus[worker]) + ")";
}

/// The worker that the end of a child tells of: instead of one that gave up, which may end first, the one that failed; of a
/// process of threads, the first that failed or did not get through.
std::uint32_t worker_of(Cell const& cell, Control const& control, std::uint32_t child) {
    bool const threads = cell.host == Host::threads;
    if (!threads && control.reports[child].gave_up == 0) return child;
    auto const first = [&](auto const& is_it) {
        std::uint32_t i = 0;
        while (i < cell.workers() && !is_it(control.reports[i])) ++i;
        return i;
    };
    auto const failed =
        first([](WorkerReport const& report) { return report.failed == 1 && report.gave_up == 0; });
    if (failed < cell.workers()) return failed;
    auto const unfinished = first([](WorkerReport const& report) { return report.finished == 0; });
    return threads && unfinished < cell.workers() ? unfinished : child;
}

/// A child that ends without a word from its worker.
std::string describe_child(Cell const& cell, Placement const& placement, std::uint32_t worker) {
    return cell.host == Host::threads ? "the process of all workers" : describe(cell, placement, worker);
}

std::string describe(int status) {
    if (WIFSIGNALED(status))
        return "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
               ::strsignal(WTERMSIG(status)) + ")";
    return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

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

void Coordinator::measure(Cell const& cell, std::uint64_t kill_seed, RunResult& result) {
    auto const subject = find_subject(cell.variant, cell.payload_bytes);
    if (!subject)
        throw std::invalid_argument("no variant " + cell.variant + " for items of " +
                                    std::to_string(cell.payload_bytes) + " bytes");
    if (cell.workers() > most_workers)
        throw std::invalid_argument(std::to_string(cell.workers()) + " workers; at most " +
                                    std::to_string(most_workers));
    auto const& placement = result.placement;
    auto const node_of = [&](int cpu) {
        for (auto const& c : topology_.cpus())
            if (c.os_index == cpu) return c.node;
        return -1;
    };
    auto const kind = home_named(cell.home);
    bool const bound = kind == Home::producer || kind == Home::consumer;
    auto const near = kind == Home::consumer && cell.workers() > 1 ? probe_partner(cell) : 0;
    int const home =
        bound && topology_.numa_nodes() > 1 ? node_with_memory(node_of(placement.worker_cpus[near])) : -1;
    result.in_segment = !subject->outside;
    result.memory_node = result.in_segment ? home : -1;

    SegmentName const name;
    memory_options options;
    options.max_entries = 8;
    options.huge_pages = options_.huge_pages;
    options.before_allocation = [&](void* base, std::size_t bytes) {
        try {
            make_home(base, bytes, kind, home);
        } catch (PinningError const&) {
            if (!options_.lenient_placement) throw;  // else judge() flags what came of it
        }
    };
    auto const timed_bytes = cell.mode == Mode::latency ? sizeof(Timed) * cell.workers() : 0;
    auto const processes = cell.workers() + processes_beside(cell.mode);
    auto const board_bytes = cell.mode == Mode::kill ? kill_board_bytes(cell.workers()) : 0;
    auto const total = zeroipc::format::table_end(options.max_entries) + control_bytes(processes) +
                       topology_xml_.size() + subject->bytes(cell) + timed_bytes + board_bytes +
                       5 * zeroipc::format::structure_alignment;
    auto memory = Memory::create(name.text(), total, options);
    auto const xml = memory.add("topology", topology_xml_.size(), [&](std::byte* at) {
        std::memcpy(at, topology_xml_.data(), topology_xml_.size());
    });
    auto const place = memory.add(control_name, control_bytes(processes), [](std::byte*) {});
    Initial initial;
    subject->create(memory, cell, initial);
    result.sent = initial.items;
    result.sent_sum = initial.sum;

    auto& control = control_at(memory.base(), place.offset);
    control.workers = cell.workers();
    control.producers = cell.producers;
    control.consumers = cell.consumers;
    control.mode = cell.mode;
    control.host = cell.host;
    control.payload_bytes = cell.payload_bytes;
    control.oversubscribed = placement.oversubscribed ? 1U : 0U;
    control.probe_rounds = placement.oversubscribed || cell.workers() < 2 ? 0U : 2000U;
    control.probe_partner = probe_partner(cell);
    control.memory_node = home;
    control.home = kind;
    result.asked_fifo = options_.fifo && !placement.oversubscribed;
    result.asked_locked = options_.lock_memory;
    result.perf_events = options_.perf_events;
    control.ask_fifo = result.asked_fifo ? 1U : 0U;
    control.ask_locked = result.asked_locked ? 1U : 0U;
    control.perf_events.assign(options_.perf_events);
    control.capacity = cell.capacity;
    control.window_ns = cell.window_ns;
    control.handicap_ns = cell.handicap_ns;
    control.handicap_all = cell.handicap_all ? 1U : 0U;
    control.clock = clock_;
    control.think_ns = cell.think_ns;
    if (timed_bytes != 0) control.timed_offset = memory.add("timed", timed_bytes, [](std::byte*) {}).offset;
    if (board_bytes != 0) control.kill_offset = memory.add("kill", board_bytes, [](std::byte*) {}).offset;
    auto const clients = cell.consumers != 0 ? cell.producers : cell.workers();
    control.due_per_s = cell.load_percent == all_due_at_once
                            ? 1e12
                            : result.saturation_per_s * cell.load_percent / 100 / clients;
    control.poisson = cell.arrivals == "poisson" ? 1U : 0U;
    control.batch = cell.batch;
    control.push_percent = cell.push_percent;
    control.filled_percent = cell.filled_percent;
    control.seed = random_();
    control.variant.assign(cell.variant);
    control.mix.assign(cell.mix);
    control.keys.assign(cell.keys);
    control.topology_offset = xml.offset;
    control.topology_bytes = xml.size;
    std::copy(placement.worker_cpus.begin(), placement.worker_cpus.end(), control.cpus.begin());

    std::optional<KernelQueues> queues;
    if (cell.is_kernel_queue()) queues.emplace(cell);
    auto const limit = options_.watchdog.count() > 0
                           ? options_.watchdog
                           : std::chrono::milliseconds(20'000 + cell.window_ns / 100'000);
    std::optional<Killing> killing;
    if (cell.mode == Mode::kill)
        killing.emplace(cell, control, kill_board_at(memory.base(), control.kill_offset), kill_seed, limit);
    Pool pool;
    auto const first_processes = cell.host == Host::threads ? 1U : cell.workers() + (killing ? 1U : 0U);
    pool.start(name.text(), 0, first_processes, queues ? &*queues : nullptr, random_() % 4096,
               options_.started);
    queues.reset();

    auto const deadline = std::chrono::steady_clock::now() + limit;
    auto const set = watched_signals();
    while (!pool.empty() && result.error.empty() && !result.interrupted) {
        while (auto const death = pool.reap()) {
            auto const worker = worker_of(cell, control, death->worker);
            auto const& report = control.reports[worker];
            if (death->status == 0 && report.finished == 1) continue;
            if (killing && killing->expects(death->worker, death->status)) continue;
            // Until a worker has left our group, Ctrl-C on the terminal is for it too.
            if (WIFSIGNALED(death->status) &&
                (WTERMSIG(death->status) == SIGINT || WTERMSIG(death->status) == SIGTERM) && interrupted()) {
                result.interrupted = true;
                continue;
            }
            // Who ends without a word says more than who gave up or failed behind it.
            if (!result.error.empty() && report.failed == 1) continue;
            result.error = (report.failed == 0 ? describe_child(cell, placement, worker)
                                               : describe(cell, placement, worker)) +
                           " " + describe(death->status);
            if (report.failed == 1) result.error += ": " + std::string(report.error.view());
        }
        if (killing && pool.empty() && result.error.empty() && !result.interrupted &&
            killing->wants_examiner())
            pool.start(name.text(), examiner_of(cell.workers()), examiner_of(cell.workers()) + 1, nullptr, 0,
                       {});
        if (pool.empty() || !result.error.empty()) break;
        auto left =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            result.error = "no end after " + std::to_string(std::chrono::duration<double>(limit).count()) +
                           " s; the watchdog ended ";
            std::string comma;
            for (auto const worker : pool.left()) {
                result.error += comma + describe_child(cell, placement, worker);
                comma = ", ";
            }
            break;
        }
        if (killing) left = std::min(left, killing->step(pool));
        // The coordinator sleeps: it must not compete with the workers.
        std::timespec const wait{static_cast<std::time_t>(left.count() / 1'000'000'000),
                                 static_cast<long>(left.count() % 1'000'000'000)};
        int const signal = ::sigtimedwait(&set, nullptr, &wait);
        if (signal == SIGINT || signal == SIGTERM) interrupted_ = result.interrupted = true;
    }
    control.abandon.value.store(1, std::memory_order_relaxed);
    pool.end_all();

    result.start_at = control.start_at.value.load();
    if (killing && result.error.empty() && !result.interrupted)
        result.kill = killing->finish(initial.items, initial.sum);
    for (std::uint32_t i = 0; i < cell.workers(); ++i) {
        WorkerResult worker;
        worker.role = role_of(cell, i);
        worker.index = i < cell.producers ? i : i - cell.producers;
        worker.cpu = placement.worker_cpus[i];
        worker.report = control.reports[i];
        result.workers.push_back(worker);
    }
    result.counted = control.counter.value.load();
    result.sent += control.made_items;
    result.sent_sum += control.made_sum;
    if (timed_bytes != 0)
        collect_times(cell, reinterpret_cast<Timed const*>(memory.base() + control.timed_offset), result);
}

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
