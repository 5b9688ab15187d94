#pragma once
/// \file
/// The default algorithm of Stack: a linked stack under one tagged word (Treiber, 1986), with its nodes in a
/// pool, and with commits that can be told after a death. Bytes and argument: format/stack.md.
///
/// Two lists share one pool of nodes: the stack, and the free nodes. A list's word holds the first node, the
/// handle slot that stored it, and a tag that grows with each commit: every value of the word is unique. Who
/// is about to replace a value that another handle stored first notes it in its own row of witnesses. So, when
/// that handle turns out to be dead, its last commit took effect exactly if its value still stands in the
/// word, or stands in somebody's row: nothing is ever undecided, and nothing is parked.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "atomics.hpp"
#include "detail/hand.hpp"
#include "error.hpp"
#include "layout.hpp"
#include "policy.hpp"
#include "repair.hpp"
#include "table.hpp"

namespace zeroipc {

/// Numbers of the ordered accesses of the stack, for ordering policies and for the comments.
enum class treiber_access : int {
    reads_first = 1,        ///< (L1) acquire; partner (L2): the node's link is read behind it
    commits = 2,            ///< (L2) acq_rel, acquire when it fails; partners (L1), (L2), (L3), (L5)
    confirms_negative = 3,  ///< (L3) acquire, behind the seq_cst fence; partner (L2)
    reads_witness = 4,      ///< (L4) acquire; recovery; partner: the relaxed store before (L2)
    examines_first = 5,     ///< (L5) acquire; recovery; partner (L2)
    settles_slot = 6,  ///< (L6) release; partner: the kernel's lock, by which a successor comes behind it
};

/// Where the parts of a stack lie, in bytes from the structure's start.
struct treiber_geometry {
    std::uint64_t capacity = 0;
    std::uint32_t handle_slots = 0;
    std::uint64_t slots = 0;      ///< first handle slot
    std::uint64_t witnesses = 0;  ///< first row of witnesses
    std::uint64_t row = 0;        ///< bytes of a row: two words for each handle slot
    std::uint64_t nodes = 0;      ///< first node
    std::uint64_t total = 0;      ///< bytes of the structure

    /// A handle never holds more than two.
    [[nodiscard]] constexpr std::uint64_t node_count() const noexcept {
        return capacity + 2 * std::uint64_t{handle_slots};
    }
};

namespace detail {

/// What an operation of the stack does after a lost race. \return whether it is done now without the stack: then it
/// ends, and the nodes in hand are as before. The second parameter is the newest value of top, which may be renewed.
struct back_off {
    template <class Backoff>
    bool operator()(Backoff& wait, std::uint64_t& /*now*/) const {
        wait();
        return false;
    }
};

}  // namespace detail

/// The stack on raw bytes. One object is one handle: it is used by one thread at a time.
/// \tparam Policies with members layout, ordering, backoff, observer and atomics.
template <class Policies, std::size_t ItemBytes>
class treiber_stack {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = treiber_access;

public:
    /// Link and item.
    static constexpr std::uint64_t item_stride =
        zeroipc::layout::slot_stride<layout>(8 + format::align_up(ItemBytes, 8));
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = true;

    static constexpr treiber_geometry geometry(std::uint64_t capacity, std::uint32_t handle_slots) noexcept {
        treiber_geometry g;
        g.capacity = capacity;
        g.handle_slots = handle_slots;
        g.slots = layout::body_offset;
        g.witnesses = g.slots + layout::line * std::uint64_t{handle_slots};
        g.row = format::align_up(std::uint64_t{16} * handle_slots, layout::line);
        g.nodes = g.witnesses + g.row * handle_slots;
        g.total = g.nodes + item_stride * g.node_count();
        return g;
    }

    /// Attaches to a stack whose geometry was checked against its place. The handle slot must be owned (its
    /// lock held) and settled (recover() said so).
    treiber_stack(std::byte* base, treiber_geometry const& g, std::uint32_t slot)
        : lists_{at<word>(base, layout::top_offset), at<word>(base, layout::free_offset)},
          witnesses_(at<word>(base, g.witnesses + g.row * slot)),
          nodes_(base + g.nodes),
          slot_(at<slot_record>(base, g.slots + layout::line * std::uint64_t{slot})),
          shape_(g),
          me_(slot + 1) {
        hand const now = hand::unpacked(slot_->state.load(std::memory_order_relaxed));
        if (now.what != doing::nothing || now.second != 0 || now.first > shape_.nodes)
            corrupt("a handle slot names a node that does not exist");
        spare_ = now.first;
    }

    /// Puts an item on top. Lock-free; O(1) without contention. Commit: (L2) on the top word.
    /// \return false if the stack was full at one moment during the call. \throws error(errc::corrupt)
    /// \param lost what to do after a lost race (see detail::back_off), for algorithms that derive from this one.
    template <class Lost = detail::back_off>
    bool try_push(void const* item, Lost const& lost = {}) {
        if (spare_ == 0 && !may_refill()) return false;
        auto& top = *lists_[stack_list];
        auto* const node = node_at(spare_);
        // (L7) release fence: who reads what is written here, in a node that it still takes for the top one,
        // sees behind its acquire fence (L8) that the top has changed.
        atomics::fence(std::memory_order_release);
        atomics::write_words(node + 1, item, ItemBytes);
        backoff wait;
        auto now = ordering::template load<atomics, access::reads_first>(top);  // (L1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const below = shape_.node(now);
            auto const depth = depth_of(below);
            if (depth >= shape_.capacity) {
                if (!stands(top, now)) continue;
                settle({spare_, 0});
                return false;
            }
            node->store(((depth + 1) << 32) | below, std::memory_order_relaxed);
            if (commit(stack_list, now, spare_, {spare_, 0, doing::push})) {
                settle({});
                return true;
            }
            if (lost(wait, now)) {
                settle({spare_, 0});
                return true;
            }
        }
        no_progress();
    }

    /// Takes the item on top. Lock-free; O(1) without contention. Commit: (L2) on the top word.
    /// \return false if the stack was empty at one moment during the call. \throws error(errc::corrupt)
    /// \param lost as in try_push.
    template <class Lost = detail::back_off>
    bool try_pop(void* item, Lost const& lost = {}) {
        auto& top = *lists_[stack_list];
        backoff wait;
        auto now = ordering::template load<atomics, access::reads_first>(top);  // (L1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const first = shape_.node(now);
            if (first == 0) {
                if (!stands(top, now)) continue;
                settle({spare_, 0});
                return false;
            }
            if (first > shape_.nodes) corrupt("the top names a node that does not exist");
            auto const below = node_at(first)->load(std::memory_order_relaxed) & 0xffffffffU;
            if (below > shape_.nodes) {  // the node is in other hands by now, or a hostile peer wrote this
                if (stands(top, now)) corrupt("a link names a node that does not exist");
                continue;
            }
            if (commit(stack_list, now, below, {spare_, 0, doing::pop})) {
                atomics::read_payload(item, node_at(first) + 1, ItemBytes);
                settle({first, spare_});
                if (holds_ != 0) give_back();
                return true;
            }
            if (lost(wait, now)) {
                settle({spare_, 0});
                return true;
            }
        }
        no_progress();
    }

    /// Copies the item on top and leaves it there. Lock-free; O(1) without contention.
    /// \return false if the stack was empty at one moment during the call. \throws error(errc::corrupt)
    bool try_peek(void* item) {
        auto& top = *lists_[stack_list];
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto now = ordering::template load<atomics, access::reads_first>(top);  // (L1)
            auto const first = shape_.node(now);
            if (first == 0) {
                if (stands(top, now)) return false;
                continue;
            }
            if (first > shape_.nodes) corrupt("the top names a node that does not exist");
            atomics::read_words(item, node_at(first) + 1, ItemBytes);
            // (L8) acquire fence, partner (L7): were the bytes of a later push, the word would show it.
            atomics::fence(std::memory_order_acquire);
            if (top.load(std::memory_order_relaxed) == now) return true;
            observer_.retry();
        }
        no_progress();
    }

    /// Items in it at one moment during the call, 0 to capacity: each node knows its depth. Lock-free, O(1).
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto& top = *lists_[stack_list];
        std::uint64_t depth = 0;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const now = ordering::template load<atomics, access::reads_first>(top);  // (L1)
            depth = depth_of(shape_.node(now));
            atomics::fence(std::memory_order_acquire);  // (L8)
            if (top.load(std::memory_order_relaxed) == now) break;
        }
        return depth < shape_.capacity ? depth : shape_.capacity;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: decides which nodes its last owner had, exactly. May
    /// be killed at any step and run again; may run beside living handles and other recoveries. O(handle slots).
    /// \return false only if the slot's bytes are impossible.
    static bool recover(std::byte* base, treiber_geometry const& g, std::uint32_t slot) {
        treiber_stack self(base, g, slot, unsettled{});
        hand now = hand::unpacked(self.slot_->state.load(std::memory_order_relaxed));
        auto const expected = self.slot_->expected.load(std::memory_order_relaxed);
        auto const gained = self.gain_of(now.what, expected);
        if (now.first > self.shape_.nodes || now.second > self.shape_.nodes || gained > self.shape_.nodes)
            return false;
        if (now.what != doing::nothing &&
            self.happened(now.what == doing::push || now.what == doing::pop ? stack_list : free_list,
                          expected)) {
            if (now.what == doing::push) now.first = 0;
            if (now.what == doing::pop) now = {gained, now.first};
            if (now.what == doing::refill) now.first = gained;
            if (now.what == doing::give_back) now.second = 0;
        }
        self.settle(now);
        if (self.holds_ != 0) self.give_back();
        return true;
    }

    /// Settles every handle slot and gives their spare nodes back to the free list. Only when nobody else is
    /// attached. May be killed at any step and run again. O(handle slots squared).
    static repair_report repair(std::byte* base, treiber_geometry const& g) {
        repair_report report;
        for (std::uint32_t slot = 0; slot < g.handle_slots; ++slot) {
            if (!recover(base, g, slot)) corrupt("a handle slot names a node that does not exist");
            treiber_stack self(base, g, slot);
            if (self.spare_ == 0) continue;
            self.holds_ = std::exchange(self.spare_, 0);
            self.give_back();
            ++report.reclaimed;
        }
        return report;
    }

    /// Every node's owner, for tests and tools: visit(node) for each node in the stack, in the free list and in
    /// a settled slot. Only when no operation is in flight. Ends after node_count() nodes of a list.
    template <class Visit>
    static void visit_nodes(std::byte* base, treiber_geometry const& g, Visit&& visit) {
        treiber_stack self(base, g, 0, unsettled{});
        auto n = self.shape_.node(self.lists_[stack_list]->load(std::memory_order_acquire));
        for (std::uint64_t i = 0; i < self.shape_.nodes && n != 0 && n <= self.shape_.nodes; ++i) {
            visit(n);
            n = self.node_at(n)->load(std::memory_order_relaxed) & 0xffffffffU;
        }
        n = self.free_node(self.lists_[free_list]->load(std::memory_order_acquire));
        for (std::uint64_t i = 0; i < self.shape_.nodes && n != 0 && n <= self.shape_.nodes; ++i) {
            visit(n);
            n = self.next_free(n);
        }
        for (std::uint32_t s = 0; s < g.handle_slots; ++s) {
            auto* const record = at<slot_record>(base, g.slots + layout::line * std::uint64_t{s});
            auto const held = hand::unpacked(record->state.load(std::memory_order_acquire));
            if (held.first != 0) visit(held.first);
            if (held.second != 0) visit(held.second);
        }
    }

protected:
    enum list : unsigned { stack_list, free_list };
    enum class doing : std::uint64_t { nothing, push, pop, refill, give_back };
    struct unsettled {};

    /// A handle slot: the nodes in its hands, and what it is about to do. Only its owner writes it.
    struct slot_record {
        word state;     ///< a `hand`, packed
        word expected;  ///< the value that the commit in progress replaces
    };
    static_assert(sizeof(slot_record) == 16, "a handle slot's record has two words: see format/stack.md");

    /// The spare node, in a push the one that is pushed; and one to be given back.
    using hand = zeroipc::detail::hand<doing>;

    /// A private copy of the geometry, and the packing of a list's word: tag, handle slot, node.
    struct shape {
        explicit shape(treiber_geometry const& g) noexcept
            : capacity(g.capacity),
              nodes(g.node_count()),
              row_words(g.row / 8),
              handle_slots(g.handle_slots),
              node_bits(static_cast<unsigned>(std::bit_width(g.node_count()))),
              tag_shift(node_bits + static_cast<unsigned>(std::bit_width(g.handle_slots))) {}

        std::uint64_t capacity;
        std::uint64_t nodes;
        std::uint64_t row_words;
        std::uint32_t handle_slots;
        unsigned node_bits;
        unsigned tag_shift;

        [[nodiscard]] std::uint64_t node(std::uint64_t value) const noexcept {
            return value & ((std::uint64_t{1} << node_bits) - 1);
        }
        [[nodiscard]] std::uint64_t slot(std::uint64_t value) const noexcept {
            return (value >> node_bits) & ((std::uint64_t{1} << (tag_shift - node_bits)) - 1);
        }
        /// What follows `value` when handle slot `by` (from 1) puts `first` there: unique until the tag wraps.
        [[nodiscard]] std::uint64_t next(std::uint64_t value, std::uint64_t by,
                                         std::uint64_t first) const noexcept {
            return (((value >> tag_shift) + 1) << tag_shift) | by << node_bits | first;
        }
        /// Whether `value` is what slot `by` put behind `before`.
        [[nodiscard]] bool follows(std::uint64_t value, std::uint64_t before,
                                   std::uint64_t by) const noexcept {
            return slot(value) == by && value >> tag_shift == next(before, 0, 0) >> tag_shift;
        }
    };

    static constexpr std::uint64_t patience = detail::patience_of<atomics>();

    treiber_stack(std::byte* base, treiber_geometry const& g, std::uint32_t slot, unsettled /*tag*/)
        : lists_{at<word>(base, layout::top_offset), at<word>(base, layout::free_offset)},
          witnesses_(at<word>(base, g.witnesses + g.row * slot)),
          nodes_(base + g.nodes),
          slot_(at<slot_record>(base, g.slots + layout::line * std::uint64_t{slot})),
          shape_(g),
          me_(slot + 1) {}

    template <class U>
    static U* at(std::byte* base, std::uint64_t offset) noexcept {
        return reinterpret_cast<U*>(base + offset);
    }

    [[noreturn]] static void corrupt(char const* what) { detail::corrupt("stack", what); }

    [[noreturn]] static void no_progress() { detail::no_progress("stack", patience); }

    /// A node's link; the item's words follow it. \pre 1 <= n <= nodes
    [[nodiscard]] word* node_at(std::uint64_t n) const noexcept {
        return reinterpret_cast<word*>(nodes_ + item_stride * (n - 1));
    }

    /// Depth of a node in the stack, which stands in the upper half of its link. Anything, if it is in other
    /// hands by now: the commit, or the second look, tells.
    [[nodiscard]] std::uint64_t depth_of(std::uint64_t n) const noexcept {
        if (n == 0 || n > shape_.nodes) return n == 0 ? 0 : shape_.capacity;
        return node_at(n)->load(std::memory_order_relaxed) >> 32;
    }

    /// The free list's word and links are relative, so that zeroed memory is the list 1, 2, 3, ...
    [[nodiscard]] std::uint64_t free_node(std::uint64_t value) const noexcept {
        auto const field = shape_.node(value);
        return field < shape_.nodes ? field + 1 : 0;
    }
    [[nodiscard]] std::uint64_t free_field(std::uint64_t n) const noexcept {
        return n == 0 ? shape_.nodes : n - 1;
    }
    [[nodiscard]] std::uint64_t next_free(std::uint64_t n) const noexcept {
        auto const distance = static_cast<std::uint32_t>(node_at(n)->load(std::memory_order_relaxed));
        auto const next = static_cast<std::uint32_t>(distance + n + 1);  // modular
        return next <= shape_.nodes ? next : next == shape_.nodes + 1 ? 0 : ~std::uint64_t{0};
    }
    void link_free(std::uint64_t n, std::uint64_t next) const noexcept {
        auto const to = next == 0 ? shape_.nodes + 1 : next;
        node_at(n)->store(static_cast<std::uint32_t>(to - n - 1), std::memory_order_relaxed);
    }

    /// The second look behind a negative answer. \return whether the word is as it was; else it is now known.
    bool stands(word& first, std::uint64_t& value) {
        ordering::template before_negative<atomics>();
        auto const again = ordering::template load<atomics, access::confirms_negative>(first);  // (L3)
        bool const same = again == value;
        value = again;
        return same;
    }

    /// Replaces a list's first node. \param now the value as read; renewed if that fails.
    bool commit(list which, std::uint64_t& now, std::uint64_t first, hand const& intent) {
        auto const next = shape_.next(now, me_, first);
        // Only an undertaker reads this, after our death. While a commit is in progress `expected` may change
        // first: towards that value we have done nothing yet.
        slot_->expected.store(now, std::memory_order_relaxed);
        atomics::order_for_undertaker();
        slot_->state.store(intent.packed(), std::memory_order_relaxed);
        atomics::order_for_undertaker();
        auto const author = shape_.slot(now);
        if (author != me_ && author != 0 && author <= shape_.handle_slots) {
            // Whoever finds `now` gone finds it here: the store is ordered before (L2). Only this handle writes
            // its row, and it reads the values of one author in their order.
            auto& witness = witnesses_[2 * (author - 1) + which];
            if (witness.load(std::memory_order_relaxed) != now) witness.store(now, std::memory_order_relaxed);
        }
        if (ordering::template exchange_if<atomics, access::commits>(*lists_[which], now, next))
            return true;  // (L2)
        observer_.retry();
        observer_.backoff();
        return false;
    }

    /// Records what is in hand, with nothing in progress.
    void settle(hand const& h) noexcept {
        atomics::order_for_undertaker();
        auto const kept = h.first != 0 ? hand{h.first, h.second} : hand{h.second, 0};
        ordering::template store<atomics, access::settles_slot>(slot_->state, kept.packed());  // (L6)
        atomics::order_for_undertaker();
        spare_ = kept.first;
        holds_ = kept.second;
    }

    /// Gets a spare node. \return false if the stack was full at one moment: then nodes need not be free.
    bool may_refill() {
        auto& top = *lists_[stack_list];
        auto now = ordering::template load<atomics, access::reads_first>(top);  // (L1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            if (depth_of(shape_.node(now)) < shape_.capacity) {
                refill();
                return true;
            }
            if (stands(top, now)) return false;
        }
        no_progress();
    }

    void refill() {
        auto& free = *lists_[free_list];
        backoff wait;
        auto now = ordering::template load<atomics, access::reads_first>(free);  // (L1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const first = free_node(now);
            auto const next = first == 0 ? ~std::uint64_t{0} : next_free(first);
            if (next > shape_.nodes) {
                // Capacity and hands together leave one free at every moment.
                if (stands(free, now)) corrupt("the free list does not hold the nodes that are free");
                continue;
            }
            if (commit(free_list, now, free_field(next), {0, 0, doing::refill})) return settle({first, 0});
            wait();
        }
        no_progress();
    }

    /// Puts the second node in hand into the free list.
    void give_back() {
        auto& free = *lists_[free_list];
        backoff wait;
        // (L7) as in a push: who reads this link in a node that it still takes for the top one must be able to
        // see that the top has changed.
        atomics::fence(std::memory_order_release);
        auto now = ordering::template load<atomics, access::reads_first>(free);  // (L1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            link_free(holds_, free_node(now));
            if (commit(free_list, now, free_field(holds_), {spare_, holds_, doing::give_back}))
                return settle({spare_, 0});
            wait();
        }
        no_progress();
    }

    /// What a pop or a refill that replaced `expected` gained.
    [[nodiscard]] std::uint64_t gain_of(doing what, std::uint64_t expected) const noexcept {
        return what == doing::pop ? shape_.node(expected) : what == doing::refill ? free_node(expected) : 0;
    }

    /// Whether the dead owner of this slot replaced `expected` before it died.
    [[nodiscard]] bool happened(list which, std::uint64_t expected) const noexcept {
        auto const now = ordering::template load<atomics, access::examines_first>(*lists_[which]);  // (L5)
        if (now == expected) return false;
        if (shape_.follows(now, expected, me_)) return true;
        auto* const rows = witnesses_ - shape_.row_words * (me_ - 1);
        for (std::uint64_t row = 0; row < shape_.handle_slots; ++row) {
            auto const seen = ordering::template load<atomics, access::reads_witness>(  // (L4)
                rows[shape_.row_words * row + 2 * (me_ - 1) + which]);
            if (shape_.follows(seen, expected, me_)) return true;
        }
        return false;
    }

    word* lists_[2];
    word* witnesses_;
    std::byte* nodes_;
    slot_record* slot_;
    shape shape_;
    std::uint64_t me_;         ///< handle slot, from 1
    std::uint64_t spare_ = 0;  ///< node in hand, or 0
    std::uint64_t holds_ = 0;  ///< node to be given back, or 0
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the linked stack. The default of Stack.
struct treiber {
    using policy_kind = policy::algorithm_kind;
    using access = treiber_access;
    static constexpr std::string_view structure = "stack";
    static constexpr std::string_view name = "treiber";
    static constexpr std::uint32_t id = 1;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_place_of = false;  // which node comes next is the lists' affair
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source = "Treiber 1986; tagged, with witnessed commits (ZeroIPC 2026)";

    template <class Policies, std::size_t ItemBytes>
    using ring = treiber_stack<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc
