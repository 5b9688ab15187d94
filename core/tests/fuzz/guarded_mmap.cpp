/// \file
/// Linked in by --wrap=mmap,--wrap=munmap: every shared mapping of a file stands alone, with a gibibyte on either side
/// that nobody may touch. An access outside it is a signal, not a look into the neighbour.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace {

constexpr std::size_t guard = std::size_t{1} << 30;

struct mappings {
    std::mutex mutex;
    std::map<void*, std::size_t> bytes;  ///< with both guards, by where the middle begins
};

mappings& all() {
    static auto* const one = new mappings;  // never destroyed: mappings in static storage go later
    return *one;
}

void* raw_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
    // Past the sanitizers' own mmap, which would mark the guards in its shadow memory.
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
}

}  // namespace

// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void* __real_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void* at, std::size_t bytes);

void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
    if (at != nullptr || fd < 0 || (flags & MAP_SHARED) == 0)
        return __real_mmap(at, bytes, protection, flags, fd, offset);
    auto const whole = bytes + 2 * guard;
    void* const around =
        raw_mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (around == MAP_FAILED) return MAP_FAILED;
    void* const place = static_cast<char*>(around) + guard;
    if (raw_mmap(place, bytes, protection, flags | MAP_FIXED, fd, offset) == MAP_FAILED) {
        ::syscall(SYS_munmap, around, whole);
        return MAP_FAILED;
    }
    std::lock_guard const lock(all().mutex);
    all().bytes[place] = whole;
    return place;
}

int __wrap_munmap(void* at, std::size_t bytes) {
    {
        std::lock_guard const lock(all().mutex);
        auto const found = all().bytes.find(at);
        if (found != all().bytes.end()) {
            auto const whole = found->second;
            all().bytes.erase(found);
            return static_cast<int>(::syscall(SYS_munmap, static_cast<char*>(at) - guard, whole));
        }
    }
    return __real_munmap(at, bytes);
}
}
// NOLINTEND(bugprone-reserved-identifier)
