/* Looking for a key of a map, and removing it. Bytes, numbers of accesses and argument: format/map.md. */
#include "map_locate.h"
#include "waiting.h"

char const zeroipc_no_block[] = "a bucket's link names a block that does not exist";

bool zeroipc_confirmed_absent(struct table const* t, uint64_t bucket, struct sight const* sight) {
    fence(memory_order_seq_cst);
    /* (M3) acquire, behind the fence. Partner: (M2). */
    return same_content(load_acquire(header_of(t, bucket)), sight->now);
}

/* `words` has room for the key, `copy` for a value: what is read under a change must not reach the caller. */
INLINE enum zeroipc_result find_sized(zeroipc_map const* m, void const* key, uint64_t* words, void* value,
                                      void* copy, struct sizes sizes) {
    uint64_t const bucket = take_key(m, words, key, sizes);
    struct sight sight = {0, NONE};
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        enum zeroipc_result const result =
            locate(m, bucket, words, value != NULL ? copy : NULL, &sight, sizes);
        if (unlikely(result != ZEROIPC_OK)) return result;
        if (likely(sight.slot != NONE)) {
            if (value != NULL) copy_item(value, copy, sizes.value);
            return ZEROIPC_OK;
        }
        if (zeroipc_confirmed_absent(&m->table, bucket, &sight)) return ZEROIPC_ABSENT;
    }
    return zeroipc_no_progress("map");
}

SELDOM enum zeroipc_result find_any(zeroipc_map const* m, void const* key, void* value) {
    return find_sized(m, key, m->key, value, m->old, sizes_of(m));
}
enum zeroipc_result zeroipc_map_find(zeroipc_map* m, void const* key, void* value) {
    enum zeroipc_result const result = refuse_forked(m->handle.memory);
    if (unlikely(result != ZEROIPC_OK)) return result;
    if (!is_one_word_each(m)) return find_any(m, key, value);
    uint64_t word_of_key = 0;
    uint64_t copy = 0;
    return find_sized(m, key, &word_of_key, value, &copy, ONE_WORD_EACH);
}

struct waiter {
    zeroipc_map* map;
    void const* key;
    void* value;
};
static enum zeroipc_result find_attempt(void* context) {
    struct waiter const* const w = context;
    return zeroipc_map_find(w->map, w->key, w->value);
}
enum zeroipc_result zeroipc_map_wait(zeroipc_map* m, void const* key, void* value, int64_t timeout_ns) {
    struct waiter w = {m, key, value};
    return zeroipc_wait(m->keys_wait, find_attempt, &w, ZEROIPC_ABSENT, timeout_ns);
}

INLINE enum zeroipc_result erase_sized(zeroipc_map* m, void const* key, uint64_t* words, struct sizes sizes) {
    struct table* const t = &m->table;
    uint64_t const bucket = take_key(m, words, key, sizes);
    uint32_t pauses = 1;
    struct sight sight = {0, NONE};
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        enum zeroipc_result const result = locate(m, bucket, words, NULL, &sight, sizes);
        if (unlikely(result != ZEROIPC_OK)) return result;
        if (sight.slot == NONE) {
            if (zeroipc_confirmed_absent(t, bucket, &sight)) return ZEROIPC_ABSENT;
            continue;
        }
        uint64_t const after = vacate(sight.now, slot_mask(sight.slot));
        if (change(t, bucket, &sight.now, after)) { /* (M2), the commit */
            zeroipc_shrink(t, bucket, sight.slot, after);
            return ZEROIPC_OK;
        }
        back_off(&pauses);
    }
    return zeroipc_no_progress("map");
}

SELDOM enum zeroipc_result erase_any(zeroipc_map* m, void const* key) {
    return erase_sized(m, key, m->key, sizes_of(m));
}
enum zeroipc_result zeroipc_map_erase(zeroipc_map* m, void const* key) {
    enum zeroipc_result const result = refuse_forked(m->handle.memory);
    if (unlikely(result != ZEROIPC_OK)) return result;
    if (!is_one_word_each(m)) return erase_any(m, key);
    uint64_t word_of_key = 0;
    return erase_sized(m, key, &word_of_key, ONE_WORD_EACH);
}

uint64_t zeroipc_map_capacity(zeroipc_map const* m) { return m->handle.shape.capacity; }
uint32_t zeroipc_map_handle_slot(zeroipc_map const* m) { return m->handle.slot; }

enum zeroipc_result zeroipc_map_was_size(zeroipc_map* m, uint64_t* size) {
    enum zeroipc_result const result = refuse_forked(m->handle.memory);
    if (result != ZEROIPC_OK) return result;
    uint64_t keys = 0;
    for (uint64_t b = 0; b < m->table.bucket_count; ++b)
        keys += (uint64_t)__builtin_popcountll(valid_in(load_relaxed(header_of(&m->table, b))));
    *size = keys;
    return ZEROIPC_OK;
}
