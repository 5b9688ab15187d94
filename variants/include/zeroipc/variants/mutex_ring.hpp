#pragma once
/// \file
/// The baseline: a ring under one robust, process-shared POSIX mutex. Kill-safe, because the kernel hands the
/// mutex of a dead owner on (EOWNERDEAD) and each operation changes the ring by one store; blocking, because
/// a stopped owner stops all.

#include <pthread.h>
#include <zeroipc/error.hpp>
#include <zeroipc/policy.hpp>
#include <zeroipc/table.hpp>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <system_error>

namespace zeroipc::variants {

template <class Policies, std::size_t ItemBytes>
class mutex_ring {
    using layout = typename Policies::layout;
    using observer = typename Policies::observer;
    using atomics = typename Policies::atomics;
    using word = typename atomics::template word<std::uint64_t>;

public:
    static constexpr std::uint64_t item_stride = format::align_up(ItemBytes, 8);
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = false;

    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t items = 0;  ///< offset of the first item
        std::uint64_t total = 0;
    };

    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t /*handle_slots*/) noexcept {
        auto const items = layout::body_offset + format::align_up(sizeof(pthread_mutex_t), layout::line);
        return {capacity, items, items + item_stride * capacity};
    }

    /// The mutex is the one thing here that zeroed memory is not.
    static void initialise(std::byte* base, shape const&) {
        pthread_mutexattr_t attributes;
        check(::pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
        check(::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED),
              "pthread_mutexattr_setpshared");
        check(::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST),
              "pthread_mutexattr_setrobust");
        check(::pthread_mutex_init(mutex_at(base), &attributes), "pthread_mutex_init");
        ::pthread_mutexattr_destroy(&attributes);
    }

    mutex_ring(std::byte* base, shape const& s, std::uint32_t /*slot*/)
        : head_(reinterpret_cast<word*>(base + layout::head_offset)),
          tail_(reinterpret_cast<word*>(base + layout::tail_offset)),
          mutex_(mutex_at(base)),
          items_(base + s.items),
          capacity_(s.capacity) {}

    /// Blocking. Commit: the store to tail.
    bool try_push(void const* item) {
        guard const locked(*mutex_);
        auto const tail =
            tail_->load(std::memory_order_relaxed);  // all accesses here are ordered by the mutex
        if (tail - head_->load(std::memory_order_relaxed) >= capacity_) return false;
        atomics::write_payload(items_ + item_stride * (tail & (capacity_ - 1)), item, ItemBytes);
        atomics::order_for_undertaker();
        tail_->store(tail + 1, std::memory_order_relaxed);
        return true;
    }

    /// Blocking. Commit: the store to head, after the copy: a kill in between leaves the item in the queue.
    bool try_pop(void* item) {
        guard const locked(*mutex_);
        auto const head = head_->load(std::memory_order_relaxed);
        if (head == tail_->load(std::memory_order_relaxed)) return false;
        atomics::read_payload(item, items_ + item_stride * (head & (capacity_ - 1)), ItemBytes);
        atomics::order_for_undertaker();
        head_->store(head + 1, std::memory_order_relaxed);
        return true;
    }

    [[nodiscard]] std::uint64_t was_size() const {
        guard const locked(*mutex_);
        auto const size = tail_->load(std::memory_order_relaxed) - head_->load(std::memory_order_relaxed);
        return size < capacity_ ? size : capacity_;
    }

    [[nodiscard]] observer& observed() noexcept { return observer_; }

private:
    static pthread_mutex_t* mutex_at(std::byte* base) noexcept {
        return reinterpret_cast<pthread_mutex_t*>(base + layout::body_offset);
    }

    static void check(int number, char const* what) {
        if (number != 0)
            throw error(errc::system, std::string(what) + ": " + std::system_category().message(number));
    }

    class guard {
    public:
        explicit guard(pthread_mutex_t& mutex) : mutex_(mutex) {
            int number = ::pthread_mutex_trylock(&mutex_);
            // Sleeps are bounded. Who is woken and killed before it has the mutex takes the wake-up with it, if
            // another one got the mutex meanwhile without a look at the sleepers: they would sleep until somebody
            // else comes and finds it taken.
            while (number == EBUSY || number == ETIMEDOUT) {
                std::timespec until{};
                ::clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_nsec += longest_sleep_ns;
                until.tv_sec += until.tv_nsec / 1000000000;
                until.tv_nsec %= 1000000000;
                number = ::pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &until);
            }
            if (number == EOWNERDEAD)
                ::pthread_mutex_consistent(&mutex_);  // head and tail are right at every instruction
            else
                check(number, "pthread_mutex_clocklock");
        }
        ~guard() { ::pthread_mutex_unlock(&mutex_); }
        guard(guard const&) = delete;
        guard& operator=(guard const&) = delete;
        guard(guard&&) = delete;
        guard& operator=(guard&&) = delete;

    private:
        static constexpr long longest_sleep_ns = 50'000'000;
        pthread_mutex_t& mutex_;
    };

    word* head_;
    word* tail_;
    pthread_mutex_t* mutex_;
    std::byte* items_;
    std::uint64_t capacity_;
    [[no_unique_address]] observer observer_;
};

namespace algorithm {

/// Selects the robust mutex ring.
struct mutex {
    using policy_kind = policy::algorithm_kind;
    static constexpr std::string_view structure = "queue";
    static constexpr std::string_view name = "mutex";
    static constexpr std::uint32_t id = 3;
    static constexpr std::uint64_t min_capacity = 1;
    static constexpr bool has_handles = false;
    static constexpr bool can_sleep = true;
    static constexpr bool takes_ordering = false;
    static constexpr bool takes_backoff = false;
    static constexpr bool kill_safe = true;
    static constexpr bool linearizable_negatives = true;
    static constexpr std::string_view progress = "blocking";
    static constexpr std::string_view source = "POSIX robust process-shared mutex";

    template <class Policies, std::size_t ItemBytes>
    using ring = mutex_ring<Policies, ItemBytes>;
};

}  // namespace algorithm
}  // namespace zeroipc::variants
