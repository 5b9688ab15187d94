// zeroipc-bench: runs cells in processes and reports through Google Benchmark.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>

#include "commands/arguments.hpp"
#include "commands/benchmark_flags.hpp"
#include "commands/doctor_command.hpp"
#include "commands/explain_command.hpp"
#include "commands/list_command.hpp"
#include "commands/record_command.hpp"
#include "commands/topology_command.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/frequency.hpp"
#include "zeroipc/bench/kernel_queue.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/session.hpp"
#include "zeroipc/bench/topology.hpp"
#include "zeroipc/bench/worker.hpp"

namespace {

using namespace zeroipc::bench;
namespace fs = std::filesystem;

/// A suite by name lies beside the program.
fs::path suite_file(std::string const& name) {
    if (name.ends_with(".toml") || name.find('/') != std::string::npos) {
        if (!fs::exists(name)) throw PlanError("there is no suite file " + name);
        return name;
    }
    auto const folder = fs::read_symlink("/proc/self/exe").parent_path() / "suites";
    auto const file = folder / (name + ".toml");
    if (fs::exists(file)) return file;
    std::string known;
    std::error_code ignored;
    for (auto const& entry : fs::directory_iterator(folder, ignored))
        known += (known.empty() ? "" : ", ") + entry.path().stem().string();
    throw PlanError("there is no suite '" + name + "'; there are " + known + ", or name a TOML file");
}

Suite suite_of(Arguments const& a) {
    Suite suite;
    if (!a.suite.empty()) {
        suite = read_suite(suite_file(a.suite));
        for (auto const& reason : suite.left_out) std::fprintf(stderr, "left out: %s\n", reason.c_str());
        return suite;
    }
    Sweep sweep = a.axes;
    sweep.modes.clear();
    for (auto const& mode : a.modes) sweep.modes.push_back(mode_named(mode));
    for (auto const& host : a.hosts) sweep.hosts.push_back(host_named(host));
    sweep.calls.clear();
    for (auto const& calls : a.calls) sweep.calls.push_back(calls_named(calls));
    sweep.variants = a.variants;
    sweep.producers = a.producers;
    sweep.consumers = a.consumers;
    sweep.payloads = a.payloads;
    sweep.capacities = a.capacities;
    sweep.windows_ns.clear();
    for (auto const ms : a.windows_ms) {
        if (!(ms >= 1 && ms <= 3.6e6))
            throw PlanError("a window of " + std::to_string(ms) + " ms; use 1 to 3600000");
        sweep.windows_ns.push_back(static_cast<std::uint64_t>(ms * 1e6));
    }
    sweep.handicap_all = handicap_of_all(a.handicap_workers);
    suite.sweeps.push_back(std::move(sweep));
    return suite;
}

void refuse_unknown(std::vector<std::string> const& rest) {
    for (auto const& argument : rest)
        if (!argument.starts_with("--benchmark_") && !argument.starts_with("--v="))
            throw PlanError("unknown argument '" + argument + "'; --help shows all");
}

/// A suite is for all machines: what this one has no place for is left out, and said; bounds that it cannot run, too. A
/// placement that was asked for on the command line must be possible.
void refuse_impossible(Coordinator const& coordinator, std::vector<Cell>& cells, bool suite) {
    std::set<std::string> reasons;
    std::erase_if(cells, [&](Cell const& cell) {
        try {
            static_cast<void>(coordinator.place(cell));
            auto const why = why_impossible(cell);
            if (why) std::fprintf(stderr, "skipped: %s: %s\n", cell.key().c_str(), why->c_str());
            return why.has_value();
        } catch (std::invalid_argument const& wrong) {
            if (!suite || cell.placement.empty()) throw PlanError(wrong.what());
            reasons.insert(wrong.what());
            return true;
        }
    });
    for (auto const& reason : reasons) std::fprintf(stderr, "left out: %s\n", reason.c_str());
    if (cells.empty()) throw PlanError("this machine has a place for none of the suite's cells");
}

/// Whether an interpreter works in any of them.
bool need_python(std::vector<Cell> const& cells) {
    return std::any_of(cells.begin(), cells.end(), [](Cell const& cell) {
        auto const* const language = language_named(cell.variant);
        return language != nullptr && language->needs_python();
    });
}

/// The folder of the records: a new one, or one to go on with, whose seed counts then.
void prepare_folder(Arguments const& a, SessionOptions& options) {
    fs::create_directories(a.out);
    options.out = a.out;
    options.resume = a.resume;
    bool const begun = fs::exists(fs::path(a.out) / "records.jsonl");
    if (begun && !a.resume)
        throw PlanError("the folder " + a.out +
                        " has records already; name another, or go on with them: --resume");
    if (a.resume && !begun)
        throw PlanError("--resume: the folder " + a.out + " has no records to go on with");
    if (!a.resume || a.seed_given) return;
    std::ifstream file(fs::path(a.out) / "environment.json");
    auto const about = nlohmann::json::parse(file, nullptr, false);
    if (about.is_discarded() || !about.contains("fingerprint"))
        throw PlanError("--resume: " + a.out + "/environment.json does not say how the run was begun");
    options.seed = about["fingerprint"]["seed"];
}

int run(int argc, char** argv) {
    Arguments a;
    CLI::App app;
    describe(app, a);
    app.allow_extras();
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong) == 0 ? 0 : usage_error;
    }
    refuse_unknown(app.remaining());
    if (a.list) return list_variants(a.json);

    auto const topology = Topology::this_machine();
    if (a.machine) {
        std::printf("%s\n", machine_id(topology).c_str());
        return 0;
    }
    if (!a.record.empty())
        return record_history(a, app.count("--capacity") > 0, app.count("--workers") > 0, topology);
    auto suite = suite_of(a);
    if (a.rounds != 0) suite.rounds = a.rounds;
    auto cells = expand(suite);
    if (a.budget_min > 0) {
        double a_round = 0;
        for (auto const& cell : cells) a_round += seconds_of(cell);
        auto const fit = std::max<std::uint32_t>(
            1, static_cast<std::uint32_t>(std::min(a.budget_min * 60 / a_round, 1e9)));
        if (fit < suite.rounds) {
            std::fprintf(stderr, "the budget of time allows %u of %u rounds\n", fit, suite.rounds);
            suite.rounds = fit;
        }
    }
    auto arguments = benchmark_arguments(app.remaining(), suite.rounds, a.dry_run ? "" : a.out);

    CoordinatorOptions options;
    if (!a.cpus.empty()) options.placement = "explicit";
    options.explicit_cpus = a.cpus;
    options.separate_cores_ns = a.separate_cores_ns;
    options.lenient_placement = a.lenient_placement;
    options.huge_pages = a.huge_pages;
    options.fifo = a.fifo;
    options.lock_memory = a.lock_memory;
    options.perf_events = a.perf_events;
    options.watchdog = std::chrono::milliseconds(static_cast<long>(a.watchdog_s * 1000));
    Coordinator coordinator(topology, options);
    refuse_impossible(coordinator, cells, !a.suite.empty());

    SessionOptions session_options;
    session_options.suite = suite.name;
    session_options.seed = a.seed_given ? a.seed : std::random_device{}();
    session_options.budget_s = a.budget_min * 60;
    session_options.conditions = {{"placement", options.placement},
                                  {"cpus", options.explicit_cpus},
                                  {"separate_cores_ns", options.separate_cores_ns},
                                  {"huge_pages", options.huge_pages},
                                  {"fifo", options.fifo},
                                  {"lock_memory", options.lock_memory},
                                  {"governor", a.frequency.governor.value_or("left")},
                                  {"turbo", !a.frequency.turbo   ? "left"
                                            : *a.frequency.turbo ? "on"
                                                                 : "off"}};
    if (need_python(cells)) session_options.conditions["python"] = *check_python().versions;
    if (!a.out.empty() && !a.dry_run) prepare_folder(a, session_options);
    session_options.benchmark_file =
        !last_value(arguments, "--benchmark_out", "BENCHMARK_OUT").value_or("").empty();
    Session session(topology, coordinator, std::move(cells), session_options);
    session.register_benchmarks();

    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int count = static_cast<int>(pointers.size()) - 1;
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return usage_error;
    benchmark::AddCustomContext("machine", machine_id(topology));
    benchmark::AddCustomContext("seed", std::to_string(session_options.seed));
    if (only_lists(arguments)) {
        benchmark::RunSpecifiedBenchmarks();
        return 0;
    }
    if (a.dry_run) return session.print_plan();
    FrequencySetting const frequency(a.frequency);
    int const status = session.run();
    benchmark::Shutdown();
    if (session_options.out) anonymise(*session_options.out / "benchmark.json");
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 5 && std::string_view(argv[1]) == worker_argument)
        return worker_main(argv[2], static_cast<std::uint32_t>(std::stoul(argv[3])), std::stoi(argv[4]));
    try {
        if (argc > 1 && std::string_view(argv[1]) == "topology")
            return topology_command(argc - 1, argv + 1, std::cout, std::cerr);
        if (argc > 1 && std::string_view(argv[1]) == "doctor") return doctor_command(argc - 1, argv + 1);
        if (argc > 1 && std::string_view(argv[1]) == "explain")
            return explain_command(argc - 1, argv + 1, std::cout, std::cerr);
        return run(argc, argv);
    } catch (PlanError const& wrong) {
        std::fprintf(stderr, "zeroipc-bench: %s\n", wrong.what());
        return usage_error;
    } catch (std::exception const& failure) {
        std::fprintf(stderr, "zeroipc-bench: %s\n", failure.what());
        return 1;
    }
}
