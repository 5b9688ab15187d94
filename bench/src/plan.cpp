#include "zeroipc/bench/plan.hpp"

#include <fnmatch.h>
#include <zeroipc/error.hpp>
#include <zeroipc/variants/catalogue.hpp>

#include <toml++/toml.h>
#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <sstream>

#include "zeroipc/bench/subject.hpp"

namespace zeroipc::bench {

char const* to_string(Mode mode) { return mode == Mode::pingpong ? "pingpong" : "throughput"; }

std::string Cell::key() const {
    std::ostringstream text;
    text << to_string(mode) << '/' << variant << '/' << producers << 'P' << consumers << "C/" << payload_bytes
         << 'B';
    if (!is_bound()) text << "/cap" << capacity;
    text << '/' << window_ns / 1'000'000;
    if (auto fraction = std::to_string(1'000'000 + window_ns % 1'000'000).substr(1); fraction != "000000")
        text << '.' << fraction.substr(0, fraction.find_last_not_of('0') + 1);
    text << "ms";
    if (handicap_ns > 0) text << "/handicap" << handicap_ns << (handicap_all ? "ns_all" : "ns");
    if (replica != 0) text << "/replica" << replica;
    return text.str();
}

namespace {

std::vector<std::string> all_names() {
    std::vector<std::string> names;
    for (auto const& info : measured()) names.push_back(info.name);
    for (auto const* bound : {bound_cacheline, bound_fetch_add, bound_pipe}) names.emplace_back(bound);
    return names;
}

/// What the catalogue says of a name; null if it has none.
variants::variant_info const* info_of(std::string_view name) {
    auto const& all = variants::list();
    auto const at = std::find_if(all.begin(), all.end(), [&](auto const& info) { return info.name == name; });
    return at == all.end() ? nullptr : &*at;
}

/// Whether as many handles may push and pop as the cell has workers.
bool takes_workers_of(Cell const& cell) {
    auto const* const info = info_of(cell.variant);
    return info == nullptr ||
           (cell.producers <= info->max_producers && cell.consumers <= info->max_consumers);
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

std::string where(std::filesystem::path const& file, toml::source_region const& at) {
    return file.string() + ":" + std::to_string(at.begin.line) + ": ";
}

/// Reads one key of a sweep: a value or a list of values.
template <class T, class Stored>
std::vector<T> read_list(toml::node const& node, std::filesystem::path const& file, std::string_view key,
                         std::int64_t least = 1) {
    std::vector<T> values;
    auto const take = [&](toml::node const& one) {
        auto const value = [&] {
            // A whole number will do for a fraction, not the other way round.
            if constexpr (std::is_floating_point_v<Stored>)
                return one.value<Stored>();
            else
                return one.value_exact<Stored>();
        }();
        if (!value)
            throw PlanError(where(file, one.source()) + "'" + std::string(key) +
                            "' has a value of the wrong type");
        if constexpr (std::is_integral_v<Stored>) {
            if (*value < least || static_cast<std::uint64_t>(*value) > std::numeric_limits<T>::max())
                throw PlanError(
                    where(file, one.source()) + "'" + std::string(key) + "' is " + std::to_string(*value) +
                    (least > 0 ? "; use a positive whole number" : "; use a whole number from 0"));
            values.push_back(static_cast<T>(*value));
        } else {
            values.push_back(*value);
        }
    };
    if (auto const* const list = node.as_array())
        for (auto const& one : *list) take(one);
    else
        take(node);
    if (values.empty()) throw PlanError(where(file, node.source()) + "'" + std::string(key) + "' is empty");
    return values;
}

/// Reads a key that is one value, not a list.
template <class T, class Stored>
T read_one(toml::node const& node, std::filesystem::path const& file, std::string_view key) {
    if (node.is_array())
        throw PlanError(where(file, node.source()) + "'" + std::string(key) + "' is one value, not a list");
    return read_list<T, Stored>(node, file, key).front();
}

constexpr std::uint64_t most_window_ms = 3'600'000;

Sweep read_sweep(toml::table const& table, std::filesystem::path const& file) {
    Sweep sweep;
    for (auto const& [key, node] : table) {
        auto const name = key.str();
        if (name == "mode") {
            sweep.modes.clear();
            for (auto const& mode : read_list<std::string, std::string>(node, file, name)) {
                if (mode != "throughput" && mode != "pingpong")
                    throw PlanError(where(file, node.source()) + "mode '" + mode +
                                    "'; use throughput or pingpong");
                sweep.modes.push_back(mode == "pingpong" ? Mode::pingpong : Mode::throughput);
            }
        } else if (name == "variants") {
            sweep.variants = read_list<std::string, std::string>(node, file, name);
        } else if (name == "producers") {
            sweep.producers = read_list<std::uint32_t, std::int64_t>(node, file, name);
        } else if (name == "consumers") {
            sweep.consumers = read_list<std::uint32_t, std::int64_t>(node, file, name, 0);
        } else if (name == "payload_bytes") {
            sweep.payloads = read_list<std::uint32_t, std::int64_t>(node, file, name);
        } else if (name == "capacity") {
            sweep.capacities = read_list<std::uint64_t, std::int64_t>(node, file, name);
        } else if (name == "window_ms") {
            sweep.windows_ns = read_list<std::uint64_t, std::int64_t>(node, file, name);
            for (auto& window : sweep.windows_ns) {
                if (window > most_window_ms)
                    throw PlanError(where(file, node.source()) + "'window_ms' is " + std::to_string(window) +
                                    "; use 1 to " + std::to_string(most_window_ms));
                window *= 1'000'000;
            }
        } else if (name == "handicap_ns") {
            sweep.handicaps_ns = read_list<double, double>(node, file, name);
        } else if (name == "handicap_workers") {
            sweep.handicap_all = handicap_of_all(read_one<std::string, std::string>(node, file, name));
        } else if (name == "replicas") {
            sweep.replicas = read_one<std::uint32_t, std::int64_t>(node, file, name);
        } else {
            throw PlanError(where(file, key.source()) + "unknown key '" + std::string(name) +
                            "'; a sweep has mode, variants, producers, consumers, payload_bytes, capacity, "
                            "window_ms, handicap_ns, handicap_workers, replicas");
        }
    }
    if (sweep.variants.empty()) throw PlanError(where(file, table.source()) + "a sweep without 'variants'");
    return sweep;
}

constexpr std::uint32_t most_replicas = 1000;

void check_cell(Cell const& cell) {
    auto const sizes = payload_sizes();
    if (std::find(sizes.begin(), sizes.end(), cell.payload_bytes) == sizes.end())
        throw PlanError("payload of " + std::to_string(cell.payload_bytes) +
                        " bytes; variants are compiled for " + join(sizes));
    // A counter needs one worker only. Each number by itself too: their sum may not fit.
    if (cell.producers == 0 || (cell.consumers == 0 && cell.variant != bound_fetch_add) ||
        cell.producers > most_workers || cell.consumers > most_workers || cell.workers() > most_workers)
        throw PlanError(std::to_string(cell.producers) + " producers and " + std::to_string(cell.consumers) +
                        " consumers; use at least one each and at most " + std::to_string(most_workers) +
                        " together");
    if (cell.window_ns < 1'000'000) throw PlanError("a window below 1 ms");
    if (cell.replica >= most_replicas)
        throw PlanError("more than " + std::to_string(most_replicas) + " replicas of a cell");
    // Longer, and a worker could spin past its window's end.
    if (!(cell.handicap_ns >= 0 && cell.handicap_ns <= static_cast<double>(cell.window_ns) / 10))
        throw PlanError("a handicap of " + std::to_string(cell.handicap_ns) +
                        " ns; use 0 to a tenth of the window, " + std::to_string(cell.window_ns / 10) +
                        " ns");
    try {
        find_subject(cell.variant, cell.payload_bytes)->bytes(cell);
    } catch (zeroipc::error const& refused) {
        throw PlanError(refused.what());
    }
}

}  // namespace

Suite read_suite(std::filesystem::path const& file) {
    toml::table document;
    try {
        document = toml::parse_file(file.string());
    } catch (toml::parse_error const& wrong) {
        throw PlanError(where(file, wrong.source()) + std::string(wrong.description()));
    }
    Suite suite;
    suite.name = file.stem().string();
    for (auto const& [key, node] : document) {
        auto const name = key.str();
        if (name == "rounds") {
            suite.rounds = read_one<std::uint32_t, std::int64_t>(node, file, name);
        } else if (name == "about") {
            read_list<std::string, std::string>(node, file, name);
        } else if (name == "sweep" && node.is_array_of_tables()) {
            for (auto const& table : *node.as_array())
                suite.sweeps.push_back(read_sweep(*table.as_table(), file));
        } else {
            throw PlanError(where(file, key.source()) + "unknown key '" + std::string(name) +
                            "'; a suite has about, rounds and [[sweep]]");
        }
    }
    if (suite.sweeps.empty()) throw PlanError(file.string() + ": a suite without a [[sweep]]");
    return suite;
}

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
    static auto const queues = [] {
        std::vector<variants::variant_info> some;
        for (auto const& info : variants::list())
            if (info.structure == "queue" && !info.unsafe) some.push_back(info);
        return some;
    }();
    return queues;
}

std::vector<std::string> match_variants(std::string const& pattern) {
    std::vector<std::string> matches;
    if (pattern == "default") return {variants::list().front().name};
    if (auto const* const named = info_of(pattern); named != nullptr && named->structure == "queue")
        return {pattern};
    for (auto const& name : all_names()) {
        // * stands for slashes too; a bound is meant only where it is named as one.
        bool const meant = pattern.starts_with("bound/") || !name.starts_with("bound/");
        if (meant && ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) matches.push_back(name);
    }
    if (matches.empty())
        throw PlanError("no variant '" + pattern + "'; the nearest are " + join(nearest_names(pattern)) +
                        " (zeroipc-bench --list shows all)");
    return matches;
}

std::vector<Cell> expand(Suite const& suite) {
    std::vector<Cell> cells;
    std::set<std::string> keys;
    auto const add = [&](Cell const& cell) {
        if (!keys.insert(cell.key()).second) return;
        check_cell(cell);
        cells.push_back(cell);
    };
    for (auto const& sweep : suite.sweeps) {
        auto const add_handicapped = [&](Cell cell) {
            bool const plain = cell.mode != Mode::throughput;
            for (auto const handicap : plain ? std::vector<double>{0} : sweep.handicaps_ns) {
                cell.handicap_ns = handicap;
                cell.handicap_all = handicap != 0 && sweep.handicap_all;
                for (cell.replica = 0; cell.replica < sweep.replicas; ++cell.replica) add(cell);
            }
        };
        std::vector<std::string> names;
        for (auto const& pattern : sweep.variants)
            for (auto& name : match_variants(pattern)) names.push_back(std::move(name));
        std::set<std::string> too_many_workers;
        std::set<std::string> planned;
        for (auto const window : sweep.windows_ns) {
            // The bounds stand beside every sweep.
            Cell line;
            line.mode = Mode::pingpong;
            line.variant = bound_cacheline;
            line.window_ns = window;
            add(line);
            for (auto const mode : sweep.modes)
                for (auto const payload : sweep.payloads)
                    for (auto const producers : sweep.producers)
                        for (auto const consumers : sweep.consumers) {
                            Cell cell;
                            cell.mode = mode;
                            cell.payload_bytes = payload;
                            cell.window_ns = window;
                            if (mode == Mode::throughput) {
                                cell.producers = producers;
                                cell.consumers = consumers;
                                auto counter = cell;
                                counter.variant = bound_fetch_add;
                                counter.payload_bytes = 8;
                                add(counter);
                                if (std::find(names.begin(), names.end(), bound_fetch_add) != names.end())
                                    add_handicapped(counter);
                            }
                            if (cell.producers == 1 && cell.consumers == 1) {
                                auto pipe = cell;
                                pipe.variant = bound_pipe;
                                add(pipe);
                            }
                            for (auto const& name : names) {
                                auto one = cell;
                                one.variant = name;
                                // A bound has its own modes; where it stands beside the sweep anyway, naming
                                // it adds nothing.
                                if (one.is_bound() && name != bound_pipe) continue;
                                if (one.is_bound()) {
                                    add(one);
                                    continue;
                                }
                                if (!takes_workers_of(one)) {
                                    too_many_workers.insert(name);
                                    continue;
                                }
                                planned.insert(name);
                                for (auto const capacity : sweep.capacities) {
                                    one.capacity = capacity;
                                    add_handicapped(one);
                                }
                            }
                        }
        }
        for (auto const& name : sweep.variants)
            if (too_many_workers.contains(name) && !planned.contains(name))
                throw PlanError("variant '" + name + "' takes at most " +
                                std::to_string(info_of(name)->max_producers) + " producers and " +
                                std::to_string(info_of(name)->max_consumers) +
                                " consumers; the sweep has more at each of its points");
    }
    return cells;
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
