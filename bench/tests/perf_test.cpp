#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <type_traits>

#include "child.hpp"
#include "root.hpp"
#include "zeroipc/bench/perf_counters.hpp"

using namespace zeroipc::bench;
using namespace zeroipc::bench::testing;
using Catch::Matchers::Contains;
using Names = std::vector<std::string>;

static_assert(std::is_trivially_copyable_v<CounterReading>);

namespace {

CounterReading failed(int error) {
    CounterReading reading;
    reading.error = error;
    return reading;
}

CounterReading counted(std::uint64_t raw, std::uint64_t enabled, std::uint64_t running) {
    return {raw, enabled, running, 0};
}

/// Touches fresh pages: as many page faults.
void touch(int pages) {
    auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    auto const bytes = page * static_cast<std::size_t>(pages);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    ::madvise(memory, bytes, MADV_NOHUGEPAGE);
    for (std::size_t at = 0; at < bytes; at += page) static_cast<char volatile*>(memory)[at] = 1;
    ::munmap(memory, bytes);
}

}  // namespace

TEST_CASE("page faults are counted between start and stop, and only there", "[fast]") {
    PerfCounters counters({"page-faults"});
    touch(5000);
    counters.start();
    touch(200);
    counters.stop();
    touch(5000);
    auto const reading = counters.read().at(0);
    if (!reading.value()) {  // a container may forbid it all
        CHECK_THAT(why_not_counted("page-faults", reading),
                   Contains("permitted") || Contains("no performance"));
        return;
    }
    CHECK(*reading.value() >= 200);
    CHECK(*reading.value() < 2000);  // a sanitizer's shadow has faults of its own
    CHECK(reading.enabled_ns > 0);
    CHECK_FALSE(reading.is_scaled());
    counters.start();
    touch(100);
    counters.stop();
    CHECK(*counters.read().at(0).value() >= 300);
}

TEST_CASE("context switches are counted though the kernel makes them", "[fast]") {
    PerfCounters counters({"context-switches", "page-faults"});
    counters.start();
    for (int i = 0; i < 5; ++i) ::usleep(100);
    counters.stop();
    auto const readings = counters.read();
    REQUIRE(readings.size() == 2);
    if (readings[0].value()) {
        CHECK(*readings[0].value() >= 5);
    } else {
        CHECK_THAT(why_not_counted("context-switches", readings[0]), Contains("at most 1"));
    }
}

TEST_CASE("each default event has a count or a reason", "[fast]") {
    auto const& events = default_perf_events();
    CHECK(events.size() == 8);
    PerfCounters counters;
    counters.start();
    touch(10);
    counters.stop();
    auto const readings = counters.read();
    REQUIRE(readings.size() == events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        INFO(events[i]);
        CHECK(readings[i].value().has_value() == why_not_counted(events[i], readings[i]).empty());
    }
}

TEST_CASE("names of libpfm4", "[fast]") {
    Names const events{"PERF_COUNT_SW_PAGE_FAULTS", "page-faults", "no-such-event"};
    PerfCounters counters(events);
    counters.start();
    touch(100);
    counters.stop();
    auto const readings = counters.read();
    CHECK(readings[2].error == CounterReading::unknown_name);
    if (!knows_libpfm_names()) {
        CHECK(readings[0].error == CounterReading::unknown_name);
        CHECK_THAT(why_not_counted(events[0], readings[0]), Contains("libpfm4-dev") && Contains("cycles"));
    } else {
        CHECK_THAT(why_not_counted(events[2], readings[2]), Contains("knows no event"));
        CHECK(readings[0].value() == readings[1].value());  // one group: counted over the same time
    }
}

TEST_CASE("a count is extrapolated to the time that it was asked for", "[fast]") {
    CHECK(*counted(1000, 50, 50).value() == 1000);
    CHECK_FALSE(counted(1000, 50, 50).is_scaled());
    CHECK(*counted(1000, 100, 25).value() == 4000);
    CHECK(counted(1000, 100, 25).is_scaled());
    CHECK(*counted(std::uint64_t{1} << 50, 2'000'000'000, 1'000'000'000).value() == std::uint64_t{1} << 51);
    CHECK(*counted(0, 100, 100).value() == 0);
}

TEST_CASE("what was not counted says why and what to do", "[fast]") {
    Root root;
    root.with("proc/sys/kernel/perf_event_paranoid", "4\n");
    auto const why = [&](int error, std::string const& event = "cycles") {
        CHECK_FALSE(failed(error).value());
        return why_not_counted(event, failed(error), root.path());
    };
    for (int const error : {EACCES, EPERM}) {
        CHECK_THAT(why(error), Contains("perf_event_paranoid is 4") &&
                                   Contains("sysctl -w kernel.perf_event_paranoid=2"));
        CHECK_THAT(why(error, "context-switches"), Contains("kernel.perf_event_paranoid=1"));
    }
    Root const empty;
    CHECK_THAT(why_not_counted("cycles", failed(EACCES), empty.path()), Contains("paranoid is unknown"));
    for (int const error : {ENOENT, ENODEV, EOPNOTSUPP})
        CHECK_THAT(why(error), Contains("this machine has no hardware counters"));
    CHECK_THAT(why(ENOSYS), Contains("no performance events"));
    CHECK_THAT(why(EMFILE), Contains("refuses"));
    CHECK_THAT(why(CounterReading::not_counted), Contains("nobody"));
    CHECK_FALSE(counted(5, 100, 0).value());
    CHECK_THAT(why_not_counted("cycles", counted(5, 100, 0)), Contains("no counter was free"));
    CHECK(why_not_counted("cycles", counted(5, 100, 100)).empty());
}

TEST_CASE("an ordinary user gets a count or the reason", "[fast]") {
    auto const status = status_of_child([] {
        if (!drop_privileges()) return not_possible;
        PerfCounters counters({"context-switches"});
        counters.start();
        ::usleep(100);
        counters.stop();
        auto const reading = counters.read().at(0);
        auto const why = why_not_counted("context-switches", reading);
        if (reading.value()) return *reading.value() >= 1 ? 0 : 1;
        return why.find("perf_event_paranoid is ") != std::string::npos ? 0 : 2;
    });
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == not_possible) return;
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("lists of events", "[fast]") {
    CHECK(parse_perf_events("cycles") == Names{"cycles"});
    CHECK(parse_perf_events(" cycles, L1D:REPLACEMENT ,x") == Names{"cycles", "L1D:REPLACEMENT", "x"});
    for (char const* const wrong : {"", " ", "a,", ",a", "a,,b"})
        CHECK_THROWS_WITH(parse_perf_events(wrong), Contains("empty name"));
    CHECK_THROWS_WITH(parse_perf_events("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), Contains("17 events"));
    CHECK(parse_perf_events("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p").size() == most_perf_events);
}
