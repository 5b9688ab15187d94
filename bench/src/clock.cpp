#include "zeroipc/bench/clock.hpp"

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace zeroipc::bench {

namespace {

ClockInfo::Source best_source() {
#if defined(__x86_64__)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    // Leaf 0x80000007, EDX bit 8: the counter runs at a constant rate and never stops.
    if (__get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0) return ClockInfo::Source::tsc;
    return ClockInfo::Source::clock_gettime;
#elif defined(__aarch64__)
    return ClockInfo::Source::cntvct;  // architecturally constant
#else
    return ClockInfo::Source::clock_gettime;
#endif
}

/// A pair of stamps taken as close together as 16 tries allow: a try that was interrupted is wide.
struct Pair {
    std::uint64_t ticks = 0;
    std::uint64_t ns = 0;
};

Pair closest_pair(Clock const& clock) {
    Pair best;
    std::uint64_t width = ~std::uint64_t{0};
    for (int i = 0; i < 16; ++i) {
        auto const before = clock.ticks();
        auto const ns = monotonic_ns();
        auto const after = clock.ticks();
        if (after - before < width) {
            width = after - before;
            best = {before + (after - before) / 2, ns};
        }
    }
    return best;
}

}  // namespace

ClockInfo ClockInfo::calibrate() {
    ClockInfo info;
    info.source = best_source();
    Clock const clock(info);
    if (info.source != Source::clock_gettime) {
        auto const begin = closest_pair(clock);
        std::timespec const nap{0, 20'000'000};
        ::nanosleep(&nap, nullptr);
        auto const end = closest_pair(clock);
        info.ticks_per_ns =
            static_cast<double>(end.ticks - begin.ticks) / static_cast<double>(end.ns - begin.ns);
    }
    std::array<std::uint64_t, 1001> costs{};
    for (auto& cost : costs) {
        auto const before = clock.ordered_ticks();
        cost = clock.ordered_ticks() - before;
    }
    std::nth_element(costs.begin(), costs.begin() + costs.size() / 2, costs.end());
    info.floor_ns = info.to_ns(costs[costs.size() / 2]);
    return info;
}

char const* ClockInfo::name() const noexcept {
    switch (source) {
        case Source::tsc:
            return "tsc";
        case Source::cntvct:
            return "cntvct";
        case Source::clock_gettime:
            break;
    }
    return "clock_gettime";
}

}  // namespace zeroipc::bench
