#pragma once
/// \file
/// Concurrency Kit's ring, a C header, made readable for C++. It returns `false` for a null pointer, which C++ refuses
/// and 0 is.

// No warnings from here: that a keyword is redefined is the point.
#pragma GCC system_header

#include <stdbool.h>
#define false 0
#include <ck_ring.h>
#undef false
