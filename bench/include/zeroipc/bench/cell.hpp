#pragma once
/// \file
/// A cell: one point of a sweep.

#include <cstdint>
#include <string>
#include <vector>

namespace zeroipc::bench {

enum class Mode : std::uint32_t {
    throughput = 0,  ///< closed loop: every worker does its operation as fast as it can
    pingpong = 1,    ///< one item in flight between two workers: round trips
};

char const* to_string(Mode mode);

/// Names of the bounds, which stand in every run beside the variants.
inline constexpr char const* bound_cacheline =
    "bound/cacheline";  ///< two lines written in turn by two processes
inline constexpr char const* bound_fetch_add = "bound/fetch_add";  ///< one counter incremented by all
inline constexpr char const* bound_pipe = "bound/pipe";            ///< the operating system's own queue

struct Cell {
    Mode mode = Mode::throughput;
    std::string variant;
    std::uint32_t producers = 1;  ///< pingpong: always 1, the initiator
    std::uint32_t consumers = 1;  ///< pingpong: always 1, the responder
    std::uint32_t payload_bytes = 8;
    std::uint64_t capacity = 1024;  ///< items; without meaning for bounds
    std::uint64_t window_ns = 100'000'000;
    double handicap_ns = 0;     ///< throughput: spun after each look at the clock; 0: none
    bool handicap_all = false;  ///< by every worker, else by the first
    std::uint32_t replica = 0;  ///< tells cells apart that are the same in everything else

    [[nodiscard]] bool is_bound() const { return variant.starts_with("bound/"); }
    [[nodiscard]] std::uint32_t workers() const { return producers + consumers; }

    /// Unique within a plan: what records are grouped by.
    [[nodiscard]] std::string key() const;

    bool operator==(Cell const&) const = default;
};

}  // namespace zeroipc::bench
