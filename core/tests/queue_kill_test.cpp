/// \file
/// Kills. A process may die at any instruction of any operation: the others go on, at most the item in its
/// hands is missing, nothing is there twice, and the next process finds every payload buffer again.
///
/// Three ways to die: by SIGKILL at random moments among live processes; before each shared step in turn, by
/// SIGKILL in a forked child and, a million times, in place (zeroipc_mortal.hpp); and before each machine
/// instruction (ptrace).

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "zeroipc_item_kills.hpp"
#include "zeroipc_mortal.hpp"
#include "zeroipc_random_kills.hpp"
#include "zeroipc_testing.hpp"
#include "zeroipc_traced.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using mortal_queue = Queue<std::uint64_t, mortal>;
using native_queue = Queue<std::uint64_t>;
using mortal_ring = ring_of<mortal_queue>;
static_assert(sizeof(mortal_word<std::uint64_t>) == 8 && sizeof(mortal_word<std::uint32_t>) == 4);

enum class op { push, pop };
enum class fill { empty, half, full, wrapped };
constexpr std::array all_ops{op::push, op::pop};
constexpr std::array all_fills{fill::empty, fill::half, fill::full, fill::wrapped};

/// Brings a queue of any kind, and its model, to a start state. `wrapped` is half full and has been round
/// three times.
template <class Push, class Pop>
void prepare(fill state, std::uint64_t capacity, Push&& push, Pop&& pop) {
    if (state == fill::wrapped)
        for (std::uint64_t i = 0; i < 3 * capacity + 1; ++i) {
            push();
            pop();
        }
    auto const items = state == fill::empty ? 0 : state == fill::full ? capacity : (capacity + 1) / 2;
    for (std::uint64_t i = 0; i < items; ++i) push();
}

// ---------------------------------------------------------------------------------------------------------------------
// Every shared step, in place.

/// A ring in private memory, its ideal, and a survivor whose every answer must be the ideal's.
class world {
public:
    static constexpr std::uint32_t slots = 4;

    /// \param survivor its handle slot: an undertaker asks the slots in their order, so it matters where it stands.
    world(std::uint64_t capacity, fill state, std::uint32_t survivor = 0)
        : shape_(mortal_ring::geometry(capacity, slots)), memory_(shape_.total / 64 + 2), base_(aligned()) {
        survivor_.emplace(base_, shape_, survivor);
        prepare(
            state, capacity, [&] { push(); }, [&] { pop(); });
    }

    [[nodiscard]] std::byte* base() const { return base_; }
    [[nodiscard]] exchange_geometry const& shape() const { return shape_; }
    [[nodiscard]] std::uint64_t fresh() { return ++last_; }
    [[nodiscard]] bool right() const { return right_; }

    /// What the world should be like after an operation that committed.
    void pushed(std::uint64_t item) { ideal_.push_back(item); }
    void popped() { ideal_.empty() ? wrong() : ideal_.pop_front(); }
    void wrong() { right_ = false; }

    void push() {
        auto const item = fresh();
        bool const room = ideal_.size() < shape_.capacity;
        if (survivor_->try_push(&item) != room) wrong();
        if (room) ideal_.push_back(item);
    }
    void pop() {
        std::uint64_t item = 0;
        bool const got = survivor_->try_pop(&item);
        if (got == ideal_.empty() || (got && item != ideal_.front())) wrong();
        if (!ideal_.empty()) ideal_.pop_front();
    }
    /// n operations of the survivor, push and pop in turn.
    void work(std::uint64_t n, op first) {
        for (std::uint64_t i = 0; i < n; ++i) ((i % 2 == 0) == (first == op::push)) ? push() : pop();
    }

    /// Full capacity, right contents, each buffer in one place.
    void final_check(std::uint32_t newcomer_slot) {
        mortal_ring newcomer(base_, shape_, newcomer_slot);
        std::uint64_t item = 0;
        while (ideal_.size() < shape_.capacity) {
            item = fresh();
            if (!newcomer.try_push(&item)) return wrong();
            ideal_.push_back(item);
        }
        item = fresh();
        if (newcomer.try_push(&item) || newcomer.was_size() != shape_.capacity) wrong();
        if (!conserved<mortal_queue>(base_, shape_.capacity, slots)) wrong();
        while (!ideal_.empty()) pop();
        if (newcomer.try_pop(&item) || newcomer.was_size() != 0) wrong();
        if (!conserved<mortal_queue>(base_, shape_.capacity, slots)) wrong();
    }

    [[nodiscard]] fate plan(std::uint64_t last) const {
        fate f;
        f.last = last;
        f.cells = base_ + shape_.cells;
        f.cells_end = base_ + shape_.buffers;
        return f;
    }

private:
    [[nodiscard]] std::byte* aligned() {
        auto const at = reinterpret_cast<std::uintptr_t>(memory_.data());
        return reinterpret_cast<std::byte*>((at + 63) / 64 * 64);
    }
    struct block {
        std::byte bytes[64];
    };

    exchange_geometry shape_;
    std::vector<block> memory_;
    std::byte* base_;
    std::optional<mortal_ring> survivor_;
    std::deque<std::uint64_t> ideal_;
    std::uint64_t last_ = 0;
    bool right_ = true;
};

/// A handle that will do one operation, and die in it perhaps.
class victim {
public:
    victim(world& w, std::uint32_t slot) : world_(w), slot_(slot) { open(); }
    void open() { ring_.emplace(world_.base(), world_.shape(), slot_); }
    [[nodiscard]] std::uint32_t slot() const { return slot_; }

    /// \return whether it lived; the world's ideal knows whether the operation took effect.
    bool act(op what, fate planned) {
        auto const item = world_.fresh();
        std::uint64_t got = 0;
        std::function<void()> const on_commit = [&] {
            what == op::push ? world_.pushed(item) : world_.popped();
        };
        planned.on_commit = &on_commit;
        bool const lived = survives(planned, [&] {
            if (what == op::push)
                ring_->try_push(&item);
            else
                ring_->try_pop(&got);
        });
        steps = std::max(steps, planned.taken);
        if (planned.commits > 1) world_.wrong();
        committed = planned.commits == 1;
        return lived;
    }

    std::uint64_t steps = 0;
    bool committed = false;

private:
    world& world_;
    std::uint32_t slot_;
    std::optional<mortal_ring> ring_;
};

struct tally {
    std::uint64_t deaths = 0;
    std::uint64_t after_commit = 0;
    std::uint64_t recoveries_killed = 0;
    std::uint64_t retries = 0;  ///< recoveries that had to wait for another dead handle's
    std::uint64_t parked = 0;   ///< that no order of recoveries decided
    std::uint64_t most_steps[2] = {0, 0};

    void print(char const* what) const {
        std::printf(
            "%s: %llu deaths (%llu after the commit), %llu recoveries killed, %llu retried, %llu parked; "
            "steps reached: "
            "push %llu, pop %llu\n",
            what, static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(after_commit),
            static_cast<unsigned long long>(recoveries_killed), static_cast<unsigned long long>(retries),
            static_cast<unsigned long long>(parked), static_cast<unsigned long long>(most_steps[0]),
            static_cast<unsigned long long>(most_steps[1]));
    }
};

bool recover(world& w, std::uint32_t slot) { return mortal_ring::recover(w.base(), w.shape(), slot); }

/// One death before step k, j operations of the survivor, a recovery that is killed before step m, and a
/// whole one. \return false if the operation ended before step k.
bool one_death(std::uint64_t capacity, fill state, op what, std::uint64_t k, std::uint64_t j, op first,
               std::uint64_t m, bool& recovery_was_killed, tally& t) {
    world w(capacity, state);
    victim v(w, 1);
    if (v.act(what, w.plan(k))) return false;
    w.work(j, first);
    if (m > 0) {
        auto planned = w.plan(m);
        recovery_was_killed = !survives(planned, [&] { recover(w, v.slot()); });
        t.recoveries_killed += recovery_was_killed;
    }
    // With nobody else at work it can always be decided.
    if (!recover(w, v.slot())) {
        ++t.parked;
        w.wrong();
    }
    w.final_check(v.slot());
    ++t.deaths;
    t.after_commit += v.committed;
    t.most_steps[static_cast<int>(what)] = std::max(t.most_steps[static_cast<int>(what)], k);
    if (!w.right())
        UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", "
                                  << (what == op::push ? "push" : "pop") << ", death before step " << k
                                  << ", " << j << " operations, recovery killed before step " << m);
    REQUIRE(w.right());
    return true;
}

void every_step(std::uint64_t capacity, tally& t) {
    for (auto const state : all_fills)
        for (auto const what : all_ops)
            for (std::uint64_t k = 1;; ++k) {
                bool hit = true;
                for (std::uint64_t j = 0; hit && j <= 2 * capacity + 1; ++j)
                    for (auto const first : all_ops) {
                        bool killed = true;
                        for (std::uint64_t m = 0; hit && killed; ++m)
                            hit = one_death(capacity, state, what, k, j, first, m, killed, t);
                    }
                if (!hit) break;
            }
}

TEST_CASE("an operation dies before each of its shared steps, and so does its recovery", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const capacity : sizes({1, 2, 4})) every_step(capacity, t);
    t.print("one death");
    CHECK(t.deaths > 1000);
    CHECK(t.after_commit > 100);
    CHECK(t.recoveries_killed > 100);
    CHECK(t.most_steps[0] >= 8);
    CHECK(t.most_steps[1] >= 8);
    CHECK(t.parked == 0);
}

/// The survivor runs *inside* the victim's operation, so that it loses races, walks, and dies on those paths
/// too.
void overtaken(std::uint64_t capacity, fill state, op what, tally& t) {
    bool paused = true;
    for (std::uint64_t s = 1; paused; ++s)
        for (std::uint64_t j = 1; j <= 2 * capacity + 1; ++j)
            for (auto const first : all_ops) {
                bool lived = false;
                for (std::uint64_t k = s; !lived; ++k) {
                    world w(capacity, state);
                    victim v(w, 1);
                    std::function<void()> const meanwhile = [&] { w.work(j, first); };
                    auto planned = w.plan(k);
                    planned.interrupted_at = s;
                    planned.interruption = &meanwhile;
                    lived = v.act(what, planned);
                    paused = v.steps >= s;
                    if (!lived) {
                        w.work(1, first);
                        if (!recover(w, v.slot())) {
                            ++t.parked;
                            w.wrong();
                        }
                        ++t.deaths;
                        t.after_commit += v.committed;
                        auto& most = t.most_steps[static_cast<int>(what)];
                        most = std::max(most, k);
                    }
                    w.final_check(v.slot());
                    if (!w.right())
                        UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", "
                                                  << (what == op::push ? "push" : "pop") << ", " << j
                                                  << " operations before step " << s << ", death before step "
                                                  << k);
                    REQUIRE(w.right());
                    REQUIRE(k < 400);
                }
            }
}

TEST_CASE("an operation that is overtaken in the middle dies before each of its shared steps", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const capacity : sizes({1, 2}))
        for (auto const state : all_fills)
            for (auto const what : all_ops) overtaken(capacity, state, what, t);
    t.print("overtaken");
    CHECK(t.deaths > 1000);
    CHECK(t.parked == 0);
}

TEST_CASE("an operation that is overtaken in the middle dies before each of its shared steps, larger",
          "[medium]") {
    watchdog const limit(300);
    tally t;
    for (auto const capacity : sanitized ? sizes({4}) : sizes({4, 8}))
        for (auto const state : all_fills)
            for (auto const what : all_ops) overtaken(capacity, state, what, t);
    t.print("overtaken, larger");
    CHECK(t.deaths > 10000);
    CHECK(t.parked == 0);
}

/// When the slots of two dead handles are taken over: afterwards, in either order; or the first one's while
/// the second victim is in the middle of its operation, and the new owner sets to work at once.
enum class recovery { in_order, backwards, in_the_middle };

/// Two victims: the second is stopped before step s, the first acts and dies before step k, the survivor does
/// j operations, the second goes on and dies before step l, or lives.
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
        victim a(w, 1);
        victim b(w, 2);
        bool recovered = false;
        std::function<void()> const meanwhile = [&] {
            paused = true;
            first_died = !a.act(what[0], w.plan(k));
            w.work(j, first);
            if (how != recovery::in_the_middle || !first_died || !recover(w, 1)) return;
            recovered = true;
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
        if (how == recovery::in_the_middle && first_died && !recovered) ++t.retries;
        bool const one = recover(w, order[0]);
        bool const two = recover(w, order[1]);
        if (how != recovery::in_the_middle) t.retries += !one;
        // Whose buffers no other dead handle names can be decided, and then the other one can.
        if (!one && !recover(w, order[0])) ++t.parked;
        if (!two) ++t.parked;
        w.final_check(3 - survivor);
        t.deaths += first_died + second_died;
        t.after_commit += (first_died && a.committed) + (second_died && b.committed);
        t.most_steps[static_cast<int>(what[0])] = std::max(t.most_steps[static_cast<int>(what[0])], a.steps);
        if (!w.right())
            UNSCOPED_INFO("capacity " << capacity << ", fill " << static_cast<int>(state) << ", first "
                                      << (what[0] == op::push ? "push" : "pop") << " dies before " << k
                                      << ", second " << (what[1] == op::push ? "push" : "pop")
                                      << " stopped before " << s << ", dies before " << l << ", " << j
                                      << " operations between");
        REQUIRE(w.right());
    }
};

void every_pair(std::uint64_t capacity, std::vector<fill> const& states,
                std::vector<std::uint64_t> const& between, tally& t) {
    for (auto const state : states)
        for (auto const first : all_ops)
            for (auto const second : all_ops)
                for (auto const j : between)
                    for (auto const start : all_ops)
                        for (auto const how :
                             {recovery::in_order, recovery::backwards, recovery::in_the_middle})
                            for (std::uint32_t const survivor : {0U, 3U}) {
                                two_deaths d{capacity, state, {first, second}, 0,   0,
                                             0,        j,     start,           how, survivor};
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

TEST_CASE("two dead handles that name each other's buffers", "[fast]") {
    watchdog const limit(120);
    tally t;
    every_pair(1, {fill::empty, fill::full}, {0, 3}, t);
    if (!sanitized) every_pair(2, {fill::half}, {0, 5}, t);
    t.print("two deaths");
    CHECK(t.deaths > 1000);
    CHECK(t.parked == 0);
}

TEST_CASE("two dead handles that name each other's buffers, larger", "[medium]") {
    watchdog const limit(600);
    tally t;
    every_pair(1, fewer({fill::empty, fill::full, fill::wrapped}), fewer<std::uint64_t>({0, 1, 2, 3}), t);
    if (sanitized)
        every_pair(2, {fill::half}, {2}, t);
    else
        every_pair(2, {fill::empty, fill::half, fill::full, fill::wrapped}, {0, 1, 2, 5}, t);
    t.print("two deaths, larger");
    CHECK(t.deaths > 10000);
    CHECK(t.parked == 0);
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
        native_queue survivor(memory, "q", capacity, {slots});
        std::deque<std::uint64_t> ideal;
        std::uint64_t last = 0;
        auto const push = [&] {
            bool const room = ideal.size() < capacity;
            REQUIRE(survivor.try_push(++last) == room);
            if (room) ideal.push_back(last);
        };
        auto const pop = [&] {
            auto const item = survivor.try_pop();
            REQUIRE(item.has_value() == !ideal.empty());
            if (item) {
                REQUIRE(*item == ideal.front());
                ideal.pop_front();
            }
        };
        prepare(state, capacity, push, pop);

        constexpr std::uint64_t in_hand = 1000000;
        // k counts from the operation's first step, or from the first step of opening a handle behind a
        // death.
        child doomed([&] {
            auto mine = Memory::open(name.str());
            auto const entry = mine.find("q");
            auto const shape = mortal_ring::geometry(capacity, slots);
            mortal_queue q(mine, "q");
            seen->opened = q.handle_slot();
            auto& f = fate::now();
            f = {};
            f.last = k;
            f.cells = mine.base() + entry->offset + shape.cells;
            f.cells_end = mine.base() + entry->offset + shape.buffers;
            f.seen = &*seen;
            std::uint64_t got = 0;
            if (what == op::push)
                q.try_push(in_hand);
            else
                q.try_pop(got);
        });
        int const end = doomed.wait();
        REQUIRE((end == 0 || end == -SIGKILL));
        REQUIRE(seen->opened == 1);
        REQUIRE(seen->commits <= 1);
        if (seen->commits == 1) {
            if (what == op::push)
                ideal.push_back(in_hand);
            else
                ideal.pop_front();
        }
        for (std::uint64_t i = 0; i < j; ++i) i % 2 == 0 ? push() : pop();

        if (end == -SIGKILL && kill_recovery) {
            int again = -SIGKILL;
            for (std::uint64_t m = 1; again == -SIGKILL; ++m) {
                child heir([&] {
                    auto mine = Memory::open(name.str());
                    fate::now() = {};
                    fate::now().last = m;
                    mortal_queue q(mine, "q");
                    return q.handle_slot() == 1 ? 0 : 1;
                });
                again = heir.wait();
                t.recoveries_killed += again == -SIGKILL;
            }
            REQUIRE(again == 0);
        }
        // The newcomer gets the dead one's slot; nothing is parked.
        native_queue newcomer(memory, "q");
        REQUIRE(newcomer.handle_slot() == 1);
        REQUIRE(conserved<native_queue>(memory, "q", capacity, slots));
        while (ideal.size() < capacity) push();
        push();
        while (!ideal.empty()) pop();
        pop();
        REQUIRE(conserved<native_queue>(memory, "q", capacity, slots));
        if (end == 0) break;
        ++t.deaths;
        t.after_commit += seen->commits;
        auto& most = t.most_steps[static_cast<int>(what)];
        most = std::max(most, k);
    }
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const what : all_ops)
        for (auto const state : {fill::half, fill::wrapped}) real_deaths(2, state, what, 5, false, t);
    t.print("SIGKILL");
    CHECK(t.deaths > 40);
    CHECK(t.most_steps[0] >= 8);
    CHECK(t.most_steps[1] >= 8);
}

TEST_CASE("a process is SIGKILLed before each shared step of an operation and of its recovery", "[medium]") {
    watchdog const limit(300);
    tally t;
    for (auto const capacity : sizes({1, 2, 4}))
        for (auto const what : all_ops)
            for (auto const state : all_fills)
                for (std::uint64_t const j : {std::uint64_t{0}, 2 * capacity + 1})
                    real_deaths(capacity, state, what, j, capacity == 2, t);
    t.print("SIGKILL, all");
    CHECK(t.deaths > 200);
    CHECK(t.recoveries_killed > 100);
}

// ---------------------------------------------------------------------------------------------------------------------
// Batches: the same for each item, through segment, locks and handles, in place.

/// One batch of four dies before step k. \return whether it lived.
bool batch_dies(std::uint64_t capacity, fill state, op what, bool sleeper, std::uint64_t k, tally& t) {
    constexpr std::uint32_t slots = 3;
    constexpr std::array<std::uint64_t, 4> batch{1001, 1002, 1003, 1004};
    segment_name const name;
    auto memory = Memory::create(name, 1 << 14);
    native_queue survivor(memory, "q", capacity, {slots});
    std::deque<std::uint64_t> ideal;
    std::uint64_t last = 0;
    prepare(
        state, capacity,
        [&] {
            REQUIRE(survivor.try_push(++last));
            ideal.push_back(last);
        },
        [&] {
            REQUIRE(survivor.try_pop() == ideal.front());
            ideal.pop_front();
        });
    auto* const base = memory.base() + memory.find("q")->offset;
    if (sleeper) {  // its wake-up is part of the batch
        std::uint32_t const announced = 1;
        std::memcpy(base + layout::compact::items_wait_offset, &announced, 4);
        std::memcpy(base + layout::compact::space_wait_offset, &announced, 4);
    }

    std::optional<mortal_queue> victim(std::in_place, memory, "q");
    REQUIRE(victim->handle_slot() == 1);
    std::array<std::uint64_t, 4> got{};
    std::size_t answer = 99;
    auto const shape = mortal_ring::geometry(capacity, slots);
    fate planned;
    planned.last = k;
    planned.cells = base + shape.cells;
    planned.cells_end = base + shape.buffers;
    bool const lived = survives(
        planned, [&] { answer = what == op::push ? victim->try_push_n(batch) : victim->try_pop_n(got); });
    victim.reset();  // the kernel drops the lock

    auto const possible = std::min<std::size_t>(4, what == op::push ? capacity - ideal.size() : ideal.size());
    REQUIRE(planned.commits <= possible);
    if (lived) REQUIRE((answer == possible && planned.commits == possible));
    for (std::size_t i = 0; i < planned.commits; ++i) {
        if (what == op::push) {
            ideal.push_back(batch[i]);
        } else {
            // All but the one in hand have come out.
            if (lived || i + 1 < planned.commits) REQUIRE(got[i] == ideal.front());
            ideal.pop_front();
        }
    }
    native_queue newcomer(memory, "q");
    REQUIRE(newcomer.handle_slot() == 1);
    REQUIRE(conserved<native_queue>(memory, "q", capacity, slots));
    REQUIRE(newcomer.was_size() == ideal.size());
    while (ideal.size() < capacity) {
        REQUIRE(newcomer.try_push(++last));
        ideal.push_back(last);
    }
    REQUIRE_FALSE(survivor.try_push(0));
    for (auto const item : ideal) REQUIRE(survivor.try_pop() == item);
    REQUIRE_FALSE(newcomer.try_pop());
    REQUIRE(conserved<native_queue>(memory, "q", capacity, slots));
    if (!lived) {
        ++t.deaths;
        t.after_commit += planned.commits > 0;
        auto& most = t.most_steps[static_cast<int>(what)];
        most = std::max(most, k);
    }
    return lived;
}

TEST_CASE("a batch dies before each of its shared steps", "[fast]") {
    watchdog const limit(120);
    tally t;
    for (auto const capacity : sizes({1, 2, 4, 8}))
        for (auto const state : all_fills)
            for (auto const what : all_ops)
                for (bool const sleeper : {false, true})
                    for (std::uint64_t k = 1; !batch_dies(capacity, state, what, sleeper, k, t); ++k)
                        REQUIRE(k < 200);
    t.print("batches");
    CHECK(t.deaths > 500);
    CHECK(t.after_commit > 200);
    CHECK(t.most_steps[0] >= 30);
    CHECK(t.most_steps[1] >= 30);
}

// ---------------------------------------------------------------------------------------------------------------------
// Every machine instruction of the shipped operation.

TEST_CASE("a process is killed at each machine instruction of an operation", "[fast]") {
    watchdog const limit(120);
    constexpr std::uint32_t slots = 4;
    constexpr std::uint64_t capacity = 2;
    for (auto const what : all_ops) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        std::uint64_t const offset = format::table_end(64);
        std::uint64_t const bytes = native_queue::bytes_for(capacity, {slots});
        {
            native_queue q(memory, "q", capacity, {slots});
            REQUIRE(memory.find("q")->offset == offset);
            for (std::uint64_t i = 1; i <= 7; ++i) {
                q.push(i);
                if (i < 7) REQUIRE(q.pop() == i);
            }
        }  // 7 is in it
        auto const all = states_of(
            what == op::push ? "push" : "pop",
            [&](tracee t) {
                auto mine = Memory::open(name.str());
                native_queue q(mine, "q");
                std::uint64_t got = 0;
                t.begin();
                if (what == op::push)
                    q.try_push(8);
                else
                    q.try_pop(got);
                t.end();
            },
            memory.base() + offset, bytes);
        if (!all) return;
        REQUIRE(all->size() >= 5);
        auto const shape = ring_of<native_queue>::geometry(capacity, slots);
        auto const cells_of = [&](std::string const& image) {
            return image.substr(shape.cells, 8 * capacity);
        };
        bool done = false;
        for (auto const& image : *all) {
            INFO("state " << (&image - all->data()));
            done = done || cells_of(image) != cells_of(all->front());
            std::memcpy(memory.base() + offset, image.data(), image.size());
            std::vector<std::uint64_t> expected;
            if (what == op::push || !done) expected.push_back(7);
            if (what == op::push && done) expected.push_back(8);
            native_queue survivor(memory, "q");
            native_queue newcomer(memory, "q");
            CHECK(newcomer.handle_slot() == 1);
            CHECK(conserved<native_queue>(memory, "q", capacity, slots));
            if (expected.size() < capacity) {
                CHECK(newcomer.try_push(9));
                expected.push_back(9);
            }
            while (expected.size() < capacity) {
                CHECK(newcomer.try_push(10));
                expected.push_back(10);
            }
            CHECK_FALSE(newcomer.try_push(11));
            for (auto const item : expected) CHECK(survivor.try_pop() == item);
            CHECK_FALSE(survivor.try_pop());
            CHECK(conserved<native_queue>(memory, "q", capacity, slots));
        }
        CHECK(done);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Random moments, among live processes (zeroipc_item_kills.hpp).

TEST_CASE("20 kills at random moments", "[fast]") { random_kills<item_kills<native_queue>>(20, 16, 4); }

TEST_CASE("200 kills at random moments", "[medium]") {
    random_kills<item_kills<native_queue>>(200, 2, 4);
    random_kills<item_kills<native_queue>>(200, 64, 4);
    random_kills<item_kills<Queue<std::uint64_t, layout::padded, ordering::fences, backoff::none>>>(100, 1024,
                                                                                                    4);
}

TEST_CASE("2000 kills at random moments", "[stress]") {
    random_kills<item_kills<native_queue>>(2000, 1, 4);
    random_kills<item_kills<native_queue>>(2000, 64, 4);
}

}  // namespace
