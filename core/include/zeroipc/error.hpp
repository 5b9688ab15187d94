#pragma once
/// \file
/// What can go wrong, by name. Full and empty are results of an operation, never errors.

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace zeroipc {

/// The causes of failure. Each is thrown as zeroipc::error, whose message adds the value that was wrong and
/// what to do.
enum class errc {
    invalid_name = 1,  ///< a segment's or structure's name that the system or the table cannot hold
    invalid_argument,  ///< an option outside its range
    invalid_capacity,  ///< 0, or not a power of two where one is needed
    too_large,         ///< a segment or structure of 4 GiB or more
    not_found,         ///< no segment, or no structure, of that name
    exists,            ///< there is one of that name already
    no_permission,     ///< the system refused access
    no_space,          ///< the file system behind shared memory has too little room
    segment_full,      ///< too few free bytes in the segment
    table_full,        ///< every table entry of the segment is used
    not_a_segment,     ///< the object exists, but ZeroIPC did not make it
    version_mismatch,  ///< made by an incompatible version of the format
    truncated,         ///< the object is shorter than its header says
    corrupt,           ///< shared bytes that no honest peer writes
    wrong_kind,        ///< another kind of structure, algorithm or layout than asked for
    wrong_item_size,   ///< items of another size than asked for
    no_handle_slot,    ///< every handle slot is in use by a living handle, or parked
    busy,              ///< another process kept a lock longer than the limit
    forked,            ///< used in a child process after fork(); open it anew there
    system,            ///< an unexpected answer of the operating system
    out_of_range,      ///< an index that is not below the capacity
    misuse,            ///< calls in an order that makes no sense, such as publish() without loan()
};

/// Category of zeroipc::errc.
inline std::error_category const& error_category() noexcept {
    struct category final : std::error_category {
        [[nodiscard]] char const* name() const noexcept override { return "zeroipc"; }
        [[nodiscard]] std::string message(int value) const override {
            switch (static_cast<errc>(value)) {
                case errc::invalid_name:
                    return "invalid name";
                case errc::invalid_argument:
                    return "invalid argument";
                case errc::invalid_capacity:
                    return "invalid capacity";
                case errc::too_large:
                    return "too large";
                case errc::not_found:
                    return "not found";
                case errc::exists:
                    return "exists already";
                case errc::no_permission:
                    return "no permission";
                case errc::no_space:
                    return "no space in shared memory";
                case errc::segment_full:
                    return "segment full";
                case errc::table_full:
                    return "table full";
                case errc::not_a_segment:
                    return "not a ZeroIPC segment";
                case errc::version_mismatch:
                    return "format version mismatch";
                case errc::truncated:
                    return "truncated segment";
                case errc::corrupt:
                    return "corrupt shared memory";
                case errc::wrong_kind:
                    return "wrong kind of structure";
                case errc::wrong_item_size:
                    return "wrong item size";
                case errc::no_handle_slot:
                    return "no free handle slot";
                case errc::busy:
                    return "busy";
                case errc::forked:
                    return "used across fork";
                case errc::system:
                    return "system error";
                case errc::out_of_range:
                    return "index out of range";
                case errc::misuse:
                    return "misuse";
            }
            return "unknown error";
        }
    };
    static category const instance;
    return instance;
}

inline std::error_code make_error_code(errc value) noexcept {
    return {static_cast<int>(value), error_category()};
}

/// The one exception of the library. code() compares with zeroipc::errc; what() says cause, value and remedy.
class error : public std::system_error {
public:
    error(errc cause, std::string const& detail) : std::system_error(make_error_code(cause), detail) {}
    [[nodiscard]] errc cause() const noexcept { return static_cast<errc>(code().value()); }
};

namespace detail {

// What follows is never part of its caller: an operation stays small enough to be part of a loop.

/// What every structure says of bytes that no honest peer writes. \throws error(errc::corrupt)
[[noreturn, gnu::cold, gnu::noinline]] inline void corrupt(std::string_view structure,
                                                           std::string_view what) {
    throw error(errc::corrupt,
                std::string(structure) + ": " + std::string(what) + "; a peer overwrote it: make it anew");
}

/// The same of a retry loop that went round `rounds` times. \throws error(errc::corrupt)
[[noreturn, gnu::cold, gnu::noinline]] inline void no_progress(std::string_view structure,
                                                               std::uint64_t rounds) {
    corrupt(structure, "no progress was possible for " + std::to_string(rounds) + " rounds");
}

}  // namespace detail
}  // namespace zeroipc

template <>
struct std::is_error_code_enum<zeroipc::errc> : std::true_type {};
