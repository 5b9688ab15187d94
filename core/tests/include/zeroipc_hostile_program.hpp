#pragma once
/// \file
/// Byte strings as programs: changes of a good segment and operations on it, in any order. A fuzzer's input, a file of
/// the corpus and a random string are run by the same driver.
///
/// An instruction is a byte, its low four bits say which: 0 to 4 change bytes; 5 cut the object, while it is not open;
/// 6 open one more handle; 7 close one, or all and the segment; 8 use the segment's table; above: use a handle. Numbers
/// follow, two bytes each, or eight for a value. What is missing at the end is 0.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc_hostile.hpp"

namespace zeroipc::testing::hostile {

/// The numbers in a program.
class program_source {
public:
    explicit program_source(std::span<unsigned char const> bytes) : bytes_(bytes) {}
    [[nodiscard]] bool is_over() const { return bytes_.empty(); }
    std::uint64_t byte() { return take(1); }
    std::uint64_t below(std::uint64_t n) { return take(n <= 256 ? 1 : 2) % n; }
    std::uint64_t any() { return take(8); }

private:
    std::uint64_t take(std::size_t n) {
        std::uint64_t value = 0;
        n = std::min(n, bytes_.size());
        if (n > 0) std::memcpy(&value, bytes_.data(), n);
        bytes_ = bytes_.subspan(n);
        return value;
    }
    std::span<unsigned char const> bytes_;
};

template <class Q>
void operate(Q& q, std::uint64_t what, std::uint64_t number) requires requires {
    q.try_push(typename Q::value_type{});
}
{
    using namespace std::chrono_literals;
    using item = typename Q::value_type;
    item one{};
    std::memcpy(&one, &number, std::min(sizeof one, sizeof number));
    std::array<item, 3> some{one, one, one};
    switch (what % 12) {
        case 0:
            q.try_push(one);
            break;
        case 1:
            q.try_pop(one);
            break;
        case 2:
            promise(q.was_size() <= q.capacity(), "a size above the capacity");
            break;
        case 3:
            static_cast<void>(q.was_empty());
            break;
        case 4:
            promise(q.try_push_n(some) <= 3, "more pushed than given");
            break;
        case 5:
            promise(q.try_pop_n(some) <= 3, "more popped than room for");
            break;
        case 6:
            q.push(one, 0us);
            break;
        case 7:
            q.pop(one, 0us);
            break;
        case 8:
            if constexpr (requires { q.try_peek(one); })
                q.try_peek(one);
            else
                std::memcpy(&q.loan(), &one, sizeof one);
            break;
        case 9:
            if constexpr (requires { q.publish(); }) q.publish();
            break;
        case 10:
            if constexpr (requires { q.take(); }) {
                if (auto const* const taken = q.take()) std::memcpy(&one, taken, sizeof one);
            }
            break;
        default:
            if constexpr (requires { q.release(); }) number % 2 == 0 ? q.release() : q.cancel();
    }
}

template <class M>
void operate(M& m, std::uint64_t what, std::uint64_t number) requires requires {
    typename M::mapped_type;
}
{
    using namespace std::chrono_literals;
    auto const key = number % 12;
    odd_item value{{static_cast<unsigned char>(number)}};
    switch (what % 10) {
        case 0:
            m.insert(key, value);
            break;
        case 1:
            m.find(key, value);
            break;
        case 2:
            m.insert_or_assign(key, value);
            break;
        case 3:
            m.compare_exchange(key, value, value);
            break;
        case 4:
            m.update(key, [](odd_item const& v) { return v; });
            break;
        case 5:
            m.erase(key);
            break;
        case 6:
            promise(m.was_size() <= most_keys, "a size above all slots");
            break;
        case 7: {
            std::uint64_t seen = 0;
            m.for_each([&](std::uint64_t, odd_item const&) { ++seen; });
            promise(seen <= most_keys, "more keys than slots");
            break;
        }
        case 8:
            static_cast<void>(m.contains(key));
            break;
        default:
            static_cast<void>(m.find(key, 0us));
    }
}

template <class A>
void operate(A& a, std::uint64_t what, std::uint64_t number) requires requires {
    a.span();
}
{
    using item = typename A::value_type;
    item one{};
    std::memcpy(&one, &number, std::min(sizeof one, sizeof number));
    auto const i = number % a.capacity();
    switch (what % 6) {
        case 0:
            a.at(number) = one;
            break;
        case 1:
            one = a.at(i);
            break;
        case 2:
            a.fill(one);
            break;
        case 3:
            for (auto const& each : a) one = each;
            break;
        case 4:
            a[i] = one;
            break;
        default:
            if constexpr (requires { a.load(i); }) {
                a.store(i, a.load(i) + a.exchange(i, one));
                a.compare_exchange(i, one, number);
                a.fetch_add(i, number);
            }
    }
}

/// The handles of one type.
template <class S>
class handles {
public:
    explicit handles(std::string_view name) : name_(name) {}
    void open(Memory& memory) {
        if (all_.size() <= slots) all_.emplace_back(memory, name_);
    }
    void close(std::uint64_t which) {
        if (!all_.empty()) all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(which % all_.size()));
    }
    void close_all() { all_.clear(); }
    void use(Memory& memory, std::uint64_t which, std::uint64_t what, std::uint64_t number) {
        if (all_.empty()) open(memory);
        operate(all_[which % all_.size()], what, number);
    }
    void make(Memory& memory, std::string_view name) {
        if constexpr (requires { S(memory, name, capacity, {slots}); })
            S(memory, name, capacity, {slots});
        else
            S(memory, name, capacity);
    }
    void repair(Memory& memory) {
        if constexpr (requires { S::repair(memory, name_); }) S::repair(memory, name_);
    }

private:
    std::string_view name_;
    std::vector<S> all_;
};

/// Runs programs over one part of the specimen. First and Second are the two types of that part.
template <class First, class Second>
class driver {
public:
    driver(specimen const& s, part which, std::string_view first, std::string_view second)
        : s_(s), fields_(s.fields(which)), object_(s.name()), first_(first), second_(second) {}

    void run(std::span<unsigned char const> bytes) {
        object_.resize(segment_bytes);
        object_.write_bytes(0, s_.good());
        program_source source(bytes);
        for (unsigned n = 0; n < most_instructions && !source.is_over(); ++n) tolerate([&] { step(source); });
        // Whatever it came to: everything is tried once more, from the outside.
        close();
        for (std::uint64_t what = 0; what < 12; ++what)
            for (std::uint64_t which = 0; which < 2; ++which) tolerate([&] { use(which, what, what); });
        close();
    }

private:
    static constexpr unsigned most_instructions = 64;

    void step(program_source& source) {
        auto const instruction = source.byte();
        auto const more = instruction >> 4;
        switch (auto const which = instruction % 16) {
            case 5:
                if (!memory_) object_.resize(source.below(segment_bytes + 1));
                return;
            case 6:
                attach();
                more % 2 == 0 ? first_.open(*memory_) : second_.open(*memory_);
                return;
            case 7:
                if (more == 0) return close();
                more % 2 == 0 ? first_.close(more / 2) : second_.close(more / 2);
                return;
            case 8:
                return use_table(more);
            default:
                if (which > 8) return use(more, which - 9 + 7 * (source.byte() % 2), source.below(1 << 16));
                auto const c = draw_change(source, s_.good(), fields_);
                object_.write_bytes(c.at, c.text());
        }
    }

    void attach() {
        if (!memory_) memory_.emplace(Memory::open(s_.name(), std::chrono::milliseconds(1)));
    }
    void close() {
        first_.close_all();
        second_.close_all();
        memory_.reset();
    }
    void use(std::uint64_t which, std::uint64_t what, std::uint64_t number) {
        attach();
        which % 2 == 0 ? first_.use(*memory_, which / 2, what, number)
                       : second_.use(*memory_, which / 2, what, number);
    }
    void use_table(std::uint64_t what) {
        attach();
        switch (what) {
            case 0:
                static_cast<void>(memory_->entries());
                break;
            case 1:
                static_cast<void>(memory_->free_bytes());
                break;
            case 2:
                static_cast<void>(memory_->find("bytes"));
                break;
            case 3:
                memory_->add("more", 100, [](std::byte* at) { std::memset(at, 1, 100); });
                break;
            case 4:
                first_.make(*memory_, "new");
                break;
            case 5:
                second_.make(*memory_, "other");
                break;
            case 6:
                first_.repair(*memory_);
                break;
            case 7:
                second_.repair(*memory_);
                break;
            default:
                static_cast<void>(memory_->find("none"));
        }
    }

    specimen const& s_;
    std::vector<std::uint64_t> fields_;
    raw_object object_;
    std::optional<Memory> memory_;
    handles<First> first_;
    handles<Second> second_;
};

/// Runs one program over one part, on a specimen of this process.
inline void run_program(part which, std::span<unsigned char const> bytes) {
    using t = types<hasty>;
    static specimen const s;
    switch (which) {
        case part::array: {
            static driver<t::words, t::odd_array> one(s, which, "five", "six");
            return one.run(bytes);
        }
        case part::queue: {
            static driver<t::compact_queue, t::padded_queue> one(s, which, "one", "two");
            return one.run(bytes);
        }
        case part::stack: {
            static driver<t::compact_stack, t::padded_stack> one(s, which, "three", "four");
            return one.run(bytes);
        }
        case part::map: {
            static driver<t::map, t::map> one(s, which, "map", "map");
            return one.run(bytes);
        }
        default:
            throw std::invalid_argument("a program runs over one structure");
    }
}

/// A program of random bytes.
inline std::vector<unsigned char> random_program(random_source& random) {
    std::vector<unsigned char> bytes(8 + random.below(200));
    for (auto& one : bytes) one = static_cast<unsigned char>(random.below(256));
    return bytes;
}

}  // namespace zeroipc::testing::hostile
