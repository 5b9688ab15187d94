#pragma once
/// \file
/// What a process can do itself to be left alone while it measures. Options: recorded, never the silent default.

#include <sys/resource.h>

#include <chrono>
#include <string>

namespace zeroipc::bench {

/// What was asked of the kernel.
struct Outcome {
    bool obtained = false;
    std::string reason;  ///< if refused: why, and what to do
};

/// Real-time priority (SCHED_FIFO) for the calling thread while the object lives; what was before comes back with
/// its end, on the same thread. Nothing of ordinary priority runs on the thread's CPU meanwhile, but for what the
/// kernel reserves (kernel.sched_rt_runtime_us). Not for two spinning threads on one CPU: neither gives way.
class FifoWindow {
public:
    /// \param longest CPU time without a blocking call after which the kernel ends the process by SIGXCPU, so
    /// that one that hangs does not take the CPU with it. Rounded up by the kernel to its clock.
    explicit FifoWindow(std::chrono::microseconds longest, int priority = 1);
    FifoWindow(FifoWindow const&) = delete;
    FifoWindow& operator=(FifoWindow const&) = delete;
    ~FifoWindow();

    [[nodiscard]] Outcome const& outcome() const noexcept { return outcome_; }

private:
    void restore_limit() const noexcept;

    Outcome outcome_;
    int policy_ = 0;
    int priority_ = 0;
    rlimit limit_{};
};

/// Locks what the process has mapped now (mlockall): it is brought in, and neither swapped nor dropped. What is
/// mapped later is not locked. Undone by munlockall() or the end of the process.
Outcome lock_memory();

}  // namespace zeroipc::bench
