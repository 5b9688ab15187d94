/// \file
/// One suite over the whole catalogue: what every variant of the queue must do, and what follows from what it
/// claims.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;
using catalogue = variants::queue_catalogue;

struct text3 {
    char c[3];
};
struct text100 {
    char c[100];
};

/// Options that every variant takes.
constexpr queue_options few_slots{8};

TEST_CASE("names are unique and of five parts, and the default comes first", "[fast]") {
    auto const& all = variants::list();
    REQUIRE(all.size() == std::tuple_size_v<variants::catalogue>);
    std::set<std::string> names;
    for (auto const& one : all) {
        INFO(one.name);
        CHECK(names.insert(one.name).second);
        CHECK(std::count(one.name.begin(), one.name.end(), '/') == 4);
        CHECK(one.name.find("//") == std::string::npos);
        CHECK(one.name.front() != '/');
        CHECK(one.name.back() != '/');
        CHECK(one.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_/-") == std::string::npos);
        CHECK(one.name.substr(0, one.name.find('/')) == one.structure);
        CHECK_FALSE(one.progress.empty());
        CHECK_FALSE(one.source.empty());
    }
    CHECK(all.front().is_default);
    CHECK(all.front().name == "queue/exchange/acq_rel/exp/compact");
    CHECK(std::count_if(all.begin(), all.end(), [](auto const& one) { return one.is_default; }) == 3);
    CHECK(all.front().kill_safe);
    CHECK(all.front().linearizable_negatives);
    CHECK(all.front().progress == "lock-free");
}

TEMPLATE_LIST_TEST_CASE("first in, first out; capacity; laps", "[fast]", catalogue) {
    using queue = typename TestType::template type<std::uint64_t>;
    INFO(TestType::name());
    for (auto const capacity : sizes({1, 2, 4, 64, 1024})) {
        INFO("capacity " << capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 20);
        if (capacity < TestType::algorithm::min_capacity) {
            check_refused(errc::invalid_capacity, {"'q'", "capacity 1", "at least 2"},
                          [&] { queue const q(memory, "q", capacity, few_slots); });
            CHECK(memory.entries().empty());
            continue;
        }
        queue q(memory, "q", capacity, few_slots);
        CHECK(q.capacity() == capacity);
        std::uint64_t in = 0;
        std::uint64_t out = 0;
        for (int lap = 0; lap < 5; ++lap) {
            std::uint64_t item = 77;
            REQUIRE_FALSE(q.try_pop(item));
            REQUIRE(item == 77);
            REQUIRE(q.was_empty());
            for (std::uint64_t i = 0; i < capacity; ++i) {
                REQUIRE(q.try_push(in++));
                REQUIRE(q.was_size() == i + 1);
            }
            REQUIRE_FALSE(q.try_push(0));
            for (std::uint64_t i = 0; i < (capacity + 1) / 2; ++i) REQUIRE(q.try_pop() == out++);
            for (std::uint64_t i = 0; i < (capacity + 1) / 2; ++i) REQUIRE(q.try_push(in++));
            REQUIRE_FALSE(q.try_push(0));
            for (std::uint64_t i = 0; i < capacity; ++i) REQUIRE(q.try_pop() == out++);
        }
    }
}

template <class Variant, class T>
void sized_items() {
    using queue = typename Variant::template type<T>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    queue q(memory, "q", 4, few_slots);
    queue other(memory, "q");
    for (unsigned i = 0; i < 100; ++i) {
        T item;
        T got;
        std::memset(static_cast<void*>(&item), static_cast<int>(i + 1), sizeof item);
        std::memset(static_cast<void*>(&got), 0, sizeof got);
        REQUIRE(q.try_push(item));
        REQUIRE(other.try_pop(got));
        REQUIRE(std::memcmp(&item, &got, sizeof item) == 0);
    }
}

TEMPLATE_LIST_TEST_CASE("items of any size, and opening as another type", "[fast]", catalogue) {
    INFO(TestType::name());
    sized_items<TestType, char>();
    sized_items<TestType, text3>();
    sized_items<TestType, std::uint32_t>();
    sized_items<TestType, text100>();
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    typename TestType::template type<std::uint64_t> const q(memory, "q", 4, few_slots);
    check_refused(errc::wrong_item_size, {"'q'"},
                  [&] { typename TestType::template type<char> const other(memory, "q"); });
    check_refused(errc::exists, {"'q'"},
                  [&] { typename TestType::template type<char> const other(memory, "q", 4); });
    check_refused(errc::invalid_capacity, {"12"},
                  [&] { typename TestType::template type<char> const other(memory, "r", 12); });
    check_refused(errc::not_found, {"'r'"},
                  [&] { typename TestType::template type<char> const other(memory, "r"); });
}

TEST_CASE("a variant opens what another one made exactly if algorithm and layout are the same", "[fast]") {
    variants::for_each_variant<catalogue>([]<class Maker>() {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        typename Maker::template type<std::uint64_t> made(memory, "q", 4, few_slots);
        made.push(5);
        variants::for_each_variant<catalogue>([&]<class Opener>() {
            INFO(Maker::name() << " opened as " << Opener::name());
            bool const same = Maker::algorithm::id == Opener::algorithm::id &&
                              Maker::policies::layout::id == Opener::policies::layout::id;
            auto const refusal =
                thrown_by([&] { typename Opener::template type<std::uint64_t> const opened(memory, "q"); });
            CHECK(refusal.has_value() != same);
            if (refusal) CHECK(refusal->cause() == errc::wrong_kind);
        });
        CHECK(made.pop() == 5);
    });
}

TEMPLATE_LIST_TEST_CASE("two mappings of one segment", "[fast]", catalogue) {
    using queue = typename TestType::template type<std::uint64_t>;
    INFO(TestType::name());
    segment_name const name;
    auto one = Memory::create(name, 1 << 16);
    auto two = Memory::open(name);
    REQUIRE(one.base() != two.base());
    queue a(one, "q", 2, few_slots);
    queue b(two, "q");
    for (std::uint64_t i = 0; i < 1000; ++i) {
        REQUIRE(a.try_push(i));
        REQUIRE(b.try_push(i + 1000000));
        REQUIRE_FALSE(b.try_push(0));
        REQUIRE(b.try_pop() == i);
        REQUIRE(a.try_pop() == i + 1000000);
        REQUIRE_FALSE(a.try_pop());
    }
}

/// Items are producer << 32 | counter.
struct tracker {
    std::array<std::uint64_t, 2> newest{};
    std::uint64_t sum = 0;
    bool ordered = true;
    void take(std::uint64_t item) {
        auto const who = item >> 32;
        if (who > 1 || (item & 0xffffffff) <= newest[who & 1]) ordered = false;
        newest[who & 1] = item & 0xffffffff;
        sum += item;
    }
};
constexpr std::uint64_t sum_of(std::uint64_t items) { return items * (items + 1) + (items << 32); }

struct books {
    std::atomic<std::uint64_t> popped{0};
    std::atomic<std::uint64_t> sum{0};
    std::atomic<std::uint64_t> disorder{0};
    std::atomic<std::uint64_t> oversize{0};
};

template <class Q>
void produce(Memory& memory, std::uint64_t who, std::uint64_t items) {
    Q q(memory, "q");
    for (std::uint64_t i = 1; i <= items; ++i)
        while (!q.try_push(who << 32 | i)) ::sched_yield();
}

template <class Q>
void consume(Memory& memory, std::uint64_t items, books& track) {
    Q q(memory, "q");
    tracker seen;
    while (track.popped < 2 * items) {
        std::uint64_t item = 0;
        if (q.try_pop(item)) {
            seen.take(item);
            ++track.popped;
        } else {
            ::sched_yield();
        }
        if (q.was_size() > q.capacity()) ++track.oversize;
    }
    track.sum += seen.sum;
    if (!seen.ordered) ++track.disorder;
}

void check(books const& track, std::uint64_t items) {
    CHECK(track.popped == 2 * items);
    CHECK(track.sum == sum_of(items));
    CHECK(track.disorder == 0);
    CHECK(track.oversize == 0);
}

template <class Variant>
void run_threads(std::uint64_t capacity, std::uint64_t items) {
    using queue = typename Variant::template type<std::uint64_t>;
    watchdog const limit(200);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    { queue const q(memory, "q", capacity, few_slots); }
    books track;
    std::vector<std::thread> all;
    for (std::uint64_t who = 0; who < 2; ++who)
        all.emplace_back([&, who] { produce<queue>(memory, who, items); });
    for (int i = 0; i < 2; ++i) all.emplace_back([&] { consume<queue>(memory, items, track); });
    for (auto& one : all) one.join();
    check(track, items);
}

template <class Variant>
void run_processes(std::uint64_t capacity, std::uint64_t items) {
    using queue = typename Variant::template type<std::uint64_t>;
    watchdog const limit(200);
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 18);
        queue const q(memory, "q", capacity, few_slots);
    }
    shared<books> track;
    std::vector<child> all;
    for (std::uint64_t who = 0; who < 2; ++who)
        all.emplace_back([&, who] {
            auto memory = Memory::open(name.str());
            produce<queue>(memory, who, items);
        });
    for (int i = 0; i < 2; ++i)
        all.emplace_back([&] {
            auto memory = Memory::open(name.str());
            consume<queue>(memory, items, *track);
        });
    for (auto& one : all) CHECK(one.wait() == 0);
    check(*track, items);
}

TEMPLATE_LIST_TEST_CASE("two producers and two consumers", "[fast]", catalogue) {
    INFO(TestType::name());
    run_threads<TestType>(4, rounds(4000));
    run_processes<TestType>(4, rounds(4000));
}

TEMPLATE_LIST_TEST_CASE("two producers and two consumers, longer", "[medium]", catalogue) {
    INFO(TestType::name());
    for (auto const capacity : sizes({1, 2, 256})) {
        if (capacity < TestType::algorithm::min_capacity) continue;
        run_threads<TestType>(capacity, rounds(30000));
        run_processes<TestType>(capacity, rounds(30000));
    }
}

TEMPLATE_LIST_TEST_CASE("blocking operations hand over between processes", "[fast]", catalogue) {
    using queue = typename TestType::template type<std::uint64_t>;
    INFO(TestType::name());
    watchdog const limit(100);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    queue out(memory, "there", 2, few_slots);
    queue in(memory, "back", 2, few_slots);
    CHECK_FALSE(in.pop(1ms));
    auto const count = rounds(500);
    child other([&] {
        auto mine = Memory::open(name.str());
        queue from(mine, "there");
        queue to(mine, "back");
        for (std::uint64_t i = 0; i < count; ++i) to.push(from.pop() + 1);
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        out.push(i);
        wrong += in.pop() != i + 1;
    }
    CHECK(wrong == 0);
    CHECK(other.wait() == 0);
    CHECK(out.push(1, 1ms));
    CHECK(out.push(2, 1ms));
    CHECK_FALSE(out.push(3, 1ms));
}

// --- kills
// -----------------------------------------------------------------------------------------------------------

struct kill_books {
    std::atomic<std::uint64_t> survivor_operations{0};
    std::atomic<std::uint64_t> worker_operations{0};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint32_t> inside{0};
};

/// One survivor pushes and pops; a worker, who does the same, is killed again and again.
template <class Variant>
void kills(std::uint64_t count) {
    using queue = typename Variant::template type<std::uint64_t>;
    watchdog const limit(100);
    random_source random(count);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    { queue const q(memory, "q", 4, few_slots); }
    shared<kill_books> track;
    auto const run = [&](bool survivor) {
        auto mine = Memory::open(name.str());
        queue q(mine, "q");
        std::uint64_t item = 0;
        while (!track->stop) {
            if (!survivor) track->inside.store(1, std::memory_order_relaxed);
            q.try_push(0x1234567812345678);
            if (q.try_pop(item) && item != 0x1234567812345678) ++track->wrong;
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
    queue q(memory, "q");
    std::uint64_t item = 0;
    while (q.try_pop(item)) CHECK(item == 0x1234567812345678);
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(q.try_push(i));
    CHECK_FALSE(q.try_push(4));
    for (std::uint64_t i = 0; i < 4; ++i) CHECK(q.try_pop() == i);
    CHECK_FALSE(q.try_pop());
    std::printf("%s: %llu kills, %llu inside an operation\n", Variant::name().c_str(),
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(inside));
}

TEMPLATE_LIST_TEST_CASE("what claims to be safe from kills goes on behind them", "[fast]", catalogue) {
    if constexpr (TestType::kill_safe) kills<TestType>(10);
}
TEMPLATE_LIST_TEST_CASE("what claims to be safe from kills goes on behind 100 of them", "[medium]",
                        catalogue) {
    if constexpr (TestType::kill_safe) kills<TestType>(100);
}

template <class Layout>
using mortal_mutex = Queue<std::uint64_t, variants::algorithm::mutex, Layout, mortal>;

TEMPLATE_TEST_CASE("the mutex ring: a process dies at each step while it holds the mutex", "[fast]",
                   layout::compact, layout::padded) {
    watchdog const limit(100);
    using native = Queue<std::uint64_t, variants::algorithm::mutex, TestType>;
    std::uint64_t deaths = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            survivor.push(1);
            survivor.push(2);
            child doomed([&] {
                auto mine = Memory::open(name.str());
                mortal_mutex<TestType> q(mine, "q");
                std::uint64_t item = 0;
                fate::now() = {};
                fate::now().last = k;
                if (push)
                    q.try_push(3);
                else
                    q.try_pop(item);
            });
            int const end = doomed.wait();
            REQUIRE((end == 0 || end == -SIGKILL));
            deaths += end == -SIGKILL;
            // The operation took effect or not; a second death on top does not matter.
            child second([&] {
                auto mine = Memory::open(name.str());
                mortal_mutex<TestType> q(mine, "q");
                fate::now() = {};
                fate::now().last = 1;
                std::uint64_t item = 0;
                q.try_pop(item);
            });
            CHECK(second.wait() == -SIGKILL);
            std::vector<std::uint64_t> left;
            std::uint64_t item = 0;
            while (survivor.try_pop(item)) left.push_back(item);
            INFO("step " << k);
            if (push)
                CHECK((left == std::vector<std::uint64_t>{1, 2} ||
                       left == std::vector<std::uint64_t>{1, 2, 3}));
            else
                CHECK((left == std::vector<std::uint64_t>{1, 2} || left == std::vector<std::uint64_t>{2}));
            for (std::uint64_t i = 0; i < 4; ++i) CHECK(survivor.try_push(i));
            CHECK_FALSE(survivor.try_push(4));
            if (end == 0) break;
        }
    CHECK(deaths >= 8);
}

/// Why the ticket ring does not claim to be safe from kills.
TEST_CASE("the ticket ring: a process that dies between claim and publication stops all others", "[fast]") {
    using native = Queue<std::uint64_t, variants::algorithm::ticket>;
    using mortal_ticket = Queue<std::uint64_t, variants::algorithm::ticket, mortal>;
    static_assert(!native::algorithm::kill_safe);
    unsigned stuck_consumers = 0;
    unsigned stuck_producers = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            if (!push)
                for (std::uint64_t i = 0; i < 4; ++i) survivor.push(i);
            child doomed([&] {
                auto mine = Memory::open(name.str());
                mortal_ticket q(mine, "q");
                std::uint64_t item = 0;
                fate::now() = {};
                fate::now().last = k;
                if (push)
                    q.try_push(1000);
                else
                    q.try_pop(item);
            });
            if (doomed.wait() == 0) break;
            if (push) {
                // Three items are put behind it, and nobody ever gets one of them.
                bool stuck = true;
                for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(survivor.try_push(i));
                for (int i = 0; i < 1000; ++i)
                    stuck = stuck && !survivor.try_pop() && !native(memory, "q").try_pop();
                if (stuck) CHECK(survivor.was_size() == 4);
                stuck_consumers += stuck;
            } else {
                // One item was taken out, or none; what is sure is that nothing goes in, however many come
                // out.
                unsigned out = 0;
                while (survivor.try_pop()) ++out;
                bool stuck = true;
                for (int i = 0; i < 1000; ++i) stuck = stuck && !survivor.try_push(7);
                stuck_producers += stuck;
                if (stuck) CHECK(out == 3);
            }
        }
    // The steps between claim and publication: two halves of the payload's copy, and the publication itself.
    CHECK(stuck_consumers == 3);
    CHECK(stuck_producers == 3);
}

}  // namespace
