// Workers that use the C library. Compiled as C++, for the loops are the harness's; every operation is a call of C.

#include <zeroipc.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "parts.hpp"

namespace zeroipc::bench {

namespace {

using Item = Payload<8>;

/// \throws std::runtime_error on an error; \return whether the result is `wanted`.
bool is(zeroipc_result result, zeroipc_result wanted) {
    if (result < 0) [[unlikely]]
        throw std::runtime_error(std::string(zeroipc_message(result)) + ": " + zeroipc_detail());
    return result == wanted;
}

struct Close {
    void operator()(zeroipc_memory* one) const { zeroipc_memory_close(one); }
    void operator()(zeroipc_queue* one) const { zeroipc_queue_close(one); }
    void operator()(zeroipc_stack* one) const { zeroipc_stack_close(one); }
    void operator()(zeroipc_map* one) const { zeroipc_map_close(one); }
};
template <class Handle>
using Owned = std::unique_ptr<Handle, Close>;

/// What a call gives that hands out a handle through its last argument.
template <class Handle, class Call, class... Arguments>
Owned<Handle> opened(Call call, Arguments... arguments) {
    Handle* handle = nullptr;
    is(call(arguments..., &handle), ZEROIPC_OK);
    return Owned<Handle>(handle);
}

/// The segment by the C library's own mapping of it, with its pages in place.
Owned<zeroipc_memory> mapped(Memory const& memory) {
    auto segment = opened<zeroipc_memory>(zeroipc_memory_open, memory.name().c_str(), nullptr);
    prefault(zeroipc_memory_base(segment.get()), zeroipc_memory_bytes(segment.get()));
    return segment;
}

class CQueue {
public:
    CQueue(Memory const& memory, char const* name)
        : segment_(mapped(memory)),
          queue_(opened<zeroipc_queue>(zeroipc_queue_open, segment_.get(), name, sizeof(Item))) {}
    bool try_push(Item const& item) { return is(zeroipc_queue_try_push(queue_.get(), &item), ZEROIPC_OK); }
    bool try_pop(Item& item) { return is(zeroipc_queue_try_pop(queue_.get(), &item), ZEROIPC_OK); }
    std::size_t try_push_n(std::span<Item const> items) {
        std::size_t done = 0;
        is(zeroipc_queue_try_push_n(queue_.get(), items.data(), items.size(), &done), ZEROIPC_OK);
        return done;
    }
    std::size_t try_pop_n(std::span<Item> items) {
        std::size_t done = 0;
        is(zeroipc_queue_try_pop_n(queue_.get(), items.data(), items.size(), &done), ZEROIPC_OK);
        return done;
    }

private:
    Owned<zeroipc_memory> segment_;
    Owned<zeroipc_queue> queue_;
};

class CStack {
public:
    CStack(Memory const& memory, char const* name)
        : segment_(mapped(memory)),
          stack_(opened<zeroipc_stack>(zeroipc_stack_open, segment_.get(), name, sizeof(Item))) {}
    bool try_push(Item const& item) { return is(zeroipc_stack_try_push(stack_.get(), &item), ZEROIPC_OK); }
    bool try_pop(Item& item) { return is(zeroipc_stack_try_pop(stack_.get(), &item), ZEROIPC_OK); }

private:
    Owned<zeroipc_memory> segment_;
    Owned<zeroipc_stack> stack_;
};

class CMap {
public:
    CMap(Memory const& memory, char const* name)
        : segment_(mapped(memory)),
          map_(opened<zeroipc_map>(zeroipc_map_open, segment_.get(), name, sizeof(std::uint64_t),
                                   sizeof(Item))) {}
    bool find(std::uint64_t key, Item& value) {
        return is(zeroipc_map_find(map_.get(), &key, &value), ZEROIPC_OK);
    }
    outcome insert(std::uint64_t key, Item const& value) {
        return outcome_of(zeroipc_map_insert(map_.get(), &key, &value));
    }
    outcome insert_or_assign(std::uint64_t key, Item const& value) {
        return outcome_of(zeroipc_map_insert_or_assign(map_.get(), &key, &value));
    }
    template <class Change>
    outcome update(std::uint64_t key, Change change) {
        auto const in_place = [](void* context, void* value) {
            auto& item = *static_cast<Item*>(value);
            item = (*static_cast<Change*>(context))(item);
        };
        auto const result = zeroipc_map_update(map_.get(), &key, in_place, &change);
        return is(result, ZEROIPC_OK) ? outcome::assigned : outcome_of(result);
    }
    bool erase(std::uint64_t key) { return is(zeroipc_map_erase(map_.get(), &key), ZEROIPC_OK); }
    template <class Visit>
    void for_each(Visit visit) {
        auto const each = [](void* context, void const* key, void const* value) {
            (*static_cast<Visit*>(context))(*static_cast<std::uint64_t const*>(key),
                                            *static_cast<Item const*>(value));
            return 0;
        };
        is(zeroipc_map_for_each(map_.get(), each, &visit), ZEROIPC_OK);
    }

private:
    static outcome outcome_of(zeroipc_result result) {
        if (is(result, ZEROIPC_OK)) return outcome::inserted;
        switch (result) {
            case ZEROIPC_ASSIGNED:
                return outcome::assigned;
            case ZEROIPC_PRESENT:
                return outcome::present;
            case ZEROIPC_ABSENT:
                return outcome::absent;
            default:
                return outcome::full;
        }
    }

    Owned<zeroipc_memory> segment_;
    Owned<zeroipc_map> map_;
};

}  // namespace

void work_in_c(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
    work_by_handles<CQueue, CStack, CMap>(bench, memory, stages, worker);
}

}  // namespace zeroipc::bench
