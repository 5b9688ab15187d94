// Plays the cases of core/format/conformance with the library that is linked: C++ or C.

#include <fstream>
#include <set>

#include "conformance.hpp"
#include "zeroipc_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace conformance = zeroipc::testing::conformance;
using nlohmann::json;

std::string const folder = ZEROIPC_FORMAT_DIR "/conformance/";

json cases_of(std::string const& file) {
    std::ifstream in(folder + file);
    INFO(file);
    REQUIRE(in);
    return json::parse(in).at("cases");
}

/// What is wrong with a case; "" if nothing.
std::string wrong_with(json const& one) {
    testing::segment_name const own;
    try {
        conformance::play(one, own, ZEROIPC_FORMAT_DIR "/golden");
    } catch (std::exception const& error) {
        return error.what();
    }
    return "";
}

/// What is wrong with steps on a queue "q" of one item.
std::string wrong_with_steps(std::initializer_list<json> steps) {
    auto all = json::array(
        {json::parse(
             R"({"do": "create_segment", "as": "s", "name": "@", "bytes": 4096, "max_entries": 2, "expect": {"result": "ok"}})"),
         json::parse(
             R"({"do": "create", "as": "q", "on": "s", "kind": "queue", "name": "q", "capacity": 1, "item_bytes": 4, "handle_slots": 2, "expect": {"result": "ok"}})")});
    for (auto const& one : steps) all.push_back(one);
    return wrong_with({{"name", "planted"}, {"steps", all}});
}

}  // namespace

TEST_CASE("conformance: each case is answered as the format's data says", "[fast]") {
    testing::watchdog const limit(100);
    std::set<std::string> names;
    std::size_t steps = 0;
    for (char const* const file :
         {"memory.json", "array.json", "queue.json", "stack.json", "map.json", "generated.json"})
        for (auto const& one : cases_of(file)) {
            CHECK(names.insert(one.at("name").get<std::string>()).second);
            steps += one.at("steps").size();
            CHECK(wrong_with(one) == "");
        }
    CHECK(names.size() > 50);
    CHECK(steps > 1000);
}

TEST_CASE("conformance: wrong expectations and fields that mean nothing are caught", "[fast]") {
    json const push{{"do", "try_push"}, {"on", "q"}, {"item", "01020304"}, {"expect", {{"result", "ok"}}}};
    json const pop{{"do", "try_pop"}, {"on", "q"}, {"expect", {{"result", "ok"}, {"item", "01020304"}}}};
    CHECK(wrong_with_steps({push, pop}) == "");

    auto const changed = [](json step, json const& by) {
        step.merge_patch(by);
        return step;
    };
    auto const check = [](std::string const& wrong, char const* says) {
        CHECK_THAT(wrong, Catch::Contains(says));
    };
    check(wrong_with_steps({changed(push, {{"expect", {{"result", "full"}}}})}),
          "answered {\"result\":\"ok\"}");
    check(wrong_with_steps({push, changed(pop, {{"expect", {{"item", "01020305"}}}})}), "answered");
    check(wrong_with_steps({push, changed(pop, {{"expect", {{"more", 1}}}})}), "answered");
    check(wrong_with_steps({push, changed(pop, {{"expect", {{"item", nullptr}}}})}), "answered");
    check(wrong_with_steps({changed(push, {{"do", "try_shove"}})}), "no operation 'try_shove'");
    check(wrong_with_steps({changed(push, {{"colour", "red"}})}), "field 'colour' was not read");
    check(wrong_with_steps({changed(push, {{"item", nullptr}})}), "item");
    check(wrong_with_steps({changed(push, {{"item", "0102"}})}), "bytes");
    check(wrong_with_steps({changed(push, {{"on", "s"}})}), "nothing that this can be done on");
    check(wrong_with_steps({changed(push, {{"expect", nullptr}})}), "expect");
    check(wrong_with_steps(
              {{{"do", "bytes"}, {"name", "@"}, {"expect", {{"result", "ok"}, {"fnv1a64", "0"}}}}}),
          "00000000  5a 49 50 43");
}
