#include "zeroipc/bench/plan.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "check.hpp"
#include "join.hpp"
#include "names.hpp"
#include "zeroipc/bench/peers.hpp"

namespace zeroipc::bench {

bool handicap_of_all(std::string const& workers) {
    if (workers != "first" && workers != "all")
        throw PlanError("a handicap of the workers '" + workers + "'; use first or all");
    return workers == "all";
}

namespace {

/// Every cell of the list with every value of an axis.
template <class Value>
void vary(std::vector<Cell>& cells, std::vector<Value> const& values, Value Cell::*axis) {
    std::vector<Cell> all;
    all.reserve(cells.size() * values.size());
    for (auto const& cell : cells)
        for (auto const& value : values) {
            all.push_back(cell);
            all.back().*axis = value;
        }
    cells = std::move(all);
}

/// Collects the cells of a plan, each once.
class Collector {
public:
    void add(Cell const& cell) {
        if (!keys_.insert(cell.key()).second) return;
        check_cell(cell);
        cells_.push_back(cell);
    }
    /// A throughput cell with each handicap, and as often as there are replicas.
    void add_handicapped(Sweep const& sweep, Cell cell) {
        bool const plain = cell.mode != Mode::throughput;
        for (auto const handicap : plain ? std::vector<double>{0} : sweep.handicaps_ns) {
            cell.handicap_ns = handicap;
            cell.handicap_all = handicap != 0 && sweep.handicap_all;
            for (cell.replica = 0; cell.replica < sweep.replicas; ++cell.replica) add(cell);
        }
    }
    void add_bound(char const* name, Cell const& point) { add(bound_at(name, point)); }
    /// All that a bound has of a point is where and for how long it runs: it has no axes of its own.
    static Cell bound_at(char const* name, Cell const& cell) {
        Cell bound;
        bound.variant = name;
        bound.mode = cell.mode;
        bound.host = cell.host;
        bound.producers = cell.producers;
        bound.consumers = cell.consumers;
        bound.window_ns = cell.window_ns;
        if (name != bound_empty) bound.placement = cell.placement;  // it has nothing to be near to
        bound.home = cell.home;
        if (bound.is_kernel_queue()) bound.payload_bytes = cell.payload_bytes;
        if (bound.has_capacity()) bound.capacity = cell.capacity;
        return bound;
    }
    std::vector<Cell> take() { return std::move(cells_); }

private:
    std::vector<Cell> cells_;
    std::set<std::string> keys_;
};

/// Points of mode latency with each load, those of mode kill with each victim; the others as they are.
std::vector<Cell> with_loads(Sweep const& sweep, std::vector<Cell> points) {
    std::vector<Cell> all;
    for (auto& point : points) {
        std::vector<Cell> some{point};
        if (point.mode == Mode::latency) {
            some.front().batch = 1;
            some.front().think_ns = 0;
            vary(some, sweep.load_percents, &Cell::load_percent);
            vary(some, sweep.arrivals, &Cell::arrivals);
        } else if (point.mode == Mode::kill) {
            some.front().batch = 1;
            if (point.consumers != 0) vary(some, sweep.victims, &Cell::victim);
        }
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

/// The points of a queue's sweep: what a cell is but for variant and capacity.
std::vector<Cell> queue_points(Sweep const& sweep, std::vector<Cell> points) {
    vary(points, sweep.modes, &Cell::mode);
    vary(points, sweep.payloads, &Cell::payload_bytes);
    vary(points, sweep.batches, &Cell::batch);
    vary(points, sweep.calls, &Cell::calls);
    vary(points, sweep.producers, &Cell::producers);
    vary(points, sweep.consumers, &Cell::consumers);
    for (auto& point : points) {
        if (point.mode == Mode::kill) point.calls = Calls::attempts;
        if (point.calls == Calls::waiting) point.batch = 1;
        if (point.mode == Mode::pingpong) {
            point.producers = point.consumers = point.batch = 1;
            point.think_ns = 0;
        }
    }
    return with_loads(sweep, std::move(points));
}

/// Those of a stack or a map.
std::vector<Cell> mixed_points(Sweep const& sweep, std::vector<Cell> points, bool map) {
    for (auto& point : points) point.consumers = 0;
    auto modes = sweep.modes;
    std::erase(modes, Mode::pingpong);
    vary(points, modes, &Cell::mode);
    vary(points, sweep.payloads, &Cell::payload_bytes);
    vary(points, sweep.workers, &Cell::producers);
    vary(points, sweep.filled_percents, &Cell::filled_percent);
    if (map) {
        vary(points, sweep.mixes, &Cell::mix);
        vary(points, sweep.keys, &Cell::keys);
        vary(points, sweep.range_percents, &Cell::range_percent);
    } else {
        vary(points, sweep.push_percents, &Cell::push_percent);
    }
    return with_loads(sweep, std::move(points));
}

/// One structure's cells of a sweep, the bounds beside them.
void expand_points(Collector& collector, Sweep const& sweep, std::vector<Cell> const& points,
                   std::vector<std::string> const& names) {
    std::set<std::string> too_many_workers;
    std::set<std::string> other_payloads;
    std::set<std::string> without_waiting;
    std::set<std::string> planned;
    for (auto const& point : points) {
        auto line = point;
        line.mode = Mode::pingpong;
        line.producers = line.consumers = 1;
        collector.add_bound(bound_cacheline, line);
        if (point.mode == Mode::throughput) {
            collector.add_bound(bound_fetch_add, point);
            collector.add_bound(bound_cas, point);
            collector.add_bound(bound_mutex, point);
            auto one = point;
            one.producers = 1;
            one.consumers = 0;
            collector.add_bound(bound_empty, one);
        }
        bool const moves_most = point.mode == Mode::throughput || point.mode == Mode::pingpong;
        if (point.host == Host::processes && moves_most && point.producers == 1 && point.consumers == 1)
            for (auto const* const queue : kernel_queues) {
                auto at = point;
                for (auto const capacity : sweep.capacities) {
                    at.capacity = capacity;
                    collector.add_bound(queue, at);
                }
            }
        for (auto const& name : names) {
            auto cell = point;
            cell.variant = name;
            if (cell.is_bound() && !moves_most) continue;
            if (name == bound_fetch_add) {
                if (cell.mode == Mode::throughput)
                    collector.add_handicapped(sweep, Collector::bound_at(bound_fetch_add, point));
                continue;
            }
            if (!takes_workers_of(cell)) {
                too_many_workers.insert(name);
                continue;
            }
            if (cell.is_bound()) cell.calls = Calls::attempts;
            if (cell.calls == Calls::waiting && !cell.can_wait()) {
                without_waiting.insert(name);
                continue;
            }
            // A peer may be there for one payload only; what no peer is there for is refused below.
            if (cell.is_peer() && !find_peer(name, cell.payload_bytes) &&
                std::count(peer_payload_sizes.begin(), peer_payload_sizes.end(), cell.payload_bytes) != 0) {
                other_payloads.insert(name);
                continue;
            }
            planned.insert(name);
            for (auto const capacity : sweep.capacities) {
                cell.capacity = capacity;
                collector.add_handicapped(sweep, cell);
            }
        }
    }
    // Of what was named, something must have come of each name or pattern.
    auto const refuse = [&](std::set<std::string> const& refused, auto const& why) {
        if (refused.empty()) return;
        for (auto const& pattern : sweep.variants) {
            auto const named = match_variants(pattern);
            auto const is_refused = [&](std::string const& name) {
                return refused.contains(name) && !planned.contains(name);
            };
            if (std::all_of(named.begin(), named.end(), is_refused))
                throw PlanError("'" + pattern + "' " + why(named.front()));
        }
    };
    refuse(other_payloads, [&](std::string const&) {
        return "is not compiled for payloads of " + join(sweep.payloads) + " bytes";
    });
    refuse(without_waiting, [&](std::string const&) {
        return "has no calls wait here: the catalogue's queues have, for payloads of " +
               join(waiting_payload_sizes) + " bytes; use try";
    });
    refuse(too_many_workers, [&](std::string const& name) {
        return "takes at most " + std::to_string(limits_of(name).producers) + " producers and " +
               std::to_string(limits_of(name).consumers) +
               " consumers; the sweep has more at each of its points";
    });
}

using Names = std::map<std::string, std::vector<std::string>, std::less<>>;  ///< of variants, by structure

/// A sweep's cells of one host.
void expand_hosted(Collector& collector, Sweep const& sweep, Host host, Names& names) {
    std::vector<Cell> base(1);
    base.front().host = host;
    vary(base, sweep.windows_ns, &Cell::window_ns);
    vary(base, sweep.placements, &Cell::placement);
    vary(base, sweep.homes, &Cell::home);
    vary(base, sweep.thinks_ns, &Cell::think_ns);
    // Bounds that are named have the queue's points. Most stand there anyway: the system's queues have more points
    // where they are named, the counter has handicaps.
    for (auto const& bound : names["bound"])
        if (is_kernel_queue(bound) || bound == bound_fetch_add) names["queue"].push_back(bound);
    if (!names["queue"].empty() || !names["bound"].empty())
        expand_points(collector, sweep, queue_points(sweep, base), names["queue"]);
    for (char const* structure : {"stack", "map"})
        if (names.contains(structure)) {
            if (sweep.modes == std::vector{Mode::pingpong})
                throw PlanError("a " + std::string(structure) +
                                " has no round trip; use mode throughput, latency or kill");
            if (sweep.calls == std::vector{Calls::waiting})
                throw PlanError("calls wait of a " + std::string(structure) +
                                "; they are a queue's, use try");
            expand_points(collector, sweep, mixed_points(sweep, base, structure == std::string_view("map")),
                          names[structure]);
        }
}

}  // namespace

std::vector<Cell> expand(Suite const& suite) {
    Collector collector;
    for (auto const& sweep : suite.sweeps) {
        std::map<Host, Names> hosted;
        for (auto const& pattern : sweep.variants) {
            bool any = false;
            for (auto& name : match_variants(pattern))
                for (auto const host : hosts_of(name, sweep)) {
                    hosted[host][std::string(structure_of(name))].push_back(name);
                    any = true;
                }
            if (!any)
                throw PlanError(
                    "'" + pattern + "' does not run as " + to_string(sweep.hosts.front()) +
                    "; its workers are " +
                    to_string(sweep.hosts.front() == Host::threads ? Host::processes : Host::threads));
        }
        for (auto& [host, names] : hosted) expand_hosted(collector, sweep, host, names);
    }
    return collector.take();
}

std::vector<std::vector<std::size_t>> draw_rounds(std::size_t cells, std::uint32_t rounds,
                                                  std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::vector<std::size_t>> orders;
    for (std::uint32_t round = 0; round < rounds; ++round) {
        std::vector<std::size_t> order(cells);
        std::iota(order.begin(), order.end(), std::size_t{0});
        // Fisher-Yates by hand: std::shuffle and std::uniform_int_distribution differ between standard
        // libraries, and the stored seed must give the same order everywhere.
        for (std::size_t i = cells; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
        orders.push_back(std::move(order));
    }
    return orders;
}

}  // namespace zeroipc::bench
