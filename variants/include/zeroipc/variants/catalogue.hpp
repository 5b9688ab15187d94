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

#include "elimination_stack.hpp"
#include "faa_ring.hpp"
#include "flat_combining_stack.hpp"
#include "minimal_ordering.hpp"
#include "mutex_ring.hpp"
#include "mutex_stack.hpp"
#include "scq_ring.hpp"
#include "seed_literal.hpp"
#include "spsc_ring.hpp"
#include "striped_map.hpp"
#include "ticket_ring.hpp"
#include "two_lock_ring.hpp"
#include "variant.hpp"

namespace zeroipc::variants {

/// The queue's variants, the default first; then each axis varied around it.
using queue_catalogue =
    std::tuple<queue_variant<>, queue_variant<ordering::seq_cst>, queue_variant<ordering::fences>,
               queue_variant<ordering::minimal>, queue_variant<backoff::none>, queue_variant<backoff::pause>,
               queue_variant<backoff::yield>, queue_variant<layout::padded>, queue_variant<algorithm::ticket>,
               queue_variant<algorithm::ticket, layout::padded>, queue_variant<algorithm::faa>,
               queue_variant<algorithm::scq>, queue_variant<algorithm::spsc>,
               queue_variant<algorithm::spsc, layout::padded>, queue_variant<algorithm::spsc_batch>,
               queue_variant<algorithm::two_lock>, queue_variant<algorithm::mutex>,
               queue_variant<algorithm::seed_literal>>;

/// The stack's variants, in the same order.
using stack_catalogue =
    std::tuple<stack_variant<>, stack_variant<ordering::seq_cst>, stack_variant<ordering::fences>,
               stack_variant<ordering::minimal>, stack_variant<backoff::none>, stack_variant<backoff::pause>,
               stack_variant<backoff::yield>, stack_variant<layout::padded>,
               stack_variant<algorithm::stack_mutex>, stack_variant<algorithm::elimination>,
               stack_variant<algorithm::flat_combining>>;

/// The map's variants, in the same order.
using map_catalogue =
    std::tuple<map_variant<>, map_variant<ordering::seq_cst>, map_variant<ordering::fences>,
               map_variant<ordering::minimal>, map_variant<backoff::none>, map_variant<backoff::pause>,
               map_variant<backoff::yield>, map_variant<layout::padded>, map_variant<algorithm::striped>>;

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
};

/// The catalogue as data, in order.
std::vector<variant_info> const& list();

}  // namespace zeroipc::variants
