#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "zeroipc/bench/kernel_queue.hpp"

namespace zeroipc::bench {

/// The worker processes of one run. Whoever is left when it goes is killed and reaped.
class Pool {
public:
    Pool() = default;
    Pool(Pool const&) = delete;
    Pool& operator=(Pool const&) = delete;
    Pool(Pool&&) = delete;
    Pool& operator=(Pool&&) = delete;
    ~Pool() { end_all(); }

    /// Starts the processes from number `first` to before `end`: of a worker each, or one of all.
    /// \param padding bytes by which their environment is longer: one of the innocuous things that must vary
    void start(std::string const& segment, std::uint32_t first, std::uint32_t end, KernelQueues const* queues,
               std::size_t padding, std::function<void(std::uint32_t, int)> const& started);

    struct Death {
        std::uint32_t worker;
        int status;
    };
    /// Collects one worker that has ended, without waiting.
    std::optional<Death> reap();

    [[nodiscard]] bool empty() const { return alive_.empty(); }
    [[nodiscard]] std::vector<std::uint32_t> left() const;
    void kill(std::uint32_t worker) const;
    void end_all();

private:
    struct Child {
        pid_t pid;
        std::uint32_t worker;
    };
    std::vector<Child> alive_;
};

}  // namespace zeroipc::bench
