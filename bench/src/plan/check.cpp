#include "check.hpp"

#include <zeroipc/error.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "join.hpp"
#include "zeroipc/bench/kill_board.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/mix.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/subject.hpp"

namespace zeroipc::bench {

namespace {

void check(bool right, std::string const& message) {
    if (!right) throw PlanError(message);
}

constexpr std::uint32_t most_replicas = 1000;
constexpr std::uint64_t least_kill_window_ns = 100'000'000;

}  // namespace

void check_cell(Cell const& cell) {
    auto const sizes = cell.is_peer()       ? peer_payload_sizes
                       : cell.is_language() ? std::vector{language_payload_bytes}
                                            : payload_sizes(cell.structure());
    auto const text = [](auto number) { return std::to_string(number); };
    check(std::find(sizes.begin(), sizes.end(), cell.payload_bytes) != sizes.end(),
          "payload of " + text(cell.payload_bytes) + " bytes; " + std::string(cell.structure()) +
              (cell.is_peer()       ? " peers"
               : cell.is_language() ? "s of other languages"
                                    : " variants") +
              " are compiled for " + join(sizes));
    check(!cell.is_peer() || cell.home == "producer" || cell.home == "left",
          "home '" + cell.home + "' of " + cell.variant +
              "; what a peer allocates lies where its first worker runs: use producer or left");
    // Each by itself too: their sum may not fit.
    bool const roles = cell.structure() == "queue" || (cell.is_bound() && !cell.is_alone());
    check(cell.producers >= 1 && (!roles || cell.consumers >= 1) && cell.producers <= most_workers &&
              cell.consumers <= most_workers && cell.workers() <= most_workers,
          text(cell.producers) + " producers and " + text(cell.consumers) +
              " consumers; use at least one each and at most " + text(most_workers) + " together");
    check(cell.window_ns >= 1'000'000, "a window below 1 ms");
    check(cell.replica < most_replicas, "more than " + text(most_replicas) + " replicas of a cell");
    // Longer, and a worker could spin past its window's end.
    check(cell.handicap_ns >= 0 && cell.handicap_ns <= static_cast<double>(cell.window_ns) / 10,
          "a handicap of " + text(cell.handicap_ns) + " ns; use 0 to a tenth of the window, " +
              text(cell.window_ns / 10) + " ns");
    check(cell.think_ns <= 1'000'000'000,
          "a think time of " + text(cell.think_ns) + " ns; use at most a second");
    check(cell.batch >= 1 && cell.batch <= 4096, "batches of " + text(cell.batch) + "; use 1 to 4096");
    check(cell.calls == Calls::attempts || cell.can_wait(),
          "calls wait of " + cell.variant + " with batches of " + text(cell.batch) + ", items of " +
              text(cell.payload_bytes) + " bytes, in mode " + to_string(cell.mode) + "; single items of " +
              join(waiting_payload_sizes) +
              " bytes in the catalogue's queues can be waited for, in modes throughput, pingpong, latency");
    check(cell.push_percent <= 100, "push_percent is " + text(cell.push_percent) + "; use 0 to 100");
    check(cell.filled_percent <= 100, "filled_percent is " + text(cell.filled_percent) + "; use 0 to 100");
    check(cell.range_percent <= 100'000,
          "range_percent is " + text(cell.range_percent) + "; use 1 to 100000, or 0: as the mix needs");
    check(cell.load_percent <= 200,
          "load_percent is " + text(cell.load_percent) + "; use 1 to 200, or 0: a closed loop");
    check(cell.arrivals == "poisson" || cell.arrivals == "constant",
          "arrivals '" + cell.arrivals + "'; use poisson or constant");
    check(cell.mode != Mode::latency || cell.window_ns <= 60'000'000'000,
          "mode latency has windows of at most a minute");
    if (cell.mode == Mode::kill) {
        check(cell.host == Host::processes, "host threads; mode kill kills processes");
        check(!cell.is_peer() && !cell.is_language(),
              "'" + cell.variant + "'; mode kill is for variants of the catalogue");
        check(cell.payload_bytes == kill_payload_bytes, "payload of " + text(cell.payload_bytes) +
                                                            " bytes; mode kill is compiled for " +
                                                            text(kill_payload_bytes));
        check(cell.window_ns >= least_kill_window_ns,
              "a window of " + text(cell.window_ns / 1'000'000) +
                  " ms; mode kill counts in intervals of 10 ms, use " +
                  text(least_kill_window_ns / 1'000'000) + " or more");
        check(cell.workers() + processes_beside(cell.mode) <= most_workers,
              text(cell.workers()) + " workers; mode kill has at most " +
                  text(most_workers - processes_beside(cell.mode)));
        check(cell.victim == "producer" || cell.victim == "consumer" || cell.victim == "any",
              "victim '" + cell.victim + "'; use producer, consumer or any");
        check(cell.workers() >= 2, "mode kill needs a survivor: use at least 2 workers");
    }
    try {
        static_cast<void>(home_named(cell.home));
    } catch (std::invalid_argument const& wrong) {
        throw PlanError(wrong.what());
    }
    check(parse_mix(cell.mix).has_value(),
          "mix '" + cell.mix +
              "'; use ycsb-a to ycsb-f, or letters with percentages that sum up to 100, such as r90i5e5");
    check(parse_keys(cell.keys).has_value(), "keys '" + cell.keys + "'; use uniform, zipf0.99 or hot10-90");
    check(cell.structure() != "map" || cell.capacity < (std::uint64_t{1} << 31),
          "a map for " + text(cell.capacity) + " keys; cells have fewer than 2^31");
    std::string strategies;
    for (auto const& one : placement_strategies()) strategies += (strategies.empty() ? "" : ", ") + one.name;
    check(cell.placement.empty() ||
              (", " + strategies + ", ").find(", " + cell.placement + ", ") != std::string::npos,
          "placement '" + cell.placement + "'; use one of " + strategies);
    try {
        find_subject(cell.variant, cell.payload_bytes)->bytes(cell);
    } catch (zeroipc::error const& refused) {
        throw PlanError(refused.what());
    }
}

}  // namespace zeroipc::bench
