/// \file
/// What came of a kill: the survivors' throughput and gaps, the newcomer's recovery, and what was lost.

#include <algorithm>

#include "killing.hpp"
#include "zeroipc/bench/workload.hpp"

namespace zeroipc::bench {

bool kill_accounts_for(Inside inside, std::uint64_t word, std::int64_t items, std::uint64_t sum,
                       std::uint64_t producers, std::uint64_t numbers) {
    if (items == 0 && sum == 0) return true;
    switch (inside) {
        case Inside::push:
        case Inside::insert:
        case Inside::assign:
            return items == 1 && sum == word;
        case Inside::erase:
            return items == -1 && sum == 0 - word;
        case Inside::pop: {
            Payload<8> const lost{{0 - sum}};
            return items == -1 && lost.producer() < producers && lost.number() < numbers;
        }
        case Inside::none:
        case Inside::change:
        case Inside::look:
            break;
    }
    return false;
}

namespace {

/// Operations a second over the whole intervals from `first` to before `end`.
std::optional<double> rate(Intervals const& intervals, std::uint64_t first, std::uint64_t end,
                           ClockInfo const& clock) {
    if (first >= end) return std::nullopt;
    std::uint64_t sum = 0;
    for (auto i = first; i < end; ++i) sum += intervals.operations[i];
    return static_cast<double>(sum) * 1e9 / clock.to_ns(intervals.ticks * (end - first));
}

}  // namespace

void Killing::collect_survivors(KillResult& result) const {
    auto const& clock = control_.clock;
    auto const window = clock.to_ticks(static_cast<double>(cell_.window_ns));
    auto const window_end = control_.start_at.value.load() + window;
    result.intervals = Intervals::of_window(window, clock.ticks_per_ns);
    for (std::uint32_t i = 0; i < cell_.workers(); ++i) {
        if (i == plan_.victim) continue;
        auto const& [remarks, line] = board_.processes[i];
        auto& report = control_.reports[i];
        bool const blocked = report.end == 0;
        if (report.intervals.ticks != 0) result.intervals.merge(report.intervals);
        result.gap_before_ns = std::max(result.gap_before_ns, clock.to_ns(line.longest_gap[0].load()));
        auto gap = line.longest_gap[1].load();
        if (blocked) {
            gap = std::max(gap, window_end - std::min(window_end, line.last_progress.load()));
            report.end = window_end;
            report.successes = line.done();
        }
        result.gap_after_ns = std::max(result.gap_after_ns, clock.to_ns(gap));
        result.operations += report.successes;
        if (remarks.left.load() == 1) continue;
        result.stuck.push_back({i, report.failed == 1   ? std::string(report.error.view())
                                   : ended_.contains(i) ? "blocked"
                                                        : "refused"});
        result.faults.push_back("worker " + std::to_string(i) +
                                " is stuck behind the kill: " + result.stuck.back().how);
    }
    auto const killed = board_.killed_at.value.load() - control_.start_at.value.load();
    auto const at = killed / result.intervals.ticks;
    result.before_per_s = rate(result.intervals, 0, std::min(at, result.intervals.used), clock);
    result.after_per_s = rate(result.intervals, at + 1, result.intervals.used, clock);
    result.late = killed > window / 10 * 8;
}

void Killing::collect_newcomer(KillResult& result) const {
    auto const newcomer = newcomer_of(cell_.workers());
    auto const& report = control_.reports[newcomer];
    auto const& remarks = board_.processes[newcomer].remarks;
    auto const opened = remarks.open_end.load();
    if (report.failed == 1) result.newcomer_error = report.error.view();
    if (opened == 0) {
        if (result.newcomer_error.empty())
            result.newcomer_error = "it was still opening when the run was ended";
        result.faults.push_back("the newcomer could not open the structure: " + result.newcomer_error);
        return;
    }
    result.open_ns = control_.clock.to_ns(opened - remarks.open_begin.load());
    result.recovery_ns = control_.clock.to_ns(opened - board_.killed_at.value.load());
    auto const slot = remarks.slot.load();
    if (slot != 0) result.took_slot = slot == board_.processes[plan_.victim].remarks.slot.load() ? 1 : 0;
    if (result.took_slot == 0)
        result.faults.emplace_back("the newcomer did not get the dead one's handle slot");
    if (remarks.left.load() != 1)
        result.faults.push_back("the newcomer is stuck" +
                                (result.newcomer_error.empty() ? "" : ": " + result.newcomer_error));
}

void Killing::account(KillResult& result, std::uint64_t initial_items, std::uint64_t initial_sum) const {
    auto const& exam = board_.exam;
    auto put = initial_items;
    auto put_sum = initial_sum;
    auto taken = exam.items;
    auto taken_sum = exam.sum;
    auto disorder = exam.order_violations;
    auto corrupt = exam.corrupt_items;
    for (std::uint32_t i = 0; i <= newcomer_of(cell_.workers()); ++i) {
        auto const& books = board_.processes[i].line.acknowledged();
        put += books.put_items;
        put_sum += books.put_sum;
        taken += books.taken_items;
        taken_sum += books.taken_sum;
        disorder += books.order_violations;
        corrupt += books.corrupt_items;
    }
    result.put = put;
    result.taken = taken;
    result.sums_equal = put_sum == taken_sum;
    result.order_violations = disorder;
    result.corrupt_items = corrupt;
    auto const fault = [&](bool wrong, std::string const& what) {
        if (wrong) result.faults.push_back(what);
    };
    fault(disorder != 0, std::to_string(disorder) + " items out of their producer's order");
    fault(corrupt != 0, std::to_string(corrupt) + " items were not what their producer wrote");
    fault(exam.emptied != 1, "the structure could not be emptied");
    if (exam.emptied == 1) {
        auto const difference = static_cast<std::int64_t>(taken - put);
        result.lost = difference < 0 ? static_cast<std::uint64_t>(-difference) : 0;
        result.unacknowledged = difference > 0 ? static_cast<std::uint64_t>(difference) : 0;
        auto const& line = board_.processes[plan_.victim].line;
        fault(!kill_accounts_for(result.inside, line.word.load(), difference, taken_sum - put_sum,
                                 std::uint64_t{cell_.workers()} + 1, put + cell_.capacity + 1),
              std::to_string(put) + " put in and " + std::to_string(taken) +
                  " taken out, which a kill inside the operation '" + to_string(result.inside) +
                  "' does not explain");
    }
    fault(exam.refilled != 1, "the structure could not be filled again");
    if (exam.refilled != 1) return;
    result.accepted = exam.accepted;
    fault(exam.accepted != cell_.capacity, "of the capacity of " + std::to_string(cell_.capacity) + " only " +
                                               std::to_string(exam.accepted) + " are left");
}

}  // namespace zeroipc::bench
