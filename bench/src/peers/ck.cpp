// Concurrency Kit.

#include "ck.hpp"

#include <memory>

#include "peer_subjects.hpp"

namespace zeroipc::bench {

namespace {

// Rings of items instead of pointers: what CK's macro CK_RING_PROTOTYPE defines, which is no C++.
struct SeveralAtATime {
    template <class Item>
    static bool push(ck_ring_t& ring, Item* items, Item const& item) {
        return _ck_ring_enqueue_mp(&ring, items, &item, sizeof(Item), nullptr);
    }
    template <class Item>
    static bool pop(ck_ring_t& ring, Item const* items, Item& item) {
        return _ck_ring_dequeue_mc(&ring, items, &item, sizeof(Item));
    }
};
struct OneAtATime {
    template <class Item>
    static bool push(ck_ring_t& ring, Item* items, Item const& item) {
        return _ck_ring_enqueue_sp(&ring, items, &item, sizeof(Item), nullptr);
    }
    template <class Item>
    static bool pop(ck_ring_t& ring, Item const* items, Item& item) {
        return _ck_ring_dequeue_sc(&ring, items, &item, sizeof(Item));
    }
};

/// One slot stays empty.
template <std::size_t N, class Functions>
class CkRing {
public:
    explicit CkRing(Control const& control) : items_(std::make_unique<Payload<N>[]>(control.capacity)) {
        ck_ring_init(&ring_, static_cast<unsigned>(control.capacity));
    }
    static void check(Cell const& cell) {
        check_capacity(cell, std::uint64_t{1} << 24);
        check_least_capacity(cell, 2);
    }

    bool try_push(Payload<N> const& item) { return Functions::push(ring_, items_.get(), item); }
    bool try_pop(Payload<N>& item) { return Functions::pop(ring_, items_.get(), item); }

private:
    alignas(line_bytes) ck_ring_t ring_{};
    std::unique_ptr<Payload<N>[]> items_;
};

#if defined(CK_F_STACK_POP_MPMC)
/// CK's stack links nodes of its user. Here they come from an array, and the free ones are in a second stack.
template <std::size_t N>
class CkStack {
public:
    explicit CkStack(Control const& control) : nodes_(std::make_unique<Node[]>(control.capacity)) {
        for (std::uint64_t i = 0; i < control.capacity; ++i) ck_stack_push_mpmc(&free_.stack, &nodes_[i]);
    }

    bool try_push(Payload<N> const& item) {
        auto* const node = static_cast<Node*>(ck_stack_pop_mpmc(&free_.stack));
        if (node == nullptr) return false;
        node->item = item;
        ck_stack_push_mpmc(&used_.stack, node);
        return true;
    }
    bool try_pop(Payload<N>& item) {
        auto* const node = static_cast<Node*>(ck_stack_pop_mpmc(&used_.stack));
        if (node == nullptr) return false;
        item = node->item;
        ck_stack_push_mpmc(&free_.stack, node);
        return true;
    }

private:
    struct Node : ck_stack_entry_t {
        Payload<N> item;
    };
    struct alignas(line_bytes) Head {
        ck_stack_t stack{};
    };

    Head used_;
    Head free_;
    std::unique_ptr<Node[]> nodes_;
};
#endif

}  // namespace

void add_ck(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<CkRing<N, SeveralAtATime>, N>>(table, "peer/queue/ck-ring");
        add_peer<PeerQueue<CkRing<N, OneAtATime>, N>>(table, "peer/queue/ck-ring-spsc");
#if defined(CK_F_STACK_POP_MPMC)
        add_peer<PeerStack<CkStack<N>, N>>(table, "peer/stack/ck-stack");
#endif
    });
}

}  // namespace zeroipc::bench
