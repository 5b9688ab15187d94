#include "zeroipc/bench/recorder.hpp"

#include <zeroipc/memory.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <stdexcept>

#include "process.hpp"
#include "subjects.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/segment_name.hpp"

namespace zeroipc::bench {

namespace {

using namespace recording;

constexpr std::uint64_t most_lives = 65'000;  ///< a worker's number has 16 bits

/// What all processes of a recording wait for.
struct Gate {
    std::atomic<std::uint32_t> ready;
    std::atomic<std::uint32_t> open;
    std::atomic<std::uint64_t> kills;
};
Gate* gate = nullptr;  ///< of the running recording; reached by a plain function in the workers

void wait_at_gate() {
    gate->ready.fetch_add(1);
    while (gate->open.load(std::memory_order_acquire) == 0) ::sched_yield();
}

Subject const& find_subject(std::string const& name) {
    std::string known;
    for (auto const& subject : subjects()) {
        if (subject.name == name || (subject.is_default && name == to_string(subject.structure)))
            return subject;
        if (name == "default" && subject.is_default) return subject;
        known += "\n  " + subject.name;
    }
    throw std::invalid_argument("no variant '" + name + "' to record; use queue, stack, map, or one of" +
                                known);
}

void check(RecordOptions const& options, Subject const& subject) {
    auto const refuse = [](std::string const& why) { throw std::invalid_argument(why); };
    if (options.workers == 0 || options.workers > most_workers)
        refuse(std::to_string(options.workers) + " workers; use 1 to " + std::to_string(most_workers));
    if (options.operations < options.workers)
        refuse(std::to_string(options.operations) + " operations; use at least one a worker");
    if (options.operations > (std::uint64_t{1} << 28))
        refuse(std::to_string(options.operations) + " operations; use at most 2^28");
    if (options.keys == 0) refuse("0 keys; use at least 1");
    if (options.kills > most_lives - most_workers)
        refuse(std::to_string(options.kills) + " kills; use at most " +
               std::to_string(most_lives - most_workers));
    if (options.kills > options.operations / 16)
        refuse(std::to_string(options.kills) + " kills in " + std::to_string(options.operations) +
               " operations; use at least 16 operations a kill");
    if (options.kills > 0 && !subject.kill_safe)
        refuse(subject.name +
               " is not safe against kills: survivors may wait for the dead for ever; record it without");
}

class Recording {
public:
    Recording(Topology const& topology, RecordOptions const& options)
        : topology_(topology),
          options_(options),
          subject_(find_subject(options.variant)),
          clock_(ClockInfo::calibrate()),
          random_(options.seed) {
        check(options, subject_);
        PlacementRequest request;
        request.workers = static_cast<int>(options.workers);
        request.strategy = options.explicit_cpus.empty() ? options.placement : "explicit";
        request.explicit_cpus = options.explicit_cpus;
        cpus_ = plan_placement(topology, request).worker_cpus;
        auto const signals = watched_signals();
        ::sigprocmask(SIG_BLOCK, &signals, &signals_before_);
    }
    Recording(Recording const&) = delete;
    Recording& operator=(Recording const&) = delete;
    Recording(Recording&&) = delete;
    Recording& operator=(Recording&&) = delete;
    ~Recording() {
        workers_.clear();
        ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
    }

    History run() {
        remove_stale_segments();
        skew_ = measure_skew(topology_, clock_, cpus_);
        auto const handles = std::min<std::uint32_t>(1000, 2 * options_.workers + 4);
        memory_options memory_options;
        memory_options.max_entries = 8;
        auto const bytes = format::table_end(memory_options.max_entries) +
                           subject_.bytes(options_.capacity, handles) + 2 * format::structure_alignment;
        auto memory = Memory::create(name_.text(), bytes, memory_options);
        subject_.create(memory, options_.capacity, handles);

        SharedMapping const shared(sizeof(Gate));
        gate = static_cast<Gate*>(shared.at());
        for (std::size_t place = 0; place < options_.workers; ++place)
            start(place, share_of(place), subject_.work);
        while (gate->ready.load() < options_.workers) pause();
        gate->open.store(1, std::memory_order_release);
        supervise();
        drain();
        return finish();
    }

private:
    struct Worker {
        std::size_t place;  ///< in cpus_
        std::uint16_t number;
        std::unique_ptr<Log> log;
        Process process;
    };

    [[nodiscard]] std::uint64_t share_of(std::size_t place) const {
        return options_.operations / options_.workers +
               (place < options_.operations % options_.workers ? 1 : 0);
    }

    Job job(Log& log, std::uint16_t number, std::size_t place, std::uint64_t operations) {
        return {log,
                Clock(clock_),
                number,
                operations,
                std::max<std::uint64_t>(8, 4 * options_.capacity / options_.workers),
                options_.keys,
                Pace{&gate->kills, options_.kills, share_of(place) - operations, share_of(place)},
                std::mt19937_64(options_.seed * 0x9e3779b97f4a7c15U + number)};
    }

    void start(std::size_t place, std::uint64_t operations, void (*work)(Memory&, Job&, void (*)())) {
        auto const number = static_cast<std::uint16_t>(history_.workers.size());
        history_.workers.push_back({cpus_[place], false});
        auto log = std::make_unique<Log>(operations);
        auto mine = job(*log, number, place, operations);
        Process process([&] {
            pin_this_process(topology_, cpus_[place]);
            auto memory = Memory::open(name_.text());
            work(memory, mine, &wait_at_gate);
        });
        workers_.push_back({place, number, std::move(log), std::move(process)});
    }

    /// Sleeps until a child ends or a little time is over.
    void pause() {
        auto const signals = watched_signals();
        std::timespec const time{0, 100'000};
        int const signal = ::sigtimedwait(&signals, nullptr, &time);
        if (signal == SIGINT || signal == SIGTERM) throw Interrupted();
        for (auto& worker : workers_) {
            auto const status = worker.process.ended();
            if (!status) continue;
            if (*status != 0 || worker.log->finished() != worker.log->capacity())
                throw std::runtime_error("worker " + std::to_string(worker.number) +
                                         " failed; nothing is recorded (waitpid status " +
                                         std::to_string(*status) + ")");
            collect(worker);
        }
        std::erase_if(workers_, [](Worker const& worker) { return worker.log == nullptr; });
        auto moved = collected_;
        for (auto const& worker : workers_) moved += worker.log->finished();
        auto const now = std::chrono::steady_clock::now();
        if (moved != moved_) last_move_ = now;
        moved_ = moved;
        if (now - last_move_ > std::chrono::seconds(60))
            throw std::runtime_error("no operation has ended for a minute; the workers were ended at " +
                                     std::to_string(moved) + " operations");
    }

    void collect(Worker& worker) {
        auto const widen = skew_[worker.place];
        for (auto op : worker.log->read()) {
            op.call -= std::min(op.call, widen);
            if (op.ret != never) op.ret += widen;
            history_.operations.push_back(op);
        }
        collected_ += worker.log->finished();
        worker.log.reset();
    }

    void supervise() {
        std::uint64_t kills = 0;
        while (!workers_.empty()) {
            pause();
            if (kills == options_.kills || workers_.empty()) continue;
            if (moved_ < (kills + 1) * (options_.operations / (options_.kills + 1))) continue;
            std::timespec const nap{0, static_cast<long>(random_() % 100'000)};
            ::nanosleep(&nap, nullptr);
            auto const at = workers_.begin() + static_cast<std::ptrdiff_t>(random_() % workers_.size());
            if (at->log->finished() == 0) continue;  // not at work yet
            at->process.kill();
            static_cast<void>(at->process.wait());
            gate->kills.store(++kills);
            auto const left = at->log->capacity() - at->log->finished();
            auto const place = at->place;
            history_.workers[at->number].killed = left > 0;
            collect(*at);
            workers_.erase(at);
            if (left > 0) start(place, left, subject_.work);
        }
    }

    /// What is still inside, by one worker more.
    void drain() {
        start(0, options_.capacity + options_.keys + 2, subject_.drain);
        auto& worker = workers_.back();
        if (worker.process.wait() != 0) throw std::runtime_error("emptying the structure failed");
        collect(worker);
        workers_.clear();
    }

    History finish() {
        history_.structure = subject_.structure;
        history_.capacity = options_.capacity;
        history_.ticks_per_ns = clock_.ticks_per_ns;
        history_.variant = subject_.name;
        history_.clock = clock_.name();
        history_.skew_ns = clock_.to_ns(*std::max_element(skew_.begin(), skew_.end()));
        history_.seed = options_.seed;
        std::sort(history_.operations.begin(), history_.operations.end(),
                  [](auto const& a, auto const& b) { return a.call < b.call; });
        return std::move(history_);
    }

    Topology const& topology_;
    RecordOptions const& options_;
    Subject const& subject_;
    ClockInfo clock_;
    std::mt19937_64 random_;
    SegmentName name_;
    sigset_t signals_before_{};
    std::vector<int> cpus_;
    std::vector<std::uint64_t> skew_;
    std::vector<Worker> workers_;
    History history_;
    std::uint64_t collected_ = 0, moved_ = 0;
    std::chrono::steady_clock::time_point last_move_ = std::chrono::steady_clock::now();
};

}  // namespace

History record(Topology const& topology, RecordOptions const& options) {
    return Recording(topology, options).run();
}

std::vector<RecordableVariant> recordable_variants() {
    std::vector<RecordableVariant> all;
    for (auto const& subject : subjects())
        all.push_back(
            {subject.name, subject.structure, subject.is_default, subject.kill_safe, subject.linearizable});
    return all;
}

}  // namespace zeroipc::bench
