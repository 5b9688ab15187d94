#pragma once
/// \file
/// Timed loops of stacks and maps, whose workers do everything.

#include <zeroipc/map.hpp>

#include <stdexcept>

#include "latency_workload.hpp"
#include "mix.hpp"
#include "workload.hpp"

namespace zeroipc::bench {

/// What one worker counts, in private memory.
struct Tally {
    std::uint64_t successes = 0, full = 0, empty = 0, misses = 0, outside = 0;
    std::uint64_t put_items = 0, put_sum = 0, taken_items = 0, taken_sum = 0, corrupt_items = 0;

    void put(std::uint64_t word) noexcept {
        ++put_items;
        put_sum += word;
    }
    void take(std::uint64_t word) noexcept {
        ++taken_items;
        taken_sum += word;
    }
    void publish(WorkerReport& report) const noexcept {
        report.successes = successes;
        report.full = full;
        report.empty = empty;
        report.misses = misses;
        report.outside = outside;
        report.put_items = put_items;
        report.put_sum = put_sum;
        report.taken_items = taken_items;
        report.taken_sum = taken_sum;
        report.corrupt_items = corrupt_items;
    }
};

/// Whether a worker of this run wrote the item as it is.
template <std::size_t N>
bool is_ours(Bench const& bench, Payload<N> const& item) noexcept {
    return item.is_whole() && item.producer() < bench.control.workers;
}

/// One worker's pushes and pops on a stack.
template <std::size_t N, class Stack>
class StackWorker {
public:
    StackWorker(Bench& bench, Stack& stack)
        : bench_(bench), stack_(stack), random_(seed_of(bench)), percent_(bench.control.push_percent) {}

    /// \return 1, or 0 if the stack was full or empty.
    std::size_t operator()() {
        if (random_.below(100) < percent_) {
            item_.fill(bench_.role_index, tally_.put_items);
            if (!stack_.try_push(item_)) {
                ++tally_.full;
                return 0;
            }
            tally_.put(item_.word[0]);
        } else if (stack_.try_pop(item_)) {
            take();
        } else {
            ++tally_.empty;
            return 0;
        }
        ++tally_.successes;
        return 1;
    }

    /// Takes out what is left, when nobody else works any more.
    void empty() {
        while (call_pop(stack_, item_)) {
            ++tally_.outside;
            take();
        }
    }
    [[nodiscard]] Tally const& tally() const noexcept { return tally_; }

private:
    void take() {
        tally_.take(item_.word[0]);
        tally_.corrupt_items += is_ours(bench_, item_) ? 0U : 1U;
    }

    Bench& bench_;
    Stack& stack_;
    QuickRandom random_;
    std::uint32_t percent_;
    Payload<N> item_;
    Tally tally_;
};

/// The window of a throughput cell. \return the worker, with what it counted: a copy, for what the caller knows would live in
/// memory.
template <class Worker>
[[gnu::noinline, gnu::flatten]] Worker work_unstamped(Bench& bench, Worker worker) {
    until_window_end(bench, [&] { return worker(); });
    return worker;
}

/// An operation as a call.
template <class Worker>
[[gnu::noinline, gnu::flatten]] void call_operation(Worker& worker) {
    worker();
}

/// Works through the window, as the cell's mode has it. \return the worker, with what it counted.
template <class Worker>
Worker work_through(Bench& bench, Worker worker) {
    if (bench.control.mode != Mode::latency) return work_unstamped(bench, std::move(worker));
    time_operations(bench, [&](std::uint64_t) { call_operation(worker); });
    return worker;
}

/// A map's keys before the window, and how many more there may be.
struct Keyspace {
    std::uint64_t filled;  ///< keys 0 to filled - 1 are there
    std::uint64_t range;   ///< keys are drawn from 0 to range - 1

    static std::uint64_t filled_of(std::uint64_t capacity, std::uint32_t filled_percent) {
        return std::max<std::uint64_t>(1, capacity * filled_percent / 100);
    }
    /// \param range_percent of the filled ones; 0: all of them, or twice as many where the mix inserts or erases, so that
    /// as many are there at any time.
    static Keyspace of(std::uint64_t capacity, std::uint32_t filled_percent, std::uint32_t range_percent,
                       Mix const& mix) {
        auto const filled = filled_of(capacity, filled_percent);
        if (range_percent != 0) return {filled, std::max<std::uint64_t>(1, filled * range_percent / 100)};
        return {filled, mix.changes_keys() ? 2 * filled : filled};
    }
};

/// A map whose values can be changed in their place while others read them. Of others (peers) no cell has a mix that does.
template <class Map, class Value>
concept changes_values = requires(Map& map, Value const& value) {
    map.insert_or_assign(std::uint64_t{}, value);
};

/// One worker's operations on a map of values that tell their key.
template <std::size_t N, class Map>
class MapWorker {
public:
    MapWorker(Bench& bench, Map& map, Mix const& mix, Keys const& keys)
        : bench_(bench),
          map_(map),
          latest_(mix.latest),
          space_(Keyspace::of(bench.control.capacity, bench.control.filled_percent,
                              bench.control.range_percent, mix)),
          choose_(keys, space_.range, seed_of(bench)),
          newest_(space_.filled + bench.role_index),
          oldest_(bench.role_index) {
        auto const shares = {mix.read, mix.insert, mix.update, mix.erase, mix.modify, mix.scan, mix.refresh};
        std::size_t at = 0;
        std::uint8_t action = 0;
        for (auto const share : shares) {
            for (std::uint32_t i = 0; i < share; ++i) actions_[at++] = static_cast<Action>(action);
            ++action;
        }
    }

    /// A call, of which each operation of the map is a part, once: together they are too large to be in every loop.
    /// \return 1, or 0 if the map was full.
    [[gnu::noinline, gnu::flatten]] std::size_t operator()() {
        auto const action = actions_[choose_.random().below(100)];
        std::uint64_t key = choose_();
        if (latest_) key = newest_ > key ? newest_ - key : 0;
        bool full = false;
        bool miss = false;
        switch (action) {
            case Action::read:
            case Action::scan: {
                auto const keys = action == Action::read ? 1 : 1 + choose_.random().below(100);
                for (auto left = keys; left > 0; --left) miss = !read(key++);
                miss = miss && action == Action::read;
                break;
            }
            case Action::update:
                full = !assign(key);
                break;
            case Action::modify:
                miss = !modify(key);
                break;
            case Action::insert:
            case Action::erase:
            case Action::refresh: {
                bool const refresh = action == Action::refresh;
                if (action == Action::erase || (refresh && oldest_ < newest_)) {
                    miss = !erase(refresh ? oldest_ : key);
                    if (refresh) oldest_ += bench_.control.workers;
                }
                if (action != Action::erase) {
                    full = !insert(refresh ? newest_ : key, miss);
                    if (refresh) newest_ += bench_.control.workers;
                }
                break;
            }
        }
        tally_.successes += full ? 0U : 1U;
        tally_.full += full ? 1U : 0U;
        tally_.misses += miss ? 1U : 0U;
        return full ? 0 : 1;
    }

    /// What the map holds when nobody works on it any more, as if it were taken out.
    void count_keys() {
        map_.for_each([&](std::uint64_t key, Payload<N> const& value) {
            ++tally_.outside;
            tally_.take(key);
            check(value, key);
        });
    }
    [[nodiscard]] Tally const& tally() const noexcept { return tally_; }

private:
    enum class Action : std::uint8_t { read, insert, update, erase, modify, scan, refresh };

    void check(Payload<N> const& value, std::uint64_t key) {
        tally_.corrupt_items += is_ours(bench_, value) && value.number() == key ? 0U : 1U;
    }
    bool read(std::uint64_t key) {
        bool const there = map_.find(key, value_);
        if (there) check(value_, key);
        return there;
    }
    bool insert(std::uint64_t key, bool& present) {
        value_.fill(bench_.role_index, key);
        auto const result = map_.insert(key, value_);
        if (result == outcome::inserted) tally_.put(key);
        present = result == outcome::present;
        return result != outcome::full;
    }
    bool erase(std::uint64_t key) {
        if (!map_.erase(key)) return false;
        tally_.take(key);
        return true;
    }
    /// \return false if the map was full.
    bool assign(std::uint64_t key) {
        value_.fill(bench_.role_index, key);
        if constexpr (changes_values<Map, Payload<N>>) {
            auto const result = map_.insert_or_assign(key, value_);
            if (result == outcome::inserted) tally_.put(key);
            return result != outcome::full;
        } else {
            throw std::logic_error("a mix that changes values, of a map that does not");
        }
    }
    bool modify(std::uint64_t key) {
        if constexpr (changes_values<Map, Payload<N>>)
            return map_.update(key, [&](Payload<N> value) {
                check(value, key);
                value.fill(bench_.role_index, key);
                return value;
            }) != outcome::absent;
        else
            throw std::logic_error("a mix that changes values, of a map that does not");
    }

    Bench& bench_;
    Map& map_;
    bool latest_;
    Keyspace space_;
    KeyChooser choose_;
    std::uint64_t newest_;  ///< refresh: this worker's next key; workers take turns
    std::uint64_t oldest_;
    std::array<Action, 100> actions_{};
    Payload<N> value_;
    Tally tally_;
};

}  // namespace zeroipc::bench
