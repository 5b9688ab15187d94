#pragma once
/// \file
/// Peers: structures of other libraries, measured and checked as the catalogue's variants are. Each is built where its
/// library was found, and listed in any case.

#include <zeroipc/variants/catalogue.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan.hpp"
#include "subject.hpp"

namespace zeroipc::bench {

struct PeerInfo {
    std::string name;      ///< peer/STRUCTURE/NAME
    std::string package;   ///< of Debian
    std::string progress;  ///< as its authors have it: lock-free, blocking
    std::string source;
    std::string full;             ///< when it answers "full"
    bool between_processes;       ///< else between the threads of one
    std::uint32_t max_producers;  ///< threads that may push at once, or any_number
    std::uint32_t max_consumers;  ///< that may pop
    bool built;                   ///< its library was there when CMake ran
    bool overtakes =
        false;  ///< who stands still for a lap may be overtaken: items out of order are counted, and no fault
};

/// All that there are adapters for, built or not, queues first.
std::vector<PeerInfo> const& peers();

/// Null if there is none of that name.
PeerInfo const* peer_named(std::string_view name);

/// \return nothing if the peer is unknown or not built, or not compiled for that payload.
std::optional<Subject> find_peer(std::string_view name, std::uint32_t payload_bytes);

/// Payload sizes that peers are compiled for.
inline std::vector<std::uint32_t> const peer_payload_sizes{8, 64};

/// What to say of a peer that is not built.
std::string why_not_built(PeerInfo const& peer);

/// Takes out of a suite what names peers that are not built, or languages that cannot run, and says so in Suite::left_out.
void leave_out_unbuilt(Suite& suite, std::vector<PeerInfo> const& all = peers());

}  // namespace zeroipc::bench
