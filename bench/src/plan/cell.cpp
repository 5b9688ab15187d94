// What a cell is called, and its modes and hosts.

#include "zeroipc/bench/cell.hpp"

#include <sstream>

#include "zeroipc/bench/plan.hpp"

namespace zeroipc::bench {

char const* to_string(Mode mode) {
    switch (mode) {
        case Mode::pingpong:
            return "pingpong";
        case Mode::latency:
            return "latency";
        case Mode::kill:
            return "kill";
        case Mode::throughput:
            break;
    }
    return "throughput";
}

Mode mode_named(std::string const& name) {
    for (auto const mode : {Mode::throughput, Mode::pingpong, Mode::latency, Mode::kill})
        if (name == to_string(mode)) return mode;
    throw PlanError("mode '" + name + "'; use throughput, pingpong, latency or kill");
}

char const* to_string(Host host) { return host == Host::threads ? "threads" : "processes"; }

Host host_named(std::string const& name) {
    for (auto const host : {Host::processes, Host::threads})
        if (name == to_string(host)) return host;
    throw PlanError("host '" + name + "'; use processes or threads");
}

char const* to_string(Calls calls) { return calls == Calls::waiting ? "wait" : "try"; }

Calls calls_named(std::string const& name) {
    for (auto const calls : {Calls::attempts, Calls::waiting})
        if (name == to_string(calls)) return calls;
    throw PlanError("calls '" + name + "'; use try or wait");
}

std::string Cell::key() const {
    std::ostringstream text;
    text << to_string(mode) << '/' << variant << '/';
    if (consumers == 0)
        text << producers << 'W';
    else
        text << producers << 'P' << consumers << 'C';
    text << '/' << payload_bytes << 'B';
    if (has_capacity()) text << "/cap" << capacity;
    text << '/' << window_ns / 1'000'000;
    if (auto fraction = std::to_string(1'000'000 + window_ns % 1'000'000).substr(1); fraction != "000000")
        text << '.' << fraction.substr(0, fraction.find_last_not_of('0') + 1);
    text << "ms";
    Cell const usual;
    if (host != usual.host) text << '/' << to_string(host);
    if (structure() == "map") text << '/' << mix << '/' << keys;
    if (structure() == "stack" && push_percent != usual.push_percent) text << "/push" << push_percent;
    if (filled_percent != usual.filled_percent) text << "/filled" << filled_percent;
    if (range_percent != usual.range_percent) text << "/range" << range_percent;
    if (think_ns != usual.think_ns) text << "/think" << think_ns << "ns";
    if (mode == Mode::latency)
        text << (load_percent == 0 ? "/closed" : '/' + arrivals + std::to_string(load_percent));
    if (mode == Mode::kill && consumers != 0) text << '/' << victim;
    if (batch != usual.batch) text << "/batch" << batch;
    if (calls != usual.calls) text << '/' << to_string(calls);
    if (!placement.empty()) text << '/' << placement;
    if (home != usual.home) text << "/home_" << home;
    if (handicap_ns > 0) text << "/handicap" << handicap_ns << (handicap_all ? "ns_all" : "ns");
    if (replica != 0) text << "/replica" << replica;
    return text.str();
}

}  // namespace zeroipc::bench
