// Userspace RCU's lock-free queue. Nodes that were taken out are freed when no reader can see them any more.

#include <urcu/rculfqueue.h>
#include <urcu/urcu-memb.h>

#include "peer_subjects.hpp"
#include "room.hpp"

namespace zeroipc::bench {

namespace {

/// This thread, known to RCU until it ends.
class UrcuThread {
public:
    UrcuThread() { static thread_local Registered const once; }

private:
    struct Registered {
        Registered() { urcu_memb_register_thread(); }
        Registered(Registered const&) = delete;
        Registered& operator=(Registered const&) = delete;
        Registered(Registered&&) = delete;
        Registered& operator=(Registered&&) = delete;
        ~Registered() { urcu_memb_unregister_thread(); }
    };
};

template <std::size_t N>
class UrcuQueue {
    struct Node {
        cds_lfq_node_rcu link;
        rcu_head head;
        Payload<N> item;
    };

    class Session {
    public:
        Session(UrcuQueue& peer, std::uint32_t /*worker*/, bool /*pushes*/) : queue_(peer.queue_) {}

        bool try_push(Payload<N> const& item) {
            auto* const node = new Node{{}, {}, item};
            cds_lfq_node_init_rcu(&node->link);
            urcu_memb_read_lock();
            cds_lfq_enqueue_rcu(&queue_, &node->link);
            urcu_memb_read_unlock();
            return true;
        }
        bool try_pop(Payload<N>& item) {
            urcu_memb_read_lock();
            auto* const link = cds_lfq_dequeue_rcu(&queue_);
            urcu_memb_read_unlock();
            if (link == nullptr) return false;
            auto* const node = reinterpret_cast<Node*>(link);  // its first member
            item = node->item;
            urcu_memb_call_rcu(&node->head, [](rcu_head* head) {
                delete reinterpret_cast<Node*>(reinterpret_cast<char*>(head) - offsetof(Node, head));
            });
            return true;
        }

    private:
        UrcuThread thread_;
        cds_lfq_queue_rcu& queue_;
    };

public:
    using Handle = Held<Session>;

    explicit UrcuQueue(Control const& control) : room(control) {
        cds_lfq_init_rcu(&queue_, urcu_memb_call_rcu);
    }

    Room room;

private:
    UrcuThread thread_;
    cds_lfq_queue_rcu queue_;
};

}  // namespace

void add_urcu(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<UrcuQueue<N>, N>>(table, "peer/queue/urcu-lfq");
    });
}

}  // namespace zeroipc::bench
