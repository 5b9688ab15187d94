#include "benchmark_flags.hpp"

#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "zeroipc/bench/record.hpp"

namespace zeroipc::bench {

namespace fs = std::filesystem;

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

void anonymise(fs::path const& file) {
    if (!fs::exists(file)) return;
    std::ifstream in(file);
    auto document = nlohmann::ordered_json::parse(in, nullptr, false);
    if (document.is_discarded() || !document.contains("context")) {
        // Google Benchmark does not look whether its writing succeeds; and a part of it may name the host.
        fs::remove(file);
        throw std::runtime_error(
            file.string() +
            " was not written whole (is the disk full?) and is removed; records.jsonl has "
            "every run");
    }
    document["context"]["host_name"] = "unknown";
    document["context"]["executable"] = "zeroipc-bench";
    write_file(file, document.dump(2) + "\n");
}

}  // namespace zeroipc::bench
