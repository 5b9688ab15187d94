#pragma once
/// \file
/// The default algorithm of Map: buckets of up to 15 slots, each ruled by one word. Bytes and argument:
/// format/map.md.
///
/// A key lives in one bucket. Three of its slots stand beside the bucket's header, six more in each of up to
/// two overflow blocks, which buckets share. Whoever writes reserves a free slot, fills it in private, and
/// makes it valid by one compare-exchange of the header: the operation's only commit, in which the key's old
/// slot becomes free at the same time. Readers copy, and look whether the header's version still stands.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "atomics.hpp"
#include "detail/bucket_blocks.hpp"
#include "detail/bucket_header.hpp"
#include "error.hpp"
#include "hash.hpp"
#include "policy.hpp"

namespace zeroipc {

/// How a map's operation ended.
enum class outcome {
    inserted,   ///< the key was absent, and is there now
    assigned,   ///< the key has the new value
    present,    ///< nothing done: the key is there
    absent,     ///< nothing done: the key is not there
    different,  ///< nothing done: the key has another value than expected
    full,       ///< nothing done: no slot was to be had for this key
};

/// The map on raw bytes. One object is one handle: it is used by one thread at a time.
/// \tparam Policies with members layout, ordering, backoff, observer and atomics.
template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
class bucket_map : detail::bucket_blocks<Policies, KeyBytes, ValueBytes> {
    using base = detail::bucket_blocks<Policies, KeyBytes, ValueBytes>;
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename base::word;
    using slot_record = typename base::slot_record;
    using attempt = typename base::attempt;
    using access = bucket_access;
    using header = detail::bucket_header;
    using base::change;
    using base::corrupt;
    using base::grow;
    using base::header_of;
    using base::intend;
    using base::is_block;
    using base::no_progress;
    using base::observer_;
    using base::patience;
    using base::read_link;
    using base::recover_block;
    using base::release;
    using base::shape_;
    using base::shrink;
    using base::slot_;
    using base::slot_at;
    using base::trim;

public:
    using key = key_image<KeyBytes>;
    using base::cell_stride;
    using base::geometry;
    using base::item_stride;
    using base::key_words;

    /// Attaches to a map whose geometry was checked against its place. The handle slot must be owned (its lock
    /// held) and settled (recover() said so).
    bucket_map(std::byte* base_address, bucket_geometry const& g, std::uint32_t slot)
        : base(base_address, g, slot) {}

    /// Copies the value of a key. Lock-free; O(1); writes nothing shared.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool find(key const& k, void* value) {
        auto const bucket = bucket_for(k);
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const seen = locate(bucket, k, value);
            if (seen.slot != none) return true;
            if (confirmed_absent(bucket, seen)) return false;
        }
        no_progress();
    }

    /// Removes a key. Lock-free; O(1). Commit: (M2), valid to free.
    /// \return false if the key was absent at one moment during the call. \throws error(errc::corrupt)
    bool erase(key const& k) {
        auto const bucket = bucket_for(k);
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto seen = locate(bucket, k, nullptr);
            if (seen.slot == none) {
                if (confirmed_absent(bucket, seen)) return false;
                continue;
            }
            auto const after = seen.now.vacate(header::slot_mask(seen.slot));
            if (change(bucket, seen.now, after)) {
                shrink(bucket, seen.slot, after);
                return true;
            }
            observer_.backoff();
            wait();
        }
        no_progress();
    }

    /// Every other change of a key. `decide(old, desired)` gets the value that the key has (null: absent) and
    /// says what to do: `inserted` or `assigned`, having written the new value to `desired`; or any other
    /// outcome to leave all as it is. It may be called several times. Lock-free; O(1). Commit: (M2), reserved to
    /// valid. \throws error(errc::corrupt)
    template <bool NeedsOld, class Decide>
    outcome write(key const& k, Decide&& decide) {
        alignas(8) std::byte old[NeedsOld ? ValueBytes : 1];
        alignas(8) std::byte desired[ValueBytes];
        auto const bucket = bucket_for(k);
        holding mine;
        backoff wait;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto seen = locate(bucket, k, NeedsOld ? old : nullptr);
            auto const result = decided(decide, seen.slot == none ? nullptr : old, desired, bucket, mine);
            if (result != outcome::inserted && result != outcome::assigned) {
                if (seen.slot == none && !confirmed_absent(bucket, seen)) continue;
                return leave(bucket, mine, result);
            }
            if (mine.slot == none) {
                switch (reserve(bucket, seen.now, mine.slot)) {
                    case attempt::done:
                        break;
                    case attempt::grown:
                        mine.grown = true;
                        [[fallthrough]];
                    case attempt::lost:
                        observer_.backoff();
                        wait();
                        continue;
                    case attempt::impossible:
                        return leave(bucket, mine, outcome::full);
                }
            }
            fill(bucket, mine.slot, k, desired);
            // What is valid has not changed since the key was looked for: so the key is still where it was, and
            // nowhere else. Other slots may be reserved and dropped meanwhile.
            for (auto const looked_at = seen.now; looked_at.same_content(seen.now) && round < patience;
                 ++round) {
                auto after = seen.now.validate(mine.slot);
                if (seen.slot != none) after = after.vacate(header::slot_mask(seen.slot));
                if (change(bucket, seen.now, after)) {
                    release(slot_->reserved);
                    if (seen.slot != none) shrink(bucket, seen.slot, after);
                    if (mine.grown) trim(bucket);
                    return result;
                }
                observer_.backoff();
                wait();
            }
        }
        no_progress();
    }

    /// Keys in it: each bucket's at one moment during the call. Wait-free, O(capacity).
    [[nodiscard]] std::uint64_t was_size() const noexcept {
        std::uint64_t keys = 0;
        for (std::uint64_t b = 0; b < shape_.bucket_count; ++b)
            keys += static_cast<std::uint64_t>(
                std::popcount(header{header_of(b).load(std::memory_order_relaxed)}.valid()));
        return keys;
    }

    [[nodiscard]] std::uint64_t bucket_count() const noexcept { return shape_.bucket_count; }

    /// Copies all of one bucket at one moment: calls take(key bytes, value bytes) for each key, after restart()
    /// each time that it has to begin anew. Lock-free. \throws error(errc::corrupt)
    template <class Restart, class Take>
    void copy_bucket(std::uint64_t bucket, Restart&& restart, Take&& take) {
        alignas(8) std::byte item[item_stride];
        for (std::uint64_t round = 0; round < patience; ++round) {
            restart();
            header const seen{
                ordering::template load<atomics, access::reads_header>(header_of(bucket))};  // (M1)
            auto left = seen.valid();
            for (; left != 0; left &= left - 1) {
                auto* const from = slot_at(bucket, static_cast<unsigned>(std::countr_zero(left)));
                if (from == nullptr) break;
                atomics::read_words(item, from, item_stride);
                take(item, item + 8 * key_words);
            }
            atomics::fence(std::memory_order_acquire);  // (M11)
            header const now{header_of(bucket).load(std::memory_order_relaxed)};
            if (now.same_content(seen)) {
                if (left != 0) corrupt("a bucket's link names a block that does not exist");
                return;
            }
        }
        no_progress();
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

    /// Takes over a slot whose lock the caller has just got: finishes or undoes what its last owner had begun. May
    /// be killed at any step and run again; may run beside living handles and other recoveries. O(handle slots).
    /// \param is_dead says whether the handle of another slot is gone.
    /// \return false if that cannot be decided at present: let the lock go, and use another slot.
    template <class IsDead>
    static bool recover(std::byte* at, bucket_geometry const& g, std::uint32_t slot, IsDead const& is_dead) {
        bucket_map self(at, g, slot);
        return self.recover_block() && self.recover_reservation(slot, is_dead);
    }

    /// Makes good what recovery had to leave undecided. Only when nobody else is attached. May be killed at any
    /// step and run again. O(capacity). \return slots and blocks that had no owner.
    static std::uint64_t repair(std::byte* at, bucket_geometry const& g) {
        for (std::uint32_t slot = 0; slot < g.handle_slots; ++slot)
            if (!recover(at, g, slot, [](std::uint32_t) { return true; }))
                corrupt("a handle slot names what does not exist");
        return bucket_map(at, g, 0).sweep();
    }

    /// What stands where, for tests and tools: visit(owner) for each block, with 0 for the pool, 1 for a bucket, 2
    /// and more for a handle slot; and how many slots are reserved or closing.
    template <class Visit>
    static std::uint64_t visit_blocks(std::byte* at, bucket_geometry const& g, Visit&& visit) {
        bucket_map self(at, g, 0);
        for (std::uint64_t b = 0; b < g.block_count; ++b)
            visit(self.owner_of(b).load(std::memory_order_acquire));
        std::uint64_t unsettled = 0;
        for (std::uint64_t b = 0; b < g.bucket_count; ++b) {
            header const h{self.header_of(b).load(std::memory_order_acquire)};
            unsettled += static_cast<std::uint64_t>(std::popcount(h.reserved()) + std::popcount(h.closing()));
        }
        return unsettled;
    }

private:
    static constexpr unsigned none = header::slots;
    /// What a writer has got by now: a slot that is reserved, or none; and whether it got the bucket a block.
    struct holding {
        unsigned slot = none;
        bool grown = false;
    };
    /// A bucket as it was looked at, and the slot of the key in it, or none.
    struct sight {
        header now;
        unsigned slot;
    };
    [[nodiscard]] std::uint64_t bucket_for(key const& k) const noexcept {
        return bucket_of(hash(k, shape_.seed), shape_.bucket_count);
    }

    [[nodiscard]] static bool holds(word const* slot, key const& k) noexcept {
        for (std::uint64_t i = 0; i < key_words; ++i)
            if (slot[i].load(std::memory_order_relaxed) != k[i]) return false;
        return true;
    }

    /// Looks for a key, and copies its value if wanted. \return its slot and a header that still stood after the
    /// copy; or no slot, and a header by which the key was absent.
    sight locate(std::uint64_t bucket, key const& k, void* value) {
        auto& word_of_bucket = header_of(bucket);
        header seen{ordering::template load<atomics, access::reads_header>(word_of_bucket)};  // (M1)
        for (std::uint64_t round = 0; round < patience; ++round) {
            bool whole = true;
            for (auto left = seen.valid(); left != 0; left &= left - 1) {
                auto const slot = static_cast<unsigned>(std::countr_zero(left));
                auto const* const from = slot_at(bucket, slot);
                if (from == nullptr) {
                    whole = false;
                    break;
                }
                if (!holds(from, k)) continue;
                if (value != nullptr) atomics::read_words(value, from + key_words, ValueBytes);
                // (M11) acquire fence; partner (M10): were these the bytes of a later owner of the slot, the
                // version would show it.
                atomics::fence(std::memory_order_acquire);
                header const now{word_of_bucket.load(std::memory_order_relaxed)};
                if (now.version() == seen.version()) return {now, slot};
                whole = false;
                break;
            }
            atomics::fence(std::memory_order_acquire);  // (M11)
            header const now{word_of_bucket.load(std::memory_order_relaxed)};
            if (now.same_content(seen)) {
                if (whole) return {now, none};
                corrupt("a bucket's link names a block that does not exist");
            }
            seen = header{ordering::template load<atomics, access::reads_header>(word_of_bucket)};  // (M1)
            observer_.retry();
        }
        no_progress();
    }

    /// Reserves a free slot of a bucket, as it was looked at. With a block that has none, gets one.
    attempt reserve(std::uint64_t bucket, header& now, unsigned& mine) {
        auto free = now.free();
        for (unsigned k = 0; k < header::blocks; ++k)
            if ((free & header::block_mask(k)) != 0 && !is_block(read_link(bucket, k)))
                free &= ~header::block_mask(k);
        if (free == 0) return grow(bucket, now);
        auto const slot = static_cast<unsigned>(std::countr_zero(free));
        intend(slot_->reserved, 1 + 16 * bucket + slot);
        auto const after = now.reserve(slot);
        if (change(bucket, now, after)) {
            now = after;
            mine = slot;
            return attempt::done;
        }
        return attempt::lost;
    }

    /// Key and value into a slot that is reserved for us.
    void fill(std::uint64_t bucket, unsigned slot, key const& k, std::byte const* value) {
        auto* const to = slot_at(bucket, slot);
        if (to == nullptr) corrupt("a bucket's link names a block that does not exist");
        // (M10) release fence; partner (M11): who reads what is written here, as part of what stood here before,
        // sees a later version of the header.
        atomics::fence(std::memory_order_release);
        for (std::uint64_t i = 0; i < key_words; ++i) to[i].store(k[i], std::memory_order_relaxed);
        atomics::write_words(to + key_words, value, ValueBytes);
    }

    /// Whether a key that was not found is absent for certain: the second look behind a negative answer. Not
    /// needed before a commit, which looks itself.
    bool confirmed_absent(std::uint64_t bucket, sight const& seen) {
        ordering::template before_negative<atomics>();
        header const now{
            ordering::template load<atomics, access::confirms_negative>(header_of(bucket))};  // (M3)
        return now.same_content(seen.now);
    }

    /// Asks the caller. If he throws, what was reserved is given back.
    template <class Decide>
    outcome decided(Decide& decide, std::byte const* old, std::byte* desired, std::uint64_t bucket,
                    holding const& mine) {
        try {
            return decide(old, desired);
        } catch (...) {
            leave(bucket, mine, outcome::absent);
            throw;
        }
    }

    /// Ends an operation that changed nothing.
    outcome leave(std::uint64_t bucket, holding const& mine, outcome result) {
        if (mine.slot != none) {
            header now{ordering::template load<atomics, access::reads_header>(header_of(bucket))};  // (M1)
            for (std::uint64_t round = 0;; ++round) {
                if (change(bucket, now, now.vacate(header::slot_mask(mine.slot)))) break;
                if (round == patience) no_progress();
            }
        }
        if (slot_->reserved.load(std::memory_order_relaxed) != 0) release(slot_->reserved);
        // Who emptied the block may have seen this slot in use.
        if (mine.grown || (mine.slot != none && mine.slot >= header::inline_slots)) trim(bucket);
        return result;
    }

    template <class IsDead>
    bool recover_reservation(std::uint32_t slot, IsDead const& is_dead) {
        auto const intent = slot_->reserved.load(std::memory_order_relaxed);
        if (intent == 0) return true;
        auto const bucket = (intent - 1) / 16;
        auto const mine = static_cast<unsigned>((intent - 1) % 16);
        if (bucket >= shape_.bucket_count || mine >= header::slots) return false;
        // A living handle that names the slot goes on soon, or is stopped: then this waits no longer. A lost race
        // shows that others go on: on a busy bucket it takes many.
        for (unsigned round = 0, lost = 0; round < 100 && lost < 100000;) {
            header now{ordering::template load<atomics, access::examines>(header_of(bucket))};  // (M8)
            if ((now.reserved() & header::slot_mask(mine)) == 0) {
                shrink(bucket, mine, now);
                release(slot_->reserved);
                return true;
            }
            // Reserved: by the dead one, or by another handle that names it too. If all that name it are dead, it
            // is nobody's. A living one would have changed the header by now, or is about to.
            bool alive = false;
            for (std::uint32_t other = 0; other < shape_.handle_slots; ++other) {
                if (other == slot) continue;
                auto& record =
                    *base::template at<slot_record>(shape_.slots + layout::line * std::uint64_t{other});
                if (ordering::template load<atomics, access::examines>(record.reserved) == intent)  // (M8)
                    alive = alive || !is_dead(other);
            }
            if (alive)
                ++round;
            else if (!change(bucket, now, now.vacate(header::slot_mask(mine))))
                ++lost;
        }
        return false;
    }

    /// Nobody is attached, and every handle slot is settled: no slot is rightly reserved or closing, and no empty
    /// block rightly in a bucket.
    std::uint64_t sweep() {
        std::uint64_t found = 0;
        for (std::uint64_t bucket = 0; bucket < shape_.bucket_count; ++bucket) {
            header now{header_of(bucket).load(std::memory_order_relaxed)};
            auto const lost = now.reserved() | now.closing();
            if (lost != 0) {
                found += static_cast<std::uint64_t>(std::popcount(lost));
                change(bucket, now, now.vacate(lost));
            }
            auto const links = [&] {
                return is_block(read_link(bucket, 0)) + is_block(read_link(bucket, 1));
            };
            auto const before = links();
            trim(bucket);
            found += static_cast<std::uint64_t>(before - links());
        }
        return found;
    }
};

namespace algorithm {

/// Selects buckets ruled by one word. The default of Map.
struct buckets {
    using policy_kind = policy::algorithm_kind;
    using access = bucket_access;
    static constexpr std::string_view structure = "map";
    static constexpr std::string_view name = "buckets";
    static constexpr std::uint32_t id = 1;
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
    static constexpr std::string_view source = "ZeroIPC 2026; one header word a bucket, validated reads";

    template <class Policies, std::size_t KeyBytes, std::size_t ValueBytes>
    using table = bucket_map<Policies, KeyBytes, ValueBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc
