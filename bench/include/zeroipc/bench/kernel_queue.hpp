#pragma once
/// \file
/// The operating system's own queues, for the bounds that go through them: two of a kind, there and back.

#include <spawn.h>

#include <array>
#include <optional>
#include <string>

#include "cell.hpp"

namespace zeroipc::bench {

/// Descriptors of the queues' ends in every worker.
struct QueueEnds {
    static constexpr int there_read = 10;
    static constexpr int there_write = 11;
    static constexpr int back_read = 12;
    static constexpr int back_write = 13;
};

class KernelQueues {
public:
    /// Opens what the cell's bound goes through: pipes, sockets of packets, or message queues of the cell's payload and
    /// capacity (in a ping-pong: of one message), which have no name any more when this returns.
    /// \throws std::runtime_error that says which limit of the system is in the way and how to raise it.
    explicit KernelQueues(Cell const& cell);
    KernelQueues(KernelQueues const&) = delete;
    KernelQueues& operator=(KernelQueues const&) = delete;
    KernelQueues(KernelQueues&&) = delete;
    KernelQueues& operator=(KernelQueues&&) = delete;
    ~KernelQueues();

    /// Lets a process that is spawned have them at the numbers of QueueEnds.
    void hand_over(posix_spawn_file_actions_t& actions) const;

private:
    void close_all() noexcept;
    std::array<int, 4> ends_{-1, -1, -1, -1};
};

/// Why this machine, as it is set, cannot run a cell: what KernelQueues throws for it. Nothing: it can.
std::optional<std::string> why_impossible(Cell const& cell);

}  // namespace zeroipc::bench
