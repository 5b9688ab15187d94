/// \file
/// The conformance suite: what every variant of the catalogue must do, and what follows from what it claims. Compiled once
/// for each kind of structure (ZEROIPC_SUBJECTS is queues, stacks or maps).

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <vector>

#include "conformance/subject.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace zeroipc::testing::conformance;
using subjects = ZEROIPC_SUBJECTS;
using catalogue = subjects::catalogue;

template <class Variant, std::size_t N = 8>
using type = subjects::type<Variant, N>;

/// Enough for all of a suite's handles, and for every variant.
template <class S>
S make(Memory& memory, std::uint64_t capacity, char const* name = "s") {
    if constexpr (subjects::keyed)
        return S(memory, name, capacity, {8, 1});
    else
        return S(memory, name, capacity, {8});
}

template <class Variant>
constexpr bool both_roles = Variant::max_producers > 1 && Variant::max_consumers > 1;

TEST_CASE("how many variants are tested", "[fast]") {
    unsigned all = 0;
    unsigned safe = 0;
    unsigned alone = 0;
    variants::for_each_variant<catalogue>([&]<class Variant>() {
        INFO(Variant::name());
        CHECK(Variant::structure == subjects::noun);
        ++all;
        safe += Variant::kill_safe;
        alone += Variant::unsafe;
        std::printf("%s\n", Variant::name().c_str());
    });
    std::printf("conformance of the %s: %u variants, %u killed, %u tested by one process alone\n",
                std::string(subjects::noun).c_str(), all, safe, alone);
    CHECK(all == std::tuple_size_v<catalogue>);
    CHECK(safe > 0);
}

/// A variant beside a model of it: random operations, each answer as the model says.
template <class Variant>
class against_model {
public:
    explicit against_model(std::uint64_t capacity)
        : memory_(Memory::create(name_, 1 << 20)), capacity_(capacity), s_(make<S>(memory_, capacity)) {}

    bool put() {
        bool const done = subjects::put(s_, next_);
        if (done) model_.push_back(next_++);
        bool const fits = !subjects::exact_full || model_.size() <= capacity_;
        return fits && (done || model_.size() >= capacity_);
    }
    bool take() {
        auto out = pattern<8>::of(77);
        if (model_.empty()) return !subjects::take(s_, 77, out) && out.is(77);
        auto const at = subjects::next_out(model_);
        auto const expected = *at;
        model_.erase(at);
        return subjects::take(s_, expected, out) && out.is(expected);
    }
    bool size_is_right() { return s_.was_size() == model_.size() && s_.was_empty() == model_.empty(); }
    [[nodiscard]] bool at_capacity() const { return model_.size() >= capacity_; }
    [[nodiscard]] bool empty() const { return model_.empty(); }
    [[nodiscard]] bool capacity_is_right() const { return s_.capacity() == capacity_; }

private:
    using S = type<Variant>;
    segment_name name_;
    Memory memory_;
    std::uint64_t capacity_;
    S s_;
    std::uint64_t next_ = 100;
    subjects::model model_;
};

TEMPLATE_LIST_TEST_CASE("as a model says: order or key, capacity, laps", "[fast]", catalogue) {
    INFO(TestType::name());
    random_source random(1);
    for (auto const capacity : sizes({1, 2, 4, 64, 1024})) {
        INFO("capacity " << capacity);
        if (capacity < TestType::algorithm::min_capacity) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 20);
            check_refused(errc::invalid_capacity, {"'s'", "capacity 1", "at least 2"},
                          [&] { make<type<TestType>>(memory, capacity); });
            CHECK(memory.entries().empty());
            continue;
        }
        against_model<TestType> both(capacity);
        CHECK(both.capacity_is_right());
        std::uint64_t wrong = 0;
        for (int lap = 0; lap < 5; ++lap) {
            wrong += !both.take();
            for (std::uint64_t tries = 0; !both.at_capacity() && tries < 2 * capacity; ++tries) {
                wrong += !both.put();
                wrong += !both.size_is_right();
            }
            wrong += !both.put();
            for (int i = 0; i < 200; ++i) wrong += random.below(2) == 0 ? !both.put() : !both.take();
            wrong += !both.size_is_right();
            while (!both.empty()) wrong += !both.take();
            wrong += !both.size_is_right();
        }
        CHECK(wrong == 0);
    }
}

/// Whether no variant before this one has the same algorithm and layout: all sizes are tried on one of them.
template <class Variant>
consteval bool first_of_its_bytes() {
    bool first = true;
    bool seen = false;
    variants::for_each_variant<catalogue>([&]<class Other>() {
        seen = seen || std::is_same_v<Variant, Other>;
        if (!seen && std::is_same_v<typename Other::algorithm, typename Variant::algorithm> &&
            std::is_same_v<typename Other::policies::layout, typename Variant::policies::layout>)
            first = false;
    });
    return first;
}

/// Items of N bytes, from one handle to another.
template <class Variant, std::size_t N>
std::uint64_t sized_items() {
    using S = type<Variant, N>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 20);
    auto from = make<S>(memory, 4);
    S to(memory, "s");
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < 100; ++i) {
        auto out = pattern<N>::of(i + 1);
        wrong += !subjects::put(from, i);
        wrong += !(subjects::take(to, i, out) && out.is(i));
    }
    return wrong;
}

TEMPLATE_LIST_TEST_CASE("items of any size, and opening as another type", "[fast]", catalogue) {
    INFO(TestType::name());
    if constexpr (first_of_its_bytes<TestType>())
        for (auto const wrong :
             {sized_items<TestType, 1>(), sized_items<TestType, 4>(), sized_items<TestType, 8>(),
              sized_items<TestType, 12>(), sized_items<TestType, 64>(), sized_items<TestType, 4096>()})
            CHECK(wrong == 0);
    CHECK(sized_items<TestType, 3>() == 0);
    CHECK(sized_items<TestType, 100>() == 0);
    using other = type<TestType, 1>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    auto const s = make<type<TestType>>(memory, 4);
    check_refused(errc::wrong_item_size, {"'s'"}, [&] { other const wrong(memory, "s"); });
    check_refused(errc::exists, {"'s'"}, [&] { make<other>(memory, 4); });
    check_refused(errc::invalid_capacity, {"capacity 0"}, [&] { make<other>(memory, 0, "r"); });
    check_refused(errc::not_found, {"'r'"}, [&] { other const none(memory, "r"); });
}

TEST_CASE("a variant opens what another one made exactly if algorithm and layout are the same", "[fast]") {
    variants::for_each_variant<catalogue>([]<class Maker>() {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto made = make<type<Maker>>(memory, 4);
        bool right = subjects::put(made, 5);
        variants::for_each_variant<catalogue>([&]<class Opener>() {
            bool const same = Maker::algorithm::id == Opener::algorithm::id &&
                              Maker::policies::layout::id == Opener::policies::layout::id;
            auto const refusal = thrown_by([&] { type<Opener> const opened(memory, "s"); });
            INFO(Maker::name() << " opened as " << Opener::name());
            CHECK(refusal.has_value() != same);
            if (refusal) CHECK(refusal->cause() == errc::wrong_kind);
        });
        pattern<8> out{};
        right = right && subjects::take(made, 5, out) && out.is(5);
        CHECK(right);
    });
}

TEMPLATE_LIST_TEST_CASE("two mappings of one segment", "[fast]", catalogue) {
    INFO(TestType::name());
    segment_name const name;
    auto one = Memory::create(name, 1 << 16);
    auto two = Memory::open(name);
    REQUIRE(one.base() != two.base());
    auto a = make<type<TestType>>(one, 2);
    type<TestType> b(two, "s");
    std::uint64_t wrong = 0;
    subjects::model model;
    pattern<8> out{};
    auto const take = [&](auto& from) {
        auto const at = subjects::next_out(model);
        auto const expected = *at;
        model.erase(at);
        wrong += !(subjects::take(from, expected, out) && out.is(expected));
    };
    auto const put = [&](auto& into, std::uint64_t item) {
        wrong += !subjects::put(into, item);
        model.push_back(item);
    };
    for (std::uint64_t i = 0; i < 1000; ++i) {
        // What one process alone may do, one handle may do on each side.
        auto& second = both_roles<TestType> ? b : a;
        auto& third = both_roles<TestType> ? a : b;
        put(a, i);
        put(second, i + 1000000);
        if (subjects::exact_full) wrong += subjects::put(second, 0);
        take(b);
        take(third);
        wrong += subjects::take(third, 0, out);
    }
    CHECK(wrong == 0);
}

// --- threads and processes ---

/// Items are who << 32 | counter, counters from 1; who is 0 or 1.
struct books {
    std::atomic<std::uint64_t> taken{0};
    std::atomic<std::uint64_t> sum{0};
    std::atomic<std::uint64_t> wrong{0};  ///< torn, twice, or out of order
    std::atomic<std::uint64_t> oversize{0};
};

template <class Variant>
constexpr std::uint64_t producers = Variant::max_producers == 1 ? 1 : 2;
template <class Variant>
constexpr std::uint64_t consumers = Variant::max_consumers == 1 ? 1 : 2;

constexpr std::uint64_t sum_of(std::uint64_t who, std::uint64_t items) {
    return items * (items + 1) / 2 + (who << 32) * items;
}

template <class S>
void produce(Memory& memory, std::uint64_t who, std::uint64_t items) {
    S s(memory, "s");
    for (std::uint64_t i = 1; i <= items; ++i)
        while (!subjects::put(s, who << 32 | i)) ::sched_yield();
}

/// \param who of a map: whose keys this consumer takes.
template <class Variant>
void consume(Memory& memory, std::uint64_t who, std::uint64_t items, books& track) {
    type<Variant> s(memory, "s");
    std::array<std::uint64_t, 2> newest{};
    std::uint64_t sum = 0;
    std::uint64_t mine = 0;
    auto const all = producers<Variant> * items;
    while (subjects::keyed ? mine < items : track.taken < all) {
        pattern<8> out{};
        if (!subjects::take(s, who << 32 | (mine + 1), out)) {
            ::sched_yield();
            continue;
        }
        auto const item = out.item();
        auto const from = item >> 32;
        bool const honest = out.whole() && from < producers<Variant>;
        if (!honest || (subjects::ordered && (item & 0xffffffff) <= newest[from])) ++track.wrong;
        if (honest) newest[from] = item & 0xffffffff;
        sum += item;
        ++mine;
        ++track.taken;
        if (subjects::exact_full && mine % 16 == 0 && s.was_size() > s.capacity()) ++track.oversize;
    }
    track.sum += sum;
}

template <class Variant>
void check(books const& track, std::uint64_t items) {
    std::uint64_t sum = 0;
    for (std::uint64_t who = 0; who < producers<Variant>; ++who) sum += sum_of(who, items);
    CHECK(track.taken == producers<Variant> * items);
    CHECK(track.sum == sum);
    CHECK(track.wrong == 0);
    CHECK(track.oversize == 0);
}

template <class Variant>
void run_threads(std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(200);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    { auto const s = make<type<Variant>>(memory, capacity); }
    books track;
    std::vector<std::thread> all;
    for (std::uint64_t who = 0; who < producers<Variant>; ++who)
        all.emplace_back([&, who] { produce<type<Variant>>(memory, who, items); });
    for (std::uint64_t who = 0; who < consumers<Variant>; ++who)
        all.emplace_back([&, who] { consume<Variant>(memory, who, items, track); });
    for (auto& one : all) one.join();
    check<Variant>(track, items);
}

template <class Variant>
void run_processes(std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(200);
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 18);
        auto const s = make<type<Variant>>(memory, capacity);
    }
    shared<books> track;
    std::vector<child> all;
    for (std::uint64_t who = 0; who < producers<Variant>; ++who)
        all.emplace_back([&, who] {
            auto memory = Memory::open(name.str());
            produce<type<Variant>>(memory, who, items);
        });
    for (std::uint64_t who = 0; who < consumers<Variant>; ++who)
        all.emplace_back([&, who] {
            auto memory = Memory::open(name.str());
            consume<Variant>(memory, who, items, *track);
        });
    for (auto& one : all) CHECK(one.wait() == 0);
    check<Variant>(*track, items);
}

TEMPLATE_LIST_TEST_CASE("producers and consumers", "[fast]", catalogue) {
    INFO(TestType::name());
    if constexpr (!TestType::unsafe) {
        run_threads<TestType>(4, rounds(4000));
        run_processes<TestType>(4, rounds(4000));
    }
}

TEMPLATE_LIST_TEST_CASE("producers and consumers, longer", "[medium]", catalogue) {
    INFO(TestType::name());
    if constexpr (!TestType::unsafe)
        for (auto const capacity : sizes({1, 2, 256})) {
            if (capacity < TestType::algorithm::min_capacity) continue;
            run_threads<TestType>(capacity, rounds(8000));
            run_processes<TestType>(capacity, rounds(8000));
        }
}

TEMPLATE_LIST_TEST_CASE("waiting operations hand over between processes", "[fast]", catalogue) {
    INFO(TestType::name());
    if constexpr (!TestType::unsafe) {
        watchdog const limit(100);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto out = make<type<TestType>>(memory, 2, "there");
        auto in = make<type<TestType>>(memory, 2, "back");
        pattern<8> item{};
        CHECK_FALSE(subjects::take_waiting(in, 0, item, 1ms));
        auto const count = rounds(500);
        child other([&] {
            auto mine = Memory::open(name.str());
            type<TestType> from(mine, "there");
            type<TestType> to(mine, "back");
            pattern<8> got{};
            for (std::uint64_t i = 0; i < count; ++i) {
                if (!subjects::take_waiting(from, i, got, 90s) || !got.is(i)) return 1;
                if (!subjects::put_waiting(to, i + 1, 90s)) return 2;
            }
            return 0;
        });
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            wrong += !subjects::put_waiting(out, i, 90s);
            wrong += !(subjects::take_waiting(in, i + 1, item, 90s) && item.is(i + 1));
        }
        CHECK(wrong == 0);
        CHECK(other.wait() == 0);
        CHECK(subjects::put_waiting(out, count + 1, 1ms));
        CHECK(subjects::put_waiting(out, count + 2, 1ms));
        if constexpr (subjects::exact_full) CHECK_FALSE(subjects::put_waiting(out, count + 3, 1ms));
    }
}

TEMPLATE_LIST_TEST_CASE("batches, through two handles", "[fast]", catalogue) {
    INFO(TestType::name());
    if constexpr (!subjects::keyed) {
        using item = pattern<8>;
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto from = make<type<TestType>>(memory, 8);
        type<TestType> to(memory, "s");
        random_source random(2);
        subjects::model model;
        std::uint64_t next = 0;
        std::uint64_t wrong = 0;
        for (int i = 0; i < 1000; ++i) {
            std::vector<item> in;
            for (auto left = random.below(12); left > 0; --left) in.push_back(item::of(next + in.size()));
            auto const room = std::min<std::uint64_t>(in.size(), 8 - model.size());
            auto const done = from.try_push_n(in);
            wrong += done != room;
            for (std::uint64_t n = 0; n < done; ++n) model.push_back(next++);
            std::vector<item> out(random.below(12), item::of(77));
            auto const got = to.try_pop_n(out);
            wrong += got != std::min(out.size(), model.size());
            for (std::size_t n = 0; n < out.size(); ++n) {
                if (n >= got || model.empty()) {
                    wrong += !out[n].is(77);
                    continue;
                }
                auto const at = subjects::next_out(model);
                wrong += !out[n].is(*at);
                model.erase(at);
            }
        }
        CHECK(wrong == 0);
        CHECK(next > 1000);
    }
}

// --- kills ---

struct kill_books {
    std::atomic<std::uint64_t> survivor_operations{0};
    std::atomic<std::uint64_t> worker_operations{0};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint32_t> inside{0};
};

/// Who puts items in and who takes them out.
struct roles {
    bool puts = true;
    bool takes = true;
};

/// Items of the survivor and of the workers: one bucket of a map holds both.
constexpr std::uint64_t items_of(bool survivor) { return survivor ? 0x1111111111111111 : 0x2222222222222222; }

/// A worker is killed again and again, beside a survivor.
template <class Variant>
void kills(std::uint64_t count, roles const& of_survivor, roles const& of_worker) {
    watchdog const limit(100);
    random_source random(count);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { auto const s = make<type<Variant>>(memory, 4); }
    shared<kill_books> track;
    auto const run = [&](bool survivor) {
        auto mine = Memory::open(name.str());
        type<Variant> s(mine, "s");
        auto const role = survivor ? of_survivor : of_worker;
        while (!track->stop) {
            pattern<8> out{};
            if (!survivor) track->inside.store(1, std::memory_order_relaxed);
            if (role.puts) subjects::put(s, items_of(survivor));
            if (role.takes && subjects::take(s, items_of(survivor), out) && !out.is(items_of(true)) &&
                !out.is(items_of(false)))
                ++track->wrong;
            if (!survivor) track->inside.store(0, std::memory_order_relaxed);
            ++(survivor ? track->survivor_operations : track->worker_operations);
        }
    };
    child survivor([&] { run(true); });
    std::uint64_t inside = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        track->worker_operations = 0;
        child worker([&] { run(false); });
        until([&] { return track->worker_operations > 0; });
        nap(std::chrono::nanoseconds(random.below(500000)));
        worker.kill();
        REQUIRE(worker.wait() == -SIGKILL);
        inside += track->inside.exchange(0);
        auto const before = track->survivor_operations.load();
        until([&] { return track->survivor_operations > before + 2; });
    }
    track->stop = true;
    CHECK(survivor.wait() == 0);
    CHECK(track->wrong == 0);
    type<Variant> s(memory, "s");
    pattern<8> out{};
    for (bool const whose : {true, false})
        while (subjects::take(s, items_of(whose), out))
            CHECK((out.is(items_of(true)) || out.is(items_of(false))));
    CHECK(s.was_size() == 0);
    subjects::model model;
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK(subjects::put(s, i));
        model.push_back(i);
    }
    if constexpr (subjects::exact_full) CHECK_FALSE(subjects::put(s, 4));
    while (!model.empty()) {
        auto const at = subjects::next_out(model);
        CHECK((subjects::take(s, *at, out) && out.is(*at)));
        model.erase(at);
    }
    CHECK(s.was_size() == 0);
    std::printf("%s: %llu kills, %llu inside an operation\n", Variant::name().c_str(),
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(inside));
}

template <class Variant>
void kills(std::uint64_t count) {
    if constexpr (both_roles<Variant>) {
        kills<Variant>(count, {}, {});
    } else {
        kills<Variant>(count / 2, {true, false}, {false, true});
        kills<Variant>(count / 2, {false, true}, {true, false});
    }
}

TEMPLATE_LIST_TEST_CASE("what claims to be safe from kills goes on behind them", "[fast]", catalogue) {
    if constexpr (TestType::kill_safe) kills<TestType>(10);
}
TEMPLATE_LIST_TEST_CASE("what claims to be safe from kills goes on behind 50 of them", "[medium]",
                        catalogue) {
    if constexpr (TestType::kill_safe) kills<TestType>(50);
}

}  // namespace
