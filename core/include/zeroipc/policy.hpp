#pragma once
/// \file
/// Policies by name, in any order, each at most once.
///
/// A policy is a type with a member `policy_kind`, one of the tags below, and a `name`. A structure lists the
/// kinds that it takes, with a default for each; a type that is no policy, a kind that it does not take and a
/// kind given twice do not compile.

#include <concepts>
#include <string_view>
#include <type_traits>

namespace zeroipc::policy {

// The kinds.
struct algorithm_kind {};  ///< how the structure works; stands in the shared descriptor
struct layout_kind {};     ///< where the words lie; stands in the shared descriptor
struct ordering_kind {};   ///< memory ordering of the shared accesses; private to a process
struct backoff_kind {};    ///< what to do after a lost race; private to a process
struct waiting_kind {};    ///< how the blocking operations wait; private to a process
struct observer_kind {};   ///< what is counted; private to a process
struct atomics_kind {};    ///< the seam under all shared accesses: real atomics, or a model of them

/// A type that may stand in a structure's policy list.
template <class P>
concept any_policy = requires {
    typename P::policy_kind;
    { P::name } -> std::convertible_to<std::string_view>;
};

/// A policy of one kind.
template <class P, class Kind>
concept of_kind = any_policy<P> && std::same_as<typename P::policy_kind, Kind>;

namespace detail {

template <class Kind, class Default, class... Ps>
struct select {
    using type = Default;
};
template <class Kind, class Default, class P, class... Rest>
struct select<Kind, Default, P, Rest...> {
    using type = typename std::conditional_t<of_kind<P, Kind>, std::type_identity<P>,
                                             select<Kind, Default, Rest...>>::type;
};

template <class Kind, class... Ps>
inline constexpr int count_of = (0 + ... + int{of_kind<Ps, Kind>});

template <class P, class... Kinds>
concept kind_among = (of_kind<P, Kinds> || ...);

}  // namespace detail

/// The policy of kind Kind among Ps, or Default.
template <class Kind, class Default, class... Ps>
using select_t = typename detail::select<Kind, Default, Ps...>::type;

/// Checks a policy list once, with a message for each mistake. `accepts<Kinds...>` is what the structure
/// takes.
template <class... Kinds>
struct accepts {
    template <class... Ps>
    static consteval bool check() {
        static_assert(
            (any_policy<Ps> && ...),
            "zeroipc: a type in the policy list is not a policy (it needs `policy_kind` and `name`)");
        if constexpr ((any_policy<Ps> && ...)) {
            static_assert((detail::kind_among<Ps, Kinds...> && ...),
                          "zeroipc: this structure does not take a policy of that kind");
            static_assert(((detail::count_of<Kinds, Ps...> <= 1) && ...),
                          "zeroipc: two policies of the same kind were given");
        }
        return true;
    }
};

}  // namespace zeroipc::policy
