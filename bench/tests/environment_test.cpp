#include "zeroipc/bench/environment.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "root.hpp"

using namespace zeroipc::bench;
using json = nlohmann::json;
using zeroipc::bench::testing::Root;

namespace {

Topology two_cores() {
    return Topology::synthetic("pack:1 l3:1(size=33554432) l2:2(size=1048576) core:1 pu:1");
}

void collect(json const& value, std::vector<json>& leaves) {
    if (!value.is_structured() || value.empty()) {
        leaves.push_back(value);
    } else {
        for (auto const& child : value) collect(child, leaves);
    }
}

std::vector<json> leaves_of(json const& value) {
    std::vector<json> leaves;
    collect(value, leaves);
    return leaves;
}

bool is_blank(json const& leaf) { return leaf.is_string() && leaf.get<std::string>().empty(); }

std::string const guest_flags = "processor : 0\nflags\t\t: fpu tsc hypervisor constant_tsc\n";

}  // namespace

TEST_CASE("what cannot be read is unknown", "[fast]") {
    Root const empty;
    auto const found = environment(Topology::synthetic("pu:2"), empty.path());
    for (char const* const key : {"virtualisation",
                                  "container",
                                  "governor",
                                  "turbo",
                                  "frequency_scaling_driver",
                                  "numa_balancing",
                                  "transparent_huge_pages",
                                  "shmem_huge_pages",
                                  "huge_pages_total",
                                  "clock_source",
                                  "autogroup",
                                  "aslr",
                                  "perf_event_paranoid",
                                  "isolated_cpus",
                                  "microcode",
                                  "mitigations",
                                  "memory_bytes",
                                  "shm_bytes",
                                  "shm_free_bytes",
                                  "swap_bytes",
                                  "nmi_watchdog",
                                  "load_average"}) {
        INFO(key);
        CHECK(found.at(key) == "unknown");
    }
    for (char const* const key : {"model", "cores", "packages", "smt", "caches", "max_mhz"}) {
        INFO(key);
        CHECK(found.at("cpu").at(key) == "unknown");
    }
    CHECK(found["cpu"]["logical"] == 2);
    CHECK(found["cpu"]["numa_nodes"] == 1);
    CHECK(found["os"] == json{{"kernel", "unknown"}, {"distribution", "unknown"}});
    CHECK(found["tsc"] == json{{"constant", "unknown"}, {"nonstop", "unknown"}});
    CHECK_FALSE(read_cpu_times(empty.path()));
}

TEST_CASE("files that are empty, folders, or nonsense are unknown too", "[fast]") {
    Root root;
    root.with("proc/cpuinfo", "").with("proc/meminfo", "MemTotal: lots\nHugePages_Total:\n");
    root.with("proc/sys/kernel/osrelease/inside", "a folder where a file should be");
    root.with("proc/sys/kernel/randomize_va_space", "two").with("proc/loadavg", "0.1 broken");
    root.with("sys/kernel/mm/transparent_hugepage/enabled", "always madvise never\n");
    root.with("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "0\n")
        .with("proc/stat", "cpu 1 2 3 4\n");
    root.with("sys/devices/system/clocksource/clocksource0/current_clocksource", "\n");
    root.with("sys/devices/system/cpu/smt/active", "maybe");
    auto const found = environment(two_cores(), root.path());
    for (char const* const key : {"memory_bytes", "huge_pages_total", "aslr", "load_average",
                                  "transparent_huge_pages", "clock_source", "microcode", "virtualisation"}) {
        INFO(key);
        CHECK(found.at(key) == "unknown");
    }
    CHECK(found["os"]["kernel"] == "unknown");
    CHECK(found["cpu"]["max_mhz"] == "unknown");
    CHECK(found["cpu"]["smt"] == "unknown");
    CHECK_FALSE(read_cpu_times(root.path()));
    for (json const& leaf : leaves_of(found)) {
        CHECK_FALSE(leaf.is_null());
        CHECK_FALSE(is_blank(leaf));
    }
}

TEST_CASE("what can be read is there, and what identifies the host is not", "[fast]") {
    Root root;
    root.with("proc/cpuinfo",
              "processor\t: 0\nmodel name\t: Planet 9000 \xc2\xae\nmicrocode\t: 0x1000065\n"
              "flags\t\t: fpu constant_tsc nonstop_tsc\nSerial\t: SECRET-CPU\n");
    root.with("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    root.with("proc/sys/kernel/osrelease", "6.1.0-9-amd64\n").with("proc/2/comm", "kthreadd\n");
    for (char const* const cpu : {"cpu0", "cpu1"}) {
        std::string const folder = std::string("sys/devices/system/cpu/") + cpu + "/cpufreq/";
        root.with(folder + "scaling_governor", cpu[3] == '0' ? "powersave\n" : "performance\n");
        root.with(folder + "scaling_driver", "intel_pstate\n");
        root.with(folder + "cpuinfo_max_freq", cpu[3] == '0' ? "3500000\n" : "900000\n");
    }
    root.with("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    root.with("proc/sys/kernel/numa_balancing", "2\n").with("proc/sys/kernel/sched_autogroup_enabled", "0\n");
    root.with("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    root.with("sys/kernel/mm/transparent_hugepage/shmem_enabled",
              "always within_size advise [never] deny force\n");
    root.with("proc/meminfo",
              "MemTotal:        1024 kB\nMemFree: 1 kB\nHugePages_Total:       0\n"
              "SwapTotal:             0 kB\n");
    root.with("proc/sys/kernel/nmi_watchdog", "1\n");
    root.with("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    root.with("proc/sys/kernel/randomize_va_space", "2\n")
        .with("proc/sys/kernel/perf_event_paranoid", "-1\n");
    root.with("sys/devices/system/cpu/isolated", "\n").with("sys/devices/system/cpu/smt/active", "0\n");
    root.with("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
    root.with("sys/devices/system/cpu/vulnerabilities/spectre_v1", "Mitigation: barriers\n");
    root.with("proc/loadavg", "0.50 1.25 2.00 1/123 4567\n").with("dev/shm/segment", "");
    root.with("proc/stat", "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
    for (char const* const secret :
         {"etc/hostname", "proc/sys/kernel/hostname", "proc/sys/kernel/random/boot_id", "etc/machine-id",
          "sys/class/dmi/id/product_serial", "sys/class/dmi/id/product_uuid", "sys/class/dmi/id/board_serial",
          "sys/class/dmi/id/chassis_asset_tag", "sys/class/net/eth0/address", "proc/version",
          "proc/cmdline"}) {
        root.with(secret, "SECRET");
    }

    auto const found = environment(two_cores(), root.path());
    CHECK(found["schema"] == "zeroipc-environment/1");
    CHECK(found["machine"] == machine_id(two_cores()));
    CHECK(found["cpu"]["model"] == "Planet 9000 ??");  // plain ASCII: the JSON is always valid
    CHECK(found["cpu"]["logical"] == 2);
    CHECK(found["cpu"]["cores"] == 2);
    CHECK(found["cpu"]["packages"] == 1);
    CHECK(found["cpu"]["smt"] == "off");
    CHECK(found["cpu"]["max_mhz"] == 3500);
    CHECK(found["cpu"]["caches"] ==
          json::parse(R"([{"level": 2, "type": "unified", "bytes": 1048576, "instances": 2},
                          {"level": 3, "type": "unified", "bytes": 33554432, "instances": 1}])"));
    CHECK(found["os"]["kernel"] == "6.1.0-9-amd64");
    CHECK(found["os"]["distribution"] == "Debian GNU/Linux 12 (bookworm)");
    CHECK(found["virtualisation"] == "none");
    CHECK(found["container"] == "no");
    CHECK(found["governor"] == "performance,powersave");
    CHECK(found["turbo"] == "off");
    CHECK(found["frequency_scaling_driver"] == "intel_pstate");
    CHECK(found["numa_balancing"] == 2);
    CHECK(found["transparent_huge_pages"] == "madvise");
    CHECK(found["shmem_huge_pages"] == "never");
    CHECK(found["huge_pages_total"] == 0);  // read, not missing
    CHECK(found["swap_bytes"] == 0);
    CHECK(found["nmi_watchdog"] == "on");
    CHECK(found["clock_source"] == "tsc");
    CHECK(found["tsc"] == json{{"constant", true}, {"nonstop", true}});
    CHECK(found["autogroup"] == "off");
    CHECK(found["aslr"] == 2);
    CHECK(found["perf_event_paranoid"] == -1);
    CHECK(found["isolated_cpus"] == "none");
    CHECK(found["microcode"] == "0x1000065");
    CHECK(found["mitigations"] == json{{"meltdown", "Not affected"}, {"spectre_v1", "Mitigation: barriers"}});
    CHECK(found["memory_bytes"] == 1024 * 1024);
    for (char const* const key : {"shm_bytes", "shm_free_bytes"})
        CHECK((found[key].is_number() || found[key] == "unknown"));
    CHECK(found["load_average"] == json{0.5, 1.25, 2.0});
    CHECK(found.dump().find("SECRET") == std::string::npos);
    CHECK(found.dump().find(root.path().string()) == std::string::npos);

    auto const times = read_cpu_times(root.path());
    REQUIRE(times);
    CHECK(times->steal == 80);
    CHECK(times->total == 360);  // guest time is in user time already
}

TEST_CASE("kinds of virtual machine", "[fast]") {
    auto const kind = [](Root const& root) {
        return environment(two_cores(), root.path())["virtualisation"].get<std::string>();
    };
    std::string const dmi = "sys/class/dmi/id/";
    std::string const clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    auto const guest = [&](std::string const& vendor, std::string const& product) {
        Root root;
        root.with("proc/cpuinfo", guest_flags).with(dmi + "sys_vendor", vendor + '\n');
        root.with(dmi + "product_name", product + '\n');
        return kind(root);
    };
    CHECK(guest("QEMU", "Standard PC (Q35 + ICH9, 2009)") == "kvm");
    CHECK(guest("Amazon EC2", "m5.large") == "kvm");
    CHECK(guest("Google", "Google Compute Engine") == "kvm");
    CHECK(guest("VMware, Inc.", "VMware7,1") == "vmware");
    CHECK(guest("innotek GmbH", "VirtualBox") == "virtualbox");
    CHECK(guest("Xen", "HVM domU") == "xen");
    CHECK(guest("Microsoft Corporation", "Virtual Machine") == "hyper-v");
    CHECK(guest("Somebody", "Something") == "yes, kind unknown");

    // A guest does not see which of its CPUs share a core of the host.
    Root no_threads;
    no_threads.with("proc/cpuinfo", guest_flags).with("sys/devices/system/cpu/smt/active", "0\n");
    CHECK(environment(two_cores(), no_threads.path())["cpu"]["smt"] == "unknown");

    Root bare;
    bare.with("proc/cpuinfo", guest_flags);
    CHECK(kind(bare) == "yes, kind unknown");
    CHECK(kind(bare.with(clocks, "tsc kvm-clock acpi_pm\n")) == "kvm");
    CHECK(kind(bare.with(clocks, "hyperv_clocksource_tsc_page acpi_pm\n")) == "hyper-v");
    CHECK(kind(bare.with("sys/hypervisor/type", "xen\n")) == "xen");

    Root metal;
    metal.with("proc/cpuinfo", "flags : fpu tsc\n").with(dmi + "sys_vendor", "Amazon EC2\n");
    CHECK(kind(metal) == "none");

    Root arm;  // no flags line there
    arm.with("proc/cpuinfo", "processor : 0\nFeatures : fp asimd\n");
    CHECK(kind(arm) == "unknown");
    CHECK(kind(arm.with("proc/device-tree/hypervisor/compatible", std::string("linux,kvm\0", 10))) == "kvm");
}

TEST_CASE("marks of a container", "[fast]") {
    for (char const* const mark : {".dockerenv", "run/.containerenv", "run/systemd/container"}) {
        Root root;
        root.with("proc/2/comm", "kthreadd\n").with(mark, "");
        CHECK(environment(two_cores(), root.path())["container"] == "yes");
    }
    Root grouped;
    grouped.with("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
    CHECK(environment(two_cores(), grouped.path())["container"] == "yes");
    Root isolated;
    isolated.with("proc/1/cgroup", "0::/\n").with("proc/2/comm", "bash\n");
    CHECK(environment(two_cores(), isolated.path())["container"] == "unknown");
}

TEST_CASE("switches of the kernel", "[fast]") {
    Root root;
    root.with("sys/devices/system/cpu/cpufreq/boost", "1\n").with("proc/sys/kernel/numa_balancing", "1\n");
    root.with("proc/cpuinfo", "flags : fpu\n").with("sys/devices/system/cpu/isolated", "2-3\n");
    auto const found = environment(Topology::synthetic("core:2 pu:2"), root.path());
    CHECK(found["turbo"] == "on");
    CHECK(found["numa_balancing"] == "on");
    CHECK(found["tsc"] == json{{"constant", false}, {"nonstop", false}});  // flags were read and lack them
    CHECK(found["isolated_cpus"] == "2-3");
    CHECK(found["cpu"]["smt"] == "on");  // the topology shows it
}

TEST_CASE("the build is recorded", "[fast]") {
    Root const empty;
    auto const build = environment(two_cores(), empty.path())["build"];
    CHECK((build["compiler"] == "gcc" || build["compiler"] == "clang"));
    CHECK(build["version"].get<std::string>().find_first_not_of("0123456789.") == std::string::npos);
    for (char const* const key : {"flags", "type", "revision", "sanitizers"})
        CHECK_FALSE(is_blank(build.at(key)));
    CHECK(build["flags"].get<std::string>().find('/') == std::string::npos);
}

TEST_CASE("machines have names that folders can have", "[fast]") {
    CHECK(machine_id(two_cores()) == "unknown-cpu-2c-1n-" + two_cores().hash());
    auto const hybrid = Topology::from_xml_file(std::string(ZEROIPC_BENCH_TEST_DATA) + "/hybrid.xml");
    CHECK(machine_id(hybrid) == "12th-gen-intel-core-i7-1260p-12c-1n-" + hybrid.hash());
    CHECK(machine_id(Topology::synthetic("pu:3")).starts_with("unknown-cpu-3c-1n-"));

    auto const named = [&](std::string const& model) {
        auto xml = hybrid.export_xml();
        std::string const old = "12th Gen Intel(R) Core(TM) i7-1260P CPU @ 2.50GHz";
        xml.replace(xml.find(old), old.size(), model);
        return machine_id(Topology::from_xml_buffer(xml, false));
    };
    auto const rest = "-12c-1n-" + hybrid.hash();
    CHECK(named("AMD EPYC") == "amd-epyc" + rest);
    CHECK(named("AMD EPYC 7R13 48-Core Processor") == "amd-epyc-7r13" + rest);
    CHECK(named("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz") == "intel-xeon-gold-6230" + rest);
    CHECK(named("../../etc (strange)  name_") == "etc-strange-name" + rest);
    CHECK(named("@@@") == "unknown-cpu" + rest);
    auto const longest = named(std::string(40, 'a') + ' ' + std::string(40, 'b'));
    CHECK(longest.size() == 64);
    CHECK(longest.ends_with("b" + rest));
    CHECK(named(std::string(47, 'a') + " b") == std::string(47, 'a') + rest);  // no two dashes at the cut
}

TEST_CASE("this machine: nothing names the host or the user", "[fast]") {
    auto const topology = Topology::this_machine();
    auto const found = environment(topology);
    CHECK_NOTHROW(found.dump());
    auto const id = found["machine"].get<std::string>();
    CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    CHECK(id.size() <= 64);
    CHECK(id.ends_with('-' + topology.hash()));
    std::vector<std::string> names;
    char host[256] = {};
    REQUIRE(gethostname(host, sizeof host - 1) == 0);
    names.emplace_back(host);
    for (char const* const variable : {"USER", "LOGNAME", "HOME"}) {
        char const* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
        if (value != nullptr) names.emplace_back(value);
    }
    // Whole values: a host may be called "vm", a user "user", and those letters stand in many words.
    for (json const& leaf : leaves_of(found)) {
        CHECK_FALSE(leaf.is_null());
        CHECK_FALSE(is_blank(leaf));
        for (std::string const& name : names) CHECK(leaf != name);
    }
    auto const times = read_cpu_times();
    if (times) {
        CHECK(times->total > 0);
        CHECK(times->steal >= 0);
        CHECK(times->steal <= times->total);
    }
}
