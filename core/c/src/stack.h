/* The bytes of the linked stack, shared by operations and recovery. Argument: format/stack.md. */
#pragma once

#include "structure.h"
#include "zeroipc/stack.h"

/* A handle slot: the nodes in its owner's hands, and what it is about to do. Only its owner writes it. */
struct stack_slot {
    word state;    /* a `hand`, packed */
    word expected; /* the value that the commit in progress replaces */
};
_Static_assert(sizeof(struct stack_slot) == FORMAT_STACK_TREIBER_SLOT_BYTES &&
                   offsetof(struct stack_slot, state) == FORMAT_STACK_TREIBER_SLOT_STATE_OFFSET &&
                   offsetof(struct stack_slot, expected) == FORMAT_STACK_TREIBER_SLOT_EXPECTED_OFFSET,
               "a handle slot of a stack: see format/stack.md");

enum doing {
    NOTHING = FORMAT_STACK_TREIBER_DOING_NOTHING,
    PUSH = FORMAT_STACK_TREIBER_DOING_PUSH,
    POP = FORMAT_STACK_TREIBER_DOING_POP,
    REFILL = FORMAT_STACK_TREIBER_DOING_REFILL,
    GIVE_BACK = FORMAT_STACK_TREIBER_DOING_GIVE_BACK
};

/* Nodes are numbered from 1; 0 is none. */
struct hand {
    uint64_t first;  /* the spare, or what is pushed */
    uint64_t second; /* what is given back */
    uint64_t doing;
};
#define HAND_SECOND_SHIFT (FORMAT_STACK_TREIBER_DOING_BITS + FORMAT_STACK_TREIBER_FIRST_BITS)
static inline uint64_t pack_hand(struct hand h) {
    return h.doing | h.first << FORMAT_STACK_TREIBER_DOING_BITS | h.second << HAND_SECOND_SHIFT;
}
static inline struct hand unpack_hand(uint64_t state) {
    return (struct hand){
        (state >> FORMAT_STACK_TREIBER_DOING_BITS) & ((UINT64_C(1) << FORMAT_STACK_TREIBER_FIRST_BITS) - 1),
        state >> HAND_SECOND_SHIFT, state & ((UINT64_C(1) << FORMAT_STACK_TREIBER_DOING_BITS) - 1)};
}

enum list { TOP_LIST, FREE_LIST };
_Static_assert(FORMAT_STACK_TREIBER_WITNESS_TOP == 8 * TOP_LIST &&
                   FORMAT_STACK_TREIBER_WITNESS_FREE == 8 * FREE_LIST &&
                   FORMAT_STACK_TREIBER_WITNESSES_PER_SLOT == 2,
               "a witness for each list stands in a row: see format/stack.md");

/* A handle's view: where the parts lie, how words are packed, and what is in its hands. */
struct zeroipc_stack {
    word* lists[2];
    word* rows;      /* of witnesses */
    word* witnesses; /* our row */
    uint8_t* nodes;
    struct stack_slot* slot;
    uint64_t capacity;
    uint64_t node_count;
    uint64_t stride;
    uint64_t row_words;
    uint64_t item_size;
    uint64_t me;    /* handle slot, from 1: the author */
    uint64_t spare; /* node in hand, or 0 */
    uint64_t holds; /* node to be given back, or 0 */
    uint32_t handle_slots;
    unsigned node_bits;
    unsigned tag_shift;
    half* items_wait;
    half* space_wait;
    void* scratch; /* an item read under a change, which must not reach the caller */
    struct handle handle;
};

/* Attaches to a stack whose shape was checked against its place, as that slot; nothing in hand. */
void zeroipc_stack_attach(zeroipc_stack* s, uint8_t* base, struct shape const* shape, uint32_t slot);

static inline uint64_t node_of(zeroipc_stack const* s, uint64_t value) {
    return value & ((UINT64_C(1) << s->node_bits) - 1);
}
static inline uint64_t author_of(zeroipc_stack const* s, uint64_t value) {
    return (value >> s->node_bits) & ((UINT64_C(1) << (s->tag_shift - s->node_bits)) - 1);
}
/* A node's link, and its item behind it. 1 <= n <= node_count. */
static inline word* link_at(zeroipc_stack const* s, uint64_t n) {
    return word_at(s->nodes, s->stride * (n - 1) + FORMAT_STACK_TREIBER_NODE_BELOW_OFFSET);
}
static inline word* item_at(zeroipc_stack const* s, uint64_t n) {
    return word_at(s->nodes, s->stride * (n - 1) + FORMAT_STACK_TREIBER_NODE_ITEM_OFFSET);
}
/* The free list's word and links are relative: zeroed memory is the list 1, 2, 3, ... */
static inline uint64_t free_node(zeroipc_stack const* s, uint64_t value) {
    uint64_t const field = node_of(s, value);
    return field < s->node_count ? field + 1 : 0;
}

void zeroipc_stack_settle(zeroipc_stack* s, uint64_t first, uint64_t second);
enum zeroipc_result zeroipc_stack_give_back(zeroipc_stack* s);
