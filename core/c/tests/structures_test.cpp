// The C library's structures: what each call answers, by the results that its header names.

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "zeroipc_c_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using number = std::uint64_t;

constexpr std::int64_t ms = 1000000;

}  // namespace

TEST_CASE("C: an exchange and an update of a map's value are one step", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const map = c::make_map(memory, 4);
    number const key = 7;
    number expected = 1;
    number desired = 2;
    auto const twice = [](void* calls, void* value) {
        ++*static_cast<int*>(calls);
        number now = 0;
        std::memcpy(&now, value, sizeof now);
        now *= 2;
        std::memcpy(value, &now, sizeof now);
    };
    int calls = 0;
    CHECK(zeroipc_map_compare_exchange(map.get(), &key, &expected, &desired) == ZEROIPC_ABSENT);
    CHECK(zeroipc_map_update(map.get(), &key, twice, &calls) == ZEROIPC_ABSENT);
    CHECK(calls == 0);
    c::must(zeroipc_map_insert(map.get(), &key, &desired));
    CHECK(zeroipc_map_compare_exchange(map.get(), &key, &expected, &desired) == ZEROIPC_DIFFERENT);
    CHECK(expected == 2);
    desired = 5;
    CHECK(zeroipc_map_compare_exchange(map.get(), &key, &expected, &desired) == ZEROIPC_OK);
    CHECK(zeroipc_map_update(map.get(), &key, twice, &calls) == ZEROIPC_OK);
    CHECK(calls == 1);
    c::must(zeroipc_map_find(map.get(), &key, &desired));
    CHECK(desired == 10);
    int visits = 0;
    number const other = 8;
    c::must(zeroipc_map_insert(map.get(), &other, &desired));
    c::must(zeroipc_map_for_each(
        map.get(), [](void* n, void const*, void const*) { return ++*static_cast<int*>(n); }, &visits));
    CHECK(visits == 1);  // it said that it had enough
}

TEST_CASE("C: batches take as many as there is room for, or as there are", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 4);
    auto const stack = c::make_stack(memory, 4);
    std::array<number, 6> const in{1, 2, 3, 4, 5, 6};
    std::array<number, 6> out{};
    std::size_t done = 9;
    CHECK(zeroipc_queue_try_push_n(queue.get(), in.data(), 3, &done) == ZEROIPC_OK);
    CHECK(done == 3);
    CHECK(zeroipc_queue_try_push_n(queue.get(), in.data() + 3, 3, &done) == ZEROIPC_FULL);
    CHECK(done == 1);
    CHECK(zeroipc_queue_try_pop_n(queue.get(), out.data(), 2, &done) == ZEROIPC_OK);
    CHECK(zeroipc_queue_try_pop_n(queue.get(), out.data() + 2, 4, &done) == ZEROIPC_EMPTY);
    CHECK(done == 2);
    CHECK(out == std::array<number, 6>{1, 2, 3, 4, 0, 0});
    CHECK(zeroipc_queue_try_pop_n(queue.get(), out.data(), 0, &done) == ZEROIPC_OK);
    CHECK(zeroipc_stack_try_push_n(stack.get(), in.data(), 6, &done) == ZEROIPC_FULL);
    CHECK(done == 4);
    CHECK(zeroipc_stack_try_pop_n(stack.get(), out.data(), 6, &done) == ZEROIPC_EMPTY);
    CHECK(done == 4);
    CHECK(out == std::array<number, 6>{4, 3, 2, 1, 0, 0});
}

TEST_CASE("C: a blocking call waits for its item, its space or its key, or for its time", "[fast]") {
    testing::watchdog const limit(60);
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 1);
    auto const stack = c::make_stack(memory, 1);
    auto const map = c::make_map(memory, 1);
    number item = 3;
    CHECK(zeroipc_queue_pop(queue.get(), &item, 0) == ZEROIPC_TIMEOUT);
    CHECK(zeroipc_stack_pop(stack.get(), &item, ms) == ZEROIPC_TIMEOUT);
    CHECK(zeroipc_map_wait(map.get(), &item, &item, ms) == ZEROIPC_TIMEOUT);
    CHECK(item == 3);
    for (int i = 0; i < 2; ++i) {
        testing::child other([&] {
            auto const mine = c::open(name);
            auto const q = c::queue(mine, "q");
            auto const s = c::stack(mine, "s");
            auto const m = c::map(mine, "m");
            number got = 0;
            for (number k = 0; k < 300; ++k) {
                if (zeroipc_queue_pop(q.get(), &got, ZEROIPC_FOREVER) != ZEROIPC_OK || got != k) return 1;
                if (k % 100 == 99)
                    testing::nap(std::chrono::milliseconds(5));  // so that the other side sleeps
                if (zeroipc_stack_push(s.get(), &k, INT64_MAX) != ZEROIPC_OK) return 2;
            }
            c::must(zeroipc_map_insert_or_assign(m.get(), &got, &got) == ZEROIPC_ASSIGNED ? ZEROIPC_OK
                                                                                          : ZEROIPC_OK);
            return 0;
        });
        for (number k = 0; k < 300; ++k) {
            c::must(zeroipc_queue_push(queue.get(), &k, ZEROIPC_FOREVER));
            if (k % 100 == 50) testing::nap(std::chrono::milliseconds(5));
            c::must(zeroipc_stack_pop(stack.get(), &item, 30000 * ms));
            CHECK(item == k);
        }
        c::must(zeroipc_map_wait(map.get(), &item, &item, 30000 * ms));
        CHECK(other.wait() == 0);
    }
    c::must(zeroipc_queue_try_push(queue.get(), &item));
    CHECK(zeroipc_queue_push(queue.get(), &item, ms) == ZEROIPC_TIMEOUT);
    c::must(zeroipc_stack_try_push(stack.get(), &item));
    CHECK(zeroipc_stack_push(stack.get(), &item, ms) == ZEROIPC_TIMEOUT);
}

TEST_CASE("C: items are filled and read in place, one loan and one taken item at a time", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 2);
    auto* const q = queue.get();
    void* out = nullptr;
    void const* in = nullptr;
    number item = 0;
    CHECK(zeroipc_queue_publish(q) == ZEROIPC_MISUSE);
    CHECK(zeroipc_queue_cancel(q) == ZEROIPC_MISUSE);
    CHECK(zeroipc_queue_release(q) == ZEROIPC_MISUSE);
    CHECK(zeroipc_queue_take(q, &in) == ZEROIPC_EMPTY);
    c::must(zeroipc_queue_loan(q, &out));
    CHECK(zeroipc_queue_loan(q, &out) == ZEROIPC_MISUSE);
    CHECK(zeroipc_queue_try_push(q, &item) == ZEROIPC_MISUSE);
    *static_cast<number*>(out) = 11;
    c::must(zeroipc_queue_publish(q));
    c::must(c::push(q, 12));
    c::must(zeroipc_queue_loan(q, &out));
    CHECK(zeroipc_queue_publish(q) == ZEROIPC_FULL);  // the loan stays out
    c::must(zeroipc_queue_take(q, &in));
    CHECK(*static_cast<number const*>(in) == 11);
    CHECK(zeroipc_queue_take(q, &in) == ZEROIPC_MISUSE);
    CHECK(c::pop(q, item) == ZEROIPC_MISUSE);
    c::must(zeroipc_queue_cancel(q));
    c::must(c::push(q, 13));
    CHECK(*static_cast<number const*>(in) == 11);
    c::must(zeroipc_queue_release(q));
    CHECK(c::drain(q) == std::vector<number>{12, 13});
}

TEST_CASE("C: in place, too, one waits for space and for an item, or for the time", "[fast]") {
    testing::watchdog const limit(60);
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 2);
    auto* const q = queue.get();
    void* out = nullptr;
    void const* in = nullptr;
    CHECK(zeroipc_queue_publish_within(q, ms) == ZEROIPC_MISUSE);
    CHECK(zeroipc_queue_take_within(q, &in, ms) == ZEROIPC_TIMEOUT);
    c::must(c::push(q, 1));
    c::must(c::push(q, 2));
    c::must(zeroipc_queue_loan(q, &out));
    *static_cast<number*>(out) = 3;
    CHECK(zeroipc_queue_publish_within(q, ms) == ZEROIPC_TIMEOUT);  // the loan stays out
    testing::child consumer([&] {
        auto const own = c::queue(c::open(name), "q");
        void const* item = nullptr;
        testing::nap(std::chrono::milliseconds(30));
        for (number expected = 1; expected <= 4; ++expected) {
            if (zeroipc_queue_take_within(own.get(), &item, ZEROIPC_FOREVER) != ZEROIPC_OK) return 1;
            if (*static_cast<number const*>(item) != expected) return 2;
            if (zeroipc_queue_take_within(own.get(), &item, ms) != ZEROIPC_MISUSE) return 3;
            if (zeroipc_queue_release(own.get()) != ZEROIPC_OK) return 4;
        }
        return 0;
    });
    c::must(zeroipc_queue_publish_within(q, ZEROIPC_FOREVER));  // sleeps until the consumer takes one
    testing::nap(std::chrono::milliseconds(60));                // and the consumer sleeps until this comes
    c::must(zeroipc_queue_loan(q, &out));
    *static_cast<number*>(out) = 4;
    c::must(zeroipc_queue_publish_within(q, 0));
    CHECK(consumer.wait() == 0);
}

TEST_CASE("C: handles say which slot they hold, and arrays are filled", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 2);
    auto const second = c::queue(memory, "q");
    CHECK(zeroipc_queue_handle_slot(queue.get()) == 0);
    CHECK(zeroipc_queue_handle_slot(second.get()) == 1);
    auto const stack = c::got<zeroipc_stack>(zeroipc_stack_create, memory.get(), "s", 2U, std::size_t{8}, 2U);
    CHECK(zeroipc_stack_handle_slot(c::stack(memory, "s").get()) == 1);
    auto const map = c::got<zeroipc_map>(zeroipc_map_create, memory.get(), "m", 4U, std::size_t{8},
                                         std::size_t{8}, nullptr);
    CHECK(zeroipc_map_handle_slot(map.get()) == 0);

    auto const array = c::got<zeroipc_array>(zeroipc_array_create, memory.get(), "a", 5U, std::size_t{3});
    c::must(zeroipc_array_fill(array.get(), "xyz"));
    void* at = nullptr;
    c::must(zeroipc_array_data(array.get(), &at));
    CHECK(std::string(static_cast<char*>(at), 15) == "xyzxyzxyzxyzxyz");
}

TEST_CASE("C: what making and opening refuses", "[fast]") {
    testing::segment_name const name;
    auto const memory = c::create(name, 1 << 16, 8);
    zeroipc_queue* q = nullptr;
    zeroipc_stack* s = nullptr;
    zeroipc_map* m = nullptr;
    auto* const at = memory.get();
    CHECK(zeroipc_queue_create(at, "q", 3, 8, 0, &q) == ZEROIPC_INVALID_CAPACITY);
    CHECK(zeroipc_queue_create(at, "q", 0, 8, 0, &q) == ZEROIPC_INVALID_CAPACITY);
    CHECK(zeroipc_queue_create(at, "q", 4, 0, 0, &q) == ZEROIPC_INVALID_ARGUMENT);
    CHECK(zeroipc_queue_create(at, "q", 4, 8, 1001, &q) == ZEROIPC_INVALID_ARGUMENT);
    CHECK(zeroipc_queue_create(at, "q", 1ULL << 31, 8, 1, &q) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_queue_create(at, "q", 1ULL << 32, 1, 1, &q) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_queue_create(at, "q", 1, ~std::size_t{0}, 1, &q) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_queue_create(at, "q", 1 << 20, 8, 1, &q) == ZEROIPC_SEGMENT_FULL);
    CHECK(zeroipc_stack_create(at, "s", 0, 8, 0, &s) == ZEROIPC_INVALID_CAPACITY);
    CHECK(zeroipc_map_create(at, "m", 4, 0, 8, nullptr, &m) == ZEROIPC_INVALID_ARGUMENT);
    CHECK(zeroipc_map_create(at, "m", 1ULL << 29, 1, 1, nullptr, &m) == ZEROIPC_TOO_LARGE);
    CHECK(zeroipc_queue_open(at, "q", 8, &q) == ZEROIPC_NOT_FOUND);
    {
        auto const queue = c::make_queue(memory, 4);
        CHECK(zeroipc_queue_create(at, "q", 4, 8, 0, &q) == ZEROIPC_EXISTS);
        CHECK(zeroipc_queue_open(at, "q", 4, &q) == ZEROIPC_WRONG_ITEM_SIZE);
        CHECK(zeroipc_stack_open(at, "q", 8, &s) == ZEROIPC_WRONG_KIND);
        CHECK(zeroipc_map_open(at, "q", 8, 8, &m) == ZEROIPC_WRONG_KIND);
        auto const second = c::queue(memory, "q");
        auto const third = c::queue(memory, "q");
        CHECK(zeroipc_queue_open(at, "q", 8, &q) == ZEROIPC_NO_HANDLE_SLOT);
        CHECK(zeroipc_queue_repair(at, "q", 8, nullptr) == ZEROIPC_BUSY);
    }
    auto const map = c::make_map(memory, 4);
    CHECK(zeroipc_map_open(at, "m", 4, 8, &m) == ZEROIPC_WRONG_ITEM_SIZE);
    CHECK(zeroipc_map_open(at, "m", 8, 4, &m) == ZEROIPC_WRONG_ITEM_SIZE);
    // Another layout is another kind of bytes: refused, and said so.
    auto cpp = zeroipc::Memory::open(name);
    zeroipc::Queue<number, zeroipc::layout::padded>(cpp, "padded", 4, {2});
    CHECK(zeroipc_queue_open(at, "padded", 8, &q) == ZEROIPC_WRONG_KIND);
    CHECK(std::string(zeroipc_detail()).find("layout 2, not 1") != std::string::npos);
    number bytes = 0;
    c::must(zeroipc_queue_bytes_for(16, 24, 5, &bytes));
    CHECK(bytes == zeroipc::Queue<std::array<char, 24>>::bytes_for(16, {5}));
    c::must(zeroipc_stack_bytes_for(17, 24, 5, &bytes));
    CHECK(bytes == zeroipc::Stack<std::array<char, 24>>::bytes_for(17, {5}));
    c::must(zeroipc_map_bytes_for(1000, 24, 12, 5, &bytes));
    CHECK(bytes ==
          zeroipc::Map<std::array<char, 24>, std::array<char, 12>>::bytes_for(1000, {.handle_slots = 5}));
}

TEST_CASE("C: threads with handles of one segment work together, and handles outlive their memory",
          "[fast]") {
    testing::watchdog const limit(60);
    testing::segment_name const name;
    auto memory = c::create(name, 1 << 16);
    auto const queue = c::make_queue(memory, 8);
    auto* const raw = memory.get();
    std::vector<std::thread> all;
    std::array<number, 2> sums{};
    for (std::size_t i = 0; i < 2; ++i)
        all.emplace_back([&, i] {
            zeroipc_queue* mine = nullptr;
            if (zeroipc_queue_open(raw, "q", 8, &mine) != ZEROIPC_OK) return;
            for (number k = 1; k <= testing::rounds(5000); ++k) {
                number got = 0;
                if (zeroipc_queue_push(mine, &k, ZEROIPC_FOREVER) != ZEROIPC_OK ||
                    zeroipc_queue_pop(mine, &got, ZEROIPC_FOREVER) != ZEROIPC_OK)
                    break;
                sums[i] += got;
            }
            zeroipc_queue_close(mine);
        });
    for (auto& one : all) one.join();
    auto const n = testing::rounds(5000);
    CHECK(sums[0] + sums[1] == n * (n + 1));
    memory.reset();
    c::must(c::push(queue.get(), 1));
    CHECK(c::drain(queue.get()) == std::vector<number>{1});
}
