#pragma once
/// \file
/// A queue's or stack's history as the life of its items: when each can have gone in and come out.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dominance.hpp"
#include "timeline.hpp"
#include "zeroipc/bench/monitor.hpp"

namespace zeroipc::bench::monitor {

/// Ends of the two windows of an item, in ticks.
enum Bound : std::uint8_t { in_from, in_by, out_from, out_by };

struct Item {
    std::uint32_t push = none;
    std::uint32_t pop = none;  ///< `none`: no pop returned it. One whose worker was killed may have taken it.
    std::uint32_t taker =
        none;  ///< not popped: the first of maybe_out that can have taken it; `none`: none of them
    std::array<std::uint64_t, 4> bound{0, never, 0, never};
    std::array<std::uint32_t, 4> why{none, none, none, none};  ///< the item that a bound follows from

    [[nodiscard]] bool popped() const { return pop != none; }
};

/// The items of a history, and what else is in it.
struct Container {
    History const& history;
    bool last_in_first_out;
    std::vector<Item> items;               ///< those that went in for certain
    std::vector<std::uint32_t> item_of;    ///< of each operation; `none`: it moved no item of these
    std::vector<std::uint32_t> maybe_in;   ///< pending pushes of values that never came out
    std::vector<std::uint32_t> maybe_out;  ///< pending pops, by their call
    std::vector<std::uint32_t> empties, fulls;

    [[nodiscard]] std::uint64_t earliest(std::uint32_t operation) const;
    [[nodiscard]] std::uint64_t latest(std::uint32_t operation) const;
};

/// An item and those that its windows follow from, as far back as a reader follows: their operations.
struct Reasons {
    std::vector<std::uint32_t> items;
    std::vector<std::size_t> operations;
    bool lost = false;  ///< one of them never came out
};
Reasons reasons_of(Container const& c, std::uint32_t at);

using Violation = std::optional<Judgement>;

/// A violation by `rule`, with `why` in front of the operations.
Judgement violation(History const& history, std::string rule, std::string why,
                    std::vector<std::size_t> operations);

/// Pairs pushes and pops. Finds: wrong values, duplicates; values put in twice make the verdict undecided.
Violation pair(Container& c);

/// Narrows the windows by what the order of the items implies. Finds: reordering, loss.
Violation narrow(Container& c);

/// Finds lost values that too few killed pops can have taken.
Violation account_for_lost(Container const& c);

/// Puts all operations into the timeline, in their narrowed windows.
Timeline timeline_of(Container const& c);

/// Compares what is inside for certain, and at most, with each answer. Finds: false empty, false full, too many items.
Violation compare_sizes(Container const& c, Timeline const& timeline);

}  // namespace zeroipc::bench::monitor
