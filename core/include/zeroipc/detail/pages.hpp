#pragma once
/// \file
/// The pages behind a segment: reserving them, filling a mapping's page tables, and huge pages.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "../error.hpp"
#include "attachment.hpp"

namespace zeroipc::detail {

/// madvise's MADV_POPULATE_WRITE, which older system headers do not name: Linux 5.14 and later.
inline constexpr int populate_write = 23;

/// Whether the kernel knows it. Advice for no bytes at all is accepted exactly if it is known.
inline bool can_populate() noexcept { return ::madvise(nullptr, 0, populate_write) == 0; }

/// What is worked on between two chances for a signal: large enough for a huge page, and short.
inline constexpr std::uint64_t part_of_pages = std::uint64_t{4} << 20;

/// Says how much there is before anything is taken; reserve() has the last word.
inline void require_room(int fd, std::string const& path, std::uint64_t bytes) {
    struct statvfs room {};
    if (::fstatvfs(fd, &room) != 0) return;
    auto const free = std::uint64_t{room.f_bavail} * room.f_frsize;
    // A file system without a limit of its own says 0 blocks.
    if (room.f_blocks != 0 && bytes > free)
        throw error(errc::no_space, "segment '" + path + "' needs " + std::to_string(bytes) +
                                        " bytes, and shared memory has " + std::to_string(free) +
                                        " free; remove old segments, or make it larger");
}

/// Allocates all pages, without a change of the object's size. In parts: a signal undoes what it
/// interrupts, and one that comes often would undo a large reservation for ever.
inline void reserve(int fd, std::string const& path, std::uint64_t bytes) {
    for (std::uint64_t from = 0; from < bytes;) {
        auto const length = std::min(part_of_pages, bytes - from);
        if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(length)) == 0)
            from += length;
        else if (errno != EINTR)
            throw_errno(errno,
                        "cannot reserve " + std::to_string(bytes) + " bytes for segment '" + path + "'");
    }
}

/// Reads a byte of each page. A writable shared mapping of memory is writable from its first read on. Never a
/// write: a peer may be writing the same byte.
inline void touch_pages(std::byte const* base, std::uint64_t bytes) noexcept {
    auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (std::uint64_t at = 0; at < bytes; at += page)
        static_cast<void>(static_cast<std::byte const volatile*>(base)[at]);
}

/// Fills this mapping's page tables, and allocates what is not there. Bytes keep their values, whoever else
/// uses the segment.
/// \throws error: truncated if the object is shorter than the mapping, no_space if pages cannot be had, where
///         plain accesses would be ended by a signal; system
inline void populate(int fd, std::byte* base, std::uint64_t bytes, std::string const& path) {
    if (!can_populate()) return touch_pages(base, bytes);
    for (std::uint64_t from = 0; from < bytes;) {
        auto const length = std::min(part_of_pages, bytes - from);
        if (::madvise(base + from, length, populate_write) == 0) {
            from += length;
            continue;
        }
        if (errno == EINTR || errno == EAGAIN) continue;
        auto const number = errno;
        auto const what =
            "cannot fill the page tables for " + std::to_string(bytes) + " bytes of segment '" + path + "'";
        struct stat info {};
        if (::fstat(fd, &info) == 0 && static_cast<std::uint64_t>(info.st_size) < bytes && number == EFAULT)
            throw error(errc::truncated, what + ": it has only " + std::to_string(info.st_size) +
                                             " bytes now; it was cut: make it anew");
        // EFAULT stands for the SIGBUS of a plain access.
        throw_errno(number == EFAULT || number == ENOMEM ? ENOSPC : number, what);
    }
}

/// Asks for transparent huge pages. Only a wish: what the system does with it, huge_page_bytes() says.
inline void ask_for_huge_pages(std::byte* base, std::uint64_t bytes) noexcept {
    static_cast<void>(::madvise(base, bytes, MADV_HUGEPAGE));
}

/// Bytes of a mapping that this process reaches by huge pages, as the kernel counts them; 0 too if it does
/// not say.
inline std::uint64_t huge_page_bytes(std::byte const* base, std::uint64_t bytes) noexcept {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(std::fopen("/proc/self/smaps", "re"),
                                                               &std::fclose);
    if (!file) return 0;
    auto const first = static_cast<unsigned long>(reinterpret_cast<std::uintptr_t>(base));
    char* line = nullptr;
    std::size_t room = 0;
    std::uint64_t found = 0;
    bool inside = false;
    while (::getline(&line, &room, file.get()) > 0) {
        unsigned long from = 0;
        unsigned long to = 0;
        unsigned long kilobytes = 0;
        // Binding a part to a memory node splits the mapping, so that several lines tell of it.
        if (std::sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from >= first && from - first < bytes;
        else if (inside && std::sscanf(line, "ShmemPmdMapped: %lu kB", &kilobytes) == 1)
            found += std::uint64_t{kilobytes} * 1024;
    }
    std::free(line);
    return found;
}

}  // namespace zeroipc::detail
