#pragma once
/// \file
/// Operations done in each interval of a window: the series that shows warm-up and stalls.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace zeroipc::bench {

/// A window in whole intervals; a rest shorter than an interval belongs to none. May lie in shared memory.
struct Intervals {
    static constexpr std::size_t most = 1024;
    static constexpr double usual_ns = 10e6;

    std::uint64_t ticks = 0;  ///< length of one
    std::uint64_t used = 0;   ///< how many the window has
    std::array<std::uint64_t, most> operations{};

    /// Intervals of 10 ms, or longer ones where a window has more than `most` of them.
    static Intervals of_window(std::uint64_t window_ticks, double ticks_per_ns) noexcept {
        Intervals result;
        auto const usual = static_cast<std::uint64_t>(usual_ns * ticks_per_ns);
        result.ticks = std::max({std::uint64_t{1}, usual, (window_ticks + most - 1) / most});
        result.used = window_ticks / result.ticks;
        return result;
    }

    [[nodiscard]] std::span<std::uint64_t const> series() const noexcept { return {operations.data(), used}; }

    /// Adds another worker's. Both count from the same start.
    /// \throws std::invalid_argument if the intervals are not the same.
    void merge(Intervals const& other) {
        if (ticks != other.ticks || used != other.used)
            throw std::invalid_argument("cannot add " + std::to_string(other.used) + " intervals of " +
                                        std::to_string(other.ticks) + " ticks to " + std::to_string(used) +
                                        " of " + std::to_string(ticks));
        for (std::size_t i = 0; i < used; ++i) operations[i] += other.operations[i];
    }
};

static_assert(std::is_trivially_copyable_v<Intervals> && sizeof(Intervals) <= std::size_t{8} * 1024 + 16);

/// Fills a worker's Intervals at its looks at the clock: one predictable branch a look. What was done between two
/// looks counts for the interval of the first; intervals that pass without a look stay 0.
class IntervalMeter {
public:
    /// \param start ticks, the intended start of the window, the same for all workers.
    IntervalMeter(Intervals& intervals, std::uint64_t start) noexcept
        : intervals_(intervals), start_(start), boundary_(start + intervals.ticks) {}

    /// \param done operations of this worker since the start.
    void note(std::uint64_t now, std::uint64_t done) noexcept {
        if (now >= boundary_) [[unlikely]]
            cross(now, done);
    }

    /// The last look.
    void finish(std::uint64_t now, std::uint64_t done) noexcept {
        note(now, done);
        credit(done);
    }

private:
    void cross(std::uint64_t now, std::uint64_t done) noexcept {
        credit(done);
        current_ = (now - start_) / intervals_.ticks;
        boundary_ = start_ + (current_ + 1) * intervals_.ticks;
    }
    void credit(std::uint64_t done) noexcept {
        if (current_ < intervals_.used) intervals_.operations[current_] += done - credited_;
        credited_ = done;
    }

    Intervals& intervals_;
    std::uint64_t start_;
    std::uint64_t boundary_;
    std::uint64_t current_ = 0;
    std::uint64_t credited_ = 0;
};

}  // namespace zeroipc::bench
