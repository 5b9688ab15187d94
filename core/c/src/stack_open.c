/* Geometry, recovery and repair of the linked stack; making, opening and closing. Argument: format/stack.md. */
#include <stdlib.h>
#include <string.h>

#include "stack.h"

static uint64_t node_count(struct shape const* shape) {
    return shape->capacity + FORMAT_STACK_TREIBER_NODES_PER_SLOT * (uint64_t)shape->handle_slots;
}
/* Bytes of a row of witnesses. */
static uint64_t row_bytes(struct shape const* shape) {
    return align_up(FORMAT_STACK_TREIBER_WITNESSES_PER_SLOT * FORMAT_STACK_TREIBER_WITNESS_BYTES *
                        (uint64_t)shape->handle_slots,
                    SLOT_LINE);
}
static uint64_t rows_at(struct shape const* shape) {
    return FORMAT_STACK_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * shape->handle_slots;
}
static struct measures measure(struct shape const* shape) {
    uint64_t const stride = FORMAT_STACK_TREIBER_NODE_ITEM_OFFSET +
                            align_up(shape->item_size, FORMAT_STACK_TREIBER_ITEM_ALIGNMENT);
    uint64_t const nodes = rows_at(shape) + row_bytes(shape) * shape->handle_slots;
    return (struct measures){stride, 0, nodes + stride * node_count(shape)};
}

void zeroipc_stack_attach(zeroipc_stack* s, uint8_t* base, struct shape const* shape, uint32_t slot) {
    struct measures const m = measure(shape);
    s->lists[TOP_LIST] = word_at(base, FORMAT_STACK_LAYOUTS_COMPACT_TOP);
    s->lists[FREE_LIST] = word_at(base, FORMAT_STACK_LAYOUTS_COMPACT_FREE);
    s->rows = word_at(base, rows_at(shape));
    s->row_words = row_bytes(shape) / sizeof(word);
    s->witnesses = s->rows + s->row_words * slot;
    s->node_count = node_count(shape);
    s->nodes = base + m.total - m.item_stride * s->node_count;
    s->slot =
        (struct stack_slot*)(void*)(base + FORMAT_STACK_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * slot);
    s->capacity = shape->capacity;
    s->stride = m.item_stride;
    s->item_size = shape->item_size;
    s->me = slot + UINT64_C(1);
    s->spare = 0;
    s->holds = 0;
    s->handle_slots = shape->handle_slots;
    s->node_bits = bits_of(s->node_count);
    s->tag_shift = s->node_bits + bits_of(shape->handle_slots);
    s->items_wait = half_at(base, FORMAT_STACK_LAYOUTS_COMPACT_ITEMS_WAIT);
    s->space_wait = half_at(base, FORMAT_STACK_LAYOUTS_COMPACT_SPACE_WAIT);
}

/* Whether `value` is what we put behind `expected`. */
static bool follows(zeroipc_stack const* s, uint64_t value, uint64_t expected) {
    uint64_t const next = ((expected >> s->tag_shift) + 1) << s->tag_shift;
    return author_of(s, value) == s->me && value >> s->tag_shift == next >> s->tag_shift;
}

/* Whether the dead owner of this slot replaced `expected` before it died. */
static bool happened(zeroipc_stack const* s, enum list list, uint64_t expected) {
    /* (L5) acquire. Partner: (L2). */
    uint64_t const now = load_acquire(s->lists[list]);
    if (now == expected) return false;
    if (follows(s, now, expected)) return true;
    for (uint64_t row = 0; row < s->handle_slots; ++row)
        /* (L4) acquire. Partner: (L2), before which it was stored. */
        if (follows(s, load_acquire(&s->rows[s->row_words * row + 2 * (s->me - 1) + list]), expected))
            return true;
    return false;
}

static bool recover(uint8_t* base, struct shape const* shape, uint32_t slot, struct claimant const* who) {
    (void)who;
    zeroipc_stack s;
    zeroipc_stack_attach(&s, base, shape, slot);
    struct hand now = unpack_hand(load_relaxed(&s.slot->state));
    uint64_t const expected = load_relaxed(&s.slot->expected);
    uint64_t const gained = now.doing == POP      ? node_of(&s, expected)
                            : now.doing == REFILL ? free_node(&s, expected)
                                                  : 0;
    if (now.first > s.node_count || now.second > s.node_count || gained > s.node_count) return false;
    if (now.doing != NOTHING &&
        happened(&s, now.doing == PUSH || now.doing == POP ? TOP_LIST : FREE_LIST, expected)) {
        if (now.doing == PUSH) now.first = 0;
        if (now.doing == POP) now.second = now.first;
        if (now.doing == POP || now.doing == REFILL) now.first = gained;
        if (now.doing == GIVE_BACK) now.second = 0;
    }
    zeroipc_stack_settle(&s, now.first, now.second);
    return s.holds == 0 || zeroipc_stack_give_back(&s) == ZEROIPC_OK;
}

static enum zeroipc_result repair(uint8_t* base, struct shape const* shape, struct claimant const* who,
                                  uint64_t* reclaimed) {
    for (uint32_t slot = 0; slot < shape->handle_slots; ++slot) {
        if (!recover(base, shape, slot, who))
            return zeroipc_corrupt("stack", "a handle slot names a node that does not exist");
        zeroipc_stack s;
        zeroipc_stack_attach(&s, base, shape, slot);
        s.holds = unpack_hand(load_relaxed(&s.slot->state)).first;
        if (s.holds == 0) continue;
        enum zeroipc_result const result = zeroipc_stack_give_back(&s);
        if (result != ZEROIPC_OK) return result;
        ++*reclaimed;
    }
    return ZEROIPC_OK;
}

struct kind const zeroipc_stack_kind = {
    .noun = "stack",
    .number = FORMAT_DESCRIPTOR_KINDS_STACK,
    .algorithm = FORMAT_STACK_ALGORITHMS_TREIBER,
    .layout = FORMAT_STACK_LAYOUTS_COMPACT_NUMBER,
    .capacity_offset = FORMAT_STACK_HEADER_CAPACITY_OFFSET,
    .descriptor_offset = FORMAT_STACK_DESCRIPTOR_OFFSET,
    .slots = FORMAT_STACK_LAYOUTS_COMPACT_BODY,
    .capacity_most = FORMAT_STACK_LIMITS_CAPACITY_MOST,
    .power_of_two = false,
    .measure = measure,
    .recover = recover,
    .repair = repair,
};

static struct shape shape_of(uint64_t capacity, size_t item_bytes, uint32_t handle_slots) {
    return (struct shape){capacity, item_bytes, 0, 0, handle_slots != 0 ? handle_slots : 32};
}

static enum zeroipc_result obtain(zeroipc_memory* memory, char const* name, struct shape const* shape,
                                  bool make, zeroipc_stack** stack) {
    zeroipc_stack* const s = calloc(1, sizeof *s);
    if (s == NULL) return zeroipc_fail(ZEROIPC_NO_MEMORY, "stack '%.40s': no memory for a handle", name);
    enum zeroipc_result result = (make ? zeroipc_handle_create : zeroipc_handle_open)(
        &zeroipc_stack_kind, memory, name, shape, &s->handle);
    if (result != ZEROIPC_OK) {
        free(s);
        return result;
    }
    zeroipc_stack_attach(s, s->handle.base, &s->handle.shape, s->handle.slot);
    struct hand const now = unpack_hand(load_relaxed(&s->slot->state));
    s->spare = now.first;
    s->scratch = malloc(s->item_size);
    if (now.doing != NOTHING || now.second != 0 || now.first > s->node_count)
        result = zeroipc_corrupt("stack", "a handle slot names a node that does not exist");
    else if (s->scratch == NULL)
        result = zeroipc_fail(ZEROIPC_NO_MEMORY, "stack '%.40s': no memory for an item", name);
    if (result == ZEROIPC_OK)
        *stack = s;
    else
        zeroipc_stack_close(s);
    return result;
}

enum zeroipc_result zeroipc_stack_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t item_bytes, uint32_t handle_slots, zeroipc_stack** stack) {
    struct shape const shape = shape_of(capacity, item_bytes, handle_slots);
    return obtain(memory, name, &shape, true, stack);
}

enum zeroipc_result zeroipc_stack_open(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                       zeroipc_stack** stack) {
    struct shape const shape = shape_of(0, item_bytes, 0);
    return obtain(memory, name, &shape, false, stack);
}

void zeroipc_stack_close(zeroipc_stack* s) {
    if (s == NULL) return;
    zeroipc_handle_close(&s->handle);
    free(s->scratch);
    free(s);
}

enum zeroipc_result zeroipc_stack_bytes_for(uint64_t capacity, size_t item_bytes, uint32_t handle_slots,
                                            uint64_t* bytes) {
    struct shape const shape = shape_of(capacity, item_bytes, handle_slots);
    return zeroipc_measure(&zeroipc_stack_kind, &shape, bytes);
}

enum zeroipc_result zeroipc_stack_repair(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                         uint64_t* reclaimed) {
    struct shape const shape = shape_of(0, item_bytes, 0);
    return zeroipc_structure_repair(&zeroipc_stack_kind, memory, name, &shape, reclaimed);
}
