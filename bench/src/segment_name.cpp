#include "zeroipc/bench/segment_name.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zeroipc/memory.hpp>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

namespace {
constexpr char const* segment_prefix = "zeroipc-bench-";
}

sigset_t watched_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGCHLD);
    return set;
}

SegmentName::SegmentName() {
    static std::atomic<unsigned long> made{0};
    name_ = segment_prefix + std::to_string(::getpid()) + "-" + std::to_string(++made);
}

SegmentName::~SegmentName() {
    ::shm_unlink(("/" + name_).c_str());
    for (auto const* const which : besides) ::shm_unlink(("/" + beside(name_, which)).c_str());
}

std::string SegmentName::beside(std::string const& segment, char const* which) {
    return segment.substr(segment.starts_with('/') ? 1 : 0) + "-" + which;
}

void remove_stale_segments() {
    std::unique_ptr<DIR, int (*)(DIR*)> const directory(::opendir("/dev/shm"), &::closedir);
    if (!directory) return;
    std::vector<std::string> names;
    while (dirent const* const item = ::readdir(directory.get()))
        if (std::string_view(item->d_name).starts_with(segment_prefix)) names.emplace_back(item->d_name);
    for (auto const& name : names) {
        auto const pid = std::atoi(name.c_str() + std::strlen(segment_prefix));
        if (pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM))
            continue;  // its coordinator may be about to open it
        auto const fd = zeroipc::detail::segment_fd::open("/" + name, O_RDWR, 0);
        if (fd.get() < 0) continue;
        if (zeroipc::detail::try_lock_byte(fd.get(), zeroipc::detail::attached_byte,
                                           zeroipc::detail::lock_mode::exclusive))
            ::shm_unlink(("/" + name).c_str());
    }
}

}  // namespace zeroipc::bench
