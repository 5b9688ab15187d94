#include <algorithm>
#include <string>
#include <utility>

#include "container.hpp"

namespace zeroipc::bench::monitor {

namespace {

/// Operations of an item that was inside when a call began: one that its own push and pop show, if there is.
std::vector<std::size_t> inside_at(Container const& c, Timeline const& timeline, std::uint32_t operation) {
    auto const& ops = c.history.operations;
    auto const moment = timeline.call(operation) + 1;
    std::uint32_t found = none;
    for (std::uint32_t i = 0; i < c.items.size(); ++i) {
        auto const& item = c.items[i];
        if (timeline.ret(item.push) >= moment || (item.popped() && timeline.call(item.pop) < moment))
            continue;
        found = i;
        bool const out_later = !item.popped() || ops[item.pop].call > ops[operation].ret;
        if (!out_later || ops[item.push].ret >= ops[operation].call) continue;
        if (item.popped()) return {item.push, item.pop};
        return {item.push};
    }
    return found == none ? std::vector<std::size_t>{} : reasons_of(c, found).operations;
}

}  // namespace

Violation compare_sizes(Container const& c, Timeline const& timeline) {
    auto const end = timeline.size();
    Count certain(timeline);  // came out later by a pop that returned it
    Count possible(timeline);
    Count lost(timeline);
    Count takers(timeline);
    for (auto const& item : c.items) {
        auto const in = timeline.ret(item.push);
        if (item.popped()) {
            certain.add(in + 1, timeline.call(item.pop));
            possible.add(timeline.call(item.push) + 1, timeline.ret(item.pop));
        } else {
            if (in < end) lost.add(in + 1, end);
            possible.add(timeline.call(item.push) + 1, end);
        }
    }
    for (auto const push : c.maybe_in) possible.add(timeline.call(push) + 1, end);
    for (auto const pop : c.maybe_out) takers.add(timeline.call(pop) + 1, end);
    for (auto* count : {&certain, &possible, &lost, &takers}) count->sum();
    auto const least = [&](std::uint32_t m) {
        return certain.at(m) + std::max<std::int64_t>(0, lost.at(m) - takers.at(m));
    };

    Moments const may_be_empty(timeline, [&](std::uint32_t m) { return least(m) == 0; });
    for (auto const op : c.empties) {
        auto const first = timeline.call(op) + 1;
        if (may_be_empty.any(first, timeline.ret(op))) continue;
        auto named = inside_at(c, timeline, op);
        named.insert(named.begin(), op);
        return violation(
            c.history, "false empty",
            "'empty' was answered though at each moment of the call at least one item was inside; at its "
            "beginning " +
                std::to_string(least(first)),
            std::move(named));
    }
    if (c.history.capacity == never) {
        if (c.fulls.empty()) return {};
        return violation(c.history, "false full", "'full' was answered by what has no capacity",
                         {c.fulls.front()});
    }
    auto const capacity = static_cast<std::int64_t>(std::min<std::uint64_t>(c.history.capacity, never / 4));
    Moments const may_be_full(timeline, [&](std::uint32_t m) { return possible.at(m) >= capacity; });
    for (auto const op : c.fulls) {
        auto const first = timeline.call(op) + 1;
        if (may_be_full.any(first, timeline.ret(op))) continue;
        std::int64_t most = 0;
        for (auto m = first; m <= timeline.ret(op); ++m) most = std::max(most, possible.at(m));
        return violation(c.history, "false full",
                         "'full' was answered though at no moment of the call more than " +
                             std::to_string(most) + " items can have been inside, of " +
                             std::to_string(c.history.capacity),
                         {op});
    }
    for (std::uint32_t m = 0; m <= end; ++m) {
        if (least(m) <= capacity) continue;
        auto const event = timeline[m - 1].operation();
        return violation(c.history, "too many items",
                         std::to_string(least(m)) + " items were inside at once, in a capacity of " +
                             std::to_string(c.history.capacity) + ", behind this operation",
                         {event});
    }
    return {};
}

}  // namespace zeroipc::bench::monitor
