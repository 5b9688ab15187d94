/** A bounded FIFO queue between processes, for any number of producers and consumers. */
#ifndef ZEROIPC_QUEUE_H
#define ZEROIPC_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A handle: one thread at a time uses it; each thread, and each process, opens its own. All try_ operations are
 * lock-free, full and empty are linearizable. A process may be killed at any instruction: nobody waits for it, at most the
 * item in its hands is lost, and the next handle opened takes over what it owned. Commit of every operation: (Q2).
 *
 * Items are plain bytes, item_bytes of them; `item` points at so many.
 *
 * Source: exchange ring, ZeroIPC 2026 (core/format/queue.md). All operations on an open handle may return corrupt (a
 * peer wrote what no honest one does) and forked.
 */
typedef struct zeroipc_queue zeroipc_queue;

/**
 * Makes the queue `name` in the segment, and opens it.
 * @param capacity      items that it holds: 1, 2, 4, ... 2^31.
 * @param item_bytes    1 or more; the whole queue stays below 4 GiB.
 * @param handle_slots  handles that may be open at once, in all processes together: 1 to 1000; 0: 64. Each costs two
 *                      items' space.
 * @param queue         gets the handle; close it.
 * Errors: exists, invalid_capacity, invalid_argument, invalid_name, too_large, segment_full, table_full, busy, corrupt,
 * forked, no_memory; no_handle_slot if others were quicker to open it (then it is there).
 */
enum zeroipc_result zeroipc_queue_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t item_bytes, uint32_t handle_slots, zeroipc_queue** queue);
/**
 * Opens the queue `name`, and recovers what a dead handle left where it takes that one's slot.
 * Errors: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot, busy, forked, no_memory. O(entries + handle
 * slots), O(capacity + handle slots) behind some kills.
 */
enum zeroipc_result zeroipc_queue_open(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                       zeroipc_queue** queue);
/** Closes the handle; the queue and its items stay. NULL does nothing. */
void zeroipc_queue_close(zeroipc_queue* queue);
/** Bytes that such a queue takes from its segment. Errors: invalid_capacity, invalid_argument, too_large. */
enum zeroipc_result zeroipc_queue_bytes_for(uint64_t capacity, size_t item_bytes, uint32_t handle_slots,
                                            uint64_t* bytes);

/** Puts an item in. OK, or FULL: it was full at one moment during the call. Lock-free, O(1) without contention. */
enum zeroipc_result zeroipc_queue_try_push(zeroipc_queue* queue, void const* item);
/** Takes an item out. OK, or EMPTY: it was empty at one moment; then `item` is as before. Lock-free, O(1). */
enum zeroipc_result zeroipc_queue_try_pop(zeroipc_queue* queue, void* item);

/** Puts an item in, waiting for space. OK or TIMEOUT. @param timeout_ns nanoseconds, or ZEROIPC_FOREVER. Blocking. */
enum zeroipc_result zeroipc_queue_push(zeroipc_queue* queue, void const* item, int64_t timeout_ns);
/** Takes an item out, waiting for one. OK or TIMEOUT. Blocking. */
enum zeroipc_result zeroipc_queue_pop(zeroipc_queue* queue, void* item, int64_t timeout_ns);

/**
 * Puts in up to `count` items of an array, in order; `done` says how many. OK: all; FULL: it was full behind the last one.
 * Each is an operation of its own: others' items may come between, and a kill costs at most the one in hand. On an error
 * `done` counts those before it. Lock-free.
 */
enum zeroipc_result zeroipc_queue_try_push_n(zeroipc_queue* queue, void const* items, size_t count,
                                             size_t* done);
/** Takes out up to `count` items, likewise. OK: so many; EMPTY: it was empty behind the last one. */
enum zeroipc_result zeroipc_queue_try_pop_n(zeroipc_queue* queue, void* items, size_t count, size_t* done);

/**
 * Lends the handle's own buffer for the next item, to be filled in place: item_bytes, aligned to 8, private until
 * publish; a kill costs nothing. Good until publish returns OK, or cancel. Errors: misuse if a loan is out already. Until
 * then every push is misuse. Wait-free; no shared access.
 */
enum zeroipc_result zeroipc_queue_loan(zeroipc_queue* queue, void** item);
/** Appends the item filled in. OK, or FULL: the loan is still out. Errors: misuse without a loan. Lock-free. */
enum zeroipc_result zeroipc_queue_publish(zeroipc_queue* queue);
/** The same, waiting for space. OK, or TIMEOUT: the loan is still out. Blocking. */
enum zeroipc_result zeroipc_queue_publish_within(zeroipc_queue* queue, int64_t timeout_ns);
/** Gives the loan up. Errors: misuse without one. */
enum zeroipc_result zeroipc_queue_cancel(zeroipc_queue* queue);
/**
 * Removes the oldest item and points at it where it lies, in a buffer that is this handle's until release. OK or EMPTY.
 * Errors: misuse if a taken item is out; until release every pop is misuse. Lock-free; a kill costs this item.
 */
enum zeroipc_result zeroipc_queue_take(zeroipc_queue* queue, void const** item);
/** The same, waiting for an item. OK or TIMEOUT. Blocking. */
enum zeroipc_result zeroipc_queue_take_within(zeroipc_queue* queue, void const** item, int64_t timeout_ns);
/** Lets go of the taken item. Errors: misuse without one. */
enum zeroipc_result zeroipc_queue_release(zeroipc_queue* queue);

/** Items that it holds. */
uint64_t zeroipc_queue_capacity(zeroipc_queue const* queue);
/** The handle slot that this handle holds, from 0. */
uint32_t zeroipc_queue_handle_slot(zeroipc_queue const* queue);
/** Items in it, 0 to capacity: exact if nothing is popped meanwhile, else from above; 0 only if it was empty at one
 * moment. Errors: forked. Wait-free, O(1) without contention. */
enum zeroipc_result zeroipc_queue_was_size(zeroipc_queue* queue, uint64_t* size);

/**
 * Settles exactly what kills left, parked handle slots included; items stay. Only when nobody else is attached to the
 * segment and this process has no handles in it, else busy. May be killed, and run again.
 * @param reclaimed gets how many buffers had lost their owner; may be NULL.
 * Errors: busy, corrupt, no_memory, and those of opening. O(capacity + handle slots^2).
 */
enum zeroipc_result zeroipc_queue_repair(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                         uint64_t* reclaimed);

#ifdef __cplusplus
}
#endif
#endif
