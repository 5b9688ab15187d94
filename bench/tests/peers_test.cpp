// What is said of peers, and where they stand in a plan.

#include "zeroipc/bench/peers.hpp"
#include "complaint.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "room.hpp"
#include "zeroipc/bench/plan.hpp"

using namespace zeroipc::bench;
using Catch::Matchers::Contains;
using zeroipc::bench::testing::complaint;

namespace {

Suite suite_of(std::vector<std::string> variants, std::vector<Host> hosts = {}) {
    Suite suite;
    Sweep sweep;
    sweep.variants = std::move(variants);
    sweep.hosts = std::move(hosts);
    suite.sweeps.push_back(std::move(sweep));
    return suite;
}

PeerInfo peer(std::string name, bool built) {
    return {std::move(name), "libsome-dev", "lock-free", "somebody", "never", false, 1, 1, built};
}

/// A peer that is built here, of those that run as threads only; null if none is.
PeerInfo const* some_peer() {
    for (auto const& one : peers())
        if (one.built && !one.between_processes) return &one;
    return nullptr;
}

}  // namespace

TEST_CASE("each peer has a name, a package and a source, and subjects if it is built", "[fast]") {
    std::set<std::string> names;
    for (auto const& one : peers()) {
        INFO(one.name);
        CHECK(names.insert(one.name).second);
        CHECK(one.name.starts_with("peer/"));
        auto const structure = structure_of(one.name);
        CHECK((structure == "queue" || structure == "stack" || structure == "map"));
        for (auto const& text : {one.package, one.progress, one.source, one.full}) CHECK_FALSE(text.empty());
        CHECK(one.package.ends_with("-dev"));
        CHECK(find_peer(one.name, 8).has_value() == one.built);
        // xenium's map crashes with larger values.
        CHECK(find_peer(one.name, 64).has_value() == (one.built && one.name != "peer/map/xenium-vyukov"));
        CHECK_FALSE(find_peer(one.name, 256));
        CHECK(peer_named(one.name) == &one);
        CHECK(can_be_hosted(one.name, Host::threads));
        CHECK(can_be_hosted(one.name, Host::processes) == one.between_processes);
    }
    CHECK(peer_named("peer/queue/none") == nullptr);
    CHECK_FALSE(find_peer("queue/none", 8));
}

TEST_CASE("what is in front of a name's structure is left out", "[fast]") {
    CHECK(structure_of("peer/queue/boost-lockfree") == "queue");
    CHECK(structure_of("queue/exchange/acq_rel/exp/compact") == "queue");
    CHECK(structure_of("bound/pipe") == "bound");
}

TEST_CASE("a peer is meant only where it is named as one, and one that is not built is refused", "[fast]") {
    for (auto const& name : match_variants("*")) CHECK_FALSE(name.starts_with("peer/"));
    for (auto const& one : peers())
        if (one.built)
            CHECK(match_variants(one.name) == std::vector{one.name});
        else
            CHECK_THAT(complaint([&] { match_variants(one.name); }),
                       Contains(one.name + " is not built") && Contains(one.package));
    CHECK_THAT(complaint([] { match_variants("peer/queue/bost-lockfree"); }), Contains("no variant"));
}

TEST_CASE("a suite leaves out what is not built, and says so once", "[fast]") {
    std::vector const all{peer("peer/queue/a", true), peer("peer/queue/b", false), peer("peer/map/c", false)};
    auto suite = suite_of({"queue", "peer/queue/*", "peer/queue/b"});
    suite.sweeps.push_back(suite_of({"peer/map/*"}).sweeps.front());
    leave_out_unbuilt(suite, all);
    auto const& reasons = suite.left_out;
    REQUIRE(reasons.size() == 2);
    CHECK_THAT(reasons[0], Contains("peer/queue/b is not built") && Contains("libsome-dev"));
    CHECK_THAT(reasons[1], Contains("peer/map/c"));
    REQUIRE(suite.sweeps.size() == 1);
    CHECK(suite.sweeps[0].variants == std::vector<std::string>{"queue", "peer/queue/*"});
    auto mistaken = suite_of({"peer/queue/typo"});
    leave_out_unbuilt(mistaken, all);
    CHECK(mistaken.left_out.empty());
    CHECK(mistaken.sweeps.size() == 1);
    CHECK_THAT(complaint([&] { expand(mistaken); }), Contains("no variant 'peer/queue/typo'"));
}

TEST_CASE("workers are processes unless the sweep says threads, and the key tells", "[fast]") {
    for (auto const& cell : expand(suite_of({"queue"}))) {
        CHECK(cell.host == Host::processes);
        CHECK_THAT(cell.key(), !Contains("processes") && !Contains("threads"));
    }
    auto const both = expand(suite_of({"queue", "stack", "map"}, {Host::processes, Host::threads}));
    std::set<std::string> keys;
    std::size_t threads = 0;
    std::size_t of_kernel = 0;
    for (auto const& cell : both) {
        CHECK(keys.insert(cell.key()).second);
        CHECK((cell.key().find("/threads") != std::string::npos) == (cell.host == Host::threads));
        threads += cell.host == Host::threads ? 1U : 0U;
        if (cell.is_kernel_queue()) CHECK(cell.host == Host::processes);
        of_kernel += cell.is_kernel_queue() ? 1U : 0U;
    }
    CHECK(2 * threads + of_kernel == both.size());  // the same of both, but for the system's queues
    CHECK_THAT(complaint([] { host_named("fibers"); }), Contains("'fibers'") && Contains("processes"));
    CHECK_THAT(complaint([] { expand(suite_of({"bound/pipe"}, {Host::threads})); }), Contains("processes"));
}

TEST_CASE("a peer of threads runs as threads, with bounds of its own, and is refused as processes",
          "[fast]") {
    auto const* const one = some_peer();
    if (one == nullptr) return;  // none is built here
    auto const cells = expand(suite_of({one->name}));
    CHECK(cells.size() >= 2);
    for (auto const& cell : cells) CHECK(cell.host == Host::threads);
    CHECK(expand(suite_of({one->name}, {Host::processes, Host::threads})) == cells);
    CHECK_THAT(complaint([&] { expand(suite_of({one->name}, {Host::processes})); }),
               Contains(one->name) && Contains("threads"));

    auto large = suite_of({one->name});
    large.sweeps[0].payloads = {256};
    CHECK_THAT(complaint([&] { expand(large); }), Contains("256 bytes") && Contains("8, 64"));
    auto far = suite_of({one->name});
    far.sweeps[0].homes = {"interleaved"};
    CHECK_THAT(complaint([&] { expand(far); }), Contains("'interleaved'") && Contains("producer"));
}

TEST_CASE("a peer that cannot change values in their place is refused a mix that does", "[fast]") {
    for (auto const& one : peers()) {
        if (!one.built || structure_of(one.name) != "map") continue;
        auto updates = suite_of({one.name});
        updates.sweeps[0].mixes = {"ycsb-a"};
        auto const why = complaint([&] { expand(updates); });
        if (one.name == "peer/map/tbb-hash-map")
            CHECK(why.empty());
        else
            CHECK_THAT(why, Contains("mix ycsb-a") && Contains("r90i5e5"));
    }
}

// ------------------------------------------------------------------------------- room: the bound of what has none

namespace {

std::unique_ptr<Control> control_of(std::uint64_t capacity, std::uint32_t producers,
                                    std::uint32_t consumers) {
    auto control = std::make_unique<Control>();
    control->capacity = capacity;
    control->producers = producers;
    control->consumers = consumers;
    control->workers = producers + consumers;
    return control;
}

}  // namespace

TEST_CASE("one that pushes alone has room for the capacity, exactly", "[fast]") {
    auto const control = control_of(5, 1, 1);
    Room room(*control);
    Room::Share producer(room, 0);
    Room::Share consumer(room, 1);
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) {
            REQUIRE(producer.has_room());
            producer.pushed();
        }
        CHECK_FALSE(producer.has_room());
        consumer.popped();
        REQUIRE(producer.has_room());
        producer.pushed();
        CHECK_FALSE(producer.has_room());
        for (int i = 0; i < 5; ++i) consumer.popped();
    }
}

TEST_CASE("several that push together stay below twice the capacity, and none is shut out", "[fast]") {
    constexpr std::uint64_t capacity = 64;
    auto const control = control_of(capacity, 4, 0);
    Room room(*control);
    std::vector<Room::Share> shares;
    for (std::uint32_t i = 0; i < 4; ++i) shares.emplace_back(room, i);
    std::uint64_t inside = 0;
    std::uint64_t most = 0;
    std::vector<int> pushes(4);
    std::mt19937 random(1);
    for (int step = 0; step < 10'000; ++step) {
        auto const who = static_cast<std::size_t>(random() % 4);
        if (shares[who].has_room()) {
            shares[who].pushed();
            ++pushes[who];
            most = std::max(most, ++inside);
        } else if (inside > 0) {
            shares[who].popped();
            --inside;
        }
    }
    CHECK(most >= capacity);
    CHECK(most < 2 * capacity);
    CHECK(*std::min_element(pushes.begin(), pushes.end()) > 1000);
}

TEST_CASE("what a worker put in before counts for the one that goes on in its place", "[fast]") {
    auto const control = control_of(3, 1, 0);
    Room room(*control);
    {
        Room::Share filling(room, 0);
        for (int i = 0; i < 2; ++i) {
            REQUIRE(filling.has_room());
            filling.pushed();
        }
    }
    Room::Share worker(room, 0);
    REQUIRE(worker.has_room());
    worker.pushed();
    CHECK_FALSE(worker.has_room());
}
