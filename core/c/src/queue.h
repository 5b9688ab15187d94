/* The bytes of the exchange ring, shared by operations, recovery and repair. Argument: format/queue.md. */
#pragma once

#include "structure.h"
#include "zeroipc/queue.h"

/* A handle slot: what the handle owns, and what it is about to do. Only its owner writes it. */
struct ring_slot {
    word out;      /* (spare xor its first number) << 1 | pending */
    word in;       /* the same for the other spare */
    word position; /* of the pending commit */
    word expected; /* the cell's word that the pending commit replaces */
};
_Static_assert(sizeof(struct ring_slot) == FORMAT_QUEUE_EXCHANGE_SLOT_BYTES &&
                   offsetof(struct ring_slot, out) == FORMAT_QUEUE_EXCHANGE_SLOT_OUT_OFFSET &&
                   offsetof(struct ring_slot, in) == FORMAT_QUEUE_EXCHANGE_SLOT_IN_OFFSET &&
                   offsetof(struct ring_slot, position) == FORMAT_QUEUE_EXCHANGE_SLOT_POSITION_OFFSET &&
                   offsetof(struct ring_slot, expected) == FORMAT_QUEUE_EXCHANGE_SLOT_EXPECTED_OFFSET,
               "a handle slot of a queue: see format/queue.md");
#define PENDING UINT64_C(1)
_Static_assert(FORMAT_QUEUE_EXCHANGE_PENDING_BITS == 1, "pending is bit 0 of a record");

/* Where the parts lie, and how a cell is packed. A private copy, checked against the place. */
struct ring {
    word* cells;
    uint8_t* buffers;
    uint8_t* base;
    uint64_t capacity;
    uint64_t buffer_count;
    uint64_t stride;
    uint32_t handle_slots;
    unsigned lap_shift;
    unsigned turn_shift; /* bits of a buffer's number */
};

struct ring zeroipc_ring(uint8_t* base, struct shape const* shape);

static inline struct ring_slot* ring_slot_at(uint8_t* base, uint32_t slot) {
    return (struct ring_slot*)(void*)(base + FORMAT_QUEUE_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * slot);
}
static inline word* head_of(uint8_t* base) { return word_at(base, FORMAT_QUEUE_LAYOUTS_COMPACT_HEAD); }
static inline word* tail_of(uint8_t* base) { return word_at(base, FORMAT_QUEUE_LAYOUTS_COMPACT_TAIL); }

static inline uint64_t first_spare(struct ring const* r, uint32_t slot) {
    return r->capacity + 2 * (uint64_t)slot;
}
static inline uint64_t spare_in(uint64_t record, uint64_t home) { return (record >> 1) ^ home; }
static inline uint64_t spare_word(uint64_t spare, uint64_t home) { return (spare ^ home) << 1; }
/* Relative, so that cell i with buffer i is 0. */
static inline uint64_t buffer_of(struct ring const* r, uint64_t value, uint64_t cell) {
    return (value & ((UINT64_C(1) << r->turn_shift) - 1)) ^ cell;
}
/* How many turns `value` is ahead of `turn`: modular, so turns may wrap. */
static inline int64_t ahead_of(struct ring const* r, uint64_t value, uint64_t turn) {
    return (int64_t)((value >> r->turn_shift << r->turn_shift) - (turn << r->turn_shift)) >> r->turn_shift;
}

/* One of the two things that a handle does. */
struct role {
    word* index;         /* tail, or head */
    word* record;        /* of the spare, in the handle slot */
    uint64_t seen;       /* a position below which all is done */
    uint64_t spare;      /* the buffer that is ours */
    uint64_t home;       /* its first number */
    uint8_t* buffer;     /* where it is */
    bool const* refused; /* at the memory's `forked`, or, while the caller has the buffer, at a true */
};

struct zeroipc_queue {
    struct ring ring;
    struct ring_slot* slot;
    struct role out;
    struct role in;
    uint64_t item_size;
    half* items_wait;
    half* space_wait;
    struct handle handle;
};

bool zeroipc_ring_recover(uint8_t* base, struct shape const* shape, uint32_t slot,
                          struct claimant const* who);
enum zeroipc_result zeroipc_ring_repair(uint8_t* base, struct shape const* shape, struct claimant const* who,
                                        uint64_t* reclaimed);
