#pragma once
/// \file
/// Shared memory in a file system of the test's own, and what it gives.

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <cstdint>
#include <string>

#include "zeroipc_testing.hpp"

namespace zeroipc::testing {

/// In a child: puts a file system of its own there, which nobody else sees. \return false if that is not allowed here
inline bool mount_there(char const* where, char const* options, unsigned long flags = 0) {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", where, "tmpfs", flags, options) == 0;
}

/// With shared memory in a file system of its own, mounted with these options; 80 if that is not allowed here.
template <class Body>
int in_mount(char const* mount_options, Body&& body) {
    return child([&] { return mount_there("/dev/shm", mount_options) ? static_cast<int>(body()) : 80; })
        .wait();
}

/// Whether this system gives huge pages to who asks for them, past all of the library.
inline bool gives_huge_pages(std::string const& name, std::uint64_t bytes) {
    raw_object const object(name, bytes);
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, object.fd(), 0);
    ::madvise(at, bytes, MADV_HUGEPAGE);
    ::madvise(at, bytes, detail::populate_write);
    bool const gives = mapping_bytes(at, "ShmemPmdMapped") > 0;
    ::munmap(at, bytes);
    ::shm_unlink(name.c_str());
    return gives;
}

}  // namespace zeroipc::testing
