/*
 * A 32-bit futex word in shared memory: bit 0 says that somebody may sleep on it, the rest counts wake-ups. How the
 * orders work together: format/queue.md, "Waiting".
 */
#pragma once

#include "platform.h"
#include "zeroipc/result.h"

#define SOMEBODY_SLEEPS 1U
_Static_assert(FORMAT_QUEUE_FUTEX_WORD_SLEEPING_BITS == 1 && FORMAT_QUEUE_FUTEX_WORD_WAKE_STEP == 2,
               "a futex word: see format/queue.md");

/* Makes attempts until one answers something else than `negative`. A time-out below 0 never ends. */
enum zeroipc_result zeroipc_wait(half* at, enum zeroipc_result (*attempt)(void* context), void* context,
                                 enum zeroipc_result negative, int64_t timeout_ns);

void zeroipc_wake(half* at, uint32_t seen);

/* For who has just committed by a compare-and-swap. Without a sleeper it is one load. */
static inline void notify(half* at) {
    /* (W3) commit, fence, load. Partner: (W1). */
    fence_after_rmw();
    uint32_t const seen = half_load_relaxed(at);
    if (unlikely((seen & SOMEBODY_SLEEPS) != 0)) zeroipc_wake(at, seen);
}
