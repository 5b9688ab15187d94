#include "zeroipc/bench/environment.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "machine_files.hpp"

// The build defines these: see bench/placement.cmake.
#ifndef ZEROIPC_BUILD_FLAGS
#define ZEROIPC_BUILD_FLAGS "unknown"
#endif
#ifndef ZEROIPC_BUILD_TYPE
#define ZEROIPC_BUILD_TYPE "unknown"
#endif
#ifndef ZEROIPC_BUILD_SANITIZERS
#define ZEROIPC_BUILD_SANITIZERS "unknown"
#endif
#ifndef ZEROIPC_REVISION
#define ZEROIPC_REVISION "unknown"
#endif

namespace zeroipc::bench {

namespace {

using json = nlohmann::json;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

json or_unknown(Text const& text) { return text && !text->empty() ? json(*text) : json("unknown"); }

/// Counts below the least that can be true are what a source says that does not know.
json count_or_unknown(long long count, long long least) {
    return count >= least ? json(count) : json("unknown");
}

json number_or_unknown(Text const& text) {
    auto const value = number<long long>(text);
    return value ? json(*value) : json("unknown");
}

/// The kernel's 1 and 0; another number stands as it is, for the reader to look up.
json switch_or_unknown(Text const& text, char const* one, char const* zero) {
    if (text == "1") return one;
    if (text == "0") return zero;
    return number_or_unknown(text);
}

std::string joined(std::set<std::string> const& values) {
    std::string text;
    for (std::string const& value : values) text += (text.empty() ? "" : ",") + value;
    return text;
}

/// What the kernel puts in brackets: "always [madvise] never".
Text selected(Text const& text) {
    if (!text) return std::nullopt;
    auto const open = text->find('[');
    auto const close = text->find(']', open == std::string::npos ? 0 : open);
    if (open == std::string::npos || close == std::string::npos) return std::nullopt;
    return text->substr(open + 1, close - open - 1);
}

json os_section(Files const& files) {
    auto distribution = files.value("etc/os-release", "PRETTY_NAME", '=');
    if (!distribution) distribution = files.value("usr/lib/os-release", "PRETTY_NAME", '=');
    if (distribution) std::erase(*distribution, '"');
    return {{"kernel", or_unknown(files.text("proc/sys/kernel/osrelease"))},
            {"distribution", or_unknown(distribution)}};
}

/// Which hypervisor the firmware's tables name, if any. Their serial numbers are never read.
Text hypervisor_of_firmware(Files const& files) {
    static constexpr std::array<std::pair<std::string_view, char const*>, 13> marks{{
        {"kvm", "kvm"},
        {"qemu", "kvm"},  // or plain emulation, which nobody measures on
        {"amazon ec2", "kvm"},
        {"google compute engine", "kvm"},
        {"openstack", "kvm"},
        {"rhev", "kvm"},
        {"firecracker", "kvm"},
        {"vmware", "vmware"},
        {"virtualbox", "virtualbox"},
        {"xen", "xen"},
        {"microsoft corporation virtual machine", "hyper-v"},
        {"parallels", "parallels"},
        {"bhyve", "bhyve"},
    }};
    auto const dmi = [&](char const* name) {
        return files.text(std::string("sys/class/dmi/id/") + name).value_or("");
    };
    auto const product = lower(dmi("sys_vendor") + ' ' + dmi("product_name"));
    for (auto const& [mark, kind] : marks) {
        if (product.find(mark) != std::string::npos) return kind;
    }
    return std::nullopt;
}

std::string virtualisation(Files const& files) {
    auto const flags = files.value("proc/cpuinfo", "flags", ':');  // only x86 has that line
    bool const guest = flags && has_word(*flags, "hypervisor");
    if (files.text("sys/hypervisor/type") == "xen") return "xen";  // the privileged domain shows no flag
    if (flags && !guest) return "none";  // bare metal rented from a cloud names the cloud in its firmware too
    if (auto const kind = hypervisor_of_firmware(files)) return *kind;
    if (auto const tree = files.text("proc/device-tree/hypervisor/compatible")) {
        if (tree->find("kvm") != std::string::npos) return "kvm";
        if (tree->find("xen") != std::string::npos) return "xen";
        return "yes, kind unknown";
    }
    if (!guest) return "unknown";
    auto const clocks =
        files.text("sys/devices/system/clocksource/clocksource0/available_clocksource").value_or("");
    if (has_word(clocks, "kvm-clock")) return "kvm";
    if (clocks.find("hyperv") != std::string::npos) return "hyper-v";
    return "yes, kind unknown";
}

/// "off" is believed only outside a virtual machine: a guest does not see which of its CPUs share a core of
/// the host.
std::string smt(Topology const& topology, Files const& files) {
    auto const active = files.text("sys/devices/system/cpu/smt/active");
    if (active == "1" || (!active && topology.threads_per_core() > 1)) return "on";
    auto const kind = virtualisation(files);
    return active == "0" && (kind == "none" || kind == "unknown") ? "off" : "unknown";
}

json cpu_section(Topology const& topology, Files const& files) {
    auto const model = files.value("proc/cpuinfo", "model name", ':');
    json caches = json::array();
    for (CacheLevel const& cache : topology.caches()) {
        caches.push_back({{"level", cache.level},
                          {"type", cache.unified ? "unified" : "data"},
                          {"bytes", count_or_unknown(cache.bytes, 1)},
                          {"instances", count_or_unknown(cache.instances, 1)}});
    }
    long long max_khz = -1;
    for (std::string const& khz : files.cpufreq("cpuinfo_max_freq")) {
        max_khz = std::max(max_khz, number<long long>(khz).value_or(-1));
    }
    return {{"model", model && !model->empty() ? *model : topology.cpu_model()},
            {"logical", count_or_unknown(topology.logical_cpus(), 1)},
            {"cores", count_or_unknown(topology.cores(), 1)},
            {"packages", count_or_unknown(topology.packages(), 1)},
            {"numa_nodes", count_or_unknown(topology.numa_nodes(), 1)},
            {"smt", smt(topology, files)},
            {"caches", caches.empty() ? json("unknown") : caches},
            {"max_mhz", count_or_unknown(max_khz / 1000, 1)}};
}

std::string container(Files const& files) {
    for (char const* const mark : {".dockerenv", "run/.containerenv", "run/systemd/container"}) {
        if (files.exists(mark)) return "yes";
    }
    auto const groups = files.text("proc/1/cgroup").value_or("");
    for (char const* const mark : {"docker", "kubepods", "containerd", "lxc", "libpod"}) {
        if (groups.find(mark) != std::string::npos) return "yes";
    }
    // Only outside every process namespace is process 2 the kernel's own.
    return files.text("proc/2/comm") == "kthreadd" ? "no" : "unknown";
}

json turbo(Files const& files) {
    if (auto const off = files.text("sys/devices/system/cpu/intel_pstate/no_turbo")) {
        return switch_or_unknown(off, "off", "on");
    }
    return switch_or_unknown(files.text("sys/devices/system/cpu/cpufreq/boost"), "on", "off");
}

json tsc(Files const& files) {
    auto const flags = files.value("proc/cpuinfo", "flags", ':');
    auto const flag = [&](char const* name) {
        return flags ? json(has_word(*flags, name)) : json("unknown");
    };
    return {{"constant", flag("constant_tsc")}, {"nonstop", flag("nonstop_tsc")}};
}

json isolated_cpus(Files const& files) {
    auto const text = files.text("sys/devices/system/cpu/isolated");
    return text && text->empty() ? json("none") : or_unknown(text);  // an empty file is an answer
}

json mitigations(Files const& files) {
    std::filesystem::path const folder = "sys/devices/system/cpu/vulnerabilities";
    json result = json::object();
    for (std::string const& name : files.list(folder.string()))
        result[name] = or_unknown(files.text((folder / name).string()));
    return result.empty() ? json("unknown") : result;
}

json kibibytes_as_bytes(Text value) {
    if (value && value->ends_with(" kB")) value->resize(value->size() - 3);
    auto const kib = number<long long>(value);
    return kib ? json(*kib * 1024) : json("unknown");
}

/// All that /dev/shm can hold, and what of it is free to us.
std::pair<json, json> shm_bytes(Files const& files) {
    struct statvfs status {};
    // 0 blocks: a filesystem without a limit, not one without room.
    if (statvfs((files.root() / "dev/shm").c_str(), &status) != 0 || status.f_blocks == 0)
        return {"unknown", "unknown"};
    auto const bytes = [&](fsblkcnt_t blocks) {
        return static_cast<long long>(blocks) * static_cast<long long>(status.f_frsize);
    };
    return {bytes(status.f_blocks), bytes(status.f_bavail)};
}

json load_average(Files const& files) {
    std::istringstream text(files.text("proc/loadavg").value_or(""));
    std::array<double, 3> loads{};
    return text >> loads[0] >> loads[1] >> loads[2] ? json(loads) : json("unknown");
}

/// Flags may name folders of whoever built: what follows a slash is not for publishing.
std::string without_paths(std::string const& flags) {
    std::istringstream words(flags);
    std::string result;
    for (std::string word; words >> word;) {
        if (auto const slash = word.find('/'); slash != std::string::npos)
            word = word.substr(0, slash) + "<path>";
        result += (result.empty() ? "" : " ") + word;
    }
    return result;
}

json build_section() {
#if defined(__clang__)
    std::string const compiler = "clang";
    std::string const version = std::to_string(__clang_major__) + '.' + std::to_string(__clang_minor__) +
                                '.' + std::to_string(__clang_patchlevel__);
#elif defined(__GNUC__)
    std::string const compiler = "gcc";
    std::string const version = std::to_string(__GNUC__) + '.' + std::to_string(__GNUC_MINOR__) + '.' +
                                std::to_string(__GNUC_PATCHLEVEL__);
#else
    std::string const compiler = "unknown";
    std::string const version = "unknown";
#endif
    constexpr bool unsanitized = sizeof(ZEROIPC_BUILD_SANITIZERS) == 1;  // empty: the build says so
    return {{"compiler", compiler},
            {"version", version},
            {"flags", or_unknown(without_paths(ZEROIPC_BUILD_FLAGS))},
            {"type", or_unknown(ZEROIPC_BUILD_TYPE)},
            {"revision", or_unknown(ZEROIPC_REVISION)},
            {"sanitizers", unsanitized ? "none" : ZEROIPC_BUILD_SANITIZERS}};
}

/// Words of a model name that tell nothing: "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz" becomes
/// "intel-xeon-gold-6230".
std::string model_slug(std::string model) {
    model = lower(std::move(model));
    model.resize(std::min(model.find('@'), model.size()));
    for (std::string_view const mark : {"(r)", "(tm)", "(c)"}) {
        for (auto at = model.find(mark); at != std::string::npos; at = model.find(mark)) {
            model.replace(at, mark.size(), 1, ' ');
        }
    }
    std::istringstream words(model);
    std::string slug;
    for (std::string word; words >> word;) {
        if (word == "cpu" || word == "processor" || word.ends_with("-core")) continue;
        slug += '-';
        for (char const c : word) slug += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
    }
    slug.erase(std::unique(slug.begin(), slug.end(), [](char a, char b) { return a == '-' && b == '-'; }),
               slug.end());
    slug.erase(0, slug.find_first_not_of('-'));
    return slug.empty() || slug == "unknown" ? "unknown-cpu" : slug;
}

}  // namespace

json environment(Topology const& topology, std::filesystem::path const& root) {
    Files const files(root);
    auto const text = [&](char const* name) { return files.text(name); };
    auto const [shm, shm_free] = shm_bytes(files);
    auto microcode = files.value("proc/cpuinfo", "microcode", ':');
    if (!microcode) microcode = text("sys/devices/system/cpu/cpu0/microcode/version");
    return {
        {"schema", "zeroipc-environment/1"},
        {"machine", machine_id(topology)},
        {"cpu", cpu_section(topology, files)},
        {"os", os_section(files)},
        {"virtualisation", virtualisation(files)},
        {"container", container(files)},
        {"governor", or_unknown(joined(files.cpufreq("scaling_governor")))},
        {"turbo", turbo(files)},
        {"frequency_scaling_driver", or_unknown(joined(files.cpufreq("scaling_driver")))},
        {"numa_balancing", switch_or_unknown(text("proc/sys/kernel/numa_balancing"), "on", "off")},
        {"transparent_huge_pages", or_unknown(selected(text("sys/kernel/mm/transparent_hugepage/enabled")))},
        {"shmem_huge_pages", or_unknown(selected(text("sys/kernel/mm/transparent_hugepage/shmem_enabled")))},
        {"huge_pages_total", number_or_unknown(files.value("proc/meminfo", "HugePages_Total", ':'))},
        {"clock_source", or_unknown(text("sys/devices/system/clocksource/clocksource0/current_clocksource"))},
        {"tsc", tsc(files)},
        {"autogroup", switch_or_unknown(text("proc/sys/kernel/sched_autogroup_enabled"), "on", "off")},
        {"aslr", number_or_unknown(text("proc/sys/kernel/randomize_va_space"))},
        {"perf_event_paranoid", number_or_unknown(text("proc/sys/kernel/perf_event_paranoid"))},
        {"nmi_watchdog", switch_or_unknown(text("proc/sys/kernel/nmi_watchdog"), "on", "off")},
        {"isolated_cpus", isolated_cpus(files)},
        {"microcode", or_unknown(microcode)},
        {"mitigations", mitigations(files)},
        {"memory_bytes", kibibytes_as_bytes(files.value("proc/meminfo", "MemTotal", ':'))},
        {"swap_bytes", kibibytes_as_bytes(files.value("proc/meminfo", "SwapTotal", ':'))},
        {"shm_bytes", shm},
        {"shm_free_bytes", shm_free},
        {"load_average", load_average(files)},
        {"build", build_section()}};
}

std::string machine_id(Topology const& topology) {
    int const cores = topology.cores() > 0 ? topology.cores() : topology.logical_cpus();
    std::ostringstream rest;
    rest << '-' << cores << "c-" << topology.numa_nodes() << "n-" << topology.hash();
    std::string slug = model_slug(topology.cpu_model());
    constexpr std::size_t longest = 64;
    slug.resize(std::min(slug.size(), longest - rest.str().size()));
    slug.erase(slug.find_last_not_of('-') + 1);
    return slug + rest.str();
}

std::optional<CpuTimes> read_cpu_times(std::filesystem::path const& root) {
    std::istringstream text(Files(root).text("proc/stat").value_or(""));
    std::string label;
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time, which follows, is in user already.
    std::array<long, 8> fields{};
    if (!(text >> label) || label != "cpu") return std::nullopt;
    CpuTimes times;
    for (long& field : fields) {
        if (!(text >> field)) return std::nullopt;
        times.total += field;
    }
    times.steal = fields.back();
    return times;
}

}  // namespace zeroipc::bench
