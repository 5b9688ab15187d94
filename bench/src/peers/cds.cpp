// M. Khizhinsky's libcds. What is linked is reclaimed by hazard pointers.

#include "cds_session.hpp"
// Behind the garbage collector, which libcds expects first.
#include <cds/container/michael_kvlist_hp.h>
#include <cds/container/michael_map.h>
#include <cds/container/split_list_map.h>
#include <cds/container/treiber_stack.h>
#include <cds/container/vyukov_mpmc_cycle_queue.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "peer_subjects.hpp"
#include "room.hpp"

namespace zeroipc::bench {

namespace {

template <std::size_t N>
class CdsVyukov {
public:
    explicit CdsVyukov(Control const& control) : queue_(control.capacity) {}
    static void check(Cell const& cell) { check_least_capacity(cell, 2); }

    bool try_push(Payload<N> const& item) { return queue_.enqueue(item); }
    bool try_pop(Payload<N>& item) { return queue_.dequeue(item); }

private:
    cds::container::VyukovMPMCCycleQueue<Payload<N>> queue_;
};

/// Each push allocates a node.
template <std::size_t N>
class CdsTreiber {
    using Stack = cds::container::TreiberStack<cds::gc::HP, Payload<N>>;

    class Session {
    public:
        Session(CdsTreiber& peer, std::uint32_t /*worker*/, bool /*pushes*/) : stack_(peer.stack_) {}
        bool try_push(Payload<N> const& item) { return stack_.push(item); }
        bool try_pop(Payload<N>& item) { return stack_.pop(item); }

    private:
        cds_session session_;
        Stack& stack_;
    };

public:
    using Handle = Held<Session>;

    explicit CdsTreiber(Control const& control) : room(control) {}

    Room room;

private:
    cds_session session_;
    Stack stack_;
};

struct MichaelList : cds::container::michael_list::traits {
    using less = std::less<std::uint64_t>;
};
struct MichaelMap : cds::container::michael_map::traits {
    using hash = std::hash<std::uint64_t>;
};
struct SplitList : cds::container::split_list::traits {
    using ordered_list = cds::container::michael_list_tag;
    using hash = std::hash<std::uint64_t>;
    using ordered_list_traits = MichaelList;
};

template <std::size_t N>
using MichaelHashMap = cds::container::MichaelHashMap<
    cds::gc::HP, cds::container::MichaelKVList<cds::gc::HP, std::uint64_t, Payload<N>, MichaelList>,
    MichaelMap>;
template <std::size_t N>
using SplitListMap = cds::container::SplitListMap<cds::gc::HP, std::uint64_t, Payload<N>, SplitList>;

/// Values can be changed in their place only by those who keep readers away themselves: here they stay.
template <class Map, std::size_t N>
class CdsMap {
public:
    explicit CdsMap(Control const& control) : map_(control.capacity, 1) {}

    class Handle {
    public:
        Handle(CdsMap& peer, std::uint32_t /*worker*/, bool /*pushes*/) : map_(peer.map_) {}

        outcome insert(std::uint64_t key, Payload<N> const& value) {
            return map_.insert(key, value) ? outcome::inserted : outcome::present;
        }
        bool find(std::uint64_t key, Payload<N>& value) {
            return map_.find(key, [&](auto const& found) { value = found.second; });
        }
        bool erase(std::uint64_t key) { return map_.erase(key); }
        template <class Look>
        void for_each(Look&& look) {
            // An erased node stays linked until a search passes it, and iterators show it.
            std::vector<std::uint64_t> keys;
            for (auto const& pair : map_) keys.push_back(pair.first);
            for (auto const key : keys) map_.contains(key);
            for (auto const& [key, value] : map_) look(key, value);
        }

    private:
        cds_session session_;
        Map& map_;
    };

private:
    cds_session session_;
    Map map_;
};

}  // namespace

void add_cds(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<CdsVyukov<N>, N>>(table, "peer/queue/cds-vyukov");
        add_peer<PeerStack<CdsTreiber<N>, N>>(table, "peer/stack/cds-treiber");
        add_peer<PeerMap<CdsMap<MichaelHashMap<N>, N>, N>>(table, "peer/map/cds-michael");
        add_peer<PeerMap<CdsMap<SplitListMap<N>, N>, N>>(table, "peer/map/cds-split-list");
    });
}

}  // namespace zeroipc::bench
