#pragma once
/// \file
/// A map by open addressing: one array of cells with keys and values in them, three for each key; a key stands in the first
/// cell behind its home that was free, 40 cells off at most. Which of these hold keys of that home, one word says: so a
/// search looks at no cell of another home, and a removal leaves no tombstone (the neighbourhoods of M. Herlihy, N. Shavit
/// and M. Tzafrir, "Hopscotch hashing", 2008; nothing hops here).
///
/// Why not linear probing that ends at a cell never used, as in T. Maier, P. Sanders and R. Dementiev, "Concurrent hash
/// tables: fast and general(?)!", 2016: its tombstones go when the table moves to new memory, and a segment gives none back.
///
/// - A home's word has a bit for each of its cells, and a version that grows whenever bits are cleared. One exchange of it
///   is every operation's commit: insert sets a bit, erase clears one, a new value of any size clears one and sets another.
///   While the version stands, a bit that is set stays set, and its cell keeps its bytes. So readers copy, and look again.
/// - A cell's word says whether the cell is free or who took it, and has a tag that grows with every change. Who clears a
///   bit then frees the cell, by an exchange of the very word that the cell had while the bit was set; and so does, for a
///   dead handle, its successor, if it finds the bit clear. It does not matter who is first, nor whether the dead one's
///   commit took place: a bit that was cleared is not set again for that word, and a cell that was never committed was the
///   dead one's alone. So recovery is exact, decides nothing, and may itself be killed.

#include <zeroipc/atomics.hpp>
#include <zeroipc/bucket_map.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/hash.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "filled.hpp"

namespace zeroipc::variants {

/// Numbers of the ordered accesses, for ordering policies and for the comments; (O7) and (O8) are fences.
enum class open_access : int {
    reads_home = 1,         ///< (O1) acquire; partner (O2)
    commits = 2,            ///< (O2) acq_rel: every change of a home's word; partners (O1), (O2), (O3), (O6)
    confirms_negative = 3,  ///< (O3) acquire, behind the seq_cst fence; partner (O2)
    takes_cell = 4,         ///< (O4) acq_rel; partner (O5)
    gives_cell = 5,         ///< (O5) acq_rel; partner (O4)
    examines = 6,           ///< (O6) acquire; recovery; partner (O2)
    settles_slot = 9,  ///< (O9) release; partner: the kernel's lock, by which a successor comes behind it
};

/// Where the parts of the map lie, in bytes from the structure's start.
struct open_geometry {
    std::uint64_t capacity = 0;  ///< and homes
    std::uint32_t handle_slots = 0;
    std::uint64_t seed = 0;
    std::uint64_t slots = 0;   ///< first handle slot
    std::uint64_t groups = 0;  ///< first group: a home's word, and three cells
    std::uint64_t total = 0;   ///< bytes of the structure
};

/// The map on raw bytes. One object is one handle: it is used by one thread at a time.
/// \tparam Policies with members layout, ordering, backoff, observer and atomics.
template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
class open_map {
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = open_access;
    static constexpr auto relaxed = std::memory_order_relaxed;

public:
    using key = key_image<KeyBytes>;
    static constexpr unsigned reach = 40;  ///< cells of a home
    static constexpr unsigned group_cells = 3;
    static constexpr std::uint64_t key_words = sizeof(key) / 8;
    static constexpr std::uint64_t item_stride = 8 + sizeof(key) + format::align_up(ValueBytes, 8);
    static constexpr std::uint64_t cell_stride = 8 + group_cells * item_stride;  ///< of groups

    /// With three cells a key, and all keys in, one insertion in some 10^9 finds no free cell within reach (simulated,
    /// 10^6 keys after 8 turnovers: none of 10^7 came farther than 28).
    static constexpr open_geometry geometry(std::uint64_t capacity, std::uint32_t handle_slots,
                                            std::uint64_t seed = 0) noexcept {
        open_geometry g;
        g.capacity = capacity;
        g.handle_slots = handle_slots;
        g.seed = seed;
        g.slots = layout::body_offset;
        g.groups = g.slots + layout::line * std::uint64_t{handle_slots};
        g.total = g.groups + cell_stride * (capacity + (reach - 1) / group_cells);
        return g;
    }

    /// Attaches to a map whose geometry was checked against its place. The handle slot must be owned (its lock held)
    /// and settled (recover() said so).
    open_map(std::byte* base, open_geometry const& g, std::uint32_t slot)
        : base_(base),
          shape_(g),
          slot_(reinterpret_cast<slot_record*>(base + g.slots + layout::line * std::uint64_t{slot})),
          author_bits_(static_cast<unsigned>(std::bit_width(g.handle_slots))),
          me_(slot + 1) {}

    /// Copies the value of a key. Lock-free; O(1); writes nothing shared.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool find(key const& k, void* value) {
        auto const home = home_for(k);
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const seen = locate(home, k, value);
            if (seen.cell != none) {
                detail::may_be_filled(value);
                return true;
            }
            if (confirmed_absent(home, seen)) return false;
        }
        no_progress();
    }

    /// Removes a key. Lock-free; O(1). Commit: (O2), a bit is cleared.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool erase(key const& k) {
        auto const home = home_for(k);
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const seen = locate(home, k, nullptr);
            if (seen.cell == none) {
                if (confirmed_absent(home, seen)) return false;
                continue;
            }
            intend(slot_->old, home, seen.cell, seen.own);
            if (commit(home, seen.now, without(seen.now, seen.cell))) {
                settle(slot_->old);
                return true;
            }
            settle(slot_->old, false);
            wait();
        }
        no_progress();
    }

    /// Every other change of a key: see bucket_map::write. Lock-free; O(1). Commit: (O2), a bit is set.
    /// \throws error(errc::corrupt)
    template <bool NeedsOld, class Decide>
    outcome write(key const& k, Decide&& decide) {
        alignas(8) std::byte old[NeedsOld ? ValueBytes : 1];
        alignas(8) std::byte desired[ValueBytes];
        auto const home = home_for(k);
        holding const mine(*this);
        auto cell = none;
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const seen = locate(home, k, NeedsOld ? old : nullptr);
            auto const result = decide(seen.cell == none ? nullptr : old, desired);
            if (result != outcome::inserted && result != outcome::assigned) {
                if (seen.cell != none || confirmed_absent(home, seen)) return result;
                continue;
            }
            if (cell == none) cell = take(home);
            if (cell == none) return outcome::full;
            fill(home, cell, k, desired);
            auto after = seen.now | bit(cell);
            if (seen.cell != none) {
                after = without(after, seen.cell);
                intend(slot_->old, home, seen.cell, seen.own);
            }
            if (commit(home, seen.now, after)) {
                if (seen.cell != none) settle(slot_->old);
                return result;
            }
            if (seen.cell != none) settle(slot_->old, false);
            wait();
        }
        no_progress();
    }

    /// Keys in it: each home's at one moment during the call. Wait-free, O(capacity).
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        std::uint64_t keys = 0;
        for (std::uint64_t home = 0; home < shape_.capacity; ++home)
            keys += static_cast<std::uint64_t>(std::popcount(home_word(home).load(relaxed) & all));
        return keys;
    }

    [[nodiscard]] std::uint64_t bucket_count() const noexcept { return shape_.capacity; }

    /// Copies all keys of one home at one moment: see bucket_map::copy_bucket. Lock-free. \throws error(errc::corrupt)
    template <class Restart, class Take>
    void copy_bucket(std::uint64_t home, Restart&& restart, Take&& take_item) {
        alignas(8) std::byte item[item_stride - 8];
        for (std::uint64_t round = 0; round < patience; ++round) {
            restart();
            auto const seen = read_home(home);
            for (auto left = seen & all; left != 0; left &= left - 1) {
                auto const cell = static_cast<unsigned>(std::countr_zero(left));
                atomics::read_words(item, cell_at(home, cell) + 1, sizeof item);
                take_item(item, item + sizeof(key));
            }
            atomics::fence(std::memory_order_acquire);  // (O8)
            if (home_word(home).load(relaxed) == seen) return;
            observer_.retry();
        }
        no_progress();
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: frees what its last owner had. May be killed at any step and
    /// run again; may run beside living handles and other recoveries. O(1).
    /// \return false only if the slot's bytes are impossible.
    template <class IsDead>
    static bool recover(std::byte* base, open_geometry const& g, std::uint32_t slot,
                        IsDead const& /*is_dead*/) {
        open_map self(base, g, slot);
        for (auto* const record : {&self.slot_->mine, &self.slot_->old}) {
            auto const place = record->place.load(relaxed);
            if (place == 0) continue;
            if (!self.is_place(place)) return false;
            self.settle(*record);
        }
        return true;
    }

    /// For tests and tools, when no operation is in flight and every slot is settled: visit(taken, keys) for each cell,
    /// whether it is taken, and how many homes say that it holds a key of theirs.
    template <class Visit>
    static void visit_cells(std::byte* base, open_geometry const& g, Visit&& visit) {
        open_map self(base, g, 0);
        for (std::uint64_t n = 0; n < group_cells * (g.capacity + (reach - 1) / group_cells); ++n) {
            unsigned keys = 0;
            for (unsigned cell = 0; cell < reach && cell <= n; ++cell)
                if ((n - cell) % group_cells == 0 && (n - cell) / group_cells < g.capacity)
                    keys += (self.read_home((n - cell) / group_cells) & bit(cell)) != 0;
            visit(self.author(self.cell_at(n / group_cells, n % group_cells)->load(relaxed)) != 0, keys);
        }
    }

private:
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<atomics>();
    static constexpr unsigned none = reach;
    static constexpr std::uint64_t all = (std::uint64_t{1} << reach) - 1;
    static_assert(reach % group_cells == 1 && reach < 64 - 16, "see format/map.md");

    /// A cell in a handle's hands: where, and the word that it has there.
    struct cell_record {
        word place;  ///< 1 + 64 * home + cell, or 0
        word own;
    };
    /// A handle slot. Only its owner writes it.
    struct slot_record {
        cell_record mine;  ///< taken, to be committed
        cell_record old;   ///< to be freed behind a commit that clears its bit
    };
    static_assert(sizeof(slot_record) == 32, "a handle slot's record has four words: see format/map.md");

    /// A home's word as it was looked at, and the cell of the key, or none; and that cell's word.
    struct sight {
        std::uint64_t now;
        unsigned cell = none;
        std::uint64_t own = 0;
    };

    /// Behind an operation the cell that it took is committed, or goes back.
    struct holding {
        explicit holding(open_map& map) noexcept : map_(map) {}
        ~holding() {
            if (map_.slot_->mine.place.load(relaxed) != 0) map_.settle(map_.slot_->mine);
        }
        holding(holding const&) = delete;
        holding& operator=(holding const&) = delete;
        holding(holding&&) = delete;
        holding& operator=(holding&&) = delete;

    private:
        open_map& map_;
    };

    static constexpr std::uint64_t bit(unsigned cell) noexcept { return std::uint64_t{1} << cell; }
    /// The word without that bit, and with the next version.
    static constexpr std::uint64_t without(std::uint64_t now, unsigned cell) noexcept {
        return (now & ~bit(cell)) + (std::uint64_t{1} << reach);
    }
    static constexpr std::uint64_t version(std::uint64_t now) noexcept { return now >> reach; }

    [[nodiscard]] std::uint64_t author(std::uint64_t own) const noexcept {
        return own & ((std::uint64_t{1} << author_bits_) - 1);
    }
    /// What follows a cell's word when it is taken by handle slot `by`, from 1, or with 0 freed.
    [[nodiscard]] std::uint64_t next(std::uint64_t own, std::uint64_t by) const noexcept {
        return ((own >> author_bits_) + 1) << author_bits_ | by;
    }

    [[nodiscard]] word& home_word(std::uint64_t home) const noexcept {
        return *reinterpret_cast<word*>(base_ + shape_.groups + cell_stride * home);
    }
    /// A cell's word; the key's and the value's words follow it.
    [[nodiscard]] word* cell_at(std::uint64_t home, std::uint64_t cell) const noexcept {
        return &home_word(home + cell / group_cells) + 1 + item_stride / 8 * (cell % group_cells);
    }
    [[nodiscard]] std::uint64_t read_home(std::uint64_t home) const noexcept {
        return ordering::template load<atomics, access::reads_home>(home_word(home));  // (O1)
    }
    [[nodiscard]] std::uint64_t home_for(key const& k) const noexcept {
        return bucket_of(hash(k, shape_.seed), shape_.capacity);
    }
    [[noreturn]] static void no_progress() { zeroipc::detail::no_progress("map", patience); }

    [[nodiscard]] static bool holds(word const* cell, key const& k) noexcept {
        for (std::uint64_t i = 0; i < key_words; ++i)
            if (cell[1 + i].load(relaxed) != k[i]) return false;
        return true;
    }

    /// Looks for a key, and copies its value if wanted. \return its cell and a word that still stood after the copy; or
    /// none, and a word by which the key was absent.
    sight locate(std::uint64_t home, key const& k, void* value) {
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const seen = read_home(home);
            sight at{seen};
            for (auto left = seen & all; left != 0 && at.cell == none; left &= left - 1) {
                auto const cell = static_cast<unsigned>(std::countr_zero(left));
                auto const* const from = cell_at(home, cell);
                if (!holds(from, k)) continue;
                at = {seen, cell, from->load(relaxed)};
                if (value != nullptr) atomics::read_words(value, from + 1 + key_words, ValueBytes);
            }
            // (O8) acquire fence; partner (O7): were these the bytes of the cell's next owner, the version would show it.
            atomics::fence(std::memory_order_acquire);
            at.now = home_word(home).load(relaxed);
            if (at.cell != none ? version(at.now) == version(seen) : at.now == seen) return at;
            observer_.retry();
        }
        no_progress();
    }

    /// The second look behind a negative answer. Not needed before a commit, which looks itself.
    bool confirmed_absent(std::uint64_t home, sight const& seen) {
        ordering::template before_negative<atomics>();
        return ordering::template load<atomics, access::confirms_negative>(home_word(home)) ==
               seen.now;  // (O3)
    }

    /// (O2) Replaces a home's word.
    bool commit(std::uint64_t home, std::uint64_t now, std::uint64_t after) {
        if (ordering::template exchange_if<atomics, access::commits>(home_word(home), now, after))
            return true;
        observer_.retry();
        observer_.backoff();
        return false;
    }

    /// Takes the first free cell of a home. \return none if there was none, twice.
    unsigned take(std::uint64_t home) {
        for (unsigned i = 0; i < 2 * reach; ++i) {
            auto const cell = i % reach;
            auto& at = *cell_at(home, cell);
            auto is = at.load(relaxed);  // only a hint: (O4) decides
            if (author(is) != 0) continue;
            auto const taken = next(is, me_);
            intend(slot_->mine, home, cell, taken);
            if (ordering::template exchange_if<atomics, access::takes_cell>(at, is, taken))  // (O4)
                return cell;
            settle(slot_->mine, false);
            observer_.retry();
        }
        return none;
    }

    /// Key and value into a cell that we took.
    void fill(std::uint64_t home, unsigned cell, key const& k, std::byte const* value) {
        auto* const to = cell_at(home, cell);
        // (O7) release fence; partner (O8): who reads what is written here, as part of what stood here before, sees a
        // later version of the home's word.
        atomics::fence(std::memory_order_release);
        atomics::write_words(to + 1, k.data(), sizeof k);
        atomics::write_words(to + 1 + key_words, value, ValueBytes);
    }

    /// Writes down, in the own slot, what is about to happen, for whoever finds it after our death.
    static void intend(cell_record& record, std::uint64_t home, unsigned cell, std::uint64_t own) noexcept {
        record.own.store(own, relaxed);
        atomics::order_for_undertaker();
        record.place.store(1 + 64 * home + cell, relaxed);
        atomics::order_for_undertaker();
    }
    /// Whether what a record names is there: a peer may have overwritten it.
    [[nodiscard]] bool is_place(std::uint64_t place) const noexcept {
        return (place - 1) / 64 < shape_.capacity && (place - 1) % 64 < reach;
    }
    /// Ends that. If the cell's bit is clear, and it has the word that was written down, it is freed: nobody will set the
    /// bit for that word any more.
    void settle(cell_record& record, bool may_free = true) noexcept {
        auto const place = record.place.load(relaxed);
        auto const home = (place - 1) / 64;
        auto const cell = static_cast<unsigned>((place - 1) % 64);
        if (may_free && is_place(place) &&
            (ordering::template load<atomics, access::examines>(home_word(home)) & bit(cell)) == 0) {  // (O6)
            auto own = record.own.load(relaxed);
            ordering::template exchange_if<atomics, access::gives_cell>(*cell_at(home, cell), own,
                                                                        next(own, 0));  // (O5)
        }
        atomics::order_for_undertaker();
        ordering::template store<atomics, access::settles_slot>(record.place, std::uint64_t{0});  // (O9)
        atomics::order_for_undertaker();
    }

    std::byte* base_;
    open_geometry shape_;
    slot_record* slot_;
    unsigned author_bits_;
    std::uint64_t me_;  ///< handle slot, from 1
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects open addressing.
struct open_addressing {
    using policy_kind = policy::algorithm_kind;
    using access = open_access;
    static constexpr std::string_view structure = "map";
    static constexpr std::string_view name = "open";
    static constexpr std::uint32_t id = 4;
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
        "Herlihy, Shavit and Tzafrir 2008, hopscotch neighbourhoods without hops; ZeroIPC 2026, one word a "
        "home";

    template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
    using table = open_map<Policies, KeyBytes, ValueBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
