/// \file
/// Hostile bytes. Whatever stands in a segment, or comes to stand there while it is used: a zeroipc::error or
/// spoiled data, never a signal, a hang, another exception, or an access outside the mapping.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zeroipc_map_testing.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

struct odd_item {
    unsigned char b[12];
};
using compact = Queue<std::uint64_t>;
using padded = Queue<odd_item, layout::padded, ordering::seq_cst, backoff::none>;
using stack = Stack<std::uint64_t>;
using padded_stack = Stack<odd_item, layout::padded, ordering::seq_cst, backoff::none>;

using table = Map<std::uint64_t, odd_item>;
using numbers = Array<std::uint32_t>;

constexpr std::uint64_t segment_bytes = 4 * 4096;
constexpr std::uint64_t capacity = 4;
constexpr std::uint32_t slots = 4;
constexpr std::uint64_t elements = 5;

/// A good segment with two queues, two stacks, a map and an array, all used for some time, not empty, one of each kind
/// that has handles with the remains of a killed one.
class specimen {
public:
    specimen() {
        auto memory = Memory::create(name_, segment_bytes, {.max_entries = 9});
        compact one(memory, "one", capacity, {slots});
        padded two(memory, "two", capacity, {slots});
        stack three(memory, "three", capacity, {slots});
        padded_stack four(memory, "four", capacity, {slots});
        stack witness(memory, "three");
        for (std::uint64_t i = 0; i < 23; ++i) {
            one.push(i);
            two.push({});
            (i % 3 == 0 ? witness : three).push(i);
            four.push({});
            if (i >= 2) {
                static_cast<void>(one.pop());
                static_cast<void>(two.try_pop());
                static_cast<void>((i % 5 == 0 ? witness : three).try_pop());
                static_cast<void>(four.try_pop());
            }
        }
        map_ = make_map(memory);
        numbers(memory, "array", elements).fill(7);
        memory.add("bytes", 200, [](std::byte* at) { std::memset(at, 7, 200); });
        one_ = memory.find("one")->offset;
        two_ = memory.find("two")->offset;
        three_ = memory.find("three")->offset;
        four_ = memory.find("four")->offset;
        array_ = memory.find("array")->offset;
        // Slot 3 of "one": a pending record whose cell has moved on, as a kill leaves it.
        auto const shape = ring_of<compact>::geometry(capacity, slots);
        std::array<std::uint64_t, 4> const record{1, 0, 2, 0};
        std::memcpy(memory.base() + one_ + shape.slots + 3 * 64, record.data(), sizeof record);
        // Slot 3 of "three": a pop of node 1 in progress, whose value has been replaced.
        auto const of_stack = ring_of<stack>::geometry(capacity, slots);
        std::array<std::uint64_t, 2> const pop{2, 1};
        std::memcpy(memory.base() + three_ + of_stack.slots + 3 * 64, pop.data(), sizeof pop);
        good_ = raw_object(name_).bytes();
    }

    /// The 4-byte places that mean something, and those around them.
    [[nodiscard]] std::vector<std::uint64_t> fields() const {
        std::vector<std::uint64_t> all;
        auto const add = [&](std::uint64_t from, std::uint64_t to) {
            for (auto at = from; at < to; at += 4) all.push_back(at);
        };
        add(0, 16 + 8 * 40);  // header, seven entries and the place of a draft
        auto const shape = ring_of<compact>::geometry(capacity, slots);
        add(one_, one_ + shape.buffers);  // header, descriptor, futex words, slots, cells
        auto const other = ring_of<padded>::geometry(capacity, slots);
        add(two_, two_ + 96);
        for (auto const at : sizes({128, 256, 384, 512})) add(two_ + at, two_ + at + 8);
        for (std::uint64_t s = 0; s < slots; ++s)
            add(two_ + other.slots + 128 * s, two_ + other.slots + 128 * s + 32);
        add(two_ + other.cells, two_ + other.buffers);
        auto const third = ring_of<stack>::geometry(capacity, slots);
        add(three_, three_ + third.total);  // header, descriptor, futex words, slots, witnesses, nodes
        auto const fourth = ring_of<padded_stack>::geometry(capacity, slots);
        add(four_, four_ + 88);
        for (auto const at : sizes({128, 256, 384, 512})) add(four_ + at, four_ + at + 8);
        for (std::uint64_t s = 0; s < slots; ++s)
            add(four_ + fourth.slots + 128 * s, four_ + fourth.slots + 128 * s + 16);
        for (std::uint64_t n = 0; n < fourth.node_count(); ++n)
            add(four_ + fourth.nodes + 24 * n, four_ + fourth.nodes + 24 * n + 8);
        add_map(add);
        add(array_, array_ + 8 + 4 * elements);
        return all;
    }

    [[nodiscard]] std::string const& name() const { return name_.str(); }
    [[nodiscard]] std::string const& good() const { return good_; }

private:
    /// A map of two buckets, one with a block; slot 1 with a reservation and slot 2 with a block taken out half way,
    /// as kills leave them.
    static std::uint64_t make_map(Memory& memory) {
        table map(memory, "map", 2, {slots, 5});
        for (std::uint64_t const key : {1U, 2U, 3U, 5U, 6U}) map.insert(key, {});
        auto const at = memory.find("map")->offset;
        auto const g = table_of<table>::geometry(2, slots);
        auto const put = [&](std::uint64_t where, auto value) {
            std::memcpy(memory.base() + at + where, &value, sizeof value);
        };
        auto const second =
            g.buckets + table_of<table>::cell_stride;  // its slots 1 reserved, 9 to 14 closing
        put(second, std::uint64_t{1 | 0x3f << 9 | 3 << 15});
        put(second + 12, std::uint32_t{0x80000000U + 4});
        put(g.owners + 4 * 2, std::uint32_t{4});
        put(g.slots + 64, std::uint64_t{1 + 16 + 1});
        put(g.slots + 2 * 64 + 8, std::uint64_t{1 | 2 << 1 | 1 << 3 | 2 << 4 | std::uint64_t{1} << 34});
        return at;
    }
    template <class Add>
    void add_map(Add const& add) const {
        auto const g = table_of<table>::geometry(2, slots);
        add(map_, map_ + 96);
        for (std::uint64_t s = 0; s < slots; ++s) add(map_ + g.slots + 64 * s, map_ + g.slots + 64 * s + 16);
        add(map_ + g.owners, map_ + g.owners + 4 * g.block_count);
        for (std::uint64_t b = 0; b < 2; ++b)
            add(map_ + g.buckets + table_of<table>::cell_stride * b,
                map_ + g.buckets + table_of<table>::cell_stride * b + 24);
    }

    std::uint64_t map_ = 0;
    segment_name name_;
    std::string good_;
    std::uint64_t one_ = 0;
    std::uint64_t two_ = 0;
    std::uint64_t three_ = 0;
    std::uint64_t four_ = 0;
    std::uint64_t array_ = 0;
};

/// Runs the action; one of our errors is as good as none.
template <class Action>
void tolerate(Action&& action) {
    try {
        action();
    } catch (error const&) {
    }
}

template <class Q>
void work(Q& q) {
    using item = typename Q::value_type;
    item got{};
    for (int i = 0; i < 10; ++i) tolerate([&] { q.try_push(item{}); });
    for (int i = 0; i < 3; ++i) tolerate([&] { q.try_pop(got); });
    if constexpr (requires { q.try_peek(got); }) tolerate([&] { q.try_peek(got); });
    tolerate([&] {
        if (q.was_size() > q.capacity()) ::_exit(60);
    });
    for (int i = 0; i < 10; ++i) tolerate([&] { q.try_pop(got); });
    tolerate([&] { q.push(item{}, 0us); });
    tolerate([&] { q.pop(got, 0us); });
}

void work(table& m) {
    odd_item value{};
    auto const same = [](odd_item const& v) { return v; };
    for (std::uint64_t key = 0; key < 12; ++key) tolerate([&] { m.insert(key, value); });
    for (std::uint64_t key = 0; key < 12; ++key) {
        tolerate([&] { m.find(key, value); });
        tolerate([&] { m.insert_or_assign(key, value); });
        tolerate([&] { m.compare_exchange(key, value, value); });
        tolerate([&] { m.update(key, same); });
    }
    tolerate([&] {
        if (m.was_size() > 30) ::_exit(61);
    });
    tolerate([&] {
        std::uint64_t seen = 0;
        m.for_each([&](std::uint64_t, odd_item const&) { ++seen; });
        if (seen > 30) ::_exit(62);
    });
    for (std::uint64_t key = 0; key < 12; ++key) tolerate([&] { m.erase(key); });
    tolerate([&] { static_cast<void>(m.find(3, 0us)); });
}

/// Whatever the bytes say meanwhile, an array goes by the capacity that it was opened with.
void work(numbers& a) {
    auto const count = a.capacity();
    if (count == 0 || count > segment_bytes / sizeof(std::uint32_t)) ::_exit(63);
    for (std::uint64_t i = 0; i < count; ++i) {
        a.store(i, static_cast<std::uint32_t>(i));
        auto seen = a.load(i);
        a.compare_exchange(i, seen, seen + 1);
        a.fetch_add(i, a.exchange(i, 3));
        a.at(i) += a[i];
    }
    std::uint64_t reached = 0;
    for (auto const& one : a) reached += &one == &a[reached] ? 1U : 0U;
    if (reached != count || a.span().size() != count || a.capacity() != count) ::_exit(64);
    // The next process's structure may begin behind it.
    bool refused = false;
    try {
        a.at(count) = 1;
    } catch (error const& e) {
        refused = e.cause() == errc::out_of_range;
    }
    if (!refused) ::_exit(65);
}

/// Everything that can be asked of a segment.
void use(std::string const& name) {
    tolerate([&] {
        auto memory = Memory::open(name, 50ms);
        tolerate([&] { static_cast<void>(memory.entries()); });
        tolerate([&] { static_cast<void>(memory.free_bytes()); });
        tolerate([&] { static_cast<void>(memory.find("bytes")); });
        tolerate([&] {
            std::vector<compact> handles;
            for (std::uint32_t i = 0; i < slots; ++i) tolerate([&] { handles.emplace_back(memory, "one"); });
            for (auto& q : handles) work(q);
        });
        tolerate([&] {
            padded q(memory, "two");
            padded other(memory, "two");
            work(q);
            work(other);
        });
        tolerate([&] {
            std::vector<stack> handles;
            for (std::uint32_t i = 0; i < slots; ++i)
                tolerate([&] { handles.emplace_back(memory, "three"); });
            for (auto& s : handles) work(s);
        });
        tolerate([&] {
            padded_stack s(memory, "four");
            padded_stack other(memory, "four");
            work(s);
            work(other);
        });
        tolerate([&] {
            std::vector<table> handles;
            for (std::uint32_t i = 0; i < slots; ++i) tolerate([&] { handles.emplace_back(memory, "map"); });
            for (auto& m : handles) work(m);
        });
        tolerate([&] {
            numbers a(memory, "array");
            work(a);
        });
        tolerate([&] { memory.add("more", 100, [](std::byte* at) { std::memset(at, 1, 100); }); });
        tolerate([&] {
            compact q(memory, "new", 2, {1});
            work(q);
        });
        tolerate([&] { work(*std::make_unique<compact>(memory, "one")); });
        tolerate([&] { work(*std::make_unique<stack>(memory, "three")); });
    });
}

struct change {
    std::uint64_t at;
    std::uint64_t value;
    std::uint32_t bytes;
};

std::vector<change> systematic(specimen const& s) {
    std::vector<change> all;
    for (auto const at : s.fields()) {
        std::uint32_t now = 0;
        std::memcpy(&now, s.good().data() + at, 4);
        for (std::uint32_t const value :
             {0U, 1U, 2U, 3U, 5U, 0xffffffffU, 0x7fffffffU, 0x80000000U, 0xfffffff0U, 0x10000U, 0xffffU,
              now + 1, now - 1, now ^ 64U, now * 2, ~now})
            if (value != now) all.push_back({at, value, 4});
        if (at % 8 != 0) continue;
        std::uint64_t wide = 0;
        std::memcpy(&wide, s.good().data() + at, 8);
        for (std::uint64_t const value :
             {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1, wide + 8,
              wide - 8, wide + (std::uint64_t{1} << 32), ~wide})
            if (value != wide) all.push_back({at, value, 8});
    }
    return all;
}

struct progress {
    std::atomic<std::uint64_t> done{0};
};

/// Performs trial(i) for all i below count in children, and goes on behind each one that dies. \return what
/// went wrong.
template <class Trial>
std::vector<std::string> survive(std::uint64_t count, Trial&& trial) {
    std::vector<std::string> wrong;
    shared<progress> track;
    while (track->done < count && wrong.size() < 20) {
        child worker([&] {
            for (auto i = track->done.load(); i < count; i = ++track->done) {
                ::alarm(sanitized ? 120 : 30);  // one trial does not take that long
                trial(i);
            }
        });
        int const end = worker.wait();
        if (end == 0) break;
        wrong.push_back("trial " + std::to_string(track->done) + (end < 0 ? ": signal " : ": exit status ") +
                        std::to_string(end < 0 ? -end : end));
        ++track->done;
    }
    return wrong;
}

std::string text(change const& c) {
    return std::to_string(c.bytes) + " bytes at " + std::to_string(c.at) + " become " +
           std::to_string(c.value);
}

void check_none(std::vector<std::string> const& wrong, std::vector<change> const& changes) {
    for (auto const& one : wrong) {
        auto const i = std::stoull(one.substr(6));
        UNSCOPED_INFO(one << (i < changes.size() ? " (" + text(changes[i]) + ")" : ""));
    }
    CHECK(wrong.empty());
}

TEST_CASE("every field takes every bad value, before the segment is opened", "[fast]") {
    specimen const s;
    auto const all = systematic(s);
    auto const step = sanitized ? 7U : 1U;
    raw_object const object(s.name());
    check_none(survive(all.size() / step,
                       [&](std::uint64_t n) {
                           auto const& c = all[n * step];
                           object.write_bytes(0, s.good());
                           object.write_bytes(c.at, {reinterpret_cast<char const*>(&c.value), c.bytes});
                           use(s.name());
                       }),
               all);
    std::printf("%zu changes before opening\n", all.size() / step);
    CHECK(all.size() > 2000);
}

TEST_CASE("every field takes every bad value, while the segment is in use", "[fast]") {
    specimen const s;
    auto const all = systematic(s);
    auto const step = sanitized ? 7U : 1U;
    raw_object const object(s.name());
    check_none(survive(all.size() / step,
                       [&](std::uint64_t n) {
                           auto const& c = all[n * step];
                           object.write_bytes(0, s.good());
                           auto memory = Memory::open(s.name());
                           compact one(memory, "one");
                           padded two(memory, "two");
                           stack three(memory, "three");
                           padded_stack four(memory, "four");
                           table map(memory, "map");
                           numbers array(memory, "array");
                           one.push(1);
                           two.push({});
                           three.push(1);
                           four.push({});
                           object.write_bytes(c.at, {reinterpret_cast<char const*>(&c.value), c.bytes});
                           work(one);
                           work(two);
                           work(three);
                           work(four);
                           work(map);
                           work(array);
                           tolerate([&] { static_cast<void>(memory.entries()); });
                           tolerate([&] { work(*std::make_unique<numbers>(memory, "array")); });
                           tolerate([&] { work(*std::make_unique<compact>(memory, "one")); });
                           tolerate([&] { work(*std::make_unique<stack>(memory, "three")); });
                           tolerate([&] { memory.add("more", 100, [](std::byte*) {}); });
                       }),
               all);
    std::printf("%zu changes while in use\n", all.size() / step);
}

/// Every size from nothing to whole.
TEST_CASE("a segment that was cut anywhere", "[fast]") {
    specimen const s;
    check_none(survive(rounds(400),
                       [&](std::uint64_t n) {
                           segment_name const copy;
                           {
                               raw_object const object(copy, n < 300 ? n : n * segment_bytes / rounds(400));
                               object.write_bytes(0, s.good().substr(0, object.size()));
                           }
                           use(copy);
                       }),
               {});
}

/// One to four random changes: random bytes, a random 8-byte value, a copied word, or a single bit; mostly
/// where words of meaning stand.
void spoil(specimen const& s, std::vector<std::uint64_t> const& fields, random_source& random,
           std::function<void(std::uint64_t, std::string_view)> const& write) {
    for (auto n = 1 + random.below(4); n > 0; --n) {
        auto const at = random.below(8) == 0
                            ? random.below(segment_bytes - 8)
                            : std::min(fields[random.below(fields.size())], segment_bytes - 8);
        std::uint64_t value = random.any();
        switch (random.below(4)) {
            case 0:
                break;
            case 1:
                std::memcpy(&value, s.good().data() + at, 8);
                value ^= std::uint64_t{1} << random.below(64);
                break;
            case 2:
                std::memcpy(&value, s.good().data() + random.below(segment_bytes - 8), 8);
                break;
            default:
                std::memcpy(&value, s.good().data() + at, 8);
                value += random.below(9) - 4;
                break;
        }
        write(at, {reinterpret_cast<char const*>(&value), random.below(2) == 0 ? 4U : 8U});
    }
}

void random_mutations(std::uint64_t count) {
    specimen const s;
    auto const fields = s.fields();
    raw_object const object(s.name());
    static_cast<void>(seed());
    check_none(survive(count,
                       [&](std::uint64_t n) {
                           random_source random(n);  // each trial can be repeated alone
                           object.write_bytes(0, s.good());
                           std::optional<Memory> memory;
                           std::optional<compact> one;
                           std::optional<padded> two;
                           std::optional<stack> three;
                           std::optional<padded_stack> four;
                           std::optional<table> map;
                           std::optional<numbers> array;
                           if (n % 2 == 0) {
                               memory.emplace(Memory::open(s.name()));
                               one.emplace(*memory, "one");
                               two.emplace(*memory, "two");
                               three.emplace(*memory, "three");
                               four.emplace(*memory, "four");
                               map.emplace(*memory, "map");
                               array.emplace(*memory, "array");
                           }
                           spoil(s, fields, random, [&](std::uint64_t at, std::string_view bytes) {
                               object.write_bytes(at, bytes);
                           });
                           if (one) work(*one);
                           if (two) work(*two);
                           if (three) work(*three);
                           if (four) work(*four);
                           if (map) work(*map);
                           if (array) work(*array);
                           use(s.name());
                       }),
               {});
}

TEST_CASE("2,000 random mutations", "[fast]") { random_mutations(rounds(2000)); }
TEST_CASE("100,000 random mutations", "[slow]") {
    watchdog const limit(3000);
    random_mutations(100000);
}
TEST_CASE("20,000 random mutations", "[medium]") { random_mutations(rounds(20000)); }

struct contest {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> uses{0};
};

/// Somebody writes nonsense all the time while two processes work.
void hostile_peer(std::uint64_t count) {
    watchdog const limit(600);
    specimen const s;
    auto const fields = s.fields();
    shared<contest> track;
    std::vector<child> workers;
    for (int i = 0; i < 2; ++i)
        workers.emplace_back([&] {
            while (!track->stop) {
                ::alarm(sanitized ? 240 : 60);
                use(s.name());
                ++track->uses;
            }
        });
    random_source random(99);
    raw_object const object(s.name());
    auto* const at = static_cast<char*>(
        ::mmap(nullptr, segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, object.fd(), 0));
    REQUIRE(at != MAP_FAILED);
    for (std::uint64_t n = 0; n < count; ++n) {
        if (n % 8 == 0) std::memcpy(at, s.good().data(), segment_bytes);
        spoil(s, fields, random, [&](std::uint64_t where, std::string_view bytes) {
            std::memcpy(at + where, bytes.data(), bytes.size());
        });
        if (n % 64 == 0) ::sched_yield();
        if (n % 8 == 7) nap(std::chrono::microseconds(random.below(100)));
    }
    // Something good at last, so that nobody waits for a creator.
    std::memcpy(at, s.good().data(), segment_bytes);
    ::munmap(at, segment_bytes);
    track->stop = true;
    for (auto& one : workers) CHECK(one.wait() == 0);
    std::printf("%llu uses beside a hostile peer\n", static_cast<unsigned long long>(track->uses.load()));
}

TEST_CASE("a hostile peer writes while others work", "[fast]") { hostile_peer(rounds(4000)); }
TEST_CASE("a hostile peer writes while others work, longer", "[medium]") { hostile_peer(rounds(100000)); }

}  // namespace
