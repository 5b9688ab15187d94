#pragma once
/// \file
/// Faults planted into histories that are right: after each, no order explains the answers.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "zeroipc/bench/history.hpp"
#include "zeroipc_testing.hpp"

namespace zeroipc::bench::testing {

/// Places where something can be planted, by the history alone.
class Planter {
public:
    explicit Planter(History history) : history_(std::move(history)) {
        auto& ops = history_.operations;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            auto const& op = ops[i];
            bool const done = op.answer == Answer::done;
            if (op.action == Action::push && done) pushes_[op.value] = i;
            if (op.action == Action::pop && done) pops_.push_back(i);
        }
        std::sort(pops_.begin(), pops_.end(), [&](auto a, auto b) { return ops[a].ret < ops[b].ret; });
    }

    History const& history() const { return history_; }

    /// A name each. \param random where. \return false if this history has no place for it.
    bool plant(std::string const& fault, zeroipc::testing::random_source& random) {
        auto const begin = random.below(std::max<std::size_t>(1, history_.operations.size() / 2));
        if (history_.structure == Structure::map) return plant_in_map(fault, begin);
        return plant_in_container(fault, random.below(std::max<std::size_t>(1, pops_.size() / 2)));
    }

private:
    using Operations = std::vector<Operation>;

    std::optional<std::size_t> push_of(std::size_t pop) const {
        auto const at = pushes_.find(history_.operations[pop].value);
        if (at == pushes_.end()) return std::nullopt;
        return at->second;
    }

    void insert(Action action, Answer answer, std::uint64_t call, std::uint64_t ret, std::uint32_t key = 0) {
        Operation op;
        op.action = action;
        op.answer = answer;
        op.call = call;
        op.ret = ret;
        op.key = key;
        op.value = std::uint64_t{0xfffe} << 48 | 1U;
        op.worker = static_cast<std::uint16_t>(history_.workers.size());
        history_.workers.push_back({});
        history_.operations.push_back(op);
    }

    bool plant_in_container(std::string const& fault, std::size_t begin) {
        auto& ops = history_.operations;
        auto const certain = [&](std::size_t pop) {  // it was inside between push and pop
            auto const push = push_of(pop);
            return push && ops[*push].ret + 2 < ops[pop].call;
        };
        if (fault == "false full") {  // when few operations had begun
            if (ops.size() < 8 || history_.capacity < 8) return false;
            insert(Action::push, Answer::full, ops[2].call, ops[2].call);
            return true;
        }
        if (fault == "loss") return lose(begin);
        for (std::size_t i = begin; i + 1 < pops_.size(); ++i) {
            auto& pop = ops[pops_[i]];
            if (!certain(pops_[i])) continue;
            if (fault == "duplicate") {
                pop.value = ops[pops_[i + 1]].value;
                return true;
            }
            if (fault == "wrong value") {
                pop.value = std::uint64_t{0xfffd} << 48 | 7U;
                return true;
            }
            if (fault == "false empty") {
                auto const moment = pop.call - 1;
                insert(Action::pop, Answer::empty, moment, moment);
                return true;
            }
            if (fault != "reordering") return false;
            // Queue: a in before b, out before b. Stack: b in behind a, out before a. The other way around is wrong.
            for (std::size_t j = i + 1; j < std::min(pops_.size(), i + 200); ++j) {
                auto& other = ops[pops_[j]];
                if (!certain(pops_[j]) || pop.ret >= other.call) continue;
                auto const& first = ops[*push_of(pops_[i])];
                auto const& second = ops[*push_of(pops_[j])];
                bool const fits = history_.structure == Structure::queue
                                      ? first.ret < second.call && second.ret < pop.call
                                      : second.ret < first.call && first.ret < pop.call;
                if (!fits) continue;
                std::swap(pop.value, other.value);
                return true;
            }
        }
        return false;
    }

    /// One value more than killed pops can have taken: nobody popped them.
    bool lose(std::size_t begin) {
        auto& ops = history_.operations;
        auto const takers =
            static_cast<std::size_t>(std::count_if(ops.begin(), ops.end(), [](Operation const& op) {
                return op.action == Action::pop && op.answer == Answer::pending;
            }));
        if (begin + takers + 1 > pops_.size()) return false;
        std::vector<std::size_t> gone(pops_.begin() + static_cast<std::ptrdiff_t>(begin),
                                      pops_.begin() + static_cast<std::ptrdiff_t>(begin + takers + 1));
        std::sort(gone.rbegin(), gone.rend());
        for (auto const i : gone) ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(i));
        // In the end it was empty.
        std::uint64_t end = 0;
        for (auto const& op : ops) end = std::max(end, op.ret == never ? op.call : op.ret);
        insert(Action::pop, Answer::empty, end + 1, end + 1);
        return true;
    }

    bool plant_in_map(std::string const& fault, std::size_t begin) {
        auto& ops = history_.operations;
        if (fault == "false full") {
            if (history_.capacity < 8) return false;
            insert(Action::insert, Answer::full, ops[1].call, ops[1].call);
            return true;
        }
        // Two writes of one key that do not overlap, and a find behind both that saw the second one.
        std::unordered_map<std::uint64_t, std::size_t> writers;
        std::map<std::uint32_t, std::vector<std::size_t>> of_key;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            auto const& op = ops[i];
            bool const writes = op.answer == Answer::inserted || op.answer == Answer::assigned;
            if (writes) {
                writers[op.value] = i;
                of_key[op.key].push_back(i);
            }
        }
        for (std::size_t i = begin; i < ops.size(); ++i) {
            auto& find = ops[i];
            if (find.action != Action::find || find.answer != Answer::done) continue;
            auto const at = writers.find(find.value);
            if (at == writers.end() || ops[at->second].ret >= find.call) continue;
            auto const& write = ops[at->second];
            if (fault == "wrong value") {  // another key's
                for (auto const& [key, list] : of_key)
                    if (key != find.key) {
                        find.value = ops[list.front()].value;
                        return true;
                    }
            } else if (fault == "stale read") {
                for (auto const older : of_key[find.key])
                    if (ops[older].ret < write.call) {
                        find.value = ops[older].value;
                        return true;
                    }
            } else if (!erased_between(find.key, write.call, find.ret)) {
                if (fault == "loss") {
                    find.answer = Answer::absent;
                    return true;
                }
                if (fault == "duplicate") {  // added though it was there
                    insert(Action::insert, Answer::inserted, find.call, find.call, find.key);
                    return true;
                }
            }
        }
        return false;
    }

    [[nodiscard]] bool erased_between(std::uint32_t key, std::uint64_t from, std::uint64_t to) const {
        return std::any_of(history_.operations.begin(), history_.operations.end(), [&](Operation const& op) {
            return op.action == Action::erase && op.key == key && op.answer != Answer::absent &&
                   op.ret >= from && op.call <= to;
        });
    }

    History history_;
    std::unordered_map<std::uint64_t, std::size_t> pushes_;
    std::vector<std::size_t> pops_;  ///< by their return
};

/// The faults that a structure can have.
inline std::vector<std::string> faults_of(Structure structure) {
    if (structure == Structure::map) return {"loss", "duplicate", "stale read", "wrong value", "false full"};
    return {"loss", "duplicate", "reordering", "wrong value", "false empty", "false full"};
}

}  // namespace zeroipc::bench::testing
