#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "result.h"

#ifdef ZEROIPC_TSAN
_Atomic unsigned zeroipc_tsan_everyone;
#endif

static int set_lock(int fd, uint64_t byte, short type) {
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    int done = 0;
    do done = fcntl(fd, F_OFD_SETLK, &range);
    while (done != 0 && errno == EINTR);
    return done;
}

int zeroipc_try_lock(int fd, uint64_t byte, enum lock_mode mode) {
    if (set_lock(fd, byte, mode == LOCK_SHARED ? F_RDLCK : F_WRLCK) == 0) return 1;
    if (errno == EAGAIN || errno == EACCES) return 0;
    return zeroipc_fail(ZEROIPC_SYSTEM, "cannot lock byte %llu of the segment: errno %d",
                        (unsigned long long)byte, errno);
}

void zeroipc_unlock(int fd, uint64_t byte) { set_lock(fd, byte, F_UNLCK); }

void zeroipc_share_lock(int fd, uint64_t byte) { set_lock(fd, byte, F_RDLCK); }

/* Not FUTEX_PRIVATE: the sleepers are in other processes. */
void zeroipc_futex_wait(half* at, uint32_t seen, int64_t ns) {
    struct timespec const time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    syscall(SYS_futex, (uint32_t*)(void*)at, FUTEX_WAIT, seen, &time, NULL, 0);
}

void zeroipc_futex_wake_all(half* at) {
    syscall(SYS_futex, (uint32_t*)(void*)at, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* What is worked on between two chances for a signal: large enough for a huge page, and short. */
#define PART_OF_PAGES (UINT64_C(4) << 20)

/* madvise's MADV_POPULATE_WRITE, which older system headers do not name: Linux 5.14 and later. */
#define POPULATE_WRITE 23

int zeroipc_room_for(int fd, uint64_t bytes) {
    struct statvfs room;
    if (fstatvfs(fd, &room) != 0) return 0;
    /* A file system without a limit of its own says 0 blocks. */
    return room.f_blocks != 0 && bytes > (uint64_t)room.f_bavail * room.f_frsize ? ENOSPC : 0;
}

int zeroipc_reserve(int fd, uint64_t bytes) {
    /* In parts: a signal undoes what it interrupts, and one that comes often would undo a large one for ever. */
    for (uint64_t from = 0; from < bytes;) {
        uint64_t const part = bytes - from < PART_OF_PAGES ? bytes - from : PART_OF_PAGES;
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)part) == 0)
            from += part;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

bool zeroipc_can_populate(void) { return madvise(NULL, 0, POPULATE_WRITE) == 0; }

int zeroipc_populate(void* base, uint64_t bytes) {
    uint8_t* const first = base;
    if (!zeroipc_can_populate()) {
        /* A writable shared mapping of memory is writable from its first read on. Never a write: a peer may be writing
         * the same byte. */
        uint64_t const page = (uint64_t)sysconf(_SC_PAGESIZE);
        for (uint64_t at = 0; at < bytes; at += page) (void)*(uint8_t const volatile*)(first + at);
        return 0;
    }
    for (uint64_t from = 0; from < bytes;) {
        uint64_t const part = bytes - from < PART_OF_PAGES ? bytes - from : PART_OF_PAGES;
        if (madvise(first + from, part, POPULATE_WRITE) == 0)
            from += part;
        else if (errno != EINTR && errno != EAGAIN)
            return errno;
    }
    return 0;
}

void zeroipc_ask_for_huge_pages(void* base, uint64_t bytes) { (void)madvise(base, bytes, MADV_HUGEPAGE); }

uint64_t zeroipc_huge_pages_of(void const* base, uint64_t bytes) {
    FILE* const file = fopen("/proc/self/smaps", "re");
    if (file == NULL) return 0;
    unsigned long const first = (unsigned long)(uintptr_t)base;
    char* line = NULL;
    size_t room = 0;
    uint64_t found = 0;
    bool inside = false;
    while (getline(&line, &room, file) > 0) {
        unsigned long from = 0;
        unsigned long to = 0;
        unsigned long kilobytes = 0;
        /* Binding a part to a memory node splits the mapping, so that several lines tell of it. */
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from >= first && from - first < bytes;
        else if (inside && sscanf(line, "ShmemPmdMapped: %lu kB", &kilobytes) == 1)
            found += (uint64_t)kilobytes * 1024;
    }
    free(line);
    fclose(file);
    return found;
}

void* zeroipc_map_object(int fd, uint64_t bytes) {
    void* const base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return NULL;
    /* A child must not have the mapping: two processes would act as one handle. */
    madvise(base, bytes, MADV_DONTFORK);
    return base;
}

uint64_t zeroipc_random(void) {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number) return number;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
