#include "zeroipc/bench/plan.hpp"

#include <fnmatch.h>
#include <zeroipc/error.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>

#include "zeroipc/bench/kill_board.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/mix.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/placement.hpp"
#include "zeroipc/bench/subject.hpp"

namespace zeroipc::bench {

char const* to_string(Mode mode) {
    switch (mode) {
        case Mode::pingpong:
            return "pingpong";
        case Mode::latency:
            return "latency";
        case Mode::kill:
            return "kill";
        case Mode::throughput:
            break;
    }
    return "throughput";
}

Mode mode_named(std::string const& name) {
    for (auto const mode : {Mode::throughput, Mode::pingpong, Mode::latency, Mode::kill})
        if (name == to_string(mode)) return mode;
    throw PlanError("mode '" + name + "'; use throughput, pingpong, latency or kill");
}

char const* to_string(Host host) { return host == Host::threads ? "threads" : "processes"; }

Host host_named(std::string const& name) {
    for (auto const host : {Host::processes, Host::threads})
        if (name == to_string(host)) return host;
    throw PlanError("host '" + name + "'; use processes or threads");
}

bool can_be_hosted(std::string_view variant, Host host) {
    if (is_kernel_queue(variant) || language_named(variant) != nullptr) return host == Host::processes;
    auto const* const peer = peer_named(variant);
    return host == Host::threads || peer == nullptr || peer->between_processes;
}

variants::variant_info const* info_of(std::string_view name) {
    auto const& all = variants::list();
    auto const at = std::find_if(all.begin(), all.end(), [&](auto const& info) { return info.name == name; });
    return at == all.end() ? nullptr : &*at;
}

std::string Cell::key() const {
    std::ostringstream text;
    text << to_string(mode) << '/' << variant << '/';
    if (consumers == 0)
        text << producers << 'W';
    else
        text << producers << 'P' << consumers << 'C';
    text << '/' << payload_bytes << 'B';
    if (has_capacity()) text << "/cap" << capacity;
    text << '/' << window_ns / 1'000'000;
    if (auto fraction = std::to_string(1'000'000 + window_ns % 1'000'000).substr(1); fraction != "000000")
        text << '.' << fraction.substr(0, fraction.find_last_not_of('0') + 1);
    text << "ms";
    Cell const usual;
    if (host != usual.host) text << '/' << to_string(host);
    if (structure() == "map") text << '/' << mix << '/' << keys;
    if (structure() == "stack" && push_percent != usual.push_percent) text << "/push" << push_percent;
    if (filled_percent != usual.filled_percent) text << "/filled" << filled_percent;
    if (think_ns != usual.think_ns) text << "/think" << think_ns << "ns";
    if (mode == Mode::latency)
        text << (load_percent == 0 ? "/closed" : '/' + arrivals + std::to_string(load_percent));
    if (mode == Mode::kill && consumers != 0) text << '/' << victim;
    if (batch != usual.batch) text << "/batch" << batch;
    if (!placement.empty()) text << '/' << placement;
    if (home != usual.home) text << "/home_" << home;
    if (handicap_ns > 0) text << "/handicap" << handicap_ns << (handicap_all ? "ns_all" : "ns");
    if (replica != 0) text << "/replica" << replica;
    return text.str();
}

namespace {

std::vector<std::string> all_names() {
    std::vector<std::string> names;
    for (auto const& info : measured()) names.push_back(info.name);
    for (auto const* bound : bounds) names.emplace_back(bound);
    for (auto const& peer : peers())
        if (peer.built) names.push_back(peer.name);
    for (auto const& language : languages()) names.push_back(language.name);
    return names;
}

struct Limits {
    std::uint32_t producers = variants::any_number, consumers = variants::any_number;
};
Limits limits_of(std::string_view name) {
    if (auto const* const info = info_of(name)) return {info->max_producers, info->max_consumers};
    if (auto const* const peer = peer_named(name)) return {peer->max_producers, peer->max_consumers};
    return {};
}

/// Whether as many handles may push and pop as the cell has workers.
bool takes_workers_of(Cell const& cell) {
    auto const most = limits_of(cell.variant);
    return cell.producers <= most.producers && cell.consumers <= most.consumers;
}

/// What a variant's workers are in a sweep.
std::vector<Host> hosts_of(std::string const& variant, Sweep const& sweep) {
    if (sweep.hosts.empty())
        return {can_be_hosted(variant, Host::processes) ? Host::processes : Host::threads};
    auto hosts = sweep.hosts;
    std::erase_if(hosts, [&](Host host) { return !can_be_hosted(variant, host); });
    return hosts;
}

/// Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            auto const above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

template <class T>
std::string join(std::vector<T> const& items) {
    std::ostringstream text;
    for (std::size_t i = 0; i < items.size(); ++i) text << (i == 0 ? "" : ", ") << items[i];
    return text.str();
}

void check(bool right, std::string const& message) {
    if (!right) throw PlanError(message);
}

constexpr std::uint32_t most_replicas = 1000;
constexpr std::uint64_t least_kill_window_ns = 100'000'000;

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
    check(cell.push_percent <= 100, "push_percent is " + text(cell.push_percent) + "; use 0 to 100");
    check(cell.filled_percent <= 100, "filled_percent is " + text(cell.filled_percent) + "; use 0 to 100");
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

}  // namespace

bool handicap_of_all(std::string const& workers) {
    if (workers != "first" && workers != "all")
        throw PlanError("a handicap of the workers '" + workers + "'; use first or all");
    return workers == "all";
}

std::vector<std::string> nearest_names(std::string_view name, std::size_t most) {
    auto names = all_names();
    // A name that contains what was typed is nearer than any that does not.
    auto const rank = [&](std::string const& candidate) {
        return candidate.find(name) != std::string::npos ? 0 : 1 + distance(name, candidate);
    };
    std::stable_sort(names.begin(), names.end(),
                     [&](auto const& a, auto const& b) { return rank(a) < rank(b); });
    names.resize(std::min(names.size(), most));
    return names;
}

std::vector<variants::variant_info> const& measured() {
    static auto const safe = [] {
        std::vector<variants::variant_info> some;
        for (auto const& info : variants::list())
            if (!info.unsafe) some.push_back(info);
        return some;
    }();
    return safe;
}

std::vector<std::string> match_variants(std::string const& pattern) {
    std::vector<std::string> matches;
    auto const& all = variants::list();
    if (pattern == "default") return {all.front().name};
    for (auto const& info : all)  // a structure's name means its default
        if (info.is_default && info.structure == pattern) return {info.name};
    if (info_of(pattern) != nullptr) return {pattern};
    if (auto const* const peer = peer_named(pattern)) {
        if (!peer->built) throw PlanError(why_not_built(*peer));
        return {pattern};
    }
    if (auto const* const language = language_named(pattern)) {
        if (auto const why = why_missing(*language)) throw PlanError(*why);
        return {pattern};
    }
    for (auto const& name : all_names()) {
        // * stands for slashes too; a bound, a peer or a language is meant only where it is named as one.
        auto const meant = [&](char const* kind) {
            return pattern.starts_with(kind) || !name.starts_with(kind);
        };
        if (!meant("bound/") || !meant("peer/") || !meant("lang/") ||
            ::fnmatch(pattern.c_str(), name.c_str(), 0) != 0)
            continue;
        auto const* const language = language_named(name);
        if (language == nullptr || !why_missing(*language)) matches.push_back(name);
    }
    if (matches.empty())
        throw PlanError("no variant '" + pattern + "'; the nearest are " + join(nearest_names(pattern)) +
                        " (zeroipc-bench --list shows all)");
    return matches;
}

namespace {

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
    vary(points, sweep.producers, &Cell::producers);
    vary(points, sweep.consumers, &Cell::consumers);
    for (auto& point : points)
        if (point.mode == Mode::pingpong) {
            point.producers = point.consumers = point.batch = 1;
            point.think_ns = 0;
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
    for (auto const& name : sweep.variants)
        if (other_payloads.contains(name) && !planned.contains(name))
            throw PlanError("'" + name + "' is not compiled for payloads of " + join(sweep.payloads) +
                            " bytes");
    for (auto const& name : sweep.variants)
        if (too_many_workers.contains(name) && !planned.contains(name))
            throw PlanError("variant '" + name + "' takes at most " +
                            std::to_string(limits_of(name).producers) + " producers and " +
                            std::to_string(limits_of(name).consumers) +
                            " consumers; the sweep has more at each of its points");
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
