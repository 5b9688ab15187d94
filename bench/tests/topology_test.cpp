#include "zeroipc/bench/topology.hpp"

#include <hwloc.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <exception>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "zeroipc/bench/pinning.hpp"

using namespace zeroipc::bench;

namespace {

std::string const data = ZEROIPC_BENCH_TEST_DATA;

template <int Cpu::*Field>
std::vector<int> each(Topology const& topology) {
    std::vector<int> values;
    for (Cpu const& cpu : topology.cpus()) values.push_back(cpu.*Field);
    return values;
}

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

/// A synthetic machine cut down by hwloc itself, as XML.
std::string restricted_xml(char const* description, std::vector<unsigned> const& cpus) {
    hwloc_topology_t raw = nullptr;
    REQUIRE(hwloc_topology_init(&raw) == 0);
    REQUIRE(hwloc_topology_set_synthetic(raw, description) == 0);
    REQUIRE(hwloc_topology_load(raw) == 0);
    auto* const set = hwloc_bitmap_alloc();
    for (unsigned const cpu : cpus) hwloc_bitmap_set(set, cpu);
    REQUIRE(hwloc_topology_restrict(raw, set, HWLOC_RESTRICT_FLAG_REMOVE_CPULESS) == 0);
    hwloc_bitmap_free(set);
    char* text = nullptr;
    int bytes = 0;
    REQUIRE(hwloc_topology_export_xmlbuffer(raw, &text, &bytes, 0) == 0);
    std::string xml(text);
    hwloc_free_xmlbuffer(raw, text);
    hwloc_topology_destroy(raw);
    return xml;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<Topology> && std::is_nothrow_move_constructible_v<Topology>);

TEST_CASE("a synthetic desktop with SMT, numbered as Linux does", "[fast]") {
    auto const topology = Topology::synthetic(
        "pack:1 l3:1(size=8388608) l2:4(size=262144) l1d:1(size=32768) core:1 pu:2(indexes=0,4,1,5,2,6,3,7)");
    CHECK_FALSE(topology.is_this_machine());
    CHECK(each<&Cpu::os_index>(topology) == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(each<&Cpu::core>(topology) == std::vector{0, 1, 2, 3, 0, 1, 2, 3});
    CHECK(each<&Cpu::smt_rank>(topology) == std::vector{0, 0, 0, 0, 1, 1, 1, 1});
    CHECK(each<&Cpu::l2>(topology) == std::vector{0, 1, 2, 3, 0, 1, 2, 3});
    CHECK(each<&Cpu::llc>(topology) == std::vector(8, 0));
    CHECK(each<&Cpu::node>(topology) == std::vector(8, 0));
    CHECK(each<&Cpu::package>(topology) == std::vector(8, 0));
    CHECK(each<&Cpu::efficiency>(topology) == std::vector(8, -1));
    CHECK(topology.logical_cpus() == 8);
    CHECK(topology.cores() == 4);
    CHECK(topology.packages() == 1);
    CHECK(topology.numa_nodes() == 1);
    CHECK(topology.threads_per_core() == 2);
    CHECK(topology.cpu_model() == "unknown");
    auto const caches = topology.caches();
    REQUIRE(caches.size() == 3);
    CHECK(
        (caches[0].level == 1 && !caches[0].unified && caches[0].bytes == 32768 && caches[0].instances == 4));
    CHECK(
        (caches[1].level == 2 && caches[1].unified && caches[1].bytes == 262144 && caches[1].instances == 4));
    CHECK((caches[2].level == 3 && caches[2].unified && caches[2].bytes == 8388608 &&
           caches[2].instances == 1));
}

TEST_CASE("eight nodes, two last-level caches a node", "[fast]") {
    auto const topology = Topology::synthetic("pack:2 numa:4 l3:2 core:8 pu:1");
    CHECK(topology.numa_nodes() == 8);
    REQUIRE(topology.cpus().size() == 128);
    CHECK(topology.cpus()[0] == Cpu{0, 0, -1, 0, 0, 0, 0, -1});
    CHECK(topology.cpus()[8] == Cpu{8, 8, -1, 1, 0, 0, 0, -1});
    CHECK(topology.cpus()[127] == Cpu{127, 127, -1, 15, 7, 1, 0, -1});
}

TEST_CASE("nodes keep the kernel's numbers, which need not be dense", "[fast]") {
    auto const topology = Topology::synthetic("numa:2(indexes=8,0) core:1 pu:1");
    CHECK(each<&Cpu::node>(topology) == std::vector{8, 0});
}

TEST_CASE("what a machine does not show is -1", "[fast]") {
    auto const no_l3 = Topology::synthetic("pack:1 l2:2 core:2 pu:1");
    CHECK(each<&Cpu::l2>(no_l3) == std::vector{0, 0, 1, 1});
    CHECK(each<&Cpu::llc>(no_l3) == std::vector{0, 0, 1, 1});

    auto const no_l2 = Topology::synthetic("pack:1 l3:1 l1:2 core:1 pu:1");
    CHECK(each<&Cpu::l2>(no_l2) == std::vector{-1, -1});
    CHECK(each<&Cpu::llc>(no_l2) == std::vector{0, 0});

    auto const only_l1 = Topology::synthetic("pack:1 l1:2 core:1 pu:1");
    CHECK(each<&Cpu::llc>(only_l1) == std::vector{-1, -1});

    auto const only_cpus = Topology::synthetic("pu:2");  // hwloc adds a node to every machine
    CHECK(only_cpus.numa_nodes() == 1);
    CHECK(only_cpus.cores() == 0);
    CHECK(only_cpus.packages() == 0);
    CHECK(only_cpus.threads_per_core() == 0);
    CHECK(only_cpus.caches().empty());
    CHECK(only_cpus.cpus()[1] == Cpu{1, -1, -1, -1, 0, -1, 0, -1});
}

TEST_CASE("a hybrid machine: kinds, and caches shared by unlike numbers of cores", "[fast]") {
    auto const topology = Topology::from_xml_file(data + "/hybrid.xml");
    CHECK(each<&Cpu::efficiency>(topology) == std::vector{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK(each<&Cpu::core>(topology) == std::vector{0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(each<&Cpu::l2>(topology) == std::vector{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5});
    CHECK(each<&Cpu::smt_rank>(topology) == std::vector{0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK(each<&Cpu::llc>(topology) == std::vector(16, 0));
    CHECK(topology.threads_per_core() == 2);
    CHECK(topology.cpu_model() == "12th Gen Intel(R) Core(TM) i7-1260P CPU @ 2.50GHz");
    CHECK(topology.shape() ==
          "Machine[1*Package+1NUMA[1*L3Cache(25165824)["
          "4*L2Cache(1310720)[1*L1Cache(49152)[1*Core[2*PU(1)]]] "
          "2*L2Cache(2097152)[4*L1Cache(32768)[1*Core[1*PU(0)]]]]]]");
}

TEST_CASE("offline and disallowed CPUs are not usable", "[fast]") {
    auto const topology = Topology::from_xml_file(data + "/offline_and_disallowed.xml");
    CHECK(each<&Cpu::os_index>(topology) == std::vector{0, 2});  // of 4: 1 is offline, 3 not allowed
    CHECK(topology.logical_cpus() == 3);
    CHECK_FALSE(topology.has_cpu(1));
    CHECK(topology.has_cpu(3));
    CHECK_FALSE(topology.has_cpu(-1));
    CHECK_FALSE(topology.has_cpu(4));
}

TEST_CASE("a machine cut down by hwloc is another machine", "[fast]") {
    char const* const description = "pack:2 l3:1 core:4 pu:2";
    auto const cut = Topology::from_xml_buffer(restricted_xml(description, {2, 3, 9}), false);
    CHECK(each<&Cpu::os_index>(cut) == std::vector{2, 3, 9});
    CHECK(each<&Cpu::core>(cut) == std::vector{0, 0, 1});
    CHECK(each<&Cpu::package>(cut) == std::vector{0, 0, 1});
    CHECK(cut.hash() != Topology::synthetic(description).hash());
}

TEST_CASE("a restriction leaves the machine what it is", "[fast]") {
    auto const whole = Topology::synthetic("pack:2 l3:1 core:4 pu:2");
    auto const part = whole.restricted_to({9, 2, 3});
    CHECK(each<&Cpu::os_index>(part) == std::vector{2, 3, 9});
    CHECK(each<&Cpu::core>(part) == std::vector{1, 1, 4});
    CHECK(each<&Cpu::smt_rank>(part) == std::vector{0, 1, 1});
    CHECK(part.hash() == whole.hash());
    CHECK(part.logical_cpus() == 16);
    CHECK(part.has_cpu(0));
    CHECK_FALSE(part.is_this_machine());
    auto const copy = Topology::from_xml_buffer(part.export_xml(), false);
    CHECK(copy.cpus() == part.cpus());
    CHECK_THROWS_WITH(part.restricted_to({2, 0}), Catch::Contains("CPU 0") && Catch::Contains("2,3,9"));
    CHECK_THROWS_WITH(whole.restricted_to({99}), Catch::Contains("CPU 99") && Catch::Contains("0-15"));
    CHECK_THROWS_AS(whole.restricted_to({}), TopologyError);
}

TEST_CASE("the hash is that of the shape", "[fast]") {
    auto const topology = Topology::synthetic("pack:1 l3:1(size=33554432) l2:2(size=1048576) core:1 pu:1");
    CHECK(topology.shape() ==
          "Machine[1*Package+1NUMA[1*L3Cache(33554432)[2*L2Cache(1048576)[1*Core[1*PU]]]]]");
    CHECK(topology.hash() == "c0e4c562");  // computed apart; a change makes every machine a new one
    std::set<std::string> hashes;
    for (char const* const description : {"core:4 pu:1", "core:2 pu:2", "pu:4", "pack:2 core:2 pu:1",
                                          "numa:2 core:2 pu:1", "l2:4 core:1 pu:1", "l2:2 core:2 pu:1",
                                          "l2:2(size=1024) core:2 pu:1", "l3:2(size=1024) core:2 pu:1"}) {
        auto const hash = Topology::synthetic(description).hash();
        CHECK(hash.size() == 8);
        CHECK(hash.find_first_not_of("0123456789abcdef") == std::string::npos);
        CHECK(hashes.insert(hash).second);
    }
    // Numbering is no part of the shape.
    CHECK(Topology::synthetic("core:2 pu:2(indexes=0,2,1,3)").hash() ==
          Topology::synthetic("core:2 pu:2").hash());
}

TEST_CASE("an exported XML names neither host nor parts, and keeps the rest", "[fast]") {
    auto const topology = Topology::from_xml_file(data + "/offline_and_disallowed.xml");
    auto const xml = topology.export_xml();
    CHECK(xml.find("PLANTED") == std::string::npos);
    for (char const* const gone : {"HostName", "DMI", "LinuxCgroup", "ProcessName", "SomethingNew"}) {
        CHECK(xml.find(gone) == std::string::npos);
    }
    CHECK(xml.find("Planted Processor") != std::string::npos);
    auto const copy = Topology::from_xml_buffer(xml, false);
    CHECK(copy.cpus() == topology.cpus());
    CHECK(copy.hash() == topology.hash());
    CHECK(copy.cpu_model() == "Planted Processor");
    CHECK(copy.export_xml() == xml);

    auto const hybrid = Topology::from_xml_file(data + "/hybrid.xml");
    CHECK(Topology::from_xml_buffer(hybrid.export_xml(), false).cpus() == hybrid.cpus());
}

TEST_CASE("this machine", "[fast]") {
    auto const topology = Topology::this_machine();
    CHECK(topology.is_this_machine());
    CHECK(topology.numa_nodes() >= 1);
    CHECK(topology.logical_cpus() >= static_cast<int>(topology.cpus().size()));
    CHECK(each<&Cpu::os_index>(topology) == current_affinity());

    char host[256] = {};
    REQUIRE(gethostname(host, sizeof host - 1) == 0);
    auto const xml = topology.export_xml();
    CHECK(xml.find("HostName") == std::string::npos);
    CHECK(xml.find('"' + std::string(host) + '"') == std::string::npos);

    auto const vouched = Topology::from_xml_buffer(xml, true);
    CHECK(vouched.is_this_machine());
    CHECK(vouched.cpus() == topology.cpus());
    CHECK(vouched.hash() == topology.hash());
    CHECK_FALSE(Topology::from_xml_buffer(xml, false).is_this_machine());
}

TEST_CASE("on this machine the affinity of the process counts", "[fast]") {
    auto const whole = Topology::this_machine();
    auto const hash = whole.hash();
    int const last = whole.cpus().back().os_index;
    CHECK(true_in_child([&] {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(static_cast<std::size_t>(last), &only);
        if (sched_setaffinity(0, sizeof only, &only) != 0) return false;
        auto const narrowed = Topology::this_machine();
        return narrowed.cpus().size() == 1 && narrowed.cpus()[0] == whole.cpus().back() &&
               narrowed.hash() == hash && narrowed.has_cpu(whole.cpus().front().os_index);
    }));
}

TEST_CASE("a machine that hwloc's environment variables feign is not this one", "[fast]") {
    CHECK(true_in_child([] {
        setenv("HWLOC_SYNTHETIC", "pack:2 core:4 pu:1", 1);  // NOLINT(concurrency-mt-unsafe): one thread
        try {
            Topology::this_machine();
        } catch (TopologyError const& error) {
            return std::string(error.what()).find("HWLOC_SYNTHETIC") != std::string::npos;
        }
        return false;
    }));
}

TEST_CASE("what cannot be a topology is refused by name", "[fast]") {
    CHECK_THROWS_WITH(Topology::synthetic("core:zero"),
                      Catch::Contains("core:zero") && Catch::Contains("pu:2"));
    CHECK_THROWS_AS(Topology::synthetic(""), TopologyError);
    CHECK_THROWS_WITH(Topology::from_xml_file("/nonexistent/machine.xml"),
                      Catch::Contains("/nonexistent/machine.xml"));
    CHECK_THROWS_AS(Topology::from_xml_file(data), TopologyError);  // a folder
    CHECK_THROWS_AS(Topology::from_xml_buffer("", false), TopologyError);
    CHECK_THROWS_AS(Topology::from_xml_buffer("not XML at all", false), TopologyError);
    CHECK_THROWS_AS(Topology::from_xml_buffer("<topology version=\"2.0\"></topology>", false), TopologyError);
    // Vouched for, but with no CPU that this process has.
    auto const elsewhere = Topology::synthetic("pu:2(indexes=90000,90001)").export_xml();
    CHECK_THROWS_WITH(Topology::from_xml_buffer(elsewhere, true), Catch::Contains("not one CPU may be used"));
}

TEST_CASE("lists of CPUs for people", "[fast]") {
    CHECK(format_cpus({}) == "none");
    CHECK(format_cpus({3}) == "3");
    CHECK(format_cpus({1, 0}) == "0,1");
    CHECK(format_cpus({8, 2, 0, 1, 3, 3}) == "0-3,8");
}
