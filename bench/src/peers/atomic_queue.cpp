// M. Egorushkin's atomic_queue, of a capacity that is given when it is made.

#include <atomic_queue/atomic_queue.h>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

constexpr std::uint64_t most_items = std::uint64_t{1} << 24;

/// 8 bytes are atomics themselves; one value, which no item has, stands for none.
class AtomicQueue8 {
public:
    explicit AtomicQueue8(Control const& control) : queue_(static_cast<unsigned>(control.capacity)) {}
    static void check(Cell const& cell) {
        check_capacity(cell, most_items);
        // It reorders indices by cache lines of eight items, and rounds a capacity up to eight lines.
        check_least_capacity(cell, 64);
    }

    bool try_push(Payload<8> const& item) { return queue_.try_push(item.word[0]); }
    bool try_pop(Payload<8>& item) { return queue_.try_pop(item.word[0]); }

private:
    atomic_queue::AtomicQueueB<std::uint64_t, std::allocator<std::uint64_t>, ~std::uint64_t{0}> queue_;
};

/// Larger items have a state beside them. Indices are not reordered by cache lines: else 4096 were the least capacity.
class AtomicQueue64 {
public:
    explicit AtomicQueue64(Control const& control) : queue_(static_cast<unsigned>(control.capacity)) {}
    static void check(Cell const& cell) { check_capacity(cell, most_items); }

    bool try_push(Payload<64> const& item) { return queue_.try_push(item); }
    bool try_pop(Payload<64>& item) { return queue_.try_pop(item); }

private:
    atomic_queue::AtomicQueueB2<Payload<64>, std::allocator<Payload<64>>, false> queue_;
};

}  // namespace

void add_atomic_queue(SubjectTable& table, std::uint32_t payload_bytes) {
    constexpr char const* name = "peer/queue/atomic-queue";
    if (payload_bytes == 8)
        add_peer<PeerQueue<AtomicQueue8, 8>>(table, name);
    else
        add_peer<PeerQueue<AtomicQueue64, 64>>(table, name);
}

}  // namespace zeroipc::bench
