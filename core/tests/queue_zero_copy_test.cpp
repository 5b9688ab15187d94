/// \file
/// Items filled and read in place: loans, taken items, what is refused while one is out, and what moves and
/// kills leave of it.

#include <zeroipc/zeroipc.hpp>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;
using namespace std::chrono_literals;

using plain = Queue<std::uint64_t>;

/// A message that nobody wants to copy twice.
struct alignas(32) frame {
    std::uint64_t number;
    unsigned char picture[1000];

    void draw(std::uint64_t n) {
        number = n;
        std::memset(picture, static_cast<int>(n & 0xff), sizeof picture);
    }
    [[nodiscard]] bool shows(std::uint64_t n) const {
        bool right = number == n;
        for (auto const pixel : picture) right = right && pixel == (n & 0xff);
        return right;
    }
};
/// Trivially copyable, and made by nobody but its own constructor.
struct sealed {
    explicit sealed(int v) : value(v) {}
    int value;
};
using frames = Queue<frame>;

/// A ring that only copies.
template <class Policies, std::size_t ItemBytes>
struct copying_ring : exchange_ring<Policies, ItemBytes> {
    using exchange_ring<Policies, ItemBytes>::exchange_ring;
    void publish() = delete;
};
struct copying : algorithm::exchange {
    template <class Policies, std::size_t ItemBytes>
    using ring = copying_ring<Policies, ItemBytes>;
};
template <class Q>
concept lends = requires(Q q) {
    q.loan();
    q.publish();
    q.publish(1ms);
    q.cancel();
};
template <class Q>
concept gives = requires(Q q) {
    q.take();
    q.take(1ms);
    q.release();
};
static_assert(lends<plain> && gives<plain> && lends<Queue<sealed>>);
static_assert(!lends<Queue<int, copying>> && !gives<Queue<int, copying>>);

TEST_CASE("items are filled and read where they lie", "[fast]") {
    for (auto const capacity : sizes({1, 2, 8})) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 18);
        frames writer(memory, "q", capacity, {3});
        frames reader(memory, "q");
        auto const* const segment = memory.base();
        std::uint64_t in = 0;
        std::uint64_t out = 0;
        for (int lap = 0; lap < 20; ++lap) {
            CHECK(reader.take() == nullptr);
            while (in - out < capacity) {
                auto& item = writer.loan();
                auto const at = reinterpret_cast<std::byte*>(&item);
                REQUIRE((at >= segment && at < segment + memory.bytes()));
                REQUIRE(reinterpret_cast<std::uintptr_t>(at) % alignof(frame) == 0);
                item.draw(in++);
                REQUIRE(writer.publish());
            }
            writer.loan().draw(in);
            CHECK_FALSE(writer.publish());
            CHECK_FALSE(writer.publish());
            auto const* const oldest = reader.take();
            REQUIRE(oldest != nullptr);
            REQUIRE(oldest->shows(out));
            REQUIRE(writer.publish());  // the loan was still out, and is filled
            ++in;
            REQUIRE(oldest->shows(out));  // ours, whatever happens in the queue
            reader.release();
            for (++out; out < in; ++out) {
                auto const* const item = reader.take();
                REQUIRE(item != nullptr);
                REQUIRE(item->shows(out));
                reader.release();
            }
        }
        CHECK(conserved<frames>(memory, "q", capacity, 3));
    }
}

TEST_CASE("in place and by copy, one handle or two, it is the same queue", "[fast]") {
    random_source random(1);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::vector<plain> handles;
    handles.emplace_back(memory, "q", 4, queue_options{2});
    handles.emplace_back(memory, "q");
    std::deque<std::uint64_t> ideal;
    for (std::uint64_t i = 0; i < 10000; ++i) {
        auto& q = handles[random.below(2)];
        bool const room = ideal.size() < 4;
        switch (random.below(5)) {
            case 0:
                q.loan() = i;
                REQUIRE(q.publish() == room);
                if (room) ideal.push_back(i);
                if (!room) q.cancel();
                break;
            case 1:
                REQUIRE(q.try_push(i) == room);
                if (room) ideal.push_back(i);
                break;
            case 2:
                q.loan() = 0;  // one that nobody sees
                q.cancel();
                break;
            case 3: {
                auto const* const item = q.take();
                REQUIRE((item != nullptr) == !ideal.empty());
                if (item == nullptr) break;
                REQUIRE(*item == ideal.front());
                ideal.pop_front();
                q.release();
                break;
            }
            default: {
                auto const item = q.try_pop();
                REQUIRE(item.has_value() == !ideal.empty());
                if (item) REQUIRE(*item == ideal.front());
                if (item) ideal.pop_front();
            }
        }
    }
    CHECK(conserved<plain>(memory, "q", 4, 2));
}

TEST_CASE("calls that make no sense are refused, and change nothing", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain q(memory, "q", 4);
    std::array<std::uint64_t, 2> some{7, 8};
    std::uint64_t got = 0;
    CHECK(make_error_code(errc::misuse).message() == "misuse");

    auto const without_loan = [&] {
        check_refused(errc::misuse, {"publish() without a loan", "call loan()"}, [&] { q.publish(); });
        check_refused(errc::misuse, {"publish() without a loan"}, [&] { q.publish(1h); });
        check_refused(errc::misuse, {"cancel() without a loan"}, [&] { q.cancel(); });
    };
    auto const without_item = [&] {
        check_refused(errc::misuse, {"release() without a taken item", "take()"}, [&] { q.release(); });
    };
    without_loan();
    without_item();
    CHECK(q.take() == nullptr);
    without_item();

    auto& item = q.loan();
    item = 5;
    auto const loan_out = {std::string_view("loan is out"), std::string_view("publish() or cancel()")};
    check_refused(errc::misuse, loan_out, [&] { static_cast<void>(q.loan()); });
    check_refused(errc::misuse, loan_out, [&] { q.try_push(6); });
    check_refused(errc::misuse, loan_out, [&] { q.push(6); });
    check_refused(errc::misuse, loan_out, [&] { q.push(6, 1h); });
    check_refused(errc::misuse, loan_out, [&] { q.try_push_n(some); });
    check_refused(errc::misuse, loan_out, [&] { q.try_push_n({}); });
    CHECK(item == 5);
    CHECK(q.was_empty());
    CHECK_FALSE(q.try_pop());  // popping is another matter
    CHECK(q.publish());
    without_loan();
    CHECK(q.was_size() == 1);
    q.push(9);
    static_cast<void>(q.loan());
    q.cancel();
    without_loan();

    auto const* const first = q.take();
    REQUIRE(first != nullptr);
    auto const item_out = {std::string_view("taken item is out"), std::string_view("release()")};
    check_refused(errc::misuse, item_out, [&] { static_cast<void>(q.take()); });
    check_refused(errc::misuse, item_out, [&] { static_cast<void>(q.take(1h)); });
    check_refused(errc::misuse, item_out, [&] { q.try_pop(got); });
    check_refused(errc::misuse, item_out, [&] { static_cast<void>(q.try_pop()); });
    check_refused(errc::misuse, item_out, [&] { static_cast<void>(q.pop()); });
    check_refused(errc::misuse, item_out, [&] { q.pop(got, 1h); });
    check_refused(errc::misuse, item_out, [&] { q.try_pop_n(some); });
    CHECK(q.try_push(10));  // and so is pushing
    CHECK(*first == 5);
    CHECK(some == std::array<std::uint64_t, 2>{7, 8});
    q.release();
    without_item();
    CHECK(q.pop() == 9);
    CHECK(q.pop() == 10);
    CHECK(conserved<plain>(memory, "q", 4, 64));
}

TEST_CASE("a loan and a taken item move with their handle", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    std::optional<plain> one(std::in_place, memory, "q", 4, queue_options{3});
    one->push(1);
    auto& loan = one->loan();
    auto const* const item = one->take();
    plain two(std::move(*one));
    one.reset();
    loan = 2;
    CHECK(*item == 1);
    check_refused(errc::misuse, {"loan is out"}, [&] { two.try_push(3); });
    check_refused(errc::misuse, {"taken item is out"}, [&] { static_cast<void>(two.try_pop()); });
    CHECK(two.publish());
    two.release();

    // An assignment drops what the target had out, and brings what the source has.
    plain three(memory, "q");
    static_cast<void>(two.loan());
    three.push(3);
    auto const* const second = three.take();
    two = std::move(three);
    check_refused(errc::misuse, {"publish() without a loan"}, [&] { two.publish(); });
    check_refused(errc::misuse, {"taken item is out"}, [&] { static_cast<void>(two.take()); });
    CHECK(*second == 2);
    two.release();
    CHECK(two.pop() == 3);
    // The moved-from object can be given a handle again, and has nothing out.
    three = plain(memory, "q");
    three.push(4);
    CHECK(three.pop() == 4);
    CHECK(conserved<plain>(memory, "q", 4, 3));
}

TEST_CASE("blocking forms give up when their time is over, and keep the loan", "[fast]") {
    watchdog const limit(60);
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain q(memory, "q", 1);
    CHECK(q.take(0s) == nullptr);
    CHECK(q.take(1ms) == nullptr);
    q.loan() = 1;
    CHECK(q.publish(0s));
    q.loan() = 2;
    CHECK_FALSE(q.publish(1ms));
    check_refused(errc::misuse, {"loan is out"}, [&] { q.push(3); });
    auto const* const item = q.take(std::chrono::hours::max());
    REQUIRE(item != nullptr);
    CHECK(*item == 1);
    CHECK(q.publish(std::chrono::hours::max()));
    CHECK(*item == 1);
    q.release();
    CHECK(q.pop() == 2);
}

/// Sleeps for as long as it is not woken.
struct sound_sleeper : atomics::native {
    static void futex_wait(word<std::uint32_t>& at, std::uint32_t seen, std::chrono::nanoseconds) noexcept {
        atomics::native::futex_wait(at, seen, 1h);
    }
};

TEST_CASE("frames between processes that all sleep, each way in place", "[fast]") {
    watchdog const limit(120);
    using sleeper = Queue<frame, sound_sleeper>;
    segment_name const name;
    auto memory = Memory::create(name, 1 << 18);
    { sleeper const there(memory, "there", 2, {2}), back(memory, "back", 1, {2}); }
    auto const count = rounds(5000);
    child other([&] {
        auto mine = Memory::open(name.str());
        sleeper in(mine, "there");
        sleeper out(mine, "back");
        for (std::uint64_t i = 0; i < count; ++i) {
            auto const* const item = in.take(1h);
            out.loan().draw(item->number + 1);
            in.release();
            if (!out.publish(1h)) return 1;
        }
        return 0;
    });
    sleeper out(memory, "there");
    sleeper in(memory, "back");
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        out.loan().draw(i);
        wrong += !out.publish(1h);
        auto const* const item = in.take(1h);
        wrong += item == nullptr || !item->shows(i + 1);
        in.release();
    }
    CHECK(wrong == 0);
    CHECK(other.wait() == 0);
}

TEST_CASE("a forked child's copy lends and takes nothing", "[fast]") {
    segment_name const name;
    auto memory = Memory::create(name, 1 << 16);
    plain q(memory, "q", 4);
    q.push(1);
    static_cast<void>(q.loan());
    child other([&] {
        if (int const r = refused_in_child(errc::forked, {"fork"}, [&] { q.publish(); })) return r;
        if (int const r = refused_in_child(errc::forked, {}, [&] { static_cast<void>(q.take()); })) return r;
        std::uint64_t some[2] = {1, 2};
        if (int const r = refused_in_child(errc::forked, {}, [&] { q.try_push_n(some); })) return r;
        if (int const r = refused_in_child(errc::forked, {}, [&] { q.try_pop_n(some); })) return r;
        return 0;
    });
    CHECK(other.wait() == 0);
    CHECK(q.publish());
}

TEST_CASE("a kill while a loan and a taken item are out costs the taken item alone", "[fast]") {
    using mortal_queue = Queue<std::uint64_t, mortal>;
    using mortal_ring = ring_of<mortal_queue>;
    auto const shape = mortal_ring::geometry(2, 3);
    std::uint64_t deaths = 0;
    for (bool lived = false; !lived; ++deaths) {
        segment_name const name;
        auto memory = Memory::create(name, 1 << 14);
        plain survivor(memory, "q", 2, {3});
        survivor.push(1);
        survivor.push(2);
        auto* const base = memory.base() + memory.find("q")->offset;
        std::optional<mortal_queue> victim(std::in_place, memory, "q");
        fate planned;
        planned.last = deaths + 1;
        planned.cells = base + shape.cells;
        planned.cells_end = base + shape.buffers;
        lived = survives(planned, [&] {
            victim->loan() = 3;
            auto const* const item = victim->take();
            if (victim->publish()) victim->release();
            static_cast<void>(item);
        });
        victim.reset();
        plain newcomer(memory, "q");
        REQUIRE(newcomer.handle_slot() == 1);
        REQUIRE(conserved<plain>(memory, "q", 2, 3));
        if (planned.commits == 0) REQUIRE(newcomer.pop() == 1);
        REQUIRE(newcomer.pop() == 2);
        if (planned.commits == 2) REQUIRE(newcomer.pop() == 3);
        REQUIRE(newcomer.was_empty());
    }
    CHECK(deaths > 14);
}

}  // namespace
