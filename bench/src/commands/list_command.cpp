#include "list_command.hpp"

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "variant_json.hpp"
#include "zeroipc/bench/languages.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/subject.hpp"

namespace zeroipc::bench {

namespace {

/// What a line of the list says behind a variant's properties.
std::string remarks_on(zeroipc::variants::variant_info const& v) {
    std::string text;
    if (v.is_default) text += " (default)";
    if (!v.linearizable_negatives)
        text += v.structure == "map" ? " (absent: not linearizable)" : " (full, empty: not linearizable)";
    if (v.unsafe) text += " (wrong on purpose)";
    if (v.max_producers != zeroipc::variants::any_number)
        text += " (producers: " + std::to_string(v.max_producers) + ")";
    if (v.max_consumers != zeroipc::variants::any_number)
        text += " (consumers: " + std::to_string(v.max_consumers) + ")";
    if (!v.takes.ends_with("of any size")) text += " (" + v.takes + ")";
    if (!v.note.empty()) text += " (here " + v.note + ")";
    return text;
}

/// What a line of the list says behind a peer's source.
std::string remarks_on(PeerInfo const& peer) {
    std::string text = peer.between_processes ? "" : " (threads only)";
    if (peer.max_producers == 1) text += " (producers: 1) (consumers: 1)";
    if (!peer.built) text += " (not built: needs package " + peer.package + ")";
    return text;
}

}  // namespace

int list_variants(bool as_json) {
    auto const& all = zeroipc::variants::list();
    if (as_json) {
        auto array = nlohmann::json::array();
        for (auto const& v : all) array.push_back(to_json(v));
        for (auto const& peer : peers()) array.push_back(to_json(peer));
        for (auto const& language : languages()) array.push_back(to_json(language));
        std::cout << array.dump(2) << '\n';
        return 0;
    }
    std::size_t width = 0;
    for (auto const& v : all) width = std::max(width, v.name.size());
    for (auto const& v : all)
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), v.name.c_str(), v.progress.c_str(),
                    v.kill_safe ? "kill-safe" : "kill-unsafe", v.source.c_str(), remarks_on(v).c_str());
    for (auto const* bound : bounds) std::printf("%s\n", bound);
    for (auto const& peer : peers())
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), peer.name.c_str(),
                    peer.progress.c_str(), "peer", peer.source.c_str(), remarks_on(peer).c_str());
    for (auto const& language : languages())
        std::printf("%-*s  %-9s  %-11s  %s%s\n", static_cast<int>(width), language.name.c_str(), "lock-free",
                    "language", language.source().c_str(), why_missing(language) ? " (cannot run here)" : "");
    return 0;
}

}  // namespace zeroipc::bench
