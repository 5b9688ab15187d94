#include <algorithm>
#include <string>

#include "map.hpp"
#include "report.hpp"
#include "search.hpp"

namespace zeroipc::bench::monitor {

namespace {

/// One key as the search's object. Operations are numbered by their place among the key's.
class RegisterModel {
public:
    RegisterModel(History const& history, std::vector<std::uint32_t> const& operations)
        : history_(history), operations_(operations) {}

    [[nodiscard]] bool changes(std::uint32_t i) const {
        auto const& op = at(i);
        return op.answer == Answer::pending || op.answer == Answer::inserted ||
               op.answer == Answer::assigned || (op.action == Action::erase && op.answer == Answer::done);
    }

    /// Whether an operation can take effect now. One of a killed worker that would change nothing need not.
    [[nodiscard]] bool fits(std::uint32_t i) const {
        auto const& op = at(i);
        if (op.answer == Answer::pending) {
            switch (op.action) {
                case Action::insert:
                    return !present_;
                case Action::erase:
                    return present_;
                case Action::exchange:
                    return present_ && value_ == op.other;
                default:
                    return op.action == Action::assign;
            }
        }
        if (saw_absent(op)) return !present_;
        auto const seen = value_seen(op);
        return present_ && (!seen || *seen == value_);
    }

    static bool opened(std::uint32_t /*op*/) { return true; }
    static void closed(std::uint32_t /*op*/) {}

    void apply(std::uint32_t i, std::uint32_t /*moment*/) {
        before_.push_back({value_, present_});
        if (!changes(i)) return;
        present_ = at(i).action != Action::erase;
        value_ = present_ ? at(i).value : 0;
    }
    void undo(std::uint32_t /*op*/) {
        value_ = before_.back().value;
        present_ = before_.back().present;
        before_.pop_back();
    }
    [[nodiscard]] Key key() const { return key_of(present_ ? 4 : 3, value_); }

    static std::uint32_t free_move(OpenSet const& /*changing*/, OpenSet const& /*looking*/,
                                   std::uint32_t /*moment*/) {
        return none;
    }

    /// Itself; then who wrote the value that it saw; then the others; last those that may never have taken effect.
    void choices(OpenSet const& changing, OpenSet const& /*looking*/, std::uint32_t i,
                 std::vector<std::uint32_t>& into) const {
        auto const first = into.size();
        auto const seen = value_seen(at(i));
        for (auto const other : changing.all())
            if (fits(other)) into.push_back(other);
        auto const rank = [&](std::uint32_t other) {
            auto const& op = at(other);
            if (other == i) return 0;
            if (seen && op.action != Action::erase && op.value == *seen) return 1;
            return op.answer == Answer::pending ? 3 : 2;
        };
        std::sort(
            into.begin() + static_cast<std::ptrdiff_t>(first), into.end(),
            [&](std::uint32_t a, std::uint32_t b) { return rank(a) != rank(b) ? rank(a) < rank(b) : a < b; });
    }

private:
    struct State {
        std::uint64_t value;
        bool present;
    };
    [[nodiscard]] Operation const& at(std::uint32_t i) const { return history_.operations[operations_[i]]; }

    History const& history_;
    std::vector<std::uint32_t> const& operations_;
    std::uint64_t value_ = 0;
    bool present_ = false;
    std::vector<State> before_;
};

}  // namespace

bool order_key(History const& history, std::vector<std::uint32_t> const& operations, std::uint64_t limit,
               Judgement& judgement) {
    Timeline timeline(operations.size());
    for (std::uint32_t i = 0; i < operations.size(); ++i) {
        auto const& op = history.operations[operations[i]];
        bool const looks = op.answer == Answer::pending && op.action == Action::find;
        if (!looks) timeline.add(i, op.call, op.ret);
    }
    timeline.sort();
    RegisterModel model(history, operations);
    Search<RegisterModel> search(model, timeline, operations.size(), limit);
    auto const found = search.run();
    return report(
        history, timeline, search, found, [&](std::uint32_t i) { return operations[i]; }, judgement);
}

}  // namespace zeroipc::bench::monitor
