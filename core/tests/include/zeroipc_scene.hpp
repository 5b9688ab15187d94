#pragma once
/// \file
/// One operation of one structure, by a process that is SIGKILLed before a chosen shared step, beside others: a
/// survivor that holds a handle all the time, and perhaps a process that sleeps in the kernel meanwhile.

#include <sys/wait.h>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <tuple>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::testing {

/// The longest that anybody sleeps without looking again, as format/queue.md promises.
inline constexpr std::chrono::milliseconds longest_sleep{50};

/// Sleeps as shipped, counts that, and leaves with exit status 50 where it would sleep for longer than promised:
/// a sleeper whose waker is dead goes on by itself after that time.
struct light_sleeper : atomics::native {
    static visible*& seen() {
        static visible* one = nullptr;
        return one;
    }
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t value,
                           std::chrono::nanoseconds limit) noexcept {
        if (limit > longest_sleep) ::_exit(50);
        if (seen() != nullptr) ++seen()->sleeps;
        atomics::native::futex_wait(at, value, limit);
    }
};

/// Who sleeps beside the victim: nobody; one who wants what the victim's operation gives; or one who wants what the
/// victim waits for.
enum class company { nobody, served, rival };

/// How it came out.
struct ending {
    bool died = false;
    access died_at = access::other;
    std::uint64_t commits = 0;  ///< of the victim, where the structure has words that say so
    std::uint64_t reliefs = 0;
    std::uint64_t steps = 0;              ///< of a victim that lived
    std::uint64_t announced_at = 0;       ///< its first step of going to sleep; 0: none
    std::uint64_t got = 0;                ///< by the sleeper
    std::chrono::nanoseconds awaited{0};  ///< from the victim's end to the sleeper's
};

/// \tparam Kit the types of one structure: survivor, victim, sleeper; and make(memory), commit_words(at).
template <class Kit>
struct scene {
    std::string name;
    std::function<void(typename Kit::survivor&)> prepare;
    std::function<bool(typename Kit::victim&)> act;          ///< \return whether the answer was right
    std::function<void(typename Kit::survivor&)> relieve{};  ///< gives one what it waits for
    company who = company::nobody;
    std::function<std::uint64_t(typename Kit::sleeper&)> sleep{};
    std::function<void(Memory&, typename Kit::survivor&, ending const&)> check{};
};

/// What the processes of one scene note.
struct scene_books {
    visible victim;
    visible sleeper;
    std::atomic<std::uint64_t> steps{0};
    std::atomic<std::uint64_t> got{0};
};

/// It can be waited for later.
inline bool has_ended(child const& one) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(one.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

/// Whether somebody waits whom only the survivor can help.
inline bool relief_is_due(company who, scene_books const& b, bool victim_ended, bool sleeper_ended,
                          std::uint64_t reliefs) {
    bool const victim_waits = !victim_ended && b.victim.sleeps > 0;
    switch (who) {
        case company::nobody:
            return victim_waits && reliefs == 0;
        case company::served:
            return victim_ended && !sleeper_ended && b.victim.commits == 0 && reliefs == 0;
        case company::rival:
            return (victim_waits || victim_ended) && reliefs == b.victim.commits + (sleeper_ended ? 1 : 0);
    }
    return false;
}

/// Plays a scene once. The victim dies before step k of its operation, or, at 0, lives.
template <class Kit>
ending play(scene<Kit> const& s, std::uint64_t k) {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 14);
    auto survivor = Kit::make(memory);
    s.prepare(survivor);
    shared<scene_books> const books;

    std::optional<child> sleeper;
    if (s.who != company::nobody) {
        sleeper.emplace([&] {
            auto mine = Memory::open(name.str());
            light_sleeper::seen() = &books->sleeper;
            typename Kit::sleeper handle(mine, Kit::entry);
            books->got = s.sleep(handle);
        });
        until([&] { return books->sleeper.sleeps > 0 || has_ended(*sleeper); });
    }
    child doomed([&] {
        auto mine = Memory::open(name.str());
        auto* const at = mine.base() + mine.find(Kit::entry)->offset;
        typename Kit::victim handle(mine, Kit::entry);
        auto& f = fate::now();
        f = {};
        f.last = k;
        f.seen = &books->victim;
        std::tie(f.cells, f.cells_end) = Kit::commit_words(at);
        bool const right = s.act(handle);
        books->steps = f.taken;
        f = {};
        return right ? 0 : 1;
    });

    ending e;
    std::chrono::steady_clock::time_point death;
    bool victim_ended = false;
    for (;;) {
        if (!victim_ended && has_ended(doomed)) {
            victim_ended = true;
            death = std::chrono::steady_clock::now();
        }
        bool const sleeper_ended = !sleeper || has_ended(*sleeper);
        if (victim_ended && sleeper_ended) break;
        if (s.relieve && relief_is_due(s.who, *books, victim_ended, sleeper_ended, e.reliefs)) {
            s.relieve(survivor);
            ++e.reliefs;
        }
        nap(std::chrono::microseconds(20));
    }
    if (sleeper) {
        e.awaited = std::chrono::steady_clock::now() - death;
        REQUIRE(sleeper->wait() == 0);
    }
    int const status = doomed.wait();
    REQUIRE((status == 0 || status == -SIGKILL));
    e.died = status != 0;
    e.died_at = books->victim.died_at;
    e.commits = books->victim.commits;
    e.steps = books->steps;
    e.announced_at = books->victim.announced_at;
    e.got = books->got;
    s.check(memory, survivor, e);
    return e;
}

/// Where the deaths of one operation were.
struct deaths {
    std::uint64_t all = 0;
    std::uint64_t last_step = 0;
    std::array<std::uint64_t, 4> of{};  ///< by access
    std::chrono::nanoseconds longest{0};

    [[nodiscard]] std::uint64_t at(access what) const { return of[static_cast<std::size_t>(what)]; }
};

/// Plays a scene once for each step of its operation, until the victim lives, and prints the steps reached. \param all
/// even those in the middle of spinning, where one attempt is like another.
template <class Kit>
deaths at_each_step(scene<Kit> const& s, bool all) {
    constexpr std::uint64_t ends = 40;  // an attempt or two
    INFO(s.name);
    auto const whole = play(s, 0);
    REQUIRE_FALSE(whole.died);
    deaths d;
    bool const skips = !all && whole.announced_at > 2 * ends;
    for (std::uint64_t k = 1;; ++k) {
        if (skips && k == ends) k = whole.announced_at - ends;
        INFO("killed before step " << k);
        auto const e = play(s, k);
        if (!e.died) break;
        ++d.all;
        d.last_step = k;
        ++d.of[static_cast<std::size_t>(e.died_at)];
        d.longest = std::max(d.longest, e.awaited);
        REQUIRE(k < 10000);
    }
    char const* const beside = s.who == company::nobody   ? ""
                               : s.who == company::served ? ", a sleeper served"
                                                          : ", a sleeper beside";
    std::printf("%s%s: steps 1 to ", s.name.c_str(), beside);
    if (skips)
        std::printf("%llu and %llu to ", static_cast<unsigned long long>(ends - 1),
                    static_cast<unsigned long long>(whole.announced_at - ends));
    std::printf("%llu reached (%llu announce, %llu sleep, %llu wake)",
                static_cast<unsigned long long>(d.last_step),
                static_cast<unsigned long long>(d.at(access::announcement)),
                static_cast<unsigned long long>(d.at(access::sleep)),
                static_cast<unsigned long long>(d.at(access::wake)));
    if (s.who != company::nobody)
        std::printf(", sleeper gone on after at most %.0f ms", static_cast<double>(d.longest.count()) * 1e-6);
    std::printf("\n");
    // Alone, an operation has as many steps each time, up to its first sleep.
    if (s.who == company::nobody && whole.announced_at == 0)
        CHECK(d.last_step == whole.steps);
    else
        CHECK(d.last_step >= whole.announced_at);
    if (whole.announced_at != 0) CHECK(d.at(access::announcement) > 0);
    if (whole.announced_at != 0 && s.relieve && s.who != company::served) CHECK(d.at(access::sleep) > 0);
    if (s.who == company::served) CHECK(d.at(access::wake) > 0);
    return d;
}

}  // namespace zeroipc::testing
