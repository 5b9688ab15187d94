/** A bounded LIFO stack between processes. */
#ifndef ZEROIPC_STACK_H
#define ZEROIPC_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A handle: one thread at a time uses it; each thread, and each process, opens its own. All try_ operations are
 * lock-free, full and empty are linearizable. A process may be killed at any instruction: nobody waits for it, at most the
 * item in its hands is lost, and the next handle opened finds every node again. Commit of push and pop: (L2).
 *
 * Items are plain bytes, item_bytes of them; `item` points at so many.
 *
 * Source: Treiber 1986; tagged, with witnessed commits, ZeroIPC 2026 (core/format/stack.md). All operations on an open
 * handle may return corrupt (a peer wrote what no honest one does) and forked.
 */
typedef struct zeroipc_stack zeroipc_stack;

/**
 * Makes the stack `name` in the segment, and opens it.
 * @param capacity      items that it holds, 1 to 2^28.
 * @param item_bytes    1 or more; the whole stack stays below 4 GiB.
 * @param handle_slots  handles that may be open at once, in all processes together: 1 to 1000; 0: 32. n of them cost 2 n
 *                      items' space, and 16 n (n + 4) bytes.
 * @param stack         gets the handle; close it.
 * Errors: exists, invalid_capacity, invalid_argument, invalid_name, too_large, segment_full, table_full, busy, corrupt,
 * forked, no_memory; no_handle_slot if others were quicker to open it (then it is there).
 */
enum zeroipc_result zeroipc_stack_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t item_bytes, uint32_t handle_slots, zeroipc_stack** stack);
/**
 * Opens the stack `name`, and recovers, exactly, what a dead handle left where it takes that one's slot.
 * Errors: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot, busy, forked, no_memory. O(entries + handle
 * slots).
 */
enum zeroipc_result zeroipc_stack_open(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                       zeroipc_stack** stack);
/** Closes the handle; the stack and its items stay. NULL does nothing. */
void zeroipc_stack_close(zeroipc_stack* stack);
/** Bytes that such a stack takes from its segment. Errors: invalid_capacity, invalid_argument, too_large. */
enum zeroipc_result zeroipc_stack_bytes_for(uint64_t capacity, size_t item_bytes, uint32_t handle_slots,
                                            uint64_t* bytes);

/** Puts an item on top. OK, or FULL: it was full at one moment during the call. Lock-free, O(1) without contention. */
enum zeroipc_result zeroipc_stack_try_push(zeroipc_stack* stack, void const* item);
/** Takes the item on top. OK, or EMPTY: it was empty at one moment; then `item` is as before. Lock-free, O(1). */
enum zeroipc_result zeroipc_stack_try_pop(zeroipc_stack* stack, void* item);
/** Copies the item on top and leaves it there. OK or EMPTY. Lock-free, O(1); writes nothing shared. */
enum zeroipc_result zeroipc_stack_try_peek(zeroipc_stack* stack, void* item);

/** Puts an item on top, waiting for space. OK or TIMEOUT. @param timeout_ns nanoseconds, or ZEROIPC_FOREVER. Blocking. */
enum zeroipc_result zeroipc_stack_push(zeroipc_stack* stack, void const* item, int64_t timeout_ns);
/** Takes the item on top, waiting for one. OK or TIMEOUT. Blocking. */
enum zeroipc_result zeroipc_stack_pop(zeroipc_stack* stack, void* item, int64_t timeout_ns);

/**
 * Puts on top up to `count` items of an array, in order; `done` says how many. OK: all; FULL: it was full behind the last
 * one. Each is an operation of its own: others' items may come between, and a kill costs at most the one in hand. On an
 * error `done` counts those before it. Lock-free.
 */
enum zeroipc_result zeroipc_stack_try_push_n(zeroipc_stack* stack, void const* items, size_t count,
                                             size_t* done);
/** Takes up to `count` items, the top one first, likewise. OK: so many; EMPTY: it was empty behind the last one. */
enum zeroipc_result zeroipc_stack_try_pop_n(zeroipc_stack* stack, void* items, size_t count, size_t* done);

/** Items that it holds. */
uint64_t zeroipc_stack_capacity(zeroipc_stack const* stack);
/** The handle slot that this handle holds, from 0. */
uint32_t zeroipc_stack_handle_slot(zeroipc_stack const* stack);
/** Items in it at one moment during the call. Errors: forked, corrupt. Lock-free, O(1). */
enum zeroipc_result zeroipc_stack_was_size(zeroipc_stack* stack, uint64_t* size);

/**
 * Settles what kills left, and gives the spare nodes of all handle slots back; items stay. Only when nobody else is
 * attached to the segment and this process has no handles in it, else busy. May be killed, and run again.
 * @param reclaimed gets how many nodes; may be NULL.
 * Errors: busy, corrupt, and those of opening. O(handle slots^2).
 */
enum zeroipc_result zeroipc_stack_repair(zeroipc_memory* memory, char const* name, size_t item_bytes,
                                         uint64_t* reclaimed);

#ifdef __cplusplus
}
#endif
#endif
