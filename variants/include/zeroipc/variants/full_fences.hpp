#pragma once
/// \file
/// An ordering with a full fence wherever an order is asked for, as code for Arm was written before it had acquire loads
/// and release stores (`dmb ish` on both sides of everything).

#include <zeroipc/policy.hpp>

#include <atomic>
#include <string_view>

namespace zeroipc::ordering {

/// Relaxed accesses with seq_cst fences: behind loads, before stores, on both sides of exchanges. More than any access
/// needs; what it costs is the question.
struct dmb {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = "dmb";

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& word) noexcept {
        auto const value = word.load(std::memory_order_relaxed);
        fence<Atomics>();
        return value;
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& word, V value) noexcept {
        fence<Atomics>();
        word.store(value, std::memory_order_relaxed);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& word, V& expected, V desired) noexcept {
        fence<Atomics>();
        bool const done = word.compare_exchange_strong(expected, desired, std::memory_order_relaxed,
                                                       std::memory_order_relaxed);
        fence<Atomics>();
        return done;
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        fence<Atomics>();
        auto const before = operation(std::memory_order_relaxed);
        fence<Atomics>();
        return before;
    }
    template <class Atomics>
    static void before_negative() noexcept {
        fence<Atomics>();
    }

private:
    template <class Atomics>
    static void fence() noexcept {
        Atomics::fence(std::memory_order_seq_cst);
    }
};

}  // namespace zeroipc::ordering
