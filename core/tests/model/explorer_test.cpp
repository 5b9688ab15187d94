/// \file
/// The explorer itself: it sees every interleaving, finds planted faults by each of its strategies, replays them, and
/// says who waits for the dead.

#include <zeroipc_model/deaths.hpp>
#include <zeroipc_model/litmus.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace zeroipc::model;
using s = litmus_state;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

/// Threads on a few words, and a check at the end.
class toy final : public words_scenario {
public:
    toy(std::vector<std::function<void(litmus_state&)>> threads,
        std::function<std::string(litmus_state&)> at_end = {})
        : words_scenario(std::move(threads)), at_end_(std::move(at_end)) {}
    std::string check() override { return at_end_ ? at_end_(state_) : std::string(); }

private:
    std::function<std::string(litmus_state&)> at_end_;
};

/// Two increments by load and store: one is lost if they overlap.
toy lost_update() {
    auto const increment = [](s& m) {
        auto const seen = m.x.load(acquire);
        m.x.store(seen + 1, release);
    };
    return {{increment, increment},
            [](s& m) { return m.x.load(relaxed) == 2 ? std::string() : std::string("an update is lost"); }};
}

TEST_CASE("all interleavings are seen, and no more", "[fast]") {
    // Two threads of n steps each at one place: (2n)! / (n! n!) orders.
    for (auto const& [steps, orders] : {std::pair{1U, 2U}, {2U, 6U}, {3U, 20U}, {4U, 70U}}) {
        std::vector<std::uint64_t> order;
        std::set<std::vector<std::uint64_t>> seen;
        std::uint64_t runs = 0;
        auto const n = steps;
        auto const thread = [&order, n](std::uint64_t me) {
            return [&order, n, me](s& m) {
                for (unsigned i = 0; i < n; ++i) {
                    m.x.fetch_add(1, relaxed);
                    order.push_back(me);
                }
            };
        };
        toy scene({thread(1), thread(2)}, [&](s&) {
            seen.insert(order);
            order.clear();
            ++runs;
            return std::string();
        });
        settings how;
        how.preemptions = 99;
        auto const v = explorer(how).explore(scene);
        CHECK(v.right);
        CHECK(v.exhausted);
        CHECK(seen.size() == orders);
        CHECK(runs <= orders + 2);  // the place turns out to be shared in the first run, and it begins anew
    }
}

TEST_CASE("preemptions are bounded, and what needs more is not found", "[fast]") {
    auto scene = lost_update();
    settings how;
    how.stale = 0;
    how.preemptions = 0;
    auto v = explorer(how).explore(scene);
    CHECK(v.right);
    CHECK(v.exhausted);
    how.preemptions = 1;
    v = explorer(how).explore(scene);
    CHECK_FALSE(v.right);
    CHECK(v.what == "an update is lost");
}

TEST_CASE("a failure is found by every strategy, and its schedule replays it", "[fast]") {
    for (auto const by : {strategy::exhaustive, strategy::random, strategy::pct}) {
        auto scene = lost_update();
        settings how;
        how.how = by;
        how.executions = 10'000;
        how.seed = 7;
        INFO("strategy " << static_cast<int>(by) << ", seed " << how.seed);
        auto const v = explorer(how).explore(scene);
        REQUIRE_FALSE(v.right);
        CHECK(v.trace.find("load x") != std::string::npos);
        settings again;
        again.how = strategy::replay;
        again.replay = v.schedule;
        auto const w = explorer(again).explore(scene);
        CHECK(w.what == v.what);
        CHECK(w.schedule == v.schedule);
        CHECK(w.trace == v.trace);
        // The same seed does the same.
        auto const same = explorer(how).explore(scene);
        CHECK(same.executions == v.executions);
        CHECK(same.schedule == v.schedule);
    }
}

TEST_CASE("what is no schedule is refused", "[fast]") {
    auto scene = lost_update();
    settings how;
    how.how = strategy::replay;
    how.replay = "0*3";
    CHECK_THROWS_AS(explorer(how).explore(scene), std::invalid_argument);
}

TEST_CASE("who waits for the dead makes no progress", "[fast]") {
    auto const lock = [](s& m) {
        for (std::uint64_t free = 0; !m.x.compare_exchange_strong(free, 1, acquire, relaxed); free = 0)
            explorer::active()->yield();
        m.write(m.read() + 1);
        m.x.store(0, release);
    };
    toy scene({lock, lock});
    settings how;
    auto v = explorer(how).explore(scene);
    CHECK(v.right);
    auto const d = explore_deaths(scene, how, {0});
    CHECK_FALSE(d.right());
    CHECK(how.death[0] == 2);  // it holds the lock then
    CHECK(d.last.what.find("no progress: thread 1 waits") == 0);
    CHECK(d.last.what.find("thread 0 is dead") != std::string::npos);
}

TEST_CASE("every step is a place to die, and the end is known", "[fast]") {
    std::set<std::uint64_t> left;
    toy scene({[](s& m) {
                  m.x.store(1, relaxed);
                  m.x.store(2, relaxed);
                  m.x.store(3, relaxed);
              }},
              [&](s& m) {
                  left.insert(m.x.load(relaxed));
                  return std::string();
              });
    settings how;
    auto const d = explore_deaths(scene, how, {0});
    CHECK(d.right());
    CHECK(d.deaths == 3);
    CHECK(d.steps == std::vector<unsigned>{3});
    CHECK(left == std::set<std::uint64_t>{0, 1, 2, 3});
}

TEST_CASE("an endless operation, an exception, and a fault at the end are failures", "[fast]") {
    toy endless({[](s& m) {
        for (;;) m.x.fetch_add(1, relaxed);
    }});
    CHECK(explorer({}).explore(endless).what.find("no end after") == 0);
    toy throws({[](s& m) {
        m.x.store(1, relaxed);
        throw std::runtime_error("so be it");
    }});
    CHECK(explorer({}).explore(throws).what == "thread 0: so be it");
    toy wrong({[](s&) {}}, [](s&) -> std::string { throw std::runtime_error("late"); });
    CHECK(explorer({}).explore(wrong).what == "at the end: late");
}

TEST_CASE("what a dead thread did is known to who is told of its death", "[fast]") {
    // Relaxed stores and payload: the kernel orders them.
    toy scene({[](s& m) {
                   m.write(5);
                   m.x.store(1, relaxed);
                   m.x.store(2, relaxed);
               },
               [](s& m) {
                   if (!explorer::active()->await_death(0)) return;
                   if (m.x.load(relaxed) == 1 && m.read() != 5)
                       explorer::active()->fail("payload of the dead is not seen");
                   m.write(6);
               }});
    settings how;
    auto const d = explore_deaths(scene, how, {0});
    INFO(d.last.text());
    CHECK(d.right());
    CHECK(d.deaths == 3);
}

TEST_CASE("an access outside of the structure is a failure", "[fast]") {
    litmus_state elsewhere{};
    toy scene({[&](s&) { elsewhere.x.store(1, relaxed); }});
    CHECK(explorer({}).explore(scene).what == "an access outside of the structure");
}

}  // namespace
