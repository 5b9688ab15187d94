// Hostile bytes: golden images, changed at random, before they are opened and while they are used. Every call comes back
// with one of its results; mappings have guards on either side (tests/fuzz/guarded_mmap.cpp), so that an access outside is a
// signal, and the library under test gives up loops early.

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "zeroipc_c_testing.hpp"

namespace {

namespace testing = zeroipc::testing;
namespace c = zeroipc::testing::c;
using number = std::uint64_t;

struct image {
    std::string name;   // of the structure
    std::string bytes;  // of the segment
};

std::vector<image> const& images() {
    static std::vector<image> const all = [] {
        std::vector<image> found;
        for (char const* file : {"array-5x4", "queue-compact-4x8", "stack-compact-3x8", "map-compact-2x8"}) {
            auto const json = c::json_of(std::string("golden/") + file + ".json");
            for (auto const& stage : json.at("stages"))
                found.push_back(
                    {json.at("structure").at("name").get<std::string>(),
                     c::image_of(stage.at("image").get<std::string>(), json.at("bytes").get<number>())});
        }
        return found;
    }();
    return all;
}

/// Values that hurt: around zero, powers of two and the ends, or what stood there with one bit or one unit of difference.
std::uint32_t hurtful(testing::random_source& random, std::uint32_t was) {
    auto const bit = std::uint32_t{1} << random.below(32);
    switch (random.below(6)) {
        case 0:
            return was ^ bit;
        case 1:
            return was + 1;
        case 2:
            return was - 1;
        case 3:
            return bit - static_cast<std::uint32_t>(random.below(2));
        case 4:
            return static_cast<std::uint32_t>(random.below(20));
        default:
            return static_cast<std::uint32_t>(random.any());
    }
}

void change(testing::random_source& random, char* at) {
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    value = hurtful(random, value);
    std::memcpy(at, &value, sizeof value);
}

/// Whether a result is one of those that the headers name.
bool known(zeroipc_result result) { return result >= ZEROIPC_NO_MEMORY && result <= ZEROIPC_DIFFERENT; }

int visit(void* count, void const*, void const*) { return ++*static_cast<int*>(count) > 1000; }

/// Uses whatever opens in all ways. \return how many calls succeeded.
template <class Note>
int use(std::string const& name, std::string const& structure, Note const& note,
        testing::random_source& random) {
    int done = 0;
    auto const see = [&](zeroipc_result result) {
        note(known(result));
        done += result == ZEROIPC_OK;
        return result == ZEROIPC_OK;
    };
    zeroipc_memory* raw = nullptr;
    if (!see(zeroipc_memory_open(name.c_str(), nullptr, &raw))) return done;
    c::owned<zeroipc_memory> const memory(raw);
    number word = 0;
    std::array<number, 4> many{};
    std::uint32_t count = 0;
    std::size_t n = 0;
    zeroipc_entry entry{};
    see(zeroipc_memory_count(raw, &count));
    see(zeroipc_memory_free_bytes(raw, &word));
    see(zeroipc_memory_entry(raw, 1, &entry));
    see(zeroipc_memory_add(raw, "new", random.below(100), nullptr, nullptr, &entry));
    auto const* const at = structure.c_str();
    if (zeroipc_array* a = nullptr; see(zeroipc_array_open(raw, at, 4, &a))) {
        c::owned<zeroipc_array> const keep(a);
        auto const last = zeroipc_array_capacity(a) - 1;
        see(zeroipc_array_load(a, last, &word));
        see(zeroipc_array_fetch_add(a, last, &word, nullptr));
        see(zeroipc_array_store(a, last + 1, &word));
    }
    if (zeroipc_queue* q = nullptr; see(zeroipc_queue_open(raw, at, 8, &q))) {
        c::owned<zeroipc_queue> const keep(q);
        for (number i = 0; i < 12; ++i) {
            see(random.below(2) == 0 ? zeroipc_queue_try_push(q, &i) : zeroipc_queue_try_pop(q, &i));
            see(zeroipc_queue_was_size(q, &word));
        }
        see(zeroipc_queue_try_push_n(q, many.data(), many.size(), &n));
        see(zeroipc_queue_pop(q, &word, 1000));
    }
    if (zeroipc_stack* s = nullptr; see(zeroipc_stack_open(raw, at, 8, &s))) {
        c::owned<zeroipc_stack> const keep(s);
        for (number i = 0; i < 12; ++i) {
            see(random.below(2) == 0 ? zeroipc_stack_try_push(s, &i) : zeroipc_stack_try_pop(s, &i));
            see(zeroipc_stack_try_peek(s, &word));
            see(zeroipc_stack_was_size(s, &word));
        }
        see(zeroipc_stack_try_pop_n(s, many.data(), many.size(), &n));
        see(zeroipc_stack_push(s, &word, 1000));
    }
    if (zeroipc_map* m = nullptr; see(zeroipc_map_open(raw, at, 8, 8, &m))) {
        c::owned<zeroipc_map> const keep(m);
        for (int i = 0; i < 12; ++i) {
            number const key = random.below(12);
            number expected = random.below(50);
            see(zeroipc_map_insert(m, &key, &key));
            see(zeroipc_map_find(m, &key, &word));
            see(zeroipc_map_compare_exchange(m, &key, &expected, &key));
            see(random.below(2) == 0 ? zeroipc_map_insert_or_assign(m, &key, &word)
                                     : zeroipc_map_erase(m, &key));
        }
        int visits = 0;
        see(zeroipc_map_for_each(m, visit, &visits));
        see(zeroipc_map_was_size(m, &word));
    }
    see(zeroipc_queue_repair(raw, at, 8, &word));
    see(zeroipc_stack_repair(raw, at, 8, &word));
    see(zeroipc_map_repair(raw, at, 8, 8, &word));
    return done;
}

}  // namespace

TEST_CASE("C: golden images changed at random are refused or spoiled, and nothing else", "[fast]") {
    testing::watchdog const limit(200);
    testing::random_source random(1);
    number odd = 0;
    number done = 0;
    for (number round = 0; round < testing::rounds(4000); ++round) {
        auto const& one = images().at(random.below(images().size()));
        auto bytes = one.bytes;
        for (auto left = random.below(6); left > 0; --left)
            change(random, bytes.data() + 4 * random.below(bytes.size() / 4));
        if (random.below(20) == 0) bytes.resize(random.below(bytes.size() + 1));
        testing::segment_name const name;
        testing::raw_object(name, bytes.size()).write_bytes(0, bytes);
        done += static_cast<number>(use(
            name, one.name, [&](bool right) { odd += !right; }, random));
    }
    std::printf("%llu calls succeeded\n", static_cast<unsigned long long>(done));
    CHECK(odd == 0);
    CHECK(done > 10 * testing::rounds(4000));
}

TEST_CASE("C: bytes that change while they are used are refused or spoil data, and nothing else", "[fast]") {
    testing::watchdog const limit(200);
    testing::random_source random(2);
    number odd = 0;
    number done = 0;
    for (number round = 0; round < testing::rounds(60); ++round) {
        auto const& one = images().at(random.below(images().size()));
        testing::segment_name const name;
        testing::raw_object const object(name, one.bytes.size());
        object.write_bytes(0, one.bytes);
        testing::child vandal([&] {
            testing::random_source mine(round);
            auto const size = object.size();
            for (;;) {
                auto const at = 128 + 4 * mine.below((size - 128) / 4);
                object.write(at, hurtful(mine, object.read<std::uint32_t>(at)));
            }
        });
        for (int i = 0; i < 20; ++i)
            done += static_cast<number>(use(
                name, one.name, [&](bool right) { odd += !right; }, random));
        vandal.kill();
        CHECK(vandal.wait() == -SIGKILL);
    }
    CHECK(odd == 0);
    CHECK(done > 0);
}
