#include "../src/commands/doctor.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "../src/commands/doctor_command.hpp"
#include "root.hpp"

using namespace zeroipc::bench;
using zeroipc::bench::testing::Root;
using State = Finding::State;

namespace {

std::string const cpu = "sys/devices/system/cpu/";
std::string const clocks = "sys/devices/system/clocksource/clocksource0/";
std::string const huge = "sys/kernel/mm/transparent_hugepage/enabled";
std::string const kernel = "proc/sys/kernel/";

Topology two_cpus() { return Topology::synthetic("pu:2"); }

/// Limits as /proc/self/limits shows them, and no capability.
void limits(Root& root, std::string const& locked, std::string const& priority) {
    root.with("proc/self/limits",
              "Limit                     Soft Limit           Hard Limit           Units     \n"
              "Max locked memory         " +
                  locked + "   " + locked +
                  "   bytes     \n"
                  "Max realtime priority     " +
                  priority + "   " + priority + "   \n");
    root.with("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n");
}

struct GoodMachine : Root {
    GoodMachine() {
        auto& root = *this;
        root.with("proc/cpuinfo", "flags : fpu constant_tsc nonstop_tsc\n");
        root.with("proc/stat", "cpu 100 0 100 9800 0 0 0 0 0 0\n");
        root.with(cpu + "cpu0/cpufreq/scaling_governor", "performance\n");
        root.with(cpu + "intel_pstate/no_turbo", "1\n").with(cpu + "smt/active", "0\n");
        root.with(cpu + "isolated", "2-15\n").with(huge, "always [madvise] never\n");
        root.with(kernel + "numa_balancing", "0\n").with(kernel + "perf_event_paranoid", "1\n");
        root.with(kernel + "sched_autogroup_enabled", "0\n").with(kernel + "nmi_watchdog", "0\n");
        root.with("proc/loadavg", "0.02 0.10 0.20 1/100 1234\n").with("proc/meminfo", "SwapTotal: 0 kB\n");
        root.with(clocks + "current_clocksource", "tsc\n");
        limits(root, "unlimited", "99");
    }
};

struct BadMachine : Root {
    BadMachine() {
        auto& root = *this;
        root.with("proc/cpuinfo", "flags : fpu hypervisor\n");
        root.with(clocks + "available_clocksource", "tsc kvm-clock acpi_pm \n");
        root.with(clocks + "current_clocksource", "acpi_pm\n");
        root.with("proc/stat", "cpu 100 0 100 9500 0 0 0 300 0 0\n");
        root.with(cpu + "cpu0/cpufreq/scaling_governor", "performance\n");
        root.with(cpu + "cpu1/cpufreq/scaling_governor", "powersave\n");
        root.with(cpu + "cpufreq/boost", "1\n").with(cpu + "smt/active", "1\n");
        root.with(cpu + "isolated", "\n").with(huge, "[always] madvise never\n");
        root.with(kernel + "numa_balancing", "1\n").with(kernel + "perf_event_paranoid", "3\n");
        root.with(kernel + "sched_autogroup_enabled", "1\n").with(kernel + "nmi_watchdog", "1\n");
        root.with("proc/loadavg", "3.50 1.00 0.20 1/100 1234\n")
            .with("proc/meminfo", "SwapTotal: 2097148 kB\n");
        limits(root, "8388608", "0");
    }
};

/// Without that of /dev/shm, which a made-up tree shares with the disk it lies on.
std::vector<Finding> findings(Root const& root) {
    auto all = diagnose(two_cpus(), root.path());
    std::erase_if(all, [](auto const& finding) { return finding.check == "/dev/shm"; });
    return all;
}

Finding finding(Root const& root, std::string const& check) {
    auto const all = findings(root);
    auto const found = std::find_if(all.begin(), all.end(), [&](auto const& f) { return f.check == check; });
    REQUIRE(found != all.end());
    return *found;
}

/// What the command answers and prints.
struct Answer {
    int status = 0;
    std::string text;
};

Answer command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "doctor");
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    std::ostringstream out;
    std::ostringstream complaints;
    auto* const before = std::cout.rdbuf(out.rdbuf());
    auto* const before_errors = std::cerr.rdbuf(complaints.rdbuf());
    int const status = doctor_command(static_cast<int>(pointers.size()), pointers.data());
    std::cout.rdbuf(before);
    std::cerr.rdbuf(before_errors);
    return {status, out.str()};
}

}  // namespace

TEST_CASE("on a good machine nothing spoils", "[fast]") {
    auto const all = findings(GoodMachine());
    CHECK(all.size() == 16);
    for (auto const& finding : all) {
        INFO(finding.check << ": " << finding.found);
        CHECK(finding.state == State::ok);
        CHECK(finding.remedy.empty());
    }
}

TEST_CASE("on a bad machine everything spoils, and each says how to mend it", "[fast]") {
    for (auto const& finding : findings(BadMachine())) {
        INFO(finding.check << ": " << finding.found);
        CHECK(finding.state == State::spoils);
        CHECK_FALSE(finding.effect.empty());
        CHECK_FALSE(finding.remedy.empty());
    }
}

TEST_CASE("where nothing can be read, all is unknown", "[fast]") {
    Root const empty;
    auto const all = diagnose(two_cpus(), empty.path());
    CHECK(all.size() == 17);
    for (auto const& finding : all) {
        INFO(finding.check);
        CHECK(finding.state == State::unknown);
        CHECK(finding.found == "unknown");
        CHECK_FALSE(finding.remedy.empty());
    }
}

TEST_CASE("remedies fit the machine", "[fast]") {
    BadMachine root;
    CHECK(finding(root, "turbo").remedy == "echo 0 > /" + cpu + "cpufreq/boost");
    root.with(cpu + "intel_pstate/no_turbo", "0\n");
    CHECK(finding(root, "turbo").state == State::spoils);
    CHECK(finding(root, "turbo").remedy == "echo 1 > /" + cpu + "intel_pstate/no_turbo");
    CHECK(finding(root, "clock source").remedy == "echo tsc > /" + clocks + "current_clocksource");
    root.with(clocks + "available_clocksource", "acpi_pm\n");
    CHECK(finding(root, "clock source").remedy.starts_with("dmesg"));
}

TEST_CASE("values are judged, not their presence", "[fast]") {
    GoodMachine root;
    root.with(kernel + "perf_event_paranoid", "2\n");
    CHECK(finding(root, "perf_event_paranoid").state == State::ok);
    root.with(kernel + "perf_event_paranoid", "-1\n");
    CHECK(finding(root, "perf_event_paranoid").state == State::ok);
    root.with(kernel + "numa_balancing", "2\n");
    CHECK(finding(root, "NUMA balancing").state == State::spoils);
    root.with(clocks + "current_clocksource", "kvm-clock\n");
    CHECK(finding(root, "clock source").state == State::ok);
    root.with("proc/stat", "cpu 100 0 100 9701 0 0 0 99 0 0\n");
    CHECK(finding(root, "steal").state == State::ok);
    CHECK(finding(root, "steal").found == "0.99% since boot");
    root.with("proc/loadavg", "nonsense\n");
    CHECK(finding(root, "load average").state == State::unknown);
}

TEST_CASE("limits, and the privileges above them", "[fast]") {
    BadMachine root;
    CHECK(finding(root, "locked memory").found == "8388608");
    limits(root, "536870912", "1");
    CHECK(finding(root, "locked memory").state == State::ok);
    CHECK(finding(root, "real-time priority").state == State::ok);
    limits(root, "0", "0");
    root.with("proc/self/status", "CapEff:\t0000000000804000\n");  // to lock, and to rule priorities
    CHECK(finding(root, "locked memory").state == State::ok);
    CHECK(finding(root, "real-time priority").state == State::ok);
    root.with("proc/self/status", "CapEff:\t0000000000800000\n");
    CHECK(finding(root, "locked memory").state == State::spoils);
    CHECK(finding(root, "real-time priority").state == State::ok);
    limits(root, "lots", "many");
    CHECK(finding(root, "locked memory").state == State::unknown);
}

TEST_CASE("room in /dev/shm", "[fast]") {
    long long const gibibyte = 1LL << 30;
    CHECK(judge_shared_memory(gibibyte, gibibyte).state == State::ok);
    auto const full = judge_shared_memory(gibibyte, 64LL << 20);
    CHECK(full.state == State::spoils);
    CHECK(full.found == "64 MiB free of 1024 MiB");
    CHECK(judge_shared_memory(gibibyte, 0).state == State::spoils);
    CHECK(judge_shared_memory(-1, gibibyte).state == State::unknown);
    CHECK(judge_shared_memory(gibibyte, -1).state == State::unknown);
}

TEST_CASE("the command prints a line a finding, or JSON, and its status says whether anything spoils",
          "[fast]") {
    BadMachine const bad;
    auto const lines = command({"--root", bad.path().string()});
    CHECK(lines.status == 1);
    CHECK(std::count(lines.text.begin(), lines.text.end(), '\n') == 17);
    CHECK_THAT(lines.text, Catch::Matchers::Contains(
                               "spoils   swap: 2047 MiB; pages of a segment may be on disk when they are "
                               "touched  ->  swapoff -a\n"));

    GoodMachine const good;
    Root const empty;
    for (auto const& root : {bad.path(), good.path(), empty.path()}) {
        auto const answer = command({"--json", "--root", root.string()});
        auto const document = nlohmann::json::parse(answer.text);
        CHECK(document.at("schema") == "zeroipc-doctor/1");
        CHECK(document.at("findings").size() == 17);
        long spoilers = 0;
        for (auto const& finding : document.at("findings")) {
            spoilers += finding.at("state") == "spoils" ? 1 : 0;
            CHECK(finding.at("remedy").is_null() == (finding.at("state") == "ok"));
        }
        CHECK(document.at("spoils") == spoilers);
        CHECK(answer.status == (spoilers == 0 ? 0 : 1));
    }
    CHECK(command({"--no-such-option"}).status == 2);
    CHECK(command({"--root", (empty.path() / "nowhere").string()}).status == 2);
}
