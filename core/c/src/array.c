/* Array. Bytes and numbers of accesses: format/array.md. */
#include "zeroipc/array.h"

#include <stdlib.h>
#include <string.h>

#include "attachment.h"

struct zeroipc_array {
    uint8_t* elements;
    uint64_t capacity;
    uint64_t size; /* of an element, in bytes */
    struct zeroipc_memory* memory;
};

_Static_assert(ATOMIC_CHAR_LOCK_FREE == 2 && ATOMIC_SHORT_LOCK_FREE == 2 && sizeof(_Atomic uint8_t) == 1 &&
                   sizeof(_Atomic uint16_t) == 2,
               "elements of 1 and 2 bytes are accessed as they are");

static enum zeroipc_result measure(uint64_t capacity, size_t element_bytes, uint64_t* total) {
    uint64_t const limit = FORMAT_ARRAY_LIMITS_BYTES_BELOW;
    if (capacity < FORMAT_ARRAY_LIMITS_CAPACITY_LEAST)
        return zeroipc_fail(ZEROIPC_INVALID_CAPACITY, "array: capacity 0; use 1 or more elements");
    if (element_bytes == 0)
        return zeroipc_fail(ZEROIPC_INVALID_ARGUMENT, "array: elements of 0 bytes; use 1 or more");
    if (capacity >= limit || element_bytes >= limit ||
        FORMAT_ARRAY_ELEMENTS_OFFSET + capacity * element_bytes >= limit)
        return zeroipc_fail(
            ZEROIPC_TOO_LARGE,
            "array: %llu elements of %zu bytes do not fit below 4 GiB; use a smaller capacity",
            (unsigned long long)capacity, element_bytes);
    *total = FORMAT_ARRAY_ELEMENTS_OFFSET + capacity * element_bytes;
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_array_bytes_for(uint64_t capacity, size_t element_bytes, uint64_t* bytes) {
    return measure(capacity, element_bytes, bytes);
}

static enum zeroipc_result adopt(zeroipc_memory* memory, struct zeroipc_entry const* entry, uint64_t capacity,
                                 size_t element_bytes, zeroipc_array** array) {
    zeroipc_array* const a = malloc(sizeof *a);
    if (a == NULL) return zeroipc_fail(ZEROIPC_NO_MEMORY, "array '%s': no memory for a handle", entry->name);
    *a = (zeroipc_array){memory->base + entry->offset + FORMAT_ARRAY_ELEMENTS_OFFSET, capacity, element_bytes,
                         memory};
    zeroipc_attachment_share(memory);
    *array = a;
    return ZEROIPC_OK;
}

static void initialise(void* context, void* address) {
    memcpy((uint8_t*)address + FORMAT_ARRAY_HEADER_CAPACITY_OFFSET, context,
           FORMAT_ARRAY_HEADER_CAPACITY_BYTES);
}

enum zeroipc_result zeroipc_array_create(zeroipc_memory* memory, char const* name, uint64_t capacity,
                                         size_t element_bytes, zeroipc_array** array) {
    struct zeroipc_entry entry;
    uint64_t total = 0;
    enum zeroipc_result result = refuse_forked(memory);
    if (result == ZEROIPC_OK) result = measure(capacity, element_bytes, &total);
    if (result == ZEROIPC_OK) result = zeroipc_memory_add(memory, name, total, initialise, &capacity, &entry);
    return result == ZEROIPC_OK ? adopt(memory, &entry, capacity, element_bytes, array) : result;
}

enum zeroipc_result zeroipc_array_open(zeroipc_memory* memory, char const* name, size_t element_bytes,
                                       zeroipc_array** array) {
    struct zeroipc_entry entry;
    enum zeroipc_result const result = zeroipc_memory_find(memory, name, &entry);
    if (result != ZEROIPC_OK) return result;
    uint64_t capacity = 0;
    if (entry.size > FORMAT_ARRAY_HEADER_BYTES)
        memcpy(&capacity, memory->base + entry.offset + FORMAT_ARRAY_HEADER_CAPACITY_OFFSET, sizeof capacity);
    uint64_t const body = capacity == 0 ? 0 : entry.size - FORMAT_ARRAY_HEADER_BYTES;
    if (capacity == 0 || body % capacity != 0)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "array '%s' says capacity %llu, which its %u bytes do not give; it is no array, or it was "
            "overwritten",
            name, (unsigned long long)capacity, entry.size);
    if (body / capacity != element_bytes)
        return zeroipc_fail(ZEROIPC_WRONG_ITEM_SIZE,
                            "array '%s' has elements of size %llu, not %zu; open it as what it was made for",
                            name, (unsigned long long)(body / capacity), element_bytes);
    return adopt(memory, &entry, capacity, element_bytes, array);
}

void zeroipc_array_close(zeroipc_array* a) {
    if (a == NULL) return;
    zeroipc_memory_close(a->memory);
    free(a);
}

uint64_t zeroipc_array_capacity(zeroipc_array const* a) { return a->capacity; }

enum zeroipc_result zeroipc_array_data(zeroipc_array* a, void** data) {
    enum zeroipc_result const result = refuse_forked(a->memory);
    if (result == ZEROIPC_OK) *data = a->elements;
    return result;
}

static enum zeroipc_result check_index(zeroipc_array const* a, uint64_t i) {
    enum zeroipc_result const result = refuse_forked(a->memory);
    if (result != ZEROIPC_OK || likely(i < a->capacity)) return result;
    return zeroipc_fail(ZEROIPC_OUT_OF_RANGE, "array: index %llu of capacity %llu; use 0 to %llu",
                        (unsigned long long)i, (unsigned long long)a->capacity,
                        (unsigned long long)(a->capacity - 1));
}

enum zeroipc_result zeroipc_array_at(zeroipc_array* a, uint64_t i, void** element) {
    enum zeroipc_result const result = check_index(a, i);
    if (result == ZEROIPC_OK) *element = a->elements + a->size * i;
    return result;
}

enum zeroipc_result zeroipc_array_fill(zeroipc_array* a, void const* value) {
    enum zeroipc_result const result = refuse_forked(a->memory);
    if (result != ZEROIPC_OK) return result;
    for (uint64_t i = 0; i < a->capacity; ++i) memcpy(a->elements + a->size * i, value, a->size);
    return ZEROIPC_OK;
}

static enum zeroipc_result no_atomic_size(zeroipc_array const* a) {
    return zeroipc_fail(
        ZEROIPC_INVALID_ARGUMENT,
        "array: elements of %llu bytes have no atomic operations; use elements of 1, 2, 4 or 8 bytes",
        (unsigned long long)a->size);
}

/* An operation on element i, for each size that the processor accesses as a whole. `ACTION` sees `at`, a pointer to the
 * atomic element, and the type V of its value. */
#define WITH_SIZE(V, ACTION)                                                    \
    case sizeof(V): {                                                           \
        _Atomic V* const at = (_Atomic V*)(void*)(a->elements + sizeof(V) * i); \
        ACTION(V)                                                               \
    } break;
#define ON_ELEMENT(ACTION)                             \
    enum zeroipc_result result = check_index(a, i);    \
    if (unlikely(result != ZEROIPC_OK)) return result; \
    switch (a->size) {                                 \
        WITH_SIZE(uint8_t, ACTION)                     \
        WITH_SIZE(uint16_t, ACTION)                    \
        WITH_SIZE(uint32_t, ACTION)                    \
        WITH_SIZE(uint64_t, ACTION)                    \
        default:                                       \
            return no_atomic_size(a);                  \
    }                                                  \
    return result;

/* (A1) acquire. Partners: (A2), (A3), (A4). */
#define LOAD(V)                                                  \
    V const is = atomic_load_explicit(at, memory_order_acquire); \
    memcpy(value, &is, sizeof is);
enum zeroipc_result zeroipc_array_load(zeroipc_array* a, uint64_t i, void* value) { ON_ELEMENT(LOAD) }

/* (A2) release. Partners: (A1), (A3), (A4). */
#define STORE(V)                           \
    V wanted;                              \
    memcpy(&wanted, value, sizeof wanted); \
    atomic_store_explicit(at, wanted, memory_order_release);
enum zeroipc_result zeroipc_array_store(zeroipc_array* a, uint64_t i, void const* value) { ON_ELEMENT(STORE) }

/* (A4) acq_rel; failing: acquire. Partners: (A1), (A2), (A3), (A4). */
#define COMPARE_EXCHANGE(V)                                                              \
    V old;                                                                               \
    V wanted;                                                                            \
    memcpy(&old, expected, sizeof old);                                                  \
    memcpy(&wanted, desired, sizeof wanted);                                             \
    if (!atomic_compare_exchange_strong_explicit(at, &old, wanted, memory_order_acq_rel, \
                                                 memory_order_acquire)) {                \
        memcpy(expected, &old, sizeof old);                                              \
        result = ZEROIPC_DIFFERENT;                                                      \
    }
enum zeroipc_result zeroipc_array_compare_exchange(zeroipc_array* a, uint64_t i, void* expected,
                                                   void const* desired) {
    ON_ELEMENT(COMPARE_EXCHANGE)
}

/* (A3) acq_rel. Partners: (A1), (A2), (A3), (A4). */
#define MODIFY(V, OPERATION)                               \
    V by;                                                  \
    memcpy(&by, value, sizeof by);                         \
    V const was = OPERATION(at, by, memory_order_acq_rel); \
    if (before != NULL) memcpy(before, &was, sizeof was);
#define EXCHANGE(V) MODIFY(V, atomic_exchange_explicit)
#define FETCH_ADD(V) MODIFY(V, atomic_fetch_add_explicit)
#define FETCH_SUB(V) MODIFY(V, atomic_fetch_sub_explicit)
#define FETCH_AND(V) MODIFY(V, atomic_fetch_and_explicit)
#define FETCH_OR(V) MODIFY(V, atomic_fetch_or_explicit)
#define FETCH_XOR(V) MODIFY(V, atomic_fetch_xor_explicit)
enum zeroipc_result zeroipc_array_exchange(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(EXCHANGE)
}
enum zeroipc_result zeroipc_array_fetch_add(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(FETCH_ADD)
}
enum zeroipc_result zeroipc_array_fetch_sub(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(FETCH_SUB)
}
enum zeroipc_result zeroipc_array_fetch_and(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(FETCH_AND)
}
enum zeroipc_result zeroipc_array_fetch_or(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(FETCH_OR)
}
enum zeroipc_result zeroipc_array_fetch_xor(zeroipc_array* a, uint64_t i, void const* value, void* before) {
    ON_ELEMENT(FETCH_XOR)
}
