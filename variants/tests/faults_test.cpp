/// \file
/// Deaths and races at chosen steps: what is safe under a lock of the kernel is so at every step, and what claims less than
/// the default has the fault for which it claims less, so that the checkers are known to see it.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "zeroipc_census.hpp"
#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

using variants::map_variant;
using variants::queue_variant;
using variants::stack_variant;
namespace algorithm = variants::algorithm;

/// The queue of a variant, and the same on atomics that die.
template <class Variant>
using queue_of = typename Variant::template type<std::uint64_t>;
template <class Variant>
using mortal_of = queue_of<typename Variant::template on<mortal>>;

/// What a process does with a structure of the segment, killed before its shared step k. \return how it ended.
template <class Structure, class Act>
int killed_before(segment_name const& segment, char const* entry, std::uint64_t k, Act&& act) {
    child doomed([&] {
        auto mine = Memory::open(segment.str());
        Structure handle(mine, entry);
        fate::now() = {};
        fate::now().last = k;
        act(handle);
    });
    int const end = doomed.wait();
    REQUIRE((end == 0 || end == -SIGKILL));
    return end;
}

/// The same in this process, which gives the operation up there. \return whether it had such a step.
template <class Act>
bool given_up_before(std::uint64_t k, Act&& act) {
    fate planned;
    planned.last = k;
    return !survives(planned, act);
}

/// An operation on a queue or stack.
template <class Container>
void push_or_pop(Container& c, bool push, std::uint64_t item) {
    if (push)
        c.try_push(item);
    else
        c.try_pop(item);
}

template <class Variant>
void a_process_dies_at_each_step() {
    watchdog const limit(100);
    static_assert(Variant::kill_safe);
    using native = queue_of<Variant>;
    std::uint64_t deaths = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            survivor.push(1);
            survivor.push(2);
            int const end =
                killed_before<mortal_of<Variant>>(name, "q", k, [&](auto& q) { push_or_pop(q, push, 3); });
            deaths += end == -SIGKILL;
            // The operation took effect or not; a second death on top does not matter.
            CHECK(killed_before<mortal_of<Variant>>(name, "q", 1,
                                                    [](auto& q) { push_or_pop(q, false, 0); }) == -SIGKILL);
            std::vector<std::uint64_t> left;
            std::uint64_t item = 0;
            while (survivor.try_pop(item)) left.push_back(item);
            bool const stack = Variant::structure == "stack";
            if (stack) std::reverse(left.begin(), left.end());
            INFO("step " << k);
            if (push)
                CHECK((left == std::vector<std::uint64_t>{1, 2} ||
                       left == std::vector<std::uint64_t>{1, 2, 3}));
            else
                CHECK((left == std::vector<std::uint64_t>{1, 2} ||
                       left == std::vector<std::uint64_t>{stack ? 1U : 2U}));
            for (std::uint64_t i = 0; i < 4; ++i) CHECK(survivor.try_push(i));
            CHECK_FALSE(survivor.try_push(4));
            if (end == 0) break;
        }
    CHECK(deaths >= 8);
}

TEMPLATE_TEST_CASE("arrays for one producer: a process dies at each step", "[fast]",
                   (queue_variant<algorithm::spsc>), (queue_variant<algorithm::spsc, ordering::fences>),
                   (queue_variant<algorithm::spsc_batch>)) {
    a_process_dies_at_each_step<TestType>();
}

TEMPLATE_TEST_CASE("arrays with locks: a process dies at each step", "[fast][kernel]",
                   (queue_variant<algorithm::mutex>), (queue_variant<algorithm::mutex, layout::padded>),
                   (queue_variant<algorithm::two_lock>), (queue_variant<algorithm::two_lock, layout::padded>),
                   (stack_variant<algorithm::stack_mutex>),
                   (stack_variant<algorithm::stack_mutex, layout::padded>)) {
    a_process_dies_at_each_step<TestType>();
}

/// Whether each node or cell is in one place, when all is quiet.
template <class Map>
bool all_accounted_for(Memory& memory, std::uint64_t capacity, std::uint32_t handle_slots) {
    using table = typename Map::algorithm::template table<typename Map::policies, 8, 8>;
    auto* const base = memory.base() + memory.find("m")->offset;
    auto const g = table::geometry(capacity, handle_slots, 1);
    bool right = true;
    if constexpr (requires { g.node_count; }) {
        std::vector<int> seen(g.node_count + 1, 0);
        table::visit_nodes(base, g, [&](std::uint64_t node) { ++seen.at(node); });
        right = std::all_of(seen.begin() + 1, seen.end(), [](int places) { return places == 1; });
    } else {
        table::visit_cells(base, g, [&](bool taken, unsigned keys) { right = right && keys == taken; });
    }
    return right;
}

/// The lock-free maps for comparison: whatever its step of death, an operation took place or did not.
TEMPLATE_TEST_CASE("chains and open addressing: a process dies at each step, and over the recovery", "[fast]",
                   (map_variant<algorithm::chained>), (map_variant<algorithm::chained, layout::padded>),
                   (map_variant<algorithm::open_addressing>),
                   (map_variant<algorithm::open_addressing, layout::padded>)) {
    watchdog const limit(100);
    using variant = TestType;
    using native = typename variant::template type<std::uint64_t, std::uint64_t>;
    using mortal_map = typename variant::template on<mortal>::template type<std::uint64_t, std::uint64_t>;
    enum class operation { insert, assign, erase, exchange };
    std::uint64_t deaths = 0;
    for (auto const what : {operation::insert, operation::assign, operation::erase, operation::exchange})
        for (bool const has_spare : {false, true})
            for (std::uint64_t k = 1;; ++k) {
                INFO("operation " << static_cast<int>(what) << ", step " << k);
                segment_name const name;
                auto memory = Memory::create(name, 1 << 14);
                native survivor(memory, "m", 4, {2, 1});
                survivor.insert(1, 10);
                survivor.insert(2, 20);
                if (has_spare) {
                    native other(memory, "m");
                    other.insert(3, 30);
                    other.erase(3);
                }
                int const end = killed_before<mortal_map>(name, "m", k, [&](auto& m) {
                    if (what == operation::insert) m.insert(3, 30);
                    if (what == operation::assign) m.insert_or_assign(1, 11);
                    if (what == operation::erase) m.erase(1);
                    std::uint64_t expected = 10;
                    if (what == operation::exchange) m.compare_exchange(1, expected, 11);
                });
                deaths += end == -SIGKILL;
                if (k % 3 == 0) survivor.erase(3);
                if (k % 3 == 1) survivor.insert_or_assign(2, 20);
                // A newcomer dies over the recovery, or there is nothing to recover for it any more.
                child heir([&] {
                    auto mine = Memory::open(name.str());
                    fate::now() = {};
                    fate::now().last = 1 + k % 12;
                    mortal_map const handle(mine, "m");
                });
                heir.wait();
                { native const last(memory, "m"); }
                auto const one = survivor.find(1);
                auto const three = survivor.find(3);
                CHECK(survivor.find(2) == 20);
                CHECK((!three || (what == operation::insert && three == 30)));
                if (what == operation::insert)
                    CHECK(one == 10);
                else
                    CHECK((one == 10 || (what == operation::erase ? !one : one == 11)));
                CHECK(all_accounted_for<native>(memory, 4, 2));
                if (end == 0) break;
            }
    CHECK(deaths >= 60);
}

/// All keys at one home: full is said when no cell is left, nothing is lost by it, and one removal makes room.
TEST_CASE("open addressing: a home has 40 cells", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 14);
    map_variant<algorithm::open_addressing>::type<std::uint64_t, std::uint64_t> m(memory, "m", 1, {2, 1});
    for (std::uint64_t lap = 0; lap < 3; ++lap) {
        for (std::uint64_t key = 0; key < 40; ++key) CHECK(m.insert(key, lap) == outcome::inserted);
        CHECK(m.insert(40, lap) == outcome::full);
        CHECK(m.insert(39, lap) == outcome::present);
        CHECK(m.insert_or_assign(7, 70) == outcome::full);  // a new value needs a cell, for a moment
        CHECK(m.find(7) == lap);
        CHECK(m.was_size() == 40);
        CHECK(m.erase(20));
        CHECK(m.insert_or_assign(7, 70) == outcome::assigned);
        CHECK(m.insert(40, lap) == outcome::inserted);
        for (std::uint64_t key = 0; key <= 40; ++key) CHECK(m.erase(key) == (key != 20));
        CHECK(m.was_empty());
    }
}

/// The striped map: whatever its step of death, an operation took place or did not; and no node is lost for good.
TEST_CASE("the map with striped locks: a process dies at each step", "[fast][kernel]") {
    watchdog const limit(100);
    using variant = map_variant<algorithm::striped>;
    using native = variant::type<std::uint64_t, std::uint64_t>;
    using mortal_map = variant::on<mortal>::type<std::uint64_t, std::uint64_t>;
    enum class operation { insert, assign, erase };
    std::uint64_t deaths = 0;
    for (auto const what : {operation::insert, operation::assign, operation::erase})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "m", 4, {1, 1});
            survivor.insert(1, 10);
            survivor.insert(2, 20);
            int const end = killed_before<mortal_map>(name, "m", k, [&](auto& m) {
                if (what == operation::insert) m.insert(3, 30);
                if (what == operation::assign) m.insert_or_assign(1, 11);
                if (what == operation::erase) m.erase(1);
            });
            deaths += end == -SIGKILL;
            // Another one fills the map, so that it looks for the dead one's node, and dies over it or elsewhere.
            killed_before<mortal_map>(name, "m", 1 + 7 * k % 80, [](auto& m) {
                for (std::uint64_t key = 100; m.insert(key, 0) == outcome::inserted;) ++key;
            });
            for (std::uint64_t key = 100; key < 110; ++key) survivor.erase(key);
            INFO("operation " << static_cast<int>(what) << ", step " << k);
            CHECK(survivor.find(2) == 20);
            auto const one = survivor.find(1);
            auto const three = survivor.find(3);
            if (what == operation::insert) {
                CHECK(one == 10);
                CHECK((!three || three == 30));
            } else {
                CHECK_FALSE(three);
                CHECK((one == 10 || (what == operation::assign ? one == 11 : !one)));
            }
            // All of the capacity is there, time and again.
            for (std::uint64_t lap = 0; lap < 5; ++lap) {
                for (std::uint64_t key = 0; key < 4; ++key)
                    CHECK(survivor.insert_or_assign(key, lap) != outcome::full);
                CHECK(survivor.was_size() == 4);
                std::uint64_t more = 4;
                while (survivor.insert(more, 0) == outcome::inserted) ++more;
                CHECK(more <= 8);  // four stripes
                for (std::uint64_t key = 0; key < more; ++key) CHECK(survivor.erase(key));
                CHECK(survivor.was_empty());
            }
            if (end == 0) break;
        }
    CHECK(deaths >= 20);
}

/// A backoff policy in which somebody else runs: while a push of the stack with elimination backs off, its offer stands.
struct others_go_on {
    using policy_kind = policy::backoff_kind;
    static constexpr std::string_view name = "others_go_on";
    static inline std::function<void()> const* others = nullptr;
    void operator()() const {
        if (others == nullptr) return;
        auto const mine = fate::now();
        auto const* const once = std::exchange(others, nullptr);
        fate::now() = {};
        (*once)();
        fate::now() = mine;
    }
};

/// Three handles on a stack with elimination, in the middle of an exchange: a push loses its race to a third handle, and
/// while its offer stands, a pop loses its own.
class exchange {
public:
    using variant = stack_variant<algorithm::elimination, others_go_on, observer::counting>;
    using ring = ring_of<mortal_of<variant>>;
    static constexpr std::uint32_t slots = 3;

    /// \param lost_at the step of the push before which the third handle pushes, and of the pop.
    exchange(std::uint64_t capacity, unsigned filled, std::uint64_t push_lost_at, std::uint64_t pop_lost_at)
        : shape_(ring::geometry(capacity, slots)),
          memory_(shape_.total / 64 + 1),
          push_lost_at_(push_lost_at),
          pop_lost_at_(pop_lost_at) {
        for (std::uint64_t i = 1; i <= filled; ++i) thirds(i);
    }

    /// \param push_dies the step before which it does so; 0: never. \param pop_dies the same.
    void run(std::uint64_t push_dies, std::uint64_t pop_dies) {
        std::function<void()> const before_pop = [&] { thirds(21); };
        std::function<void()> const while_offered = [&] {
            offered = true;
            fate f;
            f.last = pop_dies;
            f.interrupted_at = pop_lost_at_;
            f.interruption = &before_pop;
            pop_lived = survives(f, [&] { popped = pop_.try_pop(&item); });
            met = pop_.observed().helps != 0;
        };
        others_go_on::others = &while_offered;
        push_after_losing(push_dies);
        others_go_on::others = nullptr;
    }

    /// The push dies before a step; its heir pushes another item, of the same node; then the pop loses its race.
    void run_heir(std::uint64_t push_dies) {
        push_after_losing(push_dies);
        if (push_lived) return;
        CHECK(ring::recover(base(), shape_, 0));
        ring heir(base(), shape_, 0);
        std::uint64_t const another = 200;
        CHECK(heir.try_push(&another));
        std::function<void()> const before_pop = [&] { thirds(21); };
        fate g;
        g.interrupted_at = pop_lost_at_;
        g.interruption = &before_pop;
        survives(g, [&] { popped = pop_.try_pop(&item); });
    }

    /// Takes the dead ones' slots over, counts the nodes, and empties the stack.
    std::vector<std::uint64_t> left() {
        if (!push_lived) CHECK(ring::recover(base(), shape_, 0));
        if (!pop_lived) CHECK(ring::recover(base(), shape_, 1));
        CHECK(conserved<mortal_of<variant>>(base(), shape_.capacity, slots));
        ring heir(base(), shape_, push_lived && !pop_lived ? 1 : 0);
        std::vector<std::uint64_t> all;
        for (std::uint64_t one = 0; heir.try_pop(&one);) all.push_back(one);
        for (std::uint64_t i = 0; i < shape_.capacity; ++i) CHECK(heir.try_push(&i));
        CHECK_FALSE(heir.try_push(&item));
        for (std::uint64_t one = 0; heir.try_pop(&one);) CHECK(one < shape_.capacity);
        CHECK(conserved<mortal_of<variant>>(base(), shape_.capacity, slots));
        return all;
    }

    bool offered = false, met = false;
    bool push_lived = true, pop_lived = true;
    bool pushed = false, popped = false;
    std::uint64_t item = 0;
    std::vector<std::uint64_t> by_third{};

    /// The push, which first loses its race, and dies before a step.
    void push_after_losing(std::uint64_t push_dies) {
        std::function<void()> const before_push = [&] { thirds(11); };
        fate f;
        f.last = push_dies;
        f.interrupted_at = push_lost_at_;
        f.interruption = &before_push;
        std::uint64_t const mine = 100;
        push_lived = survives(f, [&] { pushed = push_.try_push(&mine); });
    }

private:
    struct alignas(64) line {
        std::byte bytes[64];
    };
    std::byte* base() { return memory_.front().bytes; }
    void thirds(std::uint64_t one) {
        if (third_.try_push(&one)) by_third.push_back(one);
    }

    variants::elimination_geometry shape_;
    std::vector<line> memory_;
    std::uint64_t push_lost_at_;
    std::uint64_t pop_lost_at_;
    ring push_{base(), shape_, 0};
    ring pop_{base(), shape_, 1};
    ring third_{base(), shape_, 2};
};

/// What an exchange left is what it should be.
void judge(exchange& e) {
    auto expected = e.by_third;
    auto left = e.left();
    std::reverse(left.begin(), left.end());
    auto const mine = std::count(left.begin(), left.end(), 100U);
    std::erase(left, 100U);
    // In hand at its death: the top, or what was offered.
    if (e.popped && e.item != 100) std::erase(expected, e.item);
    if (!e.pop_lived && left.size() + 1 == expected.size() && left != expected)
        for (auto const one : expected)
            if (std::find(left.begin(), left.end(), one) == left.end()) {
                std::erase(expected, one);
                break;
            }
    CHECK(left == expected);
    bool const taken = e.met || (e.popped && e.item == 100);
    CHECK(mine <= (taken ? 0 : 1));
    if (e.push_lived && e.pushed && e.pop_lived) CHECK(mine == (taken ? 0 : 1));
    if (e.push_lived && !e.pushed) CHECK((mine == 0 && !taken));
}

TEST_CASE("elimination: a push and a pop meet beside the stack, wherever they lost their races", "[fast]") {
    watchdog const limit(100);
    for (std::uint64_t capacity = 1; capacity <= 4; ++capacity) {
        unsigned met = 0;
        bool push_lost = true;
        for (std::uint64_t i = 1; push_lost; ++i) {
            bool pop_lost = true;
            push_lost = false;
            for (std::uint64_t j = 1; pop_lost && j < 100; ++j) {
                exchange e(capacity, 1, i, j);
                e.run(0, 0);
                INFO("capacity " << capacity << ", push lost at " << i << ", pop at " << j);
                push_lost = push_lost || e.by_third.size() > 1 || i < 15;
                pop_lost = e.offered && j < 40;
                CHECK((!e.met || (e.pushed && e.popped && e.item == 100)));
                met += e.met;
                judge(e);
            }
        }
        // The first item and the two of the third handle must leave room.
        INFO("capacity " << capacity);
        CHECK((met > 0) == (capacity > 3));
    }
}

TEST_CASE("elimination: an offer that a dead push left is none any more when its node is pushed again",
          "[fast]") {
    watchdog const limit(100);
    std::uint64_t deaths = 0;
    for (std::uint64_t i = 1; i < 25; ++i)
        for (std::uint64_t j = 1; j < 12; ++j) {
            bool lived = false;
            for (std::uint64_t k = 1; !lived; ++k) {
                exchange e(6, 1, i, j);
                e.run_heir(k);
                lived = e.push_lived;
                deaths += !lived;
                INFO("push dies before step " << k << ", lost at " << i << " and pop at " << j);
                auto all = e.left();
                if (e.popped) all.push_back(e.item);
                CHECK(std::count(all.begin(), all.end(), 200U) == (lived ? 0 : 1));
                CHECK(std::count(all.begin(), all.end(), 100U) <= 1);
                for (auto const one : e.by_third) CHECK(std::count(all.begin(), all.end(), one) == 1);
                REQUIRE(k < 200);
            }
        }
    CHECK(deaths > 50);
}

TEST_CASE("elimination: either process dies at each step of an exchange", "[fast]") {
    watchdog const limit(100);
    std::uint64_t deaths = 0, after_exchange = 0, offers = 0;
    for (std::uint64_t i = 1; i < 25; ++i)
        for (std::uint64_t j = 1; j < 12; ++j) {
            exchange whole(4, 1, i, j);
            whole.run(0, 0);
            if (!whole.met) continue;
            for (bool const push_dies : {true, false}) {
                bool lived = false;
                for (std::uint64_t k = 1; !lived; ++k) {
                    exchange e(4, 1, i, j);
                    e.run(push_dies ? k : 0, push_dies ? 0 : k);
                    lived = push_dies ? e.push_lived : e.pop_lived;
                    INFO((push_dies ? "push" : "pop")
                         << " dies before step " << k << ", lost at " << i << " and " << j);
                    deaths += !lived;
                    after_exchange += !lived && e.met;
                    offers += e.offered;
                    judge(e);
                    REQUIRE(k < 200);
                }
            }
        }
    CHECK(deaths > 50);
    CHECK(after_exchange > 3);
    CHECK(offers > 20);
    std::printf("elimination: %llu deaths in exchanges, %llu behind the commit\n",
                static_cast<unsigned long long>(deaths), static_cast<unsigned long long>(after_exchange));
}

/// Why the ticket ring does not claim to be safe from kills.
TEST_CASE("the ticket ring: a process that dies between claim and publication stops all others", "[fast]") {
    using native = Queue<std::uint64_t, variants::algorithm::ticket>;
    using mortal_ticket = Queue<std::uint64_t, variants::algorithm::ticket, mortal>;
    static_assert(!native::algorithm::kill_safe);
    unsigned stuck_consumers = 0;
    unsigned stuck_producers = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            if (!push)
                for (std::uint64_t i = 0; i < 4; ++i) survivor.push(i);
            if (killed_before<mortal_ticket>(name, "q", k, [&](auto& q) { push_or_pop(q, push, 1000); }) == 0)
                break;
            if (push) {
                // Three items are put behind it, and nobody ever gets one of them.
                bool stuck = true;
                for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(survivor.try_push(i));
                for (int i = 0; i < 1000; ++i)
                    stuck = stuck && !survivor.try_pop() && !native(memory, "q").try_pop();
                if (stuck) CHECK(survivor.was_size() == 4);
                stuck_consumers += stuck;
            } else {
                // One item was taken out, or none; what is sure is that nothing goes in, however many come
                // out.
                unsigned out = 0;
                while (survivor.try_pop()) ++out;
                bool stuck = true;
                for (int i = 0; i < 1000; ++i) stuck = stuck && !survivor.try_push(7);
                stuck_producers += stuck;
                if (stuck) CHECK(out == 3);
            }
        }
    // The steps between claim and publication: two halves of the payload's copy, and the publication itself.
    CHECK(stuck_consumers == 3);
    CHECK(stuck_producers == 3);
}

/// Runs an operation, and gives it up after so many shared steps that no live peer can be what it waits for.
template <class Operation>
bool comes_to_an_end(Operation&& operation) {
    return !given_up_before(20000, operation);
}

/// Why the ring claimed by fetch-add does not claim to be safe from kills.
TEST_CASE("the ring claimed by fetch-add: who comes behind a dead process waits for ever", "[fast]") {
    using queue = mortal_of<queue_variant<algorithm::faa, backoff::none>>;
    for (bool const push : {true, false}) {
        unsigned stuck = 0;
        std::uint64_t k = 1;
        for (bool dies = true; dies; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            queue doomed(memory, "q", 2);
            queue survivor(memory, "q");
            std::uint64_t item = 0;
            if (!push) doomed.push(1);
            dies = given_up_before(k, [&] { push_or_pop(doomed, push, 2); });
            bool ends = true;
            for (std::uint64_t i = 0; i < 4 && ends; ++i) {
                ends = comes_to_an_end([&] { survivor.try_push(i); });
                ends = ends && comes_to_an_end([&] { survivor.try_pop(item); });
            }
            CHECK((dies || ends));
            stuck += !ends;
        }
        INFO((push ? "push" : "pop") << " has " << k - 2 << " steps");
        CHECK(stuck >=
              4);  // between claim and passing on: the turn's load, two halves of the copy, the turn's store
    }
}

/// Why flat combining does not claim to be safe from kills; and that only a combiner's death stops the others.
TEST_CASE("flat combining: a killed combiner stops everybody, another death nobody", "[fast]") {
    watchdog const limit(100);
    using stack = mortal_of<stack_variant<algorithm::flat_combining, backoff::none>>;
    for (bool const push : {true, false})
        for (bool const heir_first : {true, false}) {
            unsigned stopped = 0;
            unsigned harmless = 0;
            unsigned carried_out = 0;
            for (std::uint64_t k = 1;; ++k) {
                segment_name const name;
                auto memory = Memory::create(name, 1 << 14);
                stack survivor(memory, "s", 4, {3});
                survivor.push(1);
                survivor.push(2);
                int const end = killed_before<stack>(name, "s", k, [&](auto& s) { push_or_pop(s, push, 3); });
                std::optional<stack> heir;
                if (heir_first) heir.emplace(memory, "s");
                bool const ends = comes_to_an_end([&] { survivor.try_push(9); });
                if (!heir) heir.emplace(memory, "s");
                INFO((push ? "push" : "pop") << " dies before step " << k);
                if (!ends) {
                    ++stopped;
                    CHECK(end != 0);
                    CHECK(heir->handle_slot() == 2);  // nobody gets the dead one's
                    CHECK_FALSE(comes_to_an_end([&] { heir->try_push(10); }));
                    continue;
                }
                CHECK(heir->handle_slot() == 1);
                std::vector<std::uint64_t> left;
                for (std::uint64_t item = 0; heir->try_pop(item);) left.push_back(item);
                std::reverse(left.begin(), left.end());
                bool const done = push ? left.size() == 4 : left.size() == 2;
                // Before the survivor's item, or, if it carried both out, behind it.
                using items = std::vector<std::uint64_t>;
                if (!done)
                    CHECK(left == items{1, 2, 9});
                else if (push)
                    CHECK((left == items{1, 2, 3, 9} || left == items{1, 2, 9, 3}));
                else
                    CHECK((left == items{1, 9} || left == items{1, 2}));
                for (std::uint64_t i = 0; i < 4; ++i) CHECK(survivor.try_push(i));
                CHECK_FALSE(heir->try_push(4));
                if (end == 0) break;
                ++harmless;
                carried_out += done;
            }
            CHECK(stopped >= 8);
            CHECK(harmless >= 3);
            // By the survivor, or by the dead one itself just before its end.
            if (!heir_first) CHECK(carried_out >= 1);
        }
}

/// Why SCQ does not claim to be safe from kills; and that it is lock-free all the same.
TEST_CASE("SCQ: a kill may cost a place for ever, and stops nobody", "[fast]") {
    using queue = mortal_of<queue_variant<algorithm::scq>>;
    for (bool const push : {true, false}) {
        unsigned smaller = 0;
        std::uint64_t k = 1;
        for (bool dies = true; dies; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            queue doomed(memory, "q", 4, {4});
            queue survivor(memory, "q");
            std::uint64_t item = 0;
            doomed.push(1);
            doomed.push(2);
            dies = given_up_before(k, [&] { push_or_pop(doomed, push, 3); });
            std::vector<std::uint64_t> left;
            std::uint64_t fit = 0;
            bool const ends = comes_to_an_end([&] {
                while (survivor.try_pop(item)) left.push_back(item);
                while (survivor.try_push(100 + fit)) ++fit;
                for (std::uint64_t i = 0; i < fit; ++i)
                    if (!survivor.try_pop(item) || item != 100 + i) fit = 0;
            });
            INFO((push ? "push" : "pop") << " dies before step " << k);
            CHECK(ends);
            CHECK((fit == 4 || (dies && fit == 3)));
            CHECK((left == std::vector<std::uint64_t>{1, 2} ||
                   left == (push ? std::vector<std::uint64_t>{1, 2, 3} : std::vector<std::uint64_t>{2})));
            smaller += fit == 3;
        }
        CHECK(smaller >= 3);
    }
}

/// Why these do not claim linearizable answers. A pop is stopped with the oldest item in its hands; another one takes the
/// next item, so the first is done as far as order goes; and the queue says that it is full with one item of two in it.
TEMPLATE_TEST_CASE("a stopped pop makes others say full falsely", "[fast]", algorithm::ticket, algorithm::faa,
                   algorithm::scq) {
    using queue = mortal_of<queue_variant<TestType>>;
    static_assert(!TestType::linearizable_negatives);
    unsigned falsely = 0;
    std::uint64_t k = 1;
    for (bool dies = true; dies; ++k) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        queue stopped(memory, "q", 2, {4});
        queue other(memory, "q");
        std::uint64_t item = 0;
        stopped.push(1);
        stopped.push(2);
        dies = given_up_before(k, [&] { stopped.try_pop(item); });
        comes_to_an_end([&] {
            if (!other.try_pop(item) || item != 2) return;  // the first one has not claimed yet
            bool const first = other.try_push(3);
            bool const second = other.try_push(4);
            falsely += !(first && second);
        });
    }
    CHECK(falsely >= 1);
}

/// Why the ring for one producer and one consumer is for one of each.
TEST_CASE("two producers on the ring for one: an item is lost", "[fast]") {
    using queue = mortal_of<queue_variant<algorithm::spsc>>;
    unsigned lost = 0;
    std::uint64_t step = 1;
    for (bool over = false; !over; ++step) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        queue slow(memory, "q", 4);
        queue quick(memory, "q");
        std::function<void()> const meanwhile = [&] { quick.try_push(2); };
        fate::now() = {};
        fate::now().interrupted_at = step;
        fate::now().interruption = &meanwhile;
        slow.try_push(1);
        over = fate::now().taken < step;
        fate::now() = {};
        lost += !over && slow.was_size() != 2;
    }
    CHECK(lost >= 3);
}

/// Why nobody may use the sketch: between the claim and the copy another one gets what is not there yet, or overwrites
/// what is not yet read.
TEST_CASE("the sketch's queue: an item is taken before it is written, and written before it is read",
          "[fast]") {
    using sketch = Queue<std::uint64_t, variants::algorithm::seed_literal, mortal>;
    for (bool const push : {true, false}) {
        unsigned wrong = 0;
        std::uint64_t step = 1;
        for (bool over = false; !over; ++step) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            sketch slow(memory, "q", 1);
            sketch quick(memory, "q");
            std::uint64_t item = 0;
            if (!push) slow.push(1);
            std::function<void()> const meanwhile = [&] {
                if (push)
                    wrong += quick.try_pop(item) && item != 1;
                else
                    quick.try_push(2);
            };
            fate::now() = {};
            fate::now().interrupted_at = step;
            fate::now().interruption = &meanwhile;
            if (push)
                slow.try_push(1);
            else
                wrong += slow.try_pop(item) && item != 1;
            over = fate::now().taken < step;
            fate::now() = {};
        }
        INFO((push ? "push" : "pop") << " has " << step - 2 << " steps");
        CHECK(wrong >= 1);
    }
}

}  // namespace
