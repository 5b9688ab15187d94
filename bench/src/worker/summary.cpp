#include "summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace zeroipc::bench {

void summarise(std::vector<std::uint32_t>& samples, WorkerReport& report) {
    auto& latency = report.latency;
    std::sort(samples.begin(), samples.end());
    auto const n = samples.size();
    latency.samples = n;
    latency.dropped = report.successes - n;
    latency.min = samples.front();
    latency.max = samples.back();
    double sum = 0;
    for (auto const s : samples) sum += s;
    latency.mean = sum / static_cast<double>(n);
    auto const at = [&](double fraction) -> std::uint64_t {
        // Only what at least 10 samples lie beyond.
        if (static_cast<double>(n) * (1.0 - fraction) < 10.0) return 0;
        return samples[std::min(n - 1, static_cast<std::size_t>(fraction * static_cast<double>(n)))];
    };
    latency.p50 = at(0.5);
    latency.p90 = at(0.9);
    latency.p99 = at(0.99);
    latency.p99_9 = at(0.999);
    latency.p99_99 = at(0.9999);
    // The curve: ten points a decade of 1 / (1 - fraction).
    latency.points = 0;
    for (std::size_t i = 0; i < curve_points; ++i) {
        double const fraction = 1.0 - std::pow(10.0, -static_cast<double>(i) / 10.0);
        auto const value = at(fraction);
        if (value == 0) break;
        latency.fraction[latency.points] = fraction;
        latency.value[latency.points] = value;
        ++latency.points;
    }
}

}  // namespace zeroipc::bench
