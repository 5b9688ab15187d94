#include "arguments.hpp"

#include <charconv>
#include <stdexcept>

#include "zeroipc/bench/perf_counters.hpp"
#include "zeroipc/bench/placement.hpp"

namespace zeroipc::bench {

namespace {

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

}  // namespace

std::string usual_perf_events() {
    std::string list;
    for (auto const& event : default_perf_events()) list += (list.empty() ? "" : ",") + event;
    return list;
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
        app.add_option("--calls", a.calls,
                       "A queue's operations: try (those that answer full or empty), wait (those that "
                       "wait, as the variant's way of waiting has it); default try"));
    list_option(
        app.add_option("--workers", a.axes.workers,
                       "Workers of stacks and maps, each of which does everything; default 1. With --record: "
                       "of all structures; default 4"));
    list_option(
        app.add_option("--push-percent", a.axes.push_percents, "Share of a stack's pushes; default 50"));
    list_option(app.add_option("--filled-percent", a.axes.filled_percents,
                               "What a stack or map holds before the window, of its capacity; default 50"));
    list_option(
        app.add_option("--range-percent", a.axes.range_percents,
                       "How many keys a map's are drawn from, of those that it holds before the window: with "
                       "200 every other one misses; default 0: 100, or 200 if the mix inserts or erases"));
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
    app.add_option("--governor", a.frequency.governor,
                   "Set the governor of every CPU's frequency for the time of the run, for example "
                   "performance; default: left alone. Needs root");
    app.add_option("--turbo", a.frequency.turbo,
                   "Set turbo on or off for the time of the run; default: left alone. Needs root");
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

}  // namespace zeroipc::bench
