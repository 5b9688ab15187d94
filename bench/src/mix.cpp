#include "zeroipc/bench/mix.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace zeroipc::bench {

namespace {

/// Takes a number from the front of a text.
template <class T>
std::optional<T> take_number(std::string_view& text) {
    T value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

}  // namespace

std::optional<Mix> parse_mix(std::string_view name) {
    if (name == "ycsb-a") return Mix{.read = 50, .update = 50};
    if (name == "ycsb-b") return Mix{.read = 95, .update = 5};
    if (name == "ycsb-c") return Mix{.read = 100};
    if (name == "ycsb-d") return Mix{.read = 95, .refresh = 5, .latest = true};
    if (name == "ycsb-e") return Mix{.scan = 95, .refresh = 5};
    if (name == "ycsb-f") return Mix{.read = 50, .modify = 50};
    Mix mix;
    std::uint32_t sum = 0;
    while (!name.empty()) {
        std::uint32_t* share = nullptr;
        switch (name.front()) {
            case 'r':
                share = &mix.read;
                break;
            case 'i':
                share = &mix.insert;
                break;
            case 'u':
                share = &mix.update;
                break;
            case 'e':
                share = &mix.erase;
                break;
            case 'm':
                share = &mix.modify;
                break;
            case 's':
                share = &mix.scan;
                break;
            default:
                return std::nullopt;
        }
        name.remove_prefix(1);
        auto const percent = take_number<std::uint32_t>(name);
        if (!percent || *percent > 100 || *share != 0) return std::nullopt;
        *share = *percent;
        sum += *percent;
    }
    if (sum != 100) return std::nullopt;
    return mix;
}

std::optional<Keys> parse_keys(std::string_view name) {
    Keys keys;
    if (name == "uniform") return keys;
    if (name.starts_with("zipf")) {
        name.remove_prefix(4);
        auto const skew = take_number<double>(name);
        if (!skew || !name.empty() || !(*skew > 0 && *skew <= 5)) return std::nullopt;
        keys.kind = Keys::Kind::zipf;
        keys.skew = *skew;
        return keys;
    }
    if (!name.starts_with("hot")) return std::nullopt;
    name.remove_prefix(3);
    auto const hot = take_number<std::uint32_t>(name);
    if (!hot || *hot < 1 || *hot > 99 || !name.starts_with("-")) return std::nullopt;
    name.remove_prefix(1);
    auto const draws = take_number<std::uint32_t>(name);
    if (!draws || *draws < 1 || *draws > 100 || !name.empty()) return std::nullopt;
    keys.kind = Keys::Kind::hot;
    keys.hot_keys = *hot;
    keys.hot_draws = *draws;
    return keys;
}

// The histogram of k^-skew lies under the curve x^-skew moved by a half; its area can be inverted, and few points between
// curve and histogram are drawn again. With t = (1 - skew) log x the area is log(x) (exp(t) - 1) / t, without a gap at skew 1.
Zipf::Zipf(std::uint64_t n, double skew) : n_(static_cast<double>(n)), skew_(skew) {
    least_ = area(1.5) - 1;
    most_ = area(n_ + 0.5);
    sure_ = 2 - inverse_area(area(2.5) - height(2));
}

double Zipf::height(double x) const { return std::pow(x, -skew_); }

double Zipf::area(double x) const {
    auto const log = std::log(x);
    auto const t = (1 - skew_) * log;
    return log * (std::abs(t) > 1e-8 ? std::expm1(t) / t : 1 + t / 2);
}

double Zipf::inverse_area(double y) const {
    auto const t = std::max(-1.0, y * (1 - skew_));
    return std::exp(y * (std::abs(t) > 1e-8 ? std::log1p(t) / t : 1 - t / 2));
}

std::uint64_t Zipf::operator()(std::mt19937_64& random) {
    for (;;) {
        auto const u = static_cast<double>(random() >> 11) * 0x1p-53;
        auto const y = most_ + u * (least_ - most_);
        auto const x = inverse_area(y);
        auto const k = std::clamp(std::floor(x + 0.5), 1.0, n_);
        if (k - x <= sure_ || y >= area(k + 0.5) - height(k)) return static_cast<std::uint64_t>(k);
    }
}

KeyChooser::KeyChooser(Keys const& keys, std::uint64_t range, std::uint64_t seed)
    : range_(static_cast<std::uint32_t>(range)), random_(seed) {
    if (keys.kind == Keys::Kind::uniform) return;
    drawn_.resize(drawn_before);
    if (keys.kind == Keys::Kind::zipf) {
        std::mt19937_64 random(seed);
        Zipf zipf(range, keys.skew);
        for (auto& key : drawn_) key = static_cast<std::uint32_t>(zipf(random) - 1);
        return;
    }
    auto const hot = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(range * keys.hot_keys / 100));
    for (auto& key : drawn_)
        key = random_.below(100) < keys.hot_draws || hot == range_ ? random_.below(hot)
                                                                   : hot + random_.below(range_ - hot);
}

}  // namespace zeroipc::bench
