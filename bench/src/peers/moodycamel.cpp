// C. Desrochers' ConcurrentQueue, as its author has it for speed: with tokens, its blocks allocated before.

#include <concurrentqueue/concurrentqueue.h>

#include "peer_subjects.hpp"
#include "room.hpp"

namespace zeroipc::bench {

namespace {

template <std::size_t N>
class Moodycamel {
    using Queue = moodycamel::ConcurrentQueue<Payload<N>>;

    class Tokens {
    public:
        Tokens(Moodycamel& peer, std::uint32_t /*worker*/, bool pushes) : queue_(peer.queue_) {
            if (pushes)
                in_.emplace(queue_);
            else
                out_.emplace(queue_);
        }
        /// Does not allocate: there are blocks for more than the room.
        bool try_push(Payload<N> const& item) { return queue_.try_enqueue(*in_, item); }
        bool try_pop(Payload<N>& item) { return queue_.try_dequeue(*out_, item); }

    private:
        Queue& queue_;
        std::optional<moodycamel::ProducerToken> in_;
        std::optional<moodycamel::ConsumerToken> out_;
    };

public:
    using Handle = Held<Tokens>;

    explicit Moodycamel(Control const& control)
        : room(control), queue_(2 * control.capacity, control.producers, 0) {}
    static void check(Cell const& cell) { check_capacity(cell, std::uint64_t{1} << 24); }

    Room room;

private:
    Queue queue_;
};

}  // namespace

void add_moodycamel(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        add_peer<PeerQueue<Moodycamel<N>, N>>(table, "peer/queue/moodycamel");
    });
}

}  // namespace zeroipc::bench
