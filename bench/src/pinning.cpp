#include "zeroipc/bench/pinning.hpp"

#include <hwloc.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>

#include "zeroipc/bench/topology.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // C libraries older than the kernel lack the name
#endif

namespace zeroipc::bench {

namespace {

constexpr std::size_t sample_pages = 4096;

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

/// bind where the kernel says that a mapping's pages come from that node only, else unknown.
std::string read_back_policy(void* address, int node) {
    Nodes const nodes(numa_allocate_nodemask());
    int mode = -1;
    if (get_mempolicy(&mode, nodes->maskp, nodes->size + 1, address, MPOL_F_ADDR) != 0) return "unknown";
    bool const only_that = node >= 0 && numa_bitmask_weight(nodes.get()) == 1 &&
                           numa_bitmask_isbitset(nodes.get(), static_cast<unsigned>(node)) != 0;
    // Modes carry flags in their upper bits (MPOL_F_STATIC_NODES and its like).
    return (mode & 0xff) == MPOL_BIND && only_that ? "bind" : "unknown";
}

}  // namespace

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

PinResult pin_this_process(Topology const& topology, int cpu) {
    std::string const subject = "pinning: this process to CPU " + std::to_string(cpu) + ": ";
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
    if (hwloc_set_cpubind(topology.native(), set.get(), HWLOC_CPUBIND_PROCESS | HWLOC_CPUBIND_STRICT) != 0) {
        throw PinningError(subject + error_text(errno) + ": check the cpuset of the container or service");
    }
    PinResult result;
    result.obtained = current_affinity();
    result.running_on = sched_getcpu();
    result.verified = result.obtained == std::vector<int>{cpu} && result.running_on == cpu;
    if (!result.verified) {
        throw PinningError(
            subject + "not verified: the affinity is " + format_cpus(result.obtained) +
            " and the process runs on CPU " + std::to_string(result.running_on) +
            ": check that nothing else sets the affinity of this process, and that the topology is "
            "this machine's");
    }
    return result;
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
    if (numa_num_configured_nodes() == 1) return;
    Nodes const nodes(numa_allocate_nodemask());
    numa_bitmask_setbit(nodes.get(), static_cast<unsigned>(node));
    // STRICT reports pages that this process has mapped elsewhere already instead of leaving them there in
    // silence. The kernel takes one less than the bits it is told of.
    if (mbind(base, bytes, MPOL_BIND, nodes->maskp, nodes->size + 1, MPOL_MF_STRICT) != 0) {
        int const error = errno;
        throw PinningError(subject + "mbind: " + error_text(error) +
                           (error == EIO ? ": pages exist on other nodes: bind before anyone touches them"
                            : error == EINVAL ? ": the base must be the start of a page of a mapping"
                                              : ": check what the container permits"));
    }
}

MemoryBinding read_back_pages(void const* base, std::size_t bytes, int node) {
    MemoryBinding binding;
    binding.node_asked = node;
    if (numa_available() < 0) return binding;
    binding.nodes = numa_num_configured_nodes();
    auto* const first =
        static_cast<unsigned char*>(const_cast<void*>(base));  // the kernel's interface; only read
    binding.policy = binding.nodes == 1 ? "single_node" : read_back_policy(first, node);

    std::size_t pages = 0;
    for_each_page(first, bytes, [&](unsigned char*) { ++pages; });
    std::size_t const sampled = std::min(pages, sample_pages);
    std::vector<void*> sample;
    std::size_t page = 0;
    for_each_page(first, bytes, [&](unsigned char* address) {
        if (sample.size() < sampled && page == sample.size() * pages / sampled) sample.push_back(address);
        ++page;
    });
    std::vector<int> status(sample.size(), -1);
    // Without target nodes nothing moves: the kernel says where each page is, or a negative error for it.
    if (sample.empty() || move_pages(0, sample.size(), sample.data(), nullptr, status.data(), 0) != 0)
        return binding;
    binding.pages_checked = static_cast<long>(status.size());
    binding.pages_on_node = node < 0 ? 0 : static_cast<long>(std::count(status.begin(), status.end(), node));
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
