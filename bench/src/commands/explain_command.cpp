#include "explain_command.hpp"

#include <zeroipc/error.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "../explain/disassembly.hpp"
#include "../explain/perf.hpp"
#include "../explain/watched_run.hpp"
#include "explanation.hpp"
#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench {

namespace {

constexpr int run_failed = 1;
constexpr int usage_error = 2;
constexpr int no_perf = 3;

struct Arguments {
    std::string variant;
    std::uint32_t payload = 8;
    std::uint64_t capacity = 1024;
    std::optional<std::uint32_t> handles;
    bool as_json = false;
    bool full = false;
    WatchedRun run;
    double window_ms = 1000;
};

void describe(CLI::App& app, Arguments& a) {
    app.description(
        "Explains one variant: where its bytes go, what its operations compile to (atomic instructions and "
        "fences are\n"
        "marked and counted), and, with --perf, what perf says of a worker of a throughput run.");
    app.footer(
        "Examples:\n"
        "  zeroipc-bench explain queue                                 the default queue\n"
        "  zeroipc-bench explain queue/ticket/acq_rel/exp/compact --payload 64 --capacity 65536\n"
        "  zeroipc-bench explain map --full                            all instructions, not those about the "
        "marked\n"
        "  zeroipc-bench explain queue --perf stat --worker 1 -- -e cycles,cache-misses\n"
        "  zeroipc-bench explain stack --perf record --workers 2 -- -o stack.data\n\n"
        "What stands behind -- goes to perf. Exit status: 0, 1 the run failed, 2 wrong usage, 3 perf is not "
        "here or\n"
        "not permitted.");
    app.add_option("variant", a.variant,
                   "A variant (zeroipc-bench --list), or queue, stack, map: the default")
        ->required();
    app.add_option("--payload", a.payload, "Bytes of an item, or of a map's value; default 8");
    app.add_option("--capacity", a.capacity, "In items; default 1024");
    app.add_option("--handles", a.handles,
                   "Handle slots, where the variant has such; default: its structure's");
    app.add_flag("--json", a.as_json, "As one JSON object");
    app.add_flag("--full", a.full, "All instructions of the operations");
    auto* const perf = app.add_option("--perf", a.run.tool, "stat or record: run a worker under perf")
                           ->check(CLI::IsMember({"stat", "record"}));
    app.add_option("--worker", a.run.worker, "With --perf: which worker, producers first; default 0")
        ->needs(perf);
    app.add_option("--producers", a.run.producers, "With --perf: producers of a queue; default 1")
        ->needs(perf);
    app.add_option("--consumers", a.run.consumers, "With --perf: consumers of a queue; default 1")
        ->needs(perf);
    app.add_option("--workers", a.run.workers, "With --perf: workers of a stack or map; default 1")
        ->needs(perf);
    app.add_option("--window", a.window_ms, "With --perf: the timed window in ms; default 1000")
        ->needs(perf)
        ->check(CLI::Range(1.0, 3.6e6));
}

std::string one_variant(std::string const& name) {
    auto const matches = match_variants(name);
    if (matches.size() != 1)
        throw PlanError("explain takes one variant; '" + name + "' stands for " +
                        std::to_string(matches.size()) + ", the first of them " + matches.front());
    auto const& one = matches.front();
    if (info_of(one) == nullptr)
        throw PlanError(one + (structure_of(one) == "bound" ? " is a bound" : " is of another library") +
                        ": there is no structure to explain");
    return one;
}

/// The bytes and the code.
Explanation explain(Arguments const& a) {
    auto const* const info = info_of(a.variant);
    Explanation e{*info, a.payload, a.capacity, 0, {}, {}, {}, {}};
    auto const& sizes = explained(a.variant);
    auto const size = sizes.find(a.payload);
    if (size == sizes.end()) {
        std::string known;
        for (auto const& [bytes, ignored] : sizes)
            known += (known.empty() ? "" : ", ") + std::to_string(bytes);
        throw PlanError("payload of " + std::to_string(a.payload) + " bytes; " + info->structure +
                        " variants are compiled for " + known);
    }
    e.handle_slots = a.handles.value_or(size->second.usual_handles);
    e.parts = size->second.parts(a.capacity, e.handle_slots);
    try {
        for (auto const& operation : size->second.operations)
            e.operations.emplace_back(operation.name, disassemble(operation.code));
    } catch (NoDisassembly const& why) {
        e.operations.clear();
        e.why_no_code = why.what();
    }
    return e;
}

}  // namespace

int explain_command(int argc, char const* const* argv, std::ostream& out, std::ostream& err) {
    Arguments a;
    CLI::App app("", "zeroipc-bench explain");
    describe(app, a);
    auto const* const* const end = argv + argc;
    auto const* const* const dashes = std::find(argv, end, std::string_view("--"));
    try {
        app.parse(static_cast<int>(dashes - argv), argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong, out, err) == 0 ? 0 : usage_error;
    }
    auto const fails = [&](char const* what, int status) {
        err << "zeroipc-bench explain: " << what << '\n';
        return status;
    };
    try {
        if (dashes != end) a.run.perf_arguments.assign(dashes + 1, end);
        if (a.run.tool.empty() && !a.run.perf_arguments.empty())
            throw PlanError("what stands behind -- goes to perf; use it with --perf");
        a.variant = one_variant(a.variant);
        auto explanation = explain(a);
        if (!a.run.tool.empty()) {
            a.run.window_ns = static_cast<std::uint64_t>(a.window_ms * 1e6);
            explanation.watched = run_watched(a.run, a.variant, a.payload, a.capacity);
        }
        if (a.as_json)
            out << to_json(explanation).dump(2) << '\n';
        else
            print(explanation, a.full, out);
        return 0;
    } catch (PlanError const& wrong) {
        return fails(wrong.what(), usage_error);
    } catch (zeroipc::error const& wrong) {  // a capacity, or a number of handle slots, that there is not
        return fails(wrong.what(), usage_error);
    } catch (NoPerf const& missing) {
        return fails(missing.what(), no_perf);
    } catch (std::exception const& failure) {
        return fails(failure.what(), run_failed);
    }
}

}  // namespace zeroipc::bench
