/* The bytes at a segment's start (format/segment.md). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "atomics.h"

struct segment_header {
    uint32_t magic;
    uint32_t version_and_entries; /* version in the low 16 bits, max_entries in the high 16 */
    uint32_t count;               /* published entries */
    uint32_t next;                /* offset of the first free byte */
};
_Static_assert(sizeof(struct segment_header) == FORMAT_SEGMENT_HEADER_BYTES &&
                   offsetof(struct segment_header, version_and_entries) ==
                       FORMAT_SEGMENT_HEADER_VERSION_AND_ENTRIES_OFFSET &&
                   offsetof(struct segment_header, count) == FORMAT_SEGMENT_HEADER_COUNT_OFFSET &&
                   offsetof(struct segment_header, next) == FORMAT_SEGMENT_HEADER_NEXT_OFFSET &&
                   FORMAT_SEGMENT_VERSION_BITS == 16 && FORMAT_SEGMENT_MAX_ENTRIES_BITS == 16,
               "the segment's header: see format/segment.md");

struct segment_entry {
    char name[FORMAT_SEGMENT_ENTRY_NAME_BYTES];
    uint32_t offset;
    uint32_t size;
};
_Static_assert(sizeof(struct segment_entry) == FORMAT_SEGMENT_ENTRY_BYTES &&
                   offsetof(struct segment_entry, offset) == FORMAT_SEGMENT_ENTRY_OFFSET_OFFSET &&
                   offsetof(struct segment_entry, size) == FORMAT_SEGMENT_ENTRY_SIZE_OFFSET &&
                   FORMAT_SEGMENT_LIMITS_NAME_BYTES_MOST == FORMAT_SEGMENT_ENTRY_NAME_BYTES - 1,
               "a table entry: see format/segment.md");

/* Offset of the first structure behind a table of that many entries. */
static inline uint64_t table_end(uint32_t max_entries) {
    return align_up(FORMAT_SEGMENT_HEADER_BYTES + FORMAT_SEGMENT_ENTRY_BYTES * (uint64_t)max_entries,
                    FORMAT_SEGMENT_STRUCTURE_ALIGNMENT);
}
static inline word* cursor_of(uint8_t* base) { return word_at(base, FORMAT_SEGMENT_CURSOR_OFFSET); }
