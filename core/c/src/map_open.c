/* Geometry, recovery, repair and walks of a map of buckets; making, opening and closing. Argument: format/map.md. */
#include <stdlib.h>

#include "map.h"

static uint64_t key_words(struct shape const* shape) { return align_up(shape->key_size, 8) / 8; }
static uint64_t bucket_count(struct shape const* shape) {
    return shape->capacity * FORMAT_MAP_BUCKETS_BUCKETS_PER_CAPACITY_TIMES /
               FORMAT_MAP_BUCKETS_BUCKETS_PER_CAPACITY_DIVIDED_BY +
           FORMAT_MAP_BUCKETS_BUCKETS_PER_CAPACITY_PLUS;
}
static uint64_t block_count(struct shape const* shape) {
    uint64_t const shared = shape->capacity / FORMAT_MAP_BUCKETS_BLOCKS_PER_CAPACITY_DIVIDED_BY +
                            FORMAT_MAP_BUCKETS_BLOCKS_PER_CAPACITY_PLUS;
    return (shared < shape->capacity ? shared : shape->capacity) + shape->handle_slots;
}
static uint64_t owners_at(struct shape const* shape) {
    return FORMAT_MAP_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * shape->handle_slots;
}
static uint64_t buckets_at(struct shape const* shape) {
    return align_up(owners_at(shape) + FORMAT_MAP_BUCKETS_OWNER_BYTES * block_count(shape), SLOT_LINE);
}
static struct measures measure(struct shape const* shape) {
    uint64_t const stride = 8 * key_words(shape) + align_up(shape->item_size, 8);
    uint64_t const cell = align_up(FORMAT_MAP_BUCKETS_BUCKET_SLOTS_OFFSET + INLINE_SLOTS * stride, SLOT_LINE);
    return (struct measures){
        stride, cell,
        buckets_at(shape) + cell * bucket_count(shape) + BLOCK_SLOTS * stride * block_count(shape)};
}

struct table zeroipc_table(uint8_t* base, struct shape const* shape, uint32_t slot) {
    struct measures const m = measure(shape);
    uint8_t* const slots = base + FORMAT_MAP_LAYOUTS_COMPACT_BODY;
    return (struct table){
        .owners = base + owners_at(shape),
        .buckets = base + buckets_at(shape),
        .blocks = base + buckets_at(shape) + m.cell_stride * bucket_count(shape),
        .slots = slots,
        .slot = (struct map_slot*)(void*)(slots + (uint64_t)SLOT_LINE * slot),
        .bucket_count = bucket_count(shape),
        .block_count = block_count(shape),
        .bucket_stride = m.cell_stride,
        .item_stride = m.item_stride,
        .key_words = key_words(shape),
        .value_size = shape->item_size,
        .seed = shape->seed,
        .next_block = block_count(shape) * slot / shape->handle_slots,
        .me = slot + FORMAT_MAP_BUCKETS_OWNERS_FIRST_HANDLE,
        .handle_slots = shape->handle_slots,
    };
}

/* Whether a living handle names the same reservation. */
static bool is_named_by_living(struct table const* t, uint32_t slot, uint64_t intent,
                               struct claimant const* who) {
    for (uint32_t other = 0; other < t->handle_slots; ++other) {
        if (other == slot) continue;
        struct map_slot* const record = (struct map_slot*)(void*)(t->slots + (uint64_t)SLOT_LINE * other);
        /* (M8) acquire. Partner: (M9). */
        if (load_acquire(&record->reserved) == intent && !zeroipc_is_dead(who, other)) return true;
    }
    return false;
}

static bool recover_reservation(struct table* t, uint32_t slot, struct claimant const* who) {
    uint64_t const intent = load_relaxed(&t->slot->reserved);
    if (intent == 0) return true;
    uint64_t const bucket = (intent - 1) / 16;
    unsigned const mine = (unsigned)((intent - 1) % 16);
    if (bucket >= t->bucket_count || mine >= SLOTS) return false;
    /* A living handle that names the slot goes on soon, or is stopped: then this waits no longer. A lost race shows that others
     * go on: on a busy bucket it takes many. */
    for (unsigned round = 0, lost = 0; round < 100 && lost < 100000;) {
        uint64_t now = load_acquire(header_of(t, bucket)); /* (M8) */
        if ((reserved_in(now) & slot_mask(mine)) == 0) {
            zeroipc_shrink(t, bucket, mine, now);
            release(&t->slot->reserved);
            return true;
        }
        /* Reserved: by the dead one, or by another handle that names it too. If all that name it are dead, it is nobody's. */
        if (is_named_by_living(t, slot, intent, who))
            ++round;
        else if (!change(t, bucket, &now, vacate(now, slot_mask(mine)))) /* (M2) */
            ++lost;
    }
    return false;
}

static bool recover(uint8_t* base, struct shape const* shape, uint32_t slot, struct claimant const* who) {
    struct table t = zeroipc_table(base, shape, slot);
    return zeroipc_recover_block(&t) && recover_reservation(&t, slot, who);
}

static uint64_t blocks_in(struct table const* t, uint64_t bucket) {
    uint64_t found = 0;
    for (unsigned k = 0; k < BLOCKS; ++k) found += is_block(t, read_link(t, bucket, k));
    return found;
}

/* Once every handle slot is settled and nobody is attached: no slot is rightly reserved or closing, and no empty block rightly
 * in a bucket. */
static enum zeroipc_result repair(uint8_t* base, struct shape const* shape, struct claimant const* who,
                                  uint64_t* reclaimed) {
    for (uint32_t slot = 0; slot < shape->handle_slots; ++slot)
        if (!recover(base, shape, slot, who))
            return zeroipc_corrupt("map", "a handle slot names what does not exist");
    struct table t = zeroipc_table(base, shape, 0);
    for (uint64_t bucket = 0; bucket < t.bucket_count; ++bucket) {
        uint64_t now = load_relaxed(header_of(&t, bucket));
        uint64_t const lost = reserved_in(now) | closing_in(now);
        if (lost != 0) {
            *reclaimed += (uint64_t)__builtin_popcountll(lost);
            change(&t, bucket, &now, vacate(now, lost)); /* (M2) */
        }
        uint64_t const before = blocks_in(&t, bucket);
        zeroipc_trim(&t, bucket);
        *reclaimed += before - blocks_in(&t, bucket);
    }
    return ZEROIPC_OK;
}

struct kind const zeroipc_map_kind = {
    .noun = "map",
    .number = FORMAT_DESCRIPTOR_KINDS_MAP,
    .algorithm = FORMAT_MAP_ALGORITHMS_BUCKETS,
    .layout = FORMAT_MAP_LAYOUTS_COMPACT_NUMBER,
    .capacity_offset = FORMAT_MAP_HEADER_CAPACITY_OFFSET,
    .descriptor_offset = FORMAT_MAP_DESCRIPTOR_OFFSET,
    .slots = FORMAT_MAP_LAYOUTS_COMPACT_BODY,
    .capacity_most = FORMAT_MAP_LIMITS_CAPACITY_MOST,
    .power_of_two = false,
    .measure = measure,
    .recover = recover,
    .repair = repair,
};

/* All of one bucket at one moment, into m->bucket; how many. */
static enum zeroipc_result copy_bucket(zeroipc_map* m, uint64_t bucket, unsigned* count) {
    struct table const* const t = &m->table;
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t const seen = read_header(t, bucket); /* (M1) */
        uint64_t left = valid_in(seen);
        for (*count = 0; left != 0; left &= left - 1, ++*count) {
            word* const from = slot_at(t, bucket, (unsigned)__builtin_ctzll(left), sizes_of(m));
            if (from == NULL) break;
            read_words(m->bucket + t->item_stride * *count, from, t->item_stride);
        }
        fence(memory_order_acquire); /* (M11). Partner: (M10). */
        if (!same_content(load_relaxed(header_of(t, bucket)), seen)) continue;
        return left == 0 ? ZEROIPC_OK : zeroipc_corrupt("map", zeroipc_no_block);
    }
    return zeroipc_no_progress("map");
}

enum zeroipc_result zeroipc_map_for_each(zeroipc_map* m, int (*visit)(void*, void const*, void const*),
                                         void* context) {
    enum zeroipc_result result = refuse_forked(m->handle.memory);
    unsigned count = 0;
    for (uint64_t bucket = 0; result == ZEROIPC_OK && bucket < m->table.bucket_count; ++bucket) {
        result = copy_bucket(m, bucket, &count);
        for (unsigned i = 0; result == ZEROIPC_OK && i < count; ++i) {
            uint8_t const* const item = m->bucket + m->table.item_stride * i;
            if (visit(context, item, item + 8 * m->table.key_words) != 0) return ZEROIPC_OK;
        }
    }
    return result;
}

static struct shape shape_of(uint64_t capacity, size_t key_bytes, size_t value_bytes, uint32_t handle_slots,
                             uint64_t seed) {
    return (struct shape){capacity, value_bytes, key_bytes, seed, handle_slots != 0 ? handle_slots : 64};
}

static enum zeroipc_result check_key(size_t key_bytes) {
    return key_bytes != 0 ? ZEROIPC_OK
                          : zeroipc_fail(ZEROIPC_INVALID_ARGUMENT, "map: keys of 0 bytes; use 1 or more");
}

static enum zeroipc_result obtain(zeroipc_memory* memory, char const* name, struct shape const* shape,
                                  bool make, zeroipc_map** map) {
    enum zeroipc_result result = check_key(shape->key_size);
    if (result != ZEROIPC_OK) return result;
    zeroipc_map* const m = calloc(1, sizeof *m);
    if (m == NULL) return zeroipc_fail(ZEROIPC_NO_MEMORY, "map '%.40s': no memory for a handle", name);
    result = (make ? zeroipc_handle_create : zeroipc_handle_open)(&zeroipc_map_kind, memory, name, shape,
                                                                  &m->handle);
    if (result != ZEROIPC_OK) {
        free(m);
        return result;
    }
    m->table = zeroipc_table(m->handle.base, &m->handle.shape, m->handle.slot);
    m->keys_wait = half_at(m->handle.base, FORMAT_MAP_LAYOUTS_COMPACT_KEYS_WAIT);
    m->key_size = shape->key_size;
    struct sizes const sizes = sizes_of(m);
    struct sizes const words = ONE_WORD_EACH;
    m->one_word_each = sizes.key_words == words.key_words && sizes.value == words.value &&
                       sizes.item_stride == words.item_stride && sizes.bucket_stride == words.bucket_stride;
    m->key = malloc(8 * m->table.key_words);
    m->old = malloc(m->table.value_size);
    m->desired = malloc(m->table.value_size);
    m->bucket = malloc(SLOTS * m->table.item_stride);
    if (m->key == NULL || m->old == NULL || m->desired == NULL || m->bucket == NULL) {
        zeroipc_map_close(m);
        return zeroipc_fail(ZEROIPC_NO_MEMORY, "map '%.40s': no memory for copies", name);
    }
    *map = m;
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_map_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                       size_t key_bytes, size_t value_bytes,
                                       struct zeroipc_map_options const* options, zeroipc_map** map) {
    struct zeroipc_map_options const how = options != NULL ? *options : (struct zeroipc_map_options){0, 0, 0};
    struct shape const shape = shape_of(capacity, key_bytes, value_bytes, how.handle_slots,
                                        how.has_seed != 0 ? how.seed : zeroipc_random());
    return obtain(memory, name, &shape, true, map);
}

enum zeroipc_result zeroipc_map_open(zeroipc_memory* memory, char const* name, size_t key_bytes,
                                     size_t value_bytes, zeroipc_map** map) {
    struct shape const shape = shape_of(0, key_bytes, value_bytes, 0, 0);
    return obtain(memory, name, &shape, false, map);
}

void zeroipc_map_close(zeroipc_map* m) {
    if (m == NULL) return;
    zeroipc_handle_close(&m->handle);
    free(m->key);
    free(m->old);
    free(m->desired);
    free(m->bucket);
    free(m);
}

enum zeroipc_result zeroipc_map_bytes_for(uint64_t capacity, size_t key_bytes, size_t value_bytes,
                                          uint32_t handle_slots, uint64_t* bytes) {
    struct shape const shape = shape_of(capacity, key_bytes, value_bytes, handle_slots, 0);
    enum zeroipc_result const result = check_key(key_bytes);
    return result == ZEROIPC_OK ? zeroipc_measure(&zeroipc_map_kind, &shape, bytes) : result;
}

enum zeroipc_result zeroipc_map_repair(zeroipc_memory* memory, char const* name, size_t key_bytes,
                                       size_t value_bytes, uint64_t* reclaimed) {
    struct shape const shape = shape_of(0, key_bytes, value_bytes, 0, 0);
    enum zeroipc_result const result = check_key(key_bytes);
    return result == ZEROIPC_OK ? zeroipc_structure_repair(&zeroipc_map_kind, memory, name, &shape, reclaimed)
                                : result;
}
