#pragma once
/// \file
/// Cells of the queue's variants, compiled for one payload size at a time.

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>
#include <stdexcept>

#include "latency_workload.hpp"
#include "subject_table.hpp"

namespace zeroipc::bench {

/// A worker's whole part in a queue's cell. `open_there()` and, for round trips, `open_back()` give a channel.
template <std::size_t N, class There, class Back>
void work_on_queue(Bench& bench, Stages& stages, std::uint32_t worker, There&& open_there, Back&& open_back) {
    bool const producer = worker < bench.control.producers;
    bool const timed = bench.control.mode == Mode::latency;
    auto&& first = open_there();
    if (bench.control.mode == Mode::pingpong) {
        auto&& second = open_back();
        stages.until_start();
        if (producer)
            initiate<N>(bench, first, second);
        else
            respond<N>(bench, first, second);
        note_observed(bench.report, first);
        stages.window_over();
    } else if (producer) {
        stages.until_start();
        if (timed)
            produce_timed<N>(bench, first);
        else
            produce<N>(bench, first);
        stages.window_over();
        bench.control.producers_done.value.fetch_add(1, std::memory_order_release);
    } else {
        stages.until_start();
        auto const over = [&] { stages.window_over(); };
        if (timed)
            consume_timed<N>(bench, first, over);
        else
            consume<N>(bench, first, over);
    }
}

/// The queues of a cell: of round trips the second one leads back.
inline constexpr char const* queue_there = "there";
inline constexpr char const* queue_back = "back";

/// The same by operations that wait, of the cell's variant, compiled elsewhere.
template <std::size_t N>
void work_waiting_on_queue(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker);

template <class Variant, std::size_t N>
struct QueueSubject {
    using queue = typename Counted<Variant>::template type<Payload<N>>;

    static queue_options options(Cell const& cell) {
        queue_options o;
        o.handle_slots = std::max<std::uint32_t>(o.handle_slots, cell.workers() + 2);
        return o;
    }
    static std::uint64_t bytes(Cell const& cell) {
        auto const one = queue::bytes_for(cell.capacity, options(cell)) + format::structure_alignment;
        return cell.mode == Mode::pingpong ? 2 * one : one;
    }
    static void create(Memory& memory, Cell const& cell, Initial& /*empty*/) {
        queue(memory, queue_there, cell.capacity, options(cell));
        if (cell.mode == Mode::pingpong) queue(memory, queue_back, cell.capacity, options(cell));
    }
    static void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
        if (bench.control.calls == Calls::waiting) {
            if constexpr (waits_with(N))
                return work_waiting_on_queue<N>(bench, memory, stages, worker);
            else
                throw std::logic_error("calls wait are not compiled for this payload");
        }
        work_on_queue<N>(
            bench, stages, worker, [&] { return queue(memory, queue_there); },
            [&] { return queue(memory, queue_back); });
    }
};

/// The catalogue's queues with items of N bytes. Instantiated once for each N, a source file each.
template <std::size_t N>
SubjectTable queue_subjects() {
    SubjectTable table;
    variants::for_each_variant<variants::queue_catalogue>([&]<class Variant>() {
        using subject = QueueSubject<Variant, N>;
        table.emplace(Variant::name(), Subject{&subject::bytes, &subject::create, &subject::work});
    });
    return table;
}

}  // namespace zeroipc::bench
