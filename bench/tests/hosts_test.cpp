// Workers as threads of one process, ours and peers, run and judged by the coordinator. This program is its own worker.

#define CATCH_CONFIG_RUNNER
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "peer_subjects.hpp"
#include "zeroipc/bench/coordinator.hpp"
#include "zeroipc/bench/peers.hpp"
#include "zeroipc/bench/plan.hpp"
#include "zeroipc/bench/worker.hpp"

using namespace zeroipc::bench;
using Catch::Matchers::Contains;
using zeroipc::Memory;

namespace {

// ------------------------------------------------------------------- peers that are right but for what is planted

enum class Fault { none, loss, duplicate, reordering, torn };

/// Something goes wrong once in so many operations.
constexpr std::uint64_t rare = 16;

template <Fault fault, bool last_in_first_out>
class Planted {
public:
    explicit Planted(Control const& control) : capacity_(control.capacity) {}

    bool try_push(Payload<64> const& item) {
        std::lock_guard const locked(mutex_);
        if (items_.size() >= capacity_) return false;
        bool const now = ++pushes_ % rare == 0;
        if (fault == Fault::loss && now) return true;
        if (fault == Fault::reordering && now)
            items_.push_front(item);
        else
            items_.push_back(item);
        if (fault == Fault::duplicate && now) items_.push_back(item);
        if (fault == Fault::torn && now) items_.back().word[5] ^= 1;
        return true;
    }
    bool try_pop(Payload<64>& item) {
        std::lock_guard const locked(mutex_);
        if (items_.empty()) return false;
        if (last_in_first_out) {
            item = items_.back();
            items_.pop_back();
        } else {
            item = items_.front();
            items_.pop_front();
        }
        return true;
    }

private:
    std::mutex mutex_;
    std::deque<Payload<64>> items_;
    std::uint64_t capacity_;
    std::uint64_t pushes_ = 0;
};

template <Fault fault>
class PlantedMap {
public:
    explicit PlantedMap(Control const&) {}

    zeroipc::outcome insert(std::uint64_t key, Payload<64> const& value) {
        std::lock_guard const locked(mutex_);
        bool const now = ++changes_ % rare == 0;
        if (items_.contains(key)) return zeroipc::outcome::present;
        if (fault == Fault::loss && now) return zeroipc::outcome::inserted;
        items_[key] = value;
        if (fault == Fault::torn && now) items_[key].word[3] ^= 1;
        return zeroipc::outcome::inserted;
    }
    bool find(std::uint64_t key, Payload<64>& value) {
        std::lock_guard const locked(mutex_);
        auto const at = items_.find(key);
        if (at == items_.end()) return false;
        value = at->second;
        return true;
    }
    bool erase(std::uint64_t key) {
        std::lock_guard const locked(mutex_);
        if (fault == Fault::duplicate && ++changes_ % rare == 0) return items_.contains(key);  // and stays
        return items_.erase(key) == 1;
    }
    template <class Look>
    void for_each(Look&& look) {
        for (auto const& [key, value] : items_) look(key, value);
    }

private:
    std::mutex mutex_;
    std::map<std::uint64_t, Payload<64>> items_;
    std::uint64_t changes_ = 0;
};

/// How a worker can end: the second of them does it.
enum class End { exception, signal, hang };

template <End end>
struct Ending {
    static std::uint64_t bytes(Cell const&) { return 0; }
    static void create(Memory&, Cell const&, Initial&) {}
    static void work(Bench&, Memory&, Stages& stages, std::uint32_t worker) {
        if (worker == 1 && end == End::exception) throw std::runtime_error("this worker gives up");
        if (worker == 1 && end == End::signal) {
            // Not SIGABRT or SIGSEGV, which Catch2 and sanitizers take for theirs.
            ::kill(::getpid(), SIGKILL);
        }
        if (worker == 1)
            for (;;) ::pause();
        stages.until_start();
    }
};

template <class PeerOfStructure>
void plant(std::string const& name) {
    using peer = PeerOfStructure;
    plant_peer(name, Subject{&peer::bytes, &peer::create, &peer::work, &peer::make, true});
}

template <Fault fault>
void plant_fault(std::string const& name) {
    plant<PeerQueue<Planted<fault, false>, 64>>("peer/queue/" + name);
    plant<PeerStack<Planted<fault, true>, 64>>("peer/stack/" + name);
    plant<PeerMap<PlantedMap<fault>, 64>>("peer/map/" + name);
}

template <End end>
void plant_end(std::string const& name) {
    using peer = Ending<end>;
    plant_peer("peer/queue/" + name, Subject{&peer::bytes, &peer::create, &peer::work});
}

void plant_all() {
    plant_fault<Fault::none>("right");
    plant_fault<Fault::loss>("loss");
    plant_fault<Fault::duplicate>("duplicate");
    plant_fault<Fault::reordering>("reordering");
    plant_fault<Fault::torn>("torn");
    plant_end<End::exception>("exception");
    plant_end<End::signal>("signal");
    plant_end<End::hang>("hang");
}

// ------------------------------------------------------------------------------------------------------------------

Cell cell_of(std::string const& variant, Host host = Host::threads) {
    Cell cell;
    cell.variant = variant;
    cell.host = host;
    cell.payload_bytes = 64;
    cell.capacity = 64;
    cell.window_ns = 20'000'000;
    if (cell.structure() != "queue") {
        cell.producers = 2;
        cell.consumers = 0;
    }
    return cell;
}

Cell round_trips(Cell cell) {
    cell.mode = Mode::pingpong;
    return cell;
}

/// Runs it until somebody got to do something: on a crowded machine a window may pass without.
RunResult run(Cell const& cell, CoordinatorOptions options = {}) {
    static auto const topology = Topology::this_machine();
    options.lenient_placement = true;
    Coordinator coordinator(topology, options);
    for (int tries = 0;; ++tries) {
        auto result = coordinator.run(cell);
        bool const idle = result.error == "no operation succeeded in the window";
        if (!idle || tries == 50) return result;
    }
}

void check_good(Cell const& cell, RunResult const& result) {
    INFO(cell.key() << ": " << result.error);
    CHECK(result.ok);
    CHECK(result.sent == result.received);
    CHECK(result.sums_equal);
    auto const* const peer = peer_named(cell.variant);
    CHECK((result.order_violations == 0 || (peer != nullptr && peer->overtakes)));
    CHECK(result.operations > 0);
    REQUIRE(result.workers.size() == cell.workers());
    for (std::size_t i = 0; i < result.workers.size(); ++i) {
        auto const& report = result.workers[i].report;
        CHECK(report.finished == 1);
        CHECK(report.pin_verified == 1);
        REQUIRE(report.cpu_obtained_count == 1);
        CHECK(report.cpus_obtained[0] == result.placement.worker_cpus[i]);  // each thread where it should be
    }
}

/// Nothing of ours is left in shared memory.
void check_clean() {
    auto const prefix = "zeroipc-bench-" + std::to_string(::getpid()) + "-";
    for (auto const& entry : std::filesystem::directory_iterator("/dev/shm"))
        CHECK_FALSE(entry.path().filename().string().starts_with(prefix));
}

}  // namespace

TEST_CASE("our structures run as threads of one process, checked as processes are", "[fast]") {
    for (auto const host : {Host::processes, Host::threads})
        for (auto const* const structure : {"queue", "stack", "map"}) {
            auto const cell = cell_of(match_variants(structure).front(), host);
            auto const result = run(cell);
            check_good(cell, result);
            CHECK(result.in_segment);
        }
    for (auto const* const bound : {bound_cacheline, bound_fetch_add, bound_cas}) {
        auto cell = cell_of(bound);
        cell.producers = cell.consumers = 1;
        cell.payload_bytes = 8;
        check_good(cell, run(bound == bound_cacheline ? round_trips(cell) : cell));
    }
    check_clean();
}

TEST_CASE("every mode has threads", "[fast]") {
    auto cell = cell_of(match_variants("queue").front());
    check_good(cell, run(round_trips(cell)));
    cell.mode = Mode::latency;
    check_good(cell, run(cell));
    cell.load_percent = 20;
    check_good(cell, run(cell));
    check_clean();
}

TEST_CASE("threads share what is locked and prefaulted once, and each has counters of its own", "[fast]") {
    CoordinatorOptions options;
    options.lock_memory = true;
    auto const cell = round_trips(cell_of(match_variants("queue").front()));
    auto const result = run(cell, options);
    check_good(cell, result);
    auto const& first = result.workers[0].report;
    for (auto const& worker : result.workers) {
        CHECK(worker.report.locked == first.locked);
        CHECK(worker.report.prefault_by_touch == first.prefault_by_touch);
    }
    check_clean();
}

TEST_CASE("a peer that does nothing wrong passes", "[fast]") {
    for (auto const* const name : {"peer/queue/right", "peer/stack/right", "peer/map/right"}) {
        auto const cell = cell_of(name);
        auto const result = run(cell);
        check_good(cell, result);
        CHECK_FALSE(result.in_segment);
    }
    check_good(round_trips(cell_of("peer/queue/right")), run(round_trips(cell_of("peer/queue/right"))));
}

TEST_CASE("what a peer does wrong is found", "[fast]") {
    struct Planted {
        char const* name;
        char const* found;
    };
    for (auto const& [name, found] :
         std::vector<Planted>{{"peer/queue/loss", " sent and "},
                              {"peer/queue/duplicate", " sent and "},
                              {"peer/queue/reordering", "out of their producer's order"},
                              {"peer/queue/torn", "not what their producer wrote"},
                              {"peer/stack/loss", " sent and "},
                              {"peer/stack/duplicate", " sent and "},
                              {"peer/stack/torn", "not what their producer wrote"},
                              {"peer/map/loss", " sent and "},
                              {"peer/map/duplicate", " sent and "},
                              {"peer/map/torn", "not what their producer wrote"}}) {
        INFO(name);
        auto cell = cell_of(name);
        cell.mix = "r50i25e25";
        auto const result = run(cell);
        CHECK_FALSE(result.ok);
        CHECK_THAT(result.error, Contains(found));
    }
    check_clean();
}

TEST_CASE("a thread that ends badly ends the run, and it is said how", "[fast]") {
    auto const thrown = run(cell_of("peer/queue/exception"));
    CHECK_THAT(thrown.error, Contains("consumer (worker 1") && Contains("this worker gives up"));
    auto const killed = run(cell_of("peer/queue/signal"));
    CHECK_THAT(killed.error, Contains("the process of all workers was killed by signal 9"));
    CoordinatorOptions impatient;
    impatient.watchdog = std::chrono::milliseconds(500);
    auto const hung = run(cell_of("peer/queue/hang"), impatient);
    CHECK_THAT(hung.error, Contains("the watchdog ended the process of all workers"));
    check_clean();
}

namespace {

std::vector<Cell> cells_of(PeerInfo const& peer) {
    std::vector<Cell> cells;
    for (auto const payload : peer_payload_sizes)
        for (auto const host : {Host::processes, Host::threads}) {
            if (!can_be_hosted(peer.name, host) || !find_peer(peer.name, payload)) continue;
            auto cell = cell_of(peer.name, host);
            cell.payload_bytes = payload;
            cells.push_back(cell);
        }
    return cells;
}

}  // namespace

TEST_CASE("each peer that is built passes the checks", "[medium]") {
    for (auto const& peer : peers()) {
        if (!peer.built) continue;
        for (auto const& cell : cells_of(peer)) {
            auto const one = cell.structure() == "queue" ? round_trips(cell) : cell;
            check_good(one, run(one));
        }
    }
    check_clean();
}

TEST_CASE("each peer passes the checks under contention, small and nearly full", "[medium]") {
    for (auto const& peer : peers()) {
        if (!peer.built) continue;
        for (auto const& plain : cells_of(peer)) {
            check_good(plain, run(plain));
            auto scheduled = plain;
            scheduled.mode = Mode::latency;
            scheduled.load_percent = 30;
            check_good(scheduled, run(scheduled));
            if (peer.max_producers == 1) continue;
            auto crowded = plain;
            crowded.producers = crowded.structure() == "queue" ? 2 : 4;
            crowded.consumers = crowded.structure() == "queue" ? 2 : 0;
            crowded.filled_percent = 90;
            crowded.mix = "r20i40e40";
            check_good(crowded, run(crowded));
        }
    }
    check_clean();
}

int main(int argc, char** argv) {
    plant_all();
    if (argc == 5 && std::string_view(argv[1]) == worker_argument)
        return worker_main(argv[2], static_cast<std::uint32_t>(std::stoul(argv[3])), std::stoi(argv[4]));
    return Catch::Session().run(argc, argv);
}
