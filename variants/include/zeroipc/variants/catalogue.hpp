#pragma once
/// \file
/// The catalogue: the only list of named variants. Tests, harness and reports iterate it. A new policy is one
/// file and one line here.

#include <zeroipc/queue.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "mutex_ring.hpp"
#include "ticket_ring.hpp"

namespace zeroipc::variants {

/// One variant of the queue: a policy list, and what follows from it.
template <class... Policies>
struct queue_variant {
    using policies = zeroipc::detail::queue_policies<Policies...>;
    using algorithm = typename policies::algorithm;

    /// The structure itself for items of type T.
    template <class T>
    using type = Queue<T, Policies...>;

    static constexpr std::string_view structure = "queue";
    static constexpr bool kill_safe = algorithm::kill_safe;
    static constexpr bool linearizable_negatives = algorithm::linearizable_negatives;
    static constexpr bool has_handles = algorithm::has_handles;
    static constexpr std::string_view progress = algorithm::progress;
    static constexpr std::string_view source = algorithm::source;

    /// `structure/algorithm/ordering/backoff/layout`; a dash where the algorithm leaves no choice.
    static std::string name() {
        auto const part = [](bool chosen, std::string_view text) {
            return chosen ? std::string(text) : std::string("-");
        };
        return std::string(structure) + "/" + std::string(algorithm::name) + "/" +
               part(algorithm::takes_ordering, policies::ordering::name) + "/" +
               part(algorithm::takes_backoff, policies::backoff::name) + "/" +
               std::string(policies::layout::name);
    }
};

/// The queue's variants, the default first; then each axis varied around it.
using queue_catalogue =
    std::tuple<queue_variant<>, queue_variant<ordering::seq_cst>, queue_variant<ordering::fences>,
               queue_variant<backoff::none>, queue_variant<backoff::pause>, queue_variant<backoff::yield>,
               queue_variant<layout::padded>, queue_variant<algorithm::ticket>,
               queue_variant<algorithm::ticket, layout::padded>, queue_variant<algorithm::mutex>>;

/// All variants of all structures.
using catalogue = queue_catalogue;

/// Calls `visit.template operator()<Variant>()` for each variant, in order.
template <class Visit>
void for_each_variant(Visit&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (visit.template operator()<std::tuple_element_t<I, catalogue>>(), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<catalogue>>());
}

/// What `--list` shows of a variant.
struct variant_info {
    std::string name;
    std::string structure;
    bool is_default = false;  ///< of its structure
    bool kill_safe = false;
    bool linearizable_negatives = false;
    std::string progress;
    std::string source;
};

/// The catalogue as data, in order.
std::vector<variant_info> const& list();

}  // namespace zeroipc::variants
