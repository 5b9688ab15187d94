// What single operations cost in C as a multiple of what they cost in C++: one process, both libraries, the very same structures;
// paired by round, and each round there and back. Prints medians, quartiles, and the ratio's median with a 95% bootstrap interval.
//   zeroipc_c_compare [ROUNDS]

#include <zeroipc.h>
#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace {

using number = std::uint64_t;

double median(std::vector<double> of) {
    std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
    return of[of.size() / 2];
}

/// CPU time of this process: what else the machine does costs others.
double now() {
    std::timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Nanoseconds of one of `count` calls of `operation`.
template <class Operation>
double cost(number count, Operation const& operation) {
    auto const begin = now();
    for (number i = 0; i < count; ++i) operation(i);
    return (now() - begin) / static_cast<double>(count);
}

/// One operation in both languages, as measured in each round.
struct comparison {
    char const* name;
    std::array<std::function<double()>, 2> run;  // C, C++
    std::array<std::vector<double>, 2> costs{};
};

void report(comparison& one, std::mt19937_64& random) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < one.costs[0].size(); ++i) ratios.push_back(one.costs[0][i] / one.costs[1][i]);
    std::vector<double> medians;
    for (int i = 0; i < 2000; ++i) {
        std::vector<double> again;
        for (std::size_t j = 0; j < ratios.size(); ++j) again.push_back(ratios[random() % ratios.size()]);
        medians.push_back(median(again));
    }
    std::sort(medians.begin(), medians.end());
    for (auto& costs : one.costs) std::sort(costs.begin(), costs.end());
    auto const at = [&](std::size_t which, std::size_t quarter) {
        return one.costs[which][(one.costs[which].size() - 1) * quarter / 4];
    };
    std::printf("%-26s C %6.2f [%6.2f, %6.2f] ns, C++ %6.2f [%6.2f, %6.2f] ns, ratio %.3f [%.3f, %.3f]\n",
                one.name, at(0, 2), at(0, 1), at(0, 3), at(1, 2), at(1, 1), at(1, 3), median(ratios),
                medians[50], medians[1949]);
}

void must(zeroipc_result result) {
    if (result == ZEROIPC_OK) return;
    std::fprintf(stderr, "%s: %s\n", zeroipc_message(result), zeroipc_detail());
    std::exit(1);
}
void must(bool done) {
    if (done) return;
    std::fprintf(stderr, "an operation of C++ did not succeed\n");
    std::exit(1);
}

}  // namespace

int main(int count, char** words) {
    auto const rounds = count > 1 ? std::strtoull(words[1], nullptr, 10) : 21;
    std::string const name = "/zeroipc-c-compare";
    auto memory = zeroipc::Memory::create(name, std::uint64_t{700} << 20);
    zeroipc_memory* c_memory = nullptr;
    must(zeroipc_memory_open(name.c_str(), nullptr, &c_memory));
    zeroipc::Memory::unlink(name);

    constexpr number keys = 1000000;
    zeroipc::Queue<number> queue(memory, "queue", 1024);
    zeroipc::Stack<number> stack(memory, "stack", 1024);
    zeroipc::Map<number, number> map(memory, "map", keys, {.handle_slots = 8, .seed = 1});
    zeroipc_queue* c_queue = nullptr;
    zeroipc_stack* c_stack = nullptr;
    zeroipc_map* c_map = nullptr;
    must(zeroipc_queue_open(c_memory, "queue", sizeof(number), &c_queue));
    must(zeroipc_stack_open(c_memory, "stack", sizeof(number), &c_stack));
    must(zeroipc_map_open(c_memory, "map", sizeof(number), sizeof(number), &c_map));
    for (number key = 0; key < keys; ++key) map.insert(key, key);
    auto const key_of = [](number i) { return i * 7919 % keys; };

    zeroipc_array* c_array = nullptr;
    zeroipc::Array<number> array(memory, "array", 8);
    must(zeroipc_array_open(c_memory, "array", sizeof(number), &c_array));

    number item = 0;
    std::array<number, 16> many{};
    std::size_t moved = 0;
    std::vector<comparison> all;
    auto const compare = [&](char const* title, number times, auto const& in_c, auto const& in_cpp) {
        all.push_back({title, {[=] { return cost(times, in_c); }, [=] { return cost(times, in_cpp); }}});
    };
    compare(
        "queue, push and pop", 1000000,
        [&](number i) {
            must(zeroipc_queue_try_push(c_queue, &i));
            must(zeroipc_queue_try_pop(c_queue, &item));
        },
        [&](number i) {
            must(queue.try_push(i));
            must(queue.try_pop(item));
        });
    compare(
        "queue, 16 in and out", 100000,
        [&](number) {
            must(zeroipc_queue_try_push_n(c_queue, many.data(), many.size(), &moved));
            must(zeroipc_queue_try_pop_n(c_queue, many.data(), many.size(), &moved));
        },
        [&](number) {
            must(queue.try_push_n(many) == many.size());
            must(queue.try_pop_n(many) == many.size());
        });
    compare(
        "queue, with a time-out", 1000000,
        [&](number i) {
            must(zeroipc_queue_push(c_queue, &i, 1000000));
            must(zeroipc_queue_pop(c_queue, &item, 1000000));
        },
        [&](number i) {
            must(queue.push(i, std::chrono::milliseconds(1)));
            must(queue.pop(item, std::chrono::milliseconds(1)));
        });
    compare(
        "queue, in place", 1000000,
        [&](number i) {
            void* out = nullptr;
            void const* in = nullptr;
            must(zeroipc_queue_loan(c_queue, &out));
            *static_cast<number*>(out) = i;
            must(zeroipc_queue_publish(c_queue));
            must(zeroipc_queue_take(c_queue, &in));
            item = *static_cast<number const*>(in);
            must(zeroipc_queue_release(c_queue));
        },
        [&](number i) {
            queue.loan() = i;
            must(queue.publish());
            item = *queue.take();
            queue.release();
        });
    compare(
        "stack, push and pop", 1000000,
        [&](number i) {
            must(zeroipc_stack_try_push(c_stack, &i));
            must(zeroipc_stack_try_pop(c_stack, &item));
        },
        [&](number i) {
            must(stack.try_push(i));
            must(stack.try_pop(item));
        });
    compare(
        "stack, 16 in and out", 100000,
        [&](number) {
            must(zeroipc_stack_try_push_n(c_stack, many.data(), many.size(), &moved));
            must(zeroipc_stack_try_pop_n(c_stack, many.data(), many.size(), &moved));
        },
        [&](number) {
            must(stack.try_push_n(many) == many.size());
            must(stack.try_pop_n(many) == many.size());
        });
    must(stack.try_push(1));
    compare(
        "stack, peek", 1000000, [&](number) { must(zeroipc_stack_try_peek(c_stack, &item)); },
        [&](number) { must(stack.try_peek(item)); });
    compare(
        "map of a million, find", 300000,
        [&](number i) {
            number const key = key_of(i);
            must(zeroipc_map_find(c_map, &key, &item));
        },
        [&](number i) { must(map.find(key_of(i), item)); });
    compare(
        "map, assign", 100000,
        [&](number i) {
            number const key = key_of(i);
            must(zeroipc_map_insert_or_assign(c_map, &key, &i) == ZEROIPC_ASSIGNED);
        },
        [&](number i) { must(map.insert_or_assign(key_of(i), i) == zeroipc::outcome::assigned); });
    compare(
        "map, erase and insert", 100000,
        [&](number i) {
            number const key = key_of(i);
            must(zeroipc_map_erase(c_map, &key));
            must(zeroipc_map_insert(c_map, &key, &i));
        },
        [&](number i) {
            must(map.erase(key_of(i)));
            must(map.insert(key_of(i), i) == zeroipc::outcome::inserted);
        });
    compare(
        "map, compare_exchange", 100000,
        [&](number i) {
            number const key = key_of(i);
            must(zeroipc_map_find(c_map, &key, &item));
            number const next = item + 1;
            must(zeroipc_map_compare_exchange(c_map, &key, &item, &next));
        },
        [&](number i) {
            must(map.find(key_of(i), item));
            must(map.compare_exchange(key_of(i), item, item + 1) == zeroipc::outcome::assigned);
        });
    compare(
        "map, update", 100000,
        [&](number i) {
            number const key = key_of(i);
            must(zeroipc_map_update(
                c_map, &key, [](void*, void* value) { ++*static_cast<number*>(value); }, nullptr));
        },
        [&](number i) {
            must(map.update(key_of(i), [](number value) { return value + 1; }) == zeroipc::outcome::assigned);
        });
    compare(
        "map, every pair of all", 1,
        [&](number) {
            item = 0;
            must(zeroipc_map_for_each(
                c_map,
                [](void* sum, void const*, void const* value) {
                    *static_cast<number*>(sum) += *static_cast<number const*>(value);
                    return 0;
                },
                &item));
        },
        [&](number) {
            item = 0;
            map.for_each([&](number, number value) { item += value; });
        });
    compare(
        "array, load and store", 1000000,
        [&](number i) {
            must(zeroipc_array_load(c_array, i % 8, &item));
            must(zeroipc_array_store(c_array, (i + 1) % 8, &item));
        },
        [&](number i) { array.store((i + 1) % 8, array.load(i % 8)); });
    compare(
        "array, exchange", 1000000, [&](number i) { must(zeroipc_array_exchange(c_array, 3, &i, &item)); },
        [&](number i) { item = array.exchange(3, i); });
    compare(
        "array, fetch_add", 1000000,
        [&](number) {
            number const one = 1;
            must(zeroipc_array_fetch_add(c_array, 3, &one, &item));
        },
        [&](number) { item = array.fetch_add(3, 1); });

    std::mt19937_64 random(1);
    for (auto& one : all)  // fills page tables and caches
        for (auto& run : one.run) run();
    for (number round = 0; round < rounds; ++round)
        for (auto& one : all) {
            // There and back: who comes first finds other caches than who comes behind.
            std::size_t const first = random() % 2;
            std::array<double, 2> sum{};
            for (auto const which : {first, 1 - first, 1 - first, first}) sum[which] += one.run[which]();
            for (std::size_t i = 0; i < 2; ++i) one.costs[i].push_back(sum[i] / 2);
        }
    for (auto& one : all) report(one, random);
}
