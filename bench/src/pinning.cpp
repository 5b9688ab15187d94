#include "zeroipc/bench/pinning.hpp"

#include <hwloc.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <random>
#include <system_error>

#include "zeroipc/bench/topology.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // C libraries older than the kernel lack the name
#endif

namespace zeroipc::bench {

namespace {

constexpr std::size_t most_sampled = 4096;
constexpr std::array homes{Home::producer, Home::consumer, Home::interleaved, Home::left};

struct FreeCpuSet {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
struct FreeBitmap {
    void operator()(hwloc_bitmap_s* bitmap) const { hwloc_bitmap_free(bitmap); }
};
struct FreeNodes {
    void operator()(bitmask* nodes) const { numa_free_nodemask(nodes); }
};
using Nodes = std::unique_ptr<bitmask, FreeNodes>;

std::string error_text(int error) { return std::error_code(error, std::generic_category()).message(); }

std::size_t page_size() {
    static auto const size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

/// Calls f with the address of the first byte of [base, base + bytes) and with that of each page in it.
/// Addresses are made by pointer arithmetic from base, which keeps sanitizers informed.
template <class F>
void for_each_page(void* base, std::size_t bytes, F&& f) {
    auto* const first = static_cast<unsigned char*>(base);
    std::size_t const into_page = reinterpret_cast<std::uintptr_t>(base) % page_size();
    for (std::size_t offset = 0; offset < bytes;
         offset += offset == 0 ? page_size() - into_page : page_size()) {
        f(first + offset);
    }
}

/// Nodes of whose memory we may have some.
std::vector<int> usable_nodes() {
    std::vector<int> nodes;
    for (int node = 0; node <= numa_max_node(); ++node)
        if (numa_bitmask_isbitset(numa_all_nodes_ptr, static_cast<unsigned>(node)) != 0)
            nodes.push_back(node);
    return nodes;
}

/// What the kernel says of a mapping; unknown also where it names other nodes than those.
std::string read_back_policy(void* address, std::vector<int> const& nodes) {
    Nodes const obtained(numa_allocate_nodemask());
    int mode = -1;
    if (get_mempolicy(&mode, obtained->maskp, obtained->size + 1, address, MPOL_F_ADDR) != 0)
        return "unknown";
    mode &= 0xff;  // modes carry flags in their upper bits (MPOL_F_STATIC_NODES and its like)
    if (mode == MPOL_DEFAULT) return "default";
    bool const those = numa_bitmask_weight(obtained.get()) == nodes.size() &&
                       std::all_of(nodes.begin(), nodes.end(), [&](int node) {
                           return numa_bitmask_isbitset(obtained.get(), static_cast<unsigned>(node)) != 0;
                       });
    if (!those) return "unknown";
    return mode == MPOL_BIND ? "bind" : mode == MPOL_INTERLEAVE ? "interleave" : "unknown";
}

/// Does nothing on a machine with one node.
void set_policy(void* base, std::size_t bytes, int mode, std::vector<int> const& nodes,
                std::string const& subject) {
    if (numa_num_configured_nodes() == 1) return;
    Nodes const mask(numa_allocate_nodemask());
    for (int const node : nodes) numa_bitmask_setbit(mask.get(), static_cast<unsigned>(node));
    // STRICT reports pages that this process has mapped elsewhere already instead of leaving them there in
    // silence. The kernel takes one less than the bits it is told of.
    if (mbind(base, bytes, mode, mask->maskp, mask->size + 1, MPOL_MF_STRICT) != 0) {
        int const error = errno;
        throw PinningError(subject + "mbind: " + error_text(error) +
                           (error == EIO ? ": pages exist on other nodes: bind before anyone touches them"
                            : error == EINVAL ? ": the base must be the start of a page of a mapping"
                                              : ": check what the container permits"));
    }
}

}  // namespace

std::string to_string(Home home) {
    switch (home) {
        case Home::producer:
            return "producer";
        case Home::consumer:
            return "consumer";
        case Home::interleaved:
            return "interleaved";
        case Home::left:
            break;
    }
    return "left";
}

Home home_named(std::string const& name) {
    std::string names;
    for (Home const home : homes) {
        if (to_string(home) == name) return home;
        names.append(names.empty() ? "" : ", ").append(to_string(home));
    }
    throw std::invalid_argument("memory: unknown home '" + name + "': use one of " + names);
}

std::string to_string(Prefault how) { return how == Prefault::populate_write ? "populate_write" : "touch"; }

std::vector<int> current_affinity() {
    // The kernel answers EINVAL until the set is as large as its own, which no call tells.
    for (int room = CPU_SETSIZE; room <= (1 << 20); room *= 2) {
        std::unique_ptr<cpu_set_t, FreeCpuSet> const set(CPU_ALLOC(static_cast<std::size_t>(room)));
        std::size_t const bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(room));
        CPU_ZERO_S(bytes, set.get());
        if (sched_getaffinity(0, bytes, set.get()) == 0) {
            std::vector<int> cpus;
            for (int cpu = 0; cpu < room; ++cpu) {
                if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set.get())) cpus.push_back(cpu);
            }
            return cpus;
        }
        if (errno != EINVAL) break;
    }
    throw PinningError("pinning: the kernel does not say which CPUs we may use: sched_getaffinity: " +
                       error_text(errno));
}

namespace {

PinResult pin(Topology const& topology, int cpu, int what, std::string const& who) {
    std::string const subject = "pinning: this " + who + " to CPU " + std::to_string(cpu) + ": ";
    if (!topology.is_this_machine()) {
        throw PinningError(
            subject +
            "not verified: the topology is not this machine's, where a pin does nothing and answers "
            "success: use Topology::this_machine()");
    }
    if (!topology.has_cpu(cpu)) {
        throw PinningError(subject + "no such CPU, or it is offline: take one that plan_placement() gave");
    }
    std::unique_ptr<hwloc_bitmap_s, FreeBitmap> const set(hwloc_bitmap_alloc());
    hwloc_bitmap_only(set.get(), static_cast<unsigned>(cpu));
    if (hwloc_set_cpubind(topology.native(), set.get(), what | HWLOC_CPUBIND_STRICT) != 0) {
        throw PinningError(subject + error_text(errno) + ": check the cpuset of the container or service");
    }
    PinResult result;
    result.obtained = current_affinity();
    result.running_on = sched_getcpu();
    result.verified = result.obtained == std::vector<int>{cpu} && result.running_on == cpu;
    if (!result.verified) {
        throw PinningError(subject + "not verified: the affinity is " + format_cpus(result.obtained) +
                           " and it runs on CPU " + std::to_string(result.running_on) +
                           ": check that nothing else sets the affinity of this " + who +
                           ", and that the topology is "
                           "this machine's");
    }
    return result;
}

}  // namespace

PinResult pin_this_process(Topology const& topology, int cpu) {
    return pin(topology, cpu, HWLOC_CPUBIND_PROCESS, "process");
}

PinResult pin_this_thread(Topology const& topology, int cpu) {
    return pin(topology, cpu, HWLOC_CPUBIND_THREAD, "thread");
}

int node_with_memory(int node) {
    if (node < 0 || numa_available() < 0) return node;
    auto const has_memory = [](int candidate) { return numa_node_size64(candidate, nullptr) > 0; };
    if (has_memory(node)) return node;
    int nearest = -1;
    for (int candidate = 0; candidate <= numa_max_node(); ++candidate) {
        if (!has_memory(candidate)) continue;
        if (nearest < 0 || numa_distance(node, candidate) < numa_distance(node, nearest)) nearest = candidate;
    }
    return nearest < 0 ? node : nearest;
}

void bind_to_node(void* base, std::size_t bytes, int node) {
    std::string const subject =
        "memory: binding " + std::to_string(bytes) + " bytes to node " + std::to_string(node) + ": ";
    if (numa_available() < 0) {
        if (node == 0) return;  // all memory there is
        throw PinningError(subject + "this kernel does not know NUMA: use node 0");
    }
    if (node < 0 || node > numa_max_node() ||
        numa_bitmask_isbitset(numa_all_nodes_ptr, static_cast<unsigned>(node)) == 0) {
        throw PinningError(subject + "no such node, or it has no memory that we may use: the highest is " +
                           std::to_string(numa_max_node()));
    }
    set_policy(base, bytes, MPOL_BIND, {node}, subject);
}

void interleave(void* base, std::size_t bytes) {
    if (numa_available() < 0) return;  // one node, as far as this kernel knows
    auto const nodes = usable_nodes();
    set_policy(
        base, bytes, MPOL_INTERLEAVE, nodes,
        "memory: interleaving " + std::to_string(bytes) + " bytes over nodes " + format_cpus(nodes) + ": ");
}

void make_home(void* base, std::size_t bytes, Home home, int node) {
    if (home == Home::interleaved) {
        interleave(base, bytes);
    } else if (home != Home::left && node >= 0) {
        bind_to_node(base, bytes, node);
    }
}

std::vector<std::size_t> sampled_pages(std::size_t pages) {
    std::size_t const count = std::min(pages, most_sampled);
    std::vector<std::size_t> result;
    result.reserve(count);
    std::minstd_rand random(1);  // the standard says what it draws
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t const first = i * pages / count;
        std::size_t const next = (i + 1) * pages / count;
        result.push_back(first + random() / 256 % (next - first));
    }
    return result;
}

bool is_as_asked(MemoryBinding const& binding) {
    auto const& asked = binding.nodes_asked;
    long located = 0;
    for (auto const& [node, pages] : binding.pages_by_node) {
        located += pages;
        if (pages > 0 && !asked.empty() && std::find(asked.begin(), asked.end(), node) == asked.end())
            return false;
    }
    if (binding.pages_checked < 1 || located != binding.pages_checked) return false;
    if (binding.home != Home::interleaved) return true;
    long const half_share = located / static_cast<long>(2 * std::max<std::size_t>(asked.size(), 1));
    return std::all_of(asked.begin(), asked.end(), [&](int node) {
        auto const at = binding.pages_by_node.find(node);
        return (at == binding.pages_by_node.end() ? 0 : at->second) >= half_share;
    });
}

MemoryBinding read_back_pages(void const* base, std::size_t bytes, int node, Home home) {
    MemoryBinding binding;
    binding.home = home;
    if (home == Home::producer || home == Home::consumer) binding.node_asked = node;
    if (numa_available() < 0) return binding;
    binding.nodes = numa_num_configured_nodes();
    if (binding.node_asked >= 0) binding.nodes_asked = {node};
    if (home == Home::interleaved) binding.nodes_asked = usable_nodes();
    auto* const first =
        static_cast<unsigned char*>(const_cast<void*>(base));  // the kernel's interface; only read
    binding.policy = binding.nodes == 1 ? "single_node" : read_back_policy(first, binding.nodes_asked);

    std::size_t const into_page = reinterpret_cast<std::uintptr_t>(base) % page_size();
    std::size_t const pages = bytes == 0 ? 0 : (into_page + bytes + page_size() - 1) / page_size();
    std::vector<void*> sample;
    for (std::size_t const page : sampled_pages(pages))
        sample.push_back(page == 0 ? first : first + page * page_size() - into_page);
    std::vector<int> status(sample.size(), -1);
    // Without target nodes nothing moves: the kernel says where each page is, or a negative error for it.
    if (sample.empty() || move_pages(0, sample.size(), sample.data(), nullptr, status.data(), 0) != 0)
        return binding;
    binding.pages_checked = static_cast<long>(status.size());
    for (int const asked : binding.nodes_asked) binding.pages_by_node[asked] = 0;
    for (int const found : status)
        if (found >= 0) ++binding.pages_by_node[found];
    if (binding.node_asked >= 0) binding.pages_on_node = binding.pages_by_node[node];
    binding.verified = is_as_asked(binding);
    return binding;
}

Prefault prefault(void* base, std::size_t bytes) {
    std::size_t const into_page = reinterpret_cast<std::uintptr_t>(base) % page_size();
    auto* const start = static_cast<unsigned char*>(base) - into_page;
    if (bytes == 0 || madvise(start, bytes + into_page, MADV_POPULATE_WRITE) == 0)
        return Prefault::populate_write;
    int const error = errno;
    if (error != EINVAL) {
        // To touch the pages now would raise SIGBUS instead of this.
        throw PinningError(
            "memory: making " + std::to_string(bytes) +
            " bytes resident: MADV_POPULATE_WRITE: " + error_text(error) +
            ": check the free space of /dev/shm, the memory limit, and that the mapping is writable");
    }
    touch_pages(base, bytes);
    return Prefault::touch;
}

void touch_pages(void* base, std::size_t bytes) {
    for_each_page(base, bytes, [](unsigned char* address) {
        std::atomic_ref<unsigned char>(*address).fetch_add(0, std::memory_order_relaxed);
    });
}

}  // namespace zeroipc::bench
