/* One mapping of one segment: descriptor, memory, the locks held through it, and what a fork does to it. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "result.h"
#include "zeroipc/memory.h"

#define NS_PER_MS INT64_C(1000000)

/* Memories and handles share it; the last one who lets go unmaps. */
struct zeroipc_memory {
    struct zeroipc_memory* previous; /* all of this process, under the registry's mutex */
    struct zeroipc_memory* next;
    _Atomic uint32_t users;
    int fd; /* -1 while there is none */
    uint8_t* base;
    uint64_t bytes;
    uint32_t max_entries;
    bool forked;           /* in a child that inherited it: memory and locks are the parent's alone */
    bool alone;            /* under mutex: byte 1 is locked exclusively */
    pthread_mutex_t mutex; /* what the kernel's locks cannot tell apart: threads of this process */
    uint64_t* held;        /* under mutex: bytes of handle slots locked through it */
    size_t held_count;
    size_t held_room;
    char name[256]; /* with its slash */
};

/* A new one with that name, without a descriptor; NULL: no memory. */
struct zeroipc_memory* zeroipc_attachment_new(char const* path);
/* Opens the object under the registry's mutex, so that no fork falls in between. 0, or an errno. */
int zeroipc_attachment_open(struct zeroipc_memory* memory, int flags, uint32_t mode);
void zeroipc_attachment_close_fd(struct zeroipc_memory* memory);
/* Maps the object. 0, or an errno. */
int zeroipc_attachment_map(struct zeroipc_memory* memory, uint64_t bytes);

static inline void zeroipc_attachment_share(struct zeroipc_memory* memory) {
    atomic_fetch_add_explicit(&memory->users, 1, memory_order_relaxed);
}

enum zeroipc_result zeroipc_forked(struct zeroipc_memory const* memory);
static inline enum zeroipc_result refuse_forked(struct zeroipc_memory const* memory) {
    return unlikely(memory->forked) ? zeroipc_forked(memory) : ZEROIPC_OK;
}

/* Nanoseconds of a clock that only goes forward. */
int64_t zeroipc_now(void);
/* zeroipc_try_lock for up to so long, with growing pauses. A holder that dies lets go at once, a stopped one does not. */
enum zeroipc_result zeroipc_lock(struct zeroipc_memory const* memory, uint64_t byte, enum lock_mode mode,
                                 int64_t patience_ns);

/* The exclusive lock of a handle slot. 1: got it; 0: a living handle has it, in whatever process; negative: an error. */
int zeroipc_try_hold(struct zeroipc_memory* memory, uint64_t byte);
void zeroipc_let_go(struct zeroipc_memory* memory, uint64_t byte);

/* Makes this the only attachment, if it is: the shared lock on byte 1 becomes exclusive. Else busy. */
enum zeroipc_result zeroipc_be_alone(struct zeroipc_memory* memory);
void zeroipc_be_one_of_many(struct zeroipc_memory* memory);

/* An error of the operating system, by errno, as one of our causes. */
enum zeroipc_result zeroipc_errno(int number, char const* what, char const* path);
