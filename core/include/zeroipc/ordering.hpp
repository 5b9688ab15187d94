#pragma once
/// \file
/// Memory ordering policies. A structure writes `Ordering::template load<Atomics, access>(word)`; `access` is
/// the number of that access in the structure's list of ordered accesses, so that a policy may treat one edge
/// differently. `modify` gives its memory order to a callable that performs one read-modify-write and returns
/// what was there before.
///
/// Every policy gives each access at least: load acquires, store releases, a compare-exchange does both (and
/// acquires when it fails), and so does modify; `before_negative` makes a re-read current with respect to every
/// earlier commit.

#include <atomic>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "atomics.hpp"
#include "policy.hpp"

namespace zeroipc::ordering {

/// Acquire loads, release stores, acq_rel exchanges; one seq_cst fence before a negative answer. The default.
struct acq_rel {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = "acq_rel";

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& word) noexcept {
        return word.load(std::memory_order_acquire);
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& word, V value) noexcept {
        word.store(value, std::memory_order_release);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) noexcept {
        return word.compare_exchange_strong(expected, desired, std::memory_order_acq_rel,
                                            std::memory_order_acquire);
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        return operation(std::memory_order_acq_rel);
    }
    template <class Atomics>
    static void before_negative() noexcept {
        Atomics::fence(std::memory_order_seq_cst);
    }
};

/// Every shared access seq_cst. A negative answer needs no fence: its re-read stands in the one total order.
struct seq_cst {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = "seq_cst";

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& word) noexcept {
        return word.load(std::memory_order_seq_cst);
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& word, V value) noexcept {
        word.store(value, std::memory_order_seq_cst);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) noexcept {
        return word.compare_exchange_strong(expected, desired, std::memory_order_seq_cst,
                                            std::memory_order_seq_cst);
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        return operation(std::memory_order_seq_cst);
    }
    template <class Atomics>
    static void before_negative() noexcept {}
};

/// Relaxed accesses between explicit fences: acquire behind a load, release before a store, both around an
/// exchange.
struct fences {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = "fences";

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& word) noexcept {
        auto const value = word.load(std::memory_order_relaxed);
        Atomics::fence(std::memory_order_acquire);
        return value;
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& word, V value) noexcept {
        Atomics::fence(std::memory_order_release);
        word.store(value, std::memory_order_relaxed);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) noexcept {
        Atomics::fence(std::memory_order_release);
        bool const done = word.compare_exchange_strong(expected, desired, std::memory_order_relaxed,
                                                       std::memory_order_relaxed);
        Atomics::fence(std::memory_order_acquire);
        return done;
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        Atomics::fence(std::memory_order_release);
        auto const before = operation(std::memory_order_relaxed);
        Atomics::fence(std::memory_order_acquire);
        return before;
    }
    template <class Atomics>
    static void before_negative() noexcept {
        Atomics::fence(std::memory_order_seq_cst);
    }
};

}  // namespace zeroipc::ordering

namespace zeroipc::policy {

/// An ordering of the accesses that the enumeration Access numbers, on those atomics.
template <class P, class Atomics, class Access>
concept ordering_policy = of_kind<P, ordering_kind> &&
    requires(typename Atomics::template word<std::uint64_t>& word, std::uint64_t& value,
             std::uint64_t (*operation)(std::memory_order)) {
    { P::template load<Atomics, static_cast<Access>(1)>(std::as_const(word)) } -> std::same_as<std::uint64_t>;
    P::template store<Atomics, static_cast<Access>(1)>(word, value);
    { P::template exchange_if<Atomics, static_cast<Access>(1)>(word, value, value) } -> std::same_as<bool>;
    { P::template modify<Atomics, static_cast<Access>(1)>(operation) } -> std::same_as<std::uint64_t>;
    P::template before_negative<Atomics>();
};

/// Checks how shared words are accessed, with a message for each mistake. Where an algorithm does not state its
/// accesses, Access is void, and only its compilation tells whether the ordering serves them.
template <class Ordering, class Atomics, class Access>
consteval bool complete_accesses() {
    static_assert(atomics_policy<Atomics>,
                  "zeroipc: these atomics lack one of word, fence, fence_after_rmw, order_for_undertaker, "
                  "write_payload, read_payload, write_words, read_words, prefetch, prefetch_to_write, "
                  "or their word lacks an operation (see atomics.hpp)");
    if constexpr (atomics_policy<Atomics>)
        static_assert(
            std::is_void_v<Access> || ordering_policy<Ordering, Atomics, Access>,
            "zeroipc: this ordering lacks one of load, store, exchange_if, modify, before_negative for "
            "the accesses of this structure (see ordering.hpp)");
    return true;
}

}  // namespace zeroipc::policy
