#pragma once
/// \file
/// The coordinator's part in a kill cell: kills at the planned moment, calls the newcomer, watches whether anything moves,
/// and lets the structure be examined.

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "zeroipc/bench/cell.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/kill_result.hpp"

namespace zeroipc::bench {

class Killing {
public:
    /// Before any worker starts. \param watchdog after which the run is ended anyway.
    Killing(Cell const& cell, Control& control, KillBoard& board, std::uint64_t seed,
            std::chrono::nanoseconds watchdog);

    /// Does what is due. \param processes has kill(worker) and left(). \return when to look again.
    template <class Processes>
    std::chrono::nanoseconds step(Processes& processes) {
        auto const until = time_of_kill();
        if (until > std::chrono::nanoseconds::zero()) return until;
        if (board_.killed_at.value.load(std::memory_order_relaxed) == 0) {
            board_.killed_at.value.store(clock_.ticks(), std::memory_order_relaxed);
            processes.kill(plan_.victim);
        } else if (stands_still()) {
            for (auto const worker : processes.left()) {
                ended_.insert(worker);
                processes.kill(worker);
            }
        }
        return look_again;
    }

    /// Whether that end of a process belongs to the kill, and is no failure of the run.
    bool expects(std::uint32_t worker, int status);

    /// \return true once, when all workers are gone and the examiner is to be started.
    bool wants_examiner();

    /// \param initial what was in the structure before the window.
    KillResult finish(std::uint64_t initial_items, std::uint64_t initial_sum);

private:
    static constexpr std::chrono::milliseconds look_again{20};

    std::chrono::nanoseconds time_of_kill();
    bool stands_still();
    [[nodiscard]] bool pushes(std::uint32_t worker) const;
    void collect_survivors(KillResult& result) const;
    void collect_newcomer(KillResult& result) const;
    void account(KillResult& result, std::uint64_t initial_items, std::uint64_t initial_sum) const;
    [[nodiscard]] double behind_start_ns(std::uint64_t ticks) const;

    Cell const& cell_;
    Control& control_;
    KillBoard& board_;
    std::uint64_t seed_;
    KillPlan plan_;
    bool claims_;
    Clock clock_;
    std::chrono::nanoseconds patience_;
    std::uint64_t gone_at_ = 0;  ///< ticks: the victim was gone
    bool examined_ = false;
    std::uint64_t moved_ = 0;
    std::chrono::steady_clock::time_point last_move_{};
    std::set<std::uint32_t> ended_;  ///< processes that the watch over progress ended
};

}  // namespace zeroipc::bench
