/// \file
/// Maps of a million 8-byte keys and values, by one thread: finding what is there and what is not, filling a fresh
/// map, emptying it.

#include <memory>

#include "map_peers.hpp"

namespace zeroipc::micro {
namespace {

/// The keys in the map, and as many that are not, each in a fixed random order.
struct key_lists {
    std::vector<map_key> present = shuffled_keys(0, chosen().keys);
    std::vector<map_key> absent = shuffled_keys(chosen().keys, chosen().keys);
};
key_lists const& keys() {
    static key_lists const all;
    return all;
}

template <class Peer>
void fill(Peer& map) {
    for (std::uint64_t i = 0; i < chosen().keys; ++i) {
        auto const key = scattered(i);
        if (!map.insert(key, value_of(key)))
            throw std::runtime_error("an insert of a new key was refused at " + std::to_string(i) +
                                     " keys of " + std::to_string(chosen().keys));
    }
}

/// A full map, made once: all repetitions search the same one. Never destroyed, for that takes seconds.
template <class Peer>
Peer& filled() {
    static auto* const map = [] {
        auto made = std::make_unique<Peer>(chosen().keys);
        fill(*made);
        return made.release();
    }();
    return *map;
}

template <class Peer>
void find_hit(benchmark::State& state) {
    auto& map = filled<Peer>();
    auto const& wanted = keys().present;
    std::size_t at = 0;
    for (auto _ : state) {
        auto const key = wanted[at];
        if (++at == wanted.size()) at = 0;
        map_value found = 0;
        if (!map.find(key, found) || found != value_of(key)) [[unlikely]] {
            fail(state, "a key was not found, or with another value");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

template <class Peer>
void find_miss(benchmark::State& state) {
    auto& map = filled<Peer>();
    auto const& wanted = keys().absent;
    std::size_t at = 0;
    for (auto _ : state) {
        auto const key = wanted[at];
        if (++at == wanted.size()) at = 0;
        map_value found = 0;
        if (map.find(key, found)) [[unlikely]] {
            fail(state, "a key was found that was never inserted");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

/// The time of one operation, measured over all keys. With a single iteration that is the benchmark's time.
void set_time(benchmark::State& state, std::uint64_t spent_ns) {
    state.SetIterationTime(static_cast<double>(spent_ns) * 1e-9 / static_cast<double>(chosen().keys));
}

template <class Peer>
void insert(benchmark::State& state) {
    for (auto _ : state) {
        Peer map(chosen().keys);
        auto const begin = cpu_ns();
        fill(map);
        set_time(state, cpu_ns() - begin);
        auto const last = scattered(chosen().keys - 1);
        map_value found = 0;
        if (!map.find(last, found) || found != value_of(last)) fail(state, "the last key is not there");
    }
}

template <class Peer>
void erase(benchmark::State& state) {
    auto const& unwanted = keys().present;
    for (auto _ : state) {
        Peer map(chosen().keys);
        fill(map);
        std::uint64_t erased = 0;
        auto const begin = cpu_ns();
        for (auto const key : unwanted) erased += map.erase(key) ? 1U : 0U;
        set_time(state, cpu_ns() - begin);
        map_value found = 0;
        if (erased != unwanted.size() || map.find(unwanted.front(), found))
            fail(state, "a key could not be erased, or is there yet");
    }
}

template <class Peer>
void register_peer(std::string const& who) {
    add("map_find_hit/" + who, find_hit<Peer>);
    add("map_find_miss/" + who, find_miss<Peer>);
    add("map_insert/" + who, insert<Peer>)->Iterations(1)->UseManualTime();
    if constexpr (requires(Peer & map) { map.erase(map_key{}); })
        add("map_erase/" + who, erase<Peer>)->Iterations(1)->UseManualTime();
}

}  // namespace

void register_map() {
#if defined(ZEROIPC_MICRO_MAP)
    register_peer<our_map>("zeroipc");
#endif
    register_peer<std_shared_mutex_map>("std_shared_mutex");
#if defined(ZEROIPC_PEER_CDS)
    register_peer<cds_michael_map>("cds_michael");
#endif
#if defined(ZEROIPC_PEER_TBB)
    register_peer<tbb_hash_map>("tbb_hash_map");
    register_peer<tbb_hash_map_growing>("tbb_hash_map_growing");
    register_peer<tbb_unordered_map>("tbb_unordered_map");
#endif
#if defined(ZEROIPC_PEER_XENIUM)
    register_peer<xenium_vyukov_map>("xenium_vyukov");
#endif
}

}  // namespace zeroipc::micro
