#pragma once
/// \file
/// Whether a small history is linearizable, by trying every order: Wing and Gong, "Testing and Verifying
/// Concurrent Objects" (1993), with the visited states remembered as Lowe (2017) does. For up to 64 operations;
/// exponential in those that overlap.

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace zeroipc::testing {

namespace detail {

template <class Operation, class Precedes, class State>
class linearizer {
public:
    linearizer(std::vector<Operation> const& all, Precedes const& precedes) : all_(all), behind_(all.size()) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!all[i].pending) must_ |= std::uint64_t{1} << i;
            for (std::size_t j = 0; j < all.size(); ++j)
                if (i != j && precedes(all[j], all[i])) behind_[i] |= std::uint64_t{1} << j;
        }
    }

    /// \param done operations that took effect already; \param state what they made of the object.
    bool go_on(std::uint64_t done, State const& state) {
        if ((done & must_) == must_) return true;
        if (!seen_.emplace(done, state).second) return false;
        for (std::size_t i = 0; i < all_.size(); ++i) {
            auto const bit = std::uint64_t{1} << i;
            // What ended before this one began comes first; a pending one may also never take effect.
            if ((done & bit) != 0 || (behind_[i] & must_ & ~done) != 0) continue;
            State next = state;
            if (next.apply(all_[i]) && go_on(done | bit, next)) return true;
        }
        return false;
    }

private:
    std::vector<Operation> const& all_;
    std::vector<std::uint64_t> behind_;
    std::uint64_t must_ = 0;
    std::set<std::pair<std::uint64_t, State>> seen_;
};

}  // namespace detail

/// \param history operations with a member `pending`: it never returned, so it took effect or not, with any result.
/// \param precedes (a, b): a had returned before b was called.
/// \param initial the object: ordered by <, and `apply(operation)` changes it and says whether the operation's result
///        is the one that the object gives (of a pending one any).
template <class Operation, class Precedes, class State>
bool linearizable(std::vector<Operation> const& history, Precedes const& precedes, State const& initial) {
    return detail::linearizer<Operation, Precedes, State>(history, precedes).go_on(0, initial);
}

}  // namespace zeroipc::testing
