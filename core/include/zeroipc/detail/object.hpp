#pragma once
/// \file
/// The object behind a segment: its name, how far it is made, its header, its mapping.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "../error.hpp"
#include "../table.hpp"
#include "attachment.hpp"

namespace zeroipc::detail {

/// The object's name with its slash. \throws error(errc::invalid_name)
inline std::string checked_path(std::string_view name) {
    std::string path(name);
    if (path.empty() || path.front() != '/') path.insert(path.begin(), '/');
    bool bad = path.size() < 2 || path.size() > 255 || path == "/." || path == "/..";
    for (char const c : std::string_view(path).substr(1))
        bad = bad || c == '/' || static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    if (bad)
        throw error(errc::invalid_name,
                    "segment name '" + std::string(name) +
                        "': use 1 to 254 characters without slashes, blanks or control characters");
    return path;
}

/// What stands in an object.
enum class making { finished, unfinished, foreign };

/// Only under the creation lock is `unfinished` a death rather than work in
/// progress.
inline making state_of(int fd, std::uint64_t bytes) {
    if (bytes == 0) return making::unfinished;
    format::header header{};
    if (::pread(fd, &header, sizeof header, 0) < static_cast<ssize_t>(sizeof header.magic))
        return making::foreign;
    if (header.magic == format::magic) return making::finished;
    if (header.magic == format::unfinished) return making::unfinished;
    // A creator may die between giving the object its first 16 bytes and marking them.
    bool const blank =
        header.magic == 0 && header.version_and_entries == 0 && header.count == 0 && header.next == 0;
    return blank && bytes == format::header_bytes ? making::unfinished : making::foreign;
}

/// The object's size, or nullopt if its name was removed meanwhile.
inline std::optional<std::uint64_t> linked_size(int fd, std::string const& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) throw_errno(errno, "cannot examine segment '" + path + "'");
    if (info.st_nlink == 0) return std::nullopt;
    return static_cast<std::uint64_t>(info.st_size);
}

/// Maps an object, for this process alone.
inline std::byte* map(int fd, std::uint64_t bytes, std::string const& path) {
    // A child must not have the mapping: two processes would act as one handle, and it would keep its
    // parent's locks. Under the mutex, so that no fork falls in between.
    std::lock_guard const guard(fork_registry::instance().mutex);
    void* const base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        throw_errno(errno, "cannot map " + std::to_string(bytes) + " bytes of segment '" + path + "'");
    ::madvise(base, bytes, MADV_DONTFORK);
    return static_cast<std::byte*>(base);
}

/// \return max_entries, once everything that the header says is known to be possible.
inline std::uint32_t check_header(int fd, std::uint64_t bytes, std::string const& path) {
    format::header header{};
    auto const got = ::pread(fd, &header, sizeof header, 0);
    if (got < static_cast<ssize_t>(sizeof header.magic) || header.magic != format::magic)
        throw error(errc::not_a_segment,
                    "object '" + path + "' of " + std::to_string(bytes) +
                        " bytes does not begin with 'ZIPC'; another program made it, use another "
                        "name");
    if (got != static_cast<ssize_t>(sizeof header))
        throw error(errc::truncated, "segment '" + path + "' has only " + std::to_string(bytes) +
                                         " bytes, less than its header; it was cut: make it anew");
    auto const version = header.version_and_entries & 0xffffU;
    if (version != format::version)
        throw error(errc::version_mismatch, "segment '" + path + "' has format version " +
                                                std::to_string(version) + ", this library reads " +
                                                std::to_string(format::version));
    if (bytes >= format::segment_limit)
        throw error(errc::too_large, "segment '" + path + "' has " + std::to_string(bytes) +
                                         " bytes; the format ends below 4 GiB");
    auto const max_entries = header.version_and_entries >> 16;
    auto const end = format::table_end(max_entries);
    if (bytes < end || bytes < header.next)
        throw error(errc::truncated, "segment '" + path + "' has " + std::to_string(bytes) +
                                         " bytes, but its table ends at " + std::to_string(end) +
                                         " and its structures at " + std::to_string(header.next) +
                                         "; it was cut: make it anew");
    if (max_entries == 0 || header.count > max_entries || header.next < end)
        throw error(errc::corrupt, "segment '" + path + "' says " + std::to_string(header.count) + " of " +
                                       std::to_string(max_entries) + " entries, next free byte " +
                                       std::to_string(header.next) + "; it was overwritten: make it anew");
    return max_entries;
}

}  // namespace zeroipc::detail
