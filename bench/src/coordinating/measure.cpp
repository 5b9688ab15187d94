// One run of one cell: its segment, its processes, and what they report.

#include <sys/wait.h>
#include <zeroipc/memory.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "../kill/killing.hpp"
#include "pool.hpp"
#include "roles.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/kernel_queue.hpp"
#include "zeroipc/bench/segment_name.hpp"
#include "zeroipc/bench/subject.hpp"
#include "zeroipc/bench/worker.hpp"
#include "zeroipc/bench/workload.hpp"

namespace zeroipc::bench {

namespace {

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

std::chrono::milliseconds limit_of(Cell const& cell, CoordinatorOptions const& options) {
    return options.watchdog.count() > 0 ? options.watchdog
                                        : std::chrono::milliseconds(20'000 + cell.window_ns / 100'000);
}

}  // namespace

/// A run on its way.
struct Coordinator::Run {
    Cell const& cell;
    RunResult& result;
    SegmentName name{};
    std::optional<Memory> memory{};
    Control* control = nullptr;
    Initial initial{};
};

int Coordinator::home_node(Cell const& cell, Placement const& placement) const {
    auto const kind = home_named(cell.home);
    bool const bound = kind == Home::producer || kind == Home::consumer;
    if (!bound || topology_.numa_nodes() <= 1) return -1;
    auto const near = kind == Home::consumer && cell.workers() > 1 ? probe_partner(cell) : 0;
    auto const node_of = [&](int cpu) {
        for (auto const& c : topology_.cpus())
            if (c.os_index == cpu) return c.node;
        return -1;
    };
    return node_with_memory(node_of(placement.worker_cpus[near]));
}

void Coordinator::lay_out(Run& run) {
    auto const& cell = run.cell;
    auto const subject = find_subject(cell.variant, cell.payload_bytes);
    if (!subject)
        throw std::invalid_argument("no variant " + cell.variant + " for items of " +
                                    std::to_string(cell.payload_bytes) + " bytes");
    if (cell.workers() > most_workers)
        throw std::invalid_argument(std::to_string(cell.workers()) + " workers; at most " +
                                    std::to_string(most_workers));
    auto const kind = home_named(cell.home);
    int const home = home_node(cell, run.result.placement);
    run.result.in_segment = !subject->outside;
    run.result.memory_node = run.result.in_segment ? home : -1;

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
    auto& memory = run.memory.emplace(Memory::create(run.name.text(), total, options));
    auto const xml = memory.add("topology", topology_xml_.size(), [&](std::byte* at) {
        std::memcpy(at, topology_xml_.data(), topology_xml_.size());
    });
    auto const place = memory.add(control_name, control_bytes(processes), [](std::byte*) {});
    subject->create(memory, cell, run.initial);
    run.result.sent = run.initial.items;
    run.result.sent_sum = run.initial.sum;

    auto& control = control_at(memory.base(), place.offset);
    run.control = &control;
    control.topology_offset = xml.offset;
    control.topology_bytes = xml.size;
    control.memory_node = home;
    control.home = kind;
    if (timed_bytes != 0) control.timed_offset = memory.add("timed", timed_bytes, [](std::byte*) {}).offset;
    if (board_bytes != 0) control.kill_offset = memory.add("kill", board_bytes, [](std::byte*) {}).offset;
}

void Coordinator::instruct(Run& run) {
    auto const& cell = run.cell;
    auto& result = run.result;
    auto const& placement = result.placement;
    auto& control = *run.control;
    control.workers = cell.workers();
    control.producers = cell.producers;
    control.consumers = cell.consumers;
    control.mode = cell.mode;
    control.host = cell.host;
    control.payload_bytes = cell.payload_bytes;
    control.oversubscribed = placement.oversubscribed ? 1U : 0U;
    control.probe_rounds = placement.oversubscribed || cell.workers() < 2 ? 0U : 2000U;
    control.probe_partner = probe_partner(cell);
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
    auto const clients = cell.consumers != 0 ? cell.producers : cell.workers();
    control.due_per_s = cell.load_percent == all_due_at_once
                            ? 1e12
                            : result.saturation_per_s * cell.load_percent / 100 / clients;
    control.poisson = cell.arrivals == "poisson" ? 1U : 0U;
    control.batch = cell.batch;
    control.calls = cell.calls;
    control.push_percent = cell.push_percent;
    control.filled_percent = cell.filled_percent;
    control.range_percent = cell.range_percent;
    control.seed = random_();
    control.variant.assign(cell.variant);
    control.mix.assign(cell.mix);
    control.keys.assign(cell.keys);
    std::copy(placement.worker_cpus.begin(), placement.worker_cpus.end(), control.cpus.begin());
}

void Coordinator::collect_dead(Run& run, Pool& pool, Killing* killing) {
    auto const& cell = run.cell;
    auto& result = run.result;
    while (auto const death = pool.reap()) {
        auto const worker = worker_of(cell, *run.control, death->worker);
        auto const& report = run.control->reports[worker];
        if (death->status == 0 && report.finished == 1) continue;
        if (killing != nullptr && killing->expects(death->worker, death->status)) continue;
        // Until a worker has left our group, Ctrl-C on the terminal is for it too.
        if (WIFSIGNALED(death->status) &&
            (WTERMSIG(death->status) == SIGINT || WTERMSIG(death->status) == SIGTERM) && interrupted()) {
            result.interrupted = true;
            continue;
        }
        // Who ends without a word says more than who gave up or failed behind it.
        if (!result.error.empty() && report.failed == 1) continue;
        result.error = (report.failed == 0 ? describe_child(cell, result.placement, worker)
                                           : describe(cell, result.placement, worker)) +
                       " " + describe(death->status);
        if (report.failed == 1) result.error += ": " + std::string(report.error.view());
    }
}

void Coordinator::watch(Run& run, Pool& pool, Killing* killing) {
    auto const& cell = run.cell;
    auto& result = run.result;
    auto const limit = limit_of(cell, options_);
    auto const deadline = std::chrono::steady_clock::now() + limit;
    auto const set = watched_signals();
    while (!pool.empty() && result.error.empty() && !result.interrupted) {
        collect_dead(run, pool, killing);
        if (killing != nullptr && pool.empty() && result.error.empty() && !result.interrupted &&
            killing->wants_examiner())
            pool.start(run.name.text(), examiner_of(cell.workers()), examiner_of(cell.workers()) + 1, nullptr,
                       0, {});
        if (pool.empty() || !result.error.empty()) break;
        auto left =
            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            result.error = "no end after " + std::to_string(std::chrono::duration<double>(limit).count()) +
                           " s; the watchdog ended ";
            std::string comma;
            for (auto const worker : pool.left()) {
                result.error += comma + describe_child(cell, result.placement, worker);
                comma = ", ";
            }
            break;
        }
        if (killing != nullptr) left = std::min(left, killing->step(pool));
        // The coordinator sleeps: it must not compete with the workers.
        std::timespec const wait{static_cast<std::time_t>(left.count() / 1'000'000'000),
                                 static_cast<long>(left.count() % 1'000'000'000)};
        int const signal = ::sigtimedwait(&set, nullptr, &wait);
        if (signal == SIGINT || signal == SIGTERM) interrupted_ = result.interrupted = true;
    }
    run.control->abandon.value.store(1, std::memory_order_relaxed);
    pool.end_all();
}

void Coordinator::collect_reports(Run& run) {
    auto const& cell = run.cell;
    auto& result = run.result;
    auto const& control = *run.control;
    for (std::uint32_t i = 0; i < cell.workers(); ++i) {
        WorkerResult worker;
        worker.role = role_of(cell, i);
        worker.index = i < cell.producers ? i : i - cell.producers;
        worker.cpu = result.placement.worker_cpus[i];
        worker.report = control.reports[i];
        result.workers.push_back(worker);
    }
    result.counted = control.counter.value.load();
    result.sent += control.made_items;
    result.sent_sum += control.made_sum;
    if (cell.mode == Mode::latency)
        collect_times(cell, reinterpret_cast<Timed const*>(run.memory->base() + control.timed_offset),
                      result);
}

void Coordinator::measure(Cell const& cell, std::uint64_t kill_seed, RunResult& result) {
    Run run{cell, result};
    lay_out(run);
    instruct(run);
    std::optional<KernelQueues> queues;
    if (cell.is_kernel_queue()) queues.emplace(cell);
    std::optional<Killing> killing;
    if (cell.mode == Mode::kill)
        killing.emplace(cell, *run.control, kill_board_at(run.memory->base(), run.control->kill_offset),
                        kill_seed, limit_of(cell, options_));
    Pool pool;
    auto const first_processes = cell.host == Host::threads ? 1U : cell.workers() + (killing ? 1U : 0U);
    pool.start(run.name.text(), 0, first_processes, queues ? &*queues : nullptr, random_() % 4096,
               options_.started);
    queues.reset();
    watch(run, pool, killing ? &*killing : nullptr);
    result.start_at = run.control->start_at.value.load();
    if (killing && result.error.empty() && !result.interrupted)
        result.kill = killing->finish(run.initial.items, run.initial.sum);
    collect_reports(run);
}

}  // namespace zeroipc::bench
