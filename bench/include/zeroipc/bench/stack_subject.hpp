#pragma once
/// \file
/// Cells of the stack's variants, compiled for one payload size at a time.

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>

#include "mixed_workload.hpp"
#include "subject_table.hpp"

namespace zeroipc::bench {

/// Puts in what a stack holds before the window.
template <std::size_t N, class Stack>
void fill_stack(Stack& stack, std::uint64_t capacity, std::uint32_t filled_percent, Initial& initial) {
    Payload<N> item;
    for (std::uint64_t left = capacity * filled_percent / 100; left > 0; --left) {
        item.fill(0, left);
        if (!stack.try_push(item)) break;
        initial.enter(item.word[0]);
    }
}

/// A worker's whole part in a stack's cell, but for opening it.
template <std::size_t N, class Stack>
void work_on_stack(Bench& bench, Stages& stages, std::uint32_t worker, Stack& stack) {
    stages.until_start();
    auto act = work_through(bench, StackWorker<N, Stack>(bench, stack));
    note_observed(bench.report, stack);
    stages.window_over();
    if (stages.is_last_left(worker)) act.empty();
    act.tally().publish(bench.report);
}

template <class Variant, std::size_t N>
struct StackSubject {
    using stack = typename Counted<Variant>::template type<Payload<N>>;
    static constexpr char const* name = "stack";

    static stack_options options(Cell const& cell) {
        stack_options o;
        o.handle_slots = std::max<std::uint32_t>(o.handle_slots, cell.workers() + 2);
        return o;
    }
    static std::uint64_t bytes(Cell const& cell) {
        return stack::bytes_for(cell.capacity, options(cell)) + format::structure_alignment;
    }
    static void create(Memory& memory, Cell const& cell, Initial& initial) {
        stack s(memory, name, cell.capacity, options(cell));
        fill_stack<N>(s, cell.capacity, cell.filled_percent, initial);
    }
    static void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
        stack s(memory, name);
        work_on_stack<N>(bench, stages, worker, s);
    }
};

/// The catalogue's stacks with items of N bytes. Instantiated once for each N, a source file each.
template <std::size_t N>
SubjectTable stack_subjects() {
    SubjectTable table;
    variants::for_each_variant<variants::stack_catalogue>([&]<class Variant>() {
        using subject = StackSubject<Variant, N>;
        table.emplace(Variant::name(), Subject{&subject::bytes, &subject::create, &subject::work});
    });
    return table;
}

}  // namespace zeroipc::bench
