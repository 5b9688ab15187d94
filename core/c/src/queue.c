/* Operations of the exchange ring. Bytes, numbers of accesses and argument: format/queue.md. */
#include "queue.h"

#include "waiting.h"

#define INDEX_STEP FORMAT_QUEUE_EXCHANGE_INDEX_STEP

static bool const refused_here = true;

/* Raises an index to n, from whatever it is: then walks stay short, whoever was killed. A hint, and worth no more rounds than
 * this. */
__attribute__((noinline)) static void raise_index(word* index, uint64_t n) {
    uint64_t now = load_relaxed(index); /* only the start of a compare-and-swap */
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE && (int64_t)(n - now) > 0; ++round)
        /* (Q4) acq_rel: all below n is done. Partners: (Q3), (Q4), (Q5). */
        if (cas(index, &now, n)) return;
}

/* The first position that may not be done, given that the cell of `position` is `ahead` turns further. */
static inline uint64_t position_behind(struct ring const* r, uint64_t position, int64_t ahead) {
    return position + ((((uint64_t)ahead - 1) / 2) << r->lap_shift) + 1;
}

/* Records the spare as plainly owned. */
static inline void settle(struct role* role) {
    order_for_undertaker();
    /* (Q7) release: the commit that gave it comes before. Partner: (Q6). */
    store_release(role->record, spare_word(role->spare, role->home));
    order_for_undertaker();
}

/* The cell of a position, as it was read. */
struct view {
    uint64_t i;
    uint64_t turn; /* that is waited for */
    uint64_t value;
    int64_t ahead; /* turns that the cell is further */
};
static inline struct view look_at(struct ring const* r, uint64_t position, uint64_t parity) {
    struct view v = {position & (r->capacity - 1), 2 * (position >> r->lap_shift) + parity, 0, 0};
    /* (Q1) acquire: the buffer's bytes, and that all lower positions are done. Partner: (Q2). */
    v.value = load_acquire(&r->cells[v.i]);
    v.ahead = ahead_of(r, v.value, v.turn);
    return v;
}

enum exchanged { EXCHANGED, LOST, NO_SUCH_BUFFER };

/* Exchanges the spare for the buffer of a cell that is at the turn that is waited for. */
static inline __attribute__((always_inline)) enum exchanged exchange(zeroipc_queue* q, struct role* role,
                                                                     uint64_t position, struct view v,
                                                                     bool to_read) {
    struct ring const* const r = &q->ring;
    uint64_t const gained = buffer_of(r, v.value, v.i);
    if (unlikely(gained >= r->buffer_count)) return NO_SUCH_BUFFER;
    uint8_t* const place = r->buffers + (likely(r->stride == 8) ? 8 : r->stride) * gained;
    if (to_read) prefetch(place);
    /* Only an undertaker reads this, after our death; it must find it complete or not pending. */
    store_relaxed(&q->slot->position, position);
    store_relaxed(&q->slot->expected, v.value);
    order_for_undertaker();
    store_relaxed(role->record, spare_word(role->spare, role->home) | PENDING);
    order_for_undertaker();
    /* (Q2) acq_rel, the commit; failing: acquire. Partners: (Q1), (Q2), (Q5), (Q8). */
    bool const done = cas(&r->cells[v.i], &v.value, (v.turn + 1) << r->turn_shift | (role->spare ^ v.i));
    if (likely(done)) {
        role->spare = gained;
        role->buffer = place;
        role->seen = position + 1;
    }
    settle(role);
    if (unlikely(done && role->seen % INDEX_STEP == 0)) raise_index(role->index, role->seen);
    return done ? EXCHANGED : LOST;
}

/* Push and pop are one: exchange the own spare for the buffer of the first cell that is not done. `parity` of the turn
 * that is waited for: 0 to push (empty), 1 to pop (full). OK, or FULL or EMPTY. */
__attribute__((noinline)) static enum zeroipc_result commit_slowly(zeroipc_queue* q, struct role* role,
                                                                   uint64_t parity) {
    struct ring const* const r = &q->ring;
    uint32_t pauses = 1;
    uint64_t position = role->seen;
    for (uint64_t round = 0; round < ZEROIPC_PATIENCE; ++round) {
        struct view const v = look_at(r, position, parity);
        if (v.ahead == 0) {
            enum exchanged const result = exchange(q, role, position, v, parity == 1);
            if (result == EXCHANGED) return ZEROIPC_OK;
            if (result == NO_SUCH_BUFFER)
                return zeroipc_corrupt("queue", "a cell names a buffer that does not exist");
            back_off(&pauses);
        } else if (v.ahead > 0) {
            /* This position is done, and so are those that the cell has been through since. */
            uint64_t next = position_behind(r, position, v.ahead);
            if (next / INDEX_STEP != position / INDEX_STEP) {
                /* (Q3) acquire: all below it is done. Partner: (Q4). */
                uint64_t const shared = load_acquire(role->index);
                if ((int64_t)(shared - next) > 0)
                    next = shared;
                else
                    raise_index(role->index, next);
            }
            position = role->seen = next;
        } else {
            /* A hint of full or empty: the answer if the cell still says so behind a fence, and the index knows of
             * nothing later (who slept through half of the turns' period sees the sign reversed). */
            fence(memory_order_seq_cst);
            /* (Q5), (Q5) acquire, behind the fence. Partners: (Q2), (Q4). */
            uint64_t const again = load_acquire(&r->cells[v.i]);
            uint64_t const shared = load_acquire(role->index);
            if ((int64_t)(shared - position) > 0)
                position = role->seen = shared;
            else if (again == v.value)
                return parity == 0 ? ZEROIPC_FULL : ZEROIPC_EMPTY;
        }
    }
    return zeroipc_no_progress("queue");
}

/* The same; where nobody is in the way, without more. */
static inline __attribute__((always_inline)) enum zeroipc_result commit(zeroipc_queue* q, struct role* role,
                                                                        uint64_t parity) {
    uint64_t const position = role->seen;
    prefetch_to_write((void const*)&q->ring.cells[position & (q->ring.capacity - 1)]);
    struct view const v = look_at(&q->ring, position, parity);
    if (likely(v.ahead == 0) && likely(exchange(q, role, position, v, parity == 1) == EXCHANGED))
        return ZEROIPC_OK;
    return commit_slowly(q, role, parity);
}

__attribute__((cold, noinline)) static enum zeroipc_result refused(zeroipc_queue const* q, char const* what) {
    enum zeroipc_result const result = refuse_forked(q->handle.memory);
    return result != ZEROIPC_OK ? result : zeroipc_fail(ZEROIPC_MISUSE, "queue: %s", what);
}
/* One look tells whether an operation may go on: not in a forked child; and not while the caller has the buffer. */
static inline enum zeroipc_result may_push(zeroipc_queue const* q) {
    return likely(!*q->out.refused)
               ? ZEROIPC_OK
               : refused(q, "a loan is out; publish or cancel it before the next push or loan");
}
static inline enum zeroipc_result may_pop(zeroipc_queue const* q) {
    return likely(!*q->in.refused)
               ? ZEROIPC_OK
               : refused(q, "a taken item is out; release it before the next pop or take");
}
static bool is_out(struct role const* role) { return role->refused == &refused_here; }
static void take_back(zeroipc_queue* q, struct role* role) { role->refused = &q->handle.memory->forked; }

static inline enum zeroipc_result push_one(zeroipc_queue* q, void const* item) {
    copy_item(q->out.buffer, item, q->item_size);
    enum zeroipc_result const result = commit(q, &q->out, 0);
    if (result == ZEROIPC_OK) prefetch_to_write(q->out.buffer);
    return result;
}
static inline enum zeroipc_result pop_one(zeroipc_queue* q, void* item) {
    enum zeroipc_result const result = commit(q, &q->in, 1);
    if (result == ZEROIPC_OK) copy_item(item, q->in.buffer, q->item_size);
    return result;
}

enum zeroipc_result zeroipc_queue_try_push(zeroipc_queue* q, void const* item) {
    enum zeroipc_result result = may_push(q);
    if (likely(result == ZEROIPC_OK)) result = push_one(q, item);
    if (likely(result == ZEROIPC_OK)) notify(q->items_wait);
    return result;
}

enum zeroipc_result zeroipc_queue_try_pop(zeroipc_queue* q, void* item) {
    enum zeroipc_result result = may_pop(q);
    if (likely(result == ZEROIPC_OK)) result = pop_one(q, item);
    if (likely(result == ZEROIPC_OK)) notify(q->space_wait);
    return result;
}

enum zeroipc_result zeroipc_queue_try_push_n(zeroipc_queue* q, void const* items, size_t count,
                                             size_t* done) {
    uint8_t const* next = items;
    enum zeroipc_result result = may_push(q);
    for (*done = 0; result == ZEROIPC_OK && *done < count; next += q->item_size)
        if ((result = push_one(q, next)) == ZEROIPC_OK) ++*done;
    if (*done > 0) notify(q->items_wait);
    return result;
}

enum zeroipc_result zeroipc_queue_try_pop_n(zeroipc_queue* q, void* items, size_t count, size_t* done) {
    uint8_t* next = items;
    enum zeroipc_result result = may_pop(q);
    for (*done = 0; result == ZEROIPC_OK && *done < count; next += q->item_size)
        if ((result = pop_one(q, next)) == ZEROIPC_OK) ++*done;
    if (*done > 0) notify(q->space_wait);
    return result;
}

struct waiter {
    zeroipc_queue* queue;
    void const* from;
    void* to;
};
static enum zeroipc_result push_attempt(void* context) {
    struct waiter const* const w = context;
    return zeroipc_queue_try_push(w->queue, w->from);
}
static enum zeroipc_result pop_attempt(void* context) {
    struct waiter const* const w = context;
    return zeroipc_queue_try_pop(w->queue, w->to);
}
enum zeroipc_result zeroipc_queue_push(zeroipc_queue* q, void const* item, int64_t timeout_ns) {
    struct waiter w = {q, item, NULL};
    return zeroipc_wait(q->space_wait, push_attempt, &w, ZEROIPC_FULL, timeout_ns);
}
enum zeroipc_result zeroipc_queue_pop(zeroipc_queue* q, void* item, int64_t timeout_ns) {
    struct waiter w = {q, NULL, item};
    return zeroipc_wait(q->items_wait, pop_attempt, &w, ZEROIPC_EMPTY, timeout_ns);
}

enum zeroipc_result zeroipc_queue_loan(zeroipc_queue* q, void** item) {
    enum zeroipc_result const result = may_push(q);
    if (result != ZEROIPC_OK) return result;
    q->out.refused = &refused_here;
    *item = q->out.buffer;
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_queue_publish(zeroipc_queue* q) {
    if (!is_out(&q->out) || q->handle.memory->forked)
        return refused(q, "publish without a loan; ask for one and fill it first");
    enum zeroipc_result const result = commit(q, &q->out, 0);
    if (result != ZEROIPC_OK) return result;
    take_back(q, &q->out);
    notify(q->items_wait);
    return ZEROIPC_OK;
}

static enum zeroipc_result publish_attempt(void* context) { return zeroipc_queue_publish(context); }
enum zeroipc_result zeroipc_queue_publish_within(zeroipc_queue* q, int64_t timeout_ns) {
    return zeroipc_wait(q->space_wait, publish_attempt, q, ZEROIPC_FULL, timeout_ns);
}

enum zeroipc_result zeroipc_queue_cancel(zeroipc_queue* q) {
    if (!is_out(&q->out)) return refused(q, "cancel without a loan; one publish or cancel for each");
    take_back(q, &q->out);
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_queue_take(zeroipc_queue* q, void const** item) {
    enum zeroipc_result result = may_pop(q);
    if (result == ZEROIPC_OK) result = commit(q, &q->in, 1);
    if (result != ZEROIPC_OK) return result;
    q->in.refused = &refused_here;
    *item = q->in.buffer;
    notify(q->space_wait);
    return ZEROIPC_OK;
}

struct taker {
    zeroipc_queue* queue;
    void const** item;
};
static enum zeroipc_result take_attempt(void* context) {
    struct taker const* const t = context;
    return zeroipc_queue_take(t->queue, t->item);
}
enum zeroipc_result zeroipc_queue_take_within(zeroipc_queue* q, void const** item, int64_t timeout_ns) {
    struct taker t = {q, item};
    return zeroipc_wait(q->items_wait, take_attempt, &t, ZEROIPC_EMPTY, timeout_ns);
}

enum zeroipc_result zeroipc_queue_release(zeroipc_queue* q) {
    if (!is_out(&q->in)) return refused(q, "release without a taken item; once for each");
    take_back(q, &q->in);
    return ZEROIPC_OK;
}

uint64_t zeroipc_queue_capacity(zeroipc_queue const* q) { return q->ring.capacity; }
uint32_t zeroipc_queue_handle_slot(zeroipc_queue const* q) { return q->handle.slot; }

/* Walks from an index to where it would be if it were raised at every position. Gives up behind peers that go on as
 * fast. */
static uint64_t first_not_done(struct ring const* r, word* index, uint64_t parity) {
    uint64_t position = load_acquire(index); /* (Q3) */
    for (uint64_t step = 0; step < r->capacity + 2 * INDEX_STEP; ++step) {
        int64_t const ahead = look_at(r, position, parity).ahead;
        if (ahead <= 0) break;
        position = position_behind(r, position, ahead);
    }
    return position;
}

enum zeroipc_result zeroipc_queue_was_size(zeroipc_queue* q, uint64_t* size) {
    enum zeroipc_result const result = refuse_forked(q->handle.memory);
    if (result != ZEROIPC_OK) return result;
    struct ring const* const r = &q->ring;
    uint64_t head = first_not_done(r, q->in.index, 1);
    int64_t between = 0;
    for (int tries = 0; tries < 4; ++tries) {
        between = (int64_t)(first_not_done(r, q->out.index, 0) - head);
        uint64_t const again = first_not_done(r, q->in.index, 1);
        if (again == head) break; /* head stood still: the size is of when tail was read */
        head = again;
    }
    *size = between < 0 ? 0 : (uint64_t)between < r->capacity ? (uint64_t)between : r->capacity;
    return ZEROIPC_OK;
}
