#pragma once
/// \file
/// Concurrency Kit's C headers made readable for C++. They return `false` for a null pointer, which C++ refuses and 0 is.

// No warnings from here: that a keyword is redefined is the point.
#pragma GCC system_header

#include <stdbool.h>
#define false 0
#include <ck_ring.h>
#undef false
// Without the functions that take a void pointer for another one: none of them is used.
#define CK_F_STACK_BATCH_POP_UPMC
#define CK_F_STACK_BATCH_POP_MPMC
#define CK_F_STACK_PUSH_MPNC
#include <ck_stack.h>
