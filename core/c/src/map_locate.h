/* Looking for a key of a map, compiled into each operation that does. Argument: format/map.md. */
#pragma once

#include "map.h"

INLINE bool holds(word* slot, uint64_t const* key, struct sizes sizes) {
    for (uint64_t i = 0; i < sizes.key_words; ++i)
        if (load_relaxed(&slot[i]) != key[i]) return false;
    return true;
}

/* Looks for the key in hand, and copies its value if `value` is not NULL. Gives its slot and a header that still stood behind
 * the copy; or NONE, and a header by which the key was absent. */
INLINE enum zeroipc_result locate(zeroipc_map const* m, uint64_t bucket, uint64_t const* key, void* value,
                                  struct sight* sight, struct sizes sizes) {
    struct table const* const t = &m->table;
    word* const header = header_at(t, bucket, sizes.bucket_stride);
    uint64_t seen = load_acquire(header); /* (M1) */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        bool whole = true;
        for (uint64_t left = valid_in(seen); left != 0; left &= left - 1) {
            unsigned const slot = (unsigned)__builtin_ctzll(left);
            word* const from = slot_at(t, bucket, slot, sizes);
            if (from == NULL) {
                whole = false;
                break;
            }
            if (!holds(from, key, sizes)) continue;
            if (value != NULL) read_words(value, from + sizes.key_words, sizes.value);
            /* (M11) acquire fence: were these the bytes of a later owner of the slot, the version would show it.
             * Partner: (M10). */
            fence(memory_order_acquire);
            uint64_t const now = load_relaxed(header);
            if (likely(version_of(now) == version_of(seen))) {
                *sight = (struct sight){now, slot};
                return ZEROIPC_OK;
            }
            whole = false;
            break;
        }
        fence(memory_order_acquire); /* (M11) */
        uint64_t const now = load_relaxed(header);
        if (same_content(now, seen)) {
            if (!whole) return zeroipc_corrupt("map", zeroipc_no_block);
            *sight = (struct sight){now, NONE};
            return ZEROIPC_OK;
        }
        seen = load_acquire(header); /* (M1) */
    }
    return zeroipc_no_progress("map");
}
