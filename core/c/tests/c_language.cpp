// The library in C, by the face of the conformance cases.

#include <cstring>

#include "conformance.hpp"
#include "hash.h"
#include "zeroipc_c_handles.hpp"

namespace zeroipc::testing::conformance {

namespace {

using c::owned;

/// A negative result.
struct failed : std::runtime_error {
    explicit failed(zeroipc_result of)
        : std::runtime_error(std::string(zeroipc_message(of)) + ": " + zeroipc_detail()), result(of) {}
    zeroipc_result result;
};

/// \return whether it was done. \throw failed for everything that is neither done nor the answer `no`
bool done(zeroipc_result result, zeroipc_result no = ZEROIPC_OK) {
    if (result == ZEROIPC_OK) return true;
    if (result != no) throw failed(result);
    return false;
}

std::int64_t ns_of(int ms) { return std::int64_t{ms} * 1000000; }

/// Bytes for the library to read, as many as it will.
char const* given(bytes const& data, std::size_t size) {
    if (data.size() != size)
        throw std::runtime_error("a payload of " + std::to_string(data.size()) + " bytes, not " +
                                 std::to_string(size));
    return data.data();
}

class c_array final : public array {
public:
    c_array(owned<zeroipc_array> of, std::size_t size) : of_(std::move(of)), size_(size) {}
    number capacity() override { return zeroipc_array_capacity(of_.get()); }
    bytes read(number i) override {
        void* at = nullptr;
        done(zeroipc_array_at(of_.get(), i, &at));
        return {static_cast<char const*>(at), size_};
    }
    void write(number i, bytes const& item) override {
        void* at = nullptr;
        done(zeroipc_array_at(of_.get(), i, &at));
        std::memcpy(at, given(item, size_), size_);
    }
    bytes load(number i) override {
        bytes item(size_, '\0');
        done(zeroipc_array_load(of_.get(), i, item.data()));
        return item;
    }
    void store(number i, bytes const& item) override {
        done(zeroipc_array_store(of_.get(), i, given(item, size_)));
    }
    bytes exchange(number i, bytes const& item) override {
        bytes before(size_, '\0');
        done(zeroipc_array_exchange(of_.get(), i, given(item, size_), before.data()));
        return before;
    }
    bool compare_exchange(number i, bytes& expected, bytes const& desired) override {
        given(expected, size_);
        return done(zeroipc_array_compare_exchange(of_.get(), i, expected.data(), given(desired, size_)),
                    ZEROIPC_DIFFERENT);
    }
    bytes fetch(std::string const& operation, number i, bytes const& item) override {
        static std::map<std::string, decltype(&zeroipc_array_fetch_add)> const all{
            {"fetch_add", zeroipc_array_fetch_add},
            {"fetch_sub", zeroipc_array_fetch_sub},
            {"fetch_and", zeroipc_array_fetch_and},
            {"fetch_or", zeroipc_array_fetch_or},
            {"fetch_xor", zeroipc_array_fetch_xor}};
        bytes before(size_, '\0');
        done(all.at(operation)(of_.get(), i, given(item, size_), before.data()));
        return before;
    }

private:
    owned<zeroipc_array> of_;
    std::size_t size_;
};

/// The calls of one kind of container.
template <class Handle>
struct calls;
template <>
struct calls<zeroipc_queue> {
    static constexpr auto capacity = zeroipc_queue_capacity;
    static constexpr auto was_size = zeroipc_queue_was_size;
    static constexpr auto try_push = zeroipc_queue_try_push;
    static constexpr auto try_pop = zeroipc_queue_try_pop;
    static constexpr auto push_n = zeroipc_queue_try_push_n;
    static constexpr auto pop_n = zeroipc_queue_try_pop_n;
    static constexpr auto push = zeroipc_queue_push;
    static constexpr auto pop = zeroipc_queue_pop;
    static constexpr auto create = zeroipc_queue_create;
    static constexpr auto open = zeroipc_queue_open;
};
template <>
struct calls<zeroipc_stack> {
    static constexpr auto capacity = zeroipc_stack_capacity;
    static constexpr auto was_size = zeroipc_stack_was_size;
    static constexpr auto try_push = zeroipc_stack_try_push;
    static constexpr auto try_pop = zeroipc_stack_try_pop;
    static constexpr auto push_n = zeroipc_stack_try_push_n;
    static constexpr auto pop_n = zeroipc_stack_try_pop_n;
    static constexpr auto push = zeroipc_stack_push;
    static constexpr auto pop = zeroipc_stack_pop;
    static constexpr auto create = zeroipc_stack_create;
    static constexpr auto open = zeroipc_stack_open;
    static constexpr auto peek = zeroipc_stack_try_peek;
};

template <class Handle>
class c_items final : public items {
    using call = calls<Handle>;

public:
    c_items(owned<Handle> of, std::size_t size) : of_(std::move(of)), size_(size) {}
    number capacity() override { return call::capacity(of_.get()); }
    number size() override {
        number found = 0;
        done(call::was_size(of_.get(), &found));
        return found;
    }
    bool try_push(bytes const& item) override {
        return done(call::try_push(of_.get(), given(item, size_)), ZEROIPC_FULL);
    }
    bool try_pop(bytes& item) override {
        item.resize(size_);
        return done(call::try_pop(of_.get(), item.data()), ZEROIPC_EMPTY);
    }
    bool try_peek(bytes& item) override {
        item.resize(size_);
        if constexpr (requires { call::peek; })
            return done(call::peek(of_.get(), item.data()), ZEROIPC_EMPTY);
        throw std::runtime_error("a queue has no peek");
    }
    std::size_t push_many(bytes const& all) override {
        std::size_t count = 0;
        done(call::push_n(of_.get(), all.data(), all.size() / size_, &count), ZEROIPC_FULL);
        return count;
    }
    bytes pop_many(std::size_t most) override {
        bytes all(most * size_, '\0');
        std::size_t count = 0;
        done(call::pop_n(of_.get(), all.data(), most, &count), ZEROIPC_EMPTY);
        return all.substr(0, count * size_);
    }
    bool push(bytes const& item, int timeout_ms) override {
        return done(call::push(of_.get(), given(item, size_), ns_of(timeout_ms)), ZEROIPC_TIMEOUT);
    }
    bool pop(bytes& item, int timeout_ms) override {
        item.resize(size_);
        return done(call::pop(of_.get(), item.data(), ns_of(timeout_ms)), ZEROIPC_TIMEOUT);
    }

private:
    owned<Handle> of_;
    std::size_t size_;
};

class c_pairs final : public pairs {
public:
    c_pairs(owned<zeroipc_map> of, shape const& s)
        : of_(std::move(of)), key_bytes_(s.key_bytes), item_bytes_(s.item_bytes) {}
    number capacity() override { return zeroipc_map_capacity(of_.get()); }
    number size() override {
        number found = 0;
        done(zeroipc_map_was_size(of_.get(), &found));
        return found;
    }
    bool find(bytes const& key, bytes& value) override {
        value.resize(item_bytes_);
        return done(zeroipc_map_find(of_.get(), given(key, key_bytes_), value.data()), ZEROIPC_ABSENT);
    }
    bool wait(bytes const& key, bytes& value, int timeout_ms) override {
        value.resize(item_bytes_);
        return done(zeroipc_map_wait(of_.get(), given(key, key_bytes_), value.data(), ns_of(timeout_ms)),
                    ZEROIPC_TIMEOUT);
    }
    std::string insert(bytes const& key, bytes const& value) override {
        return outcome_of(zeroipc_map_insert(of_.get(), given(key, key_bytes_), given(value, item_bytes_)),
                          "inserted");
    }
    std::string assign(bytes const& key, bytes const& value) override {
        return outcome_of(
            zeroipc_map_insert_or_assign(of_.get(), given(key, key_bytes_), given(value, item_bytes_)),
            "inserted");
    }
    std::string compare_exchange(bytes const& key, bytes& expected, bytes const& desired) override {
        given(expected, item_bytes_);
        return outcome_of(zeroipc_map_compare_exchange(of_.get(), given(key, key_bytes_), expected.data(),
                                                       given(desired, item_bytes_)),
                          "assigned");
    }
    std::string update(bytes const& key, std::function<void(bytes&)> const& change) override {
        struct {
            std::function<void(bytes&)> const& change;
            std::size_t size;
        } context{change, item_bytes_};
        return outcome_of(zeroipc_map_update(
                              of_.get(), given(key, key_bytes_),
                              [](void* of, void* value) {
                                  auto const& it = *static_cast<decltype(context)*>(of);
                                  bytes now(static_cast<char const*>(value), it.size);
                                  it.change(now);
                                  std::memcpy(value, now.data(), it.size);
                              },
                              &context),
                          "assigned");
    }
    bool erase(bytes const& key) override {
        return done(zeroipc_map_erase(of_.get(), given(key, key_bytes_)), ZEROIPC_ABSENT);
    }
    std::vector<std::pair<bytes, bytes>> all() override {
        struct {
            std::vector<std::pair<bytes, bytes>> found;
            std::size_t key_bytes;
            std::size_t item_bytes;
        } context{{}, key_bytes_, item_bytes_};
        done(zeroipc_map_for_each(
            of_.get(),
            [](void* of, void const* key, void const* value) {
                auto& it = *static_cast<decltype(context)*>(of);
                it.found.emplace_back(bytes(static_cast<char const*>(key), it.key_bytes),
                                      bytes(static_cast<char const*>(value), it.item_bytes));
                return 0;
            },
            &context));
        return context.found;
    }

private:
    static std::string outcome_of(zeroipc_result result, char const* ok) {
        switch (result) {
            case ZEROIPC_OK:
                return ok;
            case ZEROIPC_FULL:
                return "full";
            case ZEROIPC_ABSENT:
                return "absent";
            case ZEROIPC_PRESENT:
                return "present";
            case ZEROIPC_ASSIGNED:
                return "assigned";
            case ZEROIPC_DIFFERENT:
                return "different";
            default:
                throw failed(result);
        }
    }
    owned<zeroipc_map> of_;
    std::size_t key_bytes_;
    std::size_t item_bytes_;
};

/// What a call gives that hands out a handle through its last argument.
template <class T, class Call, class... Args>
owned<T> got(Call&& call, Args&&... args) {
    T* one = nullptr;
    done(call(std::forward<Args>(args)..., &one));
    return owned<T>(one);
}

class c_segment final : public segment {
public:
    explicit c_segment(owned<zeroipc_memory> of) : of_(std::move(of)) {}
    number size() override { return zeroipc_memory_bytes(of_.get()); }
    std::uint32_t max_entries() override { return zeroipc_memory_max_entries(of_.get()); }
    number free_bytes() override {
        number found = 0;
        done(zeroipc_memory_free_bytes(of_.get(), &found));
        return found;
    }
    std::vector<entry> entries() override {
        std::uint32_t count = 0;
        done(zeroipc_memory_count(of_.get(), &count));
        std::vector<entry> all;
        for (std::uint32_t i = 0; i < count; ++i) {
            zeroipc_entry one{};
            done(zeroipc_memory_entry(of_.get(), i, &one));
            all.push_back({one.name, one.offset, one.size});
        }
        return all;
    }
    entry find(std::string const& name) override {
        zeroipc_entry one{};
        done(zeroipc_memory_find(of_.get(), name.c_str(), &one));
        return {one.name, one.offset, one.size};
    }
    std::unique_ptr<opened> create(shape const& s) override {
        auto* const m = of_.get();
        auto const* const name = s.name.c_str();
        if (s.kind == "array")
            return std::make_unique<c_array>(
                got<zeroipc_array>(zeroipc_array_create, m, name, s.capacity, s.item_bytes), s.item_bytes);
        if (s.kind == "queue") return create_items<zeroipc_queue>(s);
        if (s.kind == "stack") return create_items<zeroipc_stack>(s);
        if (s.kind != "map") throw std::runtime_error("there is no kind '" + s.kind + "'");
        zeroipc_map_options const options{s.handle_slots, 1, s.seed};
        return std::make_unique<c_pairs>(
            got<zeroipc_map>(zeroipc_map_create, m, name, s.capacity, s.key_bytes, s.item_bytes, &options),
            s);
    }
    std::unique_ptr<opened> open(shape const& s) override {
        auto* const m = of_.get();
        auto const* const name = s.name.c_str();
        if (s.kind == "array")
            return std::make_unique<c_array>(got<zeroipc_array>(zeroipc_array_open, m, name, s.item_bytes),
                                             s.item_bytes);
        if (s.kind == "queue") return open_items<zeroipc_queue>(s);
        if (s.kind == "stack") return open_items<zeroipc_stack>(s);
        if (s.kind != "map") throw std::runtime_error("there is no kind '" + s.kind + "'");
        return std::make_unique<c_pairs>(
            got<zeroipc_map>(zeroipc_map_open, m, name, s.key_bytes, s.item_bytes), s);
    }
    number repair(shape const& s) override {
        number reclaimed = 0;
        auto* const m = of_.get();
        auto const* const name = s.name.c_str();
        if (s.kind == "queue")
            done(zeroipc_queue_repair(m, name, s.item_bytes, &reclaimed));
        else if (s.kind == "stack")
            done(zeroipc_stack_repair(m, name, s.item_bytes, &reclaimed));
        else if (s.kind == "map")
            done(zeroipc_map_repair(m, name, s.key_bytes, s.item_bytes, &reclaimed));
        else
            throw std::runtime_error("a structure of kind '" + s.kind + "' needs no repair");
        return reclaimed;
    }

private:
    template <class Handle>
    std::unique_ptr<opened> create_items(shape const& s) {
        return std::make_unique<c_items<Handle>>(got<Handle>(calls<Handle>::create, of_.get(), s.name.c_str(),
                                                             s.capacity, s.item_bytes, s.handle_slots),
                                                 s.item_bytes);
    }
    template <class Handle>
    std::unique_ptr<opened> open_items(shape const& s) {
        return std::make_unique<c_items<Handle>>(
            got<Handle>(calls<Handle>::open, of_.get(), s.name.c_str(), s.item_bytes), s.item_bytes);
    }
    owned<zeroipc_memory> of_;
};

}  // namespace

std::unique_ptr<segment> language::create(std::string const& name, number size, std::uint32_t max_entries) {
    zeroipc_memory_options options{};
    options.max_entries = max_entries;
    return std::make_unique<c_segment>(
        got<zeroipc_memory>(zeroipc_memory_create, name.c_str(), size, &options));
}
std::unique_ptr<segment> language::open(std::string const& name) {
    return std::make_unique<c_segment>(got<zeroipc_memory>(zeroipc_memory_open, name.c_str(), nullptr));
}
std::unique_ptr<segment> language::open_or_create(std::string const& name, number size,
                                                  std::uint32_t max_entries) {
    zeroipc_memory_options options{};
    options.max_entries = max_entries;
    return std::make_unique<c_segment>(
        got<zeroipc_memory>(zeroipc_memory_open_or_create, name.c_str(), size, &options));
}
void language::remove(std::string const& name) { done(zeroipc_memory_remove(name.c_str())); }

number language::hash(std::vector<number> const& key, number seed) {
    return zeroipc_hash(key.data(), key.size(), seed);
}

std::string language::cause_of(std::exception const& error) {
    auto const* const ours = dynamic_cast<failed const*>(&error);
    return ours == nullptr ? "" : cause_name(-ours->result);
}

}  // namespace zeroipc::testing::conformance
