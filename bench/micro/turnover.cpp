/// \file
/// Whether a map wears out: filled to 90% of its capacity, then turned over a hundred times, the oldest key going and
/// a new one coming. No insert may be refused, and finding must not get slower than in a fresh map of the same keys.

#include <memory>

#include "map_peers.hpp"

namespace zeroipc::micro {

#if defined(ZEROIPC_MICRO_MAP)
namespace {

constexpr std::uint64_t turnovers = 100;

std::uint64_t fill_count() { return chosen().turnover_capacity * 9 / 10; }
std::uint64_t first_left() { return turnovers * fill_count(); }

void insert_new(our_map& map, std::uint64_t i) {
    auto const key = scattered(i);
    if (!map.insert(key, value_of(key)))
        throw std::runtime_error("insert " + std::to_string(i) + " was refused, with " +
                                 std::to_string(fill_count()) + " keys at most for a capacity of " +
                                 std::to_string(chosen().turnover_capacity));
}

/// Made once each: all repetitions search the same ones.
our_map& fresh() {
    static auto* const map = [] {
        auto made = std::make_unique<our_map>(chosen().turnover_capacity);
        for (auto i = first_left(); i < first_left() + fill_count(); ++i) insert_new(*made, i);
        return made.release();
    }();
    return *map;
}

our_map& churned() {
    static auto* const map = [] {
        auto made = std::make_unique<our_map>(chosen().turnover_capacity);
        for (std::uint64_t i = 0; i < first_left() + fill_count(); ++i) {
            if (i >= fill_count() && !made->erase(scattered(i - fill_count())))
                throw std::runtime_error("the oldest key was not there to be erased, before insert " +
                                         std::to_string(i));
            insert_new(*made, i);
        }
        return made.release();
    }();
    return *map;
}

/// Searches for each key of the list in turn, all of which are there, or none.
void search(benchmark::State& state, our_map& map, std::vector<map_key> const& wanted, bool there) {
    std::size_t at = 0;
    for (auto _ : state) {
        auto const key = wanted[at];
        if (++at == wanted.size()) at = 0;
        map_value found = 0;
        if (map.find(key, found) != there || (there && found != value_of(key))) [[unlikely]] {
            fail(state, "a map does not hold what was inserted, or holds what was erased");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

std::vector<map_key> const& left() {
    static auto const keys = shuffled_keys(first_left(), fill_count());
    return keys;
}

/// Those that went last: what an erased key leaves behind would be in their places.
std::vector<map_key> const& gone() {
    static auto const keys = shuffled_keys(first_left() - fill_count(), fill_count());
    return keys;
}

}  // namespace

void register_turnover() {
    add("turnover_find_hit/fresh", [](auto& state) { search(state, fresh(), left(), true); });
    add("turnover_find_hit/churned", [](auto& state) { search(state, churned(), left(), true); });
    add("turnover_find_miss/fresh", [](auto& state) { search(state, fresh(), gone(), false); });
    add("turnover_find_miss/churned", [](auto& state) { search(state, churned(), gone(), false); });
}

#else

void register_turnover() {}

#endif

}  // namespace zeroipc::micro
