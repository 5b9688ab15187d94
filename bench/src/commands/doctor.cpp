#include "doctor.hpp"

#include <cstdio>
#include <initializer_list>
#include <sstream>

#include "../machine_files.hpp"
#include "zeroipc/bench/environment.hpp"

namespace zeroipc::bench {

namespace {

using nlohmann::json;
using State = Finding::State;

constexpr double most_steal = 0.01;  // of the CPU time; also what flags a run
constexpr double most_load = 0.5;
constexpr long long least_shm_bytes = 256LL << 20;
constexpr long long least_locked_bytes = 256LL << 20;
constexpr int cap_ipc_lock = 14;  // of linux/capability.h
constexpr int cap_sys_nice = 23;

std::string text_of(json const& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string mebibytes(long long bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::string decimal(double value, char const* unit = "") {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f%s", value, unit);
    return text;
}

/// A finding from what was found and whether that is good.
Finding judged(std::string check, std::string found, bool good, std::string effect, std::string remedy) {
    auto const state = found == "unknown" ? State::unknown : good ? State::ok : State::spoils;
    return {std::move(check), state, std::move(found), std::move(effect), good ? "" : std::move(remedy)};
}

bool is_one_of(std::string const& value, std::initializer_list<char const*> good) {
    for (char const* const each : good)
        if (value == each) return true;
    return false;
}

/// What the environment says under this key, and which values are good.
Finding one_of(json const& environment, char const* key, char const* check,
               std::initializer_list<char const*> good, char const* effect, std::string remedy) {
    auto found = text_of(environment.at(key));
    bool const is_good = is_one_of(found, good);
    return judged(check, std::move(found), is_good, effect, std::move(remedy));
}

Finding steal(std::filesystem::path const& root) {
    auto const times = read_cpu_times(root);
    bool const known = times && times->total > 0;
    double const share = known ? static_cast<double>(times->steal) / static_cast<double>(times->total) : 0;
    return judged(
        "steal", known ? decimal(100 * share, "% since boot") : "unknown", known && share <= most_steal,
        "the host takes the CPU away in the middle of operations",
        "move to a host with fewer guests, or give this one CPUs of its own on the host: virsh vcpupin");
}

Finding turbo(json const& environment, Files const& files) {
    return one_of(environment, "turbo", "turbo", {"off"},
                  "the clock frequency depends on heat and on what other cores do",
                  files.exists("sys/devices/system/cpu/intel_pstate/no_turbo")
                      ? "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
                      : "echo 0 > /sys/devices/system/cpu/cpufreq/boost");
}

Finding smt(json const& environment) {
    auto const found = environment.at("cpu").at("smt").get<std::string>();
    return judged("SMT", found, found == "off", "two workers may share one core's units and caches",
                  "echo off > /sys/devices/system/cpu/smt/control");
}

Finding paranoid(json const& environment) {
    auto const& level = environment.at("perf_event_paranoid");
    return judged("perf_event_paranoid", text_of(level), level.is_number() && level <= 2,
                  "no hardware counters but for root: figures without their mechanism",
                  "sysctl -w kernel.perf_event_paranoid=2  # 1 for context switches too");
}

Finding isolated(json const& environment) {
    auto const found = text_of(environment.at("isolated_cpus"));
    return judged("isolated CPUs", found, found != "none" && found != "unknown",
                  "other processes and interrupts run on the measured CPUs",
                  "boot with isolcpus=managed_irq,domain,LIST nohz_full=LIST rcu_nocbs=LIST for the CPUs "
                  "named by --cpus LIST");
}

Finding load(json const& environment) {
    auto const& averages = environment.at("load_average");
    bool const known = averages.is_array();
    double const last_minute = known ? averages.at(0).get<double>() : 0;
    return judged("load average", known ? decimal(last_minute) : "unknown", known && last_minute <= most_load,
                  "other work takes CPUs, caches and memory bandwidth",
                  "end it or wait; who it is: ps -eo pid,pcpu,comm --sort=-pcpu | head");
}

Finding clock(json const& environment, Files const& files) {
    std::string const folder = "sys/devices/system/clocksource/clocksource0/";
    bool const offered = has_word(files.text(folder + "available_clocksource").value_or(""), "tsc");
    // The others are read by a system call or over a bus.
    return one_of(environment, "clock_source", "clock source",
                  {"tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"},
                  "a time stamp costs up to microseconds; the kernel distrusts the processor's counter",
                  offered ? "echo tsc > /" + folder + "current_clocksource"
                          : "dmesg | grep -i -e tsc -e clocksource  # tells why tsc is not offered");
}

Finding swap(json const& environment) {
    auto const& bytes = environment.at("swap_bytes");
    bool const known = bytes.is_number();
    return judged("swap", known ? mebibytes(bytes.get<long long>()) : "unknown", known && bytes == 0,
                  "pages of a segment may be on disk when they are touched", "swapoff -a");
}

bool has_capability(Files const& files, int capability) {
    auto const text = files.value("proc/self/status", "CapEff", ':');
    std::uint64_t set = 0;
    return text && std::istringstream(*text) >> std::hex >> set && ((set >> capability) & 1) != 0;
}

/// This process's soft limit; a capability stands above it.
Finding limit(Files const& files, std::string const& name, char const* check, long long least, int capability,
              char const* effect, char const* remedy) {
    if (has_capability(files, capability)) return judged(check, "unlimited by privilege", true, effect, {});
    std::istringstream lines(files.text("proc/self/limits").value_or(""));
    std::string soft = "unknown";
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name)) std::istringstream(line.substr(name.size())) >> soft;
    auto const value = number<long long>(soft);
    if (!value && soft != "unlimited") soft = "unknown";
    return judged(check, soft, soft == "unlimited" || value.value_or(-1) >= least, effect, remedy);
}

long long known_bytes(json const& value) { return value.is_number() ? value.get<long long>() : -1; }

/// What cannot be read has no remedy, but a place to look.
void explain_unknown(Finding& finding) {
    if (finding.state == State::unknown)
        finding.remedy = "cannot be read here; look on the host, or as root outside of a container";
}

}  // namespace

char const* to_string(Finding::State state) noexcept {
    switch (state) {
        case State::ok:
            return "ok";
        case State::spoils:
            return "spoils";
        case State::unknown:
            break;
    }
    return "unknown";
}

Finding judge_shared_memory(long long bytes, long long free_bytes) {
    bool const known = bytes >= 0 && free_bytes >= 0;
    return judged("/dev/shm", known ? mebibytes(free_bytes) + " free of " + mebibytes(bytes) : "unknown",
                  known && free_bytes >= least_shm_bytes,
                  "segments that do not fit end a process by SIGBUS, or cannot be made",
                  "mount -o remount,size=2G /dev/shm  # and see what lies there: ls -l /dev/shm");
}

std::vector<Finding> diagnose(Topology const& topology, std::filesystem::path const& root) {
    Files const files(root);
    auto const e = environment(topology, root);
    std::vector<Finding> findings{
        one_of(e, "virtualisation", "virtualisation", {"none"},
               "the host moves virtual CPUs between cores and stops them",
               "no command mends it: use a machine of your own, or read ratios within a round only"),
        steal(root),
        one_of(e, "governor", "governor", {"performance"}, "the clock frequency follows the load",
               "cpupower frequency-set -g performance"),
        turbo(e, files),
        smt(e),
        one_of(e, "numa_balancing", "NUMA balancing", {"off"},
               "the kernel unmaps pages to see who uses them, and moves them: page faults in the window",
               "sysctl -w kernel.numa_balancing=0"),
        one_of(e, "transparent_huge_pages", "transparent huge pages", {"madvise", "never"},
               "pages of another size come and go between runs",
               "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
        paranoid(e),
        one_of(e, "autogroup", "autogroup", {"off"}, "nice has no effect between sessions",
               "sysctl -w kernel.sched_autogroup_enabled=0"),
        isolated(e),
        judge_shared_memory(known_bytes(e.at("shm_bytes")), known_bytes(e.at("shm_free_bytes"))),
        load(e),
        clock(e, files),
        swap(e),
        one_of(e, "nmi_watchdog", "NMI watchdog", {"off"},
               "it holds one hardware counter of each CPU, and interrupts",
               "sysctl -w kernel.nmi_watchdog=0"),
        limit(files, "Max locked memory", "locked memory", least_locked_bytes, cap_ipc_lock,
              "mlockall is refused",
              "ulimit -l unlimited  # after '* - memlock unlimited' in /etc/security/limits.conf"),
        limit(files, "Max realtime priority", "real-time priority", 1, cap_sys_nice,
              "SCHED_FIFO, which isolates a run on a shared machine, is refused",
              "ulimit -r 1  # after '* - rtprio 1' in /etc/security/limits.conf"),
    };
    for (auto& finding : findings) explain_unknown(finding);
    return findings;
}

}  // namespace zeroipc::bench
