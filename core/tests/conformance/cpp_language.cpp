// The library in C++, by the face of the conformance cases. Sizes of payloads are types here: those that the cases use.

#include <zeroipc/zeroipc.hpp>

#include <chrono>
#include <cstring>
#include <optional>
#include <span>

#include "conformance.hpp"
#include "payload.hpp"

namespace zeroipc::testing::conformance {

namespace {

template <class T>
T value_of(bytes const& data) {
    if (data.size() != sizeof(T))
        throw std::runtime_error("a payload of " + std::to_string(data.size()) + " bytes, not " +
                                 std::to_string(sizeof(T)));
    T value;
    std::memcpy(&value, data.data(), sizeof value);
    return value;
}
template <class T>
bytes bytes_of(T const& value) {
    return {reinterpret_cast<char const*>(&value), sizeof value};
}

std::string name_of(outcome of) {
    static char const* const names[] = {"inserted", "assigned", "present", "absent", "different", "full"};
    return names[static_cast<int>(of)];
}

template <std::size_t N>
class cpp_array final : public array {
    using T = payload<N>;

public:
    explicit cpp_array(Array<T> of) : of_(std::move(of)) {}
    number capacity() override { return of_.capacity(); }
    bytes read(number i) override { return bytes_of(of_.at(i)); }
    void write(number i, bytes const& item) override { of_.at(i) = value_of<T>(item); }
    bytes load(number i) override {
        return atomic(i, [&](auto& a) { return bytes_of(a.load(i)); });
    }
    void store(number i, bytes const& item) override {
        atomic(i, [&](auto& a) {
            a.store(i, value_of<T>(item));
            return bytes{};
        });
    }
    bytes exchange(number i, bytes const& item) override {
        return atomic(i, [&](auto& a) { return bytes_of(a.exchange(i, value_of<T>(item))); });
    }
    bool compare_exchange(number i, bytes& expected, bytes const& desired) override {
        bool done = false;
        expected = atomic(i, [&](auto& a) {
            auto found = value_of<T>(expected);
            done = a.compare_exchange(i, found, value_of<T>(desired));
            return bytes_of(found);
        });
        return done;
    }
    bytes fetch(std::string const& operation, number i, bytes const& item) override {
        return atomic(i, [&](auto& a) {
            auto const by = value_of<T>(item);
            if (operation == "fetch_add") return bytes_of(a.fetch_add(i, by));
            if (operation == "fetch_sub") return bytes_of(a.fetch_sub(i, by));
            if (operation == "fetch_and") return bytes_of(a.fetch_and(i, by));
            if (operation == "fetch_or") return bytes_of(a.fetch_or(i, by));
            return bytes_of(a.fetch_xor(i, by));
        });
    }

private:
    /// Atomic access is unchecked in C++, and there for numbers only; at() checks.
    template <class Access>
    bytes atomic(number i, Access const& access) {
        if constexpr (counting_element<T>) {
            static_cast<void>(of_.at(i));
            return access(of_);
        }
        throw error(errc::invalid_argument, "atomic access is for elements of 1, 2, 4 or 8 bytes");
    }
    Array<T> of_;
};

template <class Handle>
class cpp_items final : public items {
    using T = typename Handle::value_type;

public:
    explicit cpp_items(Handle of) : of_(std::move(of)) {}
    number capacity() override { return of_.capacity(); }
    number size() override { return of_.was_size(); }
    bool try_push(bytes const& item) override { return of_.try_push(value_of<T>(item)); }
    bool try_pop(bytes& item) override {
        T found{};
        return got(of_.try_pop(found), found, item);
    }
    bool try_peek(bytes& item) override {
        T found{};
        if constexpr (requires { of_.try_peek(found); }) return got(of_.try_peek(found), found, item);
        throw std::runtime_error("a queue has no peek");
    }
    std::size_t push_many(bytes const& all) override {
        std::vector<T> given(all.size() / sizeof(T));
        if (!all.empty()) std::memcpy(given.data(), all.data(), all.size());
        return of_.try_push_n(std::span<T const>(given));
    }
    bytes pop_many(std::size_t most) override {
        std::vector<T> taken(most);
        auto const count = of_.try_pop_n(std::span<T>(taken));
        return {reinterpret_cast<char const*>(taken.data()), count * sizeof(T)};
    }
    bool push(bytes const& item, int timeout_ms) override {
        return of_.push(value_of<T>(item), std::chrono::milliseconds(timeout_ms));
    }
    bool pop(bytes& item, int timeout_ms) override {
        T found{};
        return got(of_.pop(found, std::chrono::milliseconds(timeout_ms)), found, item);
    }

private:
    static bool got(bool done, T const& found, bytes& item) {
        if (done) item = bytes_of(found);
        return done;
    }
    Handle of_;
};

template <std::size_t K, std::size_t V>
class cpp_pairs final : public pairs {
    using key = std::conditional_t<K == 8, std::uint64_t, blob<K>>;
    using value = payload<V>;

public:
    using handle = Map<key, value>;
    explicit cpp_pairs(handle of) : of_(std::move(of)) {}
    number capacity() override { return of_.capacity(); }
    number size() override { return of_.was_size(); }
    bool find(bytes const& k, bytes& v) override { return got(of_.find(value_of<key>(k)), v); }
    bool wait(bytes const& k, bytes& v, int timeout_ms) override {
        return got(of_.find(value_of<key>(k), std::chrono::milliseconds(timeout_ms)), v);
    }
    std::string insert(bytes const& k, bytes const& v) override {
        return name_of(of_.insert(value_of<key>(k), value_of<value>(v)));
    }
    std::string assign(bytes const& k, bytes const& v) override {
        return name_of(of_.insert_or_assign(value_of<key>(k), value_of<value>(v)));
    }
    std::string compare_exchange(bytes const& k, bytes& expected, bytes const& desired) override {
        auto found = value_of<value>(expected);
        auto const result = of_.compare_exchange(value_of<key>(k), found, value_of<value>(desired));
        expected = bytes_of(found);
        return name_of(result);
    }
    std::string update(bytes const& k, std::function<void(bytes&)> const& change) override {
        return name_of(of_.update(value_of<key>(k), [&](value const& old) {
            auto now = bytes_of(old);
            change(now);
            return value_of<value>(now);
        }));
    }
    bool erase(bytes const& k) override { return of_.erase(value_of<key>(k)); }
    std::vector<std::pair<bytes, bytes>> all() override {
        std::vector<std::pair<bytes, bytes>> found;
        for (auto const& [k, v] : of_) found.emplace_back(bytes_of(k), bytes_of(v));
        return found;
    }

private:
    static bool got(std::optional<value> const& found, bytes& v) {
        if (found) v = bytes_of(*found);
        return found.has_value();
    }
    handle of_;
};

/// What is done for each type that stands for a structure: made, opened, repaired.
struct maker {
    std::function<std::unique_ptr<opened>(Memory&, shape const&)> create;
    std::function<std::unique_ptr<opened>(Memory&, shape const&)> open;
    std::function<number(Memory&, shape const&)> repair;
};
using sizes = std::pair<std::size_t, std::size_t>;  // of key and item
using makers = std::map<std::pair<std::string, sizes>, maker>;

template <std::size_t N>
void add_sizes(makers& all) {
    using A = Array<payload<N>>;
    using Q = Queue<payload<N>>;
    using S = Stack<payload<N>>;
    all[{"array", {0, N}}] = {
        [](Memory& m, shape const& s) { return std::make_unique<cpp_array<N>>(A(m, s.name, s.capacity)); },
        [](Memory& m, shape const& s) { return std::make_unique<cpp_array<N>>(A(m, s.name)); },
        [](Memory&, shape const&) -> number { throw std::runtime_error("arrays need no repair"); }};
    all[{"queue", {0, N}}] = {
        [](Memory& m, shape const& s) {
            return std::make_unique<cpp_items<Q>>(Q(m, s.name, s.capacity, {s.handle_slots}));
        },
        [](Memory& m, shape const& s) { return std::make_unique<cpp_items<Q>>(Q(m, s.name)); },
        [](Memory& m, shape const& s) { return Q::repair(m, s.name).reclaimed; }};
    all[{"stack", {0, N}}] = {
        [](Memory& m, shape const& s) {
            return std::make_unique<cpp_items<S>>(S(m, s.name, s.capacity, {s.handle_slots}));
        },
        [](Memory& m, shape const& s) { return std::make_unique<cpp_items<S>>(S(m, s.name)); },
        [](Memory& m, shape const& s) { return S::repair(m, s.name).reclaimed; }};
}

template <std::size_t K, std::size_t V>
void add_map(makers& all) {
    using P = cpp_pairs<K, V>;
    using M = typename P::handle;
    all[{"map", {K, V}}] = {[](Memory& m, shape const& s) {
                                return std::make_unique<P>(M(
                                    m, s.name, s.capacity, {.handle_slots = s.handle_slots, .seed = s.seed}));
                            },
                            [](Memory& m, shape const& s) { return std::make_unique<P>(M(m, s.name)); },
                            [](Memory& m, shape const& s) { return M::repair(m, s.name).reclaimed; }};
}

maker const& maker_of(shape const& s) {
    static makers const all = [] {
        makers made;
        add_sizes<1>(made);
        add_sizes<4>(made);
        add_sizes<8>(made);
        add_sizes<13>(made);
        add_sizes<24>(made);
        add_map<8, 8>(made);
        add_map<8, 24>(made);
        add_map<5, 13>(made);
        return made;
    }();
    auto const found = all.find({s.kind, {s.key_bytes, s.item_bytes}});
    if (found == all.end())
        throw std::runtime_error("no type here is a " + s.kind + " of items of " +
                                 std::to_string(s.item_bytes) + " and keys of " +
                                 std::to_string(s.key_bytes) + " bytes; add it to maker_of");
    return found->second;
}

class cpp_segment final : public segment {
public:
    explicit cpp_segment(Memory of) : of_(std::move(of)) {}
    number size() override { return of_.bytes(); }
    std::uint32_t max_entries() override { return of_.max_entries(); }
    number free_bytes() override { return of_.free_bytes(); }
    std::vector<entry> entries() override {
        std::vector<entry> all;
        for (auto const& one : of_.entries()) all.push_back({one.name, one.offset, one.size});
        return all;
    }
    entry find(std::string const& name) override {
        auto const one = of_.find(name);
        if (!one) throw error(errc::not_found, name);
        return {one->name, one->offset, one->size};
    }
    std::unique_ptr<opened> create(shape const& s) override { return maker_of(s).create(of_, s); }
    std::unique_ptr<opened> open(shape const& s) override { return maker_of(s).open(of_, s); }
    number repair(shape const& s) override { return maker_of(s).repair(of_, s); }

private:
    Memory of_;
};

}  // namespace

std::unique_ptr<segment> language::create(std::string const& name, number size, std::uint32_t max_entries) {
    return std::make_unique<cpp_segment>(Memory::create(name, size, {.max_entries = max_entries}));
}
std::unique_ptr<segment> language::open(std::string const& name) {
    return std::make_unique<cpp_segment>(Memory::open(name));
}
std::unique_ptr<segment> language::open_or_create(std::string const& name, number size,
                                                  std::uint32_t max_entries) {
    return std::make_unique<cpp_segment>(Memory::open_or_create(name, size, {.max_entries = max_entries}));
}
void language::remove(std::string const& name) {
    if (!Memory::unlink(name)) throw error(errc::not_found, name);
}

number language::hash(std::vector<number> const& key, number seed) {
    // Word after word, as the hash of an array of them all.
    for (auto const word : key) seed = zeroipc::hash(std::array{word}, seed);
    return seed;
}

std::string language::cause_of(std::exception const& e) {
    auto const* const ours = dynamic_cast<error const*>(&e);
    return ours == nullptr ? "" : cause_name(static_cast<int>(ours->cause()));
}

}  // namespace zeroipc::testing::conformance
