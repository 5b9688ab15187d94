#pragma once
/// \file
/// The linked stack with elimination: a push and a pop that both lost their race for top meet beside the stack, and the
/// item goes from hand to hand. Source: D. Hendler, N. Shavit, L. Yerushalmi, "A scalable lock-free stack algorithm", 2004,
/// over the stack of core (treiber_stack.hpp), made bounded and kill-safe (ZeroIPC 2026).
///
/// A push that lost offers the node in its hands: the offer cell of its handle slot says `offered(tag, node)` for as long as
/// the backoff policy passes the time. A pop that lost copies the item of one offer by words, sees that the stack has room,
/// and takes it by one exchange, offered(tag, node) -> taken(tag, node). The push withdraws it by an exchange too: where that
/// fails, its item has gone. Its node never leaves its hands.
///
/// *Linearizable, full included.* The two operations take effect one behind the other at the second look of the pop at top
/// (L3): there top's value is one whose depth leaves room, the pop has begun, and so has the push, whose offer had been read.
/// The push is not over, as the exchange that follows finds the offer where it was: tags make each offer like no other, and
/// only its own push ends it. So a push that is eliminated found room, and a pop takes what came last. The fence before (L3)
/// makes that moment current with respect to every negative answer, here and in other structures. (Without weak memory the
/// look would not be needed: of the two commits that both lost to, one lies within both operations, and before a push, or
/// behind a pop, there is room. The explorer finds no run that needs it. It is kept as the argument that needs no order.)
///
/// *No item is torn:* the words are written before (E1), and again only behind (E4), which is behind (E3) if the offer was
/// taken, and makes (E3) fail if it was not.
///
/// *A kill* at any step stops nobody. Of a dead push, the offer either stands, so that its item is not in the stack, and yet
/// may still be taken, as by an operation that is still going on; recovery withdraws it, by exchange; or it was taken: then
/// the push took place. Either way the node is the slot's spare, as the slot's record says: the last commit that it notes
/// failed, and so left no trace. A dead pop took the offer or did not: at most the item in its hand is lost. It owns no node
/// more or less than before. Who comes to a slot goes on with the tag that stands in its cell. A place of the board names a
/// slot that offered something a while ago: a hint, and true or not, dead or alive, the cell decides.
///
/// Not detected: a pop that stops between (E2) and (E3) while exactly a multiple of 2^(63 - b) offers are made in that cell,
/// b = bits(nodes), with the same node.

#include <zeroipc/policy.hpp>
#include <zeroipc/repair.hpp>
#include <zeroipc/table.hpp>
#include <zeroipc/treiber_stack.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace zeroipc::variants {

/// Numbers of the ordered accesses, beside those of the linked stack (treiber_access).
enum class elimination_access : int {
    offers = 1,       ///< (E1) release; partner (E2): the item's words lie before it
    reads_offer = 2,  ///< (E2) acquire; partner (E1)
    takes = 3,      ///< (E3) acq_rel, of which release counts; partner (E4): the item's words have been read
    withdraws = 4,  ///< (E4) acquire when it fails; partner (E3): the words may be written again
    ends_of_dead = 5,   ///< (E5) recovery; as (E4), for who uses the slot next
    reads_of_dead = 6,  ///< (E6) recovery; acquire, as (E5), where there is nothing to withdraw
};

/// Where the parts lie, in bytes from the structure's start.
struct elimination_geometry : treiber_geometry {
    std::uint64_t offers = 0;  ///< the first offer cell; one for each handle slot
    std::uint64_t board = 0;   ///< the first place of the board
    std::uint64_t places = 0;  ///< a power of two
};

template <class Policies, std::size_t ItemBytes>
class elimination_stack : public treiber_stack<Policies, ItemBytes> {
    using above = treiber_stack<Policies, ItemBytes>;
    using layout = typename Policies::layout;
    using ordering = typename Policies::ordering;
    using backoff = typename Policies::backoff;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;
    using access = elimination_access;

public:
    /// A place of the board for so many handles, at most so many.
    static constexpr std::uint64_t handles_a_place = 4;
    static constexpr std::uint64_t most_places = 8;

    static constexpr elimination_geometry geometry(std::uint64_t capacity,
                                                   std::uint32_t handle_slots) noexcept {
        elimination_geometry g{above::geometry(capacity, handle_slots)};
        g.offers = format::align_up(g.total, layout::line);
        g.board = g.offers + layout::line * std::uint64_t{handle_slots};
        g.places = std::clamp(std::bit_floor(std::uint64_t{handle_slots} / handles_a_place), std::uint64_t{1},
                              most_places);
        g.total = g.board + layout::line * g.places;
        return g;
    }

    /// As for the linked stack.
    elimination_stack(std::byte* base, elimination_geometry const& g, std::uint32_t slot)
        : above(base, g, slot),
          offers_(base + g.offers),
          board_(base + g.board),
          places_(g.places),
          random_(slot + 1) {}

    /// Puts an item on top, or into the hands of a pop. Lock-free. Commit: (L2) on the top word, or a pop's (E3).
    /// \return false if the stack was full at one moment during the call. \throws error(errc::corrupt)
    bool try_push(void const* item) {
        return above::try_push(item, [&](backoff& wait, std::uint64_t& /*now*/) { return was_taken(wait); });
    }

    /// Takes the item on top, or that of a push which is just going on. Lock-free. Commit: (L2) on the top word, or (E3).
    /// \return false if the stack was empty at one moment during the call. \throws error(errc::corrupt)
    bool try_pop(void* item) {
        return above::try_pop(item, [&](backoff& wait, std::uint64_t& now) {
            if (takes_offer(item, now)) return true;
            wait();
            return false;
        });
    }

    /// Takes over a slot, as of the linked stack, once its last owner's offer is no more.
    static bool recover(std::byte* base, elimination_geometry const& g, std::uint32_t slot) {
        withdraw_of_dead(base, g, slot);
        return above::recover(base, g, slot);
    }

    /// As for the linked stack.
    static repair_report repair(std::byte* base, elimination_geometry const& g) {
        for (std::uint32_t slot = 0; slot < g.handle_slots; ++slot) withdraw_of_dead(base, g, slot);
        return above::repair(base, g);
    }

private:
    /// An offer cell, from bit 0 up: the node, 0 for none; whether its item was taken; a tag that grows with each offer.
    struct cell {
        unsigned node_bits;
        [[nodiscard]] std::uint64_t node(std::uint64_t value) const noexcept {
            return value & ((std::uint64_t{1} << node_bits) - 1);
        }
        [[nodiscard]] std::uint64_t taken() const noexcept { return std::uint64_t{1} << node_bits; }
        [[nodiscard]] bool is_offer(std::uint64_t value) const noexcept {
            return node(value) != 0 && (value & taken()) == 0;
        }
        [[nodiscard]] std::uint64_t withdrawn(std::uint64_t value) const noexcept {
            return value >> node_bits << node_bits;
        }
        [[nodiscard]] std::uint64_t next(std::uint64_t value, std::uint64_t offered) const noexcept {
            return ((value >> (node_bits + 1)) + 1) << (node_bits + 1) | offered;
        }
    };

    static void withdraw_of_dead(std::byte* base, elimination_geometry const& g, std::uint32_t slot) {
        cell const cells{typename above::shape(g).node_bits};
        auto& mine = *above::template at<word>(base, g.offers + layout::line * std::uint64_t{slot});
        auto seen = ordering::template load<atomics, access::reads_of_dead>(mine);  // (E6)
        // Where the exchange fails, a pop took it: that is as good.
        if (cells.is_offer(seen))
            ordering::template exchange_if<atomics, access::ends_of_dead>(mine, seen,
                                                                          cells.withdrawn(seen));  // (E5)
    }

    [[nodiscard]] word& offer_of(std::uint64_t slot) const noexcept {
        return *above::template at<word>(offers_, layout::line * slot);
    }

    /// Any place of the board: who offers and who looks need not agree, for a slot's number stays.
    [[nodiscard]] word& any_place() noexcept {
        random_ ^= random_ << 13;  // G. Marsaglia, "Xorshift RNGs", 2003
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return *above::template at<word>(board_, layout::line * ((random_ >> 32) & (places_ - 1)));
    }

    /// Offers the node in hand for as long as the backoff takes. \return whether a pop took its item.
    bool was_taken(backoff& wait) {
        cell const cells{this->shape_.node_bits};
        auto& mine = offer_of(this->me_ - 1);
        // Relaxed: between two offers only this handle writes its cell, and it has seen the last offer's end.
        auto offered = cells.next(mine.load(std::memory_order_relaxed), this->spare_);
        ordering::template store<atomics, access::offers>(mine, offered);  // (E1)
        auto& place = any_place();
        // Relaxed, as all accesses to the board: a hint.
        if (place.load(std::memory_order_relaxed) != this->me_)
            place.store(this->me_, std::memory_order_relaxed);
        wait();
        auto const mark = offered;
        if (ordering::template exchange_if<atomics, access::withdraws>(mine, offered,
                                                                       cells.withdrawn(offered)))  // (E4)
            return false;
        if (offered != (mark | cells.taken())) above::corrupt("an offer was overwritten");
        return true;
    }

    /// Takes the item of one offer, if there is one, and room in the stack.
    /// \param now a value of top, renewed if it is not that any more.
    bool takes_offer(void* item, std::uint64_t& now) {
        cell const cells{this->shape_.node_bits};
        auto const slot = any_place().load(std::memory_order_relaxed);
        if (slot == 0 || slot > this->shape_.handle_slots || slot == this->me_) return false;
        auto& offer = offer_of(slot - 1);
        auto seen = ordering::template load<atomics, access::reads_offer>(offer);  // (E2)
        auto const node = cells.node(seen);
        if (!cells.is_offer(seen) || node > this->shape_.nodes) return false;
        std::byte copy[ItemBytes];  // what is read of an offer that is gone must not reach the caller
        atomics::read_words(copy, this->node_at(node) + 1, ItemBytes);
        // Where a push alone would find the stack full, it and a pop do not meet.
        if (this->depth_of(this->shape_.node(now)) >= this->shape_.capacity ||
            !this->stands(*this->lists_[above::stack_list], now))
            return false;
        if (!ordering::template exchange_if<atomics, access::takes>(offer, seen, seen | cells.taken()))
            return false;  // (E3)
        this->observer_.help();
        std::memcpy(item, copy, ItemBytes);
        return true;
    }

    std::byte* offers_;
    std::byte* board_;
    std::uint64_t places_;
    std::uint64_t random_;  ///< never 0
};

namespace algorithm {

/// Selects the linked stack with elimination.
struct elimination {
    using policy_kind = policy::algorithm_kind;
    using access = treiber_access;
    static constexpr std::string_view structure = "stack";
    static constexpr std::string_view name = "elimination";
    static constexpr std::uint32_t id = 3;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = true;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = true;
    static constexpr bool takes_backoff = true;
    static constexpr bool takes_place_of = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "lock-free";
    static constexpr std::string_view source =
        "Hendler, Shavit and Yerushalmi 2004; over the stack with witnessed commits (ZeroIPC 2026)";

    template <class Policies, std::size_t ItemBytes>
    using ring = elimination_stack<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
