#pragma once
/// \file
/// What coordinator and workers of one run share, beside the structure under test: the order, the barrier,
/// the reports. Raw bytes in the run's own segment; every line that somebody spins on or writes while others
/// measure stands alone.

#include <zeroipc/table.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "cell.hpp"
#include "clock.hpp"
#include "hiccups.hpp"
#include "intervals.hpp"
#include "perf_counters.hpp"
#include "pinning.hpp"

namespace zeroipc::bench {

inline constexpr std::size_t line_bytes = 128;  // processors fetch lines in pairs
inline constexpr std::uint32_t most_workers = 1024;
inline constexpr std::size_t curve_points = 64;
inline constexpr std::size_t text_bytes = 256;

/// Text of bounded length in shared memory.
struct Text {
    std::array<char, text_bytes> bytes;
    void assign(std::string_view text) noexcept {
        auto const n = text.size() < text_bytes ? text.size() : text_bytes - 1;
        std::memcpy(bytes.data(), text.data(), n);
        bytes[n] = 0;
    }
    [[nodiscard]] std::string_view view() const noexcept {
        return {bytes.data(), ::strnlen(bytes.data(), text_bytes)};
    }
};

/// Percentiles of one worker's samples, in ticks; a percentile without 10 samples beyond it is 0.
struct LatencyReport {
    std::uint64_t samples;
    std::uint64_t dropped;  ///< taken after the sample store was full
    double mean;
    std::uint64_t min, p50, p90, p99, p99_9, p99_99, max;
    std::uint32_t points;
    std::array<double, curve_points> fraction;
    std::array<std::uint64_t, curve_points> value;
};

struct NodePages {
    std::int32_t node;
    std::int64_t pages;
};

/// What a worker found out. Counted in private memory, written here once, after the window.
struct alignas(line_bytes) WorkerReport {
    std::uint32_t finished;  ///< 1 if everything below is complete
    std::uint32_t failed;    ///< 1 if `error` says why not
    std::uint32_t gave_up;   ///< 1 if that is only because another one failed, or the coordinator ended it
    Text error;

    std::int32_t cpu_obtained_count;
    std::array<std::int32_t, 16> cpus_obtained;  ///< as sched_getaffinity read it back
    std::uint32_t pin_verified;
    std::uint32_t prefault_by_touch;
    std::int32_t memory_nodes;
    Text memory_policy;
    std::int64_t pages_checked, pages_on_node;
    std::array<NodePages, 16> pages_by_node;  ///< of those checked; entries without pages say nothing
    std::uint32_t memory_verified;            ///< 1 if the pages lie as the home has it
    std::int64_t huge_bytes;                  ///< of the segment, in this mapping; negative: unknown
    std::uint32_t fifo, locked;               ///< 1 if obtained
    Text why_not_isolated;                    ///< what was asked and refused, and why

    std::uint64_t start, end;  ///< ticks: first and last stamp of the window
    // Inside the window:
    std::uint64_t successes;    ///< operations that did what was asked; of a map all but "full"
    std::uint64_t full, empty;  ///< operations refused
    std::uint64_t misses;    ///< of a map: among the successes those that met no key, or one that was there
    std::uint32_t observed;  ///< 1 if the variant counts the next four
    std::uint64_t retries, helps, backoffs, system_calls;
    std::uint64_t
        late;  ///< mode latency: of the successes those that were due in the window and done behind it
    std::uint64_t outside;  ///< successes after the window
    std::int64_t minor_faults, major_faults, voluntary_switches, involuntary_switches;  ///< inside the window

    std::uint64_t put_items, put_sum;      ///< over all, what came before the window included
    std::uint64_t taken_items, taken_sum;  ///< over all, draining included; what a map holds at the end too
    std::uint64_t order_violations, corrupt_items;

    Intervals intervals;  ///< throughput: operations in each interval of the window
    Hiccups hiccups;      ///< throughput: gaps between looks at the clock
    std::array<CounterReading, most_perf_events> counters;  ///< in the order of the Control's perf_events

    double probe_before_ns, probe_after_ns;  ///< written by the first producer; negative: none
    LatencyReport latency;
};

/// A spin word alone on its lines.
struct alignas(line_bytes) Lonely {
    std::atomic<std::uint64_t> value;
};
static_assert(sizeof(Lonely) == line_bytes);

struct alignas(line_bytes) Control {
    // The order: written before any worker starts, constant from then on.
    std::uint32_t workers, producers, consumers;
    Mode mode;
    Host host;
    std::uint32_t payload_bytes;
    std::uint32_t oversubscribed;
    std::uint32_t probe_rounds;   ///< 0: no probe
    std::uint32_t probe_partner;  ///< the worker whose CPU is probed against the first one's
    std::int32_t memory_node;     ///< the node that the segment was bound to
    Home home;
    std::uint32_t ask_fifo, ask_locked;
    Text perf_events;  ///< names with commas between
    std::uint64_t capacity, window_ns;
    double handicap_ns;  ///< as in Cell
    std::uint32_t handicap_all;
    ClockInfo clock;
    std::uint64_t think_ns;
    double due_per_s;            ///< operations that are due, of one worker; 0: a closed loop
    std::uint32_t poisson;       ///< 1: as a Poisson process; 0: at equal distances
    std::uint64_t timed_offset;  ///< mode latency: a Timed a worker in the segment
    std::uint64_t kill_offset;   ///< mode kill: the KillBoard in the segment
    std::uint32_t batch, push_percent, filled_percent, range_percent;
    Calls calls;
    std::uint64_t seed;  ///< of what workers draw
    Text variant, mix, keys;
    std::uint64_t topology_offset, topology_bytes;  ///< hwloc XML in the segment
    std::array<std::int32_t, most_workers> cpus;    ///< one a worker, producers first

    std::uint64_t made_items, made_sum;  ///< what the workers' own process put in before they started

    Lonely arrived;                 ///< barrier: workers that have come, over all phases
    Lonely phase;                   ///< barrier: phases completed
    Lonely start_at;                ///< ticks; set by the last to arrive
    Lonely producers_done;          ///< that many workers put nothing in any more
    Lonely abandon;                 ///< nonzero: leave at once
    Lonely counter;                 ///< bound/fetch_add and bound/cas
    std::array<Lonely, 2> probe;    ///< the probe's two lines
    std::array<Lonely, 2> mailbox;  ///< bound/cacheline's two lines

    std::array<WorkerReport, most_workers> reports;  ///< only the first `workers` are ever touched
};

/// Name of the structure in the run's segment that holds the Control.
inline constexpr char const* control_name = "control";

/// Bytes of a Control for that many workers.
constexpr std::size_t control_bytes(std::uint32_t workers) noexcept {
    return sizeof(Control) - sizeof(WorkerReport) * (most_workers - workers) + alignof(Control);
}

/// An object in its place, which the table aligns to less than it may need.
template <class T>
T& object_at(std::byte* base, std::uint64_t offset) noexcept {
    return *reinterpret_cast<T*>(base + format::align_up(offset, alignof(T)));
}

inline Control& control_at(std::byte* base, std::uint64_t offset) noexcept {
    return object_at<Control>(base, offset);
}

}  // namespace zeroipc::bench
