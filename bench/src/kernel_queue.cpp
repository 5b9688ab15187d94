#include "zeroipc/bench/kernel_queue.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace zeroipc::bench {

namespace {

using Pair = std::array<int, 2>;  // the end to read, the end to write

/// The number in a file of /proc/sys/fs/mqueue, or "unknown".
std::string limit(char const* name) {
    std::ifstream file(std::string("/proc/sys/fs/mqueue/") + name);
    std::string number;
    return file >> number ? number : "unknown";
}

/// Which limit a message queue met, and what raises it.
std::string refusal(int number, mq_attr const& asked) {
    auto const messages = std::to_string(asked.mq_maxmsg);
    auto const bytes = std::to_string(asked.mq_msgsize);
    auto text = "a POSIX message queue of " + messages + " messages of " + bytes + " bytes: ";
    if (number == EINVAL)
        return text + "fs.mqueue.msg_max is " + limit("msg_max") + " and fs.mqueue.msgsize_max " +
               limit("msgsize_max") + "; as root: sysctl -w fs.mqueue.msg_max=" + messages +
               " fs.mqueue.msgsize_max=" + bytes + ", or use a smaller capacity";
    if (number == EMFILE)
        return text +
               "more than the bytes that RLIMIT_MSGQUEUE lets a user have in queues; ulimit -q says how "
               "many and raises it, or use a smaller capacity";
    if (number == ENOSPC)
        return text + "there are " + limit("queues_max") +
               " queues already; as root: raise fs.mqueue.queues_max";
    if (number == ENOSYS) return text + "this kernel has none (CONFIG_POSIX_MQUEUE)";
    return text + std::system_category().message(number);
}

Pair open_message_queue(Cell const& cell) {
    mq_attr attributes{};
    attributes.mq_maxmsg = cell.has_capacity() ? static_cast<long>(cell.capacity) : 1;
    attributes.mq_msgsize = static_cast<long>(cell.payload_bytes);
    auto const name = "/zeroipc-bench-" + std::to_string(::getpid());
    ::mq_unlink(name.c_str());  // a predecessor's with our process number, killed between these two lines
    int const queue = ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    int const number = errno;
    ::mq_unlink(name.c_str());
    if (queue < 0) throw std::runtime_error(refusal(number, attributes));
    return {queue, ::fcntl(queue, F_DUPFD_CLOEXEC, 0)};
}

Pair open_pair(Cell const& cell) {
    if (cell.variant == bound_posix_mq) return open_message_queue(cell);
    Pair pair{};
    bool const socket = cell.variant == bound_unix_socket;
    int const failed = socket ? ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data())
                              : ::pipe2(pair.data(), O_CLOEXEC);
    if (failed != 0) throw std::system_error(errno, std::generic_category(), cell.variant);
    return pair;
}

}  // namespace

KernelQueues::KernelQueues(Cell const& cell) {
    try {
        for (std::size_t i = 0; i < ends_.size(); i += 2) {
            auto const pair = open_pair(cell);
            // Out of the range of the workers' descriptors, so that none is overwritten before it is copied.
            for (std::size_t j = 0; j < pair.size(); ++j) {
                ends_[i + j] = ::fcntl(pair[j], F_DUPFD_CLOEXEC, 64);
                ::close(pair[j]);
            }
        }
    } catch (...) {
        close_all();
        throw;
    }
}

KernelQueues::~KernelQueues() { close_all(); }

void KernelQueues::close_all() noexcept {
    for (int const end : ends_)
        if (end >= 0) ::close(end);
}

void KernelQueues::hand_over(posix_spawn_file_actions_t& actions) const {
    static constexpr std::array targets{QueueEnds::there_read, QueueEnds::there_write, QueueEnds::back_read,
                                        QueueEnds::back_write};
    for (std::size_t i = 0; i < ends_.size(); ++i)
        ::posix_spawn_file_actions_adddup2(&actions, ends_[i], targets[i]);
}

std::optional<std::string> why_impossible(Cell const& cell) {
    if (!cell.is_kernel_queue()) return std::nullopt;
    try {
        KernelQueues const probe(cell);
        return std::nullopt;
    } catch (std::exception const& refused) {
        return refused.what();
    }
}

}  // namespace zeroipc::bench
