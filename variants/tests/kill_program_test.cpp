/// \file
/// zeroipc-kill as its users have it: real processes, real signals.

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kill_figures.hpp"
#include "zeroipc_testing.hpp"

namespace {

using namespace zeroipc::testing;
using Catch::Contains;

/// The program, started as the leader of a group of processes, so that all of them can be found. Its files go with it.
class program {
public:
    explicit program(std::vector<std::string> arguments)
        : it_([&] {
              ::setpgid(0, 0);
              std::signal(SIGHUP, SIG_DFL);
              for (int const n : {1, 2}) {
                  int const file = ::open((n == 1 ? out_ : err_).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
                  if (file < 0 || ::dup2(file, n) != n) return 125;
              }
              arguments.insert(arguments.begin(), ZEROIPC_KILL_PROGRAM);
              std::vector<char*> pointers;
              for (auto& one : arguments) pointers.push_back(one.data());
              pointers.push_back(nullptr);
              ::execv(ZEROIPC_KILL_PROGRAM, pointers.data());
              return 126;
          }),
          group_(it_.pid()) {}
    program(program const&) = delete;
    program& operator=(program const&) = delete;
    program(program&&) = delete;
    program& operator=(program&&) = delete;
    ~program() {
        for (auto const& one : {out_, err_, json_}) ::unlink(one.c_str());
    }

    child& process() { return it_; }
    [[nodiscard]] pid_t group() const { return group_; }
    [[nodiscard]] std::string out() const { return text_of(out_); }
    [[nodiscard]] std::string err() const { return text_of(err_); }
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(text_of(json_)); }

    /// A file for this test's next program.
    static std::string json_file() { return scratch("json"); }

private:
    static std::string scratch(char const* what) {
        return "/tmp/zeroipc-kill-test-" + std::to_string(::getpid()) + "." + what;
    }
    std::string out_ = scratch("out");
    std::string err_ = scratch("err");
    std::string json_ = scratch("json");
    child it_;
    pid_t group_;
};

/// No process of it is there, and no segment.
void check_clean(program const& p) {
    until([&] { return ::kill(-p.group(), 0) != 0; });  // the kernel may still be ending the killed
    CHECK(errno == ESRCH);
    auto const mark = "zeroipc-test-" + std::to_string(p.group()) + "-";
    if (DIR* const all = ::opendir("/dev/shm")) {
        while (dirent const* const one = ::readdir(all))
            CHECK_FALSE(std::string(one->d_name).rfind(mark, 0) == 0);
        ::closedir(all);
    }
}

TEST_CASE("wrong usage is explained", "[fast]") {
    watchdog const limit(60);
    auto const refused = [](std::vector<std::string> arguments, std::string const& word) {
        program p(std::move(arguments));
        CHECK(p.process().wait() == 2);
        CHECK_THAT(p.err(), Contains(word));
    };
    refused({"--kills", "0"}, "--kills");
    refused({"--crowd", "1000"}, "--crowd");
    refused({"--variant", "queue/none/*"}, "no variant matches 'queue/none/*'; --list shows all");
    refused({"--capacity", "12"}, "12 is not a power of two");
    refused({"--frobnicate"}, "--frobnicate");
    program help({"--help"});
    CHECK(help.process().wait() == 0);
    CHECK_THAT(help.out(), Contains("Examples:") && Contains("Exit status"));
}

TEST_CASE("a run says what it found", "[fast]") {
    watchdog const limit(240);
    program p({"--kills", "24", "--variant", "queue/exchange/acq_rel/exp/compact,map/*", "--slices", "5",
               "--slice-ms", "5", "--seed", "7", "--json", program::json_file()});
    CHECK(p.process().wait() == 0);
    INFO(p.out() << p.err());
    CHECK_THAT(p.out(), Contains("seed 7") && Contains("no fault") && Contains("full capacity back"));
    CHECK_THAT(p.err(), Contains("24 of 24 kills done, finished") && !Contains("\r"));
    auto const j = p.json();
    CHECK(j["seed"] == 7);
    CHECK(j["kills"] == 24);
    CHECK(j["interrupted"] == false);
    REQUIRE(j["variants"].size() >= 2);
    std::uint64_t kills = 0;
    for (auto const& one : j["variants"]) {
        INFO(one.dump());
        kills += one["kills"].get<std::uint64_t>();
        CHECK(one["faults"].empty());
        CHECK(one["wedged"].is_null());
        CHECK(one["full_capacity_back"] == true);
        CHECK(one["survivors_ops_per_s"]["before_slices"].size() == 5);
        CHECK(one["survivors_ops_per_s"]["after_slices"].size() == 5);
        CHECK(one["survivors_ops_per_s"]["fresh_slices"].size() == 5);
        CHECK(one["open_with_recovery_ns"]["n"] > 0);
        CHECK(one["open_with_recovery_ns"]["p99"].is_null());  // too few
        CHECK(one["open_without_recovery_ns"]["n"] == 100);
    }
    CHECK(kills == 24);
    check_clean(p);
}

TEST_CASE("what is not kill-safe stops, and that is said", "[fast]") {
    watchdog const limit(240);
    program p({"--kills", "20000", "--variant", "queue/ticket/acq_rel/exp/compact", "--slices", "0",
               "--patience", "2", "--json", program::json_file()});
    CHECK(p.process().wait() == 1);
    INFO(p.out() << p.err());
    CHECK_THAT(p.out(), Contains("does not claim kill safety") && Contains("FAULT: wedged: after kill"));
    auto const j = p.json();
    CHECK(j["variants"][0]["wedged"].is_string());
    CHECK(j["kills"] < 20000);
    check_clean(p);
}

TEST_CASE("Ctrl-C keeps what was measured and leaves nothing", "[fast]") {
    watchdog const limit(240);
    program p(
        {"--kills", "1000000", "--variant", "stack/*", "--slices", "0", "--json", program::json_file()});
    until([&] { return p.err().find("kills done") != std::string::npos || p.process().ended(); });
    REQUIRE_FALSE(p.process().ended());
    ::kill(-p.group(), SIGINT);  // a terminal sends it to all of them
    CHECK(p.process().wait() == 130);
    INFO(p.out() << p.err());
    CHECK_THAT(p.out(), Contains("interrupted") && Contains("no fault"));
    auto const j = p.json();
    CHECK(j["interrupted"] == true);
    CHECK(j["kills"] > 0);
    CHECK(j["variants"][0]["full_capacity_back"] == true);
    check_clean(p);
}

TEST_CASE("figures: medians, quantiles that the samples carry, intervals", "[fast]") {
    CHECK(median_of({3, 1, 2}) == 2);
    CHECK(median_of({4, 1, 2, 3}) == 2.5);
    std::vector<double> thousand;
    for (int i = 1; i <= 1000; ++i) thousand.push_back(i);
    CHECK(quantile_of(thousand, 0.9) == 900);
    CHECK(quantile_of(thousand, 0.99) == 990);
    thousand.pop_back();
    CHECK_FALSE(quantile_of(thousand, 0.99));
    CHECK_FALSE(bootstrap({1, 2, 3, 4}));
    std::vector<double> const a{9, 10, 10, 10, 11};
    std::vector<double> const b{18, 20, 20, 20, 22};
    auto const ratio = bootstrap(b, &a);
    REQUIRE(ratio);
    CHECK(ratio->value == 2);
    CHECK(ratio->low <= 2);
    CHECK(ratio->high >= 2);
    CHECK(ratio->low >= 18.0 / 11);
    CHECK(ratio->high <= 22.0 / 9);
    std::vector<double> const none(5, 0.0);
    CHECK_FALSE(bootstrap(b, &none));
}

}  // namespace
