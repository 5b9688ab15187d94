// Eclipse iceoryx's lock-free queue, without its daemon: the class alone.

#include <iceoryx_hoofs/concurrent/resizeable_lockfree_queue.hpp>

#include <memory>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

constexpr std::uint64_t most_items = std::uint64_t{1} << 16;

template <std::size_t N>
class IceoryxQueue {
public:
    explicit IceoryxQueue(Control const& control) : queue_(std::make_unique<Queue>(control.capacity)) {}
    static void check(Cell const& cell) { check_capacity(cell, most_items); }

    bool try_push(Payload<N> const& item) { return queue_->tryPush(item); }
    bool try_pop(Payload<N>& item) {
        auto const taken = queue_->pop();
        if (!taken.has_value()) return false;
        item = *taken;
        return true;
    }

private:
    /// Its largest capacity is a part of the type, and lies within.
    using Queue = iox::concurrent::ResizeableLockFreeQueue<Payload<N>, most_items>;
    std::unique_ptr<Queue> queue_;
};

}  // namespace

void add_iceoryx(SubjectTable& table, std::uint32_t payload_bytes) {
    constexpr char const* name = "peer/queue/iceoryx";
    if (payload_bytes == 8)
        add_peer<PeerQueue<IceoryxQueue<8>, 8>>(table, name);
    else
        add_peer<PeerQueue<IceoryxQueue<64>, 64>>(table, name);
}

}  // namespace zeroipc::bench
