#pragma once
/// \file
/// A list of scenes, and exploring it: exhaustively within each scene's bounds, then by PCT; with deaths, if it has
/// victims.

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "deaths.hpp"
#include "explorer.hpp"

namespace zeroipc::model {

/// How far a scene is explored exhaustively.
struct bounds {
    unsigned preemptions = 3;
    unsigned stale = 1;
    bool timeouts = false;
};

struct scene_plan {
    std::string name;
    std::function<std::unique_ptr<scenario>()> make;
    std::vector<unsigned> victims{};
    bounds within{};
};

/// How much is done with each.
struct effort {
    unsigned less_preemptions = 0;  ///< than the scene's bound
    unsigned less_stale = 0;
    std::uint64_t executions = 50'000'000;  ///< of the exhaustive search; above, it is named as not exhausted
    std::uint64_t random = 1000;            ///< runs of PCT, for each step of death a hundredth
    std::uint64_t seed = 20261126;
    unsigned steps = 3000;
};

struct scene_result {
    bool right = true;
    bool exhausted = true;
    std::uint64_t executions = 0;  ///< exhaustive ones
    std::uint64_t random = 0;
    std::uint64_t deaths = 0;  ///< steps, or pairs of steps, before which the victims died
    std::vector<unsigned> steps{};
    unsigned longest = 0;  ///< steps of one operation
    unsigned preemptions = 0;
    unsigned stale = 0;
    std::string text{};

    /// One line for a person.
    [[nodiscard]] std::string line() const {
        std::string t = std::to_string(executions) + (exhausted ? " runs, all" : " runs, not all") +
                        " within " + std::to_string(preemptions) + " preemptions and " +
                        std::to_string(stale) + " stale reads";
        if (random > 0) t += ", " + std::to_string(random) + " random";
        if (!steps.empty()) {
            t += ", " + std::to_string(deaths) + " deaths (steps reached:";
            for (auto const s : steps) t += " " + std::to_string(s);
            t += ")";
        }
        return t + ", longest operation " + std::to_string(longest) + " steps";
    }
};

/// Explores one scene.
inline scene_result explore_scene(scene_plan const& plan, effort const& how) {
    scene_result all;
    auto const scene = plan.make();
    settings bounded;
    bounded.preemptions = all.preemptions =
        plan.within.preemptions > how.less_preemptions ? plan.within.preemptions - how.less_preemptions : 1;
    bounded.stale = all.stale = plan.within.stale > how.less_stale ? plan.within.stale - how.less_stale : 0;
    bounded.executions = how.executions;
    bounded.timeouts = plan.within.timeouts;
    bounded.steps = how.steps;
    settings random = bounded;
    random.how = strategy::pct;
    random.stale = 8;
    random.seed = how.seed;

    auto const once = [&](settings& with, bool exhaustive) {
        verdict v;
        if (plan.victims.empty()) {
            v = explorer(with).explore(*scene);
            (exhaustive ? all.executions : all.random) += v.executions;
            all.exhausted = all.exhausted && (!exhaustive || v.exhausted);
            all.text = v.text();
        } else {
            auto const d = explore_deaths(*scene, with, plan.victims);
            v = d.last;
            (exhaustive ? all.executions : all.random) += d.executions;
            all.deaths += d.deaths;
            all.longest = std::max(all.longest, d.longest);
            if (exhaustive) {
                all.exhausted = d.exhausted;
                all.steps = d.steps;
            }
            all.text = d.text(plan.victims, with);
        }
        all.longest = std::max(all.longest, v.longest_operation);
        all.right = v.right;
        if (!v.right) all.text = plan.name + ": " + all.text;
        return v.right;
    };
    if (!once(bounded, true) || how.random == 0) return all;
    random.executions = plan.victims.empty() ? how.random : std::max<std::uint64_t>(1, how.random / 100);
    once(random, false);
    return all;
}

}  // namespace zeroipc::model
