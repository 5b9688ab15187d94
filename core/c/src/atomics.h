/*
 * Every shared access of the library. Words and half words are bare 64-bit and 32-bit values, accessed by the
 * processor's own instructions. The numbers in the callers' comments, such as (Q1), are those of core/format.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "zeroipc_format.h"

typedef _Atomic uint64_t word;
typedef _Atomic uint32_t half;
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2 && sizeof(word) == 8,
               "shared words are bare 64-bit values: see format/README.md");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && sizeof(half) == 4,
               "half words are bare 32-bit values: see format/README.md");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the format is little-endian: see format/README.md");

/* Rounds after which a retry loop gives up: more than losing every race to honest peers takes. A test build has fewer. */
#ifndef ZEROIPC_PATIENCE
#define ZEROIPC_PATIENCE FORMAT_QUEUE_EXCHANGE_PATIENCE_ROUNDS
#endif
_Static_assert(FORMAT_QUEUE_EXCHANGE_PATIENCE_ROUNDS == FORMAT_STACK_TREIBER_PATIENCE_ROUNDS &&
                   FORMAT_STACK_TREIBER_PATIENCE_ROUNDS == FORMAT_MAP_BUCKETS_PATIENCE_ROUNDS,
               "one patience serves all structures");

#if defined(__SANITIZE_THREAD__)
#define ZEROIPC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROIPC_TSAN 1
#endif
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

static inline uint64_t align_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

static inline word* word_at(uint8_t* base, uint64_t offset) { return (word*)(void*)(base + offset); }
static inline half* half_at(uint8_t* base, uint64_t offset) { return (half*)(void*)(base + offset); }

static inline uint64_t load_relaxed(word* at) { return atomic_load_explicit(at, memory_order_relaxed); }
static inline uint64_t load_acquire(word* at) { return atomic_load_explicit(at, memory_order_acquire); }
static inline void store_relaxed(word* at, uint64_t value) {
    atomic_store_explicit(at, value, memory_order_relaxed);
}
static inline void store_release(word* at, uint64_t value) {
    atomic_store_explicit(at, value, memory_order_release);
}
/* Strong compare-and-swap, acq_rel; failing: acquire, and *expected is what was there. */
static inline bool cas(word* at, uint64_t* expected, uint64_t desired) {
    return atomic_compare_exchange_strong_explicit(at, expected, desired, memory_order_acq_rel,
                                                   memory_order_acquire);
}

static inline uint32_t half_load_relaxed(half* at) { return atomic_load_explicit(at, memory_order_relaxed); }
static inline uint32_t half_load_acquire(half* at) { return atomic_load_explicit(at, memory_order_acquire); }
static inline void half_store_release(half* at, uint32_t value) {
    atomic_store_explicit(at, value, memory_order_release);
}
static inline bool half_cas(half* at, uint32_t* expected, uint32_t desired) {
    return atomic_compare_exchange_strong_explicit(at, expected, desired, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#ifdef ZEROIPC_TSAN
extern _Atomic unsigned zeroipc_tsan_everyone;
#endif
/* A thread fence. ThreadSanitizer knows none: there it is a read-modify-write of one word, which orders as much. */
static inline void fence(memory_order order) {
#ifdef ZEROIPC_TSAN
    (void)order;
    atomic_fetch_add(&zeroipc_tsan_everyone, 1);
#else
    atomic_thread_fence(order);
#endif
}

/* A seq_cst fence directly behind a successful compare-and-swap of this thread: on x86 that is one already. */
static inline void fence_after_rmw(void) {
#if (defined(__x86_64__) || defined(__i386__)) && !defined(ZEROIPC_TSAN)
    atomic_signal_fence(memory_order_seq_cst);
#else
    fence(memory_order_seq_cst);
#endif
}

/* Program order towards whoever examines our stores after our death: the kernel orders everything that a process executed
 * before its end is seen, so only the compiler must keep the order. */
static inline void order_for_undertaker(void) { atomic_signal_fence(memory_order_seq_cst); }

/* Payload, in memory that the caller owns alone. */
static inline void copy_item(void* restrict to, void const* restrict from, uint64_t bytes) {
    if (likely(bytes == 8))
        memcpy(to, from, 8);
    else
        memcpy(to, from, bytes);
}

/* Payload that somebody may be reading, into whole shared words; the last one is filled up with zeros. */
static inline void write_words(word* to, void const* item, uint64_t bytes) {
    uint8_t const* from = item;
    uint64_t value = 0;
    for (; bytes >= 8; bytes -= 8, from += 8) {
        memcpy(&value, from, 8);
        store_relaxed(to++, value);
    }
    if (bytes == 0) return;
    value = 0;
    memcpy(&value, from, bytes);
    store_relaxed(to, value);
}
/* The same back, while somebody may be writing: whoever reads so looks afterwards whether that was so. */
static inline void read_words(void* item, word* from, uint64_t bytes) {
    uint8_t* to = item;
    uint64_t value = 0;
    for (; bytes >= 8; bytes -= 8, to += 8) {
        value = load_relaxed(from++);
        memcpy(to, &value, 8);
    }
    if (bytes == 0) return;
    value = load_relaxed(from);
    memcpy(to, &value, bytes);
}

static inline void prefetch(void const* address) { __builtin_prefetch(address, 0, 3); }
/* Fetches a line that is about to be written, for this processor alone. */
static inline void prefetch_to_write(void const* address) {
#if defined(__x86_64__)
    /* The compiler's own hint fetches a shared copy unless it may assume a newer processor. */
    __asm__ volatile("prefetchw %0" ::"m"(*(char const*)address));
#else
    __builtin_prefetch(address, 1, 3);
#endif
}

static inline void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* After a lost race: truncated binary exponential backoff, 1 to 64 pauses (Anderson, 1990). Start with 1. */
static inline void back_off(uint32_t* pauses) {
    for (uint32_t i = 0; i < *pauses; ++i) cpu_relax();
    if (*pauses < 64) *pauses *= 2;
}

/* The least b with 2^b > x. */
static inline unsigned bits_of(uint64_t x) { return x == 0 ? 0U : 64U - (unsigned)__builtin_clzll(x); }
