#pragma once
/// \file
/// What the threads of one run did, and whether that is linearizable.
///
/// Which operation came first: the one that happens before the other, in the sense of the language. In a run without
/// stale reads, which is one of interleaved steps, it is the one that ended before the other began.

#include <zeroipc_linearizable.hpp>

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "explorer.hpp"

namespace zeroipc::model {

/// One operation of one thread. What it did and how it ended is the structure's.
struct operation {
    unsigned what = 0;
    bool done = false;  ///< its answer: true is success
    bool pending = true;
    std::uint64_t key = 0;
    std::uint64_t value = 0;     ///< what went in, or came out
    std::uint64_t expected = 0;  ///< what a conditional change asked for
    unsigned thread = 0;
    vector_clock known{};   ///< when it began
    std::uint32_t end = 0;  ///< the thread's own step at its end
    std::uint64_t first_step = 0;
    std::uint64_t last_step = 0;
    bool afterwards = false;  ///< it came when all others had ended
};

class history {
public:
    void clear() { all_.clear(); }

    /// The running thread begins an operation. \return its number.
    std::size_t begin(unsigned what, std::uint64_t key, std::uint64_t value, std::uint64_t expected = 0) {
        operation one;
        one.what = what;
        one.key = key;
        one.value = value;
        one.expected = expected;
        if (auto* const m = explorer::active(); m != nullptr && m->inside()) {
            one.thread = m->self();
            one.known = m->words().clock(one.thread);
        } else {
            one.afterwards = true;
        }
        all_.push_back(one);
        return all_.size() - 1;
    }
    void end(std::size_t number, bool done, std::uint64_t value) {
        auto& one = all_[number];
        one.done = done;
        one.value = value;
        one.pending = false;
        if (auto* const m = explorer::active(); m != nullptr && m->inside()) {
            one.end = m->words().clock(one.thread).at[one.thread];
            one.first_step = m->began();
            one.last_step = m->now();
        }
    }
    [[nodiscard]] std::vector<operation> const& all() const noexcept { return all_; }

    /// \param strong whether the run was one of interleaved steps. Known histories are not looked at again.
    template <class State>
    bool is_linearizable(State const& initial, bool strong) {
        auto const precedes = [&](operation const& a, operation const& b) {
            if (a.pending) return false;
            if (b.afterwards) return !a.afterwards || &a < &b;
            if (a.afterwards) return false;
            if (strong) return a.last_step < b.first_step;
            return b.known.at[a.thread] >= a.end;
        };
        std::string signature;
        for (auto const& one : all_) {
            for (auto const part : {std::uint64_t{one.what}, std::uint64_t{one.done},
                                    std::uint64_t{one.pending}, one.key, one.value, one.expected})
                signature += std::to_string(part) + ' ';
            for (auto const& other : all_) signature += precedes(one, other) ? '1' : '0';
        }
        if (right_.count(signature) != 0) return true;
        if (!testing::linearizable(all_, precedes, initial)) return false;
        right_.insert(std::move(signature));
        return true;
    }

private:
    std::vector<operation> all_;
    std::unordered_set<std::string> right_;
};

}  // namespace zeroipc::model
