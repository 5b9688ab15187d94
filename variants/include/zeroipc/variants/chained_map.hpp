#pragma once
/// \file
/// A map of chains: one list of nodes a bucket, sorted by key, changed by compare-exchange (M. M. Michael, "High
/// performance dynamic lock-free hash tables and list-based sets", 2002), with tagged indices instead of pointers.
///
/// A node has one word: what it is (free, taken, live, marked), the next node, a handle slot, and a tag that grows with
/// every change of the word, whatever the node is at that time: so no value of it comes again until the tag wraps.
///
/// - A node is inserted by the exchange of its predecessor's word: from there on it is live.
/// - erase marks the node's word. Whoever passes for a change exchanges it out of the chain; readers walk across.
/// - A new value is a new node. One exchange of the old one's word marks it and makes the new one its successor, so the
///   key is there at every moment. Of several nodes with one key the live one is the last.
/// - A walk keeps its anchor: the last live word that it read, or the bucket's. While that word stands, what it leads to
///   is in the chain, and so is whatever marked nodes lead on to, for a marked word does not change. So each step looks
///   at the anchor behind it, and what it read of a node in other hands is thrown away.
/// - A marked word names the handle that marked it, and that one alone gives the node away, after it or others took it
///   out of the chain. So a dead handle's erase or assign took place exactly if the word says so. The node of an insert
///   has the word that it had in private, or else was in the chain; with that word it is in the chain exactly if a walk
///   meets it. So recovery is exact, and may itself be killed; a dead handle holds two nodes at most until then.
/// - There is no list of free nodes, whose ends would have to be told after a death: a handle looks for a node that says
///   that it is free, from where it found the last one. An eighth more nodes than keys keep that short.

#include <zeroipc/atomics.hpp>
#include <zeroipc/bucket_map.hpp>
#include <zeroipc/detail/hand.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/hash.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "chained_word.hpp"
#include "filled.hpp"

namespace zeroipc::variants {

/// Numbers of the ordered accesses, for ordering policies and for the comments; (C7) and (C8) are fences.
enum class chained_access : int {
    reads_word = 1,  ///< (C1) acquire; partners (C2), and the fence (C7)
    commits = 2,     ///< (C2) acq_rel: every change of a word in a chain; partners (C1), (C2), (C3), (C6)
    confirms_negative = 3,  ///< (C3) acquire, behind the seq_cst fence; partner (C2)
    takes_node = 4,         ///< (C4) acq_rel; partner (C5)
    gives_node = 5,         ///< (C5) release; partner (C4)
    examines = 6,           ///< (C6) acquire; recovery; partner (C2)
    settles_slot = 9,  ///< (C9) release; partner: the kernel's lock, by which a successor comes behind it
};

/// The map on raw bytes. One object is one handle: it is used by one thread at a time.
/// \tparam Policies with members layout, ordering, backoff, observer and atomics.
template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
class chained_map {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = chained_access;
    static constexpr auto relaxed = std::memory_order_relaxed;

public:
    using key = key_image<KeyBytes>;
    static constexpr std::uint64_t key_words = sizeof(key) / 8;
    static constexpr std::uint64_t item_stride = 8 + sizeof(key) + format::align_up(ValueBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;

    static constexpr chained_geometry geometry(std::uint64_t capacity, std::uint32_t handle_slots,
                                               std::uint64_t seed = 0) noexcept {
        chained_geometry g;
        g.capacity = capacity;
        g.handle_slots = handle_slots;
        g.seed = seed;
        g.slots = layout::body_offset;
        g.heads = g.slots + layout::line * std::uint64_t{handle_slots};
        g.nodes = format::align_up(g.heads + 8 * capacity, 64);
        g.node_count = capacity + capacity / 8 + 8 + 2 * std::uint64_t{handle_slots};
        g.total = g.nodes + item_stride * g.node_count;
        return g;
    }

    /// Attaches to a map whose geometry was checked against its place. The handle slot must be owned (its lock held)
    /// and settled (recover() said so).
    chained_map(std::byte* base, chained_geometry const& g, std::uint32_t slot)
        : chained_map(base, g, slot, unsettled{}) {
        hand const now = hand::unpacked(slot_->state.load(relaxed));
        if (now.what != doing::nothing || now.second != 0 || now.first > shape_.node_count)
            corrupt("a handle slot names a node that does not exist");
        spare_ = now.first;
    }

    /// Copies the value of a key. Lock-free; O(1); writes nothing shared.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool find(key const& k, void* value) {
        auto const bucket = bucket_for(k);
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const at = locate<false>(bucket, k, value);
            if (at.node != 0) {
                detail::may_be_filled(value);
                return true;
            }
            if (stands(at)) return false;
        }
        no_progress();
    }

    /// Removes a key. Lock-free; O(1). Commit: (C2) on the node's word, live to marked.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool erase(key const& k) {
        auto const bucket = bucket_for(k);
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto at = locate<true>(bucket, k, nullptr);
            if (at.node == 0) {
                if (stands(at)) return false;
                continue;
            }
            auto const marked = bits_.marked(at.own, bits_.next(at.own), me_);
            intend({spare_, at.node, doing::erase}, at.own);
            if (commit(word_of(at.node), at.own, marked)) {
                retire(bucket, k, at, marked);
                return true;
            }
            settle(spare_);
            wait();
        }
        no_progress();
    }

    /// Every other change of a key: see bucket_map::write. Lock-free; O(1), O(capacity) if hardly a node is free.
    /// Commit: (C2) on the predecessor's word for a new key, on that of the old node for a new value.
    /// \throws error(errc::corrupt)
    template <bool NeedsOld, class Decide>
    outcome write(key const& k, Decide&& decide) {
        alignas(8) std::byte old[NeedsOld ? ValueBytes : 1];
        alignas(8) std::byte desired[ValueBytes];
        auto const bucket = bucket_for(k);
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto at = locate<true>(bucket, k, NeedsOld ? old : nullptr);
            auto const result = decide(at.node == 0 ? nullptr : old, desired);
            if (result != outcome::inserted && result != outcome::assigned) {
                if (at.node != 0 || stands(at)) return result;
                continue;
            }
            if (spare_ == 0 && !take()) return outcome::full;
            fill(k, desired, bits_.next(at.node == 0 ? at.now : at.own));
            if (at.node == 0 ? insert(at) : replace(bucket, k, at)) return result;
            wait();
        }
        no_progress();
    }

    /// Keys in it: each bucket's at one moment during the call. Lock-free, O(capacity). \throws error(errc::corrupt)
    [[nodiscard]] std::uint64_t was_size() const {
        std::uint64_t keys = 0;
        scratch words;
        for (std::uint64_t b = 0; b < shape_.capacity; ++b) {
            std::uint64_t here = 0;
            snapshot(
                b, words, [&] { here = 0; }, [&](std::uint64_t /*node*/) { ++here; });
            keys += here;
        }
        return keys;
    }

    [[nodiscard]] std::uint64_t bucket_count() const noexcept { return shape_.capacity; }

    /// Copies all of one bucket at one moment: see bucket_map::copy_bucket. Lock-free. \throws error(errc::corrupt)
    template <class Restart, class Take>
    void copy_bucket(std::uint64_t bucket, Restart&& restart, Take&& take) {
        alignas(8) std::byte item[item_stride - 8];
        scratch words;
        snapshot(bucket, words, restart, [&](std::uint64_t node) {
            atomics::read_words(item, &word_of(node) + 1, item_stride - 8);
            take(item, item + sizeof(key));
        });
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: decides which nodes its last owner had, exactly. May be
    /// killed at any step and run again; may run beside living handles and other recoveries.
    /// \return false only if the slot's bytes are impossible. \throws error(errc::corrupt)
    template <class IsDead>
    static bool recover(std::byte* base, chained_geometry const& g, std::uint32_t slot,
                        IsDead const& /*is_dead*/) {
        chained_map self(base, g, slot, unsettled{});
        hand const was = hand::unpacked(self.slot_->state.load(relaxed));
        auto const expected = self.slot_->expected.load(relaxed);
        if (was.first > g.node_count || was.second > g.node_count || was.what > doing::assign) return false;
        if ((was.what == doing::insert && was.first == 0) || (was.what > doing::insert && was.second == 0))
            return false;
        self.spare_ = was.first;
        auto const is_mine = [&](kind what) {
            auto const now = self.examine(was.second);
            return self.bits_.what(now) == what && self.bits_.author(now) == self.me_ &&
                   self.bits_.follows(now, expected);
        };
        if (was.what == doing::insert && self.was_inserted(was.first, expected)) self.spare_ = 0;
        if (was.what == doing::take && is_mine(kind::taken)) self.spare_ = was.second;
        // An erased node that is not marked by us any more was given back.
        if (was.what >= doing::erase && is_mine(kind::marked)) {
            if (was.what == doing::assign) self.spare_ = 0;  // it is in the chain
            auto const k = self.key_of(was.second);
            self.template locate<true>(self.bucket_for(k), k, nullptr);
            self.keep_or_give(was.second);
        } else {
            self.settle(self.spare_);
        }
        return true;
    }

    /// Where each node is, for tests and tools, when no operation is in flight and every slot is settled: visit(node)
    /// for each that is free, in a chain, or a handle's spare one.
    template <class Visit>
    static void visit_nodes(std::byte* base, chained_geometry const& g, Visit&& visit) {
        chained_map self(base, g, 0, unsettled{});
        for (std::uint64_t n = 1; n <= g.node_count; ++n)
            if (self.bits_.what(self.examine(n)) == kind::free) visit(n);
        for (std::uint64_t b = 0; b < g.capacity; ++b)
            for (auto n = self.bits_.next(self.head_of(b).load(relaxed)); n != 0 && n <= g.node_count;
                 n = self.bits_.next(self.word_of(n).load(relaxed)))
                visit(n);
        for (std::uint32_t s = 0; s < g.handle_slots; ++s)
            if (auto const n = hand::unpacked(slot_at(base, g, s)->state.load(relaxed)).first; n != 0)
                visit(n);
    }

private:
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();
    struct unsettled {};
    static constexpr std::uint64_t lost = 0;  ///< no word of a chain: it says free
    using kind = chained_kind;
    enum class doing : std::uint64_t { nothing, insert, take, erase, assign };

    /// A handle slot: the nodes in its hands, and what it is about to do. Only its owner writes it.
    struct slot_record {
        word state;  ///< a `hand`, packed
        word
            expected;  ///< of an insert, the own node's word; else the one that the commit in progress replaces
    };
    static_assert(sizeof(slot_record) == 16, "a handle slot's record has two words: see format/map.md");

    /// The spare node, in an insert or assign the one with the new value; and one that is taken, erased or replaced.
    using hand = zeroipc::detail::hand<doing>;

    /// The words of a bucket's chain, walked over twice.
    struct scratch {
        std::vector<std::uint64_t> first;
        std::vector<std::uint64_t> second;
    };
    /// Where a key is, or would be.
    struct sight {
        word* link;         ///< the anchor
        std::uint64_t now;  ///< its value; but for marked nodes it leads to the key's node, or past the key
        std::uint64_t node = 0;  ///< the key's, or 0
        std::uint64_t own = 0;   ///< its word, live
    };

    chained_map(std::byte* base, chained_geometry const& g, std::uint32_t slot, unsettled /*tag*/)
        : base_(base),
          shape_(g),
          bits_(g),
          slot_(slot_at(base, g, slot)),
          me_(slot + 1),
          next_(g.node_count / g.handle_slots * slot) {}

    static slot_record* slot_at(std::byte* base, chained_geometry const& g, std::uint32_t slot) noexcept {
        return reinterpret_cast<slot_record*>(base + g.slots + layout::line * std::uint64_t{slot});
    }
    [[nodiscard]] word& head_of(std::uint64_t bucket) const noexcept {
        return *reinterpret_cast<word*>(base_ + shape_.heads + 8 * bucket);
    }
    /// A node's word; the key's and the value's words follow it. \pre 1 <= n <= node_count
    [[nodiscard]] word& word_of(std::uint64_t n) const noexcept {
        return *reinterpret_cast<word*>(base_ + shape_.nodes + item_stride * (n - 1));
    }
    [[nodiscard]] std::uint64_t examine(std::uint64_t n) const noexcept {
        return ordering::template load<atomics, access::examines>(word_of(n));  // (C6)
    }
    [[nodiscard]] key key_of(std::uint64_t n) const noexcept {
        key k;
        atomics::read_words(k.data(), &word_of(n) + 1, sizeof k);
        return k;
    }
    [[nodiscard]] std::uint64_t bucket_for(key const& k) const noexcept {
        return bucket_of(hash(k, shape_.seed), shape_.capacity);
    }
    [[noreturn]] static void corrupt(char const* what) { zeroipc::detail::corrupt("map", what); }
    [[noreturn]] static void no_progress() { zeroipc::detail::no_progress("map", patience); }

    /// The node's key less k: -1, 0 or 1. Any order will do that all handles share: that of the words.
    [[nodiscard]] int compare(std::uint64_t n, key const& k) const noexcept {
        auto const* const words = &word_of(n) + 1;
        for (std::uint64_t i = 0; i < key_words; ++i)
            if (auto const is = words[i].load(relaxed); is != k[i]) return is < k[i] ? -1 : 1;
        return 0;
    }

    /// The second look behind a negative answer: while the anchor stands, nothing came in behind it.
    [[nodiscard]] static bool stands(sight const& at) noexcept {
        ordering::template before_negative<atomics>();
        return ordering::template load<atomics, access::confirms_negative>(*at.link) == at.now;  // (C3)
    }
    /// Whether what was read of the node behind the anchor was read of a node in the chain.
    [[nodiscard]] static bool holds(sight const& at) noexcept {
        // (C8) acquire fence; partner (C7): were these the bytes of a node in other hands, the anchor would show it.
        atomics::fence(std::memory_order_acquire);
        return at.link->load(relaxed) == at.now;
    }

    /// One step of a walk, to node `n` behind the anchor. look(n, word) reads of it what is wanted, before it is known
    /// whether the node is in the chain. \return its word, live or marked; or `lost`: begin anew.
    template <class Look>
    [[nodiscard]] std::uint64_t step_to(std::uint64_t n, sight const& at, Look&& look) const {
        if (n > shape_.node_count) {
            if (holds(at)) corrupt("a link names a node that does not exist");
            return lost;
        }
        auto const is = ordering::template load<atomics, access::reads_word>(word_of(n));  // (C1)
        look(is);
        if (!holds(at)) return lost;
        if (bits_.what(is) != kind::live && bits_.what(is) != kind::marked)
            corrupt("a chain leads to a node that is in none");
        return is;
    }

    /// Looks for a key, and copies its value if wanted. \tparam Unlinks exchanges marked nodes out of the chain: then all
    /// that were marked before, with this key, are out of it behind the call, for good.
    template <bool Unlinks>
    sight locate(std::uint64_t bucket, key const& k, void* value) {
        for (std::uint64_t steps = 0; steps < patience; ++steps) {
            sight at{&head_of(bucket),
                     ordering::template load<atomics, access::reads_word>(head_of(bucket))};  // (C1)
            for (auto n = bits_.next(at.now); steps < patience; ++steps) {
                if (n == 0) return at;
                int order = 0;
                auto const is = step_to(n, at, [&](std::uint64_t seen) {
                    order = compare(n, k);
                    if (order == 0 && value != nullptr && bits_.what(seen) == kind::live)
                        atomics::read_words(value, &word_of(n) + 1 + key_words, ValueBytes);
                });
                if (is == lost) break;
                if (bits_.what(is) == kind::marked) {
                    if constexpr (Unlinks) {
                        auto const after = bits_.relinked(at.now, bits_.next(is));
                        if (!commit(*at.link, at.now, after)) break;
                        at.now = after;
                        observer_.help();
                    }
                } else if (order >= 0) {
                    if (order == 0) at = {at.link, at.now, n, is};
                    return at;
                } else {
                    at = {&word_of(n), is};
                }
                n = bits_.next(is);
            }
            observer_.retry();
        }
        no_progress();
    }

    /// Walks over a bucket twice: if all words are the same, they stood all at once in between. Calls visit(node) for the
    /// live ones on the first walk, after restart() each time that it has to begin anew.
    template <class Restart, class Visit>
    void snapshot(std::uint64_t bucket, scratch& words, Restart&& restart, Visit&& visit) const {
        unsigned endless = 0;
        auto const walk = [&](std::vector<std::uint64_t>& seen, auto const& look) {
            sight at{&head_of(bucket),
                     ordering::template load<atomics, access::reads_word>(head_of(bucket))};  // (C1)
            seen.assign(1, at.now);
            for (auto n = bits_.next(at.now); n != 0;) {
                auto const is = step_to(n, at, [&](std::uint64_t its) {
                    if (bits_.what(its) == kind::live) look(n);
                });
                if (is == lost) return false;
                seen.push_back(is);
                if (seen.size() > shape_.node_count + 1) {
                    if (++endless == 64) corrupt("a chain leads back into itself");
                    return false;
                }
                if (bits_.what(is) == kind::live) at = {&word_of(n), is};
                n = bits_.next(is);
            }
            return true;
        };
        for (std::uint64_t round = 0; round < patience; ++round) {
            restart();
            if (!walk(words.first, visit)) continue;
            ordering::template before_negative<atomics>();
            if (walk(words.second, [](std::uint64_t /*node*/) {}) && words.first == words.second) return;
        }
        no_progress();
    }

    /// (C2) Replaces a word in a chain.
    bool commit(word& at, std::uint64_t now, std::uint64_t after) {
        if (ordering::template exchange_if<atomics, access::commits>(at, now, after)) return true;
        observer_.retry();
        observer_.backoff();
        return false;
    }

    /// Writes down, in the own slot, what is about to happen, for whoever finds it after our death. \pre nothing is
    void intend(hand const& h, std::uint64_t expected) noexcept {
        slot_->expected.store(expected, relaxed);
        atomics::order_for_undertaker();
        slot_->state.store(h.packed(), relaxed);
        atomics::order_for_undertaker();
    }
    /// Records the spare node, and that nothing is in progress.
    void settle(std::uint64_t spare) noexcept {
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::settles_slot>(slot_->state, hand{spare}.packed());  // (C9)
        atomics::order_for_undertaker();
        spare_ = spare;
    }

    /// Key, value and successor into the spare node.
    void fill(key const& k, std::byte const* value, std::uint64_t next) {
        auto& at = word_of(spare_);
        // (C7) release fence; partner (C8): who reads what is written here, in a node that it takes for one of its chain,
        // sees that the word has changed that led there.
        atomics::fence(std::memory_order_release);
        atomics::write_words(&at + 1, k.data(), sizeof k);
        atomics::write_words(&at + 1 + key_words, value, ValueBytes);
        at.store(bits_.made(at.load(relaxed), kind::live, 0, next), relaxed);
    }

    bool insert(sight const& at) {
        intend({spare_, 0, doing::insert}, word_of(spare_).load(relaxed));
        bool const done = commit(*at.link, at.now, bits_.relinked(at.now, spare_));
        settle(done ? 0 : spare_);
        return done;
    }

    bool replace(std::uint64_t bucket, key const& k, sight const& at) {
        auto const marked = bits_.marked(at.own, spare_, me_);
        intend({spare_, at.node, doing::assign}, at.own);
        if (!commit(word_of(at.node), at.own, marked)) {
            settle(spare_);
            return false;
        }
        spare_ = 0;
        retire(bucket, k, at, marked);
        return true;
    }

    /// Takes the node out of the chain that we marked, and keeps it as spare or gives it back.
    void retire(std::uint64_t bucket, key const& k, sight const& at, std::uint64_t marked) {
        if (!commit(*at.link, at.now, bits_.relinked(at.now, bits_.next(marked))))
            locate<true>(bucket, k, nullptr);
        keep_or_give(at.node);
    }
    void keep_or_give(std::uint64_t n) {
        if (spare_ == 0) return settle(n);
        auto& at = word_of(n);
        ordering::template store<atomics, access::gives_node>(  // (C5)
            at, bits_.made(at.load(relaxed), kind::free, 0, 0));
        settle(spare_);
    }

    /// Gets a spare node. \return false if none was free, twice.
    bool take() {
        for (std::uint64_t i = 0; i < 2 * shape_.node_count; ++i) {
            auto const n = next_ + 1;
            next_ = n == shape_.node_count ? 0 : n;
            auto is = word_of(n).load(relaxed);  // only a hint: (C4) decides
            if (bits_.what(is) != kind::free) continue;
            intend({0, n, doing::take}, is);
            if (ordering::template exchange_if<atomics, access::takes_node>(  // (C4)
                    word_of(n), is, bits_.made(is, kind::taken, me_, 0))) {
                settle(n);
                return true;
            }
            settle(0);
            observer_.retry();
        }
        return false;
    }

    /// Whether the node, which had that word in its dead owner's hands, came into a chain.
    bool was_inserted(std::uint64_t n, std::uint64_t its_word) {
        auto const k = key_of(n);
        atomics::fence(std::memory_order_acquire);  // (C8): if the word stands, this is the key
        if (examine(n) != its_word) return true;
        return locate<false>(bucket_for(k), k, nullptr).node == n || examine(n) != its_word;
    }

    std::byte* base_;
    chained_geometry shape_;
    chained_packing bits_;
    slot_record* slot_;
    std::uint64_t me_;         ///< handle slot, from 1
    std::uint64_t next_;       ///< where the next look for a free node begins, less 1
    std::uint64_t spare_ = 0;  ///< node in hand, or 0
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects sorted chains of nodes.
struct chained {
    using policy_kind = policy::algorithm_kind;
    using access = chained_access;
    static constexpr std::string_view structure = "map";
    static constexpr std::string_view name = "chained";
    static constexpr std::uint32_t id = 3;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source =
        "Michael 2002, lists by tagged index; told after a death (ZeroIPC 2026)";

    template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
    using table = chained_map<Policies, KeyBytes, ValueBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
