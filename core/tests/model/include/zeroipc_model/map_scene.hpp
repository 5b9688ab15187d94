#pragma once
/// \file
/// Maps as scenarios, on colliding keys.

#include <zeroipc/map.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "atomics.hpp"
#include "container_scene.hpp"
#include "history.hpp"
#include "scenes.hpp"

namespace zeroipc::model {

enum class verb : unsigned {
    insert,
    assign,
    exchange,
    erase,
    find,
    size,
    walk,
    insert_waking,  ///< and wakes who sleeps for a key
    find_sleeping,  ///< waits in a futex until the key is there
};
inline bool is_insert(verb what) noexcept { return what == verb::insert || what == verb::insert_waking; }
inline bool is_find(verb what) noexcept { return what == verb::find || what == verb::find_sleeping; }

/// One operation of a thread. Values are made unique; `exchange` asks for the value that the scene began with.
struct deed {
    verb what;
    std::uint64_t key;
};

struct map_part {
    std::vector<deed> program;
    std::vector<unsigned> buries{};  ///< as in `part`
};

/// A map of 64-bit keys and values, as an object with a history.
struct map_state {
    std::map<std::uint64_t, std::uint64_t> items{};
    std::uint64_t most = 0;  ///< keys; 0: it is never full

    bool apply(operation const& one) {
        auto const at = items.find(one.key);
        bool const there = at != items.end();
        bool const any = one.pending;
        switch (static_cast<verb>(one.what)) {
            case verb::insert:
            case verb::insert_waking:
                if (is_full(one)) return !there && items.size() == most;
                if (!any && one.done == there) return false;
                if (!there) items[one.key] = one.value;
                return true;
            case verb::assign:
                items[one.key] = one.value;
                return true;
            case verb::exchange: {
                bool const same = there && at->second == one.expected;
                if (!any && one.done != same) return false;
                if (same) at->second = one.value;
                return true;
            }
            case verb::erase:
                if (!any && one.done != there) return false;
                if (there) items.erase(at);
                return true;
            case verb::find:
            case verb::find_sleeping:
                return any || (one.done == there && (!there || at->second == one.value));
            case verb::size:
                return true;
            case verb::walk: {
                std::uint64_t all = 0;
                for (auto const& [key, value] : items) all += print_of(key, value);
                return any || one.value == all;
            }
        }
        return false;
    }
    /// What was not put in for want of room has no value.
    static bool is_full(operation const& one) noexcept { return !one.pending && !one.done && one.value == 0; }
    /// Of the content of a whole map, the sum.
    static std::uint64_t print_of(std::uint64_t key, std::uint64_t value) noexcept {
        return (key + 1) * 0x9e3779b97f4a7c15U ^ value * 0xff51afd7ed558ccdU;
    }
    bool operator<(map_state const& other) const { return items < other.items; }
};

template <class Policies>
using table_on_model = typename Policies::algorithm::template table<on_model<Policies>, 8, 8>;
template <class Policies>
using table_scene =
    handle_scene<table_on_model<Policies>, decltype(table_on_model<Policies>::geometry(1, 1, 0)), map_part>;

/// \tparam Policies of a map.
template <class Policies>
class map_scene : public table_scene<Policies> {
    using above = table_scene<Policies>;
    using Table = table_on_model<Policies>;
    using layout = typename Policies::layout;
    using above::geometry_;
    using above::history_;
    using above::spare;

public:
    struct shape {
        std::uint64_t capacity = 1;  ///< 1: a single bucket
        std::vector<std::uint64_t>
            keys{};  ///< that are in from the start; they may be more than the capacity
        bool kill_safe = true;
        std::uint64_t most = 0;  ///< keys that it takes at all; 0: the scene does not come so far
    };

    map_scene(shape const& s, std::vector<map_part> parts)
        : above(std::move(parts), [&](std::uint32_t slots) { return Table::geometry(s.capacity, slots, 0); }),
          shape_(s) {}

    using above::base;
    using above::threads;

    void prepare() override {
        auto& filler = this->begin_anew();
        initial_.items.clear();
        initial_.most = shape_.most;
        for (auto const key : shape_.keys) {
            if (put(filler, key, first_value + key, false) != outcome::inserted)
                throw std::logic_error("the scene does not fit");
            initial_.items[key] = first_value + key;
        }
        this->open_handles();
    }

    void run(unsigned t) override {
        auto& machine = *explorer::active();
        // The kernel says which slots have no living owner.
        auto const is_dead = [&](std::uint32_t slot) {
            if (slot >= threads()) return true;
            for (unsigned u = 0; u < threads(); ++u)
                if (this->slots_of(u).back() == slot && !machine.is_gone(u)) return false;
            return true;
        };
        if (!this->gets_handle(machine, t, [&](unsigned slot) { return recover(slot, is_dead); })) return;
        std::uint64_t n = 0;
        for (auto const& one : this->parts_[t].program)
            perform(machine, *this->handles_[t], one, (t + 1) * 0x100U + ++n);
    }

    std::string check() override {
        auto& machine = *explorer::active();
        if (shape_.kill_safe) {
            // Who has ended closed its handle; only a dead one's slot may still name what it had begun.
            auto wrong = this->bury_all(
                machine, [&](unsigned slot) { return recover(slot, [](std::uint32_t) { return true; }); });
            if (wrong.empty()) wrong = census(!this->somebody_died(machine));
            if (!wrong.empty()) return wrong;
        }
        for (std::uint64_t key = 0; key < most_keys; ++key) {
            std::uint64_t value = 0;
            auto const number = history_.begin(static_cast<unsigned>(verb::find), key, 0);
            bool const there = spare().find({key}, &value);
            history_.end(number, there, value);
        }
        if (!history_.is_linearizable(initial_, machine.was_strong())) return "not linearizable:" + told();
        return takes_as_many();
    }

    [[nodiscard]] std::string name_of(std::size_t offset) const override {
        if (offset == layout::items_wait_offset) return "keys_wait";
        if constexpr (requires { geometry_.blocks; }) {
            auto const text = [](std::uint64_t n) { return std::to_string(n); };
            if (offset >= geometry_.blocks) {
                auto const at = offset - geometry_.blocks;
                auto const stride = Table::item_stride * 6;
                return "block[" + text(at / stride) + "].slot[" + text(at % stride / Table::item_stride) +
                       "]+" + text(at % Table::item_stride);
            }
            if (offset >= geometry_.buckets) {
                auto const at = (offset - geometry_.buckets) % Table::cell_stride;
                auto const bucket =
                    "bucket[" + text((offset - geometry_.buckets) / Table::cell_stride) + "].";
                if (at == 0) return bucket + "header";
                if (at < 16) return bucket + "link[" + text((at - 8) / 4) + "]";
                return bucket + "slot[" + text((at - 16) / Table::item_stride) + "]+" +
                       text((at - 16) % Table::item_stride);
            }
            if (offset >= geometry_.owners) return "owner[" + text((offset - geometry_.owners) / 4) + "]";
            if (offset >= geometry_.slots)
                return "slot[" + text((offset - geometry_.slots) / layout::line) + "]." +
                       ((offset - geometry_.slots) % layout::line == 0 ? "reserved" : "block");
        }
        return scenario::name_of(offset);
    }

private:
    static constexpr std::uint64_t first_value = 0xf00;
    static constexpr std::uint64_t most_keys = 24;
    static constexpr char const* names[] = {"insert ", "assign ", "exchange ", "erase ", "find ",
                                            "size ",   "walk ",   "insert ",   "find "};

    template <class IsDead>
    bool recover(unsigned slot, IsDead const& is_dead) {
        if constexpr (requires { Table::recover(base(), geometry_, slot, is_dead); })
            return Table::recover(base(), geometry_, slot, is_dead);
        return true;
    }

    static outcome put(Table& mine, std::uint64_t key, std::uint64_t value, bool assign) {
        return mine.template write<false>({key}, [&](std::byte const* old, std::byte* desired) {
            if (old != nullptr && !assign) return outcome::present;
            std::memcpy(desired, &value, 8);
            return old != nullptr ? outcome::assigned : outcome::inserted;
        });
    }
    static outcome exchange(Table& mine, std::uint64_t key, std::uint64_t expected, std::uint64_t value) {
        return mine.template write<true>({key}, [&](std::byte const* old, std::byte* desired) {
            if (old == nullptr) return outcome::absent;
            if (std::memcmp(old, &expected, 8) != 0) return outcome::different;
            std::memcpy(desired, &value, 8);
            return outcome::assigned;
        });
    }

    void perform(explorer& machine, Table& mine, deed const& one, std::uint64_t value) {
        auto const writes = is_insert(one.what) || one.what == verb::assign || one.what == verb::exchange;
        auto const expected = one.what == verb::exchange ? first_value + one.key : 0;
        auto const number =
            history_.begin(static_cast<unsigned>(one.what), one.key, writes ? value : 0, expected);
        machine.begin_operation(machine.tracing()
                                    ? names[static_cast<unsigned>(one.what)] + std::to_string(one.key)
                                    : std::string());
        bool done = false;
        outcome how = outcome::absent;
        switch (one.what) {
            case verb::insert:
            case verb::assign:
            case verb::insert_waking:
                how = put(mine, one.key, value, one.what == verb::assign);
                done = how == outcome::inserted || how == outcome::assigned;
                if (done && one.what == verb::insert_waking)
                    this->template wake<true>(layout::items_wait_offset);
                break;
            case verb::exchange:
                how = exchange(mine, one.key, expected, value);
                done = how == outcome::assigned;
                break;
            case verb::erase:
                done = mine.erase({one.key});
                break;
            case verb::find:
                value = 0;
                done = mine.find({one.key}, &value);
                break;
            case verb::find_sleeping:
                value = 0;
                done = this->sleep(layout::items_wait_offset, [&] { return mine.find({one.key}, &value); });
                break;
            case verb::size:
                (void)mine.was_size();
                break;
            case verb::walk:
                value = 0;
                if constexpr (requires {
                                  mine.copy_bucket(
                                      0, [] {}, [](std::byte*, std::byte*) {});
                              })
                    mine.copy_bucket(
                        0, [&] { value = 0; },
                        [&](std::byte const* k, std::byte const* v) {
                            std::uint64_t key = 0;
                            std::uint64_t mapped = 0;
                            std::memcpy(&key, k, 8);
                            std::memcpy(&mapped, v, 8);
                            value += map_state::print_of(key, mapped);
                        });
                done = true;
                break;
        }
        if (how == outcome::full) {
            if (shape_.most == 0) machine.fail("full, though there is room");
            value = 0;
        }
        history_.end(number, done, writes || is_find(one.what) || one.what == verb::walk ? value : 0);
        machine.end_operation(machine.tracing() ? (done ? "yes " + std::to_string(value) : "no")
                                                : std::string());
    }

    /// No slot is reserved, and every block has one owner: the pool, or the one bucket that links it.
    /// \param none_empty whether a linked block must hold a key.
    std::string census(bool none_empty) {
        if constexpr (requires { Table::visit_blocks(base(), geometry_, [](std::uint32_t) {}); }) {
            std::vector<std::uint32_t> owners;
            auto const unsettled =
                Table::visit_blocks(base(), geometry_, [&](std::uint32_t owner) { owners.push_back(owner); });
            if (unsettled != 0)
                return std::to_string(unsettled) + " slots are reserved or closing, and nobody is at it";
            std::vector<unsigned> links(owners.size(), 0);
            for (std::uint64_t b = 0; b < geometry_.bucket_count; ++b)
                for (unsigned k = 0; k < 2; ++k) {
                    std::uint32_t link = 0;
                    std::memcpy(&link, base() + geometry_.buckets + Table::cell_stride * b + 8 + 4 * k, 4);
                    if (link == 0) continue;
                    if (link > owners.size())
                        return "a link says that somebody takes a block out, and nobody does";
                    ++links[link - 1];
                    zeroipc::detail::bucket_header now;
                    std::memcpy(&now.value, base() + geometry_.buckets + Table::cell_stride * b, 8);
                    auto const mask = zeroipc::detail::bucket_header::block_mask(k);
                    if (none_empty && (now.free() & mask) == mask) return "an empty block stays in a bucket";
                }
            for (std::size_t n = 0; n < owners.size(); ++n)
                if (owners[n] > 1 || links[n] != owners[n])
                    return "block " + std::to_string(n) + " has owner " + std::to_string(owners[n]) +
                           " and " + std::to_string(links[n]) + " links";
        }
        return {};
    }

    /// As many keys as its capacity, in whichever bucket.
    std::string takes_as_many() {
        if (!shape_.kill_safe) return {};
        for (std::uint64_t key = 0; key < most_keys; ++key) spare().erase({key});
        if (spare().was_size() != 0) return "keys stay that can't be found";
        for (std::uint64_t key = 100; key < 100 + shape_.capacity; ++key)
            if (put(spare(), key, key, false) != outcome::inserted) return "afterwards it is full too early";
        for (std::uint64_t key = 100; key < 100 + shape_.capacity; ++key)
            if (!spare().erase({key})) return "afterwards a key is lost";
        return {};
    }

    [[nodiscard]] std::string told() const {
        std::string text;
        for (auto const& one : history_.all())
            text += "\n  " +
                    (one.afterwards ? std::string("at the end") : "thread " + std::to_string(one.thread)) +
                    ": " + names[one.what] + std::to_string(one.key) + " " + std::to_string(one.value) +
                    (one.pending ? " (never returned)"
                     : one.done  ? ": yes"
                                 : ": no");
        return text;
    }

    shape shape_;
    map_state initial_;
};

/// What every map is explored with: one bucket, two and three writers on one key and on colliding ones, readers beside
/// them, blocks that come and go, answers "absent" over two buckets, and deaths.
template <class Policies>
std::vector<scene_plan> map_scenes(bool kill_safe = Policies::algorithm::kill_safe) {
    std::vector<scene_plan> all;
    using keys = std::vector<std::uint64_t>;
    auto const add = [&](std::string name, keys inside, std::vector<map_part> parts, bounds how,
                         std::vector<unsigned> victims = {}, std::uint64_t capacity = 1,
                         std::uint64_t most = 0) {
        if (!victims.empty() && !kill_safe) return;
        typename map_scene<Policies>::shape const shape{capacity, std::move(inside), kill_safe, most};
        all.push_back({std::move(name),
                       [shape, parts] { return std::make_unique<map_scene<Policies>>(shape, parts); },
                       std::move(victims), how});
    };
    using enum verb;
    map_part const insert1{{{insert, 1}}};
    map_part const insert2{{{insert, 2}}};
    map_part const erase1{{{erase, 1}}};
    map_part const find1{{{find, 1}}};
    map_part const assign1{{{assign, 1}}};
    add("two insert one key", {}, {insert1, insert1}, {5, 3});
    add("two insert, one finds", {}, {insert1, insert1, find1}, {2, 1});
    add("insert and erase", {1}, {{{{erase, 1}, {insert, 1}}}, {{{find, 1}, {find, 1}}}}, {4, 2});
    add("one erases and inserts, two find", {1}, {{{{erase, 1}, {insert, 1}}}, find1, find1}, {2, 1});
    add("two assign, one finds", {1}, {assign1, assign1, find1}, {2, 1});
    add("exchange once", {1}, {{{{exchange, 1}}}, {{{exchange, 1}}}}, {4, 2});
    add("exchange against erase and insert", {1}, {{{{exchange, 1}}}, {{{erase, 1}, {insert, 1}}}}, {3, 2});
    add("a slot of one key becomes another's", {1}, {{{{erase, 1}, {insert, 2}}}, {{{find, 1}, {find, 2}}}},
        {4, 2});
    add("colliding keys, two erase", {1, 2}, {{{{erase, 1}, {insert, 3}}}, {{{erase, 2}, {erase, 1}}}},
        {2, 1});
    add("walked over", {1, 2}, {{{{erase, 1}, {insert, 3}}}, {{{walk, 0}}}}, {3, 2});
    add("2+2", {1}, {assign1, {{{erase, 1}}}, find1, insert2}, {1, 1});
    add("absent over two buckets", {}, {{{{insert, 1}, {find, 2}}}, {{{insert, 2}, {find, 1}}}}, {5, 3}, {},
        8);
    add("a block comes", {1, 2, 3}, {{{{insert, 4}}}, {{{insert, 5}}}}, {2, 1});
    add("a block comes, found", {1, 2, 3}, {{{{insert, 4}}}, {{{find, 4}, {find, 3}}}}, {3, 2});
    add("a block goes", {1, 2, 3, 4}, {{{{erase, 4}}}, {{{insert, 5}}}}, {2, 1});
    add("a block goes, found", {1, 2, 3, 4}, {{{{erase, 4}}}, {{{find, 4}, {find, 1}}}}, {3, 2});
    add("a block comes and goes", {1, 2, 3}, {{{{insert, 4}, {erase, 4}}}, {{{insert, 5}, {erase, 5}}}},
        {1, 1});
    map_part const waker1{{{insert_waking, 1}}};
    map_part const sleeper1{{{find_sleeping, 1}}};
    if (Policies::algorithm::can_sleep) {
        add("one sleeps", {}, {waker1, sleeper1}, {4, 3});
        add("one sleeps, another key comes first", {}, {{{{insert_waking, 2}, {insert_waking, 1}}}, sleeper1},
            {3, 1});
        add("two sleep", {}, {waker1, {{{insert_waking, 2}}}, sleeper1, {{{find_sleeping, 2}}}}, {1, 0});
    }
    if constexpr (requires { table_on_model<Policies>::geometry(1, 1, 0).block_count; }) {
        // One bucket, with all of its blocks.
        keys all_slots;
        for (std::uint64_t key = 1; key <= zeroipc::detail::bucket_header::slots; ++key)
            all_slots.push_back(key);
        add("full", all_slots, {{{{insert, 16}}}, {{{erase, 1}}}}, {4, 2}, {}, 1, all_slots.size());
        all_slots.pop_back();
        add("full, two insert", all_slots, {{{{insert, 16}}}, {{{insert, 17}}}}, {2, 1}, {}, 1,
            all_slots.size() + 1);
    }
    // Deaths.
    map_part const heir{{{find, 1}, {assign, 1}, {erase, 1}}, {0}};
    if (Policies::algorithm::can_sleep) {
        bounds slow{1, 0};
        slow.timeouts = true;
        add("a waker dies", {}, {waker1, waker1, sleeper1}, slow, {0});
    }
    add("an inserter dies", {}, {insert1, insert1, heir}, {2, 0}, {0});
    add("who assigns dies", {1}, {assign1, {{{find, 1}, {erase, 1}}}, heir}, {1, 1}, {0});
    add("who erases dies", {1}, {erase1, {{{insert, 1}}}, heir}, {2, 1}, {0});
    add("who brings a block dies", {1, 2, 3}, {{{{insert, 4}}}, {{{insert, 5}}}, {{{erase, 4}}, {0}}}, {1, 0},
        {0});
    add("who takes a block out dies", {1, 2, 3, 4}, {{{{erase, 4}}}, {{{insert, 5}}}, {{{insert, 4}}, {0}}},
        {1, 0}, {0});
    add("a dead one's block goes, seen late", {1, 2, 3, 4}, {{{{erase, 4}}}, {{{insert, 5}}}, {{}, {0}}},
        {0, 2}, {0});
    add("two die", {1}, {assign1, insert2, {{{find, 1}}}, {{{assign, 1}, {insert, 2}}, {0, 1}}}, {1, 0},
        {0, 1});
    add("recovery dies", {1, 2, 3, 4}, {{{{erase, 4}}}, {{{find, 1}}, {0}}, {{{insert, 4}}, {1}}}, {1, 0},
        {0, 1});
    return all;
}

}  // namespace zeroipc::model
