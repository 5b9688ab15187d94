#pragma once
/// \file
/// The structures that histories can be recorded of, behind one table of functions.

#include <zeroipc/memory.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "log.hpp"

namespace zeroipc::bench::recording {

/// One worker's share.
struct Job {
    Log& log;
    Clock clock;
    std::uint16_t worker;
    std::uint64_t operations;  ///< to do
    std::uint64_t phase;       ///< operations after which pushes or pops begin to prevail
    std::uint32_t keys;
    std::mt19937_64 random;
};

struct Subject {
    std::string name;
    Structure structure = Structure::queue;
    bool is_default = false;
    bool kill_safe = false;
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
