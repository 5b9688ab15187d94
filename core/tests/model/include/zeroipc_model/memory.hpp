#pragma once
/// \file
/// The C++20 memory model as a machine: what a load may return, and what an operation learns.
///
/// Each location keeps its stores in modification order. A thread has a *view*: for each location the oldest store
/// that it may still read, and for each thread the last step that happens before its next one. A store carries the
/// view that an acquirer of it receives. A load may return any store from its view on; a read-modify-write reads the
/// last. After the view machines of Kang, Hur, Lahav, Vafeiadis and Dreyer (POPL 2017), without promises: a load
/// never reads from a store that is executed later, so load buffering does not appear. The total order S of seq_cst
/// operations is the order of execution. A plain store may come to stand before newer ones that its thread has not
/// seen.
///
/// Payload is not atomic: every two accesses of which one is a write must be ordered by happens-before (vector
/// clocks, as in FastTrack: Flanagan and Freund, PLDI 2009).

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace zeroipc::model {

inline constexpr unsigned most_threads = 6;
inline constexpr unsigned most_locations = 160;

/// The rules of the model. Each can be turned off, and then a litmus test fails that names it.
struct rules {
    bool coherence = true;          ///< who has seen a store reads no older one
    bool stale_loads = true;        ///< a load need not read the newest store
    bool late_stores = true;        ///< a store may come to stand before newer ones
    bool acquire_loads = true;      ///< an acquire load receives the view of the store that it reads
    bool release_stores = true;     ///< a release store carries its thread's view
    bool acquire_fences = true;     ///< an acquire fence receives what relaxed loads before it read
    bool release_fences = true;     ///< relaxed stores carry the view of the last release fence
    bool release_sequences = true;  ///< a read-modify-write carries on the view of the store that it reads
    bool only_through_rmw =
        true;  ///< a plain store ends a release sequence, also one of the same thread (C++20)
    bool seq_cst_fences = true;    ///< seq_cst fences stand in one total order
    bool seq_cst_accesses = true;  ///< so do seq_cst loads, stores and read-modify-writes
    bool atomic_rmw = true;        ///< a read-modify-write reads the store before its own
    bool stale_failures = true;    ///< a compare-exchange may fail by an old value
    bool weak_failures = true;     ///< a weak compare-exchange may fail for no reason
    bool races = true;             ///< unordered accesses to payload are an error
};

/// For each thread, a number of steps.
struct vector_clock {
    std::array<std::uint32_t, most_threads> at{};

    void join(vector_clock const& other) noexcept {
        for (unsigned t = 0; t < most_threads; ++t) at[t] = std::max(at[t], other.at[t]);
    }
};

/// What a thread knows, or a store carries.
struct view {
    vector_clock before;                              ///< steps that happen before
    unsigned known = 0;                               ///< locations below this may have a floor
    std::array<std::uint32_t, most_locations> floor;  ///< key of the oldest store that may be read

    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): floors from `known` on are not looked at
    view() noexcept {}
    view(view const& other) noexcept { *this = other; }
    view& operator=(view const& other) noexcept {
        before = other.before;
        known = other.known;
        std::copy_n(other.floor.begin(), known, floor.begin());
        return *this;
    }
    ~view() = default;

    [[nodiscard]] std::uint32_t of(unsigned location) const noexcept {
        return location < known ? floor[location] : 0;
    }
    void raise(unsigned location, std::uint32_t key) noexcept {
        while (known <= location) floor[known++] = 0;
        floor[location] = std::max(floor[location], key);
    }
    void join_floors(view const& other) noexcept {
        while (known < other.known) floor[known++] = 0;
        for (unsigned i = 0; i < other.known; ++i) floor[i] = std::max(floor[i], other.floor[i]);
    }
    void join(view const& other) noexcept {
        before.join(other.before);
        join_floors(other);
    }
};

/// Where the machine has a choice, or finds a fault.
class decisions {
public:
    /// \return a number below n. 0 is what a strong machine would do: the newest store, the last place, success.
    virtual unsigned choose(unsigned n) = 0;
    /// Does not return.
    [[noreturn]] virtual void fail(std::string const& what) = 0;

protected:
    ~decisions() = default;
};

/// What an access did, for the trace.
struct outcome_of_access {
    std::uint64_t read = 0;
    std::uint64_t wrote = 0;
    unsigned age = 0;  ///< how many newer stores there were; of a store: before how many it came to stand
    bool stored = false;
};

constexpr bool acquires(std::memory_order order) noexcept {
    return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
constexpr bool releases(std::memory_order order) noexcept {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}

/// Shared memory of `bytes` bytes in which every access is an operation of the model. The bytes themselves always
/// hold the newest stores.
class memory {
public:
    memory(decisions& by, rules const& r) : by_(by), rules_(r) {}

    /// Begins anew with the bytes as they are: known to every thread.
    void reset(std::byte* base, std::size_t bytes) {
        for (unsigned i = 0; i < used_; ++i) {
            auto const slot = static_cast<std::size_t>(locations_[i].at - base_) / 4;
            if (slot < numbers_.size()) numbers_[slot] = 0;
        }
        base_ = base;
        bytes_ = bytes;
        if (numbers_.size() != bytes / 4) numbers_.assign(bytes / 4, 0);
        used_ = 0;
        for (auto& one : threads_) {
            one.now.before = {};
            one.now.known = 0;
            one.pending.before = {};
            one.pending.known = 0;
            one.fence.before = {};
            one.fence.known = 0;
        }
        total_.known = 0;
    }

    [[nodiscard]] bool holds(void const* at) const noexcept {
        auto const* const byte = static_cast<std::byte const*>(at);
        return byte >= base_ && byte < base_ + bytes_;
    }
    [[nodiscard]] std::size_t offset_of(void const* at) const noexcept {
        return static_cast<std::size_t>(static_cast<std::byte const*>(at) - base_);
    }

    /// A step of thread t; what it does now is later than what it did before.
    void tick(unsigned t) noexcept { ++threads_[t].now.before.at[t]; }
    [[nodiscard]] vector_clock const& clock(unsigned t) const noexcept { return threads_[t].now.before; }

    outcome_of_access load(unsigned t, void* at, unsigned width, std::memory_order order) {
        return read(t, locate(at, width), order, false, 0);
    }

    outcome_of_access store(unsigned t, void* at, unsigned width, std::uint64_t value,
                            std::memory_order order) {
        auto& where = locate(at, width);
        auto& me = threads_[t];
        check_atomic(t, where, true);
        auto const l = number_of(where);
        auto least = me.now.of(l);
        if (order == std::memory_order_seq_cst && rules_.seq_cst_accesses)
            least = std::max(least, total_.of(l));
        // A place in front of a read-modify-write is taken, but not those before it.
        std::size_t put = where.stores.size();
        auto const late = rules_.late_stores ? places(where, least) : 0U;
        unsigned const which = late > 0 ? by_.choose(late + 1) : 0;
        if (which > 0) put = nth_place(where, which);
        auto const before = static_cast<unsigned>(where.stores.size() - put);
        auto const key = key_at(where, put);
        me.now.raise(l, key);
        write(t, where, put, key, value, order, nullptr);
        return {0, value, before, true};
    }

    /// Reads the last store and replaces it by change(value).
    template <class Change>
    outcome_of_access modify(unsigned t, void* at, unsigned width, Change&& change, std::memory_order order) {
        auto& where = locate(at, width);
        auto const put = place_of_modify(t, where, order);
        auto const from =
            rules_.atomic_rmw ? where.stores[put - 1].value : read(t, where, order, false, 0).read;
        auto result = replace(t, where, change(from), order, put);
        result.read = from;
        return result;
    }

    /// \return with `stored` as its success.
    outcome_of_access compare_exchange(unsigned t, void* at, unsigned width, std::uint64_t expected,
                                       std::uint64_t desired, std::memory_order done,
                                       std::memory_order failed, bool weak) {
        auto& where = locate(at, width);
        if (!rules_.atomic_rmw) {
            // As if it were a load and a store: what stood between them is overwritten.
            auto const seen = read(t, where, done, false, 0);
            if (seen.read != expected) return seen;
            auto result = replace(t, where, desired, done, where.stores.size());
            result.read = expected;
            return result;
        }
        // Success behind any store of the expected value that has room behind it; failure by a visible store of
        // another value, a weak one's by any.
        bool const for_no_reason = weak && rules_.weak_failures;
        auto const l = number_of(where);
        auto least = threads_[t].now.of(l);
        if (done == std::memory_order_seq_cst && rules_.seq_cst_accesses)
            least = std::max(least, total_.of(l));
        auto const size = where.stores.size();
        auto const first_read = rules_.stale_failures ? oldest(t, where, failed) : size - 1;
        std::vector<std::pair<std::size_t, bool>> options;
        for (auto i = size; i-- > 0;) {
            bool const same = where.stores[i].value == expected;
            bool const room = i + 1 == size || (rules_.late_stores && where.stores[i + 1].key > least &&
                                                is_place(where, i + 1));
            if (same && room) options.emplace_back(i, true);
            if ((!same || for_no_reason) && i >= first_read) options.emplace_back(i, false);
        }
        auto const n = static_cast<unsigned>(options.size());
        auto const [i, success] = options[n > 1 ? by_.choose(n) : 0];
        if (success) return replace(t, where, desired, done, i + 1);
        check_atomic(t, where, false);
        return take(t, where, i, failed);
    }

    void fence(unsigned t, std::memory_order order) {
        auto& me = threads_[t];
        if (acquires(order) && rules_.acquire_fences) me.now.join(me.pending);
        if (order == std::memory_order_seq_cst && rules_.seq_cst_fences) {
            me.now.join_floors(total_);
            total_.join_floors(me.now);
        }
        if (releases(order) && rules_.release_fences) me.fence = me.now;
    }

    /// Everything that `other` did is known to t: the kernel orders it so, when t gets a lock that the death of
    /// `other` let go, or is told of its death.
    void learn_all(unsigned t, unsigned other) noexcept { threads_[t].now.join(threads_[other].now); }

    /// Payload: the store that is read must be the only one that may be.
    std::uint64_t read_plain(unsigned t, void* at) {
        auto& where = locate(at, 8);
        auto& me = threads_[t];
        if (rules_.races)
            for (unsigned u = 0; u < most_threads; ++u)
                if (u != t && (where.written.at[u] > me.now.before.at[u] ||
                               where.plain_written.at[u] > me.now.before.at[u]))
                    race(where, t, u, "reads payload that is written", "at the same time");
        where.plain_read.at[t] = me.now.before.at[t];
        me.now.raise(number_of(where), where.stores.back().key);
        return where.stores.back().value;
    }
    void write_plain(unsigned t, void* at, std::uint64_t value) {
        auto& where = locate(at, 8);
        auto& me = threads_[t];
        if (rules_.races)
            for (unsigned u = 0; u < most_threads; ++u) {
                auto const known = me.now.before.at[u];
                if (u == t) continue;
                if (where.written.at[u] > known || where.plain_written.at[u] > known)
                    race(where, t, u, "writes payload that is written", "at the same time");
                if (where.read.at[u] > known || where.plain_read.at[u] > known)
                    race(where, t, u, "writes payload that is read", "at the same time");
            }
        where.plain_written.at[t] = me.now.before.at[t];
        auto const key = where.stores.back().key + key_step;
        me.now.raise(number_of(where), key);
        write(t, where, where.stores.size(), key, value, std::memory_order_relaxed, nullptr);
    }

private:
    static constexpr std::uint32_t key_step = 64;

    struct one_store {
        std::uint64_t value = 0;
        std::uint32_t key = 0;  ///< grows in modification order
        bool rmw = false;
        view carried;
    };
    struct location {
        std::byte* at = nullptr;
        unsigned width = 0;
        std::vector<one_store> stores;  ///< in modification order
        vector_clock written;           ///< last atomic write of each thread
        vector_clock read;
        vector_clock plain_written;
        vector_clock plain_read;
    };
    struct thread_state {
        view now;
        view pending;  ///< what relaxed loads read, for an acquire fence
        view fence;    ///< at the last release fence
    };

    [[nodiscard]] unsigned number_of(location const& where) const noexcept {
        return static_cast<unsigned>(&where - locations_.data());
    }

    location& locate(void* at, unsigned width) {
        auto* const byte = static_cast<std::byte*>(at);
        auto const offset = static_cast<std::size_t>(byte - base_);
        if (!holds(at) || offset + width > bytes_ || offset % width != 0)
            by_.fail("an access outside of the structure");
        auto& number = numbers_[offset / 4];
        if (number == 0) {
            if (used_ == most_locations) by_.fail("the model holds 160 locations; use a smaller case");
            auto& fresh = locations_[used_];
            fresh.at = byte;
            fresh.width = width;
            fresh.written = fresh.read = fresh.plain_written = fresh.plain_read = {};
            fresh.stores.resize(1);
            auto& first = fresh.stores[0];
            first.value = 0;
            std::memcpy(&first.value, byte, width);
            first.key = 0;
            first.rmw = false;
            first.carried.before = {};
            first.carried.known = 0;
            number = static_cast<std::uint16_t>(++used_);
        }
        auto& found = locations_[number - 1U];
        if (found.width != width) by_.fail("one place is used with two widths");
        return found;
    }

    /// Number of the oldest store that t may read.
    [[nodiscard]] std::size_t oldest(unsigned t, location const& where,
                                     std::memory_order order) const noexcept {
        auto const l = static_cast<unsigned>(&where - locations_.data());
        if (!rules_.coherence) return 0;
        auto least = threads_[t].now.of(l);
        if (order == std::memory_order_seq_cst && rules_.seq_cst_accesses)
            least = std::max(least, total_.of(l));
        std::size_t i = where.stores.size() - 1;
        while (i > 0 && where.stores[i].key > least) --i;
        return i;
    }
    /// How many stores t may read that are not the newest and have another value than that.
    [[nodiscard]] unsigned older(unsigned t, location const& where, std::memory_order order,
                                 std::uint64_t unlike) const noexcept {
        unsigned n = 0;
        for (auto i = oldest(t, where, order); i + 1 < where.stores.size(); ++i)
            n += where.stores[i].value != unlike;
        return n;
    }
    /// The n-th of them, from the newest.
    [[nodiscard]] std::size_t nth_older(location const& where, unsigned n,
                                        std::uint64_t unlike) const noexcept {
        auto i = where.stores.size() - 1;
        while (n > 0)
            if (where.stores[--i].value != unlike) --n;
        return i;
    }

    outcome_of_access read(unsigned t, location& where, std::memory_order order, bool only_unlike,
                           std::uint64_t unlike) {
        check_atomic(t, where, false);
        auto const last = where.stores.size() - 1;
        std::size_t chosen = last;
        if (only_unlike) {
            auto const n = older(t, where, order, unlike);
            auto const which = n > 0 ? by_.choose(n + 1) : 0;
            if (which > 0) chosen = nth_older(where, which, unlike);
        } else if (rules_.stale_loads) {
            auto const n = static_cast<unsigned>(last - oldest(t, where, order));
            if (n > 0) chosen = last - by_.choose(n + 1);
        }
        return take(t, where, chosen, order);
    }

    outcome_of_access take(unsigned t, location& where, std::size_t chosen, std::memory_order order) {
        auto& me = threads_[t];
        auto const l = number_of(where);
        auto const& from = where.stores[chosen];
        where.read.at[t] = me.now.before.at[t];
        me.now.raise(l, from.key);
        if (order == std::memory_order_seq_cst && rules_.seq_cst_accesses) total_.raise(l, from.key);
        if (acquires(order) && rules_.acquire_loads)
            me.now.join(from.carried);
        else
            me.pending.join(from.carried);
        return {from.value, 0, static_cast<unsigned>(where.stores.size() - 1 - chosen), false};
    }

    /// Whether a store may come to stand before the i-th: no read-modify-write reads across, and keys are left.
    static bool is_place(location const& where, std::size_t i) noexcept {
        return !where.stores[i].rmw && where.stores[i].key - where.stores[i - 1].key > 1;
    }
    static unsigned places(location const& where, std::uint32_t least) noexcept {
        unsigned n = 0;
        for (auto i = where.stores.size() - 1; i > 0 && where.stores[i].key > least; --i)
            n += is_place(where, i);
        return n;
    }
    static std::size_t nth_place(location const& where, unsigned n) noexcept {
        auto i = where.stores.size();
        while (n > 0)
            if (is_place(where, --i)) --n;
        return i;
    }
    static std::uint32_t key_at(location const& where, std::size_t put) noexcept {
        auto const& all = where.stores;
        return put == all.size() ? all.back().key + key_step
                                 : all[put - 1].key + (all[put].key - all[put - 1].key) / 2;
    }
    /// A read-modify-write may come late, too: it reads the store that it comes to stand behind.
    std::size_t place_of_modify(unsigned t, location const& where, std::memory_order order) {
        if (!rules_.late_stores || !rules_.atomic_rmw) return where.stores.size();
        auto const l = number_of(where);
        auto least = threads_[t].now.of(l);
        if (order == std::memory_order_seq_cst && rules_.seq_cst_accesses)
            least = std::max(least, total_.of(l));
        auto const late = places(where, least);
        unsigned const which = late > 0 ? by_.choose(late + 1) : 0;
        return which > 0 ? nth_place(where, which) : where.stores.size();
    }

    outcome_of_access replace(unsigned t, location& where, std::uint64_t desired, std::memory_order order,
                              std::size_t put) {
        check_atomic(t, where, true);
        auto seen = take(t, where, put - 1, order);
        auto const key = key_at(where, put);
        threads_[t].now.raise(number_of(where), key);
        auto const before = where.stores[put - 1].carried;
        write(t, where, put, key, desired, order, &before);
        seen.wrote = desired;
        seen.stored = true;
        return seen;
    }

    void write(unsigned t, location& where, std::size_t put, std::uint32_t key, std::uint64_t value,
               std::memory_order order, view const* carried_on) {
        auto& me = threads_[t];
        auto const l = number_of(where);
        where.written.at[t] = me.now.before.at[t];
        if (order == std::memory_order_seq_cst && rules_.seq_cst_accesses) total_.raise(l, key);
        bool const last = put == where.stores.size();
        auto& fresh = last ? where.stores.emplace_back()
                           : *where.stores.emplace(where.stores.begin() + static_cast<std::ptrdiff_t>(put));
        fresh.value = value;
        fresh.key = key;
        fresh.rmw = carried_on != nullptr;
        if (releases(order) && rules_.release_stores)
            fresh.carried = me.now;
        else
            fresh.carried = me.fence;
        if (carried_on != nullptr && rules_.release_sequences) fresh.carried.join(*carried_on);
        if (carried_on == nullptr && !rules_.only_through_rmw && put > 0)
            fresh.carried.join(where.stores[put - 1].carried);
        fresh.carried.raise(l, key);
        if (last) std::memcpy(where.at, &value, where.width);
    }

    /// An atomic access of a place that is also used as payload.
    void check_atomic(unsigned t, location& where, bool writes) {
        if (!rules_.races) return;
        auto const& known = threads_[t].now.before;
        for (unsigned u = 0; u < most_threads; ++u) {
            if (u == t) continue;
            if (where.plain_written.at[u] > known.at[u])
                race(where, t, u,
                     writes ? "writes what is written as payload" : "reads what is written as payload",
                     "at the same time");
            if (writes && where.plain_read.at[u] > known.at[u])
                race(where, t, u, "writes what is read as payload", "at the same time");
        }
    }
    [[noreturn]] void race(location const& where, unsigned t, unsigned u, char const* does,
                           char const* when) {
        by_.fail("race: thread " + std::to_string(t) + " " + does + " by thread " + std::to_string(u) + " " +
                 when + ", at byte " + std::to_string(where.at - base_));
        __builtin_unreachable();
    }

    decisions& by_;
    rules const& rules_;
    std::byte* base_ = nullptr;
    std::size_t bytes_ = 0;
    std::vector<std::uint16_t> numbers_;  ///< of the location at each four bytes, from 1; 0: not touched yet
    std::array<location, most_locations> locations_;
    unsigned used_ = 0;
    std::array<thread_state, most_threads> threads_;
    view total_;  ///< only its floors: what the last seq_cst operations saw and wrote
};

}  // namespace zeroipc::model
