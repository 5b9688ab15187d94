/// \file
/// The model is C++20's: litmus tests with exactly the outcomes that the standard allows (load buffering aside), and
/// for each rule of the model a switch that makes a named one of them fail.

#include <zeroipc_model/litmus.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace zeroipc::model;
using s = litmus_state;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

/// Every value of n registers of 0 or 1, but these.
std::set<std::string> all_but(unsigned n, std::initializer_list<char const*> without = {}) {
    std::set<std::string> all;
    for (unsigned v = 0; v < 1U << n; ++v) {
        std::string text;
        for (unsigned i = 0; i < n; ++i) text += (i == 0 ? "" : " ") + std::to_string(v >> (n - 1 - i) & 1);
        all.insert(text);
    }
    for (auto const* one : without) REQUIRE(all.erase(one) == 1);
    return all;
}

litmus store_buffering(std::string name, std::string rule, std::memory_order store, std::memory_order load,
                       bool fence0, bool fence1, std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) {
                 m.x.store(1, store);
                 if (fence0) atomics::fence(seq_cst);
                 m.r[0] = m.y.load(load);
             },
             [=](s& m) {
                 m.y.store(1, store);
                 if (fence1) atomics::fence(seq_cst);
                 m.r[1] = m.x.load(load);
             }},
            2,
            std::move(outcomes)};
}

litmus message(std::string name, std::string rule, std::memory_order store, std::memory_order load,
               bool release_fence, bool acquire_fence, std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) {
                 m.x.store(1, relaxed);
                 if (release_fence) atomics::fence(release);
                 m.y.store(1, store);
             },
             [=](s& m) {
                 m.r[0] = m.y.load(load);
                 if (acquire_fence) atomics::fence(acquire);
                 m.r[1] = m.x.load(relaxed);
             }},
            2,
            std::move(outcomes)};
}

litmus independent_reads(std::string name, std::string rule, std::memory_order store, std::memory_order load,
                         bool fences, std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) { m.x.store(1, store); }, [=](s& m) { m.y.store(1, store); },
             [=](s& m) {
                 m.r[0] = m.x.load(load);
                 if (fences) atomics::fence(seq_cst);
                 m.r[1] = m.y.load(load);
             },
             [=](s& m) {
                 m.r[2] = m.y.load(load);
                 if (fences) atomics::fence(seq_cst);
                 m.r[3] = m.x.load(load);
             }},
            4,
            std::move(outcomes)};
}

litmus two_plus_two(std::string name, std::string rule, std::memory_order store,
                    std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) {
                 m.x.store(1, store);
                 m.y.store(2, store);
             },
             [=](s& m) {
                 m.y.store(1, store);
                 m.x.store(2, store);
             }},
            2,
            std::move(outcomes),
            [](s& m) {
                m.r[0] = m.x.load(relaxed);
                m.r[1] = m.y.load(relaxed);
            }};
}

litmus write_to_read(std::string name, std::string rule, std::memory_order store, std::memory_order load,
                     std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[](s& m) { m.x.store(1, relaxed); },
             [=](s& m) {
                 m.r[0] = m.x.load(relaxed);
                 m.y.store(1, store);
             },
             [=](s& m) {
                 m.r[1] = m.y.load(load);
                 m.r[2] = m.x.load(relaxed);
             }},
            3,
            std::move(outcomes)};
}

litmus payload(std::string name, std::string rule, std::memory_order store, std::memory_order load,
               std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) {
                 m.write(7);
                 m.x.store(1, store);
             },
             [=](s& m) {
                 if (m.x.load(load) == 1) m.r[0] = m.read();
             }},
            1,
            std::move(outcomes)};
}

litmus payload_reused(std::string name, std::string rule, std::memory_order store, std::memory_order load,
                      std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[=](s& m) {
                 m.r[0] = m.read();
                 m.x.store(1, store);
             },
             [=](s& m) {
                 if (m.x.load(load) == 1) m.write(7);
             }},
            1,
            std::move(outcomes)};
}

litmus failing_exchange(std::string name, std::string rule, std::memory_order failed,
                        std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[](s& m) {
                 m.x.store(1, relaxed);
                 m.y.store(1, release);
             },
             [=](s& m) {
                 std::uint64_t expected = 5;
                 m.y.compare_exchange_strong(expected, 6, relaxed, failed);
                 m.r[0] = expected;
                 m.r[1] = m.x.load(relaxed);
             }},
            2,
            std::move(outcomes)};
}

litmus sleeper(std::string name, std::string rule, bool looks_again, std::set<std::string> outcomes) {
    return {std::move(name),
            std::move(rule),
            {[](s& m) {
                 m.x.store(1, relaxed);
                 atomics::fence(seq_cst);
                 if ((m.shared.futex.load(relaxed) & 1) != 0) {
                     m.shared.futex.store(2, relaxed);
                     atomics::futex_wake_all(m.shared.futex);
                 }
             },
             [=](s& m) {
                 if (m.x.load(relaxed) == 0) {
                     m.shared.futex.fetch_or(1, seq_cst);
                     atomics::fence(seq_cst);
                     if (!looks_again || m.x.load(relaxed) == 0) {
                         atomics::futex_wait(m.shared.futex, 1, {});
                         m.r[0] = 1;
                     }
                 }
             }},
            1,
            std::move(outcomes)};
}

std::vector<litmus> const& tests() {
    static std::vector<litmus> const all = {
        // Store buffering.
        store_buffering("SB relaxed", "stale loads", relaxed, relaxed, false, false, all_but(2)),
        store_buffering("SB release, acquire", "stale loads", release, acquire, false, false, all_but(2)),
        store_buffering("SB seq_cst", "seq_cst accesses", seq_cst, seq_cst, false, false, all_but(2, {"0 0"})),
        store_buffering("SB seq_cst stores only", "stale loads", seq_cst, acquire, false, false, all_but(2)),
        store_buffering("SB seq_cst fences", "seq_cst fences", relaxed, relaxed, true, true, all_but(2, {"0 0"})),
        store_buffering("SB one fence", "stale loads", relaxed, relaxed, true, false, all_but(2)),
        store_buffering("SB a fence against seq_cst accesses", "seq_cst accesses", seq_cst, seq_cst, true, false, all_but(2, {"0 0"})),
        {"SB by exchanges", "stale loads",
         {[](s& m) {
              m.x.exchange(1, acq_rel);
              m.r[0] = m.y.load(acquire);
          },
          [](s& m) {
              m.y.exchange(1, acq_rel);
              m.r[1] = m.x.load(acquire);
          }},
         2,
         all_but(2)},
        {"SB by exchanges and fences", "seq_cst fences",
         {[](s& m) {
              m.x.exchange(1, acq_rel);
              atomics::fence_after_rmw();
              m.r[0] = m.y.load(relaxed);
          },
          [](s& m) {
              m.y.exchange(1, acq_rel);
              atomics::fence_after_rmw();
              m.r[1] = m.x.load(relaxed);
          }},
         2,
         all_but(2, {"0 0"})},
        // Message passing.
        message("MP relaxed", "stale loads", relaxed, relaxed, false, false, all_but(2)),
        message("MP release, acquire", "acquire loads", release, acquire, false, false, all_but(2, {"1 0"})),
        message("MP release, relaxed", "acquire loads", release, relaxed, false, false, all_but(2)),
        message("MP relaxed, acquire", "release stores", relaxed, acquire, false, false, all_but(2)),
        message("MP fences", "release fences", relaxed, relaxed, true, true, all_but(2, {"1 0"})),
        message("MP release fence, acquire", "release fences", relaxed, acquire, true, false, all_but(2, {"1 0"})),
        message("MP release, acquire fence", "acquire fences", release, relaxed, false, true, all_but(2, {"1 0"})),
        message("MP release fence alone", "acquire loads", relaxed, relaxed, true, false, all_but(2)),
        message("MP seq_cst", "acquire loads", seq_cst, seq_cst, false, false, all_but(2, {"1 0"})),
        {"MP fences in the wrong place", "acquire fences",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.y.store(1, relaxed);
              atomics::fence(release);
          },
          [](s& m) {
              atomics::fence(acquire);
              m.r[0] = m.y.load(relaxed);
              m.r[1] = m.x.load(relaxed);
          }},
         2,
         all_but(2)},
        // Coherence.
        {"CoRR", "coherence",
         {[](s& m) { m.x.store(1, relaxed); },
          [](s& m) {
              m.r[0] = m.x.load(relaxed);
              m.r[1] = m.x.load(relaxed);
          }},
         2,
         all_but(2, {"1 0"})},
        {"CoWR", "coherence",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.r[0] = m.x.load(relaxed);
          },
          [](s& m) { m.x.store(2, relaxed); }},
         1,
         {"1", "2"}},
        {"CoRW", "coherence",
         {[](s& m) {
              m.r[0] = m.x.load(relaxed);
              m.x.store(1, relaxed);
          },
          [](s& m) { m.x.store(2, relaxed); }},
         2,
         {"0 1", "0 2", "2 1"},
         [](s& m) { m.r[1] = m.x.load(relaxed); }},
        {"S release, acquire", "acquire loads",
         {[](s& m) {
              m.x.store(2, relaxed);
              m.y.store(1, release);
          },
          [](s& m) {
              m.r[0] = m.y.load(acquire);
              m.x.store(1, relaxed);
          }},
         2,
         {"0 1", "0 2", "1 1"},
         [](s& m) { m.r[1] = m.x.load(relaxed); }},
        two_plus_two("2+2W relaxed", "late stores", relaxed, {"1 1", "1 2", "2 1", "2 2"}),
        two_plus_two("2+2W release", "late stores", release, {"1 1", "1 2", "2 1", "2 2"}),
        two_plus_two("2+2W seq_cst", "seq_cst accesses", seq_cst, {"1 2", "2 1", "2 2"}),
        {"R seq_cst fences", "seq_cst fences",
         {[](s& m) {
              m.x.store(1, relaxed);
              atomics::fence(seq_cst);
              m.y.store(1, relaxed);
          },
          [](s& m) {
              m.y.store(2, relaxed);
              atomics::fence(seq_cst);
              m.r[0] = m.x.load(relaxed);
          }},
         2,
         {"0 1", "1 1", "1 2"},
         [](s& m) { m.r[1] = m.y.load(relaxed); }},
        // More threads.
        independent_reads("IRIW acquire", "stale loads", release, acquire, false, all_but(4)),
        independent_reads("IRIW seq_cst", "seq_cst accesses", seq_cst, seq_cst, false, all_but(4, {"1 0 1 0"})),
        independent_reads("IRIW seq_cst stores only", "stale loads", seq_cst, acquire, false, all_but(4)),
        independent_reads("IRIW seq_cst fences", "seq_cst fences", relaxed, relaxed, true, all_but(4, {"1 0 1 0"})),
        write_to_read("WRC release, acquire", "release stores", release, acquire, all_but(3, {"1 1 0"})),
        write_to_read("WRC relaxed", "stale loads", relaxed, relaxed, all_but(3)),
        {"ISA2", "release stores",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.y.store(1, release);
          },
          [](s& m) {
              m.r[0] = m.y.load(acquire);
              m.z.store(1, release);
          },
          [](s& m) {
              m.r[1] = m.z.load(acquire);
              m.r[2] = m.x.load(relaxed);
          }},
         3,
         all_but(3, {"1 1 0"})},
        // Read-modify-writes.
        {"release sequence through a read-modify-write", "release sequences",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.y.store(1, release);
          },
          [](s& m) { m.y.fetch_add(10, relaxed); },
          [](s& m) {
              m.r[0] = m.y.load(acquire);
              m.r[1] = m.x.load(relaxed);
          }},
         2,
         {"0 0", "0 1", "1 1", "10 0", "10 1", "11 1"}},
        {"a plain store ends a release sequence", "only through read-modify-writes",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.y.store(1, release);
              m.y.store(2, relaxed);
          },
          [](s& m) {
              m.r[0] = m.y.load(acquire);
              m.r[1] = m.x.load(relaxed);
          }},
         2,
         {"0 0", "0 1", "1 1", "2 0", "2 1"}},
        {"two increments", "atomic read-modify-writes",
         {[](s& m) { m.r[0] = m.x.fetch_add(1, relaxed); }, [](s& m) { m.r[1] = m.x.fetch_add(1, relaxed); }},
         2,
         {"0 1", "1 0"}},
        {"one exchange wins", "atomic read-modify-writes",
         {[](s& m) {
              std::uint64_t zero = 0;
              m.r[0] = m.x.compare_exchange_strong(zero, 1, relaxed, relaxed);
          },
          [](s& m) {
              std::uint64_t zero = 0;
              m.r[1] = m.x.compare_exchange_strong(zero, 2, relaxed, relaxed);
          }},
         2,
         {"0 1", "1 0"}},
        {"a strong exchange fails by an old value", "stale failures",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.y.store(1, relaxed);
          },
          [](s& m) {
              m.r[0] = m.y.load(relaxed);
              std::uint64_t one = 1;
              m.r[1] = m.x.compare_exchange_strong(one, 5, relaxed, relaxed);
          }},
         2,
         all_but(2)},
        {"a weak exchange fails for no reason", "weak failures",
         {[](s& m) {
             std::uint64_t zero = 0;
             m.r[0] = m.x.compare_exchange_weak(zero, 1, relaxed, relaxed);
         }},
         1,
         {"0", "1"}},
        failing_exchange("a failing exchange acquires", "acquire loads", acquire, all_but(2, {"1 0"})),
        failing_exchange("a failing exchange that does not", "acquire loads", relaxed, all_but(2)),
        {"exchanges come late", "late stores",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.r[0] = m.y.exchange(2, relaxed);
          },
          [](s& m) {
              m.y.store(1, relaxed);
              m.r[1] = m.x.exchange(2, relaxed);
          }},
         4,
         {"0 0 1 1", "0 1 2 1", "1 0 1 2", "1 1 2 2"},
         [](s& m) {
             m.r[2] = m.x.load(relaxed);
             m.r[3] = m.y.load(relaxed);
         }},
        {"a store comes late, before a store and its increment", "late stores",
         {[](s& m) {
              m.x.store(1, relaxed);
              m.x.fetch_add(10, relaxed);
          },
          [](s& m) {
              m.x.store(2, relaxed);
              m.y.store(1, relaxed);
          }},
         1,
         {"11", "2", "12"},
         [](s& m) { m.r[0] = m.x.load(relaxed); }},
        {"a weak exchange fails by an old value that it expects", "weak failures",
         {[](s& m) {
              m.z.store(1, relaxed);
              m.y.store(5, release);
              m.y.store(0, release);
              m.x.store(1, relaxed);
          },
          [](s& m) {
              if (m.x.load(relaxed) == 0) return;
              std::uint64_t zero = 0;
              if (m.y.compare_exchange_weak(zero, 9, acquire, acquire) || zero != 0) return;
              m.r[0] = 1 + m.z.load(relaxed);
          }},
         1,
         {"0", "1", "2"}},
        // Payload.
        payload("payload handed over", "races", release, acquire, {"0", "7"}),
        payload("payload raced for", "races", relaxed, acquire, {"0", "race"}),
        payload_reused("payload given back", "races", release, acquire, {"0"}),
        payload_reused("payload taken too early", "races", release, relaxed, {"0", "race"}),
        {"payload under a lock", "races",
         {[](s& m) {
              std::uint64_t zero = 0;
              if (!m.x.compare_exchange_strong(zero, 1, acquire, relaxed)) return;
              m.write(m.read() + 1);
              m.x.store(0, release);
              m.r[0] = 1;
          },
          [](s& m) {
              std::uint64_t zero = 0;
              if (!m.x.compare_exchange_strong(zero, 1, acquire, relaxed)) return;
              m.write(m.read() + 1);
              m.x.store(0, release);
              m.r[1] = 1;
          }},
         3,
         {"0 1 1", "1 0 1", "1 1 2"},
         [](s& m) { m.r[2] = m.read(); }},
        // Sleeping.
        sleeper("a sleeper looks again", "futex", true, {"0", "1"}),
        sleeper("a sleeper that does not", "futex", false, {"0", "1", "lost wake-up"}),
    };
    return all;
}

std::string text_of(std::set<std::string> const& outcomes) {
    std::string text;
    for (auto const& one : outcomes) text += "[" + one + "] ";
    return text;
}

struct switched {
    char const* rule;
    bool rules::*off;
    char const* test;
};

/// All of them, and for each a test that fails without it.
constexpr switched switches[] = {
    {"coherence", &rules::coherence, "CoRR"},
    {"stale loads", &rules::stale_loads, "SB relaxed"},
    {"late stores", &rules::late_stores, "2+2W relaxed"},
    {"acquire loads", &rules::acquire_loads, "MP release, acquire"},
    {"release stores", &rules::release_stores, "WRC release, acquire"},
    {"acquire fences", &rules::acquire_fences, "MP release, acquire fence"},
    {"release fences", &rules::release_fences, "MP release fence, acquire"},
    {"release sequences", &rules::release_sequences, "release sequence through a read-modify-write"},
    {"only through read-modify-writes", &rules::only_through_rmw, "a plain store ends a release sequence"},
    {"seq_cst fences", &rules::seq_cst_fences, "SB seq_cst fences"},
    {"seq_cst accesses", &rules::seq_cst_accesses, "IRIW seq_cst"},
    {"atomic read-modify-writes", &rules::atomic_rmw, "two increments"},
    {"stale failures", &rules::stale_failures, "a strong exchange fails by an old value"},
    {"weak failures", &rules::weak_failures, "a weak exchange fails for no reason"},
    {"races", &rules::races, "payload raced for"},
};

/// What the kernel does for sleepers is no rule that could be off.
bool is_known(std::string const& rule) {
    return rule == "futex" || std::any_of(std::begin(switches), std::end(switches),
                                          [&](auto const& one) { return one.rule == rule; });
}

TEST_CASE("litmus tests have exactly the outcomes that C++20 allows", "[fast]") {
    REQUIRE(tests().size() >= 30);
    for (auto const& test : tests()) {
        INFO(test.name << ", for the rule: " << test.rule);
        CHECK(is_known(test.rule));
        std::string text;
        auto const seen = outcomes_of(test, {}, &text);
        INFO(text);
        // A fault ends the search; then other outcomes may not have been met.
        bool const faulty = !text.empty();
        if (faulty) {
            for (auto const& one : seen) {
                INFO(one);
                CHECK(test.outcomes.count(one) == 1);
            }
            bool fault_expected = false;
            for (auto const& one : test.outcomes)
                fault_expected = fault_expected || one == "race" || one == "lost wake-up";
            CHECK(fault_expected);
        } else {
            CHECK(text_of(seen) == text_of(test.outcomes));
        }
    }
}

TEST_CASE("each rule of the model is needed: without it, a named litmus test fails", "[fast]") {
    CHECK(sizeof(rules) == sizeof switches / sizeof switches[0]);
    for (auto const& one : switches) {
        INFO(one.rule << " off: " << one.test);
        rules model;
        model.*one.off = false;
        auto const test =
            std::find_if(tests().begin(), tests().end(), [&](auto const& t) { return t.name == one.test; });
        REQUIRE(test != tests().end());
        CHECK(test->rule == one.rule);
        CHECK(text_of(outcomes_of(*test, model)) != text_of(test->outcomes));
    }
}

}  // namespace
