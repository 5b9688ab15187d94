#include "container.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace zeroipc::bench::monitor {

namespace {

bool pending(Operation const& op) { return op.answer == Answer::pending; }

/// Operations of one kind that moved a value, by that value.
using ByValue = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

/// A bound of an item that follows from another item. `lower`: the smallest bound `from` of all other items that meet
/// the conditions limits `changed` from above; else the largest limits it from below. A condition compares a bound of the
/// other item with one of the item: the other's is smaller, or, if `later`, larger.
struct Condition {
    Bound other, own;
    bool later;
};
struct Rule {
    Bound changed, from;
    bool lower;
    std::array<Condition, 2> conditions;
    std::size_t count;
};

/// Queue: what went in first comes out first, and the other way around.
constexpr std::array<Rule, 4> queue_rules{{
    {out_by, out_by, true, {{{in_from, in_by, true}}}, 1},
    {out_from, out_from, false, {{{in_by, in_from, false}}}, 1},
    {in_by, in_by, true, {{{out_from, out_by, true}}}, 1},
    {in_from, in_from, false, {{{out_by, out_from, false}}}, 1},
}};

/// Stack: what went in while another was inside comes out before it; what came out while another was inside went in
/// behind it; and what went in before another and came out before it was gone when the other one went in.
constexpr std::array<Rule, 6> stack_rules{{
    {out_by, out_by, true, {{{in_by, in_from, false}, {out_from, in_by, true}}}, 2},
    {out_from, out_from, false, {{{in_from, in_by, true}, {in_by, out_from, false}}}, 2},
    {in_from, in_from, false, {{{in_by, out_from, false}, {out_from, out_by, true}}}, 2},
    {in_by, in_by, true, {{{out_from, in_by, true}, {out_by, out_from, false}}}, 2},
    {out_by, in_by, true, {{{in_from, in_by, true}, {out_from, out_by, true}}}, 2},
    {in_from, out_from, false, {{{in_by, in_from, false}, {out_by, out_from, false}}}, 2},
}};

/// \return whether a window became narrower.
bool apply(Rule const& rule, std::vector<Item>& items) {
    auto const flip = [](std::uint64_t value, bool flipped) { return flipped ? ~value : value; };
    auto const coordinate = [&](Item const& item, std::size_t i, bool of_other) -> std::uint64_t {
        if (i >= rule.count) return of_other ? 0 : 1;
        auto const& condition = rule.conditions[i];
        return flip(item.bound[of_other ? condition.other : condition.own], condition.later);
    };
    std::vector<Point> points;
    std::vector<Query> queries;
    points.reserve(items.size());
    queries.reserve(items.size());
    for (std::uint32_t i = 0; i < items.size(); ++i) {
        auto const& item = items[i];
        auto const weight = flip(item.bound[rule.from], !rule.lower);
        points.push_back({coordinate(item, 0, true), coordinate(item, 1, true), weight, i});
        queries.push_back({coordinate(item, 0, false), coordinate(item, 1, false), i});
    }
    bool narrower = false;
    smallest_below(std::move(points), std::move(queries), [&](std::uint32_t i, std::uint32_t other) {
        auto& bound = items[i].bound[rule.changed];
        auto const limit = items[other].bound[rule.from];
        if (i == other || (rule.lower ? limit >= bound : limit <= bound)) return;
        bound = limit;
        items[i].why[rule.changed] = other;
        narrower = true;
    });
    return narrower;
}

/// An item goes in before it comes out.
void settle(Item& item) {
    if (item.bound[in_by] > item.bound[out_by]) {
        item.bound[in_by] = item.bound[out_by];
        item.why[in_by] = item.why[out_by];
    }
    if (item.bound[out_from] < item.bound[in_from]) {
        item.bound[out_from] = item.bound[in_from];
        item.why[out_from] = item.why[in_from];
    }
}

bool impossible(Item const& item) {
    return item.bound[in_from] > item.bound[in_by] || item.bound[out_from] > item.bound[out_by];
}

/// The items whose windows leave item `at` none.
Judgement no_window(Container const& c, std::uint32_t at) {
    auto [items, operations, lost] = reasons_of(c, at);
    auto const value = describe_value(c.history.operations[c.items[at].push].value);
    if (items.size() == 1)
        return violation(c.history, "wrong value", "value " + value + " came out before it was put in",
                         std::move(operations));
    std::string const order = c.last_in_first_out ? "last in, first out" : "first in, first out";
    if (lost)
        return violation(c.history, "lost value",
                         order + " leaves no moment for the " +
                             (c.items[at].popped() ? "push and pop" : "push") + " of " + value +
                             ", for a value that went in never came out",
                         std::move(operations));
    return violation(c.history, "order", order + " leaves no moment for the push and pop of " + value,
                     std::move(operations));
}

/// A lost value can be gone only when a killed pop was called; in a queue each value lost before it took another one.
void assign_takers(Container& c) {
    std::vector<std::uint64_t> inside_by;  // of lost items
    for (auto const& item : c.items)
        if (!item.popped()) inside_by.push_back(item.bound[in_by]);
    std::sort(inside_by.begin(), inside_by.end());
    for (auto& item : c.items) {
        if (item.popped()) continue;
        auto const before = std::lower_bound(inside_by.begin(), inside_by.end(), item.bound[in_from]);
        auto const taker = c.last_in_first_out ? 0 : static_cast<std::size_t>(before - inside_by.begin());
        item.bound[out_from] = never;
        if (taker >= c.maybe_out.size()) continue;
        item.taker = static_cast<std::uint32_t>(taker);
        item.bound[out_from] = c.history.operations[c.maybe_out[taker]].call;
    }
}

}  // namespace

std::uint64_t Container::earliest(std::uint32_t operation) const {
    auto const i = item_of[operation];
    if (i == none) return history.operations[operation].call;
    return items[i].bound[items[i].push == operation ? in_from : out_from];
}

std::uint64_t Container::latest(std::uint32_t operation) const {
    auto const i = item_of[operation];
    if (i == none) return history.operations[operation].ret;
    return items[i].bound[items[i].push == operation ? in_by : out_by];
}

Reasons reasons_of(Container const& c, std::uint32_t at) {
    constexpr std::size_t most = 6;
    Reasons reasons{{at}, {}, false};
    auto& items = reasons.items;
    for (std::size_t next = 0; next < items.size(); ++next)
        for (auto const reason : c.items[items[next]].why)
            if (reason != none && items.size() < most &&
                std::find(items.begin(), items.end(), reason) == items.end())
                items.push_back(reason);
    for (auto const i : items) {
        reasons.operations.push_back(c.items[i].push);
        if (c.items[i].popped())
            reasons.operations.push_back(c.items[i].pop);
        else
            reasons.lost = true;
    }
    return reasons;
}

Judgement violation(History const& history, std::string rule, std::string why,
                    std::vector<std::size_t> operations) {
    Judgement judgement;
    judgement.verdict = Verdict::violation;
    judgement.rule = std::move(rule);
    judgement.why = std::move(why);
    for (auto const operation : operations) judgement.why += "\n  " + describe(history, operation);
    judgement.operations = std::move(operations);
    return judgement;
}

Violation pair(Container& c) {
    auto const& operations = c.history.operations;
    ByValue pushes;
    ByValue pops;
    c.item_of.assign(operations.size(), none);
    for (std::uint32_t i = 0; i < operations.size(); ++i) {
        auto const& op = operations[i];
        if (op.action == Action::push) {
            if (op.answer == Answer::full)
                c.fulls.push_back(i);
            else
                pushes.emplace_back(op.value, i);
        } else if (op.answer == Answer::empty) {
            c.empties.push_back(i);
        } else if (pending(op)) {
            c.maybe_out.push_back(i);
        } else {
            pops.emplace_back(op.value, i);
        }
    }
    std::sort(pushes.begin(), pushes.end());
    std::sort(pops.begin(), pops.end());
    std::sort(c.maybe_out.begin(), c.maybe_out.end(),
              [&](auto a, auto b) { return operations[a].call < operations[b].call; });
    auto const same = [](auto const& a, auto const& b) { return a.first == b.first; };
    if (auto const twice = std::adjacent_find(pushes.begin(), pushes.end(), same); twice != pushes.end()) {
        auto judgement =
            violation(c.history, "values are not distinct",
                      "value " + describe_value(twice->first) + " was put in twice; record distinct values",
                      {twice->second, std::next(twice)->second});
        judgement.verdict = Verdict::undecided;
        return judgement;
    }
    if (auto const twice = std::adjacent_find(pops.begin(), pops.end(), same); twice != pops.end())
        return violation(c.history, "duplicate", "value " + describe_value(twice->first) + " came out twice",
                         {twice->second, std::next(twice)->second});
    auto pop = pops.begin();
    for (auto const& [value, push] : pushes) {
        if (pop != pops.end() && pop->first < value) break;
        bool const out = pop != pops.end() && pop->first == value;
        if (!out && pending(operations[push])) {
            c.maybe_in.push_back(push);
            continue;
        }
        Item item;
        item.push = push;
        item.bound = {operations[push].call, operations[push].ret, 0, never};
        c.item_of[push] = static_cast<std::uint32_t>(c.items.size());
        if (out) {
            item.pop = pop->second;
            item.bound[out_from] = operations[item.pop].call;
            item.bound[out_by] = operations[item.pop].ret;
            c.item_of[item.pop] = c.item_of[push];
            ++pop;
        }
        c.items.push_back(item);
    }
    if (pop != pops.end())
        return violation(c.history, "wrong value",
                         "value " + describe_value(pop->first) + " was never put in", {pop->second});
    assign_takers(c);
    return {};
}

Violation narrow(Container& c) {
    constexpr int rounds = 3;  // more narrow little; what is left open here the search decides
    auto const rules =
        c.last_in_first_out ? std::span<Rule const>(stack_rules) : std::span<Rule const>(queue_rules);
    for (int round = 0;; ++round) {
        for (std::uint32_t i = 0; i < c.items.size(); ++i) {
            settle(c.items[i]);
            if (impossible(c.items[i])) return no_window(c, i);
        }
        bool narrower = false;
        if (round == rounds) return {};
        for (auto const& rule : rules) narrower |= apply(rule, c.items);
        if (!narrower) return {};
    }
}

Violation account_for_lost(Container const& c) {
    std::vector<std::uint32_t> lost;
    for (std::uint32_t i = 0; i < c.items.size(); ++i)
        if (!c.items[i].popped() && c.items[i].bound[out_by] != never) lost.push_back(i);
    std::sort(lost.begin(), lost.end(),
              [&](auto a, auto b) { return c.items[a].bound[out_by] < c.items[b].bound[out_by]; });
    std::size_t takers = 0;
    for (std::size_t i = 0; i < lost.size(); ++i) {
        auto const& item = c.items[lost[i]];
        auto const end = item.bound[out_by];
        while (takers < c.maybe_out.size() && c.history.operations[c.maybe_out[takers]].call <= end) ++takers;
        if (takers > i) continue;
        std::vector<std::size_t> operations{item.push};
        if (item.why[out_by] != none) {
            auto const& reason = c.items[item.why[out_by]];
            operations.push_back(reason.push);
            if (reason.popped()) operations.push_back(reason.pop);
        }
        return violation(
            c.history, "lost value",
            std::to_string(i + 1) + " values were gone without a pop that returned them, and only " +
                std::to_string(takers) + " killed pops can have taken them by then; the last of them is " +
                describe_value(c.history.operations[item.push].value),
            std::move(operations));
    }
    return {};
}

Timeline timeline_of(Container const& c) {
    auto const& operations = c.history.operations;
    Timeline timeline(operations.size());
    for (std::uint32_t i = 0; i < operations.size(); ++i) timeline.add(i, c.earliest(i), c.latest(i));
    timeline.sort();
    return timeline;
}

}  // namespace zeroipc::bench::monitor
