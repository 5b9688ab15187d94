#pragma once
/// \file
/// Latencies counted in buckets whose width grows with the value, as in HdrHistogram (G. Tene, 2012).

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zeroipc::bench {

/// Counts values of 0 to 2^40 ticks with three significant digits: a bucket is at most 1/1024 of its values
/// wide, and values below 2048 stand alone. Larger values are counted in the last bucket and as saturated.
/// Fixed size (248 KiB), trivially copyable, and zero bytes are an empty histogram: it can lie in shared memory.
/// One writer; others read once it has finished.
class Histogram {
public:
    static constexpr unsigned digits = 10;  ///< bits behind the leading one that a bucket keeps
    static constexpr unsigned highest_bit = 40;
    static constexpr std::uint64_t highest = std::uint64_t{1} << highest_bit;
    static constexpr std::size_t a_doubling = std::size_t{1} << digits;  ///< buckets of each doubling
    static constexpr std::size_t buckets = (highest_bit - digits + 1) * a_doubling + 1;
    /// What must lie beyond a percentile for it to be reported.
    static constexpr std::uint64_t least_beyond = 10;

    void record(std::uint64_t ticks) noexcept {
        auto const value = std::min(ticks, highest);
        ++counts_[bucket_of(value)];
        ++count_;
        sum_ += value;
        saturated_ += ticks > highest ? 1U : 0U;
        inverse_min_ = std::max(inverse_min_, ~ticks);
        max_ = std::max(max_, ticks);
    }

    void merge(Histogram const& other) noexcept {
        for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
        count_ += other.count_;
        sum_ += other.sum_;
        saturated_ += other.saturated_;
        inverse_min_ = std::max(inverse_min_, other.inverse_min_);
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t saturated() const noexcept { return saturated_; }

    // Of an empty histogram everything below is 0.

    [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : ~inverse_min_; }  ///< exact
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }                             ///< exact
    /// Exact; saturated values count as 2^40.
    [[nodiscard]] double mean() const noexcept {
        return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }

    /// The least value of a bucket's upper end that at least a share q (0 to 1) of the samples does not exceed.
    [[nodiscard]] std::uint64_t percentile(double q) const noexcept {
        auto const wanted = rank(q);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets; ++i) {
            seen += counts_[i];
            if (seen >= wanted && seen > 0) return std::min(upper_end(i), max_);
        }
        return 0;
    }
    /// Enough samples lie beyond percentile(q) for it to be reported.
    [[nodiscard]] bool supported(double q) const noexcept { return count_ >= rank(q) + least_beyond; }

    /// Calls visit(lowest, highest value of the bucket, count) for each bucket that is not empty, upwards.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (std::size_t i = 0; i < buckets; ++i)
            if (counts_[i] != 0) visit(lower_end(i), upper_end(i), counts_[i]);
    }

    /// Where a value of up to 2^40 is counted. The lowest 2^(digits + 1) values have a bucket each; above, each
    /// doubling has 2^digits.
    static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
        auto const shift = static_cast<unsigned>(std::bit_width(value | (2 * a_doubling - 1))) - digits - 1;
        return shift * a_doubling + (value >> shift);
    }

private:
    static constexpr std::uint64_t lower_end(std::size_t bucket) noexcept {
        if (bucket < 2 * a_doubling) return bucket;
        auto const shift = bucket / a_doubling - 1;
        return (bucket - shift * a_doubling) << shift;
    }
    static constexpr std::uint64_t upper_end(std::size_t bucket) noexcept {
        return bucket + 1 == buckets ? ~std::uint64_t{0} : lower_end(bucket + 1) - 1;
    }

    /// How many samples are a share q of all. A product that exceeds a whole number by rounding only is that
    /// number.
    [[nodiscard]] std::uint64_t rank(double q) const noexcept {
        auto const exact = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
        return static_cast<std::uint64_t>(std::ceil(exact * (1.0 - 1e-14)));
    }

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t saturated_ = 0;
    std::uint64_t inverse_min_ = 0;  ///< ~min, so that zero bytes say that there is none
    std::uint64_t max_ = 0;
};

static_assert(std::is_trivially_copyable_v<Histogram> && std::is_standard_layout_v<Histogram>);
static_assert(Histogram::bucket_of(Histogram::highest) + 1 == Histogram::buckets);
static_assert(sizeof(Histogram) <= std::size_t{250} * 1024,
              "a worker's histogram fits a second-level cache of 256 KiB");

}  // namespace zeroipc::bench
