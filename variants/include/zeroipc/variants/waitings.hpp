#pragma once
/// \file
/// More waiting policies than core has: a time of spinning, and then something kinder.

#include <sched.h>
#include <zeroipc/waiting.hpp>

#include <string_view>

namespace zeroipc::waiting {

/// Spins for that many attempts, then gives the processor away between attempts.
template <int Spins>
struct spinning_then_yield {
    using policy_kind = policy::waiting_kind;
    static constexpr bool sleeps = false;
    static constexpr int spins = Spins;

    template <class Atomics, class Try, class Observer>
    static bool wait(typename detail::waiters<Atomics>::word& at, Try&& attempt, deadline const& end,
                     Observer& observer) {
        if (detail::succeeds_within(spins, attempt)) return true;
        return yield::wait<Atomics>(at, attempt, end, observer);
    }
};

/// Some 100 microseconds of spinning (Karlin, Li, Manasse and Owicki, 1991: as long as what follows costs), then yields.
struct spin_yield : spinning_then_yield<2000> {
    static constexpr std::string_view name = "spin-yield";
};

/// The same, then sleeps in the kernel until woken.
struct spin_futex : sleeping<2000> {
    static constexpr std::string_view name = "spin-futex";
};

/// Sleeps in the kernel at once.
struct sleep_at_once : sleeping<0> {
    static constexpr std::string_view name = "futex-at-once";
};

}  // namespace zeroipc::waiting
