#pragma once
/// \file
/// A robust, process-shared POSIX mutex in shared memory, and the lock on it. The kernel hands the mutex of a dead owner on
/// (EOWNERDEAD). What it protects is changed by one store an operation, so that it is right at every instruction, and the
/// next owner has nothing to put in order.

#include <pthread.h>
#include <zeroipc/atomics.hpp>
#include <zeroipc/error.hpp>
#include <zeroipc/table.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <system_error>

namespace zeroipc::variants {

class robust_mutex {
public:
    /// Bytes from one mutex to what follows it, where lines are `line` bytes apart.
    static constexpr std::uint64_t stride(std::uint64_t line) noexcept {
        return format::align_up(sizeof(pthread_mutex_t), line);
    }

    explicit robust_mutex(std::byte* at) noexcept : mutex_(reinterpret_cast<pthread_mutex_t*>(at)) {}

    /// Makes it. A mutex is the one thing here that zeroed memory is not. \throws error(errc::system)
    void initialise() const {
        pthread_mutexattr_t attributes;
        check(::pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
        check(::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED),
              "pthread_mutexattr_setpshared");
        check(::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST),
              "pthread_mutexattr_setrobust");
        check(::pthread_mutex_init(mutex_, &attributes), "pthread_mutex_init");
        ::pthread_mutexattr_destroy(&attributes);
    }

    /// Holds it for as long as the object lives. Blocking.
    class guard {
    public:
        explicit guard(robust_mutex const& mutex) : mutex_(mutex.mutex_) {
            int number = ::pthread_mutex_trylock(mutex_);
            // Sleeps are bounded. Who is woken and killed before it has the mutex takes the wake-up with it, if
            // another one got the mutex meanwhile without a look at the sleepers: they would sleep until somebody
            // else comes and finds it taken.
            while (number == EBUSY || number == ETIMEDOUT) number = lock_for(mutex_, longest_sleep_ns);
            former_owner_died_ = number == EOWNERDEAD;
            if (former_owner_died_)
                ::pthread_mutex_consistent(mutex_);
            else
                check(number, "pthread_mutex_clocklock");
        }
        [[nodiscard]] bool former_owner_died() const noexcept { return former_owner_died_; }
        ~guard() { ::pthread_mutex_unlock(mutex_); }
        guard(guard const&) = delete;
        guard& operator=(guard const&) = delete;
        guard(guard&&) = delete;
        guard& operator=(guard&&) = delete;

    private:
        static constexpr long longest_sleep_ns = 50'000'000;
        pthread_mutex_t* mutex_;
        bool former_owner_died_ = false;
    };

private:
    /// Locks within `ns` nanoseconds (< 1 s), or ETIMEDOUT.
    static int lock_for(pthread_mutex_t* mutex, long ns) noexcept {
#if defined(ZEROIPC_TSAN)
        // GCC 12's ThreadSanitizer knows no pthread_mutex_clocklock, and of pthread_mutex_timedlock not that EOWNERDEAD
        // locks: it would take the unlock for one too many.
        std::timespec const nap{0, ns / 1000};
        ::nanosleep(&nap, nullptr);
        return ::pthread_mutex_trylock(mutex);
#else
        std::timespec until{};
        ::clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        return ::pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
#endif
    }

    static void check(int number, char const* what) {
        if (number != 0) failed(number, what);
    }

    [[noreturn, gnu::cold, gnu::noinline]] static void failed(int number, char const* what) {
        throw error(errc::system, std::string(what) + ": " + std::system_category().message(number));
    }

    pthread_mutex_t* mutex_;
};

}  // namespace zeroipc::variants
