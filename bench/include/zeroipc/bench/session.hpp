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
#include <optional>
#include <string>
#include <vector>

#include "cell.hpp"
#include "coordinator.hpp"
#include "plan.hpp"

namespace zeroipc::bench {

struct SessionOptions {
    std::optional<std::filesystem::path> out;  ///< folder for records and environment
    std::uint64_t seed = 0;
    std::string suite;
    bool benchmark_file =
        false;  ///< --benchmark_out was given: only then does Google Benchmark take a file reporter
};

class Session {
public:
    Session(Topology const& topology, Coordinator& coordinator, std::vector<Cell> cells,
            SessionOptions options);

    /// Registers a benchmark a cell. The session must outlive them.
    void register_benchmarks();

    /// Runs everything. \return exit status: 0, 1 if a run failed, 130 if interrupted.
    int run();

private:
    enum class Pass { select, replay };
    void call(benchmark::State& state, std::size_t cell);
    void measure();
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
    std::vector<std::vector<RunResult>> results_;  ///< of each cell, by round
    std::uint32_t rounds_ = 0;
    std::size_t failed_ = 0;
};

}  // namespace zeroipc::bench
