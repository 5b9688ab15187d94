/// \file
/// Kills. A process may die at any instruction of any operation on a map: the others go on, its operation took
/// place or did not, and the next process finds every slot and every block again.
///
/// Ways to die: before each shared step in turn, in place (zeroipc_mortal.hpp) and by SIGKILL in a forked child; and
/// by SIGKILL at random moments among live processes.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_map_kills.hpp"
#include "zeroipc_map_testing.hpp"
#include "zeroipc_mortal.hpp"
#include "zeroipc_random_kills.hpp"
#include "zeroipc_testing.hpp"
#include "zeroipc_traced.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using number = std::uint64_t;
using mortal_map = Map<number, number, mortal, backoff::none>;
using native_map = Map<number, number>;
using table = table_of<mortal_map>;
using model = std::map<number, number>;
using header = detail::bucket_header;

enum class op { insert, assign, erase, exchange };
constexpr std::array all_ops{op::insert, op::assign, op::erase, op::exchange};
constexpr std::array<char const*, 4> names{"insert", "insert_or_assign", "erase", "compare_exchange"};

/// One operation: what, on which key, with which value.
struct deed {
    op what = op::insert;
    number key = 0;
    number value = 0;

    /// \return what it makes of the contents.
    [[nodiscard]] model after(model m) const {
        auto const it = m.find(key);
        switch (what) {
            case op::insert:
                m.emplace(key, value);
                break;
            case op::assign:
                m[key] = value;
                break;
            case op::erase:
                m.erase(key);
                break;
            case op::exchange:
                if (it != m.end()) it->second += 1000;
                break;
        }
        return m;
    }
};

/// Does it on a table. \return whether it says that it changed something; nothing for "full".
template <class Table>
std::optional<bool> perform(Table& t, deed const& d) {
    typename Table::key const k{d.key};
    if (d.what == op::erase) return t.erase(k);
    auto const result = t.template write<true>(k, [&](std::byte const* old, std::byte* desired) {
        number value = d.value;
        if (d.what == op::insert && old != nullptr) return outcome::present;
        if (d.what == op::exchange) {
            if (old == nullptr) return outcome::absent;
            std::memcpy(&value, old, sizeof value);
            value += 1000;
        }
        std::memcpy(desired, &value, sizeof value);
        return old != nullptr ? outcome::assigned : outcome::inserted;
    });
    if (result == outcome::full) return std::nullopt;
    return result == outcome::inserted || result == outcome::assigned;
}

/// What stands in a map, past all of its code. \return false if a key is there twice, or a link leads nowhere.
bool read_contents(std::byte const* base, bucket_geometry const& g, model& all) {
    all.clear();
    for (std::uint64_t b = 0; b < g.bucket_count; ++b) {
        auto const* const cell = base + g.buckets + table::cell_stride * b;
        header h;
        std::memcpy(&h.value, cell, 8);
        for (unsigned s = 0; s < header::slots; ++s) {
            if ((h.valid() & header::slot_mask(s)) == 0) continue;
            auto const* at = cell + 16 + table::item_stride * s;
            if (s >= header::inline_slots) {
                auto const k = header::block_of(s);
                std::uint32_t link = 0;
                std::memcpy(&link, cell + 8 + 4 * k, 4);
                if (link == 0 || link > g.block_count) return false;
                at = base + g.blocks + header::block_slots * table::item_stride * (link - 1) +
                     table::item_stride * (s - header::inline_slots - header::block_slots * k);
            }
            number pair[2];
            std::memcpy(pair, at, sizeof pair);
            if (!all.emplace(pair[0], pair[1]).second) return false;
        }
    }
    return true;
}

// ---------------------------------------------------------------------------------------------------------------------
// Every shared step, in place.

/// How a bucket is filled at first: so many keys, then perhaps without the first one. With 3 keys the next one needs
/// a block, with 9 a second one; with 4 and 10 the last key is alone in its block.
struct filling {
    unsigned keys;
    bool hole;
};
constexpr std::array fillings{filling{0, false}, filling{2, false}, filling{3, false}, filling{4, false},
                              filling{4, true},  filling{9, false}, filling{10, true}};

/// A map in private memory, its ideal, and a survivor in slot 0 whose every answer must be the ideal's.
class world {
public:
    static constexpr std::uint32_t slots = 4;

    world(std::uint64_t capacity, filling const& f)
        : shape_(table::geometry(capacity, slots, 3)), memory_(shape_.total / 64 + 2), base_(aligned()) {
        shape_.block_count = 2 * shape_.bucket_count;  // so few that they wander
        survivor_.emplace(base_, shape_, 0);
        for (unsigned i = 0; i < f.keys; ++i) act({op::insert, key(0, i), i});
        if (f.hole) act({op::erase, key(0, 0), 0});
        keys_ = f.keys;
    }

    /// The i-th key of a bucket.
    [[nodiscard]] number key(std::uint64_t bucket, unsigned i) const {
        static std::map<std::uint64_t, std::array<std::vector<number>, 2>> known;
        auto& list = known[shape_.bucket_count];
        for (number n = 0; list[bucket].size() <= 20; ++n)
            list[bucket_of(hash(key_image<8>{n}, 3), shape_.bucket_count)].push_back(n);
        return list[bucket].at(i);
    }
    [[nodiscard]] number last_key() const { return key(0, keys_ == 0 ? 0 : keys_ - 1); }
    [[nodiscard]] number new_key() const { return key(0, keys_); }

    [[nodiscard]] std::byte* base() const { return base_; }
    [[nodiscard]] bucket_geometry const& shape() const { return shape_; }
    [[nodiscard]] bool right() const { return right_; }
    void wrong(char const* why) {
        if (right_) why_ = why;
        right_ = false;
    }
    [[nodiscard]] char const* why() const { return why_; }
    [[nodiscard]] model const& ideal() const { return ideal_; }
    void accept(model m) { ideal_ = std::move(m); }
    [[nodiscard]] model contents() {
        model m;
        if (!read_contents(base_, shape_, m)) wrong("a key twice, or a broken link");
        return m;
    }

    /// One operation of the survivor. Beside an unburied handle it may be told "full".
    void act(deed const& d, bool may_be_full = false) {
        auto const expected = d.after(ideal_);
        auto const said = perform(*survivor_, d);
        if (!said) {
            if (!may_be_full) wrong("full");
        } else {
            if (*said != (expected != ideal_) && d.what != op::assign) wrong("a wrong answer");
            ideal_ = expected;
        }
        if (contents() != ideal_) wrong("other contents than the ideal's");
    }
    /// j operations of the survivor.
    void work(unsigned j, unsigned script) {
        auto const other = shape_.bucket_count - 1;
        auto const n = keys_;
        for (unsigned i = 0; i < j; ++i) {
            auto const v = next_++;
            deed d;
            switch (script) {
                case 0: {  // around the victim
                    std::array const list{
                        deed{op::erase, last_key(), 0},   deed{op::insert, key(0, n + 1), v},
                        deed{op::erase, key(0, 0), 0},    deed{op::insert, key(0, n + 2), v},
                        deed{op::assign, last_key(), v},  deed{op::erase, key(0, n + 1), 0},
                        deed{op::erase, key(0, n + 2), 0}};
                    d = list[i % list.size()];
                    break;
                }
                case 1:  // blocks come and go
                    d = i % 10 < 5 ? deed{op::insert, key(other, 14 + i % 10), v}
                                   : deed{op::erase, key(other, 14 + 9 - i % 10), 0};
                    break;
                case 3: {  // the victim's block goes, and comes into another bucket
                    auto const o = key(other, 17);
                    std::array const list{
                        deed{op::insert, key(0, n + 1), v}, deed{op::erase, key(0, n + 1), 0},
                        deed{op::insert, key(other, 14), v}, deed{op::insert, key(other, 15), v},
                        deed{op::insert, key(other, 16), v}};
                    d = i < list.size() ? list[i] : deed{i % 2 == 1 ? op::insert : op::erase, o, v};
                    break;
                }
                default: {  // the victim's keys
                    auto const k = i / 4 % 2 == 0 ? new_key() : last_key();
                    std::array const list{deed{op::insert, k, v}, deed{op::assign, k, v},
                                          deed{op::exchange, k, v}, deed{op::erase, k, 0}};
                    d = list[i % 4];
                }
            }
            act(d, true);
        }
    }

    /// All is settled: contents, blocks, and full capacity.
    void final_check(std::uint64_t deaths) {
        if (contents() != ideal_) wrong("contents at last");
        auto const c = census_of<table>(base_, shape_);
        if (!c.right()) wrong("slots or blocks are lost");
        if (c.empty > deaths) wrong("empty blocks stay linked");
        for (std::uint64_t b = 0; b < shape_.bucket_count; ++b) {
            for (unsigned i = 0; i < 20; ++i) act({op::erase, key(b, i), 0});
            for (unsigned i = 0; i < 15; ++i) act({op::insert, key(b, i), i});
            for (unsigned i = 0; i < 15; ++i) act({op::erase, key(b, i), 0});
        }
        for (std::uint64_t b = 0; b < shape_.bucket_count; ++b) {
            for (unsigned i = 0; i < 12; ++i) act({op::insert, key(b, i), i});
            for (unsigned i = 0; i < 12; ++i) act({op::erase, key(b, i), 0});
        }
        if (!census_of<table>(base_, shape_).all_in_pool()) wrong("blocks are not in the pool");
    }

    [[nodiscard]] fate plan(std::uint64_t last) const {
        fate f;
        f.last = last;
        f.cells = base_ + shape_.buckets;
        f.cells_end = base_ + shape_.blocks;
        return f;
    }

private:
    [[nodiscard]] std::byte* aligned() {
        auto const at = reinterpret_cast<std::uintptr_t>(memory_.data());
        return reinterpret_cast<std::byte*>((at + 63) / 64 * 64);
    }
    struct line {
        std::byte bytes[64];
    };

    bucket_geometry shape_;
    std::vector<line> memory_;
    std::byte* base_;
    std::optional<table> survivor_;
    model ideal_;
    unsigned keys_ = 0;
    number next_ = 5000;
    bool right_ = true;
    char const* why_ = "";
};

/// A handle that will do one operation, and die in it perhaps.
class victim {
public:
    victim(world& w, std::uint32_t slot) : world_(w), slot_(slot), table_(w.base(), w.shape(), slot) {}
    [[nodiscard]] std::uint32_t slot() const { return slot_; }

    /// \return whether it lived. The contents change at most once, and as the operation says; then the ideal does.
    bool act(deed const& d, fate planned) {
        std::function<void()> const look = [&] {
            auto const now = world_.contents();
            if (now == world_.ideal()) return;
            if (committed || now != d.after(world_.ideal()))
                world_.wrong("a change that is not the operation's");
            committed = true;
            world_.accept(now);
        };
        planned.on_commit = &look;
        std::optional<bool> said;
        bool const lived = survives(planned, [&] { said = perform(table_, d); });
        steps = std::max(steps, planned.taken);
        if (lived && d.what == op::erase && said.value_or(false) != committed) world_.wrong("a wrong answer");
        if (lived && committed && !said.value_or(false)) world_.wrong("a wrong answer");
        return lived;
    }

    std::uint64_t steps = 0;
    bool committed = false;

private:
    world& world_;
    std::uint32_t slot_;
    table table_;
};

struct tally {
    std::uint64_t deaths = 0;
    std::uint64_t after_commit = 0;
    std::uint64_t recoveries_killed = 0;
    std::uint64_t retries = 0;
    std::array<std::uint64_t, 4> most{};

    void died(victim const& v, op what, std::uint64_t step) {
        ++deaths;
        after_commit += v.committed;
        reached(what, step);
    }
    void reached(op what, std::uint64_t step) {
        auto& m = most[static_cast<std::size_t>(what)];
        m = std::max(m, step);
    }
    void print(char const* title) const {
        std::printf(
            "%s: %llu deaths (%llu after the commit), %llu recoveries killed, %llu undecided at first; "
            "steps:",
            title, static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(after_commit),
            static_cast<unsigned long long>(recoveries_killed), static_cast<unsigned long long>(retries));
        for (auto const what : all_ops)
            std::printf(" %s %llu", names[static_cast<std::size_t>(what)],
                        static_cast<unsigned long long>(most[static_cast<std::size_t>(what)]));
        std::printf("\n");
    }
};

/// A recovery. It must not change the contents.
bool recover(world& w, std::uint32_t slot, std::set<std::uint32_t> const& dead) {
    bool const settled = table::recover(w.base(), w.shape(), slot,
                                        [&](std::uint32_t other) { return dead.count(other) != 0; });
    if (w.contents() != w.ideal()) w.wrong("recovery changed the contents");
    return settled;
}

/// What the victim may do, given how the bucket is filled.
std::vector<deed> deeds(world const& w) {
    return {{op::insert, w.new_key(), 71},   {op::insert, w.last_key(), 72}, {op::assign, w.new_key(), 73},
            {op::assign, w.last_key(), 74},  {op::erase, w.last_key(), 0},   {op::erase, w.key(0, 1), 0},
            {op::exchange, w.last_key(), 0}, {op::exchange, w.key(0, 1), 0}};
}

void verify(world& w, deed const& d, filling const& f, char const* title,
            std::array<std::uint64_t, 5> const& at) {
    if (w.right()) return;
    FAIL(title << ": " << w.why() << "; " << names[static_cast<std::size_t>(d.what)] << " of " << d.key
               << ", " << f.keys << " keys" << (f.hole ? " with a hole" : "") << ", capacity "
               << w.shape().capacity << "; " << at[0] << ' ' << at[1] << ' ' << at[2] << ' ' << at[3] << ' '
               << at[4]);
}

/// One death before step k, j operations of the survivor, a recovery that is killed before step m, a whole one.
void every_step(std::uint64_t capacity, std::vector<unsigned> const& scripts,
                std::vector<unsigned> const& between, tally& t) {
    std::set<std::uint32_t> const dead{1};  // made here: a killed recovery passes over destructors
    for (auto const& f : fillings)
        for (std::size_t which = 0; which < 8; ++which)
            for (auto const script : scripts)
                for (auto const j : between)
                    for (std::uint64_t k = 1, hit = 1; hit != 0; ++k) {
                        bool killed = true;
                        for (std::uint64_t m = 0; killed; ++m) {
                            world w(capacity, f);
                            victim v(w, 1);
                            auto const d = deeds(w)[which];
                            if (v.act(d, w.plan(k))) {
                                hit = 0;
                                break;
                            }
                            w.work(j, script);
                            if (m > 0) {
                                auto planned = w.plan(m);
                                killed = !survives(planned, [&] { recover(w, 1, dead); });
                                t.recoveries_killed += killed;
                            }
                            if (!recover(w, 1, dead)) w.wrong("undecided");
                            w.final_check(m > 0 ? 2 : 1);
                            t.died(v, d.what, k);
                            verify(w, d, f, "one death", {k, j, script, m, 0});
                        }
                    }
}

/// The same, and then nobody is left: a repair that is killed before step m, and a whole one.
TEST_CASE("a map is repaired, and its repair is killed before each of its steps", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const& f : fillings)
        for (std::size_t which = 0; which < 8; ++which)
            for (std::uint64_t k = 1, hit = 1; hit != 0; ++k) {
                bool killed = true;
                for (std::uint64_t m = 0; killed; m += 3) {
                    world w(1, f);
                    victim v(w, 1);
                    auto const d = deeds(w)[which];
                    if (v.act(d, w.plan(k))) {
                        hit = 0;
                        break;
                    }
                    w.work(3, 2);
                    if (m > 0) {
                        auto planned = w.plan(m);
                        killed = !survives(planned, [&] { table::repair(w.base(), w.shape()); });
                        t.recoveries_killed += killed;
                    }
                    table::repair(w.base(), w.shape());
                    auto const census = census_of<table>(w.base(), w.shape());
                    if (!census.right() || census.empty != 0) w.wrong("something is left");
                    if (w.contents() != w.ideal()) w.wrong("repair changed the contents");
                    if (table::repair(w.base(), w.shape()) != 0) w.wrong("a second repair found something");
                    w.final_check(1);
                    t.died(v, d.what, k);
                    verify(w, d, f, "repair", {k, m, 0, 0, 0});
                }
            }
    t.print("repair");
    CHECK(t.deaths > 1000);
    CHECK(t.recoveries_killed > 1000);
}

TEST_CASE("an operation on a map dies before each of its shared steps, and so does its recovery", "[fast]") {
    watchdog const limit(120);
    tally t;
    every_step(1, {2}, {0, 3}, t);
    t.print("one death");
    CHECK(t.deaths > 1000);
    CHECK(t.after_commit > 100);
    CHECK(t.recoveries_killed > 100);
    for (auto const most : t.most) CHECK(most >= 20);
}

TEST_CASE("an operation on a map dies before each of its shared steps, more", "[medium]") {
    watchdog const limit(600);
    tally t;
    for (auto const capacity : sanitized ? sizes({2}) : sizes({1, 2}))
        every_step(capacity, fewer({0U, 1U, 2U}), fewer({0U, 1U, 2U, 4U, 7U, 13U}), t);
    t.print("one death, more");
    CHECK(t.deaths > 10000);
}

std::vector<filling> const all_fillings(fillings.begin(), fillings.end());

/// The survivor runs inside the victim's operation, so that it loses races and dies on those paths too.
void overtaken(std::uint64_t capacity, std::vector<filling> const& states,
               std::vector<unsigned> const& scripts, std::vector<unsigned> const& inside, tally& t) {
    for (auto const& f : states)
        for (std::size_t which = 0; which < 8; ++which)
            for (auto const script : scripts)
                for (auto const j : inside) {
                    bool paused = true;
                    for (std::uint64_t s = 1; paused; ++s) {
                        bool lived = false;
                        for (std::uint64_t k = s; !lived; ++k) {
                            world w(capacity, f);
                            victim v(w, 1);
                            auto const d = deeds(w)[which];
                            std::function<void()> const meanwhile = [&] { w.work(j, script); };
                            auto planned = w.plan(k);
                            planned.interrupted_at = s;
                            planned.interruption = &meanwhile;
                            lived = v.act(d, planned);
                            paused = v.steps >= s;
                            if (!lived) {
                                w.work(1, script);
                                if (!recover(w, 1, {1})) w.wrong("undecided");
                                t.died(v, d.what, k);
                            }
                            // A living handle that lost races may leave an empty block, too.
                            w.final_check(2);
                            verify(w, d, f, "overtaken", {s, k, j, script, 0});
                            REQUIRE(k < 500);
                        }
                    }
                }
}

TEST_CASE("an operation on a map is overtaken, and dies before each of its shared steps", "[fast]") {
    watchdog const limit(120);
    tally t;
    overtaken(1, sanitized ? std::vector{fillings[0], fillings[3], fillings[6]} : all_fillings, {2}, {2}, t);
    overtaken(2, {{4, false}}, {3}, {12}, t);
    t.print("overtaken");
    CHECK(t.deaths > 1000);
}

TEST_CASE("an operation on a map is overtaken, and dies before each of its shared steps, more", "[medium]") {
    watchdog const limit(900);
    tally t;
    if (!sanitized) overtaken(1, all_fillings, {0, 1, 2}, {1, 5}, t);
    overtaken(2, all_fillings, fewer({0U, 1U, 2U}), sanitized ? std::vector{3U} : std::vector{3U, 10U}, t);
    overtaken(2, all_fillings, {3}, {12}, t);
    t.print("overtaken, more");
    CHECK(t.deaths > 10000);
}

/// Handle 3 lives and is stopped in the middle of its operation. There handle 2 is stopped too; there handle 1 does
/// its operation and dies; 2 goes on and dies; both are recovered, in some order, perhaps killed on the way, perhaps
/// interrupted by the survivor; then 3 goes on, and what could not be decided beside it can be now.
void three_handles(std::uint64_t count, std::uint64_t stream, tally& t) {
    random_source random(stream);
    for (std::uint64_t n = 0; n < count; ++n) {
        auto const f = fillings[random.below(fillings.size())];
        world w(1 + random.below(2), f);
        auto const choices = deeds(w);
        victim a(w, 1), b(w, 2), c(w, 3);
        auto const da = choices[random.below(8)], db = choices[random.below(8)],
                   dc = choices[random.below(8)];
        auto const step = [&] { return 1 + random.below(random.below(3) == 0 ? 60 : 25); };
        std::array<std::uint64_t, 5> const at{step(), step(), step(), step(), n};
        bool a_died = false, b_died = false, a_acted = false, b_acted = false, c_done = false;
        std::set<std::uint32_t> dead;
        std::set<std::uint32_t> unburied;
        std::function<void()> const survivor = [&] {
            w.work(static_cast<unsigned>(random.below(4)), static_cast<unsigned>(random.below(3)));
        };
        auto const bury = [&] {
            std::vector<std::uint32_t> order(unburied.begin(), unburied.end());
            if (random.below(2) == 0) std::reverse(order.begin(), order.end());
            for (auto const slot : order) {
                auto planned = w.plan(random.below(2) == 0 ? 0 : 1 + random.below(12));
                if (random.below(3) == 0) {
                    planned.interrupted_at = 1 + random.below(10);
                    planned.interruption = &survivor;
                }
                bool settled = false;
                bool const lived = survives(planned, [&] { settled = recover(w, slot, dead); });
                t.recoveries_killed += !lived;
                if (!lived) settled = recover(w, slot, dead);
                t.retries += !settled;
                if (settled) {
                    unburied.erase(slot);
                    dead.erase(slot);
                    // The next owner sets to work at once.
                    victim heir(w, slot);
                    heir.act(choices[random.below(8)], w.plan(0));
                } else if (c_done) {
                    w.wrong("undecided");
                }
            }
        };
        std::function<void()> const first = [&] {
            a_acted = true;
            a_died = !a.act(da, w.plan(at[0]));
            if (a_died) {
                dead.insert(1);
                unburied.insert(1);
                t.died(a, da.what, at[0]);
            }
            survivor();
        };
        std::function<void()> const second = [&] {
            b_acted = true;
            auto planned = w.plan(at[1]);
            planned.interrupted_at = at[2];
            planned.interruption = &first;
            b_died = !b.act(db, planned);
            if (b_died) {
                dead.insert(2);
                unburied.insert(2);
                t.died(b, db.what, at[1]);
            }
            if (random.below(2) == 0) bury();
            survivor();
        };
        auto planned = w.plan(0);
        planned.interrupted_at = at[3];
        planned.interruption = &second;
        if (!c.act(dc, planned)) w.wrong("the living one died");
        c_done = true;
        if (!b_acted) second();
        // As the next openers would: until all are settled.
        for (int round = 0; round < 3 && !unburied.empty(); ++round) bury();
        if (!unburied.empty()) w.wrong("parked");
        w.final_check(8);
        verify(w, db, f, "three handles", at);
    }
}

TEST_CASE("two dead handles and a living one on the same slots and blocks", "[fast]") {
    watchdog const limit(120);
    tally t;
    three_handles(rounds(15000), 1, t);
    t.print("three handles");
    CHECK(t.deaths > 1000);
    CHECK(t.recoveries_killed > 100);
    if (!sanitized) CHECK(t.retries > 0);  // one in a thousand rounds
}

TEST_CASE("two dead handles and a living one on the same slots and blocks, more", "[medium]") {
    watchdog const limit(3000);
    tally t;
    three_handles(rounds(200000), 2, t);
    t.print("three handles, more");
}

TEST_CASE("two dead handles and a living one on the same slots and blocks, many more", "[stress]") {
    watchdog const limit(3000);
    tally t;
    three_handles(rounds(1000000), 3, t);
    t.print("three handles, many more");
}

// ---------------------------------------------------------------------------------------------------------------------
// Every shared step, by SIGKILL, through segment, locks and handles.

/// Does it on a map whose values are its keys.
template <class M>
void act_on(M& m, deed const& d) {
    number seen = d.key;
    switch (d.what) {
        case op::insert:
            m.insert(d.key, d.value);
            break;
        case op::assign:
            m.insert_or_assign(d.key, d.value);
            break;
        case op::erase:
            m.erase(d.key);
            break;
        case op::exchange:
            m.compare_exchange(d.key, seen, d.key + 1000);
            break;
    }
}

/// All keys can be removed, the bucket filled and emptied, and every block is in the pool at last.
void empty_fill_empty(Memory& memory, native_map& one, native_map& other, model const& now,
                      std::uint32_t slots) {
    for (auto const& [key, value] : now) REQUIRE(one.erase(key));
    for (number i = 0; i < 15; ++i) REQUIRE(one.insert(i, i) == outcome::inserted);
    for (number i = 0; i < 15; ++i) REQUIRE(other.erase(i));
    REQUIRE(census_of<native_map>(memory, "m", 1, slots).all_in_pool());
}

void real_deaths(deed const& d, unsigned keys, bool kill_recovery, tally& t) {
    constexpr std::uint32_t slots = 4;
    auto const g = table::geometry(1, slots);
    for (std::uint64_t k = 1;; ++k) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        native_map survivor(memory, "m", 1, {slots});
        model ideal;
        for (unsigned i = 0; i < keys; ++i) {
            REQUIRE(survivor.insert(i, i) == outcome::inserted);
            ideal[i] = i;
        }
        child doomed([&] {
            auto mine = Memory::open(name.str());
            mortal_map m(mine, "m");
            if (m.handle_slot() != 1) return 1;
            fate::now() = {};
            fate::now().last = k;
            act_on(m, d);
            return 0;
        });
        int const end = doomed.wait();
        REQUIRE((end == 0 || end == -SIGKILL));
        auto* const base = memory.base() + memory.find("m")->offset;
        model now;
        REQUIRE(read_contents(base, g, now));
        bool const done = now == d.after(ideal);
        REQUIRE((done || (end != 0 && now == ideal)));
        // With nine keys and more the bucket's last block may be on its way out, and who was at it is dead: then there
        // is no room for a tenth, until the next handle is opened. Nobody waits for that.
        auto const answer = survivor.insert_or_assign(1, 8);
        REQUIRE((answer != outcome::full || (end != 0 && keys >= 9)));
        if (answer != outcome::full) now[1] = 8;
        if (end == -SIGKILL && kill_recovery) {
            int again = -SIGKILL;
            for (std::uint64_t m = 1; again == -SIGKILL; ++m) {
                child heir([&] {
                    auto mine = Memory::open(name.str());
                    fate::now() = {};
                    fate::now().last = m;
                    mortal_map q(mine, "m");
                    return q.handle_slot() == 1 ? 0 : 1;
                });
                again = heir.wait();
                t.recoveries_killed += again == -SIGKILL;
            }
            REQUIRE(again == 0);
        }
        native_map newcomer(memory, "m");
        REQUIRE(newcomer.handle_slot() == 1);
        model at_last;
        REQUIRE(read_contents(base, g, at_last));
        REQUIRE(at_last == now);
        REQUIRE(census_of<native_map>(memory, "m", 1, slots).right());
        empty_fill_empty(memory, newcomer, survivor, now, slots);
        if (end == 0) {
            REQUIRE(k > 1);
            break;
        }
        ++t.deaths;
        t.after_commit += done;
        t.reached(d.what, k);
    }
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation on a map", "[fast]") {
    watchdog const limit(120);
    tally t;
    real_deaths({op::insert, 3, 30}, 3, false, t);
    real_deaths({op::assign, 2, 30}, 3, false, t);
    real_deaths({op::erase, 3, 0}, 4, false, t);
    real_deaths({op::exchange, 1, 0}, 2, false, t);
    t.print("SIGKILL");
    CHECK(t.after_commit > 10);
    for (auto const most : t.most) CHECK(most >= 15);
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation on a map and of its recovery",
          "[medium]") {
    watchdog const limit(600);
    tally t;
    for (unsigned const keys : {2U, 3U, 4U, 9U, 10U})
        for (auto const& d :
             {deed{op::insert, keys, 30}, deed{op::assign, keys, 30}, deed{op::assign, keys - 1, 30},
              deed{op::erase, keys - 1, 0}, deed{op::exchange, keys - 1, 0}})
            real_deaths(d, keys, true, t);
    t.print("SIGKILL, all");
    CHECK(t.deaths > 500);
    CHECK(t.recoveries_killed > 500);
    for (auto const most : t.most) CHECK(most >= 20);
}

// ---------------------------------------------------------------------------------------------------------------------
// Every machine instruction of the shipped operation.

void traced(deed const& d, unsigned keys) {
    constexpr std::uint32_t slots = 4;
    auto const g = table_of<native_map>::geometry(1, slots);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 14);
    model before;
    {
        native_map m(memory, "m", 1, {slots});
        for (unsigned i = 0; i < keys; ++i) {
            REQUIRE(m.insert(i, i) == outcome::inserted);
            before[i] = i;
        }
    }
    auto* const at = memory.base() + memory.find("m")->offset;
    auto const all = states_of(
        (std::string(names[static_cast<std::size_t>(d.what)]) + " among " + std::to_string(keys)).c_str(),
        [&](tracee t) {
            auto mine = Memory::open(name.str());
            native_map m(mine, "m");
            t.begin();
            act_on(m, d);
            t.end();
        },
        at, native_map::bytes_for(1, {slots}));
    if (!all) return;
    REQUIRE(all->size() >= 2);
    bool done = false;
    for (auto const& image : *all) {
        INFO(names[static_cast<std::size_t>(d.what)] << " among " << keys << ", state "
                                                     << (&image - all->data()));
        std::memcpy(at, image.data(), image.size());
        model now;
        REQUIRE(read_contents(at, g, now));
        done = done || now != before;
        REQUIRE(now == (done ? d.after(before) : before));
        native_map survivor(memory, "m");
        native_map newcomer(memory, "m");
        CHECK(newcomer.handle_slot() == 1);
        REQUIRE(census_of<native_map>(memory, "m", 1, slots).right());
        model found;
        for (auto const& [key, value] : newcomer) REQUIRE(found.emplace(key, value).second);
        REQUIRE(found == now);
        empty_fill_empty(memory, newcomer, survivor, now, slots);
    }
    CHECK(done);
}

TEST_CASE("a process is killed at each machine instruction of an operation on a map", "[fast]") {
    watchdog const limit(120);
    // With three keys the next one needs a block, with nine a second one; the fourth and the tenth are alone in theirs.
    for (unsigned const keys : {2U, 3U, 4U, 9U, 10U})
        for (auto const& d : {deed{op::insert, keys, 30}, deed{op::assign, keys - 1, 30},
                              deed{op::erase, keys - 1, 0}, deed{op::exchange, keys - 1, 0}})
            traced(d, keys);
}

// ---------------------------------------------------------------------------------------------------------------------
// Random moments, among live processes (zeroipc_map_kills.hpp).

using wide_map = Map<number, wide_value>;

TEST_CASE("20 kills at random moments among users of a map", "[fast]") {
    random_kills<map_kills<wide_map>>(20, 2);
}

TEST_CASE("100 kills at random moments among users of a map", "[medium]") {
    random_kills<map_kills<wide_map>>(100, 1);
    random_kills<map_kills<Map<number, wide_value, layout::padded, ordering::fences, backoff::none>>>(100,
                                                                                                      12);
}

TEST_CASE("2000 kills at random moments among users of a map", "[stress]") {
    random_kills<map_kills<wide_map>>(2000, 1);
    random_kills<map_kills<wide_map>>(2000, 12);
}

}  // namespace
