#pragma once
/// \file
/// A queue by its operations that wait, as a channel for the timed loops.

#include <zeroipc/memory.hpp>
#include <zeroipc/observer.hpp>

#include <chrono>
#include <memory>

#include "workload.hpp"

namespace zeroipc::bench {

/// How long a call waits before its worker looks whether the window is over.
inline constexpr std::chrono::milliseconds longest_wait{1};

/// Its answers full and empty come when `longest_wait` is over. The loops are compiled once for all variants, which are
/// called through a pointer: 1 or 2 ns, the same for all.
template <std::size_t N>
class WaitingChannel {
public:
    /// Opens the queue of that name.
    template <class Queue>
    static WaitingChannel of(Memory& memory, char const* name) {
        WaitingChannel channel;
        channel.calls_ = std::make_unique<CalledQueue<Queue>>(memory, name);
        return channel;
    }

    bool try_push(Payload<N> const& item) { return calls_->push(item); }
    bool try_pop(Payload<N>& item) { return calls_->pop(item); }
    [[nodiscard]] observer::counting const& observed() const noexcept { return calls_->observed(); }

private:
    class Called {
    public:
        Called() = default;
        Called(Called const&) = delete;
        Called& operator=(Called const&) = delete;
        Called(Called&&) = delete;
        Called& operator=(Called&&) = delete;
        virtual ~Called() = default;
        virtual bool push(Payload<N> const& item) = 0;
        virtual bool pop(Payload<N>& item) = 0;
        [[nodiscard]] virtual observer::counting const& observed() noexcept = 0;
    };
    template <class Queue>
    class CalledQueue final : public Called {
    public:
        CalledQueue(Memory& memory, char const* name) : queue_(memory, name) {}
        [[gnu::flatten]] bool push(Payload<N> const& item) override {
            return queue_.push(item, longest_wait);
        }
        [[gnu::flatten]] bool pop(Payload<N>& item) override { return queue_.pop(item, longest_wait); }
        [[nodiscard]] observer::counting const& observed() noexcept override { return queue_.observed(); }

    private:
        Queue queue_;
    };

    std::unique_ptr<Called> calls_;
};

}  // namespace zeroipc::bench
