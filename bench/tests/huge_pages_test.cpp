#include "zeroipc/bench/huge_pages.hpp"

#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>

using zeroipc::bench::huge_page_bytes;

namespace {

constexpr long long MiB = 1 << 20;

/// A mapping as the kernel writes it, with such lines.
std::string mapping(std::string const& range, std::string const& lines) {
    return range + " rw-s 00000000 00:01 1026                       /dev/shm/feed beef\n" +
           "Size:               4096 kB\nRss:                4096 kB\n" + lines +
           "THPeligible:    1\nVmFlags: rd wr sh\n";
}

std::string const none =
    "AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n";
std::string const shmem_2 =
    "AnonHugePages:         0 kB\nShmemPmdMapped:     2048 kB\nFilePmdMapped:         0 kB\n";
std::string const shmem_4 =
    "AnonHugePages:         0 kB\nShmemPmdMapped:     4096 kB\nFilePmdMapped:         0 kB\n";

}  // namespace

TEST_CASE("bytes in huge pages are read from the mapping's own lines", "[fast]") {
    auto const smaps =
        mapping("7f0000000000-7f0000400000", none) + mapping("7f0000400000-7f0000800000", shmem_2) +
        mapping("7f0000800000-7f0000c00000", shmem_4) +
        mapping("7f0001000000-7f0001400000", "AnonHugePages:      2048 kB\n") +
        mapping("7f0001400000-7f0001800000", "FilePmdMapped:      4096 kB\n") +
        mapping("7f0001800000-7f0001c00000", "AnonHugePages: 0 kB\nShared_Hugetlb:     4096 kB\n") +
        mapping("7f0001c00000-7f0002000000", "AnonHugePages: 0 kB\nPrivate_Hugetlb:     2048 kB\n");
    CHECK(huge_page_bytes(smaps, 0x7f0000000000, 0x7f0000400000) == 0);
    CHECK(huge_page_bytes(smaps, 0x7f0000400000, 0x7f0000800000) == 2 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0000800000, 0x7f0000c00000) == 4 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0001000000, 0x7f0001400000) == 2 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0001400000, 0x7f0001800000) == 4 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0001800000, 0x7f0001c00000) == 4 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0001c00000, 0x7f0002000000) == 2 * MiB);
    // Policies and advice split a mapping into several.
    CHECK(huge_page_bytes(smaps, 0x7f0000000000, 0x7f0000c00000) == 6 * MiB);
}

TEST_CASE("a mapping that reaches beyond the range is known if all or nothing of it is huge", "[fast]") {
    auto const smaps = mapping("7f0000000000-7f0000400000", none) +
                       mapping("7f0000400000-7f0000800000", shmem_2) +
                       mapping("7f0000800000-7f0000c00000", shmem_4);
    CHECK(huge_page_bytes(smaps, 0x7f0000001000, 0x7f0000002000) == 0);
    CHECK(huge_page_bytes(smaps, 0x7f0000900000, 0x7f0000b00000) == 2 * MiB);
    CHECK(huge_page_bytes(smaps, 0x7f0000400000, 0x7f0000600000) == std::nullopt);
    CHECK(huge_page_bytes(smaps, 0x7f0000700000, 0x7f0000c00000) == std::nullopt);
}

TEST_CASE("what the kernel does not say is unknown, and not 0", "[fast]") {
    auto const smaps = mapping("7f0000000000-7f0000400000", none) + mapping("7f0000400000-7f0000800000", "") +
                       mapping("7f0000a00000-7f0000c00000", none);
    CHECK(huge_page_bytes("", 0x7f0000000000, 0x7f0000400000) == std::nullopt);
    CHECK(huge_page_bytes(smaps, 0x7f0000400000, 0x7f0000800000) == std::nullopt);  // none of the keys
    CHECK(huge_page_bytes(smaps, 0x7f0000000000, 0x7f0000800000) == std::nullopt);  // in a part of it
    CHECK(huge_page_bytes(smaps, 0x7f0000800000, 0x7f0000a00000) == std::nullopt);  // no such mapping
    CHECK(huge_page_bytes(smaps, 0x7f0000900000, 0x7f0000c00000) == std::nullopt);  // a gap before it
    CHECK(huge_page_bytes(smaps, 0x7f0000a00000, 0x7f0000d00000) == std::nullopt);  // and behind it
    CHECK(huge_page_bytes(mapping("1000-3000", "AnonHugePages: many kB\n"), 0x1000, 0x3000) == std::nullopt);
    CHECK(huge_page_bytes("AnonHugePages: 4 kB\nnonsense\n-\n1000-\n", 0x1000, 0x3000) == std::nullopt);
}

TEST_CASE("this process's memory", "[fast]") {
    constexpr std::size_t bytes = 1 << 16;  // less than any huge page
    void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(base != MAP_FAILED);
    *static_cast<volatile char*>(base) = 1;
    CHECK(huge_page_bytes(base, bytes).value_or(0) == 0);  // nothing where the kernel has no smaps
    REQUIRE(munmap(base, bytes) == 0);
    CHECK(huge_page_bytes(base, bytes) == std::nullopt);
}
