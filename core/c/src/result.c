#include "result.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char detail[512];

char const* zeroipc_detail(void) { return detail; }

enum zeroipc_result zeroipc_fail(enum zeroipc_result cause, char const* form, ...) {
    va_list values;
    va_start(values, form);
    vsnprintf(detail, sizeof detail, form, values);
    va_end(values);
    return cause;
}

enum zeroipc_result zeroipc_corrupt(char const* structure, char const* what) {
    return zeroipc_fail(ZEROIPC_CORRUPT, "%s: %s; a peer overwrote it: make it anew", structure, what);
}

enum zeroipc_result zeroipc_no_progress(char const* structure) {
    return zeroipc_corrupt(structure, "no progress was possible in as many rounds as no honest peer causes");
}

char const* zeroipc_message(enum zeroipc_result result) {
    switch (result) {
        case ZEROIPC_OK:
            return "done";
        case ZEROIPC_EMPTY:
            return "empty";
        case ZEROIPC_FULL:
            return "full";
        case ZEROIPC_TIMEOUT:
            return "time is over";
        case ZEROIPC_ABSENT:
            return "key absent";
        case ZEROIPC_PRESENT:
            return "key present";
        case ZEROIPC_ASSIGNED:
            return "value replaced";
        case ZEROIPC_DIFFERENT:
            return "another value than expected";
        case ZEROIPC_INVALID_NAME:
            return "invalid name";
        case ZEROIPC_INVALID_ARGUMENT:
            return "invalid argument";
        case ZEROIPC_INVALID_CAPACITY:
            return "invalid capacity";
        case ZEROIPC_TOO_LARGE:
            return "too large";
        case ZEROIPC_NOT_FOUND:
            return "not found";
        case ZEROIPC_EXISTS:
            return "exists already";
        case ZEROIPC_NO_PERMISSION:
            return "no permission";
        case ZEROIPC_NO_SPACE:
            return "no space in shared memory";
        case ZEROIPC_SEGMENT_FULL:
            return "segment full";
        case ZEROIPC_TABLE_FULL:
            return "table full";
        case ZEROIPC_NOT_A_SEGMENT:
            return "not a ZeroIPC segment";
        case ZEROIPC_VERSION_MISMATCH:
            return "format version mismatch";
        case ZEROIPC_TRUNCATED:
            return "truncated segment";
        case ZEROIPC_CORRUPT:
            return "corrupt shared memory";
        case ZEROIPC_WRONG_KIND:
            return "wrong kind of structure";
        case ZEROIPC_WRONG_ITEM_SIZE:
            return "wrong item size";
        case ZEROIPC_NO_HANDLE_SLOT:
            return "no free handle slot";
        case ZEROIPC_BUSY:
            return "busy";
        case ZEROIPC_FORKED:
            return "used across fork";
        case ZEROIPC_SYSTEM:
            return "system error";
        case ZEROIPC_OUT_OF_RANGE:
            return "index out of range";
        case ZEROIPC_MISUSE:
            return "misuse";
        case ZEROIPC_NO_MEMORY:
            return "out of memory";
    }
    return "unknown result";
}
