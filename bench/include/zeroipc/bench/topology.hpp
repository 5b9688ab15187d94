#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct hwloc_topology;  // hwloc's handle; <hwloc.h> stays out of this header

namespace zeroipc::bench {

/// What a topology cannot be read, built or restricted for: the message names the input and what to do.
class TopologyError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One logical CPU and where it sits. Ids tell places apart and nothing more, except the two that the kernel
/// knows: os_index and node. -1: the machine does not say.
struct Cpu {
    int os_index = -1;    ///< the kernel's number: what sched_setaffinity takes
    int core = -1;        ///< hwloc's logical index of the core
    int l2 = -1;          ///< hwloc's logical index of the L2 cache
    int llc = -1;         ///< outermost cache of level 2 or above, numbered across levels in topology order
    int node = -1;        ///< the kernel's number of the nearest NUMA node: what mbind takes
    int package = -1;     ///< hwloc's logical index of the package
    int smt_rank = 0;     ///< place among the hardware threads of its core, those we may not use included
    int efficiency = -1;  ///< hwloc's CPU kind: 0 the least powerful; rises with performance and power

    friend bool operator==(Cpu const&, Cpu const&) = default;
};

/// Size and number of one level of cache.
struct CacheLevel {
    int level = 0;         ///< 1 is the nearest to the core
    bool unified = true;   ///< false: data only; instruction caches are left out
    long long bytes = -1;  ///< of one instance; -1 unknown; of the first, where a hybrid machine's differ
    int instances = 0;
};

/// A machine as hwloc sees it: the one underfoot, one made up, or one read from a file. Move-only; the CPUs
/// are read once, when the topology is made. All members are const and safe to call from several threads.
class Topology {
public:
    /// Discovers this machine. Throws TopologyError where hwloc finds nothing, or was told by its environment
    /// variables (HWLOC_SYNTHETIC, HWLOC_XMLFILE) to show another machine.
    static Topology this_machine();

    /// From hwloc's synthetic description, for example "package:2 core:4 pu:2". To plan and test with:
    /// nothing can be pinned there. Throws TopologyError.
    static Topology synthetic(std::string const& description);

    /// From an hwloc XML file, taken as another machine's. Throws TopologyError.
    static Topology from_xml_file(std::string const& path);

    /// From the text of an hwloc XML file. With is_this_system the caller vouches that it describes this
    /// machine: so a worker skips discovery and can still be pinned. Throws TopologyError.
    static Topology from_xml_buffer(std::string const& xml, bool is_this_system);

    Topology(Topology&&) noexcept = default;
    Topology& operator=(Topology&&) noexcept = default;
    Topology(Topology const&) = delete;
    Topology& operator=(Topology const&) = delete;
    ~Topology() = default;

    /// The same machine with only the CPUs of the list still usable: as a smaller cpuset of the container
    /// would leave it. The shape and the hash stay. Throws TopologyError on a CPU that is not usable now.
    Topology restricted_to(std::vector<int> const& os_indexes) const;

    /// CPUs that may be used, by os_index: those the system allows and, on this machine, that were in the
    /// calling thread's affinity when the topology was made. Never empty.
    std::vector<Cpu> const& cpus() const { return cpus_; }

    /// Every CPU that is online, usable or not, in the order of the machine's parts.
    std::vector<Cpu> online_cpus() const;

    /// Numbers of the CPUs that are there and offline, rising. Where they sit is not known.
    std::vector<int> offline_cpus() const;

    /// Whether the machine has a CPU of that number at all, usable or not.
    bool has_cpu(int os_index) const;

    // Counts of the whole machine, usable or not; only what is online. 0: the machine does not say.
    int logical_cpus() const;
    int cores() const;
    int packages() const;
    int numa_nodes() const;                  ///< at least 1
    int threads_per_core() const;            ///< the most that any core has
    std::vector<CacheLevel> caches() const;  ///< data and unified, from level 1 up; empty where unknown

    /// Those again, an entry for each size within a level.
    std::vector<CacheLevel> caches_by_size() const;

    /// The cache that Cpu::llc stands for; nothing where there is none.
    std::optional<CacheLevel> last_level_cache(int os_index) const;

    /// Marketing name of the processor, or on ARM its implementer and part; "unknown" where there is none.
    std::string cpu_model() const;

    /// True only for this_machine() and for an XML whose reader vouched for it.
    bool is_this_machine() const { return is_this_machine_; }

    /// The structural shape as text: types, arities, cache sizes, CPU kinds. No names, no numbering, no
    /// memory sizes (kernels differ in how much they keep for themselves).
    std::string shape() const;

    /// FNV-1a of shape(), 8 hex digits: equal on machines built alike.
    std::string hash() const;

    /// hwloc XML without what identifies the host: of the info attributes only a list of known harmless ones
    /// is kept. from_xml_buffer() reads it back. Throws TopologyError.
    std::string export_xml() const;

    /// For calls of hwloc; owned by this object.
    hwloc_topology* native() const { return handle_.get(); }

private:
    struct Destroy {
        void operator()(hwloc_topology* topology) const;
    };
    using Handle = std::unique_ptr<hwloc_topology, Destroy>;

    enum class Source {
        discovered,
        vouched,
        foreign
    };  // vouched: XML that its reader says is of this machine

    Topology(Handle handle, bool is_this_machine);
    static Handle make();
    static Topology load(Handle handle, Source source, std::string const& what);

    Handle handle_;
    bool is_this_machine_;
    std::vector<Cpu> cpus_;
};

/// A list of CPUs for people: "0-3,8". "none" where it is empty. Pure.
std::string format_cpus(std::vector<int> os_indexes);

}  // namespace zeroipc::bench
