#pragma once
/// \file
/// The word that rules a bucket of a map: a version and the states of 15 slots.

#include <cstdint>

namespace zeroipc::detail {

/// Two masks and a version, from bit 0: valid (15), busy (15), version (34). A slot is free (neither), reserved
/// (busy: its owner writes it in private), valid (both: it holds a key), or closing (valid alone: its block is
/// being taken out of the bucket). The version grows whenever slots become free: so, while it stands, a valid
/// slot stays valid and keeps its bytes.
struct bucket_header {
    static constexpr unsigned slots = 15;
    static constexpr unsigned inline_slots = 3;
    static constexpr unsigned block_slots = 6;
    static constexpr unsigned blocks = 2;
    static constexpr std::uint64_t all = (1U << slots) - 1;

    std::uint64_t value = 0;

    static constexpr std::uint64_t slot_mask(unsigned slot) noexcept { return std::uint64_t{1} << slot; }
    /// The slots of the bucket's overflow block k.
    static constexpr std::uint64_t block_mask(unsigned k) noexcept {
        return ((std::uint64_t{1} << block_slots) - 1) << (inline_slots + block_slots * k);
    }
    static constexpr unsigned block_of(unsigned slot) noexcept { return (slot - inline_slots) / block_slots; }

    [[nodiscard]] constexpr std::uint64_t version() const noexcept { return value >> (2 * slots); }
    [[nodiscard]] constexpr std::uint64_t valid() const noexcept { return value & (value >> slots) & all; }
    [[nodiscard]] constexpr std::uint64_t free() const noexcept { return ~(value | value >> slots) & all; }
    [[nodiscard]] constexpr std::uint64_t reserved() const noexcept {
        return ~value & (value >> slots) & all;
    }
    [[nodiscard]] constexpr std::uint64_t closing() const noexcept { return value & ~(value >> slots) & all; }

    [[nodiscard]] constexpr bucket_header reserve(unsigned slot) const noexcept {
        return {value | slot_mask(slot) << slots};
    }
    [[nodiscard]] constexpr bucket_header validate(unsigned slot) const noexcept {
        return {value | slot_mask(slot)};
    }
    [[nodiscard]] constexpr bucket_header close(std::uint64_t mask) const noexcept { return {value | mask}; }
    /// The slots of the mask become free.
    [[nodiscard]] constexpr bucket_header vacate(std::uint64_t mask) const noexcept {
        return {(value & ~(mask | mask << slots)) + (std::uint64_t{1} << (2 * slots))};
    }
    /// Whether the same slots are valid, with the same bytes.
    [[nodiscard]] constexpr bool same_content(bucket_header other) const noexcept {
        return version() == other.version() && valid() == other.valid();
    }
    constexpr bool operator==(bucket_header const&) const noexcept = default;
};

}  // namespace zeroipc::detail
