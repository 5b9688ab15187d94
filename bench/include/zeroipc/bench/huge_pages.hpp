#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace zeroipc::bench {

/// How many bytes of the addresses from begin to before end huge pages back, by the text of /proc/PID/smaps: what
/// ShmemPmdMapped, FilePmdMapped, AnonHugePages and the two keys of hugetlbfs add up to. Nothing where that does not
/// say: no such mapping, a gap in it, none of the keys, or a mapping that reaches beyond the range and is huge in part.
/// Pure.
std::optional<long long> huge_page_bytes(std::string_view smaps, std::uintptr_t begin, std::uintptr_t end);

/// The same of this process's own memory. Call after prefault(): what is not mapped yet is not huge. Reads the
/// mappings of the whole process, so not inside a window. Never throws.
std::optional<long long> huge_page_bytes(void const* base, std::size_t bytes);

}  // namespace zeroipc::bench
