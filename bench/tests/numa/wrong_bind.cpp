// Preloaded into zeroipc-bench by the test of NUMA placement: calls that answer success and did something else,
// or that refuse. ZEROIPC_WRONG_BIND says which: mbind, pin, nothing or refused.

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace {

bool asked_for(std::string_view what) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets the environment meanwhile
    char const* const value = std::getenv("ZEROIPC_WRONG_BIND");
    return value != nullptr && what == value;
}

constexpr unsigned long nodes = 4;
constexpr std::size_t cpus = 8;

}  // namespace

/// Binds to the node after the one asked for, to none, or to none with an error.
extern "C" long mbind(void* start, unsigned long bytes, int mode, unsigned long const* mask,
                      unsigned long mask_bits, unsigned flags) {
    if (asked_for("nothing")) return 0;
    if (asked_for("refused")) {
        errno = EPERM;
        return -1;
    }
    unsigned long wrong = *mask;
    if (asked_for("mbind")) wrong = (*mask << 1 | *mask >> (nodes - 1)) & ((1UL << nodes) - 1);
    return ::syscall(SYS_mbind, start, bytes, mode, &wrong, mask_bits < 64 ? mask_bits : 64UL, flags);
}

/// Pins a process that asks for one CPU to the CPU two further on: of another node.
extern "C" int sched_setaffinity(pid_t process, std::size_t bytes, cpu_set_t const* set) noexcept {
    cpu_set_t wrong;
    CPU_ZERO(&wrong);
    if (asked_for("pin") && CPU_COUNT_S(bytes, set) == 1) {
        for (std::size_t cpu = 0; cpu < cpus; ++cpu)
            if (CPU_ISSET_S(cpu, bytes, set)) CPU_SET((cpu + 2) % cpus, &wrong);
        set = &wrong;
        bytes = sizeof wrong;
    }
    return static_cast<int>(::syscall(SYS_sched_setaffinity, process, bytes, set));
}
