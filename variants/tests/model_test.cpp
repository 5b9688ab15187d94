/// \file
/// The catalogue on the model of weak memory: every variant that the model can see is explored with what it promises.
/// A variant that is new in the catalogue is explored without a change here.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc_model/container_scenes.hpp>
#include <zeroipc_model/map_scene.hpp>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace {

using namespace zeroipc;
using namespace zeroipc::model;

// The structure that this program is built for: its catalogue.
#define ZEROIPC_CATALOGUE_(structure) variants::structure##_catalogue
#define ZEROIPC_CATALOGUE(structure) ZEROIPC_CATALOGUE_(structure)
using subjects = ZEROIPC_CATALOGUE(ZEROIPC_STRUCTURE);

template <class Variant>
constexpr bool is_map = Variant::structure == std::string_view("map");

template <class Policy, class Default, bool Taken = true>
constexpr bool is_default = !Taken || std::is_same_v<Policy, Default>;

/// Whether an exploration of this variant shows what no other one's does. Backoff is nothing to the model, nor does the
/// way of waiting change what operations do.
template <class Variant>
constexpr bool is_visible =
    !Variant::uses_kernel_locks && !Variant::unsafe &&
    is_default<typename Variant::policies::backoff, zeroipc::backoff::exponential,
               Variant::algorithm::takes_backoff> &&
    is_default<typename Variant::policies::waiting, typename Variant::policies::default_waiting>;

/// Where words lie changes no interleaving of accesses to them: layouts are glanced at, the compact one is explored.
template <class Variant>
constexpr bool is_explored =
    is_visible<Variant>&& is_default<typename Variant::policies::layout, zeroipc::layout::compact>;

template <class Variant>
std::vector<scene_plan> scenes_of() {
    if constexpr (is_map<Variant>)
        return map_scenes<typename Variant::policies>();
    else
        return container_scenes<typename Variant::policies>();
}

/// A failure is told with what ZEROIPC_REPLAY takes; then that run of that variant is all that there is.
template <class Variant>
effort for_variant(effort how) {
    how.of = Variant::name();
    how.replay = asked_replay();
    return how;
}

/// The same failure by the same steps; and another scene has nothing to replay.
[[maybe_unused]] void check_replay(scene_plan plan, effort how, scene_result const& seen) {
    how.replay = seen.replay;
    auto const again = explore_scene(plan, how);
    INFO(seen.text << again.text);
    CHECK_FALSE(again.right);
    CHECK(again.executions == 1);
    CHECK(again.replay == seen.replay);
    auto const without_number = [](std::string const& text) {
        auto const at = text.find("\n(run ");
        return text.substr(0, at) + text.substr(text.find("; replay: ", at));
    };
    CHECK(without_number(again.text) == without_number(seen.text));
    plan.name = "another one";
    CHECK(explore_scene(plan, how).executions == 0);
}

/// What is wrong, and how to see it again.
void tell(scene_result const& seen) {
    std::printf("%s\n  ZEROIPC_REPLAY=\"%s\"\n", seen.text.substr(0, seen.text.find('\n')).c_str(),
                seen.replay.c_str());
}

template <class Variant>
void explore_all(effort const& asked) {
    auto const how = for_variant<Variant>(asked);
    std::uint64_t executions = 0;
    std::uint64_t random = 0;
    std::uint64_t deaths = 0;
    unsigned longest = 0;
    auto const plans = scenes_of<Variant>();
    REQUIRE(!plans.empty());
    for (auto const& plan : plans) {
        auto const result = explore_scene(plan, how);
        INFO("seed " << how.seed << ": " << result.text);
        CHECK(result.right);
        if (!result.right) tell(result);  // in lines of its own: Catch2 breaks what is long
        if (!how.replay.empty()) {
            if (result.right && result.executions > 0)
                std::printf("nothing is wrong with %s\n", how.replay.c_str());
            continue;
        }
        if (how.executions == effort{}.executions) CHECK(result.exhausted);
        if (!plan.victims.empty()) CHECK(result.deaths > 0);
        executions += result.executions;
        random += result.random;
        deaths += result.deaths;
        longest = std::max(longest, result.longest);
    }
    std::printf(
        "%s: %zu scenes, %llu runs within their bounds, %llu random ones (seed %llu), dead before %llu "
        "steps; longest operation %u steps\n",
        Variant::name().c_str(), plans.size(), static_cast<unsigned long long>(executions),
        static_cast<unsigned long long>(random), static_cast<unsigned long long>(how.seed),
        static_cast<unsigned long long>(deaths), longest);
}

TEMPLATE_LIST_TEST_CASE("each variant keeps its promises on the model, at a glance", "[fast]", subjects) {
    if constexpr (is_visible<TestType>) {
        effort how;
        how.less_preemptions = 9;
        how.less_stale = 9;
        how.executions = 30;  // of each scene, and of each step at which somebody dies in it
        how.random = 50;
        explore_all<TestType>(how);
    }
}

TEMPLATE_LIST_TEST_CASE("each variant keeps its promises on the model, within small bounds", "[medium]",
                        subjects) {
    if constexpr (is_explored<TestType>) {
        effort how;
        how.less_preemptions = 2;
        how.less_stale = 1;
        how.random = 1'000;
        // The default wholly, the others in part: in all not more than a minute. The label slow has the rest.
        if (!std::is_same_v<TestType, std::tuple_element_t<0, subjects>>) how.executions = 200;
        explore_all<TestType>(how);
    }
}

/// What waits beside the structure, in offers or for its combiner, has runs within the bounds of the others that would take hours.
/// Fewer preemptions, then, and exhaustive.
template <class Variant>
constexpr unsigned less_of = Variant::algorithm::name == std::string_view("elimination")      ? 1
                             : Variant::algorithm::name == std::string_view("flat_combining") ? 2
                                                                                              : 0;

TEMPLATE_LIST_TEST_CASE("each variant keeps its promises on the model", "[slow]", subjects) {
    if constexpr (is_explored<TestType>) {
        effort how;
        how.less_preemptions = less_of<TestType>;
        how.random = 100'000;
        explore_all<TestType>(how);
    }
}

/// Blocking algorithms are found out; the others pass the same scene. (In it two push.)
TEMPLATE_LIST_TEST_CASE("who waits for the dead is found", "[fast]", subjects) {
    if constexpr (!is_map<TestType> && is_visible<TestType> && TestType::max_producers > 1) {
        constexpr bool lock_free = TestType::progress != std::string_view("blocking");
        auto const plan = survivor_scene<typename TestType::policies>();
        auto const how = for_variant<TestType>({});
        auto const result = explore_scene(plan, how);
        INFO(result.text);
        CHECK(result.right == (lock_free || !how.replay.empty()));  // a failure asked for is to be seen
        if (!lock_free && how.replay.empty()) {
            CHECK(result.text.find("no progress") != std::string::npos);
            check_replay(plan, how, result);
            tell(result);
        }
    }
}

/// Who claims no linearizable answers "full" and "empty" has the fault for it: two that put in, and look past each other.
/// (SCQ is not late with "empty": its false answer is "full", which faults_test.cpp shows.)
TEMPLATE_TEST_CASE("who answers late is found", "[fast]", variants::algorithm::spsc,
                   variants::algorithm::spsc_batch, variants::algorithm::ticket, variants::algorithm::faa) {
    if constexpr (std::is_same_v<subjects, variants::queue_catalogue>) {
        static_assert(!TestType::linearizable_negatives);
        auto const result = explore_scene(crossing_scene<zeroipc::detail::queue_policies<TestType>>(), {});
        INFO(TestType::name << ": " << result.text);
        CHECK_FALSE(result.right);
        CHECK(result.text.find("not linearizable: both are said to be empty") != std::string::npos);
        std::printf("%s answers late: %s\n", std::string(TestType::name).c_str(),
                    result.text.substr(0, result.text.find('\n')).c_str());
    }
}

/// The default, which says that one may pop.
struct for_one_consumer : zeroipc::algorithm::exchange {
    static constexpr std::uint32_t max_consumers = 1;
};

TEST_CASE("what is for one consumer alone is explored with one, and with several producers", "[fast]") {
    std::set<std::string> all;
    for (auto const& plan : container_scenes<zeroipc::detail::queue_policies<>>()) all.insert(plan.name);
    std::set<std::string> for_one;
    for (auto const& plan : container_scenes<zeroipc::detail::queue_policies<for_one_consumer>>())
        for_one.insert(plan.name);
    CHECK(for_one.size() < all.size());
    CHECK(std::includes(all.begin(), all.end(), for_one.begin(), for_one.end()));
    CHECK(for_one.count("2+1, capacity 1") == 1);
    CHECK(for_one.count("1+2, capacity 1") == 0);
}

/// A container scene of the stack with elimination that counts the runs in which an offer was taken: its mark stays.
template <class Policies>
class meeting_scene : public container_scene<Policies> {
    using above = container_scene<Policies>;

public:
    static inline std::uint64_t met = 0;

    meeting_scene(typename above::shape const& s, std::vector<part> const& parts)
        : above(s, parts),
          where_(
              ring_on_model<Policies>::geometry(s.capacity, static_cast<std::uint32_t>(parts.size()) + 1)) {}

    std::string check() override {
        auto const shift = std::bit_width(where_.node_count());
        bool taken = false;
        for (std::uint64_t slot = 0; slot < where_.handle_slots; ++slot) {
            std::uint64_t offer = 0;
            std::memcpy(&offer, this->base() + where_.offers + Policies::layout::line * slot, sizeof offer);
            taken = taken || (offer >> shift & 1) != 0;
        }
        met += taken;
        return above::check();
    }

private:
    variants::elimination_geometry where_;
};

/// Elimination with a backoff that gives the processor away, so that an offer stands while others go on. (The model has
/// that for who blocks; nobody does here.)
struct patient_elimination : variants::algorithm::elimination {
    static constexpr std::string_view progress = "blocking";
};

/// Two threads must lose their race, to a third one, and meet before either tries again.
/// \param heirs whether somebody takes the dead one's place in the middle, too; else all is recovered at the end.
[[maybe_unused]] void explore_meetings(effort const& how, bool heirs) {
    using policies = zeroipc::detail::stack_policies<patient_elimination>;
    using scene = meeting_scene<policies>;
    struct {
        std::string name;
        std::uint64_t capacity;
        unsigned filled;
        std::vector<part> parts;
        std::vector<unsigned> victims;
        bounds within;
        bool meet = true;  ///< whether they can: the third one's push leaves room
    } const all[] = {
        {"no room", 2, 1, {{{act::push}}, {{act::push}}, {{act::pop}}}, {}, {3, 2}, false},
        {"room", 3, 1, {{{act::push}}, {{act::push}}, {{act::pop}}}, {}, {3, 2}},
        {"full at times", 2, 1, {{{act::push}}, {{act::push, act::pop}}, {{act::pop}}}, {}, {3, 2}},
        {"seen from outside",
         3,
         1,
         {{{act::push}}, {{act::push, act::size, act::push}}, {{act::pop}}},
         {},
         {3, 1}},
        {"the push dies", 3, 1, {{{act::push}}, {{act::push}}, {{act::pop}}}, {0}, {2, 1}},
        {"the pop dies", 3, 1, {{{act::pop}}, {{act::push}}, {{act::push}}}, {0}, {2, 1}},
        {"the push has an heir",
         3,
         1,
         {{{act::push}}, {{act::push}}, {{act::pop}}, {{act::push}, {0}}},
         {0},
         {2, 0}},
        {"the pop has an heir",
         3,
         1,
         {{{act::pop}}, {{act::push}}, {{act::push}}, {{act::pop}, {0}}},
         {0},
         {2, 0}},
    };
    for (auto const& one : all) {
        if (one.parts.size() > 3 && !heirs) continue;
        scene::met = 0;
        typename container_scene<policies>::shape const shape{false, one.capacity, one.filled, 0, true, true};
        scene_plan const plan{one.name, [&] { return std::make_unique<scene>(shape, one.parts); },
                              one.victims, one.within};
        auto const result = explore_scene(plan, how);
        INFO(one.name << ": " << result.text);
        CHECK(result.right);
        CHECK(result.exhausted);
        CHECK((scene::met > 0) == one.meet);
        std::printf("elimination, %s: %s; an offer was taken in %llu runs\n", one.name.c_str(),
                    result.line().c_str(), static_cast<unsigned long long>(scene::met));
    }
}

TEST_CASE("a push and a pop that lost their races meet", "[medium]") {
    if constexpr (std::is_same_v<subjects, variants::stack_catalogue>)
        explore_meetings({.less_stale = 1}, false);
}

TEST_CASE("a push and a pop that lost their races meet, within larger bounds", "[slow]") {
    if constexpr (std::is_same_v<subjects, variants::stack_catalogue>)
        explore_meetings({.random = 100'000}, true);
}

TEMPLATE_LIST_TEST_CASE("what is wrong on purpose is found", "[fast]", subjects) {
    if constexpr (!is_map<TestType> && TestType::unsafe) {
        promises p = promises_of<typename TestType::policies>();
        p.kill_safe = false;
        auto const how = for_variant<TestType>({});
        scene_result first;
        for (auto const& plan : container_scenes<typename TestType::policies>(p)) {
            first = explore_scene(plan, how);
            if (first.right) continue;
            if (how.replay.empty()) check_replay(plan, how, first);
            break;
        }
        INFO(first.text);
        if (!how.replay.empty()) {
            CHECK(first.right);  // what is to be seen is the failure
        } else {
            CHECK(first.text.find("race: ") != std::string::npos);
            tell(first);
        }
    }
}

}  // namespace
