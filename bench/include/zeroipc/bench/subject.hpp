#pragma once
/// \file
/// What a cell measures, behind one table of functions: a variant of the catalogue with one payload size, or
/// a bound.

#include <zeroipc/memory.hpp>

#include <cstdint>
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
};

struct Subject {
    /// Bytes in the segment, alignment included.
    std::uint64_t (*bytes)(Cell const&) = nullptr;
    /// Makes the structures of a run.
    void (*create)(Memory&, Cell const&) = nullptr;
    /// A worker's whole part: opens its channels, passes the stages, runs its loop.
    void (*work)(Bench&, Memory&, Stages&, std::uint32_t worker) = nullptr;
};

/// Payload sizes that variants are compiled for, in bytes, rising.
std::vector<std::uint32_t> payload_sizes();

/// \return nothing if the catalogue has no such variant, or it is not compiled for that payload.
std::optional<Subject> find_subject(std::string_view variant, std::uint32_t payload_bytes);

/// Ends of the pipes of bound/pipe in every worker.
struct PipeEnds {
    static constexpr int there_read = 10;
    static constexpr int there_write = 11;
    static constexpr int back_read = 12;
    static constexpr int back_write = 13;
};

}  // namespace zeroipc::bench
