#pragma once
/// \file
/// What the processes of a kill cell do: a throughput cell's loops over a structure whose operations are marked one by one.

#include <zeroipc/map.hpp>

#include <algorithm>
#include <functional>
#include <optional>

#include "kill_board.hpp"
#include "mixed_workload.hpp"

namespace zeroipc::bench {

/// One process's part in a kill cell.
struct KillPart {
    Bench& bench;
    KillBoard& board;
    std::uint32_t index;  ///< of the process: workers, the newcomer, the examiner
    bool producer;        ///< of a queue: pushes, else pops
    std::function<void()>
        until_start;  ///< returns at the window's start, or in the midst of it for the newcomer

    [[nodiscard]] KillLine& line() const noexcept { return board.processes[index].line; }
    [[nodiscard]] KillRemarks& remarks() const noexcept { return board.processes[index].remarks; }
    [[nodiscard]] bool is_victim() const noexcept { return index == board.victim; }

    /// Opens a structure, and says when and which handle slot it got.
    template <class Structure, bool has_handles>
    Structure open(Memory& memory, char const* name) const {
        remarks().open_begin.store(bench.clock.ordered_ticks(), std::memory_order_relaxed);
        Structure structure(memory, name);
        if constexpr (has_handles)
            remarks().slot.store(static_cast<std::int32_t>(structure.handle_slot()) + 1,
                                 std::memory_order_relaxed);
        remarks().open_end.store(bench.clock.ordered_ticks(), std::memory_order_release);
        return structure;
    }
};

/// Keeps the longest times without a success, before the kill and after it, as a worker's looks at the clock see them.
class GapMeter {
public:
    GapMeter(KillPart const& part, std::uint64_t start) noexcept
        : line_(part.line()), killed_at_(part.board.killed_at.value), last_(start) {
        line_.last_progress.store(start, std::memory_order_relaxed);
    }
    void look(std::uint64_t now, std::uint64_t done) noexcept {
        if (done == done_) return;
        done_ = done;
        end_gap(now);
        last_ = now;
        line_.last_progress.store(now, std::memory_order_relaxed);
    }
    /// The last look: a gap that is open ends with it.
    void finish(std::uint64_t now) noexcept { end_gap(now); }

private:
    void end_gap(std::uint64_t now) noexcept {
        auto& longest = line_.longest_gap[killed_at_.load(std::memory_order_relaxed) != 0 ? 1 : 0];
        if (auto const gap = now - last_; gap > longest.load(std::memory_order_relaxed))
            longest.store(gap, std::memory_order_relaxed);
    }

    KillLine& line_;
    std::atomic<std::uint64_t> const& killed_at_;
    std::uint64_t last_;
    std::uint64_t done_ = 0;
};

/// Works through the window. The victim goes on until it is killed; the others until they had one success more behind the
/// window's end, or may have none because `others_done`; or until nothing moves any more. So who is stuck is known without
/// a judgement on time.
template <class Attempt, class OthersDone>
void work_until_killed(KillPart& part, Attempt&& attempt, OthersDone&& others_done) {
    auto& bench = part.bench;
    GapMeter gaps(part, bench.report.start);
    static_cast<void>(until_window_end(bench, attempt,
                                       [&](std::uint64_t now, std::uint64_t done) { gaps.look(now, done); }));
    gaps.finish(bench.report.end);
    bench.report.successes = part.line().done();
    bool success = false;
    while (!bench.abandoned() && !part.board.is_given_up()) {
        if (!part.is_victim() && others_done(success)) {
            part.remarks().left.store(1, std::memory_order_release);
            return;
        }
        if (attempt() != 0)
            success = true;
        else
            bench.after_refusal();
    }
}

/// A queue or stack whose operations are marked. Counts what comes out as the Ledger does.
template <std::size_t N, class Structure>
class MarkedItems {
public:
    /// \param producers numbers of producers that items may have.
    MarkedItems(Structure& structure, KillLine& line, std::uint32_t producers, bool ordered)
        : structure_(structure), line_(line), ordered_(ordered), next_(producers, 0) {}

    bool try_push(Payload<N> const& item) {
        line_.begin(Inside::push, item.word[0]);
        bool const did = structure_.try_push(item);
        if (did) books_.put(item.word[0]);
        line_.end(books_, did);
        return did;
    }
    bool try_pop(Payload<N>& item) {
        line_.begin(Inside::pop, 0);
        bool const did = structure_.try_pop(item);
        if (did) enter(item);
        line_.end(books_, did);
        return did;
    }

private:
    void enter(Payload<N> const& item) noexcept {
        books_.take(item.word[0]);
        if (!item.is_whole() || item.producer() >= next_.size()) [[unlikely]] {
            ++books_.corrupt_items;
            return;
        }
        if (!ordered_) return;
        auto& next = next_[item.producer()];
        books_.order_violations += item.number() < next ? 1U : 0U;
        next = item.number() + 1;
    }

    Structure& structure_;
    KillLine& line_;
    bool ordered_;
    std::vector<std::uint64_t> next_;
    KillBooks books_;
};

/// A map whose operations are marked, with the part of its interface that MapWorker uses. Keys that come and go are counted.
template <std::size_t N, class Map>
class MarkedMap {
public:
    using key_type = std::uint64_t;
    MarkedMap(Map& map, KillLine& line) : map_(map), line_(line) {}

    outcome insert(std::uint64_t key, Payload<N> const& value) {
        line_.begin(Inside::insert, key);
        return put(key, map_.insert(key, value));
    }
    outcome insert_or_assign(std::uint64_t key, Payload<N> const& value) {
        line_.begin(Inside::assign, key);
        return put(key, map_.insert_or_assign(key, value));
    }
    bool erase(std::uint64_t key) {
        line_.begin(Inside::erase, key);
        bool const gone = map_.erase(key);
        if (gone) books_.take(key);
        line_.end(books_, true);
        return gone;
    }
    bool find(std::uint64_t key, Payload<N>& value) {
        line_.begin(Inside::look, key);
        bool const there = map_.find(key, value);
        if (there) check(key, value);
        line_.end(books_, true);
        return there;
    }
    template <class Change>
    outcome update(std::uint64_t key, Change&& change) {
        line_.begin(Inside::change, key);
        auto const result = map_.update(key, std::forward<Change>(change));
        line_.end(books_, true);
        return result;
    }

private:
    outcome put(std::uint64_t key, outcome result) noexcept {
        if (result == outcome::inserted) books_.put(key);
        line_.end(books_, result != outcome::full);
        return result;
    }
    void check(std::uint64_t key, Payload<N> const& value) noexcept {
        books_.corrupt_items += value.is_whole() && value.number() == key ? 0U : 1U;
    }

    Map& map_;
    KillLine& line_;
    KillBooks books_;
};

/// Takes all that is left, then sees how much goes in again. Whatever it finds out on the way stands, should it hang.
template <std::size_t N, class Structure>
void examine_items(KillPart& part, Structure& structure, std::uint32_t producers, bool ordered) {
    auto& exam = part.board.exam;
    {
        MarkedItems<N, Structure> marked(structure, part.line(), producers, ordered);
        Payload<N> item;
        while (marked.try_pop(item)) {
        }
        auto const& books = part.line().acknowledged();
        exam.items = books.taken_items;
        exam.sum = books.taken_sum;
        exam.order_violations = books.order_violations;
        exam.corrupt_items = books.corrupt_items;
        exam.emptied = 1;
    }
    Payload<N> item;
    item.fill(0, 0);
    while (exam.accepted < part.bench.control.capacity && structure.try_push(item)) ++exam.accepted;
    exam.refilled = 1;
}

template <std::size_t N, class Map>
void examine_map(KillPart& part, Map& map) {
    auto& exam = part.board.exam;
    std::vector<std::uint64_t> keys;
    map.for_each([&](std::uint64_t key, Payload<N> const& value) {
        keys.push_back(key);
        exam.sum += key;
        exam.corrupt_items += value.is_whole() && value.number() == key ? 0U : 1U;
    });
    exam.items = keys.size();
    exam.emptied = 1;
    for (auto const key : keys) map.erase(key);
    Payload<N> value;
    for (std::uint64_t key = 0; key < part.bench.control.capacity; ++key) {
        value.fill(0, key);
        exam.accepted += map.insert(key, value) == outcome::inserted ? 1U : 0U;
    }
    exam.refilled = 1;
}

}  // namespace zeroipc::bench
