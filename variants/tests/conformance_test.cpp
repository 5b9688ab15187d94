/// \file
/// The conformance suite: what every variant of the catalogue must do, and what follows from what it claims. One program
/// for each kind of structure.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/subject.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace std::chrono_literals;
using namespace zeroipc;
using namespace zeroipc::testing;
using namespace zeroipc::testing::conformance;

/// Runs a test with each variant; what it costs is said of those that take long.
template <class Test>
void with_each(Test&& test) {
    for (auto const& variant : the_variants()) {
        INFO(variant.name);
        auto const begin = std::chrono::steady_clock::now();
        test(variant);
        auto const s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        if (s > 1) std::printf("  %s: %.1f s\n", variant.name.c_str(), s);
    }
}

TEST_CASE("how many variants are tested", "[fast]") {
    unsigned safe = 0;
    unsigned alone = 0;
    auto const noun = std::string(the_kind().noun);
    with_each([&](variant const& v) {
        CHECK(v.name.starts_with(noun + "/"));
        safe += v.kill_safe;
        alone += v.unsafe;
        std::printf("%s\n", v.name.c_str());
    });
    std::printf("conformance of the %s: %zu variants, %u killed, %u tested by one process alone\n",
                noun.c_str(), the_variants().size(), safe, alone);
    CHECK(safe > 0);
}

/// A variant beside a model of it: random operations, each answer as the model says.
class against_model {
public:
    against_model(variant const& v, std::uint64_t capacity)
        : memory_(Memory::create(name_, 1 << 20)), capacity_(capacity), s_(v.make(memory_, capacity, "s")) {}

    bool put() {
        bool const done = s_->put(next_);
        if (done) model_.push_back(next_++);
        bool const fits = !the_kind().exact_full || model_.size() <= capacity_;
        return fits && (done || model_.size() >= capacity_);
    }
    bool take() {
        std::uint64_t out = 0;
        if (model_.empty()) return s_->take(0, out) == taken::nothing;
        return s_->takes(next_out(model_));
    }
    bool size_is_right() { return s_->was_size() == model_.size() && s_->was_empty() == model_.empty(); }
    [[nodiscard]] bool at_capacity() const { return model_.size() >= capacity_; }
    [[nodiscard]] bool empty() const { return model_.empty(); }
    [[nodiscard]] bool capacity_is_right() const { return s_->capacity() == capacity_; }

private:
    segment_name name_;
    Memory memory_;
    std::uint64_t capacity_;
    std::unique_ptr<subject> s_;
    std::uint64_t next_ = 100;
    model model_;
};

TEST_CASE("as a model says: order or key, capacity, laps", "[fast]") {
    random_source random(1);
    with_each([&](variant const& v) {
        for (auto const capacity : sizes({1, 2, 4, 64, 1024})) {
            INFO("capacity " << capacity);
            if (capacity < v.min_capacity) {
                segment_name const name;
                auto memory = Memory::create(name, 1 << 20);
                check_refused(errc::invalid_capacity, {"'s'", "capacity 1", "at least 2"},
                              [&] { v.make(memory, capacity, "s"); });
                CHECK(memory.entries().empty());
                continue;
            }
            against_model both(v, capacity);
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
    });
}

TEST_CASE("items of any size, from one handle to another; and opening as another type", "[fast]") {
    with_each([](variant const& v) {
        for (auto const& size : v.sizes) {
            INFO(size.bytes << " bytes");
            segment_name const name;
            auto memory = Memory::create(name, 1 << 20);
            auto const from = size.make(memory, 4, "s");
            auto const to = size.open(memory, "s");
            std::uint64_t wrong = 0;
            for (std::uint64_t i = 0; i < 100; ++i) {
                wrong += !from->put(i);
                wrong += !to->takes(i);
            }
            CHECK(wrong == 0);
        }
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto const s = v.make(memory, 4, "s");
        auto const& other = v.sizes.front();
        check_refused(errc::wrong_item_size, {"'s'"}, [&] { other.open(memory, "s"); });
        check_refused(errc::exists, {"'s'"}, [&] { other.make(memory, 4, "s"); });
        check_refused(errc::invalid_capacity, {"capacity 0"}, [&] { other.make(memory, 0, "r"); });
        check_refused(errc::not_found, {"'r'"}, [&] { other.open(memory, "r"); });
    });
}

TEST_CASE("a variant opens what another one made exactly if algorithm and layout are the same", "[fast]") {
    with_each([](variant const& maker) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto const made = maker.make(memory, 4, "s");
        bool right = made->put(5);
        for (auto const& opener : the_variants()) {
            bool const same =
                maker.algorithm_id == opener.algorithm_id && maker.layout_id == opener.layout_id;
            auto const refusal = thrown_by([&] { opener.open(memory, "s"); });
            INFO(maker.name << " opened as " << opener.name);
            CHECK(refusal.has_value() != same);
            if (refusal) CHECK(refusal->cause() == errc::wrong_kind);
        }
        right = right && made->takes(5);
        CHECK(right);
    });
}

TEST_CASE("two mappings of one segment", "[fast]") {
    with_each([](variant const& v) {
        segment_name const name;
        auto one = Memory::create(name, 1 << 16);
        auto two = Memory::open(name);
        REQUIRE(one.base() != two.base());
        auto const a = v.make(one, 2, "s");
        auto const b = v.open(two, "s");
        std::uint64_t wrong = 0;
        model held;
        auto const take = [&](subject& from) { wrong += !from.takes(next_out(held)); };
        auto const put = [&](subject& into, std::uint64_t item) {
            wrong += !into.put(item);
            held.push_back(item);
        };
        for (std::uint64_t i = 0; i < 1000; ++i) {
            // What one process alone may do, one handle may do on each side.
            auto& second = v.both_roles() ? *b : *a;
            auto& third = v.both_roles() ? *a : *b;
            put(*a, i);
            put(second, i + 1000000);
            if (the_kind().exact_full) wrong += second.put(0);
            take(*b);
            take(third);
            std::uint64_t out = 0;
            wrong += third.take(0, out) != taken::nothing;
        }
        CHECK(wrong == 0);
    });
}

// --- threads and processes ---

/// Items are who << 32 | counter, counters from 1; who is 0 or 1.
struct books {
    std::atomic<std::uint64_t> taken{0};
    std::atomic<std::uint64_t> sum{0};
    std::atomic<std::uint64_t> wrong{0};  ///< torn, twice, or out of order
    std::atomic<std::uint64_t> oversize{0};
};

std::uint64_t producers(variant const& v) { return v.many_producers ? 2 : 1; }
std::uint64_t consumers(variant const& v) { return v.many_consumers ? 2 : 1; }

constexpr std::uint64_t sum_of(std::uint64_t who, std::uint64_t items) {
    return items * (items + 1) / 2 + (who << 32) * items;
}

void produce(variant const& v, Memory& memory, std::uint64_t who, std::uint64_t items) {
    auto const s = v.open(memory, "s");
    for (std::uint64_t i = 1; i <= items; ++i)
        while (!s->put(who << 32 | i)) ::sched_yield();
}

/// \param who of a map: whose keys this consumer takes.
void consume(variant const& v, Memory& memory, std::uint64_t who, std::uint64_t items, books& track) {
    auto const s = v.open(memory, "s");
    std::array<std::uint64_t, 2> newest{};
    std::uint64_t sum = 0;
    std::uint64_t mine = 0;
    auto const all = producers(v) * items;
    while (the_kind().keyed ? mine < items : track.taken < all) {
        std::uint64_t item = 0;
        auto const got = s->take(who << 32 | (mine + 1), item);
        if (got == taken::nothing) {
            ::sched_yield();
            continue;
        }
        auto const from = item >> 32;
        bool const honest = got == taken::item && from < producers(v);
        if (!honest || (the_kind().ordered && (item & 0xffffffff) <= newest[from])) ++track.wrong;
        if (honest) newest[from] = item & 0xffffffff;
        sum += item;
        ++mine;
        ++track.taken;
        if (the_kind().exact_full && mine % 16 == 0 && s->was_size() > s->capacity()) ++track.oversize;
    }
    track.sum += sum;
}

void check(variant const& v, books const& track, std::uint64_t items) {
    std::uint64_t sum = 0;
    for (std::uint64_t who = 0; who < producers(v); ++who) sum += sum_of(who, items);
    CHECK(track.taken == producers(v) * items);
    CHECK(track.sum == sum);
    CHECK(track.wrong == 0);
    CHECK(track.oversize == 0);
}

void run_threads(variant const& v, std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(200);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    v.make(memory, capacity, "s");
    books track;
    std::vector<std::thread> all;
    for (std::uint64_t who = 0; who < producers(v); ++who)
        all.emplace_back([&, who] { produce(v, memory, who, items); });
    for (std::uint64_t who = 0; who < consumers(v); ++who)
        all.emplace_back([&, who] { consume(v, memory, who, items, track); });
    for (auto& one : all) one.join();
    check(v, track, items);
}

/// \param other whose policies the consumers have: of the same bytes
void run_processes(variant const& v, variant const& other, std::uint64_t capacity, std::uint64_t items) {
    watchdog const limit(200);
    segment_name const name;
    {
        auto memory = Memory::create(name, 1 << 18);
        v.make(memory, capacity, "s");
    }
    shared<books> track;
    std::vector<child> all;
    for (std::uint64_t who = 0; who < producers(v); ++who)
        all.emplace_back([&, who] {
            auto memory = Memory::open(name.str());
            produce(v, memory, who, items);
        });
    for (std::uint64_t who = 0; who < consumers(v); ++who)
        all.emplace_back([&, who] {
            auto memory = Memory::open(name.str());
            consume(other, memory, who, items, *track);
        });
    for (auto& one : all) CHECK(one.wait() == 0);
    check(v, *track, items);
}

TEST_CASE("producers and consumers", "[fast]") {
    with_each([](variant const& v) {
        if (v.unsafe) return;
        run_threads(v, 4, rounds(4000));
        run_processes(v, v, 4, rounds(4000));
    });
}

TEST_CASE("producers and consumers, longer", "[medium]") {
    with_each([](variant const& v) {
        if (v.unsafe) return;
        for (auto const capacity : sizes({1, 2, 256})) {
            if (capacity < v.min_capacity) continue;
            run_threads(v, capacity, rounds(8000));
            run_processes(v, v, capacity, rounds(8000));
        }
    });
}

TEST_CASE("processes with different policies work on one structure, where its bytes are the same", "[fast]") {
    // Producers have one variant's ordering, backoff and waiting, consumers the next one's of the same bytes, in a ring.
    auto const& all = the_variants();
    unsigned mixed = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t step = 1; step < all.size(); ++step) {
            auto const& other = all[(i + step) % all.size()];
            if (other.algorithm_id != all[i].algorithm_id || other.layout_id != all[i].layout_id) continue;
            if (all[i].unsafe || !all[i].both_roles()) break;
            INFO(all[i].name << " and " << other.name);
            run_processes(all[i], other, 4, rounds(1000));
            ++mixed;
            break;
        }
    }
    std::printf("%u pairs of variants mixed\n", mixed);
    CHECK(mixed > 0);
}

TEST_CASE("waiting operations hand over between processes", "[fast]") {
    with_each([](variant const& v) {
        if (v.unsafe) return;
        watchdog const limit(100);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto const out = v.make(memory, 2, "there");
        auto const in = v.make(memory, 2, "back");
        auto const handed = [](subject& from, std::uint64_t expected) {
            std::uint64_t got = 0;
            return from.take_within(expected, got, 90s) == taken::item && got == expected;
        };
        std::uint64_t item = 0;
        CHECK(in->take_within(0, item, 1ms) == taken::nothing);
        auto const count = rounds(500);
        child other([&] {
            auto mine = Memory::open(name.str());
            auto const from = v.open(mine, "there");
            auto const to = v.open(mine, "back");
            for (std::uint64_t i = 0; i < count; ++i) {
                if (!handed(*from, i)) return 1;
                if (!to->put_within(i + 1, 90s)) return 2;
            }
            return 0;
        });
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            wrong += !out->put_within(i, 90s);
            wrong += !handed(*in, i + 1);
        }
        CHECK(wrong == 0);
        CHECK(other.wait() == 0);
        CHECK(out->put_within(count + 1, 1ms));
        CHECK(out->put_within(count + 2, 1ms));
        if (the_kind().exact_full) CHECK_FALSE(out->put_within(count + 3, 1ms));
    });
}

TEST_CASE("batches, through two handles", "[fast]") {
    if (the_kind().keyed) return;
    with_each([](variant const& v) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        auto const from = v.make(memory, 8, "s");
        auto const to = v.open(memory, "s");
        random_source random(2);
        model held;
        std::uint64_t next = 0;
        std::uint64_t wrong = 0;
        for (int i = 0; i < 1000; ++i) {
            std::vector<std::uint64_t> in;
            for (auto left = random.below(12); left > 0; --left) in.push_back(next + in.size());
            auto const room = std::min<std::uint64_t>(in.size(), 8 - held.size());
            auto const done = from->put_n(in);
            wrong += done != room;
            for (std::uint64_t n = 0; n < done; ++n) held.push_back(next++);
            auto const most = random.below(12);
            auto const got = to->take_n(most);
            wrong += !got || got->size() != std::min<std::uint64_t>(most, held.size());
            if (!got) continue;
            for (auto const item : *got) wrong += held.empty() || item != next_out(held);
        }
        CHECK(wrong == 0);
        CHECK(next > 1000);
    });
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
constexpr std::uint64_t item_of(bool survivor) { return survivor ? 0x1111111111111111 : 0x2222222222222222; }

/// Nothing, or an item that somebody put in.
bool honest(taken got, std::uint64_t item) {
    return got == taken::nothing || (got == taken::item && (item == item_of(true) || item == item_of(false)));
}

/// A worker is killed again and again, beside a survivor.
void kills(variant const& v, std::uint64_t count, roles const& of_survivor, roles const& of_worker) {
    watchdog const limit(100);
    random_source random(count);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    v.make(memory, 4, "s");
    shared<kill_books> track;
    auto const run = [&](bool survivor) {
        auto mine = Memory::open(name.str());
        auto const s = v.open(mine, "s");
        auto const role = survivor ? of_survivor : of_worker;
        while (!track->stop) {
            std::uint64_t out = 0;
            if (!survivor) track->inside.store(1, std::memory_order_relaxed);
            if (role.puts) s->put(item_of(survivor));
            auto const got = role.takes ? s->take(item_of(survivor), out) : taken::nothing;
            if (!honest(got, out)) ++track->wrong;
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
    auto const s = v.open(memory, "s");
    for (bool const whose : {true, false})
        for (auto got = taken::item; got != taken::nothing;) {
            std::uint64_t out = 0;
            got = s->take(item_of(whose), out);
            CHECK(honest(got, out));
        }
    CHECK(s->was_size() == 0);
    model held;
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK(s->put(i));
        held.push_back(i);
    }
    if (the_kind().exact_full) CHECK_FALSE(s->put(4));
    while (!held.empty()) CHECK(s->takes(next_out(held)));
    CHECK(s->was_size() == 0);
    std::printf("%s: %llu kills, %llu inside an operation\n", v.name.c_str(),
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(inside));
}

void kills(variant const& v, std::uint64_t count) {
    if (!v.kill_safe) return;
    if (v.both_roles()) {
        kills(v, count, {}, {});
    } else {
        kills(v, count / 2, {true, false}, {false, true});
        kills(v, count / 2, {false, true}, {true, false});
    }
}

TEST_CASE("what claims to be safe from kills goes on behind them", "[fast]") {
    with_each([](variant const& v) {
        if (!v.uses_kernel_locks) kills(v, 10);
    });
}
TEST_CASE("so does what the kernel helps, which takes locks from the dead", "[fast][kernel]") {
    with_each([](variant const& v) {
        if (v.uses_kernel_locks) kills(v, 10);
    });
}
TEST_CASE("what claims to be safe from kills goes on behind 50 of them", "[medium]") {
    with_each([](variant const& v) { kills(v, 50); });
}

}  // namespace
