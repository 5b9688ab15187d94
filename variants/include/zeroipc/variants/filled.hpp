#pragma once
/// \file
/// A word to the compiler.

namespace zeroipc::variants::detail {

/// What `at` points at may have been written, says this; it is no instruction. For copies under a condition that GCC 12
/// does not follow through inlined code: it would warn that what is copied may be uninitialised.
inline void may_be_filled(void* at) noexcept { asm volatile("" : : "r"(at) : "memory"); }

}  // namespace zeroipc::variants::detail
