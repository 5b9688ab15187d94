#pragma once
/// \file
/// Numbers of core/format/layout.json, for tests (ZEROIPC_FORMAT_DIR is its folder).

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace zeroipc::testing {

/// By its JSON pointer. \throws nlohmann::json::exception if there is none
inline std::uint64_t number(std::string const& pointer) {
    static auto const all = nlohmann::json::parse(std::ifstream(ZEROIPC_FORMAT_DIR "/layout.json"));
    return all.at(nlohmann::json::json_pointer(pointer)).get<std::uint64_t>();
}

}  // namespace zeroipc::testing
