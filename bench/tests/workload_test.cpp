#include "zeroipc/bench/workload.hpp"

#include <unistd.h>
#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "message_of.hpp"
#include "schema_check.hpp"
#include "zeroipc/bench/clock.hpp"
#include "zeroipc/bench/control.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/record.hpp"

using namespace zeroipc::bench;
using nlohmann::json;
using zeroipc::bench::testing::message_of;

namespace {

constexpr std::uint64_t batch = attempts_a_look;

/// What fakes do to an item on its way.
enum class Lie { none, drop, duplicate, reorder, tear, replay, forge };

/// A queue in this process. It does its lie to the items whose turns (counted over all pushes) are in
/// `turns`.
template <std::size_t N>
class FakeQueue {
public:
    explicit FakeQueue(std::size_t capacity = 100'000, Lie lie = Lie::none,
                       std::vector<std::uint64_t> turns = {})
        : capacity_(capacity), lie_(lie), turns_(std::move(turns)) {}

    bool try_push(Payload<N> const& item) {
        std::lock_guard const guard(mutex_);
        if (items_.size() >= capacity_) return false;
        bool const now = std::find(turns_.begin(), turns_.end(), pushes_++) != turns_.end();
        auto const lie = now ? lie_ : Lie::none;
        if (lie == Lie::drop) return true;
        items_.push_back(item);
        if (lie == Lie::duplicate) items_.push_back(item);
        if (lie == Lie::reorder) std::swap(items_.back(), items_.at(items_.size() - 2));
        if (lie == Lie::tear) items_.back().word.back() ^= 1U << 17;
        if (lie == Lie::replay) items_.back() = items_.at(items_.size() - 2);
        if (lie == Lie::forge) items_.back().fill(7, item.number());
        return true;
    }
    bool try_pop(Payload<N>& item) {
        std::lock_guard const guard(mutex_);
        if (items_.empty() || closed_after_ == 0) return false;
        if (closed_after_) --*closed_after_;
        item = items_.front();
        items_.pop_front();
        return true;
    }

    /// Lets consumers have only that many items from now on; nullopt: all.
    void let_through(std::optional<std::uint64_t> items) { closed_after_ = items; }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] Payload<N> const& back() const { return items_.back(); }
    void shuffle_producers(std::uint64_t seed) {
        // Any interleaving that keeps each producer's own order.
        std::vector<std::deque<Payload<N>>> lanes;
        for (auto const& item : items_) {
            lanes.resize(std::max<std::size_t>(lanes.size(), item.producer() + 1));
            lanes[item.producer()].push_back(item);
        }
        std::mt19937_64 random(seed);
        items_.clear();
        for (;;) {
            std::erase_if(lanes, [](auto const& lane) { return lane.empty(); });
            if (lanes.empty()) return;
            auto& lane = lanes[random() % lanes.size()];
            items_.push_back(lane.front());
            lane.pop_front();
        }
    }

private:
    std::mutex mutex_;
    std::deque<Payload<N>> items_;
    std::size_t capacity_;
    Lie lie_;
    std::vector<std::uint64_t> turns_;
    std::uint64_t pushes_ = 0;
    std::optional<std::uint64_t> closed_after_;
};

/// A run's control block, without a segment. Its windows end at tick 0: loops make one look at the clock.
class Run {
public:
    explicit Run(std::uint32_t producers, std::uint32_t consumers) : control_(std::make_unique<Control>()) {
        control_->producers = producers;
        control_->consumers = consumers;
        control_->workers = producers + consumers;
        control_->clock = ClockInfo{};
    }
    Control& control() { return *control_; }
    WorkerReport& producer(std::uint32_t index) { return control_->reports[index]; }
    WorkerReport& consumer(std::uint32_t index) { return control_->reports[control_->producers + index]; }
    Bench bench_of_producer(std::uint32_t index) {
        return {*control_, producer(index), index, Clock(control_->clock)};
    }
    Bench bench_of_consumer(std::uint32_t index) {
        return {*control_, consumer(index), index, Clock(control_->clock)};
    }

    template <std::size_t N>
    void produce_all(FakeQueue<N>& queue) {
        for (std::uint32_t i = 0; i < control_->producers; ++i) {
            auto bench = bench_of_producer(i);
            produce<N>(bench, queue);
            control_->producers_done.value.fetch_add(1);
        }
    }
    template <std::size_t N>
    void consume_as(std::uint32_t index, FakeQueue<N>& queue) {
        auto bench = bench_of_consumer(index);
        int calls = 0;
        consume<N>(bench, queue, [&] { ++calls; });
        CHECK(calls == 1);
    }

    /// The comparison that the coordinator makes: empty if all is well.
    std::string complaints() const {
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        std::uint64_t sent_sum = 0;
        std::uint64_t received_sum = 0;
        std::uint64_t violations = 0;
        std::uint64_t corrupt = 0;
        for (std::uint32_t i = 0; i < control_->workers; ++i) {
            auto const& report = control_->reports[i];
            sent += report.put_items;
            sent_sum += report.put_sum;
            received += report.taken_items;
            received_sum += report.taken_sum;
            violations += report.order_violations;
            corrupt += report.corrupt_items;
        }
        std::string text;
        if (sent != received) text += "count ";
        if (sent_sum != received_sum) text += "sum ";
        if (violations != 0) text += "order ";
        if (corrupt != 0) text += "corrupt ";
        return text;
    }

private:
    std::unique_ptr<Control> control_;
};

template <std::size_t N>
Payload<N> item_of(std::uint64_t producer, std::uint64_t number) {
    Payload<N> item;
    item.fill(producer, number);
    return item;
}

WorkerReport written(auto const& ledger) {
    WorkerReport report{};
    ledger.write(report);
    return report;
}

}  // namespace

// ---------------------------------------------------------------------------------------------- payloads

TEMPLATE_TEST_CASE_SIG("a filled payload is whole and says whose it is", "[fast]", ((std::size_t N), N), 8,
                       64, 256, 1024, 4096) {
    static_assert(sizeof(Payload<N>) == N);
    for (std::uint64_t const producer : {0U, 1U, 1023U, 65535U})
        for (std::uint64_t const number : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{123456789},
                                           Payload<N>::number_mask - 1, Payload<N>::number_mask}) {
            auto const item = item_of<N>(producer, number);
            CHECK(item.is_whole());
            CHECK(item.producer() == producer);
            CHECK(item.number() == number);
        }
}

TEMPLATE_TEST_CASE_SIG("any byte that is changed makes a payload torn", "[fast]", ((std::size_t N), N), 64,
                       256, 1024, 4096) {
    auto const good = item_of<N>(3, 77);
    std::size_t missed = 0;
    for (std::size_t byte = 0; byte < N; ++byte)
        for (int const change : {0x01, 0x80, 0xff}) {
            auto item = good;
            auto* const bytes = reinterpret_cast<unsigned char*>(item.word.data());
            bytes[byte] = static_cast<unsigned char>(bytes[byte] ^ change);
            missed += item.is_whole() ? 1U : 0U;
        }
    CHECK(missed == 0);
}

TEMPLATE_TEST_CASE_SIG("a payload put together from two is torn, wherever the seam", "[fast]",
                       ((std::size_t N), N), 64, 256, 1024, 4096) {
    auto const newer = item_of<N>(1, 1000);
    for (auto const& older : {item_of<N>(1, 999), item_of<N>(1, 0), item_of<N>(0, 1000), Payload<N>{}}) {
        std::size_t missed = 0;
        for (std::size_t seam = 1; seam < Payload<N>::words; ++seam) {
            auto mixed = newer;
            std::copy_n(older.word.begin(), seam, mixed.word.begin());
            missed += mixed.is_whole() ? 1U : 0U;
            mixed = older;
            std::copy_n(newer.word.begin(), seam, mixed.word.begin());
            missed += mixed.is_whole() ? 1U : 0U;
        }
        CHECK(missed == 0);
    }
}

TEST_CASE("a payload of one word cannot be torn", "[fast]") {
    auto item = item_of<8>(0, 5);
    item.word[0] ^= 1;
    CHECK(item.is_whole());  // a change of it is seen as a wrong number, in sums and orders
    CHECK(item.number() == 4);
}

// ---------------------------------------------------------------------------------------------- the ledger

TEST_CASE("the ledger accepts every interleaving of producers", "[fast]") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 100; ++round) {
        Ledger<64> ledger(3);
        std::vector<std::uint64_t> next(3, 0);
        std::uint64_t sum = 0;
        for (int i = 0; i < 300; ++i) {
            auto const producer = random() % 3;
            next[producer] += random() % 4;  // other consumers have what is missing
            auto const item = item_of<64>(producer, next[producer]++);
            sum += item.word[0];
            ledger.enter(item);
        }
        auto const report = written(ledger);
        CHECK(report.taken_items == 300);
        CHECK(ledger.items() == 300);
        CHECK(report.taken_sum == sum);
        CHECK(report.order_violations == 0);
        CHECK(report.corrupt_items == 0);
    }
}

TEST_CASE("the ledger counts what comes twice", "[fast]") {
    Ledger<8> ledger(2);
    for (std::uint64_t const number : {0U, 1U, 1U, 2U}) ledger.enter(item_of<8>(0, number));
    ledger.enter(item_of<8>(1, 1));  // of another producer: not the same item
    CHECK(written(ledger).order_violations == 1);
    CHECK(written(ledger).taken_items == 5);
}

TEST_CASE("the ledger counts what comes late", "[fast]") {
    Ledger<8> ledger(1);
    for (std::uint64_t const number : {0U, 2U, 1U, 3U, 0U}) ledger.enter(item_of<8>(0, number));
    CHECK(written(ledger).order_violations == 2);
}

TEST_CASE("the ledger counts producers that there are not, and torn items, and goes on", "[fast]") {
    Ledger<64> ledger(2);
    ledger.enter(item_of<64>(0, 0));
    ledger.enter(item_of<64>(2, 0));
    ledger.enter(item_of<64>(65535, 0));
    auto torn = item_of<64>(0, 50);
    torn.word[7] += 1;
    ledger.enter(torn);
    ledger.enter(Payload<64>{});      // a cell that was never written
    ledger.enter(item_of<64>(0, 1));  // the torn one's number is not believed
    ledger.enter(item_of<64>(1, 0));
    auto const report = written(ledger);
    CHECK(report.taken_items == 7);
    CHECK(report.corrupt_items == 4);
    CHECK(report.order_violations == 0);
}

TEST_CASE("a ledger sees no loss by itself: that is for the counts", "[fast]") {
    Ledger<8> ledger(1);
    ledger.enter(item_of<8>(0, 0));
    ledger.enter(item_of<8>(0, 2));
    auto const report = written(ledger);
    CHECK(report.order_violations == 0);
    CHECK(report.taken_items == 2);
    CHECK(report.taken_sum == 2);
}

// ---------------------------------------------------------------------------------------- produce, consume

TEMPLATE_TEST_CASE_SIG("what honest queues carry is accepted", "[fast]", ((std::size_t N), N), 8, 64, 4096) {
    Run run(3, 1);
    FakeQueue<N> queue;
    run.produce_all(queue);
    for (std::uint32_t i = 0; i < 3; ++i) {
        CHECK(run.producer(i).put_items == batch);
        CHECK(run.producer(i).successes == batch);
        CHECK(run.producer(i).full == 0);
        CHECK(run.producer(i).end > 0);
    }
    queue.shuffle_producers(5);
    run.consume_as(0, queue);
    CHECK(run.complaints().empty());
    CHECK(run.consumer(0).taken_items == 3 * batch);
    CHECK(run.consumer(0).successes == batch);  // until the window's end
    CHECK(run.consumer(0).outside == 2 * batch);
    CHECK(queue.size() == 0);
}

TEST_CASE("consumers that share the items are accepted together", "[fast]") {
    Run run(2, 3);
    FakeQueue<64> queue;
    run.produce_all(queue);
    queue.shuffle_producers(9);
    for (auto const& [consumer, share] : {std::pair{0U, 10U}, std::pair{1U, 0U}, std::pair{2U, 1000U}}) {
        queue.let_through(share);
        run.consume_as(consumer, queue);
    }
    CHECK(run.consumer(0).taken_items == 10);
    CHECK(run.consumer(1).taken_items == 0);
    CHECK(run.consumer(1).empty > 0);
    CHECK(run.consumer(2).taken_items == 2 * batch - 10);
    CHECK(run.complaints().empty());
}

TEST_CASE("what queues do wrong is found", "[fast]") {
    struct Case {
        Lie lie;
        char const* complaint;
    };
    for (auto const& [lie, complaint] : {
             Case{Lie::none, ""},
             Case{Lie::drop, "count sum "},
             Case{Lie::duplicate, "count sum order "},
             Case{Lie::reorder, "order "},
             Case{Lie::replay, "sum order "},  // the slot's former item once more: one lost, one twice
             Case{Lie::tear, "corrupt "},
             Case{Lie::forge, "sum corrupt "},
         })
        for (std::uint64_t const turn : {std::uint64_t{1}, batch / 2, batch - 1, 2 * batch - 1}) {
            INFO("lie " << static_cast<int>(lie) << " at push " << turn);
            Run run(2, 1);
            FakeQueue<64> queue(1000, lie, {turn});
            run.produce_all(queue);
            run.consume_as(0, queue);
            CHECK(run.complaints() == complaint);
        }
}

TEST_CASE("a loss is found with items of one word too", "[fast]") {
    Run run(1, 1);
    FakeQueue<8> queue(1000, Lie::drop, {3});
    run.produce_all(queue);
    run.consume_as(0, queue);
    CHECK(run.complaints() == "count sum ");
}

TEST_CASE("a loss that another item's double makes up for in number is found in the sum", "[fast]") {
    Run run(1, 2);
    FakeQueue<8> lossy(1000, Lie::replay, {9});
    run.produce_all(lossy);
    // The double goes to another consumer, so that neither sees a wrong order.
    lossy.let_through(9);
    run.consume_as(0, lossy);
    lossy.let_through(std::nullopt);
    run.consume_as(1, lossy);
    CHECK(run.complaints() == "sum ");
}

TEST_CASE("answers full are counted apart", "[fast]") {
    Run run(1, 1);
    FakeQueue<8> queue(8);
    run.produce_all(queue);
    CHECK(run.producer(0).successes == 8);
    CHECK(run.producer(0).put_items == 8);
    CHECK(run.producer(0).full > 0);
    run.consume_as(0, queue);
    CHECK(run.consumer(0).taken_items == 8);
    CHECK(run.consumer(0).empty > 0);
    CHECK(run.complaints().empty());
}

TEST_CASE("an empty queue whose producers are done ends its consumers", "[fast]") {
    for (bool const oversubscribed : {false, true}) {
        Run run(2, 1);
        run.control().oversubscribed = oversubscribed ? 1U : 0U;
        run.control().producers_done.value = 2;
        FakeQueue<8> queue;
        run.consume_as(0, queue);
        CHECK(run.consumer(0).taken_items == 0);
        CHECK(run.consumer(0).outside == 0);
        CHECK(run.consumer(0).empty > 0);
    }
}

TEST_CASE("a consumer drains until all producers are done, and then once more", "[fast]") {
    Run run(2, 1);
    run.control().producers_done.value = 1;
    // The last producer's last item comes just behind an empty answer, and with it the news that it was the last.
    struct {
        Control& control;
        FakeQueue<64> queue{};
        int calls = 0;
        bool try_pop(Payload<64>& item) {
            if (queue.try_pop(item)) return true;
            if (++calls == 500) {
                queue.try_push(item_of<64>(1, 0));
                control.producers_done.value = 2;
            }
            return false;
        }
    } late{run.control()};
    auto bench = run.bench_of_consumer(0);
    consume<64>(bench, late, [] {});
    CHECK(late.calls > 500);
    CHECK(run.consumer(0).taken_items == 1);
    CHECK(run.consumer(0).outside == 1);
}

TEST_CASE("a run that was given up ends its loops", "[fast]") {
    Run run(1, 1);
    run.control().abandon.value = 1;
    FakeQueue<8> queue(1);
    {
        auto bench = run.bench_of_producer(0);
        bench.window_end = std::numeric_limits<std::uint64_t>::max();
        produce<8>(bench, queue);
    }
    {
        auto bench = run.bench_of_consumer(0);
        bench.window_end = std::numeric_limits<std::uint64_t>::max();
        consume<8>(bench, queue, [] {});  // although no producer has said that it is done
    }
    CHECK(run.complaints().empty());
}

TEST_CASE("loops of several threads pass, and with a queue that lies they do not", "[fast]") {
    struct Case {
        Lie lie;
        char const* complaint;
    };
    for (auto const& [lie, complaint] :
         {Case{Lie::none, ""}, Case{Lie::drop, "count sum "}, Case{Lie::tear, "corrupt "}}) {
        INFO("lie " << static_cast<int>(lie));
        Run run(2, 2);
        run.control().oversubscribed = 1;
        FakeQueue<64> queue(32, lie, {5});
        auto const end = monotonic_ns() + 20'000'000;
        std::vector<std::thread> threads;
        for (std::uint32_t i = 0; i < 2; ++i) {
            threads.emplace_back([&run, &queue, end, i] {
                auto bench = run.bench_of_producer(i);
                bench.window_end = end;
                produce<64>(bench, queue);
                run.control().producers_done.value.fetch_add(1, std::memory_order_release);
            });
            threads.emplace_back([&run, &queue, end, i] {
                auto bench = run.bench_of_consumer(i);
                bench.window_end = end;
                consume<64>(bench, queue, [] {});
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(run.complaints() == complaint);
        CHECK(run.producer(0).put_items + run.producer(1).put_items > 6);
    }
}

TEST_CASE("pauses after refusals double up to a limit, and a success resets them", "[fast]") {
    Pacer pacer(false);
    std::vector<int> pauses;
    for (int i = 0; i < 9; ++i) pauses.push_back(pacer.refusal());
    CHECK(pauses == std::vector{1, 2, 4, 8, 16, 32, 64, 64, 64});
    static_assert(Pacer::longest == 64);
    pacer.success();
    CHECK(pacer.refusal() == 1);
    CHECK(pacer.refusal() == 2);
    Pacer yielding(true);
    for (int i = 0; i < 5; ++i) CHECK(yielding.refusal() == 1);
}

// ------------------------------------------------------------------------------------------- round trips

TEST_CASE("a round trip comes back, is sampled, and ends with the farewell", "[fast]") {
    Run run(1, 1);
    FakeQueue<64> echo;  // there and back in one: what is sent is what comes
    auto bench = run.bench_of_producer(0);
    bench.samples.reserve(8);
    initiate<64>(bench, echo, echo);
    auto const& report = run.producer(0);
    CHECK(report.successes == 1);
    CHECK(report.put_items == 1);
    CHECK(report.corrupt_items == 0);
    CHECK(report.order_violations == 0);
    CHECK(bench.samples.size() == 1);
    REQUIRE(echo.size() == 1);
    CHECK(echo.back().number() == farewell);
    CHECK(echo.back().is_whole());
}

TEST_CASE("samples stop where their store ends, round trips do not", "[fast]") {
    Run run(1, 1);
    FakeQueue<8> echo;
    auto bench = run.bench_of_producer(0);
    bench.samples.reserve(3);
    auto const room = bench.samples.capacity();
    auto const* const store = bench.samples.data();
    bench.window_end = monotonic_ns() + 2'000'000;
    while (run.producer(0).put_items <= room) {
        initiate<8>(bench, echo, echo);
        bench.window_end = monotonic_ns() + 100'000'000;  // only where the machine stood still for 2 ms
        Payload<8> rest;
        while (echo.try_pop(rest)) continue;
    }
    CHECK(bench.samples.size() == room);
    CHECK(bench.samples.data() == store);
    CHECK(run.producer(0).put_items > room);
}

TEST_CASE("an initiator notices answers that are not its questions", "[fast]") {
    SECTION("torn") {
        Run run(1, 1);
        FakeQueue<64> echo(100, Lie::tear, {0});
        auto bench = run.bench_of_producer(0);
        initiate<64>(bench, echo, echo);
        CHECK(run.producer(0).corrupt_items == 1);
        CHECK(run.producer(0).order_violations == 0);
    }
    SECTION("another") {
        Run run(1, 1);
        FakeQueue<64> there;
        FakeQueue<64> back;
        back.try_push(item_of<64>(0, 3));
        auto bench = run.bench_of_producer(0);
        initiate<64>(bench, there, back);
        CHECK(run.producer(0).corrupt_items == 0);
        CHECK(run.producer(0).order_violations == 1);
        CHECK(there.size() == 2);
    }
}

TEST_CASE("a responder answers all but the farewell", "[fast]") {
    Run run(1, 1);
    FakeQueue<64> there(100, Lie::tear, {2});
    FakeQueue<64> back;
    for (std::uint64_t number = 0; number < 5; ++number) there.try_push(item_of<64>(0, number));
    there.try_push(item_of<64>(0, farewell));
    there.try_push(item_of<64>(0, 6));
    auto bench = run.bench_of_consumer(0);
    respond<64>(bench, there, back);
    CHECK(run.consumer(0).taken_items == 5);
    CHECK(run.consumer(0).successes == 5);
    CHECK(run.consumer(0).taken_sum == 0 + 1 + 2 + 3 + 4);
    CHECK(run.consumer(0).corrupt_items == 1);
    CHECK(back.size() == 5);
    CHECK(there.size() == 1);
}

TEST_CASE("a round trip that nobody answers ends when the run is given up", "[fast]") {
    Run run(1, 1);
    run.control().abandon.value = 1;
    FakeQueue<8> there;
    FakeQueue<8> back;
    auto bench = run.bench_of_producer(0);
    bench.window_end = std::numeric_limits<std::uint64_t>::max();
    initiate<8>(bench, there, back);
    CHECK(run.producer(0).put_items == 0);
    auto other = run.bench_of_consumer(0);
    FakeQueue<8> silent;
    respond<8>(other, silent, back);
    CHECK(run.consumer(0).taken_items == 0);
}

TEST_CASE("two threads play ping-pong and agree on what was said", "[fast]") {
    Run run(1, 1);
    run.control().oversubscribed = 1;
    FakeQueue<256> there(1);
    FakeQueue<256> back(1);
    std::thread responder([&] {
        auto bench = run.bench_of_consumer(0);
        respond<256>(bench, there, back);
    });
    auto bench = run.bench_of_producer(0);
    bench.samples.reserve(1000);
    bench.window_end = monotonic_ns() + 10'000'000;
    initiate<256>(bench, there, back);
    responder.join();
    CHECK(run.producer(0).put_items >= 1);
    CHECK(run.complaints().empty());
}

// --------------------------------------------------------------------------------------------- the clock

TEST_CASE("the clock is calibrated plausibly and never runs backwards", "[fast]") {
    auto const info = ClockInfo::calibrate();
    CHECK(std::isfinite(info.ticks_per_ns));
    CHECK(info.ticks_per_ns > 0);
    CHECK(std::isfinite(info.floor_ns));
    CHECK(info.floor_ns >= 0);
    std::string const name = info.name();
    CHECK((name == "tsc" || name == "cntvct" || name == "clock_gettime"));
    if (info.source == ClockInfo::Source::clock_gettime) CHECK(info.ticks_per_ns == 1.0);
    CHECK(info.to_ns(info.to_ticks(1e6)) == Approx(1e6).epsilon(1e-4));

    Clock const clock(info);
    auto const first = clock.ordered_ticks();
    auto last = first;
    std::size_t backwards = 0;
    for (int i = 0; i < 100'000; ++i) {
        auto const now = clock.ordered_ticks();
        backwards += now < last ? 1U : 0U;
        last = now;
    }
    CHECK(backwards == 0);
    CHECK(last > first);
    CHECK(clock.ticks() >= first);
}

TEST_CASE("names of clocks", "[fast]") {
    CHECK(ClockInfo{}.name() == std::string("clock_gettime"));
    CHECK(ClockInfo{ClockInfo::Source::tsc}.name() == std::string("tsc"));
    CHECK(ClockInfo{ClockInfo::Source::cntvct}.name() == std::string("cntvct"));
    Clock const plain(ClockInfo{});
    auto const before = plain.ticks();
    auto const after = plain.ordered_ticks();
    CHECK(after >= before);
}

// ----------------------------------------------------------------------------------------- shared layout

TEST_CASE("text of bounded length", "[fast]") {
    Text text;
    text.assign("short");
    CHECK(text.view() == "short");
    text.assign("");
    CHECK(text.view().empty());
    text.assign(std::string(text_bytes - 1, 'a'));
    CHECK(text.view() == std::string(text_bytes - 1, 'a'));
    text.assign(std::string(10'000, 'b'));
    CHECK(text.view() == std::string(text_bytes - 1, 'b'));
    text.bytes.fill('c');  // by somebody who does not end it
    CHECK(text.view().size() == text_bytes);
}

TEST_CASE("the control block is aligned wherever the table puts it, and fits", "[fast]") {
    CHECK(alignof(Control) % line_bytes == 0);
    CHECK(sizeof(WorkerReport) % line_bytes == 0);
    CHECK(offsetof(Control, arrived) % line_bytes == 0);
    CHECK(offsetof(Control, mailbox) % line_bytes == 0);
    CHECK(offsetof(Control, reports) % line_bytes == 0);
    for (std::uint32_t const workers : {1U, 2U, 5U, most_workers}) {
        auto const used = offsetof(Control, reports) + workers * sizeof(WorkerReport);
        for (std::size_t offset = 0; offset <= 2 * alignof(Control); offset += 8) {
            auto const aligned = (offset + alignof(Control) - 1) / alignof(Control) * alignof(Control);
            CHECK(aligned + used <= offset + control_bytes(workers));
        }
    }
    struct alignas(alignof(Control)) Block {
        std::byte bytes[2 * sizeof(Control)];
    };
    auto const block = std::make_unique<Block>();
    for (std::uint64_t const offset : {0U, 8U, 64U, 120U, 128U, 1000U}) {
        auto const at = static_cast<std::size_t>(
            reinterpret_cast<std::byte*>(&control_at(block->bytes, offset)) - block->bytes);
        CHECK(at >= offset);
        CHECK(at < offset + alignof(Control));
        CHECK(at % alignof(Control) == 0);
    }
}

// ----------------------------------------------------------------------------------------------- records

namespace {

constexpr auto not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinite = std::numeric_limits<double>::infinity();

Cell cell_of(Mode mode) {
    Cell cell;
    cell.mode = mode;
    cell.variant = zeroipc::variants::list().front().name;
    return cell;
}

RunResult result_of(Mode mode) {
    RunResult result;
    result.ok = true;
    result.placement.strategy = "spread";
    result.placement.worker_cpus = {0, 1};
    result.placement.coordinator_cpus = {0, 1};
    result.clock = {ClockInfo::Source::tsc, 2.5, 12.0};
    result.start_at = 1000;
    result.start_skew_ns = 3.5;
    result.probe_before_ns = 100;
    result.probe_after_ns = 101.5;
    result.separate_cores = 1;
    result.operations = 5000;
    result.sent = result.received = 5100;
    result.sums_equal = true;
    for (std::uint32_t i = 0; i < 2; ++i) {
        WorkerResult worker;
        worker.role = mode == Mode::pingpong ? (i == 0 ? "initiator" : "responder")
                                             : (i == 0 ? "producer" : "consumer");
        worker.cpu = static_cast<int>(i);
        auto& report = worker.report;
        report.finished = 1;
        report.cpu_obtained_count = 1;
        report.cpus_obtained[0] = static_cast<int>(i);
        report.pin_verified = 1;
        report.memory_nodes = 1;
        report.memory_policy.assign("single_node");
        report.pages_checked = 10;
        report.pages_on_node = 10;
        report.start = 990 + 20 * i;
        report.end = 251'000;
        report.successes = 5000;
        (i == 0 ? report.full : report.empty) = 7 + i;
        report.outside = i == 0 ? 0 : 100;
        result.workers.push_back(worker);
    }
    if (mode == Mode::pingpong) {
        auto& latency = result.workers[0].report.latency;
        latency.samples = 5000;
        latency.mean = 510;
        latency.min = 250;
        latency.p50 = 500;
        latency.p90 = 750;
        latency.p99 = 1000;
        latency.p99_9 = 0;  // without 10 samples beyond
        latency.p99_99 = 0;
        latency.max = 250'000;
        latency.points = 3;
        latency.fraction = {0.0, 0.2, 0.4};
        latency.value = {250, 400, 450};
    }
    return result;
}

json record_of(Cell const& cell, RunResult const& result) {
    auto const record = to_record(cell, result, {"20260101T000000Z-abcd", 3, 4, 99});
    // As it is read back from its line: what JSON cannot hold does not hide.
    return json::parse(record.dump());
}

}  // namespace

TEST_CASE("the checker of schemas finds what is wrong", "[fast]") {
    auto const good = record_of(cell_of(Mode::throughput), result_of(Mode::throughput));
    CHECK(zeroipc::bench::testing::record_complaints(good).empty());
    auto const complains = [&](auto&& change) {
        auto bad = good;
        change(bad);
        return !zeroipc::bench::testing::record_complaints(bad).empty();
    };
    CHECK(complains([](json& record) { record.erase("run"); }));
    CHECK(complains([](json& record) { record["more"] = 1; }));
    CHECK(complains([](json& record) { record["producers"] = 0; }));
    CHECK(complains([](json& record) { record["producers"] = "1"; }));
    CHECK(complains([](json& record) { record["producers"] = 1.5; }));
    CHECK(complains([](json& record) { record["status"] = "fine"; }));
    CHECK(complains([](json& record) { record["schema"] = "zeroipc-record/2"; }));
    CHECK(complains([](json& record) { record["flags"].push_back("unheard_of"); }));
    CHECK(complains([](json& record) { record["workers"][0].erase("cpu"); }));
    CHECK(complains([](json& record) { record["throughput"]["operations_per_s"] = nullptr; }));
}

TEST_CASE("a throughput run's record", "[fast]") {
    auto const cell = cell_of(Mode::throughput);
    auto const record = record_of(cell, result_of(Mode::throughput));
    CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    CHECK(record["run"] == "20260101T000000Z-abcd");
    CHECK(record["cell"] == cell.key());
    CHECK(record["mode"] == "throughput");
    CHECK(record["kind"] == "variant");
    CHECK(record["is_default"] == true);
    CHECK(record["capacity"] == 1024);
    CHECK(record["round"] == 3);
    CHECK(record["position"] == 4);
    CHECK(record["seed"] == 99);
    CHECK(record["status"] == "ok");
    CHECK(record["error"].is_null());
    CHECK(record["latency"].is_null());
    CHECK(record["separate_cores"] == true);
    CHECK(record["throughput"]["operations"] == 5000);
    CHECK(record["throughput"]["operations_per_s"].get<double>() == Approx(50'000));
    CHECK(record["throughput"]["ns_per_operation"].get<double>() == Approx(20'000));
    CHECK(record["placement"]["cpus_asked"] == json({0, 1}));
    CHECK(record["placement"]["cpus_obtained"] == json::array({json::array({0}), json::array({1})}));
    CHECK(record["placement"]["verified"] == true);
    CHECK(record["memory"]["policy"] == "single_node");
    CHECK(record["memory"]["nodes"] == 1);
    CHECK(record["memory"]["node_asked"].is_null());
    CHECK(record["verification"]["passed"] == true);
    auto const& producer = record["workers"][0];
    CHECK(producer["role"] == "producer");
    CHECK(producer["full"] == 7);
    CHECK(producer["empty"].is_null());
    CHECK(producer["start_ns"].get<double>() == Approx(-4));  // a stamp before the start that was meant
    CHECK(producer["end_ns"].get<double>() == Approx(100'000));
    auto const& consumer = record["workers"][1];
    CHECK(consumer["full"].is_null());
    CHECK(consumer["empty"] == 8);
    CHECK(consumer["outside_window"] == 100);
    CHECK(consumer["start_ns"].get<double>() == Approx(4));
}

TEST_CASE("a round trip's record leaves out percentiles that its samples do not support", "[fast]") {
    auto const record = record_of(cell_of(Mode::pingpong), result_of(Mode::pingpong));
    CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    CHECK(record["throughput"].is_null());
    auto const& latency = record["latency"];
    CHECK(latency["samples"] == 5000);
    CHECK(latency["min_ns"].get<double>() == Approx(100));
    CHECK(latency["mean_ns"].get<double>() == Approx(204));
    CHECK(latency["p50_ns"].get<double>() == Approx(200));
    CHECK(latency["p90_ns"].get<double>() == Approx(300));
    CHECK(latency["p99_ns"].get<double>() == Approx(400));
    CHECK(latency["p99_9_ns"].is_null());
    CHECK(latency["p99_99_ns"].is_null());
    CHECK(latency["max_ns"].get<double>() == Approx(100'000));
    REQUIRE(latency["curve"].size() == 3);
    CHECK(latency["curve"][1][0].get<double>() == Approx(0.2));
    CHECK(latency["curve"][1][1].get<double>() == Approx(160));
    for (auto const& worker : record["workers"]) {
        CHECK(worker["full"].is_null());
        CHECK(worker["empty"].is_null());
    }
}

TEST_CASE("a round trip without a single sample has only nulls", "[fast]") {
    auto result = result_of(Mode::pingpong);
    result.workers[0].report.latency = {};
    auto const record = record_of(cell_of(Mode::pingpong), result);
    CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    for (auto const* const key :
         {"min_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns"})
        CHECK(record["latency"][key].is_null());
    CHECK(record["latency"]["curve"].empty());
}

TEST_CASE("a report that counts more points than there are is not believed", "[fast]") {
    auto result = result_of(Mode::pingpong);
    result.workers[0].report.latency.points = 0xffffffffU;
    CHECK(record_of(cell_of(Mode::pingpong), result)["latency"]["curve"].size() == curve_points);
}

TEST_CASE("what is not a number becomes null", "[fast]") {
    for (double const strange : {not_a_number, infinite, -infinite, -1.0}) {
        auto result = result_of(Mode::throughput);
        result.start_skew_ns = strange;
        result.probe_before_ns = strange;
        result.probe_after_ns = strange;
        result.separate_cores = -1;
        auto const record = to_record(cell_of(Mode::throughput), result, {});
        for (auto const* const key :
             {"start_skew_ns", "probe_before_ns", "probe_after_ns", "separate_cores"}) {
            INFO(key << " from " << strange);
            CHECK(record[key].is_null());
        }
        CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    }
    auto result = result_of(Mode::pingpong);
    result.clock.ticks_per_ns = 1e-320;  // divisions by it overflow
    result.workers[0].report.latency.mean = not_a_number;
    auto const record = to_record(cell_of(Mode::pingpong), result, {});
    CHECK(record["latency"]["mean_ns"].is_null());
    CHECK(record["latency"]["p50_ns"].is_null());
    CHECK(record["workers"][0]["end_ns"].is_null());
}

TEST_CASE("nothing that a run can measure writes a NaN", "[fast]") {
    auto result = result_of(Mode::throughput);
    result.operations = 0;
    auto const record = record_of(cell_of(Mode::throughput), result);
    CHECK(record["throughput"]["operations_per_s"] == 0.0);
    CHECK(record["throughput"]["ns_per_operation"].is_null());
    CHECK(operations_per_s(cell_of(Mode::throughput), result) == 0.0);
}

TEST_CASE("a failed run's record says why and shows no figures", "[fast]") {
    for (auto const mode : {Mode::throughput, Mode::pingpong}) {
        auto result = result_of(mode);
        result.ok = false;
        result.error = "10 sent and 9 received";
        result.corrupt_items = 2;
        result.order_violations = 3;
        result.sums_equal = false;
        auto record = record_of(cell_of(mode), result);
        CHECK(zeroipc::bench::testing::record_complaints(record).empty());
        CHECK(record["status"] == "failed");
        CHECK(record["error"] == "10 sent and 9 received");
        CHECK(record["throughput"].is_null());
        CHECK(record["latency"].is_null());
        CHECK(record["workers"].empty());
        CHECK(record["verification"]["passed"] == false);
        CHECK(record["verification"]["sums_equal"] == false);
        CHECK(record["verification"]["corrupt_items"] == 2);
        CHECK(record["verification"]["order_violations"] == 3);
    }
}

TEST_CASE("a run that failed before any worker came has a record too", "[fast]") {
    RunResult result;
    result.error = "no space";
    for (auto const mode : {Mode::throughput, Mode::pingpong}) {
        auto const record = record_of(cell_of(mode), result);
        CHECK(zeroipc::bench::testing::record_complaints(record).empty());
        CHECK(record["verification"].is_null());
        CHECK(record["placement"]["verified"] == false);
        CHECK(record["memory"]["nodes"] == "unknown");
        CHECK(record["start_skew_ns"].is_null());
        CHECK(record["separate_cores"].is_null());
    }
}

TEST_CASE("a bound's record", "[fast]") {
    auto cell = cell_of(Mode::throughput);
    auto result = result_of(Mode::throughput);
    for (auto& worker : result.workers) worker.role = "worker";
    cell.variant = bound_fetch_add;
    auto const record = record_of(cell, result);
    CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    CHECK(record["kind"] == "bound");
    CHECK(record["is_default"] == false);
    CHECK(record["capacity"].is_null());
    CHECK(record["throughput"]["operation"] == "increment");
}

TEST_CASE("a worker without a role has what its structure can answer", "[fast]") {
    auto result = result_of(Mode::throughput);
    for (auto& worker : result.workers) {
        worker.role = "worker";
        worker.report.full = 3;
        worker.report.empty = 4;
        worker.report.misses = 5;
        worker.report.observed = 1;
        worker.report.retries = 6;
        worker.report.backoffs = 7;
    }
    auto cell = cell_of(Mode::throughput);
    cell.producers = 2;
    cell.consumers = 0;
    cell.variant = "stack/treiber/acq_rel/exp/compact";
    auto const stack = record_of(cell, result);
    CHECK(zeroipc::bench::testing::record_complaints(stack).empty());
    CHECK(stack["throughput"]["operation"] == "push or pop");
    CHECK(stack["workload"]["push_percent"] == 50);
    CHECK(stack["workload"]["mix"].is_null());
    CHECK(stack["workers"][1]["full"] == 3);
    CHECK(stack["workers"][1]["empty"] == 4);
    CHECK(stack["workers"][1]["misses"].is_null());
    CHECK(stack["workers"][1]["retries"] == 6);
    CHECK(stack["workers"][1]["backoffs"] == 7);
    cell.variant = "map/buckets/acq_rel/exp/compact";
    cell.mix = "ycsb-a";
    auto const map = record_of(cell, result);
    CHECK(zeroipc::bench::testing::record_complaints(map).empty());
    CHECK(map["workload"]["mix"] == "ycsb-a");
    CHECK(map["workload"]["push_percent"].is_null());
    CHECK(map["workers"][0]["empty"].is_null());
    CHECK(map["workers"][0]["misses"] == 5);
}

TEST_CASE("only the first variant of a structure is its default", "[fast]") {
    auto cell = cell_of(Mode::throughput);
    cell.variant = zeroipc::variants::list().back().name;
    CHECK(record_of(cell, result_of(Mode::throughput))["is_default"] == false);
}

TEST_CASE("memory that was bound, and pins that were not obtained", "[fast]") {
    auto result = result_of(Mode::throughput);
    result.memory_node = 1;
    result.workers[0].report.memory_nodes = 2;
    result.workers[0].report.memory_policy.assign("bind");
    result.workers[0].report.pages_checked = -1;
    result.workers[0].report.pages_on_node = -1;
    result.workers[1].report.pin_verified = 0;
    result.workers[1].report.cpu_obtained_count = 2;
    result.workers[1].report.cpus_obtained[0] = 0;
    result.workers[1].report.cpus_obtained[1] = 1;
    result.placement.oversubscribed = true;
    result.flags = {"oversubscribed", "steal"};
    auto const record = record_of(cell_of(Mode::throughput), result);
    CHECK(zeroipc::bench::testing::record_complaints(record).empty());
    CHECK(record["memory"]["policy"] == "bind");
    CHECK(record["memory"]["node_asked"] == 1);
    CHECK(record["memory"]["pages_checked"].is_null());
    CHECK(record["memory"]["pages_on_node"].is_null());
    CHECK(record["placement"]["verified"] == false);
    CHECK(record["placement"]["cpus_obtained"][1] == json({0, 1}));
    CHECK(record["oversubscribed"] == true);
    CHECK(record["flags"] == json({"oversubscribed", "steal"}));
    result.workers[0].report.memory_policy.assign("unknown");  // asked for, but the kernel does not say so
    CHECK(record_of(cell_of(Mode::throughput), result)["memory"]["policy"] == "unknown");
}

TEST_CASE("a seed of 64 bits survives", "[fast]") {
    auto const all = std::numeric_limits<std::uint64_t>::max();
    auto const record = to_record(cell_of(Mode::throughput), result_of(Mode::throughput), {"r", 0, 0, all});
    CHECK(json::parse(record.dump())["seed"].get<std::uint64_t>() == all);
}

// ------------------------------------------------------------------------------------------------- files

namespace {

class Folder {
public:
    Folder() {
        auto pattern = (std::filesystem::temp_directory_path() / "zeroipc-workload-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }

    std::filesystem::path path;
};

std::string text_of(std::filesystem::path const& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("records are appended a line each and stand in the file at once", "[fast]") {
    Folder const folder;
    auto const file = folder.path / "records.jsonl";
    RecordWriter writer(file);
    writer.append({{"a", 1}});
    CHECK(text_of(file) == "{\"a\":1}\n");
    writer.append({{"b", "two\nlines"}});
    CHECK(text_of(file) == "{\"a\":1}\n{\"b\":\"two\\nlines\"}\n");
    RecordWriter another(file);
    another.append({{"c", nullptr}});
    CHECK(text_of(file) == "{\"a\":1}\n{\"b\":\"two\\nlines\"}\n{\"c\":null}\n");
}

TEST_CASE("an error that was cut in the middle of a character does not cost the record", "[fast]") {
    Folder const folder;
    Text text;
    text.assign(std::string(text_bytes - 2, 'x') + "\u00e9");
    RecordWriter writer(folder.path / "records.jsonl");
    REQUIRE_NOTHROW(writer.append({{"error", std::string(text.view())}}));
    CHECK_NOTHROW(json::parse(text_of(folder.path / "records.jsonl")));
}

TEST_CASE("files that cannot be written are named", "[fast]") {
    Folder const folder;
    auto const missing = folder.path / "missing" / "file";
    CHECK_THAT(message_of<std::system_error>([&] { RecordWriter writer(missing); }),
               Catch::Matchers::Contains(missing.string()));
    CHECK_THAT(message_of<std::system_error>([&] { write_file(missing, "text"); }),
               Catch::Matchers::Contains(missing.string()));
    // A device that is always full.
    if (std::filesystem::exists("/dev/full")) {
        RecordWriter full("/dev/full");
        CHECK_THAT(message_of<std::system_error>([&] {
                       full.append({{"a", 1}});
                   }),
                   Catch::Matchers::Contains("/dev/full"));
    }
}

TEST_CASE("a file is written whole or not at all", "[fast]") {
    Folder const folder;
    auto const file = folder.path / "file";
    write_file(file, "first");
    write_file(file, "second");
    CHECK(text_of(file) == "second");
    std::filesystem::create_symlink("/dev/full", folder.path / "file.part");
    CHECK_FALSE(message_of<std::system_error>([&] { write_file(file, "third"); }).empty());
    CHECK(text_of(file) == "second");
    std::filesystem::remove(folder.path / "file.part");
    write_file(file, "fourth");
    std::size_t entries = 0;
    for ([[maybe_unused]] auto const& entry : std::filesystem::directory_iterator(folder.path)) ++entries;
    CHECK(entries == 1);
}
