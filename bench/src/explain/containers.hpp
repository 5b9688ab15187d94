#pragma once
/// \file
/// Queues and stacks: their operations out of line, and their parts.

#include <zeroipc/variants/catalogue.hpp>

#include <array>
#include <cstddef>

#include "parts.hpp"

namespace zeroipc::bench {

using Item = std::array<std::byte, 8>;

template <class Container>
[[gnu::noinline]] bool push(Container& container, Item const& item) {
    return container.try_push(item);
}
template <class Container>
[[gnu::noinline]] bool pop(Container& container, Item& item) {
    return container.try_pop(item);
}

/// \tparam Shape of policies and an item size; \tparam Sizes payload sizes in bytes.
template <class Catalogue, template <class, std::size_t> class Shape, std::size_t... Sizes>
ExplainedTable explained_containers() {
    ExplainedTable table;
    variants::for_each_variant<Catalogue>([&]<class Variant>() {
        using container = typename Variant::template type<Item>;
        std::vector<Operation> const operations{{"push", reinterpret_cast<void const*>(&push<container>)},
                                                {"pop", reinterpret_cast<void const*>(&pop<container>)}};
        auto& sizes = table[Variant::name()];
        (sizes.emplace(Sizes, explained_as<Shape<typename Variant::policies, Sizes>>(operations)), ...);
    });
    return table;
}

}  // namespace zeroipc::bench
