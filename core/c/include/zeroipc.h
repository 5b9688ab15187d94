/**
 * ZeroIPC in C: data structures in POSIX shared memory, for processes. C11; link with -lzeroipc -lrt -pthread.
 *
 * The same bytes as the C++ library's (core/format), so processes in either language share one segment. Only the
 * default algorithm of each structure, in its compact layout, is spoken here; another one is refused (wrong_kind).
 *
 * Every call that can fail returns an enum zeroipc_result. A pointer to a handle, or to a memory, is used by nobody else
 * while it is closed; an argument that must not be NULL and is NULL is undefined, as in the C library.
 */
#ifndef ZEROIPC_H
#define ZEROIPC_H

#include "zeroipc/array.h"
#include "zeroipc/map.h"
#include "zeroipc/memory.h"
#include "zeroipc/queue.h"
#include "zeroipc/result.h"
#include "zeroipc/stack.h"

#endif
