#pragma once
/// \file
/// A planted handicap: a worker made slower by a known amount, to learn what the harness can find.

#include <cstdint>

namespace zeroipc::bench {

/// Spins so long after each look at the clock that its mean is what was asked for. One spin cannot be shorter than
/// a stamp takes; what it took too long is taken off the next ones.
class Handicap {
public:
    Handicap() = default;
    /// \param ticks_a_look of the clock that the loop reads; 0: none.
    explicit Handicap(double ticks_a_look) noexcept : ticks_a_look_(ticks_a_look) {}

    /// \param now the look just taken.
    /// \param stamp reads the same clock.
    /// \return the last stamp: `now` where nothing was due.
    template <class Stamp>
    std::uint64_t after_look(std::uint64_t now, Stamp&& stamp) noexcept {
        if (ticks_a_look_ <= 0) return now;
        due_ += ticks_a_look_;
        auto const begin = now;
        double spun = 0;
        while (spun < due_) {
            now = stamp();
            spun = static_cast<double>(now - begin);
        }
        due_ -= spun;
        return now;
    }

private:
    double ticks_a_look_ = 0;
    double due_ = 0;
};

}  // namespace zeroipc::bench
