#pragma once
/// \file
/// Holds those back who push into a peer without a bound, so that it has a capacity as the others have.

#include <cstdint>
#include <memory>

#include "zeroipc/bench/control.hpp"

namespace zeroipc::bench {

/// Each worker publishes, on a line of its own and by plain stores, how many more items it has put in than taken out. Who
/// pushes looks at the others' figures only when it has used up the room that it saw last, its share of what was free. So
/// one that pushes alone stops exactly at the capacity; several together may pass it, at most by as much again.
class Room {
public:
    explicit Room(Control const& control)
        : capacity_(static_cast<std::int64_t>(control.capacity)),
          workers_(control.workers),
          pushing_(control.consumers != 0 ? control.producers : control.workers),
          balances_(std::make_unique<Lonely[]>(control.workers)) {}

    /// One worker's part of it.
    class Share {
    public:
        Share(Room& room, std::uint32_t worker)
            : room_(room),
              own_(room.balances_[worker].value),
              balance_(static_cast<std::int64_t>(own_.load(std::memory_order_relaxed))) {}

        /// Whether an item may be pushed now.
        [[nodiscard]] bool has_room() noexcept {
            if (left_ == 0) [[unlikely]]
                left_ = room_.share_of_free();
            return left_ != 0;
        }
        void pushed() noexcept {
            --left_;
            publish(balance_ + 1);
        }
        void popped() noexcept { publish(balance_ - 1); }

    private:
        void publish(std::int64_t balance) noexcept {
            balance_ = balance;
            own_.store(static_cast<std::uint64_t>(balance), std::memory_order_relaxed);
        }

        Room& room_;
        std::atomic<std::uint64_t>& own_;  // relaxed: a count, which orders nothing
        std::int64_t balance_;
        std::int64_t left_ = 0;
    };

private:
    [[nodiscard]] std::int64_t share_of_free() const noexcept {
        std::int64_t inside = 0;
        for (std::uint32_t i = 0; i < workers_; ++i)
            inside += static_cast<std::int64_t>(balances_[i].value.load(std::memory_order_relaxed));
        auto const free = capacity_ - inside;
        if (free <= 0) return 0;
        return free > pushing_ ? free / pushing_ : 1;
    }

    std::int64_t capacity_;
    std::uint32_t workers_;
    std::uint32_t pushing_;
    std::unique_ptr<Lonely[]> balances_;
};

/// A peer's handle, held back by the Room that the peer has as `room`.
template <class Handle>
class Held {
public:
    template <class Peer>
    Held(Peer& peer, std::uint32_t worker, bool pushes)
        : handle_(peer, worker, pushes), share_(peer.room, worker) {}

    template <class Item>
    bool try_push(Item const& item) {
        if (!share_.has_room() || !handle_.try_push(item)) return false;
        share_.pushed();
        return true;
    }
    template <class Item>
    bool try_pop(Item& item) {
        if (!handle_.try_pop(item)) return false;
        share_.popped();
        return true;
    }

private:
    Handle handle_;
    Room::Share share_;
};

}  // namespace zeroipc::bench
