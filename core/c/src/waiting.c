#include "waiting.h"

#include "attachment.h"

/* Clearing the bit makes it right again after a sleeper's death; counting keeps a late sleeper awake. Bounded, so that
 * no hostile peer holds us here: whoever sleeps looks again by himself. */
void zeroipc_wake(half* at, uint32_t seen) {
    for (int round = 0; round < 1000 && (seen & SOMEBODY_SLEEPS) != 0; ++round) {
        /* (W4) acq_rel. Partner: (W2). */
        if (half_cas(at, &seen, (seen + FORMAT_QUEUE_FUTEX_WORD_WAKE_STEP) & ~SOMEBODY_SLEEPS)) {
            zeroipc_futex_wake_all(at);
            return;
        }
    }
}

enum zeroipc_result zeroipc_wait(half* at, enum zeroipc_result (*attempt)(void* context), void* context,
                                 enum zeroipc_result negative, int64_t timeout_ns) {
    enum zeroipc_result result = attempt(context);
    if (result != negative) return result;
    /* What the clock cannot hold is for ever. */
    int64_t const begin = timeout_ns < 0 ? 0 : zeroipc_now();
    int64_t const end = timeout_ns < 0 || timeout_ns > INT64_MAX - begin ? INT64_MAX : begin + timeout_ns;
    for (int spin = 0; spin < 200; ++spin) {
        cpu_relax();
        if ((result = attempt(context)) != negative) return result;
    }
    int64_t const longest = FORMAT_QUEUE_FUTEX_WORD_LONGEST_SLEEP_MS * NS_PER_MS;
    for (;;) {
        /* (W1) seq_cst read-modify-write, then a fence: the bit stands before the attempt. Partner: (W3). Either the
         * sleeper sees the commit, or the committer sees the bit. */
        uint32_t const seen = atomic_fetch_or(at, SOMEBODY_SLEEPS) | SOMEBODY_SLEEPS;
        fence_after_rmw();
        if ((result = attempt(context)) != negative) return result;
        int64_t const left = end == INT64_MAX ? longest : end - zeroipc_now();
        if (left <= 0) return ZEROIPC_TIMEOUT;
        /* (W2) The kernel compares the word with `seen` before it sleeps. Partner: (W4). At most 50 ms: a process
         * killed between (W4) and its system call harms nobody for longer. */
        zeroipc_futex_wait(at, seen, left < longest ? left : longest);
    }
}
