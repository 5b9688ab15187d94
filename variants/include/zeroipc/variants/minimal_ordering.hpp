#pragma once
/// \file
/// The weakest ordering that the explorer lets pass, edge by edge. What each access may lose, and why, stands in
/// core/docs/mutations.md.

#include <zeroipc/bucket_map.hpp>
#include <zeroipc/exchange_ring.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/treiber_stack.hpp>

#include <atomic>
#include <string_view>

namespace zeroipc::variants {

/// What one numbered access needs.
struct edge {
    bool acquires = true;
    bool releases = true;
    bool acquires_when_it_fails = true;
};

/// Of an access that nobody has weighed: all.
template <class Access>
constexpr edge edge_of(Access /*access*/) noexcept {
    return {};
}
constexpr edge edge_of(exchange_access access) noexcept {
    switch (access) {
        case exchange_access::reads_cell:
            return {};
        case exchange_access::commits:
            return {false, true, false};  // what it gains was acquired by (Q1), which read the same word
        default:
            return {false, false, false};  // hints, and words of which only the value counts
    }
}
constexpr edge edge_of(treiber_access access) noexcept {
    switch (access) {
        case treiber_access::commits:
            return {false, true, true};  // its success replaces what (L1), or its last failure, acquired
        case treiber_access::reads_witness:
        case treiber_access::settles_slot:
            return {false, false, false};  // what the dead did is known by the kernel's lock
        default:
            return {};
    }
}
constexpr edge edge_of(bucket_access access) noexcept {
    switch (access) {
        case bucket_access::reads_header:
            return {};
        case bucket_access::commits:
        case bucket_access::changes_link:  // who sees a link gone sees that its slots are
            return {false, true, false};
        case bucket_access::examines:
            return {true, false, true};  // who reserved a slot has said so before
        default:
            return {false, false, false};  // the headers' commits carry what lies behind links and owners
    }
}

}  // namespace zeroipc::variants

namespace zeroipc::ordering {

/// Each numbered access as weak as the explorer lets it be, of the three default algorithms; any other as acq_rel.
struct minimal {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = "minimal";

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& word) noexcept {
        return word.load(variants::edge_of(Access).acquires ? std::memory_order_acquire
                                                            : std::memory_order_relaxed);
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& word, V value) noexcept {
        word.store(value, variants::edge_of(Access).releases ? std::memory_order_release
                                                             : std::memory_order_relaxed);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) noexcept {
        constexpr auto needs = variants::edge_of(Access);
        return word.compare_exchange_strong(
            expected, desired, order(needs),
            needs.acquires_when_it_fails ? std::memory_order_acquire : std::memory_order_relaxed);
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        return operation(order(variants::edge_of(Access)));
    }
    template <class Atomics>
    static void before_negative() noexcept {
        Atomics::fence(std::memory_order_seq_cst);
    }

private:
    static constexpr std::memory_order order(variants::edge needs) noexcept {
        if (needs.acquires && needs.releases) return std::memory_order_acq_rel;
        if (needs.releases) return std::memory_order_release;
        return needs.acquires ? std::memory_order_acquire : std::memory_order_relaxed;
    }
};

}  // namespace zeroipc::ordering
