// Boost.Interprocess: a queue between processes, in shared memory of its own.

#include <boost/interprocess/ipc/message_queue.hpp>
#include <fstream>
#include <sstream>

#include "peer_subjects.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/segment_name.hpp"

namespace zeroipc::bench {

namespace {

namespace ipc = boost::interprocess;

/// The object does not say where it is mapped; the kernel does.
void prefault_mappings(std::string const& name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (!line.ends_with("/" + name)) continue;
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        std::istringstream(line) >> std::hex >> begin >> dash >> end;
        prefault(reinterpret_cast<void*>(begin), end - begin);
    }
}

/// All items have one priority, so that they come out in order.
template <std::size_t N>
class MessageQueue {
public:
    explicit MessageQueue(std::string const& name) : queue_(ipc::open_only, name.c_str()) {
        prefault_mappings(name);
    }
    MessageQueue(std::string const& name, std::uint64_t capacity)
        : queue_(ipc::create_only, name.c_str(), capacity, N) {}

    bool try_push(Payload<N> const& item) { return queue_.try_send(item.word.data(), N, 0); }
    bool try_pop(Payload<N>& item) {
        ipc::message_queue::size_type bytes = 0;
        unsigned priority = 0;
        return queue_.try_receive(item.word.data(), N, bytes, priority);
    }

private:
    ipc::message_queue queue_;
};

template <std::size_t N>
struct BoostMessageQueue {
    static std::string name(Memory const& memory, char const* which) {
        return SegmentName::beside(memory.name(), which);
    }
    static std::uint64_t bytes(Cell const& cell) {
        check_capacity(cell, std::uint64_t{1} << 24);
        return 0;
    }
    static void create(Memory& memory, Cell const& cell, Initial&) {
        MessageQueue<N>(name(memory, SegmentName::besides[0]), cell.capacity);
        if (cell.mode == Mode::pingpong)
            MessageQueue<N>(name(memory, SegmentName::besides[1]), cell.capacity);
    }
    static void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
        auto const open = [&](char const* which) { return MessageQueue<N>(name(memory, which)); };
        work_on_queue<N>(
            bench, stages, worker, [&] { return open(SegmentName::besides[0]); },
            [&] { return open(SegmentName::besides[1]); });
    }
};

}  // namespace

void add_boost_message_queue(SubjectTable& table, std::uint32_t payload_bytes) {
    with_payload(payload_bytes, [&]<std::size_t N>() {
        using peer = BoostMessageQueue<N>;
        table.emplace("peer/queue/boost-message-queue",
                      Subject{&peer::bytes, &peer::create, &peer::work, nullptr, true});
    });
}

}  // namespace zeroipc::bench
