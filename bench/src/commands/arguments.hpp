#pragma once
/// \file
/// The command line of zeroipc-bench.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/frequency.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/recorder.hpp"

namespace zeroipc::bench {

constexpr int usage_error = 2;
constexpr int interrupted_status = 130;

/// The hardware and kernel events that are counted by default, with commas between.
std::string usual_perf_events();

struct Arguments {
    std::string suite;
    std::vector<std::string> variants{"default"};
    std::vector<std::string> modes{"throughput", "pingpong"};
    std::vector<std::string> hosts;
    std::vector<std::string> calls{"try"};
    std::vector<std::uint32_t> producers{1};
    std::vector<std::uint32_t> consumers{1};
    std::vector<std::uint32_t> payloads{8};
    std::vector<std::uint64_t> capacities{1024};
    std::vector<double> windows_ms{100};
    Sweep axes;  ///< those that are taken as they are
    std::string handicap_workers = "first";
    std::uint32_t rounds = 0;
    std::uint64_t seed = 0;
    bool seed_given = false;
    std::vector<int> cpus;
    double watchdog_s = 0;
    double separate_cores_ns = CoordinatorOptions{}.separate_cores_ns;
    bool lenient_placement = false;
    bool huge_pages = false;
    bool fifo = false;
    bool lock_memory = false;
    FrequencyWish frequency;
    std::string perf_events = usual_perf_events();
    std::string out;
    bool list = false;
    bool json = false;
    bool machine = false;
    bool resume = false;
    bool dry_run = false;
    double budget_min = 0;
    std::string record;
    std::uint64_t operations = RecordOptions{}.operations;
    std::uint64_t kills = 0;
    std::uint32_t keys = RecordOptions{}.keys;
    bool lines = false;
};

/// Tells the parser of all arguments; it writes them into a, which must outlive it.
void describe(CLI::App& app, Arguments& a);

}  // namespace zeroipc::bench
