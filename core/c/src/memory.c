/* Making, opening and removing segments: the steps are those of format/segment.md. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attachment.h"
#include "segment.h"

/* The name was removed between opening and locking: begin again. */
#define AGAIN ((enum zeroipc_result)1000)

/* The object's name with its slash; `path` has room for 256 bytes. */
static enum zeroipc_result checked_path(char const* name, char* path) {
    char const* const bare = name[0] == '/' ? name + 1 : name;
    size_t const length = strlen(bare);
    bool bad = length == 0 || length > 254 || strcmp(bare, ".") == 0 || strcmp(bare, "..") == 0;
    for (size_t i = 0; i < length && !bad; ++i)
        bad = bare[i] == '/' || (unsigned char)bare[i] <= 0x20 || bare[i] == 0x7f;
    if (bad)
        return zeroipc_fail(
            ZEROIPC_INVALID_NAME,
            "segment name '%.260s': use 1 to 254 characters without slashes, blanks or control characters",
            name);
    path[0] = '/';
    memcpy(path + 1, bare, length + 1);
    return ZEROIPC_OK;
}

enum state { FINISHED, UNFINISHED, FOREIGN };

/* Only under the creation lock is `UNFINISHED` a death rather than work in progress. */
static enum state state_of(int fd, uint64_t bytes) {
    if (bytes == 0) return UNFINISHED;
    struct segment_header header = {0, 0, 0, 0};
    if (pread(fd, &header, sizeof header, 0) < (ssize_t)sizeof header.magic) return FOREIGN;
    if (header.magic == FORMAT_SEGMENT_MAGIC_U32) return FINISHED;
    if (header.magic == FORMAT_SEGMENT_UNFINISHED_U32) return UNFINISHED;
    bool const blank =
        header.magic == 0 && header.version_and_entries == 0 && header.count == 0 && header.next == 0;
    return blank && bytes == FORMAT_SEGMENT_HEADER_BYTES ? UNFINISHED : FOREIGN;
}

/* Its length; AGAIN if its name was removed. */
static enum zeroipc_result linked_size(zeroipc_memory const* memory, uint64_t* bytes) {
    struct stat info;
    if (fstat(memory->fd, &info) != 0) return zeroipc_errno(errno, "examine", memory->name);
    if (info.st_nlink == 0) return AGAIN;
    *bytes = (uint64_t)info.st_size;
    return ZEROIPC_OK;
}

static enum zeroipc_result cut(zeroipc_memory const* memory, uint64_t bytes, uint64_t end) {
    return zeroipc_fail(ZEROIPC_TRUNCATED,
                        "segment '%s' has %llu bytes, and needs %llu; it was cut: make it anew", memory->name,
                        (unsigned long long)bytes, (unsigned long long)end);
}

static enum zeroipc_result check_header(zeroipc_memory* memory, uint64_t bytes) {
    struct segment_header header = {0, 0, 0, 0};
    ssize_t const got = pread(memory->fd, &header, sizeof header, 0);
    if (got < (ssize_t)sizeof header.magic || header.magic != FORMAT_SEGMENT_MAGIC_U32)
        return zeroipc_fail(
            ZEROIPC_NOT_A_SEGMENT,
            "object '%s' of %llu bytes does not begin with 'ZIPC'; another program made it, use another name",
            memory->name, (unsigned long long)bytes);
    if (got != (ssize_t)sizeof header) return cut(memory, bytes, sizeof header);
    uint32_t const version = header.version_and_entries & 0xffffU;
    if (version != FORMAT_FORMAT_VERSION)
        return zeroipc_fail(ZEROIPC_VERSION_MISMATCH,
                            "segment '%s' has format version %u, this library reads %u", memory->name,
                            version, FORMAT_FORMAT_VERSION);
    if (bytes >= FORMAT_SEGMENT_LIMITS_BYTES_BELOW)
        return zeroipc_fail(ZEROIPC_TOO_LARGE, "segment '%s' has %llu bytes; the format ends below 4 GiB",
                            memory->name, (unsigned long long)bytes);
    uint32_t const max_entries = header.version_and_entries >> 16;
    uint64_t const end = table_end(max_entries);
    if (bytes < end || bytes < header.next) return cut(memory, bytes, header.next > end ? header.next : end);
    if (max_entries == 0 || header.count > max_entries || header.next < end)
        return zeroipc_fail(
            ZEROIPC_CORRUPT,
            "segment '%s' says %u of %u entries, next free byte %u; it was overwritten: make it anew",
            memory->name, header.count, max_entries, header.next);
    memory->max_entries = max_entries;
    return ZEROIPC_OK;
}

/* Fills the page tables of the first bytes. Where an access would be ended by a signal, there is an error. */
static enum zeroipc_result populate(zeroipc_memory const* memory, uint64_t bytes) {
    int const number = zeroipc_populate(memory->base, bytes);
    if (number == 0) return ZEROIPC_OK;
    struct stat info;
    if (number == EFAULT && fstat(memory->fd, &info) == 0 && (uint64_t)info.st_size < bytes)
        return cut(memory, (uint64_t)info.st_size, bytes);
    return zeroipc_errno(number == EFAULT || number == ENOMEM ? ENOSPC : number, "fill the page tables of",
                         memory->name);
}

struct request {
    uint64_t bytes;
    int64_t patience;
    bool may_open;
    struct zeroipc_memory_options how; /* its zeros replaced by the defaults */
};

/* An open descriptor becomes an attachment. */
static enum zeroipc_result attach(zeroipc_memory* memory, struct request const* r) {
    uint64_t bytes = 0;
    enum zeroipc_result result =
        zeroipc_lock(memory, FORMAT_SEGMENT_LOCKS_ATTACHED, LOCK_SHARED, r->patience);
    if (result == ZEROIPC_OK) result = linked_size(memory, &bytes);
    if (result != ZEROIPC_OK) return result;
    if (state_of(memory->fd, bytes) != FINISHED) {
        /* A maker is at work, or died at it; or another program's object. Only under the creation lock do length and
         * header belong together. */
        result = zeroipc_lock(memory, FORMAT_SEGMENT_LOCKS_CREATION, LOCK_EXCLUSIVE, r->patience);
        if (result != ZEROIPC_OK) return result;
        result = linked_size(memory, &bytes);
        enum state const state = result == ZEROIPC_OK ? state_of(memory->fd, bytes) : UNFINISHED;
        zeroipc_unlock(memory->fd, FORMAT_SEGMENT_LOCKS_CREATION);
        if (result != ZEROIPC_OK) return result;
        if (state == UNFINISHED)
            return zeroipc_fail(ZEROIPC_NOT_FOUND,
                                "segment '%s' was never finished by its maker; create it anew", memory->name);
    }
    /* It may have been finished after its length was read; from then on it keeps its length. */
    result = linked_size(memory, &bytes);
    if (result == ZEROIPC_OK) result = check_header(memory, bytes);
    if (result != ZEROIPC_OK) return result;
    int const number = zeroipc_attachment_map(memory, bytes);
    if (number != 0) return zeroipc_errno(number, "map", memory->name);
    /* (T4) acquire: behind the magic stands the rest. Partner: (T3). */
    (void)half_load_acquire(half_at(memory->base, FORMAT_SEGMENT_HEADER_MAGIC_OFFSET));
    if (r->how.huge_pages) zeroipc_ask_for_huge_pages(memory->base, bytes);
    return r->how.prefault ? populate(memory, bytes) : ZEROIPC_OK;
}

static struct request request_of(uint64_t bytes, struct zeroipc_memory_options const* options,
                                 bool may_open) {
    struct request r = {.bytes = bytes, .may_open = may_open};
    if (options != NULL) r.how = *options;
    if (r.how.max_entries == 0) r.how.max_entries = 64;
    if (r.how.mode == 0) r.how.mode = 0600;
    if (r.how.patience_ms == 0) r.how.patience_ms = 10000;
    r.patience = (int64_t)r.how.patience_ms * NS_PER_MS;
    return r;
}

static enum zeroipc_result check_request(struct request const* r, char const* path) {
    if (r->how.max_entries > FORMAT_SEGMENT_LIMITS_MAX_ENTRIES_MOST)
        return zeroipc_fail(ZEROIPC_INVALID_ARGUMENT, "max_entries %u for segment '%s': use 1 to 65535",
                            r->how.max_entries, path);
    if (r->bytes >= FORMAT_SEGMENT_LIMITS_BYTES_BELOW)
        return zeroipc_fail(ZEROIPC_TOO_LARGE,
                            "segment '%s' of %llu bytes; the format ends below 4294967296 (4 GiB)", path,
                            (unsigned long long)r->bytes);
    if (r->bytes < table_end(r->how.max_entries))
        return zeroipc_fail(
            ZEROIPC_INVALID_ARGUMENT,
            "segment '%s' of %llu bytes cannot hold its table of %u entries; give it at least %llu", path,
            (unsigned long long)r->bytes, r->how.max_entries,
            (unsigned long long)table_end(r->how.max_entries));
    return ZEROIPC_OK;
}

static enum zeroipc_result set_length(zeroipc_memory const* memory, uint64_t bytes) {
    return ftruncate(memory->fd, (off_t)bytes) == 0 ? ZEROIPC_OK
                                                    : zeroipc_errno(errno, "create", memory->name);
}

static enum zeroipc_result reserve(zeroipc_memory const* memory, uint64_t bytes) {
    int const number = zeroipc_reserve(memory->fd, bytes);
    return number == 0 ? ZEROIPC_OK : zeroipc_errno(number, "reserve the space of", memory->name);
}

static enum zeroipc_result say_unfinished(zeroipc_memory const* memory) {
    uint32_t const mark = FORMAT_SEGMENT_UNFINISHED_U32;
    return pwrite(memory->fd, &mark, sizeof mark, 0) == (ssize_t)sizeof mark
               ? ZEROIPC_OK
               : zeroipc_errno(errno, "create", memory->name);
}

/* The pages first, beyond the end of the empty object; then its length, by way of a header that says "unfinished". Not
 * so with huge pages: a reservation does not see this mapping's wish for them, so they are allocated through the
 * mapping, which needs the length. There populate() fails where an access would be ended by SIGBUS. */
static enum zeroipc_result allocate(zeroipc_memory const* memory, struct request const* r) {
    bool const through_mapping = r->how.huge_pages && zeroipc_can_populate();
    enum zeroipc_result result = ZEROIPC_OK;
    if (r->how.huge_pages) zeroipc_ask_for_huge_pages(memory->base, r->bytes);
    if (!through_mapping) result = reserve(memory, r->bytes);
    if (result == ZEROIPC_OK) result = set_length(memory, FORMAT_SEGMENT_HEADER_BYTES);
    if (result == ZEROIPC_OK && through_mapping) result = populate(memory, FORMAT_SEGMENT_HEADER_BYTES);
    if (result == ZEROIPC_OK) result = say_unfinished(memory);
    if (result == ZEROIPC_OK) result = set_length(memory, r->bytes);
    if (result == ZEROIPC_OK && (r->how.huge_pages || r->how.prefault)) result = populate(memory, r->bytes);
    if (result == ZEROIPC_OK && through_mapping) result = reserve(memory, r->bytes);
    return result;
}

/* Not as zeroipc_errno has it: what does not exist, or exists already, for the hook is not the segment. */
static enum zeroipc_result refused_by_hook(int number, char const* name) {
    enum zeroipc_result const result = zeroipc_errno(number, "place the memory of", name);
    return result == ZEROIPC_NOT_FOUND || result == ZEROIPC_EXISTS ? ZEROIPC_SYSTEM : result;
}

/* Fills a fresh object, or a dead maker's, under the creation lock. */
static enum zeroipc_result fill(zeroipc_memory* memory, struct request const* r) {
    enum zeroipc_result result =
        zeroipc_lock(memory, FORMAT_SEGMENT_LOCKS_ATTACHED, LOCK_SHARED, r->patience);
    if (result != ZEROIPC_OK) return result;
    if (ftruncate(memory->fd, 0) != 0 || fchmod(memory->fd, (mode_t)r->how.mode) != 0)
        return zeroipc_errno(errno, "create", memory->name);
    int number = zeroipc_room_for(memory->fd, r->bytes);
    if (number != 0) return zeroipc_errno(number, "reserve the space of", memory->name);
    number = zeroipc_attachment_map(memory, r->bytes);
    if (number != 0) return zeroipc_errno(number, "map", memory->name);
    if (r->how.before_allocation != NULL) {
        number = r->how.before_allocation(r->how.context, memory->base, r->bytes);
        if (number != 0) return refused_by_hook(number, memory->name);
    }
    result = allocate(memory, r);
    if (result != ZEROIPC_OK) return result;
    memory->max_entries = r->how.max_entries;
    struct segment_header* const header = (struct segment_header*)(void*)memory->base;
    header->version_and_entries = FORMAT_FORMAT_VERSION | r->how.max_entries << 16;
    store_release(cursor_of(memory->base), table_end(r->how.max_entries) << 32);
    /* (T3) release: whoever reads the magic reads the rest. Partner: (T4). */
    half_store_release(half_at(memory->base, FORMAT_SEGMENT_HEADER_MAGIC_OFFSET), FORMAT_SEGMENT_MAGIC_U32);
    return ZEROIPC_OK;
}

/* One attempt, on an open descriptor. */
static enum zeroipc_result make_on(zeroipc_memory* memory, struct request const* r) {
    uint64_t bytes = 0;
    enum zeroipc_result result =
        zeroipc_lock(memory, FORMAT_SEGMENT_LOCKS_CREATION, LOCK_EXCLUSIVE, r->patience);
    if (result == ZEROIPC_OK) result = linked_size(memory, &bytes);
    if (result != ZEROIPC_OK) return result;
    enum state const state = state_of(memory->fd, bytes);
    if (state == FOREIGN)
        return zeroipc_fail(ZEROIPC_NOT_A_SEGMENT,
                            "object '%s' of %llu bytes exists and was not made by ZeroIPC; use another name",
                            memory->name, (unsigned long long)bytes);
    if (state == FINISHED && !r->may_open)
        return zeroipc_fail(ZEROIPC_EXISTS, "segment '%s' exists; open it, or remove it first", memory->name);
    if (state == UNFINISHED) {
        result = check_request(r, memory->name);
        if (result != ZEROIPC_OK) return result;
        result = fill(memory, r);
        /* Our object only: somebody may have removed it, and made another one of that name. */
        if (result != ZEROIPC_OK && linked_size(memory, &bytes) == ZEROIPC_OK) shm_unlink(memory->name);
    }
    zeroipc_unlock(memory->fd, FORMAT_SEGMENT_LOCKS_CREATION);
    return state == FINISHED ? attach(memory, r) : result;
}

/* Not simply O_CREAT: where fs.protected_regular is set, that is refused for an object of another user. */
static enum zeroipc_result open_or_make(zeroipc_memory* memory, struct request const* r) {
    int number = zeroipc_attachment_open(memory, O_RDWR, 0);
    if (number == ENOENT) {
        enum zeroipc_result const result = check_request(r, memory->name);
        if (result != ZEROIPC_OK) return result;
        number = zeroipc_attachment_open(memory, O_RDWR | O_CREAT | O_EXCL, r->how.mode);
        if (number == EEXIST) return AGAIN; /* made by somebody else just now */
    }
    return number == 0 ? make_on(memory, r) : zeroipc_errno(number, "create", memory->name);
}

static enum zeroipc_result only_open(zeroipc_memory* memory, struct request const* r) {
    int const number = zeroipc_attachment_open(memory, O_RDWR, 0);
    if (number == ENOENT)
        return zeroipc_fail(ZEROIPC_NOT_FOUND, "there is no segment '%s'; create it first", memory->name);
    return number == 0 ? attach(memory, r) : zeroipc_errno(number, "open", memory->name);
}

static enum zeroipc_result obtain(char const* name, struct request const* r, zeroipc_memory** memory,
                                  enum zeroipc_result (*attempt)(zeroipc_memory*, struct request const*)) {
    char path[256];
    enum zeroipc_result result = checked_path(name, path);
    if (result != ZEROIPC_OK) return result;
    zeroipc_memory* const one = zeroipc_attachment_new(path);
    if (one == NULL)
        return zeroipc_fail(ZEROIPC_NO_MEMORY, "segment '%s': no memory for its attachment", path);
    while ((result = attempt(one, r)) == AGAIN) zeroipc_attachment_close_fd(one);
    if (result == ZEROIPC_OK)
        *memory = one;
    else
        zeroipc_memory_close(one);
    return result;
}

enum zeroipc_result zeroipc_memory_create(char const* name, uint64_t bytes,
                                          struct zeroipc_memory_options const* options,
                                          zeroipc_memory** memory) {
    struct request const r = request_of(bytes, options, false);
    char path[256];
    enum zeroipc_result result = checked_path(name, path);
    if (result == ZEROIPC_OK) result = check_request(&r, path);
    return result == ZEROIPC_OK ? obtain(name, &r, memory, open_or_make) : result;
}

enum zeroipc_result zeroipc_memory_open_or_create(char const* name, uint64_t bytes,
                                                  struct zeroipc_memory_options const* options,
                                                  zeroipc_memory** memory) {
    struct request const r = request_of(bytes, options, true);
    return obtain(name, &r, memory, open_or_make);
}

enum zeroipc_result zeroipc_memory_open(char const* name, struct zeroipc_memory_options const* options,
                                        zeroipc_memory** memory) {
    struct request const r = request_of(0, options, true);
    return obtain(name, &r, memory, only_open);
}

enum zeroipc_result zeroipc_memory_remove(char const* name) {
    char path[256];
    enum zeroipc_result const result = checked_path(name, path);
    if (result != ZEROIPC_OK) return result;
    if (shm_unlink(path) == 0) return ZEROIPC_OK;
    return errno == ENOENT ? zeroipc_fail(ZEROIPC_NOT_FOUND, "there is no segment '%s' to remove", path)
                           : zeroipc_errno(errno, "remove", path);
}
