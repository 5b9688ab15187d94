#pragma once
/// \file
/// Two rings of indices claimed by fetch-add: one hands out free places, the other one full places, in order.
/// Source: R. Nikolaev, "A scalable, portable, and memory-efficient lock-free FIFO queue", 2019 (SCQ). Without the
/// permutation of its slots, which only spreads cache lines.
///
/// Each ring has 2 N entries, N a power of two, at least the capacity and at least the number of handles: the bound of its
/// threshold, 3 N - 1, needs no more than N operations at once, and the handle slots see to that.
///
/// Why it is right: the paper proves it for sequentially consistent memory, and every access here is seq_cst, so that is
/// what it runs on; on x86 that costs nothing beyond a rare exchange. Nothing weaker is argued. The item's bytes go with
/// its place's number: written before (N1) puts the number in, read after (N2) found it, and the same on the way back.
/// Not kill-safe: the place in a dead process's hands is lost, so each kill inside an operation may cost one item's space
/// for ever; the others go on. Full is not linearizable: places in somebody's hands count as taken.

#include <zeroipc/atomics.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zeroipc::variants {

/// One ring of indices. A handle's view of it; the words are shared.
/// An entry is, from bit 0 up: an index, all ones for none; whether it is safe to fill; its cycle (lap), modulo 2^63 / 2 N.
template <class Atomics>
class scq_indices {
    using word = typename Atomics::template word<std::uint64_t>;
    static constexpr auto sc = std::memory_order_seq_cst;

public:
    static constexpr std::uint64_t nothing = ~std::uint64_t{0};

    /// \param half N.
    scq_indices(word* head, word* tail, word* threshold, word* entries, std::uint64_t half) noexcept
        : head_(head),
          tail_(tail),
          threshold_(threshold),
          entries_(entries),
          size_(2 * half),
          bits_(static_cast<unsigned>(std::countr_zero(2 * half))) {}

    /// Fills it with the indices 0 to count - 1.
    void initialise(std::uint64_t count) const noexcept {
        for (std::uint64_t i = 0; i < size_; ++i)
            entries_[i].store(i < count ? entry(1, safe(), i) : entry(0, safe(), none()), sc);
        head_->store(size_, sc);
        tail_->store(size_ + count, sc);
        threshold_->store(count > 0 ? most() : ~std::uint64_t{0}, sc);
    }

    /// Lock-free. \pre fewer than N indices are in it
    void put(std::uint64_t index) const {
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const tail = tail_->fetch_add(1, sc);
            auto& at = entries_[tail & (size_ - 1)];
            auto seen = at.load(sc);
            // Its cycle grows with each exchange that others win, or it loses its safety once: few rounds.
            while (cycle_behind(seen, tail) > 0 && (seen & none()) == none() &&
                   ((seen & safe()) != 0 || ahead(tail, head_->load(sc)) >= 0)) {
                if (at.compare_exchange_strong(seen, entry(tail >> bits_, safe(), index), sc, sc)) {  // (N1)
                    if (threshold_->load(sc) != most()) threshold_->store(most(), sc);
                    return;
                }
            }
        }
        zeroipc::detail::no_progress("queue", patience);
    }

    /// Lock-free. \return the oldest index, or `nothing`.
    [[nodiscard]] std::uint64_t take() const {
        if (static_cast<std::int64_t>(threshold_->load(sc)) < 0) return nothing;
        for (std::uint64_t round = 0; round < patience; ++round) {
            auto const head = head_->fetch_add(1, sc);
            auto& at = entries_[head & (size_ - 1)];
            auto seen = at.load(sc);  // (N2)
            for (;;) {
                auto const behind = cycle_behind(seen, head);
                if (behind == 0) {
                    at.fetch_or(none(), sc);
                    return seen & none();
                }
                if (behind < 0) break;
                bool const free = (seen & none()) == none();
                auto const spoiled = free ? entry(head >> bits_, seen & safe(), none()) : seen & ~safe();
                if (at.compare_exchange_strong(seen, spoiled, sc, sc)) break;
            }
            auto const tail = tail_->load(sc);
            if (ahead(tail, head + 1) <= 0) {
                catch_up(tail, head + 1);
                threshold_->fetch_add(~std::uint64_t{0}, sc);
                return nothing;
            }
            if (static_cast<std::int64_t>(threshold_->fetch_add(~std::uint64_t{0}, sc)) <= 0) return nothing;
        }
        zeroipc::detail::no_progress("queue", patience);
    }

    [[nodiscard]] std::uint64_t was_size() const noexcept {
        auto const head = head_->load(sc);
        auto const size = ahead(tail_->load(sc), head);
        return size > 0 ? static_cast<std::uint64_t>(size) : 0;
    }

private:
    static constexpr std::uint64_t patience = zeroipc::detail::patience_of<Atomics>();

    [[nodiscard]] std::uint64_t none() const noexcept { return size_ - 1; }
    [[nodiscard]] std::uint64_t safe() const noexcept { return size_; }
    [[nodiscard]] std::uint64_t most() const noexcept { return size_ + size_ / 2 - 1; }
    [[nodiscard]] std::uint64_t entry(std::uint64_t cycle, std::uint64_t safety,
                                      std::uint64_t index) const noexcept {
        return cycle << (bits_ + 1) | safety | index;
    }
    /// Whether the entry's cycle is that of the position (0), an earlier (above 0) or a later one. Cycles wrap.
    [[nodiscard]] std::int64_t cycle_behind(std::uint64_t seen, std::uint64_t position) const noexcept {
        return static_cast<std::int64_t>((position >> bits_ << (bits_ + 1)) -
                                         (seen >> (bits_ + 1) << (bits_ + 1)));
    }
    static std::int64_t ahead(std::uint64_t a, std::uint64_t b) noexcept {
        return static_cast<std::int64_t>(a - b);
    }

    /// Takes a tail that pops have overtaken along.
    void catch_up(std::uint64_t tail, std::uint64_t head) const noexcept {
        for (std::uint64_t round = 0; round < patience; ++round) {
            if (tail_->compare_exchange_strong(tail, head, sc, sc)) return;
            head = head_->load(sc);
            tail = tail_->load(sc);
            if (ahead(tail, head) >= 0) return;
        }
    }

    word* head_;
    word* tail_;
    word* threshold_;
    word* entries_;
    std::uint64_t size_;
    unsigned bits_;
};

template <class Policies, std::size_t ItemBytes>
class scq_ring {
    using layout = typename Policies::layout;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using indices = scq_indices<atomics>;

public:
    static constexpr std::uint64_t item_stride = format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 8;
    static constexpr bool commits_by_rmw = true;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint32_t handle_slots = 0;
        std::uint64_t half = 0;     ///< N
        std::uint64_t slots = 0;    ///< offset of the first handle slot: nothing but the place of its lock
        std::uint64_t entries = 0;  ///< offset of the ring of full places; that of free places follows
        std::uint64_t items = 0;
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t handle_slots) noexcept {
        shape s;
        s.capacity = capacity;
        s.handle_slots = handle_slots;
        s.half = std::max(capacity, std::bit_ceil(std::uint64_t{handle_slots}));
        s.slots = layout::body_offset + 4 * layout::line;
        s.entries = s.slots + layout::line * std::uint64_t{handle_slots};
        s.items = format::align_up(s.entries + 2 * cell_stride * 2 * s.half, 64);
        s.total = s.items + item_stride * capacity;
        return s;
    }

    static void initialise(std::byte* base, shape const& s) {
        full_places(base, s).initialise(0);
        free_places(base, s).initialise(s.capacity);
    }

    /// Handles own nothing that could be found again.
    static bool recover(std::byte* /*base*/, shape const& /*s*/, std::uint32_t /*slot*/) noexcept {
        return true;
    }

    scq_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : full_(full_places(base, s)),
          free_(free_places(base, s)),
          items_(base + s.items),
          capacity_(s.capacity) {}

    /// Lock-free. Commit: the exchange that puts the place's number among the full ones (N1).
    bool try_push(void const* item) {
        auto const place = free_.take();
        if (place == indices::nothing) return false;
        atomics::write_payload(item_at(place), item, ItemBytes);
        full_.put(place);
        return true;
    }

    /// Lock-free. Commit: the fetch-or that takes the place's number out of the full ones.
    bool try_pop(void* item) {
        auto const place = full_.take();
        if (place == indices::nothing) return false;
        atomics::read_payload(item, item_at(place), ItemBytes);
        free_.put(place);
        return true;
    }

    /// An estimate: positions that were skipped count.
    [[nodiscard]] std::uint64_t was_size() const noexcept { return std::min(full_.was_size(), capacity_); }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    static word* word_at(std::byte* base, std::uint64_t offset) noexcept {
        return reinterpret_cast<word*>(base + offset);
    }
    static indices full_places(std::byte* base, shape const& s) noexcept {
        return {word_at(base, layout::head_offset), word_at(base, layout::tail_offset),
                word_at(base, layout::body_offset), word_at(base, s.entries), s.half};
    }
    static indices free_places(std::byte* base, shape const& s) noexcept {
        return {word_at(base, layout::body_offset + layout::line),
                word_at(base, layout::body_offset + 2 * layout::line),
                word_at(base, layout::body_offset + 3 * layout::line),
                word_at(base, s.entries + cell_stride * 2 * s.half), s.half};
    }

    [[nodiscard]] std::byte* item_at(std::uint64_t place) const {
        if (place >= capacity_)
            zeroipc::detail::corrupt("queue", "a place's number is not below the capacity");
        return items_ + item_stride * place;
    }

    indices full_;
    indices free_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the two rings of indices.
struct scq {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "scq";
    static constexpr std::uint32_t id = 6;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool takes_slot_bytes = false;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = false;
    static constexpr bool linearizable_negatives = false;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source = "Nikolaev 2019, SCQ";

    template <class Policies, std::size_t ItemBytes>
    using ring = scq_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
