#include "zeroipc/bench/worker.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zeroipc/memory.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../kill/subjects.hpp"
#include "process.hpp"
#include "summary.hpp"
#include "zeroipc/bench/huge_pages.hpp"
#include "zeroipc/bench/isolation.hpp"
#include "zeroipc/bench/perf_counters.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/subject.hpp"
#include "zeroipc/bench/topology.hpp"

namespace zeroipc::bench {

namespace {

/// Thrown when the coordinator or another worker gave the run up.
struct Abandoned : std::exception {
    [[nodiscard]] char const* what() const noexcept override {
        return "given up because another worker failed";
    }
};

struct Usage {
    std::int64_t minor = 0, major = 0, voluntary = 0, involuntary = 0;
    static Usage now() {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        return {usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw};
    }
};

/// Samples that one worker keeps at most: 8 MiB.
constexpr std::size_t most_samples = std::size_t{1} << 21;

class Worker final : public Stages {
public:
    Worker(Process& process, std::uint32_t index)
        : process_(process),
          memory_(process.memory()),
          control_(process.control()),
          index_(index),
          bench_{control_, control_.reports[index],
                 index < control_.producers ? index : index - control_.producers, Clock(control_.clock)} {
        bench_.made = process.made();
        if (index == 0 || control_.handicap_all != 0)
            bench_.handicap = Handicap(control_.handicap_ns * control_.clock.ticks_per_ns);
    }

    void run() {
        pin();
        if (control_.mode == Mode::kill) {
            take_part_in_kill();
            return;
        }
        if (control_.mode == Mode::pingpong && index_ == 0) reserve_samples();
        if (control_.mode == Mode::latency)
            bench_.timed = reinterpret_cast<Timed*>(memory_.base() + control_.timed_offset) + index_;
        process_.subject().work(bench_, memory_, *this, index_);
        barrier();
        probe(bench_.report.probe_after_ns);
        if (!bench_.samples.empty()) summarise(bench_.samples, bench_.report);
    }

    void until_start() override {
        bench_.report.prefault_by_touch = process_.prefault_once() == Prefault::touch ? 1U : 0U;
        auto const binding =
            read_back_pages(memory_.base(), memory_.bytes(), control_.memory_node, control_.home);
        bench_.report.memory_verified = binding.verified ? 1U : 0U;
        bench_.report.huge_bytes = -1;
        if (index_ == 0)
            if (auto const huge = huge_page_bytes(memory_.base(), memory_.bytes()))
                bench_.report.huge_bytes = *huge;
        isolate();
        bench_.report.memory_nodes = binding.nodes;
        bench_.report.memory_policy.assign(binding.policy);
        bench_.report.pages_checked = binding.pages_checked;
        bench_.report.pages_on_node = binding.pages_on_node;
        std::size_t at = 0;
        for (auto const& [node, pages] : binding.pages_by_node)
            if (pages > 0 && at < bench_.report.pages_by_node.size())
                bench_.report.pages_by_node[at++] = {node, pages};
        barrier();
        probe(bench_.report.probe_before_ns);
        if (control_.ask_fifo != 0) {
            // Much longer than the window: it is for a worker that hangs.
            fifo_.emplace(std::chrono::microseconds(2'000'000 + control_.window_ns / 500));
            note(fifo_->outcome(), bench_.report.fifo);
        }
        barrier([this] {
            // Time for everybody to see it, and to take the first look at the counters.
            control_.start_at.value.store(bench_.clock.ticks() + control_.clock.to_ticks(100'000.0),
                                          std::memory_order_relaxed);
        });
        begin_window();
    }

    /// Returns at the window's start, or at once if that is past.
    void begin_window() {
        bench_.window_ticks = control_.clock.to_ticks(static_cast<double>(control_.window_ns));
        if (control_.due_per_s > 0)
            bench_.interval_ticks = control_.clock.ticks_per_ns * 1e9 / control_.due_per_s;
        bench_.think_ticks = control_.clock.to_ticks(static_cast<double>(control_.think_ns));
        if (counters_) counters_->start();
        before_ = Usage::now();
        auto const start_at = control_.start_at.value.load(std::memory_order_relaxed);
        bench_.window_end = start_at + bench_.window_ticks;
        std::uint64_t now = bench_.clock.ticks();
        while (now < start_at) now = bench_.clock.ticks();
        bench_.report.start = now;
    }

    void window_over() override {
        auto const after = Usage::now();
        if (counters_) {
            counters_->stop();
            auto const readings = counters_->read();
            std::copy_n(readings.begin(), std::min(readings.size(), most_perf_events),
                        bench_.report.counters.begin());
        }
        fifo_.reset();
        bench_.report.minor_faults = after.minor - before_.minor;
        bench_.report.major_faults = after.major - before_.major;
        bench_.report.voluntary_switches = after.voluntary - before_.voluntary;
        bench_.report.involuntary_switches = after.involuntary - before_.involuntary;
    }

    bool is_last_left(std::uint32_t worker) override {
        auto& done = control_.producers_done.value;
        done.fetch_add(1, std::memory_order_acq_rel);
        if (worker != 0) return false;
        spin_until([&] { return done.load(std::memory_order_acquire) == control_.workers; });
        return true;
    }

private:
    /// A worker of a kill cell; or who takes the dead one's place, and waits until then; or who examines what is left.
    void take_part_in_kill() {
        auto& board = kill_board_at(memory_.base(), control_.kill_offset);
        auto const& subject = find_kill_subject(control_.variant.view());
        bool const newcomer = index_ == newcomer_of(control_.workers);
        auto const place = newcomer ? board.victim : index_;
        KillPart part{bench_, board, index_, place < control_.producers, [this] { until_start(); }};
        if (index_ == examiner_of(control_.workers)) {
            subject.examine(part, memory_);
            return;
        }
        if (newcomer) {
            bench_.role_index = part.producer ? control_.producers : control_.consumers;
            prefault(memory_.base(), memory_.bytes());
            board.wait_until_called();
            part.until_start = [this] { begin_window(); };
        }
        subject.work(part, memory_);
        window_over();
    }

    void pin() {
        auto const pinned = pin_this_thread(process_.topology(), control_.cpus[index_]);
        auto& report = bench_.report;
        auto const n = std::min(pinned.obtained.size(), report.cpus_obtained.size());
        std::copy_n(pinned.obtained.begin(), n, report.cpus_obtained.begin());
        report.cpu_obtained_count = static_cast<std::int32_t>(n);
        report.pin_verified = pinned.verified ? 1U : 0U;
    }

    void note(Outcome const& outcome, std::uint32_t& obtained) {
        obtained = outcome.obtained ? 1U : 0U;
        if (!outcome.obtained) bench_.report.why_not_isolated.assign(outcome.reason);
    }

    /// What was asked for beside a CPU of one's own.
    void isolate() {
        if (control_.ask_locked != 0) note(process_.lock_once(), bench_.report.locked);
        if (auto const events = control_.perf_events.view(); !events.empty())
            counters_.emplace(parse_perf_events(events));
    }

    /// Touches the store of samples, so that the window sees no page fault of ours.
    void reserve_samples() {
        auto const wanted = static_cast<std::size_t>(static_cast<double>(control_.window_ns) / 20.0) + 1;
        bench_.samples.resize(std::min(most_samples, wanted));
        std::fill(bench_.samples.begin(), bench_.samples.end(), 1U);
        bench_.samples.clear();
    }

    void check_abandoned() const {
        if (bench_.abandoned()) throw Abandoned();
    }

    template <class Condition>
    void spin_until(Condition&& condition) const {
        for (std::uint32_t round = 1; !condition(); ++round) {
            bench_.after_refusal();
            if (round % 1024 == 0) check_abandoned();
        }
    }

    /// All workers meet; the last one to come does `last` before anybody goes on.
    template <class Last>
    void barrier(Last&& last) {
        auto const target = ++phase_;
        auto const arrived = control_.arrived.value.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (arrived == target * control_.workers) {
            last();
            control_.phase.value.store(target, std::memory_order_release);
        } else {
            spin_until([&] { return control_.phase.value.load(std::memory_order_acquire) >= target; });
        }
    }
    void barrier() {
        barrier([] {});
    }

    /// Round trip over two cache lines between the first worker and its partner: the median of 20 groups.
    void probe(double& result) {
        result = -1.0;
        if (control_.probe_rounds == 0) return;
        bool const initiator = index_ == 0;
        if (!initiator && index_ != control_.probe_partner) return;
        auto& there = control_.probe[0].value;
        auto& back = control_.probe[1].value;
        constexpr std::uint32_t groups = 20;
        auto const a_group = control_.probe_rounds / groups;
        std::array<double, groups> means{};
        auto value = probe_value_;
        for (std::uint32_t group = 0; group < groups + 1; ++group) {  // the first group warms up
            auto const begin = bench_.clock.ordered_ticks();
            for (std::uint32_t i = 0; i < a_group; ++i) {
                ++value;
                if (initiator) {
                    there.store(value, std::memory_order_release);
                    spin_until([&] { return back.load(std::memory_order_acquire) == value; });
                } else {
                    spin_until([&] { return there.load(std::memory_order_acquire) == value; });
                    back.store(value, std::memory_order_release);
                }
            }
            if (group > 0)
                means[group - 1] =
                    control_.clock.to_ns(bench_.clock.ordered_ticks() - begin) / static_cast<double>(a_group);
        }
        probe_value_ = value;
        if (!initiator) return;
        std::nth_element(means.begin(), means.begin() + groups / 2, means.end());
        result = means[groups / 2];
    }

    Process& process_;
    Memory& memory_;
    Control& control_;
    std::uint32_t index_;
    Bench bench_;
    Usage before_;
    std::optional<FifoWindow> fifo_;
    std::optional<PerfCounters> counters_;
    std::uint64_t phase_ = 0;
    std::uint64_t probe_value_ = 0;
};

/// A worker, from its pin to its report. \return whether it did all.
bool run_worker(Process& process, std::uint32_t index) {
    auto& report = process.control().reports[index];
    try {
        Worker(process, index).run();
        report.finished = 1;
        return true;
    } catch (std::exception const& failure) {
        report.error.assign(failure.what());
        report.gave_up = dynamic_cast<Abandoned const*>(&failure) != nullptr ? 1U : 0U;
        report.failed = 1;
        // Behind a kill a failure is a result, and the others' work goes on.
        if (process.control().mode == Mode::kill &&
            kill_board_at(process.memory().base(), process.control().kill_offset).killed_at.value.load() != 0)
            return false;
        process.control().abandon.value.store(1, std::memory_order_relaxed);
        return false;
    }
}

/// All workers as threads. One that fails ends the process: others may wait for it for ever.
void run_threads(Process& process) {
    process.make();
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < process.control().workers; ++i)
        threads.emplace_back([&process, i] {
            if (!run_worker(process, i)) std::_Exit(1);
        });
    for (auto& thread : threads) thread.join();
}

}  // namespace

int worker_main(std::string const& segment, std::uint32_t index, int parent) {
    // Whatever ends the coordinator ends us.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return 1;
    ::signal(SIGPIPE, SIG_IGN);
    try {
        auto memory = Memory::open(segment);
        auto const place = memory.find(control_name);
        if (!place) throw std::runtime_error("segment " + segment + " has no control block");
        auto& control = control_at(memory.base(), place->offset);
        if (index >= control.workers + processes_beside(control.mode))
            throw std::runtime_error("there is no worker " + std::to_string(index));
        try {
            Process process(memory, control);
            if (control.host == Host::processes) return run_worker(process, index) ? 0 : 1;
            run_threads(process);
            return 0;
        } catch (std::exception const& failure) {
            control.reports[index].error.assign(failure.what());
            control.reports[index].failed = 1;
            control.abandon.value.store(1, std::memory_order_relaxed);
            return 1;
        }
    } catch (std::exception const& failure) {
        std::fprintf(stderr, "zeroipc-bench worker: %s\n", failure.what());
        return 1;
    }
}

}  // namespace zeroipc::bench
