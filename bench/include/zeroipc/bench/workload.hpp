#pragma once
/// \file
/// The loops that are timed, as templates over a *channel*: anything with try_push(item) and try_pop(item).

#include <zeroipc/atomics.hpp>

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "control.hpp"
#include "handicap.hpp"
#include "histogram.hpp"

namespace zeroipc::bench {

/// An item of N bytes whose first word names its producer and number, and whose other words follow from the
/// first, so that a torn or stale item is noticed.
template <std::size_t N>
struct Payload {
    static_assert(N >= 8 && N % 8 == 0);
    static constexpr std::size_t words = N / 8;
    static constexpr std::uint64_t step = 0x9e3779b97f4a7c15U;
    static constexpr unsigned number_bits = 48;
    static constexpr std::uint64_t number_mask = (std::uint64_t{1} << number_bits) - 1;

    std::array<std::uint64_t, words> word;

    void fill(std::uint64_t producer, std::uint64_t number) noexcept {
        auto value = (producer << number_bits) | number;
        for (auto& w : word) {
            w = value;
            value += step;
        }
    }
    [[nodiscard]] bool is_whole() const noexcept {
        std::uint64_t differences = 0;
        for (std::size_t i = 1; i < words; ++i) differences |= word[i] ^ (word[0] + i * step);
        return differences == 0;
    }
    [[nodiscard]] std::uint64_t producer() const noexcept { return word[0] >> number_bits; }
    [[nodiscard]] std::uint64_t number() const noexcept { return word[0] & number_mask; }
};

/// What one worker's operations took, in ticks.
struct Timed {
    Histogram from_due;    ///< from the moment when they should have begun, or items from then until received
    Histogram from_begin;  ///< from the moment when they began
};

/// What one worker's loop runs in.
struct Bench {
    Control& control;
    WorkerReport& report;
    std::uint32_t role_index;  ///< among the workers of its role
    Clock clock;
    std::uint64_t window_end = 0;
    std::uint64_t window_ticks = 0;
    std::uint64_t think_ticks = 0;
    double interval_ticks = 0;             ///< between operations that are due; 0: a closed loop
    Timed* timed = nullptr;                ///< mode latency: where this worker counts
    std::vector<std::uint32_t> samples{};  ///< round trips in ticks, reserved and touched before the window
    Handicap handicap{};
    void* made = nullptr;  ///< what Subject::make made, for all workers of this process

    /// Work of one's own between operations.
    void think() const noexcept {
        if (think_ticks == 0) return;
        auto const begin = clock.ticks();
        while (clock.ticks() - begin < think_ticks) {
        }
    }
    [[nodiscard]] bool abandoned() const noexcept {
        return control.abandon.value.load(std::memory_order_relaxed) != 0;
    }
    /// A look at the clock of a throughput loop, planted handicap included.
    std::uint64_t look() noexcept {
        return handicap.after_look(clock.ticks(), [this] { return clock.ticks(); });
    }
    /// After an answer full or empty: let the others work.
    void after_refusal() const noexcept {
        if (control.oversubscribed != 0)
            ::sched_yield();
        else
            atomics::cpu_relax();
    }
};

/// Attempts and pauses between two looks at the clock: a look costs as much as an operation.
inline constexpr int attempts_a_look = 32;

/// What a worker of a throughput cell does after answers full or empty: pauses that double up to a limit.
/// Asking again at once takes the cache line away from the one who is about to change the answer: measured,
/// it costs the fastest queues more than half of their throughput. The same for every variant; recorded as
/// the method.
class Pacer {
public:
    static constexpr int longest = 64;  ///< pauses, about 2 microseconds

    explicit Pacer(bool oversubscribed) noexcept : oversubscribed_(oversubscribed) {}
    void success() noexcept { pauses_ = 1; }
    /// \return how many pauses were made.
    int refusal() noexcept {
        if (oversubscribed_) {
            ::sched_yield();
            return 1;
        }
        int const made = pauses_;
        for (int i = 0; i < made; ++i) atomics::cpu_relax();
        if (pauses_ < longest) pauses_ *= 2;
        return made;
    }

private:
    bool oversubscribed_;
    int pauses_ = 1;
};

/// What the variant counted in this handle. At the end of the window.
template <class Structure>
void note_observed(WorkerReport& report, Structure& structure) {
    if constexpr (requires { structure.observed().retries; }) {
        auto const& seen = structure.observed();
        report.observed = 1;
        report.retries = seen.retries;
        report.helps = seen.helps;
        report.backoffs = seen.backoffs;
        report.system_calls = seen.system_calls;
    }
}

/// \return items that went in, of those that stand at `items`.
template <class Item, class Channel>
std::size_t put(Channel& channel, Item const* items, std::size_t count) {
    if constexpr (requires { channel.try_push_n(std::span<Item const>()); })
        if (count > 1) return channel.try_push_n(std::span<Item const>(items, count));
    return channel.try_push(*items) ? 1 : 0;
}
/// \return items that came out.
template <class Item, class Channel>
std::size_t take(Channel& channel, Item* items, std::size_t count) {
    if constexpr (requires { channel.try_pop_n(std::span<Item>()); })
        if (count > 1) return channel.try_pop_n(std::span<Item>(items, count));
    return channel.try_pop(*items) ? 1 : 0;
}

/// What most loops do at a look at the clock beside metering.
struct NothingOnLook {
    void operator()(std::uint64_t /*now*/, std::uint64_t /*done*/) const noexcept {}
};

/// Repeats `attempt` until the window is over, with a look at the clock now and then. It returns how many items it
/// moved; 0 is a refusal, after which the pacer makes its pauses. \return refusals.
/// Always part of its caller: else what `attempt` counts would live in memory, at a nanosecond and more an operation.
/// \param on_look called with the time and the items moved so far.
template <class Attempt, class OnLook = NothingOnLook>
[[gnu::always_inline]] inline std::uint64_t until_window_end(Bench& bench, Attempt&& attempt,
                                                             OnLook&& on_look = {}) {
    constexpr double least_hiccup_ns = 20'000;
    std::uint64_t refusals = 0;
    std::uint64_t now = 0;
    std::uint64_t done = 0;
    Pacer pacer(bench.control.oversubscribed != 0);
    auto& report = bench.report;
    report.intervals = Intervals::of_window(bench.window_ticks, bench.control.clock.ticks_per_ns);
    IntervalMeter intervals(report.intervals, bench.window_end - bench.window_ticks);
    HiccupMeter hiccups(bench.clock.ticks(), bench.control.clock.to_ticks(least_hiccup_ns));
    do {
        for (std::size_t i = 0; i < attempts_a_look;) {
            if (auto const moved = attempt(); moved != 0) [[likely]] {
                pacer.success();
                bench.think();
                i += moved;
                done += moved;
            } else {
                ++refusals;
                i += static_cast<std::size_t>(pacer.refusal());
            }
        }
        now = bench.look();
        intervals.note(now, done);
        hiccups.look(now);
        on_look(now, done);
    } while (now < bench.window_end && !bench.abandoned());
    intervals.finish(now, done);
    report.hiccups = hiccups.finish();
    report.end = now;
    return refusals;
}

template <std::size_t N, class Channel>
void produce(Bench& bench, Channel& channel) {
    std::uint64_t sent = 0;
    std::uint64_t sum = 0;
    auto const batch = std::max<std::size_t>(1, bench.control.batch);
    if (batch == 1) {
        Payload<N> item;
        item.fill(bench.role_index, sent);
        bench.report.full = until_window_end(bench, [&]() -> std::size_t {
            if (!channel.try_push(item)) return 0;
            sum += item.word[0];
            item.fill(bench.role_index, ++sent);
            return 1;
        });
    } else {
        std::vector<Payload<N>> items(batch);
        bench.report.full = until_window_end(bench, [&] {
            for (std::size_t i = 0; i < batch; ++i) items[i].fill(bench.role_index, sent + i);
            auto const moved = put(channel, items.data(), batch);
            for (std::size_t i = 0; i < moved; ++i) sum += items[i].word[0];
            sent += moved;
            return moved;
        });
    }
    note_observed(bench.report, channel);
    bench.report.successes = sent;
    bench.report.put_items = sent;
    bench.report.put_sum = sum;
}

/// Checks what consumers receive.
template <std::size_t N>
class Ledger {
public:
    explicit Ledger(std::uint32_t producers) : next_(producers, 0) {}

    void enter(Payload<N> const& item) noexcept {
        ++items_;
        sum_ += item.word[0];
        auto const producer = item.producer();
        if (!item.is_whole() || producer >= next_.size()) [[unlikely]] {
            ++corrupt_;
            return;
        }
        // A consumer sees a part of each producer's items, and that part in order.
        violations_ += item.number() < next_[producer] ? 1U : 0U;
        next_[producer] = item.number() + 1;
    }
    [[nodiscard]] std::uint64_t items() const noexcept { return items_; }
    void write(WorkerReport& report) const noexcept {
        report.taken_items = items_;
        report.taken_sum = sum_;
        report.order_violations = violations_;
        report.corrupt_items = corrupt_;
    }

private:
    std::vector<std::uint64_t> next_;
    std::uint64_t items_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t violations_ = 0;
    std::uint64_t corrupt_ = 0;
};

/// Takes out what is left until all producers are done, and writes the report.
template <std::size_t N, class Channel>
void drain_into(Bench& bench, Channel& channel, Ledger<N>& ledger) {
    Payload<N> item;
    // Nothing is pushed any more once `done` was seen, so an empty answer behind it is the end.
    for (;;) {
        bool const done =
            bench.control.producers_done.value.load(std::memory_order_acquire) == bench.control.producers;
        if (channel.try_pop(item)) {
            ledger.enter(item);
        } else {
            if (done || bench.abandoned()) break;
            bench.after_refusal();
        }
    }
    bench.report.outside = ledger.items() - bench.report.successes;
    ledger.write(bench.report);
}

/// \param at_window_end called once between window and draining.
template <std::size_t N, class Channel, class AtWindowEnd>
void consume(Bench& bench, Channel& channel, AtWindowEnd&& at_window_end) {
    Payload<N> item;
    Ledger<N> ledger(bench.control.producers);
    auto const batch = std::max<std::size_t>(1, bench.control.batch);
    if (batch == 1) {
        bench.report.empty = until_window_end(bench, [&]() -> std::size_t {
            if (!channel.try_pop(item)) return 0;
            ledger.enter(item);
            return 1;
        });
    } else {
        std::vector<Payload<N>> items(batch);
        bench.report.empty = until_window_end(bench, [&] {
            auto const moved = take(channel, items.data(), batch);
            for (std::size_t i = 0; i < moved; ++i) ledger.enter(items[i]);
            return moved;
        });
    }
    note_observed(bench.report, channel);
    bench.report.successes = ledger.items();
    at_window_end();
    drain_into(bench, channel, ledger);
}

inline constexpr std::uint64_t farewell =
    Payload<8>::number_mask;  ///< number of the item that ends a ping-pong

/// Waits for the next item. \return false if the run was given up.
template <std::size_t N, class Channel>
bool receive(Bench const& bench, Channel& channel, Payload<N>& item) {
    for (std::uint32_t round = 1; !channel.try_pop(item); ++round) {
        bench.after_refusal();
        if (round % 4096 == 0 && bench.abandoned()) return false;
    }
    return true;
}

template <std::size_t N, class Channel>
void initiate(Bench& bench, Channel& there, Channel& back) {
    Payload<N> out;
    Payload<N> in;
    std::uint64_t trips = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t disorder = 0;
    std::uint64_t sum = 0;
    std::uint64_t now = 0;
    out.fill(0, 0);
    do {
        auto const begin = bench.clock.ordered_ticks();
        while (!there.try_push(out)) bench.after_refusal();
        if (!receive(bench, back, in)) break;
        now = bench.clock.ordered_ticks();
        auto const took = now - begin;
        if (bench.samples.size() < bench.samples.capacity())
            bench.samples.push_back(took < 0xffffffffU ? static_cast<std::uint32_t>(took) : 0xffffffffU);
        corrupt += in.is_whole() ? 0U : 1U;
        disorder += in.word[0] != out.word[0] ? 1U : 0U;
        sum += in.word[0];
        out.fill(0, ++trips);
    } while (now < bench.window_end);
    bench.report.end = now;
    bench.report.successes = trips;
    bench.report.put_items = trips;
    bench.report.put_sum = sum;
    bench.report.corrupt_items = corrupt;
    bench.report.order_violations = disorder;
    out.fill(0, farewell);
    while (!there.try_push(out)) bench.after_refusal();
}

template <std::size_t N, class Channel>
void respond(Bench& bench, Channel& there, Channel& back) {
    Payload<N> item;
    std::uint64_t trips = 0;
    std::uint64_t sum = 0;
    std::uint64_t corrupt = 0;
    while (receive(bench, there, item) && item.number() != farewell) {
        corrupt += item.is_whole() ? 0U : 1U;
        sum += item.word[0];
        ++trips;
        while (!back.try_push(item)) bench.after_refusal();
    }
    bench.report.end = bench.clock.ticks();
    bench.report.successes = trips;
    bench.report.taken_items = trips;
    bench.report.taken_sum = sum;
    bench.report.corrupt_items = corrupt;
}

}  // namespace zeroipc::bench
