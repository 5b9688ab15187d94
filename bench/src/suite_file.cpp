// Reads a suite from a TOML file.

#include <toml++/toml.h>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench {

namespace {

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
                throw PlanError(where(file, one.source()) + "'" + std::string(key) + "' is " +
                                std::to_string(*value) + "; use a whole number from " +
                                std::to_string(least));
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
    toml::node const* at = nullptr;
    std::string_view key;
    auto const numbers = [&]<class T>(std::vector<T>& values, std::int64_t least) {
        values = read_list<T, std::int64_t>(*at, file, key, least);
    };
    auto const texts = [&](std::vector<std::string>& values) {
        values = read_list<std::string, std::string>(*at, file, key);
    };
    auto const named = [&]<class T>(std::vector<T>& values, T (*value_of)(std::string const&)) {
        std::vector<std::string> names;
        texts(names);
        values.clear();
        for (auto const& name : names) try {
                values.push_back(value_of(name));
            } catch (PlanError const& wrong) {
                throw PlanError(where(file, at->source()) + wrong.what());
            }
    };
    using Read = std::function<void()>;
    std::map<std::string_view, Read> const keys{
        {"mode", [&] { named(sweep.modes, &mode_named); }},
        {"variants", [&] { texts(sweep.variants); }},
        {"host", [&] { named(sweep.hosts, &host_named); }},
        {"producers", [&] { numbers(sweep.producers, 1); }},
        {"consumers", [&] { numbers(sweep.consumers, 0); }},
        {"workers", [&] { numbers(sweep.workers, 1); }},
        {"payload_bytes", [&] { numbers(sweep.payloads, 1); }},
        {"capacity", [&] { numbers(sweep.capacities, 1); }},
        {"window_ms",
         [&] {
             numbers(sweep.windows_ns, 1);
             for (auto& window : sweep.windows_ns) {
                 if (window > most_window_ms)
                     throw PlanError(where(file, at->source()) + "'window_ms' is " + std::to_string(window) +
                                     "; use 1 to " + std::to_string(most_window_ms));
                 window *= 1'000'000;
             }
         }},
        {"placement", [&] { texts(sweep.placements); }},
        {"home", [&] { texts(sweep.homes); }},
        {"think_ns", [&] { numbers(sweep.thinks_ns, 0); }},
        {"batch", [&] { numbers(sweep.batches, 1); }},
        {"calls", [&] { named(sweep.calls, &calls_named); }},
        {"push_percent", [&] { numbers(sweep.push_percents, 0); }},
        {"filled_percent", [&] { numbers(sweep.filled_percents, 0); }},
        {"range_percent", [&] { numbers(sweep.range_percents, 0); }},
        {"load_percent", [&] { numbers(sweep.load_percents, 0); }},
        {"victim", [&] { texts(sweep.victims); }},
        {"arrivals", [&] { texts(sweep.arrivals); }},
        {"handicap_ns", [&] { sweep.handicaps_ns = read_list<double, double>(*at, file, key); }},
        {"handicap_workers",
         [&] { sweep.handicap_all = handicap_of_all(read_one<std::string, std::string>(*at, file, key)); }},
        {"replicas", [&] { sweep.replicas = read_one<std::uint32_t, std::int64_t>(*at, file, key); }},
        {"mix", [&] { texts(sweep.mixes); }},
        {"keys", [&] { texts(sweep.keys); }},
    };
    for (auto const& [name, node] : table) {
        auto const reader = keys.find(name.str());
        if (reader == keys.end()) {
            std::string known;
            for (auto const& [one, read] : keys) known += (known.empty() ? "" : ", ") + std::string(one);
            throw PlanError(where(file, name.source()) + "unknown key '" + std::string(name.str()) +
                            "'; a sweep has " + known);
        }
        at = &node;
        key = reader->first;
        reader->second();
    }
    if (sweep.variants.empty()) throw PlanError(where(file, table.source()) + "a sweep without 'variants'");
    return sweep;
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
    leave_out_unbuilt(suite);
    return suite;
}

}  // namespace zeroipc::bench
