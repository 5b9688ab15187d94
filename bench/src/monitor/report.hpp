#pragma once
/// \file
/// What a search found, in words.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "container.hpp"
#include "search.hpp"

namespace zeroipc::bench::monitor {

/// \param name from the search's numbers to the history's. \return whether an order was found.
template <class Search, class Name>
bool report(History const& history, Timeline const& timeline, Search const& search, Found found, Name&& name,
            Judgement& judgement) {
    constexpr std::size_t most = 8;
    judgement.steps += search.steps();
    std::uint64_t returns = 0;
    for (std::uint32_t i = 0; i < search.furthest(); ++i) returns += timeline[i].is_return() ? 1U : 0U;
    judgement.returns += returns;
    if (found == Found::order) return true;
    auto const end = search.furthest();
    auto const stuck = timeline[end].operation();
    std::vector<std::size_t> operations{name(stuck)};
    // Beside it the operations that overlap its end.
    for (std::uint32_t i = end; i-- > 0 && operations.size() < most;) {
        auto const other = timeline[i].operation();
        if (other != stuck && !timeline[i].is_return() && timeline.ret(other) > timeline.call(stuck))
            operations.push_back(name(other));
    }
    auto const where =
        "the first " + std::to_string(returns) +
        " operations to return can be ordered; with the next one no order explains every answer";
    auto text = violation(
        history, "no order",
        found == Found::no_order ? where : "of the orders that were tried, none got past this operation",
        std::move(operations));
    judgement.verdict = found == Found::no_order ? Verdict::violation : Verdict::undecided;
    judgement.rule = found == Found::no_order ? "no order" : "steps used up";
    judgement.why = std::move(text.why);
    judgement.operations = std::move(text.operations);
    return false;
}

}  // namespace zeroipc::bench::monitor
