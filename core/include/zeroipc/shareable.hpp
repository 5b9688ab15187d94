#pragma once
/// \file
/// What may cross between processes.

#include <type_traits>

namespace zeroipc {

/// An item that may cross between processes: its bytes are all there is to it.
template <class T>
concept shareable = std::is_trivially_copyable_v<T> && std::is_object_v<T> && !std::is_array_v<T> &&
                    !std::is_const_v<T> && alignof(T) <= 64;

}  // namespace zeroipc
