#pragma once
/// \file
/// Whether a recorded history is linearizable.
///
/// Two stages, each sound by itself. Rules look for patterns that no linearizable history has; a search looks for an
/// order that explains every answer. A violation is said where a rule fires or the search has tried every order; right
/// is said where an order was found. Else the verdict is undecided.
///
/// Rules for queues follow Gibbons and Korach, "Testing Shared Memories" (1997) and Henzinger, Sezgin and Vafeiadis,
/// "Aspect-Oriented Linearizability Proofs" (2013); those for stacks Bouajjani, Emmi, Enea and Hamza, "On Reducing
/// Linearizability to State Reachability" (2015); here they narrow the time in which each operation can have taken
/// effect, until nothing changes or nothing is left. The search is Wing and Gong's (1993), which lets operations take
/// effect as late as it can, as Lowe's "Testing for Linearizability" (2017) does.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "history.hpp"

namespace zeroipc::bench {

enum class Verdict : std::uint8_t { linearizable, violation, undecided };

std::string_view to_string(Verdict verdict) noexcept;

struct Judgement {
    Verdict verdict = Verdict::undecided;
    std::string rule;  ///< violation: a word or two ("lost value"); undecided: what ran out
    std::string why;   ///< for people; empty if linearizable
    std::vector<std::size_t> operations;  ///< those that `why` is about, by their place in the history
    std::uint64_t steps = 0;              ///< of the search: choices tried
    std::uint64_t returns = 0;    ///< of the search: operations that ended before the point it reached
    std::uint64_t quiescent = 0;  ///< moments at which no operation was open
    std::uint64_t widest = 0;     ///< operations open at once, those of the dead left out, at most
};

struct CheckLimits {
    /// Choices that the search may try; 0: 2 an operation and a million.
    std::uint64_t steps = 0;
};

/// Judges a history that began on an empty structure. Values put in are distinct (a map's need not be). For a map,
/// each key is judged alone, and "full" against the keys that can have been in at all.
/// Rules: O(n log n). Search: O(n) if it never has to take a choice back.
/// \throws HistoryError as validate()
Judgement judge(History const& history, CheckLimits const& limits = {});

}  // namespace zeroipc::bench
