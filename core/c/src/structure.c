#include "structure.h"

#include <string.h>
#include <time.h>

_Static_assert(FORMAT_QUEUE_LIMITS_HANDLE_SLOTS_MOST == FORMAT_STACK_LIMITS_HANDLE_SLOTS_MOST &&
                   FORMAT_QUEUE_LIMITS_HANDLE_SLOTS_MOST == FORMAT_MAP_LIMITS_HANDLE_SLOTS_MOST,
               "one limit of handle slots serves all kinds");

bool zeroipc_is_dead(struct claimant const* who, uint32_t slot) {
    if (who->alone) return true;
    uint64_t const byte = who->slots + (uint64_t)SLOT_LINE * slot;
    if (zeroipc_try_hold(who->memory, byte) != 1) return false;
    zeroipc_let_go(who->memory, byte);
    return true;
}

enum zeroipc_result zeroipc_measure(struct kind const* kind, struct shape const* shape, uint64_t* total) {
    uint64_t const capacity = shape->capacity;
    if (capacity == 0 || (kind->power_of_two && (capacity & (capacity - 1)) != 0))
        return zeroipc_fail(ZEROIPC_INVALID_CAPACITY, "%s: capacity %llu; use %s", kind->noun,
                            (unsigned long long)capacity,
                            kind->power_of_two ? "1, 2, 4, 8, ..." : "1 or more");
    if (shape->handle_slots == 0 || shape->handle_slots > FORMAT_QUEUE_LIMITS_HANDLE_SLOTS_MOST)
        return zeroipc_fail(ZEROIPC_INVALID_ARGUMENT, "%s: %u handle slots; use 1 to %u", kind->noun,
                            shape->handle_slots, FORMAT_QUEUE_LIMITS_HANDLE_SLOTS_MOST);
    if (shape->item_size == 0)
        return zeroipc_fail(ZEROIPC_INVALID_ARGUMENT, "%s: items of 0 bytes; use 1 or more", kind->noun);
    /* Checked before multiplying: no product below overflows. */
    uint64_t const limit = FORMAT_SEGMENT_LIMITS_BYTES_BELOW;
    if (capacity <= kind->capacity_most && shape->item_size < limit && shape->key_size < limit &&
        shape->item_size + shape->key_size < limit / capacity) {
        *total = kind->measure(shape).total;
        if (*total < limit) return ZEROIPC_OK;
    }
    return zeroipc_fail(
        ZEROIPC_TOO_LARGE, "%s: %llu items of %llu bytes do not fit below 4 GiB; use a smaller capacity",
        kind->noun, (unsigned long long)capacity, (unsigned long long)(shape->item_size + shape->key_size));
}

static struct descriptor describe(struct kind const* kind, struct shape const* shape) {
    struct measures const m = kind->measure(shape);
    struct descriptor d;
    memset(&d, 0, sizeof d);
    d.kind = kind->number;
    d.algorithm = kind->algorithm;
    d.layout = kind->layout;
    d.item_size = (uint32_t)shape->item_size;
    d.item_stride = (uint32_t)m.item_stride;
    d.cell_stride = (uint32_t)m.cell_stride;
    d.handle_slots = shape->handle_slots;
    d.key_size = (uint32_t)shape->key_size;
    d.seed = shape->seed;
    return d;
}

struct making {
    struct kind const* kind;
    struct shape const* shape;
};

static void initialise(void* context, void* address) {
    struct making const* const made = context;
    struct descriptor const d = describe(made->kind, made->shape);
    memcpy((uint8_t*)address + made->kind->capacity_offset, &made->shape->capacity,
           sizeof made->shape->capacity);
    memcpy((uint8_t*)address + made->kind->descriptor_offset, &d, sizeof d);
}

static enum zeroipc_result differs(enum zeroipc_result cause, struct kind const* kind, char const* name,
                                   char const* field, uint64_t is, uint64_t asked) {
    return zeroipc_fail(cause, "%s '%s' has %s %llu, not %llu; open it as what it was made for", kind->noun,
                        name, field, (unsigned long long)is, (unsigned long long)asked);
}

static enum zeroipc_result check_descriptor(struct kind const* kind, char const* name,
                                            struct descriptor const* is, struct descriptor const* asked) {
    if (is->kind != asked->kind)
        return differs(ZEROIPC_WRONG_KIND, kind, name, "structure kind", is->kind, asked->kind);
    if (is->algorithm != asked->algorithm)
        return differs(ZEROIPC_WRONG_KIND, kind, name, "algorithm", is->algorithm, asked->algorithm);
    if (is->layout != asked->layout)
        return differs(ZEROIPC_WRONG_KIND, kind, name, "layout", is->layout, asked->layout);
    if (is->item_size != asked->item_size)
        return differs(ZEROIPC_WRONG_ITEM_SIZE, kind, name, "items of size", is->item_size, asked->item_size);
    if (is->key_size != asked->key_size)
        return differs(asked->key_size != 0 ? ZEROIPC_WRONG_ITEM_SIZE : ZEROIPC_CORRUPT, kind, name,
                       "keys of size", is->key_size, asked->key_size);
    if (is->item_stride != asked->item_stride || is->cell_stride != asked->cell_stride)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "%s '%s' has strides that its item size does not give; it was overwritten: make it anew",
            kind->noun, name);
    return ZEROIPC_OK;
}

/* A structure's place in the segment, and its shape as checked against that. */
struct place {
    uint64_t offset;
    struct shape shape;
};

static enum zeroipc_result look_up(struct kind const* kind, struct zeroipc_memory* memory, char const* name,
                                   struct shape const* asked, struct place* place) {
    if (asked->item_size >= FORMAT_SEGMENT_LIMITS_BYTES_BELOW ||
        asked->key_size >= FORMAT_SEGMENT_LIMITS_BYTES_BELOW)
        return zeroipc_fail(ZEROIPC_WRONG_ITEM_SIZE, "%s '%s': no item has 4 GiB", kind->noun, name);
    struct zeroipc_entry entry;
    enum zeroipc_result result = zeroipc_memory_find(memory, name, &entry);
    if (result != ZEROIPC_OK) return result;
    if (entry.size < kind->slots)
        return zeroipc_fail(ZEROIPC_WRONG_KIND,
                            "%s '%s' takes only %u bytes: it is no %s, or not of the compact layout",
                            kind->noun, name, entry.size, kind->noun);
    struct descriptor is;
    uint8_t const* const base = memory->base + entry.offset;
    *place = (struct place){entry.offset, *asked};
    memcpy(&place->shape.capacity, base + kind->capacity_offset, sizeof place->shape.capacity);
    memcpy(&is, base + kind->descriptor_offset, sizeof is);
    place->shape.handle_slots = is.handle_slots;
    place->shape.seed = is.seed;
    struct descriptor const expected = describe(kind, asked);
    result = check_descriptor(kind, name, &is, &expected);
    if (result != ZEROIPC_OK) return result;
    uint64_t total = 0;
    if (zeroipc_measure(kind, &place->shape, &total) != ZEROIPC_OK || total > entry.size)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "%s '%s' says capacity %llu and %u handle slots, which its %u bytes do not hold; it was "
            "overwritten: make it anew",
            kind->noun, name, (unsigned long long)place->shape.capacity, is.handle_slots, entry.size);
    return ZEROIPC_OK;
}

/* Tries all slots once. 1: got one; 0: none is to be had; negative: an error. */
static int claim_once(struct kind const* kind, struct place const* at, struct claimant const* who,
                      struct handle* handle, uint32_t* parked) {
    *parked = 0;
    for (uint32_t slot = 0; slot < at->shape.handle_slots; ++slot) {
        uint64_t const byte = who->slots + (uint64_t)SLOT_LINE * slot;
        int const got = zeroipc_try_hold(who->memory, byte);
        if (got < 0) return got;
        if (got == 0) continue;
        if (kind->recover(who->memory->base + at->offset, &at->shape, slot, who)) {
            *handle = (struct handle){who->memory, who->memory->base + at->offset, byte, at->shape, slot};
            zeroipc_attachment_share(who->memory);
            return 1;
        }
        zeroipc_let_go(who->memory, byte);
        ++*parked;
    }
    return 0;
}

/* The first handle slot whose lock is free and whose last owner's possessions can be told. */
static enum zeroipc_result claim(struct kind const* kind, struct zeroipc_memory* memory, char const* name,
                                 struct place const* at, struct handle* handle) {
    struct claimant const who = {memory, at->offset + kind->slots, false};
    uint32_t parked = 0;
    /* A recovery elsewhere may hold a slot for a moment, to see whether its owner is dead: so, look again. */
    for (int pass = 0; pass < 3; ++pass) {
        struct timespec const nap = {0, 200000};
        if (pass > 0) nanosleep(&nap, NULL);
        int const got = claim_once(kind, at, &who, handle, &parked);
        if (got != 0) return got < 0 ? (enum zeroipc_result)got : ZEROIPC_OK;
    }
    return zeroipc_fail(
        ZEROIPC_NO_HANDLE_SLOT,
        "%s '%s': all %u handle slots are taken, %u of them parked after a kill; close handles, or make the "
        "%s with more",
        kind->noun, name, at->shape.handle_slots, parked, kind->noun);
}

enum zeroipc_result zeroipc_handle_create(struct kind const* kind, struct zeroipc_memory* memory,
                                          char const* name, struct shape const* shape,
                                          struct handle* handle) {
    struct making made = {kind, shape};
    struct zeroipc_entry entry;
    uint64_t total = 0;
    enum zeroipc_result result = refuse_forked(memory);
    if (result == ZEROIPC_OK) result = zeroipc_measure(kind, shape, &total);
    if (result == ZEROIPC_OK) result = zeroipc_memory_add(memory, name, total, initialise, &made, &entry);
    if (result != ZEROIPC_OK) return result;
    struct place const at = {entry.offset, *shape};
    return claim(kind, memory, name, &at, handle);
}

enum zeroipc_result zeroipc_handle_open(struct kind const* kind, struct zeroipc_memory* memory,
                                        char const* name, struct shape const* asked, struct handle* handle) {
    struct place at;
    enum zeroipc_result const result = look_up(kind, memory, name, asked, &at);
    return result == ZEROIPC_OK ? claim(kind, memory, name, &at, handle) : result;
}

void zeroipc_handle_close(struct handle* handle) {
    zeroipc_let_go(handle->memory, handle->byte);
    zeroipc_memory_close(handle->memory);
}

enum zeroipc_result zeroipc_structure_repair(struct kind const* kind, struct zeroipc_memory* memory,
                                             char const* name, struct shape const* asked,
                                             uint64_t* reclaimed) {
    struct place at;
    enum zeroipc_result result = look_up(kind, memory, name, asked, &at);
    if (result == ZEROIPC_OK) result = zeroipc_be_alone(memory);
    if (result != ZEROIPC_OK) return result;
    struct claimant const who = {memory, at.offset + kind->slots, true};
    uint64_t found = 0;
    result = kind->repair(memory->base + at.offset, &at.shape, &who, &found);
    zeroipc_be_one_of_many(memory);
    if (result == ZEROIPC_OK && reclaimed != NULL) *reclaimed = found;
    return result;
}
