#pragma once
/// \file
/// Made-up histories: of a right object, small or large, with pending operations; spoiled ones; and the verdict of the
/// brute-force search on small ones.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "zeroipc/bench/history.hpp"
#include "zeroipc_linearizable.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::bench::testing {

using zeroipc::testing::random_source;

/// A sequential queue or stack.
struct SequentialContainer {
    bool last_in_first_out = false;
    std::uint64_t capacity = never;
    std::deque<std::uint64_t> items{};

    /// Does what the operation does, and gives the answer and the value.
    void perform(Operation& op) {
        if (op.action == Action::push) {
            op.answer = items.size() < capacity ? Answer::done : Answer::full;
            if (op.answer == Answer::done) items.push_back(op.value);
        } else if (items.empty()) {
            op.answer = Answer::empty;
        } else {
            op.answer = Answer::done;
            op.value = last_in_first_out ? items.back() : items.front();
            last_in_first_out ? items.pop_back() : items.pop_front();
        }
    }
    auto operator<=>(SequentialContainer const&) const = default;
};

/// A sequential map. "full" is its answer to what would make one key more than its capacity.
struct SequentialMap {
    std::uint64_t capacity = never;
    std::map<std::uint32_t, std::uint64_t> values{};

    void perform(Operation& op) {
        auto const at = values.find(op.key);
        bool const there = at != values.end();
        bool const full = !there && values.size() >= capacity;
        switch (op.action) {
            case Action::insert:
                op.answer = there ? Answer::present : full ? Answer::full : Answer::inserted;
                break;
            case Action::assign:
                op.answer = there ? Answer::assigned : full ? Answer::full : Answer::inserted;
                break;
            case Action::erase:
                op.answer = there ? Answer::done : Answer::absent;
                if (there) values.erase(at);
                return;
            case Action::find:
                op.answer = there ? Answer::done : Answer::absent;
                if (there) op.value = at->second;
                return;
            default:
                op.answer = !there                   ? Answer::absent
                            : at->second != op.other ? Answer::different
                                                     : Answer::assigned;
                if (op.answer == Answer::different) op.value = at->second;
        }
        if (op.answer == Answer::inserted || op.answer == Answer::assigned) values[op.key] = op.value;
    }
    auto operator<=>(SequentialMap const&) const = default;
};

/// The sequential object as the brute-force search wants it.
template <class Object>
struct Checked : Object {
    struct Step : Operation {
        bool pending = false;
    };
    bool apply(Step const& step) {
        Operation done = step;
        this->perform(done);
        if (step.pending) return true;
        bool const gives =
            step.action == Action::pop || step.action == Action::find || step.answer == Answer::different;
        return done.answer == step.answer && (!gives || done.value == step.value);
    }
    auto operator<=>(Checked const&) const = default;
};

/// \param initial what the history began on.
template <class Object>
bool is_linearizable(History const& history, Object const& initial) {
    using checked = Checked<Object>;
    std::vector<typename checked::Step> steps;
    for (auto const& op : history.operations) steps.push_back({op, op.answer == Answer::pending});
    return zeroipc::testing::linearizable(
        steps, [](auto const& a, auto const& b) { return a.ret < b.call; }, checked{initial});
}

struct Making {
    Structure structure = Structure::queue;
    std::uint64_t operations = 10;
    std::uint64_t capacity = 2;
    std::uint32_t workers = 3;
    std::uint32_t keys = 2;
    std::uint64_t width = 12;     ///< ticks that a call takes at most; workers rest as long between calls
    std::uint64_t pending = 0;    ///< one call in so many never returns, and a new worker comes; 0: none
    std::uint64_t preempted = 0;  ///< one call in so many takes 100 times as long; 0: none
};

/// One worker's next call, with the moment at which it takes effect.
struct Planned {
    Operation op;
    std::uint64_t moment;
};

inline Action random_action(Structure structure, random_source& random, std::uint64_t mood) {
    static constexpr std::array map_actions{Action::insert, Action::assign, Action::erase,
                                            Action::find,   Action::find,   Action::exchange};
    if (structure == Structure::map) return map_actions[random.below(map_actions.size())];
    return random.below(8) < mood ? Action::push : Action::pop;
}

/// A history of an object that is right: each call takes effect at a moment of its interval.
template <class Object>
History make_history(Making const& making, Object object, random_source& random) {
    History history;
    history.structure = making.structure;
    history.capacity = making.capacity;
    history.variant = "made up";
    std::vector<Planned> plan;
    std::vector<std::uint64_t> free_at(making.workers, 0);
    std::vector<std::uint16_t> number(making.workers);
    std::vector<std::uint64_t> count(making.workers, 0);
    for (auto& n : number) {
        n = static_cast<std::uint16_t>(history.workers.size());
        history.workers.push_back({});
    }
    for (std::uint64_t i = 0; i < making.operations; ++i) {
        auto const w =
            static_cast<std::size_t>(std::min_element(free_at.begin(), free_at.end()) - free_at.begin());
        auto const stretch = making.preempted != 0 && random.below(making.preempted) == 0 ? 100U : 1U;
        // Phases in which pushes or pops prevail, so that full and empty occur.
        auto const mood = i / (4 * std::min<std::uint64_t>(making.capacity, 4096)) % 2 == 0 ? 5U : 3U;
        Operation op;
        op.action = random_action(making.structure, random, mood);
        op.worker = number[w];
        op.key =
            making.structure == Structure::map ? static_cast<std::uint32_t>(random.below(making.keys)) : 0;
        op.value = op.action == Action::pop || op.action == Action::find || op.action == Action::erase
                       ? 0
                       : std::uint64_t{op.worker} << 48 | ++count[w];
        op.call = free_at[w] + random.below(making.width);
        op.ret = op.call + random.below(making.width * stretch);
        auto const moment = op.call + random.below(op.ret - op.call + 1);
        free_at[w] = op.ret + random.below(making.width);
        if (making.pending != 0 && random.below(making.pending) == 0) {
            op.ret = never;
            history.workers[op.worker].killed = true;
            number[w] = static_cast<std::uint16_t>(history.workers.size());
            count[w] = 0;
            history.workers.push_back({});
        }
        plan.push_back({op, moment});
    }
    std::stable_sort(plan.begin(), plan.end(),
                     [](auto const& a, auto const& b) { return a.moment < b.moment; });
    std::map<std::uint32_t, std::uint64_t> last;  // of each key: what an exchange may expect
    for (auto& [op, moment] : plan) {
        if (op.action == Action::exchange) op.other = random.below(3) == 0 ? random.below(4) : last[op.key];
        bool const unfinished = op.ret == never;
        auto const value = op.value;
        if (!unfinished || random.below(2) == 0) object.perform(op);
        if (op.answer == Answer::inserted || op.answer == Answer::assigned) last[op.key] = op.value;
        if (unfinished) {
            op.answer = Answer::pending;
            op.value = value;
        }
        history.operations.push_back(op);
    }
    return history;
}

/// What can go wrong with a history.
enum class Fault : std::uint8_t { none, answer, value, time };

/// Changes something in one operation; the history may be linearizable still.
inline void spoil(History& history, random_source& random) {
    auto& ops = history.operations;
    if (ops.empty()) return;
    auto& op = ops[random.below(ops.size())];
    if (op.answer == Answer::pending) return;
    auto const& other = ops[random.below(ops.size())];
    switch (random.below(4)) {
        case 0:  // another answer
            switch (op.action) {
                case Action::push:
                    op.answer = op.answer == Answer::done ? Answer::full : Answer::done;
                    break;
                case Action::pop:
                    op.answer = op.answer == Answer::done ? Answer::empty : Answer::done;
                    if (op.answer == Answer::done) op.value = other.value;
                    break;
                case Action::insert:
                    op.answer = op.answer == Answer::inserted ? Answer::present : Answer::inserted;
                    break;
                case Action::assign:
                    op.answer = op.answer == Answer::inserted ? Answer::assigned : Answer::inserted;
                    break;
                case Action::exchange:
                    op.answer = op.answer == Answer::absent ? Answer::assigned : Answer::absent;
                    break;
                case Action::erase:
                case Action::find:
                    op.answer = op.answer == Answer::done ? Answer::absent : Answer::done;
                    if (op.answer == Answer::done) op.value = other.value;
            }
            break;
        case 1:  // another value
            if (op.action == Action::pop || op.action == Action::find || op.answer == Answer::different)
                op.value = other.value;
            break;
        case 2:  // values swapped
            if (op.action == Action::pop)
                for (auto& swapped : ops)
                    if (&swapped != &op && swapped.action == Action::pop && swapped.answer == op.answer) {
                        std::swap(op.value, swapped.value);
                        break;
                    }
            break;
        default:  // a narrower interval
            op.call += random.below(op.ret - op.call + 1);
            op.ret -= random.below(op.ret - op.call + 1);
    }
}

}  // namespace zeroipc::bench::testing
