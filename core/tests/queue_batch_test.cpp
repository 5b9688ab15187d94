/// \file
/// Batches: as many as fit, in order, one wake-up for all, and any algorithm will do.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

/// The least that an algorithm must bring along: a ring for one thread, with neither handles nor buffers.
template <class Policies, std::size_t ItemBytes>
class least_ring {
    using layout = typename Policies::layout;
    using word = std::uint64_t;

public:
    static constexpr std::uint64_t item_stride = ItemBytes;
    static constexpr std::uint64_t cell_stride = 0;
    static constexpr bool commits_by_rmw = false;
    struct shape {
        std::uint64_t capacity = 0;
        std::uint64_t total = 0;
    };
    static constexpr shape geometry(std::uint64_t capacity, std::uint32_t) noexcept {
        return {capacity, layout::body_offset + ItemBytes * capacity};
    }
    least_ring(std::byte* base, shape const& s, std::uint32_t) : base_(base), shape_(s) {}

    bool try_push(void const* item) {
        if (was_size() == shape_.capacity) return false;
        std::memcpy(at(index(layout::tail_offset)++), item, ItemBytes);
        return true;
    }
    bool try_pop(void* item) {
        if (was_size() == 0) return false;
        std::memcpy(item, at(index(layout::head_offset)++), ItemBytes);
        return true;
    }
    [[nodiscard]] std::uint64_t was_size() const {
        return index(layout::tail_offset) - index(layout::head_offset);
    }
    [[nodiscard]] typename Policies::observer& observed() noexcept { return observer_; }

private:
    [[nodiscard]] word& index(std::size_t offset) const { return *reinterpret_cast<word*>(base_ + offset); }
    [[nodiscard]] std::byte* at(word position) const {
        return base_ + layout::body_offset + ItemBytes * (position % shape_.capacity);
    }

    std::byte* base_;
    shape shape_;
    typename Policies::observer observer_;
};

struct least : algorithm::exchange {
    static constexpr std::string_view name = "least";
    static constexpr std::uint32_t id = 77;
    static constexpr bool has_handles = false;
    template <class Policies, std::size_t ItemBytes>
    using ring = least_ring<Policies, ItemBytes>;
};

using plain = Queue<std::uint64_t>;
using counted = Queue<std::uint64_t, observer::counting>;

std::vector<std::uint64_t> numbers(std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> all(count);
    std::iota(all.begin(), all.end(), first);
    return all;
}

TEMPLATE_TEST_CASE("a batch is as many as fit, in order", "[fast]", plain, (Queue<std::uint64_t, least>),
                   (Queue<std::uint64_t, layout::padded, ordering::fences>)) {
    for (auto const capacity : sizes({1, 2, 8, 64})) {
        INFO("capacity " << capacity);
        segment_name const name;
        auto memory = Memory::create(name, 1 << 16);
        TestType queue(memory, "q", capacity, {3});
        std::uint64_t in = 0;
        std::uint64_t out = 0;
        for (std::size_t n = 0; n <= 2 * capacity + 1; ++n) {
            auto const before = in - out;
            auto const pushed = queue.try_push_n(numbers(in, n));
            REQUIRE(pushed == std::min(n, static_cast<std::size_t>(capacity - before)));
            in += pushed;
            REQUIRE(queue.was_size() == in - out);
            std::vector<std::uint64_t> got(n / 2 + 1, 999);
            auto const popped = queue.try_pop_n(got);
            REQUIRE(popped == std::min(got.size(), static_cast<std::size_t>(in - out)));
            for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == (i < popped ? out + i : 999));
            out += popped;
        }
        std::array<std::uint64_t, 128> rest{};
        CHECK(queue.try_pop_n(rest) == in - out);
        CHECK(queue.try_pop_n(rest) == 0);
        CHECK(queue.try_push_n({}) == 0);
        CHECK(queue.was_empty());
    }
}

TEST_CASE("items of two handles' batches stay in the order of their commits", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::vector<plain> handles;
    handles.emplace_back(memory, "q", 16, queue_options{3});
    handles.emplace_back(memory, "q");
    handles.emplace_back(memory, "q");
    random_source random(1);
    std::deque<std::uint64_t> ideal;
    std::uint64_t last = 0;
    for (int i = 0; i < 20000; ++i) {
        auto& q = handles[random.below(3)];
        auto const n = random.below(20);
        if (random.below(2) == 0) {
            auto const items = numbers(last, n);
            auto const done = q.try_push_n(items);
            REQUIRE(done == std::min<std::size_t>(n, 16 - ideal.size()));
            ideal.insert(ideal.end(), items.begin(), items.begin() + static_cast<std::ptrdiff_t>(done));
            last += done;
        } else {
            std::vector<std::uint64_t> items(n);
            items.resize(q.try_pop_n(items));
            REQUIRE(items.size() == std::min<std::size_t>(n, ideal.size()));
            REQUIRE(std::equal(items.begin(), items.end(), ideal.begin()));
            ideal.erase(ideal.begin(), ideal.begin() + static_cast<std::ptrdiff_t>(items.size()));
        }
    }
    CHECK(conserved<plain>(memory, "q", 16, 3));
}

/// Says that somebody sleeps, as a sleeper does; each wake-up is one system call of the waker.
void announce_sleeper(Memory& memory, std::size_t word_offset) {
    std::uint32_t const sleeping = 1;
    std::memcpy(memory.base() + memory.find("q")->offset + word_offset, &sleeping, 4);
}

TEST_CASE("a batch wakes sleepers once, and an empty one never", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    counted queue(memory, "q", 8);
    auto const items = numbers(1, 9);
    std::vector<std::uint64_t> got(9);
    announce_sleeper(memory, layout::compact::items_wait_offset);
    CHECK(queue.try_push_n({}) == 0);
    CHECK(queue.observed().system_calls == 0);
    CHECK(queue.try_push_n(items) == 8);
    CHECK(queue.observed().system_calls == 1);
    announce_sleeper(memory, layout::compact::items_wait_offset);
    CHECK(queue.try_push_n(items) == 0);
    CHECK(queue.observed().system_calls == 1);
    announce_sleeper(memory, layout::compact::space_wait_offset);
    CHECK(queue.try_pop_n(got) == 8);
    CHECK(queue.observed().system_calls == 2);
    announce_sleeper(memory, layout::compact::space_wait_offset);
    CHECK(queue.try_pop_n(got) == 0);
    CHECK(queue.observed().system_calls == 2);
}

TEST_CASE("a batch that meets spoiled bytes has woken for what it committed", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    counted queue(memory, "q", 4, {1});
    auto const cells = memory.find("q")->offset + ring_of<counted>::geometry(4, 1).cells;
    // Cell 2 names buffer 7 of 6.
    std::uint64_t const nonsense = 7 ^ 2;
    std::memcpy(memory.base() + cells + 16, &nonsense, 8);
    announce_sleeper(memory, layout::compact::items_wait_offset);
    check_refused(errc::corrupt, {"buffer"}, [&] { queue.try_push_n(numbers(1, 4)); });
    CHECK(queue.observed().system_calls == 1);
    CHECK(queue.was_size() == 2);
    announce_sleeper(memory, layout::compact::items_wait_offset);
    check_refused(errc::corrupt, {"buffer"}, [&] { queue.try_push_n(numbers(1, 4)); });
    CHECK(queue.observed().system_calls == 1);  // nothing was committed this time

    std::uint64_t const full = 1 << 3 | (7 ^ 2);  // turn 1: full
    std::memcpy(memory.base() + cells + 16, &full, 8);
    announce_sleeper(memory, layout::compact::space_wait_offset);
    std::vector<std::uint64_t> got(4);
    check_refused(errc::corrupt, {"buffer"}, [&] { queue.try_pop_n(got); });
    CHECK(got == std::vector<std::uint64_t>{1, 2, 0, 0});
    CHECK(queue.observed().system_calls == 2);
}

}  // namespace
