/// \file
/// The variants' own structures as golden images (core/format/golden/variants): what operations write is what stands
/// there, and what stands there is read.

#include <zeroipc/variants/catalogue.hpp>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "zeroipc_golden.hpp"
#include "zeroipc_testing.hpp"

namespace {

using nlohmann::json;
using zeroipc::Memory;
using namespace zeroipc::testing;

std::string const folder = ZEROIPC_GOLDEN_DIR "/";

template <class S>
constexpr bool is_map = requires {
    typename S::mapped_type;
};

template <class S>
std::string name_of_file() {
    std::string const algorithm(S::algorithm::name);
    return is_map<S> ? "map-" + algorithm + "-2x8" : "stack-" + algorithm + "-3x8";
}

template <class S>
S make(Memory& memory, json const& structure) {
    auto const name = structure.at("name").get<std::string>();
    auto const capacity = structure.at("capacity").get<std::uint64_t>();
    auto const slots = structure.at("handle_slots").get<std::uint32_t>();
    if constexpr (is_map<S>)
        return S(memory, name, capacity, {slots, structure.at("seed").get<std::uint64_t>()});
    else
        return S(memory, name, capacity, {slots});
}

template <class S>
void perform(S& s, json const& stage) {
    auto const operation = stage.at("operation").get<std::string>();
    auto const at = [&](char const* what) { return stage.at(what).get<std::uint64_t>(); };
    if (operation == "make") return;
    if constexpr (is_map<S>) {
        if (operation == "insert")
            REQUIRE(s.insert(at("key"), at("value")) == zeroipc::outcome::inserted);
        else if (operation == "assign")
            REQUIRE(s.insert_or_assign(at("key"), at("value")) == zeroipc::outcome::assigned);
        else if (operation == "erase")
            REQUIRE(s.erase(at("key")));
        else
            FAIL("no operation is named " << operation);
    } else {
        if (operation == "push")
            REQUIRE(s.try_push(at("item")));
        else if (operation == "pop")
            REQUIRE(s.try_pop() == at("item"));
        else
            FAIL("no operation is named " << operation);
    }
}

/// Items from the top on, or pairs in the order of their keys.
template <class S>
json contents(S& s) {
    json all = json::array();
    if constexpr (is_map<S>) {
        std::map<std::uint64_t, std::uint64_t> sorted;
        s.for_each([&](std::uint64_t key, std::uint64_t value) { sorted.emplace(key, value); });
        for (auto const& [key, value] : sorted) all.push_back(json::array({key, value}));
    } else {
        while (auto const item = s.try_pop()) all.push_back(*item);
    }
    return all;
}

template <class... Ps>
using table = zeroipc::Map<std::uint64_t, std::uint64_t, Ps...>;
template <class... Ps>
using stack = zeroipc::Stack<std::uint64_t, Ps...>;
namespace algorithm = zeroipc::variants::algorithm;

TEMPLATE_TEST_CASE("golden images of the variants' structures", "[fast]", table<algorithm::chained>,
                   table<algorithm::open_addressing>, stack<algorithm::elimination>,
                   stack<algorithm::flat_combining>) {
    auto const file = folder + name_of_file<TestType>() + ".json";
    INFO(file);
    auto const golden = json::parse(std::ifstream(file));
    auto const& structure = golden.at("structure");
    auto const bytes = golden.at("bytes").get<std::uint64_t>();
    CHECK(golden.at("format_version") == zeroipc::format::version);
    segment_name const name;
    auto memory = Memory::create(name, bytes, {.max_entries = golden.at("max_entries").get<std::uint32_t>()});
    auto one = make<TestType>(memory, structure);
    TestType two(memory, structure.at("name").get<std::string>());
    auto const entry = memory.entries().at(0);
    CHECK(entry.offset == structure.at("offset"));
    CHECK(entry.size == structure.at("size"));
    for (auto const& stage : golden.at("stages")) {
        INFO(stage.dump());
        perform(stage.value("through", 0) == 0 ? one : two, stage);
        auto const found = raw_object(name).bytes();
        auto const image = folder + stage.at("image").get<std::string>();
        // After a change of the format that is meant: run once with this set, and read the difference.
        if (std::getenv("ZEROIPC_WRITE_GOLDEN") != nullptr) std::ofstream(image) << listing(found);
        auto const expected = golden_image(image, bytes);
        CHECK(listing(found) == listing(expected));

        segment_name const copy;
        raw_object const object(copy, bytes);
        object.write_bytes(0, expected);
        auto opened = Memory::open(copy);
        TestType reader(opened, structure.at("name").get<std::string>());
        CHECK(reader.capacity() == structure.at("capacity"));
        CHECK(reader.was_size() == stage.at("holds").size());
        CHECK(contents(reader) == stage.at("holds"));
    }
}

}  // namespace
