/* The table of names. Bytes and argument: format/segment.md. */
#include <string.h>

#include "attachment.h"
#include "segment.h"

char const* zeroipc_memory_name(zeroipc_memory const* memory) { return memory->name; }
uint64_t zeroipc_memory_bytes(zeroipc_memory const* memory) { return memory->bytes; }
uint32_t zeroipc_memory_max_entries(zeroipc_memory const* memory) { return memory->max_entries; }
void* zeroipc_memory_base(zeroipc_memory const* memory) {
    return refuse_forked(memory) == ZEROIPC_OK ? memory->base : NULL;
}
uint64_t zeroipc_memory_huge_page_bytes(zeroipc_memory const* memory) {
    return memory->forked ? 0 : zeroipc_huge_pages_of(memory->base, memory->bytes);
}

struct cursor {
    uint32_t count;
    uint32_t next;
};

static enum zeroipc_result read_cursor(zeroipc_memory const* memory, struct cursor* now) {
    enum zeroipc_result const result = refuse_forked(memory);
    if (result != ZEROIPC_OK) return result;
    /* (T1) acquire: whoever sees the count sees the entry and the structure behind it. Partner: (T2). */
    uint64_t const value = load_acquire(cursor_of(memory->base));
    now->count = (uint32_t)value;
    now->next = (uint32_t)(value >> 32);
    if (now->count > memory->max_entries || now->next < table_end(memory->max_entries) ||
        now->next > memory->bytes)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "the table of '%s' says %u entries (of %u) and next free byte %u (of %llu); the segment was "
            "overwritten: make it anew",
            memory->name, now->count, memory->max_entries, now->next, (unsigned long long)memory->bytes);
    return ZEROIPC_OK;
}

static struct segment_entry* raw_entry(zeroipc_memory const* memory, uint32_t i) {
    return (struct segment_entry*)(void*)(memory->base + FORMAT_SEGMENT_HEADER_BYTES +
                                          FORMAT_SEGMENT_ENTRY_BYTES * (uint64_t)i);
}

/* Entry i, checked; i is below max_entries. */
static enum zeroipc_result checked_entry(zeroipc_memory const* memory, uint32_t i,
                                         struct zeroipc_entry* entry) {
    struct segment_entry bytes;
    memcpy(&bytes, raw_entry(memory, i), sizeof bytes);
    if (bytes.name[0] == '\0' || memchr(bytes.name, '\0', sizeof bytes.name) == NULL ||
        bytes.offset % FORMAT_SEGMENT_STRUCTURE_ALIGNMENT != 0 ||
        bytes.offset < table_end(memory->max_entries) || (uint64_t)bytes.offset + bytes.size > memory->bytes)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "table entry %u of '%s' (offset %u, size %u) does not lie in the segment's %llu bytes; it was "
            "overwritten: make it anew",
            i, memory->name, bytes.offset, bytes.size, (unsigned long long)memory->bytes);
    memcpy(entry->name, bytes.name, sizeof entry->name);
    entry->offset = bytes.offset;
    entry->size = bytes.size;
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_memory_count(zeroipc_memory const* memory, uint32_t* count) {
    struct cursor now;
    enum zeroipc_result const result = read_cursor(memory, &now);
    if (result == ZEROIPC_OK) *count = now.count;
    return result;
}

static uint64_t room_behind(zeroipc_memory const* memory, struct cursor now) {
    uint64_t const from = align_up(now.next, FORMAT_SEGMENT_STRUCTURE_ALIGNMENT);
    return from < memory->bytes ? memory->bytes - from : 0;
}

enum zeroipc_result zeroipc_memory_free_bytes(zeroipc_memory const* memory, uint64_t* bytes) {
    struct cursor now;
    enum zeroipc_result const result = read_cursor(memory, &now);
    if (result == ZEROIPC_OK) *bytes = room_behind(memory, now);
    return result;
}

enum zeroipc_result zeroipc_memory_entry(zeroipc_memory const* memory, uint32_t i,
                                         struct zeroipc_entry* entry) {
    struct cursor now;
    enum zeroipc_result const result = read_cursor(memory, &now);
    if (result != ZEROIPC_OK) return result;
    if (i >= now.count)
        return zeroipc_fail(ZEROIPC_OUT_OF_RANGE, "segment '%s' has %u structures, and no number %u",
                            memory->name, now.count, i);
    return checked_entry(memory, i, entry);
}

/* 1: found; 0: not there; negative: an error. */
static int look_up(zeroipc_memory const* memory, struct cursor now, char const* name,
                   struct zeroipc_entry* entry) {
    for (uint32_t i = 0; i < now.count; ++i) {
        enum zeroipc_result const result = checked_entry(memory, i, entry);
        if (result != ZEROIPC_OK) return result;
        if (strcmp(entry->name, name) == 0) return 1;
    }
    return 0;
}

enum zeroipc_result zeroipc_memory_find(zeroipc_memory const* memory, char const* name,
                                        struct zeroipc_entry* entry) {
    struct cursor now;
    enum zeroipc_result const result = read_cursor(memory, &now);
    if (result != ZEROIPC_OK) return result;
    int const found = look_up(memory, now, name, entry);
    if (found == 0)
        return zeroipc_fail(ZEROIPC_NOT_FOUND, "segment '%s' has no structure '%.40s'; create it first",
                            memory->name, name);
    return found < 0 ? (enum zeroipc_result)found : ZEROIPC_OK;
}

static enum zeroipc_result check_name(char const* name) {
    size_t const length = strlen(name);
    bool bad = length == 0 || length > FORMAT_SEGMENT_LIMITS_NAME_BYTES_MOST;
    for (size_t i = 0; i < length; ++i) bad = bad || (unsigned char)name[i] < 0x20 || name[i] == 0x7f;
    return bad ? zeroipc_fail(ZEROIPC_INVALID_NAME,
                              "structure name '%.40s' has %zu bytes; use 1 to 31, without control characters",
                              name, length)
               : ZEROIPC_OK;
}

/* Zeroes what a dead maker may have written. Its draft must begin where the next structure does. */
static enum zeroipc_result clear_draft(zeroipc_memory* memory, struct segment_entry const* draft,
                                       uint64_t offset) {
    if (draft->offset == 0 && draft->size == 0) return ZEROIPC_OK;
    uint32_t const size = draft->size;
    if (draft->offset != offset || size > memory->bytes - offset)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "segment '%s' has a draft entry at offset %u of %u bytes where %llu is the next free byte; it "
            "was overwritten: make it anew",
            memory->name, draft->offset, size, (unsigned long long)offset);
    memset(memory->base + offset, 0, size);
    return ZEROIPC_OK;
}

/* Under the creation lock. */
static enum zeroipc_result add(zeroipc_memory* memory, char const* name, uint64_t size,
                               void (*initialise)(void*, void*), void* context, struct zeroipc_entry* entry) {
    struct cursor now;
    enum zeroipc_result result = read_cursor(memory, &now);
    if (result != ZEROIPC_OK) return result;
    int const found = look_up(memory, now, name, entry);
    if (found < 0) return (enum zeroipc_result)found;
    if (found == 1)
        return zeroipc_fail(ZEROIPC_EXISTS,
                            "segment '%s' has a structure '%s' already; open it, or choose another name",
                            memory->name, name);
    if (now.count == memory->max_entries)
        return zeroipc_fail(
            ZEROIPC_TABLE_FULL,
            "segment '%s' holds %u structures and has no entry left for '%s'; make it with a larger "
            "max_entries",
            memory->name, now.count, name);
    uint64_t const offset = align_up(now.next, FORMAT_SEGMENT_STRUCTURE_ALIGNMENT);
    uint64_t const room = room_behind(memory, now);
    if (offset > memory->bytes || size > room)
        return zeroipc_fail(
            ZEROIPC_SEGMENT_FULL,
            "structure '%s' needs %llu bytes, and segment '%s' of %llu has %llu left; make it larger", name,
            (unsigned long long)size, memory->name, (unsigned long long)memory->bytes,
            (unsigned long long)room);
    struct segment_entry* const draft = raw_entry(memory, now.count);
    result = clear_draft(memory, draft, offset);
    if (result != ZEROIPC_OK) return result;
    /* The draft stands before the body is touched: whoever comes after a death in here knows what to zero. */
    memset(draft->name, 0, sizeof draft->name);
    draft->offset = (uint32_t)offset;
    draft->size = (uint32_t)size;
    order_for_undertaker();
    if (initialise != NULL) initialise(context, memory->base + offset);
    memcpy(draft->name, name, strlen(name));
    /* (T2) release: entry and structure before the count. Partner: (T1). */
    store_release(cursor_of(memory->base), (uint64_t)(now.count + 1) | (offset + size) << 32);
    memset(entry, 0, sizeof *entry);
    memcpy(entry->name, name, strlen(name));
    entry->offset = (uint32_t)offset;
    entry->size = (uint32_t)size;
    return ZEROIPC_OK;
}

enum zeroipc_result zeroipc_memory_add(zeroipc_memory* memory, char const* name, uint64_t size,
                                       void (*initialise)(void* context, void* address), void* context,
                                       struct zeroipc_entry* entry) {
    struct zeroipc_entry ignored;
    enum zeroipc_result result = refuse_forked(memory);
    if (result == ZEROIPC_OK) result = check_name(name);
    if (result != ZEROIPC_OK) return result;
    pthread_mutex_lock(&memory->mutex);
    result = zeroipc_lock(memory, FORMAT_SEGMENT_LOCKS_CREATION, LOCK_EXCLUSIVE, 10000 * NS_PER_MS);
    if (result == ZEROIPC_OK) {
        result = add(memory, name, size, initialise, context, entry != NULL ? entry : &ignored);
        zeroipc_unlock(memory->fd, FORMAT_SEGMENT_LOCKS_CREATION);
    }
    pthread_mutex_unlock(&memory->mutex);
    return result;
}
