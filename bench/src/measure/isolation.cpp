#include "zeroipc/bench/isolation.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace zeroipc::bench {

namespace {

std::string soft_limit(decltype(RLIMIT_MEMLOCK) resource) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0) return "unknown";
    return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

Outcome refused(std::string const& what, int error, std::string const& advice) {
    return {false, what + ": " + std::generic_category().message(error) + "; " + advice};
}

}  // namespace

FifoWindow::FifoWindow(std::chrono::microseconds longest, int priority) {
    sched_param before{};
    policy_ = ::sched_getscheduler(0);
    if (policy_ < 0 || ::sched_getparam(0, &before) != 0 || ::getrlimit(RLIMIT_RTTIME, &limit_) != 0) {
        outcome_ = refused("the present scheduling cannot be read", errno, "nothing was changed");
        return;
    }
    priority_ = before.sched_priority;
    // Only the soft limit: the hard one could not be raised again.
    auto const guarded = std::min(static_cast<rlim_t>(std::max<long>(longest.count(), 1)), limit_.rlim_max);
    rlimit const guard{guarded, limit_.rlim_max};
    if (::setrlimit(RLIMIT_RTTIME, &guard) != 0) {
        outcome_ = refused("RLIMIT_RTTIME cannot be set", errno, "SCHED_FIFO is not used without it");
        return;
    }
    sched_param wanted{};
    wanted.sched_priority = priority;
    if (::sched_setscheduler(0, SCHED_FIFO, &wanted) != 0) {
        int const error = errno;
        restore_limit();
        outcome_ = refused("SCHED_FIFO at priority " + std::to_string(priority), error,
                           error == EINVAL
                               ? "use a priority from 1 to 99"
                               : "it needs RLIMIT_RTPRIO, which is " + soft_limit(RLIMIT_RTPRIO) +
                                     " (ulimit -r 1, after a line 'rtprio' in /etc/security/limits.conf), or "
                                     "CAP_SYS_NICE, and a control group that may use real time");
        return;
    }
    outcome_.obtained = true;
}

FifoWindow::~FifoWindow() {
    if (!outcome_.obtained) return;
    sched_param before{};
    before.sched_priority = priority_;
    ::sched_setscheduler(0, policy_, &before);
    restore_limit();
}

void FifoWindow::restore_limit() const noexcept { ::setrlimit(RLIMIT_RTTIME, &limit_); }

Outcome lock_memory() {
    if (::mlockall(MCL_CURRENT) == 0) return {true, {}};
    return refused(
        "mlockall", errno,
        "it needs RLIMIT_MEMLOCK, which is " + soft_limit(RLIMIT_MEMLOCK) +
            " bytes (ulimit -l unlimited, after a line 'memlock' in /etc/security/limits.conf), or "
            "CAP_IPC_LOCK");
}

}  // namespace zeroipc::bench
