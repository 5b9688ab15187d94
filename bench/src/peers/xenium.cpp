// M. Pöter's xenium.

#include <array>  // what follows uses it and does not include it

#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/vyukov_bounded_queue.hpp>
#include <xenium/vyukov_hash_map.hpp>

#include <bit>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

template <std::size_t N>
class XeniumQueue {
public:
    explicit XeniumQueue(Control const& control) : queue_(control.capacity) {}
    static void check(Cell const& cell) { check_least_capacity(cell, 2); }

    bool try_push(Payload<N> const& item) { return queue_.try_push(item); }
    bool try_pop(Payload<N>& item) { return queue_.try_pop(item); }

private:
    xenium::vyukov_bounded_queue<Payload<N>> queue_;
};

/// Its values are 8 bytes, which lie in the buckets. Larger ones, in nodes, crash version 0.0.2 within one thread.
class XeniumMap {
public:
    /// Its capacity is in buckets, of three items each.
    explicit XeniumMap(Control const& control) : map_(std::bit_ceil(control.capacity) / 2 + 1) {}

    outcome insert(std::uint64_t key, Payload<8> const& value) {
        return map_.emplace(key, value.word[0]) ? outcome::inserted : outcome::present;
    }
    bool find(std::uint64_t key, Payload<8>& value) {
        Map::accessor at;
        if (!map_.try_get_value(key, at)) return false;
        value.word[0] = *at;
        return true;
    }
    bool erase(std::uint64_t key) { return map_.erase(key); }
    template <class Look>
    void for_each(Look&& look) {
        for (auto at = map_.begin(); at != map_.end(); ++at) {
            auto const& [key, value] = *at;
            look(std::uint64_t{key}, Payload<8>{{value}});
        }
    }

private:
    using Map = xenium::vyukov_hash_map<std::uint64_t, std::uint64_t,
                                        xenium::policy::reclaimer<xenium::reclamation::epoch_based<>>>;
    Map map_;
};

}  // namespace

void add_xenium(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<XeniumQueue<N>, N>>(table, "peer/queue/xenium-vyukov");
    });
    if (payload_bytes == 8) add_peer<PeerMap<XeniumMap, 8>>(table, "peer/map/xenium-vyukov");
}

}  // namespace zeroipc::bench
