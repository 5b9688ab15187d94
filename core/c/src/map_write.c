/* Every change of a map's keys but their removal. Bytes, numbers of accesses and argument: format/map.md. */
#include "map_locate.h"
#include "waiting.h"

/* What a writer has got by now: a slot that is reserved, or NONE; and whether it got the bucket a block. */
struct holding {
    unsigned slot;
    bool grown;
};

/* Reserves a free slot of a bucket, as it was looked at. With a block that has none, gets one. */
static enum attempt reserve(struct table* t, uint64_t bucket, uint64_t* now, unsigned* mine) {
    uint64_t free = free_in(*now);
    for (unsigned k = 0; k < BLOCKS; ++k)
        if ((free & block_mask(k)) != 0 && !is_block(t, read_link(t, bucket, k))) free &= ~block_mask(k);
    if (free == 0) return zeroipc_grow(t, bucket, *now);
    unsigned const slot = (unsigned)__builtin_ctzll(free);
    intend(&t->slot->reserved, 1 + 16 * bucket + slot);
    uint64_t const after = *now | slot_mask(slot) << SLOTS;
    if (!change(t, bucket, now, after)) return LOST; /* (M2) */
    *now = after;
    *mine = slot;
    return DONE;
}

/* The key in hand and a value into a slot that is reserved for us. */
INLINE enum zeroipc_result fill(zeroipc_map* m, uint64_t bucket, unsigned slot, uint64_t const* key,
                                void const* value, struct sizes sizes) {
    word* const to = slot_at(&m->table, bucket, slot, sizes);
    if (to == NULL) return zeroipc_corrupt("map", zeroipc_no_block);
    /* (M10) release fence: who reads what is written here, as part of what stood here before, sees a later version of the
     * header. Partner: (M11). */
    fence(memory_order_release);
    for (uint64_t i = 0; i < sizes.key_words; ++i) store_relaxed(&to[i], key[i]);
    write_words(to + sizes.key_words, value, sizes.value);
    return ZEROIPC_OK;
}

/* Ends an operation that changed nothing. */
static enum zeroipc_result leave(struct table* t, uint64_t bucket, struct holding mine,
                                 enum zeroipc_result result) {
    if (mine.slot != NONE) {
        uint64_t now = read_header(t, bucket); /* (M1) */
        uint64_t round = 0;
        while (!change(t, bucket, &now, vacate(now, slot_mask(mine.slot)))) /* (M2) */
            if (++round == ZEROIPC_PATIENCE) return zeroipc_no_progress("map");
    }
    if (load_relaxed(&t->slot->reserved) != 0) release(&t->slot->reserved);
    /* Who emptied the block may have seen this slot in use. */
    if (mine.grown || (mine.slot != NONE && mine.slot >= INLINE_SLOTS)) zeroipc_trim(t, bucket);
    return result;
}

/* What a writer is asked to do. */
struct wish {
    /* Looks at the value that the key has (NULL: absent), and says what to do: OK, with the new one in `value`; or what the
     * operation returns, without a change. May be called several times. */
    enum zeroipc_result (*decide)(struct wish const* wish, zeroipc_map* m, void const* old);
    bool needs_old;
    bool assigns;      /* replacing a value is worth another answer than inserting a key */
    void const* value; /* the new one */
    void* expected;
    void (*change)(void* context, void* value);
    void* context;
};

/* `words` has room for the key. */
INLINE enum zeroipc_result write_sized(zeroipc_map* m, void const* key, uint64_t* words,
                                       struct wish const* wish, struct sizes sizes) {
    struct table* const t = &m->table;
    enum zeroipc_result result = ZEROIPC_OK;
    uint64_t const bucket = take_key(m, words, key, sizes);
    struct holding mine = {NONE, false};
    uint32_t pauses = 1;
    struct sight sight = {0, NONE};
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        result = locate(m, bucket, words, wish->needs_old ? m->old : NULL, &sight, sizes);
        if (unlikely(result != ZEROIPC_OK)) return result;
        result = wish->decide(wish, m, sight.slot == NONE ? NULL : m->old);
        if (result != ZEROIPC_OK) {
            if (sight.slot == NONE && !zeroipc_confirmed_absent(t, bucket, &sight)) continue;
            return leave(t, bucket, mine, result);
        }
        if (mine.slot == NONE) {
            enum attempt const got = reserve(t, bucket, &sight.now, &mine.slot);
            if (got == IMPOSSIBLE) return leave(t, bucket, mine, ZEROIPC_FULL);
            if (got != DONE) {
                mine.grown = mine.grown || got == GROWN;
                back_off(&pauses);
                continue;
            }
        }
        result = fill(m, bucket, mine.slot, words, wish->value, sizes);
        if (unlikely(result != ZEROIPC_OK)) return result;
        /* What is valid has not changed since the key was looked for: so the key is still where it was, and nowhere
         * else. Other slots may be reserved and dropped meanwhile. */
        uint64_t const looked_at = sight.now;
        for (; same_content(looked_at, sight.now) && round < ZEROIPC_PATIENCE; ++round) {
            uint64_t after = sight.now | slot_mask(mine.slot);
            if (sight.slot != NONE) after = vacate(after, slot_mask(sight.slot));
            if (change(t, bucket, &sight.now, after)) { /* (M2), the commit */
                release(&t->slot->reserved);
                if (sight.slot != NONE) zeroipc_shrink(t, bucket, sight.slot, after);
                if (mine.grown) zeroipc_trim(t, bucket);
                if (sight.slot == NONE) notify(m->keys_wait);
                return sight.slot != NONE && wish->assigns ? ZEROIPC_ASSIGNED : ZEROIPC_OK;
            }
            back_off(&pauses);
        }
    }
    return zeroipc_no_progress("map");
}

SELDOM enum zeroipc_result write_any(zeroipc_map* m, void const* key, struct wish const* wish) {
    return write_sized(m, key, m->key, wish, sizes_of(m));
}
/* Every change of a key but its removal. */
INLINE enum zeroipc_result write_key(zeroipc_map* m, void const* key, struct wish const* wish) {
    enum zeroipc_result const result = refuse_forked(m->handle.memory);
    if (unlikely(result != ZEROIPC_OK)) return result;
    if (!is_one_word_each(m)) return write_any(m, key, wish);
    uint64_t word_of_key = 0;
    return write_sized(m, key, &word_of_key, wish, ONE_WORD_EACH);
}

static enum zeroipc_result decide_insert(struct wish const* wish, zeroipc_map* m, void const* old) {
    (void)m;
    return old != NULL && !wish->assigns ? ZEROIPC_PRESENT : ZEROIPC_OK;
}
enum zeroipc_result zeroipc_map_insert(zeroipc_map* m, void const* key, void const* value) {
    struct wish const wish = {.decide = decide_insert, .value = value};
    return write_key(m, key, &wish);
}
enum zeroipc_result zeroipc_map_insert_or_assign(zeroipc_map* m, void const* key, void const* value) {
    struct wish const wish = {.decide = decide_insert, .assigns = true, .value = value};
    return write_key(m, key, &wish);
}

static enum zeroipc_result decide_exchange(struct wish const* wish, zeroipc_map* m, void const* old) {
    if (old == NULL) return ZEROIPC_ABSENT;
    return memcmp(old, wish->expected, m->table.value_size) != 0 ? ZEROIPC_DIFFERENT : ZEROIPC_OK;
}
enum zeroipc_result zeroipc_map_compare_exchange(zeroipc_map* m, void const* key, void* expected,
                                                 void const* desired) {
    struct wish const wish = {
        .decide = decide_exchange, .needs_old = true, .value = desired, .expected = expected};
    enum zeroipc_result const result = write_key(m, key, &wish);
    if (result == ZEROIPC_DIFFERENT) memcpy(expected, m->old, m->table.value_size);
    return result;
}

static enum zeroipc_result decide_update(struct wish const* wish, zeroipc_map* m, void const* old) {
    if (old == NULL) return ZEROIPC_ABSENT;
    memcpy(m->desired, old, m->table.value_size);
    wish->change(wish->context, m->desired);
    return ZEROIPC_OK;
}
enum zeroipc_result zeroipc_map_update(zeroipc_map* m, void const* key, void (*change_value)(void*, void*),
                                       void* context) {
    struct wish const wish = {.decide = decide_update,
                              .needs_old = true,
                              .value = m->desired,
                              .change = change_value,
                              .context = context};
    return write_key(m, key, &wish);
}
