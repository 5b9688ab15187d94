#pragma once
/// \file
/// For many queries at once: the smallest weight among the points that lie below in one coordinate and in a second.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zeroipc::bench::monitor {

inline constexpr std::uint32_t none = ~std::uint32_t{0};

struct Point {
    std::uint64_t p, q, weight;
    std::uint32_t name;
};

struct Query {
    std::uint64_t p, q;
    std::uint32_t name;
};

/// A prefix minimum that points are added to (a Fenwick tree).
class PrefixMinimum {
public:
    explicit PrefixMinimum(std::size_t n) : best_(n + 1, Entry{~std::uint64_t{0}, none}) {}

    void add(std::size_t at, std::uint64_t weight, std::uint32_t name) {
        for (auto i = at + 1; i < best_.size(); i += i & (~i + 1))
            if (best_[i].name == none || weight < best_[i].weight) best_[i] = {weight, name};
    }
    /// Name of the smallest at places below `end`; `none` if there is nothing.
    [[nodiscard]] std::uint32_t below(std::size_t end) const {
        Entry smallest{~std::uint64_t{0}, none};
        for (auto i = end; i > 0; i &= i - 1)
            if (best_[i].name != none && (smallest.name == none || best_[i].weight < smallest.weight))
                smallest = best_[i];
        return smallest.name;
    }

private:
    struct Entry {
        std::uint64_t weight;
        std::uint32_t name;
    };
    std::vector<Entry> best_;
};

/// Calls found(query's name, point's name) for each query that has points with smaller p and smaller q: with the one
/// of the smallest weight. O(n log n).
template <class Found>
void smallest_below(std::vector<Point> points, std::vector<Query> queries, Found&& found) {
    auto const by_p = [](auto const& a, auto const& b) { return a.p < b.p; };
    std::sort(points.begin(), points.end(), by_p);
    std::sort(queries.begin(), queries.end(), by_p);
    std::vector<std::uint64_t> places;
    places.reserve(points.size());
    for (auto const& point : points) places.push_back(point.q);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    auto const place = [&](std::uint64_t q) {
        return static_cast<std::size_t>(std::lower_bound(places.begin(), places.end(), q) - places.begin());
    };
    PrefixMinimum tree(places.size());
    std::size_t next = 0;
    for (auto const& query : queries) {
        for (; next < points.size() && points[next].p < query.p; ++next)
            tree.add(place(points[next].q), points[next].weight, points[next].name);
        auto const name = tree.below(place(query.q));
        if (name != none) found(query.name, name);
    }
}

}  // namespace zeroipc::bench::monitor
