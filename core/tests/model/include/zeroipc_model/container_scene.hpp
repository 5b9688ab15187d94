#pragma once
/// \file
/// Queues and stacks as scenarios: each thread has a handle and a program; some die; others recover what they leave.

#include <zeroipc/observer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "atomics.hpp"
#include "handle_scene.hpp"
#include "history.hpp"

namespace zeroipc::model {

/// The policies of a variant, on the model.
template <class Policies>
struct on_model {
    using layout = typename Policies::layout;
    using ordering = ordering_of<typename Policies::ordering>;
    using backoff = std::conditional_t<Policies::algorithm::progress == std::string_view("blocking"),
                                       giving_way, no_backoff>;
    using observer = zeroipc::observer::none;
    using atomics = model::atomics;
};

/// What a thread of a scene does with its handle.
enum class act : unsigned {
    push,           ///< once
    pop,            ///< once
    peek,           ///< stacks
    size,           ///< a stack's is exact at one moment; a queue's within its capacity
    push_for_sure,  ///< again and again, until it succeeds
    pop_for_sure,
    push_waking,    ///< once, and wakes who sleeps for an item
    pop_waking,     ///< once, and wakes who sleeps for space
    push_sleeping,  ///< waits in a futex until it succeeds
    pop_sleeping,
    push_n,  ///< two at once, where an algorithm publishes them together
    pop_n,
};

/// One thread of a scene.
struct part {
    std::vector<act> program;
    /// Threads whose death it awaits first; then it recovers their slots, and takes over the last one's.
    std::vector<unsigned> buries{};
};

inline bool is_push(act what) noexcept {
    return what == act::push || what == act::push_for_sure || what == act::push_waking ||
           what == act::push_sleeping || what == act::push_n;
}
inline bool is_pop(act what) noexcept {
    return what == act::pop || what == act::pop_for_sure || what == act::pop_waking ||
           what == act::pop_sleeping || what == act::pop_n;
}

template <class Ring>
concept takes_batches = requires(Ring ring, void const* in, void* out) {
    ring.try_push_n(in, std::size_t{2});
    ring.try_pop_n(out, std::size_t{2});
};

/// What went in or came out at once, as the value of one operation of a history: items are below 2^16.
struct batch {
    std::uint64_t done = 0;
    std::uint64_t items[2] = {};

    [[nodiscard]] std::uint64_t packed() const noexcept { return done << 32 | items[1] << 16 | items[0]; }
    static batch unpacked(std::uint64_t value) noexcept {
        return {value >> 32, {value & 0xffff, value >> 16 & 0xffff}};
    }
    [[nodiscard]] std::string text() const {
        return std::to_string(done) + " of 2: " + std::to_string(items[0]) + " " + std::to_string(items[1]);
    }
};

/// A queue or a stack of 64-bit items, as an object with a history. Ordered for the search.
struct container_state {
    bool fifo = true;
    bool negatives = true;  ///< whether "full" and "empty" must be true
    std::uint64_t capacity = 0;
    std::vector<std::uint64_t> items{};

    bool apply(operation const& one) {
        auto const what = static_cast<act>(one.what);
        if (!negatives && !one.pending && !one.done && !one.afterwards) return true;
        if (what == act::size) return one.pending || one.value == items.size();
        if (what == act::push_n || what == act::pop_n) return apply_batch(one);
        if (is_push(what)) {
            if (items.size() == capacity) return one.pending || !one.done;
            if (!one.pending && !one.done) return false;
            items.push_back(one.value);
            return true;
        }
        if (items.empty()) return one.pending || !one.done;
        if (!one.pending && !one.done) return false;
        if (!one.pending && next() != one.value) return false;
        if (what != act::peek) remove();
        return true;
    }
    bool operator<(container_state const& other) const noexcept { return items < other.items; }

private:
    [[nodiscard]] std::uint64_t next() const { return fifo ? items.front() : items.back(); }
    void remove() {
        if (fifo)
            items.erase(items.begin());
        else
            items.pop_back();
    }
    /// All of it at one moment. One that never returned did as much as it could, if anything.
    bool apply_batch(operation const& one) {
        bool const in = static_cast<act>(one.what) == act::push_n;
        auto const that = batch::unpacked(one.value);
        for (std::uint64_t i = 0; i < that.done; ++i) {
            if (in ? items.size() == capacity : items.empty()) return one.pending;
            if (in)
                items.push_back(that.items[i]);
            else if (one.pending || next() == that.items[i])
                remove();
            else
                return false;
        }
        return that.done == 2 || !negatives || (in ? items.size() == capacity : items.empty());
    }
};

template <class Policies>
using ring_on_model = typename Policies::algorithm::template ring<on_model<Policies>, 8>;
template <class Policies>
using ring_scene =
    handle_scene<ring_on_model<Policies>, decltype(ring_on_model<Policies>::geometry(1, 1)), part>;

/// \tparam Policies of a queue or stack.
template <class Policies>
class container_scene : public ring_scene<Policies> {
    using above = ring_scene<Policies>;
    using Ring = ring_on_model<Policies>;
    using layout = typename Policies::layout;
    using above::geometry_;
    using above::history_;
    using above::spare;

public:
    struct shape {
        bool fifo = true;
        std::uint64_t capacity = 1;
        unsigned filled = 0;  ///< items that are in from the start
        unsigned laps = 0;    ///< times that all items went in and out before
        bool kill_safe = true;
        bool linearizable = true;  ///< the answers full and empty, too
    };

    container_scene(shape const& s, std::vector<part> parts)
        : above(std::move(parts), [&](std::uint32_t slots) { return Ring::geometry(s.capacity, slots); }),
          shape_(s) {}

    using above::base;

    void prepare() override {
        auto& filler = this->begin_anew();
        initial_.items.clear();
        initial_.fifo = shape_.fifo;
        initial_.negatives = shape_.linearizable;
        initial_.capacity = shape_.capacity;
        std::uint64_t item = 0;
        for (unsigned lap = 0; lap < shape_.laps * shape_.capacity; ++lap) {
            filler.try_push(&item);
            filler.try_pop(&item);
        }
        for (unsigned i = 0; i < shape_.filled; ++i) {
            item = 0xf00 + i;
            if (!filler.try_push(&item)) throw std::logic_error("the scene is fuller than its capacity");
            initial_.items.push_back(item);
        }
        this->open_handles();
    }

    void run(unsigned t) override {
        auto& machine = *explorer::active();
        if (!this->gets_handle(machine, t, [&](unsigned slot) { return recover(slot); })) return;
        auto& mine = *this->handles_[t];
        std::uint64_t n = 0;
        for (auto const what : this->parts_[t].program) perform(machine, mine, what, (t + 1) * 0x100U + ++n);
    }

    std::string check() override {
        auto& machine = *explorer::active();
        if (shape_.kill_safe) {
            auto wrong = this->bury_all(machine, [&](unsigned slot) { return recover(slot); });
            if (wrong.empty()) wrong = census();
            if (!wrong.empty()) return wrong;
        }
        auto wrong = drain();
        if (!wrong.empty()) return wrong;
        if (!history_.is_linearizable(initial_, machine.was_strong())) return "not linearizable:" + told();
        // Who is not kill-safe may have lost something by a death.
        if (this->somebody_died(machine) && !shape_.kill_safe) return {};
        return full_capacity();
    }

    [[nodiscard]] std::string name_of(std::size_t offset) const override {
        auto const text = [](std::size_t n) { return std::to_string(n); };
        if (offset == layout::items_wait_offset) return "items_wait";
        if (offset == layout::space_wait_offset) return "space_wait";
        if constexpr (requires { geometry_.cells; }) {
            if (offset >= geometry_.buffers)
                return "buffer[" + text((offset - geometry_.buffers) / Ring::item_stride) + "]";
            if (offset >= geometry_.cells) return "cell[" + text((offset - geometry_.cells) / 8) + "]";
            if (offset >= geometry_.slots) {
                static char const* const names[] = {"out", "in", "position", "expected"};
                auto const in_slot = (offset - geometry_.slots) % layout::line;
                return "slot[" + text((offset - geometry_.slots) / layout::line) + "]." +
                       (in_slot < 32 ? names[in_slot / 8] : "?");
            }
        } else if constexpr (requires { geometry_.nodes; }) {
            if (offset >= geometry_.nodes)
                return "node[" + text((offset - geometry_.nodes) / Ring::item_stride + 1) + "]+" +
                       text((offset - geometry_.nodes) % Ring::item_stride);
            if (offset >= geometry_.witnesses)
                return "witness[" + text((offset - geometry_.witnesses) / geometry_.row) + "," +
                       text((offset - geometry_.witnesses) % geometry_.row / 8) + "]";
            if (offset >= geometry_.slots)
                return "slot[" + text((offset - geometry_.slots) / layout::line) + "]." +
                       ((offset - geometry_.slots) % layout::line == 0 ? "state" : "expected");
            if (offset == layout::top_offset) return "top";
            if (offset == layout::free_offset) return "free";
        }
        if (shape_.fifo && offset == layout::head_offset) return "head";
        if (shape_.fifo && offset == layout::tail_offset) return "tail";
        return scenario::name_of(offset);
    }

private:
    bool recover(unsigned slot) {
        if constexpr (requires { Ring::recover(base(), geometry_, slot); })
            return Ring::recover(base(), geometry_, slot);
        return true;
    }

    void perform(explorer& machine, Ring& mine, act what, std::uint64_t value) {
        if (what == act::size) {
            machine.begin_operation("size");
            auto const number = shape_.fifo ? 0 : history_.begin(static_cast<unsigned>(what), 0, 0);
            auto const size = mine.was_size();
            if (size > shape_.capacity) machine.fail("was_size says " + std::to_string(size));
            if (!shape_.fifo) history_.end(number, true, size);
            machine.end_operation(machine.tracing() ? std::to_string(size) : std::string());
            return;
        }
        if (what == act::push_n || what == act::pop_n) return perform_batch(machine, mine, what, value);
        bool const sure = what == act::push_for_sure || what == act::pop_for_sure;
        for (;;) {
            auto const number = history_.begin(static_cast<unsigned>(what), 0, is_push(what) ? value : 0);
            if (machine.tracing())
                machine.begin_operation((is_push(what)       ? "push " + std::to_string(value)
                                         : what == act::peek ? "peek"
                                                             : "pop"));
            else
                machine.begin_operation({});
            auto const done = attempt(mine, what, value);
            history_.end(number, done, value);
            machine.end_operation(machine.tracing() ? (done ? "yes " + std::to_string(value) : "no") : "");
            if (done || !sure) return;
            machine.yield();
        }
    }

    void perform_batch(explorer& machine, Ring& mine, act what, std::uint64_t value) {
        if constexpr (takes_batches<Ring>) {
            bool const in = what == act::push_n;
            batch that{2, {value, value + 0x80}};
            machine.begin_operation(in ? "push 2" : "pop 2");
            auto const number = history_.begin(static_cast<unsigned>(what), 0, that.packed());
            that.done = in ? mine.try_push_n(that.items, 2) : mine.try_pop_n(that.items, 2);
            history_.end(number, that.done > 0, that.packed());
            machine.end_operation(machine.tracing() ? that.text() : std::string());
        } else {
            machine.fail("this algorithm takes no batches");
        }
    }

    bool attempt(Ring& mine, act what, std::uint64_t& value) {
        auto const try_push = [&] { return mine.try_push(&value); };
        auto const try_pop = [&] { return mine.try_pop(&value); };
        switch (what) {
            case act::push:
            case act::push_for_sure:
                return try_push();
            case act::push_waking:
                return wakes(try_push(), layout::items_wait_offset);
            case act::pop_waking:
                return wakes(try_pop(), layout::space_wait_offset);
            case act::push_sleeping:
                return this->sleep(layout::space_wait_offset, try_push);
            case act::pop_sleeping:
                return this->sleep(layout::items_wait_offset, try_pop);
            case act::peek:
                if constexpr (requires { mine.try_peek(&value); }) return mine.try_peek(&value);
                return false;
            default:
                return try_pop();
        }
    }
    bool wakes(bool done, std::size_t offset) {
        if (done) this->template wake<Ring::commits_by_rmw>(offset);
        return done;
    }

    /// Every buffer or node has one owner.
    std::string census() {
        std::vector<unsigned> seen;
        auto const count = [&](std::uint64_t n) {
            if (n >= seen.size()) seen.resize(n + 1, 0);
            ++seen[n];
        };
        std::uint64_t first = 0;
        std::uint64_t all = 0;
        if constexpr (requires { Ring::visit_buffers(base(), geometry_, count); }) {
            Ring::visit_buffers(base(), geometry_, count);
            all = geometry_.buffer_count();
        } else if constexpr (requires { Ring::visit_nodes(base(), geometry_, count); }) {
            Ring::visit_nodes(base(), geometry_, count);
            first = 1;
            all = geometry_.node_count() + 1;
        } else {
            return {};
        }
        seen.resize(std::max<std::size_t>(seen.size(), all), 0);
        for (auto n = first; n < seen.size(); ++n)
            if (seen[n] != (n < all ? 1U : 0U))
                return (seen[n] == 0 ? "nobody owns buffer or node " : "more than one owns buffer or node ") +
                       std::to_string(n);
        return {};
    }

    std::string drain() {
        for (std::uint64_t i = 0; i <= shape_.capacity; ++i) {
            std::uint64_t value = 0;
            auto const number = history_.begin(static_cast<unsigned>(act::pop), 0, 0);
            bool const done = spare().try_pop(&value);
            history_.end(number, done, value);
            if (!done) return {};
        }
        return "more comes out than it holds";
    }

    /// All of its capacity is there, in order.
    std::string full_capacity() {
        for (std::uint64_t i = 0; i < shape_.capacity; ++i)
            if (!spare().try_push(&i)) return "afterwards it takes only " + std::to_string(i) + " items";
        std::uint64_t item = 0;
        if (spare().try_push(&item)) return "afterwards it takes more items than its capacity";
        for (std::uint64_t i = 0; i < shape_.capacity; ++i)
            if (!spare().try_pop(&item) || item != (shape_.fifo ? i : shape_.capacity - 1 - i))
                return "afterwards its order is wrong";
        return {};
    }

    [[nodiscard]] std::string told() const {
        std::string text;
        for (auto const& one : history_.all()) {
            auto const what = static_cast<act>(one.what);
            text += "\n  " +
                    (one.afterwards ? std::string("at the end") : "thread " + std::to_string(one.thread)) +
                    ": " +
                    (is_push(what)       ? "push "
                     : what == act::peek ? "peek "
                     : what == act::size ? "size "
                                         : "pop ") +
                    (what == act::push_n || what == act::pop_n ? batch::unpacked(one.value).text()
                     : is_push(what) || one.done               ? std::to_string(one.value)
                                                               : "") +
                    (one.pending     ? " (never returned)"
                     : one.done      ? ""
                     : is_push(what) ? ": full"
                                     : ": empty");
        }
        return text;
    }

    shape shape_;
    container_state initial_;
};

}  // namespace zeroipc::model
