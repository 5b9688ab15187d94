#pragma once
/// \file
/// Kills at random moments, among live processes: nobody waits for the dead, what a kill may cost is counted, and the
/// next handles find everything again.
///
/// Two survivors and a crowd of workers use one structure. Workers are killed one after the other, at random moments
/// of their operations and of their opening, and newcomers take their places. What they do and what must hold is the
/// workload's matter (zeroipc_item_kills.hpp, zeroipc_map_kills.hpp); the kills, the watch over progress and the
/// figures are the same for all.

#include <sched.h>
#include <zeroipc/memory.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc_kill_report.hpp"
#include "zeroipc_processes.hpp"

namespace zeroipc::testing {

inline std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// For survivors, between operations.
inline void rest_while_paused(kill_marks const& marks) {
    while (marks.pause.load(std::memory_order_relaxed) && !marks.stop) nap(std::chrono::microseconds(500));
}

/// Opens every handle slot in one go, as the examinations do. \return the handles; `verdict` says how many slots
/// are parked
template <class S>
std::vector<S> open_all(Memory& memory, kill_plan const& plan, kill_verdict& verdict) {
    std::vector<S> handles;
    auto const slots = S::algorithm::has_handles ? plan.handle_slots() : 1;
    for (std::uint32_t i = 0; i < slots; ++i) {
        try {
            handles.emplace_back(memory, "s");
        } catch (error const& e) {
            if (e.cause() != errc::no_handle_slot) throw;
            verdict.parked += slots - i;
            break;
        }
    }
    return handles;
}

/// One run. A workload has the type `structure`; a `ledger` with `marks`; and static
///   make(memory, plan)                     makes the structure "s"
///   prepare(handle, ledger, plan)          empties it, and whatever a round begins with
///   survive(handle, ledger, n, plan)       what survivor n does until marks.stop
///   live(handle, ledger, place, life, plan)  what a worker does until it is killed, or until marks.leave
///   costs(inside)                          whether a kill there may cost an item
///   used_up(ledger)                        whether the ledger has no room for a longer round
///   judge(memory, ledger, lives, costly, plan, verdict)  the examination
///   allowed(costly)                        items that may be missing after so many kills there.
template <class Workload>
class kill_run {
    using S = typename Workload::structure;
    using ledger = typename Workload::ledger;

public:
    kill_run(kill_plan const& plan, kill_watch const& watch)
        : plan_(plan),
          watch_(watch),
          random_(0, plan.seed),
          memory_(Memory::create(name_, (std::uint64_t{1} << 20) + S::bytes_for(plan.capacity))) {
        Workload::make(memory_, plan_);
    }

    kill_report run() {
        time_plain_opens();
        while (report_.kills < plan_.kills && going()) round();
        return std::move(report_);
    }

private:
    enum class outcome { yes, stopped, interrupted, ended };

    [[nodiscard]] bool going() {
        if (watch_.interrupted()) report_.interrupted = true;
        return !report_.interrupted && report_.faults.empty();
    }
    void fault(std::string text) { report_.faults.push_back(std::move(text)); }

    /// Looks until the condition holds, for as long as patience lasts and both survivors live.
    template <class Condition>
    outcome await(Condition&& condition) {
        auto const end = std::chrono::steady_clock::now() + plan_.patience;
        for (unsigned i = 0; !condition(); ++i) {
            if (i % 64 < 60) {
                ::sched_yield();
                continue;
            }
            nap(std::chrono::microseconds(50));
            for (auto& one : live_)
                if (auto const status = one.ended()) {
                    fault("a survivor " + in_words(*status));
                    return outcome::ended;
                }
            if (watch_.interrupted()) {
                report_.interrupted = true;
                return outcome::interrupted;
            }
            if (std::chrono::steady_clock::now() > end) return outcome::stopped;
        }
        return outcome::yes;
    }

    static std::string in_words(int status) {
        return status < 0 ? "was ended by signal " + std::to_string(-status)
                          : "ended with status " + std::to_string(status);
    }
    std::string patience_in_words() const { return std::to_string(plan_.patience.count()) + " ms"; }

    /// Both survivors do something that takes place, from now on. \return false, with a fault, if not.
    bool survivors_go_on(ledger& books, std::string const& when) {
        std::array<std::uint64_t, survivors> done{};
        std::array<std::uint64_t, survivors> tried{};
        auto const of_crowd = [&] {
            std::uint64_t sum = 0;
            for (auto const& one : books.marks.worker) sum += one.attempts;
            return sum;
        };
        auto const crowd = of_crowd();
        for (unsigned i = 0; i < survivors; ++i) {
            done[i] = books.marks.survivor[i].done;
            tried[i] = books.marks.survivor[i].attempts;
        }
        auto const result = await([&] {
            for (unsigned i = 0; i < survivors; ++i)
                if (books.marks.survivor[i].done == done[i]) return false;
            return true;
        });
        if (result == outcome::stopped) {
            std::string text = when + " no progress for " + patience_in_words() + ":";
            for (unsigned i = 0; i < survivors; ++i) {
                auto const& s = books.marks.survivor[i];
                text += std::string(i > 0 ? "," : "") + " survivor " + std::to_string(i + 1) + " tried " +
                        std::to_string(s.attempts - tried[i]) + " times, " +
                        std::to_string(s.done - done[i]) + " with success";
            }
            text += "; workers tried " + std::to_string(of_crowd() - crowd) + " times";
            report_.wedge = text;
            fault("wedged: " + text);
        }
        return result == outcome::yes;
    }

    /// Runs `body` in a child, so that neither a crash nor a hang of it is ours. \return whether it ended well
    template <class Body>
    bool in_child(std::string const& what, Body&& body) {
        child one(std::forward<Body>(body), 0);
        auto const end = std::chrono::steady_clock::now() + plan_.patience;
        auto status = one.ended();
        for (; !status && std::chrono::steady_clock::now() < end; status = one.ended())
            nap(std::chrono::microseconds(200));
        if (!status)
            fault(what + " did not end within " + patience_in_words());
        else if (*status != 0)
            fault(what + " " + in_words(*status));
        return status && *status == 0;
    }

    std::unique_ptr<child> newcomer(ledger& books, std::uint64_t place) {
        auto& me = books.marks.worker[place];
        me.inside = kill_actor::opening;
        me.done = 0;
        me.attempts = 0;
        me.open_ns = 0;
        auto const life = ++lives_;
        return std::make_unique<child>(
            [&, life] {
                timed_open([&](S& handle, std::uint64_t took) {
                    me.open_ns = took;
                    me.inside = 0;
                    Workload::live(handle, books, place, life, plan_);
                });
            },
            0);
    }

    enum class moment { working, opening, now };

    /// Kills the worker of a place, at a random moment of its operations or of its opening.
    bool kill_one(ledger& books, std::uint64_t place, std::unique_ptr<child>& worker, moment when) {
        auto& it = books.marks.worker[place];
        if (when == moment::working &&
            await([&] { return it.attempts > 0 || worker->ended(); }) == outcome::stopped)
            fault("a newcomer did not get through its first operation within " + patience_in_words());
        if (when != moment::now) nap(std::chrono::nanoseconds(random_.below(800000)));
        worker->kill();
        int const status = worker->wait();
        worker.reset();
        if (status != -SIGKILL) fault("a worker " + in_words(status));
        ++report_.kills;
        auto const inside = it.inside.load();
        if (inside == kill_actor::opening)
            ++report_.opening;
        else if (inside != 0)
            ++report_.inside;
        costly_ += Workload::costs(inside);
        if (it.open_ns != 0) report_.open_ns.push_back(static_cast<double>(it.open_ns));
        watch_.killed();
        return report_.faults.empty();
    }

    /// Gives each survivor a processor of its own, where there are enough: whether they share one or run side by side
    /// decides their speed more than all else, and must be the same before and after.
    static void pin(unsigned survivor) {
        cpu_set_t all;
        CPU_ZERO(&all);
        if (::sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < static_cast<int>(survivors))
            return;
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &all) || survivor-- > 0) continue;
            CPU_ZERO(&all);
            CPU_SET(cpu, &all);
            ::sched_setaffinity(0, sizeof all, &all);
            return;
        }
    }

    /// CPU time of a living child, in ns.
    static std::uint64_t cpu_ns(child const& one) {
        clockid_t clock{};
        std::timespec time{};
        if (::clock_getcpuclockid(one.pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
        return static_cast<std::uint64_t>(time.tv_sec) * 1000000000U +
               static_cast<std::uint64_t>(time.tv_nsec);
    }

    /// The survivors' throughput over one slice.
    kill_slice slice(ledger& books) {
        struct reading {
            std::uint64_t at = 0;
            std::uint64_t cpu = 0;
            std::uint64_t done = 0;
        };
        auto const read = [&] {
            reading r{now_ns()};
            for (auto const& one : live_) r.cpu += cpu_ns(one);
            for (auto const& one : books.marks.survivor) r.done += one.done;
            return r;
        };
        auto const rate = [](std::uint64_t operations, std::uint64_t ns) {
            return static_cast<double>(operations) * 1e9 /
                   static_cast<double>(std::max<std::uint64_t>(1, ns));
        };
        auto const start = read();
        nap(plan_.slice);
        auto const end = read();
        return {rate(end.done - start.done, end.at - start.at),
                rate(end.done - start.done, end.cpu - start.cpu)};
    }

    /// Lets a crowd work for a while, and leave in order: use alone moves buffers and nodes about, which tells in
    /// speed.
    bool wear(ledger& books) {
        std::vector<std::unique_ptr<child>> crowd;
        for (std::uint64_t i = 0; i < plan_.crowd; ++i) crowd.push_back(newcomer(books, i));
        nap(plan_.slice * 10);
        books.marks.leave = true;
        bool right = true;
        for (auto& one : crowd) {
            auto const result = await([&] { return one->ended().has_value(); });
            right = result == outcome::yes && one->ended() == 0 && right;
        }
        books.marks.leave = false;
        if (!right) fault("a worker did not leave in order");
        return right;
    }

    /// Slices in turn with such of a structure that a crowd has used too, without kills: what the machine does to one,
    /// it does to both. \return whether all went on
    bool compare_with_fresh(ledger& books) {
        kill_run fresh(plan_, watch_);
        shared<ledger> theirs;
        books.marks.pause = true;
        bool right = fresh.start(*theirs) && fresh.wear(*theirs);
        auto const measure = [&](kill_run& who, ledger& its, ledger& other, std::vector<kill_slice>& slices) {
            other.marks.pause = true;
            its.marks.pause = false;
            nap(std::chrono::milliseconds(3));  // a pause is noticed within one
            slices.push_back(who.slice(its));
        };
        for (unsigned i = 0; right && i < plan_.slices && !watch_.interrupted(); ++i) {
            measure(*this, books, *theirs, report_.after);
            measure(fresh, *theirs, books, report_.fresh);
        }
        books.marks.pause = false;
        theirs->marks.pause = false;
        fresh.finish(*theirs);
        for (auto const& one : fresh.report_.faults) fault("on the structure without kills: " + one);
        return right;
    }

    /// What newcomers take where nobody is dead: each in a process of its own, as theirs are.
    void time_plain_opens() {
        shared<std::atomic<std::uint64_t>> took;
        for (int i = 0; plan_.slices > 0 && i < 100 && going(); ++i)
            if (in_child("opening beside nobody",
                         [&] { *took = timed_open([](S& /*handle*/, std::uint64_t /*ns*/) {}); }))
                report_.plain_open_ns.push_back(static_cast<double>(took->load()));
    }

    /// Opens the segment and, timed, the structure; then runs `body(handle)`.
    template <class Body>
    std::uint64_t timed_open(Body&& body) {
        auto mine = Memory::open(name_.str());
        auto const start = now_ns();
        S handle(mine, "s");
        auto const took = std::max<std::uint64_t>(1, now_ns() - start);
        body(handle, took);
        return took;
    }

    /// The kills of a round. \return whether all went on
    bool kill_many(ledger& books, std::uint64_t n) {
        std::vector<std::unique_ptr<child>> crowd(std::min(n, plan_.crowd));
        for (std::uint64_t i = 0; i < crowd.size(); ++i) crowd[i] = newcomer(books, i);
        bool right = true;
        std::uint64_t turn = 0;
        constexpr auto none = ~std::uint64_t{0};
        auto fresh = none;  // a place whose newcomer has only just been started
        for (std::uint64_t k = 0; k < n && right; ++k) {
            // Mostly in turn; now and then a newcomer that may still be at its recovery.
            bool const early = fresh != none && random_.below(4) == 0;
            while (!early && !crowd[turn % crowd.size()]) ++turn;
            auto const place = early ? fresh : turn++ % crowd.size();
            right = going() && !Workload::used_up(books) &&
                    kill_one(books, place, crowd[place], early ? moment::opening : moment::working) &&
                    survivors_go_on(books, "after kill " + std::to_string(report_.kills));
            fresh = none;
            if (right && k + crowd.size() < n) {
                crowd[place] = newcomer(books, place);
                fresh = place;
            }
        }
        // Who is left, if it ended early.
        for (std::uint64_t i = 0; i < crowd.size(); ++i)
            if (crowd[i]) kill_one(books, i, crowd[i], moment::now);
        return report_.faults.empty();
    }

    /// Sets a round's survivors going.
    bool start(ledger& books) {
        {
            S handle(memory_, "s");
            Workload::prepare(handle, books, plan_);
        }
        for (unsigned i = 0; i < survivors; ++i)
            live_.emplace_back(
                [&, i] {
                    if (plan_.slices > 0) pin(i);
                    auto mine = Memory::open(name_.str());
                    S handle(mine, "s");
                    Workload::survive(handle, books, i, plan_);
                },
                0);
        return survivors_go_on(books, "before any kill of this round");
    }

    void round() {
        auto const n = std::min(kills_a_round, plan_.kills - report_.kills);
        bool const first = report_.kills == 0;
        shared<ledger> books;
        lives_ = 0;
        costly_ = 0;
        bool right = start(*books);
        for (unsigned i = 0; right && first && i < plan_.slices && !watch_.interrupted(); ++i)
            report_.before.push_back(slice(*books));
        right = right && kill_many(*books, n);
        if (right && report_.kills >= plan_.kills && plan_.slices > 0 && going()) {
            right = in_child("recovery of all handles",
                             [&] {
                                 auto mine = Memory::open(name_.str());
                                 kill_verdict ignored;
                                 open_all<S>(mine, plan_, ignored);
                             }) &&
                    survivors_go_on(*books, "after recovery");
            if (right) compare_with_fresh(*books);
        }
        finish(*books);
    }

    void finish(ledger& books) {
        for (auto const& one : books.marks.survivor) report_.operations += one.done;
        books.marks.stop = true;
        bool whole = !report_.wedge;
        auto const end = std::chrono::steady_clock::now() + plan_.patience;
        for (auto& one : live_) {
            auto status = one.ended();
            for (; whole && !status && std::chrono::steady_clock::now() < end; status = one.ended())
                nap(std::chrono::microseconds(200));
            if (whole && (!status || *status != 0)) {
                fault("a survivor " + (status ? in_words(*status) : "did not end when asked"));
                whole = false;
            }
        }
        live_.clear();
        if (!whole) return;
        shared<kill_verdict> verdict;
        if (!in_child("the examination", [&] {
                auto mine = Memory::open(name_.str());
                Workload::judge(mine, books, lives_, costly_, plan_, *verdict);
            }))
            return;
        auto& all = report_.sum;
        all.missing += verdict->missing;
        all.doubled += verdict->doubled;
        all.disorder += verdict->disorder;
        all.nonsense += verdict->nonsense;
        all.parked += verdict->parked;
        all.odd += verdict->odd;
        all.full_capacity = verdict->full_capacity;
        report_.costly += costly_;
        report_.allowed += Workload::allowed(costly_);
        auto const none = [&](std::uint64_t count, char const* what) {
            if (count > 0) fault(std::to_string(count) + " " + what);
        };
        if (verdict->missing > Workload::allowed(costly_))
            fault(std::to_string(verdict->missing) + " missing, and only " +
                  std::to_string(Workload::allowed(costly_)) + " kills may have cost one");
        none(verdict->doubled, "doubled");
        none(verdict->disorder, "out of order");
        none(verdict->nonsense, "that nobody put in, or torn");
        none(verdict->parked, "handle slots parked");
        none(verdict->odd, "buffers, nodes or blocks that not exactly one owns");
        if (!verdict->full_capacity) fault("the full capacity is not there again");
    }

    kill_plan plan_;
    kill_watch watch_;
    random_source random_;
    segment_name name_;
    Memory memory_;
    std::vector<child> live_;  ///< the survivors
    std::uint64_t lives_ = 0;
    std::uint64_t costly_ = 0;
    kill_report report_;
};

}  // namespace zeroipc::testing
