/// \file
/// What it costs to create a structure, by the bytes of its items, in a fresh segment whose pages are there. Only the
/// constructor is timed: making the segment takes longer by far, and depends on the kernel alone.

#include <sys/statvfs.h>
#include <zeroipc/queue.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "map_peers.hpp"

#if __has_include(<zeroipc/array.hpp>)
#include <zeroipc/array.hpp>
#endif
#if __has_include(<zeroipc/stack.hpp>)
#include <zeroipc/stack.hpp>
#endif

namespace zeroipc::micro {
namespace {

/// A quarter of what shared memory and memory have left: nobody else should notice.
std::uint64_t affordable_bytes() {
    auto room = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_AVPHYS_PAGES))) *
                static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
    struct statvfs shared {};
    if (::statvfs("/dev/shm", &shared) == 0 && shared.f_blocks != 0)
        room = std::min(room, std::uint64_t{shared.f_bavail} * shared.f_frsize);
    return room / 4;
}

std::string text_of(std::uint64_t bytes) {
    static constexpr std::array units{"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    for (; bytes % 1024 == 0 && bytes > 0 && unit + 1 < units.size(); ++unit) bytes /= 1024;
    return std::to_string(bytes) + units[unit];
}

template <class Structure>
void create(benchmark::State& state, std::uint64_t capacity, std::uint64_t body_bytes) {
    for (auto _ : state) {
        auto memory = nameless(body_bytes);
        auto const begin = cpu_ns();
        Structure const structure(memory, "created", capacity);
        state.SetIterationTime(static_cast<double>(cpu_ns() - begin) * 1e-9);
        if (!memory.find("created")) fail(state, "what was created cannot be found");
    }
    state.counters["segment_bytes"] = static_cast<double>(body_bytes);
}

template <class Structure>
void register_structure(std::string const& what, std::size_t item_bytes) {
    struct size {
        std::uint64_t items_bytes;
        benchmark::IterationCount iterations;
    };
    auto const body = [&](std::uint64_t items_bytes) {
        return bytes_for<Structure>(items_bytes / item_bytes, item_bytes);
    };
    auto const affordable = std::min(affordable_bytes(), format::segment_limit - 65536);
    auto largest = chosen().largest_bytes;
    while (largest > 1024 && 2 * body(largest / 2) > affordable) largest /= 2;
    for (auto const& [items_bytes, iterations] :
         {size{1024, 50}, size{std::uint64_t{1} << 20, 20}, size{largest, 1}}) {
        if (items_bytes > largest || (items_bytes == largest && iterations > 1)) continue;
        auto const capacity = items_bytes / item_bytes;
        auto const body_bytes = body(items_bytes);
        add("create_" + what + "/" + text_of(items_bytes),
            [capacity, body_bytes](benchmark::State& state) {
                create<Structure>(state, capacity, body_bytes);
            })
            ->Iterations(iterations)
            ->UseManualTime();
    }
}

}  // namespace

void register_creation() {
    register_structure<Queue<std::uint64_t>>("queue", 8);
#if __has_include(<zeroipc/array.hpp>)
    register_structure<Array<std::uint64_t>>("array", 8);
#endif
#if __has_include(<zeroipc/stack.hpp>)
    register_structure<Stack<std::uint64_t>>("stack", 8);
#endif
#if defined(ZEROIPC_MICRO_MAP)
    register_structure<shared_map>("map", 16);
#endif
}

}  // namespace zeroipc::micro
