// The C library's queues, stacks and maps beside containers of the standard library, with items of many sizes.

#include <array>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "zeroipc_c_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using number = std::uint64_t;

/// Items of some size, told by a number.
std::string item_of(number value, std::size_t bytes) {
    std::string item(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) item[i] = static_cast<char>(value >> (8 * (i % 2)) ^ i);
    return item;
}

}  // namespace

TEST_CASE("C: queues, stacks and maps of any item size do what a model does", "[fast]") {
    for (std::size_t const bytes : {1U, 3U, 8U, 12U, 100U, 4099U}) {
        INFO("items of " << bytes << " bytes");
        testing::segment_name const name;
        auto const memory = c::create(name, 1 << 20);
        constexpr number capacity = 8;
        auto const queue = c::make_queue(memory, capacity, bytes);
        auto const stack = c::make_stack(memory, capacity, bytes);
        auto const map = c::make_map(memory, capacity, bytes, bytes + 1);
        std::deque<std::string> fifo;
        std::vector<std::string> lifo;
        std::map<std::string, std::string> pairs;
        testing::random_source random(bytes);
        std::string got(bytes + 1, '?');
        for (int step = 0; step < 2000; ++step) {
            auto const item = item_of(random.below(12), bytes);
            auto const value = item_of(random.any(), bytes + 1);
            switch (random.below(7)) {
                case 0: {
                    auto const result = zeroipc_queue_try_push(queue.get(), item.data());
                    REQUIRE(result == (fifo.size() < capacity ? ZEROIPC_OK : ZEROIPC_FULL));
                    if (result == ZEROIPC_OK) fifo.push_back(item);
                    break;
                }
                case 1: {
                    auto const result = zeroipc_queue_try_pop(queue.get(), got.data());
                    REQUIRE(result == (fifo.empty() ? ZEROIPC_EMPTY : ZEROIPC_OK));
                    if (result != ZEROIPC_OK) break;
                    REQUIRE(got.substr(0, bytes) == fifo.front());
                    fifo.pop_front();
                    break;
                }
                case 2: {
                    auto const result = zeroipc_stack_try_push(stack.get(), item.data());
                    REQUIRE(result == (lifo.size() < capacity ? ZEROIPC_OK : ZEROIPC_FULL));
                    if (result == ZEROIPC_OK) lifo.push_back(item);
                    break;
                }
                case 3: {
                    auto const expected = lifo.empty() ? ZEROIPC_EMPTY : ZEROIPC_OK;
                    std::string top(bytes, '?');
                    REQUIRE(zeroipc_stack_try_peek(stack.get(), top.data()) == expected);
                    REQUIRE(zeroipc_stack_try_pop(stack.get(), got.data()) == expected);
                    if (lifo.empty()) break;
                    REQUIRE(got.substr(0, bytes) == lifo.back());
                    REQUIRE(top == lifo.back());
                    lifo.pop_back();
                    break;
                }
                case 4: {
                    if (pairs.size() == capacity) break;
                    auto const result = zeroipc_map_insert(map.get(), item.data(), value.data());
                    REQUIRE(result == (pairs.count(item) != 0 ? ZEROIPC_PRESENT : ZEROIPC_OK));
                    pairs.emplace(item, value);
                    break;
                }
                case 5: {
                    auto const there = pairs.count(item) != 0;
                    if (!there && pairs.size() == capacity) break;
                    REQUIRE(zeroipc_map_insert_or_assign(map.get(), item.data(), value.data()) ==
                            (there ? ZEROIPC_ASSIGNED : ZEROIPC_OK));
                    pairs[item] = value;
                    break;
                }
                default: {
                    auto const expected = pairs.count(item) != 0 ? ZEROIPC_OK : ZEROIPC_ABSENT;
                    REQUIRE(zeroipc_map_find(map.get(), item.data(), got.data()) == expected);
                    if (expected == ZEROIPC_OK) REQUIRE(got == pairs[item]);
                    REQUIRE(zeroipc_map_find(map.get(), item.data(), nullptr) == expected);
                    REQUIRE(zeroipc_map_erase(map.get(), item.data()) == expected);
                    pairs.erase(item);
                }
            }
            std::array<number, 3> sizes{};
            c::must(zeroipc_queue_was_size(queue.get(), &sizes[0]));
            c::must(zeroipc_stack_was_size(stack.get(), &sizes[1]));
            c::must(zeroipc_map_was_size(map.get(), &sizes[2]));
            REQUIRE(sizes == std::array<number, 3>{fifo.size(), lifo.size(), pairs.size()});
        }
        // A walk comes to each key once.
        std::vector<std::string> keys;
        c::must(zeroipc_map_for_each(
            map.get(),
            [](void* all, void const* key, void const*) {
                static_cast<std::vector<std::string>*>(all)->emplace_back(static_cast<char const*>(key), 1);
                return 0;
            },
            &keys));
        CHECK(keys.size() == pairs.size());
    }
}
