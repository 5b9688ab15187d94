#pragma once
/// \file
/// The seam under every shared access. The structures name no atomic operation of the language: they use an
/// *atomics policy*, so that the same source runs on real atomics in production and on a model of them in
/// tests.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string_view>

#include "policy.hpp"

#if defined(__SANITIZE_THREAD__)
#define ZEROIPC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROIPC_TSAN 1
#endif
#endif

namespace zeroipc::atomics {

/// Bytes into shared words, one relaxed store each: what an atomics policy's write_words() is, on its own words.
template <class Word>
void store_words(void* shared, void const* item, std::size_t bytes) noexcept {
    auto* const to = static_cast<Word*>(shared);
    auto const* const from = static_cast<std::byte const*>(item);
    for (std::size_t at = 0; at < bytes; at += 8) {
        std::uint64_t value = 0;
        std::memcpy(&value, from + at, bytes - at < 8 ? bytes - at : 8);
        to[at / 8].store(value, std::memory_order_relaxed);
    }
}
/// And out of them: its read_words().
template <class Word>
void load_words(void* item, void const* shared, std::size_t bytes) noexcept {
    auto const* const from = static_cast<Word const*>(shared);
    auto* const to = static_cast<std::byte*>(item);
    for (std::size_t at = 0; at < bytes; at += 8) {
        auto const value = from[at / 8].load(std::memory_order_relaxed);
        std::memcpy(to + at, &value, bytes - at < 8 ? bytes - at : 8);
    }
}

/// Real atomics on shared memory, Linux futexes, plain payload copies. The default.
struct native {
    using policy_kind = policy::atomics_kind;
    static constexpr std::string_view name = "native";

    /// A shared word: std::atomic itself, which on a lock-free type is the bare value.
    template <class V>
    using word = std::atomic<V>;

    static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8,
                  "shared words are bare 64-bit values: see format/segment.md");
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4,
                  "futex words are bare 32-bit values: see format/queue.md");

    /// A thread fence. ThreadSanitizer knows none, so there it is a read-modify-write of one process-wide
    /// word, which orders at least as much.
    static void fence(std::memory_order order) noexcept {
#ifdef ZEROIPC_TSAN
        static std::atomic<unsigned> everyone{0};
        everyone.fetch_add(1, std::memory_order_seq_cst);
        (void)order;
#else
        std::atomic_thread_fence(order);
#endif
    }

    /// A seq_cst fence directly behind a successful read-modify-write of the same thread. On x86 a locked
    /// instruction is a full fence already, so only the compiler is held; elsewhere it is a fence.
    static void fence_after_rmw() noexcept {
#if (defined(__x86_64__) || defined(__i386__)) && !defined(ZEROIPC_TSAN)
        std::atomic_signal_fence(std::memory_order_seq_cst);
#else
        fence(std::memory_order_seq_cst);
#endif
    }

    /// Program order towards whoever examines this process's stores after its death. The kernel orders
    /// everything that a process executed before its end is observed, so only the compiler must keep the
    /// order.
    static void order_for_undertaker() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

    /// Payload bytes: always in memory that the caller owns alone.
    static void write_payload(void* shared, void const* item, std::size_t bytes) noexcept {
        std::memcpy(shared, item, bytes);
    }
    static void read_payload(void* item, void const* shared, std::size_t bytes) noexcept {
        std::memcpy(item, shared, bytes);
    }

    /// Payload that somebody may read while it is written, and who then looks whether that was so: copied by
    /// relaxed words. The shared place has room for whole words; bytes behind the item are written as 0.
    static void write_words(void* shared, void const* item, std::size_t bytes) noexcept {
        store_words<word<std::uint64_t>>(shared, item, bytes);
    }
    static void read_words(void* item, void const* shared, std::size_t bytes) noexcept {
        load_words<word<std::uint64_t>>(item, shared, bytes);
    }

    /// A hint that the line is about to be read.
    static void prefetch(void const* address) noexcept { __builtin_prefetch(address, 0, 3); }

    /// A hint that the line is about to be written: fetches it for this processor alone.
    static void prefetch_to_write(void const* address) noexcept {
#if defined(__x86_64__)
        // The compiler's own hint fetches a shared copy unless it may assume a newer processor. Older ones
        // skip this.
        asm volatile("prefetchw %0" ::"m"(*static_cast<char const*>(address)));
#else
        __builtin_prefetch(address, 1, 3);
#endif
    }

    /// Sleeps until the word is woken, differs from `seen`, or the time is over. May wake for no reason.
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen,
                           std::chrono::nanoseconds limit) noexcept {
        auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
        std::timespec time{};
        time.tv_sec = static_cast<std::time_t>(seconds.count());
        time.tv_nsec = static_cast<long>((limit - seconds).count());
        // Not FUTEX_PRIVATE: the sleepers are in other processes.
        ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&at), FUTEX_WAIT, seen, &time, nullptr, 0);
    }

    /// Wakes every sleeper on the word.
    static void futex_wake_all(word<std::uint32_t>& at) noexcept {
        ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&at), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
};

/// One turn of a spin loop, told to the processor.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#else
    std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}
/// Some turns of one.
inline void cpu_relax(std::uint64_t turns) noexcept {
    for (; turns > 0; --turns) cpu_relax();
}

}  // namespace zeroipc::atomics

namespace zeroipc::policy {

/// A shared word of an atomics policy, with what every algorithm does to it. (Those that claim by fetch-add need that, too.)
template <class Word, class V>
concept shared_word = sizeof(Word) == sizeof(V) &&
                      requires(Word& word, Word const& seen, V& expected, V value, std::memory_order order) {
    { seen.load(order) } -> std::same_as<V>;
    word.store(value, order);
    { word.compare_exchange_strong(expected, value, order, order) } -> std::same_as<bool>;
    { word.compare_exchange_weak(expected, value, order, order) } -> std::same_as<bool>;
};

/// Atomics: words, fences, payload copies and hints, as atomics::native has them. (Who sleeps needs its futexes, too.)
template <class P>
concept atomics_policy = of_kind<P, atomics_kind> &&
    shared_word<typename P::template word<std::uint64_t>, std::uint64_t> &&
    shared_word<typename P::template word<std::uint32_t>, std::uint32_t> &&
    requires(typename P::template word<std::uint32_t>& at, void* to, void const* from, std::size_t bytes) {
    { at.fetch_or(std::uint32_t{}, std::memory_order_seq_cst) } -> std::same_as<std::uint32_t>;
    P::fence(std::memory_order_seq_cst);
    P::fence_after_rmw();
    P::order_for_undertaker();
    P::write_payload(to, from, bytes);
    P::read_payload(to, from, bytes);
    P::write_words(to, from, bytes);
    P::read_words(to, from, bytes);
    P::prefetch(from);
    P::prefetch_to_write(from);
};

}  // namespace zeroipc::policy

namespace zeroipc::detail {

/// Rounds after which a retry loop gives up with errc::corrupt: more than losing every race to honest peers takes. An
/// atomics policy may state its own `patience`: where a test writes hostile bytes, fewer show the same sooner.
template <class Atomics>
constexpr std::uint64_t patience_of() noexcept {
    if constexpr (requires { Atomics::patience; })
        return Atomics::patience;
    else
        return std::uint64_t{1} << 24;
}

}  // namespace zeroipc::detail
