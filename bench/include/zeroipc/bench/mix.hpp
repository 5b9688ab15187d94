#pragma once
/// \file
/// What the workers of a map's cell do, and to which keys.

#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

/// Shares of a map's operations in percent; they sum up to 100.
struct Mix {
    std::uint32_t read = 0;
    std::uint32_t insert = 0;  ///< keys that may be there already
    std::uint32_t update = 0;  ///< a new value for a key, there or not
    std::uint32_t erase = 0;
    std::uint32_t modify = 0;   ///< read, change and write back, as one step
    std::uint32_t scan = 0;     ///< 1 to 100 reads of keys in a row: a hash map has no order of its own
    std::uint32_t refresh = 0;  ///< inserts the key behind the newest one, erases the oldest
    bool latest = false;        ///< keys are counted back from the newest one

    /// Whether keys come and go: then as many keys again as are there have a turn.
    [[nodiscard]] bool changes_keys() const { return insert + erase != 0; }

    bool operator==(Mix const&) const = default;
};

/// A mix from its name. ycsb-a to ycsb-f (Cooper et al. 2010): a is r50u50, b is r95u5, c is r100, f is r50m50; d reads
/// what is newest while keys are refreshed, e scans. Or letters with percentages that sum up to 100: r read, i insert,
/// u update, e erase, m modify, s scan, such as r90i5e5. \return nothing if it is neither.
std::optional<Mix> parse_mix(std::string_view name);

/// How keys are drawn.
struct Keys {
    enum class Kind { uniform, zipf, hot };
    Kind kind = Kind::uniform;
    double skew = 0;              ///< zipf: the exponent
    std::uint32_t hot_keys = 0;   ///< hot: percent of the keys ...
    std::uint32_t hot_draws = 0;  ///< ... that so many percent of the draws go to

    bool operator==(Keys const&) const = default;
};

/// `uniform`; `zipf0.99`, an exponent above 0 and up to 5; `hot10-90`: 90% of the draws go to 10% of the keys.
std::optional<Keys> parse_keys(std::string_view name);

/// Numbers 1 to n, k with a probability that falls as k^-skew. By rejection-inversion (Hoermann and Derflinger 1996): exact,
/// without a table.
class Zipf {
public:
    Zipf(std::uint64_t n, double skew);
    std::uint64_t operator()(std::mt19937_64& random);

private:
    [[nodiscard]] double area(double x) const;
    [[nodiscard]] double inverse_area(double y) const;
    [[nodiscard]] double height(double x) const;

    double n_;
    double skew_;
    double least_;
    double most_;
    double sure_;
};

/// SplitMix64 (Steele, Lea, Flood 2014): a nanosecond a number.
class QuickRandom {
public:
    explicit QuickRandom(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t operator()() noexcept {
        auto z = state_ += 0x9e3779b97f4a7c15U;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
        z = (z ^ z >> 27) * 0x94d049bb133111ebU;
        return z ^ z >> 31;
    }
    /// Evenly from 0 to bound - 1; bound below 2^32.
    std::uint32_t below(std::uint32_t bound) noexcept {
        return static_cast<std::uint32_t>(((*this)() >> 32) * bound >> 32);
    }

private:
    std::uint64_t state_;
};

/// Draws keys 0 to range - 1 in a few ns. What takes longer to draw is drawn before the window: 2^20 numbers, which
/// then come round.
class KeyChooser {
public:
    static constexpr std::size_t drawn_before = std::size_t{1} << 20;

    /// \param range 1 to 2^32 - 1
    KeyChooser(Keys const& keys, std::uint64_t range, std::uint64_t seed);
    std::uint32_t operator()() noexcept {
        if (drawn_.empty()) return random_.below(range_);
        return drawn_[next_++ % drawn_before];
    }
    /// For other dice than keys.
    QuickRandom& random() noexcept { return random_; }

private:
    std::uint32_t range_;
    QuickRandom random_;
    std::vector<std::uint32_t> drawn_;
    std::size_t next_ = 0;
};

}  // namespace zeroipc::bench
