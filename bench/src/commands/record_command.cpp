#include "record_command.hpp"

#include <zeroipc/zeroipc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "zeroipc/bench/history.hpp"

namespace zeroipc::bench {

int record_history(Arguments const& a, bool capacity_given, bool workers_given, Topology const& topology) {
    if (a.variants.size() != 1 || a.capacities.size() != 1 || a.axes.workers.size() != 1 ||
        a.axes.placements.size() != 1)
        throw PlanError(
            "--record takes one --variant, one --capacity, one --placement and one number of --workers");
    RecordOptions options;
    options.variant = a.variants.front();
    if (capacity_given) options.capacity = a.capacities.front();
    if (workers_given) options.workers = a.axes.workers.front();
    options.operations = a.operations;
    options.kills = a.kills;
    options.keys = a.keys;
    options.seed = a.seed_given ? a.seed : std::random_device{}();
    if (!a.axes.placements.front().empty()) options.placement = a.axes.placements.front();
    options.explicit_cpus = a.cpus;
    try {
        auto const history = record(topology, options);
        write_history(a.record, history, a.lines ? Encoding::lines : Encoding::binary);
        std::size_t pending = 0;
        std::size_t refused = 0;
        for (auto const& op : history.operations) {
            pending += op.answer == Answer::pending ? 1U : 0U;
            refused += op.answer == Answer::full || op.answer == Answer::empty || op.answer == Answer::absent
                           ? 1U
                           : 0U;
        }
        auto const killed = std::count_if(history.workers.begin(), history.workers.end(),
                                          [](auto const& worker) { return worker.killed; });
        std::printf(
            "%s: %zu operations on %s, capacity %llu, seed %llu; %zu answered full, empty or absent; %td "
            "workers "
            "killed, %zu of them in an operation; intervals widened by up to %.0f ns\n",
            a.record.c_str(), history.operations.size(), history.variant.c_str(),
            static_cast<unsigned long long>(history.capacity), static_cast<unsigned long long>(history.seed),
            refused, killed, pending, history.skew_ns);
        return 0;
    } catch (Interrupted const&) {
        return interrupted_status;
    } catch (std::invalid_argument const& wrong) {
        throw PlanError(wrong.what());
    } catch (zeroipc::error const& wrong) {
        if (wrong.cause() == zeroipc::errc::invalid_capacity) throw PlanError(wrong.what());
        throw;
    }
}

}  // namespace zeroipc::bench
