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

/// In a file system of its own, mounted with these options; 80 if that is not allowed here.
template <class Body>
int in_mount(char const* mount_options, Body&& body) {
    return child([&] {
               if (::unshare(CLONE_NEWNS) != 0 ||
                   ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                   ::mount("tmpfs", "/dev/shm", "tmpfs", 0, mount_options) != 0)
                   return 80;
               return static_cast<int>(body());
           })
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
