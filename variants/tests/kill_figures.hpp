#pragma once
/// \file
/// What zeroipc-kill says of a run: medians with intervals, percentiles as far as the samples carry them, and the same
/// as JSON.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_kill_report.hpp"

namespace zeroipc::testing {

/// A number with its 95% interval.
struct estimate {
    double value = 0;
    double low = 0;
    double high = 0;
};

inline double median_of(std::vector<double> samples) {
    auto const n = samples.size();
    if (n == 0) return 0;
    std::sort(samples.begin(), samples.end());
    return (samples[(n - 1) / 2] + samples[n / 2]) / 2;
}

/// The p-quantile by nearest rank, if at least ten samples lie beyond it; the median always.
inline std::optional<double> quantile_of(std::vector<double> samples, double p) {
    auto const n = static_cast<double>(samples.size());
    if (samples.empty() || (p > 0.5 && n * (1 - p) < 10)) return {};
    std::sort(samples.begin(), samples.end());
    return samples[std::min(samples.size() - 1, static_cast<std::size_t>(std::ceil(n * p)) - 1)];
}

/// A figure with the percentile bootstrap's interval of 4,000 resamplings; nothing where there are fewer than five
/// samples or nothing to divide by.
inline std::optional<estimate> bootstrap(std::vector<double> const& a,
                                         std::vector<double> const* b = nullptr) {
    if (a.size() < 5 || (b != nullptr && (b->size() < 5 || median_of(*b) <= 0))) return {};
    std::mt19937_64 random(1);
    auto const again = [&](std::vector<double> const& samples) {
        std::uniform_int_distribution<std::size_t> pick(0, samples.size() - 1);
        std::vector<double> drawn(samples.size());
        for (auto& one : drawn) one = samples[pick(random)];
        return median_of(std::move(drawn));
    };
    std::vector<double> all(4000);
    for (auto& one : all) {
        one = again(a);
        if (b == nullptr) continue;
        auto const divisor = again(*b);
        if (divisor <= 0) return {};
        one /= divisor;
    }
    std::sort(all.begin(), all.end());
    return estimate{median_of(a) / (b != nullptr ? median_of(*b) : 1), all[all.size() / 40],
                    all[all.size() - 1 - all.size() / 40]};
}

/// Throughput before the kills, after them, and, in turn with that, on a structure without kills; and the ratios of the
/// medians.
struct comparison {
    comparison(kill_report const& r, double kill_slice::*which)
        : before_slices(samples(r.before, which)),
          after_slices(samples(r.after, which)),
          fresh_slices(samples(r.fresh, which)),
          before(bootstrap(before_slices)),
          after(bootstrap(after_slices)),
          fresh(bootstrap(fresh_slices)),
          to_before(bootstrap(after_slices, &before_slices)),
          to_fresh(bootstrap(after_slices, &fresh_slices)) {}

    std::vector<double> before_slices;
    std::vector<double> after_slices;
    std::vector<double> fresh_slices;
    std::optional<estimate> before;
    std::optional<estimate> after;
    std::optional<estimate> fresh;
    std::optional<estimate> to_before;  ///< of `after`
    std::optional<estimate> to_fresh;   ///< of `after`

private:
    static std::vector<double> samples(std::vector<kill_slice> const& slices, double kill_slice::*which) {
        std::vector<double> all;
        for (auto const& one : slices) all.push_back(one.*which);
        return all;
    }
};

class kill_figures {
public:
    kill_figures(kill_report const& report, kill_plan const& plan)
        : r_(report),
          plan_(plan),
          wall_(report, &kill_slice::per_second),
          cpu_(report, &kill_slice::per_cpu_second) {}

    [[nodiscard]] std::string text(std::string const& name, bool kill_safe) const {
        auto out = name + (kill_safe ? "" : "  (does not claim kill safety)") + "\n";
        out += "  " + number(r_.kills) + " kills: " + number(r_.inside) + " in an operation (" +
               share(r_.inside) + "), " + number(r_.opening) + " while opening (" + share(r_.opening) + ")\n";
        if (!r_.wedge)
            out += "  " + number(r_.sum.missing) + " items missing (" +
                   (r_.allowed == 0 ? "none may be" : number(r_.allowed) + " kills may have cost one") +
                   "), " + number(r_.sum.doubled) + " doubled, " + number(r_.sum.disorder) +
                   " out of order, " + number(r_.sum.nonsense) + " nonsense; " + number(r_.sum.parked) +
                   " slots parked; full capacity " + (r_.sum.full_capacity ? "back" : "NOT back") + "\n";
        if (wall_.before && wall_.after)
            out +=
                "  survivors, a second: " + text(wall_) + "\n  survivors, a CPU second: " + text(cpu_) + "\n";
        if (!r_.open_ns.empty())
            out += "  a newcomer's opening, with recovery: " + times(r_.open_ns) +
                   "; without: " + times(r_.plain_open_ns) + "\n";
        for (auto const& one : r_.faults) out += "  FAULT: " + one + "\n";
        return out;
    }

    [[nodiscard]] nlohmann::ordered_json json(std::string const& name, bool kill_safe) const {
        return {{"name", name},
                {"claims_kill_safety", kill_safe},
                {"kills", r_.kills},
                {"kills_in_operation", r_.inside},
                {"kills_while_opening", r_.opening},
                {"missing_allowed", r_.allowed},
                {"missing", r_.sum.missing},
                {"doubled", r_.sum.doubled},
                {"out_of_order", r_.sum.disorder},
                {"nonsense", r_.sum.nonsense},
                {"slots_parked", r_.sum.parked},
                {"full_capacity_back", r_.sum.full_capacity},
                {"survivors_operations", r_.operations},
                {"slice_ms", plan_.slice.count()},
                {"survivors_ops_per_s", json_of(wall_)},
                {"survivors_ops_per_cpu_s", json_of(cpu_)},
                {"open_with_recovery_ns", json_of(r_.open_ns)},
                {"open_without_recovery_ns", json_of(r_.plain_open_ns)},
                {"wedged", r_.wedge ? nlohmann::ordered_json(*r_.wedge) : nullptr},
                {"faults", r_.faults},
                {"interrupted", r_.interrupted}};
    }

private:
    template <class V>
    static std::string format(char const* how, V value) {
        std::array<char, 64> text{};
        std::snprintf(text.data(), text.size(), how, value);
        return text.data();
    }
    static std::string number(std::uint64_t n) { return std::to_string(n); }
    std::string share(std::uint64_t of) const {
        return format("%.0f %%",
                      r_.kills == 0 ? 0.0 : 100.0 * static_cast<double>(of) / static_cast<double>(r_.kills));
    }
    static std::string text(comparison const& c) {
        return rate(c.before) + " before, " + rate(c.after) + " after (ratio " + ratio(c.to_before) +
               "), in turn with " + rate(c.fresh) + " used without kills (ratio " + ratio(c.to_fresh) + ")";
    }
    static std::string ratio(std::optional<estimate> const& e) {
        if (!e) return "unknown: too many slices without an operation";
        return format("%.3f", e->value) + " [" + format("%.3f", e->low) + ", " + format("%.3f", e->high) +
               "]";
    }
    static std::string rate(std::optional<estimate> const& e) {
        if (!e) return "unknown";
        return format("%.2f", e->value / 1e6) + " Mop/s [" + format("%.2f", e->low / 1e6) + ", " +
               format("%.2f", e->high / 1e6) + "]";
    }
    static std::string us(std::optional<double> ns) { return ns ? format("%.1f us", *ns / 1000) : "-"; }
    static double most(std::vector<double> const& ns) { return *std::max_element(ns.begin(), ns.end()); }
    static std::string times(std::vector<double> const& ns) {
        if (ns.empty()) return "not taken";
        return "median " + us(median_of(ns)) + ", p90 " + us(quantile_of(ns, 0.9)) + ", p99 " +
               us(quantile_of(ns, 0.99)) + ", max " + us(most(ns)) + " (" + number(ns.size()) + ")";
    }
    static nlohmann::ordered_json json_of(std::optional<estimate> const& e) {
        if (!e) return nullptr;
        return {{"median", e->value}, {"low", e->low}, {"high", e->high}};
    }
    static nlohmann::ordered_json json_of(comparison const& c) {
        return {{"before", json_of(c.before)},
                {"after", json_of(c.after)},
                {"fresh", json_of(c.fresh)},
                {"after_to_before", json_of(c.to_before)},
                {"after_to_fresh", json_of(c.to_fresh)},
                {"before_slices", c.before_slices},
                {"after_slices", c.after_slices},
                {"fresh_slices", c.fresh_slices}};
    }
    static nlohmann::ordered_json json_of(std::vector<double> const& ns) {
        if (ns.empty()) return nullptr;
        auto const maybe = [](std::optional<double> value) {
            return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
        };
        return {{"n", ns.size()},
                {"median", median_of(ns)},
                {"p90", maybe(quantile_of(ns, 0.9))},
                {"p99", maybe(quantile_of(ns, 0.99))},
                {"max", most(ns)}};
    }

    kill_report const& r_;
    kill_plan const& plan_;
    comparison wall_;
    comparison cpu_;
};

}  // namespace zeroipc::testing
