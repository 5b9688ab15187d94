#pragma once
/// \file
/// The structures that histories can be recorded of, behind one table of functions.

#include <sched.h>
#include <zeroipc/memory.hpp>

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "log.hpp"

namespace zeroipc::bench::recording {

inline constexpr std::uint32_t most_workers = 256;

/// Keeps workers from being done before the kills are.
struct Pace {
    std::atomic<std::uint64_t> const* kills_done;
    std::uint64_t kills;
    std::uint64_t done_before;  ///< by those in whose place this worker is
    std::uint64_t share;        ///< of that place

    /// Waits if the next kill but one is due.
    void keep(std::uint64_t done) const {
        while ((done_before + done) * (kills + 1) > (kills_done->load(std::memory_order_relaxed) + 2) * share)
            ::sched_yield();
    }
};

/// One worker's share.
struct Job {
    Log& log;
    Clock clock;
    std::uint16_t worker;
    std::uint64_t operations;  ///< to do
    std::uint64_t phase;       ///< operations after which pushes or pops begin to prevail
    std::uint32_t keys;
    Pace pace;
    std::mt19937_64 random;
};

struct Subject {
    std::string name;
    Structure structure = Structure::queue;
    bool is_default = false;
    bool kill_safe = false;
    bool linearizable = false;  ///< as it says itself
    /// Bytes in a segment.
    std::uint64_t (*bytes)(std::uint64_t capacity, std::uint32_t handles) = nullptr;
    void (*create)(Memory&, std::uint64_t capacity, std::uint32_t handles) = nullptr;
    /// Opens the structure, calls ready() and works.
    void (*work)(Memory&, Job&, void (*ready)()) = nullptr;
    /// Empties it (finds all keys).
    void (*drain)(Memory&, Job&, void (*ready)()) = nullptr;
};

std::vector<Subject> const& subjects();

}  // namespace zeroipc::bench::recording
