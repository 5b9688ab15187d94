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
#include <utility>
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
        if (think_ticks != 0) spin(think_ticks);
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

private:
    [[gnu::noinline]] void spin(std::uint64_t ticks) const noexcept {
        auto const begin = clock.ticks();
        while (clock.ticks() - begin < ticks) {
        }
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

/// \return how many of `items` went in: of a channel without batches the first at most.
template <class Item, class Channel>
std::size_t put(Channel& channel, std::span<Item const> items) {
    if constexpr (requires { channel.try_push_n(items); })
        return channel.try_push_n(items);
    else
        return channel.try_push(items.front()) ? 1 : 0;
}
/// \return how many came out, the same way.
template <class Item, class Channel>
std::size_t take(Channel& channel, std::span<Item> items) {
    if constexpr (requires { channel.try_pop_n(items); })
        return channel.try_pop_n(items);
    else
        return channel.try_pop(items.front()) ? 1 : 0;
}

/// A throughput loop's looks at the clock, and what is metered at them. Calls, so that all of a timed loop but the operation is
/// small.
class Looks {
public:
    [[gnu::noinline]] explicit Looks(Bench& bench)
        : bench_(bench),
          intervals_(begun(bench), bench.window_end - bench.window_ticks),
          hiccups_(bench.clock.ticks(), bench.control.clock.to_ticks(least_hiccup_ns)) {}

    /// \param done items moved so far. \return whether the window goes on.
    [[gnu::noinline]] bool look(std::uint64_t done) noexcept {
        now_ = bench_.look();
        intervals_.note(now_, done);
        hiccups_.look(now_);
        return now_ < bench_.window_end && !bench_.abandoned();
    }
    /// The time of the last look.
    [[nodiscard]] std::uint64_t now() const noexcept { return now_; }

    [[gnu::noinline]] void finish(std::uint64_t done) noexcept {
        intervals_.finish(now_, done);
        bench_.report.hiccups = hiccups_.finish();
        bench_.report.end = now_;
    }

private:
    static constexpr double least_hiccup_ns = 20'000;

    static Intervals& begun(Bench& bench) {
        bench.report.intervals = Intervals::of_window(bench.window_ticks, bench.control.clock.ticks_per_ns);
        return bench.report.intervals;
    }

    Bench& bench_;
    std::uint64_t now_ = 0;
    IntervalMeter intervals_;
    HiccupMeter hiccups_;
};

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
    std::uint64_t refusals = 0;
    std::uint64_t done = 0;
    Pacer pacer(bench.control.oversubscribed != 0);
    Looks looks(bench);
    bool goes_on = true;
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
        goes_on = looks.look(done);
        on_look(looks.now(), done);
    } while (goes_on);
    looks.finish(done);
    return refusals;
}

// Whether an operation is part of the loop that calls it must not depend on what else a file has: compilers have a budget
// for that, and a variant that came too late would pay for calls that its neighbour is spared. So it is said here. A
// throughput loop is a function of its own, "flattened": by GCC all that it calls stands in it, but for what is rare and therefore
// never part of its caller (clang takes in direct calls only). Everywhere else operations are calls.

/// \return whether the item went in.
template <class Item, class Channel>
[[gnu::noinline, gnu::flatten]] bool call_push(Channel& channel, Item const& item) {
    return channel.try_push(item);
}
/// \return whether an item came out.
template <class Item, class Channel>
[[gnu::noinline, gnu::flatten]] bool call_pop(Channel& channel, Item& item) {
    return channel.try_pop(item);
}

/// What a producer put in.
struct Sent {
    std::uint64_t items = 0;
    std::uint64_t sum = 0;
};

/// The window of a producer that pushes item by item.
template <std::size_t N, class Channel>
[[gnu::noinline, gnu::flatten]] Sent push_singly(Bench& bench, Channel& channel) {
    std::uint64_t sent = 0;
    std::uint64_t sum = 0;
    Payload<N> item;
    item.fill(bench.role_index, sent);
    bench.report.full = until_window_end(bench, [&]() -> std::size_t {
        if (!channel.try_push(item)) return 0;
        sum += item.word[0];
        item.fill(bench.role_index, ++sent);
        return 1;
    });
    return {sent, sum};
}

/// The window of a producer that pushes `items` together, again and again.
template <std::size_t N, class Channel>
[[gnu::noinline, gnu::flatten]] Sent push_batches(Bench& bench, Channel& channel,
                                                  std::span<Payload<N>> items) {
    std::uint64_t sent = 0;
    std::uint64_t sum = 0;
    bench.report.full = until_window_end(bench, [&] {
        for (std::size_t i = 0; i < items.size(); ++i) items[i].fill(bench.role_index, sent + i);
        auto const moved = put<Payload<N>>(channel, items);
        for (std::size_t i = 0; i < moved; ++i) sum += items[i].word[0];
        sent += moved;
        return moved;
    });
    return {sent, sum};
}

template <std::size_t N, class Channel>
void produce(Bench& bench, Channel& channel) {
    Sent sent;
    if (bench.control.batch > 1) {
        std::vector<Payload<N>> items(bench.control.batch);
        sent = push_batches<N>(bench, channel, items);
    } else {
        sent = push_singly<N>(bench, channel);
    }
    note_observed(bench.report, channel);
    bench.report.successes = sent.items;
    bench.report.put_items = sent.items;
    bench.report.put_sum = sent.sum;
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
        if (call_pop(channel, item)) {
            ledger.enter(item);
        } else {
            if (done || bench.abandoned()) break;
            bench.after_refusal();
        }
    }
    bench.report.outside = ledger.items() - bench.report.successes;
    ledger.write(bench.report);
}

/// The window of a consumer that pops item by item.
template <std::size_t N, class Channel>
[[gnu::noinline, gnu::flatten]] void pop_singly(Bench& bench, Channel& channel, Ledger<N>& result) {
    auto ledger = std::move(result);  // what the caller knows would live in memory
    Payload<N> item;
    bench.report.empty = until_window_end(bench, [&]() -> std::size_t {
        if (!channel.try_pop(item)) return 0;
        ledger.enter(item);
        return 1;
    });
    result = std::move(ledger);
}

/// The window of a consumer that pops into `items`, again and again.
template <std::size_t N, class Channel>
[[gnu::noinline, gnu::flatten]] void pop_batches(Bench& bench, Channel& channel, Ledger<N>& result,
                                                 std::span<Payload<N>> items) {
    auto ledger = std::move(result);
    bench.report.empty = until_window_end(bench, [&] {
        auto const moved = take<Payload<N>>(channel, items);
        for (std::size_t i = 0; i < moved; ++i) ledger.enter(items[i]);
        return moved;
    });
    result = std::move(ledger);
}

/// \param at_window_end called once between window and draining.
template <std::size_t N, class Channel, class AtWindowEnd>
void consume(Bench& bench, Channel& channel, AtWindowEnd&& at_window_end) {
    Ledger<N> ledger(bench.control.producers);
    if (bench.control.batch > 1) {
        std::vector<Payload<N>> items(bench.control.batch);
        pop_batches<N>(bench, channel, ledger, items);
    } else {
        pop_singly<N>(bench, channel, ledger);
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
    for (std::uint32_t round = 1; !call_pop(channel, item); ++round) {
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
        while (!call_push(there, out)) bench.after_refusal();
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
    while (!call_push(there, out)) bench.after_refusal();
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
        while (!call_push(back, item)) bench.after_refusal();
    }
    bench.report.end = bench.clock.ticks();
    bench.report.successes = trips;
    bench.report.taken_items = trips;
    bench.report.taken_sum = sum;
    bench.report.corrupt_items = corrupt;
}

}  // namespace zeroipc::bench
