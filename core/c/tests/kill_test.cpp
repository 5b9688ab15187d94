// A process of one language is killed, and the other language takes over what it held: behind each machine instruction in
// turn, and at random moments.

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "zeroipc_c_sides.hpp"
#include "zeroipc_traced.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using c::language;
using c::number;
using zeroipc::Memory;

constexpr std::uint32_t slots = 2;

/// The bytes of the segment behind each instruction of `act`, in a process of its own.
std::vector<std::string> states(std::string const& name, std::string const& title,
                                std::function<void(testing::tracee const&)> const& act) {
    auto const memory = Memory::open(name);
    auto const all = testing::states_of(title.c_str(), act, memory.base(), memory.bytes());
    return all.value_or(std::vector<std::string>{});
}

/// A fresh segment with these bytes.
struct revived {
    explicit revived(std::string const& bytes) {
        testing::raw_object(name, bytes.size()).write_bytes(0, bytes);
    }
    testing::segment_name name;
};

/// Kills `dying` behind each instruction of some operations on a container that holds 1, 2, 3; `heir` recovers.
template <class Cpp>
void kill_in(language dying) {
    constexpr number capacity = 4;
    constexpr bool lifo = std::is_same_v<Cpp, c::cpp_stack>;
    testing::segment_name const name;
    c::make_items<Cpp>(dying, name, capacity, slots, 8192);
    {
        auto const first = c::open_items<Cpp>(c::other(dying), name);
        for (number i = 1; i <= 3; ++i) REQUIRE(first.push(i));
    }
    std::vector<number> const script{9, 0, 0, 0, 10, 11, 0};  // what is pushed; 0: a pop
    std::vector<std::vector<number>> expected{lifo ? std::vector<number>{3, 2, 1}
                                                   : std::vector<number>{1, 2, 3}};
    for (auto const item : script) {
        auto& held = expected.emplace_back(expected.back());
        if (item == 0)
            held.erase(held.begin());
        else
            held.insert(lifo ? held.begin() : held.end(), item);
    }
    auto const all = states(name, std::string(lifo ? "a stack in " : "a queue in ") + c::name_of(dying),
                            [&](testing::tracee const& traced) {
                                auto const handle = c::open_items<Cpp>(dying, name);
                                bool done = true;
                                number got = 0;
                                traced.begin();
                                for (auto const item : script)
                                    done = (item == 0 ? handle.pop(got) : handle.push(item)) && done;
                                traced.end();
                                return done ? 0 : 1;
                            });
    auto at = expected.begin();
    for (auto const& state : all) {
        revived const again(state);
        auto const heir = c::open_items<Cpp>(c::other(dying), again.name);
        auto const second = c::open_items<Cpp>(dying, again.name);  // every handle slot is to be had
        at = std::find(at, expected.end(), heir.drain());           // never back
        REQUIRE(at != expected.end());
        auto memory = Memory::open(again.name);
        CHECK(testing::conserved<Cpp>(memory, "x", capacity, slots));
        for (number i = 0; i < capacity; ++i) CHECK(second.push(i));
        CHECK_FALSE(heir.push(5));
    }
    CHECK((all.empty() || at == expected.end() - 1));
}

/// One change of a map, and of what it should hold.
struct step {
    char kind;  // insert, assign, erase
    number key;
    number value;

    [[nodiscard]] bool on(c::pairs const& map) const {
        return kind == 'i' ? map.insert(key, value) : kind == 'a' ? map.assign(key, value) : map.erase(key);
    }
    void on(std::map<number, number>& held) const {
        if (kind == 'e')
            held.erase(key);
        else
            held[key] = value;
    }
};

/// The same of a map, in which some changes are made, one after the other: buckets get blocks and give them back.
void kill_in_map(language dying) {
    constexpr number capacity = 4;
    testing::segment_name const name;
    c::make_map(dying, name, capacity, slots, 1, 8192);
    std::vector<step> script;
    for (number key = 0; key < 10; ++key) script.push_back({'i', key, 10 * key});
    for (number key = 0; key < 10; key += 2) script.push_back({'a', key, 10 * key + 1});
    for (number key = 10; key > 0; --key) script.push_back({'e', key - 1, 0});
    std::vector<std::map<number, number>> expected(1);
    for (auto const& one : script) one.on(expected.emplace_back(expected.back()));
    auto const all = states(name, std::string("changes of a map in ") + c::name_of(dying),
                            [&](testing::tracee const& traced) {
                                auto const handle = c::open_pairs(dying, name);
                                bool done = true;
                                traced.begin();
                                for (auto const& one : script) done = one.on(handle) && done;
                                traced.end();
                                return done ? 0 : 1;
                            });
    auto at = expected.begin();
    for (auto const& state : all) {
        revived const again(state);
        auto const heir = c::open_pairs(c::other(dying), again.name);
        auto const second = c::open_pairs(dying, again.name);
        at = std::find(at, expected.end(), heir.all());  // never back
        REQUIRE(at != expected.end());
        CHECK(second.all() == *at);
        CHECK(c::blocks_are_right(again.name, capacity, slots));
    }
    CHECK((all.empty() || at == expected.end() - 1));
}

language of(int i) { return i == 0 ? language::c : language::cpp; }

/// What the workers of a random test share. A value is offered once; how it fared is told by numbers.
constexpr number most = 1 << 21;
struct fates {
    std::atomic<number> next{0};
    std::array<std::atomic<std::uint8_t>, most> pushed;  // 1: about to be; 2: was
    std::array<std::atomic<std::uint8_t>, most> popped;
};

/// Pushes and pops until it is killed.
template <class Cpp>
int work(language which, std::string const& name, fates& all) {
    auto const handle = c::open_items<Cpp>(which, name);
    for (number item = 0;;) {
        auto const value = all.next.fetch_add(1);
        if (value >= most) return 0;
        all.pushed[value] = 1;
        if (handle.push(value)) all.pushed[value] = 2;
        if (handle.pop(item)) ++all.popped.at(item);
    }
}

template <class Cpp>
void random_kills(int kills) {
    testing::watchdog const limit(200);
    testing::segment_name const name;
    constexpr number capacity = 8;
    constexpr std::uint32_t handles = 4;
    c::make_items<Cpp>(language::c, name, capacity, handles);
    auto const fate = std::make_unique<testing::shared<fates>>();
    testing::random_source random(7);
    std::deque<testing::child> workers;
    auto const start = [&](int i) {
        return testing::child([&, i] { return work<Cpp>(of(i % 2), name, **fate); });
    };
    for (int i = 0; i < 3; ++i) workers.push_back(start(i));
    for (int i = 0; i < kills; ++i) {
        testing::nap(std::chrono::microseconds(200 + random.below(2000)));
        workers.at(0).kill();
        workers.at(0).wait();
        workers.pop_front();
        workers.push_back(start(i));
    }
    for (auto const& one : workers) one.kill();
    for (auto& one : workers) one.wait();
    {
        auto const heir = c::open_items<Cpp>(language::cpp, name);
        std::vector<c::items> all;  // recovers every slot
        for (std::uint32_t i = 1; i < handles; ++i) all.push_back(c::open_items<Cpp>(language::c, name));
        for (auto const item : heir.drain()) ++(*fate)->popped.at(item);
    }
    number lost = 0;
    number twice = 0;
    number done = 0;
    for (number i = 0; i < std::min<number>(most, (*fate)->next); ++i) {
        auto const popped = (*fate)->popped[i].load();
        twice += popped > 1 || (popped == 1 && (*fate)->pushed[i] == 0);
        lost += (*fate)->pushed[i] == 2 && popped == 0;
        done += popped;
    }
    CHECK(twice == 0);
    CHECK(lost <= static_cast<number>(kills) + workers.size());
    CHECK(done > 0);
    auto memory = Memory::open(name);
    CHECK(testing::conserved<Cpp>(memory, "x", capacity, handles));
}

int work_on_map(language which, std::string const& name, number seed) {
    auto const handle = c::open_pairs(which, name);
    testing::random_source random(seed, seed);
    for (number round = 0, value = 0;; ++round) {
        auto const key = random.below(20);
        if (handle.find(key, value) && value / 1000000 != key) return 1;  // another key's value
        switch (random.below(3)) {
            case 0:
                handle.assign(key, key * 1000000 + round % 1000000);
                break;
            case 1:
                handle.insert(key, key * 1000000 + round % 1000000);
                break;
            default:
                handle.erase(key);
        }
    }
}

}  // namespace

TEST_CASE("C: a kill behind any instruction of a queue's operations is recovered by the other language",
          "[fast]") {
    testing::watchdog const limit(100);
    for (int i = 0; i < 2; ++i) kill_in<c::cpp_queue>(of(i));
}

TEST_CASE("C: a kill behind any instruction of a stack's operations is recovered by the other language",
          "[fast]") {
    testing::watchdog const limit(100);
    for (int i = 0; i < 2; ++i) kill_in<c::cpp_stack>(of(i));
}

TEST_CASE("C: a kill behind any instruction of a map's operations is recovered by the other language",
          "[medium]") {
    testing::watchdog const limit(100);
    for (int i = 0; i < 2; ++i) kill_in_map(of(i));
}

TEST_CASE("C: processes of both languages are killed at random over one queue", "[medium]") {
    random_kills<c::cpp_queue>(static_cast<int>(testing::rounds(300)));
}

TEST_CASE("C: processes of both languages are killed at random over one stack", "[medium]") {
    random_kills<c::cpp_stack>(static_cast<int>(testing::rounds(300)));
}

TEST_CASE("C: processes of both languages are killed at random over one map", "[medium]") {
    testing::watchdog const limit(200);
    testing::segment_name const name;
    constexpr number capacity = 20;
    constexpr std::uint32_t handles = 4;
    c::make_map(language::cpp, name, capacity, handles, 3);
    testing::random_source random(8);
    std::deque<testing::child> workers;
    auto const start = [&](int i) {
        return testing::child([&, i] { return work_on_map(of(i % 2), name, static_cast<number>(i)); });
    };
    for (int i = 0; i < 3; ++i) workers.push_back(start(i));
    for (int i = 3; i < static_cast<int>(testing::rounds(300)); ++i) {
        testing::nap(std::chrono::microseconds(200 + random.below(2000)));
        workers.at(0).kill();
        CHECK(workers.at(0).wait() == -SIGKILL);
        workers.pop_front();
        workers.push_back(start(i));
    }
    for (auto const& one : workers) one.kill();
    for (auto& one : workers) CHECK(one.wait() == -SIGKILL);
    std::vector<c::pairs> all;  // recovers every slot
    for (std::uint32_t i = 0; i < handles; ++i)
        all.push_back(c::open_pairs(of(static_cast<int>(i % 2)), name));
    auto const held = all.at(0).all();
    CHECK(held == all.at(1).all());
    for (auto const& [key, value] : held) CHECK(value / 1000000 == key);
    for (auto const& [key, value] : held) CHECK(all.at(1).erase(key));
    CHECK(all.at(0).all().empty());
    CHECK(c::blocks_are_right(name, capacity, handles));
}
