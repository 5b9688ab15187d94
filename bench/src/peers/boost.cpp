// Boost.Lockfree: of fixed size, so that nothing is allocated in the window.

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

/// Nodes are numbered with 16 bits, and one is the queue's own.
constexpr std::uint64_t most_nodes = 65534;

template <class Structure, std::size_t N>
class BoostLockfree {
public:
    explicit BoostLockfree(Control const& control) : structure_(control.capacity) {}
    static void check(Cell const& cell) { check_capacity(cell, most_nodes); }

    bool try_push(Payload<N> const& item) { return structure_.push(item); }
    bool try_pop(Payload<N>& item) { return structure_.pop(item); }

private:
    Structure structure_;
};

template <class Item>
using Queue = boost::lockfree::queue<Item, boost::lockfree::fixed_sized<true>>;
template <class Item>
using Stack = boost::lockfree::stack<Item, boost::lockfree::fixed_sized<true>>;
template <class Item>
using Spsc = boost::lockfree::spsc_queue<Item>;

}  // namespace

void add_boost(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        using item = Payload<N>;
        add_peer<PeerQueue<BoostLockfree<Queue<item>, N>, N>>(table, "peer/queue/boost-lockfree");
        add_peer<PeerQueue<BoostLockfree<Spsc<item>, N>, N>>(table, "peer/queue/boost-spsc");
        add_peer<PeerStack<BoostLockfree<Stack<item>, N>, N>>(table, "peer/stack/boost-lockfree");
    });
}

}  // namespace zeroipc::bench
