/// \file
/// Finds by two processes against finds by one: two forked processes, each pinned to a CPU of its own, search
/// one map. First the one searches alone, then both, then the other alone, so that a drift of the machine's
/// speed cancels out. A probe of two cache lines before and after tells how far apart the two CPUs are, which
/// on a virtual machine changes: only rounds on separate cores say what two processes do, and each is marked.

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zeroipc/bench/clock.hpp>
#include <zeroipc/bench/pinning.hpp>
#include <zeroipc/bench/placement.hpp>
#include <zeroipc/bench/separation.hpp>
#include <zeroipc/bench/topology.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <new>
#include <stdexcept>

#include "map_peers.hpp"

namespace zeroipc::micro {

#if defined(ZEROIPC_MICRO_MAP)
namespace {

constexpr std::size_t workers = 2;
constexpr std::array<unsigned, 3> phases{0b01, 0b11, 0b10};  ///< who searches: one bit a worker

struct span_of_time {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t cpu = 0;  ///< of the worker: less than from begin to end where others had its processor
};

/// What the processes share beside the map.
struct control {
    alignas(64) std::atomic<unsigned> opened{0};
    alignas(64) std::atomic<unsigned> arrived{0};
    alignas(64) std::atomic<std::uint64_t> there{0};
    alignas(64) std::atomic<std::uint64_t> back{0};
    alignas(64) std::array<std::array<span_of_time, workers>, phases.size()> spans{};
    double probe_before_ns = 0;
    double probe_after_ns = 0;
    std::array<std::array<char, 160>, workers> errors{};
};

/// A control that outlives a fork.
class shared_control {
public:
    shared_control() {
        void* const at =
            ::mmap(nullptr, sizeof(control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::bad_alloc();
        at_ = new (at) control;
    }
    ~shared_control() { ::munmap(at_, sizeof(control)); }
    shared_control(shared_control const&) = delete;
    shared_control& operator=(shared_control const&) = delete;
    shared_control(shared_control&&) = delete;
    shared_control& operator=(shared_control&&) = delete;
    control& operator*() const noexcept { return *at_; }
    control* operator->() const noexcept { return at_; }

private:
    control* at_;
};

/// One of the two, in its own process. The other one's end, and the parent's, end it.
class worker {
public:
    worker(control& shared, std::size_t index, std::string const& segment)
        : control_(shared),
          index_(index),
          memory_(Memory::open(segment)),
          map_(memory_, "map"),
          wanted_(shuffled_keys(0, chosen().keys)) {
        // Not both in the same order, for then one would find in the shared cache what the other brought.
        std::rotate(wanted_.begin(),
                    wanted_.begin() + static_cast<std::ptrdiff_t>(index_ * wanted_.size() / workers),
                    wanted_.end());
    }

    void run() {
        control_.opened.fetch_add(1, std::memory_order_release);
        search();  // brings in pages and caches
        meet();
        probe(control_.probe_before_ns);
        for (std::size_t phase = 0; phase < phases.size(); ++phase) {
            meet();
            if (phases[phase] == 0b11) meet_awake();
            if ((phases[phase] >> index_ & 1U) == 0) continue;
            auto& span = control_.spans[phase][index_];
            auto const cpu = cpu_ns();
            span.begin = bench::monotonic_ns();
            search();
            span.end = bench::monotonic_ns();
            span.cpu = cpu_ns() - cpu;
        }
        meet();
        probe(control_.probe_after_ns);
    }

private:
    void search() {
        for (auto const key : wanted_) {
            map_value found = 0;
            if (!map_.find(key, found) || found != value_of(key))
                throw std::runtime_error("a key was not found, or with another value");
        }
    }

    /// Asleep while waiting: who waits must not slow the other one down on a core that they share.
    void meet() {
        wait([] {
            std::timespec const nap{0, 50'000};
            ::nanosleep(&nap, nullptr);
        });
    }
    /// Awake, so that both go on at once.
    void meet_awake() {
        wait([] {});
    }

    template <class Pause>
    void wait(Pause pause) {
        target_ += workers;
        control_.arrived.fetch_add(1, std::memory_order_acq_rel);
        while (control_.arrived.load(std::memory_order_acquire) < target_) pause();
    }

    /// The median round trip over two cache lines, of 20 groups of 100, by the first worker.
    void probe(double& result) {
        constexpr std::size_t groups = 20;
        constexpr std::uint64_t rounds = 100;
        std::array<double, groups> means{};
        meet_awake();
        for (std::size_t group = 0; group <= groups; ++group) {  // the first one warms up
            auto const begin = bench::monotonic_ns();
            for (std::uint64_t i = 0; i < rounds; ++i) turn(++turn_);
            if (group > 0)
                means[group - 1] =
                    static_cast<double>(bench::monotonic_ns() - begin) / static_cast<double>(rounds);
        }
        if (index_ != 0) return;
        std::nth_element(means.begin(), means.begin() + groups / 2, means.end());
        result = means[groups / 2];
    }
    void turn(std::uint64_t value) const {
        if (index_ == 0) control_.there.store(value, std::memory_order_release);
        auto const& awaited = index_ == 0 ? control_.back : control_.there;
        while (awaited.load(std::memory_order_acquire) != value) {
        }
        if (index_ != 0) control_.back.store(value, std::memory_order_release);
    }

    control& control_;
    std::size_t index_;
    Memory memory_;
    shared_map map_;
    std::vector<map_key> wanted_;
    unsigned target_ = 0;
    std::uint64_t turn_ = 0;
};

/// The machine, and the CPUs for the two.
struct place {
    bench::Topology topology = bench::Topology::this_machine();
    bench::Placement placement = bench::plan_placement(topology, {static_cast<int>(workers), "spread"});
    bench::SeparationGate gate{topology, bench::processor_is_virtual(), chosen().separate_cores_ns};

    [[nodiscard]] bool is_apart(control const& shared) const {
        auto const& cpus = placement.worker_cpus;
        return gate.judge(cpus[0], cpus[1], shared.probe_before_ns, shared.probe_after_ns) ==
               bench::Separation::apart;
    }
};

[[noreturn]] void live(control& shared, std::size_t index, std::string const& segment, place const& where,
                       pid_t parent, signals_held const& held) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    held.release_in_child();
    try {
        bench::pin_this_process(where.topology, where.placement.worker_cpus[index]);
        worker(shared, index, segment).run();
        ::_exit(0);
    } catch (std::exception const& error) {
        auto& text = shared.errors[index];
        std::string_view const what = error.what();
        std::copy_n(what.begin(), std::min(what.size(), text.size() - 1), text.begin());
    }
    ::_exit(1);
}

/// The forked processes; ended with the scope.
class crew {
public:
    crew() = default;
    ~crew() {
        for (auto const pid : pids_)
            if (pid > 0) ::kill(pid, SIGKILL);
        for (auto const pid : pids_)
            if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
    crew(crew const&) = delete;
    crew& operator=(crew const&) = delete;
    crew(crew&&) = delete;
    crew& operator=(crew&&) = delete;

    void start(control& shared, std::string const& segment, place const& where, signals_held const& held) {
        auto const parent = ::getpid();
        for (std::size_t i = 0; i < workers; ++i) {
            pids_[i] = ::fork();
            if (pids_[i] == 0) live(shared, i, segment, where, parent, held);
            if (pids_[i] < 0) throw std::system_error(errno, std::system_category(), "fork");
        }
    }

    /// Sleeps until `done()`, or all have ended well. \throws std::runtime_error when one ended badly.
    template <class Done>
    void wait(control const& shared, Done done) {
        while (!done()) {
            if (std::all_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid <= 0; })) return;
            for (std::size_t i = 0; i < workers; ++i) reap(shared, i);
            std::timespec const nap{0, 500'000};
            ::nanosleep(&nap, nullptr);
        }
    }

private:
    void reap(control const& shared, std::size_t i) {
        int status = 0;
        if (pids_[i] <= 0 || ::waitpid(pids_[i], &status, WNOHANG) == 0) return;
        pids_[i] = 0;
        if (WIFSIGNALED(status))
            throw std::runtime_error("a searching process was ended by signal " +
                                     std::to_string(WTERMSIG(status)));
        if (WEXITSTATUS(status) != 0)
            throw std::runtime_error(std::string("a searching process failed: ") + shared.errors[i].data());
    }

    std::array<pid_t, workers> pids_{};
};

/// Runs all phases once; leaves times and probes in `shared`.
void run_once(control& shared, place const& where) {
    auto const name = fresh_name();
    crew both;
    auto held = std::make_unique<signals_held>();
    auto memory =
        Memory::create(name, segment_bytes(bytes_for<shared_map>(capacity_for(chosen().keys),
                                                                 sizeof(map_key) + sizeof(map_value))));
    try {
        shared_map map(memory, "map", capacity_for(chosen().keys));
        for (std::uint64_t i = 0; i < chosen().keys; ++i) map.insert(scattered(i), value_of(scattered(i)));
        both.start(shared, name, where, *held);
        both.wait(shared, [&] { return shared.opened.load(std::memory_order_acquire) == workers; });
    } catch (...) {
        Memory::unlink(name);
        throw;
    }
    Memory::unlink(name);
    held.reset();
    both.wait(shared, [] { return false; });
}

/// Finds a second of one process, of two, and the multiple that those are.
struct rates {
    double one;
    double two;
    [[nodiscard]] double ratio() const { return two / one; }
};

double per_s(std::uint64_t finds, std::uint64_t ns) {
    return static_cast<double>(finds) * 1e9 / static_cast<double>(std::max<std::uint64_t>(ns, 1));
}

/// By the time of day: what two processes get done, whatever holds them up.
rates by_clock(control const& shared, std::uint64_t keys) {
    auto const& [first, both, second] = shared.spans;
    return {per_s(2 * keys, first[0].end - first[0].begin + second[1].end - second[1].begin),
            per_s(2 * keys, std::max(both[0].end, both[1].end) - std::min(both[0].begin, both[1].begin))};
}

/// By the CPU time they used: without what other programs on the machine took from them.
rates by_cpu(control const& shared, std::uint64_t keys) {
    auto const& [first, both, second] = shared.spans;
    return {per_s(2 * keys, first[0].cpu + second[1].cpu),
            per_s(keys, both[0].cpu) + per_s(keys, both[1].cpu)};
}

void scale(benchmark::State& state, place const& where) {
    auto const keys = chosen().keys;
    for (auto _ : state) {
        shared_control shared;
        run_once(*shared, where);
        auto const clock = by_clock(*shared, keys);
        state.SetIterationTime(1 / clock.two);
        state.counters["one_process_per_s"] = clock.one;
        state.counters["two_processes_per_s"] = clock.two;
        state.counters["two_over_one"] = clock.ratio();
        state.counters["two_over_one_by_cpu_time"] = by_cpu(*shared, keys).ratio();
        state.counters["probe_before_ns"] = shared->probe_before_ns;
        state.counters["probe_after_ns"] = shared->probe_after_ns;
        state.counters["separate_cores"] = where.is_apart(*shared) ? 1 : 0;
    }
}

}  // namespace

std::string register_processes() {
    try {
        auto const where = std::make_shared<place>();
        if (where->placement.oversubscribed)
            return "left out: only one CPU (" + bench::format_cpus(where->placement.worker_cpus) +
                   ") may be used";
        add("map_find_processes/two", [where](benchmark::State& state) { scale(state, *where); })
            ->Iterations(1)
            ->UseManualTime();
        return "CPUs " + bench::format_cpus(where->placement.worker_cpus);
    } catch (std::exception const& error) {
        return std::string("left out: ") + error.what();
    }
}

#else

std::string register_processes() { return "left out: there is no map"; }

#endif

}  // namespace zeroipc::micro
