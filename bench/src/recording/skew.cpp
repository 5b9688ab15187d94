#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>

#include "log.hpp"
#include "process.hpp"
#include "zeroipc/bench/pinning.hpp"
#include "zeroipc/bench/recorder.hpp"

namespace zeroipc::bench {

namespace {

constexpr std::uint64_t rounds = 2000;

struct alignas(128) Word {
    std::atomic<std::uint64_t> value;
};

/// What two processes exchange stamps through.
struct Exchange {
    Word there, back;  ///< the round
    std::atomic<std::uint64_t> stamp;
    std::atomic<std::int64_t> least, most;  ///< bounds of (the other's clock - the first one's)
};

/// Waits until the word has that value.
void until(Word const& word, std::uint64_t value) {
    for (unsigned i = 1; word.value.load(std::memory_order_acquire) != value; ++i)
        if (i % 1024 == 0) ::usleep(0);  // two that share a CPU by the host's will
}

}  // namespace

std::vector<std::uint64_t> measure_skew(Topology const& topology, ClockInfo const& clock_info,
                                        std::vector<int> const& cpus) {
    std::vector<std::uint64_t> skew(cpus.size(), 0);
    Clock const clock(clock_info);
    for (std::size_t i = 1; i < cpus.size(); ++i) {
        auto const same = std::find(cpus.begin(), cpus.begin() + static_cast<std::ptrdiff_t>(i), cpus[i]);
        if (same != cpus.begin() + static_cast<std::ptrdiff_t>(i)) {
            skew[i] = skew[static_cast<std::size_t>(same - cpus.begin())];
            continue;
        }
        recording::SharedMapping const mapping(sizeof(Exchange));
        auto& exchange = *static_cast<Exchange*>(mapping.at());
        exchange.least = std::numeric_limits<std::int64_t>::min();
        exchange.most = std::numeric_limits<std::int64_t>::max();
        recording::Process first([&] {
            pin_this_process(topology, cpus[0]);
            for (std::uint64_t round = 1; round <= rounds; ++round) {
                auto const before = clock.ordered_ticks();
                exchange.there.value.store(round, std::memory_order_release);
                until(exchange.back, round);
                auto const after = clock.ordered_ticks();
                auto const there = exchange.stamp.load(std::memory_order_relaxed);
                // The other's stamp was taken between ours.
                exchange.least = std::max(exchange.least.load(), static_cast<std::int64_t>(there - after));
                exchange.most = std::min(exchange.most.load(), static_cast<std::int64_t>(there - before));
            }
        });
        recording::Process second([&] {
            pin_this_process(topology, cpus[i]);
            for (std::uint64_t round = 1; round <= rounds; ++round) {
                until(exchange.there, round);
                exchange.stamp.store(clock.ordered_ticks(), std::memory_order_relaxed);
                exchange.back.value.store(round, std::memory_order_release);
            }
        });
        if (first.wait() != 0 || second.wait() != 0)
            throw std::runtime_error("the clocks of CPUs " + std::to_string(cpus[0]) + " and " +
                                     std::to_string(cpus[i]) + " could not be compared: a process failed");
        if (exchange.least > exchange.most)
            throw std::runtime_error("the clocks of CPUs " + std::to_string(cpus[0]) + " and " +
                                     std::to_string(cpus[i]) +
                                     " drift apart; histories cannot be recorded with them");
        skew[i] = static_cast<std::uint64_t>(std::max(std::abs(exchange.least), std::abs(exchange.most)));
    }
    return skew;
}

}  // namespace zeroipc::bench
