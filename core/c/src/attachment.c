#include "attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What a forked child must let go of: every segment's descriptor (its copy would keep the parent's locks alive beyond the
 * parent's death), and every attachment (whose handles belong to the parent). */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct zeroipc_memory* all;
static pthread_once_t hooks = PTHREAD_ONCE_INIT;

static void lock_registry(void) { pthread_mutex_lock(&registry); }
static void unlock_registry(void) { pthread_mutex_unlock(&registry); }
static void in_child(void) {
    for (struct zeroipc_memory* one = all; one != NULL; one = one->next) {
        one->forked = true;
        if (one->fd >= 0) close(one->fd);
        one->fd = -1;
    }
    unlock_registry();
}
static void set_hooks(void) { pthread_atfork(lock_registry, unlock_registry, in_child); }

struct zeroipc_memory* zeroipc_attachment_new(char const* path) {
    pthread_once(&hooks, set_hooks);
    struct zeroipc_memory* const memory = calloc(1, sizeof *memory);
    if (memory == NULL) return NULL;
    memory->users = 1;
    memory->fd = -1;
    strcpy(memory->name, path);
    pthread_mutex_init(&memory->mutex, NULL);
    lock_registry();
    memory->next = all;
    if (all != NULL) all->previous = memory;
    all = memory;
    unlock_registry();
    return memory;
}

void zeroipc_memory_close(zeroipc_memory* memory) {
    if (memory == NULL || atomic_fetch_sub_explicit(&memory->users, 1, memory_order_acq_rel) != 1) return;
    lock_registry();
    if (memory->next != NULL) memory->next->previous = memory->previous;
    if (memory->previous != NULL)
        memory->previous->next = memory->next;
    else
        all = memory->next;
    if (memory->fd >= 0) close(memory->fd);
    unlock_registry();
    /* In a forked child the range may belong to somebody else by now. */
    if (memory->base != NULL && !memory->forked) munmap(memory->base, memory->bytes);
    free(memory->held);
    free(memory);
}

int zeroipc_attachment_open(struct zeroipc_memory* memory, int flags, uint32_t mode) {
    lock_registry();
    memory->fd = shm_open(memory->name, flags | O_CLOEXEC, (mode_t)mode);
    int const number = errno;
    unlock_registry();
    return memory->fd >= 0 ? 0 : number;
}

void zeroipc_attachment_close_fd(struct zeroipc_memory* memory) {
    lock_registry();
    if (memory->fd >= 0) close(memory->fd);
    memory->fd = -1;
    unlock_registry();
}

int zeroipc_attachment_map(struct zeroipc_memory* memory, uint64_t bytes) {
    lock_registry();
    memory->base = memory->forked ? NULL : zeroipc_map_object(memory->fd, bytes);
    int const number = errno;
    unlock_registry();
    memory->bytes = bytes;
    return memory->base != NULL ? 0 : number;
}

enum zeroipc_result zeroipc_forked(struct zeroipc_memory const* memory) {
    return zeroipc_fail(
        ZEROIPC_FORKED,
        "segment '%s' was opened before fork(), and its handles belong to the parent; open the "
        "segment and its structures anew in the child",
        memory->name);
}

int64_t zeroipc_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

enum zeroipc_result zeroipc_lock(struct zeroipc_memory const* memory, uint64_t byte, enum lock_mode mode,
                                 int64_t patience_ns) {
    int64_t const end = zeroipc_now() + patience_ns;
    struct timespec nap = {0, 20000};
    int got = 0;
    while ((got = zeroipc_try_lock(memory->fd, byte, mode)) == 0) {
        if (zeroipc_now() >= end)
            return zeroipc_fail(
                ZEROIPC_BUSY,
                "segment '%s': another process holds the lock on byte %llu since %lld ms; look for a "
                "stopped process that uses the segment (fuser), end it, try again",
                memory->name, (unsigned long long)byte, (long long)(patience_ns / NS_PER_MS));
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 2000000) nap.tv_nsec *= 2;
    }
    return got < 0 ? (enum zeroipc_result)got : ZEROIPC_OK;
}

/* One open file never conflicts with itself: what is held through it is remembered here. */
static bool holds(struct zeroipc_memory const* memory, uint64_t byte) {
    for (size_t i = 0; i < memory->held_count; ++i)
        if (memory->held[i] == byte) return true;
    return false;
}

static bool has_room(struct zeroipc_memory* memory) {
    if (memory->held_count < memory->held_room) return true;
    size_t const room = memory->held_room * 2 + 8;
    uint64_t* const more = realloc(memory->held, room * sizeof *more);
    if (more == NULL) return false;
    memory->held = more;
    memory->held_room = room;
    return true;
}

static int hold(struct zeroipc_memory* memory, uint64_t byte) {
    if (memory->alone)
        return zeroipc_fail(ZEROIPC_BUSY,
                            "segment '%s' is being repaired by one thread alone; open handles afterwards",
                            memory->name);
    if (holds(memory, byte)) return 0;
    if (!has_room(memory)) return zeroipc_fail(ZEROIPC_NO_MEMORY, "segment '%s': no memory", memory->name);
    int const got = zeroipc_try_lock(memory->fd, byte, LOCK_EXCLUSIVE);
    if (got == 1) memory->held[memory->held_count++] = byte;
    return got;
}

int zeroipc_try_hold(struct zeroipc_memory* memory, uint64_t byte) {
    if (memory->forked) return zeroipc_forked(memory);
    pthread_mutex_lock(&memory->mutex);
    int const got = hold(memory, byte);
    pthread_mutex_unlock(&memory->mutex);
    return got;
}

void zeroipc_let_go(struct zeroipc_memory* memory, uint64_t byte) {
    if (memory->forked) return;
    pthread_mutex_lock(&memory->mutex);
    for (size_t i = 0; i < memory->held_count; ++i)
        if (memory->held[i] == byte) memory->held[i--] = memory->held[--memory->held_count];
    zeroipc_unlock(memory->fd, byte);
    pthread_mutex_unlock(&memory->mutex);
}

enum zeroipc_result zeroipc_be_alone(struct zeroipc_memory* memory) {
    if (memory->forked) return zeroipc_forked(memory);
    pthread_mutex_lock(&memory->mutex);
    int got = memory->alone || memory->held_count > 0
                  ? 0
                  : zeroipc_try_lock(memory->fd, FORMAT_SEGMENT_LOCKS_ATTACHED, LOCK_EXCLUSIVE);
    if (got == 1) memory->alone = true;
    pthread_mutex_unlock(&memory->mutex);
    if (got == 0)
        return zeroipc_fail(
            ZEROIPC_BUSY,
            "a structure cannot be repaired while others use segment '%s', or this process has "
            "handles in it; close them, and end those processes (fuser /dev/shm%s lists them)",
            memory->name, memory->name);
    return got < 0 ? (enum zeroipc_result)got : ZEROIPC_OK;
}

void zeroipc_be_one_of_many(struct zeroipc_memory* memory) {
    if (memory->forked) return;
    pthread_mutex_lock(&memory->mutex);
    memory->alone = false;
    zeroipc_share_lock(memory->fd, FORMAT_SEGMENT_LOCKS_ATTACHED);
    pthread_mutex_unlock(&memory->mutex);
}

enum zeroipc_result zeroipc_errno(int number, char const* what, char const* path) {
    enum zeroipc_result const cause = number == EACCES || number == EPERM || number == EROFS
                                          ? ZEROIPC_NO_PERMISSION
                                      : number == ENOENT ? ZEROIPC_NOT_FOUND
                                      : number == EEXIST ? ZEROIPC_EXISTS
                                      : number == ENOSPC ? ZEROIPC_NO_SPACE
                                      : number == ENOMEM ? ZEROIPC_NO_MEMORY
                                                         : ZEROIPC_SYSTEM;
    char text[100] = "";
    if (strerror_r(number, text, sizeof text) != 0) text[0] = '\0';
    return zeroipc_fail(cause, "cannot %s segment '%s': errno %d, %s", what, path, number, text);
}
