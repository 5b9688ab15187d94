/// \file
/// Queues, by one thread: a push and a pop of 8 bytes, and sixteen of each. Capacity 1024.

#include <zeroipc/queue.hpp>
#include <zeroipc/variants/mutex_ring.hpp>
#include <zeroipc/variants/ticket_ring.hpp>

#include <array>
#include <memory>
#include <span>

#include "micro.hpp"

#if defined(ZEROIPC_PEER_ATOMIC_QUEUE)
#include <atomic_queue/atomic_queue.h>
#endif
#if defined(ZEROIPC_PEER_BOOST)
#include <boost/lockfree/queue.hpp>
#endif
#if defined(ZEROIPC_PEER_CDS)
#include <cds/container/vyukov_mpmc_cycle_queue.h>
#endif
#if defined(ZEROIPC_PEER_CK)
#include "ck.hpp"
#endif
#if defined(ZEROIPC_PEER_TBB)
#include <tbb/concurrent_queue.h>
#endif
#if defined(ZEROIPC_PEER_XENIUM)
#include <xenium/vyukov_bounded_queue.hpp>
#endif

namespace zeroipc::micro {
namespace {

using item = std::uint64_t;
constexpr std::uint64_t capacity = 1024;
constexpr std::size_t batch = 16;

template <class... Policies>
struct ours {
    using queue_type = Queue<item, Policies...>;
    Memory memory = nameless(queue_type::bytes_for(capacity));
    queue_type queue{memory, "queue", capacity};

    bool push(item value) { return queue.try_push(value); }
    bool pop(item& value) { return queue.try_pop(value); }
};

#if defined(ZEROIPC_PEER_ATOMIC_QUEUE)
struct atomic_queue_static {
    using queue_type = atomic_queue::AtomicQueue2<item, capacity>;
    std::unique_ptr<queue_type> queue = std::make_unique<queue_type>();

    bool push(item value) { return queue->try_push(value); }
    bool pop(item& value) { return queue->try_pop(value); }
};
struct atomic_queue_sized {
    atomic_queue::AtomicQueueB2<item> queue{static_cast<unsigned>(capacity)};

    bool push(item value) { return queue.try_push(value); }
    bool pop(item& value) { return queue.try_pop(value); }
};
#endif

#if defined(ZEROIPC_PEER_BOOST)
struct boost_fixed {
    boost::lockfree::queue<item, boost::lockfree::fixed_sized<true>> queue{capacity};

    bool push(item value) { return queue.push(value); }
    bool pop(item& value) { return queue.pop(value); }
};
/// Nodes come from a pool that was filled beforehand, and never from the allocator.
struct boost_nodes {
    boost::lockfree::queue<item> queue{capacity};

    bool push(item value) { return queue.bounded_push(value); }
    bool pop(item& value) { return queue.pop(value); }
};
#endif

#if defined(ZEROIPC_PEER_CDS)
struct cds_vyukov {
    cds::container::VyukovMPMCCycleQueue<item> queue{capacity};

    bool push(item value) { return queue.enqueue(value); }
    bool pop(item& value) { return queue.dequeue(value); }
};
#endif

#if defined(ZEROIPC_PEER_CK)
/// Concurrency Kit's rings hold pointers: here, 8 bytes that are one in name only.
struct ck_mpmc {
    ck_ring_t ring{};
    std::unique_ptr<ck_ring_buffer_t[]> cells = std::make_unique<ck_ring_buffer_t[]>(capacity);

    ck_mpmc() { ck_ring_init(&ring, static_cast<unsigned>(capacity)); }
    bool push(item value) { return ck_ring_enqueue_mpmc(&ring, cells.get(), reinterpret_cast<void*>(value)); }
    bool pop(item& value) {
        void* taken = nullptr;
        if (!ck_ring_dequeue_mpmc(&ring, cells.get(), &taken)) return false;
        value = reinterpret_cast<item>(taken);
        return true;
    }
};
#endif

#if defined(ZEROIPC_PEER_TBB)
struct tbb_bounded {
    tbb::concurrent_bounded_queue<item> queue;

    tbb_bounded() { queue.set_capacity(static_cast<std::ptrdiff_t>(capacity)); }
    bool push(item value) { return queue.try_push(value); }
    bool pop(item& value) { return queue.try_pop(value); }
};
#endif

#if defined(ZEROIPC_PEER_XENIUM)
struct xenium_vyukov {
    xenium::vyukov_bounded_queue<item> queue{capacity};

    bool push(item value) { return queue.try_push(value); }
    bool pop(item& value) { return queue.try_pop(value); }
};
#endif

template <class Peer>
void pair(benchmark::State& state) {
    Peer peer;
    item next = 0;
    for (auto _ : state) {
        item out = 0;
        ++next;
        if (!peer.push(next) || !peer.pop(out) || out != next) [[unlikely]] {
            fail(state, "a pop did not give what was pushed");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

/// Sixteen items go in by `push` and come out by `pop`; both answer whether all did.
template <class Peer, class Push, class Pop>
void sixteen(benchmark::State& state, Push push, Pop pop) {
    Peer peer;
    std::array<item, batch> in{};
    std::array<item, batch> out{};
    item next = 0;
    for (auto _ : state) {
        for (auto& one : in) one = ++next;
        benchmark::DoNotOptimize(in);
        if (!push(peer, in) || !pop(peer, out) || out != in) [[unlikely]] {
            fail(state, "sixteen pops did not give what was pushed");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batch));
}

template <class Peer>
void singly(benchmark::State& state) {
    sixteen<Peer>(
        state,
        [](Peer& peer, auto const& in) {
            bool all = true;
            for (auto const one : in) all = peer.push(one) && all;
            return all;
        },
        [](Peer& peer, auto& out) {
            bool all = true;
            for (auto& one : out) all = peer.pop(one) && all;
            return all;
        });
}

template <class Queue>
concept has_batches = requires(Queue& queue, std::span<item const> in, std::span<item> out) {
    { queue.try_push_n(in) } -> std::convertible_to<std::size_t>;
    { queue.try_pop_n(out) } -> std::convertible_to<std::size_t>;
};

template <class Ours>
void register_batches() {
    if constexpr (has_batches<typename Ours::queue_type>)
        add("queue_16/zeroipc", [](benchmark::State& state) {
            sixteen<Ours>(
                state,
                [](Ours& peer, auto const& in) {
                    return peer.queue.try_push_n(std::span<item const>(in)) == batch;
                },
                [](Ours& peer, auto& out) { return peer.queue.try_pop_n(std::span<item>(out)) == batch; });
        });
}

template <class Peer>
void register_peer(std::string const& who) {
    add("queue_pair/" + who, pair<Peer>);
    // What is batched stands under the plain name.
    add("queue_16/" + who + (who == "zeroipc" ? "_singly" : ""), singly<Peer>);
}

}  // namespace

void register_queue() {
    register_peer<ours<>>("zeroipc");
    register_batches<ours<>>();
    register_peer<ours<variants::algorithm::ticket>>("variant_ticket");
    register_peer<ours<variants::algorithm::mutex>>("variant_mutex");
#if defined(ZEROIPC_PEER_ATOMIC_QUEUE)
    register_peer<atomic_queue_static>("atomic_queue_2");
    register_peer<atomic_queue_sized>("atomic_queue_b2");
#endif
#if defined(ZEROIPC_PEER_BOOST)
    register_peer<boost_fixed>("boost_fixed");
    register_peer<boost_nodes>("boost_nodes");
#endif
#if defined(ZEROIPC_PEER_CDS)
    register_peer<cds_vyukov>("cds_vyukov");
#endif
#if defined(ZEROIPC_PEER_CK)
    register_peer<ck_mpmc>("ck_mpmc");
#endif
#if defined(ZEROIPC_PEER_TBB)
    register_peer<tbb_bounded>("tbb_bounded");
#endif
#if defined(ZEROIPC_PEER_XENIUM)
    register_peer<xenium_vyukov>("xenium_vyukov");
#endif
}

}  // namespace zeroipc::micro
