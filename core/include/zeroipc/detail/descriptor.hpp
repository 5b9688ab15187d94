#pragma once
/// \file
/// The 64 bytes behind a structure's header that say what it is (format/segment.md), and checking them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../error.hpp"

namespace zeroipc::format {

enum class kind : std::uint32_t { array = 1, queue = 2, stack = 3, map = 4 };

struct descriptor {
    std::uint32_t kind;
    std::uint32_t algorithm;
    std::uint32_t layout;
    std::uint32_t item_size;     ///< bytes
    std::uint32_t item_stride;   ///< bytes from one item's place to the next
    std::uint32_t cell_stride;   ///< bytes from one control word to the next; 0 if it stands beside the item
    std::uint32_t handle_slots;  ///< 0 if the algorithm has no handles
    std::uint32_t key_size;      ///< bytes; maps only
    std::uint64_t seed;          ///< of the hash; maps only
    std::uint64_t reserved[3];   ///< 0
};
static_assert(sizeof(descriptor) == 64, "the descriptor is 64 bytes: see format/segment.md");
static_assert(offsetof(descriptor, handle_slots) == 24 && offsetof(descriptor, seed) == 32,
              "descriptor fields stand where format/segment.md says");

}  // namespace zeroipc::format

namespace zeroipc::detail {

/// \throws error(wrong_kind or wrong_item_size or corrupt) unless `found` is what this type would have
/// written, the number of handle slots aside.
inline void check_descriptor(format::descriptor const& found, format::descriptor const& expected,
                             std::string const& structure) {
    auto const differ = [&](char const* field, std::uint64_t is, std::uint64_t asked) {
        return structure + " has " + field + " " + std::to_string(is) + ", not " + std::to_string(asked);
    };
    if (found.kind != expected.kind)
        throw error(errc::wrong_kind,
                    differ("structure kind", found.kind, expected.kind) + "; open it as what it is");
    if (found.algorithm != expected.algorithm)
        throw error(errc::wrong_kind, differ("algorithm", found.algorithm, expected.algorithm) +
                                          "; open it with the policy it was made with");
    if (found.layout != expected.layout)
        throw error(errc::wrong_kind, differ("layout", found.layout, expected.layout) +
                                          "; open it with the policy it was made with");
    if (found.item_size != expected.item_size)
        throw error(errc::wrong_item_size, differ("items of size", found.item_size, expected.item_size) +
                                               "; open it with the type it was made for");
    if (expected.kind == static_cast<std::uint32_t>(format::kind::map) && found.key_size != expected.key_size)
        throw error(errc::wrong_item_size, differ("keys of size", found.key_size, expected.key_size) +
                                               "; open it with the type it was made for");
    if (found.item_stride != expected.item_stride || found.cell_stride != expected.cell_stride ||
        found.key_size != expected.key_size)
        throw error(errc::corrupt,
                    structure + " has strides that its item size does not give; it was overwritten");
}

}  // namespace zeroipc::detail
