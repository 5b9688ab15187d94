#include "subjects.hpp"

namespace zeroipc::bench {

namespace {

template <class Variant>
struct Parts {
    static constexpr std::size_t bytes = kill_payload_bytes;
    using stack = typename Counted<Variant>::template type<Payload<bytes>>;
    using marked_stack = MarkedItems<bytes, stack>;
    static constexpr char const* name = "stack";

    static void work(KillPart& part, Memory& memory) {
        auto s = part.open<stack, Variant::has_handles>(memory, name);
        marked_stack marked(s, part.line(), part.bench.control.workers + 1, false);
        StackWorker<bytes, marked_stack> act(part.bench, marked);
        part.until_start();
        work_until_killed(
            part, [&] { return act(); }, [](bool success) { return success; });
        part.bench.report.full = act.tally().full;
        part.bench.report.empty = act.tally().empty;
        note_observed(part.bench.report, s);
    }

    static void examine(KillPart& part, Memory& memory) {
        auto s = part.open<stack, Variant::has_handles>(memory, name);
        examine_items<bytes>(part, s, part.bench.control.workers + 1, false);
    }
};

}  // namespace

KillTable const& stack_kill_table() {
    static KillTable const table = kill_table<variants::stack_catalogue, Parts>();
    return table;
}

}  // namespace zeroipc::bench
