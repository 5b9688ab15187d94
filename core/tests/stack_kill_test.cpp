/// \file
/// Kills on a stack. A process may die at any instruction of any operation: the others go on, at most the item in
/// its hands is missing, nothing is there twice, and the next process finds every node again, whatever order the
/// dead are found in.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_item_kills.hpp"
#include "zeroipc_mortal.hpp"
#include "zeroipc_random_kills.hpp"
#include "zeroipc_testing.hpp"
#include "zeroipc_traced.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

/// Two words, of which the second tells whether the first belongs to it.
struct item {
    std::uint64_t number;
    std::uint64_t twin;
    static item of(std::uint64_t number) { return {number, ~number}; }
    [[nodiscard]] bool whole() const { return twin == ~number; }
};

using mortal_stack = Stack<item, mortal>;
using native_stack = Stack<item>;
using mortal_ring = ring_of<mortal_stack>;

enum class op { push, pop, peek };
enum class fill { empty, half, full, used };
constexpr std::array all_ops{op::push, op::pop, op::peek};
constexpr std::array changes{op::push, op::pop};
constexpr std::array all_fills{fill::empty, fill::half, fill::full, fill::used};

char const* name_of(op what) { return what == op::push ? "push" : what == op::pop ? "pop" : "peek"; }

/// Brings a stack of any kind, and its model, to a start state. `used` is half full and its handle has a spare.
template <class Push, class Pop>
void prepare(fill state, std::uint64_t capacity, Push&& push, Pop&& pop) {
    if (state == fill::used)
        for (std::uint64_t i = 0; i < 3 * capacity + 1; ++i) {
            push();
            pop();
        }
    auto const items = state == fill::empty ? 0 : state == fill::full ? capacity : (capacity + 1) / 2;
    for (std::uint64_t i = 0; i < items; ++i) push();
    if (state == fill::used) {
        push();
        pop();
    }
}

struct tally {
    std::uint64_t deaths = 0;
    std::uint64_t after_commit = 0;
    std::uint64_t recoveries_killed = 0;
    std::array<std::vector<std::uint64_t>, 3> hits;  ///< deaths before each step of each operation

    void died(op what, std::uint64_t step, bool committed) {
        ++deaths;
        after_commit += committed;
        auto& of = hits[static_cast<std::size_t>(what)];
        if (of.size() < step) of.resize(step);
        ++of[step - 1];
    }
    /// Prints the steps reached, and checks that none below them was missed.
    void close(char const* what) const {
        std::printf("%s: %llu deaths (%llu after the commit), %llu recoveries killed; steps reached:", what,
                    static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(after_commit),
                    static_cast<unsigned long long>(recoveries_killed));
        for (auto const one : all_ops) {
            auto const& of = hits[static_cast<std::size_t>(one)];
            std::printf(" %s %zu", name_of(one), of.size());
            for (auto const n : of) CHECK(n > 0);
        }
        std::printf("\n");
        // Two links, a record of two words, a commit, a payload and a settling at the least.
        CHECK(hits[static_cast<std::size_t>(op::push)].size() >= 10);
        CHECK(hits[static_cast<std::size_t>(op::pop)].size() >= 8);
        CHECK(after_commit > 0);
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// Every shared step, in place.

/// A stack in private memory, its ideal, and a survivor whose every answer must be the ideal's.
class world {
public:
    static constexpr std::uint32_t slots = 4;

    /// \param survivor its handle slot. \param tag of both lists at the start.
    world(std::uint64_t capacity, fill state, std::uint32_t survivor = 0, std::uint64_t tag = 0)
        : shape_(mortal_ring::geometry(capacity, slots)), memory_(shape_.total / 64 + 1) {
        using layout = mortal_stack::policies::layout;
        auto const word = tag << (std::bit_width(shape_.node_count()) + std::bit_width(slots));
        std::memcpy(base() + layout::top_offset, &word, sizeof word);
        std::memcpy(base() + layout::free_offset, &word, sizeof word);
        survivor_.emplace(base(), shape_, survivor);
        prepare(
            state, capacity, [&] { push(); }, [&] { pop(); });
    }

    [[nodiscard]] std::byte* base() { return memory_.front().bytes; }
    [[nodiscard]] treiber_geometry const& shape() const { return shape_; }
    [[nodiscard]] std::uint64_t fresh() { return ++last_; }
    [[nodiscard]] bool right() const { return right_; }
    [[nodiscard]] std::vector<std::uint64_t> const& ideal() const { return ideal_; }

    /// What the world should be like after an operation that committed.
    void pushed(std::uint64_t number) {
        ideal_.push_back(number);
        if (ideal_.size() > shape_.capacity) wrong();
        look();
    }
    void popped() {
        ideal_.empty() ? wrong() : ideal_.pop_back();
        look();
    }
    /// From here on, whether it was full, or empty, at one moment: who says so must be right.
    void watch() {
        was_full = was_empty = false;
        look();
    }
    bool was_full = false;
    bool was_empty = false;
    void wrong() { right_ = false; }

    void push() {
        auto const one = item::of(fresh());
        bool const room = ideal_.size() < shape_.capacity;
        if (survivor_->try_push(&one) != room) wrong();
        if (room) ideal_.push_back(one.number);
        look();
    }
    void pop() {
        item one{};
        peek();
        bool const got = survivor_->try_pop(&one);
        if (got == ideal_.empty() || (got && (one.number != ideal_.back() || !one.whole()))) wrong();
        if (!ideal_.empty()) ideal_.pop_back();
        look();
    }
    void peek() {
        item one{};
        bool const got = survivor_->try_peek(&one);
        if (got == ideal_.empty() || (got && (one.number != ideal_.back() || !one.whole()))) wrong();
        if (survivor_->was_size() != ideal_.size()) wrong();
    }
    /// n operations of the survivor, push and pop in turn.
    void work(std::uint64_t n, op first) {
        for (std::uint64_t i = 0; i < n; ++i) ((i % 2 == 0) == (first == op::push)) ? push() : pop();
    }
    bool recover(std::uint32_t slot) { return mortal_ring::recover(base(), shape_, slot); }
    /// Nobody is attached; then the survivor comes back.
    void repair(std::uint32_t survivor) {
        mortal_ring::repair(base(), shape_);
        survivor_.emplace(base(), shape_, survivor);
    }

    /// Full capacity, right contents, each node in one place.
    void final_check(std::uint32_t newcomer_slot) {
        mortal_ring newcomer(base(), shape_, newcomer_slot);
        if (!conserved<mortal_stack>(base(), shape_.capacity, slots)) wrong();
        item one{};
        while (ideal_.size() < shape_.capacity) {
            one = item::of(fresh());
            if (!newcomer.try_push(&one)) return wrong();
            ideal_.push_back(one.number);
        }
        if (newcomer.try_push(&one) || newcomer.was_size() != shape_.capacity) wrong();
        if (!conserved<mortal_stack>(base(), shape_.capacity, slots)) wrong();
        while (!ideal_.empty()) pop();
        if (newcomer.try_pop(&one) || newcomer.was_size() != 0) wrong();
        if (!conserved<mortal_stack>(base(), shape_.capacity, slots)) wrong();
    }

    [[nodiscard]] fate plan(std::uint64_t last) {
        fate f;
        f.last = last;
        f.cells = base() + mortal_stack::policies::layout::top_offset;
        f.cells_end = static_cast<std::byte*>(base()) + mortal_stack::policies::layout::top_offset + 8;
        return f;
    }

private:
    struct block {
        alignas(64) std::byte bytes[64];
    };
    void look() {
        was_full = was_full || ideal_.size() == shape_.capacity;
        was_empty = was_empty || ideal_.empty();
    }

    treiber_geometry shape_;
    std::vector<block> memory_;
    std::optional<mortal_ring> survivor_;
    std::vector<std::uint64_t> ideal_;
    std::uint64_t last_ = 0;
    bool right_ = true;
};

/// A handle that will do one operation, and die in it perhaps.
class victim {
public:
    victim(world& w, std::uint32_t slot) : world_(w), slot_(slot), ring_(w.base(), w.shape(), slot) {}
    [[nodiscard]] std::uint32_t slot() const { return slot_; }

    /// \return whether it lived; the world's ideal knows whether the operation took effect.
    bool act(op what, fate planned) {
        auto const one = item::of(world_.fresh());
        item got{};
        std::uint64_t due = 0;
        std::function<void()> const on_commit = [&] {
            if (what == op::pop && !world_.ideal().empty()) due = world_.ideal().back();
            what == op::push ? world_.pushed(one.number) : world_.popped();
        };
        bool const alone = planned.interrupted_at == 0;
        planned.on_commit = &on_commit;
        bool answer = false;
        // This may stand inside another victim's operation, which watches too.
        bool const was_full = world_.was_full;
        bool const was_empty = world_.was_empty;
        world_.watch();
        bool const lived = survives(planned, [&] {
            answer = what == op::push  ? ring_.try_push(&one)
                     : what == op::pop ? ring_.try_pop(&got)
                                       : ring_.try_peek(&got);
        });
        bool const may_refuse = what == op::push ? world_.was_full : world_.was_empty;
        world_.was_full = world_.was_full || was_full;
        world_.was_empty = world_.was_empty || was_empty;
        steps = std::max(steps, planned.taken);
        committed = planned.commits == 1;
        if (planned.commits > 1 || (what == op::peek && committed)) world_.wrong();
        if (!lived) return false;
        if (what != op::peek && answer != committed) world_.wrong();
        if (!answer && !may_refuse) world_.wrong();
        if (what == op::pop && answer && (got.number != due || !got.whole())) world_.wrong();
        if (what == op::peek && answer && !got.whole()) world_.wrong();
        if (what == op::peek && alone &&
            (answer == world_.ideal().empty() || (answer && got.number != world_.ideal().back())))
            world_.wrong();
        return true;
    }

    std::uint64_t steps = 0;
    bool committed = false;

private:
    world& world_;
    std::uint32_t slot_;
    mortal_ring ring_;
};

/// A handle slot that has seen one operation, so that its spare is not always none.
void warm_up(world& w, std::uint32_t slot) {
    mortal_ring early(w.base(), w.shape(), slot);
    item one = item::of(0);
    if (w.ideal().size() < w.shape().capacity) {
        early.try_push(&one);
        early.try_pop(&one);
    } else {
        early.try_pop(&one);
        early.try_push(&one);
    }
}

/// One death before step k, j operations of the survivor, a recovery that is killed before step m, and a whole one.
struct one_death {
    std::uint64_t capacity;
    fill state;
    op what;
    bool warm;
    std::uint64_t tag;
    std::uint32_t survivor;
    std::uint64_t k = 0, j = 0, m = 0, s = 0;
    op first = op::push;

    bool hit = false;              ///< the operation got to step k
    bool recovery_killed = false;  ///< its recovery got to step m
    bool recovery_paused = false;  ///< ... and to step s, where the survivor did j operations more

    void run(tally& t) {
        world w(capacity, state, survivor, tag);
        if (warm) warm_up(w, 1);
        victim v(w, 1);
        hit = !v.act(what, w.plan(k));
        if (!hit) return;
        w.work(j, first);
        recovery_killed = recovery_paused = false;
        if (m > 0 || s > 0) {
            std::function<void()> const meanwhile = [&] {
                recovery_paused = true;
                w.work(j + 1, first);
            };
            auto planned = w.plan(m);
            planned.interrupted_at = s;
            planned.interruption = &meanwhile;
            recovery_killed = !survives(planned, [&] {
                if (!w.recover(v.slot())) w.wrong();
            });
            t.recoveries_killed += recovery_killed;
            if (recovery_killed) w.work(j, first);
        }
        if (!w.recover(v.slot())) w.wrong();
        w.final_check(v.slot());
        t.died(what, k, v.committed);
        if (!w.right())
            UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", "
                                      << name_of(what) << (warm ? ", warm" : "") << ", death before step "
                                      << k << ", " << j << " operations, recovery killed before step " << m
                                      << ", overtaken before " << s);
        REQUIRE(w.right());
    }
};

template <class Run>
void every_kind(std::uint64_t capacity, std::uint64_t tag, Run&& run) {
    for (auto const state : all_fills)
        for (auto const what : all_ops)
            for (bool const warm : {false, true})
                for (std::uint32_t const survivor : {0U, 3U})
                    run(one_death{capacity, state, what, warm, tag, survivor});
}

/// Every k, j and m.
void every_step(std::uint64_t capacity, std::uint64_t tag, tally& t) {
    every_kind(capacity, tag, [&](one_death d) {
        d.hit = true;
        for (d.k = 1; d.hit; ++d.k)
            for (d.j = 0; d.hit && d.j <= 2 * capacity + 1; ++d.j)
                for (auto const first : changes) {
                    d.first = first;
                    d.recovery_killed = true;
                    for (d.m = 0; d.hit && (d.m < 2 || d.recovery_killed); ++d.m) d.run(t);
                    REQUIRE(d.m < 100);
                }
    });
}

TEST_CASE("a stack is repaired, and its repair is killed before each of its steps", "[fast]") {
    watchdog const limit(120);
    std::uint64_t deaths = 0;
    std::uint64_t repairs_killed = 0;
    for (auto const capacity : sizes({1, 2}))
        for (auto const state : all_fills)
            for (auto const what : changes) {
                bool died = true;
                for (std::uint64_t k = 1; died; ++k) {
                    bool killed = true;
                    for (std::uint64_t m = 0; killed && died; ++m) {
                        world w(capacity, state);
                        victim v(w, 1);
                        died = !v.act(what, w.plan(k));
                        if (!died) break;
                        ++deaths;
                        w.work(3, op::pop);
                        if (m > 0) {
                            auto planned = w.plan(m);
                            killed = !survives(planned, [&] { mortal_ring::repair(w.base(), w.shape()); });
                            repairs_killed += killed;
                        }
                        w.repair(0);
                        INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", "
                                         << name_of(what) << " died before " << k << ", repair before " << m);
                        w.final_check(1);
                        REQUIRE(w.right());
                    }
                }
            }
    std::printf("repair: %llu deaths, %llu repairs killed\n", static_cast<unsigned long long>(deaths),
                static_cast<unsigned long long>(repairs_killed));
    CHECK(deaths > 1000);
    CHECK(repairs_killed > 1000);
}

TEST_CASE("an operation on a stack dies before each of its shared steps, and so does its recovery",
          "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const capacity : sizes({1, 2})) every_step(capacity, 0, t);
    every_step(1, ~std::uint64_t{0} - 1, t);
    t.close("one death");
    CHECK(t.deaths > 1000);
    CHECK(t.recoveries_killed > 1000);
}

TEST_CASE("an operation on a stack dies before each of its shared steps, and so does its recovery, larger",
          "[medium]") {
    watchdog const limit(300);
    tally t;
    every_step(3, 0, t);
    for (auto const back : fewer<std::uint64_t>({0, 1, 2, 3, 5, 8}))
        for (auto const capacity : sizes({1, 2})) every_step(capacity, ~std::uint64_t{0} - back, t);
    t.close("one death, larger");
}

TEST_CASE("a recovery is overtaken before each of its steps, and killed behind that", "[fast]") {
    watchdog const limit(120);
    tally t;
    std::uint64_t overtaken = 0;
    for (auto const capacity : sizes({1, 2}))
        every_kind(capacity, 0, [&](one_death d) {
            d.hit = true;
            for (d.k = 1; d.hit; ++d.k)
                for (auto const j : sizes({0, 1, 2 * capacity}))
                    for (auto const first : changes) {
                        d.j = j;
                        d.first = first;
                        d.recovery_paused = true;
                        for (d.s = 1; d.hit && d.recovery_paused; ++d.s) {
                            overtaken += d.s;
                            d.m = 0;
                            d.run(t);
                            d.recovery_killed = true;
                            for (d.m = d.s; d.hit && d.recovery_paused && d.recovery_killed; ++d.m) d.run(t);
                            REQUIRE(d.m < 100);
                        }
                    }
        });
    t.close("recoveries overtaken");
    CHECK(overtaken > 1000);
    CHECK(t.recoveries_killed > 1000);
}

/// The survivor runs *inside* the victim's operation, so that it loses races and dies on those paths too.
void overtaken(std::uint64_t capacity, fill state, op what, bool warm, tally& t) {
    bool paused = true;
    for (std::uint64_t s = 1; paused; ++s)
        for (std::uint64_t j = 1; j <= 2 * capacity + 1; ++j)
            for (auto const first : changes) {
                bool lived = false;
                for (std::uint64_t k = s; !lived; ++k) {
                    world w(capacity, state);
                    if (warm) warm_up(w, 1);
                    victim v(w, 1);
                    std::function<void()> const meanwhile = [&] { w.work(j, first); };
                    auto planned = w.plan(k);
                    planned.interrupted_at = s;
                    planned.interruption = &meanwhile;
                    lived = v.act(what, planned);
                    paused = v.steps >= s;
                    if (!lived) {
                        w.work(1, first);
                        if (!w.recover(v.slot())) w.wrong();
                        t.died(what, k, v.committed);
                    }
                    w.final_check(v.slot());
                    if (!w.right())
                        UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", "
                                                  << name_of(what) << ", " << j << " operations before step "
                                                  << s << ", death before step " << k);
                    REQUIRE(w.right());
                    REQUIRE(k < 400);
                }
            }
}

void all_overtaken(std::uint64_t capacity, tally& t) {
    for (auto const state : all_fills)
        for (auto const what : all_ops)
            for (bool const warm : {false, true}) overtaken(capacity, state, what, warm, t);
}

TEST_CASE("an operation on a stack that is overtaken in the middle dies before each of its shared steps",
          "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const capacity : sizes({1, 2})) all_overtaken(capacity, t);
    t.close("overtaken");
    CHECK(t.deaths > 1000);
}

TEST_CASE(
    "an operation on a stack that is overtaken in the middle dies before each of its shared steps, larger",
    "[medium]") {
    watchdog const limit(300);
    tally t;
    for (auto const capacity : sanitized ? sizes({3}) : sizes({3, 5})) all_overtaken(capacity, t);
    t.close("overtaken, larger");
}

/// The top's node is popped and about to be pushed as the last one that there is room for: its depth already says full.
TEST_CASE("a depth that is read too late makes no stack full", "[fast]") {
    std::uint64_t deaths = 0;
    bool paused = true;
    for (std::uint64_t s = 1; paused; ++s) {
        bool lived = false;
        for (std::uint64_t k = 1; !lived; ++k) {
            world w(3, fill::half);
            victim other(w, 1);
            victim pusher(w, 2);
            paused = false;
            std::function<void()> const meanwhile = [&] {
                paused = true;
                other.act(op::pop, w.plan(0));
                w.push();
                lived = other.act(op::push, w.plan(k));
                deaths += !lived;
            };
            auto planned = w.plan(0);
            planned.interrupted_at = s;
            planned.interruption = &meanwhile;
            pusher.act(op::push, planned);
            INFO("pushed before step " << s << ", died before step " << k);
            REQUIRE(w.right());
            if (!paused) break;
            REQUIRE(k < 100);
        }
    }
    CHECK(deaths > 50);
}

/// When the slots of two dead handles are taken over: afterwards, in either order; the second inside the recovery of
/// the first; or the first one's while the second victim is in the middle of its operation, and the new owner sets
/// to work at once.
enum class recovery { in_order, backwards, nested, in_the_middle };

/// Two victims: the second is stopped before step s, the first acts and dies before step k, the survivor does j
/// operations, the second goes on and dies before step l, or lives. Each first recovery is killed at a step that goes
/// round.
struct two_deaths {
    std::uint64_t capacity;
    fill state;
    std::array<op, 2> what;
    std::uint64_t s, k, l, j;
    op first;
    recovery how;
    std::uint32_t survivor;

    bool paused = false;
    bool first_died = false;
    bool second_died = false;

    void run(tally& t) {
        world w(capacity, state, survivor);
        warm_up(w, 2);
        victim a(w, 1);
        victim b(w, 2);
        std::function<void()> const meanwhile = [&] {
            paused = true;
            first_died = !a.act(what[0], w.plan(k));
            w.work(j, first);
            if (how != recovery::in_the_middle || !first_died) return;
            if (!w.recover(1)) w.wrong();
            victim heir(w, 1);
            heir.act(op::pop, w.plan(0));
            heir.act(op::push, w.plan(0));
            heir.act(op::pop, w.plan(0));
        };
        auto planned = w.plan(l);
        planned.interrupted_at = s;
        planned.interruption = &meanwhile;
        second_died = !b.act(what[1], planned);
        w.work(1, first);

        std::array<std::uint32_t, 2> order{1, 2};
        if (how == recovery::backwards) std::swap(order[0], order[1]);
        auto const round = (t.deaths + t.recoveries_killed) % 23;
        std::function<void()> const other = [&] {
            if (!w.recover(order[1])) w.wrong();
        };
        fate kill = w.plan(how == recovery::nested ? 0 : round);
        kill.interrupted_at = how == recovery::nested ? round : 0;
        kill.interruption = &other;
        t.recoveries_killed += !survives(kill, [&] { w.recover(order[0]); });
        if (round % 2 == 0) w.work(1, first);
        for (auto const one : order)
            if (!w.recover(one)) w.wrong();
        w.final_check(3 - survivor);
        if (first_died) t.died(what[0], k, a.committed);
        if (second_died) t.died(what[1], l, b.committed);
        if (!w.right())
            UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", first "
                                      << name_of(what[0]) << " dies before " << k << ", second "
                                      << name_of(what[1]) << " stopped before " << s << ", dies before " << l
                                      << ", " << j << " operations between, recoveries "
                                      << static_cast<int>(how) << ", round " << round);
        REQUIRE(w.right());
    }
};

void every_pair(std::uint64_t capacity, std::vector<fill> const& states,
                std::vector<std::uint64_t> const& between, tally& t) {
    for (auto const state : states)
        for (auto const a : changes)
            for (auto const b : changes)
                for (auto const j : between)
                    for (auto const start : changes)
                        for (auto const how : {recovery::in_order, recovery::backwards, recovery::nested,
                                               recovery::in_the_middle})
                            for (std::uint32_t const survivor : {0U, 3U}) {
                                two_deaths d{capacity, state, {a, b}, 0, 0, 0, j, start, how, survivor};
                                d.paused = true;
                                for (d.s = 1; d.paused; ++d.s) {
                                    d.first_died = true;
                                    for (d.k = 1; d.paused && d.first_died; ++d.k) {
                                        d.second_died = true;
                                        for (d.l = d.s; d.second_died; ++d.l) {
                                            d.paused = d.first_died = false;
                                            d.run(t);
                                            REQUIRE(d.l < 400);
                                        }
                                    }
                                }
                            }
}

TEST_CASE("two dead handles and one alive", "[fast]") {
    watchdog const limit(120);
    tally t;
    every_pair(1, {fill::empty, fill::full}, {0, 3}, t);
    if (!sanitized) every_pair(2, {fill::half}, {2}, t);
    t.close("two deaths");
    CHECK(t.deaths > 10000);
    CHECK(t.recoveries_killed > 1000);
}

TEST_CASE("two dead handles and one alive, larger", "[medium]") {
    watchdog const limit(600);
    tally t;
    if (sanitized)
        every_pair(3, {fill::half, fill::used}, {1}, t);
    else
        for (auto const capacity : sizes({1, 2, 3}))
            every_pair(capacity, {fill::empty, fill::half, fill::full, fill::used}, {0, 1, 2, 5}, t);
    t.close("two deaths, larger");
}

// ---------------------------------------------------------------------------------------------------------------------
// Every shared step, by SIGKILL, through segment, locks and handles.

struct verdict : visible {
    std::atomic<std::uint64_t> opened{0};
};

void real_deaths(std::uint64_t capacity, fill state, op what, std::uint64_t j, bool kill_recovery, tally& t) {
    constexpr std::uint32_t slots = 4;
    for (std::uint64_t k = 1;; ++k) {
        shared<verdict> const seen;
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        native_stack survivor(memory, "s", capacity, {slots});
        std::vector<std::uint64_t> ideal;
        std::uint64_t last = 0;
        auto const push = [&] {
            bool const room = ideal.size() < capacity;
            REQUIRE(survivor.try_push(item::of(++last)) == room);
            if (room) ideal.push_back(last);
        };
        auto const pop = [&] {
            auto const one = survivor.try_pop();
            REQUIRE(one.has_value() == !ideal.empty());
            if (one) {
                REQUIRE(one->number == ideal.back());
                REQUIRE(one->whole());
                ideal.pop_back();
            }
        };
        prepare(state, capacity, push, pop);

        constexpr std::uint64_t in_hand = 1000000;
        child doomed([&] {
            auto mine = Memory::open(name.str());
            auto const* const top = mine.base() + mine.find("s")->offset + layout::compact::top_offset;
            mortal_stack s(mine, "s");
            seen->opened = s.handle_slot();
            auto& f = fate::now();
            f = {};
            f.last = k;
            f.cells = top;
            f.cells_end = top + 8;
            f.seen = &*seen;
            item got{};
            if (what == op::push)
                s.try_push(item::of(in_hand));
            else if (what == op::pop)
                s.try_pop(got);
            else
                s.try_peek(got);
        });
        int const end = doomed.wait();
        REQUIRE((end == 0 || end == -SIGKILL));
        REQUIRE(seen->opened == 1);
        REQUIRE(seen->commits <= 1);
        if (seen->commits == 1) {
            if (what == op::push)
                ideal.push_back(in_hand);
            else
                ideal.pop_back();
        }
        for (std::uint64_t i = 0; i < j; ++i) i % 2 == 0 ? push() : pop();

        if (end == -SIGKILL && kill_recovery) {
            int again = -SIGKILL;
            for (std::uint64_t m = 1; again == -SIGKILL; ++m) {
                child heir([&] {
                    auto mine = Memory::open(name.str());
                    fate::now() = {};
                    fate::now().last = m;
                    mortal_stack s(mine, "s");
                    return s.handle_slot() == 1 ? 0 : 1;
                });
                again = heir.wait();
                t.recoveries_killed += again == -SIGKILL;
            }
            REQUIRE(again == 0);
        }
        // The newcomer gets the dead one's slot; nothing is parked.
        native_stack newcomer(memory, "s");
        REQUIRE(newcomer.handle_slot() == 1);
        REQUIRE(conserved<native_stack>(memory, "s", capacity, slots));
        while (ideal.size() < capacity) push();
        push();
        while (!ideal.empty()) pop();
        pop();
        REQUIRE(conserved<native_stack>(memory, "s", capacity, slots));
        if (end == 0) break;
        t.died(what, k, seen->commits == 1);
    }
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation on a stack", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const what : all_ops)
        for (auto const state : {fill::half, fill::full}) real_deaths(2, state, what, 5, false, t);
    t.close("SIGKILL");
    CHECK(t.deaths > 40);
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation on a stack and of its recovery",
          "[medium]") {
    watchdog const limit(300);
    tally t;
    for (auto const capacity : sizes({1, 2, 3}))
        for (auto const what : all_ops)
            for (auto const state : all_fills)
                for (std::uint64_t const j : {std::uint64_t{0}, 2 * capacity + 1})
                    real_deaths(capacity, state, what, j, capacity == 2, t);
    t.close("SIGKILL, all");
    CHECK(t.deaths > 200);
    CHECK(t.recoveries_killed > 100);
}

// ---------------------------------------------------------------------------------------------------------------------
// Every machine instruction of the shipped operation.

TEST_CASE("a process is killed at each machine instruction of an operation on a stack", "[fast]") {
    watchdog const limit(120);
    constexpr std::uint32_t slots = 4;
    constexpr std::uint64_t capacity = 2;
    for (auto const what : changes) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        {
            native_stack s(memory, "s", capacity, {slots});
            for (std::uint64_t i = 1; i <= 7; ++i) {
                REQUIRE(s.try_push(item::of(i)));
                if (i < 7) REQUIRE(s.try_pop().has_value());
            }
        }  // 7 is in it
        auto* const at = memory.base() + memory.find("s")->offset;
        auto const all = states_of(
            name_of(what),
            [&](tracee t) {
                auto mine = Memory::open(name.str());
                native_stack s(mine, "s");
                item got{};
                t.begin();
                if (what == op::push)
                    s.try_push(item::of(8));
                else
                    s.try_pop(got);
                t.end();
            },
            at, native_stack::bytes_for(capacity, {slots}));
        if (!all) return;
        REQUIRE(all->size() >= 5);
        auto const top_of = [](std::string const& image) {
            return image.substr(layout::compact::top_offset, 8);
        };
        bool done = false;
        for (auto const& image : *all) {
            INFO(name_of(what) << ", state " << (&image - all->data()));
            done = done || top_of(image) != top_of(all->front());
            std::memcpy(at, image.data(), image.size());
            std::vector<std::uint64_t> expected;
            if (what == op::push || !done) expected.push_back(7);
            if (what == op::push && done) expected.push_back(8);
            native_stack survivor(memory, "s");
            native_stack newcomer(memory, "s");
            CHECK(newcomer.handle_slot() == 1);
            CHECK(conserved<native_stack>(memory, "s", capacity, slots));
            for (std::uint64_t i = 9; expected.size() < capacity; ++i) {
                CHECK(newcomer.try_push(item::of(i)));
                expected.push_back(i);
            }
            CHECK_FALSE(newcomer.try_push(item::of(11)));
            for (; !expected.empty(); expected.pop_back()) {
                auto const one = survivor.try_pop();
                REQUIRE(one);
                CHECK(one->number == expected.back());
                CHECK(one->whole());
            }
            CHECK_FALSE(survivor.try_pop());
            CHECK(conserved<native_stack>(memory, "s", capacity, slots));
        }
        CHECK(done);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Random moments, among live processes (zeroipc_item_kills.hpp).

using words = Stack<std::uint64_t>;

TEST_CASE("20 kills at random moments on a stack", "[fast]") { random_kills<item_kills<words>>(20, 15, 4); }

TEST_CASE("100 kills at random moments on a stack", "[medium]") {
    random_kills<item_kills<words>>(100, 1, 4);
    random_kills<item_kills<words>>(100, 64, 4);
    random_kills<item_kills<Stack<std::uint64_t, layout::padded, ordering::fences, backoff::none>>>(100, 1000,
                                                                                                    4);
}

TEST_CASE("2000 kills at random moments on a stack", "[stress]") {
    random_kills<item_kills<words>>(2000, 2, 4);
    random_kills<item_kills<words>>(2000, 64, 4);
}

}  // namespace
