/// \file
/// The monitors against a search that tries every order, and against planted faults.

#include "zeroipc/bench/monitor.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "faults.hpp"
#include "folder.hpp"
#include "histories.hpp"
#include "message_of.hpp"
#include "zeroipc/variants/catalogue.hpp"
#include "zeroipc_mortal.hpp"

namespace {

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using zeroipc::testing::rounds;

std::string text_of(History const& history) {
    std::string text = "capacity " + std::to_string(history.capacity);
    for (std::size_t i = 0; i < history.operations.size(); ++i) {
        auto const& op = history.operations[i];
        text += "\n  [" + std::to_string(op.call) + ", " + (op.ret == never ? "-" : std::to_string(op.ret)) +
                "] " + describe(history, i);
    }
    return text;
}

/// How the verdicts on many small histories came out.
struct Tally {
    unsigned right = 0, wrong = 0, undecided = 0;
};

template <class Object>
Tally compare(Structure structure, std::uint64_t histories, Object const& empty) {
    random_source random(static_cast<std::uint64_t>(structure) + 40);
    Tally tally;
    for (std::uint64_t i = 0; i < histories; ++i) {
        Making making;
        making.structure = structure;
        making.operations = 1 + random.below(10);
        making.capacity = 1 + random.below(3);
        if (structure == Structure::map && random.below(4) > 0) making.capacity = never;
        making.workers = 1 + static_cast<std::uint32_t>(random.below(4));
        making.keys = 1 + static_cast<std::uint32_t>(random.below(2));
        making.width = 1 + random.below(12);
        making.pending = random.below(3) == 0 ? 0 : 1 + random.below(6);
        auto object = empty;
        object.capacity = making.capacity;
        auto history = make_history(making, object, random);
        auto const faults = random.below(4);
        for (std::uint64_t k = 0; k < faults; ++k) spoil(history, random);
        bool const truth = is_linearizable(history, object);
        auto const judged = judge(history);
        INFO("history " << i << ", " << text_of(history) << "\n" << judged.rule << ": " << judged.why);
        if (faults == 0) REQUIRE(truth);
        // Two values put in twice: not for these monitors.
        if (judged.rule == "values are not distinct") continue;
        // Of a map's "full" only a part is checked: it may come early.
        if (structure == Structure::map && making.capacity != never && !truth) continue;
        if (judged.verdict == Verdict::undecided)
            ++tally.undecided;
        else
            REQUIRE(judged.verdict == (truth ? Verdict::linearizable : Verdict::violation));
        ++(truth ? tally.right : tally.wrong);
    }
    std::printf("%s: %u linearizable, %u not; %u undecided\n", std::string(to_string(structure)).c_str(),
                tally.right, tally.wrong, tally.undecided);
    return tally;
}

TEST_CASE("on small histories the monitors agree with the search that tries every order", "[fast]") {
    auto const histories = rounds(10'000);
    for (auto const& tally : {compare(Structure::queue, histories, SequentialContainer{}),
                              compare(Structure::stack, histories, SequentialContainer{true}),
                              compare(Structure::map, histories, SequentialMap{})}) {
        CHECK(tally.undecided == 0);
        CHECK(tally.right > histories / 10);
        CHECK(tally.wrong > histories / 10);
    }
}

/// A large history that is right, with workers that are killed and such that are held up for long.
History large(Structure structure, std::uint64_t operations, std::uint32_t workers, random_source& random) {
    Making making;
    making.structure = structure;
    making.operations = operations;
    making.capacity = structure == Structure::map ? never : 64;
    making.workers = workers;
    making.keys = 64;
    making.width = 100;
    making.pending = std::max<std::uint64_t>(1, operations / 20);
    making.preempted = 2000;
    if (structure == Structure::map) return make_history(making, SequentialMap{}, random);
    return make_history(making, SequentialContainer{structure == Structure::stack, making.capacity, {}},
                        random);
}

constexpr std::array structures{Structure::queue, Structure::stack, Structure::map};

void plant_faults(std::uint64_t operations, int times) {
    random_source random(50);
    int undecided = 0;
    for (auto const structure : structures) {
        auto history = large(structure, operations, 3, random);
        auto const right = judge(history);
        INFO(to_string(structure) << ": " << right.rule << ": " << right.why);
        CHECK(right.verdict != Verdict::violation);
        undecided += right.verdict == Verdict::undecided ? 1 : 0;
        if (structure == Structure::map) history.capacity = 64;  // never all at once in the first moments
        for (auto const& fault : faults_of(structure))
            for (int i = 0; i < times; ++i) {
                Planter planter(history);
                INFO(to_string(structure) << ", " << fault);
                REQUIRE(planter.plant(fault, random));
                auto const judged = judge(planter.history());
                INFO(judged.rule << ": " << judged.why);
                CHECK(judged.verdict == Verdict::violation);
                CHECK_FALSE(judged.operations.empty());
            }
    }
    CHECK(undecided <= 1);
}

TEST_CASE("planted faults are found in made-up histories", "[fast]") { plant_faults(rounds(10'000), 10); }

TEST_CASE("planted faults are found among a million made-up operations", "[slow]") {
    plant_faults(rounds(1'000'000), 1);
}

TEST_CASE(
    "wide histories, with full and empty, killed and held up workers: right ones are never called wrong",
    "[fast]") {
    random_source random(60);
    unsigned undecided = 0;
    for (auto const structure : structures)
        for (std::uint32_t const workers : {2U, 4U, 8U})
            for (std::uint64_t const capacity :
                 {std::uint64_t{1}, std::uint64_t{4}, std::uint64_t{64}, never}) {
                Making making{structure, rounds(5000), capacity, workers, 16, 100, 200, 300};
                if (structure == Structure::map) making.capacity = std::max<std::uint64_t>(capacity, 4);
                auto const history =
                    structure == Structure::map
                        ? make_history(making, SequentialMap{making.capacity, {}}, random)
                        : make_history(making,
                                       SequentialContainer{structure == Structure::stack, capacity, {}},
                                       random);
                auto const judged = judge(history, {200'000});
                INFO(to_string(structure) << ", " << workers << " workers, capacity " << capacity << ": "
                                          << judged.rule << ": " << judged.why);
                CHECK(judged.verdict != Verdict::violation);
                undecided += judged.verdict == Verdict::undecided ? 1U : 0U;
            }
    std::printf("wide histories: %u of 36 undecided\n", undecided);
}

/// Calls of one process in the order in which they happen, at ticks 1, 2, ...
class Notes {
public:
    explicit Notes(std::uint64_t capacity) {
        history_.capacity = capacity;
        history_.workers.resize(4);
    }
    template <class Call>
    void note(std::uint16_t worker, Action action, std::uint64_t value, Call&& call) {
        auto const at = history_.operations.size();
        Operation op;
        op.worker = worker;
        op.action = action;
        op.value = value;
        op.call = ++now_;
        history_.operations.push_back(op);
        bool const done = call(op.value);
        op.answer = done ? Answer::done : action == Action::push ? Answer::full : Answer::empty;
        op.ret = ++now_;
        history_.operations[at] = op;
    }
    template <class Q>
    void push(std::uint16_t worker, Q& q) {
        note(worker, Action::push, ++values_, [&](std::uint64_t& value) { return q.try_push(value); });
    }
    template <class Q>
    void pop(std::uint16_t worker, Q& q) {
        note(worker, Action::pop, 0, [&](std::uint64_t& value) { return q.try_pop(value); });
    }
    [[nodiscard]] History const& history() const { return history_; }

private:
    History history_;
    std::uint64_t now_ = 0;
    std::uint64_t values_ = 0;
};

/// Rules that fire when a push, and then a pop, is held up before each of its shared steps while others work.
template <class Algorithm>
std::set<std::string> rules_when_held_up() {
    using namespace zeroipc::testing;
    using queue = zeroipc::Queue<std::uint64_t, Algorithm, mortal>;
    std::set<std::string> rules;
    for (bool const pushing : {true, false}) {
        bool reached = true;
        for (std::uint64_t step = 1; reached; ++step) {
            segment_name const name;
            auto memory = zeroipc::Memory::create(name, 1 << 16);
            queue slow(memory, "q", 2, {8});
            queue other(memory, "q");
            Notes notes(2);
            if (!pushing) {
                notes.push(0, slow);
                notes.push(0, slow);
            }
            std::function<void()> const meanwhile = [&] {
                for (int i = 0; i < 2; ++i) pushing ? notes.push(1, other) : notes.pop(1, other);
                for (int i = 0; i < 2; ++i) pushing ? notes.pop(1, other) : notes.push(1, other);
            };
            fate held;
            held.interrupted_at = step;
            held.interruption = &meanwhile;
            REQUIRE(survives(held, [&] { pushing ? notes.push(2, slow) : notes.pop(2, slow); }));
            reached = held.taken >= step;
            for (int i = 0; i < 4; ++i) notes.pop(3, other);
            auto const judged = judge(notes.history());
            REQUIRE(judged.verdict != Verdict::undecided);
            if (judged.verdict == Verdict::violation) rules.insert(judged.rule);
        }
    }
    return rules;
}

TEST_CASE("the ticket ring's false answers are found, and the default queue gives none", "[fast]") {
    auto const ticket = rules_when_held_up<zeroipc::variants::algorithm::ticket>();
    CHECK(ticket.contains("false empty"));
    CHECK(ticket.contains("false full"));
    CHECK(rules_when_held_up<zeroipc::algorithm::exchange>().empty());
}

TEST_CASE("histories are the same after they were written and read, in both encodings", "[fast]") {
    random_source random(70);
    Folder const folder;
    for (auto const structure : structures)
        for (auto const encoding : {Encoding::binary, Encoding::lines}) {
            auto history = large(structure, 3000, 3, random);
            history.clock = "made up";
            history.seed = 5;
            history.skew_ns = 1.5;
            auto const file = folder / "history";
            write_history(file, history, encoding);
            auto const again = read_history(file);
            CHECK(again.structure == history.structure);
            CHECK(again.capacity == history.capacity);
            CHECK(again.clock == history.clock);
            CHECK(again.seed == history.seed);
            CHECK(again.workers.size() == history.workers.size());
            REQUIRE(again.operations.size() == history.operations.size());
            for (std::size_t i = 0; i < again.operations.size(); ++i) {
                auto const& a = again.operations[i];
                auto const& b = history.operations[i];
                REQUIRE(describe(again, i) == describe(history, i));
                REQUIRE((a.call == b.call && a.ret == b.ret && a.value == b.value));
            }
        }
}

/// What reading a file with this text says.
std::string refusal_of(std::string const& text) {
    Folder const folder;
    auto const file = folder / "history";
    std::ofstream(file) << text;
    return message_of<HistoryError>([&] { static_cast<void>(read_history(file)); });
}

TEST_CASE("what is no history is refused, with the place and the reason", "[fast]") {
    std::string const magic = "zeroipc-history 1\n";
    std::string const header = magic +
                               R"({"structure":"queue","capacity":2,"operations":1,"encoding":"lines"})"
                               "\n";
    auto const one = [&](std::string const& line) { return refusal_of(header + line + "\n"); };
    CHECK(one(R"({"call":1,"return":2,"action":"push","answer":"done","value":1})").empty());
    CHECK_THAT(refusal_of(""), Catch::Contains("no history"));
    CHECK_THAT(refusal_of("zeroipc-history 2\n{}\n"), Catch::Contains("another version"));
    CHECK_THAT(refusal_of(magic + "{}\n"), Catch::Contains("structure"));
    CHECK_THAT(refusal_of(magic + R"({"structure":"tree","operations":0})"), Catch::Contains("tree"));
    CHECK_THAT(refusal_of(header), Catch::Contains("announces 1 operations and 0 are there"));
    CHECK_THAT(one("nonsense"), Catch::Contains("operation 0"));
    CHECK_THAT(one(R"({"call":1,"return":2,"action":"find","answer":"done"})"),
               Catch::Contains("a queue has no find"));
    CHECK_THAT(one(R"({"call":1,"return":2,"action":"push","answer":"empty"})"),
               Catch::Contains("does not answer 'empty'"));
    CHECK_THAT(one(R"({"call":3,"return":2,"action":"push","answer":"done"})"),
               Catch::Contains("returned before"));
    CHECK_THAT(one(R"({"call":1,"action":"push","answer":"done"})"), Catch::Contains("return"));
    CHECK_THAT(
        refusal_of(magic + R"({"structure":"queue","operations":99999999999,"encoding":"binary"})" + "\nxx"),
        Catch::Contains("only 0 are there whole"));
}

}  // namespace
