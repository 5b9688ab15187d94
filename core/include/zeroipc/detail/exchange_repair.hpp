#pragma once
/// \file
/// Repair of an exchange ring to which nobody is attached. Argument: format/queue.md, "Repair".

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../exchange_ring.hpp"
#include "../repair.hpp"

namespace zeroipc::detail {

/// One repair of one ring. All is examined first; each store behind that leaves a state that both another
/// repair and the ordinary recovery of slots bring to its end.
template <class Ring>
class exchange_repair {
    using atomics = typename Ring::atomics;
    using ordering = typename Ring::ordering;
    using layout = typename Ring::layout;
    using access = typename Ring::access;
    using record = typename Ring::slot_record;
    using word = typename Ring::word;

public:
    exchange_repair(std::byte* base, exchange_geometry const& g)
        : base_(base), geometry_(g), shape_(g), owned_(g.buffer_count()) {
        for (std::uint64_t i = 0; i < g.capacity; ++i) own_once(cell(i), i);
        auto const tail = ends_at([&](std::uint64_t turn) { return ((turn + 1) & turns()) >> 1; });
        auto const head = ends_at([&](std::uint64_t turn) { return turn >> 1; });
        // Turns tell positions up to their period only; the index that stands there is near.
        auto const period_bits = shape_.lap_shift + 63 - shape_.turn_shift;
        auto const old = index(layout::tail_offset).load(std::memory_order_relaxed);
        auto const size = (tail - head) << (64 - period_bits) >> (64 - period_bits);
        tail_ =
            old + static_cast<std::uint64_t>(static_cast<std::int64_t>((tail - old) << (64 - period_bits)) >>
                                             (64 - period_bits));
        head_ = tail_ - size;
        for (std::uint32_t slot = 0; slot < g.handle_slots; ++slot) {
            roles_.push_back({&slot_at(slot).out, &slot_at(slot), shape_.first_spare(slot)});
            roles_.push_back({&slot_at(slot).in, &slot_at(slot), shape_.first_spare(slot) + 1});
        }
        for (auto& one : roles_) one.before = one.owned->load(std::memory_order_relaxed);
    }

    repair_report run() {
        auto rest = unsettled();
        while (settle_by_evidence(rest)) {
        }
        // Honest processes leave nothing for this.
        settle_in_any_order(rest);
        ordering::template store<atomics, access::raises_index>(index(layout::head_offset), head_);  // (Q4)
        ordering::template store<atomics, access::raises_index>(index(layout::tail_offset), tail_);  // (Q4)

        repair_report report;
        for (auto const& one : roles_)
            report.reclaimed += one.owned->load(std::memory_order_relaxed) != one.before;
        return report;
    }

private:
    /// One of the two spares of a slot.
    struct role {
        word* owned;
        record* slot;
        std::uint64_t home;
        std::uint64_t before = 0;  ///< the record's word when the repair began
    };

    [[nodiscard]] record& slot_at(std::uint32_t slot) const noexcept {
        return *Ring::template at<record>(base_, geometry_.slots + layout::line * std::uint64_t{slot});
    }
    [[nodiscard]] word& index(std::uint64_t offset) const noexcept {
        return *Ring::template at<word>(base_, offset);
    }
    [[nodiscard]] std::uint64_t cell(std::uint64_t i) const noexcept {
        return ordering::template load<atomics, access::examines_cell>(  // (Q8)
            typename Ring::cell_row(base_, geometry_)[i]);
    }
    [[nodiscard]] std::uint64_t turns() const noexcept { return ~std::uint64_t{0} >> shape_.turn_shift; }

    void own_once(std::uint64_t value, std::uint64_t i) {
        auto const buffer = shape_.buffer_of(value, i);
        if (buffer >= shape_.buffers) Ring::corrupt("a cell names a buffer that does not exist");
        if (owned_[buffer]) Ring::corrupt("two cells name one buffer");
        owned_[buffer] = true;
    }

    /// Where the pushes (or pops) end, modulo the period of the turns, from how many each cell has seen: the
    /// cells of the last lap, which come first, one more than the others.
    template <class Count>
    [[nodiscard]] std::uint64_t ends_at(Count&& count) const {
        auto const seen = [&](std::uint64_t i) { return count(cell(i) >> shape_.turn_shift); };
        auto const most = seen(0);
        std::uint64_t n = 1;
        while (n < shape_.capacity && seen(n) == most) ++n;
        for (auto i = n; i < shape_.capacity; ++i)
            if (seen(i) != ((most - 1) & (turns() >> 1))) Ring::corrupt("the cells' turns are not in order");
        return ((most - 1) << shape_.lap_shift) + n;
    }

    /// Marks what the settled records own. \return the roles that are pending, or name what they cannot have.
    [[nodiscard]] std::vector<role*> unsettled() {
        std::vector<role*> rest;
        for (auto& one : roles_) {
            auto const value = one.owned->load(std::memory_order_relaxed);
            auto const spare = shape_.spare_in(value, one.home);
            if ((value & Ring::pending) != 0 || !is_free(spare))
                rest.push_back(&one);
            else
                owned_[spare] = true;
        }
        return rest;
    }

    [[nodiscard]] bool is_free(std::uint64_t buffer) const {
        return buffer < shape_.buffers && !owned_[buffer];
    }

    /// Settles each pending role of whose two buffers one is somebody else's. \return whether there was one.
    bool settle_by_evidence(std::vector<role*>& rest) {
        auto const before = rest.size();
        std::erase_if(rest, [&](role* one) {
            auto const value = one->owned->load(std::memory_order_relaxed);
            if ((value & Ring::pending) == 0) return false;
            auto const spare = shape_.spare_in(value, one->home);
            auto const gain =
                shape_.buffer_of(one->slot->expected.load(std::memory_order_relaxed),
                                 shape_.index(one->slot->position.load(std::memory_order_relaxed)));
            if (is_free(spare) == is_free(gain)) return false;
            settle(*one, is_free(spare) ? spare : gain);
            return true;
        });
        return rest.size() != before;
    }

    /// What is left: as many free buffers as roles, and nothing tells one from another.
    void settle_in_any_order(std::vector<role*> const& rest) {
        std::uint64_t buffer = 0;
        for (auto* const one : rest) {
            while (owned_[buffer]) ++buffer;
            settle(*one, buffer);
        }
    }

    void settle(role& one, std::uint64_t buffer) {
        owned_[buffer] = true;
        ordering::template store<atomics, access::settles_slot>(*one.owned,  // (Q7)
                                                                Ring::spare_word(buffer, one.home));
    }

    std::byte* base_;
    exchange_geometry geometry_;
    typename Ring::shape shape_;
    std::vector<bool> owned_;  ///< buffers that a cell or a settled role is known to have
    std::vector<role> roles_;
    std::uint64_t head_ = 0;
    std::uint64_t tail_ = 0;
};

}  // namespace zeroipc::detail
