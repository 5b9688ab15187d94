#pragma once
/// \file
/// Looks for an order of the operations that explains every answer.
///
/// Goes through the timeline. Nothing takes effect until an operation returns that has not yet: then open operations are
/// tried, one after the other, until that one took effect. (Any order can be delayed into this form.) Two kinds of
/// moves need no choice: an operation that changes nothing takes effect as soon as its answer is right, and what the
/// model calls a free move. A state from which no choice led on is remembered.

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "dominance.hpp"
#include "timeline.hpp"

namespace zeroipc::bench::monitor {

/// A hash of 128 bits: two states that differ are not taken for one.
struct Key {
    std::uint64_t a = 0, b = 0;
    Key& operator^=(Key const& other) {
        a ^= other.a;
        b ^= other.b;
        return *this;
    }
    bool operator==(Key const&) const = default;
};
struct HashKey {
    std::size_t operator()(Key const& key) const { return key.a; }
};

/// Two hashes of a pair, independent of each other (the mixer of splitmix64: Steele, Lea, Flood 2014).
inline Key key_of(std::uint64_t kind, std::uint64_t value) {
    auto const mix = [](std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    };
    return {mix(mix(kind + 0x9e3779b97f4a7c15U) + value), mix(mix(kind ^ 0xd1b54a32d192ed03U) - value)};
}

/// Put to an operation among the choices: the other way in which the model lets it take effect.
inline constexpr std::uint32_t other_way = 1U << 30;

/// The operations that are open and took no effect yet.
class OpenSet {
public:
    explicit OpenSet(std::size_t operations) : place_(operations, none) {}
    void insert(std::uint32_t operation) {
        place_[operation] = static_cast<std::uint32_t>(all_.size());
        all_.push_back(operation);
    }
    void erase(std::uint32_t operation) {
        auto const at = place_[operation];
        all_[at] = all_.back();
        place_[all_[at]] = at;
        all_.pop_back();
        place_[operation] = none;
    }
    [[nodiscard]] bool contains(std::uint32_t operation) const { return place_[operation] != none; }
    [[nodiscard]] std::vector<std::uint32_t> const& all() const { return all_; }

private:
    std::vector<std::uint32_t> all_;
    std::vector<std::uint32_t> place_;
};

enum class Found : std::uint8_t { order, no_order, gave_up };

/// \tparam Model the object: `changes(op)` says whether an operation changes it; `fits(op)` whether its answer is right
/// now; apply(op, moment) and undo(op), also of what does not change it; key() of its state; free_move(changing, looking, moment) an operation
/// that may take effect at once whatever follows, or none; choices(changing, looking, op, into) the operations to try now
/// that `op` has to take effect, best first; opened(op) and closed(op) tell of calls, and take them back. An operation for
/// which opened() says false is not put into the sets of open ones: the model offers it itself.
template <class Model>
class Search {
public:
    Search(Model& model, Timeline const& timeline, std::size_t operations, std::uint64_t steps)
        : model_(model),
          timeline_(timeline),
          changing_(operations),
          looking_(operations),
          done_(operations, false),
          limit_(steps) {}

    Found run() {
        for (;;) {
            if (!advance()) return Found::order;
            choose();
            for (;;) {
                if (frames_.empty()) return Found::no_order;
                auto& frame = frames_.back();
                undo_to(frame.mark);
                if (frame.next < choices_.size()) {
                    if (++steps_ > limit_) return Found::gave_up;
                    take_effect(choices_[frame.next++]);
                    settle();
                    break;
                }
                failed_.insert(frame.key);
                choices_.resize(frame.first);
                frames_.pop_back();
            }
        }
    }

    [[nodiscard]] std::uint64_t steps() const { return steps_; }
    /// The event that no order got past.
    [[nodiscard]] std::uint32_t furthest() const { return furthest_; }

private:
    enum class Move : std::uint8_t { opened, closed, took_effect };
    struct Entry {
        std::uint32_t operation;
        Move move;
        bool was_open;
    };
    struct Frame {
        Key key;
        std::size_t mark, first, next;
    };

    /// Goes on to the next return of what took no effect yet. \return false at the end.
    bool advance() {
        for (; at_ < timeline_.size(); ++at_) {
            auto const operation = timeline_[at_].operation();
            if (!timeline_[at_].is_return()) {
                bool const listed = model_.opened(operation);
                if (listed) (model_.changes(operation) ? changing_ : looking_).insert(operation);
                log_.push_back({operation, Move::opened, listed});
                settle();
            } else if (done_[operation]) {
                effects_ ^= key_of(1, operation);
                log_.push_back({operation, Move::closed, false});
            } else {
                if (at_ > furthest_) furthest_ = at_;
                return true;
            }
        }
        furthest_ = at_;
        return false;
    }

    void choose() {
        Key key = model_.key();
        key ^= effects_;
        key ^= key_of(2, at_);
        Frame const frame{key, log_.size(), choices_.size(), choices_.size()};
        if (failed_.empty() || !failed_.contains(key))
            model_.choices(changing_, looking_, timeline_[at_].operation(), choices_);
        frames_.push_back(frame);
    }

    void take_effect(std::uint32_t choice) {
        auto const operation = choice & ~other_way;
        auto& set = model_.changes(operation) ? changing_ : looking_;
        bool const listed = set.contains(operation);
        if (listed) set.erase(operation);
        model_.apply(choice, at_);
        done_[operation] = true;
        effects_ ^= key_of(1, operation);
        log_.push_back({operation, Move::took_effect, listed});
    }

    /// Makes the moves that need no choice.
    void settle() {
        for (;;) {
            for (std::size_t i = looking_.all().size(); i-- > 0;)
                if (model_.fits(looking_.all()[i])) take_effect(looking_.all()[i]);
            auto const move = model_.free_move(changing_, looking_, at_);
            if (move == none) return;
            take_effect(move);
        }
    }

    void undo_to(std::size_t mark) {
        while (log_.size() > mark) {
            auto const [operation, move, listed] = log_.back();
            log_.pop_back();
            auto& set = model_.changes(operation) ? changing_ : looking_;
            switch (move) {
                case Move::opened:
                    if (listed) set.erase(operation);
                    model_.closed(operation);
                    at_ = timeline_.call(operation);
                    break;
                case Move::closed:
                    effects_ ^= key_of(1, operation);
                    at_ = timeline_.ret(operation);
                    break;
                case Move::took_effect:
                    model_.undo(operation);
                    if (listed) set.insert(operation);
                    done_[operation] = false;
                    effects_ ^= key_of(1, operation);
            }
        }
    }

    Model& model_;
    Timeline const& timeline_;
    OpenSet changing_, looking_;
    std::vector<bool> done_;
    std::uint64_t limit_;
    std::uint64_t steps_ = 0;
    std::uint32_t at_ = 0;
    std::uint32_t furthest_ = 0;
    Key effects_;  ///< of those that took effect and have not returned
    std::vector<Entry> log_;
    std::vector<Frame> frames_;
    std::vector<std::uint32_t> choices_;
    std::unordered_set<Key, HashKey> failed_;
};

}  // namespace zeroipc::bench::monitor
