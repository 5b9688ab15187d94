#include "names.hpp"

#include <fnmatch.h>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <numeric>

#include "join.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"

namespace zeroipc::bench {

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

}  // namespace

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

Limits limits_of(std::string_view name) {
    if (auto const* const info = info_of(name)) return {info->max_producers, info->max_consumers};
    if (auto const* const peer = peer_named(name)) return {peer->max_producers, peer->max_consumers};
    return {};
}

bool takes_workers_of(Cell const& cell) {
    auto const most = limits_of(cell.variant);
    return cell.producers <= most.producers && cell.consumers <= most.consumers;
}

std::vector<Host> hosts_of(std::string const& variant, Sweep const& sweep) {
    if (sweep.hosts.empty())
        return {can_be_hosted(variant, Host::processes) ? Host::processes : Host::threads};
    auto hosts = sweep.hosts;
    std::erase_if(hosts, [&](Host host) { return !can_be_hosted(variant, host); });
    return hosts;
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

}  // namespace zeroipc::bench
