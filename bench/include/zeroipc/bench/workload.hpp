#pragma once
/// \file
/// The loops that are timed, as templates over a *channel*: anything with try_push(item) and try_pop(item).

#include <zeroipc/atomics.hpp>

#include <sched.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "control.hpp"
#include "handicap.hpp"

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

/// What one worker's loop runs in.
struct Bench {
    Control& control;
    WorkerReport& report;
    std::uint32_t role_index;  ///< among the workers of its role
    Clock clock;
    std::uint64_t window_end = 0;
    std::vector<std::uint32_t> samples{};  ///< round trips in ticks, reserved and touched before the window
    Handicap handicap{};

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

template <std::size_t N, class Channel>
void produce(Bench& bench, Channel& channel) {
    Payload<N> item;
    std::uint64_t sent = 0;
    std::uint64_t refusals = 0;
    std::uint64_t sum = 0;
    std::uint64_t now = 0;
    Pacer pacer(bench.control.oversubscribed != 0);
    item.fill(bench.role_index, sent);
    do {
        for (int i = 0; i < attempts_a_look;) {
            if (channel.try_push(item)) {
                sum += item.word[0];
                item.fill(bench.role_index, ++sent);
                pacer.success();
                ++i;
            } else {
                ++refusals;
                i += pacer.refusal();
            }
        }
        now = bench.look();
    } while (now < bench.window_end && !bench.abandoned());
    bench.report.end = now;
    bench.report.successes = sent;
    bench.report.refusals = refusals;
    bench.report.items = sent;
    bench.report.sum = sum;
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
        report.items = items_;
        report.sum = sum_;
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

/// \param at_window_end called once between window and draining.
template <std::size_t N, class Channel, class AtWindowEnd>
void consume(Bench& bench, Channel& channel, AtWindowEnd&& at_window_end) {
    Payload<N> item;
    Ledger<N> ledger(bench.control.producers);
    std::uint64_t refusals = 0;
    std::uint64_t now = 0;
    Pacer pacer(bench.control.oversubscribed != 0);
    do {
        for (int i = 0; i < attempts_a_look;) {
            if (channel.try_pop(item)) {
                ledger.enter(item);
                pacer.success();
                ++i;
            } else {
                ++refusals;
                i += pacer.refusal();
            }
        }
        now = bench.look();
    } while (now < bench.window_end && !bench.abandoned());
    bench.report.end = now;
    bench.report.successes = ledger.items();
    bench.report.refusals = refusals;
    at_window_end();
    // Draining. Nothing is pushed any more once `done` was seen, so an empty answer behind it is the end.
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
    bench.report.items = trips;
    bench.report.sum = sum;
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
    bench.report.items = trips;
    bench.report.sum = sum;
    bench.report.corrupt_items = corrupt;
}

}  // namespace zeroipc::bench
