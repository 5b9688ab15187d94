/* The overflow blocks that buckets share: how one comes into a bucket and out of it. Argument: format/map.md. */
#include "map.h"

#define MARK FORMAT_MAP_BUCKETS_LINK_MARK

/* A block on its way into a bucket or out of it. */
struct move {
    uint64_t block;
    uint64_t bucket;
    unsigned k; /* which of the bucket's links */
    unsigned step;
};
enum {
    STEP_IN = FORMAT_MAP_BUCKETS_STEPS_IN,
    STEP_CLAIM = FORMAT_MAP_BUCKETS_STEPS_CLAIM,
    STEP_OUT = FORMAT_MAP_BUCKETS_STEPS_OUT
};
#define STEP_SHIFT FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_PRESENT
#define LINK_SHIFT (STEP_SHIFT + FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_STEP)
#define BLOCK_SHIFT (LINK_SHIFT + FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_LINK)
#define BUCKET_SHIFT (BLOCK_SHIFT + FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_BLOCK)

static uint64_t pack(struct move m) {
    return UINT64_C(1) | (uint64_t)m.step << STEP_SHIFT | (uint64_t)m.k << LINK_SHIFT |
           m.block << BLOCK_SHIFT | m.bucket << BUCKET_SHIFT;
}
static struct move unpack(uint64_t value) {
    return (struct move){
        (value >> BLOCK_SHIFT) & ((UINT64_C(1) << FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_BLOCK) - 1),
        value >> BUCKET_SHIFT, (unsigned)(value >> LINK_SHIFT) & 1U,
        (unsigned)(value >> STEP_SHIFT) & ((1U << FORMAT_MAP_BUCKETS_BLOCK_RECORD_BITS_STEP) - 1U)};
}

static void give_block(struct table* t, uint64_t block, uint32_t to) {
    order_for_undertaker();
    /* (M7) release. Partners: (M6), (M8). */
    half_store_release(owner_of(t, block), to);
    release(&t->slot->block);
}

/* Finds a block without an owner, and becomes its owner. O(1) while an eighth of them is free, O(blocks) when hardly any is. */
static bool take_from_pool(struct table* t, struct move* m) {
    for (uint64_t i = 0; i < t->block_count; ++i) {
        m->block = t->next_block;
        if (++t->next_block == t->block_count) t->next_block = 0;
        half* const owner = owner_of(t, m->block);
        uint32_t expected = half_load_relaxed(owner); /* only a hint: (M6) decides */
        if (expected != IN_POOL) continue;
        intend(&t->slot->block, pack(*m));
        /* (M6) acq_rel. Partners: (M6), (M7). */
        if (half_cas(owner, &expected, t->me)) return true;
    }
    release(&t->slot->block);
    return false;
}

enum attempt zeroipc_grow(struct table* t, uint64_t bucket, uint64_t now) {
    for (unsigned k = 0; k < BLOCKS; ++k) {
        if ((free_in(now) & block_mask(k)) != block_mask(k)) continue;
        uint32_t const link = read_link(t, bucket, k);
        if (is_block(t, link)) return LOST;
        if (link != 0) continue; /* somebody takes a block out here, or died at it */
        struct move m = {0, bucket, k, STEP_IN};
        if (!take_from_pool(t, &m)) return IMPOSSIBLE;
        uint32_t empty = 0;
        /* (M5) acq_rel. Partners: (M4), (M5), (M8). */
        bool const linked = half_cas(link_of(t, bucket, k), &empty, (uint32_t)(m.block + 1));
        give_block(t, m.block, linked ? IN_BUCKET : IN_POOL);
        return GROWN;
    }
    return IMPOSSIBLE;
}

/* Takes out a block whose slots we closed. The link says meanwhile who is at it: so nobody else links or closes anything here,
 * and it is known after a death how far this went. */
static void take_out(struct table* t, struct move const* m) {
    half* const link = link_of(t, m->bucket, m->k);
    uint32_t linked = (uint32_t)(m->block + 1);
    half_cas(link, &linked, MARK | t->me);    /* (M5) */
    uint64_t now = read_header(t, m->bucket); /* (M1) */
    /* A hostile peer may undo this for ever; then it is its own bucket that stays closed. */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE && (closing_in(now) & block_mask(m->k)) != 0; ++round)
        if (change(t, m->bucket, &now, vacate(now, block_mask(m->k)))) break;
    uint32_t marked = MARK | t->me;
    half_cas(link, &marked, 0); /* (M5) */
    give_block(t, m->block, IN_POOL);
}

/* One attempt at taking an empty block out. Whether it was used meanwhile, and stayed: then it may be empty again. */
static bool may_shrink(struct table* t, uint64_t bucket, unsigned k, uint64_t now) {
    uint64_t const mask = block_mask(k);
    if ((free_in(now) & mask) != mask) return false;
    uint32_t const link = read_link(t, bucket, k);
    if (!is_block(t, link)) return false;
    struct move m = {link - UINT64_C(1), bucket, k, STEP_CLAIM};
    intend(&t->slot->block, pack(m));
    fence(memory_order_seq_cst); /* as in zeroipc_shrink */
    uint32_t expected = IN_BUCKET;
    if (!half_cas(owner_of(t, m.block), &expected, t->me)) { /* (M6) */
        release(&t->slot->block);
        return false;
    }
    /* From here on nobody else takes this block out of a bucket: whichever that is, it may have moved before. */
    if (read_link(t, bucket, k) == link) {
        m.step = STEP_OUT;
        intend(&t->slot->block, pack(m));
        for (uint64_t round = 0; round < ZEROIPC_PATIENCE && (free_in(now) & mask) == mask; ++round) {
            if (!change(t, bucket, &now, now | mask)) continue; /* closing: valid without busy */
            take_out(t, &m);
            return false;
        }
    }
    give_block(t, m.block, IN_BUCKET);
    return true;
}

void zeroipc_shrink(struct table* t, uint64_t bucket, unsigned slot, uint64_t after) {
    if (slot < INLINE_SLOTS) return;
    unsigned const k = (slot - INLINE_SLOTS) / BLOCK_SLOTS;
    for (unsigned round = 0; round < 64 && may_shrink(t, bucket, k, after); ++round) {
        /* Either they see that we emptied the block, or we see that they gave it back. */
        fence(memory_order_seq_cst);
        after = read_header(t, bucket); /* (M1) */
    }
}

void zeroipc_trim(struct table* t, uint64_t bucket) {
    for (unsigned k = 0; k < BLOCKS; ++k)
        zeroipc_shrink(t, bucket, INLINE_SLOTS + BLOCK_SLOTS * k, read_header(t, bucket)); /* (M1) */
}

bool zeroipc_recover_block(struct table* t) {
    uint64_t const intent = load_relaxed(&t->slot->block);
    if (intent == 0) return true;
    struct move const m = unpack(intent);
    if (m.block >= t->block_count || m.bucket >= t->bucket_count) return false;
    /* (M8) acquire, here and below. Partners: (M2), (M5), (M7), (M9). */
    if (half_load_acquire(owner_of(t, m.block)) != t->me) {
        release(&t->slot->block);
        return true;
    }
    /* We own the block: so nobody but us puts it into a bucket, closes its slots, or takes it out. */
    uint32_t const link = half_load_acquire(link_of(t, m.bucket, m.k)); /* (M8) */
    uint64_t const now = load_acquire(header_of(t, m.bucket));          /* (M8) */
    bool const linked = link == m.block + 1;
    if (m.step == STEP_CLAIM)
        give_block(t, m.block, IN_BUCKET);
    else if (m.step == STEP_OUT &&
             (link == (MARK | t->me) || (linked && (closing_in(now) & block_mask(m.k)) != 0)))
        take_out(t, &m);
    else
        give_block(t, m.block, linked ? IN_BUCKET : IN_POOL);
    /* What the dead one put in and never used, or meant to take out, stays with nobody. */
    zeroipc_shrink(t, m.bucket, INLINE_SLOTS + BLOCK_SLOTS * m.k, read_header(t, m.bucket)); /* (M1) */
    return true;
}
