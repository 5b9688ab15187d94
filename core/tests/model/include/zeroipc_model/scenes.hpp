#pragma once
/// \file
/// A list of scenes, and exploring it: exhaustively within each scene's bounds, then by PCT; with deaths, if it has
/// victims. Or one run of one scene again, as it was printed.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
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
    std::string of{};      ///< what the scene is made of: stands before its name
    std::string replay{};  ///< a scene_result's; then nothing else is done, and of other scenes nothing
};

/// What a person wants to see once more: `replay` of a scene_result, in the environment; else nothing.
inline std::string asked_replay() {
    char const* const text = std::getenv("ZEROIPC_REPLAY");
    return text != nullptr ? text : "";
}

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
    std::string replay{};  ///< of a failure: scene, deaths and schedule, as they stand in its text

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

/// A bound that is to be less: not below `least`, nor above what it was.
inline unsigned lessened(unsigned bound, unsigned by, unsigned least) noexcept {
    return bound > by + least ? bound - by : std::min(bound, least);
}

/// Explores one scene.
inline scene_result explore_scene(scene_plan const& plan, effort const& how) {
    scene_result all;
    auto const name = (how.of.empty() ? how.of : how.of + ", ") + plan.name + ": ";
    auto const failed = [&](verdict const& v, settings const& with) {
        auto const deaths = text_of_deaths(plan.victims, with);
        all.right = false;
        all.replay = name + deaths + v.schedule;
        all.text = name + deaths + v.text(name + deaths);
    };
    settings bounded;
    bounded.preemptions = all.preemptions = lessened(plan.within.preemptions, how.less_preemptions, 1);
    bounded.stale = all.stale = lessened(plan.within.stale, how.less_stale, 0);
    bounded.executions = how.executions;
    bounded.timeouts = plan.within.timeouts;
    bounded.steps = how.steps;
    if (!how.replay.empty()) {
        if (how.replay.rfind(name, 0) != 0) return all;
        bounded.how = strategy::replay;
        bounded.replay = take_deaths(how.replay.substr(name.size()), bounded);
        auto const v = explorer(bounded).explore(*plan.make());
        all.executions = v.executions;
        all.deaths = plan.victims.empty() ? 0 : 1;
        if (!v.right) failed(v, bounded);
        return all;
    }
    auto const scene = plan.make();
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
        }
        all.longest = std::max(all.longest, v.longest_operation);
        if (!v.right) failed(v, with);
        return v.right;
    };
    if (!once(bounded, true) || how.random == 0) return all;
    random.executions = plan.victims.empty() ? how.random : std::max<std::uint64_t>(1, how.random / 100);
    once(random, false);
    return all;
}

}  // namespace zeroipc::model
