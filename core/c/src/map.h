/* The bytes of a map of buckets, shared by operations, the traffic of blocks, and recovery. Argument: format/map.md. */
#pragma once

#include "hash.h"
#include "structure.h"
#include "zeroipc/map.h"

/* A bucket's header: valid (15 bits), busy (15), version (34). A slot is free (neither), reserved (busy: its owner writes it
 * in private), valid (both: it holds a key), or closing (valid alone: its block is being taken out). The version grows
 * whenever slots become free: while it stands, a valid slot keeps its bytes. */
#define SLOTS FORMAT_MAP_BUCKETS_HEADER_BITS_VALID
#define INLINE_SLOTS FORMAT_MAP_BUCKETS_INLINE_SLOTS
#define BLOCK_SLOTS FORMAT_MAP_BUCKETS_BLOCK_SLOTS
#define BLOCKS FORMAT_MAP_BUCKETS_BLOCKS_PER_BUCKET
#define ALL_SLOTS ((UINT64_C(1) << SLOTS) - 1)
#define VERSION_SHIFT (2 * SLOTS)
_Static_assert(FORMAT_MAP_BUCKETS_HEADER_BITS_BUSY == SLOTS && SLOTS == INLINE_SLOTS + BLOCKS * BLOCK_SLOTS &&
                   VERSION_SHIFT + FORMAT_MAP_BUCKETS_HEADER_BITS_VERSION == 64,
               "a bucket's header: see format/map.md");

static inline uint64_t slot_mask(unsigned slot) { return UINT64_C(1) << slot; }
static inline uint64_t block_mask(unsigned k) {
    return ((UINT64_C(1) << BLOCK_SLOTS) - 1) << (INLINE_SLOTS + BLOCK_SLOTS * k);
}
static inline uint64_t version_of(uint64_t header) { return header >> VERSION_SHIFT; }
static inline uint64_t valid_in(uint64_t header) { return header & (header >> SLOTS) & ALL_SLOTS; }
static inline uint64_t free_in(uint64_t header) { return ~(header | header >> SLOTS) & ALL_SLOTS; }
static inline uint64_t reserved_in(uint64_t header) { return ~header & (header >> SLOTS) & ALL_SLOTS; }
static inline uint64_t closing_in(uint64_t header) { return header & ~(header >> SLOTS) & ALL_SLOTS; }
/* The slots of the mask become free. */
static inline uint64_t vacate(uint64_t header, uint64_t mask) {
    return (header & ~(mask | mask << SLOTS)) + (UINT64_C(1) << VERSION_SHIFT);
}
/* Whether the same slots are valid, with the same bytes. */
static inline bool same_content(uint64_t one, uint64_t other) {
    return version_of(one) == version_of(other) && valid_in(one) == valid_in(other);
}

/* A handle slot: what its owner is about to do. Only the owner writes it. */
struct map_slot {
    word reserved; /* 0, or 1 + 16 bucket + slot */
    word block;    /* 0, or a `move`, packed */
};
_Static_assert(sizeof(struct map_slot) == FORMAT_MAP_BUCKETS_SLOT_BYTES &&
                   offsetof(struct map_slot, reserved) == FORMAT_MAP_BUCKETS_SLOT_RESERVED_OFFSET &&
                   offsetof(struct map_slot, block) == FORMAT_MAP_BUCKETS_SLOT_BLOCK_OFFSET &&
                   FORMAT_MAP_BUCKETS_RESERVED_SLOT_BITS == 4,
               "a handle slot of a map: see format/map.md");

/* Owners of blocks, beside handle slot + first_handle. */
#define IN_POOL FORMAT_MAP_BUCKETS_OWNERS_POOL
#define IN_BUCKET FORMAT_MAP_BUCKETS_OWNERS_BUCKET

/* Where the parts lie, and one handle's place in it. */
struct table {
    uint8_t* owners;
    uint8_t* buckets;
    uint8_t* blocks;
    uint8_t* slots;
    struct map_slot* slot;
    uint64_t bucket_count;
    uint64_t block_count;
    uint64_t bucket_stride;
    uint64_t item_stride;
    uint64_t key_words;
    uint64_t value_size;
    uint64_t seed;
    uint64_t next_block; /* where the next look into the pool begins */
    uint32_t me;         /* as the owner of a block */
    uint32_t handle_slots;
};

struct zeroipc_map {
    struct table table;
    half* keys_wait;
    uint64_t key_size;
    bool one_word_each; /* its sizes are ONE_WORD_EACH */
    uint64_t* key;      /* the words of the key in hand */
    uint8_t* old;       /* a value read under a change, which must not reach the caller */
    uint8_t* desired;   /* a value to be written */
    uint8_t* bucket;    /* copies of a bucket's slots */
    struct handle handle;
};

/* Attaches to a map whose shape was checked against its place, as that slot. */
struct table zeroipc_table(uint8_t* base, struct shape const* shape, uint32_t slot);

#define INLINE static inline __attribute__((always_inline))
#define SELDOM static __attribute__((noinline))

/* Words of a key, bytes of a value, and the distances that follow from them. Passed as constants where an operation is compiled
 * for the most common ones, a word each. */
struct sizes {
    uint64_t key_words;
    uint64_t value;
    uint64_t item_stride;
    uint64_t bucket_stride;
};
#define ITEM_OF_WORDS UINT64_C(16)
#define BUCKET_OF_WORDS                                                                                    \
    ((FORMAT_MAP_BUCKETS_BUCKET_SLOTS_OFFSET + INLINE_SLOTS * ITEM_OF_WORDS + SLOT_LINE - 1) / SLOT_LINE * \
     SLOT_LINE)

INLINE word* header_at(struct table const* t, uint64_t bucket, uint64_t stride) {
    return word_at(t->buckets, stride * bucket + FORMAT_MAP_BUCKETS_BUCKET_HEADER_OFFSET);
}
static inline word* header_of(struct table const* t, uint64_t bucket) {
    return header_at(t, bucket, t->bucket_stride);
}
static inline half* link_of(struct table const* t, uint64_t bucket, unsigned k) {
    return half_at(t->buckets, t->bucket_stride * bucket + FORMAT_MAP_BUCKETS_BUCKET_LINK_0_OFFSET +
                                   k * (FORMAT_MAP_BUCKETS_BUCKET_LINK_1_OFFSET -
                                        FORMAT_MAP_BUCKETS_BUCKET_LINK_0_OFFSET));
}
static inline half* owner_of(struct table const* t, uint64_t block) {
    return half_at(t->owners, FORMAT_MAP_BUCKETS_OWNER_BYTES * block);
}
/* 0, a block's number plus 1, or a mark. */
static inline uint32_t read_link(struct table const* t, uint64_t bucket, unsigned k) {
    /* (M4) acquire. Partner: (M5). */
    return half_load_acquire(link_of(t, bucket, k));
}
static inline bool is_block(struct table const* t, uint32_t link) {
    return link != 0 && link <= t->block_count;
}

/* A slot's words, or NULL if it stands in a block that the bucket does not have. Read behind the header: a block with a slot
 * that is not free stays where it is. */
INLINE word* slot_at(struct table const* t, uint64_t bucket, unsigned slot, struct sizes sizes) {
    if (likely(slot < INLINE_SLOTS))
        return word_at(t->buckets, sizes.bucket_stride * bucket + FORMAT_MAP_BUCKETS_BUCKET_SLOTS_OFFSET +
                                       sizes.item_stride * slot);
    unsigned const k = (slot - INLINE_SLOTS) / BLOCK_SLOTS;
    uint32_t const link = read_link(t, bucket, k);
    if (!is_block(t, link)) return NULL;
    return word_at(t->blocks, BLOCK_SLOTS * sizes.item_stride * (link - UINT64_C(1)) +
                                  sizes.item_stride * (slot - INLINE_SLOTS - BLOCK_SLOTS * k));
}

/* Replaces a header; *now is the value as read, renewed if that fails. */
static inline bool change(struct table const* t, uint64_t bucket, uint64_t* now, uint64_t after) {
    /* (M2) acq_rel; failing: acquire. Partners: (M1), (M2), (M3), (M8). */
    return cas(header_of(t, bucket), now, after);
}
static inline uint64_t read_header(struct table const* t, uint64_t bucket) {
    /* (M1) acquire. Partner: (M2). */
    return load_acquire(header_of(t, bucket));
}

/* Writes down, in the own slot, what is about to happen, for whoever finds it after our death. */
static inline void intend(word* record, uint64_t what) {
    store_relaxed(record, what);
    order_for_undertaker();
}
static inline void release(word* record) {
    order_for_undertaker();
    /* (M9) release. Partner: (M8). */
    store_release(record, 0);
}

enum attempt { DONE, LOST, GROWN, IMPOSSIBLE };

/* Gets the bucket one block more. GROWN or LOST: look again, there may be room now. */
enum attempt zeroipc_grow(struct table* t, uint64_t bucket, uint64_t now);
/* Behind a commit that freed a slot: if its block is empty now, it goes back to the pool. */
void zeroipc_shrink(struct table* t, uint64_t bucket, unsigned slot, uint64_t after);
/* The same for all of a bucket's blocks: for who got it one and found it needless, so that nobody else could take it out. */
void zeroipc_trim(struct table* t, uint64_t bucket);
/* Finishes or undoes what a dead handle was doing with a block. False: undecided. */
bool zeroipc_recover_block(struct table* t);

#define NONE SLOTS
/* A bucket as it was looked at, and the slot of the key in it, or NONE. */
struct sight {
    uint64_t now;
    unsigned slot;
};

/* For the most common sizes, and for any. */
#define ONE_WORD_EACH ((struct sizes){1, 8, ITEM_OF_WORDS, BUCKET_OF_WORDS})
static inline struct sizes sizes_of(zeroipc_map const* m) {
    return (struct sizes){m->table.key_words, m->table.value_size, m->table.item_stride,
                          m->table.bucket_stride};
}
static inline bool is_one_word_each(zeroipc_map const* m) { return likely(m->one_word_each); }

/* Takes the key in hand, as words; its bucket. */
INLINE uint64_t take_key(zeroipc_map const* m, uint64_t* words, void const* key, struct sizes sizes) {
    words[sizes.key_words - 1] = 0;
    copy_item(words, key, m->key_size);
    return zeroipc_bucket_of(zeroipc_hash(words, sizes.key_words, m->table.seed), m->table.bucket_count);
}

extern char const zeroipc_no_block[];
/* Whether a key that was not found is absent for certain: the second look behind a negative answer. Not needed before a commit,
 * which looks itself. */
bool zeroipc_confirmed_absent(struct table const* t, uint64_t bucket, struct sight const* sight);
