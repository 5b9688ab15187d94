// Hostile bytes: golden images, changed at random, before they are opened and while they are used. Every call comes back
// with one of its results; mappings have guards on either side (tests/fuzz/guarded_mmap.cpp), so that an access outside is a
// signal, and the library under test gives up loops early.

#include <algorithm>
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
    std::size_t item = 8;
};

constexpr std::size_t wide = 4096;

/// Structures of few handle slots and wide items, which end with their segment: a number that is too large leads out of it.
template <class Make>
image wide_image(number bytes, Make const& make) {
    testing::segment_name const name;
    auto const memory = c::create(name, 128 + bytes, 2);
    std::string const item(wide, 'i');
    make(memory.get(), item.data());
    return {"x", testing::raw_object(name).bytes(), wide};
}
void add_wide_images(std::vector<image>& all) {
    number bytes = 0;
    c::must(zeroipc_queue_bytes_for(4, wide, 1, &bytes));
    all.push_back(wide_image(bytes, [](zeroipc_memory* memory, char const* item) {
        auto const q = c::got<zeroipc_queue>(zeroipc_queue_create, memory, "x", 4U, wide, 1U);
        for (int i = 0; i < 3; ++i) c::must(zeroipc_queue_try_push(q.get(), item));
    }));
    c::must(zeroipc_stack_bytes_for(4, wide, 1, &bytes));
    all.push_back(wide_image(bytes, [](zeroipc_memory* memory, char const* item) {
        auto const s = c::got<zeroipc_stack>(zeroipc_stack_create, memory, "x", 4U, wide, 1U);
        for (int i = 0; i < 3; ++i) c::must(zeroipc_stack_try_push(s.get(), item));
    }));
    c::must(zeroipc_map_bytes_for(4, 8, wide, 1, &bytes));
    all.push_back(wide_image(bytes, [](zeroipc_memory* memory, char const* item) {
        zeroipc_map_options const options{1, 1, 5};
        auto const m =
            c::got<zeroipc_map>(zeroipc_map_create, memory, "x", 4U, std::size_t{8}, wide, &options);
        for (number key = 0; key < 6; ++key) static_cast<void>(zeroipc_map_insert(m.get(), &key, item));
    }));
}

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
        add_wide_images(found);
        return found;
    }();
    return all;
}

/// Values that hurt: around zero, powers of two and the ends, or what stood there with one bit or one unit of difference.
std::uint32_t hurtful(testing::random_source& random, std::uint32_t was) {
    auto const bit = std::uint32_t{1} << random.below(random.below(2) == 0 ? 4 : 32);
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

/// Bytes at a segment's start that are more than payload.
number controls(image const& of) { return of.item == wide ? 512 : of.bytes.size(); }
/// A golden image, or one of the wide ones.
image const& any_image(testing::random_source& random) {
    auto const& all = images();
    return random.below(2) == 0 ? all.at(all.size() - 1 - random.below(3)) : all.at(random.below(all.size()));
}

/// Whether a result is one of those that the headers name.
bool known(zeroipc_result result) { return result >= ZEROIPC_NO_MEMORY && result <= ZEROIPC_DIFFERENT; }

int visit(void* count, void const*, void const*) { return ++*static_cast<int*>(count) > 1000; }

/// Uses whatever opens in all ways. \return how many calls succeeded.
template <class Note>
int use(std::string const& name, image const& of, Note const& note, testing::random_source& random) {
    int done = 0;
    auto const size = of.item;
    std::string item(size, 'x');
    std::string many(4 * size, 'y');
    auto const see = [&](zeroipc_result result) {
        note(known(result));
        done += result == ZEROIPC_OK;
        return result == ZEROIPC_OK;
    };
    zeroipc_memory* raw = nullptr;
    if (!see(zeroipc_memory_open(name.c_str(), nullptr, &raw))) return done;
    c::owned<zeroipc_memory> const memory(raw);
    number word = 0;
    std::uint32_t count = 0;
    std::size_t n = 0;
    zeroipc_entry entry{};
    see(zeroipc_memory_count(raw, &count));
    see(zeroipc_memory_free_bytes(raw, &word));
    see(zeroipc_memory_entry(raw, 1, &entry));
    see(zeroipc_memory_add(raw, "new", random.below(100), nullptr, nullptr, &entry));
    auto const* const at = of.name.c_str();
    if (zeroipc_array* a = nullptr; see(zeroipc_array_open(raw, at, 4, &a))) {
        c::owned<zeroipc_array> const keep(a);
        auto const last = zeroipc_array_capacity(a) - 1;
        see(zeroipc_array_load(a, last, &word));
        see(zeroipc_array_fetch_add(a, last, &word, nullptr));
        see(zeroipc_array_store(a, last + 1, &word));
    }
    if (zeroipc_queue* q = nullptr; see(zeroipc_queue_open(raw, at, size, &q))) {
        c::owned<zeroipc_queue> const keep(q);
        for (int i = 0; i < 12; ++i) {
            see(random.below(2) == 0 ? zeroipc_queue_try_push(q, item.data())
                                     : zeroipc_queue_try_pop(q, item.data()));
            see(zeroipc_queue_was_size(q, &word));
        }
        see(zeroipc_queue_try_push_n(q, many.data(), 4, &n));
        see(zeroipc_queue_pop(q, item.data(), 1000));
    }
    if (zeroipc_stack* s = nullptr; see(zeroipc_stack_open(raw, at, size, &s))) {
        c::owned<zeroipc_stack> const keep(s);
        for (int i = 0; i < 12; ++i) {
            see(random.below(2) == 0 ? zeroipc_stack_try_push(s, item.data())
                                     : zeroipc_stack_try_pop(s, item.data()));
            see(zeroipc_stack_try_peek(s, item.data()));
            see(zeroipc_stack_was_size(s, &word));
        }
        see(zeroipc_stack_try_pop_n(s, many.data(), 4, &n));
        see(zeroipc_stack_push(s, item.data(), 1000));
    }
    if (zeroipc_map* m = nullptr; see(zeroipc_map_open(raw, at, 8, size, &m))) {
        c::owned<zeroipc_map> const keep(m);
        for (int i = 0; i < 12; ++i) {
            number const key = random.below(12);
            see(zeroipc_map_insert(m, &key, item.data()));
            see(zeroipc_map_find(m, &key, item.data()));
            see(zeroipc_map_compare_exchange(m, &key, many.data(), item.data()));
            see(random.below(2) == 0 ? zeroipc_map_insert_or_assign(m, &key, item.data())
                                     : zeroipc_map_erase(m, &key));
        }
        int visits = 0;
        see(zeroipc_map_for_each(m, visit, &visits));
        see(zeroipc_map_was_size(m, &word));
    }
    see(zeroipc_queue_repair(raw, at, size, &word));
    see(zeroipc_stack_repair(raw, at, size, &word));
    see(zeroipc_map_repair(raw, at, 8, size, &word));
    return done;
}

}  // namespace

TEST_CASE("C: golden images changed at random are refused or spoiled, and nothing else", "[fast]") {
    testing::watchdog const limit(200);
    testing::random_source random(1);
    number odd = 0;
    number done = 0;
    for (number round = 0; round < testing::rounds(10000); ++round) {
        auto const& one = any_image(random);
        auto bytes = one.bytes;
        for (auto left = random.below(6); left > 0; --left)
            change(random, bytes.data() + 4 * random.below(controls(one) / 4));
        if (random.below(20) == 0) bytes.resize(random.below(bytes.size() + 1));
        testing::segment_name const name;
        testing::raw_object(name, bytes.size()).write_bytes(0, bytes);
        done += static_cast<number>(use(
            name, one, [&](bool right) { odd += !right; }, random));
    }
    std::printf("%llu calls succeeded\n", static_cast<unsigned long long>(done));
    CHECK(odd == 0);
    CHECK(done > 5 * testing::rounds(10000));
}

TEST_CASE("C: bytes that change while they are used are refused or spoil data, and nothing else", "[fast]") {
    testing::watchdog const limit(200);
    testing::random_source random(2);
    number odd = 0;
    number done = 0;
    for (number round = 0; round < testing::rounds(60); ++round) {
        auto const& one = any_image(random);
        testing::segment_name const name;
        testing::raw_object const object(name, one.bytes.size());
        object.write_bytes(0, one.bytes);
        testing::child vandal([&] {
            testing::random_source mine(round);
            auto const size = controls(one);
            for (;;) {
                auto const at = 128 + 4 * mine.below((size - 128) / 4);
                object.write(at, hurtful(mine, object.read<std::uint32_t>(at)));
            }
        });
        for (int i = 0; i < 20; ++i)
            done += static_cast<number>(use(
                name, one, [&](bool right) { odd += !right; }, random));
        vandal.kill();
        CHECK(vandal.wait() == -SIGKILL);
    }
    CHECK(odd == 0);
    CHECK(done > 0);
}
