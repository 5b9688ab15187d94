#include "zeroipc/bench/perf_counters.hpp"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef ZEROIPC_HAS_LIBPFM
#include <perfmon/pfmlib_perf_event.h>  // has the kernel's definitions too
#else
#include <linux/perf_event.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "../machine_files.hpp"

namespace zeroipc::bench {

namespace {

struct Generic {
    char const* name;
    std::uint32_t type;
    std::uint64_t config;
};
constexpr std::array<Generic, 8> generic{{
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {"cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
    {"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    {"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {"context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
    {"cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS},
}};

std::string generic_names() {
    std::string names;
    for (auto const& event : generic) names += (names.empty() ? "" : ", ") + std::string(event.name);
    return names;
}

/// Writes type and configuration. \return false for a name that nobody knows.
bool encode([[maybe_unused]] std::string const& event, perf_event_attr& attributes) {
    for (auto const& known : generic) {
        if (event != known.name) continue;
        attributes.type = known.type;
        attributes.config = known.config;
        return true;
    }
#ifdef ZEROIPC_HAS_LIBPFM
    static bool const ready = pfm_initialize() == PFM_SUCCESS;
    pfm_perf_encode_arg_t argument{};
    argument.attr = &attributes;
    argument.size = sizeof argument;
    return ready &&
           pfm_get_os_event_encoding(event.c_str(), PFM_PLM3, PFM_OS_PERF_EVENT, &argument) == PFM_SUCCESS;
#else
    return false;
#endif
}

/// The kernel makes these itself: counted in user space only, they would always be 0.
bool happens_in_kernel(perf_event_attr const& attributes) {
    return attributes.type == PERF_TYPE_SOFTWARE && (attributes.config == PERF_COUNT_SW_CONTEXT_SWITCHES ||
                                                     attributes.config == PERF_COUNT_SW_CPU_MIGRATIONS);
}

/// \return a descriptor, or -1 and errno.
int open_event(perf_event_attr attributes, int leader) {
    attributes.size = sizeof attributes;
    if (leader < 0) attributes.disabled = 1;  // members follow their leader
    attributes.exclude_hv = 1;
    attributes.exclude_kernel = happens_in_kernel(attributes) ? 0 : 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, leader, PERF_FLAG_FD_CLOEXEC));
}

std::string not_permitted(std::string const& event, std::filesystem::path const& root) {
    auto const paranoid = Files(root).text("proc/sys/kernel/perf_event_paranoid").value_or("unknown");
    perf_event_attr attributes{};
    char const* const most = encode(event, attributes) && happens_in_kernel(attributes) ? "1" : "2";
    return "not permitted: kernel.perf_event_paranoid is " + paranoid + ", and this event needs at most " +
           most + " (sysctl -w kernel.perf_event_paranoid=" + most +
           "), or root; a container may forbid it altogether";
}

}  // namespace

std::vector<std::string> const& default_perf_events() {
    static auto const names = [] {
        std::vector<std::string> result;
        for (auto const& event : generic) result.emplace_back(event.name);
        return result;
    }();
    return names;
}

std::vector<std::string> parse_perf_events(std::string_view list) {
    std::vector<std::string> names;
    for (std::size_t begin = 0; begin <= list.size();) {
        auto const end = std::min(list.find(',', begin), list.size());
        names.push_back(trimmed(list.substr(begin, end - begin)));
        if (names.back().empty())
            throw std::invalid_argument("an empty name in the list of events '" + std::string(list) +
                                        "'; use for example cycles,page-faults");
        begin = end + 1;
    }
    if (names.size() > most_perf_events)
        throw std::invalid_argument(std::to_string(names.size()) + " events; use at most " +
                                    std::to_string(most_perf_events));
    return names;
}

bool knows_libpfm_names() noexcept {
#ifdef ZEROIPC_HAS_LIBPFM
    return true;
#else
    return false;
#endif
}

std::optional<std::uint64_t> CounterReading::value() const noexcept {
    if (error != 0 || running_ns == 0) return std::nullopt;
    if (!is_scaled()) return raw;
    auto const share = static_cast<long double>(enabled_ns) / static_cast<long double>(running_ns);
    return static_cast<std::uint64_t>(std::llround(static_cast<long double>(raw) * share));
}

std::string why_not_counted(std::string const& event, CounterReading const& reading,
                            std::filesystem::path const& root) {
    if (reading.value()) return {};
    switch (reading.error) {
        case 0:
            return "no counter was free while it was asked for: ask for fewer events, or stop the NMI "
                   "watchdog "
                   "(sysctl -w kernel.nmi_watchdog=0)";
        case CounterReading::not_counted:
            return "nobody counted it";
        case CounterReading::unknown_name:
            return knows_libpfm_names() ? "libpfm4 knows no event of this name on this machine"
                                        : "this build has no libpfm4 (libpfm4-dev) and knows generic events "
                                          "only: " +
                                              generic_names();
        case EACCES:
        case EPERM:
            return not_permitted(event, root);
        case ENOENT:
        case ENODEV:
        case EOPNOTSUPP:
            return "this machine has no hardware counters, or none for this event";
        case ENOSYS:
            return "this kernel has no performance events";
        default:
            return "the kernel refuses it: " + std::generic_category().message(reading.error);
    }
}

PerfCounters::PerfCounters(std::vector<std::string> const& events) {
    counters_.reserve(events.size());
    leaders_.reserve(events.size());
    for (auto const& event : events) {
        auto& counter = counters_.emplace_back();
        perf_event_attr attributes{};
        if (!encode(event, attributes)) {
            counter.error = CounterReading::unknown_name;
            continue;
        }
        int const leader = leaders_.empty() ? -1 : leaders_.back();
        counter.descriptor = open_event(attributes, leader);
        // A group that would exceed the processor's counters is refused as an invalid argument.
        if (counter.descriptor < 0 && leader >= 0 && (errno == EINVAL || errno == ENOSPC)) {
            counter.descriptor = open_event(attributes, -1);
            if (counter.descriptor >= 0) leaders_.push_back(counter.descriptor);
        } else if (counter.descriptor >= 0 && leader < 0) {
            leaders_.push_back(counter.descriptor);
        }
        counter.error = counter.descriptor < 0 ? errno : 0;
    }
}

PerfCounters::~PerfCounters() {
    for (auto const& counter : counters_)
        if (counter.descriptor >= 0) ::close(counter.descriptor);
}

void PerfCounters::start() noexcept {
    for (int const leader : leaders_) ::ioctl(leader, PERF_EVENT_IOC_ENABLE, 0);
}

void PerfCounters::stop() noexcept {
    for (int const leader : leaders_) ::ioctl(leader, PERF_EVENT_IOC_DISABLE, 0);
}

std::vector<CounterReading> PerfCounters::read() const {
    std::vector<CounterReading> readings;
    readings.reserve(counters_.size());
    for (auto const& counter : counters_) {
        CounterReading reading;
        reading.error = counter.error;
        if (counter.error == 0) {
            std::array<std::uint64_t, 3> fields{};  // as read_format orders them
            auto const bytes = ::read(counter.descriptor, fields.data(), sizeof fields);
            if (bytes == static_cast<ssize_t>(sizeof fields)) {
                reading.raw = fields[0];
                reading.enabled_ns = fields[1];
                reading.running_ns = fields[2];
            } else {
                reading.error = bytes < 0 ? errno : EIO;
            }
        }
        readings.push_back(reading);
    }
    return readings;
}

}  // namespace zeroipc::bench
