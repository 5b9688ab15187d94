#pragma once
/// \file
/// Gaps between two looks at the clock of a worker that never waits: what the machine took away from it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace zeroipc::bench {

/// Gaps above a threshold, in ticks. May lie in shared memory.
struct Hiccups {
    std::uint64_t count = 0;
    std::uint64_t longest = 0;    ///< of those counted
    std::uint64_t total = 0;      ///< their sum
    std::uint64_t threshold = 0;  ///< 0: fewer than two looks, nothing is known
};

/// Counts gaps that exceed both ten times the median look and a floor. The median is that of the first gaps,
/// which are judged once it is known. One predictable branch a look.
class HiccupMeter {
public:
    static constexpr std::size_t learned_from = 63;
    static constexpr std::uint64_t medians = 10;

    /// \param start ticks, the beginning of the first gap. \param floor ticks; 20 microseconds is usual.
    HiccupMeter(std::uint64_t start, std::uint64_t floor) noexcept : last_(start), floor_(floor) {}

    /// \param now ticks, not before the last look.
    void look(std::uint64_t now) noexcept {
        auto const gap = now - last_;
        last_ = now;
        if (gap >= wake_) [[unlikely]]
            notice(gap);
    }

    /// The result so far; after it the threshold stays as it is.
    [[nodiscard]] Hiccups const& finish() noexcept {
        if (wake_ == 0) learn();
        return result_;
    }

private:
    void notice(std::uint64_t gap) noexcept {
        if (wake_ != 0) {
            count(gap);
            return;
        }
        first_[seen_++] = gap;
        if (seen_ == learned_from) learn();
    }

    void learn() noexcept {
        if (seen_ == 0) return;
        auto const begin = first_.begin();
        auto const end = begin + static_cast<std::ptrdiff_t>(seen_);
        auto const middle = begin + static_cast<std::ptrdiff_t>(seen_ / 2);
        std::nth_element(begin, middle, end);
        result_.threshold = std::max(medians * *middle, floor_);
        wake_ = result_.threshold + 1;
        for (auto gap = begin; gap != end; ++gap)
            if (*gap >= wake_) count(*gap);
    }

    void count(std::uint64_t gap) noexcept {
        ++result_.count;
        result_.total += gap;
        result_.longest = std::max(result_.longest, gap);
    }

    std::uint64_t last_;
    std::uint64_t wake_ =
        0;  ///< the least gap that look() does something about; 0: the median is being learned
    std::uint64_t floor_;
    std::size_t seen_ = 0;
    Hiccups result_;
    std::array<std::uint64_t, learned_from> first_{};
};

}  // namespace zeroipc::bench
