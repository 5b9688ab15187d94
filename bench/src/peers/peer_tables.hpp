#pragma once
/// \file
/// Each library's peers, compiled in a source file of its own where the library was found.

#include <cstdint>
#include <string>

#include "zeroipc/bench/subject_table.hpp"

namespace zeroipc::bench {

/// Add the library's peers for items of 8 or 64 bytes.
void add_boost(SubjectTable& table, std::uint32_t payload_bytes);
void add_boost_message_queue(SubjectTable& table, std::uint32_t payload_bytes);
void add_tbb(SubjectTable& table, std::uint32_t payload_bytes);
void add_ck(SubjectTable& table, std::uint32_t payload_bytes);
void add_atomic_queue(SubjectTable& table, std::uint32_t payload_bytes);
void add_moodycamel(SubjectTable& table, std::uint32_t payload_bytes);
void add_xenium(SubjectTable& table, std::uint32_t payload_bytes);
void add_cds(SubjectTable& table, std::uint32_t payload_bytes);
void add_iceoryx(SubjectTable& table, std::uint32_t payload_bytes);
void add_urcu(SubjectTable& table, std::uint32_t payload_bytes);

/// For tests of the checks: a peer that stands beside those of the libraries, for 8 and 64 bytes alike. Before the first
/// look-up.
void plant_peer(std::string const& name, Subject const& subject);

}  // namespace zeroipc::bench
