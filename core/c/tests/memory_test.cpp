// The C library: segments, their table, results, arrays, and what fork does.

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <string>

#include "zeroipc_c_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using zeroipc::errc;
using zeroipc::Memory;

zeroipc_result open_it(std::string const& name, zeroipc_memory** memory) {
    return zeroipc_memory_open(name.c_str(), nullptr, memory);
}
bool says(char const* word) { return std::string(zeroipc_detail()).find(word) != std::string::npos; }

}  // namespace

TEST_CASE("C: results are named, and numbered as the causes of C++", "[fast]") {
    for (int cause = 1; cause <= 22; ++cause)
        CHECK(zeroipc_message(static_cast<zeroipc_result>(-cause)) ==
              zeroipc::make_error_code(static_cast<errc>(cause)).message());
    CHECK(std::string(zeroipc_message(ZEROIPC_MISUSE)) == "misuse");
    CHECK(static_cast<int>(errc::misuse) == -ZEROIPC_MISUSE);
    CHECK(std::string(zeroipc_message(static_cast<zeroipc_result>(30))) == "unknown result");
}

TEST_CASE("C: a segment is made, found, and read by C++, and the other way round", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 10000, 5);
    CHECK(zeroipc_memory_bytes(memory.get()) == 10000);
    CHECK(zeroipc_memory_max_entries(memory.get()) == 5);
    CHECK(zeroipc_memory_name(memory.get()) == name.str());
    CHECK((testing::raw_object(name).status().st_mode & 0777) == 0600);
    zeroipc_entry made{};
    c::must(zeroipc_memory_add(
        memory.get(), "one", 100, [](void* context, void* at) { std::memcpy(at, context, 3); },
        const_cast<char*>("abc"), &made));
    auto there = Memory::open(name);
    auto const found = there.find("one");
    REQUIRE(found);
    CHECK(found->offset == made.offset);
    CHECK(found->size == 100);
    CHECK(std::memcmp(there.base() + found->offset, "abc", 4) == 0);

    there.add("two", 10, [](std::byte* at) { *at = std::byte{9}; });
    zeroipc_entry entry{};
    c::must(zeroipc_memory_find(memory.get(), "two", &entry));
    CHECK(static_cast<char*>(zeroipc_memory_base(memory.get()))[entry.offset] == 9);
    std::uint32_t count = 0;
    c::must(zeroipc_memory_count(memory.get(), &count));
    CHECK(count == 2);
    c::must(zeroipc_memory_entry(memory.get(), 1, &entry));
    CHECK(std::string(entry.name) == "two");
    CHECK(zeroipc_memory_entry(memory.get(), 2, &entry) == ZEROIPC_OUT_OF_RANGE);
    std::uint64_t left = 0;
    c::must(zeroipc_memory_free_bytes(memory.get(), &left));
    CHECK(left == there.free_bytes());
    CHECK(zeroipc_memory_add(memory.get(), "three", left + 1, nullptr, nullptr, nullptr) ==
          ZEROIPC_SEGMENT_FULL);
    CHECK(zeroipc_memory_add(memory.get(), "three", left, nullptr, nullptr, nullptr) == ZEROIPC_OK);
    CHECK(there.free_bytes() == 0);
}

TEST_CASE("C: what is refused, and why", "[fast]") {
    testing::segment_name const name;
    zeroipc_memory* memory = nullptr;
    zeroipc_entry entry{};
    CHECK(open_it(name, &memory) == ZEROIPC_NOT_FOUND);
    CHECK(says(name.c_str()));
    CHECK(zeroipc_memory_remove(name.c_str()) == ZEROIPC_NOT_FOUND);
    for (char const* bad : {"", "/", "a/b", "a b", ".", "/..", "tab\t"})
        CHECK(open_it(bad, &memory) == ZEROIPC_INVALID_NAME);
    CHECK(open_it(std::string(255, 'x'), &memory) == ZEROIPC_INVALID_NAME);
    CHECK(zeroipc_memory_create(name.c_str(), 1ULL << 32, nullptr, &memory) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_memory_create(name.c_str(), 100, nullptr, &memory) == ZEROIPC_INVALID_ARGUMENT);
    zeroipc_memory_options many{};
    many.max_entries = 65536;
    CHECK(zeroipc_memory_create(name.c_str(), 1 << 22, &many, &memory) == ZEROIPC_INVALID_ARGUMENT);
    CHECK(testing::objects().empty());

    auto const one = c::create(name, 4096, 2);
    CHECK(zeroipc_memory_create(name.c_str(), 4096, nullptr, &memory) == ZEROIPC_EXISTS);
    for (std::string const& bad : {std::string(), std::string(32, 'a'), std::string("a\x01")})
        CHECK(zeroipc_memory_add(one.get(), bad.c_str(), 8, nullptr, nullptr, nullptr) ==
              ZEROIPC_INVALID_NAME);
    c::must(zeroipc_memory_add(one.get(), std::string(31, 'a').c_str(), 8, nullptr, nullptr, nullptr));
    CHECK(zeroipc_memory_add(one.get(), std::string(31, 'a').c_str(), 8, nullptr, nullptr, nullptr) ==
          ZEROIPC_EXISTS);
    c::must(zeroipc_memory_add(one.get(), "b", 8, nullptr, nullptr, nullptr));
    CHECK(zeroipc_memory_add(one.get(), "c", 8, nullptr, nullptr, nullptr) == ZEROIPC_TABLE_FULL);
    CHECK(zeroipc_memory_find(one.get(), "c", &entry) == ZEROIPC_NOT_FOUND);
    CHECK(says("'c'"));
    CHECK(zeroipc_memory_remove(name.c_str()) == ZEROIPC_OK);

    testing::segment_name const foreign;
    testing::raw_object const object(foreign, 4096);
    object.write_bytes(0, "something else");
    CHECK(open_it(foreign, &memory) == ZEROIPC_NOT_A_SEGMENT);
    CHECK(zeroipc_memory_open_or_create(foreign.c_str(), 4096, nullptr, &memory) == ZEROIPC_NOT_A_SEGMENT);
    CHECK(object.read<char>(0) == 's');
}

TEST_CASE("C: headers that no honest peer writes are refused as C++ refuses them", "[fast]") {
    struct change {
        std::uint64_t at;
        std::uint32_t value;
        zeroipc_result result;
    };
    for (auto const& one : {change{4, 2 | 2 << 16, ZEROIPC_VERSION_MISMATCH}, change{4, 1, ZEROIPC_CORRUPT},
                            change{4, 1 | 1000 << 16, ZEROIPC_TRUNCATED}, change{8, 3, ZEROIPC_CORRUPT},
                            change{12, 64, ZEROIPC_CORRUPT}, change{12, 513, ZEROIPC_TRUNCATED},
                            change{0, 7, ZEROIPC_NOT_A_SEGMENT}}) {
        INFO("offset " << one.at << ", value " << one.value);
        testing::segment_name const name;
        c::create(name, 512, 2);
        testing::raw_object(name).write(one.at, one.value);
        zeroipc_memory* memory = nullptr;
        CHECK(open_it(name, &memory) == one.result);
        testing::check_refused(static_cast<errc>(-one.result), {}, [&] { Memory::open(name); });
    }
}

TEST_CASE("C: an unfinished object is made anew, whatever its maker left", "[fast]") {
    for (std::string const& left :
         {std::string(), std::string(16, '\0'), std::string("ZIPc") + std::string(4092, 'x')}) {
        testing::segment_name const name;
        testing::raw_object(name, left.size()).write_bytes(0, left);
        zeroipc_memory* memory = nullptr;
        CHECK(open_it(name, &memory) == ZEROIPC_NOT_FOUND);
        auto const made = c::create(name, 1024, 2);
        CHECK(testing::raw_object(name).bytes().substr(16) == std::string(1008, '\0'));
    }
}

TEST_CASE("C: a draft that a dead maker left is cleared by the next one", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 4096, 4);
    testing::raw_object const object(name);
    auto const next = object.read<std::uint32_t>(12);
    object.write(16 + 32, std::array<std::uint32_t, 2>{next, 300});
    object.write_bytes(next, std::string(300, 'x'));
    zeroipc_entry entry{};
    c::must(zeroipc_memory_add(memory.get(), "one", 200, nullptr, nullptr, &entry));
    CHECK(entry.offset == next);
    CHECK(object.bytes().substr(next, 300) == std::string(300, '\0'));
    object.write(16 + 40 + 32, std::array<std::uint32_t, 2>{next, 300});
    CHECK(zeroipc_memory_add(memory.get(), "two", 200, nullptr, nullptr, nullptr) == ZEROIPC_CORRUPT);
}

TEST_CASE("C: of many makers, in both languages, exactly one makes it", "[fast]") {
    testing::watchdog const limit(60);
    for (std::uint64_t round = 0; round < testing::rounds(40); ++round) {
        testing::segment_name const name;
        testing::shared<std::array<std::atomic<int>, 2>> made;
        {
            std::vector<testing::child> all;
            for (int i = 0; i < 4; ++i)
                all.emplace_back([&] {
                    if (i % 2 == 0) {
                        auto const memory = c::got<zeroipc_memory>(
                            zeroipc_memory_open_or_create, name.c_str(), std::uint64_t{8192}, nullptr);
                        (*made)[0] += zeroipc_memory_add(memory.get(), "one", 64, nullptr, nullptr,
                                                         nullptr) == ZEROIPC_OK;
                    } else {
                        auto memory = Memory::open_or_create(name, 8192);
                        (*made)[0] += !testing::thrown_by([&] { memory.add("one", 64, [](std::byte*) {}); });
                    }
                    ++(*made)[1];
                });
            for (auto& one : all) CHECK(one.wait() == 0);
        }
        CHECK((*made)[0] == 1);
        CHECK((*made)[1] == 4);
    }
}

TEST_CASE("C: in a forked child everything says so, and the parent's locks are not kept", "[fast]") {
    testing::watchdog const limit(60);
    testing::segment_name const name;
    auto memory = c::create(name, 1 << 16);
    auto array = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), "a", 4U, std::size_t{8});
    auto queue = c::got<zeroipc_queue>(zeroipc_queue_create, memory.get(), "q", 4U, std::size_t{8}, 1U);
    auto stack = c::got<zeroipc_stack>(zeroipc_stack_create, memory.get(), "s", 4U, std::size_t{8}, 1U);
    zeroipc_map_options const options{1, 0, 0};
    auto map = c::got<zeroipc_map>(zeroipc_map_create, memory.get(), "m", 4U, std::size_t{8}, std::size_t{8},
                                   &options);
    testing::shared<std::atomic<int>> phase;
    testing::child inside([&] {
        std::uint64_t word = 1;
        std::uint32_t count = 0;
        void* at = nullptr;
        std::array const results{
            zeroipc_memory_count(memory.get(), &count),
            zeroipc_memory_add(memory.get(), "x", 8, nullptr, nullptr, nullptr),
            zeroipc_array_load(array.get(), 0, &word),
            zeroipc_array_data(array.get(), &at),
            c::push(queue.get(), 1),
            c::pop(queue.get(), word),
            zeroipc_queue_loan(queue.get(), &at),
            zeroipc_queue_publish(queue.get()),
            zeroipc_queue_was_size(queue.get(), &word),
            zeroipc_queue_pop(queue.get(), &word, ZEROIPC_FOREVER),
            c::push(stack.get(), 1),
            c::pop(stack.get(), word),
            zeroipc_stack_try_peek(stack.get(), &word),
            zeroipc_map_insert(map.get(), &word, &word),
            zeroipc_map_find(map.get(), &word, nullptr),
            zeroipc_map_erase(map.get(), &word),
            zeroipc_map_was_size(map.get(), &word),
        };
        for (std::size_t i = 0; i < results.size(); ++i)
            if (results[i] != ZEROIPC_FORKED) return 1 + static_cast<int>(i);
        if (zeroipc_memory_base(memory.get()) != nullptr || !says("fork()")) return 50;
        // Closing in the child takes nothing from the parent.
        queue.reset();
        map.reset();
        memory.reset();
        phase->store(1);
        testing::until([&] { return phase->load() == 2; });
        return 0;
    });
    testing::until([&] { return phase->load() == 1 || inside.ended(); });
    CHECK(c::push(queue.get(), 5) == ZEROIPC_OK);
    // The slot is ours while we live, and free once we close it, though the child lives on.
    auto const again = c::open(name);
    zeroipc_queue* second = nullptr;
    CHECK(zeroipc_queue_open(again.get(), "q", 8, &second) == ZEROIPC_NO_HANDLE_SLOT);
    queue.reset();
    CHECK(c::drain(c::queue(again, "q").get()) == std::vector<std::uint64_t>{5});
    phase->store(2);
    CHECK(inside.wait() == 0);
}

TEMPLATE_TEST_CASE("C: an array's operations are atomic, wrap, and check the index", "[fast]", std::uint8_t,
                   std::uint16_t, std::uint32_t, std::uint64_t) {
    testing::segment_name const name;
    auto const memory = c::create(name, 4096);
    auto const array = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), "a", 3U, sizeof(TestType));
    auto cpp_memory = Memory::open(name);
    zeroipc::Array<TestType> other(cpp_memory, "a");
    CHECK(zeroipc_array_capacity(array.get()) == 3);
    auto const most = static_cast<TestType>(~TestType{0});
    TestType value = most;
    TestType before = 1;
    c::must(zeroipc_array_store(array.get(), 2, &value));
    CHECK(other.load(2) == most);
    CHECK(other.load(1) == 0);
    value = 3;
    c::must(zeroipc_array_fetch_add(array.get(), 2, &value, &before));
    CHECK(before == most);
    CHECK(other.load(2) == 2);
    c::must(zeroipc_array_fetch_sub(array.get(), 2, &value, nullptr));
    CHECK(other.load(2) == most);
    c::must(zeroipc_array_fetch_and(array.get(), 2, &value, nullptr));
    CHECK(other.load(2) == 3);
    value = 4;
    c::must(zeroipc_array_fetch_or(array.get(), 2, &value, nullptr));
    value = 6;
    c::must(zeroipc_array_fetch_xor(array.get(), 2, &value, &before));
    CHECK(before == 7);
    CHECK(other.load(2) == 1);
    value = 9;
    c::must(zeroipc_array_exchange(array.get(), 2, &value, &before));
    CHECK(before == 1);
    TestType expected = 8;
    value = 10;
    CHECK(zeroipc_array_compare_exchange(array.get(), 2, &expected, &value) == ZEROIPC_DIFFERENT);
    CHECK(expected == 9);
    CHECK(zeroipc_array_compare_exchange(array.get(), 2, &expected, &value) == ZEROIPC_OK);
    c::must(zeroipc_array_load(array.get(), 2, &value));
    CHECK(value == 10);
    void* at = nullptr;
    c::must(zeroipc_array_at(array.get(), 2, &at));
    CHECK(*static_cast<TestType*>(at) == 10);
    CHECK(zeroipc_array_at(array.get(), 3, &at) == ZEROIPC_OUT_OF_RANGE);
    CHECK(zeroipc_array_load(array.get(), 3, &value) == ZEROIPC_OUT_OF_RANGE);
    CHECK(zeroipc_array_store(array.get(), ~0ULL, &value) == ZEROIPC_OUT_OF_RANGE);
    zeroipc_array* wrong = nullptr;
    CHECK(zeroipc_array_open(memory.get(), "a", sizeof(TestType) + 1, &wrong) == ZEROIPC_WRONG_ITEM_SIZE);
    auto const odd = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), "odd", 3U, std::size_t{3});
    CHECK(zeroipc_array_load(odd.get(), 0, &value) == ZEROIPC_INVALID_ARGUMENT);
    std::uint64_t bytes = 0;
    CHECK(zeroipc_array_bytes_for(0, 8, &bytes) == ZEROIPC_INVALID_CAPACITY);
    CHECK(zeroipc_array_bytes_for(1U << 29, 8, &bytes) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_array_bytes_for(~0ULL, ~0ULL, &bytes) == ZEROIPC_TOO_LARGE);
}
