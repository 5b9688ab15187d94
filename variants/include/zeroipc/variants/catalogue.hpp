#pragma once
/// \file
/// The catalogue: the only list of named variants. Tests, harness and reports iterate it. A new policy is one
/// file and one line here.

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "backoffs.hpp"
#include "chained_map.hpp"
#include "elimination_stack.hpp"
#include "faa_ring.hpp"
#include "flat_combining_stack.hpp"
#include "full_fences.hpp"
#include "layouts.hpp"
#include "minimal_ordering.hpp"
#include "mutex_ring.hpp"
#include "mutex_stack.hpp"
#include "open_map.hpp"
#include "scq_ring.hpp"
#include "seed_literal.hpp"
#include "spsc_ring.hpp"
#include "striped_map.hpp"
#include "ticket_ring.hpp"
#include "two_lock_ring.hpp"
#include "variant.hpp"
#include "waitings.hpp"

#if defined(ZEROIPC_EXTRA_VARIANTS)
#include ZEROIPC_EXTRA_VARIANTS
#endif

namespace zeroipc::variants {

namespace listed {

/// The queue's variants, the default first; then each axis varied around it.
using queue_variants =
    std::tuple<queue_variant<>,
               // ordering
               queue_variant<ordering::seq_cst>, queue_variant<ordering::fences>,
               queue_variant<ordering::minimal>, queue_variant<ordering::dmb>,
               // backoff
               queue_variant<backoff::none>, queue_variant<backoff::pause>, queue_variant<backoff::fixed<64>>,
               queue_variant<backoff::jitter<1024>>, queue_variant<backoff::adaptive<1024>>,
               queue_variant<backoff::yield>, queue_variant<backoff::sleep<50>>,
               queue_variant<backoff::rest<1000>>,
               // layout
               queue_variant<layout::padded>, queue_variant<layout::padded64>, queue_variant<layout::spread>,
               queue_variant<layout::remapped>,
               // waiting
               queue_variant<waiting::spin>, queue_variant<waiting::spin_yield>,
               queue_variant<waiting::spin_futex>, queue_variant<waiting::sleep_at_once>,
               // algorithm, and what differs for one of them
               queue_variant<algorithm::ticket>, queue_variant<algorithm::ticket, backoff::proportional<16>>,
               queue_variant<algorithm::ticket, layout::padded>,
               queue_variant<algorithm::ticket, layout::spread>, queue_variant<algorithm::faa>,
               queue_variant<algorithm::faa, backoff::proportional<16>>, queue_variant<algorithm::scq>,
               queue_variant<algorithm::spsc>, queue_variant<algorithm::spsc, layout::padded>,
               queue_variant<algorithm::spsc_batch>, queue_variant<algorithm::two_lock>,
               queue_variant<algorithm::mutex>, queue_variant<algorithm::seed_literal>>;

/// The stack's variants, in the same order.
using stack_variants =
    std::tuple<stack_variant<>,
               // ordering
               stack_variant<ordering::seq_cst>, stack_variant<ordering::fences>,
               stack_variant<ordering::minimal>, stack_variant<ordering::dmb>,
               // backoff
               stack_variant<backoff::none>, stack_variant<backoff::pause>, stack_variant<backoff::fixed<64>>,
               stack_variant<backoff::jitter<1024>>, stack_variant<backoff::adaptive<1024>>,
               stack_variant<backoff::yield>,
               // layout
               stack_variant<layout::padded>, stack_variant<layout::padded64>, stack_variant<layout::spread>,
               // waiting
               stack_variant<waiting::spin_yield>,
               // algorithm
               stack_variant<algorithm::stack_mutex>, stack_variant<algorithm::elimination>,
               stack_variant<algorithm::flat_combining>>;

/// The map's variants, in the same order.
using map_variants =
    std::tuple<map_variant<>,
               // ordering
               map_variant<ordering::seq_cst>, map_variant<ordering::fences>, map_variant<ordering::minimal>,
               map_variant<ordering::dmb>,
               // backoff
               map_variant<backoff::none>, map_variant<backoff::pause>, map_variant<backoff::jitter<1024>>,
               map_variant<backoff::adaptive<1024>>, map_variant<backoff::yield>,
               // layout
               map_variant<layout::padded>, map_variant<layout::padded64>,
               // waiting
               map_variant<waiting::spin_yield>,
               // algorithm
               map_variant<algorithm::striped>, map_variant<algorithm::chained>,
               map_variant<algorithm::open_addressing>>;

}  // namespace listed

namespace detail {

#if defined(ZEROIPC_EXTRA_VARIANTS)
using extra = ::zeroipc_extra_variants;
#else
struct extra {};
#endif

/// A user's own variants behind ours; none for a kind of structure of which the file says nothing.
template <class Extra>
constexpr auto extra_queues() {
    if constexpr (requires { typename Extra::queues; })
        return typename Extra::queues{};
    else
        return std::tuple<>{};
}
template <class Extra>
constexpr auto extra_stacks() {
    if constexpr (requires { typename Extra::stacks; })
        return typename Extra::stacks{};
    else
        return std::tuple<>{};
}
template <class Extra>
constexpr auto extra_maps() {
    if constexpr (requires { typename Extra::maps; })
        return typename Extra::maps{};
    else
        return std::tuple<>{};
}

#if defined(ZEROIPC_FEW_VARIANTS)
/// Of ours the defaults alone.
template <class Listed>
using ours = std::tuple<std::tuple_element_t<0, Listed>>;
#else
template <class Listed>
using ours = Listed;
#endif

}  // namespace detail

/// What there is: ours, and what the file ZEROIPC_EXTRA_VARIANTS adds (variants/docs/adding.md).
using queue_catalogue =
    decltype(std::tuple_cat(detail::ours<listed::queue_variants>{}, detail::extra_queues<detail::extra>()));
using stack_catalogue =
    decltype(std::tuple_cat(detail::ours<listed::stack_variants>{}, detail::extra_stacks<detail::extra>()));
using map_catalogue =
    decltype(std::tuple_cat(detail::ours<listed::map_variants>{}, detail::extra_maps<detail::extra>()));

/// All variants of all structures.
using catalogue = decltype(std::tuple_cat(queue_catalogue{}, stack_catalogue{}, map_catalogue{}));

/// Calls `visit.template operator()<Variant>()` for each variant of a list, in order.
template <class Catalogue = catalogue, class Visit>
constexpr void for_each_variant(Visit&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (visit.template operator()<std::tuple_element_t<I, Catalogue>>(), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<Catalogue>>());
}

/// What `--list` shows of a variant.
struct variant_info {
    std::string name;
    std::string structure;
    bool is_default = false;  ///< of its structure
    bool kill_safe = false;
    bool linearizable_negatives = false;
    bool uses_kernel_locks = false;   ///< runs on no model of the atomics
    bool unsafe = false;              ///< wrong on purpose, for checkers to find
    std::uint32_t max_producers = 0;  ///< handles that may push
    std::uint32_t max_consumers = 0;  ///< handles that may pop
    std::string progress;
    std::string source;
    std::string takes;  ///< which item types, in words
    std::string note;   ///< what this machine lacks for it, and what it does instead; mostly empty
};

/// The catalogue as data, in order.
std::vector<variant_info> const& list();

}  // namespace zeroipc::variants
