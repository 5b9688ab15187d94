/// \file
/// Stacks, by one thread: a push and a pop of 8 bytes. Capacity 1024.

#include <mutex>
#include <vector>

#include "micro.hpp"

#if __has_include(<zeroipc/stack.hpp>)
#include <zeroipc/stack.hpp>
#endif
#if defined(ZEROIPC_PEER_BOOST)
#include <boost/lockfree/stack.hpp>
#endif
#if defined(ZEROIPC_PEER_CDS)
#include <cds/container/treiber_stack.h>
#include <cds/gc/hp.h>

#include "cds_session.hpp"
#endif

namespace zeroipc::micro {
namespace {

using item = std::uint64_t;
constexpr std::uint64_t capacity = 1024;

#if __has_include(<zeroipc/stack.hpp>)
struct ours {
    using stack_type = Stack<item>;
    Memory memory = nameless(bytes_for<stack_type>(capacity, sizeof(item)));
    stack_type stack{memory, "stack", capacity};

    bool push(item value) { return stack.try_push(value); }
    bool pop(item& value) { return stack.try_pop(value); }
};
#endif

#if defined(ZEROIPC_PEER_BOOST)
struct boost_fixed {
    boost::lockfree::stack<item, boost::lockfree::fixed_sized<true>> stack{capacity};

    bool push(item value) { return stack.push(value); }
    bool pop(item& value) { return stack.pop(value); }
};
#endif

#if defined(ZEROIPC_PEER_CDS)
/// Unbounded: each push allocates.
struct cds_treiber {
    bench::cds_session session;
    cds::container::TreiberStack<cds::gc::HP, item> stack;

    bool push(item value) { return stack.push(value); }
    bool pop(item& value) { return stack.pop(value); }
};
#endif

struct std_mutex {
    std::mutex mutex;
    std::vector<item> items;

    std_mutex() { items.reserve(capacity); }
    bool push(item value) {
        std::lock_guard const locked(mutex);
        if (items.size() == capacity) return false;
        items.push_back(value);
        return true;
    }
    bool pop(item& value) {
        std::lock_guard const locked(mutex);
        if (items.empty()) return false;
        value = items.back();
        items.pop_back();
        return true;
    }
};

template <class Peer>
void pair(benchmark::State& state) {
    Peer peer;
    item next = 0;
    for (auto _ : state) {
        item out = 0;
        ++next;
        if (!peer.push(next) || !peer.pop(out) || out != next) [[unlikely]] {
            fail(state, "a pop did not give what was pushed");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

}  // namespace

void register_stack() {
#if __has_include(<zeroipc/stack.hpp>)
    add("stack_pair/zeroipc", pair<ours>);
#endif
#if defined(ZEROIPC_PEER_BOOST)
    add("stack_pair/boost_fixed", pair<boost_fixed>);
#endif
#if defined(ZEROIPC_PEER_CDS)
    add("stack_pair/cds_treiber", pair<cds_treiber>);
#endif
    add("stack_pair/std_mutex", pair<std_mutex>);
}

}  // namespace zeroipc::micro
