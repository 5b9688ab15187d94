#pragma once
/// \file
/// Kills at random moments: the plan of a run, what its processes show of themselves, and what it reports.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace zeroipc::testing {

inline constexpr unsigned survivors = 2;
inline constexpr std::uint64_t most_crowd = 32;
/// Kills between two examinations of everything: what a workload notes of each item has room for so many lives.
inline constexpr std::uint64_t kills_a_round = 500;
inline constexpr std::uint64_t most_lives = kills_a_round + most_crowd + 1;

/// What is to be done.
struct kill_plan {
    std::uint64_t kills = 1000;
    std::uint64_t capacity = 64;  ///< of the structure
    std::uint64_t crowd = 2;      ///< workers alive at once, 1 to most_crowd
    std::uint64_t seed = 0;
    unsigned slices = 0;  ///< of the survivors' throughput, before and after the kills; 0: not measured
    std::chrono::milliseconds slice{20};
    std::chrono::milliseconds patience{60000};  ///< without progress for so long is "stopped"

    [[nodiscard]] std::uint32_t handle_slots() const { return static_cast<std::uint32_t>(16 + 2 * crowd); }
};

/// Who looks on.
struct kill_watch {
    std::function<void()> killed = [] {};                      ///< after each kill
    std::function<bool()> interrupted = [] { return false; };  ///< ends the run early, with all examinations
};

/// What the examination of one round found. Lies in shared memory: it is made in a child, which may crash.
struct kill_verdict {
    std::uint64_t missing = 0;   ///< known to be in, and neither there nor taken out
    std::uint64_t doubled = 0;   ///< taken out twice, or there and known not to be
    std::uint64_t disorder = 0;  ///< out of their producer's order; queues only
    std::uint64_t nonsense = 0;  ///< never put in, or torn
    std::uint64_t parked = 0;    ///< handle slots that could not be taken again
    std::uint64_t odd = 0;       ///< buffers, nodes or blocks that not exactly one owns
    bool full_capacity = false;
};

/// A slice of time: the survivors' operations a second, and a second of their processors.
struct kill_slice {
    double per_second = 0;
    double per_cpu_second = 0;
};

/// What happened.
struct kill_report {
    std::uint64_t kills = 0;
    std::uint64_t inside = 0;   ///< of them, in an operation
    std::uint64_t opening = 0;  ///< of them, while opening: in recovery
    std::uint64_t costly = 0;   ///< of them, where one may cost an item (map: add an unacknowledged change)
    std::uint64_t operations = 0;    ///< of the survivors
    kill_verdict sum;                ///< of all rounds
    std::uint64_t allowed = 0;       ///< items that may be missing: fewer than costly kills, or none
    std::vector<kill_slice> before;  ///< survivors' throughput, slice by slice
    std::vector<kill_slice> after;
    std::vector<kill_slice> fresh;      ///< on a structure as much used, without kills, in turn with `after`
    std::vector<double> plain_open_ns;  ///< opening a handle beside nobody, with no dead one there
    std::vector<double> open_ns;        ///< a newcomer's opening, recovery included
    std::optional<std::string> wedge;   ///< who stopped, if somebody did
    std::vector<std::string> faults;    ///< everything that must not be, in sentences
    bool interrupted = false;
};

/// What a process shows of itself. `inside`: 0 outside, 1 opening, above: the workload's operations.
struct alignas(128) kill_actor {
    static constexpr std::uint32_t opening = 1;
    std::atomic<std::uint32_t> inside{0};
    std::atomic<std::uint64_t> done{0};  ///< operations that took place: "full" and "empty" are none
    std::atomic<std::uint64_t> attempts{0};
    std::atomic<std::uint64_t> open_ns{0};

    /// Runs one operation. What it noted before its end stands when `inside` is 0 again: a kill in between counts as
    /// inside. \param operation returns whether it took place
    template <class Operation>
    bool perform(std::uint32_t which, Operation&& operation) {
        inside.store(which, std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        bool const did = operation();
        std::atomic_signal_fence(std::memory_order_seq_cst);
        inside.store(0, std::memory_order_release);
        if (did) done.fetch_add(1, std::memory_order_relaxed);
        attempts.fetch_add(1, std::memory_order_relaxed);
        return did;
    }
};

/// The part of a workload's ledger that all have.
struct kill_marks {
    std::atomic<bool> stop{false};
    std::atomic<bool> leave{false};  ///< for workers: end in order, without a kill
    std::atomic<bool> pause{false};  ///< for survivors: somebody else is measured
    std::array<kill_actor, survivors> survivor;
    std::array<kill_actor, most_crowd> worker;
};

}  // namespace zeroipc::testing
