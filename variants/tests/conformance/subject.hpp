#pragma once
/// \file
/// What the conformance suite needs to know of each kind of structure. An item is a number; what is stored is a pattern
/// of bytes made from it.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iterator>
#include <string_view>

namespace zeroipc::testing::conformance {

using namespace std::chrono_literals;

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
    [[nodiscard]] std::uint64_t item() const requires(N >= 8) {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes, 8);
        return number;
    }
    [[nodiscard]] bool whole() const requires(N >= 8) { return is(item()); }
};

/// Queue and stack: what goes in comes out, in an order.
template <bool FirstInFirstOut>
struct line_of_items {
    static constexpr bool ordered = FirstInFirstOut;
    static constexpr bool keyed = false;
    static constexpr bool exact_full = true;  ///< holds as many as its capacity, and no more

    template <class Variant, std::size_t N>
    using type = typename Variant::template type<pattern<N>>;

    template <class S>
    static bool put(S& s, std::uint64_t item) {
        return s.try_push(S::value_type::of(item));
    }
    /// Takes an item out: which one, is the structure's affair.
    template <class S>
    static bool take(S& s, std::uint64_t /*expected*/, typename S::value_type& out) {
        return s.try_pop(out);
    }
    template <class S>
    static bool put_waiting(S& s, std::uint64_t item, std::chrono::milliseconds limit) {
        return s.push(S::value_type::of(item), limit);
    }
    template <class S>
    static bool take_waiting(S& s, std::uint64_t /*expected*/, typename S::value_type& out,
                             std::chrono::milliseconds limit) {
        return s.pop(out, limit);
    }

    /// The items within, as they went in.
    using model = std::deque<std::uint64_t>;
    static model::const_iterator next_out(model const& m) {
        return FirstInFirstOut ? m.begin() : std::prev(m.end());
    }
};

struct queues : line_of_items<true> {
    static constexpr std::string_view noun = "queue";
    using catalogue = variants::queue_catalogue;
};

struct stacks : line_of_items<false> {
    static constexpr std::string_view noun = "stack";
    using catalogue = variants::stack_catalogue;
};

/// The map: items are keys, and a value belongs to each.
struct maps {
    static constexpr bool ordered = false;
    static constexpr bool keyed = true;
    static constexpr bool exact_full = false;  ///< may take a few more than its capacity
    static constexpr std::string_view noun = "map";
    using catalogue = variants::map_catalogue;

    template <class Variant, std::size_t N>
    using type = typename Variant::template type<std::uint64_t, pattern<N>>;

    template <class S>
    static bool put(S& s, std::uint64_t item) {
        return s.insert(item, S::mapped_type::of(item)) == outcome::inserted;
    }
    template <class S>
    static bool take(S& s, std::uint64_t expected, typename S::mapped_type& out) {
        return s.find(expected, out) && s.erase(expected);
    }
    template <class S>
    static bool put_waiting(S& s, std::uint64_t item, std::chrono::milliseconds /*limit*/) {
        return put(s, item);
    }
    template <class S>
    static bool take_waiting(S& s, std::uint64_t expected, typename S::mapped_type& out,
                             std::chrono::milliseconds limit) {
        return s.find(expected, limit).has_value() && take(s, expected, out);
    }

    using model = std::deque<std::uint64_t>;
    /// Any will do: take() asks for it by its key.
    static model::const_iterator next_out(model const& m) {
        return m.begin() + static_cast<std::ptrdiff_t>(m.size() / 3);
    }
};

}  // namespace zeroipc::testing::conformance
