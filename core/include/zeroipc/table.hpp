#pragma once
/// \file
/// The segment's header and its table of names: the bytes (format/segment.md), and reading them with
/// distrust.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "error.hpp"

namespace zeroipc {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian: see format/segment.md");

/// The bytes of a segment's start.
namespace format {

inline constexpr std::uint32_t magic = 0x4350495aU;  ///< the bytes `ZIPC`
inline constexpr std::uint32_t unfinished =
    0x6350495aU;  ///< the bytes `ZIPc`: a creator is at work, or died at it
inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t header_bytes = 16;
inline constexpr std::size_t entry_bytes = 40;
inline constexpr std::size_t name_bytes = 32;  ///< with the NUL: names have up to 31 bytes
inline constexpr std::size_t structure_alignment = 64;
inline constexpr std::uint64_t segment_limit = std::uint64_t{1}
                                               << 32;  ///< segments are smaller than this, in bytes
inline constexpr std::uint32_t max_entries_limit = 0xffff;

struct header {
    std::uint32_t magic;
    std::uint32_t version_and_entries;  ///< version in the low 16 bits, max_entries in the high 16
    std::uint32_t count;                ///< published entries
    std::uint32_t next;                 ///< offset of the next free byte
};
static_assert(sizeof(header) == header_bytes, "the header is 16 bytes: see format/segment.md");
static_assert(offsetof(header, count) == 8,
              "count and next are one 64-bit word at 8, published by one store");
static_assert(offsetof(header, next) == 12, "next is the high half of that word");

struct entry {
    char name[name_bytes];
    std::uint32_t offset;  ///< from the segment's start, a multiple of 64
    std::uint32_t size;    ///< bytes
};
static_assert(sizeof(entry) == entry_bytes, "a table entry is 40 bytes: see format/segment.md");
static_assert(offsetof(entry, offset) == 32 && offsetof(entry, size) == 36,
              "offset and size follow the name");

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) noexcept {
    return (value + alignment - 1) / alignment * alignment;
}

/// Offset of the first structure behind a table of that many entries, in bytes.
constexpr std::uint64_t table_end(std::uint32_t max_entries) noexcept {
    return align_up(header_bytes + entry_bytes * std::uint64_t{max_entries}, structure_alignment);
}

}  // namespace format

/// A structure's place, as the table names it: checked to lie inside the segment and behind the table.
struct table_entry {
    std::string name;
    std::uint32_t offset = 0;  ///< bytes from the segment's start
    std::uint32_t size = 0;    ///< bytes
};

/// A view of the table of a mapped segment. It keeps its own copy of what cannot change, and believes nothing
/// that can.
class Table {
public:
    Table() = default;

    /// \param base the mapping; \param bytes its length; \param max_entries as validated when the segment was
    /// opened.
    Table(std::byte* base, std::uint64_t bytes, std::uint32_t max_entries)
        : base_(base), bytes_(bytes), max_entries_(max_entries) {}

    [[nodiscard]] std::uint32_t max_entries() const noexcept { return max_entries_; }

    /// Published entries and the next free byte: one 64-bit word.
    struct cursor {
        std::uint32_t count;
        std::uint32_t next;
    };

    /// \throws error(errc::corrupt) if the word is out of range.
    [[nodiscard]] cursor read_cursor() const {
        // (T1) acquire: whoever sees the count sees the entry and the structure behind it. Partner: (T2).
        auto const word = cursor_word().load(std::memory_order_acquire);
        cursor const now{static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
        if (now.count > max_entries_ || now.next < format::table_end(max_entries_) || now.next > bytes_)
            throw error(errc::corrupt, "table says " + std::to_string(now.count) + " entries (of " +
                                           std::to_string(max_entries_) + ") and next free byte " +
                                           std::to_string(now.next) + " (of " + std::to_string(bytes_) +
                                           "); the segment was overwritten: make it anew");
        return now;
    }

    /// Makes a written entry, and the structure behind it, visible. Only under the creation lock.
    void publish(cursor now) const noexcept {
        // (T2) release: entry and structure before the count. Partner: (T1).
        cursor_word().store(now.count | (std::uint64_t{now.next} << 32), std::memory_order_release);
    }

    /// The bytes of entry i, published or draft. \pre i < max_entries()
    [[nodiscard]] format::entry* raw(std::uint32_t i) const noexcept {
        return reinterpret_cast<format::entry*>(base_ + format::header_bytes + format::entry_bytes * i);
    }

    /// Entry i, checked. \throws error(errc::corrupt)
    [[nodiscard]] table_entry at(std::uint32_t i) const {
        format::entry bytes;
        std::memcpy(&bytes, raw(i), sizeof bytes);
        auto const length = ::strnlen(bytes.name, format::name_bytes);
        if (length == 0 || length == format::name_bytes || bytes.offset % format::structure_alignment != 0 ||
            bytes.offset < format::table_end(max_entries_) ||
            std::uint64_t{bytes.offset} + bytes.size > bytes_)
            throw error(errc::corrupt,
                        "table entry " + std::to_string(i) + " (offset " + std::to_string(bytes.offset) +
                            ", size " + std::to_string(bytes.size) + ") does not lie in the segment's " +
                            std::to_string(bytes_) + " bytes; the segment was overwritten: make it anew");
        return {std::string(bytes.name, length), bytes.offset, bytes.size};
    }

    /// Looks a name up. Lock-free, O(entries). \throws error(errc::corrupt)
    [[nodiscard]] std::optional<table_entry> find(std::string_view name) const {
        auto const count = read_cursor().count;
        for (std::uint32_t i = 0; i < count; ++i)
            if (auto entry = at(i); entry.name == name) return entry;
        return std::nullopt;
    }

    /// \throws error(errc::invalid_name) unless it has 1 to 31 bytes, none of them a control character.
    static void check_name(std::string_view name) {
        bool control = false;
        for (char const c : name) control = control || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        if (name.empty() || name.size() >= format::name_bytes || control)
            throw error(errc::invalid_name, "structure name '" + std::string(name) + "' has " +
                                                std::to_string(name.size()) +
                                                " bytes; use 1 to 31, without control characters");
    }

private:
    [[nodiscard]] std::atomic<std::uint64_t>& cursor_word() const noexcept {
        return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + offsetof(format::header, count));
    }

    std::byte* base_ = nullptr;
    std::uint64_t bytes_ = 0;
    std::uint32_t max_entries_ = 0;
};

}  // namespace zeroipc
