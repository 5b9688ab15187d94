#pragma once
/// \file
/// Exploring a scene once for every step before which its victims can die.

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "explorer.hpp"

namespace zeroipc::model {

/// What exploring a scene with deaths found.
struct deaths_verdict {
    verdict last{};                 ///< the first wrong one, or the last
    std::uint64_t executions = 0;   ///< of all
    std::uint64_t deaths = 0;       ///< combinations of steps at which they died
    std::vector<unsigned> steps{};  ///< of each victim: the last before which it died
    bool exhausted = true;
    unsigned longest = 0;  ///< operation, in steps

    [[nodiscard]] bool right() const noexcept { return last.right; }
};

/// "thread 0 dies before its step 5; ", for each victim.
inline std::string text_of_deaths(std::vector<unsigned> const& victims, settings const& how) {
    std::string text;
    for (auto const v : victims)
        text +=
            "thread " + std::to_string(v) + " dies before its step " + std::to_string(how.death[v]) + "; ";
    return text;
}
/// Takes that from the beginning of a text, as the deaths of `how`. \return the rest.
inline std::string take_deaths(std::string text, settings& how) {
    constexpr std::string_view thread = "thread ";
    constexpr std::string_view dies = " dies before its step ";
    while (text.rfind(thread, 0) == 0) {
        auto const at = text.find(dies);
        auto const end = text.find("; ", at);
        if (end == std::string::npos) throw std::invalid_argument("'" + text + "' is no death");
        how.death.at(std::stoul(text.substr(thread.size()))) =
            static_cast<unsigned>(std::stoul(text.substr(at + dies.size())));
        text.erase(0, end + 2);
    }
    return text;
}

/// Every victim dies before every step that it can reach, in all combinations. \param how is left as it was for the
/// last exploration, so that a failure can be replayed.
inline deaths_verdict explore_deaths(scenario& what, settings& how, std::vector<unsigned> const& victims) {
    deaths_verdict all;
    std::array<bool, most_threads> reached{};
    all.steps.assign(victims.size(), 0);
    auto const explore = [&](auto const& self, std::size_t which) -> bool {
        if (which == victims.size()) {
            explorer machine(how);
            all.last = machine.explore(what);
            all.executions += all.last.executions;
            all.longest = std::max(all.longest, all.last.longest_operation);
            all.exhausted = all.exhausted && all.last.exhausted;
            bool every = true;
            for (auto const v : victims) {
                every = every && all.last.died[v];
                reached[v] = reached[v] || all.last.died[v];
            }
            all.deaths += every;
            return all.last.right;
        }
        for (unsigned k = 1;; ++k) {
            how.death[victims[which]] = k;
            reached[victims[which]] = false;
            if (!self(self, which + 1)) return false;
            if (!reached[victims[which]]) return true;
            all.steps[which] = std::max(all.steps[which], k);
        }
    };
    explore(explore, 0);
    return all;
}

}  // namespace zeroipc::model
