#pragma once
/// \file
/// Waiting policies: how a blocking operation passes the time until its non-blocking form succeeds.
///
/// Whatever the own policy, every successful operation wakes sleepers of other processes (see `waiters`), so
/// processes with different policies may share one structure.

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

#include "atomics.hpp"
#include "policy.hpp"

namespace zeroipc {

/// When a blocking operation gives up: never, if empty.
using deadline = std::optional<std::chrono::steady_clock::time_point>;

inline bool is_over(deadline const& end) { return end && std::chrono::steady_clock::now() >= *end; }

namespace detail {

/// A 32-bit futex word in shared memory: bit 0 says that somebody may sleep on it, the rest counts wake-ups.
template <class Atomics>
class waiters {
public:
    using word = typename Atomics::template word<std::uint32_t>;

    /// For who is about to sleep: raises the bit. \return what to pass to sleep() if the condition still
    /// fails.
    static std::uint32_t announce(word& at) noexcept {
        // (W1) seq_cst read-modify-write, then a fence: the bit stands before the condition is examined
        // again. Partner: (W3). Either the sleeper sees the commit, or the committer sees the bit.
        auto const seen = at.fetch_or(sleeping, std::memory_order_seq_cst) | sleeping;
        Atomics::fence_after_rmw();
        return seen;
    }

    /// Sleeps at most 50 ms: a process killed between (W4) and its system call harms nobody for longer.
    static void sleep(word& at, std::uint32_t seen, std::chrono::nanoseconds limit) noexcept {
        // (W2) The kernel compares the word with `seen` before it sleeps. Partner: (W4).
        Atomics::futex_wait(at, seen, std::min<std::chrono::nanoseconds>(limit, longest));
    }

    /// For who has just committed. Without a sleeper it is one load.
    template <bool CommittedByRmw, class Observer>
    static void notify(word& at, Observer& observer) noexcept {
        // (W3) commit, fence, load. Partner: (W1).
        if constexpr (CommittedByRmw)
            Atomics::fence_after_rmw();
        else
            Atomics::fence(std::memory_order_seq_cst);
        auto const seen = at.load(std::memory_order_relaxed);
        if ((seen & sleeping) != 0) [[unlikely]]
            wake_all(at, seen, observer);
    }

    static constexpr std::chrono::milliseconds longest{50};

private:
    static constexpr std::uint32_t sleeping = 1;

    /// Never part of the operation that has committed: most find nobody asleep.
    template <class Observer>
    [[gnu::noinline]] static void wake_all(word& at, std::uint32_t seen, Observer& observer) noexcept {
        // (W4) Clearing the bit makes it right again after a sleeper's death; counting keeps a late sleeper
        // awake. Partner: (W2). Bounded, so that no hostile peer holds us here; whoever sleeps looks again by
        // himself.
        for (int round = 0; round < 1000 && (seen & sleeping) != 0; ++round) {
            if (at.compare_exchange_weak(seen, (seen + 2) & ~sleeping, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
                observer.system_call();
                Atomics::futex_wake_all(at);
                return;
            }
        }
    }
};

/// Makes that many attempts with a pause behind each. \return whether one succeeded
template <class Try>
bool succeeds_within(int spins, Try&& attempt) {
    for (int i = 0; i < spins; ++i) {
        if (attempt()) return true;
        atomics::cpu_relax();
    }
    return false;
}

}  // namespace detail

namespace waiting {

/// Spins with a pause. Fast, and hard on whoever shares the processor.
struct spin {
    using policy_kind = policy::waiting_kind;
    static constexpr std::string_view name = "spin";
    static constexpr bool sleeps = false;

    template <class Atomics, class Try, class Observer>
    static bool wait(typename detail::waiters<Atomics>::word& /*at*/, Try&& attempt, deadline const& end,
                     Observer& /*observer*/) {
        for (unsigned round = 1;; ++round) {
            if (attempt()) return true;
            atomics::cpu_relax();
            if (round % 64 == 0 && is_over(end)) return false;
        }
    }
};

/// Gives the processor away between attempts.
struct yield {
    using policy_kind = policy::waiting_kind;
    static constexpr std::string_view name = "yield";
    static constexpr bool sleeps = false;

    template <class Atomics, class Try, class Observer>
    static bool wait(typename detail::waiters<Atomics>::word& /*at*/, Try&& attempt, deadline const& end,
                     Observer& observer) {
        for (;;) {
            if (attempt()) return true;
            if (is_over(end)) return false;
            observer.system_call();
            ::sched_yield();
        }
    }
};

/// Makes some attempts with a pause behind each, then sleeps in the kernel until woken.
template <int Spins>
struct sleeping {
    using policy_kind = policy::waiting_kind;
    static constexpr bool sleeps = true;
    static constexpr int spins = Spins;

    template <class Atomics, class Try, class Observer>
    static bool wait(typename detail::waiters<Atomics>::word& at, Try&& attempt, deadline const& end,
                     Observer& observer) {
        using waiters = detail::waiters<Atomics>;
        if (detail::succeeds_within(spins, attempt)) return true;
        for (;;) {
            auto const seen = waiters::announce(at);
            if (attempt()) return true;
            if (is_over(end)) return false;
            auto const left = end ? *end - std::chrono::steady_clock::now() : std::chrono::nanoseconds::max();
            observer.system_call();
            if (left > std::chrono::nanoseconds::zero()) waiters::sleep(at, seen, left);
        }
    }
};

/// Spins for some microseconds before the first sleep. The default.
struct futex : sleeping<200> {
    static constexpr std::string_view name = "futex";
};

}  // namespace waiting

namespace policy {

/// A way to wait: `wait` makes attempts until one succeeds or the time is over, and says which.
template <class P, class Atomics, class Observer>
concept waiting_policy = of_kind<P, waiting_kind> &&
    requires(typename Atomics::template word<std::uint32_t>& at, bool (*attempt)(), deadline const& end,
             Observer& observer) {
    { P::sleeps } -> std::convertible_to<bool>;
    { P::template wait<Atomics>(at, attempt, end, observer) } -> std::same_as<bool>;
};

}  // namespace policy
}  // namespace zeroipc
