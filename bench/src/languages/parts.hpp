#pragma once
/// \file
/// The parts of the subjects in other languages: what each does as the worker of a structure.

#include "zeroipc/bench/map_subject.hpp"
#include "zeroipc/bench/queue_subject.hpp"
#include "zeroipc/bench/stack_subject.hpp"

namespace zeroipc::bench {

/// A worker's whole part by the C library: of a queue, a stack or a map, as the Control's variant has it.
void work_in_c(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker);

/// Becomes a Python process, which does the worker's whole part. Returns only by an exception.
[[noreturn]] void become_python(Memory const& memory, std::uint32_t worker);

/// A worker's whole part in a language: in the harness's loops, by that language's handles, which are made from the segment
/// and the structure's name, as the subjects of the catalogue have it.
template <class Queue, class Stack, class Map>
void work_by_handles(Bench& bench, Memory const& memory, Stages& stages, std::uint32_t worker) {
    auto const structure = structure_of(bench.control.variant.view());
    if (structure == "map") {
        Map map(memory, "map");
        work_on_map<8>(bench, stages, worker, map);
    } else if (structure == "stack") {
        Stack stack(memory, "stack");
        work_on_stack<8>(bench, stages, worker, stack);
    } else {
        work_on_queue<8>(
            bench, stages, worker, [&] { return Queue(memory, "there"); },
            [&] { return Queue(memory, "back"); });
    }
}

}  // namespace zeroipc::bench
