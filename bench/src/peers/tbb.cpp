// oneTBB.

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 does not see that a pop that succeeds has written the item.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <tbb/concurrent_hash_map.h>
#include <tbb/concurrent_queue.h>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

template <std::size_t N>
class TbbBounded {
public:
    explicit TbbBounded(Control const& control) {
        queue_.set_capacity(static_cast<std::ptrdiff_t>(control.capacity));
    }
    bool try_push(Payload<N> const& item) { return queue_.try_push(item); }
    bool try_pop(Payload<N>& item) { return queue_.try_pop(item); }

private:
    tbb::concurrent_bounded_queue<Payload<N>> queue_;
};

template <std::size_t N>
class TbbHashMap {
public:
    explicit TbbHashMap(Control const& control) : map_(control.capacity) {}

    outcome insert(std::uint64_t key, Payload<N> const& value) {
        return map_.insert({key, value}) ? outcome::inserted : outcome::present;
    }
    bool find(std::uint64_t key, Payload<N>& value) {
        typename Map::const_accessor at;
        if (!map_.find(at, key)) return false;
        value = at->second;
        return true;
    }
    bool erase(std::uint64_t key) { return map_.erase(key); }
    outcome insert_or_assign(std::uint64_t key, Payload<N> const& value) {
        typename Map::accessor at;
        if (map_.insert(at, {key, value})) return outcome::inserted;
        at->second = value;
        return outcome::assigned;
    }
    template <class Change>
    outcome update(std::uint64_t key, Change&& change) {
        typename Map::accessor at;
        if (!map_.find(at, key)) return outcome::absent;
        at->second = change(at->second);
        return outcome::assigned;
    }
    template <class Look>
    void for_each(Look&& look) {
        for (auto const& [key, value] : map_) look(key, value);
    }

private:
    using Map = tbb::concurrent_hash_map<std::uint64_t, Payload<N>>;
    Map map_;
};

}  // namespace

void add_tbb(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<TbbBounded<N>, N>>(table, "peer/queue/tbb-bounded");
        add_peer<PeerMap<TbbHashMap<N>, N>>(table, "peer/map/tbb-hash-map");
    });
}

}  // namespace zeroipc::bench
