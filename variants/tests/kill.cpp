/// \file
/// zeroipc-kill: kills processes at random moments of their work on each variant of the catalogue, and says what it cost.

#include <fnmatch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kill_figures.hpp"
#include "kill_subjects.hpp"
#include "zeroipc/tools/progress.hpp"
#include "zeroipc_kills.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

constexpr int usage_error = 2;
constexpr int interrupted_status = 130;

using subject = kill_subject;

/// Everything that can be killed on.
std::vector<subject> subjects() {
    auto all = queue_kill_subjects();
    for (auto&& more : {stack_kill_subjects(), map_kill_subjects()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}

/// The signals that end a run early. They are blocked, here and in all children, and looked for: so workers do not
/// die of a terminal's Ctrl-C, and nothing is left behind.
sigset_t ending_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (int const one : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, one);
    return set;
}

bool asked_to_end() {
    static bool asked = false;
    auto const set = ending_signals();
    std::timespec const at_once{};
    if (!asked) asked = ::sigtimedwait(&set, nullptr, &at_once) > 0;
    return asked;
}

struct arguments {
    std::uint64_t kills = 1000;
    std::vector<std::string> variants;
    kill_plan plan;
    std::optional<std::uint64_t> seed;
    double patience_s = 30;
    double slice_ms = 50;
    std::string json;
    bool list = false;
};

void describe(CLI::App& app, arguments& a) {
    app.description(
        "Kills processes at random moments while they work on a structure, and says what that cost.\n\n"
        "Two survivors work all the time. Beside them a crowd of workers is killed (SIGKILL), one after the "
        "other,\n"
        "inside operations and inside their opening; a newcomer takes each one's place and recovers what it "
        "had.\n"
        "After at most 500 kills everything is examined: items missing and doubled, handle slots parked, the "
        "full\n"
        "capacity. An item may be missing only for a kill inside the operation that took it out.");
    app.footer(
        "Examples:\n"
        "  zeroipc-kill                                          1,000 kills over all variants that claim "
        "kill safety\n"
        "  zeroipc-kill --kills 10000 --json kills.json          more, with all figures in a file\n"
        "  zeroipc-kill --variant 'queue/exchange/*' --crowd 6   some variants, under more contention\n"
        "  zeroipc-kill --variant 'queue/ticket/*'               one that is not kill-safe: shows how it "
        "stops\n\n"
        "Exit status: 0 nothing wrong, 1 a fault was found, 2 wrong usage, 130 interrupted (what was "
        "measured until\n"
        "then is reported).");
    app.add_option("--kills", a.kills, "Kills, over all chosen variants together; default 1000")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100000000}));
    app.add_option("--variant", a.variants,
                   "Names or patterns of variants (* and ?); default: all that claim kill safety")
        ->delimiter(',')
        ->take_all();
    app.add_option("--crowd", a.plan.crowd, "Workers alive at once beside the two survivors; default 2")
        ->check(CLI::Range(std::uint64_t{1}, most_crowd));
    app.add_option("--capacity", a.plan.capacity, "Capacity in items, for queues a power of two; default 64")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20));
    app.add_option("--seed", a.seed, "Seed of the moments and places; default: drawn, and printed");
    app.add_option("--slices", a.plan.slices,
                   "Slices of the survivors' throughput, before and after the kills; default 20; 0: none")
        ->check(CLI::Range(0U, 100000U));
    app.add_option("--slice-ms", a.slice_ms, "Length of a slice in ms; default 50")
        ->check(CLI::Range(1.0, 60000.0));
    app.add_option("--patience", a.patience_s,
                   "Seconds without progress after which a variant counts as stopped; default 30")
        ->check(CLI::Range(0.1, 3600.0));
    app.add_option("--json", a.json, "File for the figures; - for standard output");
    app.add_flag("--list", a.list, "List the variants");
}

std::vector<subject> chosen(arguments const& a) {
    auto all = subjects();
    std::vector<subject> some;
    for (auto const& pattern : a.variants)
        if (std::none_of(all.begin(), all.end(), [&](subject const& one) {
                return ::fnmatch(pattern.c_str(), one.name.c_str(), 0) == 0;
            }))
            throw std::invalid_argument("no variant matches '" + pattern + "'; --list shows all");
    for (auto& one : all)
        if (a.variants.empty() ? one.kill_safe && !one.wrong_on_purpose && a.plan.crowd < one.most_workers
                               : std::any_of(a.variants.begin(), a.variants.end(), [&](auto const& pattern) {
                                     return ::fnmatch(pattern.c_str(), one.name.c_str(), 0) == 0;
                                 }))
            some.push_back(std::move(one));
    for (auto const& one : some) {
        if (a.plan.crowd >= one.most_workers)
            throw std::invalid_argument(one.name + " takes at most " + std::to_string(one.most_workers) +
                                        " producers or consumers, and a survivor and --crowd " +
                                        std::to_string(a.plan.crowd) + " are more; name others");
        if (a.plan.capacity < one.min_capacity)
            throw std::invalid_argument(one.name + " needs a capacity of at least " +
                                        std::to_string(one.min_capacity) + "; raise --capacity");
        if (one.name.starts_with("queue/") && (a.plan.capacity & (a.plan.capacity - 1)) != 0)
            throw std::invalid_argument("--capacity " + std::to_string(a.plan.capacity) +
                                        " is not a power of two, which queues need; use 1, 2, 4, 8, ...");
    }
    return some;
}

void write_json(std::string const& path, nlohmann::ordered_json const& document) {
    if (path == "-") {
        std::cout << document.dump(2) << '\n';
        return;
    }
    std::ofstream file(path);
    file << document.dump(2) << '\n';
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path + "; name a file that can be written");
}

int run(int argc, char** argv) {
    arguments a;
    a.plan.slices = 20;
    CLI::App app;
    describe(app, a);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong) == 0 ? 0 : usage_error;
    }
    if (a.list) {
        for (auto const& one : subjects())
            std::printf("%-40s %s\n", one.name.c_str(), one.kill_safe ? "kill-safe" : "not kill-safe");
        return 0;
    }
    auto const some = chosen(a);
    if (!a.json.empty() && a.json != "-") write_json(a.json, {});  // said now rather than after an hour
    a.plan.seed = a.seed.value_or(std::random_device{}());
    a.plan.patience = std::chrono::milliseconds(static_cast<long>(a.patience_s * 1000));
    a.plan.slice = std::chrono::milliseconds(std::max(1L, static_cast<long>(a.slice_ms)));
    auto* const text = a.json == "-" ? stderr : stdout;
    std::fprintf(text, "%llu kills over %zu variants, seed %llu\n", static_cast<unsigned long long>(a.kills),
                 some.size(), static_cast<unsigned long long>(a.plan.seed));
    std::fflush(text);

    auto const set = ending_signals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    auto variants = nlohmann::ordered_json::array();
    std::uint64_t killed = 0;
    std::size_t faulty = 0;
    {
        tools::Progress progress(a.kills, "kills");
        for (std::size_t i = 0; i < some.size() && !asked_to_end(); ++i) {
            auto plan = a.plan;
            plan.kills = a.kills / some.size() + (i < a.kills % some.size() ? 1 : 0);
            if (plan.kills == 0) break;
            progress.begin(some[i].name);
            auto const report = some[i].run(plan, {[&] { progress.end_step(); }, asked_to_end});
            progress.skip(plan.kills - std::min(plan.kills, report.kills));
            killed += report.kills;
            faulty += !report.faults.empty();
            progress.hide();
            kill_figures const figures(report, plan);
            std::fputs(figures.text(some[i].name, some[i].kill_safe).c_str(), text);
            std::fflush(text);
            variants.push_back(figures.json(some[i].name, some[i].kill_safe));
        }
    }
    bool const interrupted = asked_to_end();
    if (!a.json.empty())
        write_json(a.json, {{"schema", "zeroipc-kill/1"},
                            {"seed", a.plan.seed},
                            {"kills", killed},
                            {"crowd", a.plan.crowd},
                            {"capacity", a.plan.capacity},
                            {"interrupted", interrupted},
                            {"variants", variants}});
    std::fprintf(text, "%llu kills on %zu variants: %s%s\n", static_cast<unsigned long long>(killed),
                 variants.size(),
                 faulty == 0 ? "no fault" : (std::to_string(faulty) + " with faults").c_str(),
                 interrupted ? "; interrupted" : "");
    return interrupted ? interrupted_status : faulty == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (std::invalid_argument const& wrong) {
        std::fprintf(stderr, "zeroipc-kill: %s\n", wrong.what());
        return usage_error;
    } catch (std::exception const& failure) {
        std::fprintf(stderr, "zeroipc-kill: %s\n", failure.what());
        return 1;
    }
}
