/** A hash map between processes. */
#ifndef ZEROIPC_MAP_H
#define ZEROIPC_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A handle: one thread at a time uses it; each thread, and each process, opens its own. Every operation but the waiting
 * one is lock-free; finding writes nothing shared; absent and present are linearizable; values of any size change as a
 * whole. A process may be killed at any instruction: nobody waits for it, and its operation took place or did not.
 *
 * Keys are key_bytes plain bytes, and are equal if these are: no padding, no floating point; text is filled up with
 * zeros. Values are value_bytes. Commit: (M2).
 *
 * A map of capacity N takes N keys, after any churn; FULL says that no room was to be had for this key, and may come a
 * little later than at N.
 *
 * Source: one header word a bucket, validated reads, ZeroIPC 2026 (core/format/map.md). All operations on an open handle
 * may return corrupt (a peer wrote what no honest one does) and forked.
 */
typedef struct zeroipc_map zeroipc_map;

/** How a map is made. Zeros stand for the defaults. */
struct zeroipc_map_options {
    uint32_t
        handle_slots; /**< handles that may be open at once, in all processes together: 1 to 1000; 0: 64 */
    int has_seed;     /**< 0: the seed of the hash is random, which keeps chosen keys from meeting */
    uint64_t seed;    /**< else it is this */
};

/**
 * Makes the map `name` in the segment, and opens it.
 * @param capacity  keys that it takes, 1 to 2^28; @param key_bytes, value_bytes 1 or more; all stays below 4 GiB.
 * @param options   NULL: the defaults.
 * @param map       gets the handle; close it.
 * Errors: exists, invalid_capacity, invalid_argument, invalid_name, too_large, segment_full, table_full, busy, corrupt,
 * forked, no_memory; no_handle_slot if others were quicker to open it (then it is there).
 */
enum zeroipc_result zeroipc_map_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                       size_t key_bytes, size_t value_bytes,
                                       struct zeroipc_map_options const* options, zeroipc_map** map);
/**
 * Opens the map `name`, and recovers what a dead handle left where it takes that one's slot.
 * Errors: not_found, wrong_kind, wrong_item_size, corrupt, no_handle_slot, busy, forked, no_memory. O(entries + handle
 * slots); O(handle slots^2) behind some kills.
 */
enum zeroipc_result zeroipc_map_open(zeroipc_memory* memory, char const* name, size_t key_bytes,
                                     size_t value_bytes, zeroipc_map** map);
/** Closes the handle; the map and its keys stay. NULL does nothing. */
void zeroipc_map_close(zeroipc_map* map);
/** Bytes that such a map takes from its segment. Errors: invalid_capacity, invalid_argument, too_large. */
enum zeroipc_result zeroipc_map_bytes_for(uint64_t capacity, size_t key_bytes, size_t value_bytes,
                                          uint32_t handle_slots, uint64_t* bytes);

/** Copies the value of a key; `value` may be NULL, to ask only whether it is there. OK, or ABSENT: it was absent at one
 * moment; then `value` is as before. Lock-free, O(1); writes nothing shared. */
enum zeroipc_result zeroipc_map_find(zeroipc_map* map, void const* key, void* value);
/** The same, waiting until the key is there. OK or TIMEOUT. @param timeout_ns nanoseconds, or ZEROIPC_FOREVER. Blocking. */
enum zeroipc_result zeroipc_map_wait(zeroipc_map* map, void const* key, void* value, int64_t timeout_ns);

/** Adds a key that is absent. OK, PRESENT or FULL. Lock-free, O(1). */
enum zeroipc_result zeroipc_map_insert(zeroipc_map* map, void const* key, void const* value);
/** Gives a key a value, whether it is there or not. OK: it is new; ASSIGNED: it was there; FULL. Lock-free, O(1). */
enum zeroipc_result zeroipc_map_insert_or_assign(zeroipc_map* map, void const* key, void const* value);
/** Gives a key the value `desired` if its value has the bytes of `expected`. OK; DIFFERENT: `expected` is what it has;
 * ABSENT; FULL. Lock-free, O(1). */
enum zeroipc_result zeroipc_map_compare_exchange(zeroipc_map* map, void const* key, void* expected,
                                                 void const* desired);
/** Replaces the value of a key by what change(context, value) makes of it in place, as one atomic step. It may be called
 * several times, and must not use this handle. OK, ABSENT or FULL. Lock-free, O(1). */
enum zeroipc_result zeroipc_map_update(zeroipc_map* map, void const* key,
                                       void (*change)(void* context, void* value), void* context);
/** Removes a key. OK, or ABSENT. Lock-free, O(1). */
enum zeroipc_result zeroipc_map_erase(zeroipc_map* map, void const* key);

/** Calls visit(context, key, value) for every key, until it returns other than 0: weakly consistent. A key that is there
 * all the time is visited once; one that comes or goes meanwhile perhaps. `visit` may use this handle, but for another
 * zeroipc_map_for_each. O(capacity). */
enum zeroipc_result zeroipc_map_for_each(zeroipc_map* map,
                                         int (*visit)(void* context, void const* key, void const* value),
                                         void* context);

/** Keys that it was made for. */
uint64_t zeroipc_map_capacity(zeroipc_map const* map);
/** The handle slot that this handle holds, from 0. */
uint32_t zeroipc_map_handle_slot(zeroipc_map const* map);
/** Keys in it: each bucket's at one moment. Errors: forked. Wait-free, O(capacity). */
enum zeroipc_result zeroipc_map_was_size(zeroipc_map* map, uint64_t* size);

/**
 * Makes good what recovery had to leave undecided. Only when nobody else is attached to the segment and this process has
 * no handles in it, else busy. May be killed, and run again.
 * @param reclaimed gets how many slots and blocks had lost their owner; may be NULL.
 * Errors: busy, corrupt, no_memory, and those of opening. O(capacity).
 */
enum zeroipc_result zeroipc_map_repair(zeroipc_memory* memory, char const* name, size_t key_bytes,
                                       size_t value_bytes, uint64_t* reclaimed);

#ifdef __cplusplus
}
#endif
#endif
