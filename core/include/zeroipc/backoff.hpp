#pragma once
/// \file
/// Backoff policies: what an operation does after it lost a race for a word. One object lives as long as one
/// operation; `operator()` is called after each lost race. None of them touches shared memory.

#include <sched.h>

#include <concepts>
#include <cstdint>
#include <string_view>

#include "atomics.hpp"
#include "policy.hpp"

namespace zeroipc::backoff {

/// Tries again at once.
struct none {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "none";
    void operator()() noexcept {}
};

/// One pause instruction.
struct pause {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "pause";
    void operator()() noexcept { atomics::cpu_relax(); }
};

/// Truncated binary exponential backoff, 1 to 64 pauses (Anderson, 1990, for spin locks).
struct exponential {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "exp";
    static constexpr std::uint32_t limit = 64;

    void operator()() noexcept {
        atomics::cpu_relax(pauses_);
        if (pauses_ < limit) pauses_ *= 2;
    }

private:
    std::uint32_t pauses_ = 1;
};

/// Gives the processor to whoever else is ready (sched_yield).
struct yield {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "yield";
    void operator()() noexcept { ::sched_yield(); }
};

/// Backs off from others that are ahead by `distance`, for policies that can make something of it.
template <class Backoff>
void back_off(Backoff& wait, std::uint64_t distance) noexcept {
    if constexpr (requires { wait(distance); })
        wait(distance);
    else
        wait();
}

}  // namespace zeroipc::backoff

namespace zeroipc::policy {

/// A backoff: made for each operation, called after each lost race.
template <class P>
concept backoff_policy = of_kind<P, backoff_kind> && std::default_initializable<P> && requires(P& wait) {
    wait();
};

}  // namespace zeroipc::policy
