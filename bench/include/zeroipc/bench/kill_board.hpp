#pragma once
/// \file
/// What the processes of a kill cell show of themselves while they work, in shared memory: who is killed cannot report
/// afterwards. One writer a line; the coordinator reads after the writer's death, or at a glance.

#include <zeroipc/atomics.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "control.hpp"

namespace zeroipc::bench {

/// Kill cells are compiled for items (values) of so many bytes only.
inline constexpr std::uint32_t kill_payload_bytes = 8;

/// The call that a process is in, if any.
enum class Inside : std::uint8_t { none = 0, push, pop, insert, assign, erase, change, look };

char const* to_string(Inside inside);

/// What one process has put in and taken out, all of it acknowledged.
struct KillBooks {
    std::uint64_t put_items = 0, put_sum = 0;  ///< sums of items' first words, or of keys
    std::uint64_t taken_items = 0, taken_sum = 0;
    std::uint32_t order_violations = 0, corrupt_items = 0;

    void put(std::uint64_t word) noexcept {
        ++put_items;
        put_sum += word;
    }
    void take(std::uint64_t word) noexcept {
        ++taken_items;
        taken_sum += word;
    }
};

/// One process's state, exact at every instruction: `mark` says how many operations are done and whether one is going on, and
/// by its lowest bit which of the two books counts. Relaxed and release stores of one writer; whoever reads knows the writer
/// to be dead, or only looks for movement.
struct alignas(line_bytes) KillLine {
    std::atomic<std::uint64_t> mark;
    std::atomic<std::uint64_t> word;  ///< of the operation going on: its item's first word, or its key
    std::atomic<std::uint64_t> last_progress;  ///< ticks: the last look that found an operation done
    std::array<std::atomic<std::uint64_t>, 2>
        longest_gap;  ///< ticks without an operation done: ended before the kill; after
    std::array<KillBooks, 2> books;

    static constexpr unsigned inside_bits = 8;

    void begin(Inside what, std::uint64_t about) noexcept {
        word.store(about, std::memory_order_relaxed);
        mark.store((done() << inside_bits) | static_cast<std::uint64_t>(what), std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    /// \param did whether the operation took place; full and empty are no operations.
    void end(KillBooks const& now, bool did) noexcept {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        auto const count = done() + (did ? 1 : 0);
        if (did) books[count & 1] = now;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        mark.store(count << inside_bits, std::memory_order_release);
    }
    [[nodiscard]] std::uint64_t done() const noexcept {
        return mark.load(std::memory_order_relaxed) >> inside_bits;
    }
    [[nodiscard]] Inside inside() const noexcept {
        return static_cast<Inside>(mark.load(std::memory_order_acquire) & ((1U << inside_bits) - 1));
    }
    [[nodiscard]] KillBooks const& acknowledged() const noexcept { return books[done() & 1]; }
};
static_assert(sizeof(KillLine) == line_bytes, "a writer's line stands alone");

/// What a process says once: of its opening, and of its end.
struct alignas(line_bytes) KillRemarks {
    std::atomic<std::uint64_t> open_begin, open_end;  ///< ticks around opening the structure; 0: not yet
    std::atomic<std::int32_t> slot;                   ///< its handle slot plus one; 0: the algorithm has none
    std::atomic<std::uint32_t> left;  ///< 1: it had a success behind the window's end, and went
};

/// What the examiner found, when all others were gone.
struct alignas(line_bytes) KillExam {
    std::uint64_t items, sum;  ///< what was still in it
    std::uint64_t order_violations, corrupt_items;
    std::uint64_t accepted;  ///< how many items it takes then, up to the capacity
    std::uint32_t emptied;   ///< 1: the fields above it count
    std::uint32_t refilled;  ///< 1: `accepted` counts
};

struct alignas(line_bytes) KillBoard {
    // Written before any worker starts:
    std::uint32_t victim;  ///< the worker that is killed

    Lonely killed_at;  ///< ticks, just before the kill; 0: not yet
    struct alignas(line_bytes) {
        std::atomic<std::uint32_t> word;
    } called;        ///< futex: 1 once the victim is gone, and the newcomer may come
    Lonely give_up;  ///< nonzero: nothing moves any more; who still tries stops
    KillExam exam;
    struct Process {
        KillRemarks remarks;
        KillLine line;
    };
    std::array<Process, most_workers + 2> processes;  ///< only the first `workers` and two are ever touched

    void call_newcomer() noexcept {
        called.word.store(1, std::memory_order_release);
        atomics::native::futex_wake_all(called.word);
    }
    void wait_until_called() noexcept {
        while (called.word.load(std::memory_order_acquire) == 0)
            atomics::native::futex_wait(called.word, 0, std::chrono::seconds(1));
    }
    [[nodiscard]] bool is_given_up() const noexcept {
        return give_up.value.load(std::memory_order_relaxed) != 0;
    }
};

/// Bytes of a board for that many workers, its alignment included.
constexpr std::size_t kill_board_bytes(std::uint32_t workers) noexcept {
    return sizeof(KillBoard) - sizeof(KillBoard::Process) * (most_workers - workers) + alignof(KillBoard);
}

inline KillBoard& kill_board_at(std::byte* base, std::uint64_t offset) noexcept {
    return object_at<KillBoard>(base, offset);
}

/// Beside a kill cell's workers there are two processes: who takes the dead one's place, and who examines at the end.
constexpr std::uint32_t newcomer_of(std::uint32_t workers) noexcept { return workers; }
constexpr std::uint32_t examiner_of(std::uint32_t workers) noexcept { return workers + 1; }
/// Of a run's mode.
constexpr std::uint32_t processes_beside(Mode mode) noexcept { return mode == Mode::kill ? 2 : 0; }

}  // namespace zeroipc::bench
