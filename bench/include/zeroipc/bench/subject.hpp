#pragma once
/// \file
/// What a cell measures, behind one table of functions: a variant of the catalogue with one payload size, or
/// a bound.

#include <zeroipc/memory.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "control.hpp"
#include "workload.hpp"

namespace zeroipc::bench {

/// What a worker does around its timed loop; implemented in worker.cpp.
class Stages {
public:
    Stages() = default;
    Stages(Stages const&) = delete;
    Stages& operator=(Stages const&) = delete;
    Stages(Stages&&) = delete;
    Stages& operator=(Stages&&) = delete;
    virtual ~Stages() = default;
    /// Prefault, barriers, probe; returns at the window's start.
    virtual void until_start() = 0;
    /// Reads the counters of the system. Called once, when the own window is over.
    virtual void window_over() = 0;
    /// Says that this worker is done. \return whether it is the one that tidies up; then all others are done too.
    virtual bool is_last_left(std::uint32_t worker) = 0;
};

/// What is in a structure before its workers start.
struct Initial {
    std::uint64_t items = 0;
    std::uint64_t sum = 0;  ///< of first words, or of keys
    void enter(std::uint64_t word) noexcept {
        ++items;
        sum += word;
    }
};

struct Subject {
    /// Bytes in the segment, alignment included.
    std::uint64_t (*bytes)(Cell const&) = nullptr;
    /// Makes the structures of a run, and fills them as the cell says.
    void (*create)(Memory&, Cell const&, Initial&) = nullptr;
    /// A worker's whole part: opens its channels, passes the stages, runs its loop.
    void (*work)(Bench&, Memory&, Stages&, std::uint32_t worker) = nullptr;
    /// Of what only threads of one process can use: makes and fills it, in that process, before its workers start.
    std::shared_ptr<void> (*make)(Control const&, Initial&) = nullptr;
    bool outside =
        false;  ///< what is measured does not lie in the segment, and nothing is known of its pages
};

/// Payload sizes that a structure's variants (or the bounds) are compiled for, in bytes, rising.
std::vector<std::uint32_t> payload_sizes(std::string_view structure);

/// \return nothing if the catalogue has no such variant, or it is not compiled for that payload.
std::optional<Subject> find_subject(std::string_view variant, std::uint32_t payload_bytes);

}  // namespace zeroipc::bench
