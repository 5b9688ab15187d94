#pragma once
/// \file
/// Weakening every ordered access of a structure, one at a time, and looking which scene notices.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scenes.hpp"
#include "sites.hpp"

namespace zeroipc::model {

/// One access weakened in one way, and what came of it.
struct mutant {
    mutation change{};
    bool caught = false;
    std::string scene{};  ///< that noticed
    std::string how{};    ///< the first line of what it said
    /// Scenes that have more runs within their own bounds than were asked for.
    std::vector<std::string> not_exhausted{};
};

/// Every way to weaken an access that some scene makes, in the order of the structure's numbers.
inline std::vector<mutation> mutations_of(std::vector<scene_plan> const& plans) {
    std::vector<mutation> all;
    sites::met = &all;
    effort brief;
    brief.less_preemptions = 9;
    brief.executions = 300;
    brief.random = 100;
    for (auto const& plan : plans) explore_scene(plan, brief);
    sites::met = nullptr;
    std::sort(all.begin(), all.end(), [](mutation const& a, mutation const& b) {
        auto const key = [](mutation const& m) {
            return std::pair(std::pair(m.where.letter == 0, m.where.number), std::pair(m.where.what, m.what));
        };
        return key(a) < key(b);
    });
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (all[i].text() == all[j].text()) ++all[i].where.ordinal;
    return all;
}

/// Explores a scene with one access weakened.
inline scene_result explore_mutant(scene_plan const& plan, mutation const& change, effort const& how) {
    sites::active = &change;
    auto result = explore_scene(plan, how);
    sites::active = nullptr;
    return result;
}

/// The most executions of a scene within its own bounds, and of one with deaths for each step of death.
struct reach {
    std::uint64_t of_scene;
    std::uint64_t of_step;
};
inline constexpr reach nowhere{0, 0};                     ///< small bounds only
inline constexpr reach everything{3'000'000, 3'000'000};  ///< where it is not all, the mutant says so
inline constexpr reach once_more{200'000, 5'000};         ///< where everything has been explored before

/// Looks for a scene that notices: first all with small bounds, then with their own, as far as told, all that made the
/// access at least once.
inline mutant hunt(std::vector<scene_plan> const& plans, mutation const& change, reach const& whole) {
    mutant result;
    result.change = change;
    std::set<std::string> without;
    constexpr reach small{20'000, 500};
    for (unsigned const less : {2U, 0U}) {
        if (less == 0 && whole.of_scene == 0) break;
        for (auto const& plan : plans) {
            if (without.count(plan.name) != 0) continue;
            effort how;
            how.less_preemptions = less;
            how.less_stale = less > 0 ? 1 : 0;
            auto const& most = less == 0 ? whole : small;
            how.executions = plan.victims.empty() ? most.of_scene : most.of_step;
            how.random = less > 0 ? 2'000 : 20'000;
            sites::made = false;
            auto const seen = explore_mutant(plan, change, how);
            if (!sites::made) without.insert(plan.name);
            if (less == 0 && !seen.exhausted) result.not_exhausted.push_back(plan.name);
            if (seen.right) continue;
            result.caught = true;
            result.scene = plan.name;
            auto const text = seen.text.substr(seen.text.find(": ") + 2);
            result.how = text.substr(0, text.find('\n'));
            return result;
        }
    }
    return result;
}

}  // namespace zeroipc::model
