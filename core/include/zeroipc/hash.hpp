#pragma once
/// \file
/// The hash of map keys: part of the format, so that every language finds what another one stored
/// (format/map.md).

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace zeroipc {

/// A finaliser in which each bit of the input reaches each bit of the output (Stafford's variant 13 of 2011, as
/// used in SplitMix64 by Steele, Lea and Flood, 2014). A bijection.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/// A key's bytes as little-endian words, the last one filled up with zeros.
template <std::size_t Bytes>
using key_image = std::array<std::uint64_t, (Bytes + 7) / 8>;

template <class K>
key_image<sizeof(K)> image_of(K const& key) noexcept {
    key_image<sizeof(K)> words{};
    std::memcpy(words.data(), &key, sizeof(K));
    return words;
}

/// The hash of a key: its words folded into the seed, one after the other. O(bytes).
template <std::size_t Words>
constexpr std::uint64_t hash(std::array<std::uint64_t, Words> const& key, std::uint64_t seed) noexcept {
    std::uint64_t h = seed;
    for (auto const word : key) h = mix((h + 0x9e3779b97f4a7c15U) ^ word);
    return h;
}

/// The bucket of a hash: its upper half scaled down.
constexpr std::uint64_t bucket_of(std::uint64_t hash, std::uint64_t buckets) noexcept {
    return ((hash >> 32) * buckets) >> 32;
}

}  // namespace zeroipc
