#pragma once
/// \file
/// What one worker notes, in a mapping of its own that outlives it.

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

#include "zeroipc/bench/clock.hpp"
#include "zeroipc/bench/history.hpp"

namespace zeroipc::bench::recording {

/// Memory that parent and children share; zeros at first. Pages come when they are touched.
class SharedMapping {
public:
    explicit SharedMapping(std::size_t bytes) : bytes_(bytes) {
        at_ =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at_ == MAP_FAILED)
            throw std::system_error(errno, std::generic_category(), "a worker's log: mmap");
    }
    SharedMapping(SharedMapping const&) = delete;
    SharedMapping& operator=(SharedMapping const&) = delete;
    SharedMapping(SharedMapping&&) = delete;
    SharedMapping& operator=(SharedMapping&&) = delete;
    ~SharedMapping() { ::munmap(at_, bytes_); }
    [[nodiscard]] void* at() const { return at_; }

private:
    void* at_;
    std::size_t bytes_;
};

/// The log of one life of a worker. Written by that worker alone; read by others when it is dead, and the number of
/// finished operations any time.
class Log {
public:
    explicit Log(std::uint64_t capacity)
        : capacity_(capacity),
          mapping_(sizeof(Head) + capacity * sizeof(Entry)),
          head_(static_cast<Head*>(mapping_.at())),
          entries_(reinterpret_cast<Entry*>(static_cast<std::byte*>(mapping_.at()) + sizeof(Head))) {}

    [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
    [[nodiscard]] std::uint64_t finished() const { return head_->finished.load(std::memory_order_acquire); }

    /// Notes the invocation; the stamp comes last. What is killed behind it is pending, what before it never began.
    void begin(Operation const& call, Clock const& clock) {
        auto const n = head_->finished.load(std::memory_order_relaxed);
        entries_[n].call = call;
        entries_[n].call.call = 0;
        head_->begun.store(n + 1, std::memory_order_release);
        entries_[n].call.call = clock.ordered_ticks();
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    /// Notes the return, as soon as what the operation stored is visible to all. The arguments stay as they were, in case
    /// that it is killed here. \param value taken out or found; else 0.
    void end(Answer answer, std::uint64_t value, Clock const& clock) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        auto& entry = entries_[head_->finished.load(std::memory_order_relaxed)];
        entry.ret = clock.ordered_ticks();
        entry.answer = answer;
        entry.value = value;
        head_->finished.fetch_add(1, std::memory_order_release);
    }

    /// All operations that began. Only when the writer is gone.
    [[nodiscard]] std::vector<Operation> read() const {
        auto const done = finished();
        std::vector<Operation> all;
        for (std::uint64_t i = 0; i < head_->begun.load(std::memory_order_acquire); ++i) {
            auto op = entries_[i].call;
            if (op.call == 0) continue;
            op.answer = i < done ? entries_[i].answer : Answer::pending;
            op.ret = i < done ? entries_[i].ret : never;
            bool const gave =
                op.action == Action::pop || op.action == Action::find || op.answer == Answer::different;
            if (i < done && gave) op.value = entries_[i].value;
            all.push_back(op);
        }
        return all;
    }

private:
    struct alignas(128) Head {
        std::atomic<std::uint64_t> begun, finished;
    };
    struct Entry {
        Operation call;
        std::uint64_t ret, value;
        Answer answer;
    };
    std::uint64_t capacity_;
    SharedMapping mapping_;
    Head* head_;
    Entry* entries_;
};

}  // namespace zeroipc::bench::recording
