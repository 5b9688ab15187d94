#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "zeroipc/bench/subject.hpp"

namespace zeroipc::bench {

/// The subject of a bound. \return nothing if there is no such bound, or it is not compiled for that payload.
std::optional<Subject> find_bound(std::string_view name, std::uint32_t payload_bytes);

}  // namespace zeroipc::bench
