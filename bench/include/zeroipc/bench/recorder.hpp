#pragma once
/// \file
/// Records histories: pinned processes work on one structure and note each call and return.

#include <cstdint>
#include <string>
#include <vector>

#include "clock.hpp"
#include "history.hpp"
#include "topology.hpp"

namespace zeroipc::bench {

struct RecordOptions {
    std::string variant = "queue";  ///< a name of recordable_variants(), or a structure for its default
    std::uint64_t capacity = 64;
    std::uint32_t workers = 4;
    std::uint64_t operations =
        1'000'000;            ///< of all workers together; a killed one's successor goes on with its share
    std::uint64_t kills = 0;  ///< of random workers at random moments
    std::uint32_t keys = 64;  ///< of a map
    std::uint64_t seed = 0;
    std::string placement = "spread";
    std::vector<int> explicit_cpus;
};

/// SIGINT or SIGTERM ended a recording.
struct Interrupted : std::exception {
    [[nodiscard]] char const* what() const noexcept override { return "interrupted"; }
};

/// Runs the workers and collects what they noted; at the end this process empties the structure (finds every key),
/// which is recorded too, as one more worker. Values are (worker << 48 | counter); a killed worker's successor has a
/// number of its own.
///
/// A call's stamp is taken before its first instruction, a return's behind a full fence, so that what the operation
/// stored is visible by then. Each interval is widened by what is unknown of the CPU's clock (measure_skew()).
/// \throws std::invalid_argument for options that make no sense; Interrupted; std::runtime_error if a worker fails or
/// nothing moves
History record(Topology const& topology, RecordOptions const& options);

struct RecordableVariant {
    std::string name;
    Structure structure = Structure::queue;
    bool is_default = false;  ///< of its structure
    bool kill_safe = false;
    bool linearizable = false;  ///< as it says itself, full and empty included
};

std::vector<RecordableVariant> recordable_variants();

/// For each CPU of the list an upper bound of |its clock - the first one's|, in ticks: from the exchange of stamps
/// between pinned processes, each of which bounds the difference by what lies around it. 0 for the first.
std::vector<std::uint64_t> measure_skew(Topology const& topology, ClockInfo const& clock_info,
                                        std::vector<int> const& cpus);

}  // namespace zeroipc::bench
