/// \file
/// The monitors against a search that tries every order, and against planted faults.

#include "zeroipc/bench/monitor.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "histories.hpp"

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
        making.capacity = structure == Structure::map ? never : 1 + random.below(3);
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

}  // namespace
