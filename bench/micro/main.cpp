/// \file
/// zeroipc-micro: single operations of the structures, in one process, beside those of other libraries.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "micro.hpp"

#if defined(ZEROIPC_PEER_BOOST)
#include <boost/version.hpp>
#endif
#if defined(ZEROIPC_PEER_CDS)
#include <cds/version.h>
#endif
#if defined(ZEROIPC_PEER_TBB)
#include <tbb/version.h>
#endif

namespace {

using namespace zeroipc;

/// The libraries compared with, with their versions where they say.
std::string peers() {
    std::string all;
    [[maybe_unused]] auto const have = [&all](std::string const& peer) {
        all += (all.empty() ? "" : ", ") + peer;
    };
#if defined(ZEROIPC_PEER_ATOMIC_QUEUE)
    have("atomic_queue");
#endif
#if defined(ZEROIPC_PEER_BOOST)
    have("boost " BOOST_LIB_VERSION);
#endif
#if defined(ZEROIPC_PEER_CDS)
    have("cds " CDS_VERSION_STRING);
#endif
#if defined(ZEROIPC_PEER_CK)
    have("ck");
#endif
#if defined(ZEROIPC_PEER_TBB)
    have("tbb " TBB_VERSION_STRING);
#endif
#if defined(ZEROIPC_PEER_XENIUM)
    have("xenium");
#endif
    return all.empty() ? "none" : all;
}

void describe(CLI::App& app, micro::options& chosen) {
    app.description(
        "Times single operations of the structures, in one process, beside the same operations of other\n"
        "libraries. scripts/micro runs it and makes ratios.");
    app.footer("All flags of Google Benchmark work; it lists them with --benchmark_help.");
    app.add_option("--keys", chosen.keys, "Keys of the maps that are searched and filled")
        ->capture_default_str()
        ->check(CLI::Range(2, 100'000'000));
    app.add_option("--turnover-capacity", chosen.turnover_capacity,
                   "Capacity of the map that is turned over a hundred times: a power of two")
        ->capture_default_str()
        ->check(CLI::Range(16, 1 << 28));
    app.add_option("--largest", chosen.largest_bytes,
                   "Bytes of the items of the largest structure that is created: a power of two")
        ->capture_default_str()
        ->check(CLI::Range(1024, 1 << 30));
    app.add_option("--separate-cores-ns", chosen.separate_cores_ns,
                   "Cache-line round trip in ns from which on virtual CPUs count as separate cores")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
}

bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

/// \return the arguments that are Google Benchmark's.
std::vector<std::string> benchmark_arguments(std::vector<std::string> const& rest) {
    std::vector<std::string> arguments{"zeroipc-micro"};
    for (auto const& one : rest) arguments.push_back(one == "--benchmark_help" ? "--help" : one);
    return arguments;
}

void register_all() {
    micro::register_queue();
    micro::register_stack();
    micro::register_map();
    micro::register_turnover();
    micro::register_creation();
    benchmark::AddCustomContext("peers", peers());
    benchmark::AddCustomContext("two_processes", micro::register_processes());
    benchmark::AddCustomContext("keys", std::to_string(micro::chosen().keys));
    benchmark::AddCustomContext("turnover_capacity", std::to_string(micro::chosen().turnover_capacity));
}

}  // namespace

int main(int argc, char** argv) {
    auto& chosen = micro::chosen();
    CLI::App app("", "zeroipc-micro");
    describe(app, chosen);
    app.allow_extras();
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (!is_power_of_two(chosen.turnover_capacity) || !is_power_of_two(chosen.largest_bytes)) {
        std::fprintf(stderr, "zeroipc-micro: --turnover-capacity and --largest take powers of two\n");
        return 2;
    }
    auto arguments = benchmark_arguments(app.remaining());
    std::vector<char*> pointers;
    for (auto& one : arguments) pointers.push_back(one.data());
    int count = static_cast<int>(pointers.size());
    pointers.push_back(nullptr);
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;

    micro::sweep();
    register_all();
    auto const ran = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    if (ran == 0) {
        std::fprintf(stderr, "zeroipc-micro: no benchmark matches; --benchmark_list_tests shows all\n");
        return 2;
    }
    return micro::any_failed() ? 1 : 0;
}
