#pragma once
/// \file
/// Timed loops in which single operations are timed: in a closed loop, or on a schedule that does not wait for them.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "histogram.hpp"
#include "mix.hpp"
#include "workload.hpp"

namespace zeroipc::bench {

/// Where the numbers start that a worker draws: unlike for each worker and each run.
inline std::uint64_t seed_of(Bench const& bench) {
    return QuickRandom(bench.control.seed + bench.role_index)();
}

/// When one worker's operations are due, in ticks: at equal distances, or as a Poisson process has them. Each later than
/// the one before.
class Arrivals {
public:
    Arrivals(bool poisson, double interval_ticks, std::uint64_t start, std::uint64_t seed)
        : poisson_(poisson), interval_(interval_ticks), random_(seed), start_(start) {
        // Workers are not in step.
        if (!poisson_) next_ = unit() * interval_;
    }
    std::uint64_t operator()() {
        if (poisson_)
            next_ -= std::log(1.0 - unit()) * interval_;
        else if (last_ != 0)
            next_ += interval_;
        last_ = std::max(last_ + 1, static_cast<std::uint64_t>(next_) + 1);
        return start_ + last_;
    }

private:
    double unit() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

    bool poisson_;
    double interval_;
    QuickRandom random_;
    std::uint64_t start_;
    double next_ = 0;         ///< as a real number, so that rounding does not add up
    std::uint64_t last_ = 0;  ///< behind start_
};

/// In a closed loop every so manieth operation is timed: a stamp costs as much as an operation.
inline constexpr std::uint32_t operations_a_stamp = 16;

/// Does operations until the window is over: when each is due, or, without a schedule, one after the other.
/// `operation(due)` gets ticks behind the window's start. What is due in the window is done, behind its end too; unless all
/// is due at once: that is how the most is found that this loop, with its stamps, can do.
template <class Operation>
void time_operations(Bench& bench, Operation&& operation) {
    auto& timed = *bench.timed;
    auto const start = bench.window_end - bench.window_ticks;
    std::uint64_t now = start;
    std::uint64_t late = 0;
    bool const all_at_once = bench.interval_ticks < 1;
    if (bench.interval_ticks > 0) {
        Arrivals arrivals(bench.control.poisson != 0, bench.interval_ticks, start, seed_of(bench));
        for (;;) {
            auto const due = arrivals();
            if (due >= bench.window_end || bench.abandoned() || (all_at_once && now >= bench.window_end))
                break;
            while ((now = bench.clock.ordered_ticks()) < due) bench.after_refusal();
            auto const begun = now;
            operation(due - start);
            now = bench.clock.ordered_ticks();
            timed.from_due.record(now - due);
            timed.from_begin.record(now - begun);
            late += now >= bench.window_end ? 1U : 0U;
        }
    } else {
        for (std::uint32_t i = 0; now < bench.window_end && !bench.abandoned(); ++i) {
            if (i % operations_a_stamp != 0) {
                operation(0);
                continue;
            }
            auto const begun = bench.clock.ordered_ticks();
            operation(begun - start);
            now = bench.clock.ordered_ticks();
            timed.from_begin.record(now - begun);
        }
    }
    bench.report.end = now;
    bench.report.late = late;
}

/// Pushes an item when it is due; its number is that moment.
template <std::size_t N, class Channel>
void produce_timed(Bench& bench, Channel& channel) {
    Payload<N> item;
    std::uint64_t sent = 0;
    std::uint64_t refusals = 0;
    std::uint64_t sum = 0;
    bool const open = bench.interval_ticks > 0;
    time_operations(bench, [&](std::uint64_t due) {
        item.fill(bench.role_index, open ? due : sent);
        while (!call_push(channel, item)) {
            ++refusals;
            if (refusals % 1024 == 0 && bench.abandoned()) return;
            bench.after_refusal();
        }
        sum += item.word[0];
        ++sent;
    });
    note_observed(bench.report, channel);
    bench.report.full = refusals;
    bench.report.successes = bench.report.put_items = sent;
    bench.report.put_sum = sum;
}

/// Takes what comes, and sees from each item how long it took from the moment when it was due. In a closed loop there is
/// no such moment: the pop is timed.
template <std::size_t N, class Channel, class AtWindowEnd>
void consume_timed(Bench& bench, Channel& channel, AtWindowEnd&& at_window_end) {
    Ledger<N> ledger(bench.control.producers);
    Payload<N> item;
    std::uint64_t refusals = 0;
    auto& timed = *bench.timed;
    auto const start = bench.window_end - bench.window_ticks;
    bool const open = bench.interval_ticks > 0;
    std::uint64_t now = start;
    while (now < bench.window_end && !bench.abandoned()) {
        auto const begun = open ? now : bench.clock.ordered_ticks();
        bool const there = call_pop(channel, item);
        now = bench.clock.ordered_ticks();
        if (!there) {
            ++refusals;
            bench.after_refusal();
            continue;
        }
        // Clocks of two CPUs may differ by a few ticks.
        if (open)
            timed.from_due.record(now > start + item.number() ? now - start - item.number() : 0);
        else if (ledger.items() % operations_a_stamp == 0)
            timed.from_begin.record(now - begun);
        ledger.enter(item);
    }
    bench.report.end = now;
    note_observed(bench.report, channel);
    bench.report.successes = ledger.items();
    bench.report.empty = refusals;
    at_window_end();
    drain_into(bench, channel, ledger);
}

}  // namespace zeroipc::bench
