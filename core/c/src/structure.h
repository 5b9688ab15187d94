/* What queue, stack and map have in common: how they are made, found, opened and repaired. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attachment.h"

/* The 64 bytes behind a structure's header that say what it is. */
struct descriptor {
    uint32_t kind;
    uint32_t algorithm;
    uint32_t layout;
    uint32_t item_size;
    uint32_t item_stride;
    uint32_t cell_stride;
    uint32_t handle_slots;
    uint32_t key_size;
    uint64_t seed;
    uint64_t reserved[3];
};
#define DESCRIPTOR_FIELD(field, NAME) \
    (offsetof(struct descriptor, field) == FORMAT_DESCRIPTOR_FIELDS_##NAME##_OFFSET)
_Static_assert(sizeof(struct descriptor) == FORMAT_DESCRIPTOR_BYTES && DESCRIPTOR_FIELD(kind, KIND) &&
                   DESCRIPTOR_FIELD(algorithm, ALGORITHM) && DESCRIPTOR_FIELD(layout, LAYOUT) &&
                   DESCRIPTOR_FIELD(item_size, ITEM_SIZE) && DESCRIPTOR_FIELD(item_stride, ITEM_STRIDE) &&
                   DESCRIPTOR_FIELD(cell_stride, CELL_STRIDE) &&
                   DESCRIPTOR_FIELD(handle_slots, HANDLE_SLOTS) && DESCRIPTOR_FIELD(key_size, KEY_SIZE) &&
                   DESCRIPTOR_FIELD(seed, SEED) && DESCRIPTOR_FIELD(reserved, RESERVED),
               "the descriptor: see format/segment.md");

/* What a structure is asked to be, or says that it is; all else follows. */
struct shape {
    uint64_t capacity;
    uint64_t item_size;
    uint64_t key_size; /* maps only */
    uint64_t seed;     /* maps only */
    uint32_t handle_slots;
};

/* What follows from a shape. */
struct measures {
    uint64_t item_stride;
    uint64_t cell_stride;
    uint64_t total; /* bytes of the structure */
};

/* Who asks whether the handle of another slot is gone. */
struct claimant {
    struct zeroipc_memory* memory;
    uint64_t slots; /* offset of slot 0 in the segment */
    bool alone;     /* nobody else is attached */
};
bool zeroipc_is_dead(struct claimant const* who, uint32_t slot);

/* A kind of structure, in its default algorithm and the compact layout. */
struct kind {
    char const* noun;
    uint32_t number;
    uint32_t algorithm;
    uint32_t layout;
    uint64_t capacity_offset;
    uint64_t descriptor_offset;
    uint64_t slots; /* offset of handle slot 0 in the structure */
    uint64_t capacity_most;
    bool power_of_two;
    struct measures (*measure)(struct shape const* shape);
    /* Takes over a slot whose lock was just got. False: not to be decided now. */
    bool (*recover)(uint8_t* base, struct shape const* shape, uint32_t slot, struct claimant const* who);
    /* Puts a structure in order that nobody uses. */
    enum zeroipc_result (*repair)(uint8_t* base, struct shape const* shape, struct claimant const* who,
                                  uint64_t* reclaimed);
};
extern struct kind const zeroipc_queue_kind;
extern struct kind const zeroipc_stack_kind;
extern struct kind const zeroipc_map_kind;

/* Distance of handle slots, in the compact layout of all kinds. */
#define SLOT_LINE FORMAT_QUEUE_LAYOUTS_COMPACT_LINE
_Static_assert(SLOT_LINE == FORMAT_STACK_LAYOUTS_COMPACT_LINE && SLOT_LINE == FORMAT_MAP_LAYOUTS_COMPACT_LINE,
               "one line serves all kinds");

/* A structure found, and a handle slot of it, locked and settled. */
struct handle {
    struct zeroipc_memory* memory; /* shared with others */
    uint8_t* base;                 /* of the structure */
    uint64_t byte;                 /* the slot's lock */
    struct shape shape;
    uint32_t slot;
};

/* Bytes that such a structure takes. Errors: invalid_capacity, invalid_argument, too_large. */
enum zeroipc_result zeroipc_measure(struct kind const* kind, struct shape const* shape, uint64_t* total);
/* Makes one, and opens it. */
enum zeroipc_result zeroipc_handle_create(struct kind const* kind, struct zeroipc_memory* memory,
                                          char const* name, struct shape const* shape, struct handle* handle);
/* Opens one; of the shape only item_size and key_size are asked for. */
enum zeroipc_result zeroipc_handle_open(struct kind const* kind, struct zeroipc_memory* memory,
                                        char const* name, struct shape const* asked, struct handle* handle);
void zeroipc_handle_close(struct handle* handle);
enum zeroipc_result zeroipc_structure_repair(struct kind const* kind, struct zeroipc_memory* memory,
                                             char const* name, struct shape const* asked,
                                             uint64_t* reclaimed);
