#pragma once
/// \file
/// Cells of the map's variants: keys of 8 bytes, values compiled for one payload size at a time.

#include <zeroipc/variants/catalogue.hpp>

#include <algorithm>

#include "mixed_workload.hpp"
#include "subject_table.hpp"

namespace zeroipc::bench {

/// Puts in what a map holds before the window.
template <std::size_t N, class Map>
void fill_map(Map& map, std::uint64_t capacity, std::uint32_t filled_percent, Initial& initial) {
    auto const filled = Keyspace::filled_of(capacity, filled_percent);
    Payload<N> value;
    for (std::uint64_t key = 0; key < filled; ++key) {
        value.fill(0, key);
        if (map.insert(key, value) == outcome::inserted) initial.enter(key);
    }
}

/// A worker's whole part in a map's cell, but for opening it.
template <std::size_t N, class Map>
void work_on_map(Bench& bench, Stages& stages, std::uint32_t worker, Map& map) {
    MapWorker<N, Map> ready(bench, map, *parse_mix(bench.control.mix.view()),
                            *parse_keys(bench.control.keys.view()));
    stages.until_start();
    auto act = work_through(bench, std::move(ready));
    note_observed(bench.report, map);
    stages.window_over();
    if (stages.is_last_left(worker)) act.count_keys();
    act.tally().publish(bench.report);
}

template <class Variant, std::size_t N>
struct MapSubject {
    using map = typename Counted<Variant>::template type<std::uint64_t, Payload<N>>;
    static constexpr char const* name = "map";

    static map_options options(Cell const& cell) {
        map_options o;
        o.handle_slots = std::max<std::uint32_t>(o.handle_slots, cell.workers() + 2);
        return o;
    }
    static std::uint64_t bytes(Cell const& cell) {
        return map::bytes_for(cell.capacity, options(cell)) + format::structure_alignment;
    }
    static void create(Memory& memory, Cell const& cell, Initial& initial) {
        map m(memory, name, cell.capacity, options(cell));
        fill_map<N>(m, cell.capacity, cell.filled_percent, initial);
    }
    static void work(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
        map m(memory, name);
        work_on_map<N>(bench, stages, worker, m);
    }
};

/// The catalogue's maps with values of N bytes. Instantiated once for each N, a source file each.
template <std::size_t N>
SubjectTable map_subjects() {
    SubjectTable table;
    variants::for_each_variant<variants::map_catalogue>([&]<class Variant>() {
        using subject = MapSubject<Variant, N>;
        table.emplace(Variant::name(), Subject{&subject::bytes, &subject::create, &subject::work});
    });
    return table;
}

}  // namespace zeroipc::bench
