#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "map.hpp"

namespace zeroipc::bench::monitor {

namespace {

bool pending(Operation const& op) { return op.answer == Answer::pending; }

bool changed(Operation const& op) {
    return op.answer == Answer::inserted || op.answer == Answer::assigned ||
           (op.action == Action::erase && op.answer == Answer::done);
}

/// An operation that saw the key as it cannot have been: another one left it otherwise before, and nothing that could
/// undo that lies between or overlaps.
template <class Saw, class Left, class MayUndo>
std::optional<std::vector<std::size_t>> contradicted(History const& history,
                                                     std::vector<std::uint32_t> const& operations, Saw&& saw,
                                                     Left&& left, MayUndo&& may_undo) {
    auto const& ops = history.operations;
    // By return: the latest call among those that left the key so. By call: the latest return of what may undo it.
    std::vector<std::uint32_t> leaving;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> undoing;
    for (auto const i : operations) {
        if (left(ops[i])) leaving.push_back(i);
        if (may_undo(ops[i])) undoing.emplace_back(ops[i].call, ops[i].ret);
    }
    std::sort(leaving.begin(), leaving.end(), [&](auto a, auto b) { return ops[a].ret < ops[b].ret; });
    for (std::size_t i = 1; i < leaving.size(); ++i)
        if (ops[leaving[i - 1]].call > ops[leaving[i]].call) leaving[i] = leaving[i - 1];
    // That keeps each place's latest call; the returns there are no later than the place's own.
    std::vector<std::uint64_t> returns;
    for (auto const i : operations)
        if (left(ops[i])) returns.push_back(ops[i].ret);
    std::sort(returns.begin(), returns.end());
    for (std::size_t i = 1; i < undoing.size(); ++i)
        undoing[i].second = std::max(undoing[i].second, undoing[i - 1].second);
    for (auto const i : operations) {
        if (!saw(ops[i])) continue;
        auto const before = static_cast<std::size_t>(
            std::lower_bound(returns.begin(), returns.end(), ops[i].call) - returns.begin());
        if (before == 0) continue;
        auto const by = leaving[before - 1];
        auto const end = std::upper_bound(undoing.begin(), undoing.end(), ops[i].ret,
                                          [](std::uint64_t ret, auto const& one) { return ret < one.first; });
        if (end != undoing.begin() && std::prev(end)->second >= ops[by].call) continue;
        return std::vector<std::size_t>{i, by};
    }
    return std::nullopt;
}

/// Values and who wrote them, sorted.
using Writers = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

Writers writers_of(History const& history, std::vector<std::uint32_t> const& operations) {
    Writers writers;
    for (auto const i : operations) {
        auto const& op = history.operations[i];
        bool const writes =
            op.action == Action::insert || op.action == Action::assign || op.action == Action::exchange;
        if (writes && (pending(op) || value_left(op))) writers.emplace_back(op.value, i);
    }
    std::sort(writers.begin(), writers.end());
    return writers;
}

}  // namespace

bool may_add(Operation const& op) {
    return op.answer == Answer::inserted ||
           (pending(op) && (op.action == Action::insert || op.action == Action::assign));
}
bool may_remove(Operation const& op) {
    return op.action == Action::erase && (op.answer == Answer::done || pending(op));
}
bool saw_absent(Operation const& op) { return op.answer == Answer::absent || op.answer == Answer::inserted; }
bool saw_present(Operation const& op) {
    return op.answer == Answer::done || op.answer == Answer::assigned || op.answer == Answer::present ||
           op.answer == Answer::different;
}
bool left_absent(Operation const& op) {
    return op.answer == Answer::absent || (op.action == Action::erase && op.answer == Answer::done);
}
bool left_present(Operation const& op) {
    return op.answer == Answer::inserted || (saw_present(op) && op.action != Action::erase);
}
std::optional<std::uint64_t> value_seen(Operation const& op) {
    if (op.answer == Answer::different || (op.action == Action::find && op.answer == Answer::done))
        return op.value;
    if (op.action == Action::exchange && op.answer == Answer::assigned) return op.other;
    return std::nullopt;
}
std::optional<std::uint64_t> value_left(Operation const& op) {
    if (op.answer == Answer::inserted || op.answer == Answer::assigned) return op.value;
    return std::nullopt;
}

Violation compare_reads(History const& history, std::vector<std::uint32_t> const& operations) {
    auto const& ops = history.operations;
    auto const writers = writers_of(history, operations);
    std::vector<Point> overwrites;
    std::vector<Query> reads;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // read, its writer
    for (auto const i : operations)
        if (changed(ops[i])) overwrites.push_back({~ops[i].call, ops[i].ret, ops[i].ret, i});
    for (auto const i : operations) {
        auto const seen = value_seen(ops[i]);
        if (!seen) continue;
        if (ops[i].answer == Answer::different && *seen == ops[i].other)
            return violation(history, "wrong value",
                             "'different' was answered with the value that was expected", {i});
        auto const writer =
            std::lower_bound(writers.begin(), writers.end(), std::pair{*seen, std::uint32_t{0}});
        if (writer == writers.end() || writer->first != *seen)
            return violation(
                history, "wrong value",
                "value " + describe_value(*seen) + " was never given to key " + std::to_string(ops[i].key),
                {i});
        auto const w = writer->second;
        if (std::next(writer) != writers.end() && std::next(writer)->first == *seen)
            continue;  // not distinct
        if (w == i || ops[w].call > ops[i].ret)
            return violation(history, "wrong value",
                             "value " + describe_value(*seen) + " was seen before it was given to the key",
                             {i, w});
        reads.push_back({~ops[w].ret, ops[i].call, static_cast<std::uint32_t>(pairs.size())});
        pairs.emplace_back(i, w);
    }
    Violation found;
    smallest_below(std::move(overwrites), std::move(reads), [&](std::uint32_t pair, std::uint32_t over) {
        if (found) return;
        auto const [read, writer] = pairs[pair];
        found = violation(
            history, "stale read",
            "value " + describe_value(*value_seen(ops[read])) + " was seen after it had been replaced",
            {read, writer, over});
    });
    if (found) return found;
    if (auto const pair = contradicted(history, operations, saw_absent, left_present, may_remove))
        return violation(history, "false absent",
                         "the key was found absent though it was present before, and nothing removed it",
                         *pair);
    if (auto const pair = contradicted(history, operations, saw_present, left_absent, may_add))
        return violation(history, "false present",
                         "the key was found present though it was absent before, and nothing added it",
                         *pair);
    return {};
}

Violation compare_fulls(History const& history, std::vector<std::vector<std::uint32_t>> const& keys) {
    auto const& ops = history.operations;
    // Fulls, and one made-up operation for each time that a key can have been inside, from an adding call to a return
    // behind which it was absent for certain.
    struct Span {
        std::uint64_t from, by;
    };
    std::vector<Span> spans;
    std::vector<std::uint32_t> fulls;
    for (std::uint32_t i = 0; i < ops.size(); ++i)
        if (ops[i].answer == Answer::full) fulls.push_back(i);
    if (fulls.empty()) return {};
    for (auto const i : fulls) spans.push_back({ops[i].call, ops[i].ret});
    for (auto const& operations : keys) {
        std::vector<std::uint32_t> absents;
        for (auto const i : operations)
            if (left_absent(ops[i])) absents.push_back(i);
        std::sort(absents.begin(), absents.end(), [&](auto a, auto b) { return ops[a].ret < ops[b].ret; });
        std::uint64_t since = never;  // if it can be inside
        std::uint64_t added_by = 0;   // the latest return of an adding operation so far
        std::size_t next = 0;
        auto const leave = [&](std::uint64_t until) {
            for (; next < absents.size() && ops[absents[next]].ret < until; ++next) {
                if (since == never || ops[absents[next]].call <= added_by) continue;
                spans.push_back({since, ops[absents[next]].ret});
                since = never;
            }
        };
        for (auto const i : operations) {
            if (!may_add(ops[i])) continue;
            leave(ops[i].call);
            if (since == never) since = ops[i].call;
            added_by = std::max(added_by, ops[i].ret);
        }
        leave(never);
        if (since != never) spans.push_back({since, never});
    }
    Timeline timeline(spans.size());
    for (std::uint32_t i = 0; i < spans.size(); ++i) timeline.add(i, spans[i].from, spans[i].by);
    timeline.sort();
    Count inside(timeline);
    for (auto i = static_cast<std::uint32_t>(fulls.size()); i < spans.size(); ++i)
        inside.add(timeline.call(i) + 1, timeline.ret(i));
    inside.sum();
    auto const capacity = static_cast<std::int64_t>(
        std::min<std::uint64_t>(history.capacity, std::numeric_limits<std::int64_t>::max()));
    Moments const may_be_full(timeline, [&](std::uint32_t m) { return inside.at(m) >= capacity; });
    for (std::uint32_t i = 0; i < fulls.size(); ++i)
        if (!may_be_full.any(timeline.call(i) + 1, timeline.ret(i)))
            return violation(history, "false full",
                             "'full' was answered though at no moment of the call " +
                                 std::to_string(history.capacity) + " keys can have been inside",
                             {fulls[i]});
    return {};
}

}  // namespace zeroipc::bench::monitor
