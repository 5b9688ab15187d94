#include "subjects.hpp"

namespace zeroipc::bench {

namespace {

template <class Variant>
struct Parts {
    static constexpr std::size_t bytes = kill_payload_bytes;
    using queue = typename Counted<Variant>::template type<Payload<bytes>>;
    static constexpr char const* name = "there";

    static void work(KillPart& part, Memory& memory) {
        auto& bench = part.bench;
        auto& control = bench.control;
        auto q = part.open<queue, Variant::has_handles>(memory, name);
        // The newcomer's items have a number of their own.
        MarkedItems<bytes, queue> marked(q, part.line(), control.producers + 1, true);
        part.until_start();
        Payload<bytes> item;
        auto& done = control.producers_done.value;
        if (part.producer) {
            std::uint64_t sent = 0;
            item.fill(bench.role_index, sent);
            work_until_killed(
                part,
                [&]() -> std::size_t {
                    if (!marked.try_push(item)) {
                        ++bench.report.full;
                        return 0;
                    }
                    item.fill(bench.role_index, ++sent);
                    return 1;
                },
                [](bool success) { return success; });
            done.fetch_add(1, std::memory_order_release);
        } else {
            // Consumers stay as long as a producer needs them; the dead one counts as done, and so does its successor.
            auto const all = control.producers + (part.board.victim < control.producers ? 1 : 0);
            work_until_killed(
                part,
                [&]() -> std::size_t {
                    if (marked.try_pop(item)) return 1;
                    ++bench.report.empty;
                    return 0;
                },
                [&](bool) { return done.load(std::memory_order_acquire) >= all; });
        }
        note_observed(bench.report, q);
    }

    static void examine(KillPart& part, Memory& memory) {
        auto q = part.open<queue, Variant::has_handles>(memory, name);
        examine_items<bytes>(part, q, part.bench.control.producers + 1, true);
    }
};

}  // namespace

KillTable const& queue_kill_table() {
    static KillTable const table = kill_table<variants::queue_catalogue, Parts>();
    return table;
}

}  // namespace zeroipc::bench
