#pragma once
/// \file
/// The planner: which cells a run has, and in which order. Pure but for reading a suite's file.

#include <zeroipc/variants/catalogue.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cell.hpp"

namespace zeroipc::bench {

/// A request that cannot be planned. The message says what was wrong and what there is instead.
class PlanError : public std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// A product of lists: every combination becomes a cell.
struct Sweep {
    std::vector<Mode> modes{Mode::throughput};
    std::vector<Host> hosts{};          ///< empty: processes, and threads for what can be nothing else
    std::vector<std::string> variants;  ///< names, or patterns with * and ?
    std::vector<std::uint32_t> producers{1};
    std::vector<std::uint32_t> consumers{1};
    std::vector<std::uint32_t> payloads{8};
    std::vector<std::uint64_t> capacities{1024};
    std::vector<std::uint64_t> windows_ns{100'000'000};
    std::vector<std::string> placements{""};  ///< names of strategies; empty: the run's own
    std::vector<std::string> homes{"producer"};
    std::vector<std::uint64_t> thinks_ns{0};
    // Of mode latency:
    std::vector<std::uint32_t> load_percents{0};
    std::vector<std::string> arrivals{"poisson"};
    // Of queues:
    std::vector<std::uint32_t> batches{1};
    std::vector<Calls> calls{Calls::attempts};
    std::vector<std::string> victims{"any"};  ///< mode kill
    // Of stacks and maps, whose workers have no roles:
    std::vector<std::uint32_t> workers{1};
    std::vector<std::uint32_t> push_percents{50};
    std::vector<std::uint32_t> filled_percents{50};
    std::vector<std::uint32_t> range_percents{0};  ///< of maps
    std::vector<std::string> mixes{"r90i5e5"};
    std::vector<std::string> keys{"uniform"};
    /// Diagnosis: throughput cells of variants, and of bound/fetch_add where it is named, with each of these, and
    /// as often as there are replicas.
    std::vector<double> handicaps_ns{0};
    bool handicap_all = false;
    std::uint32_t replicas = 1;
};

struct Suite {
    std::string name = "ad-hoc";
    std::uint32_t rounds = 10;
    std::vector<Sweep> sweeps;
    std::vector<std::string> left_out{};  ///< sentences: what its file names and is not built here
};

/// \throws PlanError that says which there are.
Mode mode_named(std::string const& name);

/// \throws PlanError that says which there are.
Host host_named(std::string const& name);

/// \throws PlanError that says which there are.
Calls calls_named(std::string const& name);

/// Whether the workers of a variant, bound or peer can be that. A peer may be for the threads of one process only, a pipe
/// is for processes.
bool can_be_hosted(std::string_view variant, Host host);

/// Reads a suite's TOML file, without the peers that are not built. \throws PlanError with file, line and key of what is wrong.
Suite read_suite(std::filesystem::path const& file);

/// The cells of a suite, bounds included, each once, in a fixed order. Ping-pong cells have one worker a
/// side, so other counts add nothing to them. Queues are swept over producers and consumers, stacks and maps over
/// workers. Points with more producers or consumers than a variant takes are
/// left out for it. \throws PlanError: unknown variant (names the nearest), payload or capacity that no variant
/// takes, a variant named that takes none of the sweep's numbers of workers.
std::vector<Cell> expand(Suite const& suite);

/// Order of the cells in each round: a permutation a round, drawn from the seed.
std::vector<std::vector<std::size_t>> draw_rounds(std::size_t cells, std::uint32_t rounds,
                                                  std::uint64_t seed);

/// Whether a handicap is meant for all workers (`all`) or the first (`first`). \throws PlanError for other words.
bool handicap_of_all(std::string const& workers);

/// Names in the catalogue and of the bounds that are nearest to `name` by edit distance, best first.
std::vector<std::string> nearest_names(std::string_view name, std::size_t most = 3);

/// What a pattern may stand for: the catalogue without what is wrong on purpose.
std::vector<variants::variant_info> const& measured();

/// Variants that a name or pattern stands for. One that is wrong on purpose is meant only by its whole name.
/// \throws PlanError if there is none.
std::vector<std::string> match_variants(std::string const& pattern);

/// What the catalogue says of a name; null if it has none.
variants::variant_info const* info_of(std::string_view name);

}  // namespace zeroipc::bench
