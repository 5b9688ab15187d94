#pragma once
/// \file
/// The processor's and the kernel's event counters of one thread, through perf_event_open.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench {

/// cycles, instructions, cache-references and cache-misses (of the last level), branch-misses, page-faults,
/// context-switches, cpu-migrations.
std::vector<std::string> const& default_perf_events();

/// Names of a list "cycles,page-faults". Which of them exist is known once they are opened.
/// \throws std::invalid_argument on an empty name, or more than most_perf_events.
std::vector<std::string> parse_perf_events(std::string_view list);
inline constexpr std::size_t most_perf_events = 16;

/// Whether libpfm4 is in this build: then any event that it names can be asked for, else the default ones only.
bool knows_libpfm_names() noexcept;

/// One event's count, or why there is none. Trivially copyable: may lie in shared memory.
struct CounterReading {
    /// Causes beside errno's.
    static constexpr std::int32_t not_counted = -1;  ///< of an object nobody has written to
    static constexpr std::int32_t unknown_name = -2;

    std::uint64_t raw = 0;
    std::uint64_t enabled_ns = 0;  ///< while it was asked for
    std::uint64_t running_ns = 0;  ///< while a counter was at hand; less if counters were shared out in turns
    std::int32_t error = not_counted;  ///< 0: counted

    /// The count, extrapolated to the whole of enabled_ns. Nothing if there was an error, or no counter was ever at
    /// hand.
    [[nodiscard]] std::optional<std::uint64_t> value() const noexcept;
    /// Whether value() is extrapolated.
    [[nodiscard]] bool is_scaled() const noexcept { return error == 0 && running_ns < enabled_ns; }
};

/// Why a reading has no value, and what to do about it; empty if it has one. Reads perf_event_paranoid below root.
std::string why_not_counted(std::string const& event, CounterReading const& reading,
                            std::filesystem::path const& root = "/");

/// Counts events of the calling thread, in user space only; context switches and migrations, which the kernel makes,
/// in the kernel too. The events form one group, counted over the same time; what does not fit in begins
/// another. Events that cannot be opened are read with their error.
class PerfCounters {
public:
    /// \param events names; all are closed with the object.
    explicit PerfCounters(std::vector<std::string> const& events = default_perf_events());
    PerfCounters(PerfCounters const&) = delete;
    PerfCounters& operator=(PerfCounters const&) = delete;
    ~PerfCounters();

    /// Counts add up over all periods from start to stop. One system call a group.
    void start() noexcept;
    void stop() noexcept;

    /// One reading an event, in the order given. After stop().
    [[nodiscard]] std::vector<CounterReading> read() const;

private:
    struct Counter {
        int descriptor = -1;
        std::int32_t error = CounterReading::not_counted;
    };
    std::vector<Counter> counters_;
    std::vector<int> leaders_;
};

}  // namespace zeroipc::bench
