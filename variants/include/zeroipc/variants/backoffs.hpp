#pragma once
/// \file
/// More backoff policies than core has. The parameters of each are part of its name.

#include <sched.h>
#include <zeroipc/atomics.hpp>
#include <zeroipc/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace zeroipc::variants {

namespace detail {

/// A policy's name with its number behind it, made by the compiler.
template <std::size_t Length>
struct numbered_name {
    char text[Length + 20]{};
    std::size_t length = 0;

    constexpr numbered_name(char const (&name)[Length], std::uint64_t number, char const* unit = "") {
        for (std::size_t i = 0; i + 1 < Length; ++i) text[length++] = name[i];
        char digits[20]{};
        std::size_t count = 0;
        do digits[count++] = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        while (count > 0) text[length++] = digits[--count];
        while (*unit != '\0') text[length++] = *unit++;
    }
    [[nodiscard]] constexpr std::string_view view() const { return {text, length}; }
};

/// A counter that goes on by itself: of cycles where the processor has one that programs may read.
inline std::uint64_t cycles() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    return __rdtsc();
#elif defined(__aarch64__)
    std::uint64_t count = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    std::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U + static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

}  // namespace detail

}  // namespace zeroipc::variants

namespace zeroipc::backoff {

/// The same number of pauses after each lost race.
template <std::uint32_t Pauses>
struct fixed {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"fixed", Pauses};
    static constexpr std::string_view name = full_name.view();
    void operator()() noexcept { atomics::cpu_relax(Pauses); }
};

/// Truncated binary exponential backoff with jitter: a number of pauses drawn evenly from 1 to a bound, which doubles
/// from 1 to Limit. Who lost the same race comes back at different times (Metcalfe and Boggs, 1976, for a network;
/// Anderson, 1990, for locks). The draw begins with the cycle counter, so that forked processes draw differently.
template <std::uint32_t Limit>
struct jitter {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"jitter", Limit};
    static constexpr std::string_view name = full_name.view();
    static_assert(Limit > 0);

    void operator()() noexcept { atomics::cpu_relax(next()); }

    /// The next number of pauses.
    std::uint64_t next() noexcept {
        if (state_ == 0) state_ = variants::detail::cycles() | 1;
        state_ ^= state_ << 13;  // xorshift64 (Marsaglia, 2003)
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        auto const pauses = 1 + (state_ >> 32) % bound_;
        bound_ = std::min<std::uint64_t>(2 * bound_, Limit);
        return pauses;
    }

private:
    std::uint64_t state_ = 0;
    std::uint64_t bound_ = 1;
};

/// Pauses in proportion to how far others are ahead, where the algorithm knows that distance (ticket and faa), at most
/// for 64 of them (Mellor-Crummey and Scott, 1991, for ticket locks); else as for a distance of one.
template <std::uint32_t Pauses>
struct proportional {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"prop", Pauses};
    static constexpr std::string_view name = full_name.view();
    static constexpr std::uint64_t farthest = 64;

    void operator()() noexcept { (*this)(1); }
    void operator()(std::uint64_t distance) noexcept { atomics::cpu_relax(pauses_for(distance)); }

    static constexpr std::uint64_t pauses_for(std::uint64_t distance) noexcept {
        return Pauses * std::clamp<std::uint64_t>(distance, 1, farthest);
    }
};

/// Sleeps in the kernel for at least that many microseconds (its timer adds some tens of them).
template <std::uint32_t Microseconds>
struct sleep {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"sleep", Microseconds, "us"};
    static constexpr std::string_view name = full_name.view();
    static_assert(Microseconds < 1000000);
    void operator()() noexcept {
        std::timespec const time{0, static_cast<long>(Microseconds) * 1000};
        ::nanosleep(&time, nullptr);
    }
};

/// Learns how long to wait: a thread's bound doubles with each race that it loses behind a wait (too short), and loses
/// an eighth with each operation that one wait sufficed for (perhaps too long), between 1 and Limit pauses. What was
/// learnt is the thread's, for all structures, and stays from one operation to the next.
template <std::uint32_t Limit>
struct adaptive {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"adaptive", Limit};
    static constexpr std::string_view name = full_name.view();

    adaptive() = default;
    adaptive(adaptive const&) = delete;
    adaptive& operator=(adaptive const&) = delete;
    adaptive(adaptive&&) = delete;
    adaptive& operator=(adaptive&&) = delete;
    ~adaptive() {
        if (lost_ == 1) learnt_ = std::max<std::uint32_t>(1, learnt_ - (learnt_ + 7) / 8);
    }

    void operator()() noexcept {
        if (++lost_ > 1) learnt_ = std::min(2 * learnt_, Limit);
        atomics::cpu_relax(learnt_);
    }

    /// This thread's bound at present.
    static std::uint32_t learnt() noexcept { return learnt_; }

private:
    static constinit inline thread_local std::uint32_t learnt_ = 1;
    std::uint32_t lost_ = 0;
};

/// Lets the processor rest at the instruction made for it: TPAUSE on x86 (light sleep, at most Cycles of the time-stamp
/// counter), WFE on Arm (until an event, or the kernel's event stream ticks). Where there is none it is as many pauses
/// as take about as long, and mechanism() says so.
template <std::uint32_t Cycles>
struct rest {
    using policy_kind = policy::backoff_kind;
    static constexpr variants::detail::numbered_name full_name{"rest", Cycles};
    static constexpr std::string_view name = full_name.view();

    void operator()() noexcept {
#if defined(__x86_64__)
        if (has_tpause()) {
            tpause_until(__rdtsc() + Cycles);
            return;
        }
#elif defined(__aarch64__)
        asm volatile("wfe" ::: "memory");
        return;
#endif
        atomics::cpu_relax(1 + Cycles / cycles_of_a_pause);
    }

    /// What it does on this machine.
    static std::string_view mechanism() noexcept {
#if defined(__x86_64__)
        if (has_tpause()) return "tpause";
        return "pause (this processor has no TPAUSE)";
#elif defined(__aarch64__)
        return "wfe";
#else
        return "pause (nothing better is known for this architecture)";
#endif
    }

private:
    static constexpr std::uint32_t cycles_of_a_pause = 40;  // of the last years' processors: 40 to 140

#if defined(__x86_64__)
    static bool has_tpause() noexcept {
        static bool const has = [] {
            unsigned a = 0;
            unsigned b = 0;
            unsigned c = 0;
            unsigned d = 0;
            constexpr unsigned waitpkg = 1U << 5;
            return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & waitpkg) != 0;
        }();
        return has;
    }
    __attribute__((target("waitpkg"))) static void tpause_until(std::uint64_t end) noexcept {
        constexpr unsigned lighter_state = 1;  // wakes faster
        _tpause(lighter_state, end);
    }
#endif
};

}  // namespace zeroipc::backoff
