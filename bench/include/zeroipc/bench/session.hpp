#pragma once
/// \file
/// A run of a plan, and Google Benchmark as its front end.
///
/// Google Benchmark decides *what* runs (filter, repetitions) and *how it is shown* (console, JSON,
/// aggregates); the session decides *when*: it first lets Google Benchmark call every benchmark without
/// measuring, to learn what was selected, then runs the rounds in its own randomised order, then lets Google
/// Benchmark call again and hands it the results.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cell.hpp"
#include "coordinator.hpp"
#include "plan.hpp"

namespace zeroipc::bench {

/// What a run of a cell takes, about: its window, and processes, pins and probes.
double seconds_of(Cell const& cell);

struct SessionOptions {
    std::optional<std::filesystem::path> out;  ///< folder for records and environment
    std::uint64_t seed = 0;
    std::string suite;
    bool resume = false;        ///< go on with what `out` holds
    double budget_s = 0;        ///< no round begins that would end later; 0: no limit
    nlohmann::json conditions;  ///< what else must be alike for a run to be gone on with
    bool benchmark_file =
        false;  ///< --benchmark_out was given: only then does Google Benchmark take a file reporter
};

class Session {
public:
    Session(Topology const& topology, Coordinator& coordinator, std::vector<Cell> cells,
            SessionOptions options);

    /// Registers a benchmark a cell. The session must outlive them.
    void register_benchmarks();

    /// Runs everything. \return exit status: 0, 1 if a run failed, 130 if interrupted. \throws PlanError if `out` holds
    /// what cannot be gone on with.
    int run();

    /// Prints the cells that were selected, where they would run and how long it would take.
    int print_plan();

private:
    enum class Pass { select, replay };
    void call(benchmark::State& state, std::size_t cell);
    void measure();
    bool select();
    [[nodiscard]] double round_s(std::vector<std::size_t> const& selected) const;
    /// The cells that Google Benchmark asks for.
    [[nodiscard]] std::vector<std::size_t> selected() const;
    /// \param build as the environment has it.
    [[nodiscard]] nlohmann::json fingerprint(nlohmann::json const& build) const;
    void take_up_records();
    void write_environment(bool finished) const;

    Topology const& topology_;
    Coordinator& coordinator_;
    std::vector<Cell> cells_;
    SessionOptions options_;
    std::string run_id_;
    std::string started_;
    Pass pass_ = Pass::select;
    std::vector<std::uint32_t> asked_;  ///< repetitions of each cell
    std::vector<std::uint32_t> replayed_;
    std::vector<std::vector<nlohmann::json>> results_;      ///< records of each cell
    std::set<std::pair<std::size_t, std::uint32_t>> done_;  ///< cells and rounds that were there already
    std::uint32_t rounds_ = 0;
    std::size_t failed_ = 0;
};

}  // namespace zeroipc::bench
