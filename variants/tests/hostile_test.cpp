/// \file
/// Hostile bytes in the variants' own structures: a zeroipc::error or spoiled data, never a signal, a hang, another
/// exception, or an access outside the mapping.

#include <zeroipc/variants/catalogue.hpp>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "zeroipc_hostile_trials.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace zeroipc::testing::hostile;

constexpr std::uint64_t buckets = 2;

template <class S>
constexpr bool is_map = requires {
    typename S::mapped_type;
};

/// Nodes of a map of chains, or cells of one by open addressing, are fewer.
constexpr std::uint64_t most_keys_seen = 128;

template <class S>
void work_on(S& s) {
    if constexpr (is_map<S>)
        work(s, most_keys_seen);
    else
        work(s);
}

/// A segment with one structure that two handles have used, and that is not empty.
template <class S>
class used_segment {
public:
    used_segment() {
        auto memory = Memory::create(name_, segment_bytes, {.max_entries = 2});
        if constexpr (is_map<S>) {
            S one(memory, "it", buckets, {slots, 5});
            S two(memory, "it");
            for (std::uint64_t key = 1; key < 8; ++key) (key % 2 == 0 ? one : two).insert(key, {});
            one.erase(3);
            two.erase(4);
            two.insert_or_assign(5, {});
        } else {
            S one(memory, "it", capacity, {slots});
            S two(memory, "it");
            for (std::uint64_t i = 0; i < 23; ++i) {
                (i % 3 == 0 ? one : two).try_push(i);
                if (i >= 2) static_cast<void>((i % 5 == 0 ? one : two).try_pop());
            }
        }
        auto const place = memory.find("it");
        offset_ = place->offset;
        size_ = place->size;
        good_ = raw_object(name_).bytes();
    }
    [[nodiscard]] std::string const& name() const { return name_.str(); }
    [[nodiscard]] std::string const& good() const { return good_; }
    /// Every place of four bytes in it.
    [[nodiscard]] std::vector<std::uint64_t> places() const {
        std::vector<std::uint64_t> all;
        for (auto at = offset_; at + 8 <= offset_ + size_; at += 4) all.push_back(at);
        return all;
    }

private:
    segment_name name_;
    std::string good_;
    std::uint64_t offset_ = 0;
    std::uint64_t size_ = 0;
};

template <class S>
std::vector<change> systematic(used_segment<S> const& segment) {
    std::vector<change> all;
    for (auto const at : segment.places()) {
        std::uint64_t wide = 0;
        std::memcpy(&wide, segment.good().data() + at, 8);
        auto const low = wide & 0xffffffffU;
        for (std::uint64_t const value :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{0xffffffff},
              std::uint64_t{0x80000000}, low + 1, low ^ 64})
            if (value != low) all.push_back({at, value & 0xffffffffU, 4});
        if (at % 8 != 0) continue;
        for (std::uint64_t const value : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63,
                                          wide - 1, wide + 8, wide + (std::uint64_t{1} << 32), ~wide})
            if (value != wide) all.push_back({at, value, 8});
    }
    return all;
}

/// Opens it as often as it can be opened, and works by each handle.
template <class S>
void use(std::string const& name) {
    tolerate([&] {
        auto memory = Memory::open(name, std::chrono::milliseconds(50));
        std::vector<S> handles;
        for (std::uint32_t i = 0; i <= slots; ++i) tolerate([&] { handles.emplace_back(memory, "it"); });
        for (auto& one : handles) work_on(one);
    });
}

/// A segment whose bytes change when two handles are open already. \param spoil changes them.
template <class S, class Spoil>
void use_while(std::string const& name, Spoil&& spoil) {
    auto memory = Memory::open(name);
    S one(memory, "it");
    S two(memory, "it");
    work_on(two);
    spoil();
    work_on(one);
    work_on(two);
    use<S>(name);
}

/// Atomics that give up sooner still: where nobody gives a lock back, each round gives the processor away.
struct very_hasty : hasty {
    static constexpr std::string_view name = "very hasty";
    static constexpr std::uint64_t patience = 256;
};

template <class... Ps>
using table = Map<std::uint64_t, odd_item, very_hasty, Ps...>;
template <class... Ps>
using stack = Stack<std::uint64_t, very_hasty, Ps...>;

TEMPLATE_TEST_CASE("every word takes every bad value", "[fast]", table<variants::algorithm::chained>,
                   table<variants::algorithm::open_addressing>, stack<variants::algorithm::elimination>,
                   stack<variants::algorithm::flat_combining>) {
    used_segment<TestType> const segment;
    auto const all = systematic(segment);
    raw_object const object(segment.name());
    auto const step = sanitized ? 7U : 1U;
    auto const each = [&](auto const& trial) {
        check_none(survive(all.size() / step,
                           [&](std::uint64_t n) {
                               object.write_bytes(0, segment.good());
                               trial(all[n * step]);
                           }),
                   all);
    };
    each([&](change const& c) {
        object.write_bytes(c.at, c.text());
        use<TestType>(segment.name());
    });
    each([&](change const& c) {
        use_while<TestType>(segment.name(), [&] { object.write_bytes(c.at, c.text()); });
    });
    CHECK(all.size() > 1000);
    std::printf("%s: %zu changes\n", std::string(TestType::algorithm::name).c_str(), all.size());
}

/// One to four changes at once, before it is opened or while it is in use.
template <class S>
void random_mutations(std::uint64_t count) {
    used_segment<S> const segment;
    auto const places = segment.places();
    raw_object const object(segment.name());
    static_cast<void>(seed());
    check_none(survive(count,
                       [&](std::uint64_t n) {
                           random_source random(n);  // each trial can be repeated alone
                           object.write_bytes(0, segment.good());
                           auto const spoil = [&] {
                               for (auto some = 1 + random.below(4); some > 0; --some) {
                                   auto const c = draw_change(random, segment.good(), places);
                                   object.write_bytes(c.at, c.text());
                               }
                           };
                           if (n % 2 == 0) {
                               use_while<S>(segment.name(), spoil);
                           } else {
                               spoil();
                               use<S>(segment.name());
                           }
                       }),
               {});
}

TEMPLATE_TEST_CASE("random mutations", "[fast]", table<variants::algorithm::chained>,
                   table<variants::algorithm::open_addressing>, stack<variants::algorithm::elimination>,
                   stack<variants::algorithm::flat_combining>) {
    random_mutations<TestType>(rounds(1000));
}
TEMPLATE_TEST_CASE("many random mutations", "[slow]", table<variants::algorithm::chained>,
                   table<variants::algorithm::open_addressing>, stack<variants::algorithm::elimination>,
                   stack<variants::algorithm::flat_combining>) {
    random_mutations<TestType>(50000);
}

}  // namespace
