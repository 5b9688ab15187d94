/// \file
/// The variants of one kind of structure (ZEROIPC_STRUCTURE is queue, stack or map), as the conformance suite sees them.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "subject.hpp"

namespace zeroipc::testing::conformance {

namespace {

/// N bytes, all of which depend on the item's number. Of 8 bytes or more the first 8 are the number itself.
template <std::size_t N>
struct pattern {
    unsigned char bytes[N];

    static pattern of(std::uint64_t item) {
        pattern p;
        for (std::size_t at = 0; at < N; ++at)
            p.bytes[at] = static_cast<unsigned char>((item + at) * 0x9e3779b97f4a7c15U >> 56);
        if constexpr (N >= 8) std::memcpy(p.bytes, &item, 8);
        return p;
    }
    [[nodiscard]] bool is(std::uint64_t item) const {
        pattern const expected = of(item);
        return std::memcmp(bytes, expected.bytes, N) == 0;
    }
    [[nodiscard]] std::uint64_t item(std::uint64_t expected) const {
        std::uint64_t number = expected;
        if constexpr (N >= 8) std::memcpy(&number, bytes, 8);
        return number;
    }
};

/// What a variable holds before an item is taken into it.
constexpr std::uint64_t untouched = 77;

template <std::size_t N>
taken judged(bool took, pattern<N> const& out, std::uint64_t expected, std::uint64_t& item) {
    if (!took) return out.is(untouched) ? taken::nothing : taken::torn;
    item = out.item(expected);
    return out.is(item) ? taken::item : taken::torn;
}

/// The operations of queues and stacks.
template <class Variant, std::size_t N>
struct container_calls {
    using item_type = pattern<N>;
    using type = typename Variant::template type<item_type>;

    static type make(Memory& memory, std::uint64_t capacity, std::string_view name) {
        return type(memory, name, capacity, {8});
    }
    static bool put(type& s, std::uint64_t item) { return s.try_push(item_type::of(item)); }
    static taken take(type& s, std::uint64_t expected, std::uint64_t& item) {
        auto out = item_type::of(untouched);
        bool const took = s.try_pop(out);
        return judged(took, out, expected, item);
    }
    static bool put_within(type& s, std::uint64_t item, std::chrono::milliseconds limit) {
        return s.push(item_type::of(item), limit);
    }
    static taken take_within(type& s, std::uint64_t expected, std::uint64_t& item,
                             std::chrono::milliseconds limit) {
        auto out = item_type::of(untouched);
        bool const took = s.pop(out, limit);
        return judged(took, out, expected, item);
    }
    static std::size_t put_n(type& s, std::span<std::uint64_t const> all) {
        std::vector<item_type> in;
        for (auto const one : all) in.push_back(item_type::of(one));
        return s.try_push_n(in);
    }
    static std::optional<std::vector<std::uint64_t>> take_n(type& s, std::size_t most) {
        std::vector<item_type> out(most, item_type::of(untouched));
        auto const got = s.try_pop_n(out);
        std::vector<std::uint64_t> all;
        for (std::size_t n = 0; n < out.size(); ++n) {
            auto const item = n < got ? out[n].item(0) : untouched;
            if (!out[n].is(item)) return std::nullopt;
            if (n < got) all.push_back(item);
        }
        return all;
    }
};

/// The map's: items are keys, and a value belongs to each.
template <class Variant, std::size_t N>
struct map_calls {
    using item_type = pattern<N>;
    using type = typename Variant::template type<std::uint64_t, item_type>;

    static type make(Memory& memory, std::uint64_t capacity, std::string_view name) {
        return type(memory, name, capacity, {8, 1});
    }
    static bool put(type& s, std::uint64_t item) {
        return s.insert(item, item_type::of(item)) == outcome::inserted;
    }
    static taken take(type& s, std::uint64_t expected, std::uint64_t& item) {
        auto out = item_type::of(untouched);
        bool const found = s.find(expected, out);
        auto const is = judged(found, out, expected, item);
        return is == taken::item && !s.erase(expected) ? taken::nothing : is;
    }
    static bool put_within(type& s, std::uint64_t item, std::chrono::milliseconds /*limit*/) {
        return put(s, item);
    }
    static taken take_within(type& s, std::uint64_t expected, std::uint64_t& item,
                             std::chrono::milliseconds limit) {
        return s.find(expected, limit).has_value() ? take(s, expected, item) : taken::nothing;
    }
    static std::size_t put_n(type& /*s*/, std::span<std::uint64_t const> /*all*/) {
        throw std::logic_error("maps have no batches");
    }
    static std::optional<std::vector<std::uint64_t>> take_n(type& /*s*/, std::size_t /*most*/) {
        throw std::logic_error("maps have no batches");
    }
};

template <class Calls, class Base = items>
class held_items : public Base {
public:
    explicit held_items(typename Calls::type s) : s_(std::move(s)) {}
    bool put(std::uint64_t item) override { return Calls::put(s_, item); }
    taken take(std::uint64_t expected, std::uint64_t& item) override {
        return Calls::take(s_, expected, item);
    }

protected:
    typename Calls::type s_;
};

template <class Calls>
class held_subject : public held_items<Calls, subject> {
    using base = held_items<Calls, subject>;
    using base::s_;

public:
    using base::base;
    bool put_within(std::uint64_t item, std::chrono::milliseconds limit) override {
        return Calls::put_within(s_, item, limit);
    }
    taken take_within(std::uint64_t expected, std::uint64_t& item, std::chrono::milliseconds limit) override {
        return Calls::take_within(s_, expected, item, limit);
    }
    std::size_t put_n(std::span<std::uint64_t const> all) override { return Calls::put_n(s_, all); }
    std::optional<std::vector<std::uint64_t>> take_n(std::size_t most) override {
        return Calls::take_n(s_, most);
    }
    std::uint64_t was_size() const override { return s_.was_size(); }
    bool was_empty() const override { return s_.was_empty(); }
    std::uint64_t capacity() const override { return s_.capacity(); }
};

template <class Calls, class Held, class Interface>
std::unique_ptr<Interface> made(Memory& memory, std::uint64_t capacity, std::string_view name) {
    return std::make_unique<Held>(Calls::make(memory, capacity, name));
}
template <class Calls, class Held, class Interface>
std::unique_ptr<Interface> opened(Memory& memory, std::string_view name) {
    return std::make_unique<Held>(typename Calls::type(memory, name));
}

// --- this program's kind ---

namespace queue {
[[maybe_unused]] constexpr kind is{"queue", true, false, false, true};
using catalogue = variants::queue_catalogue;
template <class Variant, std::size_t N>
using calls = container_calls<Variant, N>;
}  // namespace queue

namespace stack {
[[maybe_unused]] constexpr kind is{"stack", false, true, false, true};
using catalogue = variants::stack_catalogue;
template <class Variant, std::size_t N>
using calls = container_calls<Variant, N>;
}  // namespace stack

namespace map {
// A map may take a few more than its capacity.
[[maybe_unused]] constexpr kind is{"map", false, false, true, false};
using catalogue = variants::map_catalogue;
template <class Variant, std::size_t N>
using calls = map_calls<Variant, N>;
}  // namespace map

namespace mine = ZEROIPC_STRUCTURE;

/// Whether no variant before this one has the same algorithm and layout: more sizes are tried on one of them.
template <class Variant>
consteval bool first_of_its_bytes() {
    bool first = true;
    bool seen = false;
    variants::for_each_variant<mine::catalogue>([&]<class Other>() {
        seen = seen || std::is_same_v<Variant, Other>;
        if (!seen && std::is_same_v<typename Other::algorithm, typename Variant::algorithm> &&
            std::is_same_v<typename Other::policies::layout, typename Variant::policies::layout>)
            first = false;
    });
    return first;
}

template <class Variant, std::size_t... N>
void add_sizes(std::vector<variant::size>& sizes) {
    (sizes.push_back({N, &made<mine::calls<Variant, N>, held_items<mine::calls<Variant, N>>, items>,
                      &opened<mine::calls<Variant, N>, held_items<mine::calls<Variant, N>>, items>}),
     ...);
}

template <class Variant>
variant described() {
    using calls = mine::calls<Variant, 8>;
    variant v;
    v.name = Variant::name();
    v.kill_safe = Variant::kill_safe;
    v.uses_kernel_locks = Variant::uses_kernel_locks;
    v.unsafe = Variant::unsafe;
    v.many_producers = Variant::max_producers > 1;
    v.many_consumers = Variant::max_consumers > 1;
    v.min_capacity = Variant::algorithm::min_capacity;
    v.algorithm_id = Variant::algorithm::id;
    v.layout_id = Variant::policies::layout::id;
    v.make = &made<calls, held_subject<calls>, subject>;
    v.open = &opened<calls, held_subject<calls>, subject>;
    add_sizes<Variant, 3>(v.sizes);
    if constexpr (first_of_its_bytes<Variant>()) add_sizes<Variant, 1, 12, 4096>(v.sizes);
    if constexpr (std::is_same_v<Variant, std::tuple_element_t<0, mine::catalogue>>)
        add_sizes<Variant, 4, 8, 64, 100>(v.sizes);
    return v;
}

}  // namespace

kind the_kind() { return mine::is; }

std::vector<variant> const& the_variants() {
    static auto const all = [] {
        std::vector<variant> list;
        variants::for_each_variant<mine::catalogue>(
            [&]<class Variant>() { list.push_back(described<Variant>()); });
        return list;
    }();
    return all;
}

}  // namespace zeroipc::testing::conformance
