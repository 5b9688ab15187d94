// zeroipc-bench: runs cells in processes and reports through Google Benchmark.

#include <benchmark/benchmark.h>
#include <strings.h>
#include <unistd.h>
#include <zeroipc/variants/catalogue.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>

#include "commands/doctor_command.hpp"
#include "commands/explain_command.hpp"
#include "commands/topology_command.hpp"
#include "commands/variant_json.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/environment.hpp"
#include "zeroipc/bench/history.hpp"
#include "zeroipc/bench/kernel_queue.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/perf_counters.hpp"
#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/record.hpp"
#include "zeroipc/bench/recorder.hpp"
#include "zeroipc/bench/session.hpp"
#include "zeroipc/bench/subject.hpp"
#include "zeroipc/bench/topology.hpp"
#include "zeroipc/bench/worker.hpp"

namespace {

using namespace zeroipc::bench;
namespace fs = std::filesystem;

constexpr int usage_error = 2;
constexpr int interrupted_status = 130;

std::string usual_perf_events() {
    std::string list;
    for (auto const& event : default_perf_events()) list += (list.empty() ? "" : ",") + event;
    return list;
}

struct Arguments {
    std::string suite;
    std::vector<std::string> variants{"default"};
    std::vector<std::string> modes{"throughput", "pingpong"};
    std::vector<std::string> hosts;
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

/// CLI11 takes -1 for the largest number of 64 bits, and a number beyond that for it too.
std::string check_whole_number(std::string const& text) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return {};
    return "'" + text + "' is not a whole number below 2^64";
}

/// CLI11's own check answers with the bounds of a double, in full.
std::string check_positive(std::string const& text) {
    double value = 0;
    if (CLI::detail::lexical_cast(text, value) && value > 0 && value <= 1e9) return {};
    return text + "; use a number above 0 and up to 1e9";
}

void describe(CLI::App& app, Arguments& a) {
    app.description(
        "Measures shared-memory structures between pinned processes.\n\n"
        "Every cell runs in fresh worker processes that map the segment themselves, are pinned to CPUs (the "
        "pin is read\n"
        "back), meet at a barrier and work through a timed window; what they sent and received is checked. "
        "The bounds\n"
        "(cache line, counters, mutex, the system's own queues) run beside every sweep.");
    app.footer(
        "Examples:\n"
        "  zeroipc-bench                                        the default queue, one producer and one "
        "consumer\n"
        "  zeroipc-bench --variant 'queue/*/acq_rel/*' --producers 1,2 --consumers 1,2 --rounds 20\n"
        "  zeroipc-bench --suite quick --out results/here       a suite, with records\n"
        "  zeroipc-bench --suite smoke --benchmark_filter=mutex --benchmark_format=json\n"
        "  zeroipc-bench topology                               draws the machine and the placements\n"
        "  zeroipc-bench --record h.zh --variant stack --kills 20   a history, for zeroipc-check h.zh\n"
        "  zeroipc-bench doctor                                 what spoils measurements here, and "
        "how to mend it\n"
        "  zeroipc-bench explain queue                          a variant's bytes and machine code; perf on "
        "a worker\n\n"
        "All flags of Google Benchmark work (--benchmark_help lists them). --benchmark_repetitions is "
        "--rounds.\n"
        "Exit status: 0, 1 a run failed, 2 wrong usage, 130 interrupted.");
    auto* const suite = app.add_option("--suite", a.suite, "Name of a suite (smoke, quick), or a TOML file");
    auto const list_option = [&](auto* option) {
        option->delimiter(',')->take_all()->excludes(suite);
        return option;
    };
    list_option(app.add_option("--variant", a.variants,
                               "Names or patterns of variants (* and ?); default: the default one"));
    list_option(
        app.add_option("--mode", a.modes, "throughput, pingpong, latency, kill; default: the first two"));
    list_option(app.add_option("--host", a.hosts,
                               "What workers are: processes, threads (of one process); default: processes, "
                               "and threads for peers that can be nothing else"));
    list_option(app.add_option("--producers", a.producers, "Numbers of producers; default 1"));
    list_option(app.add_option("--consumers", a.consumers, "Numbers of consumers; default 1"));
    list_option(app.add_option("--payload", a.payloads, "Item sizes in bytes; default 8"));
    list_option(
        app.add_option("--capacity", a.capacities, "Capacities in items, powers of two; default 1024"))
        ->check(check_whole_number);
    list_option(app.add_option("--window", a.windows_ms, "Timed windows in ms; default 100"));
    list_option(app.add_option("--placement", a.axes.placements,
                               "Where workers go, producers first: " + placement_names() +
                                   "; default spread. 'zeroipc-bench topology' draws what each does"));
    list_option(app.add_option(
        "--home", a.axes.homes,
        "NUMA node of the memory: producer, consumer (the first one's), interleaved, left (as the "
        "kernel does); default producer"));
    list_option(app.add_option("--think", a.axes.thinks_ns,
                               "Work of their own that workers do after each operation, in ns; default 0"))
        ->check(check_whole_number);
    list_option(app.add_option(
        "--load", a.axes.load_percents,
        "Mode latency: percent of what a variant can do at most (measured just before each run) at "
        "which operations become due, whether or not earlier ones are done; 0: a closed loop; default 0"));
    list_option(
        app.add_option("--arrivals", a.axes.arrivals, "With --load: poisson, constant; default poisson"));
    list_option(app.add_option(
        "--victim", a.axes.victims,
        "Mode kill, of a queue: which worker is killed: producer, consumer, any; default any"));
    list_option(
        app.add_option("--batch", a.axes.batches, "Items that a queue's operation moves at once; default 1"));
    list_option(
        app.add_option("--workers", a.axes.workers,
                       "Workers of stacks and maps, each of which does everything; default 1. With --record: "
                       "of all structures; default 4"));
    list_option(
        app.add_option("--push-percent", a.axes.push_percents, "Share of a stack's pushes; default 50"));
    list_option(app.add_option("--filled-percent", a.axes.filled_percents,
                               "What a stack or map holds before the window, of its capacity; default 50"));
    list_option(app.add_option(
        "--mix", a.axes.mixes,
        "A map's operations: ycsb-a to ycsb-f, or shares such as r90i5e5 (read, insert, update, "
        "erase, modify, scan); default r90i5e5"));
    list_option(app.add_option("--key-draw", a.axes.keys,
                               "A map's keys: uniform, zipf0.99, hot10-90; default uniform"));
    list_option(
        app.add_option("--handicap-ns", a.axes.handicaps_ns,
                       "Diagnosis: a worker of a throughput cell spins so many ns after each look at the "
                       "clock (every 32 attempts); default 0"));
    app.add_option("--handicap-workers", a.handicap_workers, "Whose handicap: first or all; default first")
        ->excludes(suite);
    app.add_option("--replicas", a.axes.replicas,
                   "Diagnosis: each cell of a variant so often, to compare it with itself; default 1")
        ->check(check_positive)
        ->excludes(suite);
    app.add_option("--rounds", a.rounds,
                   "Runs of each cell, in randomised rounds; default 10, or the suite's")
        ->check(check_positive);
    app.add_option("--seed", a.seed, "Seed of the rounds' orders; default: drawn, and stored in each record")
        ->check(check_whole_number)
        ->each([&a](std::string const&) { a.seed_given = true; });
    app.add_option("--cpus", a.cpus, "CPUs of the workers, producers first, for --placement explicit")
        ->delimiter(',');
    app.add_flag("--lenient-placement", a.lenient_placement,
                 "Flag a run whose memory is not known to lie on its NUMA node, instead of failing it; a "
                 "wrong pin fails always");
    app.add_flag("--huge-pages", a.huge_pages, "Ask for huge pages; what was obtained is recorded");
    app.add_flag(
        "--fifo", a.fifo,
        "Real-time priority for workers during the window, where permitted and no CPU has two; recorded");
    app.add_flag("--lock-memory", a.lock_memory, "Workers lock their memory, where permitted; recorded");
    app.add_option("--perf-events", a.perf_events,
                   "Hardware and kernel events to count in each worker, names with commas between; none: ''")
        ->check([](std::string const& list) -> std::string {
            try {
                if (!list.empty()) static_cast<void>(parse_perf_events(list));
                return {};
            } catch (std::invalid_argument const& wrong) {
                return wrong.what();
            }
        });
    app.add_option("--watchdog", a.watchdog_s,
                   "Seconds after which a run is ended as hanging; default 20 and ten windows")
        ->check(check_positive);
    app.add_option("--separate-cores-ns", a.separate_cores_ns,
                   "Cache-line round trip from which on virtual CPUs count as separate cores; default 150")
        ->check(check_positive);
    app.add_option("--out", a.out,
                   "Folder for records.jsonl, environment.json, topology.xml and benchmark.json");
    app.add_flag("--resume", a.resume, "Go on with an interrupted run in the folder of --out")
        ->needs("--out");
    app.add_flag("--dry-run", a.dry_run, "Print the cells, where they would run, and how long it would take");
    app.add_option("--budget", a.budget_min,
                   "Minutes: no round begins that would end later; the first always runs")
        ->check(check_positive);
    auto* const record =
        app.add_option("--record", a.record,
                       "Measure nothing: record a history of one --variant (also: queue, stack, map) at one "
                       "--capacity (default 64) into this file")
            ->excludes(suite);
    app.add_option("--operations", a.operations, "With --record: of all workers together; default 1000000")
        ->check(check_whole_number)
        ->needs(record);
    app.add_option("--kills", a.kills,
                   "With --record: workers killed at random moments and replaced; default 0")
        ->check(check_whole_number)
        ->needs(record);
    app.add_option("--keys", a.keys, "With --record of a map: keys that are used; default 64")->needs(record);
    app.add_flag("--lines", a.lines, "With --record: as text, a JSON object a line")->needs(record);
    app.add_flag("--list", a.list, "List the variants and bounds");
    app.add_flag("--json", a.json, "With --list: as JSON");
    app.add_flag("--machine", a.machine, "Print this machine's identifier");
}

/// What a line of the list says behind a variant's properties.
std::string remarks_on(zeroipc::variants::variant_info const& v) {
    std::string text;
    if (v.is_default) text += " (default)";
    if (v.unsafe) text += " (wrong on purpose)";
    if (v.max_producers != zeroipc::variants::any_number)
        text += " (producers: " + std::to_string(v.max_producers) + ")";
    if (v.max_consumers != zeroipc::variants::any_number)
        text += " (consumers: " + std::to_string(v.max_consumers) + ")";
    if (!v.takes.ends_with("of any size")) text += " (" + v.takes + ")";
    if (!v.note.empty()) text += " (here " + v.note + ")";
    return text;
}

/// What a line of the list says behind a peer's source.
std::string remarks_on(PeerInfo const& peer) {
    std::string text = peer.between_processes ? "" : " (threads only)";
    if (peer.max_producers == 1) text += " (producers: 1) (consumers: 1)";
    if (!peer.built) text += " (not built: needs package " + peer.package + ")";
    return text;
}

int list_variants(bool as_json) {
    auto const& all = zeroipc::variants::list();
    if (as_json) {
        auto array = nlohmann::json::array();
        for (auto const& v : all) array.push_back(to_json(v));
        for (auto const& peer : peers()) array.push_back(to_json(peer));
        std::cout << array.dump(2) << '\n';
        return 0;
    }
    std::size_t width = 0;
    for (auto const& v : all) width = std::max(width, v.name.size());
    for (auto const& v : all)
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), v.name.c_str(), v.progress.c_str(),
                    v.kill_safe ? "kill-safe" : "kill-unsafe", v.source.c_str(), remarks_on(v).c_str());
    for (auto const* bound : bounds) std::printf("%s\n", bound);
    for (auto const& peer : peers())
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), peer.name.c_str(),
                    peer.progress.c_str(), "peer", peer.source.c_str(), remarks_on(peer).c_str());
    for (auto const& language : languages())
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), language.name.c_str(), "lock-free",
                    "language", language.source().c_str(), why_missing(language) ? " (cannot run here)" : "");
    return 0;
}

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
    for (auto const& mode : a.modes) {
        sweep.modes.push_back(mode_named(mode));
    }
    for (auto const& host : a.hosts) sweep.hosts.push_back(host_named(host));
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

/// The arguments that are Google Benchmark's, our defaults in front so that the user's win. Says which have
/// no meaning.
std::vector<std::string> benchmark_arguments(std::vector<std::string> const& rest, std::uint32_t rounds,
                                             std::string const& out) {
    static constexpr std::array<std::array<char const*, 2>, 4> meaningless{{
        {"--benchmark_min_time", "a cell's length is its window (--window)"},
        {"--benchmark_min_warmup_time", "workers prefault and probe before the window"},
        {"--benchmark_perf_counters", "it would count the coordinator, not the workers"},
        {"--benchmark_enable_random_interleaving",
         "rounds are always interleaved, in an order drawn from --seed"},
    }};
    std::vector<std::string> arguments{"zeroipc-bench", "--benchmark_repetitions=" + std::to_string(rounds)};
    if (!out.empty()) {
        arguments.push_back("--benchmark_out=" + (fs::path(out) / "benchmark.json").string());
        arguments.emplace_back("--benchmark_out_format=json");
    }
    for (auto const& argument : rest) {
        auto const flag = argument.substr(0, argument.find('='));
        bool without_meaning = false;
        for (auto const& [name, why] : meaningless)
            if (flag == name) {
                std::fprintf(stderr,
                             "zeroipc-bench: %s has no meaning for process cells and is ignored: %s\n", name,
                             why);
                without_meaning = true;
            }
        if (!without_meaning) arguments.push_back(argument == "--benchmark_help" ? "--help" : argument);
    }
    return arguments;
}

/// Value of a flag of Google Benchmark: the last one counts, and without one the environment.
std::optional<std::string> last_value(std::vector<std::string> const& arguments, std::string const& flag,
                                      char const* variable) {
    for (auto at = arguments.rbegin(); at != arguments.rend(); ++at) {
        if (*at == flag) return "";
        if (at->starts_with(flag + "=")) return at->substr(flag.size() + 1);
    }
    if (auto const* const value = std::getenv(variable)) return value;
    return std::nullopt;
}

bool only_lists(std::vector<std::string> const& arguments) {
    auto const value = last_value(arguments, "--benchmark_list_tests", "BENCHMARK_LIST_TESTS");
    static constexpr std::array no{"0", "f", "n", "false", "no", "off"};
    return value && std::none_of(no.begin(), no.end(),
                                 [&](char const* word) { return ::strcasecmp(value->c_str(), word) == 0; });
}

/// Google Benchmark writes the host's name and the program's path into its file; records of ours do not name
/// them.
void anonymise(fs::path const& file) {
    std::ifstream in(file);
    auto document = nlohmann::ordered_json::parse(in, nullptr, false);
    if (document.is_discarded() || !document.contains("context")) return;
    document["context"]["host_name"] = "unknown";
    document["context"]["executable"] = "zeroipc-bench";
    write_file(file, document.dump(2) + "\n");
}

int record_history(Arguments const& a, bool capacity_given, bool workers_given, Topology const& topology) {
    if (a.variants.size() != 1 || a.capacities.size() != 1 || a.axes.workers.size() != 1 ||
        a.axes.placements.size() != 1)
        throw PlanError(
            "--record takes one --variant, one --capacity, one --placement and one number of --workers");
    RecordOptions options;
    options.variant = a.variants.front();
    if (capacity_given) options.capacity = a.capacities.front();
    if (workers_given) options.workers = a.axes.workers.front();
    options.operations = a.operations;
    options.kills = a.kills;
    options.keys = a.keys;
    options.seed = a.seed_given ? a.seed : std::random_device{}();
    if (!a.axes.placements.front().empty()) options.placement = a.axes.placements.front();
    options.explicit_cpus = a.cpus;
    try {
        auto const history = record(topology, options);
        write_history(a.record, history, a.lines ? Encoding::lines : Encoding::binary);
        std::size_t pending = 0;
        std::size_t refused = 0;
        for (auto const& op : history.operations) {
            pending += op.answer == Answer::pending ? 1U : 0U;
            refused += op.answer == Answer::full || op.answer == Answer::empty || op.answer == Answer::absent
                           ? 1U
                           : 0U;
        }
        auto const killed = std::count_if(history.workers.begin(), history.workers.end(),
                                          [](auto const& worker) { return worker.killed; });
        std::printf(
            "%s: %zu operations on %s, capacity %llu, seed %llu; %zu answered full, empty or absent; %td "
            "workers "
            "killed, %zu of them in an operation; intervals widened by up to %.0f ns\n",
            a.record.c_str(), history.operations.size(), history.variant.c_str(),
            static_cast<unsigned long long>(history.capacity), static_cast<unsigned long long>(history.seed),
            refused, killed, pending, history.skew_ns);
        return 0;
    } catch (Interrupted const&) {
        return interrupted_status;
    } catch (std::invalid_argument const& wrong) {
        throw PlanError(wrong.what());
    } catch (zeroipc::error const& wrong) {
        if (wrong.cause() == zeroipc::errc::invalid_capacity) throw PlanError(wrong.what());
        throw;
    }
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
                                  {"lock_memory", options.lock_memory}};
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
