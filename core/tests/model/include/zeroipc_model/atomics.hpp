#pragma once
/// \file
/// The seam: an atomics policy whose words, fences, payload copies and futex are operations of the model, and an
/// ordering policy that tells it which numbered access is made. With them the production headers run on the model,
/// as they are.

#include <zeroipc/atomics.hpp>
#include <zeroipc/policy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "explorer.hpp"
#include "sites.hpp"

namespace zeroipc::model {

namespace detail {

inline explorer* machine() noexcept {
    auto* const one = explorer::active();
    return one != nullptr && one->inside() ? one : nullptr;
}

inline std::string describe(std::memory_order order) {
    switch (order) {
        case std::memory_order_relaxed:
            return "relaxed";
        case std::memory_order_consume:
        case std::memory_order_acquire:
            return "acquire";
        case std::memory_order_release:
            return "release";
        case std::memory_order_acq_rel:
            return "acq_rel";
        case std::memory_order_seq_cst:
            return "seq_cst";
    }
    return "?";
}

}  // namespace detail

/// A shared word: the bare value. Outside of a running model it is plain memory.
template <class V>
class word {
    static_assert(std::is_integral_v<V> && (sizeof(V) == 4 || sizeof(V) == 8));

public:
    V load(std::memory_order order, place const& at = place::current()) const noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) return value_;
        auto const here = site::of(kind::load, at);
        order = sites::weakened(here, order);
        m->step(this, true);
        auto const did = m->words().load(m->self(), self(), sizeof(V), order);
        if (m->tracing()) m->note("load", this, did, detail::describe(order) + " " + here.text());
        return static_cast<V>(did.read);
    }
    void store(V value, std::memory_order order, place const& at = place::current()) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) {
            value_ = value;
            return;
        }
        auto const here = site::of(kind::store, at);
        order = sites::weakened(here, order);
        m->step(this, true);
        auto const did = m->words().store(m->self(), self(), sizeof(V), value, order);
        m->changed();
        if (m->tracing()) m->note("store", this, did, detail::describe(order) + " " + here.text());
    }
    bool compare_exchange_strong(V& expected, V desired, std::memory_order done, std::memory_order failed,
                                 place const& at = place::current()) noexcept {
        return compare_exchange(expected, desired, done, failed, false, at);
    }
    bool compare_exchange_weak(V& expected, V desired, std::memory_order done, std::memory_order failed,
                               place const& at = place::current()) noexcept {
        return compare_exchange(expected, desired, done, failed, true, at);
    }
    V exchange(V value, std::memory_order order, place const& at = place::current()) noexcept {
        return modify([value](V) { return value; }, order, at);
    }
    V fetch_add(V value, std::memory_order order, place const& at = place::current()) noexcept {
        return modify([value](V old) { return static_cast<V>(old + value); }, order, at);
    }
    V fetch_sub(V value, std::memory_order order, place const& at = place::current()) noexcept {
        return modify([value](V old) { return static_cast<V>(old - value); }, order, at);
    }
    V fetch_or(V bits, std::memory_order order, place const& at = place::current()) noexcept {
        return modify([bits](V old) { return static_cast<V>(old | bits); }, order, at);
    }
    V fetch_and(V bits, std::memory_order order, place const& at = place::current()) noexcept {
        return modify([bits](V old) { return static_cast<V>(old & bits); }, order, at);
    }

private:
    [[nodiscard]] void* self() const noexcept { return const_cast<V*>(&value_); }

    template <class Change>
    V modify(Change&& change, std::memory_order order, place const& at) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) {
            auto const old = value_;
            value_ = change(old);
            return old;
        }
        auto const here = site::of(kind::modify, at);
        order = sites::weakened(here, order);
        m->step(this, true);
        auto const did = m->words().modify(
            m->self(), self(), sizeof(V),
            [&](std::uint64_t old) { return std::uint64_t{change(static_cast<V>(old))}; }, order);
        m->changed();
        if (m->tracing()) m->note("modify", this, did, detail::describe(order) + " " + here.text());
        return static_cast<V>(did.read);
    }

    bool compare_exchange(V& expected, V desired, std::memory_order done, std::memory_order failed, bool weak,
                          place const& at) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) {
            if (value_ != expected) {
                expected = value_;
                return false;
            }
            value_ = desired;
            return true;
        }
        auto const here = site::of(kind::modify, at);
        done = sites::weakened(here, done);
        failed = sites::weakened_failure(here, failed);
        m->step(this, true);
        auto const did =
            m->words().compare_exchange(m->self(), self(), sizeof(V), expected, desired, done, failed, weak);
        if (did.stored) m->changed();
        if (m->tracing())
            m->note("cas", this, did,
                    (did.stored ? detail::describe(done) : "fails " + detail::describe(failed)) + " " +
                        here.text());
        if (!did.stored) expected = static_cast<V>(did.read);
        return did.stored;
    }

    V value_;
};

/// Atomics policy: the model.
struct atomics {
    using policy_kind = policy::atomics_kind;
    static constexpr std::string_view name = "model";
    template <class V>
    using word = model::word<V>;

    static void fence(std::memory_order order, place const& at = place::current()) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) return;
        auto const here = site::of(kind::fence, at);
        order = sites::weakened(here, order);
        // Only a seq_cst fence is seen by others at once.
        m->step(nullptr, order == std::memory_order_seq_cst);
        if (order == std::memory_order_relaxed) return;
        m->words().fence(m->self(), order);
        m->note("fence", nullptr, {},
                m->tracing() ? detail::describe(order) + " " + here.text() : std::string());
    }
    static void fence_after_rmw(place const& at = place::current()) noexcept {
        fence(std::memory_order_seq_cst, at);
    }
    /// The kernel lets an undertaker see all that was executed: nothing to order in the model.
    static void order_for_undertaker() noexcept {}

    static void write_payload(void* shared, void const* item, std::size_t bytes) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) {
            std::memcpy(shared, item, bytes);
            return;
        }
        for (std::size_t at = 0; at < bytes; at += 8) {
            std::uint64_t value = 0;
            std::memcpy(&value, static_cast<char const*>(item) + at, bytes - at < 8 ? bytes - at : 8);
            auto* const to = static_cast<char*>(shared) + at;
            m->step(to, false);
            m->words().write_plain(m->self(), to, value);
            m->changed();
            if (m->tracing()) m->note("write payload", to, {0, value, 0, true}, "");
        }
    }
    static void read_payload(void* item, void const* shared, std::size_t bytes) noexcept {
        auto* const m = detail::machine();
        if (m == nullptr) {
            std::memcpy(item, shared, bytes);
            return;
        }
        for (std::size_t at = 0; at < bytes; at += 8) {
            auto* const from = const_cast<char*>(static_cast<char const*>(shared)) + at;
            m->step(from, false);
            auto const value = m->words().read_plain(m->self(), from);
            if (m->tracing()) m->note("read payload", from, {value, 0, 0, false}, "");
            std::memcpy(static_cast<char*>(item) + at, &value, bytes - at < 8 ? bytes - at : 8);
        }
    }

    static void write_words(void* shared, void const* item, std::size_t bytes) noexcept {
        zeroipc::atomics::store_words<word<std::uint64_t>>(shared, item, bytes);
    }
    static void read_words(void* item, void const* shared, std::size_t bytes) noexcept {
        zeroipc::atomics::load_words<word<std::uint64_t>>(item, shared, bytes);
    }
    static void prefetch(void const*) noexcept {}
    static void prefetch_to_write(void const*) noexcept {}

    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen, std::chrono::nanoseconds) noexcept {
        if (auto* const m = detail::machine()) m->futex_wait(&at, seen);
    }
    static void futex_wake_all(word<std::uint32_t>& at) noexcept {
        if (auto* const m = detail::machine()) m->futex_wake(&at);
    }
};

/// An ordering policy that does what Base does, and says which access it is.
template <class Base>
struct ordering_of {
    using policy_kind = policy::ordering_kind;
    static constexpr std::string_view name = Base::name;

    template <class Atomics, auto Access, class Word>
    static auto load(Word const& at) noexcept {
        site::named const here(Access);
        return Base::template load<Atomics, Access>(at);
    }
    template <class Atomics, auto Access, class Word, class V>
    static void store(Word& at, V value) noexcept {
        site::named const here(Access);
        Base::template store<Atomics, Access>(at, value);
    }
    template <class Atomics, auto Access, class Word, class V>
    static bool exchange_if(Word& at, V& expected, V desired) noexcept {
        site::named const here(Access);
        return Base::template exchange_if<Atomics, Access>(at, expected, desired);
    }
    template <class Atomics, auto Access, class Operation>
    static auto modify(Operation&& operation) noexcept {
        site::named const here(Access);
        return Base::template modify<Atomics, Access>(operation);
    }
    template <class Atomics>
    static void before_negative(place const& caller = place::current()) noexcept {
        site::named const here(caller);
        Base::template before_negative<Atomics>();
    }
};

/// No pause after a lost race: there, somebody else went on.
struct no_backoff {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "model";
    void operator()() const noexcept {}
};

/// For algorithms that wait for each other: another thread must go on.
struct giving_way {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "model";
    void operator()() const noexcept {
        if (auto* const m = detail::machine()) m->yield();
    }
};

}  // namespace zeroipc::model
