/** A fixed number of elements of one size in shared memory, with atomic operations on them. */
#ifndef ZEROIPC_ARRAY_H
#define ZEROIPC_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * May be used by several threads. Elements are plain bytes, element_bytes of them. A process may be killed at any
 * instruction: an atomic operation has then happened or not, and a plain write of several bytes may be half done.
 *
 * The atomic operations are for elements of 1, 2, 4 or 8 bytes (else invalid_argument), check the index
 * (out_of_range), and fail with forked in a forked child. `value` and the like point at element_bytes bytes, of any
 * alignment. Numbers are unsigned and wrap. Loads acquire, stores release, all others do both: an edge carries whatever
 * its process wrote before. O(1).
 *
 * Source: core/format/array.md.
 */
typedef struct zeroipc_array zeroipc_array;

/**
 * Makes the array `name`, of zero bytes, and opens it.
 * @param capacity       elements, 1 or more; 8 + capacity * element_bytes stays below 4 GiB.
 * Errors: exists, invalid_capacity, invalid_argument, too_large, invalid_name, segment_full, table_full, busy, forked,
 * no_memory. O(entries): memory that the segment has zeroed is not touched.
 */
enum zeroipc_result zeroipc_array_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t element_bytes, zeroipc_array** array);
/** Opens it. Errors: not_found, wrong_item_size, corrupt (which another structure gives, too), forked, no_memory. */
enum zeroipc_result zeroipc_array_open(zeroipc_memory* memory, char const* name, size_t element_bytes,
                                       zeroipc_array** array);
/** Closes it; the elements stay. NULL does nothing. */
void zeroipc_array_close(zeroipc_array* array);
/** Bytes that such an array takes from its segment. Errors: invalid_capacity, invalid_argument, too_large. */
enum zeroipc_result zeroipc_array_bytes_for(uint64_t capacity, size_t element_bytes, uint64_t* bytes);

/** Elements in it. */
uint64_t zeroipc_array_capacity(zeroipc_array const* array);
/** Where the elements are: plain memory, unchecked and unordered; element i begins i * element_bytes behind, aligned to
 * 8 at most. Nobody may write one so while another accesses it. Errors: forked. */
enum zeroipc_result zeroipc_array_data(zeroipc_array* array, void** data);
/** Where element i is, likewise. Errors: out_of_range, forked. */
enum zeroipc_result zeroipc_array_at(zeroipc_array* array, uint64_t i, void** element);
/** Writes `value` into every element, plainly: nobody may use them meanwhile. Errors: forked. O(capacity). */
enum zeroipc_result zeroipc_array_fill(zeroipc_array* array, void const* value);

/** The element's value. (A1) Wait-free. */
enum zeroipc_result zeroipc_array_load(zeroipc_array* array, uint64_t i, void* value);
/** Replaces it. (A2) Wait-free. */
enum zeroipc_result zeroipc_array_store(zeroipc_array* array, uint64_t i, void const* value);
/** Replaces it; `before` gets what it was. (A3) Wait-free where the processor has the instruction, else lock-free, as all
 * below. */
enum zeroipc_result zeroipc_array_exchange(zeroipc_array* array, uint64_t i, void const* value, void* before);
/** OK: it had the bytes of `expected`, and is `desired` now. DIFFERENT: `expected` is what it was. (A4) */
enum zeroipc_result zeroipc_array_compare_exchange(zeroipc_array* array, uint64_t i, void* expected,
                                                   void const* desired);
/** Each changes it and gives what it was to `before`, which may be NULL. (A3) */
enum zeroipc_result zeroipc_array_fetch_add(zeroipc_array* array, uint64_t i, void const* value,
                                            void* before);
enum zeroipc_result zeroipc_array_fetch_sub(zeroipc_array* array, uint64_t i, void const* value,
                                            void* before);
enum zeroipc_result zeroipc_array_fetch_and(zeroipc_array* array, uint64_t i, void const* value,
                                            void* before);
enum zeroipc_result zeroipc_array_fetch_or(zeroipc_array* array, uint64_t i, void const* value, void* before);
enum zeroipc_result zeroipc_array_fetch_xor(zeroipc_array* array, uint64_t i, void const* value,
                                            void* before);

#ifdef __cplusplus
}
#endif
#endif
