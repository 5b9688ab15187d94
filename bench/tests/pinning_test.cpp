#include "zeroipc/bench/pinning.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "zeroipc/bench/topology.hpp"

using namespace zeroipc::bench;
using zeroipc::bench::testing::message_of;

namespace {

/// Runs f in a child process, for what must not change the affinity of the test program.
template <class F>
bool true_in_child(F&& f) {
    pid_t const child = fork();
    if (child == 0) {
        int code = 1;
        try {
            code = f() ? 0 : 1;
        } catch (std::exception const& error) {
            std::fprintf(stderr, "child: %s\n", error.what());
        }
        _exit(code);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// What a pin complains of; empty if it does not.
std::string complaint(Topology const& topology, int cpu) {
    return message_of<PinningError>([&] { pin_this_process(topology, cpu); });
}

bool contains(std::string const& text, char const* part) { return text.find(part) != std::string::npos; }

std::size_t const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

/// Fresh shared memory, as a segment has.
class Mapping {
public:
    explicit Mapping(std::size_t pages)
        : bytes(pages * page),
          base(static_cast<unsigned char*>(
              mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        REQUIRE(base != MAP_FAILED);
    }
    Mapping(Mapping const&) = delete;
    Mapping& operator=(Mapping const&) = delete;
    ~Mapping() { munmap(base, bytes); }

    std::size_t const bytes;
    unsigned char* const base;
};

}  // namespace

TEST_CASE("the affinity is sorted and not empty", "[fast]") {
    auto const cpus = current_affinity();
    REQUIRE_FALSE(cpus.empty());
    CHECK(std::is_sorted(cpus.begin(), cpus.end()));
    CHECK(std::find(cpus.begin(), cpus.end(), sched_getcpu()) != cpus.end());
}

TEST_CASE("pins to each CPU of this machine are verified", "[fast]") {
    auto const topology = Topology::this_machine();
    auto const before = current_affinity();
    for (Cpu const& cpu : topology.cpus()) {
        CHECK(true_in_child([&] {
            auto const pin = pin_this_process(topology, cpu.os_index);
            return pin.verified && pin.obtained == std::vector{cpu.os_index} &&
                   pin.running_on == cpu.os_index && current_affinity() == pin.obtained &&
                   sched_getcpu() == cpu.os_index;
        }));
    }
    CHECK(current_affinity() == before);
}

TEST_CASE("a worker forked by a pinned coordinator can be pinned elsewhere, by the coordinator's XML",
          "[fast]") {
    auto const topology = Topology::this_machine();
    auto const xml = topology.export_xml();
    int const first = topology.cpus().front().os_index;
    int const last = topology.cpus().back().os_index;
    CHECK(true_in_child([&] {
        pin_this_process(topology, first);
        return true_in_child(
            [&] { return pin_this_process(Topology::from_xml_buffer(xml, true), last).verified; });
    }));
}

TEST_CASE("a pin in a machine that is not this one is an error, not a silent success", "[fast]") {
    auto const before = current_affinity();
    int const here = before.front();
    auto const synthetic = Topology::synthetic("pack:1 core:64 pu:1");
    CHECK(contains(complaint(synthetic, here), "not verified"));
    auto const foreign = Topology::from_xml_buffer(Topology::this_machine().export_xml(), false);
    CHECK(contains(complaint(foreign, here), "not verified"));
    // Not even where the affinity happens to be right already.
    CHECK(true_in_child([&] {
        pin_this_process(Topology::this_machine(), here);
        return contains(complaint(foreign, here), "not verified");
    }));
    CHECK(current_affinity() == before);
}

TEST_CASE("a binding that does nothing is found out by reading back", "[fast]") {
    auto const topology = Topology::this_machine();
    if (topology.cpus().size() < 2) return;  // there every pin is already so
    CHECK(true_in_child([&] {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
        setenv("HWLOC_THISSYSTEM", "0", 1);  // makes the binding calls of hwloc do nothing
        auto const vouched = Topology::from_xml_buffer(topology.export_xml(), true);
        return contains(complaint(vouched, topology.cpus().back().os_index), "not verified: the affinity is");
    }));
}

TEST_CASE("CPUs that do not exist are refused by number", "[fast]") {
    auto const topology = Topology::this_machine();
    CHECK(contains(complaint(topology, 1 << 20), "CPU 1048576: no such CPU"));
    CHECK(contains(complaint(topology, -1), "CPU -1: no such CPU"));
    // In the topology, wrongly vouched for, but not in the kernel: CPU 60000 beside one of ours.
    auto const wrong =
        Topology::synthetic("pu:2(indexes=" + std::to_string(current_affinity().front()) + ",60000)");
    auto const vouched = Topology::from_xml_buffer(wrong.export_xml(), true);
    CHECK(true_in_child([&] { return contains(complaint(vouched, 60000), "CPU 60000: "); }));
}

TEST_CASE("prefaulting makes pages resident and changes no byte", "[fast]") {
    auto const node = Topology::this_machine().cpus().front().node;
    for (bool const by_touch : {false, true}) {
        Mapping const memory(64);
        memory.base[3] = 42;
        memory.base[memory.bytes - 1] = 43;
        auto const before = read_back_pages(memory.base, memory.bytes, node);
        if (by_touch) {
            touch_pages(memory.base, memory.bytes);
        } else {
            CHECK_FALSE(to_string(prefault(memory.base, memory.bytes)).empty());
        }
        CHECK(memory.base[3] == 42);
        CHECK(memory.base[memory.bytes - 1] == 43);
        CHECK(std::count(memory.base, memory.base + memory.bytes, 0) == static_cast<long>(memory.bytes) - 2);
        auto const after = read_back_pages(memory.base, memory.bytes, node);
        if (after.pages_checked < 0) continue;  // a kernel or container that does not say
        CHECK(before.pages_on_node <= 64);
        CHECK(after.pages_checked == 64);
        if (after.policy == "single_node") CHECK(after.pages_on_node == 64);
    }
}

TEST_CASE("prefaulting starts and ends anywhere in a page", "[fast]") {
    Mapping const memory(4);
    prefault(memory.base + page - 1, 2);
    prefault(memory.base + 1, 3 * page);
    touch_pages(memory.base + page - 1, 2);
    prefault(memory.base, 0);
    auto const read = read_back_pages(memory.base + page - 1, 2, 0);
    CHECK((read.pages_checked == 2 || read.pages_checked == -1));
}

TEST_CASE("prefaulting what is not there is an error", "[fast]") {
    Mapping const memory(2);
    if (prefault(memory.base, page) != Prefault::populate_write) return;  // the fallback cannot know
    REQUIRE(munmap(memory.base + page, page) == 0);
    CHECK_THROWS_WITH(prefault(memory.base, 2 * page), Catch::Contains(std::to_string(2 * page) + " bytes"));
}

TEST_CASE("the ways of prefaulting have names", "[fast]") {
    CHECK(to_string(Prefault::populate_write) == "populate_write");
    CHECK(to_string(Prefault::touch) == "touch");
}

TEST_CASE("memory bound to a node is read back there", "[fast]") {
    auto const topology = Topology::this_machine();
    int const node = topology.cpus().front().node;
    Mapping const memory(5000);
    bind_to_node(memory.base, memory.bytes, node);
    auto const untouched = read_back_pages(memory.base, memory.bytes, node);
    CHECK(untouched.pages_on_node <= 0);
    prefault(memory.base, memory.bytes);
    auto const read = read_back_pages(memory.base, memory.bytes, node);
    CHECK(read.node_asked == node);
    if (read.nodes < 0) {  // no NUMA in this kernel
        CHECK(read.policy == "unknown");
        CHECK(read.pages_checked == -1);
        return;
    }
    CHECK(read.nodes >= 1);
    CHECK(read.policy == (read.nodes == 1 ? "single_node" : "bind"));
    if (read.pages_checked >= 0) {
        CHECK(read.pages_checked == 4096);  // a sample
        CHECK(read.pages_on_node == 4096);
        CHECK(read_back_pages(memory.base, memory.bytes, node + 1).pages_on_node == 0);
    }
}

TEST_CASE("every home is made and read back", "[fast]") {
    int const node = Topology::this_machine().cpus().front().node;
    for (auto const home : {Home::producer, Home::consumer, Home::interleaved, Home::left}) {
        Mapping const memory(512);
        make_home(memory.base, memory.bytes, home, node);
        CHECK_FALSE(read_back_pages(memory.base, memory.bytes, node, home).verified);  // nothing is there yet
        prefault(memory.base, memory.bytes);
        auto const read = read_back_pages(memory.base, memory.bytes, node, home);
        bool const bound = home == Home::producer || home == Home::consumer;
        CHECK(read.home == home);
        CHECK(read.node_asked == (bound ? node : -1));
        if (read.pages_checked < 0) continue;  // a kernel or container that does not say
        CHECK(read.verified);
        CHECK(read.pages_on_node == (bound ? 512 : -1));
        long pages = 0;
        for (auto const& [at, count] : read.pages_by_node) pages += count;
        CHECK(pages == 512);
        if (read.nodes == 1) {
            CHECK(read.policy == "single_node");
            CHECK(read.pages_by_node == std::map<int, long>{{node, 512}});
        } else {
            CHECK(read.policy == (bound ? "bind" : home == Home::interleaved ? "interleave" : "default"));
        }
    }
    Mapping const memory(1);
    CHECK_THROWS_WITH(make_home(memory.base, memory.bytes, Home::consumer, 4095),
                      Catch::Contains("node 4095"));
    make_home(memory.base, memory.bytes, Home::consumer, -1);
}

TEST_CASE("what lies elsewhere than asked is not verified", "[fast]") {
    MemoryBinding binding;
    binding.nodes_asked = {1};
    CHECK_FALSE(is_as_asked(binding));  // nothing read back
    binding.pages_checked = 100;
    binding.pages_by_node = {{1, 100}};
    CHECK(is_as_asked(binding));
    binding.pages_by_node = {{0, 1}, {1, 99}};
    CHECK_FALSE(is_as_asked(binding));
    binding.pages_by_node = {{1, 99}};  // one page is nowhere
    CHECK_FALSE(is_as_asked(binding));

    binding.home = Home::left;
    binding.nodes_asked = {};
    CHECK_FALSE(is_as_asked(binding));
    binding.pages_by_node = {{0, 1}, {1, 99}};
    CHECK(is_as_asked(binding));

    binding.home = Home::interleaved;
    binding.nodes_asked = {0, 1};
    CHECK_FALSE(is_as_asked(binding));
    binding.pages_by_node = {{1, 100}};
    CHECK_FALSE(is_as_asked(binding));
    binding.pages_by_node = {{0, 25}, {1, 75}};
    CHECK(is_as_asked(binding));
    binding.pages_by_node = {{0, 50}, {1, 49}, {2, 1}};
    CHECK_FALSE(is_as_asked(binding));
}

TEST_CASE("the sample of pages has no stride", "[fast]") {
    CHECK(sampled_pages(0).empty());
    CHECK(sampled_pages(3) == std::vector<std::size_t>{0, 1, 2});
    for (std::size_t const pages : {4096U, 4097U, 8192U, 16384U, 100'000U}) {
        auto const sample = sampled_pages(pages);
        CHECK(sample.size() == 4096);
        CHECK(sample == sampled_pages(pages));
        CHECK(sample.back() < pages);
        CHECK(std::adjacent_find(sample.begin(), sample.end(), std::greater_equal<>()) == sample.end());
        for (std::size_t const nodes : {2U, 4U, 8U}) {
            std::map<std::size_t, std::size_t> on_node;
            for (auto const number : sample) ++on_node[number % nodes];
            CHECK(on_node.size() == nodes);
            for (auto const& [node, count] : on_node) CHECK(count > 4096 / nodes * 3 / 4);
        }
    }
}

TEST_CASE("homes have names", "[fast]") {
    for (auto const* name : {"producer", "consumer", "interleaved", "left"})
        CHECK(to_string(home_named(name)) == name);
    CHECK_THROWS_WITH(home_named("node"),
                      Catch::Contains("'node'") && Catch::Contains("consumer, interleaved, left"));
}

TEST_CASE("a node with memory has its own", "[fast]") {
    auto const machine = Topology::this_machine();
    for (Cpu const& cpu : machine.cpus()) {
        int const node = node_with_memory(cpu.node);
        Mapping const memory(1);
        CHECK_NOTHROW(bind_to_node(memory.base, memory.bytes, node));  // whichever it is, it has memory
        CHECK(node_with_memory(node) == node);
    }
    CHECK(node_with_memory(-1) == -1);
}

TEST_CASE("nodes that do not exist are refused by number", "[fast]") {
    Mapping const memory(1);
    CHECK_THROWS_WITH(bind_to_node(memory.base, memory.bytes, 4095), Catch::Contains("node 4095"));
    CHECK_THROWS_AS(bind_to_node(memory.base, memory.bytes, -1), PinningError);
}
