#pragma once
/// \file
/// What a kill cell's run found out.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kill_board.hpp"

namespace zeroipc::bench {

/// Who is killed, and when; drawn from a seed.
struct KillPlan {
    std::uint32_t victim = 0;  ///< a worker
    double at = 0;             ///< of the window, 0.4 to 0.6
};
KillPlan draw_kill(Cell const& cell, std::uint64_t seed);

/// Whether the catalogue says so of that variant.
bool claims_kill_safety(std::string const& variant);

/// The seed of one run's kill: of the session's seed, the cell and the round.
std::uint64_t kill_seed(std::uint64_t session_seed, std::string_view cell_key, std::uint32_t round);

/// A survivor that had no success behind the window's end, though it tried until nobody had one any more.
struct Stuck {
    std::uint32_t worker = 0;
    std::string how;  ///< "refused": full or empty for ever; "blocked": in a call; else what it threw
};

struct KillResult {
    bool claims_kill_safety = false;
    bool sums_equal = false;
    bool late = false;             ///< the coordinator came too late: there is no throughput after it
    Inside inside = Inside::none;  ///< where the kill landed
    int took_slot = -1;  ///< the newcomer's handle slot: 1: the dead one's; 0: another; -1: there are none
    std::uint64_t seed = 0;
    KillPlan plan;
    double planned_ns = 0, killed_ns = 0;  ///< behind the window's start
    double death_ns = 0;                   ///< from the kill until the victim was gone, for the coordinator
    // Of the process that takes the dead one's place; negative: it never opened the structure.
    double open_ns = -1, recovery_ns = -1;  ///< opening, recovery included; from the kill until it was done
    std::string newcomer_error;
    std::vector<Stuck> stuck;
    Intervals intervals;                              ///< the survivors' operations
    std::optional<double> before_per_s, after_per_s;  ///< survivors' operations, over whole intervals
    double gap_before_ns = 0, gap_after_ns = 0;       ///< a survivor's longest without an operation done
    std::uint64_t operations = 0;                     ///< of the survivors, in the window
    std::uint64_t put = 0, taken = 0;  ///< all that is acknowledged; what was there before and at the end too
    std::uint64_t order_violations = 0, corrupt_items = 0;
    std::optional<std::uint64_t> lost, unacknowledged;  ///< items (keys); nothing: not counted to the end
    std::optional<std::uint64_t> accepted;              ///< items that go in at the end, up to the capacity
    std::vector<std::string> faults;                    ///< what kill safety forbids
};

/// Whether the difference between what was taken out and put in is such as a kill inside that operation allows: a push that
/// was not acknowledged may be in, an item may be lost in the hands of a pop, and so for keys. \param items, sum what was
/// taken, minus what was put; \param producers, numbers what a lost item's word may name.
bool kill_accounts_for(Inside inside, std::uint64_t word, std::int64_t items, std::uint64_t sum,
                       std::uint64_t producers, std::uint64_t numbers);

}  // namespace zeroipc::bench
