/// \file
/// Deaths and races at chosen steps: what is safe under a lock of the kernel is so at every step, and what claims less than
/// the default has the fault for which it claims less, so that the checkers are known to see it.

#include <zeroipc/variants/catalogue.hpp>
#include <zeroipc/zeroipc.hpp>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <functional>
#include <vector>

#include "zeroipc_mortal.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

template <class Layout>
using mortal_mutex = Queue<std::uint64_t, variants::algorithm::mutex, Layout, mortal>;

TEMPLATE_TEST_CASE("the mutex ring: a process dies at each step while it holds the mutex", "[fast]",
                   layout::compact, layout::padded) {
    watchdog const limit(100);
    using native = Queue<std::uint64_t, variants::algorithm::mutex, TestType>;
    std::uint64_t deaths = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            survivor.push(1);
            survivor.push(2);
            child doomed([&] {
                auto mine = Memory::open(name.str());
                mortal_mutex<TestType> q(mine, "q");
                std::uint64_t item = 0;
                fate::now() = {};
                fate::now().last = k;
                if (push)
                    q.try_push(3);
                else
                    q.try_pop(item);
            });
            int const end = doomed.wait();
            REQUIRE((end == 0 || end == -SIGKILL));
            deaths += end == -SIGKILL;
            // The operation took effect or not; a second death on top does not matter.
            child second([&] {
                auto mine = Memory::open(name.str());
                mortal_mutex<TestType> q(mine, "q");
                fate::now() = {};
                fate::now().last = 1;
                std::uint64_t item = 0;
                q.try_pop(item);
            });
            CHECK(second.wait() == -SIGKILL);
            std::vector<std::uint64_t> left;
            std::uint64_t item = 0;
            while (survivor.try_pop(item)) left.push_back(item);
            INFO("step " << k);
            if (push)
                CHECK((left == std::vector<std::uint64_t>{1, 2} ||
                       left == std::vector<std::uint64_t>{1, 2, 3}));
            else
                CHECK((left == std::vector<std::uint64_t>{1, 2} || left == std::vector<std::uint64_t>{2}));
            for (std::uint64_t i = 0; i < 4; ++i) CHECK(survivor.try_push(i));
            CHECK_FALSE(survivor.try_push(4));
            if (end == 0) break;
        }
    CHECK(deaths >= 8);
}

/// Why the ticket ring does not claim to be safe from kills.
TEST_CASE("the ticket ring: a process that dies between claim and publication stops all others", "[fast]") {
    using native = Queue<std::uint64_t, variants::algorithm::ticket>;
    using mortal_ticket = Queue<std::uint64_t, variants::algorithm::ticket, mortal>;
    static_assert(!native::algorithm::kill_safe);
    unsigned stuck_consumers = 0;
    unsigned stuck_producers = 0;
    for (bool const push : {true, false})
        for (std::uint64_t k = 1;; ++k) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            native survivor(memory, "q", 4);
            if (!push)
                for (std::uint64_t i = 0; i < 4; ++i) survivor.push(i);
            child doomed([&] {
                auto mine = Memory::open(name.str());
                mortal_ticket q(mine, "q");
                std::uint64_t item = 0;
                fate::now() = {};
                fate::now().last = k;
                if (push)
                    q.try_push(1000);
                else
                    q.try_pop(item);
            });
            if (doomed.wait() == 0) break;
            if (push) {
                // Three items are put behind it, and nobody ever gets one of them.
                bool stuck = true;
                for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(survivor.try_push(i));
                for (int i = 0; i < 1000; ++i)
                    stuck = stuck && !survivor.try_pop() && !native(memory, "q").try_pop();
                if (stuck) CHECK(survivor.was_size() == 4);
                stuck_consumers += stuck;
            } else {
                // One item was taken out, or none; what is sure is that nothing goes in, however many come
                // out.
                unsigned out = 0;
                while (survivor.try_pop()) ++out;
                bool stuck = true;
                for (int i = 0; i < 1000; ++i) stuck = stuck && !survivor.try_push(7);
                stuck_producers += stuck;
                if (stuck) CHECK(out == 3);
            }
        }
    // The steps between claim and publication: two halves of the payload's copy, and the publication itself.
    CHECK(stuck_consumers == 3);
    CHECK(stuck_producers == 3);
}

/// Why nobody may use the sketch: between the claim and the copy another one gets what is not there yet, or overwrites
/// what is not yet read.
TEST_CASE("the sketch's queue: an item is taken before it is written, and written before it is read",
          "[fast]") {
    using sketch = Queue<std::uint64_t, variants::algorithm::seed_literal, mortal>;
    for (bool const push : {true, false}) {
        unsigned wrong = 0;
        std::uint64_t step = 1;
        for (bool over = false; !over; ++step) {
            segment_name const name;
            auto memory = Memory::create(name, 1 << 14);
            sketch slow(memory, "q", 1);
            sketch quick(memory, "q");
            std::uint64_t item = 0;
            if (!push) slow.push(1);
            std::function<void()> const meanwhile = [&] {
                if (push)
                    wrong += quick.try_pop(item) && item != 1;
                else
                    quick.try_push(2);
            };
            fate::now() = {};
            fate::now().interrupted_at = step;
            fate::now().interruption = &meanwhile;
            if (push)
                slow.try_push(1);
            else
                wrong += slow.try_pop(item) && item != 1;
            over = fate::now().taken < step;
            fate::now() = {};
        }
        INFO((push ? "push" : "pop") << " has " << step - 2 << " steps");
        CHECK(wrong >= 1);
    }
}

}  // namespace
