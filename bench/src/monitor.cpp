#include "zeroipc/bench/monitor.hpp"

#include <algorithm>
#include <array>

#include "monitor/container.hpp"
#include "monitor/container_model.hpp"
#include "monitor/container_moves.hpp"
#include "monitor/map.hpp"
#include "monitor/report.hpp"

namespace zeroipc::bench {

namespace {

using namespace monitor;

/// How much the history overlaps.
void measure(History const& history, Judgement& judgement) {
    Timeline timeline(history.operations.size());
    for (std::uint32_t i = 0; i < history.operations.size(); ++i)
        if (history.operations[i].ret != never)
            timeline.add(i, history.operations[i].call, history.operations[i].ret);
    timeline.sort();
    std::uint64_t open = 0;
    for (std::uint32_t i = 0; i < timeline.size(); ++i) {
        open = timeline[i].is_return() ? open - 1 : open + 1;
        judgement.widest = std::max(judgement.widest, open);
        judgement.quiescent += open == 0 ? 1U : 0U;
    }
}

template <bool LastInFirstOut>
void order(Container const& container, Timeline const& timeline, std::uint64_t limit, Judgement& judgement) {
    ContainerModel<LastInFirstOut> model(container, timeline);
    Search<ContainerModel<LastInFirstOut>> search(model, timeline, container.item_of.size(), limit);
    auto const found = search.run();
    if (report(
            container.history, timeline, search, found, [](std::uint32_t i) { return i; }, judgement))
        judgement.verdict = Verdict::linearizable;
}

void judge_container(History const& history, std::uint64_t limit, Judgement& judgement) {
    Container container{history, history.structure == Structure::stack, {}, {}, {}, {}, {}, {}};
    auto const ended = [&](Violation const& found) {
        if (found) judgement = *found;
        return found.has_value();
    };
    if (ended(pair(container)) || ended(narrow(container)) || ended(account_for_lost(container))) return;
    auto const timeline = timeline_of(container);
    if (ended(compare_sizes(container, timeline))) return;
    if (container.last_in_first_out)
        order<true>(container, timeline, limit, judgement);
    else
        order<false>(container, timeline, limit, judgement);
}

void judge_map(History const& history, std::uint64_t limit, Judgement& judgement) {
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < history.operations.size(); ++i)
        if (history.operations[i].answer != Answer::full) all.push_back(i);
    std::sort(all.begin(), all.end(), [&](auto a, auto b) {
        auto const& x = history.operations[a];
        auto const& y = history.operations[b];
        return x.key != y.key ? x.key < y.key : x.call != y.call ? x.call < y.call : a < b;
    });
    std::vector<std::vector<std::uint32_t>> keys;
    for (auto const i : all) {
        if (keys.empty() || history.operations[keys.back().front()].key != history.operations[i].key)
            keys.emplace_back();
        keys.back().push_back(i);
    }
    for (auto const& operations : keys) {
        if (auto const found = compare_reads(history, operations)) {
            judgement = *found;
            return;
        }
    }
    if (auto const found = compare_fulls(history, keys)) {
        judgement = *found;
        return;
    }
    bool undecided = false;
    for (auto const& operations : keys) {
        auto const spent = std::min(limit, judgement.steps);
        if (order_key(history, operations, limit - spent, judgement)) continue;
        if (judgement.verdict == Verdict::violation) return;
        undecided = true;  // another key may still show a violation
    }
    if (!undecided) judgement.verdict = Verdict::linearizable;
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
    static constexpr std::array<std::string_view, 3> names{"linearizable", "violation", "undecided"};
    return names[static_cast<std::size_t>(verdict)];
}

Judgement judge(History const& history, CheckLimits const& limits) {
    validate(history);
    if (history.operations.size() >= Event::return_bit / 2)
        throw HistoryError(std::to_string(history.operations.size()) +
                           " operations; at most 2^30 can be judged");
    auto const limit = limits.steps != 0 ? limits.steps : 2 * history.operations.size() + 1'000'000;
    Judgement judgement;
    if (history.structure == Structure::map)
        judge_map(history, limit, judgement);
    else
        judge_container(history, limit, judgement);
    measure(history, judgement);
    return judgement;
}

}  // namespace zeroipc::bench
