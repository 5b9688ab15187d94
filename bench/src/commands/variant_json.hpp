#pragma once

#include <zeroipc/variants/catalogue.hpp>

#include <nlohmann/json.hpp>

#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"

namespace zeroipc::bench {

/// Null for any number.
inline nlohmann::json limit_json(std::uint32_t handles) {
    return handles == variants::any_number ? nlohmann::json(nullptr) : nlohmann::json(handles);
}

/// "processes", "threads" or both.
inline nlohmann::json hosts_of(std::string const& variant) {
    auto names = nlohmann::json::array();
    for (auto const host : {Host::processes, Host::threads})
        if (can_be_hosted(variant, host)) names.push_back(to_string(host));
    return names;
}

/// What the catalogue says of a variant.
inline nlohmann::json to_json(variants::variant_info const& v) {
    return {{"name", v.name},
            {"kind", "variant"},
            {"structure", v.structure},
            {"hosts", hosts_of(v.name)},
            {"is_default", v.is_default},
            {"kill_safe", v.kill_safe},
            {"linearizable_negatives", v.linearizable_negatives},
            {"uses_kernel_locks", v.uses_kernel_locks},
            {"unsafe", v.unsafe},
            {"max_producers", limit_json(v.max_producers)},
            {"max_consumers", limit_json(v.max_consumers)},
            {"progress", v.progress},
            {"source", v.source},
            {"takes", v.takes},
            {"note", v.note}};
}

/// What is known of another library's structure.
inline nlohmann::json to_json(PeerInfo const& peer) {
    return {{"name", peer.name},
            {"kind", "peer"},
            {"structure", structure_of(peer.name)},
            {"hosts", hosts_of(peer.name)},
            {"built", peer.built},
            {"package", peer.package},
            {"max_producers", limit_json(peer.max_producers)},
            {"max_consumers", limit_json(peer.max_consumers)},
            {"progress", peer.progress},
            {"source", peer.source},
            {"full", peer.full}};
}

/// The library in another language. "why_missing" is null where it can run.
inline nlohmann::json to_json(LanguageInfo const& language) {
    auto const why = why_missing(language);
    return {{"name", language.name},
            {"kind", "language"},
            {"structure", structure_of(language.name)},
            {"hosts", hosts_of(language.name)},
            {"producers", language.producers},
            {"consumers", language.consumers},
            {"progress", "lock-free"},
            {"source", language.source()},
            {"why_missing", why ? nlohmann::json(*why) : nlohmann::json(nullptr)}};
}

}  // namespace zeroipc::bench
