/// \file
/// One function for each ordering policy and each kind of access, for scripts/orderings to show what they compile to.
/// The numbers of the accesses are those of the default queue, so that `minimal` shows what it leaves out; the fetch-add is an
/// array's, for the queue has none.

#include <zeroipc/array.hpp>
#include <zeroipc/exchange_ring.hpp>
#include <zeroipc/ordering.hpp>
#include <zeroipc/variants/full_fences.hpp>
#include <zeroipc/variants/minimal_ordering.hpp>

#include <atomic>
#include <cstdint>

namespace {
using atomics = zeroipc::atomics::native;
using word = atomics::word<std::uint64_t>;
using access = zeroipc::exchange_access;
using array = zeroipc::array_access;
}  // namespace

#define ZEROIPC_SHOW(policy)                                                                     \
    extern "C" std::uint64_t policy##_load(word const& w) {                                      \
        return zeroipc::ordering::policy::load<atomics, access::reads_cell>(w);                  \
    }                                                                                            \
    extern "C" void policy##_store(word& w, std::uint64_t v) {                                   \
        zeroipc::ordering::policy::store<atomics, access::settles_slot>(w, v);                   \
    }                                                                                            \
    extern "C" bool policy##_exchange(word& w, std::uint64_t& expected, std::uint64_t v) {       \
        return zeroipc::ordering::policy::exchange_if<atomics, access::commits>(w, expected, v); \
    }                                                                                            \
    extern "C" void policy##_modify(word& w, std::uint64_t v, std::uint64_t& before) {           \
        before = zeroipc::ordering::policy::modify<atomics, array::modifies>(                    \
            [&](std::memory_order order) { return w.fetch_add(v, order); });                     \
    }                                                                                            \
    extern "C" std::uint64_t policy##_negative(word const& w) {                                  \
        zeroipc::ordering::policy::before_negative<atomics>();                                   \
        return zeroipc::ordering::policy::load<atomics, access::confirms_negative>(w);           \
    }

ZEROIPC_SHOW(acq_rel)
ZEROIPC_SHOW(seq_cst)
ZEROIPC_SHOW(minimal)
ZEROIPC_SHOW(fences)
ZEROIPC_SHOW(dmb)
