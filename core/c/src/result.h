/* Errors with a detail, kept for the thread. */
#pragma once

#include "zeroipc/result.h"

/* Remembers what zeroipc_detail() says, and returns `cause`. */
__attribute__((cold, noinline, format(printf, 2, 3))) enum zeroipc_result zeroipc_fail(
    enum zeroipc_result cause, char const* form, ...);

/* What every structure says of bytes that no honest peer writes. */
__attribute__((cold, noinline)) enum zeroipc_result zeroipc_corrupt(char const* structure, char const* what);
/* The same of a retry loop that went round too often. */
__attribute__((cold, noinline)) enum zeroipc_result zeroipc_no_progress(char const* structure);
