/* The hash of map keys, part of the format (format/map.md): Stafford's variant 13 of 2011, as used in SplitMix64 by Steele,
 * Lea and Flood, 2014, folded over the key's words. */
#pragma once

#include <stdint.h>

static inline uint64_t zeroipc_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t zeroipc_hash(uint64_t const* key, uint64_t words, uint64_t seed) {
    uint64_t h = seed;
    for (uint64_t i = 0; i < words; ++i) h = zeroipc_mix((h + UINT64_C(0x9e3779b97f4a7c15)) ^ key[i]);
    return h;
}

/* The upper half, scaled down. */
static inline uint64_t zeroipc_bucket_of(uint64_t hash, uint64_t buckets) {
    return ((hash >> 32) * buckets) >> 32;
}
