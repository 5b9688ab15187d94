/** Segments of shared memory, and the structures in them by name. */
#ifndef ZEROIPC_MEMORY_H
#define ZEROIPC_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A mapped segment. May be used by several threads, and opened several times, each at its own address. Its locks are the
 * kernel's: whatever process dies, what it held is free at once. In a forked child every use fails with
 * ZEROIPC_FORKED, and so does every use of a structure opened through it: open them anew there.
 *
 * A peer that truncates the object makes accesses raise SIGBUS; nothing else that a peer does, does.
 */
typedef struct zeroipc_memory zeroipc_memory;

/** How a segment is made, or waited for. Zeros stand for the defaults. */
struct zeroipc_memory_options {
    uint32_t max_entries; /**< structures that it can hold, 1 to 65535; 0: 64 */
    uint32_t mode;        /**< permissions, whatever the umask; 0: 0600 */
    uint32_t patience_ms; /**< how long to wait for who makes the same segment; 0: 10 s */
    /** Fills this mapping's page tables at once: no later access of this process to the segment causes a page fault.
     *  O(bytes). For each mapping anew, so also where the segment is opened. */
    bool prefault;
    /** Asks for transparent huge pages before any page exists, and implies prefault for a fresh segment; where it is
     *  opened, lets this mapping use those that it has. The system decides (for /dev/shm: the mount option `huge`);
     *  zeroipc_memory_huge_page_bytes tells what was obtained. No error for lack of them. */
    bool huge_pages;
    /** Unless NULL, called as before_allocation(context, address, bytes) with the fresh mapping, before any page of it
     *  exists: the place to bind memory to NUMA nodes (mbind). Pages are allocated directly afterwards, by this policy,
     *  which the kernel keeps with the object. It must not touch the memory (SIGBUS). 0, or an errno (so
     *  of mbind that failed `errno`, not its -1), with which the making fails: no_permission, no_space, no_memory, or
     *  system. Then nothing is left behind. */
    int (*before_allocation)(void* context, void* address, uint64_t bytes);
    void* context; /**< for before_allocation */
};

/**
 * Makes a segment of that many zeroed bytes, the table included. Space is reserved at once.
 *
 * @param name     1 to 254 characters, with or without the leading slash: no slashes, blanks or control characters.
 * @param bytes    align(16 + 40 max_entries, 64) to 4294967295.
 * @param options  NULL: the defaults.
 * @param memory   gets the segment; close it.
 * Errors: exists, invalid_name, invalid_argument, too_large, no_space, no_permission, not_a_segment, busy, no_memory,
 * system; then nothing is left behind that was not there before. O(bytes). Blocking behind another maker.
 */
enum zeroipc_result zeroipc_memory_create(char const* name, uint64_t bytes,
                                          struct zeroipc_memory_options const* options,
                                          zeroipc_memory** memory);

/**
 * Opens a segment that is there; waits for a maker at work.
 * Errors: not_found, invalid_name, not_a_segment, version_mismatch, truncated, too_large, corrupt, no_permission, busy,
 * no_memory, system; with prefault no_space as well. Of the options patience_ms, prefault and huge_pages count.
 */
enum zeroipc_result zeroipc_memory_open(char const* name, struct zeroipc_memory_options const* options,
                                        zeroipc_memory** memory);

/** Opens it, or makes it if there is none. Of several processes at once exactly one makes it. Errors: of both. */
enum zeroipc_result zeroipc_memory_open_or_create(char const* name, uint64_t bytes,
                                                  struct zeroipc_memory_options const* options,
                                                  zeroipc_memory** memory);

/** Removes the name; who has the segment mapped keeps it. Errors: not_found, invalid_name, no_permission, system. */
enum zeroipc_result zeroipc_memory_remove(char const* name);

/** Lets go of it; unmapped when the last handle opened through it is closed too. NULL does nothing. */
void zeroipc_memory_close(zeroipc_memory* memory);

/** The object's name, with its slash. */
char const* zeroipc_memory_name(zeroipc_memory const* memory);
/** Its length. */
uint64_t zeroipc_memory_bytes(zeroipc_memory const* memory);
/** Structures that it can hold. */
uint32_t zeroipc_memory_max_entries(zeroipc_memory const* memory);
/** Where it is mapped in this process, or NULL in a forked child. */
void* zeroipc_memory_base(zeroipc_memory const* memory);
/** Bytes of this mapping that are reached by huge pages at present, as /proc/self/smaps says; 0 if none, or in a forked
 *  child. Looks through all mappings of the process: not for hot paths. */
uint64_t zeroipc_memory_huge_page_bytes(zeroipc_memory const* memory);

/** A structure's place, checked to lie inside the segment and behind its table. */
struct zeroipc_entry {
    char name[32];   /**< ends with a NUL */
    uint32_t offset; /**< bytes from the segment's start */
    uint32_t size;   /**< bytes */
};

/** How many structures are in it. Errors: corrupt, forked. Wait-free, O(1). */
enum zeroipc_result zeroipc_memory_count(zeroipc_memory const* memory, uint32_t* count);
/** Bytes that structures can still take: a bound for the next one. Errors: corrupt, forked. Wait-free, O(1). */
enum zeroipc_result zeroipc_memory_free_bytes(zeroipc_memory const* memory, uint64_t* bytes);
/** Structure i, the oldest first. Errors: out_of_range, corrupt, forked. Wait-free, O(1). */
enum zeroipc_result zeroipc_memory_entry(zeroipc_memory const* memory, uint32_t i,
                                         struct zeroipc_entry* entry);
/** The structure of that name. Errors: not_found, corrupt, forked. Wait-free, O(entries). */
enum zeroipc_result zeroipc_memory_find(zeroipc_memory const* memory, char const* name,
                                        struct zeroipc_entry* entry);

/**
 * Puts a structure of that many zeroed bytes into the segment. initialise(context, address), unless NULL, runs before
 * anybody can find it; who dies inside leaves nothing but zeroing work for the next one.
 *
 * @param name   1 to 31 bytes without control characters, unique in the segment.
 * @param entry  gets its place; may be NULL.
 * Errors: exists, invalid_name, segment_full, table_full, corrupt, busy, forked. O(entries). Blocking behind another maker.
 */
enum zeroipc_result zeroipc_memory_add(zeroipc_memory* memory, char const* name, uint64_t size,
                                       void (*initialise)(void* context, void* address), void* context,
                                       struct zeroipc_entry* entry);

#ifdef __cplusplus
}
#endif
#endif
