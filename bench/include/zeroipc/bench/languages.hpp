#pragma once
/// \file
/// The library in other languages, measured on the very structures that our C++ default makes and fills: what differs is
/// the language of the workers alone. Always between processes; items, and a map's values, of 8 bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "subject.hpp"

namespace zeroipc::bench {

struct LanguageInfo {
    std::string name;       ///< lang/LANGUAGE/STRUCTURE; of a queue also lang/ONE-to-OTHER/queue
    std::string producers;  ///< the language of those who push, or of all workers: c, cpp or python
    std::string consumers;  ///< of those who pop
    [[nodiscard]] bool needs_python() const { return producers == "python" || consumers == "python"; }
    [[nodiscard]] std::string source() const;
};

/// All that there are, runnable here or not, queues first.
std::vector<LanguageInfo> const& languages();

/// Null if there is none of that name.
LanguageInfo const* language_named(std::string_view name);

/// \return nothing if there is none, or not for that payload.
std::optional<Subject> find_language(std::string_view name, std::uint32_t payload_bytes);

/// The only payload size, in bytes.
inline constexpr std::uint32_t language_payload_bytes = 8;

/// What the interpreter of Python workers says of itself, such as "CPython 3.11.2, NumPy 1.24.2".
struct PythonCheck {
    std::optional<std::string> versions;
    std::string why_not;  ///< if there are none
};
/// Tries, the first time, the interpreter that ZEROIPC_PYTHON names, or else python3, the first on PATH and the system's;
/// the one that can is put into ZEROIPC_PYTHON, where workers find it.
PythonCheck const& check_python();

/// Why its workers cannot run here, and what to do; nothing if they can.
std::optional<std::string> why_missing(LanguageInfo const& language);

}  // namespace zeroipc::bench
