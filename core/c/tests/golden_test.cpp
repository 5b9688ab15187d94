// The C library writes the golden images byte for byte, and reads each of them.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "hash.h"
#include "zeroipc_c_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using nlohmann::json;

std::string bytes_of(c::owned<zeroipc_memory> const& memory) {
    return {static_cast<char const*>(zeroipc_memory_base(memory.get())), zeroipc_memory_bytes(memory.get())};
}

std::uint64_t word(json const& stage, char const* key) { return stage.at(key).get<std::uint64_t>(); }

/// One description of golden images, and what the C library does with it.
struct golden {
    explicit golden(char const* file)
        : all(c::json_of(std::string("golden/") + file)),
          structure(all.at("structure")),
          bytes(word(all, "bytes")) {}

    [[nodiscard]] std::string image(json const& stage) const {
        return c::image_of(stage.at("image").get<std::string>(), bytes);
    }
    [[nodiscard]] c::owned<zeroipc_memory> fresh(testing::segment_name const& name) const {
        return c::create(name, bytes, all.at("max_entries").get<std::uint32_t>());
    }
    /// A segment with the bytes of an image.
    [[nodiscard]] c::owned<zeroipc_memory> loaded(testing::segment_name const& name,
                                                  json const& stage) const {
        testing::raw_object(name, bytes).write_bytes(0, image(stage));
        return c::open(name);
    }
    [[nodiscard]] std::string named() const { return structure.at("name").get<std::string>(); }
    [[nodiscard]] std::uint32_t slots() const { return structure.at("handle_slots").get<std::uint32_t>(); }

    json all;
    json structure;
    std::uint64_t bytes;
};

}  // namespace

TEST_CASE("C: an array has the bytes of the golden images", "[fast]") {
    golden const g("array-5x4.json");
    testing::segment_name const name;
    auto const memory = g.fresh(name);
    auto const array = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), g.named().c_str(),
                                             word(g.structure, "capacity"), std::size_t{4});
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        std::uint32_t value = stage.value("value", 0U);
        std::uint32_t before = 0;
        if (operation == "store") c::must(zeroipc_array_store(array.get(), word(stage, "index"), &value));
        if (operation == "fetch_add") {
            c::must(zeroipc_array_fetch_add(array.get(), word(stage, "index"), &value, &before));
            CHECK(before == stage.at("gives"));
        }
        CHECK(c::listing(bytes_of(memory)) == c::listing(g.image(stage)));

        testing::segment_name const copy;
        auto const read = g.loaded(copy, stage);
        auto const there =
            c::got<zeroipc_array>(zeroipc_array_open, read.get(), g.named().c_str(), std::size_t{4});
        for (std::uint64_t i = 0; i < 5; ++i) {
            c::must(zeroipc_array_load(there.get(), i, &value));
            CHECK(value == stage.at("elements").at(i));
        }
    }
}

TEST_CASE("C: a queue has the bytes of the golden images", "[fast]") {
    golden const g("queue-compact-4x8.json");
    testing::segment_name const name;
    auto const memory = g.fresh(name);
    auto const queue = c::got<zeroipc_queue>(zeroipc_queue_create, memory.get(), g.named().c_str(), 4U,
                                             std::size_t{8}, g.slots());
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        if (operation == "kill") continue;
        std::uint64_t item = 0;
        if (operation == "push") CHECK(c::push(queue.get(), word(stage, "item")) == ZEROIPC_OK);
        if (operation == "pop") {
            CHECK(c::pop(queue.get(), item) == ZEROIPC_OK);
            CHECK(item == word(stage, "item"));
        }
        // head and tail may be lower than in the image; everything else is determined.
        auto is = bytes_of(memory);
        auto expected = g.image(stage);
        is.replace(128, 16, 16, '\0');
        expected.replace(128, 16, 16, '\0');
        CHECK(c::listing(is) == c::listing(expected));
    }
}

TEST_CASE("C: golden images of a queue open, recover and give their items", "[fast]") {
    golden const g("queue-compact-4x8.json");
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        auto const memory = g.loaded(name, stage);
        auto const queue = c::queue(memory, g.named().c_str());
        for (int i = 0; i < 2; ++i)
            CHECK(testing::raw_object(name).read<std::uint64_t>(256 + 8 * static_cast<unsigned>(i)) ==
                  stage.at("slot_words").at(static_cast<std::size_t>(i)));
        std::uint64_t size = 0;
        c::must(zeroipc_queue_was_size(queue.get(), &size));
        CHECK(size == stage.at("items").size());
        CHECK(c::drain(queue.get()) == stage.at("items").get<std::vector<std::uint64_t>>());
    }
}

TEST_CASE("C: a stack has the bytes of the golden images", "[fast]") {
    golden const g("stack-compact-3x8.json");
    testing::segment_name const name;
    auto const memory = g.fresh(name);
    std::array const handles{c::got<zeroipc_stack>(zeroipc_stack_create, memory.get(), g.named().c_str(), 3U,
                                                   std::size_t{8}, g.slots()),
                             c::stack(memory, g.named().c_str())};
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        if (operation == "kill") continue;
        auto* const through = handles.at(stage.value("through", 0U)).get();
        std::uint64_t item = 0;
        if (operation == "push") CHECK(c::push(through, word(stage, "item")) == ZEROIPC_OK);
        if (operation == "pop") {
            CHECK(c::pop(through, item) == ZEROIPC_OK);
            CHECK(item == word(stage, "item"));
        }
        CHECK(c::listing(bytes_of(memory)) == c::listing(g.image(stage)));
    }
}

TEST_CASE("C: golden images of a stack open, recover and give their items", "[fast]") {
    golden const g("stack-compact-3x8.json");
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        auto const memory = g.loaded(name, stage);
        auto const stack = c::stack(memory, g.named().c_str());
        CHECK(testing::raw_object(name).read<std::uint64_t>(256) == stage.at("slot_words").at(0));
        std::uint64_t item = 0;
        CHECK(zeroipc_stack_try_peek(stack.get(), &item) ==
              (stage.at("items").empty() ? ZEROIPC_EMPTY : ZEROIPC_OK));
        CHECK(c::drain(stack.get()) == stage.at("items").get<std::vector<std::uint64_t>>());
    }
}

TEST_CASE("C: a map has the bytes of the golden images", "[fast]") {
    golden const g("map-compact-2x8.json");
    testing::segment_name const name;
    auto const memory = g.fresh(name);
    zeroipc_map_options const options{g.slots(), 1, word(g.structure, "seed")};
    auto const map = c::got<zeroipc_map>(zeroipc_map_create, memory.get(), g.named().c_str(), 2U,
                                         std::size_t{8}, std::size_t{8}, &options);
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        auto const operation = stage.at("operation").get<std::string>();
        if (operation == "kill") continue;
        auto const key = stage.value("key", std::uint64_t{0});
        auto const value = stage.value("value", std::uint64_t{0});
        if (operation == "insert") CHECK(zeroipc_map_insert(map.get(), &key, &value) == ZEROIPC_OK);
        if (operation == "assign")
            CHECK(zeroipc_map_insert_or_assign(map.get(), &key, &value) == ZEROIPC_ASSIGNED);
        if (operation == "erase") CHECK(zeroipc_map_erase(map.get(), &key) == ZEROIPC_OK);
        CHECK(c::listing(bytes_of(memory)) == c::listing(g.image(stage)));
    }
}

TEST_CASE("C: golden images of a map open, recover and give their pairs", "[fast]") {
    golden const g("map-compact-2x8.json");
    for (auto const& stage : g.all.at("stages")) {
        INFO(stage.dump());
        testing::segment_name const name;
        auto const memory = g.loaded(name, stage);
        auto const map = c::map(memory, g.named().c_str());
        std::map<std::uint64_t, std::uint64_t> found;
        c::must(zeroipc_map_for_each(
            map.get(),
            [](void* context, void const* key, void const* value) {
                std::array<std::uint64_t, 2> pair{};
                std::memcpy(&pair[0], key, 8);
                std::memcpy(&pair[1], value, 8);
                static_cast<decltype(found)*>(context)->emplace(pair[0], pair[1]);
                return 0;
            },
            &found));
        std::map<std::uint64_t, std::uint64_t> expected;
        for (auto const& pair : stage.at("pairs")) expected.emplace(pair.at(0), pair.at(1));
        CHECK(found == expected);
        for (auto const& [key, value] : expected) {
            std::uint64_t is = 0;
            CHECK(zeroipc_map_find(map.get(), &key, &is) == ZEROIPC_OK);
            CHECK(is == value);
        }
        std::uint64_t size = 0;
        c::must(zeroipc_map_was_size(map.get(), &size));
        CHECK(size == expected.size());
    }
}

TEST_CASE("C: the hash is that of layout.json, and that of C++", "[fast]") {
    auto const constants = c::json_of("layout.json");
    for (auto const& one : constants.at("map").at("hash_vectors")) {
        INFO(one.dump());
        auto const key = one.at("key").get<std::vector<std::uint64_t>>();
        auto const hash = zeroipc_hash(key.data(), key.size(), word(one, "seed"));
        CHECK(hash == word(one, "hash"));
        CHECK(zeroipc_bucket_of(hash, 1000) == one.at("bucket_of_1000"));
    }
    testing::random_source random(1);
    for (int i = 0; i < 1000; ++i) {
        std::array<std::uint64_t, 3> const key{random.any(), random.any(), random.any()};
        auto const seed = random.any();
        CHECK(zeroipc_hash(key.data(), 3, seed) == zeroipc::hash(key, seed));
    }
}
