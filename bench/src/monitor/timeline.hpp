#pragma once
/// \file
/// Calls and returns in their order. Where two are at the same tick calls come first: operations that touch overlap.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "zeroipc/bench/history.hpp"

namespace zeroipc::bench::monitor {

struct Event {
    std::uint64_t time;
    std::uint32_t code;  ///< operation, and the highest bit for a return

    static constexpr std::uint32_t return_bit = 1U << 31;
    [[nodiscard]] bool is_return() const { return (code & return_bit) != 0; }
    [[nodiscard]] std::uint32_t operation() const { return code & ~return_bit; }
};

/// The events of some operations, sorted. Moments lie between events: moment k is before event k, so that an
/// operation can take effect at moments call + 1 to ret.
class Timeline {
public:
    explicit Timeline(std::size_t operations) : call_(operations, 0), ret_(operations, 0) {}

    /// `by` is `never` for what does not return.
    void add(std::uint32_t operation, std::uint64_t from, std::uint64_t by) {
        events_.push_back({from, operation});
        if (by != never) events_.push_back({by, operation | Event::return_bit});
    }
    void sort() {
        std::sort(events_.begin(), events_.end(), [](Event const& a, Event const& b) {
            return a.time != b.time ? a.time < b.time : a.code < b.code;
        });
        for (auto const& event : events_) ret_[event.operation()] = size();
        for (std::uint32_t i = 0; i < size(); ++i)
            (events_[i].is_return() ? ret_ : call_)[events_[i].operation()] = i;
    }

    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(events_.size()); }
    [[nodiscard]] Event const& operator[](std::uint32_t i) const { return events_[i]; }
    [[nodiscard]] std::uint32_t call(std::uint32_t operation) const { return call_[operation]; }
    /// size() for what does not return.
    [[nodiscard]] std::uint32_t ret(std::uint32_t operation) const { return ret_[operation]; }

private:
    std::vector<Event> events_;
    std::vector<std::uint32_t> call_, ret_;
};

/// How many of something there are at each moment.
class Count {
public:
    explicit Count(Timeline const& timeline) : change_(timeline.size() + 2, 0) {}
    /// One more at moments first to last, both included.
    void add(std::uint32_t first, std::uint32_t last) {
        if (first > last) return;
        ++change_[first];
        --change_[last + 1];
    }
    /// From changes to numbers; once, behind the last add().
    void sum() {
        for (std::size_t i = 1; i < change_.size(); ++i) change_[i] += change_[i - 1];
    }
    [[nodiscard]] std::int64_t at(std::uint32_t moment) const { return change_[moment]; }

private:
    std::vector<std::int64_t> change_;
};

/// Whether some moment of a range has a property: asked often.
class Moments {
public:
    template <class Has>
    Moments(Timeline const& timeline, Has&& has) : before_(timeline.size() + 2, 0) {
        for (std::uint32_t m = 0; m <= timeline.size(); ++m) before_[m + 1] = before_[m] + (has(m) ? 1U : 0U);
    }
    /// Among moments first to last, both included.
    [[nodiscard]] bool any(std::uint32_t first, std::uint32_t last) const {
        return before_[last + 1] > before_[first];
    }

private:
    std::vector<std::uint32_t> before_;
};

}  // namespace zeroipc::bench::monitor
