#pragma once

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace zeroipc::bench {

class Topology;

/// What a process or memory could not be bound for: the message names the value and what to do.
class PinningError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What the kernel says after a pin, not what was asked of it.
struct PinResult {
    std::vector<int> obtained;  ///< the affinity, read back
    bool verified = false;      ///< obtained is exactly the CPU asked for, and the caller runs on it
    int running_on = -1;        ///< the CPU the caller was on when it looked; -1 unknown
};

/// Where a segment's memory is to lie.
enum class Home {
    producer,     ///< on the node of the first producer
    consumer,     ///< on the node of the first consumer
    interleaved,  ///< page by page in turn on all nodes that we may use
    left,         ///< where the kernel puts it: usually on the node of whoever touches a page first
};

/// "producer", "consumer", "interleaved" or "left".
std::string to_string(Home home);

/// The home of that name. Throws std::invalid_argument: no such home; the message lists them.
Home home_named(std::string const& name);

/// Where memory lies, as read back.
struct MemoryBinding {
    std::string policy =
        "unknown";               ///< as the kernel says it: single_node (the machine has one), bind (to the
                                 ///< node asked), interleave (over the nodes asked), default, or unknown
    int nodes = -1;              ///< NUMA nodes of the machine; -1 unknown
    Home home = Home::producer;  ///< as asked
    int node_asked = -1;         ///< the kernel's number; -1 none
    std::vector<int> nodes_asked{};  ///< node_asked, or all that are interleaved; empty: nothing was asked
    long pages_checked = -1;         ///< sampled pages that the kernel was asked about; -1: it would not say
    long pages_on_node =
        -1;  ///< those resident on node_asked, -1 if none; a page never touched is on no node
    std::map<int, long> pages_by_node{};  ///< sampled pages by node: those asked, and others that have some
    bool verified = false;                ///< see is_as_asked()
};

/// How pages were made resident.
enum class Prefault {
    populate_write,  ///< by MADV_POPULATE_WRITE, Linux 5.14 and later
    touch,           ///< by one atomic write a page
};

/// "populate_write" or "touch".
std::string to_string(Prefault how);

/// CPUs that the calling thread may run on, rising. Throws PinningError where the kernel does not say.
std::vector<int> current_affinity();

/// Binds this process, which must have one thread, to one CPU and reads the affinity back. Throws
/// PinningError unless the kernel then agrees: hwloc answers success on a topology that is not this machine
/// and does nothing. The CPU need not be in topology.cpus(): a worker may be forked by a coordinator already
/// bound elsewhere.
PinResult pin_this_process(Topology const& topology, int cpu);

/// The same of the calling thread alone. Safe to call from several threads with one topology.
PinResult pin_this_thread(Topology const& topology, int cpu);

/// The node that a CPU of this node has its memory from: itself, or where it has none (its slots are empty,
/// say) the nearest with memory by the kernel's distances. By the kernel's numbers; -1 stays -1.
int node_with_memory(int node);

/// Binds the pages of a mapping (page-aligned base) to a NUMA node, by the kernel's number. Call before any
/// process touches them: pages of shared memory that exist already stay where they are. Does nothing on a
/// machine with one node. Throws PinningError: no such node, or the kernel refuses.
void bind_to_node(void* base, std::size_t bytes, int node);

/// Spreads the pages of a mapping over all NUMA nodes that we may use, in turn. Otherwise as bind_to_node().
void interleave(void* base, std::size_t bytes);

/// Gives a mapping its home: binds it to the node (producer, consumer), unless that is -1, interleaves it, or leaves it.
/// Throws PinningError as those do.
void make_home(void* base, std::size_t bytes, Home home, int node);

/// Asks the kernel where a sample of at most 4096 pages (see sampled_pages()) lies. Call after prefault(): a page
/// that this process has not touched counts as checked and on no node. Never throws; what cannot be read is
/// -1, unknown or not verified. The node is that asked of make_home(); interleaved and left have none.
MemoryBinding read_back_pages(void const* base, std::size_t bytes, int node, Home home = Home::producer);

/// Whether the pages read back lie as was asked: each is on a node, of those asked if any were; and interleaved
/// pages are on all of those, on each at least half of its even share (a huge page is one page here). Pure.
bool is_as_asked(MemoryBinding const& binding);

/// Numbers, rising, of at most 4096 pages out of so many: one of each equal stretch, at an irregular place, for an even
/// stride would see one node only of interleaved memory. Equal for equal arguments.
std::vector<std::size_t> sampled_pages(std::size_t pages);

/// Makes every page of a writable mapping resident and writable in this process without changing a byte, so
/// that the timed window sees no page faults. Safe while others use the mapping. Throws PinningError where
/// memory runs out (of /dev/shm, say).
Prefault prefault(void* base, std::size_t bytes);

/// The fallback of prefault(): adds 0 to one byte of each page, atomically. Memory running out raises SIGBUS.
void touch_pages(void* base, std::size_t bytes);

}  // namespace zeroipc::bench
