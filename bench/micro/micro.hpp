#pragma once
/// \file
/// What the files of zeroipc-micro share: options, failing, segments without a name, clocks and keys.
///
/// A benchmark is named `what/who`: `who` is zeroipc for the structure measured, else the peer that does the same
/// work. scripts/micro makes ratios of the two.

#include <benchmark/benchmark.h>
#include <signal.h>
#include <unistd.h>
#include <zeroipc/bench/separation.hpp>
#include <zeroipc/memory.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace zeroipc::micro {

/// What the command line says of sizes.
struct options {
    std::uint64_t keys = 1'000'000;                        ///< of the maps that are searched and filled
    std::uint64_t turnover_capacity = 65536;               ///< of the map that is turned over
    std::uint64_t largest_bytes = std::uint64_t{1} << 30;  ///< of the items of a structure that is created
    double separate_cores_ns =
        bench::usual_separate_cores_ns;  ///< of a probe, from which on cores are separate
};

/// The options of this run: set before a benchmark starts.
options& chosen();

/// Ends a benchmark as failed. The program's exit status says so as well, which Google Benchmark's does not.
void fail(benchmark::State& state, std::string const& why);
[[nodiscard]] bool any_failed();

/// Registers a benchmark; what its body throws is its failure.
template <std::invocable<benchmark::State&> Body>
benchmark::internal::Benchmark* add(std::string const& name, Body body) {
    return benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
        try {
            body(state);
        } catch (std::exception const& error) {
            fail(state, error.what());
        }
    });
}

/// While one lives, Ctrl-C waits: for the moments in which a segment has a name that would be left behind.
class signals_held {
public:
    signals_held() {
        sigset_t held;
        ::sigemptyset(&held);
        for (int const one : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&held, one);
        ::sigprocmask(SIG_BLOCK, &held, &before_);
    }
    ~signals_held() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    signals_held(signals_held const&) = delete;
    signals_held& operator=(signals_held const&) = delete;
    signals_held(signals_held&&) = delete;
    signals_held& operator=(signals_held&&) = delete;

    /// For a forked child, which ends with its parent and need not be protected.
    void release_in_child() const { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

/// A name for a segment that nobody else uses.
std::string fresh_name();
/// Removes what earlier runs left in /dev/shm when they were killed between making a segment and unlinking it.
void sweep();

/// Bytes for a segment that holds one structure of `body` bytes.
constexpr std::uint64_t segment_bytes(std::uint64_t body) {
    return format::align_up(format::table_end(64) + body + 4096, 4096);
}

/// Bytes that a structure takes; a guess from above for one that does not say.
template <class Structure>
std::uint64_t bytes_for(std::uint64_t capacity, std::size_t item_bytes) {
    if constexpr (requires {
                      { Structure::bytes_for(capacity) } -> std::convertible_to<std::uint64_t>;
                  })
        return Structure::bytes_for(capacity);
    else
        return 8 * item_bytes * capacity + (std::uint64_t{1} << 16);
}

/// A fresh segment whose name is gone at once: however this process ends, nothing is left.
/// \param prefault as of memory_options: the first access to a page is then not part of what is measured.
inline Memory nameless(std::uint64_t body_bytes, bool prefault = false) {
    auto const name = fresh_name();
    signals_held const held;
    memory_options options;
    options.prefault = prefault;
    auto memory = Memory::create(name, segment_bytes(body_bytes), options);
    Memory::unlink(name);
    return memory;
}

/// CPU time of this thread. On a machine that others use too, it moves less than the time of day does.
inline std::uint64_t cpu_ns() {
    std::timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// A fixed one-to-one map of numbers to numbers without visible order, so that no hash function is favoured.
constexpr std::uint64_t scattered(std::uint64_t i) {
    i = (i + 1) * 0x9e3779b97f4a7c15U;
    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9U;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebU;
    return i ^ (i >> 31);
}
/// The value that stands beside a key.
constexpr std::uint64_t value_of(std::uint64_t key) { return ~key; }

/// scattered(first) to scattered(first + count - 1) in a fixed random order.
std::vector<std::uint64_t> shuffled_keys(std::uint64_t first, std::uint64_t count);

/// Capacity for so many items: the next power of two, which every structure takes.
constexpr std::uint64_t capacity_for(std::uint64_t items) {
    std::uint64_t capacity = 1;
    while (capacity < items) capacity *= 2;
    return capacity;
}

void register_queue();
void register_stack();
void register_map();
void register_turnover();
void register_creation();
/// \return what was found out about CPUs, for the context of the results.
std::string register_processes();

}  // namespace zeroipc::micro
