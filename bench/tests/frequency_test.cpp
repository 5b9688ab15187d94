#include "zeroipc/bench/frequency.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "message_of.hpp"
#include "root.hpp"

using namespace zeroipc::bench;
using Catch::Matchers::Contains;
using zeroipc::bench::testing::message_of;
using zeroipc::bench::testing::Root;

namespace {

std::string const cpus = "sys/devices/system/cpu/";

struct Machine : Root {
    Machine() {
        for (auto const* cpu : {"cpu0", "cpu1", "cpu10"})
            with(cpus + cpu + "/cpufreq/scaling_governor",
                 std::string(cpu) == "cpu1" ? "schedutil\n" : "powersave\n");
    }
    [[nodiscard]] std::string text(std::string const& name) const {
        std::ifstream file(path() / name);
        std::string line;
        std::getline(file, line);
        return line;
    }
    [[nodiscard]] std::string governors() const {
        std::string all;
        for (auto const* cpu : {"cpu0", "cpu1", "cpu10"})
            all += text(cpus + cpu + "/cpufreq/scaling_governor") + ' ';
        return all;
    }
};

std::string refusal(FrequencyWish const& wish, std::filesystem::path const& root) {
    return message_of<std::runtime_error>([&] { FrequencySetting const setting(wish, root); });
}

}  // namespace

TEST_CASE("governors are as wished while they are needed, and each as before afterwards", "[fast]") {
    Machine machine;
    {
        FrequencySetting const setting({"performance", {}}, machine.path());
        CHECK(machine.governors() == "performance performance performance ");
    }
    CHECK(machine.governors() == "powersave schedutil powersave ");
}

TEST_CASE("turbo is switched by either driver's file", "[fast]") {
    Machine intel;
    intel.with(cpus + "intel_pstate/no_turbo", "0\n").with(cpus + "cpufreq/boost", "1\n");
    {
        FrequencySetting const setting({{}, false}, intel.path());
        CHECK(intel.text(cpus + "intel_pstate/no_turbo") == "1");
        CHECK(intel.text(cpus + "cpufreq/boost") == "1");
        CHECK(intel.governors() == "powersave schedutil powersave ");
    }
    CHECK(intel.text(cpus + "intel_pstate/no_turbo") == "0");

    Machine other;
    other.with(cpus + "cpufreq/boost", "0\n");
    {
        FrequencySetting const setting({{}, true}, other.path());
        CHECK(other.text(cpus + "cpufreq/boost") == "1");
    }
    CHECK(other.text(cpus + "cpufreq/boost") == "0");
}

TEST_CASE("nothing is written where nothing is wished", "[fast]") {
    Machine machine;
    FrequencySetting const setting({}, machine.path());
    CHECK(machine.governors() == "powersave schedutil powersave ");
}

TEST_CASE("a machine without such settings is told so", "[fast]") {
    Root const bare;
    CHECK_THAT(refusal({"performance", {}}, bare.path()),
               Contains("set to performance") && Contains("scaling_governor") && Contains("--governor"));
    CHECK_THAT(refusal({{}, false}, bare.path()), Contains("no_turbo"));
}

TEST_CASE("what was set is restored when something is refused", "[fast]") {
    Machine machine;  // no turbo here: the governors were set by then
    CHECK_FALSE(refusal({"performance", false}, machine.path()).empty());
    CHECK(machine.governors() == "powersave schedutil powersave ");

    // A folder in place of the last CPU's file is neither read nor written.
    Machine strange;
    auto const file = strange.path() / (cpus + "cpu10/cpufreq/scaling_governor");
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    CHECK_THAT(refusal({"performance", {}}, strange.path()), Contains("cpu10/cpufreq/scaling_governor"));
    CHECK(strange.text(cpus + "cpu0/cpufreq/scaling_governor") == "powersave");

    // A file that takes everything and keeps nothing.
    Machine deaf;
    auto const sink = deaf.path() / (cpus + "cpu1/cpufreq/scaling_governor");
    std::filesystem::remove(sink);
    std::filesystem::create_symlink("/dev/null", sink);
    CHECK_THAT(refusal({"performance", {}}, deaf.path()),
               Contains("afterwards") && Contains("something else sets it"));
    CHECK(deaf.text(cpus + "cpu0/cpufreq/scaling_governor") == "powersave");
}
