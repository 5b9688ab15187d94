#include "topology_drawing.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

namespace zeroipc::bench {

namespace {

constexpr std::size_t columns = 100;

/// What stands for each CPU, by the kernel's number.
using Texts = std::map<int, std::string>;

using Cores = std::vector<std::vector<Cpu>>;

/// Cores that are drawn side by side: of one cache and one kind.
struct Row {
    std::string label;
    std::vector<std::string> cells;  // one a core
};

std::string counted(std::size_t number, std::string const& what) {
    return std::to_string(number) + ' ' + what + (number == 1 ? "" : "s");
}

std::string in_bytes(long long bytes) {
    if (bytes < 0) return "unknown size";
    constexpr long long KiB = 1024;
    constexpr long long MiB = KiB * KiB;
    std::ostringstream text;  // 1.25, and not 1.250000
    if (bytes >= MiB) {
        text << static_cast<double>(bytes) / MiB << " MiB";
    } else {
        text << static_cast<double>(bytes) / KiB << " KiB";
    }
    return text.str();
}

std::string named(CacheLevel const& cache) {
    return 'L' + std::to_string(cache.level) + (cache.unified ? "" : "d");
}

Cores cores_of(std::vector<Cpu> const& cpus) {
    Cores cores;
    for (Cpu const& cpu : cpus) {
        bool const same = !cores.empty() && cpu.core >= 0 && cores.back().front().core == cpu.core;
        if (!same) cores.emplace_back();
        cores.back().push_back(cpu);
    }
    return cores;
}

bool has_kinds(std::vector<Cpu> const& cpus) {
    return std::any_of(cpus.begin(), cpus.end(),
                       [&](Cpu const& cpu) { return cpu.efficiency != cpus.front().efficiency; });
}

/// "L3 0 (24 MiB) cores 0-3, kind 1"; "L2 0-3 (1 MiB each) cores 0-3" where each has its own.
std::string label_of(Topology const& topology, Cores const& cores, bool with_kinds) {
    auto const& first = cores.front().front();
    std::vector<int> caches;
    std::vector<int> ids;
    for (auto const& core : cores) {
        caches.push_back(core.front().llc);
        ids.push_back(first.core < 0 ? core.front().os_index : core.front().core);
    }
    std::string label;
    if (auto const cache = topology.last_level_cache(first.os_index))
        label = named(*cache) + ' ' + format_cpus(caches) + " (" + in_bytes(cache->bytes) +
                (caches.front() == caches.back() ? ") " : " each) ");
    label += (first.core < 0 ? "CPU" : "core") + std::string(ids.size() == 1 ? " " : "s ") + format_cpus(ids);
    if (with_kinds)
        label += ", kind " + (first.efficiency < 0 ? "unknown" : std::to_string(first.efficiency));
    return label;
}

/// A core as "[0 4]"; the first and the last of several that share an L2 cache, which is not the last level, get a brace.
std::vector<std::string> cells_of(Topology const& topology, Cores const& cores, Texts const& texts,
                                  std::size_t width) {
    auto const last_level = topology.last_level_cache(cores.front().front().os_index);
    bool const braces = last_level && last_level->level > 2;
    auto const share = [&](std::size_t a, std::size_t b) {
        return braces && b < cores.size() && cores[a].front().l2 >= 0 &&
               cores[a].front().l2 == cores[b].front().l2;
    };
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < cores.size(); ++i) {
        bool const shares_before = i > 0 && share(i - 1, i);
        bool const shares_behind = share(i, i + 1);
        std::string cell = shares_behind && !shares_before ? "{[" : "[";
        for (Cpu const& cpu : cores[i]) {
            auto const& text = texts.at(cpu.os_index);
            if (cell.back() != '[') cell += ' ';
            cell += std::string(width - text.size(), ' ') + text;
        }
        cells.push_back(cell + (shares_before && !shares_behind ? "]}" : "]"));
    }
    return cells;
}

/// The rows with a CPU that is to be shown, under headings for packages and nodes.
std::string draw(Topology const& topology, Texts const& texts, std::function<bool(Cpu const&)> const& shown,
                 std::size_t indent) {
    auto const cpus = topology.online_cpus();
    std::map<int, std::set<int>> cores_by_cache;
    for (Cpu const& cpu : cpus) cores_by_cache[cpu.llc].insert(cpu.core >= 0 ? cpu.core : -1 - cpu.os_index);
    auto const place = [&](Cpu const& cpu) {
        int const own = -2;  // cores with a last-level cache each stand in one row
        return std::tuple(cpu.package, cpu.node, cores_by_cache.at(cpu.llc).size() == 1 ? own : cpu.llc,
                          cpu.efficiency);
    };
    bool const with_kinds = has_kinds(cpus);
    std::size_t width = 1;
    for (auto const& [cpu, text] : texts) width = std::max(width, text.size());

    std::vector<std::pair<Cpu, Row>> rows;  // each with a CPU that stands for all
    std::size_t label_width = 0;
    for (auto from = cpus.begin(); from != cpus.end();) {
        auto const to =
            std::find_if(from, cpus.end(), [&](Cpu const& cpu) { return place(cpu) != place(*from); });
        if (std::any_of(from, to, shown)) {
            auto const cores = cores_of({from, to});
            rows.push_back(
                {*from, {label_of(topology, cores, with_kinds), cells_of(topology, cores, texts, width)}});
            label_width = std::max(label_width, rows.back().second.label.size());
        }
        from = to;
    }

    std::string result;
    std::tuple<int, int> heading{-2, -2};
    std::string const margin(indent, ' ');
    for (auto const& [cpu, row] : rows) {
        std::size_t depth = indent;
        auto const head = [&](char const* what, int number, bool is_new) {
            if (number < 0) return;
            if (is_new) result += std::string(depth, ' ') + what + ' ' + std::to_string(number) + '\n';
            depth += 2;
        };
        bool const other_package = std::get<0>(heading) != cpu.package;
        head("package", cpu.package, other_package);
        head("node", cpu.node, other_package || std::get<1>(heading) != cpu.node);
        heading = {cpu.package, cpu.node};
        std::string line =
            std::string(depth, ' ') + row.label + std::string(label_width - row.label.size() + 1, ' ');
        std::size_t const start = line.size();
        for (std::string const& cell : row.cells) {
            if (line.size() > start && line.size() + 1 + cell.size() > columns) {
                result += line + '\n';
                line.assign(start, ' ');
            }
            line += ' ' + cell;
        }
        result += line + '\n';
    }
    return result;
}

bool contains(std::vector<Cpu> const& cpus, int os_index) {
    return std::any_of(cpus.begin(), cpus.end(), [&](Cpu const& cpu) { return cpu.os_index == os_index; });
}

/// Model, counts, caches; and which CPUs may not be used.
std::string summary(Topology const& topology) {
    auto const size = [](int number) { return static_cast<std::size_t>(number); };
    auto const known = [&](int number, std::string const& what) {
        return number > 0 ? counted(size(number), what) : "unknown " + what + 's';
    };
    auto text = wrapped(
        "machine: " + topology.cpu_model() + (topology.is_this_machine() ? "" : " (not this one)") + ", " +
            known(topology.logical_cpus(), "CPU") + ", " + known(topology.cores(), "core") + ", " +
            known(topology.packages(), "package") + ", " + known(topology.numa_nodes(), "NUMA node"),
        9);
    std::string caches;
    for (CacheLevel const& cache : topology.caches_by_size())
        caches += (caches.empty() ? "" : ", ") + named(cache) + ' ' + std::to_string(cache.instances) +
                  " x " + in_bytes(cache.bytes);
    text += wrapped("caches:  " + (caches.empty() ? "unknown" : caches), 9);
    std::vector<int> usable;
    for (Cpu const& cpu : topology.cpus()) usable.push_back(cpu.os_index);
    if (usable.size() < size(topology.logical_cpus())) text += "usable:  CPUs " + format_cpus(usable) + '\n';
    if (auto const offline = topology.offline_cpus(); !offline.empty())
        text += "offline: CPUs " + format_cpus(offline) + ", not drawn\n";
    return text;
}

}  // namespace

std::string draw_machine(Topology const& topology) {
    auto const cpus = topology.online_cpus();
    bool const all_usable = cpus.size() == topology.cpus().size();
    Texts texts;
    for (Cpu const& cpu : cpus) {
        auto& text = texts[cpu.os_index] = std::to_string(cpu.os_index);
        if (!all_usable) text += contains(topology.cpus(), cpu.os_index) ? ' ' : 'x';
    }
    auto const drawing = draw(
        topology, texts, [](Cpu const&) { return true; }, 0);
    std::string legend = "[ ] a core and its hardware threads by the kernel's numbers\n";
    if (drawing.find('{') != std::string::npos) legend += "{ } cores that share an L2 cache\n";
    if (!all_usable) legend += "x   may not be used\n";
    if (has_kinds(cpus)) legend += "kind 0 is the least powerful\n";
    return summary(topology) + '\n' + drawing + '\n' + legend;
}

std::string draw_placement(Topology const& topology, Placement const& placement, int producers,
                           std::size_t indent) {
    std::map<int, std::vector<std::string>> workers;
    int number = 0;
    for (int const cpu : placement.worker_cpus) {
        workers[cpu].push_back(number < producers ? 'P' + std::to_string(number)
                                                  : 'C' + std::to_string(number - producers));
        ++number;
    }
    Texts texts;
    for (Cpu const& cpu : topology.online_cpus()) {
        auto& text = texts[cpu.os_index] = contains(topology.cpus(), cpu.os_index) ? "." : "x";
        auto const at = workers.find(cpu.os_index);
        if (at == workers.end()) continue;
        text = at->second.front();
        if (at->second.size() == 2) text += at->second.back();
        if (at->second.size() > 2) text += '+' + std::to_string(at->second.size() - 1);
    }
    return draw(
        topology, texts, [&](Cpu const& cpu) { return workers.contains(cpu.os_index); }, indent);
}

std::string wrapped(std::string const& text, std::size_t indent) {
    std::string result;
    std::string line;
    std::size_t from = 0;
    while (from < text.size()) {
        // A word and the spaces before it.
        auto const start = text.find_first_not_of(' ', from);
        auto const end = std::min(text.find(' ', start), text.size());
        if (!line.empty() && line.size() + end - from > columns) {
            result += line + '\n';
            line = std::string(indent, ' ') + text.substr(start, end - start);
        } else {
            line += text.substr(from, end - from);
        }
        from = end;
    }
    return result + line + '\n';
}

}  // namespace zeroipc::bench
