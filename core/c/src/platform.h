/* What the library asks of Linux beyond POSIX; the only file that knows it is platform_linux.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "atomics.h"
#include "zeroipc/result.h"

enum lock_mode { LOCK_SHARED, LOCK_EXCLUSIVE };

/* Locks on one byte of an open file: dropped by the kernel when its last descriptor closes. 1: got it; 0: somebody else
 * has a conflicting one; negative: an error. */
int zeroipc_try_lock(int fd, uint64_t byte, enum lock_mode mode);
void zeroipc_unlock(int fd, uint64_t byte);
/* An exclusive lock of ours becomes a shared one. */
void zeroipc_share_lock(int fd, uint64_t byte);

/* Sleeps until woken, unless *at is not `seen` any more, or for `ns` nanoseconds. May wake for no reason. */
void zeroipc_futex_wait(half* at, uint32_t seen, int64_t ns);
void zeroipc_futex_wake_all(half* at);

/* Whether the object's file system has so much left, before anything is taken; zeroipc_reserve has the last word. 0, or
 * an errno. */
int zeroipc_room_for(int fd, uint64_t bytes);
/* Allocates the object's pages, without a change of its length. 0, or an errno. */
int zeroipc_reserve(int fd, uint64_t bytes);
/* Whether the kernel fills page tables on request: then what an access would be ended for by SIGBUS is an errno. */
bool zeroipc_can_populate(void);
/* Fills this mapping's page tables, and allocates what is not there; bytes keep their values, whoever else uses them.
 * 0, or an errno: EFAULT stands for the SIGBUS of a plain access. */
int zeroipc_populate(void* base, uint64_t bytes);
/* Only a wish. */
void zeroipc_ask_for_huge_pages(void* base, uint64_t bytes);
/* Bytes of the mapping that this process reaches by huge pages; 0 too where the kernel does not say. */
uint64_t zeroipc_huge_pages_of(void const* base, uint64_t bytes);
/* Maps it shared, out of reach of forked children. NULL: errno says why. */
void* zeroipc_map_object(int fd, uint64_t bytes);
/* A number that nobody can foresee, if the system has one at hand. */
uint64_t zeroipc_random(void);
