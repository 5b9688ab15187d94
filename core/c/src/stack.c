/* Operations of the linked stack. Bytes, numbers of accesses and argument: format/stack.md. */
#include "stack.h"

#include "waiting.h"

#define NO_NODE (~UINT64_C(0))

/* The depth that stands in a node's link. Anything, if it is in other hands by now: the commit, or the second look, tells. */
static uint64_t depth_of(zeroipc_stack const* s, uint64_t n) {
    if (n == 0 || n > s->node_count) return n == 0 ? 0 : s->capacity;
    return load_relaxed(link_at(s, n)) >> 32;
}
static uint64_t node_below(zeroipc_stack const* s, uint64_t n) {
    return load_relaxed(link_at(s, n)) & 0xffffffffU;
}

static uint64_t free_field(zeroipc_stack const* s, uint64_t n) { return n == 0 ? s->node_count : n - 1; }
static uint64_t next_free(zeroipc_stack const* s, uint64_t n) {
    uint32_t const next = (uint32_t)(load_relaxed(link_at(s, n)) + n + 1); /* modular */
    return next <= s->node_count ? next : next == s->node_count + 1 ? 0 : NO_NODE;
}
static void link_free(zeroipc_stack const* s, uint64_t n, uint64_t next) {
    store_relaxed(link_at(s, n), (uint32_t)((next == 0 ? s->node_count + 1 : next) - n - 1));
}

/* The second look behind a negative answer: whether the list's word is as it was; else it is now known. */
static bool stands(zeroipc_stack const* s, enum list list, uint64_t* value) {
    fence(memory_order_seq_cst);
    /* (L3) acquire, behind the fence. Partners: (L2), (L7). */
    uint64_t const again = load_acquire(s->lists[list]);
    bool const same = again == *value;
    *value = again;
    return same;
}

/* Replaces a list's first node. *now is the value as read, renewed if that fails. */
static inline __attribute__((always_inline)) bool commit(zeroipc_stack* s, enum list list, uint64_t* now,
                                                         uint64_t first, struct hand intent) {
    uint64_t const next = ((*now >> s->tag_shift) + 1) << s->tag_shift | s->me << s->node_bits | first;
    /* Only an undertaker reads this, after our death. While a commit is in progress `expected` may change first: towards
     * that value we have done nothing yet. */
    store_relaxed(&s->slot->expected, *now);
    order_for_undertaker();
    store_relaxed(&s->slot->state, pack_hand(intent));
    order_for_undertaker();
    uint64_t const author = author_of(s, *now);
    if (author != s->me && author != 0 && author <= s->handle_slots) {
        /* Whoever finds the value gone finds it here: the store comes before (L2), and (L4) reads it. Only we write
         * our row. */
        word* const witness = &s->witnesses[2 * (author - 1) + list];
        if (load_relaxed(witness) != *now) store_relaxed(witness, *now);
    }
    /* (L2) acq_rel, the commit; failing: acquire. Partners: (L1), (L2), (L3), (L4), (L5). */
    return cas(s->lists[list], now, next);
}

/* Records what is in hand, with nothing in progress. */
void zeroipc_stack_settle(zeroipc_stack* s, uint64_t first, uint64_t second) {
    order_for_undertaker();
    s->spare = first != 0 ? first : second;
    s->holds = first != 0 ? second : 0;
    /* (L6) release. Partner: the kernel's lock, by which a successor comes behind it. */
    store_release(&s->slot->state, pack_hand((struct hand){s->spare, s->holds, NOTHING}));
    order_for_undertaker();
}

static enum zeroipc_result refill(zeroipc_stack* s) {
    uint32_t pauses = 1;
    uint64_t now = load_acquire(s->lists[FREE_LIST]); /* (L1) */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t const first = free_node(s, now);
        uint64_t const next = first == 0 ? NO_NODE : next_free(s, first);
        if (next == NO_NODE) {
            /* Capacity and hands together leave one free at every moment. */
            if (stands(s, FREE_LIST, &now))
                return zeroipc_corrupt("stack", "the free list does not hold the nodes that are free");
            continue;
        }
        if (commit(s, FREE_LIST, &now, free_field(s, next), (struct hand){0, 0, REFILL})) {
            zeroipc_stack_settle(s, first, 0);
            return ZEROIPC_OK;
        }
        back_off(&pauses);
    }
    return zeroipc_no_progress("stack");
}

/* Gets a spare node. FULL: it was full at one moment, so that nodes need not be free. */
__attribute__((noinline)) static enum zeroipc_result may_refill(zeroipc_stack* s) {
    uint64_t now = load_acquire(s->lists[TOP_LIST]); /* (L1) */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        if (depth_of(s, node_of(s, now)) < s->capacity) return refill(s);
        if (stands(s, TOP_LIST, &now)) return ZEROIPC_FULL;
    }
    return zeroipc_no_progress("stack");
}

/* Puts the second node in hand into the free list. */
__attribute__((noinline)) enum zeroipc_result zeroipc_stack_give_back(zeroipc_stack* s) {
    uint32_t pauses = 1;
    /* (L7) release fence: who reads this link in a node that it still takes for the top one must be able to see that the
     * top has changed. Partners: (L3), (L8). */
    fence(memory_order_release);
    uint64_t now = load_acquire(s->lists[FREE_LIST]); /* (L1) */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        link_free(s, s->holds, free_node(s, now));
        if (commit(s, FREE_LIST, &now, free_field(s, s->holds),
                   (struct hand){s->spare, s->holds, GIVE_BACK})) {
            zeroipc_stack_settle(s, s->spare, 0);
            return ZEROIPC_OK;
        }
        back_off(&pauses);
    }
    return zeroipc_no_progress("stack");
}

static inline enum zeroipc_result push_one(zeroipc_stack* s, void const* item) {
    if (s->spare == 0) {
        enum zeroipc_result const result = may_refill(s);
        if (unlikely(result != ZEROIPC_OK)) return result;
    }
    /* (L7) release fence: who reads what is written here, in a node that it still takes for the top one, sees behind
     * its own fence that the top has changed. Partners: (L3), (L8). */
    fence(memory_order_release);
    write_words(item_at(s, s->spare), item, s->item_size);
    uint32_t pauses = 1;
    /* (L1) acquire: the first node's link. Partner: (L2). */
    uint64_t now = load_acquire(s->lists[TOP_LIST]);
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t const below = node_of(s, now);
        uint64_t const depth = depth_of(s, below);
        if (unlikely(depth >= s->capacity)) {
            if (!stands(s, TOP_LIST, &now)) continue;
            zeroipc_stack_settle(s, s->spare, 0);
            return ZEROIPC_FULL;
        }
        store_relaxed(link_at(s, s->spare), (depth + 1) << 32 | below);
        if (likely(commit(s, TOP_LIST, &now, s->spare, (struct hand){s->spare, 0, PUSH}))) {
            zeroipc_stack_settle(s, 0, 0);
            return ZEROIPC_OK;
        }
        back_off(&pauses);
    }
    return zeroipc_no_progress("stack");
}

static inline enum zeroipc_result pop_one(zeroipc_stack* s, void* item) {
    uint32_t pauses = 1;
    uint64_t now = load_acquire(s->lists[TOP_LIST]); /* (L1) */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t const first = node_of(s, now);
        if (unlikely(first == 0)) {
            if (!stands(s, TOP_LIST, &now)) continue;
            zeroipc_stack_settle(s, s->spare, 0);
            return ZEROIPC_EMPTY;
        }
        if (unlikely(first > s->node_count))
            return zeroipc_corrupt("stack", "the top names a node that does not exist");
        uint64_t const below = node_below(s, first);
        if (unlikely(below > s->node_count)) { /* in other hands by now, or a hostile peer wrote this */
            if (stands(s, TOP_LIST, &now))
                return zeroipc_corrupt("stack", "a link names a node that does not exist");
            continue;
        }
        if (likely(commit(s, TOP_LIST, &now, below, (struct hand){s->spare, 0, POP}))) {
            copy_item(item, (void const*)item_at(s, first), s->item_size);
            zeroipc_stack_settle(s, first, s->spare);
            return s->holds != 0 ? zeroipc_stack_give_back(s) : ZEROIPC_OK;
        }
        back_off(&pauses);
    }
    return zeroipc_no_progress("stack");
}

enum zeroipc_result zeroipc_stack_try_push(zeroipc_stack* s, void const* item) {
    enum zeroipc_result result = refuse_forked(s->handle.memory);
    if (likely(result == ZEROIPC_OK)) result = push_one(s, item);
    if (likely(result == ZEROIPC_OK)) notify(s->items_wait);
    return result;
}

enum zeroipc_result zeroipc_stack_try_pop(zeroipc_stack* s, void* item) {
    enum zeroipc_result result = refuse_forked(s->handle.memory);
    if (likely(result == ZEROIPC_OK)) result = pop_one(s, item);
    if (likely(result == ZEROIPC_OK)) notify(s->space_wait);
    return result;
}

enum zeroipc_result zeroipc_stack_try_peek(zeroipc_stack* s, void* item) {
    enum zeroipc_result const result = refuse_forked(s->handle.memory);
    if (result != ZEROIPC_OK) return result;
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t now = load_acquire(s->lists[TOP_LIST]); /* (L1) */
        uint64_t const first = node_of(s, now);
        if (first == 0) {
            if (stands(s, TOP_LIST, &now)) return ZEROIPC_EMPTY;
            continue;
        }
        if (first > s->node_count)
            return zeroipc_corrupt("stack", "the top names a node that does not exist");
        read_words(s->scratch, item_at(s, first), s->item_size);
        /* (L8) acquire fence: were these the bytes of a later push, the word would show it. Partner: (L7). */
        fence(memory_order_acquire);
        if (load_relaxed(s->lists[TOP_LIST]) != now) continue;
        copy_item(item, s->scratch, s->item_size);
        return ZEROIPC_OK;
    }
    return zeroipc_no_progress("stack");
}

enum zeroipc_result zeroipc_stack_try_push_n(zeroipc_stack* s, void const* items, size_t count,
                                             size_t* done) {
    uint8_t const* next = items;
    enum zeroipc_result result = refuse_forked(s->handle.memory);
    for (*done = 0; result == ZEROIPC_OK && *done < count; next += s->item_size)
        if ((result = push_one(s, next)) == ZEROIPC_OK) ++*done;
    if (*done > 0) notify(s->items_wait);
    return result;
}

enum zeroipc_result zeroipc_stack_try_pop_n(zeroipc_stack* s, void* items, size_t count, size_t* done) {
    uint8_t* next = items;
    enum zeroipc_result result = refuse_forked(s->handle.memory);
    for (*done = 0; result == ZEROIPC_OK && *done < count; next += s->item_size)
        if ((result = pop_one(s, next)) == ZEROIPC_OK) ++*done;
    if (*done > 0) notify(s->space_wait);
    return result;
}

struct waiter {
    zeroipc_stack* stack;
    void const* from;
    void* to;
};
static enum zeroipc_result push_attempt(void* context) {
    struct waiter const* const w = context;
    return zeroipc_stack_try_push(w->stack, w->from);
}
static enum zeroipc_result pop_attempt(void* context) {
    struct waiter const* const w = context;
    return zeroipc_stack_try_pop(w->stack, w->to);
}
enum zeroipc_result zeroipc_stack_push(zeroipc_stack* s, void const* item, int64_t timeout_ns) {
    struct waiter w = {s, item, NULL};
    return zeroipc_wait(s->space_wait, push_attempt, &w, ZEROIPC_FULL, timeout_ns);
}
enum zeroipc_result zeroipc_stack_pop(zeroipc_stack* s, void* item, int64_t timeout_ns) {
    struct waiter w = {s, NULL, item};
    return zeroipc_wait(s->items_wait, pop_attempt, &w, ZEROIPC_EMPTY, timeout_ns);
}

uint64_t zeroipc_stack_capacity(zeroipc_stack const* s) { return s->capacity; }
uint32_t zeroipc_stack_handle_slot(zeroipc_stack const* s) { return s->handle.slot; }

enum zeroipc_result zeroipc_stack_was_size(zeroipc_stack* s, uint64_t* size) {
    enum zeroipc_result const result = refuse_forked(s->handle.memory);
    if (result != ZEROIPC_OK) return result;
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        uint64_t const now = load_acquire(s->lists[TOP_LIST]); /* (L1) */
        uint64_t const depth = depth_of(s, node_of(s, now));
        fence(memory_order_acquire); /* (L8). Partner: (L7). */
        if (load_relaxed(s->lists[TOP_LIST]) != now) continue;
        *size = depth < s->capacity ? depth : s->capacity;
        return ZEROIPC_OK;
    }
    return zeroipc_no_progress("stack");
}
