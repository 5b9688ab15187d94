#pragma once
/// \file
/// Handles of the C library that close themselves.

#include <zeroipc.h>

#include <memory>

namespace zeroipc::testing::c {

struct close {
    void operator()(zeroipc_memory* one) const { zeroipc_memory_close(one); }
    void operator()(zeroipc_array* one) const { zeroipc_array_close(one); }
    void operator()(zeroipc_queue* one) const { zeroipc_queue_close(one); }
    void operator()(zeroipc_stack* one) const { zeroipc_stack_close(one); }
    void operator()(zeroipc_map* one) const { zeroipc_map_close(one); }
};
template <class T>
using owned = std::unique_ptr<T, close>;

}  // namespace zeroipc::testing::c
