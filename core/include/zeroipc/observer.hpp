#pragma once
/// \file
/// Observer policies: what happened inside the operations of one handle. The default costs no bytes and no
/// instructions.

#include <concepts>
#include <cstdint>
#include <string_view>

#include "policy.hpp"

namespace zeroipc::observer {

/// Counts nothing.
struct none {
    using policy_kind = policy::observer_kind;
    static constexpr std::string_view name = "none";
    void retry() noexcept {}
    void help() noexcept {}
    void backoff() noexcept {}
    void system_call() noexcept {}
};

/// Counts, for one handle and in private memory.
struct counting {
    using policy_kind = policy::observer_kind;
    static constexpr std::string_view name = "counting";
    std::uint64_t retries = 0;       ///< commits that lost their race
    std::uint64_t helps = 0;         ///< indices raised, and operations ended, on behalf of another handle
    std::uint64_t backoffs = 0;      ///< rounds of backoff
    std::uint64_t system_calls = 0;  ///< futex waits and wakes
    void retry() noexcept { ++retries; }
    void help() noexcept { ++helps; }
    void backoff() noexcept { ++backoffs; }
    void system_call() noexcept { ++system_calls; }
};

}  // namespace zeroipc::observer

namespace zeroipc::policy {

/// An observer: one lives as long as a handle, and is told.
template <class P>
concept observer_policy = of_kind<P, observer_kind> && std::default_initializable<P> && requires(P& seen) {
    seen.retry();
    seen.help();
    seen.backoff();
    seen.system_call();
};

}  // namespace zeroipc::policy
