#pragma once
/// \file
/// Time stamps that are cheap enough for single operations: the processor's own counter where it runs at a
/// constant rate and is the same on every CPU, else clock_gettime.

#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace zeroipc::bench {

inline std::uint64_t monotonic_ns() noexcept {
    std::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Which counter ticks() reads, and its rate. The coordinator finds it once and hands it to the workers.
struct ClockInfo {
    enum class Source : std::uint32_t { clock_gettime = 0, tsc = 1, cntvct = 2 };
    Source source = Source::clock_gettime;
    double ticks_per_ns = 1.0;
    double floor_ns = 0.0;  ///< median cost of one stamp

    /// Chooses the source and calibrates it: takes about 20 ms.
    static ClockInfo calibrate();

    [[nodiscard]] double to_ns(std::uint64_t ticks) const noexcept {
        return static_cast<double>(ticks) / ticks_per_ns;
    }
    [[nodiscard]] std::uint64_t to_ticks(double ns) const noexcept {
        return static_cast<std::uint64_t>(ns * ticks_per_ns);
    }
    [[nodiscard]] char const* name() const noexcept;
};

/// Reads a clock. Copied into each loop, so that the source is a predictable branch on a register.
class Clock {
public:
    explicit Clock(ClockInfo const& info) noexcept : source_(info.source) {}

    [[nodiscard]] std::uint64_t ticks() const noexcept {
#if defined(__x86_64__)
        if (source_ == ClockInfo::Source::tsc) [[likely]]
            return __rdtsc();
#elif defined(__aarch64__)
        if (source_ == ClockInfo::Source::cntvct) [[likely]] {
            std::uint64_t value;
            asm volatile("isb; mrs %0, cntvct_el0" : "=r"(value)::"memory");
            return value;
        }
#endif
        return monotonic_ns();
    }

    /// A stamp that no later or earlier instruction crosses: for latencies.
    [[nodiscard]] std::uint64_t ordered_ticks() const noexcept {
#if defined(__x86_64__)
        if (source_ == ClockInfo::Source::tsc) [[likely]] {
            unsigned processor = 0;
            auto const value = __rdtscp(&processor);
            _mm_lfence();
            return value;
        }
#endif
        return ticks();
    }

private:
    ClockInfo::Source source_;
};

}  // namespace zeroipc::bench
