#pragma once
/// \file
/// What there is to say about one variant of the catalogue: where its bytes go, and where its code lies.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

/// A stretch of a structure's bytes, padding behind it included.
struct Part {
    std::string name;
    std::uint64_t offset = 0;  ///< from the structure's start, in bytes
    std::uint64_t bytes = 0;
};

/// One operation, compiled by itself for items (and keys) of 8 bytes, as a user of the library has it.
struct Operation {
    std::string name;
    void const* code = nullptr;  ///< its first instruction
};

struct Explained {
    /// The parts of a structure, in the order of their offsets, without gaps.
    /// \throws error: invalid_capacity, invalid_argument, too_large
    std::vector<Part> (*parts)(std::uint64_t capacity, std::uint32_t handle_slots) = nullptr;
    std::uint32_t usual_handles = 0;  ///< handle slots unless others are asked for
    std::vector<Operation> operations;
};

/// By payload size in bytes; the operations are the same in each.
using ExplainedSizes = std::map<std::uint32_t, Explained>;
using ExplainedTable = std::map<std::string, ExplainedSizes, std::less<>>;

ExplainedTable explained_queues();
ExplainedTable explained_stacks();
ExplainedTable explained_maps();

/// What there is to say about a variant, by payload size. \throws std::out_of_range for what the catalogue has not.
ExplainedSizes const& explained(std::string_view variant);

}  // namespace zeroipc::bench
