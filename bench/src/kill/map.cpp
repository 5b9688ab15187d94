#include "subjects.hpp"

namespace zeroipc::bench {

namespace {

template <class Variant>
struct Parts {
    static constexpr std::size_t bytes = kill_payload_bytes;
    using map = typename Counted<Variant>::template type<std::uint64_t, Payload<bytes>>;
    using marked_map = MarkedMap<bytes, map>;
    static constexpr char const* name = "map";

    static void work(KillPart& part, Memory& memory) {
        auto& control = part.bench.control;
        auto m = part.open<map, Variant::has_handles>(memory, name);
        marked_map marked(m, part.line());
        MapWorker<bytes, marked_map> act(part.bench, marked, *parse_mix(control.mix.view()),
                                         *parse_keys(control.keys.view()));
        part.until_start();
        work_until_killed(
            part, [&] { return act(); }, [](bool success) { return success; });
        part.bench.report.full = act.tally().full;
        part.bench.report.misses = act.tally().misses;
        note_observed(part.bench.report, m);
    }

    static void examine(KillPart& part, Memory& memory) {
        auto m = part.open<map, Variant::has_handles>(memory, name);
        examine_map<bytes>(part, m);
    }
};

}  // namespace

KillTable const& map_kill_table() {
    static KillTable const table = kill_table<variants::map_catalogue, Parts>();
    return table;
}

}  // namespace zeroipc::bench
