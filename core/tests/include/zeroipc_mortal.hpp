#pragma once
/// \file
/// Deaths on demand. `mortal` is an atomics policy that counts every shared step (load, store,
/// read-modify-write, fence, half a payload copy) of this process and dies *before* a chosen one: by SIGKILL
/// in a forked child, or, thousands of times faster, by abandoning the operation in place. Abandoning is the
/// same to shared memory: all private state is dropped, no destructor of the ring touches shared bytes, and
/// the handle slot is nobody's.

#include <zeroipc/atomics.hpp>

#include <atomic>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

namespace zeroipc::testing {

/// What a shared step is, as far as tests ask.
enum class access : std::uint64_t { other, announcement, sleep, wake };

/// What a process that may be killed shows to those who outlive it, in memory that they share. It is written at
/// once, for a kill leaves no time.
struct visible {
    std::atomic<std::uint64_t> commits{0};
    std::atomic<std::uint64_t> sleeps{0};  ///< system calls to sleep, counted just before each
    std::atomic<std::uint64_t> announced_at{
        0};  ///< the step that said for the first time that somebody will sleep
    std::atomic<access> died_at{access::other};
};

/// What happens to the running operation, and what it has done. One for the process: these tests have one
/// thread.
struct fate {
    std::uint64_t taken = 0;                              ///< shared steps so far
    std::uint64_t last = 0;                               ///< dies before this step; 0: never
    std::jmp_buf* abandon = nullptr;                      ///< where to go on; null: SIGKILL
    std::uint64_t interrupted_at = 0;                     ///< before this step ...
    std::function<void()> const* interruption = nullptr;  ///< ... somebody else runs
    std::uint64_t commits = 0;  ///< successful exchanges of words in [cells, cells_end)
    visible* seen = nullptr;    ///< where the survivors can read that; may be null
    std::function<void()> const* on_commit = nullptr;  ///< called behind each
    void const* cells = nullptr;
    void const* cells_end = nullptr;

    static fate& now() {
        static fate one;
        return one;
    }

    void step(access what = access::other) {
        ++taken;
        if (seen != nullptr && what == access::announcement && seen->announced_at == 0)
            seen->announced_at = taken;
        if (taken == interrupted_at) {
            fate const mine = *this;
            *this = fate{};
            (*mine.interruption)();
            *this = mine;
        }
        if (taken != last) return;
        if (seen != nullptr) seen->died_at = what;
        if (abandon == nullptr) ::raise(SIGKILL);
        std::longjmp(*abandon, 1);  // no destructor is passed over: see the rings' commit and recover
    }
    void committed(void const* word) {
        if (word < cells || word >= cells_end) return;
        ++commits;
        if (seen != nullptr) seen->commits = commits;
        if (on_commit != nullptr) (*on_commit)();
    }
};

template <class V>
class mortal_word {
public:
    V load(std::memory_order order) const noexcept {
        fate::now().step();
        return value_.load(order);
    }
    void store(V value, std::memory_order order) noexcept {
        fate::now().step();
        value_.store(value, order);
    }
    bool compare_exchange_strong(V& expected, V desired, std::memory_order done,
                                 std::memory_order failed) noexcept {
        fate::now().step();
        bool const success = value_.compare_exchange_strong(expected, desired, done, failed);
        if (success) fate::now().committed(this);
        return success;
    }
    bool compare_exchange_weak(V& expected, V desired, std::memory_order done,
                               std::memory_order failed) noexcept {
        return compare_exchange_strong(expected, desired, done, failed);
    }
    V fetch_add(V by, std::memory_order order) noexcept {
        fate::now().step();
        return value_.fetch_add(by, order);
    }
    /// Only who is about to sleep does this.
    V fetch_or(V bits, std::memory_order order) noexcept {
        fate::now().step(access::announcement);
        return value_.fetch_or(bits, order);
    }

private:
    std::atomic<V> value_;
};

struct mortal {
    using policy_kind = policy::atomics_kind;
    static constexpr std::string_view name = "mortal";
    template <class V>
    using word = mortal_word<V>;

    static void fence(std::memory_order order) noexcept {
        fate::now().step();
        atomics::native::fence(order);
    }
    static void fence_after_rmw() noexcept { fence(std::memory_order_seq_cst); }
    static void order_for_undertaker() noexcept { atomics::native::order_for_undertaker(); }

    static void write_payload(void* shared, void const* item, std::size_t bytes) noexcept {
        copy(shared, item, bytes);
    }
    static void read_payload(void* item, void const* shared, std::size_t bytes) noexcept {
        copy(item, shared, bytes);
    }
    /// Word by word: a step each, so that a death, or somebody else's operation, comes between any two.
    static void write_words(void* shared, void const* item, std::size_t bytes) noexcept {
        atomics::store_words<word<std::uint64_t>>(shared, item, bytes);
    }
    static void read_words(void* item, void const* shared, std::size_t bytes) noexcept {
        atomics::load_words<word<std::uint64_t>>(item, shared, bytes);
    }
    static void prefetch(void const*) noexcept {}
    static void prefetch_to_write(void const*) noexcept {}

    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen,
                           std::chrono::nanoseconds limit) noexcept {
        fate::now().step(access::sleep);
        if (auto* const seen_by = fate::now().seen) ++seen_by->sleeps;
        atomics::native::futex_wait(reinterpret_cast<std::atomic<std::uint32_t>&>(at), seen, limit);
    }
    static void futex_wake_all(word<std::uint32_t>& at) noexcept {
        fate::now().step(access::wake);
        atomics::native::futex_wake_all(reinterpret_cast<std::atomic<std::uint32_t>&>(at));
    }

private:
    static void copy(void* to, void const* from, std::size_t bytes) noexcept {
        fate::now().step();
        std::memcpy(to, from, bytes / 2);
        fate::now().step();
        std::memcpy(static_cast<char*>(to) + bytes / 2, static_cast<char const*>(from) + bytes / 2,
                    bytes - bytes / 2);
    }
};

/// Runs the action under the given fate and abandons it before step `planned.last`. \return whether it came
/// to its end. `planned` comes back with what was done.
inline bool survives(fate& planned, std::function<void()> const& action) {
    fate const before = fate::now();
    std::jmp_buf here;
    fate::now() = planned;
    fate::now().abandon = &here;
    bool volatile finished = false;
    if (setjmp(here) == 0) {  // NOLINT(cert-err52-cpp): the point of it all
        action();
        finished = true;
    }
    planned = fate::now();
    fate::now() = before;
    return finished;
}

}  // namespace zeroipc::testing
