#pragma once
/// \file
/// One entry of the catalogue: a policy list, its name, and what follows from it.

#include <zeroipc/map.hpp>
#include <zeroipc/queue.hpp>
#include <zeroipc/stack.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace zeroipc::variants {

/// What every algorithm must state of itself to stand in the catalogue. `progress` is one of wait-free, lock-free,
/// obstruction-free and blocking; `source` says from whom it is.
template <class A>
concept described = policy::of_kind<A, policy::algorithm_kind> && requires {
    { A::structure } -> std::convertible_to<std::string_view>;
    { A::id } -> std::convertible_to<std::uint32_t>;
    { A::min_capacity } -> std::convertible_to<std::uint64_t>;
    { A::has_handles } -> std::convertible_to<bool>;
    { A::can_sleep } -> std::convertible_to<bool>;
    { A::takes_ordering } -> std::convertible_to<bool>;
    { A::takes_backoff } -> std::convertible_to<bool>;
    { A::kill_safe } -> std::convertible_to<bool>;
    { A::linearizable_negatives } -> std::convertible_to<bool>;
    { A::progress } -> std::convertible_to<std::string_view>;
    { A::source } -> std::convertible_to<std::string_view>;
} &&(A::progress == std::string_view("wait-free") || A::progress == std::string_view("lock-free") ||
     A::progress == std::string_view("obstruction-free") || A::progress == std::string_view("blocking")) &&
    !std::string_view(A::name).empty() && !std::string_view(A::source).empty();

/// Of an algorithm that sets no limit to its producers or consumers.
inline constexpr std::uint32_t any_number = std::numeric_limits<std::uint32_t>::max();

namespace detail {

/// Whether its operations take locks of the kernel or of pthread: then no model of the atomics sees them.
template <class A>
constexpr bool uses_kernel_locks() {
    if constexpr (requires { A::uses_kernel_locks; })
        return A::uses_kernel_locks;
    else
        return false;
}

/// Whether it is wrong on purpose, for checkers to find.
template <class A>
constexpr bool unsafe() {
    if constexpr (requires { A::unsafe; })
        return A::unsafe;
    else
        return false;
}

/// Which item types it takes, in words: what its structure takes, unless it says less itself.
template <class A>
constexpr std::string_view takes() {
    if constexpr (requires { A::takes; })
        return A::takes;
    else if constexpr (A::structure == std::string_view("map"))
        return "keys with unique object representations, trivially copyable values, both of any size";
    else
        return "trivially copyable items of any size";
}

/// How many handles may push, and how many may pop.
template <class A>
constexpr std::uint32_t max_producers() {
    if constexpr (requires { A::max_producers; })
        return A::max_producers;
    else
        return any_number;
}
template <class A>
constexpr std::uint32_t max_consumers() {
    if constexpr (requires { A::max_consumers; })
        return A::max_consumers;
    else
        return any_number;
}

/// The parts with slashes between them, empty ones left out. (Compiled once; variants are many.)
inline std::string joined(std::initializer_list<std::string_view> parts) {
    std::string name;
    for (auto const part : parts) {
        if (part.empty()) continue;
        if (!name.empty()) name += '/';
        name += part;
    }
    return name;
}

}  // namespace detail

/// What follows from a variant's policies, whatever its structure.
template <class Policies>
struct variant {
    using policies = Policies;
    using algorithm = typename policies::algorithm;
    static_assert(
        described<algorithm>,
        "zeroipc: an algorithm in the catalogue states structure, name, id, min_capacity, has_handles, "
        "can_sleep, takes_ordering, takes_backoff, kill_safe, linearizable_negatives, progress, source");

    static constexpr std::string_view structure = algorithm::structure;
    static constexpr bool kill_safe = algorithm::kill_safe;
    static constexpr bool linearizable_negatives = algorithm::linearizable_negatives;
    static constexpr bool has_handles = algorithm::has_handles;
    static constexpr bool can_sleep = algorithm::can_sleep;
    static constexpr bool uses_kernel_locks = detail::uses_kernel_locks<algorithm>();
    static constexpr bool unsafe = detail::unsafe<algorithm>();
    static constexpr std::string_view takes = detail::takes<algorithm>();
    static constexpr std::uint32_t max_producers = detail::max_producers<algorithm>();
    static constexpr std::uint32_t max_consumers = detail::max_consumers<algorithm>();
    static constexpr std::string_view progress = algorithm::progress;
    static constexpr std::string_view source = algorithm::source;

    /// `structure/algorithm/ordering/backoff/layout`; a dash where the algorithm leaves no choice. Behind it, where it is
    /// not the default, how the waiting operations wait.
    static std::string name() {
        constexpr std::string_view nothing = "-";
        return detail::joined(
            {structure, algorithm::name, algorithm::takes_ordering ? policies::ordering::name : nothing,
             algorithm::takes_backoff ? policies::backoff::name : nothing, policies::layout::name,
             std::is_same_v<typename policies::waiting, typename policies::default_waiting>
                 ? std::string_view()
                 : policies::waiting::name});
    }
};

/// One variant of the queue. `type<T>` is the structure itself for items of type T.
template <class... Policies>
struct queue_variant : variant<zeroipc::detail::queue_policies<Policies...>> {
    template <class T>
    using type = Queue<T, Policies...>;

    /// The same on other atomics: a model of them, or one that counts.
    template <class Atomics>
    using on = queue_variant<Policies..., Atomics>;
};

/// One variant of the stack. `type<T>` is the structure itself for items of type T.
template <class... Policies>
struct stack_variant : variant<zeroipc::detail::stack_policies<Policies...>> {
    template <class T>
    using type = Stack<T, Policies...>;

    template <class Atomics>
    using on = stack_variant<Policies..., Atomics>;
};

/// One variant of the map. `type<K, V>` is the structure itself for keys of type K and values of type V.
template <class... Policies>
struct map_variant : variant<zeroipc::detail::map_policies<Policies...>> {
    template <class K, class V>
    using type = Map<K, V, Policies...>;

    template <class Atomics>
    using on = map_variant<Policies..., Atomics>;
};

}  // namespace zeroipc::variants
