#pragma once
/// \file
/// An array under one lock, whose owner does everybody's work: each handle publishes what it wants in a record of its own,
/// and whoever gets the lock carries out all requests that it finds. Source: D. Hendler, I. Incze, N. Shavit, M. Tzafrir,
/// "Flat combining and the synchronization-parallelism tradeoff", 2010; with one record for each handle slot, where the paper
/// has a list.
///
/// Each request takes effect when the combiner stores top, which counts the items, or, if the answer is full or empty or the
/// operation a peek, when it reads it: after the request was published, before its answer is found. All of that happens under
/// the lock, in one order. So every answer is linearizable, negative ones included.
///
/// Blocking, and not kill-safe. What a kill leaves behind:
/// - before (P1): nothing.
/// - between (P1) and the answer: a request that somebody carries out, or nobody; of a pop, the item may be lost. The next
///   handle in that slot first takes the lock, so that nobody is at the record, and ends the request. Where it doesn't get the
///   lock in time, it leaves the slot alone.
/// - between (P3) and (P4), as a combiner: everybody stops, for ever. Their operations throw error(errc::corrupt) after a long
///   patience, with their request standing; whoever uses that handle again is refused. The slot of the dead one is not given
///   to anybody. What was just being carried out may have been, without its answer. Make the stack anew.
/// - after the answer, or (P4): nothing but the slot; of a pop, the item in hand.

#include <sched.h>
#include <zeroipc/atomics.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zeroipc::variants {

/// Numbers of the ordered accesses.
enum class combining_access : int {
    asks = 1,           ///< (P1) release; partner (P5): a push's item lies before it
    reads_answer = 2,   ///< (P2) acquire; partner (P6): a pop's item lies before it
    locks = 3,          ///< (P3) acquire; partner (P4): all that was done to the array
    unlocks = 4,        ///< (P4) release; partner (P3)
    reads_request = 5,  ///< (P5) acquire; partner (P1)
    answers = 6,        ///< (P6) release; partners (P2), (P7)
    reads_of_dead = 7,  ///< (P7) recovery; acquire; partner (P6)
    counts = 8,         ///< (P8) release: top; partner (P9)
    reads_count = 9,    ///< (P9) acquire; partner (P8)
};

template <class Policies, std::size_t ItemBytes>
class flat_combining_stack {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = combining_access;

public:
    static constexpr std::uint64_t item_stride = format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = false;
    /// From one record to the next: its word, and the item that goes in or comes out.
    static constexpr std::uint64_t record_stride = format::align_up(8 + item_stride, layout::line);

    struct shape {
        std::uint64_t capacity = 0;
        std::uint32_t handle_slots = 0;
        std::uint64_t slots = 0;    ///< first handle slot: nothing but the place of its lock
        std::uint64_t records = 0;  ///< first record, one for each handle slot
        std::uint64_t items = 0;
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t handle_slots) noexcept {
        shape s;
        s.capacity = capacity;
        s.handle_slots = handle_slots;
        s.slots = layout::body_offset + layout::line;
        s.records = s.slots + layout::line * std::uint64_t{handle_slots};
        s.items = s.records + record_stride * handle_slots;
        s.total = s.items + item_stride * capacity;
        return s;
    }

    /// The handle slot must be owned (its lock held), and recover() have said that it may be used.
    flat_combining_stack(std::byte* base, shape const& s, std::uint32_t slot)
        : top_(at<word>(base, layout::top_offset)),
          lock_(at<word>(base, layout::body_offset)),
          used_(at<word>(base, layout::body_offset + 8)),
          records_(base + s.records),
          items_(base + s.items),
          capacity_(s.capacity),
          handle_slots_(s.handle_slots),
          me_(slot + 1) {
        // Relaxed: a hint. A combiner that does not know of this record looks over it; then its owner combines.
        auto used = used_->load(std::memory_order_relaxed);
        for (int round = 0; round < 1000 && used < me_; ++round)
            if (used_->compare_exchange_strong(used, me_, std::memory_order_relaxed,
                                               std::memory_order_relaxed))
                break;
    }

    /// Blocking. Commit: the combiner's store to top, (P8). \throws error(errc::corrupt), also where the combiner died.
    bool try_push(void const* item) {
        start();
        atomics::write_payload(payload(me_ - 1), item, ItemBytes);
        return ask(request::push) == answer_yes;
    }

    /// As try_push.
    bool try_pop(void* item) { return get(request::pop, item); }

    /// As try_push, but for the commit: there is none.
    bool try_peek(void* item) { return get(request::peek, item); }

    /// Exact at one moment during the call. Wait-free.
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const count = ordering::template load<atomics, access::reads_count>(*top_);  // (P9)
        return count < capacity_ ? count : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: ends what its last owner asked for. Blocking, for a while.
    /// \return false if no lock was to be had for that.
    static bool recover(std::byte* base, shape const& s, std::uint32_t slot) {
        auto& state = *at<word>(base, s.records + record_stride * slot);
        auto& lock = *at<word>(base, layout::body_offset);
        std::uint64_t const me = slot + 1;
        for (std::uint64_t round = 0; round < patience_with_combiner; ++round) {
            auto holder = lock.load(std::memory_order_relaxed);  // relaxed: (P3) checks it
            if (holder == me) return false;                      // it died as a combiner
            if (!asks(ordering::template load<atomics, access::reads_of_dead>(state))) return true;  // (P7)
            if (holder == 0 &&
                ordering::template exchange_if<atomics, access::locks>(lock, holder, me)) {  // (P3)
                state.store(answer_no, std::memory_order_relaxed);  // relaxed: ordered by the lock
                ordering::template store<atomics, access::unlocks>(lock, std::uint64_t{0});  // (P4)
                return true;
            }
            ::sched_yield();
        }
        return false;
    }

private:
    /// A record's word. In zeroed memory nothing is asked for.
    enum request : std::uint64_t { nothing, push, pop, peek, answer_yes, answer_no };

    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();
    /// Rounds of an opening. Each gives the processor away.
    static constexpr std::uint64_t patience_with_combiner = std::min<std::uint64_t>(patience, 10000);

    template <class U>
    static U* at(std::byte* base, std::uint64_t offset) noexcept {
        return reinterpret_cast<U*>(base + offset);
    }
    [[nodiscard]] word& state(std::uint64_t slot) const noexcept {
        return *at<word>(records_, record_stride * slot);
    }
    [[nodiscard]] std::byte* payload(std::uint64_t slot) const noexcept {
        return records_ + record_stride * slot + 8;
    }
    static bool asks(std::uint64_t state) noexcept { return state - push <= peek - push; }

    /// \throws error(errc::corrupt) if the last request still stands, as nobody carried it out: the record is not free.
    void start() const {
        // Relaxed: what is not a request, this handle has acquired as an answer, or its predecessor's end.
        if (asks(state(me_ - 1).load(std::memory_order_relaxed))) stopped();
    }

    bool get(request what, void* item) {
        start();
        if (ask(what) != answer_yes) return false;
        atomics::read_payload(item, payload(me_ - 1), ItemBytes);
        return true;
    }

    /// Publishes a request, and sees to it that it is carried out.
    std::uint64_t ask(request what) {
        auto& mine = state(me_ - 1);
        ordering::template store<atomics, access::asks>(mine, static_cast<std::uint64_t>(what));  // (P1)
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const found = ordering::template load<atomics, access::reads_answer>(mine);  // (P2)
            if (found == answer_yes || found == answer_no) return found;
            auto holder = lock_->load(std::memory_order_relaxed);  // relaxed: (P3) checks it
            if (holder == 0 &&
                ordering::template exchange_if<atomics, access::locks>(*lock_, holder, me_)) {  // (P3)
                bool const right = combine();
                ordering::template store<atomics, access::unlocks>(*lock_, std::uint64_t{0});  // (P4)
                if (!right) zeroipc::detail::corrupt("stack", "it counts more items than its capacity");
                return mine.load(std::memory_order_relaxed);  // relaxed: this thread, or (P3), has the answer
            }
            observer_.retry();
            observer_.backoff();
            wait();
            if (round >= 64) ::sched_yield();
        }
        stopped();
    }

    [[noreturn, gnu::cold, gnu::noinline]] static void stopped() {
        throw error(errc::corrupt,
                    "stack: nobody carried out a request; a combiner died, or a peer overwrote it: make the "
                    "stack anew");
    }

    /// Carries out every request, in the order of the records. \pre the lock is held.
    /// \return false if top is impossible; then the own request is taken back, and the others stand.
    bool combine() {
        auto count = top_->load(std::memory_order_relaxed);  // relaxed, as the items: ordered by the lock
        if (count > capacity_) {
            state(me_ - 1).store(nothing, std::memory_order_relaxed);  // relaxed: ordered by the lock
            return false;
        }
        auto const used = used_->load(std::memory_order_relaxed);  // relaxed: a hint
        auto const end = std::clamp<std::uint64_t>(used, me_, handle_slots_);
        for (std::uint64_t slot = 0; slot < end; ++slot) {
            auto& its = state(slot);
            auto const what = ordering::template load<atomics, access::reads_request>(its);  // (P5)
            if (!asks(what)) continue;
            bool const yes = carry_out(what, payload(slot), count);
            if (slot + 1 != me_) observer_.help();
            ordering::template store<atomics, access::answers>(its, yes ? answer_yes : answer_no);  // (P6)
        }
        return true;
    }

    bool carry_out(std::uint64_t what, std::byte* payload, std::uint64_t& count) {
        if (what == push ? count == capacity_ : count == 0) return false;
        if (what == push) {
            copy(items_ + item_stride * count, payload);
            count_is(++count);
        } else {
            copy(payload, items_ + item_stride * (count - 1));
            if (what == pop) count_is(--count);
        }
        return true;
    }
    void count_is(std::uint64_t count) noexcept {
        ordering::template store<atomics, access::counts>(*top_, count);  // (P8)
    }

    /// From one shared place to another.
    static void copy(std::byte* to, std::byte const* from) noexcept {
        std::byte item[ItemBytes];
        atomics::read_payload(item, from, ItemBytes);
        atomics::write_payload(to, item, ItemBytes);
    }

    word* top_;
    word* lock_;  ///< who combines: handle slot + 1, or 0
    word* used_;  ///< records that were ever used: no more need be looked at
    std::byte* records_;
    std::byte* items_;
    std::uint64_t capacity_;
    std::uint64_t handle_slots_;
    std::uint64_t me_;  ///< handle slot, from 1
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects flat combining.
struct flat_combining {
    using policy_kind = policy::algorithm_kind;
    using access = combining_access;
    static constexpr std::string_view structure = "stack";
    static constexpr std::string_view name = "flat_combining";
    static constexpr std::uint32_t id = 4;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "Hendler, Incze, Shavit and Tzafrir 2010";

    template <class Policies, std::size_t ItemBytes>
    using ring = flat_combining_stack<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
