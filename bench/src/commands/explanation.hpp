#pragma once
/// \file
/// What `zeroipc-bench explain` found, as text and as JSON.

#include <zeroipc/variants/catalogue.hpp>

#include <cstdint>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../explain/disassembly.hpp"
#include "../explain/explained.hpp"
#include "../explain/watched_run.hpp"

namespace zeroipc::bench {

struct Explanation {
    variants::variant_info variant;
    std::uint32_t payload_bytes;
    std::uint64_t capacity;
    std::uint32_t handle_slots;
    std::vector<Part> parts;
    std::vector<std::pair<std::string, Disassembly>> operations;  ///< by name
    std::string why_no_code;                                      ///< if there are no operations
    std::optional<Watched> watched;
};

nlohmann::json to_json(Explanation const& explanation);

/// \param full all instructions, else those about the ordered ones.
void print(Explanation const& explanation, bool full, std::ostream& out);

}  // namespace zeroipc::bench
