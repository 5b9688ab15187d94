// zeroipc-check: judges a recorded history.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "zeroipc/bench/history.hpp"
#include "zeroipc/bench/monitor.hpp"

namespace {

using namespace zeroipc::bench;

constexpr int usage_error = 2;

struct Arguments {
    std::string file;
    CheckLimits limits;
    bool json = false;
};

int status_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::linearizable:
            return 0;
        case Verdict::violation:
            return 1;
        case Verdict::undecided:
            break;
    }
    return 3;
}

void print_json(History const& history, Judgement const& judged, double seconds) {
    nlohmann::ordered_json out{{"verdict", to_string(judged.verdict)},
                               {"rule", judged.rule},
                               {"why", judged.why},
                               {"operations", nlohmann::ordered_json::array()},
                               {"structure", to_string(history.structure)},
                               {"variant", history.variant},
                               {"operation_count", history.operations.size()},
                               {"ordered_count", judged.returns},
                               {"quiescent_moments", judged.quiescent},
                               {"most_open", judged.widest},
                               {"steps", judged.steps},
                               {"seconds", seconds}};
    for (auto const i : judged.operations) {
        auto const& op = history.operations[i];
        nlohmann::ordered_json one{{"index", i}, {"worker", op.worker}, {"call", op.call}};
        one["return"] = op.ret == never ? nlohmann::ordered_json() : nlohmann::ordered_json(op.ret);
        one["text"] = describe(history, i);
        out["operations"].push_back(std::move(one));
    }
    std::cout << out.dump(2) << '\n';
}

void print(History const& history, Judgement const& judged, double seconds) {
    std::printf(
        "%s: %zu operations on %s (%s), judged in %.2f s; at most %llu open at once, %llu moments without "
        "any\n",
        std::string(to_string(judged.verdict)).c_str(), history.operations.size(),
        std::string(to_string(history.structure)).c_str(), history.variant.c_str(), seconds,
        static_cast<unsigned long long>(judged.widest), static_cast<unsigned long long>(judged.quiescent));
    if (judged.verdict == Verdict::linearizable) return;
    std::printf("%s: %s\n", judged.rule.c_str(), judged.why.c_str());
    if (judged.verdict == Verdict::undecided)
        std::printf("The history is neither right nor wrong for all that was tried; --steps allows more.\n");
}

int run(int argc, char** argv) {
    Arguments a;
    CLI::App app;
    app.description(
        "Judges whether a recorded history is linearizable: whether one order of its operations, each at a "
        "moment\n"
        "between its call and its return, explains every answer.");
    app.footer(
        "Examples:\n"
        "  zeroipc-bench --record h.zh --variant stack --kills 20\n"
        "  zeroipc-check h.zh\n"
        "  zeroipc-check --json h.zh\n\n"
        "Exit status: 0 linearizable, 1 a violation (the operations are named), 2 wrong usage or no "
        "history,\n"
        "3 not decided within the steps.");
    app.add_option("file", a.file,
                   "A history, from zeroipc-bench --record or your own (bench/docs/checking.md)")
        ->required();
    app.add_option("--steps", a.limits.steps,
                   "Choices that the search may try; default: 2 an operation, and a million");
    app.add_flag("--json", a.json, "Print a JSON object");
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& wrong) {
        return app.exit(wrong) == 0 ? 0 : usage_error;
    }
    auto const history = read_history(a.file);
    auto const begin = std::chrono::steady_clock::now();
    auto const judged = judge(history, a.limits);
    auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (a.json)
        print_json(history, judged, seconds);
    else
        print(history, judged, seconds);
    return status_of(judged.verdict);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (std::exception const& wrong) {
        std::fprintf(stderr, "zeroipc-check: %s\n", wrong.what());
        return usage_error;
    }
}
