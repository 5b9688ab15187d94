/* Geometry of the exchange ring; making, opening and closing queues. */
#include <stdlib.h>

#include "queue.h"

static struct measures measure(struct shape const* shape) {
    uint64_t const stride = align_up(shape->item_size, FORMAT_QUEUE_EXCHANGE_ITEM_ALIGNMENT);
    uint64_t const count =
        shape->capacity + FORMAT_QUEUE_EXCHANGE_SPARES_PER_SLOT * (uint64_t)shape->handle_slots;
    uint64_t const cells = FORMAT_QUEUE_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * shape->handle_slots;
    uint64_t const buffers = align_up(cells + FORMAT_QUEUE_EXCHANGE_CELL_BYTES * shape->capacity,
                                      FORMAT_QUEUE_EXCHANGE_BUFFERS_ALIGNMENT);
    return (struct measures){stride, FORMAT_QUEUE_EXCHANGE_CELL_BYTES, buffers + stride * count};
}

struct kind const zeroipc_queue_kind = {
    .noun = "queue",
    .number = FORMAT_DESCRIPTOR_KINDS_QUEUE,
    .algorithm = FORMAT_QUEUE_ALGORITHMS_EXCHANGE,
    .layout = FORMAT_QUEUE_LAYOUTS_COMPACT_NUMBER,
    .capacity_offset = FORMAT_QUEUE_HEADER_CAPACITY_OFFSET,
    .descriptor_offset = FORMAT_QUEUE_DESCRIPTOR_OFFSET,
    .slots = FORMAT_QUEUE_LAYOUTS_COMPACT_BODY,
    .capacity_most = FORMAT_QUEUE_LIMITS_CAPACITY_MOST,
    .power_of_two = true,
    .measure = measure,
    .recover = zeroipc_ring_recover,
    .repair = zeroipc_ring_repair,
};

struct ring zeroipc_ring(uint8_t* base, struct shape const* shape) {
    struct measures const m = measure(shape);
    uint64_t const count =
        shape->capacity + FORMAT_QUEUE_EXCHANGE_SPARES_PER_SLOT * (uint64_t)shape->handle_slots;
    return (struct ring){
        .cells = word_at(base, FORMAT_QUEUE_LAYOUTS_COMPACT_BODY + (uint64_t)SLOT_LINE * shape->handle_slots),
        .buffers = base + m.total - m.item_stride * count,
        .base = base,
        .capacity = shape->capacity,
        .buffer_count = count,
        .stride = m.item_stride,
        .handle_slots = shape->handle_slots,
        .lap_shift = (unsigned)__builtin_ctzll(shape->capacity),
        .turn_shift = bits_of(count - 1),
    };
}

static struct shape shape_of(uint64_t capacity, size_t item_bytes, uint32_t handle_slots) {
    return (struct shape){capacity, item_bytes, 0, 0, handle_slots != 0 ? handle_slots : 64};
}

static enum zeroipc_result adopt(zeroipc_queue* q, zeroipc_queue** queue) {
    q->ring = zeroipc_ring(q->handle.base, &q->handle.shape);
    q->slot = ring_slot_at(q->handle.base, q->handle.slot);
    q->item_size = q->handle.shape.item_size;
    q->items_wait = half_at(q->handle.base, FORMAT_QUEUE_LAYOUTS_COMPACT_ITEMS_WAIT);
    q->space_wait = half_at(q->handle.base, FORMAT_QUEUE_LAYOUTS_COMPACT_SPACE_WAIT);
    uint64_t const home = first_spare(&q->ring, q->handle.slot);
    q->out = (struct role){.index = tail_of(q->handle.base), .record = &q->slot->out, .home = home};
    q->in = (struct role){.index = head_of(q->handle.base), .record = &q->slot->in, .home = home + 1};
    struct role* const roles[2] = {&q->out, &q->in};
    for (int i = 0; i < 2; ++i) {
        roles[i]->spare = spare_in(load_relaxed(roles[i]->record), roles[i]->home);
        roles[i]->seen = load_acquire(roles[i]->index); /* (Q3) */
        if (roles[i]->spare >= q->ring.buffer_count) {
            zeroipc_queue_close(q);
            return zeroipc_corrupt("queue", "a handle slot names a buffer that does not exist");
        }
        roles[i]->buffer = q->ring.buffers + q->ring.stride * roles[i]->spare;
        roles[i]->refused = &q->handle.memory->forked;
    }
    *queue = q;
    return ZEROIPC_OK;
}

static enum zeroipc_result obtain(zeroipc_memory* memory, char const* name, struct shape const* shape,
                                  bool make, zeroipc_queue** queue) {
    zeroipc_queue* const q = calloc(1, sizeof *q);
    if (q == NULL) return zeroipc_fail(ZEROIPC_NO_MEMORY, "queue '%.40s': no memory for a handle", name);
    enum zeroipc_result const result = (make ? zeroipc_handle_create : zeroipc_handle_open)(
        &zeroipc_queue_kind, memory, name, shape, &q->handle);
    if (result == ZEROIPC_OK) return adopt(q, queue);
    free(q);
    return result;
}

enum zeroipc_result zeroipc_queue_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t item_bytes, uint32_t handle_slots, zeroipc_queue** queue) {
    struct shape const shape = shape_of(capacity, item_bytes, handle_slots);
    return obtain(memory, name, &shape, true, queue);
}

enum zeroipc_result zeroipc_queue_open(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                       zeroipc_queue** queue) {
    struct shape const shape = shape_of(0, item_bytes, 0);
    return obtain(memory, name, &shape, false, queue);
}

void zeroipc_queue_close(zeroipc_queue* q) {
    if (q == NULL) return;
    zeroipc_handle_close(&q->handle);
    free(q);
}

enum zeroipc_result zeroipc_queue_bytes_for(uint64_t capacity, size_t item_bytes, uint32_t handle_slots,
                                            uint64_t* bytes) {
    struct shape const shape = shape_of(capacity, item_bytes, handle_slots);
    return zeroipc_measure(&zeroipc_queue_kind, &shape, bytes);
}

enum zeroipc_result zeroipc_queue_repair(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                         uint64_t* reclaimed) {
    struct shape const shape = shape_of(0, item_bytes, 0);
    return zeroipc_structure_repair(&zeroipc_queue_kind, memory, name, &shape, reclaimed);
}
