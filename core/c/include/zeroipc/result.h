/** What calls return: 0 for done, positive for an answer that is no error, negative for an error. */
#ifndef ZEROIPC_RESULT_H
#define ZEROIPC_RESULT_H

#ifdef __cplusplus
extern "C" {
#endif

enum zeroipc_result {
    ZEROIPC_OK = 0,

    /* Answers. Nothing went wrong. */
    ZEROIPC_EMPTY = 1,     /**< a pop: there was no item */
    ZEROIPC_FULL = 2,      /**< a push, or a new key: there was no room */
    ZEROIPC_TIMEOUT = 3,   /**< a blocking call: the time was over */
    ZEROIPC_ABSENT = 4,    /**< the key is not there */
    ZEROIPC_PRESENT = 5,   /**< an insertion: the key is there already */
    ZEROIPC_ASSIGNED = 6,  /**< insert_or_assign: the key was there, and has the new value */
    ZEROIPC_DIFFERENT = 7, /**< a compare-exchange: something else than expected was there */

    /* Errors, numbered as zeroipc::errc of C++. zeroipc_detail() has the values that were wrong. */
    ZEROIPC_INVALID_NAME = -1,      /**< a segment's or structure's name that cannot be held */
    ZEROIPC_INVALID_ARGUMENT = -2,  /**< an option or a size outside its range */
    ZEROIPC_INVALID_CAPACITY = -3,  /**< 0, or not a power of two where one is needed */
    ZEROIPC_TOO_LARGE = -4,         /**< a segment or structure of 4 GiB or more */
    ZEROIPC_NOT_FOUND = -5,         /**< no segment, or no structure, of that name */
    ZEROIPC_EXISTS = -6,            /**< there is one of that name already */
    ZEROIPC_NO_PERMISSION = -7,     /**< the system refused access */
    ZEROIPC_NO_SPACE = -8,          /**< the file system behind shared memory has too little room */
    ZEROIPC_SEGMENT_FULL = -9,      /**< too few free bytes in the segment */
    ZEROIPC_TABLE_FULL = -10,       /**< every table entry of the segment is used */
    ZEROIPC_NOT_A_SEGMENT = -11,    /**< the object exists, but ZeroIPC did not make it */
    ZEROIPC_VERSION_MISMATCH = -12, /**< made by an incompatible version of the format */
    ZEROIPC_TRUNCATED = -13,        /**< the object is shorter than its header says */
    ZEROIPC_CORRUPT = -14,          /**< shared bytes that no honest peer writes */
    ZEROIPC_WRONG_KIND = -15,       /**< another kind of structure, algorithm or layout */
    ZEROIPC_WRONG_ITEM_SIZE = -16,  /**< items, keys or elements of another size than asked for */
    ZEROIPC_NO_HANDLE_SLOT = -17,   /**< every handle slot is in use by a living handle, or parked */
    ZEROIPC_BUSY = -18,             /**< somebody kept a lock longer than the limit */
    ZEROIPC_FORKED = -19,           /**< used in a child after fork(); open it anew there */
    ZEROIPC_SYSTEM = -20,           /**< an unexpected answer of the operating system */
    ZEROIPC_OUT_OF_RANGE = -21,     /**< an index that is not below the capacity */
    ZEROIPC_MISUSE = -22,           /**< calls in an order that makes no sense */
    ZEROIPC_NO_MEMORY = -23         /**< malloc gave none (C only) */
};

/** A short text for a result, e.g. "segment full". Never NULL. Constant. */
char const* zeroipc_message(enum zeroipc_result result);

/**
 * What was wrong in this thread's last call that returned an error: the value, and what to do. "" if none failed. Good
 * until the thread's next failing call.
 */
char const* zeroipc_detail(void);

/** A time-out that never ends; any negative number does the same. */
#define ZEROIPC_FOREVER (-1)

#ifdef __cplusplus
}
#endif
#endif
