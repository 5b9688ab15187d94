#pragma once
/// \file
/// The types that the runs in C++ use for payloads of each size.

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zeroipc::testing::conformance {

/// Bytes of an odd number.
template <std::size_t N>
struct blob {
    unsigned char all[N];
};

/// A struct of several types, without padding.
struct record {
    std::uint64_t value;
    std::uint32_t part;
    float weight;
    char text[8];
};
static_assert(sizeof(record) == 24);

template <std::size_t N>
auto payload_of() {
    if constexpr (N == 1)
        return std::uint8_t{};
    else if constexpr (N == 2)
        return std::uint16_t{};
    else if constexpr (N == 4)
        return std::uint32_t{};
    else if constexpr (N == 8)
        return std::uint64_t{};
    else if constexpr (N == sizeof(record))
        return record{};
    else
        return blob<N>{};
}
template <std::size_t N>
using payload = decltype(payload_of<N>());

}  // namespace zeroipc::testing::conformance
