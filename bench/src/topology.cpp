#include "zeroipc/bench/topology.hpp"

#include <hwloc.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "topology/host_names.hpp"
#include "topology/shape.hpp"
#include "zeroipc/bench/pinning.hpp"

namespace zeroipc::bench {

namespace {

struct FreeBitmap {
    void operator()(hwloc_bitmap_s* bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

std::string error_text() {
    return errno == 0 ? "no reason given" : std::error_code(errno, std::generic_category()).message();
}

bool holds(hwloc_const_bitmap_t set, int index) {
    return set != nullptr && index >= 0 && hwloc_bitmap_isset(set, static_cast<unsigned>(index)) == 1;
}

int logical_index_of_ancestor(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t pu) {
    hwloc_obj* const found = hwloc_get_ancestor_obj_by_type(topology, type, pu);
    return found == nullptr ? -1 : static_cast<int>(found->logical_index);
}

/// Level 1 does not count: a machine that shows nothing else hides its other caches.
hwloc_obj_t outermost_cache(hwloc_obj_t pu) {
    hwloc_obj_t found = nullptr;
    for (hwloc_obj_t up = pu->parent; up != nullptr; up = up->parent) {
        if (hwloc_obj_type_is_dcache(up->type) == 1 && up->attr->cache.depth >= 2) found = up;
    }
    return found;
}

CacheLevel level_of(hwloc_obj_t cache) {
    auto const& attributes = cache->attr->cache;
    return {static_cast<int>(attributes.depth), attributes.type == HWLOC_OBJ_CACHE_UNIFIED,
            attributes.size == 0 ? -1 : static_cast<long long>(attributes.size), 1};
}

/// The node with the fewest CPUs that covers this one: a node of a whole package, such as memory behind CXL,
/// must not win over the CPU's own. Of equals the lower number: ordinary memory comes before fast memory.
int nearest_node(hwloc_topology_t topology, unsigned cpu) {
    int best = -1;
    int best_weight = 0;
    for (hwloc_obj_t node = nullptr;
         (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;) {
        if (!holds(node->cpuset, static_cast<int>(cpu))) continue;
        int const weight = hwloc_bitmap_weight(node->cpuset);
        int const number = static_cast<int>(node->os_index);
        if (best < 0 || weight < best_weight || (weight == best_weight && number < best)) {
            best = number;
            best_weight = weight;
        }
    }
    return best;
}

/// Efficiency of each CPU of a known kind.
Kinds efficiencies(hwloc_topology_t topology) {
    Kinds result;
    int const kinds = hwloc_cpukinds_get_nr(topology, 0);
    Bitmap const cpuset(hwloc_bitmap_alloc());
    for (int kind = 0; kind < kinds; ++kind) {
        int efficiency = -1;
        if (hwloc_cpukinds_get_info(topology, static_cast<unsigned>(kind), cpuset.get(), &efficiency, nullptr,
                                    nullptr, 0) != 0) {
            continue;
        }
        for (int cpu = hwloc_bitmap_first(cpuset.get()); cpu >= 0;
             cpu = hwloc_bitmap_next(cpuset.get(), cpu)) {
            result[static_cast<unsigned>(cpu)] = efficiency;
        }
    }
    return result;
}

/// Every CPU, in the order of the tree.
std::vector<Cpu> read_online_cpus(hwloc_topology_t topology) {
    auto const efficiency = efficiencies(topology);
    std::map<int, int> threads_seen;  // by core
    std::map<hwloc_uint64_t, int>
        caches_seen;  // outermost caches may be of unlike levels: number them together
    std::vector<Cpu> cpus;
    for (hwloc_obj_t pu = nullptr;
         (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != nullptr;) {
        Cpu cpu;
        cpu.os_index = static_cast<int>(pu->os_index);
        cpu.core = logical_index_of_ancestor(topology, HWLOC_OBJ_CORE, pu);
        cpu.l2 = logical_index_of_ancestor(topology, HWLOC_OBJ_L2CACHE, pu);
        cpu.package = logical_index_of_ancestor(topology, HWLOC_OBJ_PACKAGE, pu);
        cpu.node = nearest_node(topology, pu->os_index);
        if (hwloc_obj* const cache = outermost_cache(pu)) {
            cpu.llc =
                caches_seen.try_emplace(cache->gp_index, static_cast<int>(caches_seen.size())).first->second;
        }
        if (cpu.core >= 0) cpu.smt_rank = threads_seen[cpu.core]++;
        if (auto const kind = efficiency.find(pu->os_index); kind != efficiency.end())
            cpu.efficiency = kind->second;
        cpus.push_back(cpu);
    }
    return cpus;
}

std::vector<Cpu> read_cpus(hwloc_topology_t topology) {
    auto cpus = read_online_cpus(topology);
    hwloc_const_cpuset_t const allowed = hwloc_topology_get_allowed_cpuset(topology);
    std::erase_if(cpus, [&](Cpu const& cpu) { return !holds(allowed, cpu.os_index); });
    std::sort(cpus.begin(), cpus.end(), [](Cpu const& a, Cpu const& b) { return a.os_index < b.os_index; });
    return cpus;
}

int count(hwloc_topology_t topology, hwloc_obj_type_t type) {
    return std::max(0, hwloc_get_nbobjs_by_type(topology, type));  // -1: at several depths
}

std::string info(hwloc_obj_t object, char const* name) {
    char const* const value = hwloc_obj_get_info_by_name(object, name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

void Topology::Destroy::operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }

Topology::Handle Topology::make() {
    hwloc_topology_t raw = nullptr;
    if (hwloc_topology_init(&raw) != 0) {
        throw TopologyError("topology: hwloc cannot start: " + error_text());
    }
    return Handle(raw);
}

Topology Topology::load(Handle handle, Source source, std::string const& what) {
    // What is disallowed stays in: a machine keeps its shape and hash whatever cpuset we are given.
    unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;
    if (source == Source::vouched) flags |= HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM;
    errno = 0;  // not every failure of hwloc sets it
    if (hwloc_topology_set_flags(handle.get(), flags) != 0 || hwloc_topology_load(handle.get()) != 0) {
        throw TopologyError("topology: hwloc cannot load " + what + ": " + error_text());
    }
    if (source == Source::discovered && hwloc_topology_is_thissystem(handle.get()) == 0) {
        throw TopologyError(
            "topology: hwloc shows a machine that is not this one: unset HWLOC_SYNTHETIC, HWLOC_XMLFILE, "
            "HWLOC_FSROOT, HWLOC_COMPONENTS and HWLOC_THISSYSTEM in the environment");
    }
    return Topology(std::move(handle), source != Source::foreign);
}

Topology::Topology(Handle handle, bool is_this_machine)
    : handle_(std::move(handle)), is_this_machine_(is_this_machine), cpus_(read_cpus(handle_.get())) {
    if (is_this_machine_) {
        auto const ours = current_affinity();
        std::erase_if(cpus_, [&](Cpu const& cpu) {
            return !std::binary_search(ours.begin(), ours.end(), cpu.os_index);
        });
    }
    if (cpus_.empty()) {
        throw TopologyError("topology: not one CPU may be used: the topology has " +
                            std::to_string(logical_cpus()) +
                            " online; check that its XML describes this machine, and the cpuset and affinity "
                            "of this process");
    }
}

Topology Topology::this_machine() { return load(make(), Source::discovered, "this machine"); }

Topology Topology::synthetic(std::string const& description) {
    auto handle = make();
    if (hwloc_topology_set_synthetic(handle.get(), description.c_str()) != 0) {
        throw TopologyError(
            "topology: '" + description +
            "' is no synthetic description: write one like 'package:2 core:4 pu:2' (hwloc's manual, "
            "Synthetic topologies)");
    }
    return load(std::move(handle), Source::foreign, "the synthetic topology '" + description + "'");
}

Topology Topology::from_xml_file(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    std::string const xml = text.str();
    if (!file || xml.empty()) {
        throw TopologyError("topology: cannot read '" + path +
                            "', or it is empty: name an XML file that lstopo wrote");
    }
    try {
        return from_xml_buffer(xml, false);
    } catch (TopologyError const& error) {
        throw TopologyError(std::string(error.what()) + " (in '" + path + "')");
    }
}

Topology Topology::from_xml_buffer(std::string const& xml, bool is_this_system) {
    auto handle = make();
    // hwloc counts the terminating zero.
    if (hwloc_topology_set_xmlbuffer(handle.get(), xml.c_str(), static_cast<int>(xml.size() + 1)) != 0) {
        throw TopologyError("topology: not hwloc XML, " + std::to_string(xml.size()) +
                            " bytes: supply what lstopo or export_xml() wrote");
    }
    return load(std::move(handle), is_this_system ? Source::vouched : Source::foreign,
                "the XML of " + std::to_string(xml.size()) + " bytes");
}

Topology Topology::restricted_to(std::vector<int> const& os_indexes) const {
    Bitmap const wanted(hwloc_bitmap_alloc());
    for (int const cpu : os_indexes) {
        if (std::none_of(cpus_.begin(), cpus_.end(), [&](Cpu const& c) { return c.os_index == cpu; })) {
            std::vector<int> usable;
            for (Cpu const& c : cpus_) usable.push_back(c.os_index);
            throw TopologyError("topology: cannot restrict to CPU " + std::to_string(cpu) +
                                ", which may not be used: choose from " + format_cpus(usable));
        }
        hwloc_bitmap_set(wanted.get(), static_cast<unsigned>(cpu));
    }
    if (os_indexes.empty())
        throw TopologyError("topology: cannot restrict to no CPU at all: name at least one");
    hwloc_topology_t raw = nullptr;
    if (hwloc_topology_dup(&raw, handle_.get()) != 0) {
        throw TopologyError("topology: hwloc cannot copy a topology: " + error_text());
    }
    Handle copy(raw);
    if (hwloc_topology_allow(copy.get(), wanted.get(), nullptr, HWLOC_ALLOW_FLAG_CUSTOM) != 0) {
        throw TopologyError("topology: hwloc cannot restrict to CPUs " + format_cpus(os_indexes) + ": " +
                            error_text());
    }
    return Topology(std::move(copy), is_this_machine_);
}

bool Topology::has_cpu(int os_index) const {
    return holds(hwloc_topology_get_topology_cpuset(handle_.get()), os_index);
}

std::vector<Cpu> Topology::online_cpus() const { return read_online_cpus(handle_.get()); }

std::vector<int> Topology::offline_cpus() const {
    Bitmap const offline(hwloc_bitmap_alloc());
    hwloc_bitmap_andnot(offline.get(), hwloc_topology_get_complete_cpuset(handle_.get()),
                        hwloc_topology_get_topology_cpuset(handle_.get()));
    std::vector<int> cpus;
    for (int cpu = hwloc_bitmap_first(offline.get()); cpu >= 0; cpu = hwloc_bitmap_next(offline.get(), cpu))
        cpus.push_back(cpu);
    return cpus;
}

int Topology::logical_cpus() const { return count(handle_.get(), HWLOC_OBJ_PU); }
int Topology::cores() const { return count(handle_.get(), HWLOC_OBJ_CORE); }
int Topology::packages() const { return count(handle_.get(), HWLOC_OBJ_PACKAGE); }
int Topology::numa_nodes() const { return count(handle_.get(), HWLOC_OBJ_NUMANODE); }

int Topology::threads_per_core() const {
    int most = 0;
    for (hwloc_obj_t core = nullptr;
         (core = hwloc_get_next_obj_by_type(handle_.get(), HWLOC_OBJ_CORE, core)) != nullptr;) {
        most = std::max(most, hwloc_bitmap_weight(core->cpuset));
    }
    return most;
}

std::vector<CacheLevel> Topology::caches() const {
    std::vector<CacheLevel> levels;
    for (CacheLevel const& sized : caches_by_size()) {
        if (levels.empty() || levels.back().level != sized.level) {
            levels.push_back(sized);
        } else {
            levels.back().instances += sized.instances;
        }
    }
    return levels;
}

std::vector<CacheLevel> Topology::caches_by_size() const {
    std::vector<CacheLevel> sizes;
    for (auto const type :
         {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE}) {
        for (hwloc_obj_t cache = nullptr;
             (cache = hwloc_get_next_obj_by_type(handle_.get(), type, cache)) != nullptr;) {
            auto const level = level_of(cache);
            auto const same = std::find_if(sizes.begin(), sizes.end(), [&](CacheLevel const& size) {
                return size.level == level.level && size.bytes == level.bytes;
            });
            if (same == sizes.end()) {
                sizes.push_back(level);
            } else {
                ++same->instances;
            }
        }
    }
    return sizes;
}

std::optional<CacheLevel> Topology::last_level_cache(int os_index) const {
    hwloc_obj_t const pu = hwloc_get_pu_obj_by_os_index(handle_.get(), static_cast<unsigned>(os_index));
    hwloc_obj_t const cache = pu == nullptr ? nullptr : outermost_cache(pu);
    return cache == nullptr ? std::nullopt : std::optional(level_of(cache));
}

std::string Topology::cpu_model() const {
    // The package has it, or on some kernels and architectures the machine.
    for (hwloc_obj* const object : {hwloc_get_next_obj_by_type(handle_.get(), HWLOC_OBJ_PACKAGE, nullptr),
                                    hwloc_get_root_obj(handle_.get())}) {
        if (object == nullptr) continue;
        if (auto model = info(object, "CPUModel"); !model.empty()) return model;
        if (auto const part = info(object, "CPUPart"); !part.empty()) {
            return "implementer " + info(object, "CPUImplementer") + " part " + part;
        }
    }
    return "unknown";
}

std::string Topology::shape() const {
    bool const hybrid = hwloc_cpukinds_get_nr(handle_.get(), 0) > 1;
    return describe(hwloc_get_root_obj(handle_.get()), hybrid ? efficiencies(handle_.get()) : Kinds());
}

std::string Topology::hash() const {
    std::uint32_t hash = 2166136261U;  // FNV-1a, 32 bits (Fowler, Noll, Vo 1991)
    for (char const c : shape()) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    std::string text(8, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, hash /= 16) {
        *digit = "0123456789abcdef"[hash % 16];
    }
    return text;
}

std::string Topology::export_xml() const {
    char* text = nullptr;
    int bytes = 0;  // the terminating zero included
    if (hwloc_topology_export_xmlbuffer(handle_.get(), &text, &bytes, 0) != 0) {
        throw TopologyError("topology: hwloc cannot export XML: " + error_text());
    }
    std::string const xml(text);
    hwloc_free_xmlbuffer(handle_.get(), text);
    return without_host_names(xml);
}

std::string format_cpus(std::vector<int> os_indexes) {
    std::sort(os_indexes.begin(), os_indexes.end());
    os_indexes.erase(std::unique(os_indexes.begin(), os_indexes.end()), os_indexes.end());
    if (os_indexes.empty()) return "none";
    std::ostringstream text;
    for (std::size_t i = 0; i < os_indexes.size();) {
        std::size_t last = i;
        while (last + 1 < os_indexes.size() && os_indexes[last + 1] == os_indexes[last] + 1) ++last;
        text << (i == 0 ? "" : ",") << os_indexes[i];
        if (last > i) text << (last == i + 1 ? ',' : '-') << os_indexes[last];
        i = last + 1;
    }
    return text.str();
}

}  // namespace zeroipc::bench
