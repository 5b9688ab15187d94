/// \file
/// Queues against std::deque: see zeroipc_property.hpp.

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "zeroipc_property.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc;
using namespace zeroipc::testing;

enum class on_queue {
    push,
    pop,
    push_many,
    pop_many,
    lend,
    publish,
    cancel,
    take,
    release,
    size,
    reopen,
    move,
    repair,
    count
};

char const* name_of(on_queue what) {
    constexpr std::array names{"push", "pop",     "push_many", "pop_many", "lend", "publish", "cancel",
                               "take", "release", "size",      "reopen",   "move", "repair"};
    static_assert(names.size() == static_cast<std::size_t>(on_queue::count));
    return names.at(static_cast<std::size_t>(what));
}

/// Two handles of one queue, and a std::deque.
template <std::size_t ItemBytes>
class queue_subject {
public:
    using what = on_queue;
    using value = item<ItemBytes>;
    using queue = Queue<value>;

    explicit queue_subject(std::uint64_t capacity)
        : capacity_(capacity), memory_(Memory::create(name_, 1 << 14)) {
        handles_[0].open.emplace(memory_, "q", capacity, queue_options{slots});
        handles_[1].open.emplace(memory_, "q");
    }

    void apply(step<on_queue> const& s) {
        auto& h = handles_[s.handle];
        auto& q = *h.open;
        switch (s.what) {
            case on_queue::push:
                return push(h);
            case on_queue::pop:
                return pop(h);
            case on_queue::push_many:
                return push_many(h, s.number);
            case on_queue::pop_many:
                return pop_many(h, s.number);
            case on_queue::lend:
                if (h.loan != nullptr) return misuse([&] { static_cast<void>(q.loan()); });
                h.loan = &q.loan();
                h.lent = fresh();
                *h.loan = h.lent;
                return;
            case on_queue::publish:
                return publish(h);
            case on_queue::cancel:
                if (h.loan == nullptr) return misuse([&] { q.cancel(); });
                q.cancel();
                h.loan = nullptr;
                return;
            case on_queue::take:
                return take(h);
            case on_queue::release:
                if (h.taken == nullptr) return misuse([&] { q.release(); });
                RC_ASSERT(*h.taken == h.expected);
                q.release();
                h.taken = nullptr;
                return;
            case on_queue::size:
                RC_ASSERT(q.was_size() == model_.size());
                return;
            case on_queue::reopen:
                h = {};
                h.open.emplace(memory_, "q");
                return;
            case on_queue::move: {
                queue elsewhere(std::move(q));
                q = std::move(elsewhere);
                return;
            }
            case on_queue::repair:
                return repair();
            case on_queue::count:
                break;
        }
    }

    /// All that should be in it is in it, and every buffer has one owner.
    void finish() {
        for (auto& h : handles_) h = {};
        RC_ASSERT(conserved<queue>(memory_, "q", capacity_, slots));
        queue q(memory_, "q");
        RC_ASSERT(q.was_size() == model_.size());
        value got;
        for (auto const& expected : model_) {
            RC_ASSERT(q.try_pop(got));
            RC_ASSERT(got == expected);
        }
        RC_ASSERT(!q.try_pop(got));
    }

private:
    static constexpr std::uint32_t slots = 3;
    struct handle {
        std::optional<queue> open;
        value* loan = nullptr;
        value lent{};
        value const* taken = nullptr;
        value expected{};
    };

    value fresh() { return value(++last_); }
    [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(capacity_) - model_.size(); }

    template <class Action>
    static void misuse(Action&& action) {
        auto const refusal = thrown_by(action);
        RC_ASSERT(refusal.has_value());
        RC_ASSERT(refusal->cause() == errc::misuse);
    }

    void push(handle& h) {
        auto const one = fresh();
        if (h.loan != nullptr) return misuse([&] { h.open->try_push(one); });
        bool const possible = room() > 0;
        RC_ASSERT(h.open->try_push(one) == possible);
        if (possible) model_.push_back(one);
    }
    void pop(handle& h) {
        value got;
        if (h.taken != nullptr) return misuse([&] { h.open->try_pop(got); });
        bool const possible = !model_.empty();
        RC_ASSERT(h.open->try_pop(got) == possible);
        if (possible) expect_oldest(got);
    }
    void push_many(handle& h, std::uint64_t n) {
        std::vector<value> all(static_cast<std::size_t>(n));
        for (auto& one : all) one = fresh();
        if (h.loan != nullptr) return misuse([&] { h.open->try_push_n(all); });
        auto const possible = std::min(all.size(), room());
        RC_ASSERT(h.open->try_push_n(all) == possible);
        model_.insert(model_.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(possible));
    }
    void pop_many(handle& h, std::uint64_t n) {
        std::vector<value> all(static_cast<std::size_t>(n));
        if (h.taken != nullptr) return misuse([&] { h.open->try_pop_n(all); });
        auto const possible = std::min(all.size(), model_.size());
        RC_ASSERT(h.open->try_pop_n(all) == possible);
        for (std::size_t i = 0; i < possible; ++i) expect_oldest(all[i]);
        for (auto i = possible; i < all.size(); ++i) RC_ASSERT(all[i] == value());
    }
    void publish(handle& h) {
        if (h.loan == nullptr) return misuse([&] { h.open->publish(); });
        RC_ASSERT(*h.loan == h.lent);
        bool const possible = room() > 0;
        RC_ASSERT(h.open->publish() == possible);
        if (!possible) return;
        model_.push_back(h.lent);
        h.loan = nullptr;
    }
    void take(handle& h) {
        if (h.taken != nullptr) return misuse([&] { static_cast<void>(h.open->take()); });
        h.taken = h.open->take();
        RC_ASSERT((h.taken != nullptr) == !model_.empty());
        if (h.taken == nullptr) return;
        h.expected = *h.taken;
        expect_oldest(h.expected);
    }
    void repair() {
        for (auto& h : handles_) h = {};
        auto const shape = ring_of<queue>::geometry(capacity_, slots);
        RC_ASSERT(ring_of<queue>::repair(memory_.base() + memory_.find("q")->offset, shape).reclaimed == 0U);
        for (auto& h : handles_) h.open.emplace(memory_, "q");
    }
    void expect_oldest(value const& got) {
        RC_ASSERT(got == model_.front());
        model_.pop_front();
    }

    std::uint64_t capacity_;
    segment_name name_;
    Memory memory_;
    std::array<handle, 2> handles_;
    std::deque<value> model_;
    std::uint64_t last_ = 0;
};

TEST_CASE("a queue is a std::deque with a limit", "[fast]") {
    watchdog const limit(120);
    holds_for_all_sizes<queue_subject>("queue", static_cast<int>(rounds(400)));
}

TEST_CASE("a queue is a std::deque with a limit, longer", "[medium]") {
    watchdog const limit(600);
    holds_for_all_sizes<queue_subject>("queue", static_cast<int>(rounds(10000)));
}

}  // namespace
