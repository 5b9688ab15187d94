/* Recovery and repair of the exchange ring. Argument: format/queue.md. */
#include <stdlib.h>

#include "queue.h"

/* The dead owner's commit either failed, and its spare is nobody's, or succeeded, and what it gained is. Only positive
 * evidence counts: whichever of the two is seen in a cell or as a settled spare is in circulation. A pending spare proves
 * nothing: it may have been given away already. True if decided. */
static bool find_orphan(struct ring const* r, uint32_t slot, uint64_t spare, uint64_t gain,
                        uint64_t* orphan) {
    bool spare_seen = false;
    bool gain_seen = false;
    for (uint64_t i = 0; i < r->capacity && spare_seen == gain_seen; ++i) {
        /* (Q8) acquire. Partner: (Q2). */
        uint64_t const there = buffer_of(r, load_acquire(&r->cells[i]), i);
        spare_seen = spare_seen || there == spare;
        gain_seen = gain_seen || there == gain;
    }
    for (uint32_t other = 0; other < r->handle_slots && spare_seen == gain_seen; ++other) {
        if (other == slot) continue;
        struct ring_slot* const record = ring_slot_at(r->base, other);
        /* (Q6), (Q6) acquire. Partner: (Q7). */
        uint64_t const records[2] = {load_acquire(&record->out), load_acquire(&record->in)};
        for (uint64_t role = 0; role < 2; ++role) {
            if ((records[role] & PENDING) != 0) continue;
            uint64_t const there = spare_in(records[role], first_spare(r, other) + role);
            spare_seen = spare_seen || there == spare;
            gain_seen = gain_seen || there == gain;
        }
    }
    *orphan = spare_seen ? gain : spare;
    return spare_seen != gain_seen;
}

static bool recover_role(struct ring const* r, uint32_t slot, word* role, uint64_t home) {
    struct ring_slot* const record = ring_slot_at(r->base, slot);
    /* Relaxed: the slot's lock ordered us behind its owner. */
    uint64_t const owned = load_relaxed(role);
    uint64_t const spare = spare_in(owned, home);
    if (spare >= r->buffer_count) return false;
    if ((owned & PENDING) == 0) return true;
    uint64_t const i = load_relaxed(&record->position) & (r->capacity - 1);
    uint64_t const expected = load_relaxed(&record->expected);
    uint64_t const gain = buffer_of(r, expected, i);
    if (gain >= r->buffer_count) return false;
    /* (Q8) acquire. Partner: (Q2). */
    uint64_t const value = load_acquire(&r->cells[i]);
    int64_t const ahead = ahead_of(r, value, expected >> r->turn_shift);
    uint64_t mine = spare; /* nobody committed there, or somebody else */
    if (ahead < 0) return false;
    if (ahead == 1 && buffer_of(r, value, i) == spare) mine = gain; /* the dead one did */
    if (ahead > 1 && !find_orphan(r, slot, spare, gain, &mine)) return false;
    /* (Q7) release. Partner: (Q6). */
    store_release(role, spare_word(mine, home));
    return true;
}

bool zeroipc_ring_recover(uint8_t* base, struct shape const* shape, uint32_t slot,
                          struct claimant const* who) {
    (void)who;
    struct ring const r = zeroipc_ring(base, shape);
    struct ring_slot* const record = ring_slot_at(base, slot);
    return recover_role(&r, slot, &record->out, first_spare(&r, slot)) &&
           recover_role(&r, slot, &record->in, first_spare(&r, slot) + 1);
}

/* Repair: all is examined first; each store behind that leaves a state that another repair and the recovery of slots bring
 * to its end. */
struct repair {
    struct ring ring;
    bool* owned;      /* buffers that a cell or a settled record is known to have */
    uint64_t* before; /* the records' words when the repair began, two a slot */
};

static word* record_of(struct repair const* re, uint64_t role) {
    struct ring_slot* const slot = ring_slot_at(re->ring.base, (uint32_t)(role / 2));
    return role % 2 == 0 ? &slot->out : &slot->in;
}
static bool is_free(struct repair const* re, uint64_t buffer) {
    return buffer < re->ring.buffer_count && !re->owned[buffer];
}
static void settle(struct repair* re, uint64_t role, uint64_t buffer) {
    re->owned[buffer] = true;
    store_release(record_of(re, role), spare_word(buffer, re->ring.capacity + role)); /* (Q7) */
}
/* Pushes (extra 1), or pops (extra 0), that the cell has seen, modulo half the turns' period. */
static uint64_t seen_by(struct ring const* r, uint64_t i, uint64_t extra) {
    uint64_t const turns = ~UINT64_C(0) >> r->turn_shift;
    return (((load_acquire(&r->cells[i]) >> r->turn_shift) + extra) & turns) >> 1; /* (Q8) */
}
/* Where they end, modulo the period: the cells of the last lap, which come first, have seen one more. */
static bool ends_at(struct ring const* r, uint64_t extra, uint64_t* end) {
    uint64_t const most = seen_by(r, 0, extra);
    uint64_t const less = (most - 1) & (~UINT64_C(0) >> r->turn_shift >> 1);
    uint64_t n = 1;
    while (n < r->capacity && seen_by(r, n, extra) == most) ++n;
    *end = ((most - 1) << r->lap_shift) + n;
    for (uint64_t i = n; i < r->capacity; ++i)
        if (seen_by(r, i, extra) != less) return false;
    return true;
}

static enum zeroipc_result examine_cells(struct repair* re) {
    for (uint64_t i = 0; i < re->ring.capacity; ++i) {
        uint64_t const buffer = buffer_of(&re->ring, load_acquire(&re->ring.cells[i]), i); /* (Q8) */
        if (buffer >= re->ring.buffer_count)
            return zeroipc_corrupt("queue", "a cell names a buffer that does not exist");
        if (re->owned[buffer]) return zeroipc_corrupt("queue", "two cells name one buffer");
        re->owned[buffer] = true;
    }
    return ZEROIPC_OK;
}

/* Settles each pending record of whose two buffers one is somebody else's. Whether there was one. */
static bool settle_by_evidence(struct repair* re, bool* rest) {
    bool any = false;
    for (uint64_t role = 0; role < 2 * (uint64_t)re->ring.handle_slots; ++role) {
        uint64_t const value = load_relaxed(record_of(re, role));
        if (!rest[role] || (value & PENDING) == 0) continue;
        struct ring_slot* const slot = ring_slot_at(re->ring.base, (uint32_t)(role / 2));
        uint64_t const spare = spare_in(value, re->ring.capacity + role);
        uint64_t const gain = buffer_of(&re->ring, load_relaxed(&slot->expected),
                                        load_relaxed(&slot->position) & (re->ring.capacity - 1));
        if (is_free(re, spare) == is_free(re, gain)) continue;
        settle(re, role, is_free(re, spare) ? spare : gain);
        rest[role] = false;
        any = true;
    }
    return any;
}

static uint64_t settle_all(struct repair* re, bool* rest) {
    uint64_t const roles = 2 * (uint64_t)re->ring.handle_slots;
    for (uint64_t role = 0; role < roles; ++role) {
        re->before[role] = load_relaxed(record_of(re, role));
        uint64_t const spare = spare_in(re->before[role], re->ring.capacity + role);
        rest[role] = (re->before[role] & PENDING) != 0 || !is_free(re, spare);
        if (!rest[role]) re->owned[spare] = true;
    }
    while (settle_by_evidence(re, rest)) {
    }
    /* What is left: as many free buffers as records, and nothing tells one from another. Honest peers leave none. */
    uint64_t buffer = 0;
    for (uint64_t role = 0; role < roles; ++role) {
        if (!rest[role]) continue;
        while (re->owned[buffer]) ++buffer;
        settle(re, role, buffer);
    }
    uint64_t changed = 0;
    for (uint64_t role = 0; role < roles; ++role)
        changed += load_relaxed(record_of(re, role)) != re->before[role];
    return changed;
}

enum zeroipc_result zeroipc_ring_repair(uint8_t* base, struct shape const* shape, struct claimant const* who,
                                        uint64_t* reclaimed) {
    (void)who;
    struct repair re = {.ring = zeroipc_ring(base, shape)};
    struct ring const* const r = &re.ring;
    uint64_t const roles = 2 * (uint64_t)r->handle_slots;
    bool* const rest = calloc(roles, sizeof *rest);
    re.owned = calloc(r->buffer_count, sizeof *re.owned);
    re.before = calloc(roles, sizeof *re.before);
    enum zeroipc_result result = ZEROIPC_OK;
    uint64_t head = 0;
    uint64_t tail = 0;
    if (rest == NULL || re.owned == NULL || re.before == NULL)
        result = zeroipc_fail(ZEROIPC_NO_MEMORY, "queue: no memory to repair it");
    if (result == ZEROIPC_OK) result = examine_cells(&re);
    if (result == ZEROIPC_OK && (!ends_at(r, 1, &tail) || !ends_at(r, 0, &head)))
        result = zeroipc_corrupt("queue", "the cells' turns are not in order");
    if (result == ZEROIPC_OK) {
        *reclaimed = settle_all(&re, rest);
        /* Turns tell positions up to their period only; the index that stands there is near. */
        unsigned const above = 64 - (r->lap_shift + 63 - r->turn_shift);
        uint64_t const size = (tail - head) << above >> above;
        uint64_t const old = load_relaxed(tail_of(base));
        tail = old + (uint64_t)((int64_t)((tail - old) << above) >> above);
        store_release(head_of(base), tail - size); /* (Q4) */
        store_release(tail_of(base), tail);        /* (Q4) */
    }
    free(rest);
    free(re.owned);
    free(re.before);
    return result;
}
