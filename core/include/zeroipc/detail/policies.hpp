#pragma once
/// \file
/// The policies of queues, stacks and maps: which kinds they take, and the defaults.

#include <type_traits>

#include "../atomics.hpp"
#include "../backoff.hpp"
#include "../layout.hpp"
#include "../observer.hpp"
#include "../ordering.hpp"
#include "../policy.hpp"
#include "../waiting.hpp"

namespace zeroipc::detail {

/// The enumeration of an algorithm's ordered accesses, or void if it states none.
template <class Algorithm>
struct accesses_of {
    using type = void;
};
template <class Algorithm>
    requires requires { typename Algorithm::access; }
struct accesses_of<Algorithm> {
    using type = typename Algorithm::access;
};

/// Whether an algorithm heeds a layout's slot_bytes, and its place_of: unless it says no.
template <class Algorithm>
constexpr bool takes_slot_bytes() {
    if constexpr (requires { Algorithm::takes_slot_bytes; })
        return Algorithm::takes_slot_bytes;
    else
        return true;
}
template <class Algorithm>
constexpr bool takes_place_of() {
    if constexpr (requires { Algorithm::takes_place_of; })
        return Algorithm::takes_place_of;
    else
        return true;
}

/// Everything that a structure's type decides, resolved from its policy list.
template <class DefaultAlgorithm, class... Ps>
struct structure_policies {
    static_assert(policy::accepts<policy::algorithm_kind, policy::layout_kind, policy::ordering_kind,
                                  policy::backoff_kind, policy::waiting_kind, policy::observer_kind,
                                  policy::atomics_kind>::check<Ps...>());
    using algorithm = policy::select_t<policy::algorithm_kind, DefaultAlgorithm, Ps...>;
    using layout = policy::select_t<policy::layout_kind, zeroipc::layout::compact, Ps...>;
    using ordering = policy::select_t<policy::ordering_kind, zeroipc::ordering::acq_rel, Ps...>;
    using backoff = policy::select_t<policy::backoff_kind, zeroipc::backoff::exponential, Ps...>;
    using default_waiting =
        std::conditional_t<algorithm::can_sleep, zeroipc::waiting::futex, zeroipc::waiting::yield>;
    using waiting = policy::select_t<policy::waiting_kind, default_waiting, Ps...>;
    using observer = policy::select_t<policy::observer_kind, zeroipc::observer::none, Ps...>;
    using atomics = policy::select_t<policy::atomics_kind, zeroipc::atomics::native, Ps...>;

    static_assert(policy::layout_policy<layout>,
                  "zeroipc: this layout lacks one of id, head_offset, tail_offset, top_offset, free_offset, "
                  "items_wait_offset, space_wait_offset, body_offset, line");
    static_assert(policy::backoff_policy<backoff>,
                  "zeroipc: this backoff lacks operator()() or a default constructor");
    static_assert(
        policy::observer_policy<observer>,
        "zeroipc: this observer lacks one of retry, help, backoff, system_call or a default constructor");
    static_assert(policy::complete_accesses<ordering, atomics, typename accesses_of<algorithm>::type>());
    static_assert(
        policy::waiting_policy<waiting, atomics, observer>,
        "zeroipc: this waiting lacks sleeps or wait(word, attempt, deadline, observer) (see waiting.hpp)");

    static_assert(algorithm::structure == DefaultAlgorithm::structure,
                  "zeroipc: this algorithm belongs to another kind of structure");
    static_assert(algorithm::takes_ordering || policy::detail::count_of<policy::ordering_kind, Ps...> == 0,
                  "zeroipc: this algorithm fixes its memory ordering; leave the ordering policy out");
    static_assert(algorithm::takes_backoff || policy::detail::count_of<policy::backoff_kind, Ps...> == 0,
                  "zeroipc: this algorithm has no race to back off from; leave the backoff policy out");
    static_assert(
        takes_slot_bytes<algorithm>() || !requires { layout::slot_bytes; },
        "zeroipc: this algorithm has no row of slots to spread; take a layout without slot_bytes");
    static_assert(
        takes_place_of<algorithm>() || !requires { layout::place_of(0, 0U); },
        "zeroipc: this algorithm's slots keep their order; take a layout without place_of");
    static_assert(algorithm::can_sleep || !waiting::sleeps,
                  "zeroipc: this algorithm wakes nobody; use waiting::yield or waiting::spin");
};

}  // namespace zeroipc::detail
