#pragma once
/// \file
/// How operations change the model of a queue or stack, and how that is taken back.

#include "container_model.hpp"

namespace zeroipc::bench::monitor {

template <bool L>
void ContainerModel<L>::put(std::size_t place, std::uint32_t item) {
    key_ ^= place_key(place, places_[place].item);
    key_ ^= place_key(place, item);
    places_[place].item = item;
    place_of_[item] = static_cast<std::uint32_t>(place);
}

template <bool L>
void ContainerModel<L>::append(std::uint32_t item, std::uint32_t moment) {
    auto by = futures_[item].pop_by;
    if (L && size() > 0) by = std::min(by, places_.back().earliest_pop_by);
    place_of_[item] = static_cast<std::uint32_t>(places_.size());
    key_ ^= place_key(places_.size(), item);
    places_.push_back({item, moment, by});
}

template <bool L>
bool ContainerModel<L>::bring_forward(std::uint32_t item) {
    constexpr std::size_t most = 16;
    moved_.clear();
    auto const end = place_of_[item];
    if (end == head_) return true;
    if (L || end - head_ > most || futures_[item].push_from >= places_[head_].moment) return false;
    // Whoever has the latest end goes further back.
    auto carried = places_[head_].item;
    for (auto i = head_ + 1; i <= end; ++i) {
        auto const here = places_[i].item;
        if (i < end && futures_[here].push_by <= futures_[carried].push_by) {
            moved_.push_back(here);
            continue;
        }
        if (futures_[carried].push_by < places_[i].moment) return false;
        moved_.push_back(carried);
        carried = here;
    }
    return true;
}

template <bool L>
void ContainerModel<L>::apply(std::uint32_t choice, std::uint32_t moment) {
    auto const op = choice & ~other_way;
    bool const earlier = choice != op;
    if (kind_[op] == Kind::full) said_full_.push_back(moment);
    if (!changes(op)) return;
    if (kind_[op] == Kind::push) {
        append(item_[op], moment);
        futures_[item_[op]].inside = true;
        if (L && is_full()) at_capacity_.push_back(moment);
    } else if (kind_[op] == Kind::maybe_push) {
        auto const place = earlier ? lowest_place_for(item_[op]) : places_.size();
        if constexpr (L) {
            insert_at(place, item_[op], earlier ? places_[place].moment : moment);
            put_.push_back(place);
            if (earlier || is_full()) at_capacity_.push_back(moment);  // if earlier, perhaps before now
        } else {
            append(item_[op], moment);
        }
        futures_[item_[op]].inside = true;
        ++maybe_in_used_;
    } else if (kind_[op] == Kind::take) {
        auto const place = earlier ? place_to_take_from() : L ? places_.size() - 1 : head_;
        taken_.push_back({places_[place].item, places_[place].moment, place});
        ++takers_used_;
        if constexpr (L)
            erase_at(place);
        else
            take_front(places_[place].item);
    } else if constexpr (L) {
        key_ ^= place_key(places_.size() - 1, item_[op]);
        popped_moments_.push_back(places_.back().moment);
        places_.pop_back();
    } else {
        take_front(item_[op]);
    }
}

template <bool L>
void ContainerModel<L>::undo(std::uint32_t op) {
    if (kind_[op] == Kind::full) said_full_.pop_back();
    if (!changes(op)) return;
    auto const item = item_[op];
    if (kind_[op] == Kind::push) {
        if (L && is_full()) at_capacity_.pop_back();
        key_ ^= place_key(places_.size() - 1, item);
        places_.pop_back();
        futures_[item].inside = false;
        if (!L && !lost(item)) first_outside_ = std::min<std::size_t>(first_outside_, rank_by_pop_[item]);
    } else if (kind_[op] == Kind::maybe_push) {
        --maybe_in_used_;
        futures_[item].inside = false;
        if constexpr (L) {
            if (is_full() || put_.back() + 1 < places_.size()) at_capacity_.pop_back();
            erase_at(put_.back());
            put_.pop_back();
        } else {
            key_ ^= place_key(places_.size() - 1, item);
            places_.pop_back();
        }
    } else if (kind_[op] == Kind::take) {
        --takers_used_;
        if constexpr (L)
            insert_at(taken_.back().place, taken_.back().item, taken_.back().moment);
        else
            put_back_front(taken_.back().item);
        taken_.pop_back();
    } else if constexpr (L) {
        append(item, popped_moments_.back());
        popped_moments_.pop_back();
    } else {
        put_back_front(item);
    }
}

template <bool L>
void ContainerModel<L>::take_front(std::uint32_t item) {
    auto const distance = place_of_[item] - head_;
    if (distance > 0) {
        static_cast<void>(bring_forward(item));  // it was possible when it was offered
        for (std::size_t i = 0; i <= distance; ++i) before_.push_back(places_[head_ + i].item);
        for (std::size_t i = 0; i < distance; ++i) put(head_ + 1 + i, moved_[i]);
        put(head_, item);
    }
    distances_.push_back(distance);
    key_ ^= place_key(head_, item);
    ++head_;
}

template <bool L>
void ContainerModel<L>::put_back_front(std::uint32_t item) {
    --head_;
    key_ ^= place_key(head_, item);
    auto const distance = distances_.back();
    distances_.pop_back();
    if (distance == 0) return;
    auto const from = before_.size() - distance - 1;
    for (std::size_t i = 0; i <= distance; ++i) put(head_ + i, before_[from + i]);
    before_.resize(from);
}

template <bool L>
void ContainerModel<L>::insert_at(std::size_t place, std::uint32_t item, std::uint32_t moment) {
    toggle_keys_from(place);
    places_.insert(places_.begin() + static_cast<std::ptrdiff_t>(place), Place{item, moment, last});
    renew_from(place);
}

template <bool L>
void ContainerModel<L>::erase_at(std::size_t place) {
    toggle_keys_from(place);
    places_.erase(places_.begin() + static_cast<std::ptrdiff_t>(place));
    renew_from(place);
}

template <bool L>
void ContainerModel<L>::renew_from(std::size_t place) {
    toggle_keys_from(place);
    for (auto i = place; i < places_.size(); ++i) {
        auto const below = i == 0 ? last : places_[i - 1].earliest_pop_by;
        places_[i].earliest_pop_by = std::min(below, futures_[places_[i].item].pop_by);
    }
}

template <bool L>
std::size_t ContainerModel<L>::lowest_place_for(std::uint32_t item) const {
    auto since = futures_[item].push_from;
    if (!at_capacity_.empty()) since = std::max(since, at_capacity_.back());
    auto place = places_.size();
    while (place > 0 && places_[place - 1].moment > since) --place;
    // What lies below comes out when a killed pop can have taken this one.
    while (place < places_.size() && place > 0 &&
           places_[place - 1].earliest_pop_by < futures_[item].pop_from)
        ++place;
    return place;
}

template <bool L>
std::size_t ContainerModel<L>::place_to_take_from() const {
    if (takers_used_ == takers_.size()) return places_.size();
    auto const called = timeline_.call(takers_[takers_used_]);
    for (auto place = places_.size(); place-- > 1;) {
        auto const next = places_[place].moment;
        if (next <= called || (!said_full_.empty() && said_full_.back() >= next)) break;
        if (lost(places_[place - 1].item)) return place - 1;
    }
    return places_.size();
}

}  // namespace zeroipc::bench::monitor
