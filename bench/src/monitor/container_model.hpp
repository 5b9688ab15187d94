#pragma once
/// \file
/// A bounded queue or stack as the search's object.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "container.hpp"
#include "search.hpp"

namespace zeroipc::bench::monitor {

/// Knows each item's future: a push that would put an item where its pop cannot come in time is not tried. What killed
/// workers may have done is done only where an answer needs it; such operations of one kind are all alike.
template <bool LastInFirstOut>
class ContainerModel {
public:
    ContainerModel(Container const& container, Timeline const& timeline);

    [[nodiscard]] bool changes(std::uint32_t op) const { return kind_[op] <= Kind::take; }
    [[nodiscard]] bool fits(std::uint32_t op) const {
        return kind_[op] == Kind::empty ? size() == 0 : is_full();
    }
    bool opened(std::uint32_t op);
    void closed(std::uint32_t op);
    void apply(std::uint32_t choice, std::uint32_t moment);
    void undo(std::uint32_t op);
    [[nodiscard]] Key key() const { return key_; }

    /// A pop of the next item harms nothing that follows, unless an answer "full" can still need the item.
    [[nodiscard]] std::uint32_t free_move(OpenSet const& changing, OpenSet const& looking,
                                          std::uint32_t moment) const;
    void choices(OpenSet const& changing, OpenSet const& looking, std::uint32_t op,
                 std::vector<std::uint32_t>& into);

private:
    enum class Kind : std::uint8_t { push, pop, maybe_push, take, empty, full };
    static constexpr std::uint32_t last = ~std::uint32_t{0};

    struct Future {
        std::uint32_t push_from, push_by, pop_from, pop_by;  ///< events; `last`: never
        std::uint32_t pop;                                   ///< or none
        bool inside;
    };
    struct Place {
        std::uint32_t item;
        std::uint32_t moment;           ///< at which an item took this place
        std::uint32_t earliest_pop_by;  ///< of this item and all below it (stack)
    };
    struct Taken {
        std::uint32_t item, moment;
        std::size_t place;
    };
    struct Choice {
        int rank;
        std::uint32_t order;
        std::uint32_t op;
    };

    [[nodiscard]] std::size_t size() const { return places_.size() - head_; }
    [[nodiscard]] bool is_full() const { return size() >= capacity_; }
    [[nodiscard]] std::uint32_t next_item() const {
        return LastInFirstOut ? places_.back().item : places_[head_].item;
    }
    [[nodiscard]] bool lost(std::uint32_t item) const { return futures_[item].pop == none; }
    /// The operation that can take the next item out now, or none.
    [[nodiscard]] std::uint32_t next_pop(OpenSet const& changing) const;
    /// Whether nothing forbids that an item goes in now.
    [[nodiscard]] bool may_go_in(std::uint32_t item, OpenSet const& changing);
    /// Stack: the lowest place at which a killed push can have put its item, had it taken effect earlier: since then there
    /// was always room for one more. The top if there is none.
    [[nodiscard]] std::size_t lowest_place_for(std::uint32_t item) const;
    /// Stack: the highest place, below the top, of a lost item that a killed pop can have taken earlier: before the next
    /// item came upon it, and no "full" was answered since. size() if there is none.
    [[nodiscard]] std::size_t place_to_take_from() const;
    void insert_at(std::size_t place, std::uint32_t item, std::uint32_t moment);
    void erase_at(std::size_t place);
    void renew_from(std::size_t place);
    void take_front(std::uint32_t item);
    void put_back_front(std::uint32_t item);
    void toggle_keys_from(std::size_t place) {
        for (auto i = place; i < places_.size(); ++i) key_ ^= place_key(i, places_[i].item);
    }
    [[nodiscard]] bool can_be_emptied(OpenSet const& changing) const;

    void append(std::uint32_t item, std::uint32_t moment);
    void put(std::size_t place, std::uint32_t item);
    /// Whether an item could just as well stand first (queue): the moments at which items went in stay as they are, and
    /// each item may have gone in at the moment of the place that it gets. Says in moved_ who then stands behind it.
    [[nodiscard]] bool bring_forward(std::uint32_t item);
    [[nodiscard]] Key place_key(std::size_t place, std::uint32_t item) const {
        return key_of(16 + place, lost(item) ? never : item);
    }

    Timeline const& timeline_;
    std::uint64_t capacity_;
    std::vector<Kind> kind_;
    std::vector<std::uint32_t> item_;  ///< of each operation
    std::vector<Future> futures_;
    std::vector<Place> places_;
    std::size_t head_ = 0;
    Key key_;
    std::vector<std::uint32_t> maybe_in_, takers_;  ///< those called so far
    std::size_t maybe_in_used_ = 0, takers_used_ = 0;
    std::vector<Taken> taken_;                   ///< by takers
    std::vector<std::size_t> put_;               ///< places of what killed pushes put in (stack)
    std::vector<std::uint32_t> popped_moments_;  ///< when what pops took had come (stack)
    std::vector<std::uint32_t> at_capacity_;     ///< moments at which it was full (stack)
    std::vector<std::uint32_t> said_full_;       ///< moments of answers "full"
    std::vector<std::uint32_t> place_of_;        ///< of each item inside
    std::vector<std::uint32_t> moved_;
    std::vector<std::uint32_t> before_;   ///< items at their places before each pop that changed the order
    std::vector<std::size_t> distances_;  ///< how far from the front each pop took its item
    std::vector<std::uint32_t> by_pop_, rank_by_pop_;
    std::size_t first_outside_ = 0;  ///< in by_pop_: those before have all gone in
    std::vector<std::uint32_t> next_full_;
    std::vector<Choice> ranked_;
};

template <bool L>
ContainerModel<L>::ContainerModel(Container const& c, Timeline const& timeline)
    : timeline_(timeline),
      capacity_(c.history.capacity),
      kind_(c.item_of.size(), Kind::push),
      item_(c.item_of) {
    auto const taken_from = c.maybe_out.empty() ? last : timeline.call(c.maybe_out.front());
    for (auto const& item : c.items) {
        if (item.popped()) kind_[item.pop] = Kind::pop;
        auto const pop_from = item.popped()        ? timeline.call(item.pop)
                              : item.taker != none ? timeline.call(c.maybe_out[item.taker])
                                                   : last;
        futures_.push_back({timeline.call(item.push), timeline.ret(item.push), pop_from,
                            item.popped() ? timeline.ret(item.pop) : last, item.pop, false});
    }
    for (auto const op : c.maybe_in) {
        kind_[op] = Kind::maybe_push;
        item_[op] = static_cast<std::uint32_t>(futures_.size());
        futures_.push_back({timeline.call(op), last, taken_from, last, none, false});
    }
    for (auto const op : c.maybe_out) kind_[op] = Kind::take;
    for (auto const op : c.empties) kind_[op] = Kind::empty;
    for (auto const op : c.fulls) kind_[op] = Kind::full;
    place_of_.assign(futures_.size(), none);
    next_full_.assign(timeline.size() + 1, last);
    for (auto const op : c.fulls) next_full_[timeline.call(op)] = timeline.call(op);
    for (std::size_t i = timeline.size(); i-- > 0;)
        next_full_[i] = std::min(next_full_[i], next_full_[i + 1]);
    if constexpr (!L) {
        rank_by_pop_.assign(futures_.size(), last);
        for (std::uint32_t i = 0; i < futures_.size(); ++i)
            if (!lost(i)) by_pop_.push_back(i);
        std::sort(by_pop_.begin(), by_pop_.end(),
                  [&](auto a, auto b) { return futures_[a].pop_by < futures_[b].pop_by; });
        for (std::uint32_t i = 0; i < by_pop_.size(); ++i) rank_by_pop_[by_pop_[i]] = i;
    }
}

template <bool L>
bool ContainerModel<L>::opened(std::uint32_t op) {
    if (kind_[op] == Kind::maybe_push) maybe_in_.push_back(op);
    if (kind_[op] == Kind::take) takers_.push_back(op);
    return kind_[op] != Kind::maybe_push && kind_[op] != Kind::take;
}

template <bool L>
void ContainerModel<L>::closed(std::uint32_t op) {
    if (kind_[op] == Kind::maybe_push) maybe_in_.pop_back();
    if (kind_[op] == Kind::take) takers_.pop_back();
}

template <bool L>
std::uint32_t ContainerModel<L>::next_pop(OpenSet const& changing) const {
    if (size() == 0) return none;
    auto const item = next_item();
    if (lost(item)) return takers_used_ < takers_.size() ? takers_[takers_used_] : none;
    return changing.contains(futures_[item].pop) ? futures_[item].pop : none;
}

template <bool L>
std::uint32_t ContainerModel<L>::free_move(OpenSet const& changing, OpenSet const& looking,
                                           std::uint32_t moment) const {
    auto const pop = next_pop(changing);
    if (pop == none || kind_[pop] != Kind::pop || next_full_[moment] < futures_[item_[pop]].pop_by)
        return none;
    for (auto const op : looking.all())
        if (kind_[op] == Kind::full) return none;
    return pop;
}

template <bool L>
bool ContainerModel<L>::may_go_in(std::uint32_t item, OpenSet const& changing) {
    if (is_full()) return false;
    auto const& mine = futures_[item];
    if constexpr (L) {
        // What lies below is to come out later.
        if (size() > 0 && places_.back().earliest_pop_by < mine.pop_from) return false;
        // What goes in before this one comes out, and comes out after it, lies below.
        for (auto const op : changing.all()) {
            if (kind_[op] != Kind::push || item_[op] == item) continue;
            auto const& other = futures_[item_[op]];
            if (other.push_by < mine.pop_from && mine.pop_by < other.pop_from) return false;
        }
        return true;
    } else {
        // What comes out earlier went in earlier.
        while (first_outside_ < by_pop_.size() && futures_[by_pop_[first_outside_]].inside) ++first_outside_;
        auto i = first_outside_;
        while (i < by_pop_.size() && (by_pop_[i] == item || futures_[by_pop_[i]].inside)) ++i;
        return i == by_pop_.size() || futures_[by_pop_[i]].pop_by >= mine.pop_from;
    }
}

template <bool L>
bool ContainerModel<L>::can_be_emptied(OpenSet const& changing) const {
    auto takers = takers_.size() - takers_used_;
    if (size() == 0 || size() > changing.all().size() + takers) return false;
    for (auto i = head_; i < places_.size(); ++i) {
        auto const item = places_[i].item;
        if (lost(item) ? takers-- == 0 : !changing.contains(futures_[item].pop)) return false;
    }
    return true;
}

template <bool L>
void ContainerModel<L>::choices(OpenSet const& changing, OpenSet const& looking, std::uint32_t op,
                                std::vector<std::uint32_t>& into) {
    auto const kind = kind_[op];
    bool empty_wanted = false;
    bool full_wanted = false;
    for (auto const other : looking.all()) (kind_[other] == Kind::empty ? empty_wanted : full_wanted) = true;
    // What killed workers may have put in is left for the last moment: it would stay.
    std::uint64_t pushes = kind == Kind::full ? maybe_in_.size() - maybe_in_used_ : 0;
    for (auto const other : changing.all()) pushes += kind_[other] == Kind::push ? 1U : 0U;
    // An answer that is still owed gets its state first, if it is within reach.
    bool const fill = full_wanted && kind != Kind::push && !is_full() && capacity_ - size() <= pushes;
    bool const drain = empty_wanted && kind == Kind::push && can_be_emptied(changing);
    bool const blocked = kind == Kind::push && !may_go_in(item_[op], changing);
    // Items that may come out in either order go in at the same moment: then their order can still change.
    bool const bounded =
        !L && kind == Kind::push && !empty_wanted && capacity_ != never && size() + 2 <= capacity_;
    bool const pop_first = kind == Kind::pop || kind == Kind::empty || (blocked && (is_full() || L));

    ranked_.clear();
    auto const rank_of_pop = [&](std::uint32_t pop) {
        return drain ? -1 : pop == op ? 0 : pop_first ? 1 : 4;
    };
    if (auto const pop = next_pop(changing); pop != none && kind_[pop] == Kind::take)
        ranked_.push_back({rank_of_pop(pop), 0, pop});
    for (auto const other : changing.all()) {
        if (kind_[other] == Kind::pop) {
            if (futures_[item_[other]].inside &&
                (L ? next_item() == item_[other] : bring_forward(item_[other])))
                ranked_.push_back({rank_of_pop(other), futures_[item_[other]].pop_by, other});
            continue;
        }
        if (kind_[other] != Kind::push || !may_go_in(item_[other], changing)) continue;
        bool const wanted = other == op || (kind == Kind::pop && item_[other] == item_[op]);
        auto const by = futures_[item_[other]].pop_by;
        bool const together = bounded && futures_[item_[other]].pop_from < futures_[item_[op]].pop_by;
        ranked_.push_back({fill          ? -1
                           : other == op ? 0
                           : together    ? -1
                           : wanted      ? 2
                                         : 3,
                           L ? last - by : by, other});
    }
    if (L && kind == Kind::push && is_full() && place_to_take_from() != places_.size())
        ranked_.push_back({2, 0, takers_[takers_used_] | other_way});
    if (maybe_in_used_ < maybe_in_.size()) {
        auto const other = maybe_in_[maybe_in_used_];
        if (L && kind == Kind::full && lowest_place_for(item_[other]) != places_.size())
            ranked_.push_back({-1, last, other | other_way});
        if (may_go_in(item_[other], changing))
            ranked_.push_back({fill && kind == Kind::full ? -1 : 5, last, other});
    }
    std::sort(ranked_.begin(), ranked_.end(), [](Choice const& a, Choice const& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.order != b.order ? a.order < b.order : a.op < b.op;
    });
    for (auto const& choice : ranked_) into.push_back(choice.op);
}

}  // namespace zeroipc::bench::monitor
