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

    static_assert(algorithm::structure == DefaultAlgorithm::structure,
                  "zeroipc: this algorithm belongs to another kind of structure");
    static_assert(algorithm::takes_ordering || policy::detail::count_of<policy::ordering_kind, Ps...> == 0,
                  "zeroipc: this algorithm fixes its memory ordering; leave the ordering policy out");
    static_assert(algorithm::takes_backoff || policy::detail::count_of<policy::backoff_kind, Ps...> == 0,
                  "zeroipc: this algorithm has no race to back off from; leave the backoff policy out");
    static_assert(algorithm::can_sleep || !waiting::sleeps,
                  "zeroipc: this algorithm wakes nobody; use waiting::yield or waiting::spin");
};

}  // namespace zeroipc::detail
